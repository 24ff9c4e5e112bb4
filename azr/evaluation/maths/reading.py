r"""Reads the final answer in a completion about maths: in a box, in a tag, or named as the answer.

Thoughts are not read. Works on any text in linear time.
"""

import re

from azr.evaluation.grading.program_text import readings
from azr.types import Rollout
from sandbox_wasm.grading.text.completions import answer_parts

__all__ = ["last_box", "read_maths"]

BOX = re.compile(r"\\(?:boxed|fbox|framebox)(?![a-zA-Z])[ \t]*(\{?)|\\.|[{}]", re.DOTALL)
UNBRACED = re.compile(r"(?:\\[a-zA-Z]{1,20})?(?:\{[^{}]{0,80}\}){0,2}[^\s{}$]{0,80}")
CALLED = re.compile(
    r"""^[ \t*_\#>]{0,9}(?:(?:so|thus|therefore|hence)[ ,]{1,3})?(?:the[ ])?(?:final[ ])?answer
        [*_]{0,3}(?:[ ]is)?[ ]?[:=]?[*_]{0,3}[ ]?(\S[^\n]{0,300})$
      | ^\#{4}[ ]?(\S[^\n]{0,300})$""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
ALONE = re.compile(
    r"\*\*([^*\n]{1,80})\*\*\.?|\$\$?([^$\n]{1,80})\$?\$\.?|\\[(\[]([^\n]{1,80})\\[)\]]\.?"
)
"""Matches a last line that is nothing but bold text, or a formula."""
MAX_TAGGED_CHARS = 400


def read_maths(rollout: Rollout) -> str | None:
    r"""Return the last complete box, else the content of an answer tag or a named answer."""
    parts = [part for text in readings(rollout) for part in answer_parts(text)]
    for read in (last_box, called_answer):
        for part in parts:
            found = read(part)
            if found:
                return found
    if len(parts) > 1 and parts[0] != parts[1] and len(parts[0]) <= MAX_TAGGED_CHARS:
        return parts[0].strip() or None
    if rollout.truncated:
        return None
    ends = (answer_alone(part, rollout.prompt.text) for part in parts)
    return next(filter(None, ends), None)


def last_box(text: str) -> str | None:
    r"""What the last `\boxed{...}` or `\fbox{...}` that is closed and not empty holds.

    Braces that are shown (`\{`) do not count, and `\boxed 5` needs none.
    """
    opened: list[tuple[int, bool]] = []
    best = (-1, "")
    for token in BOX.finditer(text):
        word = token.group()
        if word == "{" or (token[1] == "{" and len(word) > 2):
            opened.append((token.end(), word != "{"))
        elif word == "}" and opened:
            start, is_box = opened.pop()
            if is_box and start > best[0] and (held := text[start : token.start()].strip()):
                best = (start, held)
        elif token[1] == "" and (bare := UNBRACED.match(text, token.end())) and bare.group():
            best = (token.end(), bare.group().rstrip(".,;"))
    return best[1] or None


def called_answer(text: str) -> str | None:
    """Return what the last line like `The answer is: 5` or `#### 5` says."""
    found = max(CALLED.finditer(text), key=lambda one: one.start(), default=None)
    return (found[1] or found[2]).strip() if found else None


def answer_alone(text: str, problem: str) -> str | None:
    """Return a last line that is only a bold number or a formula, and not from the problem."""
    line = text.rstrip().rpartition("\n")[2].strip()
    found = ALONE.fullmatch(line)
    held = next(filter(None, found.groups()), "").strip(" $.") if found else ""
    if not re.search(r"\d", held) or "=" in held:
        return None
    return None if not held.isdigit() and held in problem else held
