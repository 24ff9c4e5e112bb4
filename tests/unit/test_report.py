"""The report's data: complete, bounded, and unable to escape from the page it stands in."""

import json
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from hashlib import sha256
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azr.errors import CheckpointError, ConfigError
from azr.report.html import contract, fill_page, render_report, script_json, write_report
from azr.report.html.arms import Group, History, arm_of
from azr.report.html.charts import charts_of
from azr.report.html.data import MAX_CHARS, MAX_STORIES, collect, evenly, shorten
from azr.report.html.highlighting import python
from azr.report.html.labels import METRICS
from tests.curricula import make_curriculum

MakeRun = Callable[..., Path]


def data_of(page: str) -> dict[str, Any]:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert match
    return json.loads(match[1])


class Elements(HTMLParser):
    """Tags and attributes as a browser would see them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def test_a_report_is_one_file_that_loads_nothing(make_run: MakeRun) -> None:
    run = make_run(steps=3)
    file = write_report([run])
    assert file == run / "report.html"
    elements = Elements()
    elements.feed(file.read_text())
    assert elements.links == []
    assert not {"link", "img", "iframe"} & {*elements.tags}
    assert elements.tags.count("script") == 2
    links = re.findall(r"https?://[^\s)]+", file.read_text())
    assert links == ["https://github.com/leeoniya/uPlot"], "in the comment that names its version"
    assert "url(" not in file.read_text()
    assert not list(run.glob("*.partial"))


def test_the_data_are_those_of_the_run(make_run: MakeRun) -> None:
    found = collect(make_run(steps=3), "mine")
    run, history = found.run, found.history
    assert run.name == "mine"
    assert history.steps == [1, 2, 3]
    assert len(history.metrics["reward/solver/deduction/mean"]) == 3
    assert run.totals.proposals == run.totals.answers == 3 * 12
    steps = [story.step for story in run.stories]
    assert steps == sorted(steps, reverse=True)
    assert set(steps) == {1, 2, 3}
    assert sum(story.proposal is not None for story in run.stories) == 3 * 12
    answers = sum(len(story.answers) + story.more for story in run.stories)
    assert answers == 3 * 12
    assert "[learner]" in run.config
    assert dict(run.facts)["machine"]


UPLOT = {
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}
"""SHA-256 of dist/ and LICENSE of the npm package uplot 1.6.32."""


def test_uplot_is_the_published_one_and_its_licence_goes_with_it(make_run: MakeRun) -> None:
    folder = files("azr.report.html").joinpath("assets", "uplot")
    contents = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert {name: sha256(content).hexdigest() for name, content in contents.items()} == UPLOT
    assert b"(v1.6.32)" in contents["uPlot.iife.min.js"][:60]
    page = render_report([make_run(steps=1)])
    assert page.count(contents["LICENSE"].decode()) == 2, "before the style and the script"


def test_every_metric_with_a_section_has_its_plot_and_its_words_there() -> None:
    metrics = {metric: [0.5] for metric in METRICS}
    arm = arm_of("a", {"a": History([1], metrics)})
    charts = {chart.metric: chart for chart in charts_of([arm], is_single=False)}
    drawn = [metric for metric, label in METRICS.items() if label.section]
    assert list(charts) == drawn
    for metric, chart in charts.items():
        label = METRICS[metric]
        assert (chart.title, chart.unit, chart.form) == (label.title, label.unit, label.form)
    alone = {chart.metric for chart in charts_of([arm], is_single=True)}
    assert set(drawn) - alone == {m for m in drawn if METRICS[m].is_stacked}


def test_every_field_of_the_contract_is_read_by_the_page() -> None:
    folder = files("azr.report.html").joinpath("assets")
    scripts = "".join(f.read_text() for f in folder.iterdir() if f.name.endswith(".js"))
    read = set(re.findall(r"\w+", scripts))
    kinds = [kind for kind in vars(contract).values() if is_dataclass(kind)]
    assert len(kinds) > 9
    assert {entry.name for kind in kinds for entry in fields(kind)} <= read


@given(st.text() | st.from_regex(r"(def f\(x\):\n  return ['\"x]{0,9}|#[^\n]*|\d+e\d*)*"))
def test_coloured_text_is_the_text(text: str) -> None:
    pieces = python(text)
    assert "".join(piece for _, piece in pieces) == text
    assert {style for style, _ in pieces} <= {"", "com", "str", "n", "kw", "fn", "bi"}


def test_a_text_of_blank_lines_takes_no_longer_than_its_length() -> None:
    """A model that writes nothing else must not hold up the report."""

    def seconds(lines: int) -> float:
        started = process_time()
        python.__wrapped__(" \n" * lines)
        return process_time() - started

    short, long = (min(seconds(lines) for _ in range(5)) for lines in (750, 6_000))
    assert long < 30 * short, "8 times the text; were it quadratic, 64 times the work"


def test_python_is_coloured() -> None:
    assert python("def f(x): return len('a')  # b")[:3] == [("kw", "def"), ("", " "), ("fn", "f")]
    assert {("kw", "return"), ("bi", "len"), ("str", "'a'"), ("com", "# b")} <= {
        *python("def f(x): return len('a')  # b")
    }


def test_headlines_go_from_the_beginning_to_the_end(make_run: MakeRun) -> None:
    run = make_run(steps=3)
    tiles = {tile["title"]: tile for tile in data_of(render_report([run]))["tiles"]}
    valid = collect(run, "x").history.metrics["valid/*"]
    assert tiles["Valid proposals"]["values"] == pytest.approx([valid[0], valid[-1]], abs=1e-4)
    assert tiles["Valid proposals"]["note"] == "first and last step"
    assert tiles["Steps"]["values"] == [3]
    assert tiles["Steps"]["note"] == "of 3 planned"
    assert tiles["Time of a step"]["form"] == "seconds"


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_no_text_can_end_the_script_it_stands_in_or_change_on_the_way(value: object) -> None:
    text = script_json(value)
    assert not {"<", ">", "&", "\u2028", "\u2029"} & {*text}
    assert json.loads(text) == value


@given(st.text())
def test_slots_in_the_data_are_not_filled(text: str) -> None:
    text = text + "%SCRIPT%%DATA%%TITLE%"
    page = fill_page(text, {"text": text})
    assert data_of(page) == {"text": text}


def test_several_runs_stand_side_by_side_under_names_that_differ(
    make_run: MakeRun, tmp_path: Path
) -> None:
    first, second = make_run("a", 2), make_run("b", 3, 1)
    data = data_of(render_report([first, second]))
    assert data["title"] == "a against b"
    twin = tmp_path / "other" / "a"
    twin.parent.mkdir()
    first.rename(twin)
    same = make_run("a", 2)
    runs = data_of(render_report([same, twin]))["runs"]
    assert runs[0]["name"] != runs[1]["name"]


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no run: there is no metrics\.jsonl"):
        write_report([tmp_path])


def test_a_run_without_a_finished_step_still_has_a_report(make_run: MakeRun) -> None:
    run = make_run(steps=0)
    assert write_report([run]).exists()


def test_a_run_without_rollouts_still_has_a_report(make_run: MakeRun) -> None:
    run = make_run(steps=2)
    for file in (run / "rollouts").iterdir():
        file.unlink()
    found = collect(run, "x")
    assert found.run.stories == []
    assert not [name for name in found.history.metrics if name.startswith("curriculum/")]


def test_a_metric_that_is_missing_or_not_finite_is_a_gap(make_run: MakeRun) -> None:
    run = make_run(steps=1)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "loss": null, "new": NaN}\n')
    (run / "rollouts/step_1.jsonl.gz").unlink()
    metrics = collect(run, "x").history.metrics
    assert metrics["loss"] == [0.1, None]
    assert metrics["new"] == [None, None]
    assert metrics["grad_norm"][1] is None


def test_a_long_run_is_sampled_evenly_and_counted_in_full(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("azr.report.html.data.MAX_FILES", 5)
    found = collect(make_run(steps=10), "x", most=20)
    run = found.run
    assert len(run.stories) == 20
    assert [*dict.fromkeys(r.step for r in run.stories)] == [10, 8, 6, 4, 2]
    assert run.totals.proposals == run.totals.answers == 120
    assert len([v for v in found.history.metrics["curriculum/tasks/*"] if v is not None]) == 10


def test_many_runs_share_the_room_for_texts(make_run: MakeRun) -> None:
    runs = [make_run(f"r{number}", 1, number) for number in range(3)]
    data = data_of(render_report(runs))
    assert sum(len(run["stories"]) for run in data["runs"]) <= MAX_STORIES


def test_answers_stand_with_the_task_they_answer(made_curriculum: Path) -> None:
    run = collect(made_curriculum, "x").run
    valid = [story for story in run.stories if story.verdict == "passed"]
    assert valid
    for story in valid:
        assert len(story.answers) == 5, "four trials and the attempt that is learned from"
        right = [answer.verdict == "passed" for answer in story.answers]
        assert sum(right[:4]) / 4 == pytest.approx(story.rate)
    refused = [story for story in run.stories if story.verdict in ("failed", "ill_formed")]
    assert refused
    assert all(story.why and not story.answers for story in refused)
    assert any(story.verdict == "again" for story in run.stories)


def test_a_task_with_very_many_answers_says_how_many_are_left_out(
    made_curriculum: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("azr.report.html.data.MAX_ANSWERS", 2)
    run = collect(made_curriculum, "x").run
    assert {s.more for s in run.stories if s.verdict == "passed"} == {3}


def test_a_run_that_keeps_its_trials_makes_no_heavier_a_report(tmp_path: Path) -> None:
    """A story of 17 rollouts weighs as many of two."""
    run = collect(make_curriculum(tmp_path / "heavy", 6, trials=15), "x", most=60).run
    kept = sum((s.proposal is not None) + len(s.answers) for s in run.stories)
    assert 60 < kept <= 2 * 60 + 6 * 17
    for story in run.stories:
        assert all(answer.prompt for answer in story.answers[:1])
        assert all(answer.prompt == "" for answer in story.answers[1:]), "kept once"


def test_seeds_of_an_arm_are_one_curve_with_a_band(make_run: MakeRun) -> None:
    runs = [make_run(f"{arm}-s{seed}", 4, seed) for arm in "ab" for seed in range(3)]
    data = data_of(render_report(runs))
    assert data["title"] == "a against b"
    arms, finals = data["arms"], data["finals"]
    assert [arm["runs"] for arm in arms] == [[f"{a}-s{seed}" for seed in range(3)] for a in "ab"]
    curve = arms[0]["curves"]["accuracy/solver/*"]
    low, high, mean = curve["low"], curve["high"], curve["mean"]
    assert all(a <= m <= b for a, m, b in zip(low, mean, high, strict=True))
    [row] = [row for row in finals if row["title"] == "Answers correct"]
    assert [len(figure["values"]) for figure in row["figures"]] == [3, 3]
    assert len(row["differences"]) == 1
    assert row["differences"][0]["low"] is not None


def test_groups_of_the_command_line_come_first(make_run: MakeRun, tmp_path: Path) -> None:
    one, two, other = (make_run(name, 2) for name in ("x", "y", "z"))
    group = Group("mine", (one, two))
    data = data_of(render_report([other], [group]))
    assert data["title"] == "mine against z"
    assert write_report([], None, [group]) == one / "comparison.html"


def test_a_comparison_leaves_each_run_its_own_report(make_run: MakeRun) -> None:
    one, two = make_run("a-s0", 2), make_run("a-s1", 2)
    own = write_report([one]).read_text()
    assert write_report([one, two]) == one / "comparison.html"
    assert (one / "report.html").read_text() == own


def test_what_is_named_twice_is_refused(make_run: MakeRun) -> None:
    """A run counted as two seeds would have an interval."""
    one, two = make_run("a-s0", 2), make_run("a-s1", 2)
    with pytest.raises(ConfigError, match="a-s0 is named 2 times"):
        write_report([one, one / ".." / "a-s0"])
    with pytest.raises(ConfigError, match="a-s0 is named 2 times"):
        write_report([one], None, [Group("x", (one, two))])
    with pytest.raises(ConfigError, match="group x is named 2 times"):
        write_report([], None, [Group("x", (one,)), Group("x", (two,))])


def test_one_run_has_no_table_of_differences(make_run: MakeRun) -> None:
    assert data_of(render_report([make_run(steps=2)]))["finals"] == []


def test_a_long_text_is_cut_and_says_so() -> None:
    cut = shorten("x" * (MAX_CHARS + 5))
    assert cut.endswith("(5 more characters)")
    assert shorten("short") == "short"


@given(st.lists(st.integers(), max_size=60), st.integers(1, 30))
def test_even_samples_keep_order_and_the_last_item(items: list[int], count: int) -> None:
    pairs = list(enumerate(items))
    kept = evenly(pairs, count)
    assert kept == sorted(kept)
    assert len(kept) == min(count, len(pairs))
    assert kept[-1:] == pairs[-1:]


def test_a_torn_rollout_file_is_named_and_ends_no_report(
    make_run: MakeRun, caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run(steps=2)
    torn = run / "rollouts/step_2.jsonl.gz"
    torn.write_bytes(torn.read_bytes()[:-9])
    write_report([run])
    assert "step_2.jsonl.gz, line" in caplog.text
