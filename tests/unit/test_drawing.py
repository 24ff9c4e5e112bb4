"""drawing: each strategy has the distribution it says, and holds in young and full buffers."""

from collections import Counter
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azr.game.tasks.drawing import (
    REFERENCE_SAMPLING,
    SOLVER_TASKS,
    Shelf,
    draw_one,
    ease,
    is_stored,
    sample_weighted,
)
from azr.types import Mode
from tests.fakes import make_task

DRAWS = 4000


def shelf_of(births: list[int], rates: list[float | None] | None = None, cap: int = 16_384):
    shelf = Shelf(cap)
    for number, born_step in enumerate(births):
        rate = rates[number] if rates else None
        shelf.append(number + 1, make_task(Mode.DEDUCTION, number, born_step=born_step), rate)
    return shelf


def running_sums(weights: list[int]) -> list[int]:
    return [sum(weights[:n]) for n in range(len(weights) + 1)]


def chi_square(counts: Counter[int], expected: dict[int, float]) -> float:
    assert set(counts) <= {key for key, value in expected.items() if value > 0}
    return sum((counts[key] - e) ** 2 / e for key, e in expected.items() if e > 0)


def bound(freedom: int) -> float:
    """About the 99.9 % quantile of chi-square (Wilson and Hilferty); seeds are fixed."""
    return freedom * (1 - 2 / (9 * freedom) + 3.1 * (2 / (9 * freedom)) ** 0.5) ** 3


# ---------------------------------------------------------------- weights


def test_recency_draws_by_born_step_plus_one():
    """Feature 29, AZR's gen_data_probabilities_strategy = step."""
    births = [0, 0, 1, 2, 2, 5, 9, 9]
    shelf = shelf_of(births)
    counts = Counter(shelf.references("recency", 1, Random(s), None)[0] for s in range(DRAWS))
    total = sum(b + 1 for b in births)
    expected = {place: DRAWS * (b + 1) / total for place, b in enumerate(births)}
    assert chi_square(counts, expected) < bound(len(births) - 1)


def test_uniform_draws_all_alike():
    counts = Counter(
        shelf_of([0, 3, 9, 9]).references("uniform", 1, Random(s), None)[0] for s in range(DRAWS)
    )
    assert chi_square(counts, dict.fromkeys(range(4), DRAWS / 4)) < bound(3)


def test_easy_draws_short_and_often_solved_programs_first():
    shelf = shelf_of([0, 0, 0], [0.0, None, 1.0])
    counts = Counter(shelf.references("easy", 1, Random(s), None)[0] for s in range(DRAWS))
    weights = {0: 50, 1: 250, 2: 450}  # two lines each: (0.1 + 0.8 p) / 2, p 1/2 if unknown
    assert [shelf.easiness[n + 1] - shelf.easiness[n] for n in range(3)] == list(weights.values())
    expected = {place: DRAWS * weight / 750 for place, weight in weights.items()}
    assert chi_square(counts, expected) < bound(2)
    assert ease("def f(x):\n    return x", 0.5) > ease("def f(x):\n\n    x += 1\n    return x", 0.5)
    assert ease("", None) > 0
    assert ease("x\n" * 10_000, 0.0) == 1


@pytest.mark.parametrize("k", [2, 3])
def test_weighted_draws_are_one_after_the_other_without_replacement(k: int):
    """Both ways to draw, by rejection (2 of 5) and by clocks (3 of 5), have the exact odds."""
    weights = [1, 2, 3, 7, 11]
    chance = dict.fromkeys(range(5), 0.0)
    for order in permutations(range(5), k):
        odds, left = 1.0, sum(weights)
        for place in order:
            odds *= weights[place] / left
            left -= weights[place]
        for place in order:
            chance[place] += odds
    counts: Counter[int] = Counter()
    for seed in range(DRAWS):
        drawn = sample_weighted(running_sums(weights), range(5), k, Random(seed))
        assert len(set(drawn)) == k
        counts.update(drawn)
    deviations = [
        abs(counts[place] - DRAWS * p) / (DRAWS * p * (1 - p)) ** 0.5 for place, p in chance.items()
    ]
    assert max(deviations) < 4


def test_one_task_that_outweighs_all_others_ends_no_draw():
    """Rejection alone would try for ever."""
    drawn = sample_weighted(running_sums([1] * 50 + [10**15]), range(51), 6, Random(0))
    assert len(set(drawn)) == 6
    assert 50 in drawn


class CountingRandom(Random):
    work = 0

    def randrange(self, *bounds):  # type: ignore[override]
        self.work += 1
        return super().randrange(*bounds)

    def expovariate(self, *lambd):  # type: ignore[override]
        self.work += 1
        return super().expovariate(*lambd)


@pytest.mark.parametrize("sampling", ["recency", "easy"])
def test_a_draw_from_full_buffers_does_not_go_through_them(sampling: str):
    shelf = shelf_of([n // 64 for n in range(16_384)])
    rng = CountingRandom(3)
    assert len(set(shelf.references(sampling, 7, rng, None))) == 7
    assert rng.work <= 28


def test_one_place_of_two_shelves_has_its_share_of_both():
    shelves = [shelf_of([0, 1]), shelf_of([3])]
    for sampling, weights in (("uniform", (1, 1, 1)), ("recency", (1, 2, 4))):
        counts = Counter(draw_one(shelves, sampling, Random(seed), None) for seed in range(DRAWS))
        expected = dict(zip(((0, 0), (0, 1), (1, 0)), weights, strict=True))
        total = sum(weights)
        odds = {place: DRAWS * weight / total for place, weight in expected.items()}
        assert chi_square(counts, odds) < bound(2)  # type: ignore[arg-type]
    assert draw_one([Shelf(4), Shelf(4)], "recency", Random(0), None) is None


# ---------------------------------------------------------------- batches


def test_max_new_takes_all_new_tasks_and_fills_up_with_others():
    """Feature 30."""
    shelf = shelf_of([0] * 10 + [1] * 2 + [2] * 3)
    for seed in range(50):
        drawn = shelf.batch("max_new", 6, Random(seed), since=2, before=None)
        assert len(set(drawn)) == 6
        assert {12, 13, 14} <= set(drawn)
    few = Counter(
        p for s in range(500) for p in shelf.batch("max_new", 2, Random(s), since=2, before=None)
    )
    assert chi_square(few, {12: 333.3, 13: 333.3, 14: 333.3}) < bound(2)


def test_half_new_takes_half_of_the_batch_from_the_new_ones():
    """Feature 30. The other half is drawn from all, new ones included, as in AZR's code."""
    shelf = shelf_of([0] * 20 + [1] * 20)
    new = [
        sum(place >= 20 for place in shelf.batch("half_new", 8, Random(s), since=1, before=None))
        for s in range(1000)
    ]
    assert min(new) == 4
    # of the other 4 a share of 16/36 is new: those drawn already are not drawn again
    assert sum(new) / 1000 == pytest.approx(4 + 4 * 16 / 36, abs=0.1)


def test_uniform_and_step_batches_have_their_odds():
    """Feature 30. Seeds count as step 1: by AZR's weights a buffer of seeds alone is an error."""
    births = [0, 0, 1, 4]
    shelf = shelf_of(births)
    for strategy, weights in (("uniform", [1, 1, 1, 1]), ("step", [1, 1, 2, 5])):
        counts = Counter(
            shelf.batch(strategy, 1, Random(s), since=0, before=None)[0] for s in range(DRAWS)
        )
        expected = {n: DRAWS * weight / sum(weights) for n, weight in enumerate(weights)}
        assert chi_square(counts, expected) < bound(3)


def test_learnable_tasks_come_first():
    shelf = shelf_of([0] * 6, [0.0, 0.25, 1.0, None, 0.75, 0.5])
    for seed in range(30):
        assert set(shelf.batch("learnable", 3, Random(seed), since=0, before=None)) == {1, 4, 5}
        some = shelf.batch("learnable", 4, Random(seed), since=0, before=None)
        assert {1, 4, 5} < set(some)
        assert len(set(some)) == 4


@pytest.mark.parametrize("strategy", SOLVER_TASKS)
def test_a_full_buffer_gives_the_newest_alone(strategy: str):
    """A7, feature 32: the reference keeps the oldest; ours the newest, in every strategy."""
    shelf = shelf_of(list(range(30)), [n % 5 / 4 for n in range(30)], cap=10)
    seen = {
        place
        for seed in range(200)
        for place in shelf.batch(strategy, 4, Random(seed), since=25, before=None)
    }
    assert seen <= set(range(20, 30))
    assert {29, 28} <= seen or strategy == "learnable"


@pytest.mark.parametrize("sampling", REFERENCE_SAMPLING)
def test_references_from_a_full_buffer_are_the_newest_alone(sampling: str):
    shelf = shelf_of(list(range(30)), cap=10)
    seen = {p for s in range(300) for p in shelf.references(sampling, 3, Random(s), None)}
    assert seen == set(range(20, 30))


@given(
    births=st.lists(st.integers(0, 6), min_size=1, max_size=30).map(sorted),
    rates=st.lists(st.sampled_from([None, 0.0, 0.5, 1.0]), min_size=30, max_size=30),
    cap=st.integers(1, 40),
    k=st.integers(1, 40),
    since=st.integers(-3, 8),
    before=st.none() | st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_any_batch_is_full_and_repeats_only_what_it_must(
    births: list[int], rates, cap: int, k: int, since: int, before: int | None, seed: int
):
    """A14: `max_new` of the reference raises where its buffer is smaller than the remainder."""
    births = [0, *births]
    shelf = shelf_of(births, [None, *rates], cap)
    past = shelf_of([b for b in births if before is None or b < before], [None, *rates], cap)
    places = shelf.drawable(before)
    for strategy in SOLVER_TASKS:
        drawn = shelf.batch(strategy, k, Random(seed), since=since, before=before)
        assert len(drawn) == k
        assert set(drawn) <= set(places)
        counts = Counter(drawn)
        assert max(counts.values()) == -(-k // len(places))
        assert len(counts) == min(k, len(places))
        # what came later changes nothing: a resumed run draws the same
        assert drawn == past.batch(strategy, k, Random(seed), since=since, before=None)
    for sampling in REFERENCE_SAMPLING:
        drawn = shelf.references(sampling, k, Random(seed), before)
        assert len(set(drawn)) == len(drawn) == min(k, len(places))
        assert set(drawn) <= set(places)
        assert drawn == past.references(sampling, k, Random(seed), None)


@pytest.mark.parametrize(
    ("store", "kept"),
    [
        ("all", [0.0, 0.5, 1.0, None]),
        ("non_one", [0.0, 0.5, None]),
        ("non_extremes", [0.5, None]),
    ],
)
def test_the_filter_of_valid_programs_goes_by_the_solve_rate(store: str, kept):
    """Feature 28, AZR's valid_program_filter."""
    assert [rate for rate in (0.0, 0.5, 1.0, None) if is_stored(store, rate)] == kept
