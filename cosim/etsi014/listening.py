"""The server: the socket that it listens on, its TLS, and the loop that serves until a signal."""

import ipaddress
import math
import resource
import socket
import ssl
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from cosim.errors import InputError, RunError
from cosim.etsi014.acceptor import GuardedServer
from cosim.etsi014.admission import Admission
from cosim.etsi014.connection import Patience
from cosim.etsi014.gate import MAX_FIELDS_BYTE, MAX_URI_BYTE

_CLOSING_S: Final = 3
"""Time that running requests get to finish at the end."""
_BACKLOG: Final = 1024
"""Connections that wait to be accepted."""
_OTHER_FILES: Final = 64
"""File descriptors besides those of connections."""


def listen(host: str, port: int, secured: bool) -> socket.socket:
    """Return a listening socket.

    Args:
        host: name or address to listen on.
        port: port; 0: a free one.
        secured: whether TLS will be used.

    Raises:
        InputError: the host is not this machine and keys would go over the network in the clear, or the port is taken.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise InputError(f"--host {host}: {_reason(error)}; name this machine or one of its addresses") from None
    if not secured and not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
        raise InputError(
            f"--host {host}: keys would cross the network in the clear; give --certificate and --key, or use 127.0.0.1"
        )
    try:
        return socket.create_server(address, family=family, backlog=_BACKLOG)
    except OSError as error:
        raise InputError(
            f"--host {host} --port {port}: {_reason(error)}; choose another port, or 0 for a free one"
        ) from None


def url(listening: socket.socket, secured: bool) -> str:
    """Return the URL at which clients reach the socket."""
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if secured else 'http'}://{shown}:{port}"


def tls(certificate: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    """Return the TLS context of the server, for TLS 1.2 or newer.

    Args:
        certificate: chain of certificates, PEM.
        key: private key of the first, PEM, without a passphrase.
        client_ca: authority of which clients have to show a certificate, PEM; None: they need none.

    Raises:
        InputError: a file cannot be read or does not hold what it should.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A key with a passphrase would make OpenSSL ask for it on the terminal.
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except (OSError, ValueError) as error:
        raise InputError(
            f"--certificate {certificate} --key {key}: {_reason(error)}; give a PEM chain and its key, no passphrase"
        ) from None
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except (OSError, ValueError) as error:
            raise InputError(f"--client-ca {client_ca}: {_reason(error)}; give a PEM certificate") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def reserve_files(connections: int) -> None:
    """Let this process open as many files as that many connections need.

    Raises:
        InputError: it may not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        except (OSError, ValueError):
            raise InputError(
                f"--connections {connections}: this process may open {hard} files and needs {needed};"
                f" lower it, or raise `ulimit -n`"
            ) from None


def serve(
    app: ASGIApp,
    listening: socket.socket,
    context: ssl.SSLContext | None,
    admission: Admission,
    patience: Patience,
    verbose: bool,
) -> None:
    """Serve requests until SIGINT or SIGTERM, which is raised as KeyboardInterrupt once all is closed.

    Args:
        app: the application.
        listening: socket from `listen`.
        context: TLS context; None: no TLS.
        admission: bounds of connections.
        patience: time-outs of connections.
        verbose: whether to log a line for each request.

    Raises:
        RunError: the server did not start.
    """
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="on",
        log_config=_logging(verbose),
        access_log=verbose,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=MAX_URI_BYTE + MAX_FIELDS_BYTE,
        timeout_keep_alive=math.ceil(patience.idle_s) + 1,
        timeout_graceful_shutdown=_CLOSING_S,
    )
    config.load()
    server = GuardedServer(config, listening, context, admission, patience)
    server.run()
    if not server.started:
        raise RunError("the key service did not start")


def _logging(verbose: bool) -> dict[str, Any]:
    """Return the logging configuration: faults to stderr; if verbose path and status of requests, never bodies.

    Uvicorn warns of whatever is not HTTP: without `verbose` strangers could fill a log with that.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "cosim: %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        "loggers": {
            "uvicorn": {"handlers": ["stderr"], "level": "WARNING" if verbose else "ERROR", "propagate": False},
            "uvicorn.access": {"level": "INFO" if verbose else "WARNING"},
        },
    }


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase")


def _reason(error: OSError | ValueError) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
