"""What `azr view` reads: a run's state, its metrics as they grow, and its tasks page by page."""

import json
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from azr.errors import ConfigError
from azr.report.html.data import collect
from azr.report.html.filling import script_json
from azr.report.html.page import page_about
from azr.report.view import follow, latest
from azr.report.view.app import Desk
from azr.report.view.follow import Followed, GrowthTail, MetricsTail
from azr.report.view.latest import Wanted
from azr.report.view.shelf import entries, refuse_unreadable, run_folders
from tests.curricula import make_curriculum
from tests.viewing import growing


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_curriculum(tmp_path_factory.mktemp("made") / "grown", steps=8)


def test_a_followed_run_shows_what_its_report_shows(made: Path) -> None:
    followed, whole = Followed(made), collect(made, "grown")
    version, waiting = followed.advance()
    found = followed.collected("grown")
    assert (found.history, found.planned, waiting) == (whole.history, whole.planned, 0)
    assert (found.run.totals, found.run.falls) == (whole.run.totals, whole.run.falls)
    assert followed.advance() == (version, 0), "nothing is new"


@given(st.lists(st.integers(1, 400), max_size=30))
def test_metrics_that_grow_by_any_pieces_are_read_whole(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[int]
) -> None:
    file = tmp_path_factory.mktemp("tail") / "metrics.jsonl"
    rows = [{"step": step, "loss": step / 7, "name_é": None} for step in range(1, 40)]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    tail, written = MetricsTail(file), 0
    tail.advance()
    assert tail.rows == []
    for size in (*pieces, len(text)):
        written = min(len(text), written + size)
        file.write_bytes(text[:written])
        tail.advance()
        assert len(tail.rows) == text[:written].count(b"\n")
    assert (tail.rows, tail.readings) == (rows, 0), "no line was read twice"


def test_a_line_that_is_no_metrics_costs_that_line_alone(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(b'{"step": 1, "loss": 1}\nno\xff\n[]\n{"step": 2, "loss": "x"}\n')
    tail = MetricsTail(file)
    tail.advance()
    assert tail.rows == [{"step": 1, "loss": 1}, {"step": 2}]


def test_a_run_that_was_resumed_is_read_anew(tmp_path: Path) -> None:
    run = growing(tmp_path / "runs" / "a", steps=9)
    run.grow(6)
    followed = Followed(run.folder)
    followed.advance()
    run.rewind(4)
    run.grow(5)  # beyond where it was, before anybody looked
    followed.advance()
    assert followed.collected("a").history == collect(run.folder, "a").history


def test_a_long_run_is_read_a_part_at_a_time(made: Path) -> None:
    tail, looks = GrowthTail(made), 0
    tail.advance(1)
    assert tail.waiting == 7
    while tail.waiting:
        tail.advance(1)
        looks += 1
    assert looks == 7
    assert sorted(tail.growth.steps) == list(range(1, 9))


def asked(desk: Desk, **query: str) -> dict[str, Any]:
    scope = {"type": "http", "query_string": urlencode(query).encode(), "headers": []}
    return json.loads(bytes(desk.page(Request(scope)).body) or b"{}")


def test_curves_come_before_the_rollouts_are_read_and_the_whole_page_after(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GrowthTail.advance, "__defaults__", (1,))
    desk = Desk(made)
    found = asked(desk, run="grown")
    assert found["waiting"] == 7
    [arm] = found["page"]["arms"]
    assert len(arm["curves"]["accuracy/solver/*"]["mean"]) == 8
    assert found["page"]["runs"][0]["falls"] == [], "not known yet"
    while found["waiting"]:
        found = asked(desk, run="grown", since=found["version"])
        assert (found["page"] is None) == bool(found["waiting"]), "nothing is made in vain"
    assert found["page"]["runs"][0]["falls"]
    whole = page_about([made])
    assert found["page"]["tiles"] == json.loads(script_json(whole.tiles))
    assert len(found["page"]["charts"]) == len(whole.charts)
    assert asked(desk, run="grown", since=found["version"]) == {}


def test_a_page_of_cards_reads_only_what_it_shows(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of 100,000 tasks has thousands of files: an answer opens a few of them."""
    folder = tmp_path / "long"
    (folder / "rollouts").mkdir(parents=True)
    for step in range(1, 3001):
        os.link(
            made / "rollouts" / f"step_{1 + step % 8}.jsonl.gz",
            folder / "rollouts" / f"step_{step}.jsonl.gz",
        )
    read = list[Path]()
    monkeypatch.setattr(
        latest, "read_rollouts", lambda file: read.append(file) or follow.read_rollouts(file)
    )
    shown, place = latest.latest(folder, Wanted())
    assert (len(shown), len(read)) == (latest.CARDS, 1)
    assert place == (3000, latest.CARDS)
    shown, place = latest.latest(folder, Wanted(search="no such text"))
    assert shown == []
    assert place == (3000 - latest.FILES, 0), "the next request looks further"
    assert len(read) == latest.FILES


@pytest.mark.parametrize("difficulty", ["none", "some", "all"])
def test_cards_are_chosen_by_difficulty(made: Path, difficulty: str) -> None:
    shown, _ = latest.latest(made, Wanted(difficulty=difficulty), most=50)
    assert shown
    fits = {"none": lambda r: r == 0, "all": lambda r: r == 1, "some": lambda r: 0 < r < 1}
    assert all(fits[difficulty](story.rate) for story in shown)


def state_of(runs: Path, name: str = "a") -> str:
    return next(entry.state for entry in entries(run_folders(runs)) if entry.name == name)


def test_a_runs_state_is_told_without_touching_its_lock(tmp_path: Path) -> None:
    run = growing(tmp_path / "runs" / "a", steps=4)
    run.start()
    assert state_of(tmp_path / "runs") == "running", "before its first step"
    run.grow(2)
    run.die()
    assert state_of(tmp_path / "runs") == "dead", "it ended between two checkpoints"
    (run.folder / "checkpoints" / "step_2").mkdir()
    assert state_of(tmp_path / "runs") == "stopped"
    run.start()
    assert state_of(tmp_path / "runs") == "running"
    run.grow(2)
    run.die()
    assert state_of(tmp_path / "runs") == "finished"


def test_a_run_of_another_machine_runs_as_long_as_it_writes(tmp_path: Path) -> None:
    run = growing(tmp_path / "runs" / "a", steps=4)
    run.grow(2)
    environment = json.loads((run.folder / "env.json").read_text())
    (run.folder / "env.json").write_text(json.dumps(environment | {"host": "elsewhere"}))
    assert state_of(tmp_path / "runs") == "running"
    old = time.time() - 3600
    for file in (run.folder, *run.folder.rglob("*")):
        os.utime(file, (old, old))
    assert state_of(tmp_path / "runs") == "dead"


def test_runs_are_found_in_studies_and_what_is_none_is_left_out(tmp_path: Path, made: Path) -> None:
    for name in ("study/a", "b", "deep/er/down"):
        growing(tmp_path / "runs" / name, steps=1).grow(1)
    (tmp_path / "runs" / "notes").mkdir()
    (tmp_path / "runs" / "gone").symlink_to(tmp_path / "nowhere")
    assert set(run_folders(tmp_path / "runs")) == {"study/a", "b"}
    assert run_folders(made) == {"grown": made}, "a run stands for itself"
    assert run_folders(tmp_path / "nowhere") == {}


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist: give the folder that holds runs"):
        refuse_unreadable(tmp_path / "none")
