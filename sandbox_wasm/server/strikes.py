"""Peers that send what they may not: how often, until nobody listens to them any more."""

from typing import Final

__all__ = ["MAX_STRIKES", "Strikes"]

MAX_STRIKES: Final = 64
MAX_PEERS: Final = 4096
"""So many peers are remembered; the ones that offended longest ago are forgotten first."""


class Strikes:
    """Counts offences by a connection's identity."""

    def __init__(self, max_strikes: int = MAX_STRIKES) -> None:
        self._max_strikes = max_strikes
        self._by_peer: dict[bytes, int] = {}

    def add(self, identity: bytes, weight: int) -> None:
        """Count an offence."""
        self._by_peer[identity] = self._by_peer.pop(identity, 0) + weight
        if len(self._by_peer) > MAX_PEERS:
            del self._by_peer[next(iter(self._by_peer))]

    def is_out(self, identity: bytes) -> bool:
        """Tell whether its frames are no longer looked at."""
        return self._by_peer.get(identity, 0) >= self._max_strikes
