"""The programs of the benches: azr's own without asking, or those of a file, read with care."""

import argparse
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.programs import (
    DataError,
    Program,
    Workload,
    add_data_option,
    as_job,
    own_workload,
    read_workload,
)

ROOT = Path(__file__).parents[2]
GOOD = {"code": "def g(x): return x", "call": "g(3)", "expected": "3"}


def parsed(*words: str) -> Workload:
    parser = argparse.ArgumentParser(prog="bench")
    add_data_option(parser)
    return parser.parse_args(words).data


def test_a_bench_runs_azrs_own_programs_unless_told_otherwise() -> None:
    assert parsed() is own_workload()
    assert parsed().identity["name"] == "azr"


@pytest.mark.parametrize("name", ["some.jsonl", "some.jsonl.gz"])
def test_a_file_of_others_is_read(tmp_path: Path, name: str) -> None:
    lines = [GOOD, {**GOOD, "id": 7, "heavy": True, "source": "ignored"}]
    path = tmp_path / name
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    assert parsed("--data", str(path)) == Workload(
        name,
        (
            Program("1", GOOD["code"], "g(3)", "3"),
            Program("7", GOOD["code"], "g(3)", "3", heavy=True),
        ),
    )


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "FILE:2: Expecting property name"),
        ("[1]", "FILE:2: not an object"),
        ('{"code": "x"}', "FILE:2: `call` is missing"),
        (json.dumps({**GOOD, "code": 5}), "FILE:2: `code` is 5, not a str"),
        (json.dumps({**GOOD, "heavy": "no"}), "FILE:2: `heavy` is 'no', not a bool"),
        (json.dumps({**GOOD, "expected": "f(1)"}), "FILE:2: `expected` is not a literal"),
    ],
)
def test_a_bad_line_is_named_with_its_field(
    tmp_path: Path, line: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n{line}\n")
    with pytest.raises(SystemExit) as ended:
        parsed("--data", str(path))
    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert complaint.replace("FILE", str(path)) in last


@pytest.mark.parametrize("data", [None, b"", b"\xff\xfe", b"\x1f\x8bno gzip"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "bad.jsonl.gz"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DataError, match=r"bad\.jsonl\.gz: "):
        read_workload(path)


def test_a_result_names_its_workload_by_all_that_was_run() -> None:
    own = own_workload()
    light = own.light()
    assert light.identity["name"] == "azr, light"
    assert light.identity["programs"] == sum(not p.heavy for p in own.programs)
    other = Workload(own.name, own.programs[:-1])
    assert len({w.identity["sha256"] for w in (own, light, other)}) == 3


def test_arguments_are_sent_as_literals_where_they_are_literals() -> None:
    program = Program("n", "def g(x, k=0): return x", "g([1], k=(2,))", "[1]")
    job = as_job(program, calls=2)
    assert (job.entry, job.calls, job.expressions) == ("g", ("[1], k=(2,)",) * 2, ())
    computed = as_job(Program("n", "g = sum", "g(range(3))", "3"))
    assert (computed.calls, computed.expressions) == ((), ("g(range(3))",))


def test_the_benches_start_with_nothing_beside_them(tmp_path: Path) -> None:
    """Those that run programs; the others import torch, which takes a test too long."""
    benches = [
        path
        for path in (ROOT / "bench").glob("bench_*.py")
        if "add_data_option(parser)" in path.read_text()
    ]
    assert len(benches) == 6
    for bench in benches:
        command = [sys.executable, bench, "--help"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{bench.name}: {done.stderr}"
        assert "--data FILE" in done.stdout
