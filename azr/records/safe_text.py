"""Text of a model made safe to look at: a terminal obeys escape sequences, a picture of one not."""

__all__ = ["inert"]

CONTROL_PICTURES = {
    **{code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"},
    **dict.fromkeys(range(127, 160), "\ufffd"),
    **dict.fromkeys(range(0x202A, 0x202F), "\ufffd"),  # these and the next turn the line about
    **dict.fromkeys(range(0x2066, 0x206A), "\ufffd"),
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),  # no terminal's encoding has them
}


def inert(text: str) -> str:
    """The text with every control character but tab and newline as a picture of it."""
    return text.translate(CONTROL_PICTURES)
