"""What the texts of a step are like: how long, how reflective, how commented, of which types.

    length/<stream>/{right,wrong}   prompt_length/<stream>/{mean,min,max}
    reflection/<stream>   reflection_right/<stream>   comments/<stream>
    types/{input,output}/<type>   types/{input,output}/distinct

Everything here reads text, and none of it feeds back into rewards. docs/metrics.md has AZR's names
for the same quantities.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean

from azr.game.modes import rules_of
from azr.game.modes.parse import (
    PROGRAM_TAGS,
    answer_body,
    fences,
    last_block,
    without_labelled_lines,
)
from azr.game.tasks.literal_types import literal_type
from azr.types import STREAMS, Experience, Role, Rollout, Verdict, stream_name
from sandbox_wasm.literals import LiteralError, argument_types

__all__ = ["REFLECTION_WORDS", "has_comment", "is_reflective", "text_metrics"]

REFLECTION_WORDS = (
    "wait", "hold on", "hmm", "uh-oh", "oops", "let me check", "let me verify",
    "let me think again", "let me reconsider", "let's check", "let's verify", "double check",
    "double-check", "check again", "recheck", "re-check", "reverify", "re-verify", "reevaluate",
    "re-evaluate", "reexamine", "re-examine", "reconsider", "rethink", "re-think", "recalculate",
    "recompute", "redo", "retry", "try again", "start over", "go back", "on second thought",
    "alternatively", "however", "actually", "mistake", "i was wrong",
)  # fmt: skip
"""Words of a text that looks back at itself. AZR counts a list of 38 words of its own
(auxiliary.reflection_keywords), which we did not have. These 38 are ours, after the words in
published counts of R1-like training. Compare the curve with itself, not with the paper's."""

REFLECTION = re.compile(
    rf"\b(?:{'|'.join(map(re.escape, REFLECTION_WORDS))})\b", re.IGNORECASE | re.ASCII
)

MARKS = re.compile(r"\\.|'''|\"\"\"|['\"#\n]", re.DOTALL)
"""Everything that decides whether a `#` opens a comment."""


def text_metrics(experiences_N: Sequence[Experience]) -> dict[str, float]:
    """Return all metrics of this module for one step; those without data are left out."""
    metrics: dict[str, float] = {}
    for stream in STREAMS:
        mine = [e for e in experiences_N if e.stream == stream]
        if mine:
            metrics.update(lengths(stream_name(stream), mine))
            metrics.update(reflections(stream_name(stream), mine))
            metrics.update(comments(stream_name(stream), mine))
    new = [e.task for e in experiences_N if e.stream[0] is Role.PROPOSER and e.task is not None]
    metrics.update(type_counts("input", (input_type(c.input) for t in new for c in t.cases)))
    metrics.update(type_counts("output", (literal_type(c.output) for t in new for c in t.cases)))
    return metrics


def lengths(name: str, experiences: Sequence[Experience]) -> dict[str, float]:
    """Return mean tokens of completions that passed and of those that did not; tokens of prompts.

    A proposal is right if it is valid. (AZR counts a reward of 1 as right, which no proposer can
    get.)
    """
    metrics: dict[str, float] = {}
    for label, is_right in (("right", True), ("wrong", False)):
        of_kind = [e for e in experiences if (e.verdict is Verdict.PASSED) == is_right]
        if of_kind:
            metrics[f"length/{name}/{label}"] = fmean(
                len(e.rollout.completion_ids) for e in of_kind
            )
    prompts = [len(e.rollout.prompt_ids) for e in experiences]
    metrics[f"prompt_length/{name}/mean"] = fmean(prompts)
    metrics[f"prompt_length/{name}/min"] = min(prompts)
    metrics[f"prompt_length/{name}/max"] = max(prompts)
    return metrics


def reflections(name: str, experiences: Sequence[Experience]) -> dict[str, float]:
    """Return the share of completions that reflect, and the share of these that is right."""
    reflective = [e for e in experiences if is_reflective(e.rollout.completion)]
    metrics = {f"reflection/{name}": len(reflective) / len(experiences)}
    if reflective:
        right = sum(e.verdict is Verdict.PASSED for e in reflective)
        metrics[f"reflection_right/{name}"] = right / len(reflective)
    return metrics


def is_reflective(text: str) -> bool:
    """Tell whether the text holds a reflection word, as a word of its own."""
    return REFLECTION.search(text) is not None


def comments(name: str, experiences: Sequence[Experience]) -> dict[str, float]:
    """Return the share of programs in the completions that hold a comment."""
    programs = [program for e in experiences if (program := written_program(e.rollout))]
    if not programs:
        return {}
    return {f"comments/{name}": fmean(has_comment(program) for program in programs)}


def written_program(rollout: Rollout) -> str | None:
    """Return the last program of the completion, if the policy had to write one.

    Lines that give an input are removed: they are a part of the answer, not a comment on it.
    """
    role, rules = rollout.prompt.role, rules_of(rollout.prompt.mode)
    body = answer_body(rollout)
    if (role is Role.PROPOSER and not rules.writes_program) or not isinstance(body, str):
        return None
    program = last_block(fences(body), PROGRAM_TAGS)
    return program and without_labelled_lines(program, "Input")


def has_comment(program: str) -> bool:
    """Tell whether a `#` is outside of strings, in time linear in the text, for any text."""
    opened, place = "", 0
    while found := MARKS.search(program, place):
        mark, place = found.group(), found.end()
        if not opened and mark == "#":
            return True
        if mark == "\n":
            opened = opened if len(opened) == 3 else ""
        elif not opened and mark[0] in "'\"":
            opened = mark
        elif mark == opened:
            opened = ""
        elif mark == opened * 3:  # the first of three closes it; a string may open with the others
            opened, place = "", found.start() + 1
    return False


def type_counts(name: str, types: Iterable[str]) -> dict[str, float]:
    """Return how many of the new cases have each type, and how many types there are."""
    counts = Counter(types)
    if not counts:
        return {}
    found: dict[str, float] = {f"types/{name}/{kind}": count for kind, count in counts.items()}
    return found | {f"types/{name}/distinct": len(counts)}


def input_type(arguments: str) -> str:
    """Return the type of the one argument, or `several` (AZR: tuple)."""
    try:
        kinds = [kind for _, kind in argument_types(arguments)]
    except LiteralError:
        return "other"
    return kinds[0] if len(kinds) == 1 else "several"
