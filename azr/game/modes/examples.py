"""Tasks that exist before the model has made any.

Self-play starts from the zero tasks (the identity function, as in the paper). The format examples
are not tasks: while the buffers hold too few references, they show a completion prompt's layout, as
the paper's prompts do with a toy example. They are never stored, drawn or trained on.
"""

from azr.types import Case, Mode, Task, prefix_of

__all__ = [
    "FORMAT_COMPOSITE",
    "FORMAT_ERRORS",
    "FORMAT_INDUCTIONS",
    "FORMAT_TRIPLETS",
    "zero_error",
    "zero_induction",
    "zero_triplet",
]

IDENTITY = "def f(a):\n    return a"


def zero_triplet(mode: Mode) -> Task:
    """The identity function and the string "Hello World"."""
    return Task(mode=mode, program=IDENTITY, cases=(Case("'Hello World'", "'Hello World'"),))


def zero_error() -> Task:
    """The identity function, which raises nothing."""
    return Task(mode=Mode.ERROR, program=IDENTITY, cases=(Case("'Hello World'", "'NoError'"),))


def zero_induction() -> Task:
    """The identity function with six cases of different types."""
    values = (
        "'Hello World'", "1", "{'a': 1, 'b': 2}", "(1.1, 2.5, 3.25)",
        "'[[1, 0, 0], [0, 1, 0], [0, 0, 1]]'", "1001101100010001",
    )  # fmt: skip
    return Task(
        mode=Mode.INDUCTION,
        program=IDENTITY,
        cases=tuple(Case(value, value) for value in values),
        message="Write a function that returns whatever it is given.",
    )


def _example(mode: Mode, program: str, cases: dict[str, str], message: str = "") -> Task:
    pairs = tuple(Case(given, found) for given, found in cases.items())
    return Task(mode=mode, program=program, cases=pairs, message=message)


_REPEAT = "def f(text, n):\n    return text[::-1] * n"
_EVENS = (
    "def f(numbers):\n    total = 0\n    for x in numbers:\n        if x % 2 == 0:\n"
    "            total += x\n    return total"
)
_COUNTS = (
    "def f(words, k):\n    long = [w.upper() for w in words if len(w) > k]\n    return sorted(long)"
)

FORMAT_TRIPLETS = (
    _example(Mode.DEDUCTION, _REPEAT, {"'abc', 2": "'cbacba'"}),
    _example(Mode.DEDUCTION, _EVENS, {"[1, 2, 3, 4]": "6"}),
    _example(Mode.DEDUCTION, _COUNTS, {"['tree', 'a', 'sky'], 2": "['SKY', 'TREE']"}),
)
"""Shown in deduction and in abduction."""

_DEEP = "def f(table, key):\n    row = table[key]\n    return sum(row) / len(row)"
_EMPTY = (
    "class Empty(Exception):\n    pass\n\ndef f(items):\n    if not items:\n"
    "        raise Empty(items)\n    return items[0]"
)
FORMAT_ERRORS = (
    _example(Mode.ERROR, _DEEP, {"{'a': [1, 3]}, 'b'": "'KeyError'"}),
    _example(Mode.ERROR, _EVENS, {"[1, 2, 3, 4]": "'NoError'"}),
    _example(Mode.ERROR, _EMPTY, {"[]": "'Empty'"}),
)
"""Shown in error mode."""

_GIVEN = ("def g_0(text):\n    return [w for w in text.split() if w[0].isupper()]",)
FORMAT_COMPOSITE = Task(
    mode=Mode.DEDUCTION,
    program=prefix_of(_GIVEN)
    + "def f(text, k):\n    names = g_0(text)\n    return sorted(names, key=len)[-k:]",
    cases=(Case("'Ann saw Bo and Clara', 2", "['Ann', 'Clara']"),),
    functions=_GIVEN,
)
"""Shown first in the pattern of a proposer who must build on functions."""

FORMAT_INDUCTIONS = (
    _example(
        Mode.INDUCTION,
        _REPEAT,
        {"'abc', 2": "'cbacba'", "'x', 3": "'xxx'", "'hi', 1": "'ih'", "'', 5": "''",
         "'ab', 0": "''", "'a b', 2": "'b ab a'", "'no', 2": "'onon'", "'z', 1": "'z'",
         "'12', 3": "'212121'", "'you', 1": "'uoy'"},
        "Reverse the text and repeat it n times.",
    ),
    _example(
        Mode.INDUCTION,
        _EVENS,
        {"[1, 2, 3, 4]": "6", "[]": "0", "[5, 7]": "0", "[10, 20]": "30", "[2]": "2",
         "[-2, 3]": "-2", "[8, 1, 8]": "16", "[0, 9]": "0", "[6, 6, 6]": "18", "[100, 1]": "100"},
        "Add up the even numbers of the list.",
    ),
)  # fmt: skip
