"""When a run's curriculum dies: the step of decay and the half-life of what keeps it alive. Pure.

Let v_1 ... v_n be a measure's values at the steps t_1 < ... < t_n, and s_i its running mean over
w = max(3, n // 20) values, half of them to either side. Let s_b be the best (the greatest s_i; of
equals the last).

Step of decay:  the least t_i after t_b with s_j < s_b / 2 for all j >= i; none if s_n >= s_b / 2.
Half-life:      h = T ln 2 / x, where T = t_n - t_b and x solves (1 - exp(-x)) / x = m, with m the
                mean of s_i / s_b over i > b. A measure that fell exponentially from its best would
                have this mean over this stretch. It is not told beyond T: nobody has seen it.

A run's own step of decay is that of DEATH, the new learnable tasks a step: without them nothing is
left to learn from. Values of fewer than CERTAIN steps, or a fall seen for fewer than w values, are
called uncertain. Both figures describe one run; they are no estimate of what another seed does.
"""

import math
from collections.abc import Sequence

from azr.report.html.arms import History, running_mean
from azr.report.html.contract import Fall
from azr.report.html.labels import label_of

__all__ = ["DEATH", "MEASURES", "fall_of", "falls_of", "in_words"]

DEATH = "curriculum/fresh/*"
MEASURES = (
    DEATH,
    *("curriculum/different/*", "curriculum/novel/*", "curriculum/novel_form/*", "learnable/*"),
    *("entropy/proposer/*", "entropy/solver/*", "lines/*", "length/solver/*/mean"),
)
"""All modes together; each mode has its own curve."""
CERTAIN = 20
SHARE = 20
LEAST = 3


def falls_of(history: History) -> list[Fall]:
    """What the run's measures became, those that it has; DEATH first.

    Step 0 is left out: it is the untrained model's evaluation, where no task was made.
    """
    return [
        fall_of(metric, steps, values)
        for metric in MEASURES
        for steps, values in [known(history, metric)]
        if steps
    ]


def known(history: History, metric: str) -> tuple[list[int], list[float]]:
    """Steps that have a value, and these."""
    column = zip(history.steps, history.metrics.get(metric, ()), strict=False)
    found = [(step, value) for step, value in column if value is not None and step > 0]
    return [step for step, _ in found], [value for _, value in found]


def fall_of(metric: str, steps: Sequence[int], values: Sequence[float]) -> Fall:
    """One measure's figures; see the module for the formulas.

    Args:
        metric: Its name.
        steps: At least one, ascending.
        values: Of these steps; not negative.
    """
    window = max(LEAST, len(values) // SHARE)
    means = [mean for mean in running_mean(values, window) if mean is not None]
    best = max(range(len(means)), key=lambda place: (means[place], place))
    place = place_of_decay(means, best)
    return Fall(
        title=label_of(metric).title,
        form=label_of(metric).form,
        best=float(f"{means[best]:.5g}"),
        best_step=steps[best],
        last=float(f"{means[-1]:.5g}"),
        steps=len(steps),
        step=None if place is None else steps[place],
        half_life=half_life(steps[best:], means[best:]),
        is_certain=len(steps) >= CERTAIN and (place is None or len(steps) - place >= window),
    )


def place_of_decay(means: Sequence[float], best: int) -> int | None:
    """From where on all means are below half of the best; None if the last is not."""
    place = len(means)
    while place > best + 1 and means[place - 1] < means[best] / 2:
        place -= 1
    return place if place < len(means) else None


def half_life(steps: Sequence[int], means: Sequence[float]) -> float | None:
    """Steps in which a measure falls by half, from its best on, which comes first; None beyond."""
    span, best = steps[-1] - steps[0], means[0]
    if span == 0 or best <= 0:
        return None
    level = math.fsum(means[1:]) / best / (len(means) - 1)
    half = span * math.log(2) / rate_of(level)
    return float(f"{half:.3g}") if half <= span else None


def rate_of(level: float) -> float:
    """The x with (1 - exp(-x)) / x = level, between 1e-6 and 1e6, by bisection."""
    low, high = 1e-6, 1e6
    for _ in range(100):
        middle = math.sqrt(low * high)
        if -math.expm1(-middle) / middle > level:
            low = middle
        else:
            high = middle
    return low


def in_words(falls: Sequence[Fall]) -> str:
    """A run's step of decay in a line, as far as it can be told."""
    death = label_of(DEATH).title
    fall = next((fall for fall in falls if fall.title == death), None)
    if fall is None:
        return "not known, for no rollouts are kept (logging.rollouts)"
    what = f"{death.lower()} a step, best {fall.best:.3g} at step {fall.best_step}"
    half = "" if fall.half_life is None else f"; half-life {fall.half_life:g} steps"
    unsure = "" if fall.is_certain else f"; uncertain, with {fall.steps} steps"
    when = f"none in {fall.steps} steps" if fall.step is None else f"step {fall.step}"
    return f"{when} ({what}, {fall.last:.3g} at the end{half}{unsure})"
