"""Draws of past tasks: references for proposers, and tasks for solvers.

Everything here is about places: the n-th task of a mode, in the order in which they came. A draw is
a function of (what came, seed) and never of row ids, so a run that was rewound and resumed draws
what it would have drawn. Drawing k of n tasks costs O(k log n), and one pass over the n if k is
more than a small part of them.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from random import Random

from azr.game.tasks.difficulty import EVERYTHING, EXPLORED, Band, learnability_weight
from azr.types import Mode, Task, count_lines

__all__ = ["Shelf", "is_stored", "sample_weighted"]

Places = list[int]

STORE: dict[str, Callable[[float], bool]] = {
    "all": lambda _: True,
    "non_one": lambda rate: rate < 1,
    "non_extremes": lambda rate: 0 < rate < 1,
}
"""buffers.store, by solve rate. (AZR's code: valid_program_filter)"""

EASE_SCALE = 1000
"""Scales ease to a whole number, because sums of whole numbers are exact in any order."""


def is_stored(store: str, solve_rate: float | None) -> bool:
    """Tell whether a valid proposal enters the buffers; one that was not tried always does."""
    return solve_rate is None or STORE[store](solve_rate)


def ease(program: str, solve_rate: float | None) -> int:
    """Return the weight for reference_sampling = easy: (0.1 + 0.8 p) / lines; p is 1/2 if unknown.

    It is never 0, so a task that nobody solves, or a page of code, is still drawn now and then.
    Ours; the idea is "easier first" of curriculum learning (Bengio et al., ICML 2009).
    """
    lines = max(count_lines(program), 1)
    rate = 0.5 if solve_rate is None else solve_rate
    return math.ceil(EASE_SCALE * (0.1 + 0.8 * rate) / lines)


@dataclass(slots=True)
class Shelf:
    """What draws must know of one mode's tasks, in the order in which they came."""

    max_tasks: int
    """How many of the newest tasks can be drawn; a full buffer still takes in tasks."""
    ids: list[int] = field(default_factory=list[int])
    births: list[int] = field(default_factory=list[int])
    rates: list[float | None] = field(default_factory=list[float | None])
    """Solve rates; None = never tried."""
    band: Band = EVERYTHING
    """The rates of the tasks that are drawn, as long as there are such tasks."""
    recency: list[int] = field(default_factory=lambda: [0])
    """recency[i]: sum over the first i tasks of (born step + 1)."""
    easiness: list[int] = field(default_factory=lambda: [0])
    """The same sums of `ease`, by the rate when the task was born."""
    on_empty_band: Callable[[], None] = lambda: None
    """Called if a draw finds no task in the band."""
    _within: tuple[range, Places] | None = None
    """The last answer of `within`, until a rate changes or a task comes."""

    def append(self, row_id: int, task: Task, solve_rate: float | None) -> None:
        """Add the newest task."""
        self.rates.append(solve_rate)
        self._within = None
        self.ids.append(row_id)
        self.births.append(task.born_step)
        self.recency.append(self.recency[-1] + task.born_step + 1)
        self.easiness.append(self.easiness[-1] + ease(task.program, solve_rate))

    def drawable(self, before: int | None = None) -> range:
        """Return the places of the newest tasks, among those from before step `before`."""
        end = len(self.ids) if before is None else self._first_born_at(before)
        return range(max(0, end - self.max_tasks), end)

    def _first_born_at(self, step: int) -> int:
        """Place of the first of the tasks at the end that were born at `step` or later."""
        place = len(self.births)
        while place and self.births[place - 1] >= step:
            place -= 1  # one block of steps at the most: draws look back no further
        return place

    def references(self, sampling: str, k: int, rng: Random, before: int | None) -> Places:
        """Draw up to k different places, as buffers.reference_sampling says."""
        places = self.drawable(before)
        return REFERENCE_SAMPLING[sampling](self, places, min(max(k, 0), len(places)), rng)

    def batch(
        self, strategy: str, k: int, rng: Random, *, since: int, before: int | None
    ) -> Places:
        """Draw exactly k places for solvers, in random order; repeat only if there are fewer.

        Args:
            strategy: selfplay.solver_tasks.
            k: How many.
            rng: The source of the draws.
            since: Tasks born at this step or later are the new ones.
            before: Only tasks born before this step; None = all.
        """
        places = self.drawable(before)
        assert places, "there is a task to draw"
        chosen = SOLVER_TASKS[strategy](self, places, min(k, len(places)), rng, since)
        while len(chosen) < k:  # a young buffer: all of it, and once more
            chosen += rng.sample(places, min(k - len(chosen), len(places)))
        rng.shuffle(chosen)
        return chosen

    def new_among(self, places: range, since: int) -> range:
        """Return the places of tasks born at step `since` or later."""
        return range(max(places.start, min(self._first_born_at(since), places.stop)), places.stop)

    def learnable_among(self, places: Sequence[int]) -> Places:
        """Return the places of tasks with a solve rate strictly between 0 and 1."""
        return [p for p in places if (rate := self.rates[p]) is not None and 0 < rate < 1]

    def rate(self, place: int, solve_rate: float) -> None:
        """Take note of a task's new solve rate."""
        self.rates[place] = solve_rate
        self._within = None

    def within(self, places: range) -> Sequence[int]:
        """Return the places in the band; the range itself if the band is off or empty."""
        if self.band.is_everything:
            return places
        if self._within is None or self._within[0] != places:
            self._within = places, [p for p in places if self.band.holds(self.rates[p])]
        if not self._within[1]:
            self.on_empty_band()
        return self._within[1] or places

    def as_metrics(self, mode: Mode) -> dict[str, float]:
        """Return buffer/<mode>/in_band if there is a band."""
        places = self.drawable()
        if not places or self.band.is_everything:
            return {}
        inside = sum(self.band.holds(self.rates[place]) for place in places)
        return {f"buffer/{mode}/in_band": inside / len(places)}

    def sample(self, some: Sequence[int], most: int, places: range, k: int, rng: Random) -> Places:
        """Draw k places for solvers: at most so many from `some`, the rest from all.

        If there is a band, both come from it, except that one draw in eight goes to all.
        """
        inside = self.within(places)
        if inside is places:
            return _filled_up(rng.sample(some, min(most, len(some))), places, k, rng)
        banded = sum(rng.random() >= EXPLORED for _ in range(k))
        wanted = [place for place in some if self.band.holds(self.rates[place])]
        chosen = rng.sample(wanted, min(most, banded, len(wanted)))
        return _filled_up(_filled_up(chosen, inside, banded, rng), places, k, rng)


# ---------------------------------------------------------------- strategies


def _uniform_references(shelf: Shelf, places: range, k: int, rng: Random) -> Places:
    inside = shelf.within(places)
    if inside is places:
        return rng.sample(places, k)
    return _filled_up(rng.sample(inside, min(k, len(inside))), places, k, rng)


REFERENCE_SAMPLING: dict[str, Callable[[Shelf, range, int, Random], Places]] = {
    "uniform": _uniform_references,
    "recency": lambda shelf, places, k, rng: sample_weighted(shelf.recency, places, k, rng),
    "easy": lambda shelf, places, k, rng: sample_weighted(shelf.easiness, places, k, rng),
}
"""AZR's code: gen_data_probabilities_strategy = uniform, step; the third is ours."""


def _max_new(shelf: Shelf, places: range, k: int, rng: Random, since: int) -> Places:
    return shelf.sample(shelf.new_among(places, since), k, places, k, rng)


def _half_new(shelf: Shelf, places: range, k: int, rng: Random, since: int) -> Places:
    return shelf.sample(shelf.new_among(places, since), k // 2, places, k, rng)


def _uniform(shelf: Shelf, places: range, k: int, rng: Random, _since: int) -> Places:
    if shelf.within(places) is places:
        return rng.sample(places, k)
    return shelf.sample((), 0, places, k, rng)


def _step(shelf: Shelf, places: range, k: int, rng: Random, _since: int) -> Places:
    return sample_weighted(shelf.recency, places, k, rng)


def _learnable(shelf: Shelf, places: range, k: int, rng: Random, _since: int) -> Places:
    return shelf.sample(shelf.learnable_among(places), k, places, k, rng)


def _learnability(shelf: Shelf, places: range, k: int, rng: Random, _since: int) -> Places:
    inside = shelf.within(places)
    clocks = ((rng.expovariate(learnability_weight(shelf.rates[p])), p) for p in inside)
    return _filled_up([place for _, place in nsmallest(k, clocks)], places, k, rng)


SOLVER_TASKS: dict[str, Callable[[Shelf, range, int, Random, int], Places]] = {
    "max_new": _max_new,
    "half_new": _half_new,
    "uniform": _uniform,
    "step": _step,
    "learnable": _learnable,
    "learnability": _learnability,
}
"""AZR's code: pred_data_mix_strategy = max_new, half_new, uniform_total, step; the last two are
ours. None of them repeats a task. AZR's may draw a new task twice, and fails on small buffers."""


def _filled_up(chosen: Places, places: Sequence[int], k: int, rng: Random) -> Places:
    """The chosen ones and others, uniformly, up to k in all."""
    taken = set(chosen)
    # among this many there are enough that are not taken; the taken ones are then passed over
    spare = rng.sample(places, min(k, len(places)))
    return (chosen + [place for place in spare if place not in taken])[:k]


def sample_weighted(cumulative: Sequence[int], places: range, k: int, rng: Random) -> Places:
    """Draw k different places one by one, each with a chance in proportion to its weight.

    Places that were drawn already are drawn again. If that happens often (few tasks, or one that
    outweighs all others), the rest is drawn in one pass with exponential clocks, which gives the
    same distribution (Efraimidis and Spirakis, Inf. Process. Lett. 97, 2006).

    Args:
        cumulative: cumulative[i] is the sum of the weights of the first i places, all above 0.
        places: A contiguous part of them.
        k: At most len(places).
        rng: The source of the draws.
    """
    chosen: dict[int, None] = {}
    low, high = cumulative[places.start], cumulative[places.stop]
    for _ in range(4 * k if 2 * k <= len(places) else 0):
        if len(chosen) == k:
            break
        place = bisect_right(cumulative, rng.randrange(low, high), places.start, places.stop) - 1
        chosen.setdefault(place)
    rest: Iterable[tuple[float, int]] = (
        (rng.expovariate(cumulative[place + 1] - cumulative[place]), place)
        for place in places
        if place not in chosen
    )
    missing = k - len(chosen)
    return [*chosen, *(place for _, place in nsmallest(missing, rest))] if missing else [*chosen]


def draw_one(
    shelves: Sequence[Shelf], sampling: str, rng: Random, before: int | None
) -> tuple[int, int] | None:
    """Draw one place from all the shelves' tasks together, as (shelf, place); None if empty."""
    parts = [shelf.drawable(before) for shelf in shelves]
    sums = [_sums(shelf, sampling) for shelf in shelves]
    weights = [
        len(places) if total is None else total[places.stop] - total[places.start]
        for places, total in zip(parts, sums, strict=True)
    ]
    if not any(weights):
        return None
    at = rng.randrange(sum(weights))
    for which, (places, total, weight) in enumerate(zip(parts, sums, weights, strict=True)):
        if at < weight:
            if total is None:
                return which, places[at]
            found = bisect_right(total, total[places.start] + at, places.start, places.stop)
            return which, found - 1
        at -= weight
    raise AssertionError("the weights add up to their sum")


def _sums(shelf: Shelf, sampling: str) -> list[int] | None:
    """The running sums of the weights; None where all weigh the same."""
    return {"uniform": None, "recency": shelf.recency, "easy": shelf.easiness}[sampling]
