"""Byzantine validators (arXiv 1807.04938): each changes the messages that an honest state machine would send.

One that equivocates sends one message to validators with even numbers and another to those with odd numbers. Left out:
forged messages of others, which signatures prevent, and faulty validators that act together.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Generic

from cosim.ledger.messages import Broadcast, Message, Output, Proposal, Send, Timeout, V, Vote
from cosim.ledger.tendermint import Validator

_NOTHING_KNOWN = bytes(32)
"""A digest that no value has."""


class Faulty(Generic[V]):
    """A faulty participant: it wraps an honest validator and changes the outputs of its state machine."""

    def __init__(self, honest: Validator[V]) -> None:
        self.honest = honest
        self.number = honest.number
        self._others: tuple[int, ...] = ()

    def begin(self, height: int, credits: tuple[int, ...]) -> list[Output[V]]:  # noqa: A002 - the field's word
        """Start a height with the honest machine, and return its outputs as this fault changes them."""
        self._others = tuple(number for number in range(len(credits)) if number != self.number)
        return self._changed(self.honest.begin(height, credits))

    def receive(self, message: Message[V]) -> list[Output[V]]:
        """Pass a message to the honest machine, and return its outputs as this fault changes them."""
        return self._changed(self.honest.receive(message))

    def timeout(self, timeout: Timeout) -> list[Output[V]]:
        """Pass a time-out to the honest machine, and return its outputs as this fault changes them."""
        return self._changed(self.honest.timeout(timeout))

    def _changed(self, outputs: list[Output[V]]) -> list[Output[V]]:
        return [changed for output in outputs for changed in self._instead_of(output)]

    def _instead_of(self, output: Output[V]) -> list[Output[V]]:
        return [output]

    def _to_halves(self, even: tuple[Message[V], ...], odd: tuple[Message[V], ...]) -> list[Output[V]]:
        return [Send(other, message) for other in self._others for message in (odd if other % 2 else even)]


class Silent(Faulty[V]):
    """A validator that follows the chain and sends nothing."""

    def _instead_of(self, output: Output[V]) -> list[Output[V]]:
        return [] if isinstance(output, Broadcast | Send) else [output]


class Slow(Faulty[V]):
    """A validator that holds every message back for a time."""

    def __init__(self, honest: Validator[V], delay_s: float) -> None:
        super().__init__(honest)
        self.delay_s = delay_s

    def _instead_of(self, output: Output[V]) -> list[Output[V]]:
        return [replace(output, after_s=self.delay_s)] if isinstance(output, Broadcast | Send) else [output]


class ProposesInvalid(Faulty[V]):
    """A validator that proposes invalid values, which `spoil` makes from valid ones."""

    def __init__(self, honest: Validator[V], spoil: Callable[[V], V]) -> None:
        super().__init__(honest)
        self.spoil = spoil

    def _instead_of(self, output: Output[V]) -> list[Output[V]]:
        if not isinstance(output, Broadcast) or not isinstance(output.message, Proposal):
            return [output]
        return [Broadcast(other_proposal(output.message, self.honest, self.spoil))]


class Equivocates(Faulty[V]):
    """A validator that, as proposer of a new value, proposes a second one to the odd half and votes for it there."""

    def __init__(self, honest: Validator[V], rival: Callable[[V], V]) -> None:
        super().__init__(honest)
        self.rival = rival
        self._rival_of: dict[bytes, bytes] = {}

    def _instead_of(self, output: Output[V]) -> list[Output[V]]:
        if not isinstance(output, Broadcast):
            return [output]
        message = output.message
        if isinstance(message, Proposal) and message.valid_round < 0:
            second = other_proposal(message, self.honest, self.rival)
            self._rival_of[message.digest] = second.digest
            return self._to_halves((message,), (second,))
        if isinstance(message, Vote) and message.digest is not None and message.digest in self._rival_of:
            return self._to_halves((message,), (replace(message, digest=self._rival_of[message.digest]),))
        return [output]


class VotesTwice(Faulty[V]):
    """A validator that casts each vote twice: the honest one, and one for another digest or for nothing.

    The even half gets the honest vote first, the odd half the other.
    """

    def __init__(self, honest: Validator[V]) -> None:
        super().__init__(honest)
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


def other_proposal(proposal: Proposal[V], by: Validator[V], change: Callable[[V], V]) -> Proposal[V]:
    """Return the proposal with another value and the digest of that value.

    Args:
        proposal: the honest proposal.
        by: validator whose rules give the digest.
        change: makes the other value from the proposed one.
    """
    value = change(proposal.value)
    return replace(proposal, digest=by.rules.digest_of(value), value=value)
