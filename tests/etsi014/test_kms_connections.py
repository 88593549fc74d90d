"""Connections that stall, that are too many, or that speak something else, against real sockets."""

import asyncio
import errno
import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kms_process import Authority
from kms_sockets import STATUS, Guarded, answer_from, eventually, guarded, is_open, refusal_in, rest_of
from made_keys import TOKENS, Chain, Served

from cosim.errors import InputError
from cosim.etsi014.app import PREFIX
from cosim.etsi014.listening import reserve_files, tls

HEAD = STATUS.removesuffix(b"\r\n")


@pytest.fixture(scope="module")
def patient() -> Iterator[Guarded]:
    """A server that waits for an hour."""
    with guarded(Served(Chain())) as service:
        yield service


@pytest.fixture(scope="module")
def impatient() -> Iterator[Guarded]:
    """A server that waits for 0.4 s."""
    with guarded(Served(Chain(), body_s=0.4), request_s=0.4, idle_s=0.4) as service:
        yield service


def posted(length: int, more: bytes = b"", sae: str = "alice") -> bytes:
    """The head of a POST that announces so many bytes."""
    return (
        f"POST {PREFIX}/bob/enc_keys HTTP/1.1\r\nHost: kme\r\nAuthorization: Bearer {TOKENS.get(sae)}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n"
    ).encode() + (more + b"\r\n")


@pytest.mark.parametrize(
    ("sent", "drip", "statuses"),
    [
        (b"", b"", [408]),
        (HEAD, b"", [408]),
        (HEAD, b"x", [408]),
        (posted(50), b"", [408]),
        (posted(50_000), b" ", [408]),
        (STATUS, b"", [200]),
        (STATUS + b"GET ", b"", [200, 408]),
        (STATUS, b"x", [200, 408]),
        (posted(10**9, sae="nobody"), b" ", [401]),
        (posted(10**9), b" ", [413]),
    ],
    ids=[
        "nothing",
        "half a head",
        "a head byte by byte",
        "half a body",
        "a body byte by byte",
        "idle",
        "half of a second head",
        "a second head byte by byte",
        "the endless body of a stranger",
        "an endless body",
    ],
)
def test_who_stalls_is_disconnected(sent: bytes, drip: bytes, statuses: list[int], impatient: Guarded):
    """Whatever a client leaves out or sends slowly, its connection ends; bytes now and then do not hold it."""
    connection = impatient.connect()
    connection.sendall(sent)
    got = rest_of(connection, drip)
    assert [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", got)] == statuses
    if statuses == [408]:
        assert "in time" in refusal_in(got)[1]
    eventually(lambda: len(impatient.admission) == 0)


def test_each_deadline_holds_alone():
    """A rest ends by its own time-out however long requests may take, and a request that hangs ends unanswered."""
    with guarded(Served(Chain()), idle_s=0.4) as service:
        connection = service.connect()
        assert is_served(connection)
        assert rest_of(connection) == b""
    with guarded(Served(Chain(), body_s=3600.0), request_s=0.4) as service:
        connection = service.connect()
        connection.sendall(posted(50))
        assert rest_of(connection) == b""


@pytest.mark.parametrize("is_over_tls", [False, True])
def test_who_does_not_read_is_disconnected(is_over_tls: bool, tmp_path: Path):
    """Answers that nobody takes end their connection, with TLS and without."""
    served = Served(Chain(alice_bob_bit=10**12), most=10**6)
    authority = Authority(tmp_path)
    context = tls(*authority.issue("kme"), None) if is_over_tls else None
    body = json.dumps({"number": 128, "size": 4096}).encode()
    with guarded(served, request_s=1.0, idle_s=1.0, context=context) as service:
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.settimeout(20)
        plain.connect(("127.0.0.1", service.port))
        connection = trusting(authority).wrap_socket(plain, server_hostname="127.0.0.1") if is_over_tls else plain
        connection.sendall((posted(len(body)) + body) * 150)
        eventually(lambda: served.keys.pools["ab"] < 10**12)
        eventually(lambda: len(service.admission) == 0)
        assert served.keys.pools["ab"] > 10**12 - 150 * 128 * 4096
        connection.close()


def trusting(authority: Authority) -> ssl.SSLContext:
    """TLS of a client."""
    return ssl.create_default_context(cafile=str(authority.file))


@pytest.mark.parametrize("hello", [b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n"])
def test_half_a_handshake_is_disconnected(hello: bytes, tmp_path: Path):
    """Over TLS too nothing, half a handshake and plain HTTP end; meanwhile a client is served."""
    authority = Authority(tmp_path)
    with guarded(Served(Chain()), request_s=1.0, context=tls(*authority.issue("kme"), None)) as service:
        stalled = service.connect()
        stalled.sendall(hello)
        with trusting(authority).wrap_socket(service.connect(), server_hostname="127.0.0.1") as connection:
            connection.sendall(STATUS)
            assert answer_from(connection)[0] == 200
        rest_of(stalled)
        eventually(lambda: len(service.admission) == 0)


def is_served(connection: socket.socket) -> bool:
    """Whether alice gets an answer over it."""
    connection.sendall(STATUS)
    return answer_from(connection)[0] == 200


def test_a_flood_pushes_out_its_own_and_nobody_who_is_known():
    """With every place taken by strangers who wait, known connections go on, and a newcomer is served at once."""
    with guarded(Served(Chain()), connections=8, unauthenticated=8) as service:
        known = [service.connect() for _ in range(3)]
        assert all(is_served(connection) for connection in known)
        flood = []
        for number in range(40):
            flood.append(service.connect(f"127.0.0.{2 + number % 3}"))
            flood[-1].sendall(HEAD)
        newcomer = service.connect()
        assert is_served(newcomer)
        eventually(lambda: sum(map(is_open, flood)) == 4)
        assert len(service.admission) == 8
        assert all(is_served(connection) for connection in [*known, newcomer])


def test_a_peer_has_few_connections_before_it_is_known():
    """Of one address the oldest unauthenticated connection goes for the next; others and known ones stay."""
    with guarded(Served(Chain()), unauthenticated=3) as service:
        other, known = service.connect("127.0.0.2"), service.connect()
        assert is_served(known)
        many = [service.connect() for _ in range(5)]
        eventually(lambda: [is_open(one) for one in many] == [False, False, True, True, True])
        assert all(map(is_open, (other, known)))
        assert all(is_served(one) for one in (*many[2:], other, known))


def test_known_is_who_was_authenticated():
    """A wrong token leaves a connection among the strangers, which go first."""
    with guarded(Served(Chain()), unauthenticated=2) as service:
        wrong, right = service.connect(), service.connect()
        wrong.sendall(STATUS.replace(TOKENS["alice"].encode(), b"no-token-of-anybody"))
        assert answer_from(wrong)[0] == 401
        assert is_served(right)
        more = [service.connect() for _ in range(2)]
        eventually(lambda: [is_open(one) for one in (wrong, right, *more)] == [False, True, True, True])


@pytest.mark.parametrize(
    ("pieces", "status", "word"),
    [
        ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"], 400, "not a request"),
        ([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], 505, "HTTP/1.1"),
        ([b"GET /\xc3\xa9 HTTP/1.1\r\nHost: kme\r\n\r\n"], 400, "not a request"),
        ([b"GET / HTTP/1.1\r\n\r\n"], 400, "not a request"),
        ([b"GET / HTTP/1.1\r\nHost: kme\r\nContent-Length: x\r\n\r\n"], 400, "not a request"),
        ([b"GET /", b"x" * 20_000, b"x" * 20_000], 414, "URI"),
        ([b"GET / HTTP/1.1\r\nHost: kme\r\nA: ", b"x" * 20_000, b"x" * 20_000], 431, "head"),
        ([b"GET / HTTP/1.1\r\nHost: kme\r\n", *[b"A: x\r\n" * 2000] * 4], 431, "head"),
        (
            [
                STATUS.replace(b"GET", b"POST").removesuffix(b"\r\n") + b"Transfer-Encoding: chunked\r\n\r\n",
                b"nonsense\r\n",
            ],
            400,
            "not a request",
        ),
    ],
)
def test_what_is_not_http_is_refused_in_the_form_of_the_standard(
    pieces: list[bytes], status: int, word: str, patient: Guarded, caplog: pytest.LogCaptureFixture
):
    """What cannot be read gets the Error body with its status, ends the connection, and is no fault of the server's."""
    caplog.set_level("ERROR")
    connection = patient.connect()
    for piece in pieces:
        connection.sendall(piece)
        time.sleep(0.02)
    told = refusal_in(rest_of(connection))
    assert told[0] == status
    assert word in told[1]
    assert caplog.records == []


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (STATUS.replace(b"/status", b"/status?x=" + b"y" * 9000), 414),
        (HEAD + b"A: " + b"x" * 17_000 + b"\r\n\r\n", 431),
        (posted(70_000) + b" " * 70_000, 413),
        (posted(3_000_000) + b" " * 3_000_000, 413),
        (posted(100_000, sae="nobody") + b" " * 100_000, 401),
    ],
)
def test_a_refusal_of_size_reaches_its_client(request_head: bytes, status: int, patient: Guarded):
    """A client that has sent all of what is too large reads the refusal, and the connection can be used again."""
    connection = patient.connect()
    connection.sendall(request_head)
    told = answer_from(connection)
    assert told[0] == status
    assert set(told[2]) <= {"message", "details"}
    assert is_served(connection)


def test_requests_in_a_row_are_answered_in_their_order():
    """Requests that are sent before the answers come get one answer each, in order, and are rated one by one."""
    with guarded(Served(Chain(), rate_per_s=0.001, burst=20)) as service:
        connection = service.connect()
        paths = [f"{PREFIX}/{'bob' if number % 2 else 'nobody'}/status".encode() for number in range(25)]
        connection.sendall(b"".join(STATUS.replace(f"{PREFIX}/bob/status".encode(), path) for path in paths))
        statuses = [answer_from(connection)[0] for _ in paths]
        assert statuses == [400, 200] * 10 + [429] * 5


def test_who_asks_before_sending_a_body_is_told(patient: Guarded):
    """With `Expect: 100-continue` a known caller is asked for his body, and a stranger's connection ends."""
    known, stranger = patient.connect(), patient.connect()
    known.sendall(posted(2, b"Expect: 100-continue\r\n"))
    assert answer_from(known)[0] == 100
    known.sendall(b"{}")
    assert answer_from(known)[0] == 200
    stranger.sendall(posted(2, b"Expect: 100-continue\r\n", sae="nobody"))
    assert refusal_in(rest_of(stranger))[0] == 401


def test_a_head_request_takes_no_key():
    """HEAD is answered with 405, the methods that there are, and no body."""
    served = Served(Chain())
    with guarded(served) as service:
        connection = service.connect()
        connection.sendall(STATUS.replace(b"GET", b"HEAD").replace(b"status", b"enc_keys") + STATUS)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        assert b" 405 " in head
        assert b"\r\nallow: GET, POST\r\n" in head.replace(b"Allow", b"allow")
        assert answer_from(connection)[0] == 200
        assert served.keys.pools["ab"] == 100_000


def test_a_server_without_file_descriptors_makes_room(monkeypatch: pytest.MonkeyPatch):
    """When the machine has no descriptor for one more, a stranger goes for it, and no known connection."""
    accept = asyncio.selector_events.BaseSelectorEventLoop.sock_accept
    failing: list[int] = []

    async def failing_accept(loop: asyncio.selector_events.BaseSelectorEventLoop, listening: socket.socket):
        if failing:
            raise OSError(failing.pop(), "too many open files")
        return await accept(loop, listening)

    monkeypatch.setattr(asyncio.selector_events.BaseSelectorEventLoop, "sock_accept", failing_accept)
    with guarded(Served(Chain())) as service:
        known, stranger = service.connect(), service.connect()
        assert is_served(known)
        eventually(lambda: len(service.admission) == 2)
        failing.append(errno.ECONNABORTED)
        assert all(is_served(service.connect()) for _ in range(2))
        assert not failing
        assert is_open(stranger)
        failing.append(errno.EMFILE)
        assert all(is_served(service.connect()) for _ in range(2))
        eventually(lambda: not is_open(stranger))
        assert is_served(known)


def test_more_connections_than_files_are_refused(monkeypatch: pytest.MonkeyPatch):
    """The soft limit of open files is raised where it may be; above the hard one the line names option and limit."""
    limits = {"soft": 256, "hard": 1024}

    def set_limit(_: int, wanted: tuple[int, int]) -> None:
        if wanted[0] > limits["hard"]:
            raise ValueError("not allowed")
        limits["soft"] = wanted[0]

    monkeypatch.setattr("resource.getrlimit", lambda _: (limits["soft"], limits["hard"]))
    monkeypatch.setattr("resource.setrlimit", set_limit)
    reserve_files(100)
    assert limits["soft"] == 256
    reserve_files(512)
    assert limits["soft"] == 576
    with pytest.raises(InputError, match=r"--connections 5000: this process may open 1024 files and needs 5064"):
        reserve_files(5000)


def test_the_end_does_not_wait_for_who_stalls(tmp_path: Path):
    """A server with stalled connections of all kinds ends soon: `guarded` waits for that."""
    stall: list[Callable[[Guarded], socket.socket]] = [
        lambda service: service.connect(),
        lambda service: trusting(authority).wrap_socket(service.connect(), server_hostname="127.0.0.1"),
    ]
    authority = Authority(tmp_path)
    with guarded(Served(Chain()), context=tls(*authority.issue("kme"), None)) as service:
        stalled = [one(service) for one in stall * 5]
        for connection in stalled[1::4]:
            connection.sendall(HEAD)
        assert len(service.admission) == 10


def test_answers_do_not_wait_for_acknowledgements(patient: Guarded):
    """Head and body of an answer are two packets: without TCP_NODELAY each answer took 44 ms more on one machine."""
    connection = patient.connect()
    assert is_served(connection)
    sockets = [one.transport.get_extra_info("socket") for one in patient.server.server_state.connections]
    assert sockets
    assert all(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for one in sockets)
