"""The signal to interference and noise of each flow against a sum over all senders, in random layouts.

The sum is plain Python over positions, starts and ends of flows; nothing of cosim.radio computes any of it. Flows start
and end inside ticks, vehicles move from tick to tick, and cells are left: the law of distance is the only model.
"""

import gc
import math
import weakref
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise, product

import numpy as np
import pytest
from effort import seeds
from link_oracle import plain_bps
from physics import seen

from cosim.kernel.clock import LAST, Clock
from cosim.radio.channel import Channel
from cosim.radio.sidelink import SidelinkChannel
from cosim.scenario.radio import Radio
from cosim.trace.store.writer import NullWriter
from cosim.types import NOWHERE, Failure

CASES = list(
    product(
        ("up", "down", "side"),
        ({"kind": "ofdma"}, {"kind": "fixed"}, {"kind": "noma", "sic": True}, {"kind": "noma", "sic": False}),
        ("strongest", "target"),
        ("share", "power"),
    )
)
END_TICK = 2
FOREVER_BIT = 1e12


@dataclass
class PlainFlow:
    """A flow as it was written down."""

    vehicle: int
    other: int
    """Site that it is pinned to, or NOWHERE; of a sidelink the helper."""
    back: bool
    weight: float
    power_w: float
    start_s: float
    end_s: float
    product: object = field(default=None)

    @property
    def over(self) -> bool:
        """Whether it ends before the last tick."""
        return self.end_s <= END_TICK

    def active(self, time_s: float) -> bool:
        """Whether it is on the air."""
        return self.start_s <= time_s < self.end_s


class Layout:
    """Random sites, vehicles with a velocity each, and flows; and what each flow should hear."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.interference = True
        self.link: dict[str, object] = {"kind": "shannon"}
        self.direction, access, self.association, self.knob = CASES[seed * 7 % len(CASES)]
        self.access = dict(access)
        if access["kind"] == "fixed":
            self.access["slice_share"] = float(rng.uniform(0.05, 1.0))
        count = int(rng.integers(2, 9))
        self.sites = rng.uniform(0, 1500, (count, 2)).tolist()
        self.k = count if (seed // 2 + seed // len(CASES)) % 2 == 0 else int(rng.integers(1, count + 1))
        self.vehicles = int(rng.integers(2, 13))
        first, step = rng.uniform(0, 1500, (self.vehicles, 2)), rng.uniform(-80, 80, (self.vehicles, 2))
        self.places = [(first + tick * step).tolist() for tick in range(END_TICK + 1)]
        self.exponent, self.noise_dbm = float(rng.uniform(2, 4)), float(rng.uniform(-110, -70))
        self.flows = [self._flow(rng) for _ in range(int(rng.integers(2, 25)))]
        self.power = "per_radio" if rng.random() < 0.5 else "per_transfer"

    def _flow(self, rng) -> PlainFlow:
        vehicle = int(rng.integers(self.vehicles))
        other = NOWHERE
        if self.direction == "side":
            other = int((vehicle + rng.integers(1, self.vehicles)) % self.vehicles)
        elif self.association == "target" and rng.random() < 0.9:
            always = set.intersection(*(set(self.candidates(vehicle, tick)) for tick in range(END_TICK + 1)))
            other = int(rng.choice(sorted(always))) if always else NOWHERE
        start_s = float(rng.uniform(0, END_TICK))
        ends = start_s > 1.0 or rng.random() < 0.5
        end_s = float(rng.uniform(max(start_s, 1.0), END_TICK + 2)) if ends else math.inf
        share = float(rng.uniform(0.05, 1.0)) if self.knob == "share" and self.direction != "down" else 1.0
        power_w = 1.0 if self.direction == "down" else 0.2
        if self.knob == "power" and self.direction != "down":
            power_w = float(rng.uniform(0.01, 0.5))
        return PlainFlow(vehicle, other, rng.random() < 0.5, share, power_w, start_s, end_s)

    # --- what is simulated -----------------------------------------------------------------------------------------

    def radio(self) -> Radio:
        """The section of the scenario."""
        return Radio.model_validate(
            {
                "bandwidth_hz": 1e6, "vehicle_power_w": 0.2, "site_power_w": 1.0, "antenna_gain_db": 0.0,
                "power": self.power, "noise_dbm": self.noise_dbm, "min_snr_db": -300.0, "max_efficiency_bps_hz": None,
                "path_loss": self.law(), "access": self.access, "association": self.association,
                "interference": self.interference, "candidates": self.k, "link": self.link,
                "handover": {"hysteresis_db": 0.0, "interruption_s": 0.0},
                "sidelink": {"range_m": 1e5, "bandwidth_hz": 1e6, "path_loss": self.law()},
            }
        )  # fmt: skip

    def law(self) -> dict[str, object]:
        """Distance alone decides."""
        return {"kind": "power_law", "exponent": self.exponent, "gain_at_1m_db": -40.0}

    def simulate(self) -> None:
        """Run to the last tick, after which the flows that go on have their new rates."""
        clock, radio, xy_m = Clock(), self.radio(), np.array(self.sites)
        channel = Channel(clock, radio, xy_m, 1, NullWriter())
        side = SidelinkChannel(clock, radio, radio.sidelink, xy_m, 1, NullWriter(), channel.radios)
        numbers, none = np.arange(self.vehicles), np.zeros(0, np.int64)

        def tick(number: int) -> None:
            channel.tick(numbers, np.array(self.places[number]), none, number)
            side.tick(numbers, np.array(self.places[number]), channel.air.row)

        def start(flow: PlainFlow) -> None:
            match self.direction:
                case "up":
                    sent = channel.uplink(flow.vehicle, 0, FOREVER_BIT, flow.power_w, flow.weight, flow.other)
                case "down":
                    sent = channel.downlink(flow.vehicle, 0, FOREVER_BIT, flow.other)
                case _:
                    sent = side.send(flow.vehicle, flow.other, FOREVER_BIT, flow.power_w, flow.weight, back=flow.back)
            flow.product = sent

        clock.every(1.0, tick)
        for flow in self.flows:
            clock.at(flow.start_s, partial(start, flow))
            if flow.over:
                clock.at(flow.end_s, lambda flow=flow: flow.product.cancel(Failure()))
        clock.at(END_TICK, clock.halt, LAST)
        clock.advance()

    @staticmethod
    def found(flow: PlainFlow, noma: bool) -> float:
        """Ratio by which the product now sends a flow."""
        cell = flow.product.medium
        if noma:
            return math.expm1(cell._rates[cell._flows.index(flow.product)] / 1e6 * math.log(2.0))
        return math.expm1(flow.product.gain * math.log(2.0))

    # --- what is expected ------------------------------------------------------------------------------------------

    def gain(self, here, there) -> float:
        """By distance."""
        return 1e-4 * max(1.0, math.dist(here, there)) ** -self.exponent

    def candidates(self, vehicle: int, tick: int) -> list[int]:
        """The nearest sites."""
        place = self.places[tick][vehicle]
        return sorted(range(len(self.sites)), key=lambda site: math.dist(place, self.sites[site]))[: self.k]

    def cell(self, flow: PlainFlow, tick: int) -> int:
        """Cell that carries a flow: a sidelink keeps the one in which it began."""
        if self.direction == "side":
            return self.candidates(flow.vehicle, int(flow.start_s))[0]
        return flow.other if flow.other != NOWHERE else self.candidates(flow.vehicle, tick)[0]

    def sent_w(self, flow: PlainFlow) -> float:
        """Integral of share times power over the tick before the last, cut at every start and end."""
        cuts = {END_TICK - 1.0, float(END_TICK)}
        cuts |= {t for one in self.flows for t in (one.start_s, one.end_s) if END_TICK - 1 < t < END_TICK}
        edges = sorted(cuts)
        total = 0.0
        for begin_s, end_s in pairwise(edges):
            if flow.active(begin_s):
                total += (end_s - begin_s) * self.share(flow, begin_s) * self.density_w(flow, begin_s, END_TICK - 1)
        return total

    def density_w(self, flow: PlainFlow, time_s: float, tick: int) -> float:
        """What is left of the chosen power: flows of one radio share it, those of one orthogonal cell its band."""
        own = [other for other in self.flows if other.active(time_s) and self.sender(other) == self.sender(flow)]
        if self.power == "per_transfer" or self.direction == "down" or len(own) < 2:
            return flow.power_w
        total_w = sum(other.power_w for other in own)
        noma = self.access["kind"] == "noma" and self.direction == "up"
        beside = [other for other in own if self.cell(other, tick) == self.cell(flow, tick) and not noma] or [flow]
        limit_w = max(0.2, *(other.power_w for other in own))
        if len(beside) == len(own) or total_w <= limit_w:
            return flow.power_w
        together_w = limit_w * sum(other.power_w for other in beside) / total_w
        return flow.power_w * min(1.0, together_w / max(other.power_w for other in beside))

    def share(self, flow: PlainFlow, time_s: float) -> float:
        """Of the band."""
        if self.access["kind"] == "noma" and self.direction == "up":
            return 1.0
        if self.access["kind"] == "fixed" and self.direction != "side":
            return self.access["slice_share"] * flow.weight
        here = self.cell(flow, END_TICK - 1)
        crowd = sum(f.weight for f in self.flows if f.active(time_s) and self.cell(f, END_TICK - 1) == here)
        return flow.weight / max(1.0, crowd)

    def expected(self, flow: PlainFlow) -> float:
        """Ratio of a flow, from a sum over all other flows."""
        noise_w = 10.0 ** ((self.noise_dbm - 30.0) / 10.0)
        heard_w = [self.heard_w(flow, other) for other in self.flows if other is not flow]
        return self.received_w(flow, flow) / math.fsum([noise_w, *heard_w])

    def ends(self, flow: PlainFlow):
        """Places of sender and receiver at the last tick."""
        car = self.places[END_TICK][flow.vehicle]
        if self.direction == "side":
            helper = self.places[END_TICK][flow.other]
            return (helper, car) if flow.back else (car, helper)
        site = self.sites[self.cell(flow, END_TICK)]
        return (car, site) if self.direction == "up" else (site, car)

    def received_w(self, sender: PlainFlow, at: PlainFlow) -> float:
        """Power of one flow at the receiver of another."""
        return self.density_w(sender, END_TICK, END_TICK) * self.gain(self.ends(sender)[0], self.ends(at)[1])

    def heard_w(self, flow: PlainFlow, other: PlainFlow) -> float:
        """What a flow hears of another."""
        here, there = self.cell(flow, END_TICK), self.cell(other, END_TICK)
        if here == there:
            noma = self.access["kind"] == "noma" and self.direction == "up"
            if not noma or not other.active(END_TICK):
                return 0.0
            own_w, other_w = self.received_w(flow, flow), self.received_w(other, flow)
            later = (-other_w, other.start_s) > (-own_w, flow.start_s)
            return other_w if later or not self.access["sic"] else 0.0
        if self.sender(other) == self.sender(flow) and other.over:
            return 0.0
        if not self.hears(flow, other, here, there):
            return 0.0
        return self.sent_w(other) * self.gain(self.ends(other)[0], self.ends(flow)[1])

    def sender(self, flow: PlainFlow) -> int:
        """The vehicle that sends, or that a site sends to."""
        return flow.other if self.direction == "side" and flow.back else flow.vehicle

    def hears(self, flow: PlainFlow, other: PlainFlow, here: int, there: int) -> bool:
        """Whether the link between the other's sender and the flow's receiver is one of k candidates."""
        if self.direction == "up":
            return here in self.candidates(other.vehicle, END_TICK)
        if self.direction == "down":
            return there in self.candidates(flow.vehicle, END_TICK)
        receiver = flow.vehicle if flow.back else flow.other
        return there in self.candidates(receiver, END_TICK) and self.sender(other) != receiver

    def energy_j(self, flow: PlainFlow) -> float:
        """Integral of the power that a flow draws from its start to its end."""
        edges = {flow.start_s, flow.end_s}
        edges |= {t for one in self.flows for t in (one.start_s, one.end_s) if flow.start_s < t < flow.end_s}
        total = 0.0
        for begin_s, end_s in pairwise(sorted(edges)):
            powers_w = [f.power_w for f in self.flows if f.active(begin_s) and self.sender(f) == self.sender(flow)]
            part = min(1.0, max(0.2, *powers_w) / sum(powers_w)) if self.power == "per_radio" else 1.0
            total += (end_s - begin_s) * part * flow.power_w
        return total


@pytest.mark.parametrize("interference", [True, False])
@pytest.mark.parametrize("seed", seeds(400, least=48))
def test_energy_is_the_integral_of_the_power_that_is_left(seed, interference):
    """Flows that end have drawn P / sum of their power while the radio was shared, and all of it while it was not.

    Without interference flows that are alone in their radio are counted in another way until others come.
    """
    layout = Layout(seed)
    layout.interference = interference
    layout.simulate()
    if layout.direction != "down":
        for flow in layout.flows:
            if flow.over:
                assert flow.product.energy_j == pytest.approx(layout.energy_j(flow), rel=1e-9, abs=1e-12)
                seen(flow.product.energy_j, layout.energy_j(flow), "J")


def largest_error(seed: int) -> float:
    """Largest relative error of a layout."""
    layout = Layout(seed)
    layout.simulate()
    noma = layout.direction == "up" and layout.access["kind"] == "noma"
    errors = [
        abs(layout.found(flow, noma) / layout.expected(flow) - 1.0)
        for flow in layout.flows
        if flow.active(END_TICK) and flow.product.medium is not None
    ]
    return max(errors, default=0.0)


@pytest.mark.parametrize("seed", seeds(1000, least=50))
def test_ratio_is_that_of_the_sum_over_all_senders(seed):
    """Every flow's signal to interference and noise is that of a sum over all others, to 1e-9."""
    error = largest_error(seed)
    assert error <= 1e-9
    seen(1.0 + error, 1.0)


@pytest.mark.parametrize("seed", seeds(400, least=48))
def test_steps_are_those_of_the_sum_over_all_senders(seed):
    """With steps every flow has the rate of its ratio, to 1e-9 of the ratio: that of a step, or of repeated blocks.

    Noise is so low that every link has coverage without interference.
    """
    layout = Layout(seed)
    layout.link, layout.noise_dbm = {"kind": "mcs"}, -200.0
    layout.simulate()
    for flow in layout.flows:
        if flow.active(END_TICK) and flow.product.medium is not None:
            cell, ratio = flow.product.medium, layout.expected(flow)
            stepped = cell._rates[cell._flows.index(flow.product)] / 1e6 if hasattr(cell, "_sic") else flow.product.gain
            around = (plain_bps("lte", layout.direction, 1e6, ratio * near) / 1e6 for near in (1 - 1e-9, 1 + 1e-9))
            low, high = (max(one, 1e-12) for one in around)
            assert low * (1.0 - 1e-12) <= stepped <= high * (1.0 + 1e-12)
            seen(stepped, min(max(stepped, low), high))


def drive(layout: Layout, start, end_s: float) -> Channel:
    """Sites only: tick at the places of a layout's first tick, call `start(clock, channel)`, and run on."""
    clock, radio, xy_m = Clock(), layout.radio(), np.array(layout.sites)
    channel = Channel(clock, radio, xy_m, 1, NullWriter())
    numbers, none = np.arange(layout.vehicles), np.zeros(0, np.int64)
    clock.every(
        1.0, lambda n: channel.tick(numbers, np.array(layout.places[n] if n <= END_TICK else layout.places[0]), none, n)
    )
    start(clock, channel)
    clock.at(end_s, clock.halt, LAST)
    clock.advance()
    return channel


@pytest.mark.parametrize("seed", seeds(200, least=24))
def test_a_vehicle_alone_hears_nothing(seed):
    """One vehicle that sends and receives now here, now there, one flow after the other, has the ratio without others.

    It drives from cell to cell, and what it sent before in another cell, or was sent, is no disturbance.
    """
    layout = Layout(seed)
    rng = np.random.default_rng(seed)
    layout.direction, layout.vehicles = "up", 1
    layout.places = [[(100.0 + 500.0 * tick, 700.0)] for tick in range(END_TICK + 1)]
    always = set.intersection(*(set(layout.candidates(0, tick)) for tick in range(END_TICK + 1)))
    pins = [*always, NOWHERE]

    def start(clock, channel):
        for begin_s in np.arange(0.1, 1.9, 0.2).tolist():
            up, pinned = rng.random() < 0.5, int(rng.choice(pins))

            def send(up=up, pinned=pinned):
                sent = (
                    channel.uplink(0, 0, FOREVER_BIT, 0.2, 1.0, pinned)
                    if up
                    else channel.downlink(0, 0, FOREVER_BIT, pinned)
                )
                clock.at(clock.now + 0.15, lambda: sent.cancel(Failure()))

            clock.at(begin_s, send)

    air = drive(layout, start, END_TICK).air
    noise_w = 10.0 ** ((layout.noise_dbm - 30.0) / 10.0)
    np.testing.assert_array_equal(air.snr_per_w, air.clean_snr_per_w)
    np.testing.assert_allclose(air.down_snr, air.clean_snr_per_w * 1.0, rtol=1e-12)
    assert air.clean_snr_per_w[0, 0] == pytest.approx(
        layout.gain(layout.places[END_TICK][0], layout.sites[air.sites[0, 0]]) / noise_w
    )


def test_messages_in_a_bundle_are_heard_by_the_time_that_each_takes():
    """Two messages of equal length in one bundle, at log2(1 + r) each, are heard by another cell in turn."""
    layout = Layout(0)
    layout.direction, layout.access, layout.k, layout.vehicles = "up", {"kind": "ofdma"}, 2, 2
    layout.sites, layout.exponent, layout.noise_dbm = [(0.0, 0.0), (600.0, 0.0)], 3.0, -90.0
    layout.places = [[(100.0, 0.0), (250.0, 0.0)]] * (END_TICK + 1)
    ratio = [0.2 * layout.gain(car, layout.sites[0]) / 1e-12 for car in layout.places[0]]

    def start(clock, channel):
        clock.at(0.5, lambda: channel.carry_up(0, FOREVER_BIT, np.arange(2), np.array(ratio)))

    air = drive(layout, start, END_TICK).air
    airtime = [1.0 / math.log2(1.0 + one) for one in ratio]
    heard_w = [0.2 * layout.gain(car, layout.sites[1]) for car in layout.places[0]]
    mean_w = sum(t * w for t, w in zip(airtime, heard_w, strict=True)) / sum(airtime)
    column = air.sites[0].tolist().index(1)
    disturbed = air.clean_snr_per_w[0, column] / air.snr_per_w[0, column]
    assert disturbed == pytest.approx(1.0 + mean_w / 1e-12, rel=1e-12)


# --- activity that changes -------------------------------------------------------------------------------------------

STEP_S = 0.01


def instant_rate(layout: Layout, flow: PlainFlow) -> float:
    """Mean rate of the first flow if interference followed its senders at each instant, per hertz."""
    noise_w = 10.0 ** ((layout.noise_dbm - 30.0) / 10.0)
    times = np.arange(flow.start_s, flow.end_s, STEP_S)
    heard_w = np.zeros(len(times))
    for other in layout.flows[1:]:
        on = (times >= other.start_s) & (times < other.end_s)
        heard_w += on * other.power_w * layout.gain(layout.places[0][other.vehicle], layout.sites[0])
    own_w = flow.power_w * layout.gain(layout.places[0][flow.vehicle], layout.sites[0])
    return float(np.log2(1.0 + own_w / (noise_w + heard_w)).mean())


def mean_rates(seed: int) -> tuple[float, float]:
    """Mean rate of one long transfer beside others that come and go in the next cell, simulated and by the instant."""
    rng = np.random.default_rng(seed)
    layout = Layout(0)
    layout.direction, layout.k = "up", 2
    layout.access = {"kind": "noma", "sic": True}
    layout.exponent, layout.noise_dbm = 3.0, -95.0
    layout.sites, layout.vehicles = [(0.0, 0.0), (800.0, 0.0)], 5
    cars = [(float(rng.uniform(50, 300)), 0.0)] + [(float(rng.uniform(450, 750)), 0.0) for _ in range(4)]
    layout.places = [cars] * (END_TICK + 1)
    begin_s = float(rng.uniform(0, 1))
    layout.flows = [PlainFlow(0, NOWHERE, False, 1.0, 0.2, begin_s, begin_s + float(rng.uniform(10, 30)))]
    for car in range(1, 5):
        at_s = float(rng.exponential(4.0))
        while at_s < layout.flows[0].end_s:
            lasts_s = float(rng.exponential(4.0))
            layout.flows.append(PlainFlow(car, NOWHERE, False, 1.0, 0.2, at_s, at_s + lasts_s))
            at_s += lasts_s + float(rng.exponential(4.0))

    def start(clock, channel):
        def send(flow):
            flow.product = channel.uplink(flow.vehicle, 0, FOREVER_BIT, flow.power_w, 1.0)

        for flow in layout.flows:
            clock.at(flow.start_s, partial(send, flow))
            clock.at(flow.end_s, lambda flow=flow: flow.product.cancel(Failure()))

    drive(layout, start, layout.flows[0].end_s + 1e-6)
    sent_bit = FOREVER_BIT - layout.flows[0].product.left
    lasted_s = layout.flows[0].end_s - begin_s
    return sent_bit / lasted_s / 1e6, instant_rate(layout, layout.flows[0])


def test_mean_rate_beside_senders_that_come_and_go():
    """Over transfers of at least 10 ticks the mean rate is that of interference at each instant to 5 %."""
    rates = np.array([mean_rates(seed) for seed in seeds(200, least=40)])
    assert rates[:, 0].mean() == pytest.approx(rates[:, 1].mean(), rel=0.05)
    seen(rates[:, 0].mean(), rates[:, 1].mean())


@pytest.mark.parametrize("interference", [True, False])
def test_transfers_that_are_over_are_freed_at_the_tick(interference):
    """A channel holds no transfer that ended before its last tick, though its vehicle sends nothing else."""
    layout = Layout(0)
    layout.interference, layout.power = interference, "per_radio"
    over = []

    def start(clock, channel):
        clock.at(0.25, lambda: over.append(weakref.ref(channel.uplink(0, 0, 1.0, 0.2, 1.0))))

    channel = drive(layout, start, 2.5)
    gc.collect()
    assert channel.air.row
    assert [one() for one in over] == [None]
