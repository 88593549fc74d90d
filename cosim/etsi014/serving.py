"""Puts a key service together, from a run or a scenario to a listening socket, and keeps it until a signal."""

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cosim.errors import InputError
from cosim.etsi014.access import Access, CertificateAccess, TokenAccess, fresh_tokens, read_tokens, write_tokens
from cosim.etsi014.app import PREFIX, make_app
from cosim.etsi014.gate import Gate
from cosim.etsi014.keystore import KeyStore
from cosim.etsi014.limits import RateLimit
from cosim.etsi014.listening import listen, serve, tls, url
from cosim.etsi014.network import PooledKeys, open_keys
from cosim.etsi014.realtime import RealTime
from cosim.etsi014.service import KeyDelivery

MOST_WAITING = 10_000
"""Keys of one master that wait for their slaves at once."""


@dataclass(frozen=True, slots=True)
class Doors:
    """Where the service listens and how it knows its callers."""

    host: str
    port: int
    certificate: Path | None
    key: Path | None
    client_ca: Path | None
    tokens: Path | None


@dataclass(frozen=True, slots=True)
class Limits:
    """How fast simulated time goes, and how much a SAE may ask for."""

    speed: float
    rate_per_s: float
    burst: int
    keep_s: float


Told = Callable[[str, tuple[str, ...], Path | None], None]
"""Is told address, SAEs and the file of their tokens once all is ready."""
Warned = Callable[[str], None]
"""Is told what a person should know while it serves."""


def serve_keys(
    what: str, overrides: Sequence[str], doors: Doors, limits: Limits, verbose: bool, tell: Told, warn: Warned
) -> None:
    """Serve the pools of a run folder or a scenario until SIGINT or SIGTERM.

    Raises:
        InputError: run, scenario, certificates, tokens or address cannot be used.
        RunError: the server did not start.
    """
    context = _secured(doors)
    keys = open_keys(what, overrides)
    with (
        _access(doors, keys.names) as (access, tokens_file),
        closing(listen(doors.host, doors.port, context is not None)) as listening,
    ):
        app = _application(keys, access, limits, warn)
        tell(url(listening, context is not None) + PREFIX, keys.names, tokens_file)
        with suppress(KeyboardInterrupt):
            serve(app, listening, context, verbose)


def _application(keys: PooledKeys, access: Access, limits: Limits, warn: Warned) -> Gate:
    time_s = time.monotonic
    service = KeyDelivery(keys, KeyStore(limits.keep_s, MOST_WAITING, time_s))
    real_time = RealTime(keys.clock, keys.slot_s, limits.speed, time_s, warn)
    return Gate(make_app(service, real_time.catch_up), access, RateLimit(limits.rate_per_s, limits.burst, time_s))


def _secured(doors: Doors) -> ssl.SSLContext | None:
    if (doors.certificate is None) != (doors.key is None):
        raise InputError("--certificate and --key belong together; give both or neither")
    if doors.client_ca is not None and doors.certificate is None:
        raise InputError("--client-ca needs TLS; give --certificate and --key too")
    if doors.client_ca is not None and doors.tokens is not None:
        raise InputError("--client-ca and --tokens are two ways to know callers; choose one")
    if doors.certificate is None or doors.key is None:
        return None
    return tls(doors.certificate, doors.key, doors.client_ca)


@contextmanager
def _access(doors: Doors, names: tuple[str, ...]) -> Iterator[tuple[Access, Path | None]]:
    """The way to know callers and the file with tokens; one that is made here is deleted at the end."""
    if doors.client_ca is not None:
        yield CertificateAccess(names), None
    elif doors.tokens is not None:
        yield TokenAccess(read_tokens(doors.tokens, names)), doors.tokens
    else:
        tokens = fresh_tokens(names)
        path = write_tokens(tokens)
        try:
            yield TokenAccess(tokens), path
        finally:
            path.unlink(missing_ok=True)
