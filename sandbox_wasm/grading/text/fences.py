"""The fenced blocks of a model's text, and the text between them.

Blocks are those of CommonMark (0.31, 4.5), and more: a mark may follow a word, a mark with a tag
ends a block that was not closed, and marks inside a triple-quoted string belong to the program.
Training has a reader of its own (azr.game.modes.parse), because its rules are part of a run.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sandbox_wasm.grading.text.python_text import After, after

__all__ = ["PYTHON_TAGS", "READ_TAGS", "Segment", "segments"]

PYTHON_TAGS = frozenset(
    {"python", "py", "python3", "py3", "ipython", "ipython3", "python2", "cpython"}
)
LOOSE_TAGS = frozenset({"", "code", "solution", "program", "answer"})
TRANSCRIPT_TAGS = frozenset({"pycon", "pycon3", "python-repl", "python-console", "doctest"})
READ_TAGS = PYTHON_TAGS | LOOSE_TAGS | TRANSCRIPT_TAGS
"""Tags of blocks that can be the program."""
OTHER_TAGS = frozenset({
    "bash", "sh", "shell", "zsh", "console", "terminal", "powershell", "cmd", "text", "txt",
    "plain", "plaintext", "output", "out", "input", "result", "json", "yaml", "toml", "xml", "html",
    "css", "javascript", "js", "typescript", "ts", "java", "c", "cpp", "c++", "cs", "csharp", "go",
    "rust", "ruby", "php", "sql", "r", "scala", "kotlin", "swift", "haskell", "perl", "lua",
    "latex", "tex", "math", "markdown", "md", "diff", "csv", "ini", "makefile", "dockerfile",
    "pseudocode", "mermaid", "message", "error", "traceback", "log", "stdin", "stdout",
})  # fmt: skip

MARK = re.compile(r"`{3,}|~{3,}")
MARKS_A_LINE = 8
"""More marks on one line are not fences, and reading them would take too long."""
MAX_REWINDS = 8
LEAD = re.compile(r"[ \t]*(?:(?:[-*+>]|\d{1,3}[.)])[ \t]+)*")
"""What may precede a mark that begins its line: blanks, a list's bullet or number."""
HELD = re.compile(r"(?:async[ \t]|def[ \t]|class[ \t]|import[ \t]|from[ \t]|@)")


@dataclass(frozen=True, slots=True)
class Segment:
    """A fenced block, or the text between two blocks."""

    tag: str | None
    """The tag in lower case, "" without one; None for text outside of blocks."""
    text: str
    closed: bool = True
    start: int = 0
    """Where the block's mark, or the text outside, begins."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Three or more backticks or tildes, with the text on their line (up to other marks)."""

    start: int
    end: int
    kind: str
    before: str
    after: str
    pairs: bool
    """Another mark follows on this line."""

    @property
    def leads(self) -> bool:
        """Tell whether it begins its line."""
        return LEAD.fullmatch(self.before) is not None

    @property
    def column(self) -> int:
        """How far the block is indented."""
        return len(self.before) if self.leads else 0

    def closes(self, opening: "Mark") -> bool:
        """Tell whether it ends the block: a mark of the same kind, at least as long."""
        return self.kind[0] == opening.kind[0] and len(self.kind) >= len(opening.kind)


def segments(text: str) -> list[Segment]:
    """Split a text, in order, into blocks and the text between them."""
    return list(Scanner(text).run())


def marks_in(text: str) -> Iterator[Mark]:
    """Find the marks, a few per line."""
    line_start = line_end = previous = count = 0
    found = list(MARK.finditer(text))
    for number, mark in enumerate(found):
        if mark.start() >= line_end:
            line_start = text.rfind("\n", previous, mark.start()) + 1 or line_start
            line_end = text.find("\n", mark.end())
            line_end = len(text) if line_end < 0 else line_end
            previous, count = line_start, 0
        count += 1
        if count > MARKS_A_LINE:
            previous = mark.end()
            continue
        following = found[number + 1].start() if number + 1 < len(found) else len(text)
        yield Mark(
            start=mark.start(),
            end=mark.end(),
            kind=mark.group(),
            before=text[previous : mark.start()],
            after=text[mark.end() : min(following, line_end)],
            pairs=following < line_end,
        )
        previous = mark.end()


class Scanner:
    """Goes from mark to mark."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._marks = list(marks_in(text))
        self._next = 0
        self._outside = 0
        self._rewinds = 0

    def run(self) -> Iterator[Segment]:
        """Everything."""
        while self._next < len(self._marks):
            opening = self._marks[self._next]
            self._next += 1
            if opens(opening):
                yield from self._block(opening)
        yield from self._prose(len(self._text))

    def _prose(self, end: int) -> Iterator[Segment]:
        if self._text[self._outside : end].strip():
            yield Segment(None, self._text[self._outside : end], start=self._outside)

    def _block(self, opening: Mark) -> Iterator[Segment]:
        yield from self._prose(opening.start)
        tag, first = tag_of(opening.after)
        closing = self._closing(opening, tag)
        end = len(self._text) if closing is None else closing.start
        self._outside = len(self._text) if closing is None else closing.end
        body = self._text[opening.end + len(opening.after) : end]
        text = dedented(f"{first}{body}", opening.column)
        yield Segment(tag, text, closing is not None, opening.start)
        if closing is not None and is_tag(closing.after.strip()):
            # A mark with a tag where a block should have ended: it begins one of its own, too.
            self._outside = closing.start
            self._next -= 1

    def _closing(self, opening: Mark, tag: str) -> Mark | None:
        """The mark that ends the block; the next one to look at is behind it."""
        reads = tag in READ_TAGS and self._rewinds < MAX_REWINDS
        where: After = ("", 0)
        position = opening.end + len(opening.after)
        quoted: list[int] = []
        for index in range(self._next, len(self._marks)):
            mark = self._marks[index]
            if not mark.closes(opening):
                continue
            if reads:
                where = after(self._text[position : mark.start], where)
                position = mark.start
            if where[0]:
                if len(where[0]) == 3 and mark.leads:
                    quoted.append(index)
            elif mark.leads or reads or not mark.after.strip():
                self._next = index + 1
                return mark
        return self._last_resort(quoted, after(self._text[position:], where) if reads else where)

    def _last_resort(self, quoted: list[int], where: After) -> Mark | None:
        """No mark closes. Where a string never ends, its first mark was none of its text."""
        if quoted and (where[0] or len(quoted) % 2):
            self._rewinds += 1
            self._next = quoted[0] + 1
            return self._marks[quoted[0]]
        self._next = len(self._marks)
        return None


def opens(mark: Mark) -> bool:
    """Tell whether a block begins: on its own line, or behind a word with nothing but a tag."""
    if mark.kind[0] == "~":
        return mark.leads
    rest = mark.after.strip()
    return mark.leads or mark.pairs or not rest or is_tag(rest)


def is_tag(word: str) -> bool:
    """Tell whether a word is a language's name."""
    return bool(word) and tag_of(word)[0] != "" and not re.search(r"\s", word)


def tag_of(info: str) -> tuple[str, str]:
    """Split what follows an opening mark: the language, and text that belongs to the block."""
    found = re.match(r"\s*[{.]*\s*([\w+#-]*)(?:\.\w+)?[:},;]?", info[:200])
    word = found[1].lower() if found else ""
    rest = info[found.end() :].strip() if found else ""
    if word and word in READ_TAGS:
        return word, rest if HELD.match(rest) else ""
    if re.fullmatch(r"\s*[\w/-]+\.py\s*", info[:200]):
        return "python", ""
    if word in OTHER_TAGS:
        return word, rest
    if info.strip().isidentifier():
        return info.strip().lower(), ""  # another language: a block, but never the program
    return "", info.strip()


def dedented(body: str, column: int) -> str:
    """Remove the fence's indentation, as far as the first line has it, and blanks around."""
    lines = body.strip("\n").rstrip().split("\n")
    first = next((line for line in lines if line.strip()), "")
    width = min(column, len(first) - len(first.lstrip(" \t")))
    return "\n".join(line[min(width, len(line) - len(line.lstrip(" \t"))) :] for line in lines)
