"""The report's data: complete, bounded, and unable to escape from the page it stands in."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azr.errors import CheckpointError, ConfigError
from azr.report.html import fill_page, render_report, script_json, write_report
from azr.report.html.arms import Arm
from azr.report.html.data import MAX_CHARS, MAX_STORIES, collect, evenly, shorten
from tests.curricula import make_curriculum

MakeRun = Callable[..., Path]


def data_of(page: str) -> dict[str, object]:
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
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", file.read_text())
    assert not list(run.glob("*.partial"))


def test_the_data_are_those_of_the_run(make_run: MakeRun) -> None:
    run = collect(make_run(steps=3), "mine")
    assert run["name"] == "mine"
    assert run["steps"] == [1, 2, 3]
    assert len(run["metrics"]["reward/solver/deduction/mean"]) == 3
    assert run["totals"]["proposals"] == run["totals"]["answers"] == 3 * 12
    steps = [story["step"] for story in run["stories"]]
    assert steps == sorted(steps, reverse=True)
    assert set(steps) == {1, 2, 3}
    assert sum(story["proposal"] is not None for story in run["stories"]) == 3 * 12
    answers = sum(len(story["answers"]) + story["more"] for story in run["stories"])
    assert answers == 3 * 12
    assert "[learner]" in run["config"]
    assert dict(run["facts"])["machine"]


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
    assert isinstance(runs, list)
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
    assert found["stories"] == []
    assert not [name for name in found["metrics"] if name.startswith("curriculum/")]


def test_a_metric_that_is_missing_or_not_finite_is_a_gap(make_run: MakeRun) -> None:
    run = make_run(steps=1)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "loss": null, "new": NaN}\n')
    (run / "rollouts/step_1.jsonl.gz").unlink()
    metrics = collect(run, "x")["metrics"]
    assert metrics["loss"] == [0.1, None]
    assert metrics["new"] == [None, None]
    assert metrics["grad_norm"][1] is None


def test_a_long_run_is_sampled_evenly_and_counted_in_full(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("azr.report.html.data.MAX_FILES", 5)
    run = collect(make_run(steps=10), "x", most=20)
    assert len(run["stories"]) == 20
    assert [*dict.fromkeys(r["step"] for r in run["stories"])] == [10, 8, 6, 4, 2]
    assert run["totals"]["proposals"] == run["totals"]["answers"] == 120
    assert len([v for v in run["metrics"]["curriculum/tasks/*"] if v is not None]) == 10


def test_many_runs_share_the_room_for_texts(make_run: MakeRun) -> None:
    runs = [make_run(f"r{number}", 1, number) for number in range(3)]
    data = data_of(render_report(runs))
    assert isinstance(data["runs"], list)
    assert sum(len(run["stories"]) for run in data["runs"]) <= MAX_STORIES


def test_answers_stand_with_the_task_they_answer(made_curriculum: Path) -> None:
    run = collect(made_curriculum, "x")
    valid = [story for story in run["stories"] if story["verdict"] == "passed"]
    assert valid
    for story in valid:
        assert len(story["answers"]) == 5, "four trials and the attempt that is learned from"
        right = [answer["verdict"] == "passed" for answer in story["answers"]]
        assert sum(right[:4]) / 4 == pytest.approx(story["rate"])
    refused = [story for story in run["stories"] if story["verdict"] in ("failed", "ill_formed")]
    assert refused
    assert all(story["why"] and not story["answers"] for story in refused)
    assert any(story["verdict"] == "again" for story in run["stories"])


def test_a_task_with_very_many_answers_says_how_many_are_left_out(
    made_curriculum: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("azr.report.html.data.MAX_ANSWERS", 2)
    run = collect(made_curriculum, "x")
    assert {s["more"] for s in run["stories"] if s["verdict"] == "passed"} == {3}


def test_a_run_that_keeps_its_trials_makes_no_heavier_a_report(tmp_path: Path) -> None:
    """A story of 17 rollouts weighs as many of two."""
    run = collect(make_curriculum(tmp_path / "heavy", 6, trials=15), "x", most=60)
    kept = sum(bool(s["proposal"]) + len(s["answers"]) for s in run["stories"])
    assert 60 < kept <= 2 * 60 + 6 * 17
    for story in run["stories"]:
        assert all(answer["prompt"] for answer in story["answers"][:1])
        assert all(answer["prompt"] == "" for answer in story["answers"][1:]), "kept once"


def test_seeds_of_an_arm_are_one_curve_with_a_band(make_run: MakeRun) -> None:
    runs = [make_run(f"{arm}-s{seed}", 4, seed) for arm in "ab" for seed in range(3)]
    data = data_of(render_report(runs))
    assert data["title"] == "a against b"
    arms, finals = data["arms"], data["finals"]
    assert isinstance(arms, list)
    assert isinstance(finals, list)
    assert [arm["runs"] for arm in arms] == [[f"{a}-s{seed}" for seed in range(3)] for a in "ab"]
    low, high = arms[0]["bands"]["accuracy/solver/*"]
    mean = arms[0]["metrics"]["accuracy/solver/*"]
    assert all(a <= m <= b for a, m, b in zip(low, mean, high, strict=True))
    [row] = [row for row in finals if row["title"] == "Answers correct"]
    assert [figure["seeds"] for figure in row["figures"]] == [3, 3]
    assert len(row["differences"]) == 1
    assert row["differences"][0]["low"] is not None


def test_groups_of_the_command_line_come_first(make_run: MakeRun, tmp_path: Path) -> None:
    one, two, other = (make_run(name, 2) for name in ("x", "y", "z"))
    group = Arm("mine", (one, two))
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
        write_report([one], None, [Arm("x", (one, two))])
    with pytest.raises(ConfigError, match="group x is named 2 times"):
        write_report([], None, [Arm("x", (one,)), Arm("x", (two,))])


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
