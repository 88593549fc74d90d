"""What validators say to one another and what they ask of the world around them (Tendermint, arXiv 1807.04938).

A message is believed to come from its `sender`: signatures are checked by whoever carries messages, before a machine
hears them; a vote inside a proof or a certificate is signed by its own sender. A message can therefore be passed on.
Sizes count a kind (8 bit), height (64), round (32), digest (256), sender (32) and signatures; the bits of a carried
value are the carrier's to add, for it knows its blocks.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeAlias, TypeVar

V = TypeVar("V")
"""What is agreed upon, a block; a machine only looks at its digest and its validity."""

_HEADER_BIT = 8 + 64 + 32 + 256 + 32
_ROUND_BIT = 32
_SENDER_BIT = 32


class RoundStep(IntEnum):
    """Where a validator stands in a round; the middle two are also the two voting phases."""

    PROPOSE = 0
    PREVOTE = 1
    PRECOMMIT = 2
    COMMIT = 3
    """The height is overdue: others may hold its commit certificate."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One vote of one validator; digest None is a vote for nothing in this round."""

    phase: RoundStep
    height: int
    round: int
    digest: bytes | None
    sender: int

    def size_bit(self, signature_bit: int) -> int:
        """Header and one signature; the phase is in the kind, a missing digest is sent as zeros."""
        return _HEADER_BIT + signature_bit


@dataclass(frozen=True, slots=True)
class Proposal(Generic[V]):
    """A value proposed for one round; after an earlier lock with the prevotes of `valid_round` that allow it."""

    height: int
    round: int
    digest: bytes
    value: V
    valid_round: int
    proof_of_lock: tuple[Vote, ...]
    sender: int

    def size_bit(self, signature_bit: int) -> int:
        """Header, valid round, one signature, and sender and signature of each vote of the proof; not the value."""
        return _HEADER_BIT + _ROUND_BIT + signature_bit + len(self.proof_of_lock) * (_SENDER_BIT + signature_bit)


@dataclass(frozen=True, slots=True)
class Decided(Generic[V]):
    """An answer to one who is behind: the value of a height with the precommits that committed it."""

    height: int
    round: int
    digest: bytes
    value: V
    certificate: tuple[Vote, ...]
    sender: int

    def size_bit(self, signature_bit: int) -> int:
        """Header, one signature, and sender and signature of each precommit; not the value."""
        return _HEADER_BIT + signature_bit + len(self.certificate) * (_SENDER_BIT + signature_bit)


@dataclass(frozen=True, slots=True)
class Ask:
    """One who is behind asks for the commit certificate of a height."""

    height: int
    sender: int

    def size_bit(self, signature_bit: int) -> int:
        """Header without round and digest, and one signature."""
        return _HEADER_BIT - 32 - 256 + signature_bit


Message: TypeAlias = Proposal[V] | Vote | Decided[V] | Ask


@dataclass(frozen=True, slots=True)
class ConflictingMessages(Generic[V]):
    """Two signed statements of one validator that an honest one never makes both."""

    first: Proposal[V] | Vote
    second: Proposal[V] | Vote

    @property
    def offender(self) -> int:
        """Who made both."""
        return self.first.sender


@dataclass(frozen=True, slots=True)
class Timeout:
    """The end of the wait for one step of one round; in COMMIT, `round` counts how often was asked."""

    step: RoundStep
    height: int
    round: int


@dataclass(frozen=True, slots=True)
class Broadcast(Generic[V]):
    """To be sent to all others, followers included; the sender has heard it already."""

    message: Message[V]
    after_s: float = 0.0
    """How long the sender holds it back first."""


@dataclass(frozen=True, slots=True)
class Send(Generic[V]):
    """To be sent to one other."""

    receiver: int
    message: Message[V]
    after_s: float = 0.0
    """How long the sender holds it back first."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """To be handed back after a delay."""

    timeout: Timeout
    delay_s: float


@dataclass(frozen=True, slots=True)
class Decide(Generic[V]):
    """The height is final for this validator; the certificate proves it to anybody."""

    height: int
    round: int
    digest: bytes
    value: V
    certificate: tuple[Vote, ...]


@dataclass(frozen=True, slots=True)
class Accuse(Generic[V]):
    """An offence was seen; said once by each validator that saw it."""

    evidence: ConflictingMessages[V]


Output: TypeAlias = Broadcast[V] | Send[V] | Schedule | Decide[V] | Accuse[V]
