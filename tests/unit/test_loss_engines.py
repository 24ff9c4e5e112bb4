"""Which engine works on which tensors, and that one which fails is found out before it is used."""

import logging
import sys
from types import ModuleType
from typing import Any

import pytest
import torch

from azr.config.loss import Backend
from azr.learner.loss import engines
from azr.learner.loss.head import Head
from azr.learner.loss.native import ENGINE as NATIVE

HIDDEN, HEAD = torch.ones(2, 8), Head(weight=torch.ones(9, 8))


class TooLarge:
    """An engine whose kernels want more of the machine than it has."""

    def open(self, *_: Any) -> Any:
        raise RuntimeError("out of resource: shared memory, Required: 103424, Limit: 101376\nat")


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What `auto` chooses where the engine of CPUs is this one."""

    def choose(engine: Any) -> Any:
        module = ModuleType("too_large")
        vars(module)["ENGINE"] = engine
        monkeypatch.setitem(sys.modules, "too_large", module)
        monkeypatch.setitem(engines.MODULES, Backend.NATIVE, ("cpu", "too_large"))
        engines._loaded.cache_clear()
        return engines.engine_for(Backend.AUTO, HIDDEN, HEAD)

    yield choose
    engines._loaded.cache_clear()


def test_an_engine_that_cannot_run_here_gives_way_to_the_reference(
    chosen: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert chosen(TooLarge()) is None
    [said] = [record.getMessage() for record in caplog.records]
    assert "loss.backend=reference reason=native_fails" in said
    assert "shared memory" in said
    assert "\n" not in said


def test_one_that_runs_is_taken(chosen: Any) -> None:
    assert chosen(NATIVE) is NATIVE


def test_a_tile_has_as_many_stages_as_shared_memory_has_room_for() -> None:
    pytest.importorskip("triton")  # it has no wheel for every platform
    from azr.learner.loss.triton import stages_for  # noqa: PLC0415 - needs Triton

    hopper, ampere, small = 227 * 1024, 99 * 1024, 64 * 1024
    assert [stages_for(torch.bfloat16, room) for room in (hopper, ampere, small)] == [3, 2, 1]
    assert [stages_for(torch.float32, room) for room in (hopper, ampere, small)] == [3, 3, 3]
