"""The JSON data formats of ETSI GS QKD 014 V1.1.1, clause 6: Status, Key request, Key container, Key IDs and Error.

Requests with fields that the standard does not name are refused, so that a misspelt field is not taken for its default;
fields that the standard reserves for future use are accepted and ignored. An optional field may be null.

>>> KeyRequest.model_validate_json('{"number": 2, "size": 256}').number
2
"""

from typing import Any, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator

SaeId: TypeAlias = str
"""Identifier of a Secure Application Entity; here the name of its site or node."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KmeStatus(_Message):
    """The status of the KME for a pair of SAEs, clause 6.1; sizes in bit."""

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
    """A key request, clause 6.2: number and size, in bit, of the keys, and the slaves besides the one in the path."""

    number: int | None = Field(None, strict=True)
    size: int | None = Field(None, strict=True)
    additional_slave_SAE_IDs: tuple[SaeId, ...] | None = None  # noqa: N815
    extension_mandatory: tuple[dict[str, Any], ...] | None = None
    extension_optional: tuple[dict[str, Any], ...] | None = None


class Key(_Message):
    """A key: its UUID (RFC 4122) and its bytes in Base64 (RFC 4648)."""

    key_ID: UUID  # noqa: N815
    key: str = Field(repr=False)


class KeyContainer(_Message):
    """A key container, clause 6.3: the keys that were asked for."""

    keys: tuple[Key, ...]


class KeyId(_Message):
    """The identifier of a key."""

    key_ID: UUID  # noqa: N815
    key_ID_extension: dict[str, Any] | None = None  # noqa: N815


class KeyIds(_Message):
    """Key IDs, clause 6.4: the keys that a slave asks for."""

    key_IDs: tuple[KeyId, ...]  # noqa: N815
    key_IDs_extension: dict[str, Any] | None = None  # noqa: N815

    @field_validator("key_IDs")
    @classmethod
    def _check_any(cls, names: tuple[KeyId, ...]) -> tuple[KeyId, ...]:
        """Refuse none at all; a length of the field would count those that are valid, and call others missing."""
        if not names:
            raise ValueError("names no key")
        return names


class Error(_Message):
    """An error, clause 6.5: the reason for which a request was refused."""

    message: str
    details: tuple[dict[str, Any], ...] | None = None
