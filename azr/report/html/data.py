"""From run folders to what a report shows of them; bounded, however long the run was."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from azr.errors import CheckpointError
from azr.records.metrics_file import read_metrics
from azr.records.rollouts import read_rollouts
from azr.records.run_folder import rollout_files
from azr.report.html.arms import History
from azr.report.html.contract import Code, Run, ShownRollout, ShownStory, Totals
from azr.report.html.decay import falls_of
from azr.report.html.highlighting import python
from azr.report.html.labels import with_all_modes
from azr.report.story import (
    Growth,
    RunFormat,
    Story,
    explain,
    format_of,
    read_object,
    resolved_config,
    stories_in,
    table_in,
)

__all__ = ["MAX_STORIES", "Collected", "collect", "collect_history", "history_in"]

MAX_STORIES = 600
"""Tasks and refused proposals in a report, over all its runs; sampled evenly over the steps. Fewer
where each has many answers: about twice as many rollouts are kept."""
MAX_FILES = 60
"""Steps that are sampled from; of more, evenly chosen ones. The counts are of all steps."""
MAX_ANSWERS = 16
"""Answers shown of one task and step."""
MAX_CHARS = 6_000
"""Of one text; the rest is in the run folder."""
MAX_PROMPT_CHARS = 3_000

Row = Mapping[str, Any]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Collected:
    """One run."""

    run: Run
    history: History
    planned: int
    """Steps."""


def collect(folder: Path, name: str, most: int = MAX_STORIES) -> Collected:
    """All that the page needs to know about one run.

    Args:
        folder: The run's folder.
        name: What the report calls it.
        most: Stories to keep, about.

    Raises:
        CheckpointError: There is no run in the folder, or it is damaged.
    """
    rows = read_rows(folder)
    config, environment = resolved_config(folder), read_object(folder / "env.json")
    growth, stories = collect_stories(folder, most)
    history = history_of(rows, growth)
    run = Run(
        name=name,
        stories=stories,
        totals=totals_of(growth),
        falls=falls_of(history),
        facts=facts(folder, config, environment),
        config=text_of(folder / "config.toml"),
    )
    planned = number_of(config, "steps", int(rows[-1]["step"]) if rows else 0)
    return Collected(run, history, planned)


def collect_history(folder: Path) -> History:
    """The metrics of one run, those of its curriculum among them, and no texts.

    Raises:
        CheckpointError: There is no run in the folder, or it is damaged.
    """
    rows = read_rows(folder)
    growth, _ = collect_stories(folder, 0)
    return history_of(rows, growth)


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """The run's metrics; refuses a folder that holds none."""
    if not (folder / "metrics.jsonl").exists():
        raise CheckpointError(f"{folder} holds no run: there is no metrics.jsonl")
    return read_metrics(folder)


def history_of(rows: Sequence[Row], growth: Growth) -> History:
    """Metrics and curriculum by name; what a step lacks is None."""
    return history_in([{**row, **growth.metrics(row["step"])} for row in rows])


def history_in(rows: Sequence[Row]) -> History:
    """The numbers of the rows, by name, and over all modes."""
    names = sorted({name for row in rows for name in row if name != "step"})
    columns = {name: [round_off(row.get(name)) for row in rows] for name in names}
    return History([row["step"] for row in rows], with_all_modes(columns))


def round_off(value: float | None) -> float | None:
    """Six digits are more than a plot shows; JSON knows neither infinity nor nan."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")


def collect_stories(folder: Path, most: int) -> tuple[Growth, list[ShownStory]]:
    """(how the tasks grew, sampled stories with the newest step first).

    Every file is read once: what was made before can only be told by who has seen all of it.
    """
    files = rollout_files(folder)
    chosen = set(evenly(list(files), MAX_FILES)) if most else set[int]()
    quota = max(1, most // max(1, len(chosen)))
    run_format = format_of(folder)
    growth = Growth()
    kept: list[ShownStory] = []
    for step, file in files.items():
        records = list(read_rollouts(file))
        growth.take(step, records)
        if step in chosen:
            found = stories_in(records)
            found = evenly(found, fewer_of_long(quota, len(records) / max(1, len(found))))
            kept = [shown_story(story, run_format) for story in found] + kept
    return growth, kept


def totals_of(growth: Growth) -> Totals:
    """Of all steps and modes."""
    counts = [counts for modes in growth.steps.values() for counts in modes.values()]
    return Totals(
        proposals=sum(found.proposals for found in counts),
        valid=sum(found.valid for found in counts),
        answers=sum(found.answers for found in counts),
        programs=len(growth.programs),
    )


def fewer_of_long(quota: int, rollouts: float) -> int:
    """Stories to keep of a step: fewer where each holds many rollouts, for it is these that weigh.

    Args:
        quota: Stories of at most two rollouts: a proposal and an answer.
        rollouts: Of a story, on average; not all of very many are kept.
    """
    return max(1, min(quota, int(2 * quota / min(max(rollouts, 1.0), 1.0 + MAX_ANSWERS))))


def evenly(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of the items, evenly spaced, the last one among them."""
    if len(items) <= count:
        return list(items)
    return [items[(place + 1) * len(items) // count - 1] for place in range(count)]


def shown_story(story: Story, run_format: RunFormat) -> ShownStory:
    """A story as the page takes it: one card, with its answers."""
    source = story.proposal or story.answers[0]
    task, explained = story.task, explain(source, run_format)
    asked = explain(story.answers[0], run_format) if story.answers else None
    cases = task.cases if task else ()
    return ShownStory(
        step=source["step"],
        mode=source["stream"].partition("/")[2],
        name=story.name,
        program=code(task.program if task else explained.given),
        cases=[(code(case.input), code(case.output)) for case in cases],
        message=shorten(task.message) if task else "",
        born=task.born_step if task else None,
        verdict=source["verdict"] if story.proposal else "again",
        why=shorten(explained.why) if story.proposal else "",
        rate=round_off(source["solve_rate"]),
        proposal=shown_rollout(story.proposal, run_format) if story.proposal else None,
        question=code(asked.question) if asked else (),
        expected=code(asked.expected) if asked else (),
        shows_program=asked.shows_program if asked else True,
        answers=shown_answers(story.answers[:MAX_ANSWERS], run_format),
        more=max(0, len(story.answers) - MAX_ANSWERS),
    )


def shown_answers(answers: Sequence[Row], run_format: RunFormat) -> list[ShownRollout]:
    """A prompt that is the first answer's as well is empty: it is kept once."""
    shown = [shown_rollout(answer, run_format) for answer in answers]
    again = [replace(a, prompt="") if a.prompt == shown[0].prompt else a for a in shown[1:]]
    return [*shown[:1], *again]


def shown_rollout(record: Row, run_format: RunFormat) -> ShownRollout:
    """What was sampled, and what became of it."""
    explained = explain(record, run_format)
    return ShownRollout(
        verdict=record["verdict"],
        why=shorten(explained.why),
        given=code(explained.given),
        prompt=shorten(record["prompt"], MAX_PROMPT_CHARS),
        completion=shorten(record["prefill"] + record["completion"]),
        tokens=record["tokens"],
        prompt_tokens=record["prompt_tokens"],
        truncated=record["truncated"],
        reward=round_off(record["reward"]),
        advantage=round_off(record["advantage"]),
    )


def code(text: str) -> Code:
    """As much of a Python text as the page shows, in pieces."""
    return python(shorten(text))


def number_of(tree: Row, name: str, default: int) -> int:
    """A whole number of a file that was read; the default if it is none."""
    found = tree.get(name)
    return found if type(found) is int else default


def text_of(file: Path) -> str:
    """What the file holds; nothing if it cannot be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def shorten(text: str, most: int = MAX_CHARS) -> str:
    """The text, or its beginning and a note of how much is missing."""
    if len(text) <= most:
        return text
    return f"{text[:most]}\n... ({len(text) - most} more characters)"


def facts(folder: Path, config: Row, environment: Row) -> list[tuple[str, str]]:
    """What somebody who gets this file by mail wants to know first."""
    selfplay, versions = table_in(config, "selfplay"), table_in(environment, "versions")
    gib = number_of(environment, "memory_bytes", 0) / 2**30
    gpus = environment.get("gpus")
    hardware = (
        f"{environment.get('cores', '?')} x {environment.get('processor', '?')}, {gib:.0f} GiB"
    )
    found = {
        "folder": folder.name,
        "model": table_in(config, "model").get("name"),
        "proposals a mode and step": selfplay.get("batch_size"),
        "trials a task": selfplay.get("trials_per_task"),
        "envelope": selfplay.get("envelope"),
        "learning rate": table_in(config, "learner").get("lr"),
        "seed": config.get("seed"),
        "machine": hardware if environment else None,
        "GPUs": ", ".join(map(str, cast(list[Any], gpus))) if isinstance(gpus, list) else None,
        "attempts": environment.get("attempt"),
        "commit": str(environment.get("git_commit", ""))[:12] or None,
        "versions": ", ".join(f"{package} {version}" for package, version in versions.items()),
    }
    return [(label, str(value)) for label, value in found.items() if value not in (None, "")]
