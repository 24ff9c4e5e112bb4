"""The rules of comparison beside the functions of the projects that they are named after.

The functions below say again what those projects publish (the places are named in
sandbox_wasm/grading/compare.py); the outputs are made up here, right ones and nearly right ones.
"""

import json
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from sandbox_wasm.grading import Calls, Comparison
from sandbox_wasm.grading.compare import same_output, same_value

OUTPUTS = 2000


def livecodebench_output(given: str, expected: str) -> bool:  # noqa: C901 - as published
    """grade_stdio, from the captured output on."""

    def lines(text: str) -> list[str]:
        return [line.strip() for line in text.strip().split("\n")]

    def decimals(line: str) -> tuple[bool, list[Decimal]]:
        try:
            return True, [Decimal(word) for word in line.split()]
        except ArithmeticError:
            return False, []

    left, right = lines(given), lines(expected)
    if len(left) != len(right):
        return False
    for a, b in zip(left, right, strict=True):
        if a == b:
            continue
        is_read, ours = decimals(a)
        if not is_read:
            return False
        is_read, theirs = decimals(b)
        if not is_read or ours != theirs:
            return False
    return True


def livecodebench_value(prediction: Any, truth: Any) -> bool:
    """grade_call_based, from the prediction on; the truth is read from JSON."""
    if isinstance(prediction, tuple):
        prediction = list(prediction)
    return prediction == truth


def fusion_output(given: str, expected: str) -> bool:  # noqa: C901 - as published
    """check_stdio_test_case, from the output of a successful run on."""

    def is_float(text: str) -> bool:
        try:
            float(text)
        except ValueError:
            return False
        return True

    left, right = given.strip().split("\n"), expected.strip().split("\n")
    if len(left) - len(right) == 1 and left[-1] == "":
        left = left[:-1]
    if len(right) - len(left) == 1 and right[-1] == "":
        right = right[:-1]
    if len(left) != len(right):
        return False
    for ours, theirs in zip(left, right, strict=True):
        a, b = ours.lower(), theirs.lower()
        if a.strip() != b.strip():
            if is_float(b) and is_float(a):
                x, y = float(a), float(b)
                if abs(x - y) / max(abs(y), 1e-10) < 1e-5:
                    continue
            return False
    return True


# ---------------------------------------------------------------------- made-up outputs

WORDS = ["Yes", "NO", "0", "1", "1.0", "-0", "007", "1e3", "1000", "0.50", "0.5", "3.14159265",
         "3.14160000", "nan", "inf", "1_000", "1000000007", "1000000008", "1e-12", "é", "STRASSE",
         "ß", "a,b", "+5", "5", "12345678901234567890", "12345678901234567891"]  # fmt: skip


def text_of(chance: random.Random) -> str:
    lines = [chance.choices(WORDS, k=chance.randint(0, 3)) for _ in range(chance.randint(0, 3))]
    return "\n".join(" ".join(line) for line in lines) + chance.choice(["", "\n", "\n\n"])


CHANGES: list[Callable[[str, random.Random], str]] = [
    lambda text, _: text,
    lambda text, _: text.swapcase(),
    lambda text, _: text.replace(" ", "  "),
    lambda text, _: text.replace("\n", " \n\t"),
    lambda text, _: "\n" + text,
    lambda text, _: text + "\n",
    lambda text, _: text.replace("\n", "\r\n"),
    lambda text, _: text.replace("0.5", "0.500").replace("1.0", "1"),
    lambda text, _: text.replace("3.1416", "3.14159999"),
    lambda text, chance: text.replace(chance.choice(WORDS), chance.choice(WORDS), 1),
    lambda text, chance: "".join(c for c in text if chance.random() > 0.05),
]


def pairs_of_texts(chance: random.Random) -> list[tuple[str, str]]:
    texts = [text_of(chance) for _ in range(OUTPUTS)]
    return [(chance.choice(CHANGES)(text, chance), text) for text in texts]


def value_of(chance: random.Random, depth: int = 2) -> Any:
    scalars: list[Any] = [0, 1, 2, 1.0, 0.5, True, False, None, "a", "1", "", 2**70, float(2**70)]
    kind = chance.randrange(6 if depth else 4)
    if kind < 4:
        return chance.choice(scalars)
    items = [value_of(chance, depth - 1) for _ in range(chance.randrange(4))]
    return items if kind == 4 else {str(i): item for i, item in enumerate(items)}


def retyped(value: Any, chance: random.Random) -> Any:
    """The same value as a program might return it, or nearly."""
    match value:
        case list() if chance.random() < 0.4:
            return tuple(retyped(item, chance) for item in value)
        case list():
            return [retyped(item, chance) for item in value]
        case dict():
            return {key: retyped(item, chance) for key, item in value.items()}
        case bool() | int() | float() if chance.random() < 0.2:
            return chance.choice([int, float, bool, str])(value)
    return value_of(chance) if chance.random() < 0.03 else value


@pytest.mark.parametrize(
    ("name", "published"), [("lcb", livecodebench_output), ("fusion", fusion_output)]
)
def test_outputs_are_judged_as_by_the_project_named(
    name: str, published: Callable[[str, str], bool]
) -> None:
    verdicts = set[bool]()
    for given, expected in pairs_of_texts(random.Random(name)):
        verdict = published(given, expected)
        assert same_output(given, expected, Comparison(name)) is verdict, (given, expected)
        verdicts.add(verdict)
    assert verdicts == {True, False}


@pytest.mark.parametrize(
    ("name", "published"),
    [("lcb", livecodebench_value), ("fusion", lambda given, truth: given == truth)],
)
def test_values_are_judged_as_by_the_project_named(
    name: str, published: Callable[[Any, Any], bool]
) -> None:
    chance = random.Random(name)
    verdicts = list[bool]()
    for _ in range(OUTPUTS):
        truth = json.loads(json.dumps(value_of(chance)))
        given = retyped(truth, chance)
        check = Calls("f", (("1", repr(truth)),), Comparison(name))
        assert same_value(repr(given), repr(truth), check) is published(given, truth), (
            given,
            truth,
        )
        verdicts.append(published(given, truth))
    assert min(verdicts.count(True), verdicts.count(False)) > 100


def test_the_modes_have_names() -> None:
    for name in ("typed", "livecodebench", "apps", "fusion"):
        assert Comparison(name).value == name
    assert Comparison("lcb") is Comparison.LIVECODEBENCH
    with pytest.raises(ValueError, match="'LCB' is not a valid Comparison"):
        Comparison("LCB")
