"""From completion text to blocks. Nothing here raises, and nothing here evaluates.

Every function accepts any text, works in time linear in its length, and returns text or
`None`/`ParseFailure`. The modes decide what a block means, and the judge whether it runs.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from azr.types import ParseFailure, ParseRules, Rollout

__all__ = [
    "PROGRAM_TAGS",
    "Fence",
    "answer_body",
    "boxed",
    "calls",
    "fences",
    "first_block",
    "has_entry",
    "has_function",
    "has_test_input",
    "is_wrapped",
    "labelled_lines",
    "last_block",
    "program_block",
    "tagged",
    "unwrapped",
    "without_labelled_lines",
]

Opener = Callable[[Rollout], str | ParseFailure]
"""A function that takes an envelope off."""

MAX_CHARS = 200_000
"""Longer completions are not read: 8,096 tokens of code are about 30,000 characters."""

FENCE = "```"
PROGRAM_TAGS = frozenset({"python", "py", "python3", ""})
KNOWN_TAGS = frozenset({"python", "py", "python3", "input", "output", "message"})


@dataclass(frozen=True, slots=True)
class Fence:
    """One fenced block: its tag in lower case, and the lines between the marks."""

    tag: str
    body: str


def fences(text: str) -> list[Fence]:
    """Return all closed fenced blocks, in order; a block that never closes does not count.

    Models write text before an opening mark, a closing mark at the end of the last line, a whole
    block on one line, and an opening mark where a closing one is missing. All of these are
    accepted.
    """
    found: list[Fence] = []
    tag: str | None = None
    lines: list[str] = []
    # split("\n"), not splitlines(): form feeds and Unicode separators end no line of Python.
    for line in text.split("\n"):
        before, mark, after = line.partition(FENCE)
        if not mark:
            lines.append(line)
            continue
        if tag is not None:
            if before.strip() and after.strip():  # a mark amid code is a string of the program
                lines.append(line)
                continue
            found.append(_block(tag, [*lines, before] if before.strip() else lines))
            tag = None
            if not after.strip():
                continue
        inner, closing, _ = after.partition(FENCE)
        tag, first = _tag_and_rest(inner)
        lines = [first] if first else []
        if closing:
            found.append(_block(tag, lines))
            tag = None
    return found


def _block(tag: str, lines: list[str]) -> Fence:
    return Fence(tag, "\n".join(lines).strip("\n").rstrip())


def _tag_and_rest(text: str) -> tuple[str, str]:
    """Split what follows an opening mark: "output 5" is tag and content, "5" is content."""
    word, _, rest = text.strip().partition(" ")
    if word.lower() in KNOWN_TAGS:
        return word.lower(), rest.strip()
    if not rest and word.isidentifier():
        return word.lower(), ""  # another language: a block, but none that we ask for
    return "", text.strip()


def first_block(blocks: Collection[Fence], tags: Collection[str]) -> str | None:
    """Return the body of the first block with one of the tags."""
    return next((block.body for block in blocks if block.tag in tags), None)


def last_block(blocks: Collection[Fence], tags: Collection[str]) -> str | None:
    """Return the body of the last block with one of the tags."""
    return first_block(list(reversed(list(blocks))), tags)


def tagged(text: str, tag: str) -> str | None:
    """Return the text between the last `<tag>` and the next `</tag>`."""
    start = text.rfind(f"<{tag}>")
    if start < 0:
        return None
    start += len(tag) + 2
    end = text.find(f"</{tag}>", start)
    return None if end < 0 else text[start:end].strip()


def labelled_lines(text: str, label: str) -> list[str]:
    """Return the text behind the label in lines like `# Input: 1, 2`; empty lines are left out."""
    found = re.findall(rf"(?im)^[ \t]*#[ \t]*{re.escape(label)}:(.*)$", text)
    return [line.strip() for line in found if line.strip()]


def calls(text: str) -> list[str]:
    """Return the argument lists of calls in lines that hold nothing else: `f(1, k=2), f(3)`.

    A string that holds "), f(" is split. Its parts are not literals and are refused later.
    """
    lines = (line.strip() for line in text.split("\n"))
    found = [line[2:-1] for line in lines if line.startswith("f(") and line.endswith(")")]
    return [call for line in found for call in line.split("), f(")]


def without_labelled_lines(text: str, label: str) -> str:
    """Return the text without those lines: a program must not carry its own input."""
    return re.sub(rf"(?im)^[ \t]*#[ \t]*{re.escape(label)}:.*(?:\n|\Z)", "", text)


def boxed(text: str) -> str | None:
    r"""What the last `\boxed{...}` holds; braces inside it must balance."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    start += len("\\boxed{")
    depth = 1
    for brace in re.finditer(r"[{}]", text[start:]):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return text[start : start + brace.start()].strip()
    return None


def unwrapped(text: str) -> str:
    """Remove the `f(...)` or `input(...)` that models like to put around an argument list.

    This is harmless: a call is not a literal, so no argument list is written like that.
    """
    text = text.strip()
    for opening in ("f(", "input("):
        if text.startswith(opening) and text.endswith(")"):
            return text[len(opening) : -1].strip()
    return text


def has_entry(program: str) -> bool:
    """Tell whether some line defines the entry function f."""
    return re.search(r"^def[ \t]+f[ \t]*\(", program, re.MULTILINE) is not None


def has_function(program: str) -> bool:
    """Tell whether some line defines a function of the module, whatever its name."""
    return re.search(r"^(?:async[ \t]+)?def[ \t]+\w", program, re.MULTILINE) is not None


def program_block(blocks: Collection[Fence], reading: ParseRules) -> str | ParseFailure:
    """Return the proposed program: the first or the last block of code with an entry function."""
    which = last_block if reading.code_block == "last" else first_block
    program = which(blocks, PROGRAM_TAGS)
    if not program:
        return ParseFailure("no program block")
    if reading.entry == "f":
        return program if has_entry(program) else ParseFailure("no function f")
    # By any other rule the judge renames one, whatever it is called.
    return program if has_function(program) else ParseFailure("no function")


TELLING_CHARS = 8
"""Shorter inputs (`5`, `'ab', 2`) occur in many programs by chance, so they prove nothing."""

TEST_SIGNS = re.compile(
    r"""^(?:expected|output|result|\w*input)\w*[ \t]*=(?!=)  # a global for a test
      | ^(?:\w+[ \t]*=[ \t]*|print[ \t]*\([ \t]*|assert[ \t]+)?(?-i:f)[ \t]*\(  # a call of f
      | ^[ \t]*assert\b
      | \#[ \t]*(?:tests?|examples?)\b""",
    re.IGNORECASE | re.VERBOSE,
)


def has_test_input(program: str, given: str) -> bool:
    """Tell whether the program seems to contain a test of itself, or its input.

    This is a heuristic like AZR's has_test_input, but narrower. AZR's also counts `result = []`
    inside a function, and every line that ends with a recursive call.
    """
    needle = "".join(given.split())
    if len(needle) >= TELLING_CHARS and needle in "".join(program.split()):
        return True
    # By line, each no longer than what it takes to write a name: \w*input looks back in it.
    return any(TEST_SIGNS.search(line[:200]) for line in program.split("\n"))


def answer_body(rollout: Rollout) -> str | ParseFailure:
    """Take the envelope off: the text that holds the blocks the prompt asked for."""
    if len(rollout.text) > MAX_CHARS:
        return ParseFailure("too long")
    opener = _OPENERS.get(rollout.prompt.envelope, _plain)
    body = opener(rollout) if opener in (_r1, _completion) else _past_thought(rollout, opener)
    if isinstance(body, ParseFailure) and rollout.truncated:
        return ParseFailure("truncated")
    return body


def _past_thought(rollout: Rollout, opener: Opener) -> str | ParseFailure:
    """Where the chat template opens a thought, the answer is what comes after it."""
    if not rollout.prompt.prefill.startswith("<think>"):
        return opener(rollout)
    _, closed, answer = rollout.text.rpartition("</think>")
    if not closed:
        return ParseFailure("thought not closed")
    bare = replace(rollout.prompt, prefill="")
    return opener(replace(rollout, prompt=bare, completion=answer.lstrip()))


def is_wrapped(rollout: Rollout) -> bool:
    """Tell whether the envelope separates the answer from the rest.

    If it does, a body without the requested block can still be the answer itself.
    """
    return rollout.prompt.envelope in WRAPPING


def _plain(rollout: Rollout) -> str | ParseFailure:
    return rollout.text


def _r1(rollout: Rollout) -> str | ParseFailure:
    """Thought, blanks, answer: in that order, from the first character on."""
    text, rule = rollout.text.lstrip(), rollout.prompt.reading.format
    if not text.startswith("<think>"):
        return ParseFailure("no think tags")
    seam = re.search(r"</think>\s*<answer>", text)
    if seam is None:
        return ParseFailure("no answer tags")
    if rule == "exact" and not _is_exact(text):
        return ParseFailure("not one thought and one answer")
    body = tagged(text, "answer")
    if body is None and rule == "prefix" and text.find("</answer>", seam.end()) >= 0:
        return text.rpartition("<answer>")[2].strip()  # an earlier answer is closed: enough for AZR
    return ParseFailure("answer not closed") if body is None else body


def _is_exact(text: str) -> bool:
    """Each of the four tags once, and nothing behind the last."""
    once = all(text.count(tag) == 1 for tag in ("<think>", "</think>", "<answer>", "</answer>"))
    return once and text.rstrip().endswith("</answer>")


def _boxed(rollout: Rollout) -> str | ParseFailure:
    body = boxed(rollout.text)
    return ParseFailure("no boxed answer") if body is None else body


def _completion(rollout: Rollout) -> str | ParseFailure:
    """The stop string was the last block's closing mark: put it back.

    Not after a truncation, where the block is really unfinished.
    """
    return rollout.text if rollout.truncated else f"{rollout.text}\n{FENCE}"


WRAPPING = frozenset({"r1", "boxed"})
"""Envelopes that hold the answer and nothing else."""

_OPENERS: dict[str, Opener] = {
    "r1": _r1,
    "boxed": _boxed,
    "none": _plain,
    "completion": _completion,
}
