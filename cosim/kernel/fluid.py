"""Sharing of one capacity by flows: a radio band, a wire, a processor, all as one fluid in virtual time.

A flow of weight w and gain g on a medium with unit rate u and room for F units of weight gets

    rate = u w g / max(1, W / F),   W = sum of the weights of the active flows.

Virtual time v runs with dv/dt = u / max(1, W / F), so a flow needs left / (w g) of it whatever the others do, and a
heap of finishing virtual times is all that must be kept: arrivals and departures cost O(log n), not a new rate for each
flow.

u = band, F = 1: a band shared equally or by weights;  u = slice, F = inf: fixed slices;
u = bit rate, F = 1, g = 1: a wire;  u = core speed, F = cores, g = 1: processor sharing on c cores.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf
from operator import itemgetter
from typing import Protocol

from cosim.kernel.clock import Clock, Wait

_EARLY_S = 1e-9
"""A flow that would end within this time is taken as ended: shorter steps come from rounding alone."""


class Medium(Protocol):
    """Something that a flow runs in."""

    def withdraw(self, flow: "Flow") -> None:
        """Take an active flow out; its `left` is then up to date."""
        ...

    def settle(self) -> None:
        """Bring the totals up to now."""
        ...

    def used_by_s(self, flow: "Flow") -> float:
        """Return the integral over time of an active flow's share in all media up to the last change or `settle`."""
        ...


class Flow(Wait):
    """An amount on its way through a medium, in units of the medium (bit or cycle).

    Args:
        size: whole amount.
        gain: g, rate for each unit of the medium's rate, for example bit/s per Hz.
        weight: w, share of the medium against the other flows.

    Attributes:
        left: amount that is not done, up to date while the flow is in no medium.
    """

    medium: Medium | None = None
    """The medium it is in; None before, after and between media."""
    active_s = 0.0
    """Time spent in media so far, in s."""
    entry = -1
    """Number of its present entry in the medium's heap, so that older entries are recognised."""
    finish_v = 0.0
    """Virtual time at which it ends."""
    noise = 1.0
    """Noise and interference from outside its medium over noise alone; only flows that disturb each other need it."""
    since_s = 0.0
    """Simulated time at which it entered the medium."""
    since_v = 0.0
    """Virtual time at which it entered the medium."""
    used_s = 0.0
    """Integral over time of its share of the media so far, w / max(1, W / F), up to date while it is in no medium."""

    def __init__(self, size: float, gain: float = 1.0, weight: float = 1.0) -> None:
        self.size = size
        self.left = size
        self.gain = gain
        self.weight = weight

    def finished(self) -> None:
        """Take note that nothing is left; the medium calls it before the story goes on."""

    def cancel(self, error: Exception) -> None:
        """Leave the medium; `left` is then what was not done."""
        if self.medium is not None:
            self.medium.withdraw(self)
        self.fail(error)


_by_entry = itemgetter(1)


class Fluid:
    """A medium with its active flows and its running totals.

        >>> clock = Clock()
        >>> band = Fluid(clock, unit_rate=10.0)
        >>> first, second = band.start(Flow(20.0)), band.start(Flow(40.0))
        >>> clock.run()  # both at 5 a second for 4 s, then the second alone at 10
        >>> clock.now, first.active_s, band.done
        (6.0, 4.0, 60.0)

    Args:
        clock: simulated time.
        unit_rate: u.
        room: F.
    """

    __slots__ = (
        "_armed_s",
        "_clock",
        "_heap",
        "_numbers",
        "_rate",
        "_since_s",
        "_v",
        "active",
        "busy_s",
        "done",
        "ended",
        "number_s",
        "room",
        "unit_rate",
        "used_s",
        "weight",
    )  # fmt: skip

    def __init__(self, clock: Clock, unit_rate: float, room: float = 1.0) -> None:
        self._clock = clock
        self.unit_rate = unit_rate
        self.room = room
        self._heap: list[tuple[float, int, Flow]] = []
        self._numbers = clock.numbers
        self._v = 0.0
        self._rate = unit_rate
        self._since_s = clock.now
        self._armed_s = inf
        self.weight = 0.0
        self.active = 0
        self.number_s = 0.0
        """Integral over time of the number of active flows."""
        self.busy_s = 0.0
        """Time with at least one active flow, in s."""
        self.used_s = 0.0
        """Integral over time of min(W, F): busy cores, for a processor."""
        self.done = 0.0
        """Total size of the flows that ended."""
        self.ended = 0
        """Number of the flows that ended."""

    def start(self, flow: Flow) -> Flow:
        """Let a flow run; its story is resumed when nothing is left."""
        if self._clock.now > self._since_s:
            self.settle()
        flow.medium = self
        flow.since_s = now = self._since_s
        flow.since_v = self._v
        flow.finish_v = finish_v = self._v + flow.left / (flow.weight * flow.gain)
        flow.entry = entry = next(self._numbers)
        heap = self._heap
        heappush(heap, (finish_v, entry, flow))
        self.active += 1
        self.weight = weight = self.weight + flow.weight
        self._rate = rate = self.unit_rate if weight <= self.room else self.unit_rate * self.room / weight
        if heap[0][1] == entry:  # else the timer for the first is early enough: it has only become slower
            due_s = now + (finish_v - self._v) / rate
            if due_s < self._armed_s:
                self._armed_s = due_s
                self._clock.at(due_s, self._fire)
        return flow

    def flows(self) -> list[Flow]:
        """Return the active flows in order of their start."""
        return [flow for _, entry, flow in sorted(self._heap, key=_by_entry) if flow.entry == entry]

    def withdraw(self, flow: Flow) -> None:
        """Take an active flow out; its `left` is then up to date."""
        self.settle()
        flow.left = max(0.0, (flow.finish_v - self._v) * flow.weight * flow.gain)
        flow.medium = None
        flow.entry = -1  # its place in the heap stays, and is skipped when it comes up: removal would cost O(n)
        flow.active_s += self._since_s - flow.since_s
        flow.used_s += flow.weight * (self._v - flow.since_v) / self.unit_rate
        self.active -= 1
        self._weigh(self.weight - flow.weight)
        self._arm()

    def used_by_s(self, flow: Flow) -> float:
        """Return the integral over time of an active flow's share in all media up to the last change or `settle`."""
        return flow.used_s + flow.weight * (self._v - flow.since_v) / self.unit_rate

    def retune(self, gain: Callable[[Flow], float]) -> None:
        """Set the gain of each active flow to what `gain` returns for it."""
        self.settle()
        v = self._v
        heap = []
        for finish_v, entry, flow in self._heap:
            if flow.entry == entry:
                fresh = gain(flow)
                flow.finish_v = v + (finish_v - v) * flow.gain / fresh
                flow.gain = fresh
                heap.append((flow.finish_v, entry, flow))
        heapify(heap)
        self._heap = heap
        self._armed_s = inf
        self._arm()

    def settle(self) -> None:
        """Bring virtual time and totals up to now."""
        now = self._clock.now
        passed_s = now - self._since_s
        if passed_s > 0.0:
            self._since_s = now
            if self.active:
                self._v += passed_s * self._rate
                self.number_s += passed_s * self.active
                self.busy_s += passed_s
                self.used_s += passed_s * (self.weight if self.weight < self.room else self.room)

    def _weigh(self, weight: float) -> None:
        if self.active:
            self.weight = weight
            self._rate = self.unit_rate if weight <= self.room else self.unit_rate * self.room / weight
        else:
            # Idle: start again at zero, so that rounding never piles up over a long run.
            self.weight = 0.0
            self._v = 0.0
            self._heap.clear()
            self._rate = self.unit_rate

    def _arm(self) -> None:
        """Set the timer for the first flow to end; an earlier timer stays, and arms again when it fires."""
        heap = self._heap
        while heap and heap[0][2].entry != heap[0][1]:
            heappop(heap)
        if heap:
            due_s = self._since_s + (heap[0][0] - self._v) / self._rate
            if due_s < self._armed_s:
                self._armed_s = due_s
                self._clock.at(due_s, self._fire)

    def _fire(self) -> None:
        if self._clock.now < self._armed_s:
            return  # an old timer; the armed one is still to come
        self._armed_s = inf
        self.settle()
        heap = self._heap
        limit_v = self._v + self._rate * _EARLY_S
        ended: list[Flow] = []
        weight = self.weight
        while heap and heap[0][0] <= limit_v:
            _, entry, flow = heappop(heap)
            if flow.entry == entry:
                flow.left = 0.0
                flow.medium = None
                flow.entry = -1
                flow.active_s += self._since_s - flow.since_s
                flow.used_s += flow.weight * (self._v - flow.since_v) / self.unit_rate
                self.active -= 1
                weight -= flow.weight
                self.done += flow.size
                ended.append(flow)
        if ended:
            self.ended += len(ended)
            self._weigh(weight)
        if heap:
            self._arm()
        # Last, because a story that goes on may start or withdraw flows here.
        for flow in ended:
            flow.finished()
        for flow in ended:
            flow.resume(flow)
