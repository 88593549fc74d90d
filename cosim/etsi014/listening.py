"""The server's end of the wire: the socket that it listens on, its TLS, and the process that serves until a signal."""

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
"""Answers on their way get so long at the end."""
_FAREWELL_S: Final = 0.5
"""An idle client gets so long to close its side of TLS."""


class _Connection(H11Protocol):
    """A connection whose requests know the certificate that the client has shown, None without one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self.app_state = {**self.app_state, CERTIFICATE: transport.get_extra_info("peercert")}

    def shutdown(self) -> None:
        """The service ends; a client that leaves an idle TLS connection open does not hold it up."""
        super().shutdown()
        if self.transport.is_closing():
            asyncio.get_running_loop().call_later(_FAREWELL_S, self.transport.abort)


def listen(host: str, port: int, secured: bool) -> socket.socket:
    """A listening socket; port 0: a free one.

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
    """Where clients find it."""
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if secured else 'http'}://{shown}:{port}"


def tls(certificate: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or newer; with `client_ca` a client has to show a certificate of that authority.

    Raises:
        InputError: a file cannot be read or is not what it should be.
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
    """Answer requests until SIGINT or SIGTERM, which comes back as KeyboardInterrupt once all is closed.

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
    """All on stderr: troubles, and with `verbose` a line for each request: path and status, never bodies."""
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
