"""A learner's place among those of a run; several real ones: tests/contract/test_several_ranks."""

import copy
from pathlib import Path

import pytest
import torch

from azr.errors import CheckpointError, TrainingDiverged
from azr.learner.model_loading import load_model
from azr.learner.working_model import copy_in
from azr.models.process_group import ALONE, join_ranks
from tests.tiny import make_tiny_model


def test_a_learner_by_itself_has_no_group() -> None:
    join_ranks(ALONE, "nowhere", 0)
    assert ALONE.is_leader
    assert ALONE.is_alone
    assert not torch.distributed.is_initialized()
    value = torch.tensor([1.0, 2.0])
    assert ALONE.sum(value) is value
    assert ALONE.max(value) is value
    assert ALONE.all_true(True)
    assert not ALONE.all_true(False)
    ALONE.barrier()


def test_alone_an_error_passes_as_it_is() -> None:
    error = OSError(28, "No space left on device")
    with (
        pytest.raises(OSError, match="No space left") as raised,
        ALONE.together(CheckpointError, (OSError,)),
    ):
        raise error
    assert raised.value is error
    with ALONE.together(TrainingDiverged):
        pass


def test_the_copy_in_bfloat16_is_the_cast_deep_copy(tmp_path: Path) -> None:
    """Bit for bit, ties included, although no float32 twin is made of it on the way.

    Rotary frequencies stay in float32, as they do in the engine.
    """
    model = load_model(make_tiny_model(tmp_path), gradient_checkpointing=True)
    made, expected = copy_in(model, torch.bfloat16), copy.deepcopy(model).to(torch.bfloat16)
    pairs = zip(made.named_parameters(), expected.named_parameters(), strict=True)
    for (name, a), (other, b) in pairs:
        assert name == other
        assert a.dtype is b.dtype
        assert a.requires_grad == b.requires_grad
        assert torch.equal(a, b)
    for (name, a), (other, b) in zip(made.named_buffers(), model.named_buffers(), strict=True):
        assert name == other
        assert a.dtype is torch.float32
        assert torch.equal(a, b)
    assert made.lm_head.weight is made.model.embed_tokens.weight
    assert made.is_gradient_checkpointing
    originals = {id(value) for value in [*model.parameters(), *model.buffers()]}
    assert originals.isdisjoint(id(v) for v in [*made.parameters(), *made.buffers()])
