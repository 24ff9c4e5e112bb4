"""How a client treats a server."""

from dataclasses import dataclass

__all__ = ["CurveKeys", "LinkOptions"]


@dataclass(frozen=True, slots=True)
class CurveKeys:
    """Keys of a connection: the server's public key, and this client's pair."""

    server_public: bytes
    client_public: bytes
    client_secret: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOptions:
    """How a client treats a server."""

    name: str
    max_outstanding: int
    heartbeat_s: float
    liveness_s: float
    curve: CurveKeys | None
