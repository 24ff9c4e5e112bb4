"""Taking a test text of many asserts apart, for a share of them. By its lines: nothing is parsed.

What is not plainly a row of asserts is left whole: a share then counts it as one test.
"""

import re

__all__ = ["apart"]

CHECK_LINE = re.compile(r"^def[ \t]+check[ \t]*\([^)\n]*\)[^\n]*:[ \t]*$", re.MULTILINE)


def apart(source: str) -> list[str]:
    """The text once for each of its asserts, with what stands before and after them.

    The asserts stand at the left edge, or are the body of `check`. Empty where there are not two of
    them, or where anything but an assert stands between.
    """
    if '"""' in source or "'''" in source:
        return []
    check = CHECK_LINE.search(source)
    if check is None:
        return around("", source, "", "")
    head, rest = source[: check.end() + 1], source[check.end() + 1 :]
    after = re.search(r"^\S", rest, re.MULTILINE)
    end = after.start() if after else len(rest)
    return around(head, rest[:end], rest[end:], "candidate")


def around(head: str, body: str, tail: str, must_have: str) -> list[str]:
    """One text for each assert of the body that speaks of what is tested."""
    found = statements(body)
    first = next((i for i, one in enumerate(found) if is_assert(one)), len(found))
    setup, asserts = found[:first], found[first:]
    if len(asserts) < 2 or not all(map(is_assert, asserts)):
        return []
    return [
        f"{head}{''.join(setup)}{one.rstrip()}\n{tail}" for one in asserts if must_have in one
    ]  # fmt: skip


def is_assert(statement: str) -> bool:
    """Whether its first line begins so."""
    return re.match(r"[ \t]*assert\b", statement) is not None


def statements(body: str) -> list[str]:
    """Lines joined where one goes on: further in, with a closing bracket, or after a backslash."""
    found: list[str] = []
    indent: str | None = None
    goes_on = False
    for line in body.splitlines(keepends=True):
        text = line.strip()
        if not goes_on and (not text or text.startswith("#")):
            continue
        lead = line[: len(line) - len(line.lstrip(" \t"))]
        indent = lead if indent is None else indent
        if found and (goes_on or lead != indent or text[0] in ")]}"):
            found[-1] += line
        else:
            found.append(line)
        goes_on = text.endswith("\\")
    return found
