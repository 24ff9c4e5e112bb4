"""`azr-sandbox` given what it cannot use: one line that names it, exit 1 or 2, no traceback."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.guest, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
JOB = '{"id": "a", "source": "x = 1", '

NOT_JOBS = {
    "nested deeply": b"[" * 100_000 + b"]" * 100_000,
    "nested deeply in a job": (JOB + '"calls": ').encode() + b"[" * 100_000,
    "many digits": (JOB + '"images": ' + "9" * 5000 + "}").encode(),
    "nan": (JOB + '"limits": {"fuel": NaN}}').encode(),
    "infinity": (JOB + '"limits": {"fuel": 1e999}}').encode(),
    "binary": b"\x80\x81\xfe\xff\0\1",
    "utf-16": (JOB + "}").encode("utf-16"),
    "truncated": JOB.encode(),
    "a list": b"[1, 2]",
    "null": b"null",
    "no source": b'{"id": "a"}',
    "unknown key": (JOB + '"sauce": 1}').encode(),
    **{
        f"{key} {value}": f'{JOB}"{key}": {value}}}'.encode()
        for key in ("calls", "stdin", "tests", "entry", "limits", "images", "banned_modules",
                    "want_stdout", "want_stderr", "packages", "id", "source")
        for value in ("7.5", "{\"a\": [1]}", "[[1]]")
    },
}  # fmt: skip


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "sandbox_wasm.cli.main", *words]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def refusal(*words: str, status: int, **more: str) -> str:
    """Run a command that must fail and return its one line."""
    done = subprocess.run(
        command(*words),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
        env=environment(**more),
    )
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    line = done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert line.startswith("azr-sandbox")
    return line


def test_what_is_no_job_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sandbox_wasm import sandbox  # noqa: PLC0415
    from sandbox_wasm.cli.main import main  # noqa: PLC0415

    with sandbox.Sandbox(workers=1) as shared:  # one for all: each of them starts for a second
        monkeypatch.setattr(shared, "close", lambda: None)
        monkeypatch.setattr(sandbox, "Sandbox", lambda **_options: shared)  # pyright: ignore
        capsys.readouterr()  # a cold cache tells of the images it builds
        path = tmp_path / "jobs.jsonl"
        for name, content in NOT_JOBS.items():
            path.write_bytes(content)
            assert main(["run", str(path)]) == 2, name
            told = capsys.readouterr()
            assert told.out == "", name
            assert told.err.startswith("azr-sandbox: line 1"), name
            assert told.err.count("\n") == 1, name
        path.write_bytes(b"\xef\xbb\xbf" + (JOB + '"tests": "assert x"}').encode())
        assert main(["run", str(path)]) == 0  # a byte order mark is none of the job
        monkeypatch.undo()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path, tmp_path / "missing.py"):
        assert str(path) in refusal("run", str(path), status=2)
    program = tmp_path / "p.py"
    program.write_bytes(b"x = '\xff'")
    assert "p.py is not UTF-8: invalid start byte at" in refusal("run", str(program), status=2)
    program.write_text("")
    assert "/no" in refusal("run", str(program), "--stdin", "/no", status=2)
    assert "--stdin is for a FILE.py" in refusal("run", "jobs.jsonl", "--stdin", "-", status=2)
    assert "seconds must be" in refusal("run", str(program), "--seconds", "0", status=2)


@pytest.mark.parametrize(
    "words",
    [
        ("image", "--packages", "torch"),
        ("image", "--images", "17"),
        ("bench", "--workers", "0"),
        ("bench", "--seconds", "nan"),
        ("bench", "--seconds", "-1"),
        ("serve", "--bind", "nowhere"),
        ("keys", "/dev/null/keys"),
    ],
)
def test_values_out_of_range_are_refused(words: tuple[str, ...]) -> None:
    assert refusal(*words, status=2)


@pytest.mark.parametrize("words", [("image",), ("image", "show"), ("bench",)])
def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("")
    line = refusal(*words, status=1, AZR_CACHE_DIR=str(tmp_path / "file"))
    assert str(tmp_path / "file") in line


def test_doctor_tells_of_a_cache_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        command("doctor"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment(AZR_CACHE_DIR=str(tmp_path / "file")),
    )
    assert done.returncode == 1
    assert "canary         cannot use the cache folder" in done.stdout
    assert done.stderr == ""


def test_a_reader_that_has_had_enough_is_no_error(tmp_path: Path) -> None:
    shown = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m sandbox_wasm.cli.main image show | true"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(),
    )
    assert shown.stderr == ""
    for redirection, told in ((">/dev/full", "stdout: No space left"), (">&-", "stdout is closed")):
        done = subprocess.run(
            [
                "/bin/sh",
                "-c",
                f"{sys.executable} -m sandbox_wasm.cli.main image show {redirection}",
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment(),
        )
        assert done.returncode == 1
        assert done.stderr.startswith(f"azr-sandbox: {told}")
        assert done.stderr.count("\n") == 1


def test_an_interrupt_is_one_line() -> None:
    process = subprocess.Popen(
        command("bench", "--seconds", "60"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    threads = Path(f"/proc/{process.pid}/task")
    deadline = time.monotonic() + 60
    while len(list(threads.iterdir())) == 1 and time.monotonic() < deadline:
        time.sleep(0.1)  # until there are workers: the command runs
    process.send_signal(signal.SIGINT)
    try:
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert told == "azr-sandbox: interrupted\n"
