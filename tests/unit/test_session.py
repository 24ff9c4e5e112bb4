"""azr.session: what a run that starts does, and one that goes on does not."""

import asyncio
from typing import Any, cast

import pytest

from azr import session
from azr.interrupt import Interrupt


class Stub:
    """Whatever is called on it is noted; whatever is asked for is another."""

    def __init__(self, notes: list[str]) -> None:
        self.notes = notes
        self.first_step = 1
        self.evaluates_untrained = False
        self.interrupt = Interrupt()
        self.learner = self
        self.policy = self
        self.weights = self

    async def adopt(self, weights: object, version: int) -> None:
        self.notes.append(f"adopt {version}")

    def checkpoint(self, step: int) -> None:
        self.notes.append(f"checkpoint {step}")

    def message(self, text: str) -> None:
        pass

    def step_started(self, step: int) -> None:
        pass


@pytest.mark.parametrize("is_new", [True, False])
def test_a_run_resumed_before_its_first_step_is_not_seeded_again(
    *, is_new: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint of step 0 holds the seeds, also where seeding stopped short of its target."""
    notes: list[str] = []

    async def seed(*_: object) -> None:
        notes.append("seed")

    async def train(_: object) -> None:
        notes.append("train")

    monkeypatch.setattr(session, "seed", seed)
    monkeypatch.setattr(session, "train", train)
    stub = cast(Any, Stub(notes))
    asyncio.run(session.play(stub, stub, stub, stub, is_new=is_new))
    seeded = ["seed", "checkpoint 0"] if is_new else []
    assert notes == ["adopt 0", *seeded, "train"]
