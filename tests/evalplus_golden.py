"""What EvalPlus says of some programs, without the programs: tests/golden/evalplus_verdicts.json.

Of each program there is a hash alone, so that a generator of other programs is noticed. Written by
scripts/suites/evalplus_verdicts.py, read by tests/guest/test_evalplus_verdicts.py.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["GOLDEN", "Golden", "Seen", "digest_of"]

GOLDEN = Path(__file__).parent / "golden" / "evalplus_verdicts.json"

LETTERS = {"pass": "p", "fail": "f", "timeout": "t"}


@dataclass(frozen=True, slots=True)
class Seen:
    """One program, and its status of the original inputs and of those that EvalPlus adds."""

    digest: str
    base: str
    plus: str

    @property
    def verdict(self) -> tuple[bool, bool]:
        """Base; base and plus."""
        return self.base == "pass", self.base == self.plus == "pass"

    def __str__(self) -> str:
        return f"{LETTERS[self.base]}{LETTERS[self.plus]}:{self.digest}"

    @classmethod
    def read(cls, text: str) -> "Seen":
        letters, _, digest = text.partition(":")
        base, plus = ({letter: name for name, letter in LETTERS.items()}[x] for x in letters)
        return cls(digest, base, plus)


@dataclass(frozen=True, slots=True)
class Golden:
    """By suite and task, what EvalPlus says of the canonical solution and of its mutants."""

    about: Mapping[str, str]
    suites: Mapping[str, Mapping[str, Sequence[Seen]]]

    def write(self) -> None:
        content: dict[str, Any] = {"about": dict(self.about)}
        for suite, tasks in self.suites.items():
            content[suite] = {task: " ".join(map(str, seen)) for task, seen in tasks.items()}
        GOLDEN.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls) -> "Golden":
        content = json.loads(GOLDEN.read_text(encoding="utf-8"))
        about = content.pop("about")
        suites = {
            suite: {task: [Seen.read(one) for one in text.split()] for task, text in tasks.items()}
            for suite, tasks in content.items()
        }
        return cls(about, suites)


def digest_of(program: str) -> str:
    """Eight hexadecimal digits: enough to notice another program, no more."""
    return hashlib.sha256(program.encode()).hexdigest()[:8]
