"""The check of sealed batches: made of the records that their site's facts give, and the same in the chain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cosim.audit.ledger_blocks import StatedBlock
from cosim.audit.ledger_leaves import Leaves
from cosim.audit.ledger_rows import LedgerRows
from cosim.ledger.block import BATCH_BYTE, Batch
from cosim.ledger.merkle import root
from cosim.ledger.signature import FIGURES
from cosim.trace.facts.ledger import BatchSealed
from cosim.trace.store.integrity import Finding

_SEALED = "batch_sealed"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A batch as its row states it, with the place of its first record among those of its site."""

    seq: int
    site: int
    number: int
    records: int
    bit: int
    root: str
    start: int


class SealedBatches:
    """The sealed batches of a run, with their records."""

    def __init__(self, read: LedgerRows, leaves: Sequence[Leaves]) -> None:
        self._read = read
        self._leaves = leaves
        self._taken = [0] * len(leaves)
        self.findings: list[Finding] = []
        self._sealed: dict[tuple[int, int], Sealed] = {}
        due = [0] * len(leaves)
        for row in read.each(BatchSealed):
            if not 0 <= row.site < len(leaves) or row.records < 1:
                self.findings.append(Finding(_SEALED, row.seq, f"site {row.site} has sealed {row.records} records"))
                continue
            if row.batch != due[row.site]:
                why = f"site {row.site}: batch {row.batch} where batch {due[row.site]} is due"
                self.findings.append(Finding(_SEALED, row.seq, why))
            due[row.site] = row.batch + 1
            start = self._taken[row.site]
            self._taken[row.site] += row.records
            sealed = Sealed(row.seq, row.site, row.batch, row.records, row.bit, row.root, start)
            self._sealed[row.site, row.batch] = sealed

    def find(self, site: int, number: int) -> Sealed | None:
        """Return a batch; None if it was not sealed."""
        return self._sealed.get((site, number))

    def holding(self, site: int, index: int) -> Sealed | None:
        """Return the batch that holds a record of a site; None if the record is not sealed."""
        inside = (one for one in self._sealed.values() if one.site == site and 0 <= index - one.start < one.records)
        return next(inside, None)

    def records(self, batch: Batch) -> list[bytes]:
        """Return the records of a batch in a block; none if it was not sealed."""
        sealed = self.find(batch.site, batch.number)
        return [] if sealed is None else self._held(sealed)

    def served(self, batch: Batch) -> int:
        """Return the number of offloads in a batch whose result came back."""
        sealed = self.find(batch.site, batch.number)
        if sealed is None:
            return 0
        counts = self._leaves[sealed.site].served
        first, last = (min(place, len(counts) - 1) for place in (sealed.start, sealed.start + sealed.records))
        return int(counts[last] - counts[first])

    def _held(self, sealed: Sealed) -> list[bytes]:
        return self._leaves[sealed.site].records[sealed.start : sealed.start + sealed.records]

    def check(self, blocks: Sequence[StatedBlock]) -> Iterator[Finding]:
        """Yield every way in which batches, records and blocks disagree.

        Batches that are in a block and agree with it are left to the check of the chain, which hashes their records.
        """
        yield from self.findings
        committed = {(batch.site, batch.number): batch for one in blocks for batch in one.block.batches}
        signature_bit = FIGURES[self._read.plan.signature].size_bit
        for key, sealed in self._sealed.items():
            held, place = self._held(sealed), f"site {sealed.site}, batch {sealed.number}"
            batch = committed.get(key)
            if batch is not None and (batch.records, batch.root.hex()) != (sealed.records, sealed.root):
                yield Finding(_SEALED, sealed.seq, f"{place}: it is not the one that is in the chain")
            elif batch is None and len(held) != sealed.records:
                yield Finding(_SEALED, sealed.seq, f"{place}: has {len(held)} records, not {sealed.records}")
            elif batch is None and root(held).hex() != sealed.root:
                yield Finding(_SEALED, sealed.seq, f"{place}: a record has changed, the roots differ")
            if 8 * (sum(map(len, held)) + BATCH_BYTE) + signature_bit != sealed.bit:
                yield Finding(_SEALED, sealed.seq, f"{place}: {sealed.bit} bit is not the size of its records")
        yield from self._uncovered()
        for one in blocks:
            yield from self._committed(one)

    def _uncovered(self) -> Iterator[Finding]:
        if self._read.complete:
            for site, (taken, leaves) in enumerate(zip(self._taken, self._leaves, strict=True)):
                if taken < len(leaves.records):
                    yield Finding(_SEALED, None, f"site {site}: {len(leaves.records) - taken} records are in no batch")

    def _committed(self, one: StatedBlock) -> Iterator[Finding]:
        height, batches = one.block.height, one.block.batches
        for batch, served in zip(batches, one.served, strict=True):
            place = f"height {height}, site {batch.site}, batch {batch.number}"
            if self.find(batch.site, batch.number) is None:
                yield Finding("batch_committed", None, f"{place}: its site has not sealed it")
            elif self.served(batch) != served:
                why = f"{place}: serves {self.served(batch)} offloads, not {served}"
                yield Finding("batch_committed", None, why)
        if one.records != sum(batch.records for batch in batches):
            why = f"height {height}: {one.records} records are not those of its batches"
            yield Finding("block_committed", one.seq, why)
