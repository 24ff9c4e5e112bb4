"""intrinsic: the terms of METHOD section 6 and their four combinations, as arithmetic."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azr.config.run import IntrinsicConfig, NoveltyConfig
from azr.errors import ConfigError
from azr.game.rewards.intrinsic import (
    Frequencies,
    halstead_value,
    kind_of,
    program_merits,
    with_intrinsic,
)
from azr.types import Merits, Profile

MERITS = Merits(complexity=0.2, mean_edit_distance=0.5, halstead=0.1, answer_diversity=0.9)
PROFILE = Profile(
    nodes=9, lines=2, cognitive=6, cyclomatic=5, volume=100.0, effort=1000.0, uses_input=True,
    structure="s", sequence="abcd",
)  # fmt: skip


TERMS = tuple(entry.name for entry in fields(Merits))


def test_every_term_has_a_coefficient():
    assert set(TERMS) < set(IntrinsicConfig.model_fields)


@pytest.mark.parametrize("combine", ["sum", "multiply", "sum_multiply", "multiply_sum"])
def test_with_all_terms_off_the_reward_is_what_it_was(combine: str):
    """The default: no product or sum of nothing comes in."""
    assert with_intrinsic(0.75, MERITS, IntrinsicConfig(combine=combine)) == 0.75


@pytest.mark.parametrize(
    ("combine", "expected"),
    [
        ("sum", 0.5 + 0.2 + 0.4),
        ("multiply", 0.5 * 0.2 * 0.4),
        ("sum_multiply", 0.5 + 0.2 * 0.4),
        ("multiply_sum", 0.5 * (0.2 + 0.4)),
    ],
)
def test_terms_are_combined_as_the_paper_says(combine: str, expected: float):
    """Feature 51."""
    config = IntrinsicConfig(complexity=1, mean_edit_distance=1, max=0.4, combine=combine)
    assert with_intrinsic(0.5, MERITS, config) == pytest.approx(expected)


@pytest.mark.parametrize(("coef", "most", "expected"), [(0.5, 1, 0.45), (1, 0.5, 0.5), (2, 9, 1.8)])
def test_a_term_pays_its_value_times_its_coefficient_up_to_its_most(
    coef: float, most: float, expected: float
):
    config = IntrinsicConfig(answer_diversity=coef, max=most)
    assert with_intrinsic(0.25, MERITS, config) == pytest.approx(0.25 + expected)


@pytest.mark.parametrize("reward", [0.0, -0.5, -1.0])
@pytest.mark.parametrize("combine", ["sum", "multiply", "sum_multiply", "multiply_sum"])
def test_only_rewards_above_0_get_terms(reward: float, combine: str):
    config = IntrinsicConfig(**dict.fromkeys(TERMS, 1.0), combine=combine, clip=0.1)
    assert with_intrinsic(reward, MERITS, config) == reward


def test_a_term_without_a_value_is_not_in_the_product():
    config = IntrinsicConfig(complexity=1, input_diversity=1, combine="multiply")
    assert with_intrinsic(0.5, MERITS, config) == pytest.approx(0.5 * 0.2)


@pytest.mark.parametrize(("clip", "expected"), [(None, 1.0), (0.8, 0.8), (2.0, 1.0)])
def test_the_whole_is_clipped(clip: float | None, expected: float):
    config = IntrinsicConfig(mean_edit_distance=1, clip=clip)
    assert with_intrinsic(0.5, MERITS, config) == expected


@given(
    st.floats(-1, 1),
    st.builds(
        Merits, **{term: st.none() | st.floats(0, 3) for term in TERMS}
    ),
    st.lists(st.floats(0, 2), min_size=6, max_size=6),
)  # fmt: skip
def test_a_sum_never_pays_less_and_at_most_each_terms_most(
    reward: float, merits: Merits, coefs: list[float]
):
    config = IntrinsicConfig(**dict(zip(TERMS, coefs, strict=True)))
    paid = with_intrinsic(reward, merits, config)
    assert reward <= paid <= reward + 0.5 * len(TERMS) + 1e-9


def test_the_values_of_a_program():
    """Features 46, 47 and 48."""
    near, far = replace(PROFILE, sequence="abcx"), replace(PROFILE, sequence="wxyz")
    merits = program_merits(PROFILE, [near, far])
    assert merits.complexity == 6 / 15
    assert merits.mean_edit_distance == pytest.approx((0.25 + 1.0) / 2)
    assert merits.halstead == pytest.approx(0.5 * 0.1 + 0.3 * 0.5 + 0.2 * 0.2)
    assert program_merits(PROFILE, []).mean_edit_distance is None


def test_halstead_is_at_most_1():
    assert halstead_value(replace(PROFILE, effort=1e9, cyclomatic=99, volume=1e9)) == 1.0


# ---------------------------------------------------------------- how seldom an answer is


def seen(*texts: str) -> Frequencies:
    counted = Frequencies()
    for text in texts:
        counted.add(text)
    return counted


def test_what_was_never_seen_is_all_surprise():
    assert seen().surprise("1", "flat") == seen().surprise("1", "hierarchical") == 1.0
    assert seen("1", "2").surprise("3", "flat") == 1.0


def test_flat_surprise_is_1_less_the_share_of_the_answer():
    """Feature 49, the counts example: 3 of 4 answers were `1`."""
    counted = seen("1", "1", "1", "'a'")
    assert counted.surprise("1", "flat") == 0.25
    assert counted.surprise("'a'", "flat") == 0.75
    assert counted.surprise("True", "flat") == 1.0


def test_hierarchical_surprise_is_the_mean_of_type_and_value():
    """Feature 49: ints are 3 of 4, and `1` is 2 of the 3."""
    counted = seen("1", "1", "2", "'a'")
    assert counted.surprise("1", "hierarchical") == pytest.approx((1 / 4 + 1 / 3) / 2)
    assert counted.surprise("2", "hierarchical") == pytest.approx((1 / 4 + 2 / 3) / 2)
    assert counted.surprise("'b'", "hierarchical") == pytest.approx((3 / 4 + 1) / 2)
    assert counted.surprise("None", "hierarchical") == 1.0


def test_several_cases_count_as_their_mean():
    """Feature 50: the mean over the cases."""
    assert seen("1", "1", "2", "3").mean_surprise(["1", "4"], "flat") == 0.75


@given(st.lists(st.sampled_from(["1", "'a'", "[1]", "1, k=2", "", "x y"])), st.text(max_size=5))
def test_surprise_is_between_0_and_1(texts: list[str], text: str):
    counted = seen(*texts)
    for each in (*texts, text.replace("\ud800", "")):
        assert 0.0 <= counted.surprise(each, "flat") <= 1.0
        assert 0.0 <= counted.surprise(each, "hierarchical") <= 1.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", "int"),
        ("True", "bool"),
        ("{1}", "set"),
        ("{}", "dict"),
        ("'1, 2'", "str"),
        ("'a', k=[1]", "str, k=list"),
        ("1, 2.0", "tuple"),  # also the spelling of a tuple
        ("", ""),
        ("f(1)", ""),
    ],
)
def test_kinds_are_types_of_the_top_level(text: str, expected: str):
    assert kind_of(text) in {expected, "int, float"}


# ---------------------------------------------------------------- configuration


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: IntrinsicConfig(combine="mean"), "intrinsic.combine"),
        (lambda: IntrinsicConfig(surprise="deep"), "intrinsic.surprise"),
        (lambda: IntrinsicConfig(halstead=-1.0), "intrinsic.halstead"),
        (lambda: IntrinsicConfig(max=-1.0), "intrinsic.max"),
        (lambda: IntrinsicConfig(complexity=float("nan")), "intrinsic.complexity"),
        (lambda: IntrinsicConfig(clip=-1.0), "intrinsic.clip"),
        (lambda: NoveltyConfig(dedupe="fuzzy"), "novelty.dedupe"),
        (lambda: NoveltyConfig(min_distance=1.5), "novelty.min_distance"),
        (lambda: NoveltyConfig(window=0), "novelty.window"),
        (lambda: NoveltyConfig(max_copies=-1), "novelty.max_copies"),
        (lambda: NoveltyConfig(min_nodes=-1), "novelty.min_nodes"),
        (lambda: NoveltyConfig(repetition_penalty=-0.1), "novelty.repetition_penalty"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_key(make, key: str):
    with pytest.raises(ConfigError, match=key):
        make()
