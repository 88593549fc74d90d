"""The server: the socket that it listens on, its TLS, and the loop that serves until a signal."""

import asyncio
import ipaddress
import socket
import ssl
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from cosim.errors import InputError, RunError
from cosim.etsi014.access import CERTIFICATE

_CONNECTIONS: Final = 512
_CLOSING_S: Final = 3
"""Time that running requests get to finish at the end."""
_FAREWELL_S: Final = 0.5
"""Time that an idle client gets to close its side of TLS."""


class _Connection(H11Protocol):
    """A connection that hands its client's certificate, or None, to the state of its requests."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self.app_state = {**self.app_state, CERTIFICATE: transport.get_extra_info("peercert")}

    def shutdown(self) -> None:
        """End the connection; a client that leaves an idle TLS connection open does not hold the end up."""
        super().shutdown()
        if self.transport.is_closing():
            asyncio.get_running_loop().call_later(_FAREWELL_S, self.transport.abort)


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
        return socket.create_server(address, family=family, backlog=128)
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


def serve(app: ASGIApp, listening: socket.socket, context: ssl.SSLContext | None, verbose: bool) -> None:
    """Serve requests until SIGINT or SIGTERM, which is raised as KeyboardInterrupt once all is closed.

    Args:
        app: the application.
        listening: socket from `listen`.
        context: TLS context; None: no TLS.
        verbose: whether to log a line for each request.

    Raises:
        RunError: the server did not start.
    """
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=_Connection,
        ws="none",
        lifespan="on",
        log_config=_logging(verbose),
        access_log=verbose,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_CLOSING_S,
    )
    config.load()
    config.ssl = context
    server = uvicorn.Server(config)
    server.run(sockets=[listening])
    if not server.started:
        raise RunError("the key service did not start")


def _logging(verbose: bool) -> dict[str, Any]:
    """Return the logging configuration: warnings to stderr; if verbose path and status of requests, never bodies."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "cosim: %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        "loggers": {
            "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            "uvicorn.access": {"level": "INFO" if verbose else "WARNING"},
        },
    }


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase")


def _reason(error: OSError | ValueError) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
