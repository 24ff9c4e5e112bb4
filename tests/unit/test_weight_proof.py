"""In 16 bits log-probabilities do not show one missed push: checksums do, of push and layer.

A real learner and a real engine; of a rank that misses its push tests/contract knows.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from azr.config.run import LearnerConfig, ModelConfig, RolloutConfig, RunConfig
from azr.errors import StaleWeights
from azr.learner.learner import TorchLearner
from azr.models.checksums import WORDS, Receipt, checksum
from azr.models.weights import TorchWeights
from azr.rollout.prompt_tokens import load_tokenizer
from azr.rollout.transformers_engine import TransformersEngine
from azr.rollout.weight_proof import Probe, check_receipt
from tests import ranked
from tests.tiny import make_tiny_model

ROLLOUT = RolloutConfig(dtype="bfloat16", max_prompt_tokens=64, max_completion_tokens=8)
LAYER = "model.layers.1."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"), std=0.05)


@pytest.fixture(scope="module")
def learner(folder: Path) -> TorchLearner:
    config = RunConfig(model=ModelConfig(name=str(folder)), learner=LearnerConfig(lr=1e-4))
    return TorchLearner(config, folder)


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[TransformersEngine]:
    engine = TransformersEngine(folder, ROLLOUT, load_tokenizer(folder))
    yield engine
    engine.close()


PROBE = Probe(range(20, 60), ROLLOUT)


class WithoutALayer(TorchWeights):
    """Hands one layer over as it was before."""

    old: dict[str, torch.Tensor]

    def named_parameters(self, dtype: Any = None) -> Iterator[tuple[str, torch.Tensor]]:
        for name, value in super().named_parameters(dtype):
            yield name, self.old[name] if name.startswith(LAYER) else value


def update(learner: TorchLearner) -> dict[str, torch.Tensor]:
    """The weights before an update that is taken."""
    before = {name: value.clone() for name, value in learner.weights.named_parameters()}
    assert learner.learn(ranked.steps()[0])["skipped"] == 0
    return before


def numbers_alone(engine: TransformersEngine, learner: TorchLearner, version: int) -> float:
    """What the probe finds when it believes that all was pushed."""
    engine.receipt = Receipt(version, learner.weights.checksums(ROLLOUT.dtype))
    return PROBE.check(engine, learner.weights, version)["sync/probe_mean_abs"]


def test_one_missed_push_is_found_that_log_probabilities_do_not_show(
    learner: TorchLearner, engine: TransformersEngine
) -> None:
    engine.load(learner.weights, 1)
    right = PROBE.check(engine, learner.weights, 1)["sync/probe_mean_abs"]
    update(learner)
    with pytest.raises(StaleWeights, match="version 2 was pushed, but the engine has version 1"):
        PROBE.check(engine, learner.weights, 2)
    assert engine.receipt is not None
    engine.receipt = replace(engine.receipt, version=2)  # an engine that only says so
    with pytest.raises(StaleWeights, match="other bits of model"):
        PROBE.check(engine, learner.weights, 2)
    stale = numbers_alone(engine, learner, 2)
    assert stale < ROLLOUT.probe_tolerance_bf16, "numbers do not see it"
    assert right < ROLLOUT.probe_tolerance_bf16


def test_one_missed_layer_is_found_and_named(
    learner: TorchLearner, engine: TransformersEngine
) -> None:
    lossy = WithoutALayer(learner.model)
    lossy.old = update(learner)
    engine.load(lossy, 3)
    with pytest.raises(StaleWeights, match=rf"other bits of {LAYER}.* \(\d of \d+ parameters\)"):
        PROBE.check(engine, learner.weights, 3)
    assert numbers_alone(engine, learner, 3) < ROLLOUT.probe_tolerance_bf16
    engine.load(learner.weights, 3)
    PROBE.check(engine, learner.weights, 3)


def test_a_parameter_that_never_came_is_named() -> None:
    sent = Receipt(4, {"a": 1, "b": 2})
    check_receipt(Receipt(4, {"b": 2, "a": 1}), sent)
    with pytest.raises(StaleWeights, match=r"nothing of b when version 4 .* \(1 of 2"):
        check_receipt(Receipt(4, {"a": 1}), sent)
    with pytest.raises(StaleWeights, match="no push that came to its end"):
        check_receipt(None, sent)


@given(
    length=st.one_of(st.integers(1, 40), st.integers(4 * WORDS - 3, 4 * WORDS + 3)),
    dtype=st.sampled_from([torch.bfloat16, torch.float32]),
    data=st.data(),
)
def test_every_bit_and_its_place_count(
    length: int, dtype: torch.dtype, data: st.DataObject
) -> None:
    values = torch.arange(length).to(dtype)
    octets = values.clone().view(torch.uint8)
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert checksum(octets.view(dtype)) != checksum(values)
    assert checksum(values.clone()) == checksum(values)
    assert checksum(torch.cat([values[:1], values])[1:]) == checksum(values), "wherever it lies"
    assert checksum(torch.cat([values, values[:1]])) != checksum(values)
    if length > 2:
        assert checksum(values.flip(0)) != checksum(values)


def test_a_checksum_is_of_the_elements_in_order_and_of_none_too() -> None:
    square = torch.arange(12.0).reshape(3, 4)
    assert checksum(square.T) == checksum(square.T.contiguous()) != checksum(square)
    assert checksum(torch.empty(0)) == checksum(torch.empty(0, 5))
