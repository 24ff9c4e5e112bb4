"""The page as text: data, style and scripts in one file, and a policy that allows no others."""

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from dataclasses import fields
from importlib.resources import files
from typing import Any

__all__ = ["as_object", "fill_page", "fill_view", "script_json"]

STYLES = ("uplot/LICENSE", "uplot/uPlot.min.css", "style.css")
UPLOT = ("uplot/LICENSE", "uplot/uPlot.iife.min.js")
SHARED = (*UPLOT, "plots.js", "cards.js", "tables.js", "shown.js")
"""uPlot is MIT: its licence goes wherever it goes."""
META = '<meta http-equiv="Content-Security-Policy" content="{}">'


def fill_page(title: str, data: object) -> str:
    """The report of this data: a file that needs nothing else."""
    policy, slots = pieces(STYLES, (*SHARED, "main.js"))
    slots |= {
        "TITLE": html.escape(f"{title} - azr"),
        "META": META.format(policy),
        "RUNS": "",
        "DATA": script_json(data),
    }
    return filled(slots)


def fill_view() -> tuple[str, str]:
    """(the page of `azr view`, which asks its server for data; its policy, for a header)."""
    policy, slots = pieces((*STYLES, "view.css"), (*SHARED, "view.js"))
    slots |= {"TITLE": "azr view", "META": "", "RUNS": assets(["runs.html"]), "DATA": "null"}
    own = "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return filled(slots), f"{policy}; {own}"


def pieces(styles: Sequence[str], scripts: Sequence[str]) -> tuple[str, dict[str, str]]:
    """(the policy that allows this style and script alone, both as slots)."""
    style, script = assets(styles), assets(scripts)
    policy = (
        f"default-src 'none'; style-src '{source_hash(style)}';"
        f" script-src '{source_hash(script)}'; img-src data:"
    )
    return policy, {"STYLE": style, "SCRIPT": script}


def filled(slots: dict[str, str]) -> str:
    """The template with its slots; one pass, so that a %SLOT% inside the data stays what it is."""
    return "".join(slots.get(piece, piece) for piece in assets(["page.html"]).split("%"))


def assets(names: Sequence[str]) -> str:
    """The files' texts, one after the other; a licence becomes a comment of what follows it."""
    folder = files("azr.report.html").joinpath("assets")
    texts = {name: folder.joinpath(name).read_text(encoding="utf-8") for name in names}
    return "\n".join(f"/*\n{t}*/" if n.endswith("LICENSE") else t for n, t in texts.items())


def script_json(data: object) -> str:
    """JSON that cannot end the script element it stands in, whatever it holds."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, default=as_object)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def as_object(found: Any) -> dict[str, Any]:
    """A dataclass of azr.report.html.contract, for JSON."""
    return {entry.name: getattr(found, entry.name) for entry in fields(found)}


def source_hash(text: str) -> str:
    """As a content security policy names an inline source."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
