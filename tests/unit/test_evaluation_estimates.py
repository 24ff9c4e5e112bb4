"""pass@k and intervals, against exact combinatorics and simulation."""

import math
import random
from math import comb

import pytest

from azr.evaluation.estimates import estimate, pass_at_k
from azr.evaluation.suites.items import Attempt, CodeItem, Mark, MathsItem, Part, Status
from azr.evaluation.summary import parts_of, summarize
from sandbox_wasm.grading.checks import Tests


def test_pass_at_k_is_one_minus_the_chance_of_k_wrong_ones() -> None:
    for n in range(1, 15):
        for c in range(n + 1):
            for k in range(1, n + 1):
                exact = 1 - comb(n - c, k) / comb(n, k)
                assert pass_at_k(n, c, k) == pytest.approx(exact, abs=1e-12)


def test_pass_at_k_is_unbiased() -> None:
    """Averaged over the binomial distribution of c it is 1 - (1-p)^k exactly."""
    n, k, p = 10, 3, 0.3
    mean = sum(
        comb(n, c) * p**c * (1 - p) ** (n - c) * pass_at_k(n, c, k) for c in range(n + 1)
    )  # fmt: skip
    assert mean == pytest.approx(1 - (1 - p) ** k, abs=1e-12)


def test_pass_at_k_is_stable_where_factorials_are_not() -> None:
    assert pass_at_k(10_000, 1, 100) == pytest.approx(0.01)
    assert pass_at_k(10_000, 0, 10_000) == 0.0


@pytest.mark.parametrize(("n", "c", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 4), (3, 1, 0)])
def test_impossible_counts_are_refused(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match="pass@k needs"):
        pass_at_k(n, c, k)


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (1, 1, 0.2065, 1.0)],
)
def test_one_attempt_an_item_gives_wilsons_interval(
    right: int, count: int, low: float, high: float
) -> None:
    """Figures of Wilson's interval as tables and other software have them."""
    found = estimate([1.0] * right + [0.0] * (count - right), attempts=1)
    assert found.value == right / count
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_repeating_what_is_certain_teaches_nothing_new() -> None:
    """Items that are always or never right: twelve attempts say no more than one."""
    scores = [1.0] * 6 + [0.0] * 14
    once, often = estimate(scores, attempts=1), estimate(scores, attempts=12)
    assert (once.low, once.high) == pytest.approx((often.low, often.high))


def test_repeating_what_is_chance_narrows_the_interval() -> None:
    alike = estimate([0.5] * 20, attempts=16)
    once = estimate([1.0, 0.0] * 10, attempts=1)
    assert alike.high - alike.low < (once.high - once.low) / 3


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    chance = random.Random(0)
    items, attempts, trials = 40, 3, 800
    hits = 0
    for _ in range(trials):
        skills = [chance.betavariate(0.4, 0.8) for _ in range(items)]  # mean 1/3, most near 0 or 1
        scores = [sum(chance.random() < p for _ in range(attempts)) / attempts for p in skills]
        found = estimate(scores, attempts)
        hits += found.low <= 1 / 3 <= found.high
    assert 0.93 <= hits / trials <= 0.98


def test_nothing_tried_is_an_error_not_a_zero() -> None:
    with pytest.raises(ValueError, match="no item"):
        estimate([], 1)


def attempt(item: str, seed: int, status: Status, **parts: bool) -> Attempt:
    mark = Mark(status=status, parts=parts)
    return Attempt(item=item, seed=seed, index=0, completion="", answer=None, mark=mark)


def test_a_summary_counts_every_status_and_estimates_every_part() -> None:
    items = [
        [
            attempt("a", 0, Status.PASSED, base=True, plus=True),
            attempt("a", 1, Status.WRONG, base=True, plus=False),
        ],
        [
            attempt("b", 0, Status.OUT_OF_FUEL, base=False),
            attempt("b", 1, Status.NO_ANSWER),
        ],
    ]
    summary = summarize(items)
    assert summary.headline.value == 0.25
    assert summary.metrics["pass@2"].value == 0.5
    assert summary.metrics["base/pass@1"].value == 0.5
    assert summary.metrics["plus/pass@1"].value == 0.25
    assert summary.by_seed == {0: 0.5, 1: 0.0}
    assert summary.statuses["out_of_fuel"] == summary.statuses["no_answer"] == 1
    assert summary.statuses["undecided"] == 0
    assert sum(summary.statuses.values()) == 4
    assert math.isclose(summary.headline.stderr, 0.25)


def test_parts_that_nobody_reached_are_there_all_the_same() -> None:
    """Whoever reads results of several models finds the same keys in each."""
    checks = (Part("base", Tests("assert f()")), Part("plus", Tests("assert f() == 1")))
    items = [CodeItem(id="a", checks=checks), CodeItem(id="b", checks=checks[:1])]
    assert parts_of(items) == ("base", "plus")
    nobody = [[attempt("a", 0, Status.NO_ANSWER)], [attempt("b", 0, Status.WRONG, base=False)]]
    metrics = summarize(nobody, parts_of(items)).metrics
    assert metrics["base/pass@1"].value == metrics["plus/pass@1"].value == 0.0
    maths = [MathsItem(id="a", statement="", gold="1")]
    assert parts_of(maths) == ()
    assert set(summarize(nobody[:1], parts_of(maths)).metrics) == {"pass@1"}


def test_an_item_without_a_part_passes_it_when_it_passes() -> None:
    """LiveCodeBench has extra tests for some items only."""
    items = [
        [attempt("a", 0, Status.PASSED, samples=True)],
        [attempt("b", 0, Status.WRONG, samples=True, extra=False)],
    ]
    metrics = summarize(items).metrics
    assert metrics["samples/pass@1"].value == 1.0
    assert metrics["extra/pass@1"].value == 0.5
