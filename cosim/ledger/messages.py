"""Messages between validators, and outputs of their state machine (Tendermint, arXiv 1807.04938).

A message is taken to come from its `sender`: signatures are checked by whoever carries messages, before a machine
receives them; a vote inside a proof or a certificate is signed by its own sender. A message can therefore be passed on.
Sizes count a kind (8 bit), height (64), round (32), digest (256), sender (32) and signatures; the carrier adds the bits
of the value, because it knows its blocks.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeAlias, TypeVar

V = TypeVar("V")
"""Type of the value that is agreed upon, such as a block; a machine only looks at its digest and its validity."""

_HEADER_BIT = 8 + 64 + 32 + 256 + 32
_ROUND_BIT = 32
_SENDER_BIT = 32


class RoundStep(IntEnum):
    """The step of a round that a validator is in; the middle two are also the two voting phases."""

    PROPOSE = 0
    PREVOTE = 1
    PRECOMMIT = 2
    COMMIT = 3
    """The height is decided; as a time-out: nothing has changed for a time, so what was said is said again."""


@dataclass(frozen=True, slots=True)
class Vote:
    """A prevote or precommit of one validator; digest None is a vote for nil."""

    phase: RoundStep
    height: int
    round: int
    digest: bytes | None
    sender: int

    def size_bit(self, signature_bit: int) -> int:
        """Return header and one signature, in bits; the phase is in the kind, digest None is sent as zeros."""
        return _HEADER_BIT + signature_bit


@dataclass(frozen=True, slots=True)
class Proposal(Generic[V]):
    """A proposal of a value for one round; `valid_round` is -1 for a new value.

    A value that had a quorum of prevotes in an earlier round carries those prevotes of `valid_round` as its proof.
    """

    height: int
    round: int
    digest: bytes
    value: V
    valid_round: int
    proof_of_lock: tuple[Vote, ...]
    sender: int

    def size_bit(self, signature_bit: int) -> int:
        """Return the size without the value, in bits.

        It counts header, valid round, one signature, and sender and signature of each vote of the proof.
        """
        return _HEADER_BIT + _ROUND_BIT + signature_bit + len(self.proof_of_lock) * (_SENDER_BIT + signature_bit)


@dataclass(frozen=True, slots=True)
class Decided(Generic[V]):
    """The answer to a validator that is behind: the value of a height with the precommits that committed it."""

    height: int
    round: int
    digest: bytes
    value: V
    certificate: tuple[Vote, ...]
    sender: int

    def size_bit(self, signature_bit: int) -> int:
        """Return header, one signature, and sender and signature of each precommit, without the value, in bits."""
        return _HEADER_BIT + signature_bit + len(self.certificate) * (_SENDER_BIT + signature_bit)


@dataclass(frozen=True, slots=True)
class Polka(Generic[V]):
    """The answer to a validator that lacks a quorum of prevotes: the value with the prevotes of its round."""

    height: int
    round: int
    digest: bytes
    value: V
    proof: tuple[Vote, ...]
    sender: int

    def size_bit(self, signature_bit: int) -> int:
        """Return header, one signature, and sender and signature of each prevote, without the value, in bits."""
        return _HEADER_BIT + signature_bit + len(self.proof) * (_SENDER_BIT + signature_bit)


@dataclass(frozen=True, slots=True)
class VoteSet:
    """The answer to a validator in an earlier round: the votes by which one may follow to the sender's round."""

    height: int
    round: int
    votes: tuple[Vote, ...]
    sender: int

    def size_bit(self, signature_bit: int) -> int:
        """Return header without digest, one signature, and all of each vote but its height, in bits."""
        return _HEADER_BIT - 256 + signature_bit + len(self.votes) * (_HEADER_BIT - 64 + signature_bit)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request of a validator that may be behind; it says where it stands, and whoever knows more answers.

    The answer is the commit certificate of the height, or the votes of a later round, or a later quorum of prevotes.
    """

    height: int
    round: int
    valid_round: int
    """Round of the latest quorum of prevotes that it knows, -1 for none."""
    sender: int

    def size_bit(self, signature_bit: int) -> int:
        """Return header with the valid round and without digest, and one signature, in bits."""
        return _HEADER_BIT + _ROUND_BIT - 256 + signature_bit


Message: TypeAlias = Proposal[V] | Vote | Decided[V] | Polka[V] | VoteSet | Ask


@dataclass(frozen=True, slots=True)
class ConflictingMessages(Generic[V]):
    """Two signed messages of one validator of which an honest one signs at most one."""

    first: Proposal[V] | Vote
    second: Proposal[V] | Vote

    @property
    def offender(self) -> int:
        """The validator that signed both."""
        return self.first.sender


@dataclass(frozen=True, slots=True)
class Timeout:
    """The time-out of one step of one round; in COMMIT, `round` counts the steps and repetitions so far."""

    step: RoundStep
    height: int
    round: int


@dataclass(frozen=True, slots=True)
class Broadcast(Generic[V]):
    """An output: send a message to all others, followers included; the sender has counted it already."""

    message: Message[V]


@dataclass(frozen=True, slots=True)
class Send(Generic[V]):
    """An output: send a message to one other validator."""

    receiver: int
    message: Message[V]


@dataclass(frozen=True, slots=True)
class Schedule:
    """An output: hand a time-out back to the machine after a delay."""

    timeout: Timeout
    delay_s: float


@dataclass(frozen=True, slots=True)
class Decide(Generic[V]):
    """An output: the height is final for this validator; the certificate proves it to anybody."""

    height: int
    round: int
    digest: bytes
    value: V
    certificate: tuple[Vote, ...]


@dataclass(frozen=True, slots=True)
class Accuse(Generic[V]):
    """An output: an offence was seen; each validator that sees it accuses once."""

    evidence: ConflictingMessages[V]


Output: TypeAlias = Broadcast[V] | Send[V] | Schedule | Decide[V] | Accuse[V]
