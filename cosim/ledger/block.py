"""Blocks, and the chain of hashes that binds each block to all before it (paper S3, fig 2 and section III-D).

The paper's block of 2 KB holds about ten records, where a city makes thousands a second. So a block carries one Merkle
root for each batch of records that a site has sealed; the batches themselves travel and are stored apart from it.

The hash of a block covers its content and nothing else. The round in which it was decided is no content: a validator
that is locked proposes the same block again in later rounds, and it must stay the same block. For the same reason
`proposer` and `time_s` say who made it and when. Signatures are no content either: an ML-DSA signature is drawn at
random, and two runs of one scenario must agree on every hash.
"""

import hashlib
import struct
from dataclasses import dataclass, field

from cosim.ledger import merkle

GENESIS = bytes(merkle.ROOT_BYTE)
"""The previous hash of the first block: 32 zero bytes."""

_HEADER = struct.Struct("<qid32s32s32sIII")
_BATCH = struct.Struct("<iII32s")
_EVIDENCE = struct.Struct("<qiiB32s32s")
_VOTER = struct.Struct("<H")

HEADER_BYTE = _HEADER.size
"""Size of a header, 128: height, proposer, time, three hashes of 32 bytes, numbers of voters, batches and evidence."""
BATCH_BYTE = _BATCH.size
"""Size of a batch in a block, 44: site, number, number of records, root."""
EVIDENCE_BYTE = _EVIDENCE.size
"""Size of a piece of evidence, 81: height, round, accused, kind and the hashes of two messages."""
VOTER_BYTE = _VOTER.size
"""Size of a voter in a block, 2: its number."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A site's sealed records as they stand in a block: their number and their Merkle root."""

    site: int
    number: int
    """Batches of a site are numbered from 0, without gaps over the whole chain."""
    records: int
    root: bytes
    """Merkle root over the records."""

    def packed(self) -> bytes:
        """Return the canonical bytes."""
        return _BATCH.pack(self.site, self.number, self.records, self.root)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence that a validator broke the protocol: two messages that it must not both have signed."""

    height: int
    round: int
    accused: int
    kind: int
    """An `Offence`; for an invalid proposal `second` is all zero."""
    first: bytes
    """Hash of a signed message, 32 bytes; all zero for a vote for no block."""
    second: bytes

    def packed(self) -> bytes:
        """Return the canonical bytes."""
        return _EVIDENCE.pack(self.height, self.round, self.accused, self.kind, self.first, self.second)


@dataclass(frozen=True, slots=True)
class Block:
    """A block: the value that validators agree on at one height."""

    height: int
    proposer: int
    """The validator that made it, which is not always the one that proposed it in the round that decided."""
    time_s: float
    """When it was made, in simulated time."""
    previous: bytes
    """`digest` of the block before it; GENESIS for the first."""
    stakes_root: bytes
    """`Stakes.digest` of the stakes that vote at this height."""
    batches: tuple[Batch, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    voters: tuple[int, ...] = ()
    """Validators whose precommits for the previous block the proposer holds. Settlement has to pay voters on whom all
    agree, and each validator has received other votes: only what stands in a block is the same for all."""
    digest: bytes = field(init=False, repr=False, compare=False)
    """The block's hash, 32 bytes: SHA-256 of the header, which holds the Merkle root of the body."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha256(self.header()).digest())

    def header(self) -> bytes:
        """Return the canonical bytes of the header."""
        return _HEADER.pack(
            self.height,
            self.proposer,
            self.time_s,
            self.previous,
            self.stakes_root,
            merkle.root(self.body()),
            len(self.voters),
            len(self.batches),
            len(self.evidence),
        )

    def body(self) -> list[bytes]:
        """Return the canonical bytes of the body's parts, the leaves of its tree: voters, batches, then evidence."""
        voters = b"".join(map(_VOTER.pack, self.voters))
        return [voters, *(batch.packed() for batch in self.batches), *(each.packed() for each in self.evidence)]

    @property
    def body_byte(self) -> int:
        """Size of the body in bytes."""
        return VOTER_BYTE * len(self.voters) + BATCH_BYTE * len(self.batches) + EVIDENCE_BYTE * len(self.evidence)

    def size_bit(self, signature_bit: int) -> int:
        """Return the size s^b of S3 eq 18 in bits.

        It counts header, body, and signatures: the proposer's, each voter's, and two for each piece of evidence.
        """
        signatures = 1 + len(self.voters) + 2 * len(self.evidence)
        return 8 * (HEADER_BYTE + self.body_byte) + signatures * signature_bit


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of a block's header that an inclusion proof needs."""

    height: int
    body_root: bytes
    batches: int
    parts: int
    """Number of leaves of the body's tree."""


def read_header(header: bytes) -> Header | None:
    """Return the header that canonical bytes stand for; None if their length is not a header's."""
    if len(header) != HEADER_BYTE:
        return None
    height, _, _, _, _, body_root, _, batches, accusations = _HEADER.unpack(header)
    return Header(height, body_root, batches, 1 + batches + accusations)
