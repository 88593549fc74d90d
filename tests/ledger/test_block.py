"""Blocks: what their hash covers, what it leaves out, and how large they are."""

from dataclasses import replace

import pytest

from cosim.ledger import merkle
from cosim.ledger.block import (
    BATCH_BYTE,
    EVIDENCE_BYTE,
    GENESIS,
    HEADER_BYTE,
    VOTER_BYTE,
    Batch,
    Block,
    Evidence,
    read_header,
)
from cosim.types import Offence

BATCH = Batch(site=3, number=7, records=10, root=bytes(range(32)))
EVIDENCE = Evidence(height=4, round=1, accused=2, kind=Offence.TWO_VOTES, first=b"\x01" * 32, second=bytes(32))
BLOCK = Block(5, 1, 12.5, b"\x05" * 32, b"\x06" * 32, (BATCH, replace(BATCH, site=4)), (EVIDENCE,), (0, 1, 3))


@pytest.mark.parametrize(
    "changed",
    [
        {"height": 6},
        {"proposer": 2},
        {"time_s": 12.500000000000002},
        {"previous": GENESIS},
        {"stakes_root": b"\x07" * 32},
        {"batches": ()},
        {"batches": (BATCH,)},
        {"batches": BLOCK.batches[::-1]},
        {"batches": (replace(BATCH, records=11), BLOCK.batches[1])},
        {"batches": (replace(BATCH, root=bytes(32)), BLOCK.batches[1])},
        {"evidence": ()},
        {"evidence": (replace(EVIDENCE, round=2),)},
        {"evidence": (replace(EVIDENCE, second=EVIDENCE.first),)},
        {"voters": (0, 1)},
        {"voters": (0, 1, 2)},
    ],
)
def test_hash_covers_content(changed):
    """Any change of a block's content gives it another hash, and the same content the same one."""
    assert replace(BLOCK, **changed).digest != BLOCK.digest
    assert replace(BLOCK).digest == BLOCK.digest


def test_hash_is_fixed():
    """The hash of a known block is the same on every machine, in every process and with every release."""
    assert BLOCK.digest.hex() == "d03d26231b823d3bba7362915f640f4d6454fcd8c5ca1550622e0674afbc73c5"


def test_parts_do_not_run_together():
    """Bytes that move from the voters to a batch or from a batch to an accusation give another hash."""
    empty = replace(BLOCK, batches=(), evidence=(), voters=())
    numbers = tuple(int.from_bytes(BATCH.packed()[i : i + 2], "little") for i in range(0, BATCH_BYTE, 2))
    assert replace(empty, voters=numbers).body()[0] == replace(empty, batches=(BATCH,)).body()[1]
    assert replace(empty, voters=numbers).digest != replace(empty, batches=(BATCH,)).digest


def test_sizes():
    """A block is 128 bytes of header, 44 a batch, 81 an accusation, 2 a voter, and the signatures it carries."""
    assert (HEADER_BYTE, BATCH_BYTE, EVIDENCE_BYTE, VOTER_BYTE) == (128, 44, 81, 2)
    assert len(BLOCK.header()) == HEADER_BYTE
    assert BLOCK.body_byte == sum(map(len, BLOCK.body())) == 2 * 44 + 81 + 3 * 2
    assert BLOCK.size_bit(0) == 8 * (128 + 175)
    assert BLOCK.size_bit(512) == BLOCK.size_bit(0) + 512 * (1 + 3 + 2)


def test_header_says_the_body():
    """A header's bytes give height, root and shape of the body; other lengths are no header."""
    header = read_header(BLOCK.header())
    assert (header.height, header.batches, header.parts) == (5, 2, 4)
    assert header.body_root == merkle.root(BLOCK.body())
    assert read_header(BLOCK.header()[:-1]) is None
