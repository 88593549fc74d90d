"""The gate before the key service: it authenticates callers, limits rates and sizes, and forbids caching of answers."""

import asyncio
import math
from collections.abc import Sequence
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cosim.etsi014.access import Access
from cosim.etsi014.limits import RateLimit
from cosim.etsi014.refusal import (
    HEAD_TOO_LARGE,
    OTHER_VERSION,
    TIMEOUT,
    TOO_LARGE,
    TOO_MANY,
    UNAUTHORIZED,
    URI_TOO_LONG,
    Refusal,
)

CALLER: Final = "caller"
"""Key of a request's state that holds the authenticated SAE."""
RECOGNISED: Final = "recognised"
"""Key of a connection's state that holds what to call with the SAE of each authenticated request."""
MAX_URI_BYTE: Final = 8_192
MAX_FIELDS_BYTE: Final = 16_384
"""Largest header fields of a request, names and values together."""
MAX_BODY_BYTE: Final = 65_536
"""Largest body that is read; the largest valid request, 128 key_IDs, has about 7,000 bytes."""


class Gate:
    """ASGI middleware that refuses requests before they reach the application.

    Args:
        app: the application.
        access: authenticates callers.
        limit: their rates.
        body_s: longest time that a body may take to arrive.
    """

    def __init__(self, app: ASGIApp, access: Access, limit: RateLimit, body_s: float) -> None:
        self._app = app
        self._access = access
        self._limit = limit
        self._body_s = body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or pass on the application's lifespan events."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            _check_head(scope)
            self._admit(scope)
            body = await _read(scope["headers"], receive, self._body_s)
        except Refusal as refusal:
            if any(name == b"expect" for name, _ in scope["headers"]):
                # Whether the body follows is the client's choice, so that nobody knows where the next request begins.
                refusal.headers["Connection"] = "close"
            await answer(refusal)(scope, receive, _uncached(send))
            return
        if body is not None:
            await self._app(scope, _replayed(body, receive), _uncached(send))

    def _admit(self, scope: Scope) -> None:
        state = scope.setdefault("state", {})
        sae = self._access.caller(scope["headers"], state)
        if sae is None:
            challenge = {"WWW-Authenticate": self._access.challenge} if self._access.challenge else None
            raise Refusal(UNAUTHORIZED, "the caller is no known SAE", headers=challenge)
        if RECOGNISED in state:
            state[RECOGNISED](sae)
        wait_s = self._limit.wait_s(sae)
        if wait_s:
            retry = {"Retry-After": str(math.ceil(wait_s))}
            raise Refusal(TOO_MANY, f"{sae} asks too often; wait", headers=retry)
        state[CALLER] = sae


def answer(refusal: Refusal) -> Response:
    """Return the HTTP response for a refusal."""
    return Response(refusal.body, refusal.status, refusal.headers, media_type="application/json")


def _check_head(scope: Scope) -> None:
    if scope["http_version"] not in ("1.0", "1.1"):
        raise Refusal(OTHER_VERSION, "this server speaks HTTP/1.1", headers={"Connection": "close"})
    uri_byte = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    if uri_byte > MAX_URI_BYTE:
        raise Refusal(URI_TOO_LONG, f"the URI exceeds {MAX_URI_BYTE} byte")
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_FIELDS_BYTE:
        raise Refusal(HEAD_TOO_LARGE, f"the header fields exceed {MAX_FIELDS_BYTE} byte")


async def _read(headers: Sequence[tuple[bytes, bytes]], receive: Receive, time_s: float) -> bytes | None:
    """Return the whole body; None if the client has disconnected.

    The rest of a body that is too large is left to the server, which discards it: a client that is still sending would
    not see the answer of a connection that closes.

    Args:
        headers: header fields of the request.
        receive: of ASGI.
        time_s: longest time that it may take.

    Raises:
        Refusal: it is too large, or did not come in time.
    """
    announced = next((value for name, value in headers if name == b"content-length"), b"0")
    too_large = Refusal(TOO_LARGE, f"the body exceeds {MAX_BODY_BYTE} byte")
    if not announced.isdigit() or int(announced) > MAX_BODY_BYTE:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(time_s):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > MAX_BODY_BYTE:
                    raise too_large
    except TimeoutError:
        raise Refusal(TIMEOUT, "the body did not come in time", headers={"Connection": "close"}) from None
    return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body that has been read already, then whatever follows it."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return left.pop() if left else await receive()

    return replay


def _uncached(send: Send) -> Send:
    """Return a `send` that forbids caching: no proxy may keep an answer with keys."""

    async def forward(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"cache-control", b"no-store")]}
        await send(message)

    return forward
