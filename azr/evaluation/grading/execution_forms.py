r"""Forms of answers to an execution item: `[1]`, `**5**.`, `assert f(2) == 4`, `Output: 5`.

A text counts only if it is a literal (an argument list, if an input is asked for). All functions
work on any text in linear time, and evaluate nothing.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

from azr.types import Mode, Task
from sandbox_wasm.literals import (
    LiteralError,
    canonical_arguments,
    canonical_literal,
    require_literal,
)

__all__ = ["Asked"]

NAMES = {
    True: r"outputs?|answer|results?|return(?:ed)?[ ]value|value[ ]returned",
    False: r"inputs?|answer|arguments?|args",
}
"""What an output is called, and an input."""
LEADING = " \t\n>#*_+`-"
"""A bullet, a quote, a heading or bold type before a label."""
THUS = r"(?:\d{1,2}[.)][ ]{1,3})?[*_`]{0,3}(?:(?:so|thus|therefore|hence)[ ,]{1,3})?(?:the[ ])?"
KIND = r"(?:(?:final|expected|correct|predicted|possible|resulting|one|a|an)[ ]){0,2}"
SAYS = r"(?:is|are|was|will[ ]be|would[ ]be|could[ ]be|can[ ]be)\b:?"
LABELS = {
    is_output: re.compile(
        rf"{THUS}{KIND}(?:{names})[*_`]{{0,3}}(?:[ ](?:of|for)[ ][^\n]{{1,200}}?)?[*_`]{{0,3}}[ ]?"
        rf"(?::|=(?!=)|{SAYS})[*_]{{0,3}}",
        re.IGNORECASE,
    )
    for is_output, names in NAMES.items()
}
HEADINGS = {
    is_output: re.compile(rf"{KIND}(?:{names})", re.IGNORECASE)
    for is_output, names in NAMES.items()
}
SENTENCES = {
    True: re.compile(
        rf"\b(?:output|answer|return value) {SAYS.replace('[ ]', ' ')}"
        r"|\b(?:function|code|program|it) (?:returns|outputs)\b:?",
        re.IGNORECASE,
    ),
    False: re.compile(rf"\b(?:input|answer) {SAYS.replace('[ ]', ' ')}", re.IGNORECASE),
}
CALL = re.compile(
    r"[`*\s]{0,6}(?:>>>\s{0,3}|[-*]\s{1,3})?(?P<assert>assert\b\s{0,3})?\(?\s{0,3}[A-Za-z_]\w{0,80}\("
)
YIELDS = re.compile(r"\)[ `*]{0,6}(?:==|=>|->|=|\u2192|\u21d2|returns?\b|outputs?\b|gives\b)")
MESSAGE = re.compile(r""",\s{0,3}f?("[^"\n]*"|'[^'\n]*')$""")
WRAPPERS = (("**", "**"), ("`", "`"), ("*", "*"), ("$", "$"), ("\\(", "\\)"), ("\\text{", "}"))
MOST_WRAPPERS = 6
MOST_SPLITS = 8
"""Places where a call's arguments could end; no real answer has more."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the item asks for, and what it gives."""

    is_output: bool
    given: str
    """The arguments, or the output if an input is asked for; canonical, "" if it has no such form.
    """

    @classmethod
    def of(cls, task: Task) -> Self:
        """Of a task of deduction or abduction."""
        is_output = task.mode is Mode.DEDUCTION
        case = task.cases[0]
        if is_output:
            return cls(is_output, canonical_or_none(canonical_arguments, case.input) or "")
        return cls(is_output, canonical_or_none(canonical_literal, case.output) or "")

    @property
    def tag(self) -> str:
        """Tag of the fence that the prompt asks for."""
        return "output" if self.is_output else "input"

    def whole(self, text: str, *, is_certain: bool) -> str | None:
        """Return the answer if it is all of a text: alone, in a call with its value, labelled."""
        for said in (text, self._labelled(text) or ""):
            found = self.alone(said)
            if found is None:
                found = self.in_call(said, is_certain=is_certain)
            if found is not None:
                return found
        return None

    def alone(self, text: str) -> str | None:
        """The answer and nothing but its typography."""
        return next((one for one in map(self._answer, spellings(text)) if one is not None), None)

    def in_line(self, line: str) -> str | None:
        """Return the answer in a line that names it."""
        for said in (line, self._labelled(line), self._said(line)):
            found = None if said is None else self.in_call(said, is_certain=False)
            if found is None and said is not None and said is not line:
                found = self.alone(said)
            if found is not None:
                return found
        return None

    def is_label(self, line: str) -> bool:
        """Tell whether a line announces the answer for the next line."""
        said = self._labelled(line)
        if said is None:
            return HEADINGS[self.is_output].fullmatch(line.strip(LEADING)) is not None
        return not said.strip(" *_`")

    def _labelled(self, text: str) -> str | None:
        """What follows a label that begins the text."""
        text = text.lstrip(LEADING)
        label = LABELS[self.is_output].match(text)
        return text[label.end() :] if label else None

    def _said(self, line: str) -> str | None:
        """What follows the last cue of a sentence."""
        cues = list(SENTENCES[self.is_output].finditer(line))
        return line[cues[-1].end() :] if cues else None

    def in_call(self, text: str, *, is_certain: bool) -> str | None:
        """Return the answer in `f(..) == X`; for another call, the given part must agree."""
        for spelled in spellings(text):
            for arguments, value, is_right_way in equations(spelled):
                found = self._side(arguments, value)
                if found is not None and (is_certain or self._agrees(arguments, value)):
                    return found
                if is_certain and self.is_output and is_right_way and is_literal(value):
                    return value
        return None

    def repeats(self, answer: str) -> bool:
        """Tell whether an input is the given output, repeated rather than found."""
        return not self.is_output and canonical_or_none(canonical_literal, answer) == self.given

    def _side(self, arguments: str, value: str) -> str | None:
        """What is asked for of an equation whose arguments are an argument list."""
        if canonical_or_none(canonical_arguments, arguments) is None:
            return None
        if self.is_output:
            return value if is_literal(value) else None
        return arguments

    def _agrees(self, arguments: str, value: str) -> bool:
        if self.is_output:
            return canonical_or_none(canonical_arguments, arguments) == self.given
        return canonical_or_none(canonical_literal, value) == self.given

    def _answer(self, text: str) -> str | None:
        if self.is_output:
            return text if is_literal(text) else None
        if text and canonical_or_none(canonical_arguments, text):
            return text
        call = re.match(r"(?:f|input)\(", text)
        if call and text.endswith(")"):
            held = text[call.end() : -1].strip()
            return held if canonical_or_none(canonical_arguments, held) is not None else None
        return None


def spellings(text: str) -> Iterator[str]:
    """A text without its final stop, then without the marks around it, one pair after another."""
    for _ in range(MOST_WRAPPERS):
        text = text.strip()
        bare = text[:-1].rstrip() if text.endswith(".") else text
        yield bare
        pair = next(
            (
                (start, end) for start, end in WRAPPERS
                if bare.startswith(start) and bare.endswith(end) and len(bare) > len(start + end)
            ),
            None,
        )  # fmt: skip
        if pair is None:
            return
        text = bare[len(pair[0]) : -len(pair[1])]


def equations(text: str) -> Iterator[tuple[str, str, bool]]:
    """Ways to read `f(ARGUMENTS) == VALUE`, or the same from right to left."""
    call = CALL.match(text)
    if call:
        splits = YIELDS.finditer(text, call.end())
        for split in (one for one, _ in zip(splits, range(MOST_SPLITS), strict=False)):
            value = text[split.end() :].strip()
            if call["assert"] and (message := MESSAGE.search(value)):
                value = value[: message.start()] if is_literal(value[: message.start()]) else value
            value = next(filter(is_literal, spellings(value)), value)
            yield text[call.end() : split.start()], value, split.group().endswith("==")
        return
    value, _, call_text = text.rpartition("==")
    call = CALL.match(call_text)
    if call and call_text.endswith(")"):
        yield call_text[call.end() : -1], value.removeprefix("assert ").strip(), False


def is_literal(text: str) -> bool:
    """Tell whether the text is one literal and nothing else."""
    try:
        require_literal(text)
    except LiteralError:
        return False
    return True


def canonical_or_none(canonical: Callable[[str], str], text: str) -> str | None:
    """Return the canonical text, or None if there is none."""
    try:
        return canonical(text)
    except LiteralError:
        return None
