"""Straight parallel roads without SUMO: vehicles drive at constant speed from west to east."""

from typing import Final

import numpy as np

from cosim.distributions import draw
from cosim.mobility.frames import Roster, quantise
from cosim.mobility.source import Entry, MobilityFrame
from cosim.roads.net import Bounds
from cosim.scenario.traffic import SyntheticMobility
from cosim.types import FloatArray, IntArray, read_only

_EAST_DEG = 90.0
_TYPE = "car"
_AHEAD = 64
"""Most frames that are computed at once."""
_MOST = 16384
"""Most positions that are computed at once."""
_NOBODY: Final[IntArray] = read_only(np.empty(0, np.int64))


class SyntheticRoads:
    """A source of traffic on straight roads.

    Road i is the line y = i spacing_m from x = 0 to length_m; vehicle k drives on road k mod roads. A vehicle at the
    end leaves; with `reenter` a new one, with a new number and a new speed, starts on the same road, where the old one
    would be if the road were a ring. Positions are computed from the start of each drive, never summed. Vehicles do not
    interact: they pass through each other.

        >>> from cosim.kernel.rng import stream
        >>> roads = SyntheticMobility(kind="synthetic", vehicles=2, roads=1, length_m=100.0, speed_mps=10.0)
        >>> source = SyntheticRoads(roads, stream(1, "mobility"))
        >>> frame = source.advance(0)
        >>> frame.numbers.tolist(), frame.speed_mps.tolist()
        ([0, 1], [10.0, 10.0])

    Args:
        roads: section `mobility` of the scenario.
        rng: stream of positions and speeds.
    """

    step_s: float
    bounds_m: Bounds

    def __init__(self, roads: SyntheticMobility, rng: np.random.Generator) -> None:
        self.step_s = roads.step_s
        self.bounds_m = (0.0, 0.0, roads.length_m, (roads.roads - 1) * roads.spacing_m)
        self._roads = roads
        self._rng = rng
        self._roster = Roster()
        self._drives = 0
        count = roads.vehicles
        if roads.placement == "random":
            self._from_m: FloatArray = rng.uniform(0.0, roads.length_m, count)
        else:
            lane, place = np.arange(count) % roads.roads, np.arange(count) // roads.roads
            on_road = np.bincount(lane, minlength=roads.roads)
            self._from_m = place * roads.length_m / on_road[lane]
        self._y_m: FloatArray = np.multiply(np.arange(count) % roads.roads, roads.spacing_m, dtype=np.float64)
        self._since_s: FloatArray = np.zeros(count)
        self._speed_mps = draw(roads.speed_mps, rng, count)
        self._show(0)

    def advance(self, tick: int) -> MobilityFrame:
        """Return the frame of a tick."""
        count = self._roads.vehicles if tick == 0 else 0
        entered: tuple[Entry, ...] = ()
        left = _NOBODY
        if tick not in self._shown_ticks:
            along_m = self._along(tick * self.step_s)
            arrived = (along_m >= self._roads.length_m).nonzero()[0]
            if len(arrived):
                left = self._roster.leave([self._roster.ids[k] for k in arrived])
                self._replace(arrived, along_m, tick * self.step_s)
                count = len(arrived) if self._roads.reenter else 0
            self._show(tick)
        if count:
            entered = self._roster.enter([(f"car{self._drives + k:08d}", _TYPE) for k in range(count)])
            self._drives += count
        place = tick - self._shown_ticks.start
        return MobilityFrame(
            tick * self.step_s,
            self._roster.numbers,
            self._shown_m[place],
            self._shown_mps,
            self._east_deg,
            entered,
            left,
            self._shown_m[place + 1 :],
        )

    def close(self) -> None:
        """Close the source; may be called twice."""

    def _along(self, time_s: float | FloatArray) -> FloatArray:
        return self._from_m + (time_s - self._since_s) * self._speed_mps

    def _replace(self, arrived: IntArray, along_m: FloatArray, time_s: float) -> None:
        """Remove the drives that ended and append new ones, because arrays are in order of entry."""
        new = arrived if self._roads.reenter else arrived[:0]
        fresh = (
            along_m[new] % self._roads.length_m,
            self._y_m[new],
            np.full(len(new), time_s),
            draw(self._roads.speed_mps, self._rng, len(new)),
        )
        old = self._from_m, self._y_m, self._since_s, self._speed_mps
        self._from_m, self._y_m, self._since_s, self._speed_mps = (
            np.append(np.delete(column, arrived), added) for column, added in zip(old, fresh, strict=True)
        )

    def _show(self, tick: int) -> None:
        """Compute the frames from a tick on, as many as are known to have the same vehicles."""
        ticks, count = _AHEAD, len(self._speed_mps)
        if count:
            ticks = max(1, min(ticks, _MOST // count))
            way_m = self._roads.length_m - float(self._along(tick * self.step_s).max())
            step_m = float(self._speed_mps.max()) * self.step_s
            if way_m < ticks * step_m:
                ticks = max(1, int(way_m / step_m))
        self._shown_ticks = range(tick, tick + ticks)
        xy_m = np.empty((len(self._shown_ticks), len(self._y_m), 2))
        xy_m[..., 0] = self._along(np.array(self._shown_ticks)[:, None] * self.step_s)
        xy_m[..., 1] = self._y_m
        self._shown_m: FloatArray = read_only(quantise(xy_m))
        self._shown_mps: FloatArray = read_only(quantise(self._speed_mps))
        self._east_deg: FloatArray = read_only(np.full(len(self._speed_mps), _EAST_DEG))
