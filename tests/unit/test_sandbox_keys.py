"""Folders and files of keys belong to their owner alone."""

import argparse
import stat
from pathlib import Path

import pytest

from sandbox_wasm.wire.keys import add_keys_arguments, load_keys, main_keys


def make_keys(folder: Path) -> int:
    parser = argparse.ArgumentParser()
    add_keys_arguments(parser)
    return main_keys(parser.parse_args([str(folder)]))


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mode", [0o777, 0o755, 0o710, 0o702, 0o1777])
def test_a_folder_that_was_open_to_others_is_tightened_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: int
) -> None:
    folder = tmp_path / "keys"
    for made in (folder, folder / "allow"):
        made.mkdir()
        made.chmod(mode)
    assert make_keys(folder) == 0
    assert (mode_of(folder), mode_of(folder / "allow")) == (0o700, 0o700)
    told = capsys.readouterr().err
    for made in (folder, folder / "allow"):
        assert f"{made} was open to others (mode {mode:04o})" in told
    assert {mode_of(path) for path in folder.glob("*.key_secret")} == {0o600}


def test_a_new_folder_is_private_and_nothing_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make_keys(tmp_path / "keys") == 0
    assert "open to others" not in capsys.readouterr().err
    assert mode_of(tmp_path / "keys" / "allow") == 0o700


def test_a_link_is_not_taken_for_a_folder_of_keys(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    (tmp_path / "keys").symlink_to(tmp_path / "elsewhere")
    assert make_keys(tmp_path / "keys") == 2
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_secret_key_that_others_can_read_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert make_keys(tmp_path / "keys") == 0
    secret = tmp_path / "keys" / "server.key_secret"
    load_keys(secret)
    assert not caplog.records
    secret.chmod(0o644)
    load_keys(secret)
    (record,) = caplog.records
    assert f"file={secret} mode=0644" in record.getMessage()
    load_keys(tmp_path / "keys" / "server.key")  # public: for everyone to read
    assert len(caplog.records) == 1
