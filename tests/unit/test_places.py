"""`~` is the person's home wherever a path is written, and never a folder of that name."""

import argparse
from pathlib import Path

import pytest

from azr.cli.main import main, make_parser
from azr.config.loading import load
from azr.config.run import RunConfig
from azr.errors import ConfigError
from azr.evaluation.suites.data import data_folder
from azr.report.html.arms import read_group
from sandbox_wasm.cli.main import main as sandbox_main
from sandbox_wasm.image.cache import cache_folder
from sandbox_wasm.places import place

KEYS = {
    "runs": lambda config: config.runs,
    "model.name": lambda config: config.model.name,
    "buffers.seed_file": lambda config: config.buffers.seed_file,
    "sandbox.server_key": lambda config: config.sandbox.server_key,
    "sandbox.client_key": lambda config: config.sandbox.client_key,
    "evaluation.data": lambda config: config.evaluation.data,
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of one's own, and a working folder that is another."""
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


@pytest.mark.parametrize("key", KEYS)
def test_in_files_and_overrides(key: str, home: Path, tmp_path: Path) -> None:
    section, _, word = key.rpartition(".")
    (tmp_path / "a.toml").write_text((f"[{section}]\n" if section else "") + f'{word} = "~/x/y"\n')
    for config in (load(["~/../a.toml"]), load([tmp_path / "a.toml"]), load([], [(key, "~/x/y")])):
        assert KEYS[key](config) == str(home / "x" / "y")
    for same in ("x/y", "/x/~", "$HOME/x", "x~"):
        assert KEYS[key](load([], [(key, same)])) == same
    with pytest.raises(ConfigError, match=f"{key} must begin with a home"):
        load([], [(key, "~nobody-of-that-name/x")])


def test_in_values_of_python(home: Path) -> None:
    assert RunConfig().changed(runs="~/runs").folder == home / "runs" / "run"


def test_in_addresses_of_sockets(home: Path) -> None:
    config = load([], [("sandbox.endpoints", "ipc://~/s, tcp://h:1, ipc:///t/~")])
    assert config.sandbox.endpoints == (f"ipc://{home}/s", "tcp://h:1", "ipc:///t/~")


@pytest.mark.parametrize("name", ["~", "~/a", "~root", ".", "..", "a/b", ""])
def test_a_run_is_never_called_like_that(name: str) -> None:
    with pytest.raises(ConfigError, match="plain folder name"):
        RunConfig(name=name)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["train", "~/a"], ["files"]),
        (["seed", "--output", "~/a"], ["output"]),
        (["eval", "~/a", "--suite", "x", "--data", "~/a", "--output", "~/a"],
         ["target", "data", "output"]),
        (["report", "~/a", "--output", "~/a", "--svg", "~/a"], ["runs", "output", "svg"]),
        (["inspect", "~/a"], ["folder"]),
        (["export", "~/a", "~/a"], ["source", "folder"]),
        (["tasks", "~/a", "~/a"], ["source", "output"]),
        (["model", "smollm2", "~/a"], ["folder"]),
        (["model", "strip-think", "~/a", "~/a"], ["source", "folder"]),
        (["doctor", "--model", "~/a"], ["model"]),
    ],
)  # fmt: skip
def test_on_the_command_line(words: list[str], names: list[str], home: Path) -> None:
    parser, _ = make_parser()
    arguments = parser.parse_args(words)
    for name in names:
        value = getattr(arguments, name)
        assert [str(value[0] if isinstance(value, list) else value)] == [str(home / "a")], name


def test_elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_group("a=~/r,s").runs == (home / "r", Path("s"))
    monkeypatch.setenv("AZR_SHARED_DATA", "~/data")
    assert data_folder(None) == home / "data"
    monkeypatch.setenv("AZR_CACHE_DIR", "~/cache")
    assert cache_folder() == home / "cache" / "sandbox"
    monkeypatch.delenv("AZR_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "~/xdg")
    assert cache_folder() == home / "xdg" / "azr" / "sandbox"


def test_no_folder_is_called_so(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZR_CACHE_DIR", raising=False)
    assert sandbox_main(["keys", "~/keys"]) == 0
    assert (home / "keys" / "server.key").is_file()
    assert main(["report", "~/none"]) == 1
    assert str(home / "none") in capsys.readouterr().err
    assert not list(Path.cwd().iterdir())


def test_a_home_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no such home"):
        place("~nobody-of-that-name/x")
    with pytest.raises(SystemExit) as ended:
        main(["export", "~nobody-of-that-name/x", "y"])
    assert ended.value.code == 2
    assert "there is no such home folder" in capsys.readouterr().err
