"""Authentication of SAEs by bearer token (RFC 6750) or by the common name of a client certificate (mutual TLS).

ETSI GS QKD 014 V1.1.1, clause 4, asks for mutual TLS; tokens are a local convenience beside the standard.
"""

import hashlib
import hmac
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from cosim.errors import InputError
from cosim.etsi014.messages import SaeId
from cosim.scenario.document import parse

CERTIFICATE = "certificate"
"""Key of a connection's state that holds the verified certificate of the client."""
MIN_TOKEN = 16
"""Least length of a token in characters; generated ones have 43, which carry 256 random bits."""
_REMEDY = "write one line `NAME: TOKEN` for each SAE"


class Access(Protocol):
    """A way to authenticate callers."""

    challenge: str
    """WWW-Authenticate header of a refusal; empty: none."""

    def caller(self, headers: Sequence[tuple[bytes, bytes]], state: Mapping[str, Any]) -> SaeId | None:
        """Return the SAE that sent a request with these headers over a connection in this state; None if unknown."""
        ...


class TokenAccess:
    """Authentication by `Authorization: Bearer TOKEN`; digests alone are kept, and compared in constant time."""

    challenge = "Bearer"

    def __init__(self, tokens: Mapping[SaeId, str]) -> None:
        self._digests = {sae: _digest(token.encode()) for sae, token in tokens.items()}

    def caller(self, headers: Sequence[tuple[bytes, bytes]], state: Mapping[str, Any]) -> SaeId | None:  # noqa: ARG002
        """Return the SAE of the token; all tokens are compared, so that the time taken reveals nothing about them."""
        given = [value for name, value in headers if name == b"authorization"]
        if len(given) != 1:
            return None
        scheme, _, token = given[0].partition(b" ")
        digest = _digest(token.strip())
        matching = [sae for sae, known in self._digests.items() if hmac.compare_digest(known, digest)]
        return matching[0] if matching and scheme.lower() == b"bearer" else None


class CertificateAccess:
    """Authentication by the one common name of a client certificate that TLS has verified."""

    challenge = ""

    def __init__(self, names: Iterable[SaeId]) -> None:
        self._names = frozenset(names)

    def caller(self, headers: Sequence[tuple[bytes, bytes]], state: Mapping[str, Any]) -> SaeId | None:  # noqa: ARG002
        """Return the SAE that the certificate names; None if it names none, several, or an unknown one."""
        subject = (state.get(CERTIFICATE) or {}).get("subject", ())
        names = [value for part in subject for field, value in part if field == "commonName"]
        return names[0] if len(names) == 1 and names[0] in self._names else None


def read_tokens(path: Path, names: Sequence[SaeId]) -> dict[SaeId, str]:
    """Return the tokens by SAE of a YAML or JSON mapping that only its owner may read.

    Raises:
        InputError: the file cannot be read, others can read it, or it is not such a mapping; no token is shown.
    """
    try:
        open_to = stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO)
        content: Any = parse(path.read_text(encoding="utf-8"), "").data
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {str(error.strerror).lower()}; check --tokens") from None
    except (InputError, ValueError):  # whose own lines may show a token
        raise InputError(f"{path}: is not YAML or JSON; {_REMEDY}") from None
    if open_to:
        raise InputError(f"{path}: others may read the tokens in it; chmod 600 it")
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: is not a mapping; {_REMEDY}")
    for sae, token in content.items():
        if sae not in names:
            raise InputError(f"{path}: {str(sae)[:80]!r} is no SAE of the key network; its SAEs are {_some(names)}")
        if not isinstance(token, str) or len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable():
            raise InputError(
                f"{path}: the token of {sae} is not text of {MIN_TOKEN} or more ASCII characters; lengthen it"
            )
    if len(set(content.values())) < len(content):
        raise InputError(f"{path}: two SAEs have the same token; give each its own")
    return content


def fresh_tokens(names: Iterable[SaeId]) -> dict[SaeId, str]:
    """Return a random token for each SAE."""
    return {name: secrets.token_urlsafe(32) for name in names}


def write_tokens(tokens: Mapping[SaeId, str]) -> Path:
    """Write tokens to a new temporary file that only its owner may read, and return its path."""
    handle, name = tempfile.mkstemp(prefix="cosim-kms-", suffix=".json")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(tokens, file, indent=2, ensure_ascii=False)
    return Path(name)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
