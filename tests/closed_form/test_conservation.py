"""Media against plain arithmetic: each flow re-rated at each event, under random starts, withdrawals and moves.

The plain medium keeps what each flow has left and steps from one end to the next; the product keeps a heap in virtual
time. Both must tell the same ends, the same bits left and the same totals.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal
from unittest.mock import patch

import numpy as np
import pytest
from effort import drawn
from hypothesis import given
from hypothesis import strategies as st
from physics import seen

from cosim.adaptation.curve import ShannonCurve
from cosim.kernel.clock import Clock
from cosim.kernel.fluid import Bearer, Flow, Fluid
from cosim.radio.cell import NomaCell
from cosim.types import Failure

FLOWS = 8
TOLERANCE = 1e-6  # bit and s, for sizes of 0.1 to 100 bit: a flow ends up to 1 ns early, and steps add rounding
FAST = drawn(250)


@dataclass(slots=True)
class PlainFlow:
    """What the arithmetic knows of a flow."""

    size: float
    left: float
    weight: float
    gain: float = 1.0
    delivered: float = 0.0
    """Integral of its rates since it was new or began again."""
    active_s: float = 0.0
    used_s: float = 0.0


Rates = Callable[[list[PlainFlow]], list[float]]


@dataclass(slots=True)
class PlainMedium:
    """Re-rates every flow whenever one ends."""

    rates: Rates
    shares: Rates
    flows: dict[int, PlainFlow] = field(default_factory=dict)
    now_s: float = 0.0
    number_s: float = 0.0
    busy_s: float = 0.0
    done: float = 0.0
    ends_s: dict[int, float] = field(default_factory=dict)

    def run(self, until_s: float) -> None:
        """Let time pass."""
        while self.flows:
            numbers = list(self.flows)
            rates = self.rates([self.flows[number] for number in numbers])
            first_s, first = min(
                (self.flows[number].left / rate, number) for number, rate in zip(numbers, rates, strict=True)
            )
            step_s = min(first_s, until_s - self.now_s)
            shares = self.shares([self.flows[number] for number in numbers])
            for number, rate, share in zip(numbers, rates, shares, strict=True):
                flow = self.flows[number]
                flow.used_s += share * step_s
                flow.left -= rate * step_s
                flow.delivered += rate * step_s
                flow.active_s += step_s
            self.number_s += step_s * len(numbers)
            self.busy_s += step_s
            self.now_s += step_s
            if first_s > step_s:
                break
            self.done += self.flows[first].size
            self.flows.pop(first).left = 0.0
            self.ends_s[first] = self.now_s
        self.now_s = until_s


def shared_rates(unit_rate: float, room: float) -> Rates:
    """Rates u w g / max(1, W / F)."""

    def rates(flows: list[PlainFlow]) -> list[float]:
        crowd = max(1.0, sum(flow.weight for flow in flows) / room)
        return [unit_rate * flow.weight * flow.gain / crowd for flow in flows]

    return rates


def shares_of(room: float) -> Rates:
    """Shares w / max(1, W / F)."""
    return lambda flows: [flow.weight / max(1.0, sum(one.weight for one in flows) / room) for flow in flows]


def whole(flows: list[PlainFlow]) -> list[float]:
    """The whole band for everybody."""
    return [1.0 for _ in flows]


def noma_rates(band_hz: float, cap: float, sic: bool) -> Rates:
    """B min(cap, log2(1 + P / (1 + I))): I is everybody else, or with SIC those who are decoded later."""

    def rates(flows: list[PlainFlow]) -> list[float]:
        order = sorted(range(len(flows)), key=lambda place: -flows[place].gain)
        rank = {place: number for number, place in enumerate(order)}
        found = []
        for place, flow in enumerate(flows):
            heard = sum(
                other.gain for at, other in enumerate(flows) if at != place and (not sic or rank[at] > rank[place])
            )
            found.append(band_hz * min(cap, math.log2(1.0 + flow.gain / (1.0 + heard))))
        return found

    return rates


MEDIA: dict[str, tuple[Callable[[Clock], Fluid | NomaCell], Rates, Rates]] = {
    "shared": (lambda clock: Fluid(clock, 3.0), shared_rates(3.0, 1.0), shares_of(1.0)),
    "slices": (lambda clock: Fluid(clock, 3.0, math.inf), shared_rates(3.0, math.inf), shares_of(math.inf)),
    "cores": (lambda clock: Fluid(clock, 3.0, 2.5), shared_rates(3.0, 2.5), shares_of(2.5)),
    "noma": (lambda clock: NomaCell(clock, 3.0, ShannonCurve(4.0), sic=False), noma_rates(3.0, 4.0, sic=False), whole),
    "noma with sic": (
        lambda clock: NomaCell(clock, 3.0, ShannonCurve(), sic=True),
        noma_rates(3.0, math.inf, sic=True),
        whole,
    ),
}


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is done to a flow, or to a medium, `gap_s` after the step before."""

    gap_s: float
    kind: Literal["start", "withdraw", "again", "move", "retune"]
    flow: int
    medium: int
    gain: float


STEPS = st.lists(
    st.builds(
        Step,
        gap_s=st.floats(0.0, 4.0),
        kind=st.sampled_from(["start", "start", "withdraw", "again", "move", "move", "move", "retune"]),
        flow=st.integers(0, FLOWS - 1),
        medium=st.integers(0, 1),
        gain=st.floats(0.05, 20.0),
    ),
    min_size=4,
    max_size=40,
)


class Counting(Bearer):
    """Adds up the shares of its one flow."""

    used_s = 0.0

    def joins(self, flows: Sequence[Flow], weights: Sequence[float], share_s: float) -> None:
        """Remember when it began."""
        super().joins(flows, weights, share_s)
        self.since_s = share_s

    def parts(self, flows: Sequence[Flow], weights: Sequence[float], share_s: float) -> None:
        """Add what it had since then."""
        super().parts(flows, weights, share_s)
        self.used_s += weights[0] * (share_s - self.since_s)


class Both:
    """Two media of one kind, as product and as arithmetic, and the same flows in both."""

    def __init__(self, kind: str, sizes: list[float], weights: list[float]) -> None:
        make, rates, shares = MEDIA[kind]
        self.clock = Clock()
        self.media = [make(self.clock) for _ in range(2)]
        self.plain = [PlainMedium(rates, shares) for _ in range(2)]
        self.flows = [Flow(size, 1.0, weight) for size, weight in zip(sizes, weights, strict=True)]
        self.plain_flows = [PlainFlow(size, size, weight) for size, weight in zip(sizes, weights, strict=True)]
        self.ends_s: dict[int, float] = {}
        for number, flow in enumerate(self.flows):
            flow.resume = partial(self._ended, number)
            Counting().add(flow)

    def _ended(self, number: int, _: object) -> None:
        assert number not in self.ends_s
        self.ends_s[number] = self.clock.now

    def do(self, step: Step) -> None:
        """Take a step, if it makes sense to the flow as it is now."""
        for medium in self.plain:
            medium.run(self.clock.now)
        active = self.flows[step.flow].medium is not None
        if step.kind == "retune":
            self._retune(step)
        elif step.flow in self.ends_s:
            return
        elif step.kind == "start" and not active:
            self._start(step)
        elif step.kind == "withdraw" and active:
            self._withdraw(step.flow)
        elif step.kind == "again" and active:
            self._withdraw(step.flow)
            flow, plain = self.flows[step.flow], self.plain_flows[step.flow]
            flow.left, plain.left, plain.delivered = flow.size, flow.size, 0.0
            self._start(step)
        elif step.kind == "move" and active:
            self._withdraw(step.flow)
            self._start(step)

    def _start(self, step: Step) -> None:
        self.flows[step.flow].gain = self.plain_flows[step.flow].gain = step.gain
        self.plain[step.medium].flows[step.flow] = self.plain_flows[step.flow]
        self.media[step.medium].start(self.flows[step.flow])

    def _withdraw(self, number: int) -> None:
        flow = self.flows[number]
        assert flow.medium is not None
        flow.medium.withdraw(flow)
        for plain in self.plain:
            plain.flows.pop(number, None)
            plain.ends_s.pop(number, None)
        assert flow.left == pytest.approx(self.plain_flows[number].left, abs=TOLERANCE)

    def _retune(self, step: Step) -> None:
        for number, plain in self.plain[step.medium].flows.items():
            bearer = self.flows[number].bearer
            assert bearer is not None
            plain.gain = bearer.gain = step.gain * (1.0 + 0.3 * number)
        self.media[step.medium].retune()


@pytest.mark.parametrize("kind", MEDIA)
@FAST
@given(
    steps=STEPS,
    sizes=st.lists(st.floats(0.1, 100.0), min_size=FLOWS, max_size=FLOWS),
    weights=st.lists(st.floats(0.1, 2.0), min_size=FLOWS, max_size=FLOWS),
    near=st.sampled_from([1, 2, 64]),
)
def test_media_deliver_what_arithmetic_says(
    kind: str, steps: list[Step], sizes: list[float], weights: list[float], near: int
) -> None:
    """Whatever happens to a flow, its size is what was delivered and what is left, and it ends when that is nothing."""
    with patch("cosim.kernel.fluid._NEAR", near):
        _deliver(Both(kind, sizes, weights), steps)


def _deliver(both: Both, steps: list[Step]) -> None:
    for number in range(FLOWS):
        both.do(Step(0.0, "start", number, number % 2, 1.0))
    due_s = 0.0
    for step in steps:
        due_s += step.gap_s
        both.clock.at(due_s, partial(both.do, step))
    both.clock.advance()
    for medium, plain in zip(both.media, both.plain, strict=True):
        plain.run(max(both.clock.now, plain.now_s) + 1.0)
        medium.settle()
        assert medium.active == len(plain.flows) == 0
        assert medium.number_s == pytest.approx(plain.number_s, abs=TOLERANCE)
        assert medium.busy_s == pytest.approx(plain.busy_s, abs=TOLERANCE)
        assert medium.done == pytest.approx(plain.done, abs=TOLERANCE)
    plain_ends_s = {**both.plain[0].ends_s, **both.plain[1].ends_s}
    assert both.ends_s == pytest.approx(plain_ends_s, abs=TOLERANCE)
    seen([both.ends_s[number] for number in plain_ends_s], list(plain_ends_s.values()), "s")
    for flow, plain_flow in zip(both.flows, both.plain_flows, strict=True):
        assert flow.left == pytest.approx(plain_flow.left, abs=TOLERANCE)
        assert plain_flow.delivered + flow.left == pytest.approx(flow.size, abs=TOLERANCE)
        assert flow.active_s == pytest.approx(plain_flow.active_s, abs=TOLERANCE)
        assert isinstance(flow.bearer, Counting)
        assert (flow.bearer.active, flow.bearer.used_s) == (0, pytest.approx(plain_flow.used_s, abs=TOLERANCE))


def _run_of_a_crowd(near: int, seed: int) -> tuple[list[tuple[float, int]], list[float]]:
    """Ends of 200 flows of 20 bearers, many of equal sizes, in a band that is retuned each second; and its totals."""
    rng, clock = np.random.default_rng(seed), Clock()
    medium, ends, bearers = Fluid(clock, 3.0), [], [Bearer() for _ in range(20)]
    flows = [Flow(size, 1.0, rng.uniform(0.1, 2.0)) for size in rng.integers(1, 9, 200).astype(float).tolist()]

    def begin(number: int) -> None:
        flow, bearer = flows[number], bearers[number % 20]
        if flow.medium is not None:
            medium.withdraw(flow)
        flow.gain = bearer.gain
        if number % 7:  # else it keeps its gain
            bearer.add(flow)
        flow.resume = lambda _: ends.append((clock.now, number))
        if flow.left > 0.0:
            medium.start(flow)

    def tick(_: int) -> None:
        for bearer in bearers:
            bearer.gain = rng.choice([0.25, 1.0, rng.uniform(0.05, 5.0)])
        medium.retune()

    for number in rng.integers(0, 200, 300).tolist():
        clock.at(float(rng.choice([rng.uniform(0.0, 50.0), rng.integers(0, 50)])), partial(begin, number))
    clock.every(1.0, tick)
    clock.at(1500.0, clock.halt)
    with patch("cosim.kernel.fluid._NEAR", near):
        clock.advance()
    return ends, [medium.done, medium.number_s, medium.busy_s, *(flow.active_s for flow in flows)]


@pytest.mark.parametrize("seed", range(4))
def test_not_a_bit_depends_on_what_is_in_columns(seed: int) -> None:
    """A crowded medium ends the same flows at the same instants, in the same order, as one that keeps all in a heap."""
    ends, totals = _run_of_a_crowd(10**9, seed)
    assert len(ends) > 100
    for near in (1, 3, 20):
        assert _run_of_a_crowd(near, seed) == (ends, totals)


class Adding(Bearer):
    """Adds up the shares of all its flows."""

    def __init__(self) -> None:
        super().__init__()
        self.since_s: dict[Flow, float] = {}
        self.used_s = 0.0

    def joins(self, flows: Sequence[Flow], weights: Sequence[float], share_s: float) -> None:
        """Remember when they began."""
        super().joins(flows, weights, share_s)
        self.since_s.update(dict.fromkeys(flows, share_s))

    def parts(self, flows: Sequence[Flow], weights: Sequence[float], share_s: float) -> None:
        """Add what they had since then."""
        super().parts(flows, weights, share_s)
        for flow, weight in zip(flows, weights, strict=True):
            self.used_s += weight * (share_s - self.since_s.pop(flow))


def _run_in_groups(kind: str, together: bool, seed: int) -> tuple[list[float], list[float], list[float]]:
    """Ends of 60 flows of 5 bearers that enter and leave in groups, the shares of the bearers, and the totals."""
    rng, clock = np.random.default_rng(seed), Clock()
    medium, bearers, ends_s = MEDIA[kind][0](clock), [Adding() for _ in range(5)], [math.nan] * 60
    flows = [Flow(size, 1.0, weight) for size, weight in rng.uniform(0.1, 2.0, (60, 2)).tolist()]

    def end(number: int, _: object) -> None:
        ends_s[number] = clock.now

    def swap(numbers: list[int]) -> None:
        """Let those that are in the medium out, and the others in."""
        group = [flows[number] for number in numbers if flows[number].left > 0.0]
        outside = [flow for flow in group if flow.medium is None]
        for bearer in bearers:
            bearer.gain = rng.uniform(0.1, 3.0)
        for flow in outside:
            assert flow.bearer is not None
            flow.gain = flow.bearer.gain
        for size in [len(group)] if together else [1] * len(group):
            leaving = [flow for flow in group[:size] if flow.medium is medium]
            del group[:size]
            medium.withdraw_all(leaving)
        for size in [len(outside)] if together else [1] * len(outside):
            medium.start_all(outside[:size])
            del outside[:size]
        medium.retune()

    for number, flow in enumerate(flows):
        flow.resume = partial(end, number)
        bearers[number % 5].add(flow)
    for time_s in range(30):
        clock.at(float(time_s), partial(swap, rng.permutation(60)[: int(rng.integers(1, 40))].tolist()))
    clock.at(2000.0, clock.halt)
    with patch("cosim.kernel.fluid._NEAR", 5):
        clock.advance()
    totals = [medium.done, medium.number_s, medium.busy_s, *(flow.active_s for flow in flows)]
    return ends_s, [bearer.used_s for bearer in bearers], totals


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", MEDIA)
def test_a_group_is_as_one_after_another(kind: str, seed: int) -> None:
    """Flows that enter and leave a medium together end when, and have the shares that, they would have one by one."""
    found, expected = _run_in_groups(kind, True, seed), _run_in_groups(kind, False, seed)
    assert np.isfinite(found[0]).sum() > 20
    assert sum(found[1]) > 1.0
    for values, plain in zip(found, expected, strict=True):
        assert values == pytest.approx(plain, rel=1e-6, abs=TOLERANCE, nan_ok=True)


class Cancelled(Failure):
    """By the test."""


def test_a_cancelled_flow_leaves_its_medium() -> None:
    """A cancelled flow gets the error at once, keeps what is left, and gives its share to the others."""
    clock = Clock()
    medium = Fluid(clock, 1.0)
    told: list[tuple[float, Exception | None]] = []
    flows = [Flow(4.0), Flow(4.0)]
    for flow in flows:
        flow.resume = lambda wait: told.append((clock.now, wait.error))
        medium.start(flow)
    error = Cancelled()
    clock.at(2.0, partial(flows[0].cancel, error))
    clock.advance()
    assert told == [(2.0, error), (5.0, None)]
    assert (flows[0].left, flows[1].left) == (3.0, 0.0)
    assert (medium.ended, medium.done) == (1, 4.0)
