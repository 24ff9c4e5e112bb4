"""The report's data: complete, bounded, and unable to escape from the page it stands in."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azr.errors import CheckpointError
from azr.report import fill_page, render_report, script_json, write_report
from azr.report.data import MAX_CHARS, collect, evenly, expected, shorten, unfenced

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
    assert len(run["proposals"]) == len(run["answers"]) == 3 * 12
    assert [r["step"] for r in run["proposals"]] == [3] * 12 + [2] * 12 + [1] * 12
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
    assert collect(run, "x")["proposals"] == []


def test_a_metric_that_is_missing_or_not_finite_is_a_gap(make_run: MakeRun) -> None:
    run = make_run(steps=1)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "loss": null, "new": NaN}\n')
    metrics = collect(run, "x")["metrics"]
    assert metrics["loss"] == [0.1, None]
    assert metrics["new"] == [None, None]
    assert metrics["grad_norm"][1] is None


def test_a_long_run_is_sampled_evenly_and_the_newest_step_is_in(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("azr.report.data.MAX_RECORDS", 20)
    monkeypatch.setattr("azr.report.data.MAX_FILES", 5)
    run = collect(make_run(steps=10), "x")
    assert len(run["proposals"]) == 20
    assert [*dict.fromkeys(r["step"] for r in run["proposals"])] == [10, 8, 6, 4, 2]
    assert run["totals"] == {"proposer": 120, "solver": 120}


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


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("```python\ndef f(): pass\n```", "def f(): pass"),
        ("```output\n[1]", "[1]"),
        ("<think>x</think> <answer>```output\n3\n```</answer>", "3"),
        ("<answer>1</answer> no <answer>2</answer>", "2"),
        ("plain", "plain"),
    ],
)
def test_an_answer_is_shown_without_its_wrapping(text: str, answer: str) -> None:
    assert unfenced(text) == answer


def test_what_was_expected_is_said_in_the_terms_of_the_mode() -> None:
    task = {"cases": [["1", "2"], ["3", "4"]]}
    assert expected("deduction", task) == "2"
    assert expected("abduction", task).startswith("any input giving 2")
    assert expected("induction", task) == "f(3) = 4"


def test_a_torn_rollout_file_is_named(make_run: MakeRun) -> None:
    run = make_run(steps=2)
    torn = run / "rollouts/step_2.jsonl.gz"
    torn.write_bytes(torn.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match=r"step_2\.jsonl\.gz"):
        write_report([run])
