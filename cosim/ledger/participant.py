"""The interface of a participant in the consensus, and the rules and time-outs that it is given (arXiv 1807.04938)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol

from cosim.ledger.messages import Message, Output, RoundStep, Timeout, V


@dataclass(frozen=True, slots=True)
class Rules(Generic[V]):
    """The functions by which a validator treats heights and values; validators agree on all but `new_value`."""

    proposer: Callable[[int, int], int]
    """Returns the number of the proposer of a height and round."""
    new_value: Callable[[int, int], V]
    """Returns a new value to propose at a height and round."""
    valid: Callable[[V], bool]
    """Returns whether a value may be decided."""
    digest_of: Callable[[V], bytes]
    """Returns 32 bytes that bind the value."""


@dataclass(frozen=True, slots=True)
class StepTimeouts:
    """Time-outs of the steps in round 0, and by how much each later round lengthens them."""

    propose_s: float
    prevote_s: float
    precommit_s: float
    growth_s: float

    def delay_s(self, step: RoundStep, round_: int) -> float:
        """Return base(step) + growth * round; what was said is said again after the time-out of a vote."""
        bases_s = (self.propose_s, self.prevote_s, self.precommit_s, self.precommit_s)
        return bases_s[step] + self.growth_s * round_


class Participant(Protocol[V]):
    """A member of the consensus, honest or not; `number` is its place in the credits."""

    number: int
    rules: Rules[V]

    def begin(self, height: int, credits: tuple[int, ...]) -> list[Output[V]]:  # noqa: A002
        """Start a height with the credits that vote at it, by number, after the height before was decided."""
        ...

    def receive(self, message: Message[V]) -> list[Output[V]]:
        """Receive a message whose signature holds, and return the outputs that follow, in order."""
        ...

    def timeout(self, timeout: Timeout) -> list[Output[V]]:
        """Receive a time-out that was scheduled, and return the outputs that follow, in order."""
        ...

    def restart(self) -> list[Output[V]]:
        """Come back after a stop with what was stored, and return the outputs that follow, in order."""
        ...
