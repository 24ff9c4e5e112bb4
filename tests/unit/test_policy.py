"""The policy around any engine: one thread, many callers, exact versions, proofs."""

import asyncio
import importlib
import math
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from azr.config.engines import ENGINES
from azr.config.run import ModelConfig, RolloutConfig, RunConfig, SelfPlayConfig
from azr.errors import ModelError, StaleWeights
from azr.models.checksums import Receipt
from azr.models.weights import TorchWeights
from azr.rollout import opening, statistics
from azr.rollout.opening import choose_engine
from azr.rollout.policy import EnginePolicy
from azr.rollout.prompt_tokens import Renderer, open_renderer
from azr.rollout.requests import Request, Sampled
from azr.types import Mode, Prompt, Role, Rollout
from tests.tiny import make_tiny_model, make_tiny_tokenizer

CONFIG = RolloutConfig(max_prompt_tokens=64, max_completion_tokens=8)


class ScriptedWeights(TorchWeights):
    """The learner believes every token to have this log-probability."""

    def __init__(self, logprob: float, rounding: float = 0.0) -> None:
        self.logprob = logprob
        self.rounding = rounding

    def checksums(self, dtype: str) -> dict[str, int]:
        return {"first": 1, "second": hash(str(self.logprob))}

    def probe_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        return [self.logprob] * (len(token_ids) - 1)

    def probe_rounding(self, token_ids: Sequence[int], logprobs: Sequence[float]) -> float:
        del token_ids, logprobs
        return self.rounding


@dataclass
class ScriptedEngine:
    """Finishes each request after a few steps; its log-probabilities follow the loaded weights."""

    steps: int = 2
    logprob: float = -1.0
    is_exact: bool = True
    is_deaf: bool = False
    fault: Exception | None = None
    empty: bool = False
    open: dict[int, int] = field(default_factory=dict)
    aborted: list[int] = field(default_factory=list)
    loaded_while_open: bool = False
    closed: bool = False
    receipt: Receipt | None = None

    @property
    def num_running(self) -> int:
        return len(self.open)

    def add(self, key: int, request: Request) -> None:
        if 255 in request.prompt_ids:
            raise ModelError("refused")
        self.open[key] = self.steps

    def step(self) -> list[tuple[int, Sampled]]:
        if self.fault:
            raise self.fault
        for key in self.open:
            self.open[key] -= 1
        done = [key for key, left in self.open.items() if left <= 0]
        for key in done:
            del self.open[key]
        ids = () if self.empty else (7,)
        sampled = Sampled(
            ids=ids, logprobs=(self.logprob,) * len(ids), text="x" * len(ids), truncated=False
        )
        return [(key, sampled) for key in done]

    def abort(self, keys: Iterable[int]) -> None:
        for key in keys:
            self.aborted.append(key)
            self.open.pop(key, None)

    def load(self, weights: Any, version: int) -> None:
        self.loaded_while_open |= bool(self.open)
        self.receipt = Receipt(version, weights.checksums("float32"))
        if not self.is_deaf:
            self.logprob = weights.logprob

    def prompt_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        return [self.logprob] * (len(token_ids) - 1)

    def close(self) -> None:
        self.closed = True


Opener = Callable[..., EnginePolicy]


@pytest.fixture
def open_scripted() -> Iterator[Opener]:
    opened: list[EnginePolicy] = []

    def make(engine: ScriptedEngine, staleness: int = 0) -> EnginePolicy:
        renderer = Renderer(make_tiny_tokenizer(), max_prompt_tokens=64, chat=False)
        config = CONFIG.changed(max_staleness=staleness)
        opened.append(EnginePolicy(lambda: engine, renderer, config, 72))
        return opened[-1]

    yield make
    for policy in opened:
        policy.close()


def prompt(text: str = "hello", **changes: Any) -> Prompt:
    return replace(Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text=text), **changes)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, 20))


def test_many_callers_share_one_engine(open_scripted: Opener) -> None:
    policy = open_scripted(ScriptedEngine())
    seen: list[Rollout] = []
    policy.watch = seen.append

    async def play() -> list[Rollout]:
        return await asyncio.gather(*(policy.sample(prompt(str(i))) for i in range(50)))

    rollouts = run(play())
    assert [rollout.prompt.text for rollout in rollouts] == [str(i) for i in range(50)]
    assert len(seen) == 50
    stats = policy.stats()
    assert stats["rollout/requests"] == 50
    assert stats["rollout/completion_tokens"] == 50
    assert policy.stats()["rollout/requests"] == 0


def test_weights_change_only_between_rollouts(open_scripted: Opener) -> None:
    engine = ScriptedEngine(steps=20)
    policy = open_scripted(engine)

    async def play() -> tuple[Rollout, Rollout]:
        before = asyncio.create_task(policy.sample(prompt()))
        await asyncio.sleep(0)
        adoption = asyncio.create_task(policy.adopt(ScriptedWeights(-2.0), version=5))
        await asyncio.sleep(0)
        after = asyncio.create_task(policy.sample(prompt()))
        await adoption
        return await before, await after

    before, after = run(play())
    assert (before.policy_version, before.rollout_logprobs) == (0, (-1.0,))
    assert (after.policy_version, after.rollout_logprobs) == (5, (-2.0,))
    assert not engine.loaded_while_open


class PatientEngine(ScriptedEngine):
    """Finishes nothing before it has new weights."""

    def load(self, weights: Any, version: int) -> None:
        super().load(weights, version)
        self.steps, self.open = 1, dict.fromkeys(self.open, 1)


def test_where_tokens_may_be_stale_weights_change_while_rollouts_are_under_way(
    open_scripted: Opener,
) -> None:
    """What finishes while the new weights are proved is not lost."""
    engine = PatientEngine(steps=10**9)
    policy = open_scripted(engine, staleness=1)

    async def play() -> list[Rollout]:
        before = [asyncio.create_task(policy.sample(prompt(str(n)))) for n in range(8)]
        await asyncio.sleep(0)
        await policy.adopt(ScriptedWeights(-2.0), version=5)
        return [*await asyncio.gather(*before), await policy.sample(prompt())]

    *before, after = run(play())
    assert engine.loaded_while_open
    assert {rollout.policy_version for rollout in before} == {0}
    assert {rollout.rollout_logprobs for rollout in before} == {(-2.0,)}
    assert after.policy_version == 5


@pytest.mark.parametrize(
    ("is_exact", "difference", "is_stale"),
    [
        (True, 0.0009, False),
        (True, 0.002, True),
        (False, 0.2, False),
        (False, 0.3, True),
        (True, math.nan, True),
        (False, math.nan, True),
    ],
)
def test_weights_that_did_not_arrive_stop_the_run(
    open_scripted: Opener, is_exact: bool, difference: float, is_stale: bool
) -> None:
    policy = open_scripted(ScriptedEngine(is_exact=is_exact, is_deaf=True))
    adoption = policy.adopt(ScriptedWeights(-1.0 + difference), version=3)
    if is_stale:
        with pytest.raises(StaleWeights, match="version 3"):
            run(adoption)
    else:
        run(adoption)
        assert policy.stats()["sync/probe_max_abs"] == pytest.approx(difference)


def test_a_learner_that_reads_its_weights_in_bfloat16_is_compared_loosely(
    open_scripted: Opener,
) -> None:
    """Several ranks gather their rows in it, whatever the engine computes in."""
    policy = open_scripted(ScriptedEngine(is_exact=True, is_deaf=True))
    weights = ScriptedWeights(-0.8)
    weights.is_exact = False
    run(policy.adopt(weights, version=3))
    assert policy.stats()["sync/probe_max_abs"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("rounding", "difference", "is_stale"),
    [(0.24, 0.4, False), (0.24, 0.5, True), (0.01, 0.3, True), (math.nan, 0.3, False)],
)
def test_in_16_bits_the_tolerance_follows_what_rounding_does_to_these_weights(
    open_scripted: Opener, rounding: float, difference: float, is_stale: bool
) -> None:
    """A healthy run of 18 steps was ended by a fixed tolerance of 0.25.

    Where rounding is no number (float16 has a small range) the checksums alone have decided.
    """
    policy = open_scripted(ScriptedEngine(is_exact=False, is_deaf=True))
    adoption = policy.adopt(ScriptedWeights(-1.0 + difference, rounding), version=18)
    if is_stale:
        with pytest.raises(StaleWeights, match="version 18"):
            run(adoption)
    else:
        run(adoption)
        assert policy.stats()["sync/probe_rounding"] == pytest.approx(rounding, nan_ok=True)


def test_a_cancelled_caller_frees_the_engine(open_scripted: Opener) -> None:
    engine = ScriptedEngine(steps=10**9)
    policy = open_scripted(engine)

    async def play() -> None:
        task = asyncio.create_task(policy.sample(prompt()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while engine.open or not engine.aborted:  # noqa: ASYNC110 - a thread does it
            await asyncio.sleep(0.01)

    run(play())


def test_a_broken_engine_fails_everybody_who_waits(
    open_scripted: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    policy = open_scripted(ScriptedEngine(fault=RuntimeError("out of memory")))

    async def play() -> list[Any]:
        asked = (policy.sample(prompt()) for _ in range(3))
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = run(play())
    assert all(isinstance(a, ModelError) and "out of memory" in str(a) for a in answers)
    with pytest.raises(ModelError, match="out of memory"):
        run(policy.sample(prompt()))


def test_an_empty_completion_is_a_rollout_without_tokens(open_scripted: Opener) -> None:
    policy = open_scripted(ScriptedEngine(empty=True))
    rollout = run(policy.sample(prompt(prefill="abc")))
    assert (rollout.completion_ids, rollout.rollout_logprobs, rollout.text) == ((), (), "abc")
    assert policy.stats()["rollout/empty"] == 1


def test_a_closed_policy_says_so(open_scripted: Opener) -> None:
    engine = ScriptedEngine()
    policy = open_scripted(engine)
    policy.close()
    assert engine.closed
    with pytest.raises(ModelError, match="closed"):
        run(policy.sample(prompt()))


def test_a_prompt_that_is_too_long_names_both_lengths(open_scripted: Opener) -> None:
    policy = open_scripted(ScriptedEngine())
    with pytest.raises(ModelError, match=r"has 65 tokens, above rollout\.max_prompt_tokens = 64"):
        run(policy.sample(prompt("x" * 65)))
    with pytest.raises(ModelError, match="no tokens"):
        run(policy.sample(prompt("")))


def test_an_engine_that_does_not_start_raises_where_it_is_opened() -> None:
    def fail() -> ScriptedEngine:
        raise ModelError("no such engine")

    renderer = Renderer(make_tiny_tokenizer(), max_prompt_tokens=64, chat=False)
    with pytest.raises(ModelError, match="no such engine"):
        EnginePolicy(fail, renderer, CONFIG, 72)


def test_a_rollout_says_what_the_template_opened(open_scripted: Opener) -> None:
    policy = open_scripted(ScriptedEngine())
    tokenizer = make_tiny_tokenizer()
    tokenizer.chat_template = "{{ messages[0].content }}<think>"
    policy._renderer = Renderer(tokenizer, max_prompt_tokens=64, chat=True)
    assert run(policy.sample(prompt("hi", chat=True))).text.startswith("<think>")


def config_of(folder: Path, *, chat: bool = False, **rollout: Any) -> RunConfig:
    return RunConfig(
        model=ModelConfig(name=str(folder)),
        selfplay=SelfPlayConfig(chat_template=chat),
        rollout=CONFIG.changed(**rollout),
    )


def test_a_model_without_chat_template_is_refused_at_the_start(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "tiny", chat=False)
    open_renderer(config_of(folder), folder)
    with pytest.raises(ModelError, match=r"has no chat template.*set it to false"):
        open_renderer(config_of(folder, chat=True), folder)


def test_a_context_that_is_too_short_is_refused_at_the_start(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "tiny", context=100)
    with pytest.raises(ModelError, match=r"at most 100 tokens.*64 \+ 40 = 104"):
        open_renderer(config_of(folder, max_completion_tokens=40), folder)


def test_an_empty_folder_has_no_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="tokenizer"):
        open_renderer(config_of(tmp_path), tmp_path)


def test_the_first_engine_that_works_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {ENGINES["vllm"]: "ImportError: broken"}
    monkeypatch.setattr(opening, "problem_with", broken.get)
    assert choose_engine("auto") == "transformers"
    assert choose_engine("transformers") == "transformers"
    with pytest.raises(ModelError, match=r"ImportError: broken.*azr doctor"):
        choose_engine("vllm")
    broken.clear()
    assert choose_engine("auto") == "vllm"
    broken.update(dict.fromkeys(ENGINES.values(), "gone"))
    with pytest.raises(ModelError, match=r"none of the engines vllm, transformers works"):
        choose_engine("auto")


def test_an_engine_that_needs_a_gpu_is_not_taken_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    needy = replace(ENGINES["transformers"], builds={"cuda": "transformers"})
    monkeypatch.setattr(opening, "device_type", lambda: "cpu")
    assert opening.problem_with(needy) == "it needs cuda"
    assert opening.problem_with(ENGINES["transformers"]) is None


def test_every_engine_of_the_registry_has_its_file() -> None:
    for engine in ENGINES.values():
        assert callable(importlib.import_module(engine.module).open_engine)


def test_the_environment_comes_before_torch() -> None:
    """OpenMP reads its settings once, when torch is imported: the module must not import it."""
    code = "import sys, azr.rollout.environment; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_time_of_requests_is_a_mean_over_engines_and_goes_on_where_it_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(statistics.time, "perf_counter", lambda: now[0])
    tally = statistics.Tally(2)
    with tally.request(0):
        now[0] = 10.0
        with tally.request(0), tally.request(1):
            now[0] = 16.0
            first = tally.take()
            now[0] = 20.0
    second = tally.take()
    assert first["rollout/busy_s"] == (16 + 6) / 2
    assert first["rollout/occupancy"] == (10 + 2 * 6 + 6) / (16 + 6)
    assert second["rollout/busy_s"] == 4.0
    assert second["rollout/occupancy"] == 1.5
    assert tally.take()["rollout/busy_s"] == 0.0
