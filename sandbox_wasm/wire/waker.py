"""Wake a thread that sits in a poll, from any other thread."""

import contextlib
import os
import threading

__all__ = ["Waker"]


class Waker:
    """A pipe that carries at most one unread byte.

    A ZeroMQ socket may be used by one thread only; a pipe's end may be written by all.
    """

    def __init__(self) -> None:
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)
        self._is_set = False
        self._lock = threading.Lock()  # guards the write end against being closed and reused

    def fileno(self) -> int:
        """Return the descriptor that becomes readable."""
        return self._read_fd

    def wake(self) -> None:
        """Make the poll return; nearly free when it was asked for already."""
        if self._is_set:
            return
        self._is_set = True
        with self._lock, contextlib.suppress(OSError):
            if self._write_fd >= 0:
                os.write(self._write_fd, b"w")

    def clear(self) -> None:
        """Forget the wake-up. Call it before looking at what the other threads left."""
        # The byte is read before the flag goes down. A wake in between writes nothing, but what
        # it announces was left before it, so the look that follows finds it. In the other order
        # the byte of that wake would be eaten and every later one suppressed.
        with contextlib.suppress(BlockingIOError):
            os.read(self._read_fd, 64)
        self._is_set = False

    def close(self) -> None:
        """Close both ends; later wakes do nothing."""
        self._is_set = True
        with self._lock:
            write_fd, self._write_fd = self._write_fd, -1
            if write_fd >= 0:
                os.close(write_fd)
                os.close(self._read_fd)
