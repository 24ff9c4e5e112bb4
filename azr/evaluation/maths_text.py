r"""What is done to a maths answer's text before math-verify reads it. Pure.

math-verify 0.9.0 needs delimiters to see LaTeX at all, reads the e of 1.6e3 as Euler's number,
and takes an inner $ for the end of a formula.
"""

import re

__all__ = ["gold_text", "target_text"]

SCIENTIFIC = re.compile(r"(?<![\w.\\])(\d+(?:\.\d*)?|\.\d+)[eE]([+-]?\d+)(?![\w.])")
"""1.6e3, 4E-7; not 2e^{x}, and no part of a word."""

DANGLING = re.compile(r"[\s.]+$")


def gold_text(answer: str) -> str:
    """A data set's answer, as math-verify shall read it."""
    return f"${rewritten(answer)}$"


def target_text(answer: str) -> str:
    r"""A model's answer (what its last \boxed held), as math-verify shall read it."""
    return f"\\boxed{{{rewritten(answer)}}}"


def rewritten(answer: str) -> str:
    """Without inner delimiters, newlines and a final stop; powers of ten written out."""
    plain = " ".join(answer.replace("\\$", "").replace("$", " ").split())
    return SCIENTIFIC.sub(r"\1\\times10^{\2}", DANGLING.sub("", plain))
