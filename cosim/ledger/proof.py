"""Is the chain of a finished run unbroken, and does it hold this record? Both answered from bytes alone.

`check_chain` hashes everything again, and so finds any change of a record, a batch or a block by someone who cannot
also replace the hashes stated when the blocks were decided. Whoever can replace those as well rewrites the whole chain
from there on: against that stand the signatures of the validators and a digest kept elsewhere, not this check.
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
    """Something wrong with the chain; `site` if it is about one site's batch."""

    height: int
    site: int | None
    why: str


def check_chain(
    blocks: Sequence[Block], leaves: Callable[[Batch], Sequence[bytes]], digests: Sequence[bytes]
) -> Iterator[Problem]:
    """Every way in which the chain is not what it says.

    Args:
        blocks: the decided blocks, in order of height.
        leaves: the records of a batch in their order, none if there are none.
        digests: the hash of each block as stated when it was decided. Without it a change of the last block's content
            would be found by nothing.
    """
    if len(blocks) != len(digests):
        yield Problem(len(blocks), None, f"{len(blocks)} blocks and {len(digests)} stated hashes")
    yield from _check_links(blocks)
    for block, digest in zip(blocks, digests, strict=False):
        if block.digest != digest:
            yield Problem(block.height, None, "the block is not the one that was decided: its hash has changed")
    yield from _check_batches(blocks, leaves)


def _check_links(blocks: Sequence[Block]) -> Iterator[Problem]:
    """Heights, previous hashes and times, block by block."""
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
    """Records against roots, and each site's batches against their gapless count."""
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
    """Proof that a block holds a record, in plain values for JSON: hashes and bytes are hexadecimal text.

    The record leads to the root of its batch, the batch to the root of the block's body, and the header that holds
    this root to the block's hash, which the reader has to know from elsewhere.
    """

    record: str
    index: int
    """Place of the record in its batch."""
    records: int
    path: tuple[str, ...]
    """Hashes from the record to the batch's root."""
    site: int
    number: int
    """The batch is this one of this site."""
    batch_index: int
    """Place of the batch in its block."""
    batch_path: tuple[str, ...]
    """Hashes from the batch to the body's root."""
    height: int
    header: str


def prove(block: Block, batch_index: int, leaves: Sequence[bytes], index: int) -> Inclusion:
    """The proof that record `index` of the block's batch is in the block.

    Args:
        block: a decided block.
        batch_index: place of the batch among the block's.
        leaves: all records of this batch.
        index: place of the record among them.

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
    """Does the proof lead from its record to the block with this hash?"""
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
    """Place of a batch among the body's leaves, behind the voters."""
    return 1 + batch_index


def _as_text(hashes: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(each.hex() for each in hashes)


def _from_text(hashes: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(each) for each in hashes]
