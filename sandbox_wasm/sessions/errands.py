"""What a client asks of a server beside running programs: a session's state as bytes, and back.

An errand travels and waits as a job does, and its answer is a result with one call. The bytes may
be forged (native/executor/session/state_file.h): they are read into guest memory, within bounds.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from sandbox_wasm.errors import BadJob
from sandbox_wasm.jobs.fields import short_repr
from sandbox_wasm.types import CallResult, JobResult, Outcome

__all__ = ["Errand", "LoadState", "SaveState", "run_errand", "saved_of"]

FUEL_A_BYTE: Final = 8
"""As a turn pays for the state that it enters: a millisecond for a MiB."""
_SAVED: Final = "state"


@dataclass(frozen=True, slots=True)
class SaveState:
    """Asks for a state as bytes."""

    state: str
    id: str = "save"

    def __post_init__(self) -> None:
        """Refuse what no state is called."""
        if type(self.state) is not str:
            raise BadJob(f"a state's name must be a str, got {short_repr(self.state)}")


@dataclass(frozen=True, slots=True)
class LoadState:
    """Asks to keep the state that these bytes are."""

    saved: bytes
    id: str = "load"

    def __post_init__(self) -> None:
        """Refuse what cannot be a saved session."""
        if type(self.saved) is not bytes:
            raise BadJob(f"a saved session must be bytes, got {short_repr(self.saved)}")


Errand = SaveState | LoadState


class Keeper(Protocol):
    """Who keeps states by name."""

    def save_state(self, name: str, /) -> bytes:
        """Return a state as bytes."""
        ...

    def load_state(self, saved: bytes, /) -> str:
        """Keep the state that bytes are; return its name."""
        ...


def run_errand(keeper: Keeper, errand: Errand) -> JobResult:
    """Do what is asked.

    Raises:
        BadJob: The bytes are no session for this image.
        SessionGone: The state is kept no more.
    """
    if isinstance(errand, SaveState):
        saved = keeper.save_state(errand.state)
        fuel, state, files = FUEL_A_BYTE * len(saved), None, {_SAVED: saved}
    else:
        fuel, state, files = FUEL_A_BYTE * len(errand.saved), keeper.load_state(errand.saved), None
    call = CallResult(outcome=Outcome.RETURNED, fuel=fuel, state=state, files=files)
    return JobResult(id=errand.id, calls=(call,))


def saved_of(result: JobResult) -> bytes:
    """Return the bytes that a `SaveState` was answered with."""
    return (result.calls[0].files or {})[_SAVED]
