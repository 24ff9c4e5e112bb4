"""CURVE keys: who may talk to a server, and how a client knows it talks to the right one.

Files are pyzmq's certificates: `NAME.key` is public, `NAME.key_secret` holds both halves. A server
has one secret file and a folder with the public files of the clients it lets in.
"""

import argparse
import logging
import os
import re
import sys
from pathlib import Path
from typing import Final

import zmq
import zmq.auth
from zmq.utils import z85

from sandbox_wasm.errors import SandboxError
from sandbox_wasm.places import place

__all__ = ["AllowedKeys", "KeyFileError", "add_keys_arguments", "load_keys", "main_keys"]


log = logging.getLogger(__name__)


class KeyFileError(SandboxError, ValueError):
    """A key file or text cannot be used; the message names it."""


_Z85_KEY: Final = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")


def load_keys(source: str | os.PathLike[str]) -> tuple[bytes, bytes | None]:
    """Read (public, secret or None) from a certificate file, or a public key's 40 characters."""
    if isinstance(source, str) and _Z85_KEY.fullmatch(source) and not Path(source).exists():
        return source.encode(), None
    path = Path(source)
    try:
        public, secret = zmq.auth.load_certificate(path)  # pyright: ignore[reportUnknownMemberType]
    except (OSError, ValueError) as exc:
        hint = "make keys with `azr-sandbox keys DIR`"
        raise KeyFileError(f"key file {path}: {exc}; {hint}") from exc
    return public, secret


class AllowedKeys:
    """Answers ZeroMQ's question whether a client may come in (the ZAP protocol, RFC 27).

    The folder is read again whenever it changes, so a key can be added or withdrawn without a
    restart; a client that is in already stays until it disconnects.
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", folder: Path) -> None:
        if not folder.is_dir():
            raise KeyFileError(f"folder of allowed keys {folder} does not exist")
        self._folder = folder
        self._stamp: object = None
        self._keys: frozenset[bytes] = frozenset()
        self.reload()
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind("inproc://zeromq.zap.01")

    def answer(self) -> None:
        """Handle one question; call it when `socket` can be read."""
        version, request_id, _domain, _address, _identity, mechanism, *credentials = (
            self.socket.recv_multipart()
        )
        is_known = mechanism == b"CURVE" and len(credentials) == 1 and self._allows(credentials[0])
        code, text = (b"200", b"OK") if is_known else (b"400", b"key not allowed")
        self.socket.send_multipart((version, request_id, code, text, b"", b""))

    def _allows(self, raw_key: bytes) -> bool:
        try:
            self.reload()
        except (OSError, KeyFileError) as exc:  # half-written, perhaps: the keys known so far hold
            log.warning("event=keys_not_read error=%s", exc)
        return z85.encode(raw_key) in self._keys

    def reload(self) -> None:
        """Read the folder if it has changed."""
        files = sorted(self._folder.glob("*.key"))
        stamp = tuple((file.name, file.stat().st_mtime_ns) for file in files)
        if stamp != self._stamp:
            self._keys = frozenset(load_keys(file)[0] for file in files)
            self._stamp = stamp

    def close(self) -> None:
        """Close the socket."""
        self.socket.close(linger=0)


def add_keys_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `azr-sandbox keys`."""
    parser.add_argument("dir", type=place, metavar="DIR", help="folder to make; must not hold keys")
    parser.add_argument("--client", default="client", metavar="NAME",
                        help="name of the client's files (default: client)")  # fmt: skip


def main_keys(args: argparse.Namespace) -> int:
    """Make a server's and a client's key pair; return the exit status."""
    folder: Path = args.dir
    name: str = args.client
    if not re.fullmatch(r"[\w.-]+", name):
        return _complain(f"--client must be letters, digits, '.', '_' or '-', got {name!r}")
    allow = folder / "allow"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        allow.mkdir(mode=0o700, exist_ok=True)
        if (folder / f"{name}.key_secret").exists():
            return _complain(f"{folder / name}.key_secret exists: choose another --client name")
        if not (folder / "server.key_secret").exists():
            _make_pair(folder, "server")
        _make_pair(folder, name)
        public = (folder / f"{name}.key").read_text(encoding="utf-8")
        (allow / f"{name}.key").write_text(public, encoding="utf-8")
    except OSError as exc:
        return _complain(f"cannot write keys to {folder}: {exc.strerror}")
    sys.stderr.write(
        f"server: azr-sandbox serve --bind tcp://0.0.0.0:5555"
        f" --curve-secret {folder}/server.key_secret --curve-allow {allow}\n"
        f"client: SandboxClient('tcp://HOST:5555', server_key='{folder}/server.key',"
        f" client_key='{folder}/{name}.key_secret')\n"
    )
    return 0


def _make_pair(folder: Path, name: str) -> None:
    old_mask = os.umask(0o077)  # the secret must never be readable by others, not for a moment
    try:
        zmq.auth.create_certificates(folder, name)  # pyright: ignore[reportUnknownMemberType]
    finally:
        os.umask(old_mask)


def _complain(message: str) -> int:
    sys.stderr.write(f"azr-sandbox keys: {message}\n")
    return 2
