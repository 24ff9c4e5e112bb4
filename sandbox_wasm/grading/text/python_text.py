"""What the text of Python alone shows: strings, definitions, lines that look like code.

Nothing here parses a program: the host does not trust its own parser with untrusted text. Every
function takes any text and works in time linear in its length.
"""

import keyword
import re
from collections.abc import Iterable

__all__ = [
    "After",
    "after",
    "defines",
    "is_code_line",
    "last_program",
    "split_future",
    "tested_name",
]

SEEN_CHARS = 300
"""Characters of a line that decide whether it is code."""

TOKENS = re.compile(r"\\.|\"\"\"|'''|[\"'#()\[\]{}\n]", re.DOTALL)
"""Everything that decides where a string, a comment or a bracket begins and ends."""

After = tuple[str, int]
"""State of a reader of Python: the quote (or #) it is inside of, else "", and open brackets."""


def after(text: str, start: After = ("", 0)) -> After:
    """Return the reader's state at the end of a text that it began to read at `start`."""
    quote, depth = start
    for token in TOKENS.finditer(text):
        mark = token.group()
        if mark[-1] == "\n" and (quote == "#" or (mark == "\n" and len(quote) == 1)):
            quote = ""
        elif quote:
            quote = "" if quote != "#" and mark.startswith(quote) else quote
        elif mark[0] in "\"'#":
            quote = mark
        elif mark in "([{":
            depth += 1
        elif mark in ")]}":
            depth = max(depth - 1, 0)
    return quote, depth


def defines(program: str, name: str) -> bool:
    """Tell whether lines of the program begin to define the name: a function, a class, a method.

    A method counts for a class of any name. A name that is assigned or imported counts as defined.
    """
    word = re.escape(name)
    own = re.compile(
        rf"""^(?:(?:async[ \t]+)?def|class)[ \t]+{word}[ \t]*[(:\[]
           | ^{word}[ \t]*(?::[^=\n]{{1,80}})?=(?!=)
           | ^from[ \t]+[\w.]+[ \t]+import[ \t](?:[^\n]{{0,200}}[ ,\t])?{word}[ \t]*(?:$|[,\#])""",
        re.MULTILINE | re.VERBOSE,
    )
    if own.search(program):
        return True
    method = re.compile(rf"^[ \t]+(?:async[ \t]+)?def[ \t]+{word}[ \t]*[(\[]", re.MULTILINE)
    has_class = re.search(r"^class[ \t]+\w+[ \t]*[:(\[]", program, re.MULTILINE)
    return has_class is not None and method.search(program) is not None


STRINGS = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
WORDS = re.compile(r"\w+|[^\w\s]")
KEYWORDS = frozenset([*keyword.kwlist, *keyword.softkwlist])
CODE = re.compile(
    r"""(?:async[ ]+)?def[ ]+\w+[ ]*[(\[] | class[ ]+\w+[ ]*[:(\[]
      | import[ ]+\w | from[ ]+[\w.]+[ ]+import\b | @\w
      | (?:async[ ]+)?for[ ].+[ ]in\b.*: | (?:if|elif|while|with|match|case|except|async)\b.*:
      | (?:try|else|finally|except)[ ]*:
      | (?:pass|break|continue)[ ]*(?:$|[;\#])
      | (?:return|raise|del|assert|global|await|yield)[ ]
      | \*?[\w.]+(?:\[[^=]*\])?(?:[ ]*,[^=:]*)?[ ]*(?:[-+%&|^@]|//?|\*\*?|<<|>>)?=(?!=)
      | [(\[][\w, ]+[)\]][ ]*=(?!=)
      | (?:[a-z_]\w*|[A-Z_]+):[ ]*[\w.\[\], |"']+=(?!=)
      | [\w.]+\((?!.*\)[ ]*(?:=(?!=)|->|→))
      | \[.*\bfor\b.*\] | [rfbRFB]?["]{3} | [rR]?[']{3}""",
    re.VERBOSE,
)


def is_code_line(line: str) -> bool:
    """Tell whether a line at the left margin looks like a statement and not like a sentence.

    In Python two names never follow each other; in a sentence they do.
    """
    seen = line[:SEEN_CHARS].rstrip().expandtabs(1)
    if CODE.match(seen) is None:
        return False
    words = WORDS.findall(STRINGS.sub('""', seen).partition("#")[0])
    return not any(map(is_sentence, words, words[1:]))


def is_sentence(word: str, following: str) -> bool:
    """Tell whether two words follow each other that never do so in Python."""
    if following in KEYWORDS or not (following[0].isalnum() or following[0] == "_"):
        return False
    return word in ")]}" or ((word[0].isalnum() or word[0] == "_") and word not in KEYWORDS)


DEFINED = re.compile(r"\b(?:def|class)[ \t]+(\w+)|(?<![\w.])(\w+)[ \t]*=")
IMPORTED = re.compile(r"^[ \t]*(?:from|import)\b([^\n]*)", re.MULTILINE)
CALLED = re.compile(r"(?<![\w.])(\w+)[ \t]*\(")


def last_program(programs: Iterable[str]) -> str | None:
    """Return the last text that stands alone, and is not a usage of what one before it defines."""
    found: str | None = None
    defined: set[str] = set()
    for program in programs:
        own = names_of(program)
        called = {name for name in CALLED.findall(program) if name in defined}
        if called - own:
            continue
        found = program
        defined |= own
    return found


def names_of(program: str) -> set[str]:
    """Return the names that a text defines, assigns or imports; too many, if in doubt."""
    found = {name for pair in DEFINED.findall(program) for name in pair if name}
    for line in IMPORTED.findall(program):
        found.update(re.findall(r"\w+", line))
    return found


MADE = re.compile(r"^[ \t>.]*(?:(?:async[ \t]+)?def|class)[ \t]+(\w+)", re.MULTILINE)
USED = re.compile(r"(?<![\w.])[A-Za-z_]\w*")


def tested_name(text: str, tests: str) -> str:
    """Return the first function or class that the text defines and the tests only use."""
    made = set(MADE.findall(text)) - set(MADE.findall(tests))
    return next((name for name in USED.findall(tests) if name in made), "")


FUTURE = re.compile(
    r"from[ \t]+__future__[ \t]+import[ \t]*(?:\([^)]*\)|(?:[^\n\\]|\\.)*)", re.DOTALL
)
BEFORE_FUTURE = re.compile(
    r'[ \t]*(?:#[^\n]*)?\n|[rRuU]?"""(?:[^"\\]|\\.|"(?!""))*"""'
    r"|[rRuU]?'''(?:[^'\\]|\\.|'(?!''))*'''"
    r'|[rRuU]?"(?!"")(?:[^"\\\n]|\\.)*"|[rRuU]?\'(?!\'\')(?:[^\'\\\n]|\\.)*\'',
    re.DOTALL,
)
"""Matches a blank line, a comment line or a docstring."""


def split_future(program: str) -> tuple[str, str]:
    """Take out the leading `from __future__` lines, because they must come first.

    Returns:
        These lines, each with its newline ("" without any), and the program without them.
    """
    futures: list[str] = []
    rest: list[str] = []
    position = 0
    while found := FUTURE.match(program, position) or BEFORE_FUTURE.match(program, position):
        (futures if found.re is FUTURE else rest).append(found.group())
        position = found.end()
    return "".join(f"{line}\n" for line in futures), "".join(rest) + program[position:]
