"""What is in the buffers, in numbers: how many tasks and programs, and of which types their values.

Counted as tasks come, never by going through all of them again. Types are read off a canonical
literal's first characters; nothing is evaluated. (AZR's code: the type counters of DatasetManager)
"""

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b

from azr.types import Mode, Task

__all__ = ["Census", "literal_type"]

_OPENINGS = {
    "'": "str", '"': "str", "[": "list", "b'": "bytes", 'b"': "bytes", "True": "bool",
    "False": "bool", "None": "None", "set(": "set", "frozenset(": "frozenset",
}  # fmt: skip
_WIDEST = max(map(len, _OPENINGS))


@dataclass(slots=True)
class Census:
    """Of one mode's tasks, those included that can no longer be drawn."""

    size: int = 0
    programs: set[bytes] = field(default_factory=set[bytes])
    """Hashes of the different programs."""
    types: Counter[str] = field(default_factory=Counter[str])
    """Outputs by type; an induction task has several."""

    def count(self, task: Task) -> None:
        """Take in one task."""
        self.size += 1
        text = task.program.encode("utf-8", "surrogatepass")
        self.programs.add(blake2b(text, digest_size=8).digest())
        self.types.update(literal_type(case.output) for case in task.cases)

    def as_metrics(self, mode: Mode) -> dict[str, float]:
        """buffer/<mode>/{size,distinct_programs} and buffer/<mode>/type/<type>."""
        name = f"buffer/{mode}"
        return {
            f"{name}/size": self.size,
            f"{name}/distinct_programs": len(self.programs),
            **{f"{name}/type/{kind}": number for kind, number in sorted(self.types.items())},
        }


def literal_type(text: str) -> str:
    """The type a literal's spelling begins like: int, float, str, list, ...; else "other"."""
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
