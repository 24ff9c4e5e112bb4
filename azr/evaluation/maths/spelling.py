r"""Spellings of maths: signs, markup and typography as one plain LaTeX. Pure; nothing is parsed.

**18**, $18$, \(18\), \text{18} -> 18        pi/2, π/2 -> \pi/2        ½ -> \frac{1}{2}
"""
# ruff: noqa: RUF001 - the odd signs are what this module is about

import re
import unicodedata

__all__ = ["bare", "plain_latex", "same_text"]

SIGNS = str.maketrans({
    "−": "-", "–": "-", "—": "-", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "÷": "/",
    "π": r"\pi ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "∪": r"\cup ",
    "∩": r"\cap ", "∈": r"\in ", "±": r"\pm ", "°": r"^\circ ", "≈": r"\approx ", "→": r"\to ",
    "⇒": r"\Rightarrow ", "∨": r"\lor ", "∧": r"\land ", "…": r"\ldots ", "′": "'", "θ": r"\theta ",
    "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "λ": r"\lambda ", "μ": r"\mu ", "’": "'",
    "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u200b": "",
})  # fmt: skip
FRACTION = re.compile(r"(\d*)\s?([¼-¾⅐-⅞])")
RAISED = re.compile(r"[⁰¹²³⁴-⁹⁻⁺]+")
REWRITTEN = [
    (re.compile(r"√\s*(\w+)"), r"\\sqrt{\1}"),
    (re.compile(r"√\s*\(([^()]{0,200})\)"), r"\\sqrt{\1}"),
    (re.compile(r"(?<![a-zA-Z\\])sqrt\s?\(([^()]{0,200})\)"), r"\\sqrt{\1}"),
    (re.compile(r"(?<![a-zA-Z\\])sqrt\s?(\d+)"), r"\\sqrt{\1}"),
    (re.compile(r"(?<![a-zA-Z\\])pi(?![a-zA-Z])"), r"\\pi "),
    (re.compile(r"(?<![a-zA-Z\\])(?:inf|infinity|infty|oo)(?![a-zA-Z])"), r"\\infty "),
    (re.compile(r"\\[dtc]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\(?:left|right|big|Big|bigg|Bigg|bigl|bigr)(?![a-zA-Z])\.?"), ""),
    (re.compile(r"\\(?:displaystyle|textstyle|limits|nolimits)(?![a-zA-Z])"), ""),
    (re.compile(r"\\(?:quad|qquad|enspace|thinspace)(?![a-zA-Z])|(?<!\\)\\[,;:! ]|~"), " "),
    (re.compile(r"\\(?:textbf|textit|mathbf|mathit|boldsymbol|bm|emph)(?![a-zA-Z])"), r"\\text"),
    (re.compile(r"\\(?:mathrm|mbox|textrm|textnormal|operatorname)(?![a-zA-Z])"), r"\\text"),
    (re.compile(r"\\(?:longrightarrow|rightarrow)(?![a-zA-Z])"), r"\\to"),
    (re.compile(r"\\(?:leqslant|leq)(?![a-zA-Z])"), r"\\le"),
    (re.compile(r"\\(?:geqslant|geq)(?![a-zA-Z])"), r"\\ge"),
    (re.compile(r"\^\s*\{\s*\\circ\s*\}"), r"^\\circ"),
    (re.compile(r"(\d)\{,\}(?=\d{3})"), r"\1,"),
    (re.compile(r"\\text\s*\{\s*([-+]?[\d.,/]+)\s*\}"), r"\1"),
]
WRAPS = [("**", "**"), ("__", "__"), ("`", "`"), ("$$", "$$"), ("$", "$"), (r"\(", r"\)"),
         (r"\[", r"\]"), ("*", "*"), (r"\boxed{", "}"), ("{", "}")]  # fmt: skip
ENDING = re.compile(r"(?:\\[,;:! ]|(?<!\\)[.;,\s])+$")
MIXED = re.compile(r"(-?)\s?(\d{1,9})\s+(\d{1,9})\s?/\s?(\d{1,9})")
GROUPED = re.compile(r"([-+]?)(\d{1,3}(?:(?:,|\s)\d{3})+)((?:\.\d+)?)")


def plain_latex(text: str) -> str:
    """The same maths in one spelling of signs and markup."""
    text = FRACTION.sub(mixed_sign, text)
    text = RAISED.sub(lambda m: "^{" + unicodedata.normalize("NFKC", m.group()) + "}", text)
    text = unicodedata.normalize("NFKC", text.translate(SIGNS)).replace("−", "-")
    text = bare(text)
    for pattern, replacement in REWRITTEN:
        text = pattern.sub(replacement, text)
    text = bare(" ".join(text.replace(r"\$", "").replace("$", " ").split()))
    if mixed := MIXED.fullmatch(text):
        sign, whole, over, under = mixed.groups()
        return rf"{sign}\frac{{{int(whole) * int(under) + int(over)}}}{{{under}}}"
    return text


def mixed_sign(found: re.Match[str]) -> str:
    """A fraction in one sign, and the whole number before it."""
    over, _, under = unicodedata.normalize("NFKC", found[2]).partition("\u2044")
    top = int(found[1] or 0) * int(under) + int(over) if under else 0
    return rf"\frac{{{top}}}{{{under}}}" if under else found.group()


def without_groups(text: str) -> str:
    """A whole text that is one number, without marks between its thousands."""
    found = GROUPED.fullmatch(text.strip())
    return found[1] + re.sub(r"[,\s]", "", found[2]) + found[3] if found else text


def bare(text: str) -> str:
    """Without the markup that surrounds all of it, and without a final stop."""
    for _ in range(8):
        before = text
        text = text.strip() if text.endswith(r"\right.") else ENDING.sub("", text.strip())
        for opening, closing in WRAPS:
            inner = text[len(opening) : len(text) - len(closing)]
            if (
                len(text) > len(opening) + len(closing)
                and text.startswith(opening)
                and text.endswith(closing)
                and opening not in inner
                and closing not in inner
            ):
                text = inner
        if text == before:
            break
    return text


NOISE = re.compile(r"\\(?:text|left|right)(?![a-zA-Z])|(?<!\d)\s|\s(?!\d)|[{}$()]|\\[,;:! ]")


def same_text(one: str, other: str) -> bool:
    """Whether both are the same signs, whatever the blanks and braces; words in any case."""
    one, other = (NOISE.sub("", text) for text in (one, other))
    return bool(one) and (one == other or (one.isalpha() and one.casefold() == other.casefold()))
