"""Progress: one line a step in a log, a table on a terminal, nothing on stdout."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from azr.config.run import RunConfig, SelfPlayConfig
from azr.run.display import Display, sparkline
from azr.types import Experience, Mode, Prompt, Role, Rollout, Stream, Verdict

METRICS = {
    "reward/proposer/deduction/mean": -0.5,
    "reward/solver/deduction/mean": 0.5,
    "valid/deduction": 0.25,
    "accuracy/solver/deduction": 0.75,
    "solve_rate/deduction": 0.4,
    "length/solver/deduction/mean": 31.4,
    "perf/tokens_per_s": 412.0,
    "time/play": 28.0,
    "time/train": 5.5,
    "time/sync": 0.5,
    "time/other": 0.1,
    "time/step": 34.1,
}
PLAYED: list[Stream] = [(role, mode) for role in Role for mode in Mode if mode is not Mode.ERROR]
CONFIG = RunConfig(name="try", steps=12, selfplay=SelfPlayConfig(batch_size=2))


def experience(stream: Stream) -> Experience:
    rollout = Rollout(
        prompt=Prompt(role=stream[0], mode=stream[1], text=""),
        prompt_ids=(),
        completion_ids=(1,) * 5,
        rollout_logprobs=(-1.0,) * 5,
        completion="",
        policy_version=0,
    )
    return Experience(rollout=rollout, verdict=Verdict.PASSED, reward=0.5)


def plain() -> tuple[Display, io.StringIO]:
    text = io.StringIO()
    return Display(CONFIG, console=Console(file=text, width=40)), text


def terminal() -> tuple[Display, io.StringIO]:
    text = io.StringIO()
    console = Console(file=text, width=110, force_terminal=True, color_system="truecolor")
    return Display(CONFIG, console=console), text


def shown(display: Display) -> str:
    console = Console(file=io.StringIO(), width=110)
    console.print(display._render())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_without_a_terminal_a_step_is_one_line_that_awk_can_read() -> None:
    display, text = plain()
    with display:
        display.step_started(3)
        display.step_done(3, METRICS)
    assert text.getvalue() == (
        "step=3/12 34.1s reward=0.000 valid=0.250 correct=0.750 solve_rate=0.400"
        " play=28.0s train=5.5s sync=0.5s tokens_per_s=412 eta=0:05:07\n"
    )


def test_what_a_step_has_no_data_for_is_left_out_of_the_line() -> None:
    display, text = plain()
    display.step_done(12, {"time/step": 2.0})
    assert text.getvalue() == "step=12/12 2.0s eta=0:00:00\n"


def test_the_table_shows_what_is_done_during_a_step() -> None:
    display, _ = terminal()
    display.step_started(1)
    for stream in PLAYED[:4]:
        done = experience(stream)
        display.sampled(done.rollout)
        display.played(done)
    text = shown(display)
    assert "step 1 of 12" in text
    assert "4 of 12 graded" in text
    assert "3 proposals, 1 answers and trials" in text
    assert re.search(r"proposer/deduction .* 1/2 \+0\.50", text)


def test_when_all_are_graded_the_step_is_learning_and_after_it_the_next_one_plays() -> None:
    display, _ = terminal()
    display.step_started(1)
    for stream in PLAYED * 2:
        display.played(experience(stream))
    assert "learning" in shown(display)
    display.step_done(1, METRICS)
    text = shown(display)
    assert "playing" in text
    assert "step 2 of 12" in text
    assert "0 of 12 graded" in text
    assert "last step 34.1 s" in text
    assert "play 82%" in text
    assert "412 tokens/s" in text
    assert "0:06:15 to go" in text


def test_the_trials_of_a_slot_count_as_one_of_the_step() -> None:
    display, _ = terminal()
    display.step_started(1)
    for _ in range(8):
        display.played(replace(experience(PLAYED[3]), group="deduction/0"))
    display.played(replace(experience(PLAYED[0]), group="deduction/0"))
    text = shown(display)
    assert "2 of 12 graded" in text
    assert re.search(r"solver/deduction .* 1/2 \+0\.50", text)


def test_seeding_is_shown_before_the_first_step() -> None:
    display, _ = terminal()
    assert "starting" in shown(display)
    display.sampled(experience(PLAYED[0]).rollout)
    assert "1 proposals" in shown(display)


def test_a_live_display_gives_the_terminal_back_even_when_the_run_fails() -> None:
    display, text = terminal()

    def fail() -> None:
        with display:
            display.message("loading [bold]x[/bold]")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert "\x1b[?25h" in text.getvalue(), "the cursor is shown again"
    assert "loading [bold]x[/bold]" in text.getvalue(), "markup of others is text"


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    text = io.StringIO()
    console = Console(file=text, width=110, force_terminal=True)
    with Display(CONFIG, console=console) as display:
        display.step_done(1, METRICS)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", text.getvalue())


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    text = io.StringIO()
    with Display(CONFIG, console=Console(file=text, force_terminal=True, width=200)) as display:
        display.step_done(1, METRICS)
    assert text.getvalue().startswith("step=1/12")


def test_nothing_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    with Display(CONFIG) as display:
        display.message("hello")
        display.step_done(1, METRICS)
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "hello" in streams.err


def test_a_sparkline_spans_from_the_least_to_the_greatest_of_the_last_values() -> None:
    assert sparkline([9.0] + [0.0, 1.0] * 8).plain == "▁█" * 8
    assert sparkline([2.0, 2.0]).plain.strip() == "▁▁"
    assert sparkline([1.0]).plain.strip() == ""
