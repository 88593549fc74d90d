"""Validators that are silent, slow or lie: each changes what an honest machine would say (Byzantine, arXiv 1807.04938).

A liar tells one story to validators with even numbers and another to the odd ones. What is left out: forged messages of
others, which signatures prevent, and liars that plan together.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Generic

from cosim.ledger.messages import Broadcast, Message, Output, Proposal, Send, Timeout, V, Vote
from cosim.ledger.tendermint import Validator

_NOTHING_KNOWN = bytes(32)
"""A digest of no value."""


class Faulty(Generic[V]):
    """A participant around an honest validator, whose outputs it may change."""

    def __init__(self, honest: Validator[V]) -> None:
        self.honest = honest
        self.number = honest.number
        self._others: tuple[int, ...] = ()

    def begin(self, height: int, credits: tuple[int, ...]) -> list[Output[V]]:  # noqa: A002 - the field's word
        """Start a height with the honest machine, and change what it puts out."""
        self._others = tuple(number for number in range(len(credits)) if number != self.number)
        return self._changed(self.honest.begin(height, credits))

    def receive(self, message: Message[V]) -> list[Output[V]]:
        """Pass a message to the honest machine, and change what it puts out."""
        return self._changed(self.honest.receive(message))

    def timeout(self, timeout: Timeout) -> list[Output[V]]:
        """Pass a time-out to the honest machine, and change what it puts out."""
        return self._changed(self.honest.timeout(timeout))

    def _changed(self, outputs: list[Output[V]]) -> list[Output[V]]:
        return [changed for output in outputs for changed in self._instead_of(output)]

    def _instead_of(self, output: Output[V]) -> list[Output[V]]:
        return [output]

    def _to_halves(self, even: tuple[Message[V], ...], odd: tuple[Message[V], ...]) -> list[Output[V]]:
        return [Send(other, message) for other in self._others for message in (odd if other % 2 else even)]


class Silent(Faulty[V]):
    """Follows and says nothing."""

    def _instead_of(self, output: Output[V]) -> list[Output[V]]:
        return [] if isinstance(output, Broadcast | Send) else [output]


class Slow(Faulty[V]):
    """Says everything late."""

    def __init__(self, honest: Validator[V], delay_s: float) -> None:
        super().__init__(honest)
        self.delay_s = delay_s

    def _instead_of(self, output: Output[V]) -> list[Output[V]]:
        return [replace(output, after_s=self.delay_s)] if isinstance(output, Broadcast | Send) else [output]


class ProposesInvalid(Faulty[V]):
    """Proposes values that are not valid, made of valid ones by `spoil`."""

    def __init__(self, honest: Validator[V], spoil: Callable[[V], V]) -> None:
        super().__init__(honest)
        self.spoil = spoil

    def _instead_of(self, output: Output[V]) -> list[Output[V]]:
        if not isinstance(output, Broadcast) or not isinstance(output.message, Proposal):
            return [output]
        return [Broadcast(other_proposal(output.message, self.honest, self.spoil))]


class Equivocates(Faulty[V]):
    """As proposer of a new value proposes a second one to the odd half, and votes for it there."""

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
    """Casts each vote twice: as an honest one, and for another digest or for nothing; the odd half hears that first."""

    def __init__(self, honest: Validator[V]) -> None:
        super().__init__(honest)
        self._proposed: dict[tuple[int, int], list[bytes]] = {}

    def receive(self, message: Message[V]) -> list[Output[V]]:
        """Remember what was proposed, then receive as others do."""
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
    """The proposal with its value changed and the digest that binds the changed value."""
    value = change(proposal.value)
    return replace(proposal, digest=by.rules.digest_of(value), value=value)
