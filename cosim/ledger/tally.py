"""Counts of votes by stake at one height, in integers (Tendermint, arXiv 1807.04938; credits are the voting power)."""

from collections.abc import Iterable

from cosim.ledger.messages import RoundStep, Vote
from cosim.ledger.poqks import quorum


class Ballot:
    """The votes of one phase of one round; the first vote of a sender counts."""

    __slots__ = ("cast", "credit_of", "votes")

    def __init__(self) -> None:
        self.votes: dict[int, Vote] = {}
        self.cast = 0
        self.credit_of: dict[bytes | None, int] = {}

    def all(self) -> tuple[Vote, ...]:
        """Return all votes, ordered by sender."""
        return tuple(vote for _, vote in sorted(self.votes.items()))

    def those_for(self, digest: bytes | None) -> tuple[Vote, ...]:
        """Return the votes for one digest, ordered by sender."""
        return tuple(vote for _, vote in sorted(self.votes.items()) if vote.digest == digest)


class Tally:
    """All votes received at one height, weighed by the credits that vote at it."""

    def __init__(self, credits: tuple[int, ...]) -> None:  # noqa: A002 - the field's word
        self.credits = credits
        self.total = sum(credits)
        self._ballots: dict[tuple[int, RoundStep], Ballot] = {}
        self._heard: dict[int, dict[int, int]] = {}

    def credit(self, sender: int) -> int:
        """Return the credits of a validator; 0 for one that is no member at this height."""
        return self.credits[sender] if 0 <= sender < len(self.credits) else 0

    def is_quorum(self, credit: int) -> bool:
        """Return whether a sum of credits is more than two thirds of all, as `poqks.quorum` does for voters."""
        return 3 * credit > 2 * self.total

    def ballot(self, round_: int, phase: RoundStep) -> Ballot:
        """Return the votes of one phase of one round."""
        ballot = self._ballots.get((round_, phase))
        if ballot is None:
            ballot = self._ballots[round_, phase] = Ballot()
        return ballot

    def add(self, vote: Vote) -> Vote | None:
        """Count a vote and return None, or return the earlier vote of its sender in that phase, which stays."""
        ballot = self.ballot(vote.round, vote.phase)
        earlier = ballot.votes.get(vote.sender)
        if earlier is not None:
            return earlier
        credit = self.credit(vote.sender)
        ballot.votes[vote.sender] = vote
        ballot.cast += credit
        ballot.credit_of[vote.digest] = ballot.credit_of.get(vote.digest, 0) + credit
        return None

    def hears_of(self, round_: int, sender: int) -> bool:
        """Return whether, with this sender, more than a third of all credits has sent messages of the round."""
        senders = self._heard.setdefault(round_, {})
        senders[sender] = self.credit(sender)
        return 3 * sum(senders.values()) > self.total

    def proves(self, votes: Iterable[Vote], like: Vote) -> bool:
        """Return whether the votes, which must equal `like` but for the sender, come from a quorum of members."""
        senders: list[int] = []
        for vote in votes:
            if (vote.phase, vote.height, vote.round, vote.digest) != (like.phase, like.height, like.round, like.digest):
                return False
            if self.credit(vote.sender):
                senders.append(vote.sender)
        return quorum(self.credits, senders)
