"""From a suite's attempts to its figures. Pure functions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from azr.evaluation.estimates import Estimate, estimate, pass_at_k
from azr.evaluation.suites.items import Attempt, CodeItem, Item, Status

__all__ = [
    "Summary",
    "parts_of",
    "summarize",
    "table_of",
]


USUAL_K = (1, 5, 10, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The figures of one suite."""

    items: int
    attempts: int
    """Attempts at each item: samples x seeds."""
    metrics: Mapping[str, Estimate]
    """`pass@k`, and `<part>/pass@1` for the parts of an item's checks (base, plus, ...)."""
    by_seed: Mapping[int, float]
    """pass@1 of each seed alone."""
    statuses: Mapping[str, int]
    """Attempts of each status, all statuses named."""
    truncated: int
    """Attempts whose completion ended at the token limit."""

    @property
    def headline(self) -> Estimate:
        """pass@1."""
        return self.metrics["pass@1"]


def parts_of(items: Sequence[Item]) -> tuple[str, ...]:
    """Return names of the parts in the items' checks, in order; only programs have parts."""
    checks = (check for item in items if isinstance(item, CodeItem) for check in item.checks)
    return tuple(dict.fromkeys(check.name for check in checks))


def summarize(attempts_by_item: Sequence[Sequence[Attempt]], parts: Sequence[str] = ()) -> Summary:
    """Return the figures of items that were all tried equally often.

    Args:
        attempts_by_item: In the items' order.
        parts: Parts that have a figure even if no attempt reached them (`parts_of`).

    Raises:
        ValueError: There is no item.
    """
    count = len(attempts_by_item[0]) if attempts_by_item else 0
    assert all(len(attempts) == count for attempts in attempts_by_item), "an item is unfinished"
    every = [attempt for attempts in attempts_by_item for attempt in attempts]
    right_N = [sum(map(has_passed, attempts)) for attempts in attempts_by_item]
    metrics = {
        f"pass@{k}": estimate([pass_at_k(count, right, k) for right in right_N], count)
        for k in sorted({*USUAL_K, count})
        if k <= count or k == 1
    }
    reached = (name for attempt in every for name in attempt.mark.parts)
    names = dict.fromkeys([*parts, *reached])
    if len(names) > 1:
        for part in names:
            shares = [share_of(attempts, part) for attempts in attempts_by_item]
            metrics[f"{part}/pass@1"] = estimate(shares, count)
    seeds = dict.fromkeys(attempt.seed for attempt in every)
    statuses = Counter(attempt.mark.status for attempt in every)
    return Summary(
        items=len(attempts_by_item),
        attempts=count,
        metrics=metrics,
        by_seed={seed: pass_rate([a for a in every if a.seed == seed]) for seed in seeds},
        statuses={status.value: statuses[status] for status in Status},
        truncated=sum(attempt.truncated for attempt in every),
    )


def has_passed(attempt: Attempt) -> bool:
    """Tell whether an attempt is right by every check."""
    return attempt.mark.status is Status.PASSED


def pass_rate(attempts: Sequence[Attempt]) -> float:
    """Return the share of right attempts."""
    return sum(map(has_passed, attempts)) / len(attempts)


def share_of(attempts: Sequence[Attempt], part: str) -> float:
    """Return the share of attempts that passed a part; an unreached part is not passed.

    An item without that part has passed it if the item has passed: LiveCodeBench has extra tests
    for some items only.
    """
    return sum(attempt.mark.parts.get(part, has_passed(attempt)) for attempt in attempts) / len(
        attempts
    )


HEAD = ("suite", "items", "n", "pass@1", "95 % interval", "others", "apart")


def table_of(rows: Sequence[tuple[str, Summary]]) -> str:
    """Write each suite's (title, figures) as aligned columns."""
    cells = [HEAD, *(row_of(title, summary) for title, summary in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEAD))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def row_of(title: str, summary: Summary) -> tuple[str, ...]:
    """What is counted as wrong for a reason of its own stands in the last column."""
    first = summary.headline
    others = [
        f"{name} {percent(value)}" for name, value in summary.metrics.items() if name != "pass@1"
    ]
    apart = [
        f"{count} {name.replace('_', ' ')}"
        for name, count in (*summary.statuses.items(), ("truncated", summary.truncated))
        if count and name not in ("passed", "wrong")
    ]
    return (
        title,
        str(summary.items),
        str(summary.attempts),
        percent(first),
        f"{100 * first.low:.1f} - {100 * first.high:.1f}",
        ", ".join(others) or "-",
        ", ".join(apart) or "-",
    )


def percent(value: Estimate) -> str:
    """In percent."""
    return f"{100 * value.value:.1f}"
