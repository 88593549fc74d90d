"""Liars who plan together: the strongest adversary of these tests, and the printed single vote."""

from dataclasses import replace

from cosim.ledger.faults import Faulty, other_proposal
from cosim.ledger.messages import Broadcast, Decided, Message, Output, Proposal, RoundStep, Send, Vote
from cosim.ledger.tendermint import Validator


class Silent(Faulty[bytes]):
    """One that follows the chain and sends nothing."""

    def _as_signed(self, output: Output[bytes]) -> list[Output[bytes]]:
        return [] if isinstance(output, Broadcast | Send) else [output]


class Colludes(Faulty[bytes]):
    """One of a team that shows each half of the others its own proposal and votes there for that one alone.

    For a proposal of an honest one, the team prevotes and precommits it to the even half and nothing to the odd one.
    """

    def __init__(self, honest: Validator[bytes], team: tuple[int, ...]) -> None:
        super().__init__(honest)
        self.team = team

    def receive(self, message: Message[bytes]) -> list[Output[bytes]]:
        """At a fellow's proposal say all that will ever be said in its round."""
        if isinstance(message, Proposal) and message.sender in self.team:
            return self._changed(self.honest.receive(message)) + self._both_votes(message)
        return super().receive(message)

    def _both_votes(self, proposal: Proposal[bytes]) -> list[Output[bytes]]:
        """Votes for the proposal and for its twin, each to its half; the even half knows the lower digest."""
        twin = other_proposal(proposal, self.rules, twin_of)
        even, odd = sorted((proposal.digest, twin.digest))
        votes = [
            Vote(step, proposal.height, proposal.round, None, self.number)
            for step in (RoundStep.PREVOTE, RoundStep.PRECOMMIT)
        ]
        return self._to_halves(
            tuple(replace(vote, digest=even) for vote in votes), tuple(replace(vote, digest=odd) for vote in votes)
        )

    def _afresh(self, proposal: Proposal[bytes]) -> Proposal[bytes]:
        """A new value, whatever quorum of prevotes there was before."""
        value = self.honest.rules.new_value(proposal.height, proposal.round)
        digest = self.honest.rules.digest_of(value)
        return replace(proposal, digest=digest, value=value, valid_round=-1, proof_of_lock=())

    def _propose_two(self, proposal: Proposal[bytes]) -> list[Output[bytes]]:
        twin = other_proposal(proposal, self.rules, twin_of)
        even, odd = sorted((proposal, twin), key=lambda each: each.digest)
        strangers = [other for other in self._others if other not in self.team]
        fellows = [fellow for fellow in self.team if fellow != self.number]
        return [
            *(Send(other, odd if other % 2 else even) for other in strangers),
            *(Send(fellow, proposal) for fellow in fellows),
            *self._both_votes(proposal),
        ]

    def _instead_of(self, output: Output[bytes]) -> list[Output[bytes]]:
        message = output.message if isinstance(output, Broadcast) else None
        if isinstance(message, Proposal):
            return self._propose_two(self._afresh(message))
        if isinstance(message, Vote):
            if self.honest.rules.proposer(message.height, message.round) in self.team:
                return []
            return self._to_halves((message,), (replace(message, digest=None),))
        return [output]


def twin_of(value: bytes) -> bytes:
    """The other value of a pair; the twin of a twin is the first."""
    return value.removeprefix(b"twin/") if value.startswith(b"twin/") else b"twin/" + value


class SingleVote(Validator[bytes]):
    """The vote as printed in the paper: a quorum of first votes decides, nothing is locked."""

    def _accepts(self, proposal: Proposal[bytes]) -> bool:
        return self._values[proposal.digest][1]

    def _weigh_prevotes(self) -> None:
        if self.step is RoundStep.PROPOSE or not self._open:
            return
        ballot = self.tally.ballot(self.round, RoundStep.PREVOTE)
        digest = self._elected(ballot)
        if digest in self._values:
            value = self._values[digest][0]
            self._decide(Decided(self.height, self.round, digest, value, ballot.those_for(digest), self.number))
        elif self.tally.is_quorum(ballot.cast):
            self._be_patient(RoundStep.PRECOMMIT)

    def _receive_decided(self, decided: Decided[bytes]) -> None:
        like = Vote(RoundStep.PREVOTE, self.height, decided.round, decided.digest, decided.sender)
        if self._open and self.tally.proves(decided.certificate, like):
            self._decide(decided)
