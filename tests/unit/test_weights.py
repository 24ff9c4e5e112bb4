"""The learner's parameters as the policy sees them."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from azr.models.weights import TorchWeights
from tests.tiny import make_tiny_model


def test_a_tied_head_is_handed_over_once(tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(make_tiny_model(tmp_path / "tiny"))
    names = [name for name, _ in TorchWeights(model).named_parameters()]
    assert "model.embed_tokens.weight" in names
    assert "lm_head.weight" not in names


def test_the_newest_values_are_seen_and_carry_no_gradient(tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(make_tiny_model(tmp_path / "tiny"))
    weights = TorchWeights(model)
    before = weights.probe_logprobs([5, 6, 7])
    with torch.no_grad():
        model.model.norm.weight.mul_(2)
    after = weights.probe_logprobs([5, 6, 7])
    assert len(before) == 2
    assert before != pytest.approx(after)
    assert not any(value.requires_grad for _, value in weights.named_parameters())


def test_values_are_handed_over_in_the_type_that_is_wanted(tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(make_tiny_model(tmp_path / "tiny"))
    weights = TorchWeights(model)
    for (_, exact), (_, rough) in zip(
        weights.named_parameters(), weights.named_parameters(torch.bfloat16), strict=True
    ):
        assert torch.equal(rough, exact.to(torch.bfloat16))


def rounding_of(weights: TorchWeights) -> float:
    ids = [5, 6, 7, 8, 9, 10]
    return weights.probe_rounding(ids, weights.probe_logprobs(ids))


def test_rounding_is_what_16_bits_do_to_these_weights(tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(make_tiny_model(tmp_path / "tiny"))
    calm = rounding_of(TorchWeights(model))
    finer = rounding_of(TorchWeights(model.bfloat16(), is_exact=False))
    model.float()
    with torch.no_grad():  # larger logits: rounding moves them further
        model.model.norm.weight.mul_(20)
    assert finer > 0
    assert 0 < calm < rounding_of(TorchWeights(model)) / 3
