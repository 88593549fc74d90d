"""The mirror: the last synchronised state of every vehicle and of every site, each with its time (S1 eq 8).

A vehicle attaches as it enters: its twin starts with the state of that tick, at age 0 and without a message. From then
on only states received over the network change it. A twin ends when its vehicle leaves.

The age of information of one twin is Delta(t) = t - u(t), u(t) the time of the newest state received by t (Kaul, Yates,
Gruteser 2012). It grows by one second a second and falls when a newer state arrives, so its integral is a sum of
trapezoids and needs no samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from cosim.mobility.source import MobilityFrame
from cosim.radio.survey import Air
from cosim.twin.tracks import ColumnStore
from cosim.types import AnyArray, BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Snapshot:
    """States of vehicles, one in each row, and the radio conditions that each measured then; k sites as in `Air`."""

    numbers: IntArray
    """(V,) vehicle numbers."""
    generated_s: FloatArray
    """(V,) time of each state."""
    xy_m: FloatArray
    """(V, 2) positions; NaN for a vehicle that was being teleported."""
    speed_mps: FloatArray
    """(V,) speeds."""
    heading_deg: FloatArray
    """(V,) headings, clockwise from north."""
    sites: IntArray
    """(V, k) site numbers."""
    snr_per_w: FloatArray
    """(V, k) as in `Air`."""
    clean_snr_per_w: FloatArray
    """(V, k) as in `Air`."""
    down_snr: FloatArray
    """(V, k) as in `Air`."""
    serving: IntArray
    """(V,) serving site, or NOWHERE."""

    def pick(self, rows: slice | AnyArray) -> "Snapshot":
        """Return some of the rows."""
        return Snapshot(*(getattr(self, name)[rows] for name in _FIELDS))

    def __len__(self) -> int:
        """Number of states."""
        return len(self.numbers)


_FIELDS: Final = tuple(field.name for field in fields(Snapshot))
_KNOWN: Final = _FIELDS[1:]


def capture(frame: MobilityFrame, air: Air, rows: AnyArray) -> Snapshot:
    """Return the states of some vehicles at a tick.

    Args:
        frame: frame of the tick.
        air: radio conditions of the tick, same rows.
        rows: rows of the vehicles, (V,).
    """
    return Snapshot(
        numbers=frame.numbers[rows],
        generated_s=np.full(len(rows), frame.time_s),
        xy_m=frame.xy_m[rows],
        speed_mps=frame.speed_mps[rows],
        heading_deg=frame.heading_deg[rows],
        sites=air.sites[rows],
        snr_per_w=air.snr_per_w[rows],
        clean_snr_per_w=air.clean_snr_per_w[rows],
        down_snr=air.down_snr[rows],
        serving=air.serving[rows],
    )


@dataclass(frozen=True, slots=True)
class SiteState:
    """Known states of hosts by node (sites, then the cloud) and of cells by site; the arrays are written in place."""

    generated_s: FloatArray
    """(nodes,) time of each state."""
    wait_s: FloatArray
    """(nodes,) as `Host.wait_s`; 0 without a host."""
    speed_hz: FloatArray
    """(nodes,) as `Host.speed_hz`; 1 without a host."""
    up_share: FloatArray
    """(S,) fraction of its rate with the whole cell that one more uplink would get."""
    down_share: FloatArray
    """(S,) likewise downlink."""


class Mirror:
    """All twins. It has no clock: methods are given the time.

    Args:
        candidates: number of sites in a state, k.
        idle_hz: speed of the host at each node, sites and cloud, when nothing runs there: the sites' first state.
        cells: number of sites.
    """

    def __init__(self, candidates: int, idle_hz: Sequence[float], cells: int) -> None:
        nodes = len(idle_hz)
        self.sites = SiteState(np.zeros(nodes), np.zeros(nodes), np.array(idle_hz), np.ones(cells), np.ones(cells))
        self.ages = AgeTotals()
        none = np.zeros(candidates)
        self._twins = ColumnStore(
            here=False,
            generated_s=-np.inf,
            xy_m=np.zeros(2),
            speed_mps=0.0,
            heading_deg=0.0,
            sites=np.zeros(candidates, np.int64),
            snr_per_w=none,
            clean_snr_per_w=none,
            down_snr=none,
            serving=0,
        )

    def register(self, entered: Snapshot, now_s: float) -> None:
        """Give vehicles that have entered a twin with their first state."""
        numbers = entered.numbers
        self._twins.reach(int(numbers.max()) + 1)
        self._twins.here[numbers] = True
        self._write(entered)
        self.ages.change(now_s, len(numbers), float((now_s - entered.generated_s).sum()))

    def apply(self, states: Snapshot, received_s: float) -> BoolArray:
        """Replace the twins' states by received ones, where these are newer.

        Args:
            states: at most one of each vehicle.
            received_s: now.

        Returns:
            (V,) True where the state was taken; False for an older one and for a vehicle that has left.
        """
        numbers = states.numbers
        before_s: FloatArray = self._twins.generated_s[numbers]
        newer: BoolArray = self._twins.here[numbers] & (states.generated_s > before_s)
        if newer.all():
            taken = states
        else:
            taken, before_s = states.pick(newer), before_s[newer]
        self._write(taken)
        self.ages.change(received_s, 0, -float((taken.generated_s - before_s).sum()))
        return newer

    def forget(self, left: IntArray, now_s: float) -> None:
        """Drop the twins of vehicles that have left; each must have been registered."""
        self.ages.change(now_s, -len(left), -float((now_s - self._twins.generated_s[left]).sum()))
        self._twins.here[left] = False
        self._twins.generated_s[left] = -np.inf

    def holds(self, numbers: IntArray) -> BoolArray:
        """Return whether each vehicle has a twin, (V,)."""
        return self._twins.here[numbers]

    def generated_s(self, numbers: IntArray) -> FloatArray:
        """Return the time of each twin's state, (V,); -inf without a twin."""
        return self._twins.generated_s[numbers]

    def known(self, numbers: IntArray) -> Snapshot:
        """Return the states of the twins of vehicles on the map, in the order given."""
        return Snapshot(numbers, *(getattr(self._twins, name)[numbers] for name in _KNOWN))

    def _write(self, states: Snapshot) -> None:
        for name in _KNOWN:
            getattr(self._twins, name)[states.numbers] = getattr(states, name)


class AgeTotals:
    """Running integrals of the number of twins and of the sum of their ages."""

    def __init__(self) -> None:
        self._since_s = 0.0
        self._age_s = 0.0
        self.twins = 0
        self.twin_s = 0.0
        """Integral over time of the number of twins, in s."""
        self.age_s2 = 0.0
        """Integral over time of the sum of their ages, in s^2; over `twin_s` it is the mean age."""

    @property
    def mean_s(self) -> float:
        """Mean age in s at the last settling; NaN without twins."""
        return self._age_s / self.twins if self.twins else float("nan")

    def settle(self, now_s: float) -> None:
        """Bring the integrals up to now."""
        passed_s = now_s - self._since_s
        if passed_s > 0.0:
            self.age_s2 += passed_s * (
                self._age_s + 0.5 * self.twins * passed_s
            )  # n ages that grow by one second a second
            self.twin_s += passed_s * self.twins
            self._age_s += passed_s * self.twins
            self._since_s = now_s

    def change(self, now_s: float, twins: int, age_s: float) -> None:
        """Add to the number of twins and to the sum of their ages; both amounts may be negative.

        Args:
            now_s: simulated time.
            twins: change of the number of twins.
            age_s: change of the sum of their ages.
        """
        self.settle(now_s)
        self.twins += twins
        self._age_s = self._age_s + age_s if self.twins else 0.0  # exactly: rounding must not pile up
