"""The facts of the ledger: stakes, batches, votes, blocks, offences, and the work that they cost."""

from dataclasses import dataclass
from math import nan
from typing import Annotated, Any

from cosim.trace.facts.column import Column, Height, Round, SiteNumber, Time, Validator
from cosim.types import Offence, VotePhase, Work


@dataclass(frozen=True, slots=True)
class ValidatorDeployed:
    """A site that may vote on blocks, stated once at the start."""

    time_s: Time
    validator: Validator
    site: SiteNumber


@dataclass(frozen=True, slots=True)
class StakeChanged:
    """The credits with which a validator votes at a height, and how they follow from those of the height before."""

    time_s: Time
    height: Height
    validator: Validator
    member: Annotated[int, Column("<i1", "", "1: it votes at this height")]
    credits: Annotated[int, Column("<i8", "credit", "stake")]
    earned: Annotated[int, Column("<i8", "credit", "minted for offloads that it served")]
    settled: Annotated[int, Column("<i8", "credit", "from treasury and proposer, less what it paid")]
    slashed: Annotated[int, Column("<i8", "credit", "burned for an offence")]
    joined: Annotated[int, Column("<i8", "credit", "minted as it joined, less burned as it left")]


@dataclass(frozen=True, slots=True)
class CommitteeDrawn:
    """The validators that propose and vote at a height were drawn, as the block before it became final."""

    time_s: Time
    height: Height
    seats: Annotated[int, Column("<i4", "", "validators with a seat")]
    credits: Annotated[int, Column("<i8", "credit", "their stake, of which more than two thirds decide")]
    validators: Annotated[str, Column("O", "", "their numbers, separated by blanks")]


@dataclass(frozen=True, slots=True)
class BatchSealed:
    """A site closed a batch of records under one Merkle root and sent it to the validators."""

    time_s: Time
    site: SiteNumber
    batch: Annotated[int, Column("<i8", "", "of this site, from 0")]
    records: Annotated[int, Column("<i8", "", "leaves of the tree")]
    bit: Annotated[int, Column("<i8", "bit", "sent to each other validator")]
    root: Annotated[str, Column("O", "", "Merkle root, hexadecimal")]


@dataclass(frozen=True, slots=True)
class BlockProposed:
    """A validator put a block to the vote."""

    time_s: Time
    height: Height
    round: Round
    proposer: Validator
    batches: Annotated[int, Column("<i4", "", "in the block")]
    bit: Annotated[int, Column("<i8", "bit", "size of the block with padding and signatures")]
    hash: Annotated[str, Column("O", "", "of the block, hexadecimal")]


@dataclass(frozen=True, slots=True)
class VoteCast:
    """A validator sent a vote, for the first time or again."""

    time_s: Time
    height: Height
    round: Round
    validator: Validator
    phase: Annotated[int, Column("<i1", "", "of the vote", VotePhase)]
    agrees: Annotated[int, Column("<i1", "", "1 for a block, 0 for none")]


@dataclass(frozen=True, slots=True)
class OffenceFound:
    """A validator was seen to break the protocol; it pays when the evidence is in a block."""

    time_s: Time
    height: Height
    round: Round
    accused: Validator
    finder: Validator
    offence: Annotated[int, Column("<i1", "", "what it did", Offence)]
    first: Annotated[str, Column("O", "", "hash of the one, hexadecimal; empty for none")]
    second: Annotated[str, Column("O", "", "hash of the other")]


@dataclass(frozen=True, slots=True)
class BlockCommitted:
    """A block is final: enough honest validators have decided it to make a quorum."""

    time_s: Time
    height: Height
    round: Round
    proposer: Validator
    began_s: Annotated[float, Column("<f8", "s", "when the height began")]
    proposed_s: Annotated[float, Column("<f8", "s", "time in the block's header")]
    records: Annotated[int, Column("<i8", "", "in its batches")]
    bit: Annotated[int, Column("<i8", "bit", "size of its content: no padding, no signatures")]
    stakes: Annotated[str, Column("O", "", "hash of the stakes with which it was voted, hexadecimal")]
    treasury: Annotated[int, Column("<i8", "credit", "after this block")]
    minted: Annotated[int, Column("<i8", "credit", "running total after this block")]
    burned: Annotated[int, Column("<i8", "credit", "running total after this block")]
    voters: Annotated[str, Column("O", "", "validators that it pays for the block before, separated by blanks")]
    previous: Annotated[str, Column("O", "", "hash of the block before, hexadecimal")]
    hash: Annotated[str, Column("O", "", "of this block, hexadecimal")]


@dataclass(frozen=True, slots=True)
class BatchCommitted:
    """A batch is in a final block; the rows of a block are in its order."""

    time_s: Time
    height: Height
    site: SiteNumber
    batch: Annotated[int, Column("<i8", "", "as in BatchSealed")]
    records: Annotated[int, Column("<i8", "", "in the batch")]
    served: Annotated[int, Column("<i8", "", "offloads among them that earn credits")]
    root: Annotated[str, Column("O", "", "Merkle root, hexadecimal")]


@dataclass(frozen=True, slots=True)
class EvidenceCommitted:
    """Evidence of an offence is in a final block; the rows of a block are in its order."""

    time_s: Time
    height: Height
    offence_height: Height
    offence_round: Round
    accused: Validator
    offence: Annotated[int, Column("<i1", "", "what it did", Offence)]
    first: Annotated[str, Column("O", "", "hash, hexadecimal; empty for none")]
    second: Annotated[str, Column("O", "", "hash, hexadecimal; empty for none")]


@dataclass(frozen=True, slots=True)
class ConsensusWorked:
    """The ledger used the processor of a site, beside the tasks."""

    time_s: Time
    site: SiteNumber
    height: Height
    work: Annotated[int, Column("<i1", "", "what it did there", Work)]
    cycles: Annotated[float, Column("<f8", "cycle", "of the work")]
    queued_s: Annotated[float, Column("<f8", "s", "entered the host's queue")]
    started_s: Annotated[float, Column("<f8", "s", "null: it never started", absent=nan)]
    energy_j: Annotated[float, Column("<f8", "J", "spent by the host")]


@dataclass(frozen=True, slots=True)
class ValidatorsParted:
    """A partition of the validators began or ended; messages across it are delivered after its end."""

    time_s: Time
    begins: Annotated[int, Column("<i1", "", "1 begins, 0 heals")]
    groups: Annotated[str, Column("O", "", "sites of each side")]


@dataclass(frozen=True, slots=True)
class ProposerAsked:
    """The policy asked for the proposer of the height after the one that is voted on, at a decision epoch."""

    time_s: Time
    site: Annotated[int, Column("<i4", "", "site number, as in SiteDeployed; one that does not vote is not heard")]


FACTS: tuple[type[Any], ...] = (
    ValidatorDeployed,
    StakeChanged,
    BatchSealed,
    BlockProposed,
    VoteCast,
    OffenceFound,
    BlockCommitted,
    BatchCommitted,
    EvidenceCommitted,
    ConsensusWorked,
    ValidatorsParted,
    ProposerAsked,
    CommitteeDrawn,
)
"""The kinds of facts of the ledger, in the order of storage."""
