"""Everything sandbox_wasm raises.

* SandboxError
  - BadJob: the caller's job or literal is malformed; nothing was run (also a ValueError)
  - SessionGone: the state of a session is kept no more (it expired, or its server was restarted)
  - ProtocolError: a frame is not of this protocol, or is of another version
  - SandboxUnavailable: the machinery failed; this says nothing about the program (also a
    ConnectionError)
  - ImageError: the guest image cannot be built, found or trusted

A wrong, broken or hostile *program* is never an exception: it is an `Outcome`.
"""

__all__ = ["BadJob", "ImageError", "ProtocolError", "SandboxError",
           "SandboxUnavailable", "SessionGone"]  # fmt: skip


class SandboxError(Exception):
    """Base of every error this package raises on purpose."""


class BadJob(SandboxError, ValueError):  # noqa: N818 - reads as a state
    """A job breaks the contract; the message names the field, the value and what is allowed."""


class SessionGone(SandboxError):  # noqa: N818 - reads as a state
    """The state of a session is kept no more, so its next turn cannot run; begin another."""


class ProtocolError(SandboxError):
    """A message is not a valid frame of this protocol version."""


class SandboxUnavailable(SandboxError, ConnectionError):  # noqa: N818 - reads as a state
    """The machinery did not answer. Try elsewhere or stop; never give it a score."""


class ImageError(SandboxError, OSError):
    """The guest image is missing, damaged, or could not be built."""
