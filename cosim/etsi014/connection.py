"""An HTTP connection that takes no longer than it may, and whose refusals have the standard's Error body.

Uvicorn's own time-out counts from the end of an answer and is lifted by the next byte: who sends a byte now and then,
or does not read, holds a connection for ever. Here each phase has a deadline that no byte moves.
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from cosim.etsi014.access import CERTIFICATE
from cosim.etsi014.gate import RECOGNISED
from cosim.etsi014.messages import SaeId
from cosim.etsi014.refusal import BAD_REQUEST, HEAD_TOO_LARGE, TIMEOUT, URI_TOO_LONG, Refusal

FAREWELL_S: Final = 0.5
"""Time that a client gets to close its side of an idle connection."""


@dataclass(frozen=True, slots=True)
class Patience:
    """The time-outs of a connection."""

    request_s: float
    """Longest time for a TLS handshake; then for the head of a request; its body; and its answer."""
    idle_s: float
    """Longest time between requests."""


class HttpConnection(H11Protocol):
    """An HTTP/1.1 connection with a deadline for each phase.

    It hands its client's certificate, or None, and `recognise` to the state of its requests.

    Args:
        server: server that it belongs to.
        patience: time-outs.
        recognise: called with the SAE of each authenticated request.
        leave: called when the connection has ended.
    """

    def __init__(
        self,
        server: uvicorn.Server,
        patience: Patience,
        recognise: Callable[[SaeId], None],
        leave: Callable[[], None],
    ) -> None:
        super().__init__(server.config, server.server_state, server.lifespan.state)
        self._patience = patience
        self._recognise = recognise
        self._leave = leave
        self._deadline: asyncio.TimerHandle | None = None
        self._resting = False
        self._latest: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin: the head of a request has to come."""
        super().connection_made(transport)
        certificate = transport.get_extra_info("peercert")
        self.app_state = {**self.app_state, CERTIFICATE: certificate, RECOGNISED: self._recognise}
        self._within(self._patience.request_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes: the first after a rest start the time for the head of a request, further ones don't."""
        if self._resting:
            self._resting = False
            self._within(self._patience.request_s)
        super().data_received(data)
        self._look_for_request()

    def on_response_complete(self) -> None:
        """Rest, unless bytes of the next request are there; what is not taken of the answer by then is thrown away."""
        self._resting = True
        self._within(self._patience.idle_s)
        super().on_response_complete()
        self._look_for_request()
        if self._resting and self.conn.trailing_data[0]:
            self._resting = False
            self._within(self._patience.request_s)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Refuse what is not HTTP, or exceeds the buffer of h11, while h11's error is being handled."""
        error = sys.exception()
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else BAD_REQUEST
        if status == HEAD_TOO_LARGE:
            in_first_line = b"\n" not in self.conn.trailing_data[0].lstrip(b"\r\n")
            status, told = (URI_TOO_LONG, "the URI") if in_first_line else (HEAD_TOO_LARGE, "the head of the request")
            self._refuse(Refusal(status, f"{told} is too long"))
        else:
            self._refuse(Refusal(BAD_REQUEST, "this is not a request of HTTP/1.1"))

    def shutdown(self) -> None:
        """End the connection with the server; a client that leaves an idle one open does not hold the end up."""
        super().shutdown()
        if self.transport.is_closing():
            self.loop.call_later(FAREWELL_S, self.transport.abort)

    def _look_for_request(self) -> None:
        """Start the time for body and answer when the head of a request is there."""
        if self.cycle is not self._latest:
            self._latest = self.cycle
            self._resting = False
            self._within(2 * self._patience.request_s)

    def _within(self, time_s: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(time_s, self._overdue)

    def _overdue(self) -> None:
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering or self.transport.is_closing() or self.transport.get_write_buffer_size():
            self.transport.abort()
        elif self._resting:
            self.transport.close()
            self.loop.call_later(FAREWELL_S, self.transport.abort)
        else:
            self._refuse(Refusal(TIMEOUT, "the request did not come in time"))

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal, if no answer has begun, and end the connection."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = refusal.body.encode()
            fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Cache-Control": "no-store"}
            headers = [(name.encode(), value.encode()) for name, value in {**fields, "Connection": "close"}.items()]
            reason = HTTPStatus(refusal.status).phrase.encode()
            for event in (
                h11.Response(status_code=refusal.status, headers=headers, reason=reason),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event))
        self.transport.close()
        self.loop.call_later(self._patience.request_s, self.transport.abort)
