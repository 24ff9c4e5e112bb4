"""The launcher, with programs of the test's in place of azr: signals, exit codes, leftovers."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from azr.cli.main import main
from azr.cluster import launcher
from azr.errors import ConfigError
from sandbox_wasm.cores import available_cores

PLAY = """\
import os, signal, sys, time
from azr.cluster import launcher
launcher.FAREWELL_S, launcher.PATIENCE_S = 1.0, 1.0
rank_code = {code!r}
start = launcher.subprocess.Popen
def instead(command, **options):
    return start([sys.executable, "-c", rank_code], **options)
launcher.subprocess.Popen = instead
sys.exit(launcher.launch({size}, ["train"]))
"""


def play(code: str, size: int = 2) -> "subprocess.Popen[str]":
    """A launcher whose ranks run this code."""
    return subprocess.Popen(
        [sys.executable, "-c", PLAY.format(code=code, size=size)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )


def test_ranks_are_told_their_places_and_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    names = [
        "RANK",
        "LOCAL_RANK",
        "WORLD_SIZE",
        "LOCAL_WORLD_SIZE",
        "MASTER_ADDR",
        "OMP_NUM_THREADS",
    ]
    # one write a process: print() writes each word and each blank apart, and both share a pipe
    code = f"import os; os.write(1, (' '.join(os.environ[n] for n in {names}) + '\\n').encode())"
    out, _ = play(code, 2).communicate(timeout=30)
    threads = str(max(1, available_cores() // 2))
    assert sorted(out.splitlines()) == [f"{r} {r} 2 2 127.0.0.1 {threads}" for r in range(2)]


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 1), (130, 130), (2, 2)])
def test_the_leaders_code_is_the_runs(code: int, expected: int) -> None:
    process = play(f"import os, sys; sys.exit({code} if os.environ['RANK'] == '0' else 0)")
    process.communicate(timeout=30)
    assert process.returncode == expected


def test_a_leader_that_was_killed_is_told_as_shells_do() -> None:
    process = play("import os; os.environ['RANK'] == '0' and os.kill(os.getpid(), 9)")
    assert "the leader was ended by SIGKILL" in process.communicate(timeout=30)[1]
    assert process.returncode == 137


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_leader_alone(number: signal.Signals) -> None:
    code = (
        "import os, signal, sys, time\n"
        "def told(n, _):\n"
        "    os.write(1, f'rank {os.environ[\"RANK\"]} got {n}\\n'.encode())\n"
        "    sys.exit(130)\n"
        "for n in (signal.SIGINT, signal.SIGTERM): signal.signal(n, told)\n"
        "os.write(1, b'ready\\n')\n"  # in one piece
        "time.sleep(20 if os.environ['RANK'] == '0' else 1.5)"
    )
    process = play(code)
    assert process.stdout is not None
    for _ in range(2):
        assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert out == f"rank 0 got {int(number)}\n"
    assert process.returncode == 130


def test_nobody_stays_behind(tmp_path: Path) -> None:
    """Neither a worker that does not end, nor a leader that waits for a worker that is gone."""
    code = (
        "import os, sys, time, pathlib\n"
        "rank = os.environ['RANK']\n"
        f"(pathlib.Path({str(tmp_path)!r}) / rank).write_text(str(os.getpid()))\n"
        "{}"
    )
    slow_worker = play(code.format("time.sleep(0 if rank == '0' else 60)"))
    slow_worker.communicate(timeout=30)
    assert slow_worker.returncode == 0
    assert not alive(tmp_path)
    deaf_leader = play(code.format("rank == '0' and time.sleep(60)\nsys.exit(3)"))
    _, err = deaf_leader.communicate(timeout=30)
    assert "rank 1 ended with code 3 and the leader hangs" in err
    assert deaf_leader.returncode == 137
    assert not alive(tmp_path)


def alive(folder: Path) -> list[str]:
    """Pids of the ranks that are still there."""
    pids = [file.read_text() for file in folder.iterdir()]
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_a_leader_whose_launcher_is_gone_stops_as_by_ctrl_c(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[int] = []
    old = signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    try:
        monkeypatch.setenv(launcher.LAUNCHER, str(os.getpid()))  # not our parent's
        launcher.watch_launcher()
        deadline = time.monotonic() + 10
        while not told and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        signal.signal(signal.SIGTERM, old)
    assert told == [signal.SIGTERM]


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "visible_gpus", lambda: 4)
    with pytest.raises(ConfigError, match=r"cluster.processes = 8, .* has 4 GPUs"):
        launcher.launch(8, ["train"])


# ---------------------------------------------------------------- the command line


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[str]]]:
    calls: list[tuple[int, list[str]]] = []

    def launch(processes: int, words: Any) -> int:
        calls.append((processes, list(words)))
        return 130

    monkeypatch.setattr("azr.cli.main.launch", launch)
    monkeypatch.delenv("RANK", raising=False)
    return calls


def test_several_processes_are_started_with_the_words_as_they_were(
    launched: list[tuple[int, list[str]]], tmp_path: Path
) -> None:
    file = tmp_path / "a.toml"
    file.write_text("steps = 1\n[cluster]\nprocesses = 3\n")
    words = ["train", str(file), "--resume", "--learner.lr=2e-6", "--set", "seed=4"]
    assert main(words) == 130
    assert main(["--debug", *words]) == 130
    assert launched == [(3, words), (3, [*words, "--debug"])]


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--cluster.processes", "2", "--learner.lrr", "1"],
        ["train", "--cluster.processes", "0"],
        ["train", "--cluster.processes", "2", "nothing.toml"],
        ["demo", "--cluster.processes", "2"],
    ],
)
def test_bad_input_is_told_once_and_nothing_is_started(
    launched: list[tuple[int, list[str]]], capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err.count("azr: error:") == 1
    assert launched == []


@pytest.mark.parametrize(
    "words", [["demo"], ["seed", "--output", "x"], ["eval", "x", "--suite", "cruxeval-o"]]
)
def test_the_work_of_one_process_is_refused_to_several(
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(words) == 2
    assert f"azr: rank 1: error: azr {words[0]} runs in one process" in capsys.readouterr().err


def test_a_dry_run_starts_nothing(
    launched: list[tuple[int, list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--cluster.processes", "8", "--dry-run", "--gpu-memory", "1000"]
    assert main([*words, "--model.name", "Qwen/Qwen2.5-14B"]) == 0
    assert "processes = 8" in capsys.readouterr().out
    assert launched == []


def test_gpus_are_counted_as_they_may_be_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from azr.models import gpu  # noqa: PLC0415

    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nprintf '81559\\n81559\\n40000\\n'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    counts: dict[str | None, int] = {}
    for chosen in (None, "0,2", "1", "", "-1"):
        if chosen is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
        counts[chosen] = gpu.visible_gpus()
    assert counts == {None: 3, "0,2": 2, "1": 1, "": 0, "-1": 0}
