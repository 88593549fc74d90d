"""The rows that a run has to begin with, because it repeats another or itself, and how a difference is told."""

import hashlib
from collections.abc import Mapping
from typing import Final

import numpy as np

from cosim.errors import RunError
from cosim.trace.store.layout import digest_bytes
from cosim.types import AnyArray

_NAMED: Final = 3


class DifferenceError(RunError):
    """The error of a run that does not come out as it was recorded; nothing is written because of it."""


class Past:
    """The first rows of a recorded run, by their number and the digest of each kind, against which others are held.

    Args:
        rows: number of rows of all kinds, those with `seq` below it.
        digests: SHA-256 of these rows of each kind that has some, as in a manifest.
        told: what is compared, for the line of an error.
    """

    def __init__(self, rows: int, digests: Mapping[str, str], told: str) -> None:
        self.rows = rows
        self._digests = digests
        self._told = told
        self._hashes = {kind: hashlib.sha256() for kind in digests}
        self._seen = 0

    def see(self, kind: str, rows: AnyArray) -> None:
        """Take in the next rows of a kind; those beyond the past are left out."""
        count = int(np.searchsorted(rows["seq"], self.rows)) if rows["seq"][-1] >= self.rows else len(rows)
        if count:
            self._seen += count
            self._hashes.setdefault(kind, hashlib.sha256()).update(digest_bytes(rows[:count]))

    def check(self) -> None:
        """Check that all rows were seen.

        Raises:
            DifferenceError: they were not, or others were.
        """
        found = {kind: running.hexdigest() for kind, running in self._hashes.items()}
        other = sorted(kind for kind in found if found[kind] != self._digests.get(kind))
        if not other and self._seen == self.rows:
            return
        more = f" and {len(other) - _NAMED} more" if len(other) > _NAMED else ""
        named = ", ".join(other[:_NAMED]) + more or f"{self._seen} rows instead of {self.rows}"
        raise DifferenceError(
            f"{self._told}: it does not come out as it was recorded, though every decision does ({named}); "
            "what shapes it has changed since: run the scenario again"
        )
