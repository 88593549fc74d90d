"""Who calls: a SAE proves its name by a bearer token (RFC 6750) or by the common name of its certificate (mutual TLS).

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

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from cosim.errors import InputError
from cosim.etsi014.messages import SaeId

CERTIFICATE = "certificate"
"""Key of a connection's state under which the verified certificate of its client stands."""
MIN_TOKEN = 16
"""Signs of a token; ours have 43, which carry 256 random bits."""
_REMEDY = "write one line `NAME: TOKEN` for each SAE"


class Access(Protocol):
    """One way of knowing callers."""

    challenge: str
    """WWW-Authenticate of a refusal; empty: none."""

    def caller(self, headers: Sequence[tuple[bytes, bytes]], state: Mapping[str, Any]) -> SaeId | None:
        """The SAE behind a request; None: nobody that is known."""
        ...


class TokenAccess:
    """By `Authorization: Bearer TOKEN`; only digests are kept, and each is compared in constant time."""

    challenge = "Bearer"

    def __init__(self, tokens: Mapping[SaeId, str]) -> None:
        self._digests = {sae: _digest(token.encode()) for sae, token in tokens.items()}

    def caller(self, headers: Sequence[tuple[bytes, bytes]], state: Mapping[str, Any]) -> SaeId | None:  # noqa: ARG002
        """The SAE whose token it is; all are compared, so that the time tells nothing about them."""
        given = [value for name, value in headers if name == b"authorization"]
        if len(given) != 1:
            return None
        scheme, _, token = given[0].partition(b" ")
        digest = _digest(token.strip())
        matching = [sae for sae, known in self._digests.items() if hmac.compare_digest(known, digest)]
        return matching[0] if matching and scheme.lower() == b"bearer" else None


class CertificateAccess:
    """By the one common name of a client certificate that TLS has verified."""

    challenge = ""

    def __init__(self, names: Iterable[SaeId]) -> None:
        self._names = frozenset(names)

    def caller(self, headers: Sequence[tuple[bytes, bytes]], state: Mapping[str, Any]) -> SaeId | None:  # noqa: ARG002
        """The SAE that the certificate names."""
        subject = (state.get(CERTIFICATE) or {}).get("subject", ())
        names = [value for part in subject for field, value in part if field == "commonName"]
        return names[0] if len(names) == 1 and names[0] in self._names else None


def read_tokens(path: Path, names: Sequence[SaeId]) -> dict[SaeId, str]:
    """Tokens by SAE from a YAML or JSON mapping that nobody but its owner can read.

    Raises:
        InputError: it cannot be read, others can read it, or it is not such a mapping; the line shows no token.
    """
    try:
        open_to = stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO)
        content: Any = YAML(typ="safe").load(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {str(error.strerror).lower()}; check --tokens") from None
    except (YAMLError, ValueError):
        raise InputError(f"{path}: is not YAML or JSON; {_REMEDY}") from None
    if open_to:
        raise InputError(f"{path}: others may read the tokens in it; chmod 600 it")
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: is not a mapping; {_REMEDY}")
    for sae, token in content.items():
        if sae not in names:
            raise InputError(f"{path}: {str(sae)[:80]!r} is no SAE of the key network; its SAEs are {_some(names)}")
        if not isinstance(token, str) or len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable():
            raise InputError(f"{path}: the token of {sae} is not text of {MIN_TOKEN} or more ASCII signs; lengthen it")
    if len(set(content.values())) < len(content):
        raise InputError(f"{path}: two SAEs have the same token; give each its own")
    return content


def fresh_tokens(names: Iterable[SaeId]) -> dict[SaeId, str]:
    """A random token for each SAE."""
    return {name: secrets.token_urlsafe(32) for name in names}


def write_tokens(tokens: Mapping[SaeId, str]) -> Path:
    """A new file in the folder for temporary files, readable by its owner alone."""
    handle, name = tempfile.mkstemp(prefix="cosim-kms-", suffix=".json")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(tokens, file, indent=2, ensure_ascii=False)
    return Path(name)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
