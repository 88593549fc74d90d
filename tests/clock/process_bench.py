"""A clock with a wire and a note of what happened when, for processes and stories."""

from collections.abc import Generator
from typing import Any

import simpy

from cosim.kernel.clock import Clock, Life
from cosim.kernel.fluid import Fluid
from cosim.types import Failure

Process = Generator[Any, Any, Any]


class Ended(Life):
    """A story whose one end is kept."""

    over = False
    failure: Failure | None = None

    def ended(self, failure: Failure | None) -> None:
        """Keep how."""
        assert not self.over
        self.over, self.failure = True, failure


class Bench:
    """A clock, a wire of 1 bit/s and a note of what happened when."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.wire = Fluid(self.clock, 1.0)
        self.told: list[tuple[float, object]] = []

    def tell(self, word: object) -> None:
        """Note that something happened now."""
        self.told.append((self.clock.now, word))

    def waiter(self, event: simpy.Event) -> Process:
        """A process that waits for one event and notes how that ended."""
        try:
            self.tell((yield event))
        except (Failure, simpy.Interrupt) as error:
            self.tell(type(error))
