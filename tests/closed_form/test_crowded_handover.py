"""Crowded cells between which whole bearers move, against rates that are worked out anew for each transfer."""

from collections.abc import Callable
from functools import partial
from math import inf, log2
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from effort import seeds
from stories import scenario

from cosim.kernel.clock import Clock
from cosim.radio.channel import Channel, LinkLost
from cosim.scenario.radio import Radio
from cosim.types import NOWHERE

SITE_XY_M = np.array([(0.0, 0.0), (150.0, 0.0), (300.0, 0.0)])
"""Each is heard to 100 m."""
VEHICLES, SENDS, TICKS = 8, 160, 40
POWER_W = 1.0
OUTAGE_S = 2.3
BAND = {"bandwidth_hz": 2e5, "max_efficiency_bps_hz": None}
HANDOVERS = [
    {"interruption_s": 0.0},
    {"interruption_s": 0.25},
    {"interruption_s": 1.6},
    {"interruption_s": 0.25, "transfer": "restart"},
]
"""One interruption is longer than a tick, so that vehicles move on within it."""
LinkTable = list[list[tuple[int, float]]]
"""Site and signal-to-noise ratio of each vehicle at each tick."""
Row = tuple[float, ...]


class KeptRows:
    """A writer that keeps the rows of all kinds in one list."""

    records = True

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def recorder(self, _fact: type[Any]) -> Callable[..., None]:
        """Return a function that keeps one row."""
        return lambda *values: self.rows.append(values)

    def batch(self, fact: type[Any]) -> Callable[..., None]:
        """Return a function that keeps rows of moves by their columns; changes of cells are left out."""

        def keep(**columns: Any) -> None:
            if fact.__name__ == "TransferMoved":
                self.rows += zip(*np.broadcast_arrays(*columns.values()), strict=True)

        return keep


class CrowdedRun:
    """What a run tells: when each transfer ended, how, and after how many handovers; all moves; and where cars were."""

    def __init__(self) -> None:
        self.ends: dict[int, tuple[float, bool, int]] = {}
        self.moves: list[Row] = []
        self.links: LinkTable = []


def crowd(seed: int) -> list[tuple[float, int, float]]:
    """Return time, vehicle and size of each transfer, in order of time; all want more than the cells can carry."""
    rng = np.random.default_rng(seed)
    times_s = np.sort(rng.uniform(0.01, 0.6 * TICKS, SENDS)).tolist()
    return list(
        zip(times_s, rng.integers(0, VEHICLES, SENDS).tolist(), rng.uniform(1e5, 2e6, SENDS).tolist(), strict=True)
    )


def by_channel(radio: Radio, seed: int, near: int) -> CrowdedRun:
    """Run the channel, with so many flows in the heap of a crowded cell."""
    rng, clock, told, rows = np.random.default_rng(seed + 1000), Clock(), CrowdedRun(), KeptRows()
    channel = Channel(clock, radio, SITE_XY_M, 1, rows)  # type: ignore[arg-type]  # it does what is used of a writer
    numbers, nobody = np.arange(VEHICLES), np.empty(0, np.int64)
    x_m = rng.uniform(-150.0, 450.0, VEHICLES)

    def tick(number: int) -> None:
        jump = rng.uniform(size=VEHICLES) < 0.3
        x_m[jump] = rng.uniform(-150.0, 450.0, int(jump.sum()))
        channel.tick(numbers, np.stack([x_m, np.full(VEHICLES, 1.0)], 1), nobody, number)
        told.links.append([channel._up_link[channel._row[vehicle]] for vehicle in range(VEHICLES)])

    def over(number: int, transfer: Any) -> None:
        assert transfer.error is None or isinstance(transfer.error, LinkLost)
        told.ends[number] = clock.now, transfer.error is None, transfer.handovers

    def send(number: int, vehicle: int, size_bit: float) -> None:
        channel.uplink(vehicle, number, size_bit, POWER_W, 1.0).resume = partial(over, number)

    clock.every(1.0, tick)
    for number, (time_s, vehicle, size_bit) in enumerate(crowd(seed)):
        clock.at(time_s, partial(send, number, vehicle, size_bit))
    clock.at(TICKS - 0.5, clock.halt)
    with patch("cosim.kernel.fluid._NEAR", near):
        clock.advance()
    told.moves = [tuple(float(value) for value in row) for row in rows.rows]
    return told


class BySums:
    """The same by adding up, from each instant at which something changes to the next, one transfer at a time.

    Args:
        radio: section `radio` of the scenario.
        links: site and signal-to-noise ratio for each watt of each vehicle at each tick.
        seed: seed of the transfers.
    """

    def __init__(self, radio: Radio, links: LinkTable, seed: int) -> None:
        self.told = CrowdedRun()
        self._radio = radio
        self._links = links
        self._coming = crowd(seed)
        self._left_bit: dict[int, float] = {}
        """What is left of the transfers that are not over."""
        self._begins_s: dict[int, float] = {}
        """When those that wait go on, or are lost if their vehicle has no cell."""
        self._handovers = [0] * SENDS
        self._tick, self._sent = -1, 0

    def run(self) -> CrowdedRun:
        """Go from instant to instant."""
        now = 0.0
        while True:
            rate_bps = self._rates()
            done_s = {number: now + self._left_bit[number] / rate for number, rate in rate_bps.items()}
            next_send_s = self._coming[self._sent][0] if self._sent < SENDS else inf
            before_s, now = now, min(self._tick + 1.0, next_send_s, *self._begins_s.values(), *done_s.values())
            if now > TICKS - 0.5:
                return self.told
            for number, rate in rate_bps.items():
                self._left_bit[number] -= rate * (now - before_s)
            for number, ends_s in done_s.items():
                if ends_s == now:
                    self._end(now, number, whole=True)
            self._go_on(now)
            if now == self._tick + 1.0:
                self._move(now)
            if now == next_send_s:
                self._send(now)

    def _site(self, number: int) -> int:
        return self._links[self._tick][self._coming[number][1]][0]

    def _rates(self) -> dict[int, float]:
        sending = [number for number in self._left_bit if number not in self._begins_s]
        at = [self._site(number) for number in sending]
        snr = [POWER_W * self._links[self._tick][self._coming[number][1]][1] for number in sending]
        band_hz = self._radio.bandwidth_hz
        return {
            number: band_hz / at.count(site) * log2(1.0 + ratio)
            for number, site, ratio in zip(sending, at, snr, strict=True)
        }

    def _end(self, now: float, number: int, *, whole: bool) -> None:
        del self._left_bit[number]
        self.told.ends[number] = now, whole, self._handovers[number]

    def _go_on(self, now: float) -> None:
        for number in [number for number, begin_s in self._begins_s.items() if begin_s == now]:
            del self._begins_s[number]
            if self._site(number) == NOWHERE:
                self._end(now, number, whole=False)

    def _send(self, now: float) -> None:
        number, self._sent = self._sent, self._sent + 1
        self._left_bit[number] = self._coming[number][2]
        if self._site(number) == NOWHERE:
            self._begins_s[number] = now + OUTAGE_S

    def _move(self, now: float) -> None:
        before = {number: self._site(number) for number in self._left_bit}
        self._tick += 1
        handover = self._radio.handover
        for number, old in before.items():
            new = self._site(number)
            if new == old:
                continue
            if handover.transfer == "restart":
                self._left_bit[number] = self._coming[number][2]
            self.told.moves.append((now, number, 0, old, new, self._left_bit[number]))
            self._begins_s.pop(number, None)
            if new == NOWHERE:
                self._begins_s[number] = now + OUTAGE_S
            elif old != NOWHERE:
                self._handovers[number] += 1
                if handover.interruption_s > 0.0:
                    self._begins_s[number] = now + handover.interruption_s


@pytest.mark.parametrize("seed", seeds(60, 3))
@pytest.mark.parametrize("handover", HANDOVERS, ids=str)
def test_transfers_that_move_together_are_as_each_alone(handover: dict[str, Any], seed: int) -> None:
    """Ends, losses, handovers and what is left at each of them are those of a sum over single transfers.

    Wherever a transfer is kept, in the heap of its cell or in columns, not a bit of them changes.
    """
    radio = scenario(radio={"handover": handover, "outage_s": OUTAGE_S, **BAND}).radio
    found = by_channel(radio, seed, 3)
    expected = BySums(radio, found.links, seed).run()
    assert found.ends.keys() == expected.ends.keys()
    assert len(found.ends) > SENDS // 4
    assert len(found.moves) > SENDS // 4
    for number, (end_s, whole, handovers) in found.ends.items():
        assert (pytest.approx(end_s, rel=1e-9), whole, handovers) == expected.ends[number]
    assert len(found.moves) == len(expected.moves)
    for move, plain in zip(sorted(found.moves), sorted(expected.moves), strict=True):
        assert move == pytest.approx(plain, rel=1e-9, abs=1e-3)
    for near in (1, 10**9):
        other = by_channel(radio, seed, near)
        assert (other.ends, other.moves) == (found.ends, found.moves)
