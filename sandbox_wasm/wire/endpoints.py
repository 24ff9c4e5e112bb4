"""Endpoint URLs: tcp://host:port and ipc:///path, checked before ZeroMQ sees them."""

import fcntl
import ipaddress
import re
import socket
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "MAX_IPC_PATH_BYTES",
    "Endpoint",
    "is_loopback",
    "parse_address",
    "parse_endpoint",
    "url_of",
]

MAX_IPC_PATH_BYTES = 107
"""sizeof(sockaddr_un.sun_path) on Linux, less the final zero."""

_ALLOWED = "tcp://HOST:PORT or ipc:///PATH"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A parsed URL."""

    url: str
    scheme: str
    host: str
    """Of tcp; empty for ipc."""
    port: int
    """Of tcp; 0 asks the system for a free one (bind only)."""
    path: str
    """Of ipc."""

    @property
    def is_local(self) -> bool:
        """True when no other machine can reach it."""
        return self.scheme == "ipc" or is_loopback(self.host)

    def listen(self, backlog: int, name: str | None = None) -> socket.socket:
        """Bind, and let `backlog` peers wait; none of them has a descriptor here before `accept`.

        Raises:
            OSError: The address cannot be had; the message calls it `name`, by default the URL.
        """
        ipc = self.scheme == "ipc"
        if ipc and not _is_stale_or_free(Path(self.path)):
            raise OSError(f"{self.url} is in use")
        host = "" if self.host == "*" else self.host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.socket(socket.AF_UNIX if ipc else family)
        try:
            if ipc:
                Path(self.path).unlink(missing_ok=True)
                bound.bind(self.path)
            else:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                bound.bind((_address_of_interface(host) or host, self.port))
            bound.listen(backlog)
        except OSError as exc:
            bound.close()
            raise OSError(f"cannot bind {name or self.url}: {exc.strerror or exc}") from exc
        bound.setblocking(False)
        return bound

    def url_of(self, listener: socket.socket) -> str:
        """Return this address as `listener` has it: a name or a wildcard is a number there."""
        return self.url if self.scheme == "ipc" else url_of(listener, "tcp")


def url_of(listener: socket.socket, scheme: str) -> str:
    """Return the address of a TCP socket as it was bound."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine alone, by its name or by an address of its own."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False  # a name, an interface or "*": not known to be private


def _is_stale_or_free(path: Path) -> bool:
    """Tell whether a path can be bound without taking it from somebody.

    A socket file nobody listens on (left by a killed server) counts as free.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return True
    if not stat.S_ISSOCK(mode):
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(str(path)) != 0


def _address_of_interface(name: str) -> str | None:
    """The IPv4 address of a network interface such as `eth0`; None for what is not one."""
    if name not in {known for _, known in socket.if_nameindex()}:
        return None
    siocgifaddr = 0x8915  # linux/sockios.h
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("256s", name.encode()[:15])
        return socket.inet_ntoa(fcntl.ioctl(probe.fileno(), siocgifaddr, request)[20:24])


def parse_address(text: str, flag: str, example: str) -> Endpoint:
    """Check and split HOST:PORT, to be bound.

    Args:
        text: What was given.
        flag: Where, for the message.
        example: A right one, for the message.

    Raises:
        ValueError: It is none; the message holds the value and what is allowed.
    """
    try:
        return parse_endpoint(f"tcp://{text}", bind=True)
    except ValueError:
        raise ValueError(
            f"{flag} must be HOST:PORT, as in {example} (PORT * for any), got {text!r}"
        ) from None


def parse_endpoint(url: object, *, bind: bool = False) -> Endpoint:
    """Check and split an endpoint URL.

    Raises:
        ValueError: It is not one; the message holds the value and what is allowed.
    """
    if not isinstance(url, str):
        raise ValueError(f"endpoint must be a text like {_ALLOWED}, got {url!r}")  # noqa: TRY004
    if url.startswith("ipc://"):
        return _parse_ipc(url)
    match = re.fullmatch(r"tcp://(\[[0-9A-Fa-f:.%\w]+\]|[\w.*-]+):(\d{1,5}|\*)", url, re.ASCII)
    if match is None:
        raise ValueError(f"endpoint {url!r} is not one of {_ALLOWED}")
    host, port = match[1], 0 if match[2] == "*" else int(match[2])
    if port > 65_535 or (port == 0 and not bind):
        raise ValueError(f"endpoint {url!r}: the port must be in [1, 65535]")
    if host == "*" and not bind:
        raise ValueError(f"endpoint {url!r}: a client needs the server's host name, not '*'")
    return Endpoint(f"tcp://{host}:{port or '*'}", "tcp", host, port, "")


def _parse_ipc(url: str) -> Endpoint:
    path = url.removeprefix("ipc://")
    if not path.startswith("/") or "\0" in path:
        raise ValueError(f"endpoint {url!r}: ipc needs an absolute path, as in ipc:///run/azr.sock")
    num_bytes = len(path.encode("utf-8", "surrogateescape"))
    if num_bytes > MAX_IPC_PATH_BYTES:
        raise ValueError(
            f"endpoint {url!r}: the path has {num_bytes} bytes, a socket's path at most"
            f" {MAX_IPC_PATH_BYTES}: choose a shorter folder"
        )
    return Endpoint(url, "ipc", "", 0, path)
