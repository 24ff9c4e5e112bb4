"""Means, bands and differences over seeds, and the files that show them."""

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azr.cli.main import main
from azr.errors import CheckpointError, ConfigError
from azr.report.html.arms import (
    Group,
    History,
    arm_of,
    band,
    curve_of,
    difference,
    figure_of,
    groups_of,
    read_group,
    running_mean,
    steps_of,
    t_975,
)
from azr.report.html.contract import Curve
from azr.report.html.curves import write_curves
from azr.report.html.labels import label_of, with_all_modes
from azr.report.html.svg import COLOURS, INK, Line, Plot, file_name, plot_svg
from tests.curricula import make_curriculum

MakeRun = Callable[..., Path]
SVG = "{http://www.w3.org/2000/svg}"


def test_runs_are_grouped_by_their_names_without_the_seed() -> None:
    names = ["full-s0", "other", "full-s1", "full_seed12", "lonely-s3", "v2.seed-1", "v2.seed-2"]
    arms = groups_of(names, [Path(name) for name in names])
    assert [(arm.name, [run.name for run in arm.runs]) for arm in arms] == [
        ("full", ["full-s0", "full-s1", "full_seed12"]),
        ("other", ["other"]),
        ("lonely-s3", ["lonely-s3"]),
        ("v2", ["v2.seed-1", "v2.seed-2"]),
    ]


def test_a_group_is_read_or_refused() -> None:
    assert read_group("a=runs/x,runs/y") == Group("a", (Path("runs/x"), Path("runs/y")))
    for text in ("a", "a=", "=x", ""):
        with pytest.raises(ConfigError, match=r"--group must be NAME=RUN,RUN"):
            read_group(text)


def test_quantiles_of_students_t() -> None:
    """From the printed table."""
    table = {1: 12.706, 2: 4.303, 4: 2.776, 30: 2.042, 10**9: 1.960}
    assert {degrees: round(t_975(degrees), 3) for degrees in table} == table


def test_bands_of_one_two_and_three_seeds() -> None:
    assert band([1.0]) == (None, None)
    assert band([3.0, 1.0]) == (1.0, 3.0)
    low, high = band([1.0, 2.0, 3.0])
    assert (low, high) == pytest.approx((2 - 4.303 / 3**0.5, 2 + 4.303 / 3**0.5), abs=1e-3)


def test_a_curve_is_the_mean_over_seeds_at_every_step_that_any_has() -> None:
    runs = [History([1, 2], {"m": [1.0, None]}), History([1, 2, 3], {"m": [3.0, 5.0, 6.0]})]
    curve = curve_of(runs, "m")
    assert curve
    assert steps_of(runs) == [1, 2, 3]
    assert curve.mean == [2.0, 5.0, 6.0]
    assert curve.low == [1.0, None, None]
    assert curve_of(runs, "nothing") is None
    assert curve_of([History([1], {"m": [None]})], "m") is None


def test_one_run_brings_the_interval_of_its_own_evaluation() -> None:
    name = "eval/x/pass@1"
    metrics = {name: [None, 0.5], f"{name}/low": [None, 0.4], f"{name}/high": [None, 0.6]}
    curve = curve_of([History([1, 2], metrics)], name, window=9)
    assert curve == Curve(mean=[None, 0.5], low=[None, 0.4], high=[None, 0.6])
    figure = figure_of([metrics], name)
    assert figure
    assert (figure.value, figure.low, figure.high) == (0.5, 0.4, 0.6)


@pytest.mark.parametrize("steps", [12, 79, 80, 1000])
def test_a_run_is_smoothed_alike_alone_and_in_its_arm(steps: int) -> None:
    values = [float(step % 7) for step in range(steps)]
    history = History(range(steps), {"m": values, "eval/x/pass@1": values})
    alone, arm = arm_of("a", {"a": history}), arm_of("a", {"a-s0": history, "a-s1": history})
    window = max(1, steps // 40)
    assert alone.window == arm.window == window
    assert alone.curves["m"].mean == arm.curves["m"].mean
    assert alone.curves["m"].raw == (values if window > 1 else None)
    for found in (alone, arm):
        assert found.curves["eval/x/pass@1"].mean == values, "evaluations never are"


@given(st.lists(st.none() | st.floats(-1e6, 1e6), max_size=40), st.integers(1, 12))
def test_a_running_mean_keeps_gaps_and_stays_within_the_values(
    values: list[float | None], window: int
) -> None:
    means = running_mean(values, window)
    assert [m is None for m in means] == [v is None for v in values]
    known = [v for v in values if v is not None]
    slack = 1e-6
    assert all(min(known) - slack <= m <= max(known) + slack for m in means if m is not None)
    half = window // 2
    for place, found in enumerate(means):
        near = [v for v in values[max(0, place - half) : place + half + 1] if v is not None]
        assert found is None or found == pytest.approx(sum(near) / len(near), abs=slack)


def test_final_figures_and_their_difference() -> None:
    long = {"m": [0.0] * 90 + [1.0] * 10}
    figure = figure_of([long, {"m": [0.0] * 90 + [3.0] * 10}], "m")
    base = figure_of([{"m": [0.0]}, {"m": [0.0]}], "m")
    assert figure
    assert base
    assert figure.values == (1.0, 3.0)
    assert figure.value == 2.0
    found = difference(figure, base)
    assert found.value == 2.0
    assert found.low is not None
    assert found.high is not None
    assert found.low == pytest.approx(2 - 12.706, abs=1e-3)
    assert found.high == pytest.approx(2 + 12.706, abs=1e-3)
    alone = figure_of([long], "m")
    assert alone
    assert alone.low is None
    assert difference(alone, base).low is None
    assert difference(base, base) == replace(base, low=0.0, high=0.0, values=()), "no spread"
    assert figure_of([long], "nothing") is None


def test_welchs_interval_of_a_known_example() -> None:
    """By hand: 5.89 degrees of freedom, t = 2.458, standard error 1.603."""
    a = figure_of([{"m": [v]} for v in (20.4, 24.2, 15.4, 21.4, 20.2)], "m")
    b = figure_of([{"m": [v]} for v in (20.2, 16.9, 18.5, 17.3)], "m")
    assert a
    assert b
    found = difference(a, b)
    assert found.value == pytest.approx(2.095)
    assert found.low is not None
    assert found.low == pytest.approx(-1.847, abs=0.01)


def test_all_modes_together_are_a_mean_or_for_counts_a_sum() -> None:
    joined = with_all_modes(
        {
            "valid/deduction": [0.5, None],
            "valid/abduction": [1.0, None],
            "curriculum/tasks/deduction": [1.0, 2.0],
            "curriculum/tasks/abduction": [3.0, None],
            "reward/solver/induction/mean": [1.0, 2.0],
            "loss": [1.0, 1.0],
        }
    )
    assert joined["valid/*"] == [0.75, None]
    assert joined["curriculum/tasks/*"] == [4.0, 2.0]
    assert joined["reward/solver/*/mean"] == [1.0, 2.0]
    assert len(joined) == 9


def test_labels() -> None:
    assert label_of("accuracy/solver/deduction").title == "Answers correct, deduction"
    assert label_of("eval/cruxeval-o/pass@1").form == "share"
    assert label_of("intrinsic/deduction/mean_edit_distance").title == (
        "Intrinsic: mean edit distance, deduction"
    )
    assert label_of("what/is/this").title == "what/is/this"


# ---------------------------------------------------------------- the files


def line(values: list[float | None], name: str = "a", width: float = 0.1) -> Line:
    curve = Curve(
        mean=values,
        low=[None if v is None else v - width for v in values],
        high=[None if v is None else v + width for v in values],
    )
    return Line(name, range(1, len(values) + 1), curve, seeds=3)


VALUES = st.lists(st.none() | st.floats(-1e9, 1e9), min_size=1, max_size=30)


@settings(max_examples=15)
@given(VALUES.filter(lambda values: any(v is not None for v in values)), st.text(max_size=80))
def test_any_plot_is_well_formed(values: list[float | None], name: str) -> None:
    lines = [line(values, name), line(values)]
    plot = Plot(title=name, unit=name, form="number", lines=lines, note=name)
    assert ElementTree.fromstring(plot_svg(plot)).tag == f"{SVG}svg"


def test_names_are_text_and_nothing_else() -> None:
    names = ["_hidden", "$x^2$ is $5", "<script>alert(1)</script>", "nul\0 and \x1b[31m", "\ud800"]
    lines = [line([0.1, 0.2], name) for name in names]
    root = ElementTree.fromstring(plot_svg(Plot(title="$t$", unit="", form="share", lines=lines)))
    assert not list(root.iter(f"{SVG}script"))
    words = {"".join(node.itertext()) for node in root.iter(f"{SVG}text")}
    shown = ["nul\u2400 and \u241b[31m", "\ufffd"]
    assert {f"{name} (3 seeds)" for name in [*names[:3], *shown]} | {"$t$"} <= words


def test_the_same_curves_make_the_same_bytes() -> None:
    plot = Plot(title="t", unit="u", form="share", lines=[line([0.1, 0.5, None, 0.2])])
    assert plot_svg(plot) == plot_svg(plot)
    assert "<dc:date>" not in plot_svg(plot)


def test_a_share_stays_between_0_and_1_whatever_the_band() -> None:
    plot = Plot(title="t", unit="u", form="share", lines=[line([0.02, 0.98], width=0.5)])
    labels = re.findall(r">(-?[\d.]+) %<", plot_svg(plot))
    assert labels[0] == "0"
    assert labels[-1] == "100"


def contrast(colour: str, ground: str) -> float:
    """WCAG 2.1, relative luminance."""

    def luminance(text: str) -> float:
        parts = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("ground", ["#ffffff", "#0d1117"])
def test_every_colour_can_be_seen_on_white_and_on_black(ground: str) -> None:
    assert min(contrast(colour, ground) for colour in COLOURS) >= 3
    assert contrast(INK, ground) >= 3.7


def test_file_names() -> None:
    assert file_name(["accuracy/solver/*"]) == "accuracy-solver-all.svg"
    assert file_name(["eval/x/pass@1"]) == "eval-x-pass@1.svg"
    assert file_name(["../../etc/passwd"]) == "etc-passwd.svg"


def test_curves_of_arms_are_written(tmp_path: Path) -> None:
    runs = [
        make_curriculum(tmp_path / f"{a}-s{s}", 12, s)
        for a in ("full", "frozen")
        for s in (0, 1, 2)
    ]
    metrics = ["accuracy/solver/deduction", "eval/cruxeval-o/pass@1", "curriculum/distinct/*"]
    files = write_curves(runs, tmp_path / "svg", metrics, smooth=3)
    assert [file.name for file in files] == [file_name([metric]) for metric in metrics]
    text = files[0].read_text()
    for words in ("Answers correct, deduction", "full (3 seeds)", "frozen (3 seeds)", ">step<",
                  "95 % interval of the mean over seeds; mean of 3 steps"):  # fmt: skip
        assert words in text
    assert text.count('id="FillBetweenPolyCollection') == 2, "a band for each arm"
    assert "mean of 3 steps" not in files[1].read_text(), "evaluations are not smoothed"


def test_a_usual_choice_is_drawn_unless_asked(make_run: MakeRun, tmp_path: Path) -> None:
    files = write_curves([make_run(steps=3)], tmp_path / "svg")
    assert len(files) == 8
    for file in files:
        ElementTree.parse(file)


def test_several_metrics_share_a_plot(make_run: MakeRun, tmp_path: Path) -> None:
    plot = "accuracy/solver/deduction,accuracy/solver/abduction"
    [file] = write_curves([make_run("one", 3)], tmp_path / "svg", [plot])
    text = file.read_text()
    assert ">Answers correct: one<" in text
    assert ">deduction<" in text
    assert ">abduction<" in text


def test_an_unknown_metric_is_refused_with_those_that_look_alike(
    make_run: MakeRun, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="no run has a metric 'accuracy/solver'") as refusal:
        write_curves([make_run(steps=2)], tmp_path / "svg", ["valid/*", "accuracy/solver"])
    assert not (tmp_path / "svg").exists(), "all or nothing"
    assert "accuracy/solver/deduction" in refusal.value.__notes__[0]
    with pytest.raises(CheckpointError, match="holds no run"):
        write_curves([tmp_path / "none"], tmp_path / "svg")


def test_the_command_writes_curves_and_names_them(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = make_run(steps=2), tmp_path / "out"
    group = f"mine={run},{run}"
    assert main(["report", "--group", group, "--svg", str(out), "--plot", "valid/*"]) == 0
    assert capsys.readouterr().out == f"{out / 'valid-all.svg'}\n"
    for words in (
        ["--svg", str(out), "--plot", "nothing"],
        ["--plot", "valid/*"],
        ["--svg", str(out), "--smooth", "0"],
        ["--svg", str(out), "--output", "x.html"],
        ["--group", "x"],
    ):
        assert main(["report", str(run), *words]) == 2
    assert main(["report", str(tmp_path / "none"), "--svg", str(out)]) == 1


@pytest.mark.parametrize(
    ("missing", "flags", "extra"),
    [("matplotlib", ["--svg", "out"], "train,figures"), ("scipy", [], "train")],
)
def test_what_is_not_installed_is_named_in_one_line(
    missing: str, flags: list[str], extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for name in [name for name in sys.modules if name.startswith("azr.report.html.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(["report", str(tmp_path), *flags]) == 1
    words = f"needs {missing}, which is not installed: pip install 'azr[{extra}]'"
    line = capsys.readouterr().err
    assert re.fullmatch(rf"azr: error: azr report( --svg)? {re.escape(words)}\n", line)
