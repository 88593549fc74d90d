"""Rules of validators outside the voting machine: signed bytes, order of batches, evidence, and misbehaviour."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from cosim.ledger.block import Batch, Block, Evidence
from cosim.ledger.faults import Equivocates, ProposesInvalid, VotesTwice
from cosim.ledger.messages import Accuse, Ask, Decided, Message, Polka, Proposal, Vote, VoteSet
from cosim.ledger.participant import Participant
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
    elif isinstance(message, Decided | Polka):
        fields += [message.round, message.digest]
    elif isinstance(message, VoteSet):
        fields += [message.round, message.votes]
    elif isinstance(message, Ask):
        fields += [message.round, message.valid_round]
    return repr(fields).encode()


def as_evidence(accuse: Accuse[Block]) -> Evidence:
    """Return the evidence that a block holds for an accusation."""
    first, second = accuse.evidence.first, accuse.evidence.second
    kind = Offence.TWO_PROPOSALS if isinstance(first, Proposal) else Offence.TWO_VOTES
    return Evidence(first.height, first.round, first.sender, kind, first.digest or NO_HASH, second.digest or NO_HASH)


def made_faulty(how: Misbehaviour, honest: Participant[Block], holds: Callable[[], bool]) -> Participant[Block]:
    """Return a validator that lies as the scenario says; the same one for what keeps messages from being heard.

    Args:
        how: the misbehaviour.
        honest: the validator.
        holds: returns whether the misbehaviour holds now.
    """
    match how.kind:
        case "equivocate":
            return Equivocates(honest, _rival, holds)
        case "double_vote":
            return VotesTwice(honest, holds)
        case "invalid":
            return ProposesInvalid(honest, _spoilt, holds)
        case "silent" | "slow" | "restart":
            return honest


def _rival(block: Block) -> Block:
    """Return another valid block for the same place: without the last batch or, with no batches, as if made earlier."""
    if block.batches:
        return replace(block, batches=block.batches[:-1])
    return replace(block, time_s=block.time_s * (1.0 - 1e-12))


def _spoilt(block: Block) -> Block:
    """Return the block with a stakes root that no stakes have, which makes it invalid."""
    return replace(block, stakes_root=NO_HASH)
