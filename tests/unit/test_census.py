"""azr.game.tasks.census: counts as tasks come; types are read off a spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azr.game.rewards.intrinsic import kind_of
from azr.game.tasks.buffers import TaskBuffers
from azr.game.tasks.census import Census
from azr.game.tasks.literal_types import literal_type, type_name
from azr.records.text_metrics import input_type
from azr.types import Case, Mode, Task
from sandbox_wasm.literals import canonical
from tests.fakes import make_task

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers()
    | st.text() | st.binary()
)  # fmt: skip
hashable = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3).map(tuple))
values = st.recursive(
    hashable | st.sets(hashable, max_size=3) | st.frozensets(hashable, max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hashable, inner, max_size=3),
)


@given(values)
def test_the_type_is_read_off_the_canonical_literal(value: object):
    assert literal_type(canonical(value)) == type_name(value)


@given(values)
def test_every_count_of_types_has_the_same_words(value: object):
    """buffer/<mode>/type/..., types/{input,output}/... and the kinds of rare answers."""
    text = canonical(value)
    task = Task(mode=Mode.DEDUCTION, program="def f(a): return a", cases=(Case(text, text),))
    census = Census()
    census.count(task)
    assert dict(census.types) == {literal_type(text): 1}
    assert {kind_of(text), input_type(text), literal_type(text)} == {type_name(value)}


@given(st.text())
def test_any_text_has_a_type(text: str):
    assert literal_type(text)


@pytest.mark.parametrize("text", ["", "f(1)", "Point(1, 2)", "<object>", "-", "namedtuple"])
def test_what_is_no_literal_is_other(text: str):
    assert literal_type(text) == "other"


def test_sizes_programs_and_types_are_counted_by_mode():
    """Feature 66."""
    buffers = TaskBuffers(":memory:")
    twins = [
        Task(mode=Mode.ABDUCTION, program="def f(a):\n    return a", cases=(Case(x, x),))
        for x in ("1", "'a'")
    ]
    buffers.add([*twins, twins[0], make_task(Mode.INDUCTION, 1)])
    stats = buffers.stats()
    assert stats["buffer/abduction/size"] == 2
    assert stats["buffer/abduction/distinct_programs"] == 1
    assert stats["buffer/abduction/type/int"] == 1
    assert stats["buffer/abduction/type/str"] == 1
    assert stats["buffer/induction/type/int"] == 4
    assert stats["buffer/deduction/size"] == 0
