"""The paths of ETSI GS QKD 014 V1.1.1, clause 5, as an ASGI application; refusals have the standard's Error body."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Final
from uuid import UUID

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from cosim.etsi014.bodies import MOST_DETAILS, malformed, read_message
from cosim.etsi014.gate import CALLER, answer
from cosim.etsi014.messages import KeyContainer, KeyId, KeyIds, KeyRequest, KmeStatus, SaeId
from cosim.etsi014.refusal import BAD_REQUEST, NOT_ALLOWED, NOT_FOUND, SERVER_SIDE, Refusal
from cosim.etsi014.service import KeyDelivery

PREFIX: Final = "/api/v1/keys"
_TURN_S: Final = 0.25
"""Real time between two updates of the key network while no requests come."""
_METHODS: Final = {"status": "GET", "enc_keys": "GET, POST", "dec_keys": "GET, POST"}
"""HTTP methods by the last segment of the path."""


def make_app(service: KeyDelivery, catch_up: Callable[[], None]) -> FastAPI:
    """Return the ASGI application.

    Args:
        service: answers the requests.
        catch_up: brings the key network to the present; called before each answer, and while no requests come.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        turning = asyncio.create_task(_turn(catch_up))
        try:
            yield
        finally:
            turning.cancel()
            with suppress(asyncio.CancelledError):
                await turning

    app = FastAPI(openapi_url=None, lifespan=lifespan, redirect_slashes=False)
    app.add_middleware(_Unslashed)
    _add_methods(app, service, catch_up)
    _add_refusals(app)
    return app


class _Unslashed:
    """ASGI middleware that takes slashes off the end of paths; a redirect would lose the body of a POST."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": scope["path"].rstrip("/") or "/"}
        await self._app(scope, receive, send)


async def _turn(catch_up: Callable[[], None]) -> None:
    while True:
        catch_up()
        await asyncio.sleep(_TURN_S)


def _add_methods(app: FastAPI, service: KeyDelivery, catch_up: Callable[[], None]) -> None:
    """Add the standard's methods.

    They run in the event loop's thread, one after the other: what a method has checked still holds when it takes keys.
    """

    @app.get(PREFIX + "/{slave:path}/status")
    async def status(slave: SaeId, request: Request) -> KmeStatus:
        await _only(request)
        catch_up()
        return service.status(_caller(request), slave)

    @app.get(PREFIX + "/{slave:path}/enc_keys", response_model_exclude_none=True)
    async def get_key(
        slave: SaeId, request: Request, number: int | None = None, size: int | None = None
    ) -> KeyContainer:
        await _only(request, "number", "size")
        catch_up()
        return service.make(_caller(request), slave, KeyRequest(number=number, size=size))

    @app.post(PREFIX + "/{slave:path}/enc_keys", response_model_exclude_none=True)
    async def post_key(slave: SaeId, request: Request) -> KeyContainer:
        wanted = read_message(KeyRequest, request.headers, await request.body())
        _check_query(request)
        catch_up()
        return service.make(_caller(request), slave, wanted)

    @app.get(PREFIX + "/{master:path}/dec_keys", response_model_exclude_none=True)
    async def get_key_by_id(master: SaeId, request: Request, key_ID: UUID) -> KeyContainer:  # noqa: N803 - the standard's
        await _only(request, "key_ID")
        return service.collect(_caller(request), master, KeyIds(key_IDs=(KeyId(key_ID=key_ID),)))

    @app.post(PREFIX + "/{master:path}/dec_keys", response_model_exclude_none=True)
    async def post_key_by_ids(master: SaeId, request: Request) -> KeyContainer:
        wanted = read_message(KeyIds, request.headers, await request.body())
        _check_query(request)
        return service.collect(_caller(request), master, wanted)


def _add_refusals(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    async def refused(_: Request, refusal: Refusal) -> Response:
        return answer(refusal)

    @app.exception_handler(RequestValidationError)
    async def malformed_query(_: Request, error: RequestValidationError) -> Response:
        problems = [{**problem, "loc": problem["loc"][1:]} for problem in error.errors()]
        return answer(malformed("the query is malformed", problems))

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        status = error.status_code
        headers = dict(error.headers or {})
        told = HTTPStatus(status).phrase.lower()
        if status == NOT_FOUND:
            told = f"there is no such path; ask {PREFIX}/SAE/status, enc_keys or dec_keys"
        elif status == NOT_ALLOWED:
            last = request.url.path.rstrip("/").rpartition("/")[2]
            headers["Allow"] = _METHODS[last]
            told = f"{last} takes {' or '.join(_METHODS[last].split(', '))}, not {request.method}"
        return answer(Refusal(status, told, headers=headers))

    @app.exception_handler(Exception)
    async def broken(_: Request, __: Exception) -> Response:
        return answer(Refusal(SERVER_SIDE, "error of server side"))


def _caller(request: Request) -> SaeId:
    caller: SaeId = getattr(request.state, CALLER)
    return caller


async def _only(request: Request, *names: str) -> None:
    """Refuse a GET with a body, which it would leave unread, or with other parameters than these."""
    if await request.body():
        raise Refusal(BAD_REQUEST, "a GET has no body; put the parameters into the query, or send a POST")
    _check_query(request, *names)


def _check_query(request: Request, *names: str) -> None:
    """Refuse a query with other parameters than these, or with one of them twice."""
    given = [name for name, _ in request.query_params.multi_items()]
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise Refusal(
            BAD_REQUEST, "the query has unknown parameters", *({"field": name} for name in unknown[:MOST_DETAILS])
        )
    if len(set(given)) < len(given):
        raise Refusal(BAD_REQUEST, "a parameter stands twice in the query")
