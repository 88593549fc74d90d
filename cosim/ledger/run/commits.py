"""The vote as the trace records it: proposals, votes, offences, and blocks once they are final."""

from collections.abc import Sequence

from cosim.kernel.clock import Clock
from cosim.ledger.block import HEADER_BYTE, Block, Evidence
from cosim.ledger.messages import Decide, Proposal, RoundStep, Vote
from cosim.ledger.poqks import quorum
from cosim.ledger.run.archive import Archive
from cosim.ledger.run.chain_state import ChainState, Move, apply_block
from cosim.scenario.ledger import Ledger
from cosim.trace.facts.ledger import (
    BatchCommitted,
    BlockCommitted,
    BlockProposed,
    CommitteeDrawn,
    EvidenceCommitted,
    OffenceFound,
    StakeChanged,
    VoteCast,
)
from cosim.trace.store.writer import FactWriter
from cosim.types import VotePhase

_NONE = bytes(32)


class Commits:
    """The chain as an observer sees it: a block is final when those who have decided it are a quorum."""

    def __init__(
        self,
        clock: Clock,
        plan: Ledger,
        head: ChainState,
        archive: Archive,
        sites: Sequence[int],
        moves: Sequence[Move],
        facts: FactWriter,
    ) -> None:
        """Begin before the first block.

        Args:
            clock: simulated time.
            plan: the scenario's `ledger`.
            head: state before the first block.
            archive: the sealed batches.
            sites: site of each validator, by its number.
            moves: changes of membership.
            facts: where the ledger's facts are recorded.
        """
        self._clock = clock
        self._plan = plan
        self._archive = archive
        self._validator_of = {site: number for number, site in enumerate(sites)}
        self._moves = moves
        self.head = head
        """State after the last final block."""
        self.opened = 0
        """The last height that a validator has begun."""
        self._began_s: dict[int, float] = {}
        self._states: dict[bytes, ChainState] = {}
        self._deciders: dict[bytes, list[int]] = {}
        self._told: dict[tuple[object, ...], None] = {}
        self._record_proposal = facts.recorder(BlockProposed)
        self._record_vote = facts.recorder(VoteCast)
        self._record_offence = facts.recorder(OffenceFound)
        self._record_block = facts.recorder(BlockCommitted)
        self._record_batch = facts.recorder(BatchCommitted)
        self._record_evidence = facts.recorder(EvidenceCommitted)
        self._record_stake = facts.recorder(StakeChanged)
        self._record_committee = facts.recorder(CommitteeDrawn)
        self._tell_stakes(head)

    def began(self, height: int, now_s: float) -> None:
        """Note that a validator has begun a height."""
        if height > self.opened:
            self.opened = height
            self._began_s[height] = now_s

    def proposed(self, proposal: Proposal[Block], size_bit: float) -> None:
        """Record a proposal when it first leaves its proposer."""
        if self._first("proposal", proposal.height, proposal.round, proposal.digest):
            batches = len(proposal.value.batches)
            self._record_proposal(
                self._clock.now,
                proposal.height,
                proposal.round,
                proposal.sender,
                batches,
                round(size_bit),
                proposal.digest.hex(),
            )

    def voted(self, vote: Vote) -> None:
        """Record a vote each time that it leaves its voter, once an instant whatever the number of receivers."""
        now = self._clock.now
        if self._first("vote", vote.height, vote.round, vote.sender, int(vote.phase), vote.digest, now):
            phase = VotePhase.PRECOMMIT if vote.phase is RoundStep.PRECOMMIT else VotePhase.PREVOTE
            agrees = int(vote.digest is not None)
            self._record_vote(now, vote.height, vote.round, vote.sender, phase, agrees)

    def found(self, by: int, evidence: Evidence) -> None:
        """Record an offence when a first validator has seen it."""
        if self._first("offence", evidence.height, evidence.round, evidence.accused, evidence.kind):
            first, second = (_text(digest) for digest in (evidence.first, evidence.second))
            self._record_offence(
                self._clock.now, evidence.height, evidence.round, evidence.accused, by, evidence.kind, first, second
            )

    def decided(self, number: int, decide: Decide[Block], before: ChainState) -> ChainState:
        """Note that a validator has decided a block, and return the state after that block.

        The block is recorded as final once those who have decided it are a quorum. All validators share one state for
        a block, which is worked out at the first decision.

        Args:
            number: number of the validator.
            decide: its decision.
            before: its state before the block.
        """
        block, plan = decide.value, self._plan
        head = self._states.get(block.digest)
        if head is None:
            head = apply_block(
                before, block, self._served(block, len(before.members)), self._moves, plan.credits, plan.committee
            )
            self._states[block.digest] = head
        deciders = self._deciders.setdefault(block.digest, [])
        final = quorum(before.votes, deciders)
        deciders.append(number)
        if not final and quorum(before.votes, deciders):
            self._tell_block(block, decide.round, head)
        return head

    def _first(self, *what: object) -> bool:
        """Return whether this was not recorded before, and note it."""
        fresh = what not in self._told
        self._told[what] = None
        return fresh

    def _served(self, block: Block, validators: int) -> list[int]:
        served = [0] * validators
        for batch in block.batches:
            sealed = self._archive.find(batch.site, batch.number)
            validator = self._validator_of.get(batch.site)
            if sealed is not None and validator is not None:
                served[validator] += sealed.served
        return served

    def _tell_block(self, block: Block, round_: int, head: ChainState) -> None:
        now, height, stakes = self._clock.now, block.height, head.stakes
        for batch in block.batches:
            sealed = self._archive.find(batch.site, batch.number)
            served = 0 if sealed is None else sealed.served
            self._record_batch(now, height, batch.site, batch.number, batch.records, served, batch.root.hex())
        for seen in block.evidence:
            first, second = _text(seen.first), _text(seen.second)
            self._record_evidence(now, height, seen.height, seen.round, seen.accused, seen.kind, first, second)
        self._record_block(
            now,
            height,
            round_,
            block.proposer,
            self._began_s.pop(height, now),
            block.time_s,
            sum(batch.records for batch in block.batches),
            8 * (HEADER_BYTE + block.body_byte),
            block.stakes_root.hex(),
            stakes.treasury,
            stakes.minted,
            stakes.burned,
            " ".join(map(str, block.voters)),
            block.previous.hex(),
            block.digest.hex(),
        )
        self._told = {what: None for what in self._told if what[0] != "vote" or what[1] > height}  # type: ignore[operator]
        self._tell_stakes(head)
        self.head = head

    def _tell_stakes(self, head: ChainState) -> None:
        changes = head.changes
        for validator, stake in enumerate(head.stakes.credits):
            self._record_stake(
                self._clock.now,
                head.height + 1,
                validator,
                int(head.members[validator]),
                stake,
                changes.earned[validator],
                changes.settled[validator],
                changes.slashed[validator],
                changes.joined[validator],
            )
        committee = head.committee(head.height + 1)
        if committee is not None:
            members = " ".join(map(str, committee))
            self._record_committee(self._clock.now, head.height + 1, len(committee), sum(head.votes), members)


def _text(digest: bytes) -> str:
    """Return the hexadecimal text of a digest; empty for the digest of nothing."""
    return "" if digest == _NONE else digest.hex()
