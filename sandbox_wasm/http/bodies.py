"""Bodies of requests: read within a size, a time and a share of memory, then checked.

pydantic reads the JSON and checks it in one pass, in native code, with a bound on depth.
It does not bound the number of items, and those of 16 MiB can take seconds and gigabytes, so they
are counted before.
"""

import asyncio
from collections import deque
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

__all__ = [
    "READ_S",
    "Body",
    "Refused",
    "Room",
    "announced_bytes",
    "has_many_items",
    "parse_body",
    "read_body",
]

READ_S: Final = 30.0
"""A body that takes longer to arrive is given up: its sender holds a connection for nothing."""
MAX_ITEMS: Final = 256 * 1024
"""Of a body: strings, and values of arrays and objects."""
MAX_SHOWN: Final = 5
"""So many faults of a body are told."""


class Body(BaseModel):
    """A request's JSON object. Types are exact, and a key that it does not know is an error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Refused(Exception):  # noqa: N818 - reads as a state
    """A request that cannot be served; becomes its answer.

    Attributes:
        status: Of the response: 4xx.
        faults: What is wrong, as FastAPI tells it: `loc` is the path in the request.
    """

    def __init__(self, status: int, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.status = status
        self.faults: list[dict[str, Any]] = [
            {"loc": list(path or ("body",)), "msg": message, "type": "value_error"}
        ]


class Room:
    """Bytes of bodies that may be in memory at once; who comes when it is full waits in line."""

    def __init__(self, max_bytes: int) -> None:
        self._free_bytes = max_bytes
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, num_bytes: int) -> None:
        """Take so many bytes, when they are free."""
        if not self._line and num_bytes <= self._free_bytes:
            self._free_bytes -= num_bytes
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append((num_bytes, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(num_bytes)
            raise

    def give_back(self, num_bytes: int) -> None:
        """Give bytes back, and let in who is next."""
        self._free_bytes += num_bytes
        while self._line and (self._line[0][1].done() or self._line[0][0] <= self._free_bytes):
            wanted, turn = self._line.popleft()
            if not turn.done():
                self._free_bytes -= wanted
                turn.set_result(None)


def announced_bytes(scope: Scope, max_bytes: int) -> int:
    """How long the body says it is, or the most it may be where it does not say.

    Raises:
        Refused: It is longer than it may be; nothing of it was read.
    """
    length = next((value for name, value in scope["headers"] if name == b"content-length"), None)
    if length is None:
        return max_bytes
    num_bytes = int(length)  # the HTTP parser has seen to it that these are digits
    if num_bytes > max_bytes:
        raise Refused(413, f"the body has {num_bytes} bytes, at most {max_bytes} are read")
    return num_bytes


async def read_body(receive: Receive, max_bytes: int) -> bytes:
    """Read the whole body.

    Raises:
        Refused: It is longer than `max_bytes`, or took longer than `READ_S` to arrive.
        ClientDisconnect: Its sender has gone.
    """
    parts: list[bytes] = []
    num_bytes = 0
    try:
        async with asyncio.timeout(READ_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                part: bytes = message.get("body", b"")
                num_bytes += len(part)
                if num_bytes > max_bytes:
                    raise Refused(413, f"the body has more than {max_bytes} bytes")
                parts.append(part)
                if not message.get("more_body", False):
                    return parts[0] if len(parts) == 1 else b"".join(parts)
    except TimeoutError:
        raise Refused(408, f"the body did not arrive within {READ_S:g} s") from None


def has_many_items(body: bytes) -> bool:
    """Tell whether JSON has more than `MAX_ITEMS`, without reading it."""
    if len(body) <= MAX_ITEMS:
        return False
    text = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    if text.count(b'"') > 2 * MAX_ITEMS:
        return True
    outside = b"".join(text.split(b'"')[::2])
    return outside.count(b",") + outside.count(b"[") + outside.count(b"{") > MAX_ITEMS


def parse_body(adapter: TypeAdapter[Any], body: bytes) -> Any:
    """Read a body's JSON into what an endpoint takes.

    Raises:
        Refused: It is no JSON, or not of the right form; each fault has its path.
    """
    if has_many_items(body):
        raise Refused(422, f"the body has more than {MAX_ITEMS} items")
    try:
        return adapter.validate_json(body)
    except ValidationError as exc:
        errors = exc.errors(include_url=False, include_context=False, include_input=False)
    refused = Refused(422, "the body cannot be read")
    refused.faults = [
        {"loc": ["body", *error["loc"]], "msg": error["msg"], "type": error["type"]}
        for error in errors[:MAX_SHOWN]
    ]
    raise refused
