"""What a Job may be made of: every field's type and size, told by name when it is made."""

import math
from dataclasses import replace
from enum import StrEnum
from typing import Any

import pytest

from sandbox_wasm.errors import BadJob
from sandbox_wasm.jobs.fields import MAX_CALLS, MAX_NAMES, MAX_TEXT_BYTES
from sandbox_wasm.types import DEFAULT_BANNED_MODULES, FUEL_A_SECOND, Job, Limits
from sandbox_wasm.wire import codec


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Word(StrEnum):
    MATH = "math"


NOT_TEXT = [None, 5, 1.5, b"x", bytearray(b"x"), ["x"], Text("x"), Word.MATH]
NOT_TEXTS = ["1", b"1", None, 5, {"1": 2}, {"1"}, iter(["1"]), range(2), [1], [None], [b"1"],
             [Text("1")], [["1"]], ("1",) * (MAX_CALLS + 1), ["x" * (MAX_TEXT_BYTES + 1)],
             ["\U0001f40d" * (MAX_TEXT_BYTES // 4 + 1)]]  # fmt: skip
NOT_NAMES = ["math", b"math", None, 5, {"math": 1}, iter(["math"]), [1], [None], [["math"]],
             [b"math"], [Text("math")], [""], ["a b"], ["a\nb"], ["a\0b"], ["a\n"], ["os."],
             [".os"], ["os..path"], ["1a"], ["os path"], ["a,b"], ["x" * 257],
             [f"m{i}" for i in range(MAX_NAMES + 1)], {Word.MATH}]  # fmt: skip
WRONG: list[tuple[str, Any]] = [
    *(("id", value) for value in (*NOT_TEXT, "x" * 257)),
    *(("source", value) for value in NOT_TEXT),
    *(("entry", value) for value in (*NOT_TEXT, "x" * 257)),
    *(("stdin", value) for value in (*NOT_TEXT[1:], "x" * (MAX_TEXT_BYTES + 1))),
    *(("tests", value) for value in (*NOT_TEXT[1:], "x" * (MAX_TEXT_BYTES + 1))),
    *(("calls", value) for value in NOT_TEXTS),
    *(("expressions", value) for value in NOT_TEXTS),
    *(("banned_modules", value) for value in NOT_NAMES),
    *(("packages", value) for value in NOT_NAMES),
    *(("images", value) for value in (0, 17, -1, 1.5, 1.0, True, None, "1", Number(1), 10**400)),
    *(
        (name, value)
        for name in ("want_stdout", "want_stderr")
        for value in (0, 1, None, "yes", [])
    ),
    *(("limits", value) for value in (None, 5, (1, 2, 3), {"fuel": 5}, Limits)),
]


@pytest.mark.parametrize(
    ("field", "value"),
    WRONG,
    ids=lambda value: value[:15] if isinstance(value, str) else type(value).__name__,
)
def test_a_field_of_the_wrong_type_or_size_is_named_when_the_job_is_made(
    field: str, value: Any
) -> None:
    with pytest.raises(BadJob) as caught:
        Job(**({"id": "a", "source": "pass"} | {field: value}))
    assert f": {field} must be " in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("field", ["fuel", "memory_bytes", "output_bytes"])
@pytest.mark.parametrize(
    "value",
    [None, "1", 1e8, True, Number(10**8), 0, -1, 2**70, 10**5000],
    ids=lambda value: type(value).__name__,
)
def test_a_limit_of_the_wrong_type_or_size_is_named_when_it_is_made(field: str, value: Any) -> None:
    with pytest.raises(BadJob, match=rf"limits\.{field} must be an integer in \["):
        Limits(**{field: value})


def test_seconds_are_so_much_fuel() -> None:
    assert Limits(seconds=6) == Limits() == Limits(fuel=48_000_000_000)
    assert Limits(seconds=0.5, output_bytes=7) == Limits(fuel=4_000_000_000, output_bytes=7)
    assert replace(Limits(seconds=2), output_bytes=7).fuel == 2 * FUEL_A_SECOND
    with pytest.raises(BadJob, match="not both"):
        Limits(seconds=1, fuel=5)


@pytest.mark.parametrize(
    "value", ["1", True, Number(1), 0, -1, 0.0, 1e-11, 125_001, 10**400, math.inf, math.nan],
)  # fmt: skip
def test_seconds_that_are_none_are_refused(value: Any) -> None:
    with pytest.raises(BadJob, match=r"seconds must be a number in \(0, 125000\], got"):
        Limits(seconds=value)


def test_what_is_allowed_is_taken_and_frozen() -> None:
    job = Job("", "\ud800\0", calls=["1", "\u2028"], banned_modules=["os.path", "é", "_x"])
    assert job.calls == ("1", "\u2028")
    assert job.banned_modules == frozenset(("os.path", "é", "_x"))
    for names in (["math"], ("math",), {"math"}, frozenset(["math"]), {"math": 1}.keys()):
        assert Job("a", "pass", banned_modules=names).banned_modules == {"math"}  # pyright: ignore[reportArgumentType]
        assert Job("a", "pass", packages=names).packages == {"math"}  # pyright: ignore[reportArgumentType]
    assert Job("a", "pass", banned_modules=DEFAULT_BANNED_MODULES).images == 1


def test_every_job_that_can_be_made_can_be_sent_and_read_back() -> None:
    import msgpack  # noqa: PLC0415

    job = Job("\ud800", "\0\udfff", calls=("\ud800",), banned_modules={"os.path"}, images=8)
    data = msgpack.unpackb(
        codec.pack_job(7, job, 10**6), use_list=False, unicode_errors="surrogatepass"
    )
    assert codec.job_of_fields(data, "$") == job


def test_names_that_were_right_once_do_not_make_others_right() -> None:
    Job("a", "pass", banned_modules={"one", "two"})
    with pytest.raises(BadJob, match="banned_modules"):
        Job("a", "pass", banned_modules={"one", "two\n"})
