"""Sessions: interpreters whose state goes on from turn to turn, and forks."""

from sandbox_wasm.sessions.session import Session, TurnResult
from sandbox_wasm.sessions.states import SessionLimits

__all__ = ["Session", "SessionLimits", "TurnResult"]
