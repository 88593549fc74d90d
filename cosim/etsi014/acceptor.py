"""The acceptor of connections: one at a time, so that those that are open are served between two new ones."""

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import Any

import uvicorn

from cosim.etsi014.admission import Admission, Visitor, peer_of
from cosim.etsi014.connection import HttpConnection, Patience

_RESPITE_S = 0.05
"""Pause after the machine refused a new connection, as when no file descriptor is free."""


class GuardedServer(uvicorn.Server):
    """A server whose connections are counted from the moment they are accepted, before TLS.

    Args:
        config: Uvicorn's configuration.
        listening: socket that listens.
        context: TLS context; None: no TLS.
        admission: bounds of connections.
        patience: time-outs of connections.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        listening: socket.socket,
        context: ssl.SSLContext | None,
        admission: Admission,
        patience: Patience,
    ) -> None:
        super().__init__(config)
        self._listening = listening
        self._admission = admission
        self._patience = patience
        self._tls: dict[str, Any] = {}
        if context is not None:
            self._tls = {"ssl": context, "ssl_handshake_timeout": patience.request_s}
            self._tls["ssl_shutdown_timeout"] = patience.request_s
        self._tasks: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - has its own
        """Start the application, then accept connections."""
        await super().startup(sockets=[])
        if self.started:
            self._listening.setblocking(False)
            self._start(self._accept())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - has its own
        """Accept no more, end handshakes, and let running requests finish."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listening.close()
        await super().shutdown(sockets=[])

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(self._listening)
            except ConnectionError:
                continue
            except OSError:
                self._admission.make_room()
                await asyncio.sleep(_RESPITE_S)
                continue
            self._greet(accepted, peer_of(address[0]))
            # A connection that waits in the queue is accepted without a turn of the loop.
            await asyncio.sleep(0)

    def _greet(self, accepted: socket.socket, peer: str) -> None:
        """Let a connection in and start it."""

        def drop() -> None:
            task.cancel()
            if connection.transport is not None:
                connection.transport.abort()

        visitor = Visitor(peer, drop)
        connection = HttpConnection(
            self,
            self._patience,
            lambda sae: self._admission.recognise(visitor, sae),
            lambda: self._admission.leave(visitor),
        )
        task = self._start(self._connect(accepted, visitor, connection))
        # A task that is cancelled before its first step closes nothing itself.
        task.add_done_callback(lambda done: accepted.close() if done.cancelled() else None)
        self._admission.enter(visitor)

    async def _connect(self, accepted: socket.socket, visitor: Visitor, connection: HttpConnection) -> None:
        try:
            with suppress(OSError):
                # asyncio does so itself only where the listening socket names its protocol; without it the body of an
                # answer waits for the client's acknowledgement of the head.
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
                await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, accepted, **self._tls)
        finally:
            if connection.transport is None or connection.transport.is_closing():
                self._admission.leave(visitor)

    def _start(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
