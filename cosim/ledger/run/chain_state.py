"""The state of the chain after a block, equal at all validators: stakes, rotation, and due batches (S3 Algorithm 1)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cosim.ledger.block import GENESIS, Block, Evidence
from cosim.ledger.committee import draw_committee, seated_stake
from cosim.ledger.poqks import Rotation, Stakes, earn, founded, join, leave, settle, slash
from cosim.scenario.ledger import Credits
from cosim.types import Offence


@dataclass(frozen=True, slots=True)
class Move:
    """A change of membership: a validator joins or leaves at a height."""

    height: int
    validator: int
    joins: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """Credits that each validator gained or lost since the height before, by cause; all (V,)."""

    earned: tuple[int, ...]
    settled: tuple[int, ...]
    slashed: tuple[int, ...]
    joined: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ChainState:
    """The state at the end of a chain, with the stakes that vote at the next height."""

    height: int
    digest: bytes
    proposer: int
    time_s: float
    voted: tuple[int, ...]
    """Credits that voted on the last block; 0 for a validator without a seat."""
    votes: tuple[int, ...]
    """Credits that vote at the next height, likewise."""
    stakes: Stakes
    """Credits of all validators at the next height."""
    rotation: Rotation
    members: tuple[bool, ...]
    due: tuple[int, ...]
    """Number of each site's next batch."""
    offences: tuple[tuple[int, int, int, int], ...]
    """Height, round, accused and kind of the offences that are in the chain."""
    changes: Changes
    committees: tuple[tuple[int, ...], ...] | None
    """Validators with a seat, by height from 1 to the next; None where all vote."""

    def committee(self, height: int) -> tuple[int, ...] | None:
        """Return the validators with a seat at a height up to the next; None where all vote."""
        if self.committees is None:
            return None
        return self.committees[height - 1] if 1 <= height <= len(self.committees) else ()

    def had_a_seat(self, validator: int, height: int) -> bool:
        """Return whether a validator could propose and vote at a height up to the next."""
        committee = self.committee(height)
        return committee is None or validator in committee


def offence(evidence: Evidence) -> tuple[int, int, int, int]:
    """Return what identifies an offence, which counts once whoever saw it and by which messages."""
    return evidence.height, evidence.round, evidence.accused, evidence.kind


def genesis(members: Sequence[bool], sites: int, credits_: Credits, seats: int | None = None) -> ChainState:
    """Return the state before the first block: every member has its initial credits.

    Args:
        members: whether each validator is a member from the beginning, (V,).
        sites: number of sites.
        credits_: the scenario's `ledger.credits`.
        seats: the scenario's `ledger.committee`.
    """
    counts = tuple(credits_.initial if member else 0 for member in members)
    stakes = founded(counts, credits_.treasury)
    nothing = (0,) * len(counts)
    changes = Changes(nothing, nothing, nothing, counts)
    first = None if seats is None else (draw_committee(counts, seats, GENESIS, 1),)
    votes = counts if first is None else seated_stake(counts, first[0])
    return ChainState(
        height=0,
        digest=GENESIS,
        proposer=-1,
        time_s=0.0,
        voted=votes,
        votes=votes,
        stakes=stakes,
        rotation=Rotation.fresh(len(counts)),
        members=tuple(members),
        due=(0,) * sites,
        offences=(),
        changes=changes,
        committees=first,
    )


def apply_block(
    head: ChainState,
    block: Block,
    served: Sequence[int],
    moves: Sequence[Move],
    credits_: Credits,
    seats: int | None = None,
) -> ChainState:
    """Return the state after one block more.

    In this order: the proposer of the block before is paid, and pays the voters whom this block names; a validator that
    proposed an invalid block pays all others, and one that sent conflicting messages is slashed; members earn for the
    offloads in the block's batches; validators join and leave. All of it holds from the next height on. With
    committees a proposer is paid by its share of its committee's stake, and pays others with a seat at that height.

    Args:
        head: the state before the block.
        block: a valid block of the next height.
        served: offloads served in its batches, by validator.
        moves: all changes of membership of the run.
        credits_: the scenario's `ledger.credits`.
        seats: the scenario's `ledger.committee`.
    """
    stakes = head.stakes
    amounts = (credits_.producer, credits_.voters, credits_.penalty)
    if head.proposer >= 0:
        stakes = settle(stakes, head.proposer, block.voters, True, *amounts, head.committee(head.height))
    everyone = range(len(head.members))
    for evidence in block.evidence:
        if evidence.kind == Offence.INVALID_PROPOSAL:
            seated = head.committee(evidence.height)
            others = everyone if seated is None else seated
            stakes = settle(stakes, evidence.accused, others, False, *amounts, seated)
    settled = _difference(stakes, head.stakes)
    for accused in _cheats(head, block):
        stakes = slash(stakes, accused, credits_.slash_percent, 100)
    slashed = tuple(-lost for lost in _difference(stakes, head.stakes, settled))
    before = stakes
    own = [count if member else 0 for count, member in zip(served, head.members, strict=True)]
    stakes = earn(stakes, own, credits_.per_offload)
    earned = _difference(stakes, before)
    before, members = stakes, list(head.members)
    for move in moves:
        if move.height == block.height + 1 and members[move.validator] != move.joins:
            members[move.validator] = move.joins
            stakes = join(stakes, move.validator, credits_.initial) if move.joins else leave(stakes, move.validator)
    due, votes, committees = list(head.due), stakes.credits, head.committees
    if seats is not None and committees is not None:
        drawn = draw_committee(stakes.credits, seats, block.digest, block.height + 1)
        votes, committees = seated_stake(stakes.credits, drawn), (*committees, drawn)
    for batch in block.batches:
        due[batch.site] = batch.number + 1
    return replace(
        head,
        height=block.height,
        digest=block.digest,
        proposer=block.proposer,
        time_s=block.time_s,
        voted=head.votes,
        votes=votes,
        stakes=stakes,
        rotation=head.rotation.advanced(head.votes),
        members=tuple(members),
        due=tuple(due),
        offences=(*head.offences, *map(offence, block.evidence)),
        changes=Changes(earned, settled, slashed, _difference(stakes, before)),
        committees=committees,
    )


def _cheats(head: ChainState, block: Block) -> list[int]:
    """Return the validators that this block slashes: once for a height, however many conflicting messages they sent."""
    known = [(height, accused) for height, _, accused, kind in head.offences if kind != Offence.INVALID_PROPOSAL]
    new = [(seen.height, seen.accused) for seen in block.evidence if seen.kind != Offence.INVALID_PROPOSAL]
    return [accused for height, accused in dict.fromkeys(new) if (height, accused) not in known]


def _difference(now: Stakes, before: Stakes, known: Sequence[int] | None = None) -> tuple[int, ...]:
    """Return the growth of each validator's credits, less what is accounted for already."""
    known = known or (0,) * len(now.credits)
    return tuple(new - old - other for new, old, other in zip(now.credits, before.credits, known, strict=True))
