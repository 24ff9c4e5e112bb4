"""From marks to figures: pass@k and intervals. Pure, closed forms, no random numbers.

N items, n attempts at an item, c of them right, k attempts allowed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Estimate", "estimate", "pass_at_k"]

Z_95 = 1.959963984540054
"""97.5 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over items, with its 95 % interval; all in [0, 1]."""

    value: float
    low: float
    high: float
    stderr: float
    """Clustered by item. It is 0 if all items agree; the interval does not rely on that."""


def pass_at_k(n: int, c: int, k: int) -> float:
    """Return an unbiased estimate of the chance that one of k attempts is right.

    1 - C(n-c, k) / C(n, k), as a product of ratios below 1, which neither overflows nor cancels.
    Source: Chen et al. 2021, Evaluating Large Language Models Trained on Code, arXiv 2107.03374,
    eq. 1 and figure 3.

    Raises:
        ValueError: Not 0 <= c <= n and 1 <= k <= n.
    """
    if not (0 <= c <= n and 1 <= k <= n):
        raise ValueError(f"pass@k needs 0 <= c <= n and 1 <= k <= n, got n={n}, c={c}, k={k}")
    if n - c < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - c + 1, n + 1))


def estimate(scores_N: Sequence[float], attempts: int) -> Estimate:
    """Return the mean of the items' scores, with an interval for other items of the same kind.

    The attempts at one item are a cluster, so the standard error is that of the N item means. It
    contains the spread of items, and that of seeds and attempts within them (Miller 2024, Adding
    Error Bars to Evals, arXiv 2411.00640, sections 2.1-2.2). The interval is Wilson's score
    interval (Wilson 1927), at the effective number of draws p(1-p) / stderr^2 (Korn and Graubard
    1998), held between N and N * attempts. With one attempt per item it is Wilson's own. Near 0 and
    1 it neither collapses nor leaves [0, 1], unlike the normal interval.

    Args:
        scores_N: For each item the share of right attempts, or pass@k.
        attempts: Attempts at each item.

    Raises:
        ValueError: There is no item.
    """
    count = len(scores_N)
    if count == 0:
        raise ValueError("no item was tried: there is nothing to estimate")
    mean = math.fsum(scores_N) / count
    squares = math.fsum((score - mean) ** 2 for score in scores_N)
    variance = squares / (count - 1) / count if count > 1 else 0.0
    draws = effective_draws(mean, variance, count, attempts)
    low, high = wilson(mean, draws)
    return Estimate(value=mean, low=low, high=high, stderr=math.sqrt(variance))


def effective_draws(mean: float, variance: float, count: int, attempts: int) -> float:
    """Return how many independent draws would know the mean as well as these clusters do."""
    spread = mean * (1.0 - mean)
    if spread <= 0.0 or count == 1:
        return count
    if variance <= 0.0:
        return count * attempts
    return min(max(spread / variance, count), count * attempts)


def wilson(mean: float, draws: float) -> tuple[float, float]:
    """Return Wilson's 95 % score interval of a proportion."""
    z2 = Z_95**2 / draws
    centre = (mean + z2 / 2) / (1 + z2)
    half = Z_95 / (1 + z2) * math.sqrt(mean * (1 - mean) / draws + z2 / (4 * draws))
    return max(0.0, centre - half), min(1.0, centre + half)
