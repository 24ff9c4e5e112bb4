"""Measures of decay: a program's form, the step of decay, half-lives, and where they are shown."""

import math
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azr.cli.main import main
from azr.report.form import form_of
from azr.report.html.arms import History
from azr.report.html.contract import Fall
from azr.report.html.decay import DEATH, fall_of, falls_of, in_words
from tests.curricula import make_curriculum


@pytest.mark.parametrize(
    ("one", "other", "are_equal"),
    [
        ("def f(x):\n    return x", "def f(value):\n\n  return   value  # it", True),
        ("def f(x):\n    # a\n    y = x\n    return y", "def f(a):\n\tb = a\n\treturn b", True),
        ("def f(x):\n    return x + 1", "def f(x):\n    return x + 2", False),
        ("def f(x, y):\n    return x - y", "def f(x, y):\n    return y - x", False),
        ("x.append(1)", "x.remove(1)", False),
        ("def f(x):\n    return len(x)", "def f(x):\n    return sum(x)", False),
        ("f('a # b')", "f('a # c')", False),
        ('f("""a\n# b""")', 'g("""a\n# b""")', True),
        ("for i in x:\n    a()\n    b()", "for i in x:\n    a()\nb()", False),
    ],
)
def test_a_form_is_a_program_up_to_names_layout_and_comments(
    one: str, other: str, are_equal: bool
) -> None:
    assert (form_of(one) == form_of(other)) == are_equal


@given(st.text(alphabet="'\"\\\n #ab._1é\t", max_size=400))
def test_any_text_has_a_form_that_is_its_own(text: str) -> None:
    assert form_of(text) == form_of(text)


@pytest.mark.parametrize("piece", ["'\\", "'''", '"', "'\"", "\\'", "#", "\n \n", ". ", "'\\\n"])
def test_a_form_is_told_in_time_that_grows_with_the_text_alone(piece: str) -> None:
    def seconds(count: int) -> float:
        started = process_time()
        form_of(piece * count)
        return process_time() - started

    seconds(1000)
    assert seconds(80_000) < 40 * max(seconds(8_000), 0.002), "ten times the text"


def fall(values: list[float]) -> Fall:
    return fall_of(DEATH, range(1, len(values) + 1), values)


def test_the_step_of_decay_is_where_a_measure_falls_below_half_of_its_best_for_good() -> None:
    found = fall([10.0] * 20 + [4.0] * 20)
    assert (found.step, found.best, found.last) == (22, 10.0, 4.0), "21 is smoothed with 20"
    assert found.is_certain
    assert fall([10.0] * 20 + [6.0] * 20).step is None, "not below half"
    back = fall([10.0] * 20 + [1.0] * 10 + [9.0] * 10)
    assert back.step is None, "it came back"
    assert fall([10.0] * 10 + [1.0] * 5 + [9.0] * 10 + [1.0] * 15).step == 26, "the last time"
    assert fall([1.0] * 5 + [9.0] * 35).step is None, "what rises does not decay"
    assert fall([0.0] * 30).step is None, "what never was does not decay"


@pytest.mark.parametrize("half", [8.0, 20.0])
def test_the_half_life_of_an_exponential_is_its_own(half: float) -> None:
    values = [100 * math.exp(-math.log(2) * step / half) for step in range(100)]
    assert fall(values).half_life == pytest.approx(half, rel=0.1)
    assert fall(values).step == pytest.approx(half, abs=3)
    assert fall([5.0] * 100).half_life is None, "longer than what was seen"
    assert fall([5.0]).half_life is None
    assert fall([9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]).half_life is not None, "zeros are values"


def test_what_few_steps_say_is_called_uncertain() -> None:
    assert not fall([9.0] * 6 + [1.0] * 6).is_certain
    assert not fall([9.0] * 38 + [1.0] * 2).is_certain, "low for fewer steps than are smoothed over"
    assert fall([9.0] * 34 + [1.0] * 6).is_certain


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=80))
def test_any_curve_has_its_figures(values: list[float]) -> None:
    found = fall(values)
    assert found.step is None or found.best_step < found.step <= len(values)
    assert found.half_life is None or 0 < found.half_life <= len(values)
    assert found.last <= found.best


def test_a_run_without_rollouts_says_that_its_decay_is_not_known() -> None:
    history = History([0, 1, 2], {"learnable/*": [None, 0.5, 0.25], DEATH: [0.0, None, None]})
    falls = falls_of(history)
    assert [found.title for found in falls] == ["Learnable tasks"]
    assert "logging.rollouts" in in_words(falls)


def test_report_and_inspect_say_a_runs_step_of_decay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_curriculum(tmp_path / "short", steps=8)
    assert main(["report", str(run)]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{run / 'report.html'}\n"
    assert "decay       short: " in shown.err
    assert "uncertain, with 8 steps" in shown.err
    assert main(["inspect", str(run)]) == 0
    assert "decay: " in capsys.readouterr().out
