"""Reads the answer to an execution item in a completion.

Models write answers in many forms. Every form is read that can be nothing else (`execution_forms`
knows the forms of one text). A fence with the requested tag, a box or an answer mark wins over all
others. Of several of one kind the last wins. A thought never counts. Works on any text in linear
time.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from azr.evaluation.grading.execution_forms import Asked
from azr.evaluation.grading.program_text import readings
from azr.evaluation.maths.reading import last_box
from azr.evaluation.suites.items import ExecutionItem
from azr.game.modes import rules_of
from azr.types import ParseFailure, Rollout
from sandbox_wasm.grading.text.completions import answer_parts
from sandbox_wasm.grading.text.fences import PYTHON_TAGS, READ_TAGS, Segment, segments

__all__ = ["read_execution"]

THOUGHT = re.compile(r"\[THOUGHT\].*?(?:\[/THOUGHT\]|\Z)", re.DOTALL)
MARKED = re.compile(r"\[ANSWER\](.*?)(?:\[/ANSWER\]|\Z)", re.DOTALL)
"""As in CRUXEval's own prompts (prompts.py of github.com/facebookresearch/cruxeval)."""
ESCAPED = re.compile(r"\\([{}_#$%&])")
PLAIN_TAGS = READ_TAGS | {"json", "text", "txt", "plain", "plaintext", "result", "literal"}


def read_execution(item: ExecutionItem, rollout: Rollout) -> str | None:
    """Return the literal or argument list; None if nothing can be taken for it.

    A block with the right tag whose text is not a literal is an answer too, and a wrong one.
    """
    asked = Asked.of(item.task)
    parts = [
        part
        for text in readings(rollout)
        for part in answer_parts(THOUGHT.sub("\n", text))
        if part.strip()
    ]
    for part in parts:
        found = answer_in(asked, part, is_cut=rollout.truncated)
        if found is not None:
            return found
    return next((found for part in parts if (found := in_self_play(item, rollout, part))), None)


def in_self_play(item: ExecutionItem, rollout: Rollout, part: str) -> str | None:
    """Return what self-play would find in a text without an envelope, literal or not."""
    prompt = replace(rollout.prompt, envelope="none", prefill="")
    bare = replace(rollout, prompt=prompt, completion=part)
    answer = rules_of(item.task.mode).read_answer(bare)
    return None if isinstance(answer, ParseFailure) else answer.content


def answer_in(asked: Asked, part: str, *, is_cut: bool) -> str | None:
    """The answer in a text that is no thought; the end of a text that was cut says nothing."""
    found = [one for one in segments(part) if one.text.strip() and (one.closed or not is_cut)]
    texts = (marked(asked, part, found), unmarked(asked, part, found, is_cut=is_cut))
    return next((one for each in texts for one in each), None)


def marked(asked: Asked, part: str, found: list[Segment]) -> Iterator[str]:
    """What stands where the prompt wants it, the last first."""
    places = [(one.start(), one[1]) for one in MARKED.finditer(part)]
    places += [(one.start, one.text) for one in found if one.tag == asked.tag]
    box = last_box(part)
    if box is not None:
        places += [(part.rfind(box), text) for text in (ESCAPED.sub(r"\1", box), box)]
    for _, text in sorted(places, key=lambda place: place[0], reverse=True):
        for block in reversed(segments(text)):
            answer = asked.whole(block.text, is_certain=True)
            if answer is not None:
                yield answer


def unmarked(asked: Asked, part: str, found: list[Segment], *, is_cut: bool) -> Iterator[str]:
    """What can be nothing else, the last first: alone, in a block, in a line that names it."""
    alone = None if is_cut else asked.whole(part, is_certain=False)
    if alone is not None:
        yield alone
    repeated: list[str] = []
    for segment in reversed(found):
        if segment.tag is None:
            is_end = segment is found[-1] and not is_cut
            yield from in_prose(asked, segment.text, is_end=is_end)
        elif segment.tag in PLAIN_TAGS:
            answer = asked.whole(segment.text, is_certain=False)
            if answer is not None and asked.repeats(answer):
                repeated.append(answer)
            elif answer is not None:
                yield answer
            elif segment.tag == "" or segment.tag in PYTHON_TAGS:
                yield from in_prose(asked, segment.text, is_end=False)
    yield from repeated


def in_prose(asked: Asked, text: str, *, is_end: bool) -> Iterator[str]:
    """What the lines say, the last first; the last of all may be nothing but the answer."""
    paragraphs = re.split(r"\n[ \t]*\n", text.strip())
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if is_end and lines:
        ends = (asked.alone(lines[-1]), asked.alone(paragraphs[-1]))
        yield from [end for end in ends if end is not None][:1]
    following = ""
    for line in reversed(lines):
        answer = asked.in_line(line)
        if answer is None and following and asked.is_label(line):
            answer = asked.alone(following)
        if answer is not None:
            yield answer
        following = line
