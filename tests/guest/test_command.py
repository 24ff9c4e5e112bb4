"""`azr-sandbox run` as a process: JSON lines in and out, exit statuses, streams apart."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.guest, pytest.mark.slow]
ROOT = Path(__file__).parents[2]


def run(*args: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sandbox_wasm.cli.main", *args],
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def lines(*records: dict[str, object]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def test_results_come_one_a_line_in_order(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    path.write_text(
        lines(
            {"id": "a", "source": "def f(x): return x * 2", "calls": ["21", "'é'"]},
            {"id": "b", "source": "print(input()[::-1])", "stdin": "abc"},
            {"id": "c", "source": "def f(:"},
        )
    )
    done = run("run", str(path), "--workers", "1")
    assert done.returncode == 0, done.stderr
    a, b, c = map(json.loads, done.stdout.splitlines())
    assert [call["value"] for call in a["calls"]] == ["42", "'éé'"]
    assert set(a["calls"][0]) == {"outcome", "value", "error", "fuel"}
    assert (b["id"], b["calls"][0]["stdout"]) == ("b", "cba\n")
    assert [call["outcome"] for call in c["calls"]] == ["syntax_error"]


def test_a_program_finds_its_files_and_leaves_others(tmp_path: Path) -> None:
    program, given, left = (tmp_path / name for name in ("p.py", "in.bin", "out.bin"))
    program.write_text("open('o', 'wb').write(open('d/i', 'rb').read() * 2)")
    given.write_bytes(b"\xff\0")
    files = ("--file", f"d/i={given}", "--file", str(given), "--fetch", f"o={left}")
    done = run("run", str(program), *files, "--fetch", f"no={tmp_path / 'none'}")
    assert (done.returncode, left.read_bytes()) == (0, b"\xff\0" * 2), done.stderr
    assert done.stderr.endswith("azr-sandbox: it left no file 'no'\n")
    for wrong, words in ((f"../x={given}", "files must be"), ("x=", "NAME=PATH"),
                         ("x=/no/such", "cannot read /no/such")):  # fmt: skip
        refused = run("run", str(program), "--file", wrong)
        assert refused.returncode == 2
        assert words in refused.stderr
        assert "Traceback" not in refused.stderr


def test_files_of_a_job_line_are_texts_or_base64(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    source = "open('t', 'w').write(open('i').read()); open('b', 'wb').write(b'\\xff')"
    job: dict[str, object] = {
        "id": "1", "source": source, "files": {"i": {"base64": "w6k="}}, "want_files": ["t", "b"],
    }  # fmt: skip
    path.write_text(lines(job))
    done = run("run", str(path))
    assert json.loads(done.stdout)["calls"][0]["files"] == {"b": {"base64": "/w=="}, "t": "é"}
    path.write_text(lines({**job, "files": {"i": {"base64": "*"}}}))
    assert "line 1: files: not base64" in run("run", str(path)).stderr


@pytest.mark.parametrize("way", ["file", "stdin"])
def test_a_line_ends_with_a_line_feed_and_nothing_else(tmp_path: Path, way: str) -> None:
    separators = "\u2028\u2029\x85"  # raw in the JSON text, where no escape is asked for
    jobs = [
        {"id": separators, "source": "def f(x): return x", "calls": [f"'{separators}'"]},
        {"id": "long", "source": "#" * (4 * 1024**2 + 1)},
        {"id": "odd", "source": "\ud800\x0c\x1c\x0b\0", "tests": "pass"},
        {"id": "last", "source": "pass"},
    ]
    text = "".join(
        json.dumps(job, ensure_ascii=job["id"] == "odd").replace(", ", ",\r ") + "\r\n"
        for job in jobs
    )
    path = tmp_path / "jobs.jsonl"
    path.write_bytes(text.encode())
    done = subprocess.run(
        [sys.executable, "-m", "sandbox_wasm.cli.main", "run", str(path) if way == "file" else "-"],
        input=text.encode(), capture_output=True, timeout=120, check=False, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.split(b"\n")[:-1]]
    assert [result["id"] for result in results] == [job["id"] for job in jobs]
    assert results[0]["calls"][0]["value"] == repr(separators)
    outcomes = [result["calls"][0]["outcome"] for result in results[1:]]
    assert outcomes == ["refused", "syntax_error", "returned"]


def test_bad_input_is_exit_2_with_nothing_on_stdout_but_results() -> None:
    done = run("run", "-", text=lines({"id": "1", "source": "x = 1"}, {"id": "2", "nope": 1}))
    assert done.returncode == 2
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["1"]
    assert "line 2: unknown key 'nope'" in done.stderr


def test_a_missing_file_is_exit_2() -> None:
    done = run("run", "/nonexistent.jsonl")
    assert (done.returncode, done.stdout) == (2, "")
    assert "/nonexistent.jsonl" in done.stderr


def test_an_unbuildable_image_is_exit_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("AZR_CACHE_DIR", str(blocked))
    done = run("run", "-", text=lines({"id": "1", "source": "x = 1"}))
    assert (done.returncode, done.stdout) == (1, "")
    assert "cache folder" in done.stderr


def test_doctor_is_content_here() -> None:
    done = run("doctor")
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("ready: azr-sandbox run FILE.jsonl\n")


def test_a_program_is_run_as_python_would_run_it(tmp_path: Path) -> None:
    program = tmp_path / "double.py"
    program.write_text("import sys\nprint(2 * int(input()), len(sys.argv))\nsys.exit(int(input()))")
    given = tmp_path / "input"
    given.write_text("21\n0\n")
    done = run("run", str(program), "--stdin", str(given), "--seconds", "2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "42 1\n", "")
    done = run("run", str(program), "--stdin", "-", text="1\n7\n")
    assert (done.returncode, done.stdout) == (3, "2 1\n")
    assert done.stderr == "azr-sandbox: exited: SystemExit: 7\n"
    done = run("run", str(program))
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        'Traceback (most recent call last):\n  File "<program>", line 2, in <module>\n'
        "    print(2 * int(input()), len(sys.argv))\nEOFError: EOF when reading a line\n"
    )
    done = run("run", str(program), "--fuel", "1000")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "azr-sandbox: out_of_fuel\n")


def test_the_version_is_told() -> None:
    done = run("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"azr-sandbox \S+, protocol \d+\n", done.stdout)
