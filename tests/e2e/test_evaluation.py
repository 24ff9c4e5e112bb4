"""`azr eval` as a process: streams, exit codes, files, and kill -9.

The engine is transformers with a taught miniature, the data hand-written; the sandbox is real.
"""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from azr.game.tasks.task_json import task_to_json
from azr.types import Case, Mode, Task
from tests.e2e.one_process import run_commands

pytestmark = [pytest.mark.slow, pytest.mark.guest, pytest.mark.timeout(420)]

HUMANEVAL = [
    {
        "id": f"HumanEval/{n}",
        "prompt": f'def add{n}(x):\n    """Add {n}."""\n',
        "canonical_solution": f"    return x + {n}\n",
        "tests": f"assert add{n}(1) == {n + 1}",
        "plus_tests": f"assert add{n}(5) == {n + 5}",
    }
    for n in range(2)
]
CRUXEVAL = [
    {"id": f"x/{n}", "code": f"def f(x):\n    return x + {n % 10}", "input": str(n % 7),
     "output": str(n % 10 + n % 7)}
    for n in range(40)
]  # fmt: skip
SEEDS = [
    Task(mode=mode, program=f"def f(x):\n    return x + {n}", cases=(Case("1", str(n + 1)),))
    for mode in (Mode.DEDUCTION, Mode.ABDUCTION)
    for n in (2, 3)
]
GSM8K = [{"id": f"g/{n}", "problem": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(2)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write(folder / "code_generation" / "humaneval_plus.jsonl.gz", HUMANEVAL)
    write(folder / "execution" / "cruxeval.jsonl.gz", CRUXEVAL)
    write(folder / "math" / "gsm8k.jsonl.gz", GSM8K)
    return folder


def write(file: Path, records: Sequence[Mapping[str, Any]]) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.compress("".join(json.dumps(r) + "\n" for r in records).encode()))


def start(cwd: Path, *words: str | Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "azr.cli.main", "eval", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )


def finish(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def flags(data: Path, output: Path | str, *suites: str) -> list[str | Path]:
    return [
        "--suite", *suites, "--data", data, "--output", output, "--template", "completion",
        "--max-tokens", "24", "--rollout.engine", "transformers", "--rollout.max_concurrent", "4",
        "--sandbox.workers", "1",
    ]  # fmt: skip


def attempts(folder: Path) -> dict[tuple[str, int, int], dict[str, Any]]:
    lines = (folder / "attempts.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    by_key = {(r["item"], r["seed"], r["index"]): r for r in records}
    assert len(by_key) == len(records), "an attempt was made twice"
    return by_key


def test_a_table_on_stdout_and_every_file_in_the_folder(
    tmp_path: Path, taught: Path, data: Path
) -> None:
    words = flags(data, "out", "humaneval+", "cruxeval-o", "cruxeval-i", "gsm8k")
    code, out, err = finish(start(tmp_path, taught, *words, "--limit", "2"))
    assert code == 0, err[-3000:]
    assert [line.split()[0] for line in out.splitlines()] == [
        "suite", "HumanEval+", "CRUXEval-O", "CRUXEval-I", "GSM8K",
    ]  # fmt: skip
    folder = tmp_path / "out"
    result = json.loads((folder / "cruxeval-o" / "result.json").read_text())
    assert result["items"] == 2
    assert result["plan"]["template"] == "completion"
    assert result["environment"]["versions"]["math-verify"]
    assert len(list(folder.glob("lm_eval/*/results_*.json"))) == 1
    lines = (folder / "humaneval+" / "samples.jsonl").read_text().splitlines()
    assert [json.loads(line)["task_id"] for line in lines] == ["HumanEval/0", "HumanEval/1"]


def test_kill_9_and_a_restart_make_the_attempts_of_an_uninterrupted_run(
    tmp_path: Path, taught: Path, data: Path
) -> None:
    sampling = ["--temperature", "0.7", "--seeds", "0", "1", "--samples", "2"]
    code, whole, err = finish(
        start(tmp_path, taught, *flags(data, "whole", "cruxeval-o"), *sampling)
    )
    assert code == 0, err[-3000:]
    words = [taught, *flags(data, "cut", "cruxeval-o"), *sampling]
    process = start(tmp_path, *words)
    file = tmp_path / "cut" / "cruxeval-o" / "attempts.jsonl"
    deadline = time.monotonic() + 200
    while not (file.exists() and file.stat().st_size > 4000):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = file.read_bytes().count(b"\n")
    assert 0 < done < 160
    code, resumed, err = finish(start(tmp_path, *words))
    assert code == 0, err[-3000:]
    assert f"160 attempts, {done} of them done before" in err
    assert resumed == whole
    assert attempts(tmp_path / "cut" / "cruxeval-o") == attempts(tmp_path / "whole" / "cruxeval-o")


def test_other_settings_do_not_mix_in_one_folder(tmp_path: Path, taught: Path, data: Path) -> None:
    words = [taught, *flags(data, "out", "gsm8k")]
    assert finish(start(tmp_path, *words))[0] == 0
    code, out, err = finish(start(tmp_path, *words, "--temperature", "0.5"))
    assert (code, out) == (1, "")
    assert "holds another evaluation: its temperature is 0.0, not 0.5" in err
    assert "--overwrite" in err
    other = tmp_path / "other" / "math" / "gsm8k.jsonl.gz"
    write(other, [{"id": "g/0", "problem": "What is 2 + 2?", "answer": "4"}])
    code, out, err = finish(start(tmp_path, taught, *flags(other.parents[1], "out", "gsm8k")))
    assert (code, out) == (1, "")
    assert "holds another evaluation: its data_sha256 is" in err
    code, _, err = finish(start(tmp_path, *words, "--temperature", "0.5", "--overwrite"))
    assert code == 0, err


BAD_INPUT: list[tuple[list[str], str]] = [
    (["--suite", "mbpp"], "--suite must be one of humaneval+"),
    (["--suite", "mbpp+", "--max-tokens", "16"], "mbpp_plus.jsonl.gz cannot be read: No such file"),
    (["--suite", "gsm8k", "--samples", "3"], "greedy completions of an item are all alike"),
    (["--suite", "gsm8k", "--limit", "0"], "--limit must be at least 1, got 0"),
    (["--suite", "gsm8k", "--max-tokens", "5000"], "context of 1024 tokens, got 5000"),
    (["--suite", "gsm8k", "--checkpoint", "3"], "--checkpoint needs a run's folder"),
    (["--suite", "gsm8k", "--rollout.engin", "vllm"], "did you mean rollout.engine?"),
]


def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path, taught: Path, data: Path) -> None:
    commands = [["eval", taught, *words, "--data", data] for words, _ in BAD_INPUT]
    for (_, message), ended in zip(BAD_INPUT, run_commands(tmp_path, commands), strict=True):
        assert (ended.code, ended.out) == (2, "")
        errors = [line for line in ended.err.splitlines() if line.startswith("azr: error: ")]
        assert len(errors) == 1
        assert message in errors[0]
        assert "Traceback" not in ended.err
    assert not (tmp_path / "evaluations").exists()


def test_no_hub_is_one_line_and_exit_code_1(
    tmp_path: Path, taught: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("AZR_SHARED_DATA", raising=False)
    work = tmp_path / "work" / "here"
    work.mkdir(parents=True)
    code, out, err = finish(start(work, taught, "--suite", "gsm8k", "--max-tokens", "16"))
    assert (code, out) == (1, "")
    errors = [line for line in err.splitlines() if line.startswith("azr: error: ")]
    assert len(errors) == 1
    assert "openai/gsm8k is not in the cache" in errors[0]
    assert "--data FOLDER" in errors[0]
    assert "Traceback" not in err
    assert not (work / "evaluations").exists()


def test_a_run_evaluates_itself_every_n_steps(tmp_path: Path, taught: Path, data: Path) -> None:
    seeds = tmp_path / "seeds.jsonl"
    seeds.write_text("".join(task_to_json(task) + "\n" for task in SEEDS))
    words = [
        "train", "--name", "run", "--steps", "2", "--model.name", str(taught),
        "--selfplay.envelope", "completion", "--selfplay.modes", "deduction,abduction",
        "--selfplay.batch_size", "2", "--selfplay.trials_per_task", "2",
        "--buffers.seed_tasks", "2", "--buffers.seed_file", str(seeds),
        "--rollout.engine", "transformers", "--rollout.max_prompt_tokens", "900",
        "--rollout.max_completion_tokens", "40", "--sandbox.workers", "1",
        "--logging.tensorboard", "false", "--evaluation.every", "2", "--evaluation.limit", "8",
        "--evaluation.at_start", "true",
        "--evaluation.suites", "cruxeval-o,gsm8k", "--evaluation.data", str(data),
    ]  # fmt: skip
    process = subprocess.run(
        [sys.executable, "-m", "azr.cli.main", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )
    assert process.returncode == 0, process.stderr[-3000:]
    run = tmp_path / "runs" / "run"
    rows = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    untrained, first, second = rows
    assert untrained["step"] == 0
    assert 0 <= untrained["eval/cruxeval-o/pass@1"] <= 1
    assert len(attempts(run / "eval" / "training" / "step_0" / "cruxeval-o")) == 8
    assert not [name for name in first if name.startswith("eval/")]
    assert 0 <= second["eval/cruxeval-o/pass@1/low"] <= second["eval/cruxeval-o/pass@1"] <= 1
    assert second["eval/gsm8k/pass@1"] == 0.0
    assert second["time/evaluate"] > 0
    assert len(attempts(run / "eval" / "training" / "step_2" / "cruxeval-o")) == 8
    # a checkpoint of the run, evaluated afterwards with the run's own template
    words = ["--suite", "gsm8k", "--data", data, "--max-tokens", "16"]
    code, out, err = finish(start(tmp_path, run, *words))
    assert code == 0, err[-3000:]
    assert (run / "eval" / "step_2" / "completion-greedy" / "gsm8k" / "result.json").exists()
    assert out.splitlines()[1].startswith("GSM8K")
