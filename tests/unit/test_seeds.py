"""azr.seeds: a seed is a function of where the draw happens, and of nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from azr.seeds import derive_seed

parts = st.lists(st.one_of(st.integers(), st.text(max_size=5)), max_size=5)


def test_a_seed_is_the_same_on_every_machine():
    assert derive_seed(0, 1, "deduction", 2) == 9186257735725008363


@given(parts)
def test_a_seed_has_63_bits(some: list[int | str]):
    assert 0 <= derive_seed(*some) < 2**63


@given(parts, parts)
def test_different_places_have_different_seeds(one: list[int | str], other: list[int | str]):
    """Types and borders count: ("1", 2), (1, 2) and ("12",) are three places."""
    same = [(type(p), p) for p in one] == [(type(p), p) for p in other]
    assert (derive_seed(*one) == derive_seed(*other)) == same
