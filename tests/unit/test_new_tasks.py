"""azr.run.new_tasks: some of a step's new tasks are shown, and looking at them is safe."""

import io
from dataclasses import replace
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from azr.config.run import CheckpointConfig, LoggingConfig, RunConfig
from azr.records.safe_text import inert
from azr.run.display import Display
from azr.run.new_tasks import drawn_tasks, task_text
from azr.run.recorder import RunRecorder
from azr.types import Experience, Mode, Role, Task, Verdict
from tests.fakes import make_rollout, make_task


def proposal(number: int, task: Task | None = None) -> Experience:
    rollout = make_rollout("", role=Role.PROPOSER)
    task = task or make_task(Mode.DEDUCTION, number)
    return Experience(
        rollout=rollout, verdict=Verdict.PASSED, reward=0.5, task=task, solve_rate=0.25
    )


NEW = [proposal(number) for number in range(20)]
INVALID = replace(NEW[0], task=None, verdict=Verdict.FAILED, solve_rate=None)
SOLVED = replace(NEW[0], rollout=make_rollout("", role=Role.SOLVER))


def test_as_many_are_drawn_as_asked_for_and_never_one_twice():
    drawn = drawn_tasks([INVALID, SOLVED, *NEW], 5, seed=1)
    assert len({e.task.program for e in drawn if e.task}) == 5
    assert all(e in NEW for e in drawn)
    assert drawn_tasks([INVALID, *NEW[:2]], 5, seed=1) == NEW[:2]
    assert drawn_tasks([INVALID], 5, seed=1) == drawn_tasks(NEW, 0, seed=1) == []


def test_the_draw_is_a_function_of_the_seed():
    assert drawn_tasks(NEW, 3, seed=1) == drawn_tasks(NEW, 3, seed=1)
    assert len({tuple(e.reward for e in drawn_tasks(NEW, 3, s)) for s in range(9)}) == 1
    assert len({str(drawn_tasks(NEW, 3, seed)) for seed in range(9)}) > 1


def test_a_task_is_shown_whole():
    """Feature 67."""
    shown = task_text(7, proposal(3, replace(make_task(Mode.INDUCTION, 3), message="Add\n3.")))
    assert shown.startswith("step 7, proposer/deduction, solve rate 25%\n    def f(x):\n")
    assert "\n    f(1) -> 4\n" in shown
    assert shown.endswith("\n    message: Add\n    3.")


@settings(deadline=None)
@given(st.text())
def test_no_control_character_reaches_the_terminal(text: str):
    shown = inert(text)
    assert len(shown) == len(text)
    assert all(c in "\n\t" or c.isprintable() or c.isspace() or ord(c) > 0xA0 for c in shown)
    assert not any(0 <= ord(c) < 32 and c not in "\n\t" for c in shown)
    shown.encode()


class Quiet:
    """FAKE folder, writer, policy and judge at once: takes everything, says nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: {}


def recorded(number: int, experiences: list[Experience]) -> str:
    """What a step's record shows on the display."""
    config = RunConfig(
        logging=LoggingConfig(print_tasks=number, rollouts=False),
        checkpoint=CheckpointConfig(every=100),
    )
    quiet, screen = cast(Any, Quiet()), io.StringIO()
    recorder = RunRecorder(
        config=config, folder=quiet, writer=quiet, learner=quiet, buffers=quiet, policy=quiet,
        judge=quiet, display=Display(config, console=Console(file=screen, width=80)),
    )  # fmt: skip
    recorder.record(1, experiences, [0.0] * len(experiences), {})
    return screen.getvalue()


def test_logging_print_tasks_says_how_many():
    assert "def f(x)" not in recorded(0, NEW)
    assert recorded(3, NEW).count("step 1, proposer/deduction") == 3


def test_a_task_with_escape_sequences_and_markup_is_shown_as_text():
    evil = replace(make_task(), program="def f(x):\n    return '\x1b]0;pwned\x07[bold]\x9b2J'")
    shown = recorded(1, [proposal(0, evil)])
    assert "return '␛]0;pwned␇[bold]\ufffd2J'" in shown
    assert "\x1b" not in shown
