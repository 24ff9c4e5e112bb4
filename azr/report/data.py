"""From run folders to the plain data a report shows; bounded, however long the run was."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from azr.errors import CheckpointError
from azr.records import read_records
from azr.runfolder import read_metrics, rollout_files

__all__ = ["collect"]

MAX_RECORDS = 600
"""Rollouts of each role in the report; more are sampled evenly over the steps."""
MAX_FILES = 60
"""Rollout files that are read; of more, evenly chosen ones."""
MAX_CHARS = 6_000
"""Of one text; the rest is in the run folder."""

Row = Mapping[str, Any]


def collect(folder: Path, name: str) -> dict[str, Any]:
    """All that the page needs to know about one run.

    Raises:
        CheckpointError: There is no run in the folder, or it is damaged.
    """
    if not (folder / "metrics.jsonl").exists():
        raise CheckpointError(f"{folder} holds no run: there is no metrics.jsonl")
    rows = read_metrics(folder)
    config, environment = read_json(folder / "resolved.json"), read_json(folder / "env.json")
    proposals, answers, totals = collect_records(folder)
    config_file = folder / "config.toml"
    return {
        "name": name,
        "steps": [row["step"] for row in rows],
        "planned": config.get("steps", rows[-1]["step"] if rows else 0),
        "batch": config.get("selfplay", {}).get("batch_size", 0),
        "metrics": columns(rows),
        "proposals": proposals,
        "answers": answers,
        "totals": totals,
        "facts": facts(folder, config, environment),
        "config": config_file.read_text(encoding="utf-8") if config_file.exists() else "",
    }


def columns(rows: Sequence[Row]) -> dict[str, list[float | None]]:
    """The metrics by name, aligned with the steps; what a step lacks is None."""
    names = sorted({name for row in rows for name in row if name != "step"})
    return {name: [round_off(row.get(name)) for row in rows] for name in names}


def round_off(value: float | None) -> float | None:
    """Six digits are more than a plot shows; JSON knows neither infinity nor nan."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")


def collect_records(folder: Path) -> tuple[list[Any], list[Any], dict[str, int]]:
    """(proposals, answers, totals), newest step first."""
    files = list(rollout_files(folder).values())
    chosen = evenly(files, MAX_FILES)
    quota = max(1, MAX_RECORDS // max(1, len(chosen)))
    kept: dict[str, list[Any]] = {"proposer": [], "solver": []}
    totals = {"proposer": 0, "solver": 0}
    for file in reversed(chosen):
        found: dict[str, list[Row]] = {"proposer": [], "solver": []}
        for record in read_records(file):
            found[record["stream"].partition("/")[0]].append(record)
        for role, records in found.items():
            totals[role] += len(records)
            kept[role] += [shown(record) for record in evenly(records, quota)]
    # files that were not read hold about as many
    totals = {r: count * len(files) // max(1, len(chosen)) for r, count in totals.items()}
    return kept["proposer"], kept["solver"], totals


def evenly(items: Sequence[Any], count: int) -> list[Any]:
    """At most `count` of the items, evenly spaced, the last one among them."""
    if len(items) <= count:
        return list(items)
    return [items[(place + 1) * len(items) // count - 1] for place in range(count)]


def shown(record: Row) -> dict[str, Any]:
    """One record as the page takes it."""
    mode = record["stream"].partition("/")[2]
    task = cast(dict[str, Any] | None, record["task"])
    text = record["prefill"] + record["completion"]
    kept = ("step", "verdict", "reason", "tokens", "prompt_tokens", "truncated")
    numbers = ("reward", "advantage", "solve_rate")
    return {
        **{name: record[name] for name in kept},
        **{name: round_off(record[name]) for name in numbers},
        "mode": mode,
        "prompt": shorten(record["prompt"]),
        "completion": shorten(text),
        "task": task and {**task, "program": shorten(task["program"])},
        "program": shorten(task["program"] if task else unfenced(text)),
        "expected": expected(mode, task) if task else "",
        "given": shorten(unfenced(text)),
    }


def shorten(text: str) -> str:
    """The text, or its beginning and a note of how much is missing."""
    if len(text) <= MAX_CHARS:
        return text
    return f"{text[:MAX_CHARS]}\n... ({len(text) - MAX_CHARS} more characters)"


def unfenced(text: str) -> str:
    """For display only: the answer part, without tags and fences around it."""
    answer = re.search(r"(?s).*<answer>(.*?)(?:</answer>|$)", text)
    text = (answer[1] if answer else text).strip()
    block = re.fullmatch(r"(?s)```\w*\n(.*?)(?:\n?```)?", text)
    return (block[1] if block else text).strip("\n")


def expected(mode: str, task: Row) -> str:
    """What would have been right, in words of the task."""
    cases = task["cases"]
    if mode == "deduction":
        return shorten(cases[0][1])
    if mode == "error":
        return shorten(cases[0][1].strip("'"))
    if mode == "abduction":
        return shorten(f"any input giving {cases[0][1]}\n# for example {cases[0][0]}")
    hidden = cases[len(cases) // 2 :]
    return shorten("\n".join(f"f({given}) = {value}" for given, value in hidden))


def facts(folder: Path, config: Row, environment: Row) -> list[tuple[str, str]]:
    """What somebody who gets this file by mail wants to know first."""
    selfplay, versions = config.get("selfplay", {}), environment.get("versions", {})
    gib = environment.get("memory_bytes", 0) / 2**30
    hardware = (
        f"{environment.get('cores', '?')} x {environment.get('processor', '?')}, {gib:.0f} GiB"
    )
    found = {
        "folder": folder.name,
        "model": config.get("model", {}).get("name"),
        "proposals a mode and step": selfplay.get("batch_size"),
        "trials a task": selfplay.get("trials_per_task"),
        "envelope": selfplay.get("envelope"),
        "learning rate": config.get("learner", {}).get("lr"),
        "seed": config.get("seed"),
        "machine": hardware if environment else None,
        "GPUs": ", ".join(environment.get("gpus", [])) or None,
        "attempts": environment.get("attempt"),
        "commit": str(environment.get("git_commit", ""))[:12] or None,
        "versions": ", ".join(f"{package} {version}" for package, version in versions.items()),
    }
    return [(label, str(value)) for label, value in found.items() if value not in (None, "")]


def read_json(path: Path) -> dict[str, Any]:
    """The file's object; empty if the run did not get that far."""
    if not path.exists():
        return {}
    try:
        return cast(dict[str, Any], json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise CheckpointError(f"{path}: not JSON") from error
