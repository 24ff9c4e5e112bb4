"""`azr report`: one HTML file that shows a run, or compares several; it needs no network.

What models wrote is data here too: it enters the page as escaped JSON, is set as text, and a
content security policy with hashes allows no script but ours.
"""

import base64
import hashlib
import html
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from azr import __version__
from azr.errors import CheckpointError
from azr.report.data import collect

__all__ = ["render_report", "write_report"]

SCRIPTS = ("charts.js", "tables.js", "main.js")


def write_report(runs: Sequence[Path], output: Path | None = None) -> Path:
    """Write the report of one run, or of several side by side; returns the file.

    Args:
        runs: Run folders; the headline figures are the first one's.
        output: `report.html` in the first run's folder unless given.

    Raises:
        CheckpointError: A folder holds no run, or the file cannot be written.
    """
    output = output or runs[0] / "report.html"
    page = render_report(runs)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        partial = output.with_name(output.name + ".partial")
        partial.write_text(page, encoding="utf-8")
        partial.replace(output)
    except OSError as error:
        raise CheckpointError(f"{output} cannot be written: {error.strerror or error}") from error
    return output


def render_report(runs: Sequence[Path]) -> str:
    """The page as text."""
    names = run_names(runs)
    collected = [collect(run, name) for run, name in zip(runs, names, strict=True)]
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    title = " against ".join(names)
    data: dict[str, Any] = {
        "title": title,
        "subtitle": subtitle(collected),
        "footer": f"azr {__version__}, written {now}. This file is complete in itself.",
        "runs": collected,
    }
    return fill_page(title, data)


def run_names(runs: Sequence[Path]) -> list[str]:
    """Folder names, with their parents' where two are alike."""
    counts = Counter(run.resolve().name for run in runs)
    return [run.resolve().name if counts[run.resolve().name] == 1 else str(run) for run in runs]


def subtitle(collected: Sequence[dict[str, Any]]) -> str:
    """One line: what was trained, and where."""
    facts = dict(collected[0]["facts"])
    if len(collected) > 1:
        return f"{len(collected)} runs compared; headline figures of {collected[0]['name']}"
    parts = (facts.get("model"), facts.get("GPUs") or facts.get("machine"))
    return " · ".join(part for part in parts if part)


def fill_page(title: str, data: dict[str, Any]) -> str:
    """Put data, style and scripts into the page, and their hashes into its policy."""
    here = files("azr.report")
    style = here.joinpath("style.css").read_text(encoding="utf-8")
    script = "\n".join(here.joinpath(name).read_text(encoding="utf-8") for name in SCRIPTS)
    slots = {
        "TITLE": html.escape(f"{title} - azr"),
        "STYLE_HASH": source_hash(style),
        "SCRIPT_HASH": source_hash(script),
        "STYLE": style,
        "SCRIPT": script,
        "DATA": script_json(data),
    }
    pieces = here.joinpath("page.html").read_text(encoding="utf-8").split("%")
    # one pass over the template, so that a %SLOT% inside the data stays what it is
    return "".join(slots.get(piece, piece) for piece in pieces)


def script_json(data: object) -> str:
    """JSON that cannot end the script element it stands in, whatever it holds."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def source_hash(text: str) -> str:
    """As a content security policy names an inline source."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
