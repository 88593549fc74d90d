"""Byzantine validators (arXiv 1807.04938): each changes the messages that an honest state machine would send.

One that equivocates sends one message to validators with even numbers and another to those with odd numbers. A fault
holds for a time: what is said first while it holds is changed, and is said again as it was said first, also later, for
it is signed. Left out: forged messages of others, which signatures prevent, and faulty validators that act together.
Silence, loss, delay and stops are no lies: they are of the network, and any validator can meet with them.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Generic

from cosim.ledger.messages import Broadcast, Message, Output, Proposal, RoundStep, Send, Timeout, V, Vote
from cosim.ledger.participant import Participant, Rules

_NOTHING_KNOWN = bytes(32)
"""A digest that no value has."""


def always() -> bool:
    """Return that a fault holds."""
    return True


class Faulty(Generic[V]):
    """A faulty participant: it wraps an honest validator and changes the outputs of its state machine.

    Args:
        honest: the validator, or one with another fault.
        holds: returns whether the fault holds now.
    """

    def __init__(self, honest: Participant[V], holds: Callable[[], bool] = always) -> None:
        self.honest = honest
        self.number = honest.number
        self.rules = honest.rules
        self._holds = holds
        self._others: tuple[int, ...] = ()
        self._said: dict[tuple[int, RoundStep], list[Output[V]]] = {}

    def begin(self, height: int, credits: tuple[int, ...]) -> list[Output[V]]:  # noqa: A002 - the field's word
        """Start a height with the honest machine, and return its outputs as this fault changes them."""
        self._others = tuple(number for number in range(len(credits)) if number != self.number)
        self._said = {}
        return self._changed(self.honest.begin(height, credits))

    def receive(self, message: Message[V]) -> list[Output[V]]:
        """Pass a message to the honest machine, and return its outputs as this fault changes them."""
        return self._changed(self.honest.receive(message))

    def timeout(self, timeout: Timeout) -> list[Output[V]]:
        """Pass a time-out to the honest machine, and return its outputs as this fault changes them."""
        return self._changed(self.honest.timeout(timeout))

    def restart(self) -> list[Output[V]]:
        """Restart the honest machine, and return its outputs as this fault changes them."""
        return self._changed(self.honest.restart())

    def _changed(self, outputs: list[Output[V]]) -> list[Output[V]]:
        return [changed for output in outputs for changed in self._as_signed(output)]

    def _as_signed(self, output: Output[V]) -> list[Output[V]]:
        """Return what is said in place of an output, the same each time for a message of its own."""
        message = output.message if isinstance(output, Broadcast) else None
        if not isinstance(message, Proposal | Vote):
            return [output]
        what = (message.round, message.phase if isinstance(message, Vote) else RoundStep.PROPOSE)
        if what not in self._said:
            self._said[what] = self._instead_of(output) if self._holds() else [output]
        return self._said[what]

    def _instead_of(self, output: Output[V]) -> list[Output[V]]:
        return [output]

    def _to_halves(self, even: tuple[Message[V], ...], odd: tuple[Message[V], ...]) -> list[Output[V]]:
        return [Send(other, message) for other in self._others for message in (odd if other % 2 else even)]


class ProposesInvalid(Faulty[V]):
    """A validator that proposes invalid values, which `spoil` makes from valid ones."""

    def __init__(self, honest: Participant[V], spoil: Callable[[V], V], holds: Callable[[], bool] = always) -> None:
        super().__init__(honest, holds)
        self.spoil = spoil

    def _as_signed(self, output: Output[V]) -> list[Output[V]]:
        """Send the invalid proposal also to one that asks for the proposal of the round."""
        message = output.message if isinstance(output, Send) else None
        if not isinstance(output, Send) or not isinstance(message, Proposal) or message.sender != self.number:
            return super()._as_signed(output)
        said = super()._as_signed(Broadcast(message))
        return [Send(output.receiver, one.message) for one in said if isinstance(one, Broadcast)]

    def _instead_of(self, output: Output[V]) -> list[Output[V]]:
        if not isinstance(output, Broadcast) or not isinstance(output.message, Proposal):
            return [output]
        return [Broadcast(other_proposal(output.message, self.rules, self.spoil))]


class Equivocates(Faulty[V]):
    """A validator that, as proposer of a new value, proposes a second one to the odd half and votes for it there."""

    def __init__(self, honest: Participant[V], rival: Callable[[V], V], holds: Callable[[], bool] = always) -> None:
        super().__init__(honest, holds)
        self.rival = rival
        self._rival_of: dict[bytes, bytes] = {}

    def _instead_of(self, output: Output[V]) -> list[Output[V]]:
        if not isinstance(output, Broadcast):
            return [output]
        message = output.message
        if isinstance(message, Proposal) and message.valid_round < 0:
            second = other_proposal(message, self.rules, self.rival)
            self._rival_of[message.digest] = second.digest
            return self._to_halves((message,), (second,))
        if isinstance(message, Vote) and message.digest is not None and message.digest in self._rival_of:
            return self._to_halves((message,), (replace(message, digest=self._rival_of[message.digest]),))
        return [output]


class VotesTwice(Faulty[V]):
    """A validator that casts each vote twice: the honest one, and one for another digest or for nothing.

    The even half gets the honest vote first, the odd half the other.
    """

    def __init__(self, honest: Participant[V], holds: Callable[[], bool] = always) -> None:
        super().__init__(honest, holds)
        self._proposed: dict[tuple[int, int], list[bytes]] = {}

    def receive(self, message: Message[V]) -> list[Output[V]]:
        """Keep the digests that were proposed, then pass the message to the honest machine."""
        if isinstance(message, Proposal):
            self._proposed.setdefault((message.height, message.round), []).append(message.digest)
        return super().receive(message)

    def _instead_of(self, output: Output[V]) -> list[Output[V]]:
        if not isinstance(output, Broadcast) or not isinstance(output.message, Vote):
            return [output]
        vote = output.message
        proposed = self._proposed.get((vote.height, vote.round), [])
        rivals = [digest for digest in proposed if digest != vote.digest]
        nothing = _NOTHING_KNOWN if vote.digest is None else None
        second = replace(vote, digest=rivals[0] if rivals else nothing)
        return self._to_halves((vote, second), (second, vote))


def other_proposal(proposal: Proposal[V], rules: Rules[V], change: Callable[[V], V]) -> Proposal[V]:
    """Return the proposal with another value and the digest of that value.

    Args:
        proposal: the honest proposal.
        rules: give the digest.
        change: makes the other value from the proposed one.
    """
    value = change(proposal.value)
    return replace(proposal, digest=rules.digest_of(value), value=value)
