"""A made-up run that looks like a real one: programs that grow, tasks that get harder, trials.

FAKE: no model wrote these programs and nothing was measured. Proposals and the answers to their
tasks belong together as in a run that keeps its trials, programs repeat now and then, and
answers are wrong in every way the judge knows.
"""

import random
from pathlib import Path
from typing import NamedTuple

from azr.config.run import LoggingConfig, RunConfig, SelfPlayConfig
from azr.records.metrics import step_metrics
from azr.records.rollouts import rollout_records
from azr.records.run_folder import RunFolder
from azr.records.sinks import MetricsWriter
from azr.types import Case, Experience, Mode, Prompt, Role, Rollout, Task, Verdict

LINES = (
    "    x = [v + {k} for v in x]",
    "    x = [v * {k} for v in x if v != {k}]",
    "    x = sorted(x, reverse=True)  # largest first",
    "    x = x[{k} % len(x):] + x[:{k} % len(x)] if x else []",
    "    for i, v in enumerate(x):\n        if v % 2 == 0:\n            x[i] = v // 2 - {k}",
)


class Skill(NamedTuple):
    """Chances at the beginning and the end of a run."""

    valid: tuple[float, float] = (0.35, 0.85)
    right: tuple[float, float] = (0.2, 0.65)


SKILL = Skill()


def make_curriculum(
    folder: Path, steps: int, seed: int = 0, skill: Skill = SKILL, batch: int = 6, trials: int = 4
) -> Path:
    """Write a run folder; its trials are records as well."""
    config = RunConfig(
        name=folder.name,
        runs=str(folder.parent),
        steps=steps,
        selfplay=SelfPlayConfig(batch_size=batch, trials_per_task=trials, envelope="none"),
        logging=LoggingConfig(tensorboard=False),
    )
    chance = random.Random(seed)
    with RunFolder.open(config) as run:
        writer = MetricsWriter(run.path, config)
        for step in range(1, steps + 1):
            progress = step / steps
            played = [
                experience
                for mode in config.selfplay.modes
                for _ in range(batch)
                for experience in play(mode, step, progress, chance, skill, trials)
            ]
            advantages = [chance.gauss(0, 1) for _ in played]
            numbers = measured(played, step, progress, chance, skill)
            writer.write(step, step_metrics(played, advantages, numbers))
            run.write_rollouts(step, rollout_records(step, played, advantages))
        writer.close()
    return run.path


def measured(
    played: list[Experience], step: int, progress: float, chance: random.Random, skill: Skill
) -> dict[str, float]:
    """What learner, stopwatch, evaluation and the optional terms of the reward report."""
    times = {"time/play": 20 - 8 * progress, "time/train": 7 + chance.random(), "time/sync": 0.5}
    numbers = {
        **times,
        "time/other": 0.3,
        "time/step": sum(times.values()) + 0.3,
        "loss": 0.1 * chance.gauss(1, 0.3),
        "grad_norm": 1 + chance.random(),
        "mismatch/mean_abs": 1e-3 * (1 + chance.random()),
        "rollout/completion_tokens": 90.0 * len(played),
    }
    for mode in SelfPlayConfig().modes:
        numbers[f"ast_distance/{mode}"] = 0.4 + 0.2 * progress + chance.gauss(0, 0.03)
        numbers[f"intrinsic/{mode}/complexity"] = 0.2 + 0.1 * progress + chance.gauss(0, 0.02)
    if step % 10 == 0:
        score = skill.right[0] + (skill.right[1] - skill.right[0]) * progress
        value = min(0.97, max(0.03, score + chance.gauss(0, 0.02)))
        name = "eval/cruxeval-o/pass@1"
        numbers |= {name: value, f"{name}/low": value - 0.06, f"{name}/high": value + 0.06}
    return numbers


def play(
    mode: Mode, step: int, progress: float, chance: random.Random, skill: Skill, trials: int
) -> list[Experience]:
    """A proposal, its trials and one solver attempt."""
    task = new_task(mode, step, progress, chance)
    fence = f"```python\n{task.program}\n```\n```input\n{task.cases[0].input}\n```"
    if chance.random() > between(skill.valid, progress):
        verdict, reason = chance.choice(
            [
                (Verdict.FAILED, "raised: ValueError"),
                (Verdict.FAILED, "not deterministic"),
                (Verdict.FAILED, "refused: import of os"),
                (Verdict.ILL_FORMED, "parse: no input block"),
            ]
        )
        rollout = sampled(Role.PROPOSER, mode, fence, None, chance)
        old = new_task(mode, max(0, step - 3), progress, chance)
        refused = Experience(rollout=rollout, verdict=verdict, reward=-1.0, reason=reason)
        return [refused, answer(old, progress, chance, skill, 0.0)]
    hardness = chance.gauss(0, 0.35)
    answers = [answer(task, progress, chance, skill, hardness) for _ in range(trials + 1)]
    rate = sum(a.verdict is Verdict.PASSED for a in answers[:trials]) / trials
    proposal = Experience(
        rollout=sampled(Role.PROPOSER, mode, fence, None, chance),
        verdict=Verdict.PASSED,
        reward=1 - rate if rate > 0 else 0.0,
        task=task,
        solve_rate=rate,
    )
    return [proposal, *answers]


def new_task(mode: Mode, step: int, progress: float, chance: random.Random) -> Task:
    """A program of as many lines as the run is far."""
    lines = [chance.choice(LINES) for _ in range(1 + int(4 * progress * chance.random()))]
    body = "\n".join(line.format(k=chance.randint(1, 4)) for line in lines)
    end = "    return {'sum': sum(x), 'first': x[:2]}"
    program = f"def f(x: list[int], k: int = 2) -> dict:\n{body}\n{end}"
    count = 6 if mode is Mode.INDUCTION else 1
    cases = tuple(
        Case(
            str([chance.randint(-9, 20) for _ in range(4)]),
            f"{{'sum': {chance.randint(-9, 99)}, 'first': [{chance.randint(0, 9)}, 4]}}",
        )
        for _ in range(count)
    )
    message = "Shift every number, then add up." if mode is Mode.INDUCTION else ""
    return Task(mode=mode, program=program, cases=cases, message=message, born_step=step)


def answer(
    task: Task, progress: float, chance: random.Random, skill: Skill, hardness: float
) -> Experience:
    """A right or a wrong one."""
    is_right = chance.random() < between(skill.right, progress) - hardness
    right = {
        Mode.DEDUCTION: f"```output\n{task.cases[0].output}\n```",
        Mode.ABDUCTION: f"```input\n{task.cases[0].input}\n```",
        Mode.INDUCTION: f"```python\n{task.program}\n```",
    }[task.mode]
    tag = right.split("\n", 1)[0]
    body = "def f(x):\n    return x" if task.mode is Mode.INDUCTION else "{'sum': 6, 'first': []}"
    wrong, verdict, reason = chance.choice(
        [
            (f"{tag}\n{body}\n```", Verdict.FAILED, "wrong value"),
            (f"{tag}\nsum of all\n```", Verdict.FAILED, "not a literal"),
            (f"{tag}\n{body}\n```", Verdict.FAILED, "raised: TypeError"),
            ("I think that", Verdict.ILL_FORMED, "parse: truncated"),
        ]
    )
    return Experience(
        rollout=sampled(Role.SOLVER, task.mode, right if is_right else wrong, task, chance),
        verdict=Verdict.PASSED if is_right else verdict,
        reward=1.0 if is_right else -0.5,
        reason="" if is_right else reason,
        task=task,
    )


def sampled(role: Role, mode: Mode, text: str, task: Task | None, chance: random.Random) -> Rollout:
    """A rollout of this text."""
    length = chance.randint(20, 120)
    thought = "Let me see. The list is sorted first.\n"
    prompt = Prompt(role=role, mode=mode, text=f"# {mode} puzzle\n" * 6, task=task)
    return Rollout(
        prompt=prompt,
        prompt_ids=(1,) * 200,
        completion_ids=(2,) * length,
        rollout_logprobs=(-0.4 - 0.2 * chance.random(),) * length,
        completion=thought + text,
        policy_version=0,
        truncated=length > 115,
    )


def between(ends: tuple[float, float], progress: float) -> float:
    """Linear."""
    return ends[0] + (ends[1] - ends[0]) * progress
