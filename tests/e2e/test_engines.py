"""What every engine must do, tried on the real ones with a tiny model."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from azr.config.run import ModelConfig, RolloutConfig, RunConfig
from azr.errors import StaleWeights
from azr.learner.learner import TorchLearner
from azr.learner.packing import Sequence1, pack
from azr.models.weights import TorchWeights
from azr.rollout.environment import prepare_environment
from azr.rollout.opening import open_policy
from azr.rollout.policy import EnginePolicy
from azr.rollout.vllm_engine import VllmEngine, engine_arguments
from azr.types import Dropout, Mode, Prompt, Role, Rollout
from tests.tiny import make_tiny_model

END = 2
pytestmark = [
    pytest.mark.slow,
    # vLLM's and torch's own affairs; pytest cannot know that nobody here can act on them
    pytest.mark.filterwarnings("default"),
]


@pytest.fixture(autouse=True, scope="module")
def _prepared() -> None:
    prepare_environment()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


def run_config(folder: Path, engine: str, **rollout: Any) -> RunConfig:
    sampling = RolloutConfig(
        engine=engine, max_prompt_tokens=400, max_completion_tokens=40, max_concurrent=16
    )
    return RunConfig(model=ModelConfig(name=str(folder)), rollout=sampling.changed(**rollout))


@pytest.fixture(scope="module", params=["vllm", "transformers"])
def policy(request: pytest.FixtureRequest, folder: Path) -> Iterator[EnginePolicy]:
    if request.param == "vllm":
        request.getfixturevalue("needs_vllm")
    policy = open_policy(run_config(folder, request.param), folder)
    yield policy
    policy.close()


@pytest.fixture
def model(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def prompt(text: str, **changes: Any) -> Prompt:
    return replace(Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text=text, seed=1), **changes)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, 100))


async def sample_all(policy: EnginePolicy, prompts: list[Prompt]) -> list[Rollout]:
    return await asyncio.gather(*(policy.sample(prompt) for prompt in prompts))


MIXED = [prompt(f"task {i} " * (1 + i % 7), seed=i) for i in range(24)]


def largest_difference(model: Any, rollouts: list[Rollout]) -> float:
    weights = TorchWeights(model)
    worst = 0.0
    for rollout in rollouts:
        ids = rollout.prompt_ids + rollout.completion_ids
        exact = weights.probe_logprobs(ids)[len(rollout.prompt_ids) - 1 :]
        pairs = zip(exact, rollout.rollout_logprobs, strict=True)
        worst = max(worst, *(abs(a - b) for a, b in pairs))
    return worst


def test_dropped_words_are_not_sampled_and_the_learner_leaves_them_out(
    policy: EnginePolicy, folder: Path
) -> None:
    """The tiny tokenizer's tokens are bytes: all are taken for words. The temperature is not 1."""
    policy._renderer.vocabulary._words = list(range(3, 259))
    asked = [replace(one, dropout=Dropout(0.5, 7), temperature=0.7) for one in MIXED]
    beside = [replace(one, temperature=0.7) for one in MIXED]  # solvers have all words
    found = run(sample_all(policy, [x for pair in zip(asked, beside, strict=True) for x in pair]))
    rollouts, plain = found[::2], found[1::2]
    assert {len(rollout.dropped) for rollout in rollouts} == {128}
    dropped = set(rollouts[0].dropped)
    assert not {token for rollout in rollouts for token in rollout.completion_ids} & dropped
    assert {token for rollout in plain for token in rollout.completion_ids} & dropped
    learner = TorchLearner(run_config(folder, "transformers"), folder)
    for alike in (rollouts, plain):
        (batch,) = pack([Sequence1(rollout, 1.0) for rollout in alike], 100_000)
        logprobs = learner.pupil.logprobs(batch)
        assert (logprobs - batch.rollout_logprobs).abs().max() < 1e-3


def changed(model: Any, seed: int) -> TorchWeights:
    """Every weight moved a little, as updates do."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)
    return TorchWeights(model)


def test_rollouts_carry_the_ids_and_logprobs_of_what_was_sampled(
    policy: EnginePolicy, model: Any
) -> None:
    policy.stats()  # forgets what was asked before
    run(policy.adopt(TorchWeights(model), version=0))
    rollouts = run(sample_all(policy, MIXED))
    assert largest_difference(model, rollouts) < 1e-3
    for rollout in rollouts:
        is_ended = END in rollout.completion_ids
        assert rollout.truncated is not is_ended
        assert len(rollout.completion_ids) == 40 or rollout.completion_ids[-1] == END
        assert "<|im_end|>" not in rollout.completion
    assert policy.stats()["rollout/requests"] == len(MIXED)


def test_the_seed_decides_what_is_sampled(policy: EnginePolicy, model: Any) -> None:
    run(policy.adopt(TorchWeights(model), version=0))
    same = [prompt("the same task", seed=5)] * 2
    first, again = run(sample_all(policy, same))
    other = run(policy.sample(prompt("the same task", seed=6)))
    assert first.completion_ids == again.completion_ids
    assert other.completion_ids != first.completion_ids


def test_greedy_completions_are_the_likeliest_tokens_whatever_the_seed(
    policy: EnginePolicy, model: Any
) -> None:
    run(policy.adopt(TorchWeights(model), version=0))
    asked = [prompt("the same task", seed=s, temperature=0.0, max_tokens=9) for s in (5, 6)]
    first, second, free = run(sample_all(policy, [*asked, prompt("the same task", seed=5)]))
    assert first.completion_ids == second.completion_ids
    assert len(first.completion_ids) <= 9 < len(free.completion_ids)
    ids = torch.tensor([first.prompt_ids + first.completion_ids])
    with torch.no_grad():
        likeliest = model(ids).logits[0].argmax(-1).tolist()
    start = len(first.prompt_ids) - 1
    assert list(first.completion_ids) == likeliest[start : start + len(first.completion_ids)]


def test_the_text_ends_before_the_first_stop(policy: EnginePolicy, model: Any) -> None:
    run(policy.adopt(TorchWeights(model), version=0))
    free = run(policy.sample(prompt("abc")))
    letter = next(c for c in free.completion if c.isascii() and c.isprintable())
    stopped = run(policy.sample(prompt("abc", stop=(letter,))))
    assert stopped.completion == free.completion.split(letter)[0]
    assert not stopped.truncated
    assert stopped.completion_ids == free.completion_ids[: len(stopped.completion_ids)]
    assert len(stopped.rollout_logprobs) == len(stopped.completion_ids)


def test_a_model_that_ends_at_once_gives_one_token_and_no_text(
    policy: EnginePolicy, model: Any
) -> None:
    """The empty completion: an end-of-sequence token, which is learned from like any other."""
    with torch.no_grad():
        weight = model.model.embed_tokens.weight
        weight[END] = 0
        model.model.norm.weight.zero_()
        model.model.norm.weight[0] = 50.0
        weight[:, 0] = -1.0
        weight[END, 0] = 1.0
    run(policy.adopt(TorchWeights(model), version=1))
    rollouts = run(sample_all(policy, MIXED[:8]))
    ended = [rollout for rollout in rollouts if rollout.completion_ids == (END,)]
    assert ended
    assert all(rollout.completion == "" and not rollout.truncated for rollout in ended)


def test_every_push_of_weights_arrives(policy: EnginePolicy, model: Any) -> None:
    versions: list[int] = []
    for version in range(1, 4):
        run(policy.adopt(changed(model, version), version=version))
        rollouts = run(sample_all(policy, MIXED[:8]))
        assert largest_difference(model, rollouts) < 1e-3
        versions += [rollout.policy_version for rollout in rollouts]
    assert sorted(set(versions)) == [1, 2, 3]
    assert policy.stats()["sync/probe_max_abs"] < 1e-3


@pytest.fixture(params=["vllm", "transformers"])
def pushed_midway(request: pytest.FixtureRequest, folder: Path) -> Iterator[EnginePolicy]:
    """A policy whose tokens may be one update old."""
    if request.param == "vllm":
        request.getfixturevalue("needs_vllm")
    policy = open_policy(run_config(folder, request.param, max_staleness=1), folder)
    yield policy
    policy.close()


LONG = [prompt("a long task " * 30, seed=seed) for seed in range(2)]
"""A prompt of several blocks of keys and values, which later requests could find."""


def differences(model: Any, rollout: Rollout) -> list[float]:
    """Of each sampled token's log-probability, from what these weights say."""
    ids = rollout.prompt_ids + rollout.completion_ids
    exact = TorchWeights(model).probe_logprobs(ids)[len(rollout.prompt_ids) - 1 :]
    return [abs(a - b) for a, b in zip(exact, rollout.rollout_logprobs, strict=True)]


def test_a_push_while_requests_are_under_way_changes_the_rest_of_them(
    pushed_midway: EnginePolicy, folder: Path, model: Any
) -> None:
    """Each token is of the version it is said to be of; later requests see nothing of the old."""
    policy = pushed_midway
    old = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    run(policy.adopt(TorchWeights(model), version=0))
    policy.stats()

    async def play() -> list[Rollout]:
        asked = [asyncio.create_task(policy.sample(prompt)) for prompt in [*MIXED[:6], *LONG]]
        # until the first tokens are there
        while not policy.stats()["rollout/busy_s"]:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.001)
        await policy.adopt(changed(model, 1), version=1)
        return await asyncio.gather(*asked)

    rollouts = run(play())
    mixed = [rollout for rollout in rollouts if rollout.versions]
    assert mixed, "some go on with the new weights"
    for rollout in mixed:
        assert rollout.policy_version == 0
        first_new = rollout.versions.index(1)
        assert rollout.versions == (0,) * first_new + (1,) * (len(rollout.versions) - first_new)
        assert len(rollout.versions) == len(rollout.completion_ids)
        from_old = differences(old, rollout)
        assert max(from_old[:first_new]) < 1e-3
        assert max(from_old[first_new:]) > 0.01
    again = run(sample_all(policy, [*MIXED[:6], *LONG]))
    assert {rollout.policy_version for rollout in again} == {1}
    assert largest_difference(model, again) < 1e-3
    run(policy.adopt(changed(model, 2), version=1))  # as after a lost learner: a version once more
    assert largest_difference(model, run(sample_all(policy, LONG))) < 1e-3


def test_a_cancelled_request_leaves_the_others_alone(policy: EnginePolicy, model: Any) -> None:
    run(policy.adopt(TorchWeights(model), version=0))

    async def play() -> list[Rollout]:
        tasks = [asyncio.create_task(policy.sample(prompt)) for prompt in MIXED[:6]]
        await asyncio.sleep(0.01)
        tasks[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        return await asyncio.gather(*tasks[1:])

    assert largest_difference(model, run(play())) < 1e-3


def test_logprobs_are_those_after_the_temperature(folder: Path, model: Any) -> None:
    cold = open_policy(run_config(folder, "transformers", temperature=0.5), folder)
    try:
        run(cold.adopt(TorchWeights(model), version=0))
        rollout = run(cold.sample(prompt("abc")))
        ids = torch.tensor([rollout.prompt_ids + rollout.completion_ids])
        with torch.no_grad():
            logits = model(input_ids=ids).logits[0, len(rollout.prompt_ids) - 1 : -1]
        logprobs = (logits / 0.5).log_softmax(-1)
        chosen = logprobs.gather(1, torch.tensor(rollout.completion_ids)[:, None])[:, 0]
        assert chosen.tolist() == pytest.approx(list(rollout.rollout_logprobs), abs=1e-3)
    finally:
        cold.close()


# What had to be learned about vLLM; each of these was silently wrong or crashed.


@pytest.fixture(scope="module")
def vllm_policy(folder: Path) -> Iterator[EnginePolicy]:
    policy = open_policy(run_config(folder, "vllm"), folder)
    yield policy
    policy.close()


@pytest.mark.usefixtures("needs_vllm")
def test_a_head_that_was_not_packed_again_is_found_out(
    vllm_policy: EnginePolicy, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stale lm_head: `reload_weights` alone leaves the old head in place on a CPU."""
    run(vllm_policy.adopt(changed(model, 1), version=1))
    monkeypatch.setattr("azr.rollout.vllm_engine.repack_head", lambda _: None)
    with pytest.raises(StaleWeights, match="version 2"):
        run(vllm_policy.adopt(changed(model, 2), version=2))
    monkeypatch.undo()
    run(vllm_policy.adopt(changed(model, 3), version=3))


@pytest.mark.usefixtures("needs_vllm")
def test_keys_and_values_of_old_weights_are_found_out(
    vllm_policy: EnginePolicy, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stale prefix cache: prompts would be read with the weights before the update."""
    run(vllm_policy.adopt(changed(model, 1), version=1))

    def forgetful(self: VllmEngine, weights: TorchWeights, version: int) -> None:
        monkeypatch.setattr(self._llm, "reset_prefix_cache", lambda: version == 2)
        load(self, weights, version)

    load = VllmEngine.load
    with monkeypatch.context() as patch:
        patch.setattr(VllmEngine, "load", forgetful)
        with pytest.raises(StaleWeights, match="log-probabilities differ"):
            run(vllm_policy.adopt(changed(model, 2), version=2))
        with pytest.raises(StaleWeights, match="could not empty its prefix cache"):
            run(vllm_policy.adopt(changed(model, 3), version=3))
    monkeypatch.undo()
    run(vllm_policy.adopt(changed(model, 4), version=4))


class WithoutALayer(TorchWeights):
    """Hands one layer over as nothing."""

    def named_parameters(self, dtype: Any = None) -> Iterator[tuple[str, torch.Tensor]]:
        return (pair for pair in super().named_parameters(dtype) if ".layers.1." not in pair[0])

    def checksums(self, dtype: str) -> dict[str, int]:
        return TorchWeights(self._model).checksums(dtype)


@pytest.mark.usefixtures("needs_vllm")
def test_a_layer_that_was_not_pushed_is_found_out(vllm_policy: EnginePolicy, model: Any) -> None:
    run(vllm_policy.adopt(changed(model, 1), version=1))
    changed(model, 2)
    with pytest.raises(StaleWeights, match=r"nothing of model\.layers\.1\."):
        run(vllm_policy.adopt(WithoutALayer(model), version=2))
    run(vllm_policy.adopt(TorchWeights(model), version=3))


@pytest.mark.usefixtures("needs_vllm")
def test_on_a_gpu_the_head_is_computed_in_float32(folder: Path) -> None:
    """As vLLM reads what it is started with there; no GPU is asked."""
    from vllm.config import ModelConfig as VllmModelConfig  # noqa: PLC0415 - see needs_vllm

    chosen = {name: engine_arguments(folder, RolloutConfig(dtype="bfloat16"), 64, on_gpu=gpu)
              for name, gpu in (("gpu", True), ("cpu", False))}  # fmt: skip
    kept = {"model", "dtype", "max_model_len", "hf_overrides"}
    found = {
        name: VllmModelConfig(**{k: v for k, v in each.items() if k in kept}).head_dtype
        for name, each in chosen.items()
    }
    assert found == {"gpu": torch.float32, "cpu": torch.bfloat16}


@pytest.mark.usefixtures("needs_vllm")
def test_long_prompts_with_seeds_are_not_split(vllm_policy: EnginePolicy, model: Any) -> None:
    """Split prompts and seeds crash the CPU engine ("does not use offset")."""
    run(vllm_policy.adopt(TorchWeights(model), version=0))
    prompts = [prompt(chr(97 + i % 26) * 390, seed=i) for i in range(12)]
    assert len(run(sample_all(vllm_policy, prompts))) == 12


@pytest.mark.usefixtures("needs_vllm")
def test_the_engine_leaves_the_learner_its_threads(vllm_policy: EnginePolicy) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    assert torch.get_num_threads() == 1
    torch.set_num_threads(before)
