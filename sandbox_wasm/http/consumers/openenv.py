"""OpenEnv's coding_env: reset, step and state over a WebSocket, one session a connection.

Source: github.com/meta-pytorch/OpenEnv, src/openenv/core/env_client.py at 022b51d and
envs/coding_env at 4684ac6. Its client waits 60 s for each message. No reward is given: that is the
trainer's.
"""

import asyncio
import contextlib
import uuid
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from sandbox_wasm.errors import BadJob, SandboxUnavailable, SessionGone
from sandbox_wasm.http.bodies import MAX_ITEMS, Body, has_many_items
from sandbox_wasm.http.desk import Desk
from sandbox_wasm.http.runs.seconds import limits_of_request
from sandbox_wasm.http.runs.sessions import Run, Sessions, raised_in, why_stopped
from sandbox_wasm.sessions.session import TurnResult
from sandbox_wasm.types import Outcome

__all__ = ["Episode", "environment_route"]

SECONDS: Final = 30.0
DEADLINE_S: Final = 55.0


class CodeAction(Body):
    """What is run next."""

    code: str


class Step(Body):
    """Run code."""

    type: Literal["step"]
    data: CodeAction


class Other(Body):
    """Begin again, tell the state, or end."""

    type: Literal["reset", "state", "close"]
    data: dict[str, Any] = Field(default={})


MESSAGE: Final[TypeAdapter[Step | Other]] = TypeAdapter(
    Annotated[Step | Other, Field(discriminator="type")]
)


class Episode:
    """One connection's interpreter, and what OpenEnv calls its state."""

    def __init__(self, run: Run, sessions: Sessions, packages: frozenset[str]) -> None:
        self._run = run
        self._sessions = sessions
        self._packages = packages
        self._limits = limits_of_request(SECONDS)
        self._reset()

    def _reset(self) -> None:
        self._session = self._sessions.new()
        self._id = str(uuid.uuid4())
        self._num_steps = self._last_exit_code = 0

    async def answer(self, text: str | bytes) -> dict[str, Any] | None:
        """Answer one message; None where it ends the episode."""
        if has_many_items(text.encode() if isinstance(text, str) else text):
            return _error("VALIDATION_ERROR", f"the message has more than {MAX_ITEMS} items")
        try:
            message = MESSAGE.validate_json(text)
        except ValidationError as exc:
            return _error("VALIDATION_ERROR", str(exc.errors(include_url=False)[0]["msg"]))
        if isinstance(message, Step):
            return await self._step(message.data.code)
        if message.type == "close":
            return None
        if message.type == "state":
            return {"type": "state", "data": {"episode_id": self._id, "step_count": self._num_steps,
                                              "last_exit_code": self._last_exit_code}}  # fmt: skip
        self._reset()
        return _observation("", "", 0)

    async def _step(self, code: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(DEADLINE_S):
                turn = await self._session.run(self._run, code, self._limits, self._packages)
        except TimeoutError:
            return _error("TIMEOUT", "no worker was free in time; ask again")
        except (SandboxUnavailable, BadJob, SessionGone) as exc:
            return _error("EXECUTION_ERROR", str(exc))
        self._num_steps += 1
        stdout, stderr = _texts_of(turn)
        self._last_exit_code = int(turn.outcome is not Outcome.RETURNED)
        return _observation(stdout, stderr, self._last_exit_code)


def _texts_of(turn: TurnResult) -> tuple[str, str]:
    shown = "" if turn.value is None else f"{turn.value}\n"
    ended = why_stopped(turn, SECONDS) or raised_in(turn)
    return turn.stdout + shown, turn.stderr + (f"{ended}\n" if ended else "")


def _observation(stdout: str, stderr: str, exit_code: int) -> dict[str, Any]:
    seen = {"stdout": stdout, "stderr": stderr, "exit_code": exit_code}
    return {"type": "observation", "data": {"observation": seen, "reward": None, "done": False}}


def _error(code: str, message: str) -> dict[str, Any]:
    return {"type": "error", "data": {"code": code, "message": message}}


def environment_route(desk: Desk, sessions: Sessions, packages: frozenset[str]) -> WebSocketRoute:
    """Make the route of the environment."""

    async def environment(socket: WebSocket) -> None:
        client = socket.client.host if socket.client else "local"
        episode = Episode(lambda jobs: desk.run(client, list(jobs)), sessions, packages)
        await socket.accept()
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await _play(socket, episode)

    return WebSocketRoute("/ws", environment)


async def _next_message(socket: WebSocket) -> str | bytes:
    """A message of either kind: what is no JSON is the episode's to say."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"])
    return message.get("text") or message.get("bytes") or ""


async def _play(socket: WebSocket, episode: Episode) -> None:
    """Answer messages until one ends the episode; what runs when the client goes ends, too."""
    heard = asyncio.ensure_future(_next_message(socket))
    answering: asyncio.Future[dict[str, Any] | None] | None = None
    try:
        while True:
            text = await heard
            heard = asyncio.ensure_future(_next_message(socket))
            answering = asyncio.ensure_future(episode.answer(text))
            await asyncio.wait({answering, heard}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done() and heard.exception() is not None:
                return
            answer = await answering
            if answer is None:
                await socket.close()
                return
            await socket.send_json(answer)
    finally:
        heard.cancel()
        if answering is not None:
            answering.cancel()
