"""Checks of a finished run's chain, from bytes alone: whether it is unbroken, and whether it holds a given record.

`check_chain` hashes everything again, and so finds any change of a record, a batch or a block by someone who cannot
also replace the hashes recorded when the blocks were decided. Whoever can replace those as well can rewrite the whole
chain from there on: only the signatures of the validators, or a digest kept elsewhere, protect against that.
"""

import hashlib
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cosim.ledger import merkle
from cosim.ledger.block import GENESIS, Batch, Block, read_header


@dataclass(frozen=True, slots=True)
class Problem:
    """An error in the chain; `site` is set where it concerns one site's batch."""

    height: int
    site: int | None
    why: str


def check_chain(
    blocks: Sequence[Block], leaves: Callable[[Batch], Sequence[bytes]], digests: Sequence[bytes]
) -> Iterator[Problem]:
    """Yield every error of the chain: in links between blocks, in hashes, and in batches against their records.

    Args:
        blocks: the decided blocks, in order of height.
        leaves: returns the records of a batch in their order, or none if they are missing.
        digests: the hash of each block as recorded when it was decided; only they reveal a change of the last block.
    """
    if len(blocks) != len(digests):
        yield Problem(len(blocks), None, f"{len(blocks)} blocks and {len(digests)} stated hashes")
    yield from _check_links(blocks)
    for block, digest in zip(blocks, digests, strict=False):
        if block.digest != digest:
            yield Problem(block.height, None, "the block is not the one that was decided: its hash has changed")
    yield from _check_batches(blocks, leaves)


def _check_links(blocks: Sequence[Block]) -> Iterator[Problem]:
    """Check heights, previous hashes and times, block by block."""
    previous = GENESIS
    height = None
    time_s = -math.inf
    for block in blocks:
        if height is not None and block.height != height + 1:
            yield Problem(block.height, None, f"follows height {height}")
        if block.previous != previous:
            yield Problem(block.height, None, "the previous hash is not that of the block before")
        if not block.time_s >= time_s:
            yield Problem(block.height, None, f"made at {block.time_s} s, before the block before it at {time_s} s")
        previous, height, time_s = block.digest, block.height, block.time_s


def _check_batches(blocks: Sequence[Block], leaves: Callable[[Batch], Sequence[bytes]]) -> Iterator[Problem]:
    """Check records against roots, and that each site's batches are numbered without gaps."""
    due: dict[int, int] = {}
    for block in blocks:
        for batch in block.batches:
            number = due.get(batch.site, 0)
            if batch.number != number:
                yield Problem(block.height, batch.site, f"batch {batch.number} where batch {number} is due")
            due[batch.site] = batch.number + 1
            records = leaves(batch)
            if len(records) != batch.records:
                yield Problem(
                    block.height,
                    batch.site,
                    f"batch {batch.number} has {len(records)} records, not {batch.records}",
                )
            elif merkle.root(records) != batch.root:
                yield Problem(block.height, batch.site, f"batch {batch.number}: a record has changed, the roots differ")


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A proof that a block holds a record, in plain values for JSON: hashes and bytes are hexadecimal text.

    The record leads to the root of its batch, the batch to the root of the block's body, and the header that holds
    this root to the block's hash, which the verifier has to know from elsewhere.
    """

    record: str
    index: int
    """Place of the record in its batch."""
    records: int
    path: tuple[str, ...]
    """Hashes from the record to the batch's root."""
    site: int
    number: int
    """Number of the batch among the site's."""
    batch_index: int
    """Place of the batch in its block."""
    batch_path: tuple[str, ...]
    """Hashes from the batch to the body's root."""
    height: int
    header: str


def prove(block: Block, batch_index: int, leaves: Sequence[bytes], index: int) -> Inclusion:
    """Return the proof that record `index` of the block's batch is in the block.

    Args:
        block: a decided block.
        batch_index: place of the batch in the block.
        leaves: all records of this batch.
        index: place of the record in the batch.

    Raises:
        IndexError: there is no such batch or record.
    """
    batch = block.batches[batch_index]
    return Inclusion(
        record=leaves[index].hex(),
        index=index,
        records=batch.records,
        path=_as_text(merkle.proof(leaves, index)),
        site=batch.site,
        number=batch.number,
        batch_index=batch_index,
        batch_path=_as_text(merkle.proof(block.body(), _leaf(batch_index))),
        height=block.height,
        header=block.header().hex(),
    )


def check_inclusion(inclusion: Inclusion, digest: bytes) -> bool:
    """Return whether the proof leads from its record to the block with this hash.

    >>> from cosim.ledger.block import GENESIS
    >>> from cosim.ledger.records import pack_key_fill
    >>> records = [pack_key_fill(vehicle=number, node=0, key_bit=256, time_s=0.5) for number in range(5)]
    >>> block = Block(1, 0, 1.0, GENESIS, bytes(32), (Batch(0, 0, 5, merkle.root(records)),))
    >>> inclusion = prove(block, 0, records, 3)
    >>> check_inclusion(inclusion, block.digest), check_inclusion(inclusion, bytes(32))
    (True, False)
    """
    try:
        record, header_bytes = bytes.fromhex(inclusion.record), bytes.fromhex(inclusion.header)
        path, batch_path = _from_text(inclusion.path), _from_text(inclusion.batch_path)
    except ValueError:
        return False
    header = read_header(header_bytes)
    if header is None or hashlib.sha256(header_bytes).digest() != digest or header.height != inclusion.height:
        return False
    root = merkle.implied_root(record, inclusion.index, inclusion.records, path)
    if root is None or not 0 <= inclusion.batch_index < header.batches:
        return False
    try:
        batch = Batch(inclusion.site, inclusion.number, inclusion.records, root).packed()
    except struct.error:
        return False
    return merkle.verify_inclusion(header.body_root, batch, _leaf(inclusion.batch_index), header.parts, batch_path)


def _leaf(batch_index: int) -> int:
    """Return the place of a batch among the body's leaves, the first of which holds the voters."""
    return 1 + batch_index


def _as_text(hashes: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(each.hex() for each in hashes)


def _from_text(hashes: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(each) for each in hashes]
