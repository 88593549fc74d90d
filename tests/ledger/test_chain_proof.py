"""Re-check of a whole chain, and proofs that it holds a record."""

import json
import random
from dataclasses import asdict, replace

import pytest

from cosim.ledger import merkle
from cosim.ledger.block import GENESIS, Batch, Block, Evidence
from cosim.ledger.poqks import founded
from cosim.ledger.proof import Inclusion, check_chain, check_inclusion, prove
from cosim.ledger.records import pack_key_fill
from cosim.types import Offence


class Chain:
    """Six blocks over three sites, each batch of 1 to 9 records, and what a run keeps of them."""

    def __init__(self) -> None:
        draw = random.Random(5)
        self.records: dict[tuple[int, int], list[bytes]] = {}
        self.blocks: list[Block] = []
        previous, numbers = GENESIS, [0, 0, 0]
        for height in range(1, 7):
            batches = []
            for site in range(3):
                if draw.random() < 0.8:
                    records = [
                        pack_key_fill(draw.randrange(99), site, 256, 1.0 * height) for _ in range(draw.randint(1, 9))
                    ]
                    batches.append(Batch(site, numbers[site], len(records), merkle.root(records)))
                    self.records[site, numbers[site]] = records
                    numbers[site] += 1
            lied = Evidence(height, 0, 1, Offence.INVALID_PROPOSAL, b"\x01" * 32, bytes(32))
            accused = (lied,) if height == 4 else ()
            stakes = founded((height, 2, 3), 10).digest
            self.blocks.append(
                Block(height, height % 3, 10.0 * height, previous, stakes, tuple(batches), accused, (0, 1, 2))
            )
            previous = self.blocks[-1].digest
        self.digests = [block.digest for block in self.blocks]

    def leaves(self, batch: Batch) -> list[bytes]:
        """The records that were kept of a batch."""
        return self.records.get((batch.site, batch.number), [])

    def problems(self) -> list[tuple[int, int | None]]:
        """Where the check finds something: height and site."""
        return [(each.height, each.site) for each in check_chain(self.blocks, self.leaves, self.digests)]


@pytest.fixture
def chain():
    return Chain()


def test_good_chain(chain):
    """A chain as it was made has no problem, nor has one without any block."""
    assert chain.problems() == []
    assert list(check_chain([], chain.leaves, [])) == []


@pytest.mark.parametrize("which", range(6))
@pytest.mark.parametrize(
    "changed",
    [
        {"height": 60},
        {"proposer": 9},
        {"time_s": 0.5},
        {"time_s": float("nan")},
        {"previous": b"\x01" * 32},
        {"stakes_root": bytes(32)},
        {"batches": ()},
        {"evidence": (Evidence(1, 0, 1, 0, bytes(32), bytes(32)),)},
        {"voters": (0, 1)},
    ],
)
def test_changed_block(chain, which, changed):
    """A change of any field of any block, the last one too, is found at that block."""
    chain.blocks[which] = replace(chain.blocks[which], **changed)
    assert (chain.blocks[which].height, None) in chain.problems()


def test_each_changed_record(chain):
    """A change, loss, doubling or swap of any record is found, with height and site, and nothing else is reported."""
    for block in chain.blocks:
        for batch in block.batches:
            key, good = (batch.site, batch.number), chain.leaves(batch)
            for index in range(len(good)):
                flipped = good[index][:-1] + bytes([good[index][-1] ^ 1])
                for bad in (
                    [*good[:index], flipped, *good[index + 1 :]],
                    good[:index] + good[index + 1 :],
                    [*good, good[index]],
                    [good[index], *good[:index], *good[index + 1 :]],
                ):
                    chain.records[key] = bad
                    assert chain.problems() == ([] if bad == good else [(block.height, batch.site)])
            chain.records[key] = good


def test_two_hundred_random_changes():
    """Each of 200 random byte changes in records, stated hashes, roots or links of a chain is found."""
    draw = random.Random(11)

    def bent(good):
        place = draw.randrange(len(good))
        return good[:place] + bytes([good[place] ^ draw.randint(1, 255)]) + good[place + 1 :]

    for _ in range(200):
        other = Chain()
        which = draw.randrange(6)
        block = other.blocks[which]
        field = draw.choice(["record", "digest", "root", "previous", "stakes_root"])
        if field == "record":
            records = other.records[draw.choice(sorted(other.records))]
            place = draw.randrange(len(records))
            records[place] = bent(records[place])
        elif field == "digest":
            other.digests[which] = bent(other.digests[which])
        elif field == "root":
            first = block.batches[0]
            other.blocks[which] = replace(block, batches=(replace(first, root=bent(first.root)), *block.batches[1:]))
        else:
            other.blocks[which] = replace(block, **{field: bent(getattr(block, field))})
        assert other.problems(), field


@pytest.mark.parametrize("which", range(6))
def test_missing_block(chain, which):
    """A block that is gone is found, with or without its stated hash."""
    del chain.blocks[which]
    assert chain.problems()
    del chain.digests[which]
    assert which == 5 or chain.problems()


def test_swapped_blocks(chain):
    """Two blocks in each other's place are found even if their stated hashes move along."""
    for values in (chain.blocks, chain.digests):
        values[2], values[3] = values[3], values[2]
    assert (4, None) in chain.problems()


def test_missing_batch(chain):
    """A batch left out of a chain that is hashed anew from there on is still found by the gap in its site's count."""
    which = next(n for n, block in enumerate(chain.blocks) if block.batches)
    site = chain.blocks[which].batches[0].site
    chain.blocks[which] = replace(chain.blocks[which], batches=chain.blocks[which].batches[1:])
    for later in range(which + 1, 6):
        chain.blocks[later] = replace(chain.blocks[later], previous=chain.blocks[later - 1].digest)
    chain.digests = [block.digest for block in chain.blocks]
    found = chain.problems()
    assert len(found) == 1
    assert found[0][1] == site


def _proven(chain):
    for block in chain.blocks:
        for place, batch in enumerate(block.batches):
            records = chain.leaves(batch)
            for index in range(len(records)):
                yield block, prove(block, place, records, index)


def test_every_record_is_in_its_block(chain):
    """Each record is proven to be in its own block and in no other, also after a way through JSON."""
    for block, inclusion in _proven(chain):
        read = Inclusion(**json.loads(json.dumps(asdict(inclusion))))
        holds = [digest for digest in chain.digests if check_inclusion(read, digest)]
        assert holds == [block.digest]


def test_changed_proof(chain):
    """A proof with any field changed, or any hexadecimal digit of it, fails."""
    block = chain.blocks[3]
    place = next(n for n, batch in enumerate(block.batches) if batch.records > 2)
    inclusion = prove(block, place, chain.leaves(block.batches[place]), 1)
    assert check_inclusion(inclusion, block.digest)
    for name, value in asdict(inclusion).items():
        if isinstance(value, int):
            wrong = [value + 1, value - 1, 2**70, -1]
        elif isinstance(value, str):
            wrong = [_bent(value, place) for place in range(len(value))] + [value[:-2], value[:-1], "no hexadecimal"]
        else:
            wrong = [
                value[:-1],
                (*value, "00" * 32),
                ("zz",),
                *((*value[:n], _bent(value[n], 5), *value[n + 1 :]) for n in range(len(value))),
            ]
        for each in wrong:
            assert not check_inclusion(replace(inclusion, **{name: each}), block.digest), (name, each)


def _bent(text, place):
    return text[:place] + ("0" if text[place] != "0" else "1") + text[place + 1 :]


def test_nothing_to_prove(chain):
    """There is no proof for a record or a batch that the block does not have."""
    block = chain.blocks[0]
    with pytest.raises(IndexError):
        prove(block, len(block.batches), [b""], 0)
    with pytest.raises(IndexError):
        prove(block, 0, chain.leaves(block.batches[0]), 99)
