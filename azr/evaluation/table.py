"""The table on stdout: one row a suite, plain text, the same width everywhere."""

from collections.abc import Sequence

from azr.evaluation.estimates import Estimate
from azr.evaluation.summary import Summary

__all__ = ["table_of"]

HEAD = ("suite", "items", "n", "pass@1", "95 % interval", "others", "apart")


def table_of(rows: Sequence[tuple[str, Summary]]) -> str:
    """(title, figures) of each suite, as aligned columns."""
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
