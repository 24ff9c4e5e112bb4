"""A run's tasks with their answers, newest first, a page at a time: only what is shown is read."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from azr.records.rollouts import read_rollouts
from azr.records.run_folder import rollout_files
from azr.report.html.contract import ShownStory
from azr.report.html.data import shown_story
from azr.report.story import Story, format_of, stories_in
from azr.report.view.follow import signature

__all__ = ["Place", "Wanted", "latest"]

CARDS = 12
FILES = 30
"""Of one request: where few stories are wanted, the next one looks further."""

Place = tuple[int, int]
"""A step, and a story's number in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which stories; an empty text wants all."""

    mode: str = ""
    verdict: str = ""
    """The proposal's, or `again` for a task of an earlier step."""
    difficulty: str = ""
    """`none`, `some` or `all` of the trials solved it."""
    search: str = ""
    """In programs, cases, completions and reasons; capitals do not count."""

    def fits(self, story: Story) -> bool:
        """Whether the story is wanted."""
        source = story.proposal or story.answers[0]
        verdict = source["verdict"] if story.proposal else "again"
        return (
            self.mode in ("", source["stream"].partition("/")[2])
            and self.verdict in ("", verdict)
            and self.difficulty in ("", difficulty_of(story))
            and (not self.search or self.search.lower() in text_in(story))
        )


def difficulty_of(story: Story) -> str:
    """How many of the trials solved it; empty where that was not measured."""
    rate = story.proposal["solve_rate"] if story.proposal else None
    return "" if rate is None else "none" if rate == 0 else "all" if rate == 1 else "some"


def text_in(story: Story) -> str:
    """All that can be searched for."""
    task, records = story.task, [*([story.proposal] if story.proposal else []), *story.answers]
    parts = [story.name]
    if task is not None:
        parts += [task.program, task.message, *(t for c in task.cases for t in (c.input, c.output))]
    parts += [text for record in records for text in (record["completion"], record["reason"])]
    return "\n".join(parts).lower()


def latest(
    folder: Path, wanted: Wanted, before: Place | None = None, most: int = CARDS
) -> tuple[list[ShownStory], Place | None]:
    """(cards, where to go on; None at the run's beginning).

    Args:
        folder: The run's.
        wanted: Which stories.
        before: Where the last page ended.
        most: Cards.
    """
    run_format = format_of(folder)
    shown: list[ShownStory] = []
    for place, story in walk(folder, before):
        if story is None or len(shown) == most:
            return shown, place
        if wanted.fits(story):
            shown.append(shown_story(story, run_format))
    return shown, None


def walk(folder: Path, before: Place | None) -> Iterator[tuple[Place, Story | None]]:
    """Stories from the newest step back, each with its place; no story where FILES were read."""
    files = rollout_files(folder)
    start, skip = before or (max(files, default=0), 0)
    steps = [step for step in reversed(files) if step <= start]
    for number, step in enumerate(steps):
        if number == FILES:
            yield (step, 0), None
        found = stories_of(files[step], signature(files[step]))
        for place in range(skip if step == start else 0, len(found)):
            yield (step, place), found[place]


@lru_cache(maxsize=FILES)
def stories_of(file: Path, _: tuple[int, int, int]) -> list[Story]:
    """The file's, kept as long as it is the same."""
    return stories_in(read_rollouts(file))
