"""What the leader tells its workers, and what they answer: frozen values, spelled in msgpack.

A worker obeys whatever reaches it, so commands travel over authenticated connections alone
(azr.cluster.link). Nothing is pickled: a message is its class's name and its fields.
"""

from dataclasses import dataclass, fields
from typing import Any, Final, TypeVar, cast, get_args

import msgpack  # pyright: ignore[reportMissingTypeStubs]

from azr.rollout.requests import Request, Sampled

__all__ = [
    "Abort",
    "Compare",
    "Completed",
    "Failed",
    "Hello",
    "Learn",
    "Lesson",
    "Load",
    "Message",
    "Open",
    "Prove",
    "Proved",
    "Sample",
    "Save",
    "Stop",
    "pack",
    "unpack",
]

T = TypeVar("T")

# ---------------------------------------------------------------- the leader's


@dataclass(frozen=True, slots=True)
class Open:
    """Open learner and engine, all ranks at the same time."""

    checkpoint: str
    """Folder of the checkpoint to go on from; empty = a new run."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Take on a request."""

    key: int
    """The leader's name for it."""
    request: Request


@dataclass(frozen=True, slots=True)
class Abort:
    """Drop requests; unknown keys are ignored."""

    keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """Take the learner's weights over into the engine, all ranks at the same time."""

    version: int
    """Of the policy: what the engine's receipt is to say."""


@dataclass(frozen=True, slots=True)
class Prove:
    """Compare the engine with the learner, all ranks at the same time; answered by `Proved`."""

    version: int
    """Of the policy, for the message should they differ."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the learner needs of a rollout."""

    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    rollout_logprobs: tuple[float, ...]
    advantage: float
    stream: str = ""


@dataclass(frozen=True, slots=True)
class Compare:
    """Find how far rollouts are from the reference, all ranks at the same time."""

    lessons: tuple[Lesson, ...]
    """Their advantages are not known yet: 0."""


@dataclass(frozen=True, slots=True)
class Learn:
    """One update, all ranks at the same time; every rank is given the whole of it."""

    lessons: tuple[Lesson, ...]


@dataclass(frozen=True, slots=True)
class Save:
    """Write this rank's part of a checkpoint, all ranks at the same time."""

    folder: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The run is over, however it ended."""


# ---------------------------------------------------------------- a worker's


@dataclass(frozen=True, slots=True)
class Hello:
    """The worker is there."""

    pid: int
    host: str


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished completion."""

    key: int
    sampled: Sampled


@dataclass(frozen=True, slots=True)
class Proved:
    """The engine samples from the learner's weights."""

    figures: dict[str, float]
    """What the probe found (azr.rollout.weight_proof)."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The worker's last words."""

    kind: str
    """Name of the exception's class."""
    text: str


Command = Open | Sample | Abort | Load | Prove | Compare | Learn | Save | Stop
Message = Command | Hello | Completed | Proved | Failed

_packb = cast(Any, msgpack.packb)  # pyright: ignore[reportUnknownMemberType]
_unpackb = cast(Any, msgpack.unpackb)  # pyright: ignore[reportUnknownMemberType]
_KINDS: Final[dict[str, Any]] = {kind.__name__: kind for kind in get_args(Message)}


def pack(message: Message) -> bytes:
    """The message as bytes."""
    named = [type(message).__name__, *values_of(message)]
    return _packb(named, default=values_of, unicode_errors="surrogatepass")


def unpack(packed: bytes) -> Message:
    """What `pack` was given, floats to the last bit.

    Raises:
        ValueError: It is no message, or one of another version of azr.
    """
    try:
        name, *values = _unpackb(packed, use_list=False, unicode_errors="surrogatepass")
        return made(name, values)
    except Exception as error:  # msgpack raises anything on bytes that are not its own
        raise ValueError(f"{len(packed)} bytes are no message: {error!r}") from error


def values_of(value: Any) -> list[object]:
    """A dataclass's fields in order."""
    return [getattr(value, field.name) for field in fields(value)]


def made(name: str, values: list[Any]) -> Message:
    """The message of that name; what it holds of our own classes is made too."""
    kind = _KINDS[name]
    if kind is Sample:
        key, request = values
        return Sample(key, of_values(Request, request))
    if kind is Completed:
        key, sampled = values
        return Completed(key, of_values(Sampled, sampled))
    if kind in (Compare, Learn):
        (lessons,) = values
        return kind(tuple(of_values(Lesson, lesson) for lesson in lessons))
    return kind(*values)


def of_values(kind: type[T], values: tuple[Any, ...]) -> T:
    """A dataclass again, of the values of all its fields."""
    names = [field.name for field in fields(cast(Any, kind))]
    return kind(**dict(zip(names, values, strict=True)))
