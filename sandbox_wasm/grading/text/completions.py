"""The program in a completion: the one reader for trainers' adapters and for `azr eval`.

    completion -> text_of -> answer parts (no thought) -> fenced blocks, bare code -> the program

Every function works on any text in linear time and never raises. Nothing is parsed or run. Text
that does not look like a program is never taken for one: a sentence or an output is never run.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from textwrap import dedent
from typing import Any, cast

from sandbox_wasm.grading.text.fences import PYTHON_TAGS, READ_TAGS, Segment, segments
from sandbox_wasm.grading.text.python_text import after, defines, is_code_line, last_program

__all__ = ["answer_parts", "read_program", "text_of"]


def text_of(completion: object) -> str:
    """Return the text of a completion: a string, or a conversation's last answer.

    A message is a mapping or an object with `content`, which is a text or a list of parts. Parts
    that are not text (thoughts, pictures, calls of tools) are left out. Anything else has no text.
    """
    if isinstance(completion, list | tuple):
        messages = cast("Sequence[object]", completion)
        answers = [message for message in messages if field(message, "role") == "assistant"]
        spoken = [message for message in messages if field(message, "role") is None]
        completion = (answers or spoken or [None])[-1]
    if isinstance(completion, str):
        return completion
    content = field(completion, "content")
    if isinstance(content, list | tuple):
        return "".join(map(text_of_part, cast("Sequence[object]", content)))
    return content if isinstance(content, str) else ""


def text_of_part(part: object) -> str:
    """Return the text of one part of a message."""
    if isinstance(part, str):
        return part
    text = field(part, "text")
    is_spoken = field(part, "type") in (None, "text", "output_text")
    return text if is_spoken and isinstance(text, str) else ""


def field(record: object, name: str) -> object:
    """Return a field of a mapping or an object; None without it."""
    if isinstance(record, Mapping):
        return cast("Mapping[str, Any]", record).get(name)
    return getattr(record, name, None)


def read_program(text: str, entry: str = "") -> str | None:
    """Return the program of a completion, or None if nothing looks like one.

    The reader looks behind the thought, in `<answer>` first. If `entry` is known, it takes the last
    fenced block that defines it, else an open block or bare code that does. Otherwise it takes the
    last block tagged as Python, else an untagged block that looks like code, else an open block,
    else bare code; of several, one that only uses what another before it defines does not count.
    Blocks of other languages, outputs and transcripts of shells are never the program.

    Args:
        text: Untrusted, of any length.
        entry: What is called: a function, a class, or a path that begins with one (`Solution().f`);
            empty if it is not known.
    """
    found = re.match(r"\w+", entry)
    name = found.group() if found else ""
    parts = [Candidates(part) for part in answer_parts(text.replace("\r\n", "\n"))]
    if name:
        for part in parts:
            program = part.defining(name)
            if program is not None:
                return program
    return next((found for part in parts if (found := part.likely(may_be_bare=not entry))), None)


THOUGHT = re.compile(
    r"""(?:(?<=```)|(?<!["'`\\(]))(?:<(/?)(?:seed:)?(?:think|thinking|thought|thoughts|reasoning)>|\[(/?)THINK\])
        (?!["')]|`(?!``))""",
    re.VERBOSE | re.IGNORECASE,
)
"""Matches a tag of a thought, unless it is quoted, as in a program or in a sentence about tags."""
ANSWER = re.compile(r"^[ \t]*<answer>", re.MULTILINE)


def answer_parts(text: str) -> list[str]:
    """Return the parts of a text outside thoughts, the last part first.

    The content of an answer tag comes before the part that holds it. If the first tag ends a
    thought, the thought began with the text (the prompt opened it). A thought that never ends
    leaves no answer behind it.
    """
    parts: list[str] = []
    position, thinks = 0, False
    for tag in THOUGHT.finditer(text):
        is_end = bool(tag[1] or tag[2])
        if is_end:
            position = tag.end()
        elif not thinks:
            parts.append(text[position : tag.start()])
        thinks = not is_end
    if not thinks:
        parts.append(text[position:])
    return [part for whole in reversed(parts) for part in (*answered(whole), whole)]


def answered(part: str) -> Iterator[str]:
    """Yield the content of the last answer tag, if there is one."""
    start = max((tag.end() for tag in ANSWER.finditer(part)), default=-1)
    if start >= 0:
        yield part[start:].partition("</answer>")[0]


class Candidates:
    """The texts in one part of a completion that could be the program, in order."""

    def __init__(self, part: str) -> None:
        found = segments(part)
        if began_inside(found):
            found = segments(f"```python\n{part}")
        blocks = [typed(segment) for segment in found if segment.tag in READ_TAGS]
        blocks = [block for block in blocks if block.text.strip()]
        closed = [block for block in blocks if block.closed]
        self._python = [block.text for block in closed if block.tag in PYTHON_TAGS]
        self._untagged = [block.text for block in closed if block.tag not in PYTHON_TAGS]
        self._closed = [block.text for block in closed]
        self._open = [block.text for block in blocks if not block.closed]
        prose = [segment.text for segment in found if segment.tag is None]
        if prose and found[0].tag is None:
            prose[0] = part  # a program's own strings may hold fences
        self._bare = [code for text in prose for code in bare_code(text)]

    def defining(self, name: str) -> str | None:
        """Return the last text that defines the name: whole blocks, an open one, bare code."""
        for texts in (self._closed, self._open, self._bare):
            for text in reversed(texts):
                for program in (text, dedent(text) if text[0] in " \t" else ""):
                    if defines(program, name):
                        return program
        return None

    def likely(self, *, may_be_bare: bool) -> str | None:
        """Return the text that looks most like a program.

        Without `may_be_bare`, bare code must be indented: it continues the prompt's last line.
        """
        untagged = [text for text in self._untagged if is_code(text)]
        bare = [text for text in self._bare if may_be_bare or text[0] in " \t"]
        for texts in (self._python, untagged, self._open, bare):
            program = last_program(texts)
            if program is not None:
                return program
        return None


def began_inside(found: list[Segment]) -> bool:
    """Tell whether the text begins inside a block that the prompt opened."""
    if len(found) < 2 or found[-1].closed or found[0].tag is not None or found[1].tag != "":
        return False
    return is_code(found[0].text)


def is_code(text: str) -> bool:
    """Tell whether the first line that is not a comment looks like code."""
    for line in text.split("\n"):
        if line.strip() and not line.lstrip().startswith("#"):
            return is_code_line(line.strip())
    return False


def typed(block: Segment) -> Segment:
    """Return what was typed in a transcript of the interpreter; any other block unchanged."""
    if not block.text.lstrip().startswith(">>>"):
        return block
    lines = [line.strip() for line in block.text.split("\n")]
    entered = [line[4:] for line in lines if line.startswith((">>>", "..."))]
    return replace(block, tag="pycon", text="\n".join(entered))


def bare_code(text: str) -> list[str]:
    """Return runs of lines that look like code, up to the first fence outside of their strings."""
    found: list[list[str]] = [[]]
    where = ("", 0)
    is_first = True
    for line in text.split("\n"):
        run = found[-1]
        if where == ("", 0) and line.strip():
            if line.lstrip().startswith(("```", "~~~")):
                break
            if not goes_on(line, is_first=is_first, after_code=bool(run)):
                found.append([])
                is_first = False
                continue
            is_first = False
        if run or line.strip():
            run.append(line)
            where = after(f"{line}\n", where)
    return [code for run in found if (code := "\n".join(run).rstrip())]


def goes_on(line: str, *, is_first: bool, after_code: bool) -> bool:
    """Tell whether a line belongs to a program, after one of its lines or as the first."""
    if line[0] in " \t":
        return after_code or (is_first and is_code_line(line.strip()))
    return is_code_line(line) or (after_code and line[0] in "#)]}")
