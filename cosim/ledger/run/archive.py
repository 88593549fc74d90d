"""The sealed batches of all sites, which a validator looks up once a batch has reached it."""

from dataclasses import dataclass

from cosim.ledger.block import Batch


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """A batch with what settlement needs to know of its records."""

    batch: Batch
    served: int
    """Number of its offloads whose result got back to the vehicle."""


class Archive:
    """The sealed batches, by site and number."""

    def __init__(self, sites: int) -> None:
        self._sealed: list[list[SealedBatch]] = [[] for _ in range(sites)]

    def next_number(self, site: int) -> int:
        """Return the number of the site's next batch."""
        return len(self._sealed[site])

    def keep(self, sealed: SealedBatch) -> None:
        """Store a batch as the next one of its site."""
        self._sealed[sealed.batch.site].append(sealed)

    def find(self, site: int, number: int) -> SealedBatch | None:
        """Return a batch; None if there is none."""
        batches = self._sealed[site] if 0 <= site < len(self._sealed) else []
        return batches[number] if 0 <= number < len(batches) else None
