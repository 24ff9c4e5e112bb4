"""Wheels as packages of the guest: what is read, and what is refused with a line. No network."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox_wasm.errors import ImageError
from sandbox_wasm.image import wheels
from sandbox_wasm.image.packages import PACKAGES, flavor_of

PURE = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def wheel_of(files: dict[str, bytes], described: bytes = PURE) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in {"demo-1.0.dist-info/WHEEL": described, **files}.items():
            archive.writestr(name, data)
    return out.getvalue()


GOOD = wheel_of({"demo/__init__.py": b"x = 1\n", "demo/data.txt": b"y", "alone.py": b"z = 2\n"})
DIGEST = hashlib.sha256(GOOD).hexdigest()


def test_a_wheel_is_read_as_data() -> None:
    wheel = wheels.opened(GOOD, "demo-1.0-py3-none-any.whl")
    assert wheel.modules == ("alone", "demo")
    assert dict(wheel.members)["demo/data.txt"] == b"y"
    assert wheel.label == f"demo_1.0-{DIGEST[:16]}"
    flavor = flavor_of(["sympy"], [wheel])
    assert flavor.packages == {"alone", "demo", "mpmath", "sympy"}
    assert flavor.has_member("mpmath/__init__.pyc")
    assert not flavor.has_member("numpy/__init__.pyc")
    assert flavor.preimported[-2:] == ("alone", "demo")


BAD: dict[str, tuple[bytes, str]] = {
    "no archive": (b"MZ", "is no wheel"),
    "cut off": (GOOD[:-30], "is no wheel"),
    "no description": (wheel_of({}).replace(b"WHEEL", b"WHEAL"), "no WHEEL file"),
    "compiled": (wheel_of({"demo/_c.cpython-315-wasm32-wasi.so": b""}), r"it has demo/_c\.cp"),
    "compiled, and versioned": (wheel_of({"demo/lib.so.1": b""}), "not of pure Python"),
    "for one platform": (wheel_of({"demo.py": b""}, PURE.replace(b"true", b"false")), "of pure"),
    "a path upwards": (wheel_of({"../demo.py": b""}), "no place"),
    "an absolute path": (wheel_of({"/demo.py": b""}), "no place"),
    "scripts": (wheel_of({"demo-1.0.data/scripts/x": b""}), "no place"),
    "the library's": (wheel_of({"json/__init__.py": b""}), "the standard library's json"),
    "no module": (wheel_of({"notes.txt": b""}), "has no module"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_wheel_of_pure_python_is_refused(name: str) -> None:
    data, why = BAD[name]
    with pytest.raises(ImageError, match=why) as caught:
        wheels.opened(data, "/some/where/demo-1.0-py3-none-any.whl#sha256=0")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("demo-1.0-py3-none-any.whl")


def test_a_wheel_that_is_too_large_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(GOOD)
    monkeypatch.setattr(wheels, "MAX_WHEEL_BYTES", 40)
    with pytest.raises(ImageError, match="too large"):
        wheels.opened(GOOD, "demo.whl")
    with pytest.raises(ImageError, match="has more than 40 bytes"):
        wheels.fetch(str(path))


def test_a_file_is_what_its_hash_says_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(GOOD)
    assert wheels.fetch(str(path)) == wheels.fetch(f"{path}#sha256={DIGEST}") == GOOD
    with pytest.raises(ImageError, match=f"not what was asked for: its sha256 is {DIGEST}"):
        wheels.fetch(f"{path}#sha256={'0' * 64}")
    with pytest.raises(ImageError, match="cannot read"):
        wheels.fetch(str(tmp_path / "none.whl"))


@pytest.mark.parametrize(
    "spec",
    ["demo==1.0", "demo==1.0#sha256=12", "demo==#sha256=" + "0" * 64, "==1#sha256=" + "0" * 64,
     "demo == 1.0", "-r==1#sha256=" + "0" * 64, "demo==1.0#sha256=" + "0" * 63 + "G",
     "demo==1.0\n#sha256=" + "0" * 64, "a.whlx"],
)  # fmt: skip
def test_a_name_needs_a_version_and_a_hash(spec: str) -> None:
    assert wheels.is_wheel(spec)
    with pytest.raises(ValueError, match=r"a wheel is NAME==VERSION#sha256=HASH"):
        wheels.named_hash(spec)


@pytest.mark.parametrize(
    ("stderr", "why"),
    [
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM\n  Got 12", "its hash is another"),
        ("WARNING: x\nERROR: No matching distribution found for demo==1.0\n", "No matching"),
        ("", "it gave no reason"),
    ],
)
def test_what_pip_does_not_fetch_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, stderr: str, why: str
) -> None:
    program = f"import sys; sys.stderr.write({stderr!r}); sys.exit(1)"
    monkeypatch.setattr(wheels, "COMMAND", (*wheels.PYTHON, "-c", program))
    with pytest.raises(ImageError, match=rf"^pip did not fetch demo==1.0: .*{why}[^\n]*$"):
        wheels.fetch(f"demo==1.0#sha256={DIGEST}")


def as_pip(folder: Path) -> Callable[..., object]:
    """Stands in for pip: puts a file where pip would."""
    return lambda requirement, digest: (folder / f"{requirement}-{digest[:4]}").read_bytes()


def test_what_is_fetched_is_checked_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / f"demo==1.0-{DIGEST[:4]}").write_bytes(GOOD + b" ")
    monkeypatch.setattr(wheels, "download", as_pip(tmp_path))
    with pytest.raises(ImageError, match=r"demo==1\.0 is not what was asked for"):
        wheels.fetch(f"demo==1.0#sha256={DIGEST}")


def test_packages_bring_what_they_need_and_an_unknown_one_is_named() -> None:
    assert flavor_of(["sympy"], []).packages == {"mpmath", "sympy"}
    assert flavor_of(["sympy", "numpy"], []).name == "mpmath+numpy+sympy"
    assert flavor_of([], []).name == "base"
    with pytest.raises(ValueError, match=r"no package 'torch': the guest has more_itertools, mpm"):
        flavor_of(["torch"], [])
    wheel = wheels.opened(wheel_of({"numpy/__init__.py": b""}), "n.whl")
    with pytest.raises(ValueError, match="two of the packages bring the module 'numpy'"):
        flavor_of([], [wheel])
    assert all(set(package.needs) <= PACKAGES.keys() for package in PACKAGES.values())
