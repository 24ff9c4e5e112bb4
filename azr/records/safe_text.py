"""Replaces control characters by visible symbols, so that model text cannot drive the terminal."""

__all__ = ["inert"]

CONTROL_PICTURES = {
    **{code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"},
    **dict.fromkeys(range(127, 160), "\ufffd"),
    **dict.fromkeys(range(0x202A, 0x202F), "\ufffd"),  # these and the next turn the line about
    **dict.fromkeys(range(0x2066, 0x206A), "\ufffd"),
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),  # no terminal's encoding has them
}


def inert(text: str) -> str:
    """Replace every control character except tab and newline by a symbol for it."""
    return text.translate(CONTROL_PICTURES)
