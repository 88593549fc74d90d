"""The blocks of a run, rebuilt from its rows."""

import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cosim.audit.ledger_rows import LedgerRows
from cosim.ledger.block import Batch, Block, Evidence
from cosim.trace.facts.ledger import BatchCommitted, BlockCommitted, EvidenceCommitted
from cosim.trace.store.integrity import Finding

_NONE = bytes(32)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class StatedBlock:
    """A block, with what its row states beside the content."""

    block: Block
    seq: int
    time_s: float
    records: int
    bit: int
    treasury: int
    minted: int
    burned: int
    digest: bytes
    """The hash under which it became final."""
    served: tuple[int, ...]
    """Number of served offloads in each batch, as stated."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The chain up to the first block whose rows cannot be read, and what was wrong with rows."""

    stated: list[StatedBlock] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def blocks(self) -> list[Block]:
        """The blocks, in the order in which they became final."""
        return [one.block for one in self.stated]


def rebuild(read: LedgerRows) -> Rebuilt:
    """Rebuild the chain from the rows of its blocks, batches and evidence."""
    rebuilt = Rebuilt()
    batches = _by_height(read, BatchCommitted)
    evidence = _by_height(read, EvidenceCommitted)
    for row in read.each(BlockCommitted):
        inside, accused = batches.pop(row.height, []), evidence.pop(row.height, [])
        rebuilt.findings.extend(_other_times(row, inside, accused))
        try:
            rebuilt.stated.append(_stated(row, inside, accused))
        except (ValueError, struct.error) as error:
            why = f"height {row.height}: cannot be read ({error}); no block from here on is checked"
            rebuilt.findings.append(Finding("block_committed", row.seq, why))
            return rebuilt
    for kind, left in (("batch_committed", batches), ("evidence_committed", evidence)):
        for height, rows in left.items():
            rebuilt.findings.extend(Finding(kind, row.seq, f"height {height}: there is no such block") for row in rows)
    return rebuilt


def _by_height(read: LedgerRows, fact: type[Any]) -> dict[int, list[Any]]:
    grouped: dict[int, list[Any]] = defaultdict(list)
    for row in read.each(fact):
        grouped[row.height].append(row)
    return grouped


def _other_times(block: Any, batches: Iterable[Any], evidence: Iterable[Any]) -> Iterator[Finding]:
    for kind, rows in (("batch_committed", batches), ("evidence_committed", evidence)):
        for row in rows:
            if row.time_s != block.time_s:
                yield Finding(kind, row.seq, f"height {block.height}: it is final at another time than its block")


def _stated(row: Any, batches: list[Any], evidence: list[Any]) -> StatedBlock:
    block = Block(
        row.height,
        row.proposer,
        row.proposed_s,
        _hash(row.previous),
        _hash(row.stakes),
        tuple(Batch(each.site, each.batch, each.records, _hash(each.root)) for each in batches),
        tuple(
            Evidence(
                each.offence_height,
                each.offence_round,
                each.accused,
                each.offence,
                _hash_or_none(each.first),
                _hash_or_none(each.second),
            )
            for each in evidence
        ),
        _voters(row.voters),
    )
    served = tuple(each.served for each in batches)
    digest = _hash(row.hash)
    return StatedBlock(
        block, row.seq, row.time_s, row.records, row.bit, row.treasury, row.minted, row.burned, digest, served
    )


def _hash(text: str) -> bytes:
    """Return a hash; other spellings of the same bytes are refused, or a change of a letter's case would go unseen."""
    if not _HASH.fullmatch(text):
        raise ValueError(f"{text!r} is no hash")
    return bytes.fromhex(text)


def _hash_or_none(text: str) -> bytes:
    """Return a hash, or the hash of nothing, which is written as an empty text."""
    value = _hash(text) if text else _NONE
    if text and value == _NONE:
        raise ValueError(f"{text!r} is written as nothing")
    return value


def _voters(text: str) -> tuple[int, ...]:
    voters = tuple(map(int, text.split()))
    if " ".join(map(str, voters)) != text:
        raise ValueError(f"voters {text!r} are no numbers separated by blanks")
    return voters
