"""Who may ask: whoever brings the token; without one, whoever asks for this machine by its name.

A page of another site can make a browser ask 127.0.0.1, under that site's own name (DNS
rebinding); its requests have that name as their Host. They are refused, as are all that want to
write. Answers are for this page alone, and are not kept.
"""

from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox_wasm.http.tokens import is_right
from sandbox_wasm.wire.endpoints import is_loopback

__all__ = ["Guard"]

HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


class Guard:
    """Stands before an application; requests that may not be asked do not reach it."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, with_headers(send))

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("this page is read only\n", 405)
        if self._token is None:
            host = headers.get(b"host", b"").decode("latin-1")
            name = host[: host.find("]") + 1] or host.partition(":")[0]
            if is_loopback(name):  # an address of this machine, which no other site has
                return None
            return PlainTextResponse(f"not served as {name!r}\n", 421)
        if is_right(headers.get(b"authorization"), self._token):
            return None
        ask = {"WWW-Authenticate": 'Basic realm="azr view: any name, the token as password"'}
        return PlainTextResponse("the token is needed\n", 401, ask)


def with_headers(send: Send) -> Send:
    """Add HEADERS to what is sent."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *HEADERS]
        await send(message)

    return sent
