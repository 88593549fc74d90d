"""The network of the vote: what is lost, and what waits for a partition to heal."""

from collections.abc import Iterator
from typing import Any

import pytest

from cosim.kernel.clock import Clock
from cosim.kernel.rng import stream
from cosim.ledger.run.network import Network
from cosim.scenario.ledger import Ledger

POSTED = 4000


class NoWires:
    """Wires that take no time; they count what they carry."""

    def __init__(self) -> None:
        self.carried = 0

    def carry(self, *_: object) -> Iterator[Any]:
        """Arrive at once."""
        self.carried += 1
        yield from ()


def network(clock: Clock, seed: int = 1, **plan: Any) -> tuple[Network, NoWires]:
    """Sites 0 to 3 between which nothing takes time; of a partition, 0 and 1 are one side."""
    ledger, wires = Ledger.model_validate(plan), NoWires()
    partitions = [(partition, frozenset({0, 1})) for partition in ledger.partitions]
    return Network(clock, wires, ledger, partitions, stream(seed, "ledger.loss")), wires


def arrived(seed: int, loss: float) -> list[int]:
    """Numbers of the messages that have arrived of those that were posted."""
    net, wires = network(Clock(), seed, loss=loss)
    found: list[int] = []
    for number in range(POSTED):
        net.post(100.0, 0, 1, lambda number=number: found.append(number), str(number).encode())
    assert wires.carried == POSTED  # what is lost has taken its bandwidth
    return found


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.5, 1.0])
def test_the_share_is_lost(loss: float) -> None:
    """Of 4,000 messages the scenario's share is lost, within 5 deviations; which ones is a matter of the seed alone."""
    found = arrived(1, loss)
    assert abs(POSTED - len(found) - loss * POSTED) <= 5 * (POSTED * loss * (1 - loss)) ** 0.5
    assert arrived(1, loss) == found
    assert (arrived(2, loss) != found) == (0.0 < loss < 1.0)


def test_batches_are_not_lost() -> None:
    """A batch arrives however much of the vote is lost."""
    net, _ = network(Clock(), loss=1.0)
    found: list[int] = []
    net.send(100.0, 0, 1, lambda: found.append(1))
    assert found == [1]


def test_copies_do_not_pile_up_at_a_partition() -> None:
    """Of a message that is repeated while a partition lasts one copy goes when it heals, to each receiver; then more.

    A partition holds from its start to its end, the end excluded.
    """
    clock = Clock()
    net, wires = network(clock, partitions=[{"side": ["x"], "start_s": 1.0, "end_s": 3.0}])
    found: list[tuple[float, int, bytes]] = []

    def say() -> None:
        for end in (1, 2, 3):
            for what in (b"a", b"b"):
                net.post(1.0, 0, end, lambda end=end, what=what: found.append((clock.now, end, what)), what)

    for time_s in (1.0, 1.5, 2.5, 3.0, 3.5):
        clock.at(time_s, say)
    clock.run(until=4.0)
    over = [(time_s, what) for time_s, end, what in found if end == 2]
    assert over == [(3.0, b"a"), (3.0, b"b"), (3.5, b"a"), (3.5, b"b")]
    assert [time_s for time_s, end, _ in found if end == 1] == [1.0, 1.0, 1.5, 1.5, 2.5, 2.5, 3.0, 3.0, 3.5, 3.5]
    assert wires.carried == len(found)
