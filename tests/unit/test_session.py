"""azr.run.session: what a run that starts does, and one that goes on does not."""

import asyncio
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import pytest

from azr.config.run import BuffersConfig, ModelConfig, RunConfig, SelfPlayConfig
from azr.errors import ConfigError, WorkerLost
from azr.run import players, session
from azr.run.interrupt import Interrupt


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


@pytest.mark.parametrize("what", ["model", "seed file"])
def test_what_is_missing_is_told_before_anything_is_opened(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not after a sandbox, a model and an engine have started."""

    def opened(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(players, "open_executor", opened)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    missing = str(tmp_path / "missing")
    config = RunConfig(runs=str(tmp_path / "runs"), model=ModelConfig(name=str(tmp_path / "model")))
    if what == "model":
        config = config.changed(model=ModelConfig(name=missing))
    else:
        config = config.changed(buffers=BuffersConfig(seed_file=missing))
    stub = cast(Any, Stub([]))
    with pytest.raises(ConfigError, match="missing"):
        session.run_training(config, resume=False, overwrite=True, display=stub)
    with pytest.raises(ConfigError, match="missing"):
        session.run_seeding(config, tmp_path / "out.jsonl", stub)
    assert not (tmp_path / "runs").exists()


def test_a_run_that_goes_on_needs_its_seed_file_no_more(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    config = RunConfig(
        model=ModelConfig(name=str(tmp_path)), buffers=BuffersConfig(seed_file="gone")
    )
    session.refuse_what_is_missing(config, is_new=False)


class MortalMachines:
    """FAKE: allows so many losses."""

    def __init__(self, restarts: int) -> None:
        self.left = restarts

    def goes_on_after(self, loss: WorkerLost) -> str | None:
        self.left -= 1
        return None if self.left < 0 else f"{loss}; going on"


@pytest.mark.parametrize("restarts", [1, 2])
def test_a_run_that_loses_its_learners_goes_on_as_if_resumed_and_not_for_ever(
    restarts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[tuple[bool, int | None]] = []

    def run(_: object, *, is_resumed: bool, checkpoint: int | None) -> int:
        tried.append((is_resumed, checkpoint))
        if len(tried) <= 2:
            raise WorkerLost("learner 1 is gone")
        return 0

    (tmp_path / "config.json").write_text("{}")
    config = RunConfig(runs=str(tmp_path / "runs"), model=ModelConfig(name=str(tmp_path)))
    monkeypatch.setattr(session.Attempt, "run", run)
    opened = lambda *_: nullcontext(MortalMachines(restarts))  # noqa: E731
    monkeypatch.setattr(session, "open_machines", opened)
    stub = cast(Any, Stub([]))
    if restarts == 1:
        with pytest.raises(WorkerLost, match="learner 1"):
            session.run_training(config, resume=False, overwrite=False, display=stub)
        return
    assert session.run_training(config, resume=False, overwrite=False, display=stub) == 0
    assert tried == [(False, None), (True, None), (True, None)]


@pytest.mark.parametrize(("pretrained", "is_told"), [(0, False), (1, False), (2, True), (10, True)])
def test_a_run_that_proposes_nothing_says_so(pretrained: int, *, is_told: bool) -> None:
    config = RunConfig(steps=2, selfplay=SelfPlayConfig(pretrain_solver_steps=pretrained))
    assert bool(session.nothing_proposed(config)) == is_told
