"""Reading tests out of a pickle without unpickling: what comes out, and what is refused."""

import base64
import pickle  # noqa: TID251 - to pack; nothing here is unpickled
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_wasm.grading.forms.packed import PackedTestsError
from sandbox_wasm.grading.forms.pickled import MAX_DEPTH, read_pickled

MAX_BYTES = 2**20
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


def packed(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content)).decode()


@given(plain, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_values_come_out_as_they_went_in(value, protocol):
    assert read_pickled(packed(pickle.dumps(value, protocol)), MAX_BYTES) == value


def test_tuples_come_out_as_lists_and_long_lists_whole():
    tests = [(str(n), str(n + 1)) for n in range(3000)]
    assert read_pickled(packed(pickle.dumps(tests)), MAX_BYTES) == [list(test) for test in tests]


class Planted:
    def __reduce__(self):
        return print, ("called",)


shared: list = ["x"]
deep: list = []
for _ in range(MAX_DEPTH + 2):
    deep = [deep]


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Planted()),
        pickle.dumps(print),
        pickle.dumps({1, 2}),
        pickle.dumps(b"bytes"),
        pickle.dumps([shared, shared]),
        pickle.dumps(deep),
        b"]" * 40_000 + b"a" * 39_999 + b".",
        pickle.dumps("x") + b"more",
        pickle.dumps("x")[:-1],
        b"",
        b".",
        b"a.",
        b"(.",
        b"](K\x01s.",
        b"}(K\x01u.",
        b"}(]K\x01u.",
        b"K\x01K\x02.",
        b"h\x00.",
        b"cos\nsystem\n(S'ls'\ntR.",
        b"I" + b"9" * 10_000 + b"\n.",
        b"(" * 90_000 + b".",
        b"]" * 200_000,
    ],
    ids=range(22),
)
def test_anything_else_is_refused(content, capsys):
    with pytest.raises(PackedTestsError):
        read_pickled(packed(content), MAX_BYTES)
    assert capsys.readouterr().out == ""


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content):
    try:
        read_pickled(packed(content), MAX_BYTES)
    except PackedTestsError:
        return


def test_what_is_too_long_cut_off_or_no_packing_is_refused():
    for text in (
        packed(b"\0" * 10 * MAX_BYTES), packed(pickle.dumps(list(range(100))))[:-8], "not base64!",
        base64.b64encode(b"no zlib").decode(), "", "é",
    ):  # fmt: skip
        with pytest.raises(PackedTestsError):
            read_pickled(text, MAX_BYTES)
