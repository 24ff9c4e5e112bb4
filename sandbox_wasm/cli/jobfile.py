"""Jobs as JSON lines, and results as JSON: the files of `azr-sandbox run`."""

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, cast

from sandbox_wasm.errors import BadJob
from sandbox_wasm.types import Job, JobResult, Limits, fuel_of_seconds

__all__ = ["JobDefaults", "read_jobs", "result_to_json"]

_JOB_KEYS = tuple(f.name for f in fields(Job))
_LIMIT_KEYS = ("seconds", *(f.name for f in fields(Limits)))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDefaults:
    """What a line that does not say otherwise gets."""

    limits: Limits = field(default_factory=Limits)
    images: int = 1
    banned_modules: frozenset[str] = frozenset()
    want_stdout: bool = False
    want_stderr: bool = False
    packages: frozenset[str] = frozenset()


def read_jobs(lines: Iterable[str], defaults: JobDefaults) -> Iterator[Job]:
    """Yield one job a line; empty lines are skipped. A line ends with a line feed and nothing else.

    Raises:
        BadJob: A line is not a job; the message names the line and the key.
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _job(line, defaults)
            except BadJob as exc:
                raise BadJob(f"line {number}: {exc}") from exc


def _job(line: str, defaults: JobDefaults) -> Job:
    try:
        record: Any = json.loads(line)
    except RecursionError as exc:
        raise BadJob("not JSON that can be read: nested too deeply") from exc
    except json.JSONDecodeError as exc:
        raise BadJob(f"not JSON: {exc}") from exc
    except ValueError as exc:
        raise BadJob("not JSON that can be read: an integer of too many digits") from exc
    record = _mapping(record, _JOB_KEYS, "a job")
    for name in ("id", "source"):
        if name not in record:
            raise BadJob(f"the key {name!r} is missing")
    limits = _limits(record.pop("limits", {}), defaults.limits)
    if isinstance(files := record.get("files"), dict):
        given_files = cast("dict[str, Any]", files)
        record["files"] = {name: _file_of_json(file) for name, file in given_files.items()}
    given: dict[str, Any] = {
        "images": defaults.images,
        "banned_modules": defaults.banned_modules,
        "want_stdout": defaults.want_stdout,
        "want_stderr": defaults.want_stderr,
        "packages": defaults.packages,
        **record,
    }
    return Job(limits=limits, **given)


def _limits(value: Any, base: Limits) -> Limits:
    """What a line says of its limits, and of the others what lines get."""
    said = _mapping(value, _LIMIT_KEYS, "limits")
    if "seconds" in said:
        if "fuel" in said:
            raise BadJob("give limits.fuel or limits.seconds, not both")
        said["fuel"] = fuel_of_seconds(said.pop("seconds"))
    return replace(base, **said)


def _mapping(value: Any, known: tuple[str, ...], what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadJob(f"{what} must be a JSON object, got {type(value).__name__}")
    record = cast("dict[str, Any]", value)
    for key in record:
        if key not in known:
            raise BadJob(f"unknown key {key!r} in {what}; known: {', '.join(known)}")
    return record


def text_of_file(data: bytes) -> str | dict[str, str]:
    """A file as JSON holds it: its text, or {"base64": ...} where it is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _file_of_json(value: Any) -> Any:
    """The other way; what is neither comes back as it is, for the job's check to name."""
    if isinstance(value, dict) and [*cast("dict[str, Any]", value)] == ["base64"]:
        try:
            return base64.b64decode(cast("dict[str, Any]", value)["base64"], validate=True)
        except (TypeError, ValueError) as exc:
            raise BadJob(f"files: not base64: {exc}") from exc
    return cast("object", value)


def result_to_json(result: JobResult) -> dict[str, Any]:
    """Return the record that `azr-sandbox run` writes."""
    calls: list[dict[str, Any]] = []
    for call in result.calls:
        record: dict[str, Any] = {
            "outcome": str(call.outcome),
            "value": call.value,
            "error": call.error,
            "fuel": call.fuel,
        }
        if call.stdout is not None:
            record["stdout"] = call.stdout
        if call.stderr is not None:
            record["stderr"] = call.stderr
        if call.differs is not None:
            record["differs"] = call.differs
        if call.files is not None:
            record["files"] = {name: text_of_file(data) for name, data in call.files.items()}
        calls.append(record)
    return {"id": result.id, "calls": calls}
