"""What the HTTP door is told. Needs nothing that is not installed anyway."""

from dataclasses import dataclass, field

from sandbox_wasm.server.queues import QueueLimits
from sandbox_wasm.sessions.states import SessionLimits
from sandbox_wasm.wire.endpoints import Endpoint

__all__ = ["HttpOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """Everything the HTTP door is told."""

    bind: Endpoint
    queue: QueueLimits = field(default_factory=QueueLimits)
    sessions: SessionLimits = field(default_factory=SessionLimits)
    """How many it names, and how long one may be idle; the executor bounds their bytes."""
    token: str | None = field(default=None, repr=False)
    """What clients must bring; None lets everybody in who can connect."""
    mcp: bool = False
    """Whether to serve MCP's tool, too, which needs its package."""
    max_body_bytes: int = 16 * 1024**2
    drain_s: float = 30.0
    stall_s: float = 120.0
    allow_insecure_public: bool = False

    def __post_init__(self) -> None:
        """Refuse what would be unsafe."""
        if not (self.bind.is_local or self.token or self.allow_insecure_public):
            raise ValueError(
                f"--http {self.bind.host}:{self.bind.port} can be reached from other machines and"
                " has no token: whoever connects could run programs here. Write a token into a"
                " file and pass --token-file FILE, or say --allow-insecure-public"
            )
