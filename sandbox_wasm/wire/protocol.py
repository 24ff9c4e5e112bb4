"""The wire: what a client and a server may say to each other, and every cap on it.

A message is one ZeroMQ frame holding one msgpack array `[PROTOCOL_VERSION, kind, *body]`. Arrays,
not maps: a field has one place, so there is nothing to misspell and little to decode. Nothing here
opens a socket, and nothing decoded here is trusted until `codec` or this module has checked it.

    client -> server                          server -> client
    hello   [client_name]                     welcome  [ServerInfo fields]
    jobs    [[job or errand, ...]]            results  [[[number, calls], ...]]
    cancel  [[number, ...]]                   failed   [[[number, message], ...]]  machine failures
    drop    [[state, ...]]                    gone     [[[number, message], ...]]  no such state
    ping    [token]                           rejected [[[number, message], ...]]  a bad job
    bye     [reason]                          busy     [[number, ...], message]    send again later
                                              pong     [token]
                                              bye      [reason]   draining: send no more
                                              error    [code, message]   the last frame was refused
"""

from dataclasses import astuple, dataclass
from enum import StrEnum
from typing import Any, Final, cast, get_type_hints

import msgpack  # pyright: ignore[reportMissingTypeStubs]

from sandbox_wasm.errors import ProtocolError
from sandbox_wasm.jobs.fields import short_repr

__all__ = [
    "DEFAULT_MAX_MESSAGE_BYTES",
    "MAX_ARRAY_ITEMS",
    "MAX_HELLO_BYTES",
    "MAX_JOBS_PER_FRAME",
    "MAX_REPLY_BYTES",
    "PROTOCOL_VERSION",
    "ErrorCode",
    "Kind",
    "ServerInfo",
    "VersionMismatch",
    "frame_of_parts",
    "pack",
    "pack_info",
    "parse_info",
    "unpack",
    "unpack_of_client",
]

PROTOCOL_VERSION: Final = 6
"""Changes whenever a field is added, moved or read differently; peers must agree exactly."""

DEFAULT_MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""Largest frame a server accepts (ZMQ_MAXMSGSIZE)."""
MAX_HELLO_BYTES: Final = 4096
"""Of a peer that has not said hello, no larger frame is looked at."""
MAX_REPLY_BYTES: Final = 256 * 1024 * 1024
"""Largest frame a client accepts, and the most one job's results could ever need."""
MAX_JOBS_PER_FRAME: Final = 1024
MAX_ARRAY_ITEMS: Final = 8192
"""No array of this protocol is longer; the decoder refuses before it allocates."""
LARGE_FRAME_BYTES: Final = 1024 * 1024
MAX_JOB_ITEMS: Final = 256 * 1024
"""A client's frame of more bytes holds one job, and no job has so many items."""
MAX_NUMBER: Final = 2**53
"""Request numbers and fuel stay exact in every language that may speak this."""


class Kind(StrEnum):
    """What a message is."""

    HELLO = "hello"
    WELCOME = "welcome"
    JOBS = "jobs"
    CANCEL = "cancel"
    DROP = "drop"
    RESULTS = "results"
    FAILED = "failed"
    REJECTED = "rejected"
    GONE = "gone"
    BUSY = "busy"
    PING = "ping"
    PONG = "pong"
    BYE = "bye"
    ERROR = "error"


class ErrorCode(StrEnum):
    """Why a server refused a whole frame."""

    MALFORMED = "malformed"
    """Not msgpack, or a field has the wrong type or size; the message holds its path."""
    VERSION = "version"
    """The peer speaks another PROTOCOL_VERSION."""
    HELLO_FIRST = "hello_first"
    """No session: the server has restarted, or has given this client up."""
    TOO_MANY_CLIENTS = "too_many_clients"


class VersionMismatch(ProtocolError):  # noqa: N818 - reads as a state
    """The peer speaks another version of this protocol."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a server says of itself in its welcome; the order of the fields is the wire's."""

    server_id: str
    """Random, new at each start: tells a restarted server from the same one."""
    package_version: str
    workers: int
    image: str
    """Hash of the guest image's manifest; equal hashes give equal verdicts."""
    max_message_bytes: int
    max_jobs_per_frame: int
    max_client_jobs: int
    """Unanswered jobs one client may have here before it hears `busy`."""
    max_client_bytes: int
    client_silence_s: float
    """A client that is silent for longer is forgotten and its jobs are cancelled."""


_packb = cast("Any", msgpack.packb)  # pyright: ignore[reportUnknownMemberType]
_unpackb = cast("Any", msgpack.unpackb)  # pyright: ignore[reportUnknownMemberType]

_PREFIX: Final = {
    kind: bytes([0x93, PROTOCOL_VERSION]) + cast("bytes", _packb(kind.value)) for kind in Kind
}
_KINDS: Final = {kind.value: kind for kind in Kind}


class _ItemCount:
    """Ends the decoding of a frame whose many small items would take long and much memory."""

    def __init__(self, most: int) -> None:
        self._most = self._left = most

    def __call__(self, items: tuple[object, ...]) -> tuple[object, ...]:
        self._left -= 1 + len(items)
        if self._left < 0:
            raise ValueError(f"more than {self._most} items")
        return items


def pack(kind: Kind, *body: object) -> bytes:
    """Encode one message."""
    message = (PROTOCOL_VERSION, kind.value, *body)
    return cast("bytes", _packb(message, unicode_errors="surrogatepass"))


def frame_of_parts(kind: Kind, parts: list[bytes]) -> bytes:
    """Encode `[PROTOCOL_VERSION, kind, [part, ...]]` from items that are msgpack already.

    A job is encoded once, when it is submitted, however often it has to be sent.
    """
    count = len(parts)
    head = bytes([0x90 | count]) if count < 16 else b"\xdc" + count.to_bytes(2, "big")
    return b"".join((_PREFIX[kind], head, *parts))


def unpack_of_client(frame: bytes) -> tuple[Kind, tuple[object, ...]]:
    """Decode what a client sent: as `unpack`, with a bound on the work, whoever it is."""
    return unpack(frame, MAX_JOB_ITEMS if len(frame) > LARGE_FRAME_BYTES else None)


def unpack(frame: bytes, max_items: int | None = None) -> tuple[Kind, tuple[object, ...]]:
    """Decode one message, of at most so many items if it says so, into its kind and body.

    Raises:
        ProtocolError: It is not a message; the text names the place and what is allowed there.
        VersionMismatch: It is one of another version.
    """
    try:
        # Tuples, not lists: an empty one costs nothing, so a hostile frame cannot blow memory up.
        value: object = _unpackb(
            frame,
            use_list=False,
            unicode_errors="surrogatepass",
            max_str_len=MAX_REPLY_BYTES,
            max_array_len=MAX_ARRAY_ITEMS,
            list_hook=_ItemCount(max_items) if max_items else None,
            max_bin_len=MAX_REPLY_BYTES,
            max_map_len=0,
            max_ext_len=0,
        )
    except ValueError as exc:
        reason = str(exc) or type(exc).__name__
        raise ProtocolError(f"$: not one valid msgpack value: {reason[:200]}") from exc
    if type(value) is not tuple or len(cast("tuple[object, ...]", value)) < 2:
        got = short_repr(cast("object", value))
        raise ProtocolError(f"$: expected [version, kind, ...], got {got}")
    version, name, *body = cast("tuple[object, ...]", value)
    if type(version) is not int:
        raise ProtocolError(f"$[0]: expected the protocol version, got {short_repr(version)}")
    if version != PROTOCOL_VERSION:
        raise VersionMismatch(
            f"$[0]: protocol version {version} is not spoken here, only {PROTOCOL_VERSION}"
        )
    kind = _KINDS.get(name) if type(name) is str else None
    if kind is None:
        raise ProtocolError(f"$[1]: unknown kind {short_repr(name)}, expected one of {_ALLOWED}")
    return kind, tuple(body)


_ALLOWED: Final = ", ".join(_KINDS)


_INFO_TYPES: Final = get_type_hints(ServerInfo)


def parse_info(body: tuple[object, ...]) -> ServerInfo:
    """Read a welcome's body."""
    values = cast("tuple[object, ...]", body[0]) if body and type(body[0]) is tuple else ()
    if len(values) != len(_INFO_TYPES):
        raise ProtocolError(f"$[2]: a welcome has {len(_INFO_TYPES)} fields, got {len(values)}")
    for (name, kind), value in zip(_INFO_TYPES.items(), values, strict=True):
        if type(value) is not kind:
            raise ProtocolError(f"$[2].{name}: expected {kind.__name__}, got {short_repr(value)}")
        if isinstance(value, int | float) and not 0 < value <= MAX_NUMBER:
            raise ProtocolError(f"$[2].{name}: expected a positive number, got {value}")
    return ServerInfo(*values)  # pyright: ignore[reportArgumentType] - checked just above


def pack_info(info: ServerInfo) -> bytes:
    """Encode a welcome."""
    return pack(Kind.WELCOME, astuple(info))
