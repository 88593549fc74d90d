"""What every participant in the consensus knows beforehand, and what it is to take part (arXiv 1807.04938)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol

from cosim.ledger.messages import Message, Output, RoundStep, Timeout, V


@dataclass(frozen=True, slots=True)
class Rules(Generic[V]):
    """What a validator knows of heights and values; all agree on all of it but `new_value`."""

    proposer: Callable[[int, int], int]
    """Height and round to the number of the one that proposes."""
    new_value: Callable[[int, int], V]
    """Height and round to a value of one's own to propose."""
    valid: Callable[[V], bool]
    """Whether a value may be decided."""
    digest_of: Callable[[V], bytes]
    """32 bytes that bind the value."""


@dataclass(frozen=True, slots=True)
class StepTimeouts:
    """Time-outs of the steps: how long each is waited for in round 0, and how much longer in each later round."""

    propose_s: float
    prevote_s: float
    precommit_s: float
    growth_s: float

    def delay_s(self, step: RoundStep, round_: int) -> float:
        """Return base(step) + growth * round; a height is overdue after the three steps of a round together."""
        bases_s = (self.propose_s, self.prevote_s, self.precommit_s)
        base_s = sum(bases_s) if step is RoundStep.COMMIT else bases_s[step]
        return base_s + self.growth_s * round_


class Participant(Protocol[V]):
    """A member of the consensus, honest or not; `number` is its place in the credits."""

    number: int

    def begin(self, height: int, credits: tuple[int, ...]) -> list[Output[V]]:  # noqa: A002
        """Start a height under its snapshot of credits, after the height before was decided."""
        ...

    def receive(self, message: Message[V]) -> list[Output[V]]:
        """Take in a message whose signature holds."""
        ...

    def timeout(self, timeout: Timeout) -> list[Output[V]]:
        """Take in that a scheduled time has passed."""
        ...
