"""The token of the HTTP door: read once at the start, compared in constant time.

Clients bring it as `Authorization: Bearer TOKEN`. Those that take nothing but a URL put it there,
`http://azr:TOKEN@HOST:PORT/...`, from which their HTTP libraries make Basic authorization.
"""

import base64
import binascii
import hmac
import logging
import os
import re
import stat
from pathlib import Path
from typing import Final

__all__ = ["TOKEN_VARIABLE", "is_right", "read_token"]

log = logging.getLogger(__name__)

TOKEN_VARIABLE: Final = "AZR_SANDBOX_TOKEN"  # noqa: S105 - where it stands, not what it is
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]{16,1024}")
_MAX_FILE_BYTES: Final = 4096
_HINT: Final = "16 to 1024 letters, digits and ._~+/=-, as `openssl rand -hex 32` writes"


def read_token(path: Path | None, variable: str = TOKEN_VARIABLE) -> str | None:
    """Read the token from a file, else from the environment; None where neither has one.

    Args:
        path: The file, if one was named.
        variable: Of the environment.

    Raises:
        ValueError: It cannot be read, or is no token.
    """
    if path is None:
        token = os.environ.get(variable)
        if token is None:
            return None
        source = f"${variable}"
    else:
        token, source = _read(path), f"--token-file {path}"
    token = token.strip()
    if _TOKEN.fullmatch(token) is None:
        raise ValueError(f"{source} holds no token: it must be {_HINT}")
    return token


def _read(path: Path) -> str:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_FILE_BYTES:
            raise ValueError(
                f"--token-file {path} must be a file of at most {_MAX_FILE_BYTES} bytes"
            )
        if stat.S_IMODE(status.st_mode) & 0o077:
            log.warning("event=token_open_to_others file=%s hint=chmod 600", path)
        return path.read_text(encoding="ascii")
    except OSError as exc:
        raise ValueError(f"cannot read --token-file {path}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ValueError(f"--token-file {path} holds no token: it must be {_HINT}") from exc


def is_right(authorization: bytes | None, token: str) -> bool:
    """Whether a request's Authorization header brings the token."""
    if authorization is None:
        return False
    scheme, _, rest = authorization.partition(b" ")
    given = rest.strip()
    if scheme.lower() == b"basic":
        try:
            given = base64.b64decode(given, validate=True).partition(b":")[2]
        except binascii.Error:
            return False
    elif scheme.lower() != b"bearer":
        return False
    return hmac.compare_digest(given, token.encode())
