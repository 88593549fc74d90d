"""Rules of validators outside the voting machine: signed bytes, order of batches, evidence, and misbehaviour."""

from collections.abc import Sequence
from dataclasses import replace

from cosim.ledger.block import Batch, Block, Evidence
from cosim.ledger.faults import Equivocates, ProposesInvalid, Silent, Slow, VotesTwice
from cosim.ledger.messages import Accuse, Decided, Message, Proposal, Vote
from cosim.ledger.participant import Participant
from cosim.ledger.tendermint import Validator
from cosim.scenario.ledger import Misbehaviour
from cosim.types import Offence

NO_HASH = bytes(32)


def digest_of(block: Block) -> bytes:
    """Return the digest by which a vote names a block."""
    return block.digest


def gapless(batches: Sequence[Batch], due: tuple[int, ...]) -> list[Batch]:
    """Return the batches, in order, that continue their sites' numbering; `due` is each site's next number."""
    counts = list(due)
    good = []
    for batch in batches:
        if batch.number == counts[batch.site]:
            counts[batch.site] += 1
            good.append(batch)
    return good


def signed(message: Message[Block]) -> bytes:
    """Return the bytes that a signature covers: all that distinguishes the message, with the value's digest for it."""
    fields = [type(message).__name__, message.height, message.sender]
    if isinstance(message, Vote):
        fields += [message.round, int(message.phase), message.digest]
    elif isinstance(message, Proposal):
        fields += [message.round, message.valid_round, message.digest]
    elif isinstance(message, Decided):
        fields += [message.round, message.digest]
    return repr(fields).encode()


def as_evidence(accuse: Accuse[Block]) -> Evidence:
    """Return the evidence that a block holds for an accusation."""
    first, second = accuse.evidence.first, accuse.evidence.second
    kind = Offence.TWO_PROPOSALS if isinstance(first, Proposal) else Offence.TWO_VOTES
    return Evidence(first.height, first.round, first.sender, kind, first.digest or NO_HASH, second.digest or NO_HASH)


def made_faulty(how: Misbehaviour, honest: Validator[Block]) -> Participant[Block]:
    """Return a validator that misbehaves as the scenario says."""
    match how.kind:
        case "silent":
            return Silent(honest)
        case "slow":
            return Slow(honest, how.delay_s)
        case "equivocate":
            return Equivocates(honest, _rival)
        case "double_vote":
            return VotesTwice(honest)
        case "invalid":
            return ProposesInvalid(honest, _spoilt)


def _rival(block: Block) -> Block:
    """Return another valid block for the same place: without the last batch or, with no batches, as if made earlier."""
    if block.batches:
        return replace(block, batches=block.batches[:-1])
    return replace(block, time_s=block.time_s * (1.0 - 1e-12))


def _spoilt(block: Block) -> Block:
    """Return the block with a stakes root that no stakes have, which makes it invalid."""
    return replace(block, stakes_root=NO_HASH)
