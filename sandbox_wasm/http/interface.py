"""The interface described: OpenAPI, and a page to read that loads nothing from elsewhere."""

import html
import json
from collections.abc import Iterable
from typing import Any

from sandbox_wasm.http.endpoint import Endpoint

__all__ = ["html_page", "openapi"]


def openapi(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Describe the endpoints as OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "azr-sandbox",
            "version": "1",
            "description": "Untrusted Python in WebAssembly, under the interfaces of others. Time"
            " limits are fuel: the same program always ends the same way.",
        },
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"},
                                           "basic": {"type": "http", "scheme": "basic"}}},
        "security": [{"bearer": []}, {"basic": []}, {}],
        "paths": {endpoint.path: {"post": _operation(endpoint)} for endpoint in endpoints},
    }  # fmt: skip


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    body: dict[str, Any] = {"schema": endpoint.body.json_schema()}
    if endpoint.example is not None:
        body["example"] = endpoint.example
    return {
        "summary": endpoint.summary,
        "tags": [endpoint.consumer],
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "200": {"description": "What became of the program; a program that fails is one, too."},
            "413": {"description": "The body is too long."},
            "422": {"description": "The body is wrong: `detail` says where and why."},
            "503": {"description": "The machine failed; this says nothing about the program."},
            str(endpoint.late_status): {"description": "No worker was free in time: ask again."},
        },
    }


def html_page(endpoints: Iterable[Endpoint]) -> str:
    """Describe the endpoints on one page."""
    parts = [_HEAD]
    for endpoint in endpoints:
        schema = json.dumps(endpoint.body.json_schema(), indent=1)
        example = json.dumps(endpoint.example, indent=1)
        parts += [
            f"<h2>POST {html.escape(endpoint.path)}</h2>",
            f"<p>{html.escape(endpoint.consumer)}: {html.escape(endpoint.summary)}</p>",
            f"<pre>{html.escape(example)}</pre>",
            f"<details><summary>schema</summary><pre>{html.escape(schema)}</pre></details>",
        ]
    return "".join(parts)


_HEAD = (
    "<!doctype html><meta charset=utf-8><title>azr-sandbox</title>"
    "<style>body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em}"
    "pre{background:#f4f4f4;padding:.7em;overflow:auto}</style>"
    "<h1>azr-sandbox</h1><p>The same for machines: <a href=/openapi.json>openapi.json</a>."
    " Figures: <a href=/metrics>metrics</a>.</p>"
)
