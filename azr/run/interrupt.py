"""Ctrl-C at the right moment: play can be cut short, an update cannot.

An update, the push of its weights and the record of its step belong together; playing only
reads. So an interrupt cancels the play under way, or waits until the next play would start.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from azr.errors import Interrupted

__all__ = ["Interrupt"]

T = TypeVar("T")


class Interrupt:
    """A request to stop that is granted only where nothing can be torn."""

    def __init__(self) -> None:
        self.requested = False
        self._playing: asyncio.Task[Any] | None = None

    def request(self) -> None:
        """Stop as soon as possible; safe to call from a loop's signal handler, many times."""
        self.requested = True
        if self._playing is not None:
            self._playing.cancel()

    async def guard(self, play: Coroutine[Any, Any, T]) -> T:
        """Await `play`, which an interrupt may cancel.

        Raises:
            Interrupted: The request came before or while `play` ran.
        """
        if self.requested:
            play.close()
            raise Interrupted("interrupted between two steps")
        self._playing = asyncio.ensure_future(play)
        try:
            return await self._playing
        except asyncio.CancelledError:
            if self.requested:
                raise Interrupted("interrupted while playing a step") from None
            raise
        finally:
            self._playing = None
