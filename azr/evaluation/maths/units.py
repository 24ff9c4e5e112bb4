r"""Units and nouns behind a number: `18 dollars`, `18\text{ cm}^2`, `90^\circ`, `18th`, `\$18`."""

import re

__all__ = ["UNIT_WORDS", "split_unit"]

UNIT_WORDS = frozenset(
    re.findall(
        r"\S+",
        r"amu atm au cm ev ft gev ghz hr hrs hz in inch inches kev kg khz km kpa kpc kph kw kwh lb "
        r"lbs ly mev mg mhz mi min mins ml mm mol mpc mph nm oz pa pc rad rads sec secs sq usd yd",
    )
)
NOT_UNITS = frozenset(
    re.findall(
        r"\S+",
        r"about and approximately arccos arcsin arctan are at base be been between billion but by "
        r"ceil cos cosh cosine cot csc cubed divided dozen eighths either else equal equals except "
        r"exp factorial false fifths floor gcd half halves hundred hundredths if incorrect "
        r"infinite infinity is it lcm least less ln log max million minus mod more most negative "
        r"neither no none nor not or over percent percentage pi plus points positive power quarter "
        r"quarters root sin sine sinh sixths sqrt squared tan tanh tenths than then third thirds "
        r"thousand thousandths through times to trillion undefined unless until was were when "
        r"where with wrong",
    )
)
VALUE = re.compile(
    r"(?P<value>[-+]?(?:\\frac\s*(?:\{[^{}]*\}|\d)\s*(?:\{[^{}]*\}|\d)"
    r"|\d[\d,]*(?:\.\d*)?|\.\d+|\\pi|\\sqrt\s*(?:\{[^{}]*\}|\d))"
    r"(?:\s*/\s*\d+)?(?:\s*(?:\\pi|\\sqrt\s*(?:\{[^{}]*\}|\d)))*"
    r"(?:\s*(?:\\times|\\cdot)\s*10\s*\^\s*(?:\{[-+]?\d+\}|\d))?(?:[eE][-+]?\d+)?)(?P<unit>.*)",
    re.DOTALL,
)
DEGREES = re.compile(r"\^\s*\\circ\s*(?:C|F|K)?|\\degree\s*|degrees?")
ORDINAL = re.compile(r"(?:\^\s*)?\{?\s*(?:\\text\s*\{)?\s*(?:st|nd|rd|th)\s*\}?\s*\}?")
POWER = re.compile(r"\^\s*(?:\{\s*-?\d\s*\}|-?\d)")
TEXT = re.compile(r"\\text\s*\{([^{}]*)\}")
POWERS = {"square": "^2", "sq": "^2", "cubic": "^3"}
ALIASES = {
    "centimeter": "cm", "millimeter": "mm", "kilometer": "km", "meter": "m", "gram": "g",
    "kilogram": "kg", "second": "s", "sec": "s", "minute": "min", "hour": "h", "hr": "h",
    "inch": "in", "foot": "ft", "feet": "ft", "inche": "in", "dollar": "usd", "metre": "m",
    "centimetre": "cm", "kilometre": "km",
}  # fmt: skip


def split_unit(text: str) -> tuple[str, str]:
    r"""A number and the unit or noun behind it, in one spelling; ("", "") of a unit is none.

    Letters that could be a variable are none: `18x`, `18 m` outside of `\text`.
    """
    found = VALUE.fullmatch(text.strip())
    if found is None or not found["unit"].strip():
        return text, ""
    unit = found["unit"].strip()
    if ORDINAL.fullmatch(unit):
        return found["value"], ""
    if DEGREES.fullmatch(unit) or DEGREES.fullmatch(TEXT.sub(r"\1", unit).strip()):
        return found["value"], "degree"
    name = name_of(unit)
    return (found["value"].strip(), name) if name else (text, "")


def name_of(unit: str) -> str:
    """The unit in one spelling, or "" where it is none."""
    is_set = TEXT.search(unit) is not None
    power = POWER.search(unit)
    words: list[str] = re.findall(r"[a-zA-Z.]+", POWER.sub("", TEXT.sub(r" \1 ", unit)))
    rest = re.sub(r"[\sa-zA-Z./{}()-]|\\cdot", "", POWER.sub("", TEXT.sub(r" \1 ", unit)))
    low = [word.strip(".").lower() for word in words if word.strip(".")]
    if rest or not 1 <= len(low) <= 5 or any(word in NOT_UNITS for word in low):
        return ""
    is_unit = is_set or low[0] in UNIT_WORDS
    if not is_unit and not all(map(is_noun, low)):
        return ""
    singular = [word.rstrip("s") or word for word in low]
    names = [ALIASES.get(word, word) for word in singular]
    square = POWERS.get(names[0], "")
    raised = re.sub(r"[\s{}]", "", power.group()) if power else square
    return (
        " ".join(name for name in names if name not in ("square", "sq", "cubic")) + raised or "unit"
    )


def is_noun(word: str) -> bool:
    """Whether a word could not be a product of variables."""
    return len(word) > 2 or word in UNIT_WORDS or word == "of"
