"""Runs untrusted Python programs inside WebAssembly, thousands a second per core.

Example:
    >>> from sandbox_wasm import Job, Sandbox
    >>> with Sandbox() as sandbox:
    ...     results = sandbox.run([Job("1", "def f(x): return x + 1", calls=["41"])])
"""

from typing import TYPE_CHECKING, Any

from sandbox_wasm.errors import (
    BadJob,
    ImageError,
    ProtocolError,
    SandboxError,
    SandboxUnavailable,
    SessionGone,
)
from sandbox_wasm.sessions import Session, SessionLimits, TurnResult
from sandbox_wasm.types import (
    DEFAULT_BANNED_MODULES,
    FUEL_A_SECOND,
    CallResult,
    Job,
    JobResult,
    Limits,
    Outcome,
)

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sandbox_wasm.client.client import SandboxClient
    from sandbox_wasm.sandbox import Sandbox

__all__ = [
    "DEFAULT_BANNED_MODULES",
    "FUEL_A_SECOND",
    "BadJob",
    "CallResult",
    "ImageError",
    "Job",
    "JobResult",
    "Limits",
    "Outcome",
    "ProtocolError",
    "Sandbox",
    "SandboxClient",
    "SandboxError",
    "SandboxUnavailable",
    "Session",
    "SessionGone",
    "SessionLimits",
    "TurnResult",
]


def __getattr__(name: str) -> Any:
    """Load the pool and the client when first used: a client's host needs no native module."""
    if name == "Sandbox":
        from sandbox_wasm.sandbox import Sandbox  # noqa: PLC0415

        return Sandbox
    if name == "SandboxClient":
        from sandbox_wasm.client.client import SandboxClient  # noqa: PLC0415

        return SandboxClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
