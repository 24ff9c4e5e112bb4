"""`azr view` over a real socket: it follows, it reads only, and it answers only whom it may."""

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azr.cli.main import main
from tests.viewing import GrowingRun, get, growing, viewing

TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("view") / "runs"


@pytest.fixture(scope="module")
def run(runs: Path) -> Iterator[GrowingRun]:
    made = growing(runs / "study" / "a-s0", steps=9)
    made.start()
    made.grow(3)
    yield made
    made.die()


@pytest.fixture(scope="module")
def url(runs: Path, run: GrowingRun) -> Iterator[str]:
    with viewing(runs) as found:
        yield found


def page(url: str, *names: str, since: str = "") -> tuple[int, Any]:
    query = [*(("run", name) for name in names), ("since", since)]
    return get(url, "/api/page", query)[:2]


def steps_shown(url: str, name: str) -> list[int]:
    return page(url, name)[1]["page"]["arms"][0]["steps"]


def test_a_run_is_followed_through_torn_lines_a_kill_and_a_resume(
    url: str, run: GrowingRun
) -> None:
    name = run.folder.name
    [listed] = [r for r in get(url, "/api/runs")[1]["runs"] if r["name"].endswith(name)]
    name = listed["name"]
    assert (listed["state"], listed["step"], listed["planned"]) == ("running", 3, 9)
    found = page(url, name)[1]
    assert (found["page"]["arms"][0]["steps"], found["waiting"]) == ([1, 2, 3], 0)
    assert found["page"]["arms"][0]["curves"]["curriculum/fresh/deduction"]["mean"]
    assert page(url, name, since=found["version"])[0] == 204, "nothing is new"
    run.grow(torn=7)
    assert steps_shown(url, name) == [1, 2, 3], "half a line is none yet"
    run.append(run.rest(7))
    assert steps_shown(url, name) == [1, 2, 3, 4]
    run.die()
    assert get(url, "/api/runs")[1]["runs"][0]["state"] == "dead"
    run.rewind(2)
    run.start()
    run.grow(1)
    assert steps_shown(url, name) == [1, 2, 3]
    newest = get(url, "/api/cards", [("run", name)])[1]
    assert newest["cards"][0]["step"] == 3


def test_cards_come_a_page_at_a_time_and_are_searched(url: str, run: GrowingRun) -> None:
    name = "study/a-s0"
    seen, before = list[tuple[int, str]](), ""
    for _ in range(100):
        found = get(url, "/api/cards", [("run", name), ("before", before)])[1]
        seen += [(card["step"], card["name"]) for card in found["cards"]]
        before = found["before"]
        if not before:
            break
    steps = [step for step, _ in seen]
    assert steps == sorted(steps, reverse=True)
    assert set(steps) == set(range(1, run.step + 1)), "all of the run, and the end is told"
    wanted = [("run", name), ("mode", "abduction"), ("verdict", "failed"), ("search", "VALUEERROR")]
    for card in get(url, "/api/cards", wanted)[1]["cards"]:
        assert (card["mode"], card["verdict"]) == ("abduction", "failed")
        assert "ValueError" in card["why"]


def test_the_page_has_its_policy_and_loads_nothing_else(url: str) -> None:
    status, text, headers = get(url, "/")
    assert status == 200
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    assert script
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
    assert not re.search(r"<(link|img|iframe)|\s(src|href)=", text)


@pytest.mark.parametrize(
    ("path", "query", "words"),
    [
        ("/api/page", [("run", "none")], "holds no run 'none'"),
        ("/api/page", [("run", "../../etc")], "holds no run"),
        ("/api/page", [], "one to 8 different runs"),
        ("/api/cards", [("run", "study/a-s0"), ("before", "x")], "before must be STEP.PLACE"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(
    url: str, path: str, query: list[tuple[str, str]], words: str
) -> None:
    status, found, _ = get(url, path, query)
    assert status == 400
    assert words in found["error"]


def test_another_sites_page_and_whoever_writes_are_turned_away(url: str) -> None:
    assert get(url, "/api/runs", Host="evil.example")[0] == 421, "DNS rebinding"
    assert get(url, "/api/runs", Host="127.0.0.2:8642")[0] == 200
    assert get(url, "/api/runs", Host="localhost:1")[0] == 200
    assert get(url, "/api/runs", method="POST")[0] == 405
    assert get(url, "/etc/passwd")[0] == 404


def test_with_a_token_nobody_looks_without_it(runs: Path, run: GrowingRun, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    with viewing(runs, "--token-file", str(file)) as url:
        status, _, headers = get(url, "/")
        assert status == 401
        assert headers["www-authenticate"].startswith("Basic")
        wrong = base64.b64encode(b"me:0123456789abcdeX").decode()
        assert get(url, "/api/runs", Authorization=f"Basic {wrong}")[0] == 401
        right = base64.b64encode(f"me:{TOKEN}".encode()).decode()
        assert get(url, "/", Authorization=f"Basic {right}", Host="any.name")[0] == 200


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["none"], "none does not exist: give the folder that holds runs"),
        (["file"], "file cannot be read: Not a directory"),
        ([".", "--bind", "0.0.0.0:0"], "can be reached from other machines and has no token"),
        ([".", "--bind", "8642"], "--bind must be HOST:PORT"),
        ([".", "--bind", "TAKEN"], "Address already in use"),
        ([".", "--token-file", "none"], "cannot read --token-file none"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    words: list[str],
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    if "TAKEN" in words:
        words = [*words[:-1], request.getfixturevalue("url").removeprefix("http://")]
    assert main(["view", *words]) == 2
    said = capsys.readouterr().err
    assert line in said
    assert len(said.splitlines()) == 1
