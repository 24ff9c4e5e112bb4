"""Names of types wherever types are counted: Python's names, and None.

The type is that of a value, or read from the first characters of its canonical literal; nothing is
evaluated.
"""

__all__ = ["literal_type", "type_name"]

_OPENINGS = {
    "'": "str", '"': "str", "[": "list", "b'": "bytes", 'b"': "bytes", "True": "bool",
    "False": "bool", "None": "None", "set(": "set", "frozenset(": "frozenset",
}  # fmt: skip
_WIDEST = max(map(len, _OPENINGS))


def type_name(value: object) -> str:
    """Return int, str, list, ...; "None" for None, whose type has no usual name."""
    return "None" if value is None else type(value).__name__


def literal_type(text: str) -> str:
    """Return the type as which a literal begins: int, float, str, list, ...; else "other".

    Of a canonical literal it is the type of the value. Linear in the text.
    """
    for width in range(1, _WIDEST + 1):
        if text[:width] in _OPENINGS:
            return _OPENINGS[text[:width]]
    if text.startswith("{"):
        return "dict" if text == "{}" or _first_separator(text) == ":" else "set"
    if text.startswith("("):
        return "complex" if text.endswith("j)") and "," not in text else "tuple"
    return _number_type(text)


def _number_type(text: str) -> str:
    bare = text.lstrip("+-")
    if bare in ("nan", "inf"):
        return "float"
    if not bare[:1].isdecimal():
        return "other"
    if bare.endswith("j"):
        return "complex"
    return "float" if "." in bare or "e" in bare else "int"


def _first_separator(text: str) -> str:
    """`:` or `,`, whichever comes first after the first key or element of `{...}`."""
    depth, quote, escaped = 0, "", False
    for character in text:
        if escaped:
            escaped = False
        elif quote:
            escaped = character == "\\"
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character in ":," and depth == 1:
            return character
    return ""
