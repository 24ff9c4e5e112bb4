"""The command line of `azr doctor --gpu`: what is measured, and where it is written and shown."""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azr.atomic_write import write_text
from azr.cli.gpu.parts import FAILED, NO_ROOM, OK, PARTS, SKIPPED, Row
from azr.cli.gpu.supervisor import BUDGET_S, facts_of_machine, failed_parts, measured
from azr.errors import ConfigError
from sandbox_wasm.places import place

__all__ = ["SCHEMA", "add_arguments", "answer", "refuse_alone", "table"]

SCHEMA = 1
"""Of the JSON; a field that changes its meaning makes it 2."""
LEAST_BUDGET_S = 10.0
NOT_ON_A_GPU = "not measured on a GPU: this machine has none, and sizes are small"
NUMBERS = ("logprob", "entropy", "d_hidden", "d_weight")
MOST_PRODUCTS = 1.25
"""Our target: the policy loss takes at most so many times the time of the products."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What goes with --gpu."""
    names = [part.name for part in PARTS]
    group = parser.add_argument_group("with --gpu (docs/gpu.md)")
    group.add_argument(
        "--gpu", action="store_true", help="measure the GPU: kernels, learner, push, vLLM"
    )
    group.add_argument(
        "--only", choices=names, nargs="+", metavar="PART", help=f"of {', '.join(names)}"
    )
    group.add_argument(
        "--budget", type=float, metavar="SECONDS", help=f"for all parts; default {BUDGET_S:.0f}"
    )
    text = "the JSON file; default: azr-gpu-TIME.json in this folder"
    group.add_argument("--output", type=place, metavar="FILE", help=text)


def refuse_alone(arguments: argparse.Namespace) -> None:
    """Refuse flags that mean something with --gpu alone.

    Raises:
        ConfigError: One is there without it.
    """
    for name in ("only", "budget", "output"):
        if getattr(arguments, name) is not None:
            raise ConfigError(f"--{name} is about the GPU's figures: it goes with --gpu")


def answer(
    arguments: argparse.Namespace, show: Callable[[str], None], say: Callable[[str], None]
) -> bool:
    """Measure, write the JSON, show the table; returns whether all is well.

    An interrupt ends the measuring; what was measured until then is written and shown.

    Raises:
        ConfigError: The flags cannot be meant, or the file is there.
        CheckpointError: The file cannot be written.
        ModelError: torch cannot be used.
    """
    budget_s, output = asked(arguments)
    facts = facts_of_machine()
    parts = [part for part in PARTS if arguments.only is None or part.name in arguments.only]
    rows, is_complete = list[Row](), False
    try:
        for row in measured(parts, facts["device"], budget_s, say):
            rows.append(row)
        is_complete = True
    finally:
        show("\n".join(table(facts, rows)))
        write_text(output, as_json(facts, rows, budget_s, is_complete=is_complete))
        say(f"written to {output}")
    for name in failed_parts(rows):
        say(f"failed: {name}")
    return not failed_parts(rows)


def as_json(
    facts: Mapping[str, Any], rows: Sequence[Row], budget_s: float, *, is_complete: bool
) -> str:
    """All that was measured, and where."""
    result = {
        "schema": SCHEMA,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "measured_on_a_gpu": facts["device"] == "cuda",
        "machine": facts,
        "budget_s": budget_s,
        "complete": is_complete,
        "failed_parts": failed_parts(rows),
        "rows": [asdict(row) for row in rows],
    }
    return json.dumps(result, indent=1) + "\n"


def asked(arguments: argparse.Namespace) -> tuple[float, Path]:
    """The budget in seconds, and the file to write.

    Raises:
        ConfigError: The flags cannot be meant.
    """
    if arguments.run_folder is not None:
        raise ConfigError("--gpu measures this machine: leave RUN out")
    budget_s = BUDGET_S if arguments.budget is None else arguments.budget
    if not LEAST_BUDGET_S <= budget_s < 1e6:
        raise ConfigError(f"--budget must be {LEAST_BUDGET_S:.0f} seconds or more, got {budget_s}")
    output = arguments.output or Path(f"azr-gpu-{datetime.now(UTC):%Y%m%d-%H%M%S}.json")
    refuse_place(output)
    return budget_s, output


def refuse_place(output: Path) -> None:
    """Refuse a file that could not be written after all the measuring, or that is somebody's.

    Raises:
        ConfigError: It is there, or its folder is not.
    """
    if output.exists():
        raise ConfigError(f"--output {output} is there already: name a new file")
    if not output.absolute().parent.is_dir():
        raise ConfigError(f"--output {output}: there is no folder {output.absolute().parent}")


# ---------------------------------------------------------------- the table


def table(facts: Mapping[str, Any], rows: Sequence[Row]) -> Iterator[str]:
    """Markdown: the machine, then each part's figures, then what was not measured."""
    yield described(facts)
    for part in PARTS:
        own = [row for row in rows if row.part == part.name]
        if not own:
            continue
        yield f"\n**{part.name}**: {part.title}\n"
        done = [row for row in own if row.status == OK]
        yield from errors_by_kind(done) if part.name == "accuracy" else figures_of(done)
        if part.name == "speed" and facts["device"] == "cuda":
            yield from targets(done)
        yield from troubles(own)
    counts = {one: sum(row.status == one for row in rows) for one in (OK, FAILED, NO_ROOM, SKIPPED)}
    yield "\n" + ", ".join(f"{number} {one}" for one, number in counts.items() if number)
    if facts["device"] != "cuda":
        yield NOT_ON_A_GPU


def troubles(rows: Sequence[Row]) -> Iterator[str]:
    """What was not measured or is wrong; cases of one reason share a line."""
    together: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.status != OK:
            together.setdefault((row.status, row.detail), []).append(row.case)
    for (status, detail), names in together.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"* {names[0]}{more}: {status}{f': {detail}' if detail else ''}"


def described(facts: Mapping[str, Any]) -> str:
    """The machine on one line."""
    packages = " ".join(f"{name} {version}" for name, version in facts["packages"].items())
    if facts["device"] != "cuda":
        return f"{facts['name']}, no GPU; {packages}"
    peak = facts["peak_tflops"]
    rate = f"peak {peak} TFLOPS in bfloat16" if peak else "its peak is not known: no MFU"
    memory = f"{facts['free_gib']} of {facts['memory_gib']} GiB free"
    return f"{facts['name']} ({rate}), {memory}, CUDA {facts['cuda']}; {packages}"


def errors_by_kind(rows: Sequence[Row]) -> Iterator[str]:
    """The largest errors of each precision, beside those of plain torch in the same case."""
    yield "| precision | error | azr, largest | plain torch there | where |"
    yield "|---|---|---|---|---|"
    for dtype in ("float32", "bfloat16"):
        own = [row for row in rows if row.case.endswith(dtype)]
        for name in NUMBERS if own else ():
            worst = max(own, key=lambda row: float(row.figures[name]))
            mine, plain = (float(worst.figures[key]) for key in (name, f"{name}_reference"))
            yield f"| {dtype} | {name} | {mine:.1e} | {plain:.1e} | {worst.case} |"


def figures_of(rows: Sequence[Row]) -> Iterator[str]:
    """All figures, a line for each case."""
    names = list(dict.fromkeys(name for row in rows for name in row.figures))
    if not names:
        return
    yield f"| | {' | '.join(names)} |"
    yield f"|---{'|---' * len(names)}|"
    for row in rows:
        cells = (spelled(row.figures.get(name, "")) for name in names)
        yield f"| {row.case} | {' | '.join(cells)} |"


def spelled(figure: float | str) -> str:
    """Four digits, or the words."""
    if isinstance(figure, str):
        return figure
    return f"{figure:,.0f}" if abs(figure) >= 1000 else f"{figure:.4g}"


def targets(rows: Sequence[Row]) -> Iterator[str]:
    """Which targets the policy loss meets here."""
    yield ""
    for row in rows:
        if not row.case.startswith("azr:"):
            continue
        ratio = float(row.figures["over_products"])
        word = "met" if ratio <= MOST_PRODUCTS else "missed"
        yield f"* {row.case}: {ratio:.2f} of the products, at most {MOST_PRODUCTS}: {word}"
        if "liger_h100_ms" in row.figures:
            mine, theirs = (float(row.figures[name]) for name in ("ms", "liger_h100_ms"))
            yield f"  {mine:.1f} ms; Liger 0.8.2 says {theirs} ms of itself on an H100"
