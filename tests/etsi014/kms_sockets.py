"""A key server in a thread of this process, and clients that speak to it byte by byte."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from made_keys import TOKENS, Served
from uvicorn import Config

from cosim.etsi014.acceptor import GuardedServer
from cosim.etsi014.admission import Admission
from cosim.etsi014.app import PREFIX
from cosim.etsi014.connection import Patience
from cosim.etsi014.gate import MAX_FIELDS_BYTE, MAX_URI_BYTE
from cosim.etsi014.listening import listen

PATIENCE_S: Final = 20.0
"""How long a test waits for what has to happen."""
STATUS: Final = (
    f"GET {PREFIX}/bob/status HTTP/1.1\r\nHost: kme\r\nAuthorization: Bearer {TOKENS['alice']}\r\n\r\n".encode()
)
"""A request of alice."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """A server that is ready."""

    server: GuardedServer
    admission: Admission
    port: int

    def connect(self, address: str = "127.0.0.1") -> socket.socket:
        """A connection from an address of this machine."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S, source_address=(address, 0))


@contextmanager
def guarded(
    served: Served,
    connections: int = 100,
    unauthenticated: int = 100,
    request_s: float = 3600.0,
    idle_s: float = 3600.0,
    context: ssl.SSLContext | None = None,
) -> Iterator[Guarded]:
    """Serve in a thread until the end of the block, which has to come soon whoever is connected."""
    listening = listen("127.0.0.1", 0, secured=context is not None)
    admission = Admission(connections, unauthenticated)
    config = Config(
        served.app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        h11_max_incomplete_event_size=MAX_URI_BYTE + MAX_FIELDS_BYTE,
        timeout_keep_alive=7200,
        timeout_graceful_shutdown=3,
    )
    server = GuardedServer(config, listening, context, admission, Patience(request_s, idle_s))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started)
        yield Guarded(server, admission, listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def eventually(is_so: Callable[[], bool]) -> None:
    """Wait until it is."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def rest_of(connection: socket.socket, drip: bytes = b"") -> bytes:
    """What still comes until the other side ends the connection, while a byte is sent now and then."""
    deadline_s = time.monotonic() + PATIENCE_S
    got = b""
    connection.settimeout(0.05)
    while time.monotonic() < deadline_s:
        if drip:
            try:
                connection.sendall(drip)
            except OSError:  # what has come already can still be read
                drip = b""
        try:
            piece = connection.recv(65_536)
        except TimeoutError:
            continue
        except OSError:
            return got
        if not piece:
            return got
        got += piece
    raise AssertionError(f"still open after {PATIENCE_S} s: {got[:200]!r}")


def is_open(connection: socket.socket) -> bool:
    """Whether the other side has neither ended it nor said anything."""
    connection.setblocking(False)
    with suppress(BlockingIOError):
        try:
            connection.recv(1)
        except ConnectionError:
            return False
        return False
    return True


def answer_from(connection: socket.socket) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of the next answer, which has a length."""
    connection.settimeout(PATIENCE_S)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = connection.recv(1)
        assert piece, head
        head += piece
    return parsed(head, connection)


def parsed(head: bytes, connection: socket.socket) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of an answer whose head has come."""
    first, *lines = head.decode().rstrip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = b""
    while len(body) < int(headers.get("content-length", 0)):
        piece = connection.recv(int(headers["content-length"]) - len(body))
        assert piece, body
        body += piece
    return int(first.split()[1]), headers, json.loads(body) if body else None


def refusal_in(text: bytes) -> tuple[int, str]:
    """Status and message of the one answer in a text: it has the standard's form, and ends the connection."""
    head, _, body = text.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert {"content-type: application/json", "connection: close", "cache-control: no-store"} <= set(lines), text
    told = json.loads(body)
    assert set(told) <= {"message", "details"}
    return int(lines[0].split()[1]), told["message"]
