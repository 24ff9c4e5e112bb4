"""Attempts on disk: one JSON line each, appended as they are graded, so that a kill loses little.

If a kill tears the last line, the line is dropped when the file is opened again, and its attempt is
made again.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from azr.atomic_write import written
from azr.errors import CheckpointError
from azr.evaluation.suites.items import Attempt, Mark, Status

__all__ = ["Ledger"]


class Ledger:
    """The attempts of one suite; close it, or use it as a context manager."""

    def __init__(self, file: Path) -> None:
        """Read the existing attempts and open the file for appending.

        Raises:
            CheckpointError: A complete line is not an attempt, so azr did not write the file.
        """
        self._path = file
        file.parent.mkdir(parents=True, exist_ok=True)
        self._attempts = {attempt.key: attempt for attempt in read_whole_lines(file)}
        # unbuffered: after a full disk nothing is left in a buffer that would fail again at close
        self._file = file.open("ab", buffering=0)

    def __contains__(self, key: tuple[str, int, int]) -> bool:
        return key in self._attempts

    def __getitem__(self, key: tuple[str, int, int]) -> Attempt:
        return self._attempts[key]

    def add(self, attempt: Attempt) -> None:
        """Write one attempt down; after this, only a crash of the machine can lose it.

        Raises:
            CheckpointError: The disk is full or gone.
        """
        self._attempts[attempt.key] = attempt
        line = json.dumps(attempt_to_json(attempt)).encode() + b"\n"
        with written(self._path):
            while line:
                line = line[self._file.write(line) or 0 :]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_whole_lines(file: Path) -> Iterator[Attempt]:
    """Read the attempts, and cut a torn last line off the file."""
    if not file.exists():
        return
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with file.open("r+b") as handle:
            handle.truncate(len(whole))
    for number, line in enumerate(whole.split(b"\n")[:-1], start=1):
        try:
            yield attempt_of_json(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{file}, line {number}: not an attempt ({error})") from error


def attempt_to_json(attempt: Attempt) -> dict[str, Any]:
    """Write an attempt as flat JSON, in reading order."""
    return {
        "item": attempt.item,
        "seed": attempt.seed,
        "index": attempt.index,
        "status": attempt.mark.status.value,
        "parts": dict(attempt.mark.parts),
        "reason": attempt.mark.reason,
        "fuel": attempt.mark.fuel,
        "truncated": attempt.truncated,
        "prompt_tokens": attempt.prompt_tokens,
        "completion_tokens": attempt.completion_tokens,
        "answer": attempt.answer,
        "completion": attempt.completion,
    }


def attempt_of_json(record: Mapping[str, Any]) -> Attempt:
    """Read what `attempt_to_json` wrote."""
    mark = Mark(
        status=Status(record["status"]),
        parts=record["parts"],
        reason=record["reason"],
        fuel=record["fuel"],
    )
    return Attempt(
        item=record["item"],
        seed=record["seed"],
        index=record["index"],
        completion=record["completion"],
        answer=record["answer"],
        mark=mark,
        truncated=record["truncated"],
        prompt_tokens=record["prompt_tokens"],
        completion_tokens=record["completion_tokens"],
    )
