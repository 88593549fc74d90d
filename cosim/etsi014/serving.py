"""The key service as a whole, from a run or a scenario to a listening socket, until a signal ends it."""

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cosim.errors import InputError
from cosim.etsi014.access import Access, CertificateAccess, TokenAccess, fresh_tokens, read_tokens, write_tokens
from cosim.etsi014.admission import Admission
from cosim.etsi014.app import PREFIX, make_app
from cosim.etsi014.connection import Patience
from cosim.etsi014.gate import Gate
from cosim.etsi014.keystore import KeyStore
from cosim.etsi014.limits import RateLimit
from cosim.etsi014.listening import listen, reserve_files, serve, tls, url
from cosim.etsi014.network import PooledKeys, open_keys
from cosim.etsi014.realtime import RealTime
from cosim.etsi014.service import KeyDelivery

MOST_WAITING = 10_000
"""Most keys of one master that wait for their slaves at once."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of the service, and the files by which it authenticates itself and its callers."""

    host: str
    port: int
    certificate: Path | None
    key: Path | None
    client_ca: Path | None
    tokens: Path | None


@dataclass(frozen=True, slots=True)
class Limits:
    """The speed of simulated time, the limits of what a SAE may ask for, and those of connections."""

    speed: float
    """Simulated seconds in a real one."""
    rate_per_s: float
    """Requests that a SAE may send each second."""
    burst: int
    """Requests that it may send at once after a rest."""
    keep_s: float
    """Real time for which a key waits for its slaves."""
    connections: int
    """Most connections at once."""
    unauthenticated: int
    """Most connections of a peer that have not authenticated."""
    patience: Patience
    """Time-outs of connections."""


OnReady = Callable[[str, tuple[str, ...], Path | None], None]
"""Called with URL, SAEs and the file of their tokens once the service listens."""
OnWarning = Callable[[str], None]
"""Called with each warning while it serves."""


def serve_keys(
    what: str,
    overrides: Sequence[str],
    endpoint: Endpoint,
    limits: Limits,
    verbose: bool,
    tell: OnReady,
    warn: OnWarning,
) -> None:
    """Serve the pools of a run folder or a scenario until SIGINT or SIGTERM.

    Args:
        what: run folder, scenario file or bundled name.
        overrides: `key.path=value` of a scenario.
        endpoint: address of the service, and files for authentication.
        limits: speed of simulated time, and limits of requests.
        verbose: whether to log a line for each request.
        tell: called once when the service listens.
        warn: called with each warning.

    Raises:
        InputError: run, scenario, certificates, tokens or address cannot be used.
        RunError: the server did not start.
    """
    context = _secured(endpoint)
    reserve_files(limits.connections)
    keys = open_keys(what, overrides)
    with (
        _access(endpoint, keys.names) as (access, tokens_file),
        closing(listen(endpoint.host, endpoint.port, context is not None)) as listening,
    ):
        app = _application(keys, access, limits, warn)
        tell(url(listening, context is not None) + PREFIX, keys.names, tokens_file)
        with suppress(KeyboardInterrupt):
            serve(
                app,
                listening,
                context,
                Admission(limits.connections, limits.unauthenticated),
                limits.patience,
                verbose,
            )


def _application(keys: PooledKeys, access: Access, limits: Limits, warn: OnWarning) -> Gate:
    time_s = time.monotonic
    service = KeyDelivery(keys, KeyStore(limits.keep_s, MOST_WAITING, time_s))
    real_time = RealTime(keys.clock, keys.slot_s, limits.speed, time_s, warn)
    rate = RateLimit(limits.rate_per_s, limits.burst, time_s)
    return Gate(make_app(service, real_time.catch_up), access, rate, limits.patience.request_s)


def _secured(endpoint: Endpoint) -> ssl.SSLContext | None:
    if (endpoint.certificate is None) != (endpoint.key is None):
        raise InputError("--certificate and --key belong together; give both or neither")
    if endpoint.client_ca is not None and endpoint.certificate is None:
        raise InputError("--client-ca needs TLS; give --certificate and --key too")
    if endpoint.client_ca is not None and endpoint.tokens is not None:
        raise InputError("--client-ca and --tokens are two ways to know callers; choose one")
    if endpoint.certificate is None or endpoint.key is None:
        return None
    return tls(endpoint.certificate, endpoint.key, endpoint.client_ca)


@contextmanager
def _access(endpoint: Endpoint, names: tuple[str, ...]) -> Iterator[tuple[Access, Path | None]]:
    """Yield the way to authenticate callers and the file with tokens; a file made here is deleted at the end."""
    if endpoint.client_ca is not None:
        yield CertificateAccess(names), None
    elif endpoint.tokens is not None:
        yield TokenAccess(read_tokens(endpoint.tokens, names)), endpoint.tokens
    else:
        tokens = fresh_tokens(names)
        path = write_tokens(tokens)
        try:
            yield TokenAccess(tokens), path
        finally:
            path.unlink(missing_ok=True)
