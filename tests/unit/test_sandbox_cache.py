"""The cache of built files: private, whole, built once."""

import multiprocessing
import stat
from pathlib import Path

import pytest

from sandbox_wasm.cache import BuiltFiles, cache_folder, sha256_of
from sandbox_wasm.errors import ImageError


def test_a_file_is_built_once(tmp_path: Path) -> None:
    files, builds = BuiltFiles(tmp_path), []

    def build() -> bytes:
        builds.append(1)
        return b"contents"

    for _ in range(3):
        assert files.ensure("x.img", build).read_bytes() == b"contents"
    assert len(builds) == 1


@pytest.mark.parametrize("damage", ["flip", "truncate", "no hash", "torn hash"])
def test_a_damaged_file_is_built_again(tmp_path: Path, damage: str) -> None:
    files = BuiltFiles(tmp_path)
    path = files.ensure("x.img", lambda: b"contents")
    sums = tmp_path / "x.img.sha256"
    if damage == "flip":
        path.write_bytes(b"Contents")
    elif damage == "truncate":
        path.write_bytes(b"cont")
    elif damage == "no hash":
        sums.unlink()
    else:
        sums.write_bytes(b"\xff\xfe")
    assert not files.is_whole("x.img")
    assert files.ensure("x.img", lambda: b"again").read_bytes() == b"again"


def build_slowly(folder: Path, log: Path) -> None:
    def build() -> bytes:
        with log.open("a") as file:
            file.write("built\n")
        return b"x" * 1_000_000

    BuiltFiles(folder).ensure("x.img", build)


def test_two_processes_do_not_build_twice(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    log = tmp_path / "log"
    processes = [context.Process(target=build_slowly, args=(tmp_path, log)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert log.read_text() == "built\n"


def test_the_folder_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZR_CACHE_DIR", str(tmp_path / "cache"))
    folder = cache_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o777)
    with pytest.raises(ImageError, match="yours alone"):
        cache_folder()


def test_the_folder_follows_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZR_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "azr" / "sandbox"


def test_keys_of_different_parts_differ() -> None:
    assert sha256_of("ab", "c") != sha256_of("a", "bc")
