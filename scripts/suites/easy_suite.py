"""Write azr/evaluation/suites/easy.jsonl: short programs for small models, none from anywhere.

CRUXEval is out of reach for models below 1B; a curve that stays at the bottom says nothing about
learning. These programs have one to five lines, and every line was written for this file. Outputs
are those of the interpreter that runs this script; a test runs all of them in the sandbox again.

    .venv/bin/python scripts/suites/easy_suite.py
"""

import json
import sys
from pathlib import Path

OUTPUT = Path(__file__).parents[2] / "azr" / "evaluation" / "suites" / "easy.jsonl"

PROGRAMS: dict[str, tuple[str, ...]] = {
    # one expression
    "def f(a, b):\n    return a + b": ("3, 4", "'ab', 'cd'", "[1, 2], [3]", "10, -7"),
    "def f(x):\n    return x * 2": ("7", "'ha'", "[1, 2]", "25"),
    "def f(n):\n    return n - 1": ("5", "0", "100", "-3"),
    "def f(x, y):\n    return x * y": ("3, 5", "6, 7", "'ab', 3", "9, 0"),
    "def f(text):\n    return text.upper()": ("'hello'", "'Blue sky'", "'a1'", "'tree'"),
    "def f(text):\n    return text[0]": ("'river'", "'Moon'", "[4, 5, 6]", "'xyz'"),
    "def f(items):\n    return items[-1]": ("[1, 2, 3]", "['a', 'b']", "'stone'", "[9]"),
    "def f(text):\n    return text[::-1]": ("'abc'", "'on'", "[1, 2, 3]", "'level'"),
    "def f(items):\n    return len(items)": ("[1, 2, 3, 4]", "'seven'", "[]", "{'a': 1, 'b': 2}"),
    "def f(items):\n    return sorted(items)": (
        "[3, 1, 2]", "['b', 'a']", "[5, 4]", "[10, 30, 20]"),
    "def f(items):\n    return sum(items)": ("[1, 2, 3]", "[10, 5]", "[4, 4, 4]", "[]"),
    "def f(items):\n    return max(items)": ("[1, 7, 3]", "[12, 9]", "'adbc'", "[-1, -5]"),
    "def f(a, b):\n    return [b, a]": ("1, 2", "'x', 'y'", "3, 'z'", "[1], [2]"),
    "def f(text):\n    return text + '!'": ("'stop'", "'Hi there'", "''", "'no'"),
    "def f(a, b):\n    return a > b": ("3, 2", "1, 8", "'b', 'a'", "4, 4"),
    "def f(n):\n    return n % 2 == 0": ("4", "7", "0", "11"),
    "def f(text, word):\n    return word in text": (
        "'a cat sat', 'cat'", "'dog', 'o'", "[1, 2], 3", "'sun', 'moon'"),
    "def f(text):\n    return text.split()": ("'a b c'", "'red blue'", "'one'", "'to be or not'"),
    "def f(words):\n    return '-'.join(words)": (
        "['a', 'b']", "['x', 'y', 'z']", "['left', 'right']", "['one']"),
    "def f(items):\n    return items[1:]": ("[1, 2, 3]", "'apple'", "['a', 'b']", "[5]"),
    "def f(d, k):\n    return d[k]": (
        "{'a': 1, 'b': 2}, 'b'", "{'x': 'y'}, 'x'", "[7, 8, 9], 0", "{1: 'one'}, 1"),
    "def f(d):\n    return list(d)": ("{'a': 1, 'b': 2}", "{3: 4}", "'abc'", "(1, 2)"),
    "def f(n):\n    return str(n)": ("12", "7", "-1", "300"),
    "def f(n):\n    return list(range(n))": ("3", "5", "1", "0"),
    "def f(text, a, b):\n    return text.replace(a, b)": (
        "'banana', 'a', 'o'", "'cat', 'c', 'b'", "'xx', 'x', 'yz'", "'sun', 'q', 'r'"),
    "def f(text):\n    return text.count('a')": ("'banana'", "'cat'", "'dog'", "'aaa'"),
    # two statements
    "def f(a):\n    b = a + 1\n    return b * 2": ("3", "0", "10", "-1"),
    "def f(x):\n    y = x * x\n    return y - x": ("4", "1", "5", "10"),
    "def f(a, b):\n    c = a - b\n    return [a, b, c]": ("5, 3", "2, 2", "1, 4", "10, 1"),
    "def f(text):\n    n = len(text)\n    return text + str(n)": (
        "'abc'", "'hi'", "''", "'house'"),
    "def f(items):\n    items.append(0)\n    return items": ("[1, 2]", "[]", "['a']", "[5]"),
    "def f(items):\n    first = items[0]\n    return [first, first]": (
        "[1, 2]", "'ab'", "['x', 'y', 'z']", "[7]"),
    # a condition
    "def f(n):\n    if n > 0:\n        return 'positive'\n    return 'other'": (
        "5", "-2", "0", "31"),
    "def f(a, b):\n    if a > b:\n        return a\n    return b": (
        "3, 9", "8, 2", "5, 5", "-1, -2"),
    "def f(text):\n    if len(text) > 3:\n        return text[:3]\n    return text": (
        "'window'", "'ab'", "'four'", "'sky'"),
    "def f(n):\n    return 'even' if n % 2 == 0 else 'odd'": ("3", "8", "0", "15"),
    "def f(x):\n    if x == 'yes':\n        return 1\n    return 0": (
        "'yes'", "'no'", "'maybe'", "1"),
    # a loop
    "def f(numbers):\n    return [x + 1 for x in numbers]": (
        "[1, 2, 3]", "[0, 10]", "[5]", "[-1, 7]"),
    "def f(numbers):\n    return [x for x in numbers if x > 2]": (
        "[1, 2, 3, 4]", "[5, 0]", "[1]", "[3, 3, 1]"),
    "def f(words):\n    return [w.upper() for w in words]": (
        "['a', 'b']", "['sun']", "['to', 'go']", "['red', 'blue']"),
    "def f(words):\n    return [len(w) for w in words]": (
        "['a', 'bb']", "['tree', 'sky']", "['']", "['one', 'three']"),
    "def f(numbers):\n    total = 0\n    for x in numbers:\n        total += x\n    return total": (
        "[1, 2, 3]", "[5, 5]", "[]", "[10, 20, 30]"),
    "def f(n):\n    total = 0\n    for i in range(n):\n        total += i\n    return total": (
        "3", "4", "1", "5"),
    "def f(text):\n    out = ''\n    for c in text:\n        out = c + out\n    return out": (
        "'abc'", "'no'", "'x'", "'step'"),
    "def f(nums):\n    out = []\n    for x in nums:\n        out.append(x * 2)\n    return out": (
        "[1, 2]", "[0, 5]", "[7]", "[3, 4, 5]"),
}  # fmt: skip


def value_of(program: str, arguments: str) -> str:
    """What this interpreter says; the programs are ours."""
    scope: dict[str, object] = {}
    exec(program, scope)  # noqa: S102 - the programs of this very file
    return repr(eval(f"f({arguments})", scope))  # noqa: S307


def suite_lines() -> list[str]:
    """One line a program and input."""
    return [
        json.dumps(
            {"id": f"easy/{p}.{i}", "code": code, "input": given, "output": value_of(code, given)}
        )
        for p, (code, inputs) in enumerate(PROGRAMS.items())
        for i, given in enumerate(inputs)
    ]


def main() -> None:
    """Write the suite."""
    lines = suite_lines()
    OUTPUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.stderr.write(f"{OUTPUT}: {len(PROGRAMS)} programs, {len(lines)} items\n")


if __name__ == "__main__":
    main()
