"""The cache of built files: private, whole, built once."""

import contextlib
import fcntl
import multiprocessing
import os
import re
import resource
import signal
import stat
import sys
import threading
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from sandbox_wasm.errors import ImageError
from sandbox_wasm.image.cache import BuiltFiles, cache_folder, sha256_of
from sandbox_wasm.image.manifest import locate_wasmtime


def test_a_file_is_built_once(tmp_path: Path) -> None:
    files = BuiltFiles(tmp_path)
    builds: list[int] = []

    def build() -> bytes:
        builds.append(1)
        return b"contents"

    for _ in range(3):
        assert files.ensure("x.img", build).read_bytes() == b"contents"
    assert len(builds) == 1


@pytest.mark.parametrize("damage", ["flip", "truncate", "no hash", "torn hash"])
def test_a_damaged_file_is_built_again(tmp_path: Path, damage: str) -> None:
    files = BuiltFiles(tmp_path)
    files.ensure("x.img", lambda: b"contents")
    path = tmp_path / "x.img"
    sums = tmp_path / "x.img.sha256"
    if damage == "flip":
        path.write_bytes(b"Contents")
    elif damage == "truncate":
        path.write_bytes(b"cont")
    elif damage == "no hash":
        sums.unlink()
    else:
        sums.write_bytes(b"\xff\xfe")
    assert files.open("x.img") is None
    assert files.ensure("x.img", lambda: b"again").read_bytes() == b"again"


def make_folder(path: Path) -> None:
    path.mkdir()


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_link(path: Path) -> None:
    path.symlink_to("elsewhere")


def replaced(path: Path, kind: str) -> None:
    """Put something else in a file's place, with the same contents where it has any."""
    outside = path.parent.parent / "outside"
    path.rename(outside)
    if kind == "link":
        path.symlink_to(outside)
    elif kind == "hard link":
        os.link(outside, path)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.write_bytes(outside.read_bytes())
        path.chmod(0o666) if kind == "writable" else os.chown(path, 65534, 65534)


@pytest.mark.parametrize(
    "kind",
    ["link", "hard link", "fifo", "writable"] + ["another owner"] * (os.geteuid() == 0),
)
@pytest.mark.parametrize("which", ["x.img", "x.img.sha256"])
def test_what_another_user_may_have_put_there_is_built_again(
    tmp_path: Path, which: str, kind: str
) -> None:
    folder = tmp_path / "sandbox"
    files = BuiltFiles(folder)
    files.ensure("x.img", lambda: b"contents")
    replaced(folder / which, kind)
    assert files.read("x.img") is None
    assert files.open("x.img") is None
    assert files.ensure("x.img", lambda: b"again").read_bytes() == b"again"
    assert (folder / which).is_file()
    assert not (folder / which).is_symlink()


def test_the_bytes_that_were_checked_are_those_that_are_read(tmp_path: Path) -> None:
    file = BuiltFiles(tmp_path).ensure("x.img", lambda: b"contents")
    (tmp_path / "new").write_bytes(b"other")
    (tmp_path / "new").replace(tmp_path / "x.img")
    assert file.read_bytes() == file.path.read_bytes() == b"contents"


@pytest.mark.parametrize(
    ("name", "make"),
    [
        (".lock", make_folder),
        (".lock", make_fifo),
        (".lock", make_link),
        ("x.img", make_folder),
        ("x.img.sha256", make_folder),
    ],
)
def test_what_cannot_be_a_file_is_named_in_one_line(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    files = BuiltFiles(tmp_path)
    make(tmp_path / name)
    with pytest.raises(ImageError, match=re.escape(str(tmp_path / name))) as raised:
        files.ensure("x.img", lambda: b"contents")
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.glob(".partial-*"))


def write_with_limit(folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        BuiltFiles(folder).ensure("x.img", lambda: bytes(1_000_000))
    except ImageError as error:
        sys.exit(0 if "x.img: File too large" in str(error) else 3)
    sys.exit(4)


def test_a_file_that_cannot_be_written_whole_leaves_nothing(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=write_with_limit, args=(tmp_path,)
    )
    process.start()
    process.join()
    assert process.exitcode == 0
    assert {path.name for path in tmp_path.iterdir()} <= {".lock", "x.img.sha256"}


def test_what_dead_processes_left_is_removed_and_a_living_one_keeps_its_own(
    tmp_path: Path,
) -> None:
    files = BuiltFiles(tmp_path)
    partial = tmp_path / ".partial-x.img"
    partial.write_bytes(b"half")
    with (tmp_path / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        files.remove_partial()
        assert partial.exists()
    files.remove_partial()
    assert not partial.exists()
    partial.write_bytes(b"half")
    assert files.ensure("x.img", lambda: b"whole").read_bytes() == b"whole"


def test_a_read_only_cache_that_has_all_files_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "sandbox"
    BuiltFiles(folder).ensure("x.img", lambda: b"contents")
    (folder / ".lock").unlink()
    (folder / ".lock").mkdir()  # the lock cannot be taken
    assert BuiltFiles(folder).ensure_read("x.img", lambda: b"again") == b"contents"
    assert BuiltFiles(folder).ensure("x.img", lambda: b"again").read_bytes() == b"contents"


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o722])
def test_a_folder_above_that_others_can_change_is_refused(tmp_path: Path, mode: int) -> None:
    parent = tmp_path / "shared"
    parent.mkdir()
    parent.chmod(mode)
    with pytest.raises(ImageError, match=f"must not lie in {re.escape(str(parent))},"):
        BuiltFiles(parent / "azr" / "sandbox")
    parent.chmod(mode | stat.S_ISVTX)  # as /tmp is: only owners can replace what is theirs
    BuiltFiles(parent / "azr" / "sandbox")


def test_folders_are_made_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        BuiltFiles(tmp_path / "a" / "b" / "sandbox")
    finally:
        os.umask(before)
    for folder in (tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "sandbox"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_is_swapped_while_it_is_opened_never_gives_its_files(
    tmp_path: Path,
) -> None:
    good, evil, place = tmp_path / "good", tmp_path / "evil", tmp_path / "place"
    BuiltFiles(good).ensure("x.img", lambda: b"good")
    BuiltFiles(evil).ensure("x.img", lambda: b"evil")
    evil.chmod(0o777)
    place.symlink_to(good)
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            for target in (good, evil):
                (tmp_path / "next").symlink_to(target)
                (tmp_path / "next").replace(place)

    attacker = threading.Thread(target=swap)
    attacker.start()
    found: list[bytes | None] = []
    try:
        for _ in range(300):
            with contextlib.suppress(ImageError):
                found.append(BuiltFiles(place).read("x.img"))
    finally:
        over.set()
        attacker.join()
    assert set(found) <= {b"good"}
    assert found


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


def test_the_version_in_the_key_is_the_one_that_is_installed() -> None:
    library, found = locate_wasmtime()
    assert library.is_file()
    assert found == version("wasmtime")
