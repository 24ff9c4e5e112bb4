"""CURVE keys: who may talk to a server, and how a client knows it talks to the right one.

Files are pyzmq's certificates: `NAME.key` is public, `NAME.key_secret` holds both halves. A server
has one secret file and a folder with the public files of the clients it lets in.
"""

import argparse
import logging
import os
import re
import stat
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


_MAX_FILE_BYTES: Final = 64 * 1024
_Z85_KEY: Final = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")


def load_keys(source: str | os.PathLike[str]) -> tuple[bytes, bytes | None]:
    """Read (public, secret or None) from a certificate file, or a public key's 40 characters."""
    if isinstance(source, str) and _Z85_KEY.fullmatch(source) and not Path(source).exists():
        return source.encode(), None
    path = Path(source)
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise ValueError(f"more than {_MAX_FILE_BYTES} bytes")  # noqa: TRY301
        public, secret = zmq.auth.load_certificate(path)  # pyright: ignore[reportUnknownMemberType]
    except (OSError, ValueError) as exc:
        hint = "make keys with `azr-sandbox keys DIR`"
        raise KeyFileError(f"key file {path}: {exc}; {hint}") from exc
    if not _Z85_KEY.fullmatch(public.decode("latin-1")):
        raise KeyFileError(f"key file {path}: its public key is not 40 characters of Z85")
    if secret is not None:
        _warn_if_shared(path)
    return public, secret


class AllowedKeys:
    """Answers ZeroMQ's question whether a client may come in (the ZAP protocol, RFC 27).

    The folder is read again at each question and every second, so a key can be added or withdrawn
    without a restart. A file that cannot be used lets nobody in and changes nothing for the others;
    a folder that cannot be read lets nobody in at all.
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", folder: Path) -> None:
        if not folder.is_dir():
            raise KeyFileError(f"folder of allowed keys {folder} does not exist")
        self._folder = folder
        self._files: dict[str, tuple[object, bytes | None]] = {}
        """Each file's stamp when it was read, and its key, or None if it holds none."""
        self._keys: frozenset[bytes] = frozenset()
        self._is_readable = True
        self.reload()
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind("inproc://zeromq.zap.01")

    def answer(self) -> None:
        """Handle one question; call it when `socket` can be read."""
        version, request_id, _domain, _address, _identity, mechanism, *credentials = (
            self.socket.recv_multipart()
        )
        self.reload()
        key = z85.encode(credentials[0]) if mechanism == b"CURVE" and len(credentials) == 1 else b""
        is_known = self.allows(key)
        code, text = (b"200", b"OK") if is_known else (b"400", b"key not allowed")
        # The key is the user's name from here on: the session is asked for it again and again.
        self.socket.send_multipart((version, request_id, code, text, key, b""))

    def allows(self, key: bytes) -> bool:
        """Tell whether the folder holds this public key, as its 40 characters."""
        return key in self._keys

    def reload(self) -> None:
        """Read what has changed in the folder."""
        try:
            with os.scandir(self._folder) as entries:
                names = sorted(entry.name for entry in entries if entry.name.endswith(".key"))
        except OSError as exc:
            if self._is_readable:
                log.warning("event=keys_not_read folder=%s error=%s", self._folder, exc.strerror)
            self._is_readable = False
            names = []
        else:
            self._is_readable = True
        self._files = {name: self._read(name) for name in names}
        self._keys = frozenset(key for _, key in self._files.values() if key is not None)

    def _read(self, name: str) -> tuple[object, bytes | None]:
        """Return the file's stamp and key, from memory if it has not changed."""
        path = self._folder / name
        before = self._files.get(name)
        try:
            status = path.stat()
            stamp: object = (status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode)
        except OSError as exc:
            status, stamp = None, exc.strerror
        if before is not None and before[0] == stamp:
            return before
        try:
            if status is None or not stat.S_ISREG(status.st_mode):  # a fifo would block the loop
                raise KeyFileError(f"key file {path}: {stamp if status is None else 'no file'}")  # noqa: TRY301
            return stamp, load_keys(path)[0]
        except KeyFileError as exc:  # once for each state of the file
            log.warning("event=key_not_read error=%s", exc)
            return stamp, None

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
        for made in (folder, allow):
            made.mkdir(mode=0o700, parents=True, exist_ok=True)
            _tighten(made)
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


def _tighten(folder: Path) -> None:
    """Take a folder that was there from all but its owner: who can write to it lets clients in."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if mode & 0o077:
            os.fchmod(descriptor, 0o700)
            sys.stderr.write(
                f"azr-sandbox keys: {folder} was open to others (mode {mode:04o}); it has mode 0700"
                " now: check that all files in it are yours\n"
            )
    finally:
        os.close(descriptor)


def _warn_if_shared(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        log.warning("event=secret_key_open_to_others file=%s mode=%04o hint=chmod 600", path, mode)


def _make_pair(folder: Path, name: str) -> None:
    old_mask = os.umask(0o077)  # the secret must never be readable by others, not for a moment
    try:
        zmq.auth.create_certificates(folder, name)  # pyright: ignore[reportUnknownMemberType]
    finally:
        os.umask(old_mask)


def _complain(message: str) -> int:
    sys.stderr.write(f"azr-sandbox keys: {message}\n")
    return 2
