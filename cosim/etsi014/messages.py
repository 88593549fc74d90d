"""The JSON data formats of ETSI GS QKD 014 V1.1.1, clause 6: Status, Key request, Key container, Key IDs and Error.

Requests refuse fields that the standard does not name, so that a misspelt one is not taken for its default; the fields
that it keeps for future use are accepted and left alone. An optional field may be null.
"""

from typing import Any, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

SaeId: TypeAlias = str
"""Identifier of a Secure Application Entity; here the name of its site or node."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KmeStatus(_Message):
    """Clause 6.1: what a KME can give to a pair of SAEs; sizes in bit."""

    source_KME_ID: str  # noqa: N815 - the standard's names, here and below
    target_KME_ID: str  # noqa: N815
    master_SAE_ID: SaeId  # noqa: N815
    slave_SAE_ID: SaeId  # noqa: N815
    key_size: int
    stored_key_count: int
    max_key_count: int
    max_key_per_request: int
    max_key_size: int
    min_key_size: int
    max_SAE_ID_count: int  # noqa: N815


class KeyRequest(_Message):
    """Clause 6.2: how many keys of which size in bit, and who else gets them."""

    number: int | None = Field(None, strict=True)
    size: int | None = Field(None, strict=True)
    additional_slave_SAE_IDs: tuple[SaeId, ...] | None = None  # noqa: N815
    extension_mandatory: tuple[dict[str, Any], ...] | None = None
    extension_optional: tuple[dict[str, Any], ...] | None = None


class Key(_Message):
    """One key: its UUID (RFC 4122) and its bytes in Base64 (RFC 4648)."""

    key_ID: UUID  # noqa: N815
    key: str = Field(repr=False)


class KeyContainer(_Message):
    """Clause 6.3: the keys that were asked for."""

    keys: tuple[Key, ...]


class KeyId(_Message):
    """The name of one key."""

    key_ID: UUID  # noqa: N815
    key_ID_extension: dict[str, Any] | None = None  # noqa: N815


class KeyIds(_Message):
    """Clause 6.4: which keys a slave wants."""

    key_IDs: tuple[KeyId, ...] = Field(min_length=1)  # noqa: N815
    key_IDs_extension: dict[str, Any] | None = None  # noqa: N815


class Error(_Message):
    """Clause 6.5: why a request was refused."""

    message: str
    details: tuple[dict[str, Any], ...] | None = None
