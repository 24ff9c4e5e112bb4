"""What is asked over HTTP: the page, and what it shows as JSON. All of it is read, none is kept.

GET /            the page: style and scripts are in it, data are not
GET /api/runs    the runs of the folder (azr.report.view.shelf.Entry)
GET /api/page    ?run=NAME&run=NAME&since=VERSION: figures and curves of the chosen runs;
204 while they are those of VERSION
GET /api/cards   ?run=NAME&before=STEP.PLACE&mode=&verdict=&difficulty=&search=: tasks
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from azr import __version__
from azr.report.html.arms import History, groups_of
from azr.report.html.contract import Page
from azr.report.html.data import Collected
from azr.report.html.filling import as_object, fill_view
from azr.report.html.labels import label_of
from azr.report.html.page import now, page_of
from azr.report.view.follow import Followed
from azr.report.view.guard import Guard
from azr.report.view.latest import Place, Wanted, latest
from azr.report.view.shelf import entries, run_folders

__all__ = ["make_app"]

MAX_COMPARED = 8
MAX_TEXT = 200
WITHOUT_SECTION = ("outcome/proposer/", "refused/", "time/", "learnable/")
"""What stacks and headlines show; every plot of lines is of a metric that has a section."""
FILTERS = ("mode", "verdict", "difficulty", "search")


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of ours
    """A request that cannot be meant."""


@dataclass(slots=True)
class Desk:
    """Answers requests about the runs of one folder; every method is for any thread."""

    folder: Path
    _followed: dict[str, Followed] = field(default_factory=dict[str, Followed])
    _lock: Lock = field(default_factory=Lock)

    def runs(self, _: Request) -> Response:
        """The list."""
        found = entries(run_folders(self.folder))
        return as_json({"folder": str(self.folder), "runs": found})

    def page(self, request: Request) -> Response:
        """Figures and curves of the runs that were chosen."""
        names = request.query_params.getlist("run")
        if not 0 < len(names) <= MAX_COMPARED or len(set(names)) < len(names):
            raise Refusal(f"one to {MAX_COMPARED} different runs can be shown, got {len(names)}")
        followed = {name: self.follow(name) for name in names}
        states = [found.advance() for found in followed.values()]
        version, waiting = "-".join(v for v, _ in states), sum(count for _, count in states)
        since = request.query_params.get("since")
        if since == version:
            return Response(status_code=204)
        page = None if since and waiting else page_about(followed)
        return as_json({"version": version, "waiting": waiting, "page": page})

    def cards(self, request: Request) -> Response:
        """A page of tasks."""
        given = {name: value[:MAX_TEXT] for name, value in request.query_params.items()}
        wanted = Wanted(**{name: given.get(name, "") for name in FILTERS})
        followed = self.follow(request.query_params.get("run", ""))
        shown, place = latest(followed.folder, wanted, place_in(given.get("before", "")))
        before = None if place is None else f"{place[0]}.{place[1]}"
        return as_json({"cards": shown, "before": before})

    def follow(self, name: str) -> Followed:
        """The run of that name, which is one of the list or nothing."""
        with self._lock:
            if name not in self._followed:
                path = run_folders(self.folder).get(name)
                if path is None:
                    raise Refusal(f"{self.folder} holds no run {name[:MAX_TEXT]!r}")
                self._followed[name] = Followed(path)
            return self._followed[name]


def place_in(text: str) -> Place | None:
    """`STEP.PLACE`; None for an empty text."""
    if not text:
        return None
    found = re.fullmatch(r"(\d{1,18})\.(\d{1,18})", text, re.ASCII)
    if found is None:
        raise Refusal(f"before must be STEP.PLACE, got {text!r}")
    return int(found[1]), int(found[2])


def page_about(followed: dict[str, Followed]) -> Page:
    """The report's page, with those curves alone that it draws."""
    paths = [found.folder for found in followed.values()]
    by_path = {found.folder: drawn(found.collected(name)) for name, found in followed.items()}
    groups = groups_of(list(followed), paths)
    arms = [[by_path[path] for path in group.runs] for group in groups]
    page = page_of([group.name for group in groups], arms)
    footer = f"azr {__version__}, read at {now()}. Nothing here writes to a run."
    return replace(page, footer=footer)


def drawn(found: Collected) -> Collected:
    """The run without the metrics that no plot shows."""
    metrics = found.history.metrics
    names = [n for n in metrics if label_of(n).section or n.startswith(WITHOUT_SECTION)]
    bounds = [f"{n}/{end}" for n in names for end in ("low", "high") if f"{n}/{end}" in metrics]
    history = History(found.history.steps, {n: metrics[n] for n in (*names, *bounds)})
    return replace(found, history=history)


def as_json(found: object) -> Response:
    """The answer; a dataclass becomes an object, a lone surrogate is escaped."""
    text = json.dumps(found, separators=(",", ":"), default=as_object)
    return Response(text, media_type="application/json")


def refusing(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """A refusal as an answer of its own."""

    def answered(request: Request) -> Response:
        try:
            return answer(request)
        except Refusal as refusal:
            text = json.dumps({"error": str(refusal)})
            return Response(text, status_code=400, media_type="application/json")

    return answered


def make_app(folder: Path, token: str | None) -> Guard:
    """The application: whoever may ask (azr.report.view.guard) gets the page and its data."""
    desk, (text, policy) = Desk(folder), fill_view()

    def page(_: Request) -> Response:
        return Response(text, media_type="text/html", headers={"Content-Security-Policy": policy})

    routes = {"/": page, "/api/runs": desk.runs, "/api/page": desk.page, "/api/cards": desk.cards}
    app = Starlette(routes=[Route(path, refusing(answer)) for path, answer in routes.items()])
    return Guard(app, token)
