"""The command line: exit codes, one clear line per error, data on stdout and nothing else."""

import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from azr.cli.main import main
from azr.config.loading import split_overrides
from azr.config.run import RunConfig
from azr.errors import AzrError, ConfigError, ExecutorUnavailable, ModelError
from sandbox_wasm.errors import SandboxUnavailable

FLAGS = frozenset({"--resume", "--output", "--set"})


class Session(ModuleType):
    """Stands for azr.run.session: remembers what it was asked, does what the test says."""

    def __init__(self) -> None:
        super().__init__("azr.run.session")
        self.calls: list[dict[str, Any]] = []
        self.outcome: int | BaseException = 0

    def run_training(self, config: RunConfig, **options: Any) -> int:
        self.calls.append({"config": config, **options})
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Session:
    fake = Session()
    monkeypatch.setitem(sys.modules, "azr.run.session", fake)
    monkeypatch.chdir(tmp_path)
    return fake


def test_a_run_gets_files_overrides_and_flags(session: Session, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("steps = 1\nseed = 5\n")
    words = "train a.toml --steps 3 --learner.lr=2e-6 --set selfplay.batch_size=4 --resume"
    assert main([*words.split(), "--logging.wandb"]) == 0
    (call,) = session.calls
    config = call["config"]
    assert (config.steps, config.seed, config.learner.lr) == (3, 5, 2e-6)
    assert config.selfplay.batch_size == 4
    assert config.logging.wandb
    assert call["resume"]
    assert not call["overwrite"]


@pytest.mark.parametrize("code", [0, 1, 130])
def test_the_session_decides_the_exit_code(session: Session, code: int) -> None:
    session.outcome = code
    assert main(["train"]) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("learner.lr must be above 0"), 2),
        (ModelError("no model at models/x"), 1),
        (ExecutorUnavailable("the sandbox did not answer within 120 s"), 1),
        (SandboxUnavailable("port in use"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_an_expected_error_is_one_line_and_an_exit_code(
    session: Session, capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    session.outcome = error
    if not isinstance(error, KeyboardInterrupt):
        error.add_note("try this")
    assert main(["train"]) == code
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "Traceback" not in streams.err
    if isinstance(error, KeyboardInterrupt):
        assert streams.err == "azr: interrupted\n"
    else:
        assert streams.err == f"azr: error: {error}\nhint: try this\n"


def test_debug_shows_the_traceback(session: Session) -> None:
    session.outcome = ModelError("x")
    with pytest.raises(ModelError):
        main(["train", "--debug"])


def test_a_bug_is_not_hidden(session: Session) -> None:
    session.outcome = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        main(["train"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--learner.lrr", "1"], "did you mean learner.lr?"),
        (["train", "--resum"], "did you mean --resume?"),
        (["train", "--steps"], "--steps needs a value"),
        (["train", "--steps", "--resume"], "--steps needs a value"),
        (["train", "--steps", "many"], "steps must be a whole number, at least 0, got 'many'"),
        (["train", "nothing.toml"], "nothing.toml: no such configuration file"),
        (["train", "--set", "steps"], "--set expects KEY=VALUE"),
        (["demo", "--stesp", "3"], "did you mean steps?"),
    ],
)
def test_bad_input_is_refused_before_anything_is_loaded(
    session: Session, capsys: pytest.CaptureFixture[str], words: Sequence[str], message: str
) -> None:
    assert main(words) == 2
    assert message in capsys.readouterr().err
    assert session.calls == []


@pytest.mark.parametrize("words", [["trian"], ["train", "--resume", "--overwrite"], ["report"]])
def test_bad_usage_exits_with_2(session: Session, words: Sequence[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "azr demo" in capsys.readouterr().err


def test_dry_run_prints_the_resolved_configuration_and_does_nothing(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--dry-run", "--steps", "7"]) == 0
    assert tomllib.loads(capsys.readouterr().out)["steps"] == 7
    assert session.calls == []


def test_help_config_lists_keys_with_defaults_and_meaning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["train", "--help-config"]) == 0
    text = capsys.readouterr().out
    assert "[learner]" in text
    assert "lr" in text
    assert "AdamW's step size, constant after the warm-up; at 0 the game" in text


def test_an_override_may_begin_with_a_minus_and_files_may_stand_anywhere() -> None:
    rest, overrides = split_overrides(
        ["train", "--rewards.wrong", "-0.25", "a.toml", "--output", "x", "--steps=3", "b.toml"],
        FLAGS,
    )
    assert rest == ["train", "a.toml", "--output", "x", "b.toml"]
    assert overrides == [("rewards.wrong", "-0.25"), ("steps", "3")]


def test_a_finished_run_has_a_report(
    session: Session,
    make_run: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = make_run("done", 2)
    assert main(["train", "--name", "done", "--runs", str(tmp_path)]) == 0
    assert (run / "report.html").exists()
    assert str(run / "report.html") in capsys.readouterr().err


def test_a_second_demo_takes_the_next_free_name(session: Session, tmp_path: Path) -> None:
    (tmp_path / "runs/demo").mkdir(parents=True)
    (tmp_path / "models/smollm2-135m-instruct").mkdir(parents=True)
    assert main(["demo"]) == 0
    assert main(["demo", "--resume"]) == 0
    assert main(["demo", "--name", "mine", "--steps", "2"]) == 0
    assert [c["config"].name for c in session.calls] == ["demo-2", "demo", "mine"]
    assert session.calls[0]["config"].selfplay.envelope == "completion"


def test_the_report_command_prints_the_file_alone_to_stdout(
    make_run: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = make_run("a", 1), make_run("b", 1)
    output = tmp_path / "new" / "both.html"
    assert main(["report", str(first), str(second), "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"{output}\n"
    assert output.exists()


def test_inspect_and_export_name_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(tmp_path)]) == 1
    assert main(["export", str(tmp_path), str(tmp_path / "out")]) == 1
    assert main(["report", str(tmp_path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("azr: error: ") for line in lines)
    assert len(lines) == 3


def test_reading_commands_load_no_framework(tmp_path: Path) -> None:
    """`azr --help` must not wait ten seconds for torch."""
    code = (
        "import sys; from azr.cli.main import main\n"
        "main(['train', '--dry-run'])\n"
        "heavy = {'torch', 'vllm', 'transformers', 'numpy', 'zmq', 'wasmtime'} & {*sys.modules}\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_sandbox_needs_no_pydantic() -> None:
    code = (
        "import sys; sys.modules['pydantic'] = None\n"
        "import sandbox_wasm, sandbox_wasm.cli.main, sandbox_wasm.server.serve\n"
        "import sandbox_wasm.grading, sandbox_wasm.adapters"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_error_of_ours_has_an_exit_code(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in AzrError.__subclasses__():
        session.outcome = kind("what happened")
        assert main(["train"]) in (1, 2)
        assert "azr: error: what happened" in capsys.readouterr().err
