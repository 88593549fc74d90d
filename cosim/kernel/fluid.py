"""Sharing of one capacity by flows: a radio band, a wire, a processor, all as one fluid in virtual time.

A flow of weight w and gain g on a medium with unit rate u and room for F units of weight gets

    rate = u w g / max(1, W / F),   W = sum of the weights of the active flows.

Virtual time v runs with dv/dt = u / max(1, W / F), so a flow needs left / (w g) of it whatever the others do, and a
heap of finishing virtual times is all that must be kept: arrivals and departures cost O(log n), not a new rate for each
flow.

Where gains change, all finishing times do. Flows that change their gain together share a `Bearer`, which keeps it. Of
many flows only those that end soonest stay in the heap; the rest are columns, retuned at once by array arithmetic.

u = band, F = 1: a band shared equally or by weights;  u = slice, F = inf: fixed slices;
u = bit rate, F = 1, g = 1: a wire;  u = core speed, F = cores, g = 1: processor sharing on c cores.
"""

from collections.abc import Callable, Iterable, Sequence
from heapq import heapify, heappop, heappush
from math import inf
from typing import Protocol

import numpy as np

from cosim.kernel.clock import Clock, Wait
from cosim.types import FloatArray, IntArray

_EARLY_S = 1e-9
"""A flow that would end within this time is taken as ended: shorter steps come from rounding alone."""
_NEAR = 32
"""Number of flows in the heap of a crowded medium once its gains have changed; some more come until the next change."""


class Medium(Protocol):
    """Something that a flow runs in."""

    def withdraw(self, flow: "Flow") -> None:
        """Take an active flow out; its `left` is then up to date."""
        ...

    def withdraw_all(self, flows: Sequence["Flow"]) -> None:
        """Take active flows out; what is left of them is then up to date."""
        ...

    def settle(self) -> None:
        """Bring the totals up to now."""
        ...

    def retune(self) -> None:
        """Give each flow the gain of its bearer; a flow without one keeps its own."""
        ...

    @property
    def share_s(self) -> float:
        """Integral over time of the share of a flow of weight 1, up to the last change or `settle`.

        It may begin again at 0 while the medium is empty.
        """
        ...


class Bearer:
    """What flows have in common that change their gain together, such as those of one vehicle and cell at one power."""

    noise = 1.0
    """Noise and interference from outside the medium over noise alone; only flows that disturb each other need it."""
    active = 0
    """Number of its flows that are in a medium."""
    columns: "_Columns | None" = None
    """Those that took up one of its flows last, and number it; None once they have forgotten it."""
    number = -1
    """Its number in these columns."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain
        """Gain that a medium's `retune` gives to its flows."""
        self.flows: dict[Flow, None] = {}
        """Flows that belong to it and are not over."""

    def add(self, flow: "Flow") -> None:
        """Have a flow belong to it, until that is over or belongs to another."""
        if flow.bearer is not None:
            flow.bearer.flows.pop(flow, None)
        flow.bearer = self
        flow.gain, flow.noise = self.gain, self.noise
        self.flows[flow] = None

    def joins(self, flows: Sequence["Flow"], weights: Sequence[float], share_s: float) -> None:  # noqa: ARG002
        """Take note that flows have begun in their medium.

        Args:
            flows: the flows.
            weights: the share of the medium that each gets, as a multiple of that of a flow of weight 1.
            share_s: the medium's `share_s`.
        """
        self.active += len(flows)

    def parts(self, flows: Sequence["Flow"], weights: Sequence[float], share_s: float) -> None:  # noqa: ARG002
        """Take note that flows have left their medium.

        Args:
            flows: the flows.
            weights: as at `joins`.
            share_s: the medium's `share_s` just before it may have begun again.
        """
        self.active -= len(flows)


def by_bearer(flows: Sequence["Flow"]) -> Iterable[tuple[Bearer, Sequence["Flow"]]]:
    """Return bearers with those of the flows that belong to them, in order."""
    if len(flows) == 1:
        return () if flows[0].bearer is None else ((flows[0].bearer, flows),)
    found: dict[Bearer, list[Flow]] = {}
    for flow in flows:
        if flow.bearer is not None:
            found.setdefault(flow.bearer, []).append(flow)
    return found.items()


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
    bearer: Bearer | None = None
    """What it has its gain from; None for a flow that keeps the gain with which it started."""
    row = -1
    """Its row in the medium's columns, which then hold its gain and its finish; -1 outside them."""
    active_s = 0.0
    """Time spent in media so far, in s."""
    entry = -1
    """Number of its entry into the medium, in order of time; -1 outside media. A heap may hold older ones."""
    finish_v = 0.0
    """Virtual time at which it ends."""
    noise = 1.0
    """Noise and interference from outside its medium over noise alone; only flows that disturb each other need it."""
    since_s = 0.0
    """Simulated time at which it entered the medium."""
    mark = 0.0
    """What its bearer keeps for it while it is in the medium."""

    def __init__(self, size: float, gain: float = 1.0, weight: float = 1.0) -> None:
        self.size = size
        self.left = size
        self.gain = gain
        self.weight = weight

    def cancel(self, error: Exception) -> None:
        """Leave the medium; `left` is then what was not done."""
        if self.medium is not None:
            self.medium.withdraw(self)
        if self.bearer is not None:
            self.bearer.flows.pop(self, None)
        self.fail(error)


class _Columns:
    """Flows of a crowded medium that do not end soon: their finishing times and gains in arrays, in no order."""

    __slots__ = ("_bearers", "_free", "_gain", "_kept", "_number", "count", "finish_v", "flows")

    def __init__(self) -> None:
        self.count = 0
        """Number of flows."""
        self.flows: list[Flow | None] = []
        """The flow in each row; None in a free one."""
        self.finish_v: FloatArray = np.empty(0)
        """Virtual times at which the flows end; infinity in free rows."""
        self._gain: FloatArray = np.empty(0)
        self._number: IntArray = np.empty(0, np.int64)
        """Number of each flow's bearer."""
        self._free: list[int] = []
        """Free rows."""
        self._bearers: list[Bearer] = []
        self._kept = 0
        """Number of bearers that had flows when those without were last forgotten."""

    def add(self, flow: Flow, bearer: Bearer) -> None:
        """Take up a flow."""
        if not self._free:
            self._grow()
        flow.row = row = self._free.pop()
        self.flows[row] = flow
        self.finish_v[row] = flow.finish_v
        self._gain[row] = flow.gain
        self._number[row] = self._number_of(bearer)
        self.count += 1

    def add_all(self, flows: Sequence[Flow], bearers: Iterable[Bearer]) -> None:
        """Take up flows, each with its bearer."""
        while len(self._free) < len(flows):
            self._grow()
        first = len(self._free) - len(flows)
        rows = self._free[first:]
        del self._free[first:]
        for row, flow in zip(rows, flows, strict=True):
            flow.row = row
            self.flows[row] = flow
        self.finish_v[rows] = [flow.finish_v for flow in flows]
        self._gain[rows] = [flow.gain for flow in flows]
        self._number[rows] = [
            bearer.number if bearer.columns is self else self._number_of(bearer) for bearer in bearers
        ]
        self.count += len(flows)

    def remove(self, flows: Sequence[Flow]) -> None:
        """Remove flows, which then know their gains and finishes themselves."""
        held, rows = self.flows, [flow.row for flow in flows]
        places = np.array(rows, np.int64)
        finishes_v, gains = self.finish_v[places].tolist(), self._gain[places].tolist()
        for flow, row, finish_v, gain in zip(flows, rows, finishes_v, gains, strict=True):
            held[row] = None
            flow.row, flow.finish_v, flow.gain = -1, finish_v, gain
        self.finish_v[places] = inf
        self._free += rows
        self.count -= len(rows)

    def draw(self, rows: IntArray) -> list[Flow]:
        """Remove the flows in some rows, and return them."""
        drawn = [flow for flow in map(self.flows.__getitem__, rows.tolist()) if flow is not None]
        self.remove(drawn)
        return drawn

    def retune(self, v: float) -> None:
        """Give each flow the gain of its bearer, from virtual time v on."""
        if len(self._bearers) > 2 * self._kept + _NEAR:
            self._forget()
        fresh = np.array([bearer.gain for bearer in self._bearers]).take(self._number)
        # The same operations in the same order as for a single flow, so that not a bit depends on where a flow is.
        self.finish_v = v + (self.finish_v - v) * self._gain / fresh
        self._gain = fresh

    def _number_of(self, bearer: Bearer) -> int:
        if bearer.columns is not self:  # it may have been elsewhere since, and then has two numbers here
            bearer.columns, bearer.number = self, len(self._bearers)
            self._bearers.append(bearer)
        return bearer.number

    def _forget(self) -> None:
        """Forget the bearers that have no flow."""
        rows = (self.finish_v < inf).nonzero()[0]
        kept, numbers = np.unique(self._number[rows], return_inverse=True)
        self._number[:] = 0
        self._number[rows] = numbers
        for bearer in self._bearers:
            if bearer.columns is self:
                bearer.columns = None
        self._bearers = [self._bearers[number] for number in kept.tolist()]
        for number, bearer in enumerate(self._bearers):
            bearer.columns, bearer.number = self, number
        self._kept = len(self._bearers)

    def _grow(self) -> None:
        """Make as many free rows as there are rows, and some at the first time."""
        more = max(_NEAR, len(self.flows))
        self._free += range(len(self.flows) + more - 1, len(self.flows) - 1, -1)
        self.flows += [None] * more
        self.finish_v = np.concatenate([self.finish_v, np.full(more, inf)])
        self._gain = np.concatenate([self._gain, np.ones(more)])
        self._number = np.concatenate([self._number, np.zeros(more, np.int64)])


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
        "_far",
        "_far_v",
        "_heap",
        "_numbers",
        "_rate",
        "_since_s",
        "_v",
        "active",
        "busy_s",
        "done",
        "ended",
        "guest",
        "number_s",
        "room",
        "unit_rate",
        "weight",
    )  # fmt: skip

    def __init__(self, clock: Clock, unit_rate: float, room: float = 1.0) -> None:
        self._clock = clock
        self.unit_rate = unit_rate
        self.room = room
        self._heap: list[tuple[float, int, Flow]] = []
        self._far = _Columns()
        """Active flows that are not in the heap."""
        self._far_v = inf
        """Virtual time before which none of them ends; the heap's first does so by then. Infinity if there are none."""
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
        self.done = 0.0
        """Total size of the flows that ended."""
        self.ended = 0
        """Number of the flows that ended."""
        self.guest: Callable[[], None] | None = None
        """Called before the next flow starts: what uses the idle medium without a flow, and then becomes one."""

    def start(self, flow: Flow) -> Flow:
        """Let a flow run; its story is resumed when nothing is left."""
        if self.guest is not None:
            self.part_with_guest()
        if self._clock.now > self._since_s:
            self.settle()
        flow.medium = self
        flow.since_s = now = self._since_s
        v, heap, bearer = self._v, self._heap, flow.bearer
        flow.finish_v = finish_v = v + flow.left / (flow.weight * flow.gain)
        flow.entry = entry = next(self._numbers)
        if bearer is not None and finish_v > self._far_v:
            self._far.add(flow, bearer)
        else:
            heappush(heap, (finish_v, entry, flow))
        self.active += 1
        self.weight = weight = self.weight + flow.weight
        self._rate = rate = self.unit_rate if weight <= self.room else self.unit_rate * self.room / weight
        if heap[0][1] == entry:  # else the timer for the first is early enough: it has only become slower
            due_s = now + (finish_v - v) / rate
            if due_s < self._armed_s:
                self._armed_s = due_s
                self._clock.at(due_s, self._fire)
        if bearer is not None:
            bearer.joins((flow,), (flow.weight,), v / self.unit_rate)
        return flow

    def start_all(self, flows: Sequence[Flow]) -> None:
        """Let flows run, as if each were started after the one before."""
        self.part_with_guest()
        self.settle()
        v, weight, heap, since_s, far_v = self._v, self.weight, self._heap, self._since_s, self._far_v
        far: list[Flow] = []
        bearers: list[Bearer] = []
        for flow in flows:
            flow.medium = self
            flow.since_s = since_s
            flow.finish_v = finish_v = v + flow.left / (flow.weight * flow.gain)
            flow.entry = entry = next(self._numbers)
            if finish_v > far_v and flow.bearer is not None:
                far.append(flow)
                bearers.append(flow.bearer)
            else:
                heappush(heap, (finish_v, entry, flow))
            weight += flow.weight
        if far:
            self._far.add_all(far, bearers)
        self.active += len(flows)
        self._weigh(weight)
        self._arm()
        for bearer, own in by_bearer(flows):
            bearer.joins(own, [flow.weight for flow in own], self.share_s)

    def part_with_guest(self) -> None:
        """Call the guest, if there is one, before something else uses the medium."""
        guest, self.guest = self.guest, None
        if guest is not None:
            guest()

    def credit(self, busy_s: float, size: float = 0.0, ended: int = 0) -> None:
        """Add what a guest has done to the totals.

        Args:
            busy_s: time in which it used the medium alone.
            size: amount that it has done, once it has ended.
            ended: number of flows that it stands for, likewise.
        """
        self.busy_s += busy_s
        self.number_s += busy_s
        self.done += size
        self.ended += ended

    def withdraw(self, flow: Flow) -> None:
        """Take an active flow out; its `left` is then up to date."""
        self.withdraw_all((flow,))

    def withdraw_all(self, flows: Sequence[Flow]) -> None:
        """Take active flows out; what is left of them is then up to date."""
        self.settle()
        v, since_s, weight, share_s = self._v, self._since_s, self.weight, self.share_s
        if far := [flow for flow in flows if flow.row >= 0]:
            self._far.remove(far)
        for flow in flows:
            left = (flow.finish_v - v) * flow.weight * flow.gain
            flow.left = left if left > 0.0 else 0.0
            flow.medium = None
            flow.entry = -1  # its place in the heap stays, and is skipped when it comes up: removal would cost O(n)
            flow.active_s += since_s - flow.since_s
            weight -= flow.weight
        self.active -= len(flows)
        self._weigh(weight)
        self._arm()
        for bearer, own in by_bearer(flows):
            bearer.parts(own, [flow.weight for flow in own], share_s)

    @property
    def share_s(self) -> float:
        """Integral over time of the share of a flow of weight 1, up to the last change or `settle`; see `Medium`."""
        return self._v / self.unit_rate

    def retune(self) -> None:
        """Give each active flow the gain of its bearer; a flow without one keeps its own."""
        self.settle()
        v = self._v
        heap = []
        for finish_v, entry, flow in self._heap:
            if flow.entry == entry:
                fresh = flow.gain if flow.bearer is None else flow.bearer.gain
                flow.finish_v = v + (finish_v - v) * flow.gain / fresh
                flow.gain = fresh
                heap.append((flow.finish_v, entry, flow))
        self._heap = heap
        if self._far.count:
            self._far.retune(v)
        if len(heap) > 2 * _NEAR or self._far.count:
            self._part()
        heapify(self._heap)
        self._armed_s = inf
        self._arm()

    def _part(self) -> None:
        """Leave the flows in the heap that end soonest, and put the others into columns; the heap then has no order."""
        places, far = self._heap, self._far
        ends_v = np.concatenate([[place[0] for place in places], far.finish_v])
        near, self._far_v = _soonest(ends_v, len(places) + far.count)
        drawn = far.draw(near[near >= len(places)] - len(places))
        stays = set(near.tolist())
        self._heap = []
        parted: list[Flow] = []
        bearers: list[Bearer] = []
        for number, place in enumerate(places):
            flow = place[2]
            if number in stays or flow.bearer is None:
                self._heap.append(place)
            else:
                parted.append(flow)
                bearers.append(flow.bearer)
        far.add_all(parted, bearers)
        self._heap += [(flow.finish_v, flow.entry, flow) for flow in drawn]

    def _draw_near(self, least_v: float) -> None:
        """Move flows from the columns to the heap: those that end soonest, and all that end by `least_v`."""
        far = self._far
        near, self._far_v = _soonest(far.finish_v, far.count)
        if self._far_v <= least_v:
            near, self._far_v = (far.finish_v <= least_v).nonzero()[0], least_v
        for flow in far.draw(near):
            heappush(self._heap, (flow.finish_v, flow.entry, flow))

    def next_flow(self) -> Flow | None:
        """Return a flow among those that end first; None where none is under way."""
        return self._heap[0][2] if self._heap else None

    def settle(self) -> None:
        """Bring virtual time and totals up to now."""
        now = self._clock.now
        passed_s = now - self._since_s
        if passed_s > 0.0:
            self._since_s = now
            if active := self.active:
                self._v += passed_s * self._rate
                self.number_s += passed_s * active
                self.busy_s += passed_s

    def _weigh(self, weight: float) -> None:
        if self.active:
            self.weight = weight
            self._rate = self.unit_rate if weight <= self.room else self.unit_rate * self.room / weight
        else:
            # Idle: start again at zero, so that rounding never piles up over a long run.
            self.weight = 0.0
            self._v = 0.0
            self._heap.clear()
            self._far_v = inf
            self._rate = self.unit_rate

    def _arm(self) -> None:
        """Set the timer for the first flow to end; an earlier timer stays, and arms again when it fires."""
        heap = self._heap
        while heap and heap[0][2].entry != heap[0][1]:
            heappop(heap)
        if self._far.count and (not heap or heap[0][0] > self._far_v):
            self._draw_near(-inf)
        if heap:
            due_s = self._since_s + (heap[0][0] - self._v) / self._rate
            if due_s < self._armed_s:
                self._armed_s = due_s
                self._clock.at(due_s, self._fire)

    def _fire(self) -> None:
        now = self._clock.now
        if now < self._armed_s:
            return  # an old timer; the armed one is still to come
        self._armed_s = inf
        self.settle()
        heap, v = self._heap, self._v
        limit_v = v + self._rate * _EARLY_S
        if limit_v >= self._far_v:
            self._draw_near(limit_v)
        ended: list[Flow] = []
        weight, borne = self.weight, False
        while heap and heap[0][0] <= limit_v:
            _, entry, flow = heappop(heap)
            if flow.entry == entry:
                flow.left = 0.0
                flow.medium = None
                flow.active_s += now - flow.since_s
                if flow.bearer is not None:
                    flow.bearer.flows.pop(flow, None)
                    borne = True
                weight -= flow.weight
                self.done += flow.size
                ended.append(flow)
        if ended:
            count = len(ended)
            self.active -= count
            self.ended += count
            self._weigh(weight)
        if self.active:
            self._arm()
        if borne:
            for bearer, own in by_bearer(ended):
                bearer.parts(own, [flow.weight for flow in own], v / self.unit_rate)
        # Last, because a story that goes on may start or withdraw flows here.
        for flow in ended:
            flow.resume(flow)


def _soonest(finish_v: FloatArray, count: int) -> tuple[IntArray, float]:
    """Return which `_NEAR` flows end first, and the time by which they do; all of them and infinity if there are fewer.

    Others may end at that very time.

    Args:
        finish_v: virtual times at which flows end, infinity where there is none.
        count: number of flows.
    """
    if count <= _NEAR:
        return (finish_v < inf).nonzero()[0], inf
    near = finish_v.argpartition(_NEAR - 1)[:_NEAR]
    return near, float(finish_v[near].max())
