r"""What is done to a maths answer's text before math-verify reads it. Pure.

math-verify 0.9.0 needs delimiters to see LaTeX at all, reads the e of 1.6e3 as Euler's number,
and takes an inner $ for the end of a formula.
"""

import re

__all__ = ["based_number", "gold_text", "same_in_base", "target_text"]

SCIENTIFIC = re.compile(r"(?<![\w.\\])(\d+(?:\.\d*)?|\.\d+)[eE]([+-]?\d+)(?![\w.])")
"""1.6e3, 4E-7; not 2e^{x}, and no part of a word."""

GAMMA = re.compile(r"\\gamma(?![a-zA-Z])")
"""A letter like others; math-verify reads a number, Euler's constant."""
DANGLING = re.compile(r"[\s.]+$")


WRAPPER = re.compile(r"\\(?:text|mathrm|textbf|mathbf|mathit|textit|operatorname)(?![a-zA-Z])")
NOISE = re.compile(r"\\(?:left|right|quad)(?![a-zA-Z])|\\[,;:! ]|[\s{}()$~]")
BASED = re.compile(
    r"(?:[a-z]=)?(?P<digits>-?[0-9a-z]+(?:\.[0-9a-z]+)?)(?:_?base|_)(?P<base>[a-z]{3,8}|[0-9]{1,2})\.?"
)
PLAIN = re.compile(r"(?:[a-z]=)?(?P<digits>-?[0-9]+(?:\.[0-9]+)?)\.?")
NAMES_BASE = re.compile(r"_|base", re.IGNORECASE)
NAMED_BASES = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "sixteen": 16,
}  # fmt: skip
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def based_number(answer: str) -> tuple[str, int] | None:
    r"""The digits and the base of `2516_8`; ten where there is none; None if it is no number.

    Also without LaTeX around it: `(2516)_{\text{eight}}`, `x = 2516_{8}`, `2516 \text{ (base 8)}`.
    """
    text = NOISE.sub("", WRAPPER.sub("", answer)).lower()
    plain = PLAIN.fullmatch(text)
    if plain is not None:
        return plain["digits"], 10
    found = BASED.fullmatch(text)
    if found is None:
        return None
    word = found["base"]
    base = int(word) if word.isascii() and word.isdigit() else NAMED_BASES.get(word, 0)
    allowed = f"-.{DIGITS[:base]}"
    if not 2 <= base <= len(DIGITS) or any(digit not in allowed for digit in found["digits"]):
        return None
    return found["digits"], base


def same_in_base(gold: str, answer: str) -> bool | None:
    """Whether both are the same digits in the same base; None where neither names a base.

    math-verify ignores the base. A number without one is decimal, so `2516` is not `2516_8`:
    MATH's own grader (is_equiv of math_equivalence.py, github.com/hendrycks/math) compares texts
    and keeps the subscript.
    """
    right, given = based_number(gold), based_number(answer)
    named = [n is not None and NAMES_BASE.search(t) for n, t in ((right, gold), (given, answer))]
    return right == given if right is not None and any(named) else None


def gold_text(answer: str) -> str:
    """A data set's answer, as math-verify shall read it."""
    return f"${rewritten(answer)}$"


def target_text(answer: str) -> str:
    r"""A model's answer (what its last \boxed held), as math-verify shall read it."""
    return f"\\boxed{{{rewritten(answer)}}}"


def rewritten(answer: str) -> str:
    """Without inner delimiters, newlines and a final stop; powers of ten written out."""
    plain = " ".join(answer.replace("\\$", "").replace("$", " ").split())
    plain = GAMMA.sub(r"\\xi ", plain)
    return SCIENTIFIC.sub(r"\1\\times10^{\2}", DANGLING.sub("", plain))
