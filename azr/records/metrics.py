"""A step in numbers: what they are called, and how they are computed.

    reward/<stream>/{mean,min,max}   accuracy/solver/<mode>        well_formed/<stream>
    composite/<mode>   valid_composite/<mode>
    valid/<mode>   solve_rate/<mode>   learnability/<mode>   learnable/<mode>   distinct/<mode>
    lines/<mode>   length/<stream>/{mean,min,max}   truncated/<stream>   entropy/<stream>
    intrinsic/<mode>/<term>   ast_distance/<mode>   and what else azr.records.proposal_metrics names
    advantage/<stream>/{mean,min,max}   refused/<reason>   outcome/<role>/<kind>
    buffer/<mode>/{size,distinct_programs}   buffer/<mode>/type/<type of output>
    time/{step,play,train,sync,other}   perf/{tokens_per_s,engine_busy}   idle/{learner,engine}
    rollouts, and what the parts report

What is read from the texts themselves comes from text_metrics; docs/metrics.md explains all.
A quantity that a step has no data for (the solve rate when no proposal is valid) is left out,
never 0. All are numbers of one step; nothing is smoothed here.
"""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from statistics import fmean

from azr.records.proposal_metrics import appraisal_metrics
from azr.records.text_metrics import text_metrics
from azr.types import STREAMS, Experience, Role, Verdict, count_lines, stream_name

__all__ = ["Stopwatch", "step_metrics"]

TOKENS = "rollout/completion_tokens"
"""If a policy reports all that it sampled (including trials) under this name, it decides tokens/s.
"""
PLAYS_AHEAD = "ahead/play_s"
"""In the metrics of steps that were played while others were learned from (azr.game.ahead)."""


class Stopwatch:
    """Where a step's time goes; make it when the step starts."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._started = clock()
        self._phases: dict[str, float] = defaultdict(float)

    @contextmanager
    def phase(self, name: str) -> Generator[None]:
        """Add the block's time to `name`; the same name may come again, and adds up."""
        started = self._clock()
        try:
            yield
        finally:
            self._phases[name] += self._clock() - started

    def seconds(self) -> dict[str, float]:
        """Return `time/<phase>` for each phase, `time/step` since the start, and `time/other`."""
        total = self._clock() - self._started
        phases = {f"time/{name}": seconds for name, seconds in self._phases.items()}
        other = max(0.0, total - sum(phases.values()))
        return {**phases, "time/other": other, "time/step": total}


def step_metrics(
    experiences_N: Sequence[Experience],
    advantages_N: Sequence[float],
    statistics: Mapping[str, float],
) -> dict[str, float]:
    """Return all metrics of one step.

    Args:
        experiences_N: The step's experiences, streams mixed, in any order.
        advantages_N: Aligned with them.
        statistics: What learner, policy, judge and stopwatch measured. They are passed through,
            except that `perf/tokens_per_s` is derived if it is missing.
    """
    metrics: dict[str, float] = dict(statistics)
    metrics["rollouts"] = len(experiences_N)
    total_tokens = sum(len(e.rollout.completion_ids) for e in experiences_N)
    pairs = list(zip(experiences_N, advantages_N, strict=True))
    metrics.update(anchor_metrics([pair for pair in pairs if pair[0].is_anchor]))
    pairs = [pair for pair in pairs if not pair[0].is_anchor]
    experiences_N = [experience for experience, _ in pairs]
    for stream in STREAMS:
        mine = [(e, advantage) for e, advantage in pairs if e.stream == stream]
        if mine:
            experiences = [e for e, _ in mine]
            metrics.update(stream_metrics(stream_name(stream), experiences))
            metrics.update(spread(f"advantage/{stream_name(stream)}", [a for _, a in mine]))
            role_metrics = proposer_metrics if stream[0] is Role.PROPOSER else solver_metrics
            metrics.update(role_metrics(stream[1].value, experiences))
    metrics.update(text_metrics(experiences_N))
    metrics.update(refusals(experiences_N))
    metrics.update(outcomes(experiences_N))
    sampled = metrics.get(TOKENS, total_tokens)
    sampling_s = metrics.get("time/step" if PLAYS_AHEAD in metrics else "time/play", 0.0)
    if "perf/tokens_per_s" not in metrics and sampling_s > 0:
        metrics["perf/tokens_per_s"] = sampled / sampling_s
    metrics.update(engine_busy(metrics))
    metrics.update(idle_shares(metrics))
    return metrics


def anchor_metrics(pairs: Sequence[tuple[Experience, float]]) -> dict[str, float]:
    """What became of the user's own tasks, which count in no stream's metrics."""
    if not pairs:
        return {}
    return {
        "anchor/answers": len(pairs),
        "anchor/accuracy": share(e.verdict == Verdict.PASSED for e, _ in pairs),
        **spread("anchor/reward", [e.reward for e, _ in pairs]),
        **spread("anchor/advantage", [advantage for _, advantage in pairs]),
    }


def engine_busy(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the share of play in which the engine computed and did not wait.

    It mostly waits for verdicts. The share is left out if the engine did more than the step's play:
    it seeds the buffers before step 1, samples for evaluations, and plays steps ahead.
    """
    busy_s, play_s = metrics.get("rollout/busy_s"), metrics.get("time/play", 0.0)
    does_more = {"time/evaluate", PLAYS_AHEAD} & metrics.keys()
    if busy_s is None or does_more or not 0 < busy_s <= play_s:
        return {}
    return {"perf/engine_busy": busy_s / play_s}


def idle_shares(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the shares of a step in which the learner, and in which engines, did nothing.

    A push is work of both. That of engines is left out if they did more: seeds, an evaluation.
    """
    step_s, busy_s = metrics.get("time/step", 0.0), metrics.get("rollout/busy_s", 0.0)
    if step_s <= 0:
        return {}
    sync_s = metrics.get("time/sync", 0.0)
    shares = {"idle/learner": 1 - (metrics.get("time/train", 0.0) + sync_s) / step_s}
    if "time/evaluate" not in metrics and 0 < busy_s <= step_s:
        shares["idle/engine"] = 1 - min(1.0, (busy_s + sync_s) / step_s)
    return shares


def stream_metrics(name: str, experiences: Sequence[Experience]) -> dict[str, float]:
    """Return what every stream has, proposer or solver."""
    rollouts = [e.rollout for e in experiences]
    lengths = [len(rollout.completion_ids) for rollout in rollouts]
    logprobs = [logprob for rollout in rollouts for logprob in rollout.rollout_logprobs]
    metrics = spread(f"reward/{name}", [e.reward for e in experiences])
    metrics[f"well_formed/{name}"] = share(e.verdict != Verdict.ILL_FORMED for e in experiences)
    metrics[f"length/{name}/mean"] = fmean(lengths)
    metrics[f"length/{name}/min"] = min(lengths)
    metrics[f"length/{name}/max"] = max(lengths)
    metrics[f"truncated/{name}"] = share(rollout.truncated for rollout in rollouts)
    if logprobs:  # the sampled tokens' mean surprise estimates the policy's entropy without bias
        metrics[f"entropy/{name}"] = -fmean(logprobs)
    return metrics


def solver_metrics(mode: str, experiences: Sequence[Experience]) -> dict[str, float]:
    """Return the share of right answers."""
    return {f"accuracy/solver/{mode}": share(e.verdict == Verdict.PASSED for e in experiences)}


def proposer_metrics(mode: str, experiences: Sequence[Experience]) -> dict[str, float]:
    """Return how many proposals became tasks, and what these are like."""
    tasks = [e.task for e in experiences if e.verdict == Verdict.PASSED and e.task is not None]
    rates = [e.solve_rate for e in experiences if e.solve_rate is not None]
    metrics = {f"valid/{mode}": share(e.verdict == Verdict.PASSED for e in experiences)}
    composite = [e for e in experiences if e.rollout.prompt.demands.functions]
    if composite:  # those asked to build on past programs; left out in steps without any
        metrics[f"composite/{mode}"] = len(composite) / len(experiences)
        valid = share(e.verdict == Verdict.PASSED for e in composite)
        metrics[f"valid_composite/{mode}"] = valid
    if tasks:
        different = {(task.program, task.cases) for task in tasks}
        metrics[f"distinct/{mode}"] = len(different) / len(tasks)
        metrics[f"lines/{mode}"] = fmean(count_lines(task.program) for task in tasks)
    metrics.update(appraisal_metrics(mode, experiences))
    if rates:
        metrics[f"solve_rate/{mode}"] = fmean(rates)
        metrics[f"learnable/{mode}"] = share(0 < rate < 1 for rate in rates)
        # the paper's learnability, whatever formula the run rewards: curves stay comparable
        metrics[f"learnability/{mode}"] = fmean(1 - rate if rate > 0 else 0.0 for rate in rates)
    return metrics


def refusals(experiences: Sequence[Experience]) -> dict[str, float]:
    """Return how many proposals were refused, by reason."""
    reasons = Counter(
        slug(e.reason) or "unknown"
        for e in experiences
        if e.stream[0] == Role.PROPOSER and e.verdict != Verdict.PASSED
    )
    return {f"refused/{reason}": count for reason, count in reasons.items()}


def outcomes(experiences: Sequence[Experience]) -> dict[str, float]:
    """Return the share of each kind of end, by role; the shares of a role sum to 1."""
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for e in experiences:
        kind = "passed" if e.verdict == Verdict.PASSED else slug(e.reason.partition(":")[0])
        kinds[e.stream[0].value][kind or e.verdict.value] += 1
    return {
        f"outcome/{role}/{kind}": count / counts.total()
        for role, counts in kinds.items()
        for kind, count in counts.items()
    }


def slug(reason: str) -> str:
    """Make a reason the end of a metric's name: `raised: ValueError` -> `raised.ValueError`.

    Only the kind and its first detail stay. A message with a value in it would otherwise make a new
    metric in every step.
    """
    parts = [re.sub(r"\W+", "_", part).strip("_")[:40] for part in reason.split(":")[:2]]
    return ".".join(part for part in parts if part)


def share(flags: Iterable[bool]) -> float:
    """Return the share of true ones; 0 of none."""
    values = list(flags)
    return sum(values) / len(values) if values else 0.0


def spread(name: str, values: Sequence[float]) -> dict[str, float]:
    """Return mean, least and greatest."""
    return {
        f"{name}/mean": fmean(values),
        f"{name}/min": min(values),
        f"{name}/max": max(values),
    }
