"""Refusals of requests: an HTTP status and the standard's Error (ETSI GS QKD 014 V1.1.1, clause 6.5)."""

from collections.abc import Mapping

from cosim.etsi014.messages import Error

BAD_REQUEST = 400
UNAUTHORIZED = 401
NOT_FOUND = 404
NOT_ALLOWED = 405
TIMEOUT = 408
TOO_LARGE = 413
URI_TOO_LONG = 414
TOO_MANY = 429
"""The standard names 400, 401 and 503 alone; where HTTP has a closer status (RFC 9110, RFC 6585) it is that."""
HEAD_TOO_LARGE = 431
OTHER_VERSION = 505
SERVER_SIDE = 503
"""The standard's "error of server side": the request is valid and cannot be served now."""


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """The answer to a client instead of keys.

    Args:
        status: HTTP status.
        message: reason in one line.
        details: further fields of the Error.
        headers: HTTP headers of the answer.
    """

    def __init__(
        self, status: int, message: str, *details: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self._details = tuple({name: _sound(value) for name, value in detail.items()} for detail in details)

    @property
    def body(self) -> str:
        """The Error as JSON."""
        return Error(message=str(self), details=self._details or None).model_dump_json(exclude_none=True)


def _sound(text: str) -> str:
    """Return text from a client without lone surrogates, which UTF-8 cannot encode."""
    return text.encode("utf-8", "replace").decode()
