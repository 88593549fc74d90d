"""Checks of the simulator's parts against closed forms, quick enough for a user to run.

Parts are those of a run, on its clock. Intervals are batch means at 99 %; streams are fixed, so the numbers are the
same each time. A check fails if its interval misses the law or is wider than 10 % of it to either side.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import numpy as np
from scipy.special import chdtri, ndtri

from cosim.adaptation.curve import ShannonCurve
from cosim.compute import Execution, Host, QueueHost, SharingHost, energy_j
from cosim.kernel.clock import Clock, Story
from cosim.kernel.fluid import Flow
from cosim.kernel.rng import stream, stream_key
from cosim.quantity import quantity
from cosim.radio.cell import NomaCell, OrthogonalCell
from cosim.radio.channel import Channel, Transfer
from cosim.radio.pathloss import path_loss_model, v2v_highway_los_db, v2v_nlos_db, v2v_urban_los_db
from cosim.radio.shadowing import ShadowField
from cosim.scenario.bands import uplink_band
from cosim.scenario.hosts import Backhaul, Cloud
from cosim.scenario.radio import McsLink, PowerLaw, Radio, Umi
from cosim.topology import build_topology
from cosim.trace.metrics.statistics import Estimate, batch_means
from cosim.trace.store.writer import NullWriter
from cosim.transport import Wires
from cosim.types import NOWHERE, Failure, FloatArray
from cosim.validation.doctor import Check
from cosim.validation.drive import drive, poisson_s, sojourns_s
from cosim.validation.packets import at_one_distance, bound
from cosim.validation.theory import blocking, mg1_wait_s, mmc_wait_s, priority_waits_s, sharing_sojourn_s
from cosim.validation.votes import outcome

CONFIDENCE: Final = 0.99
_BATCHES: Final = 20
_WIDEST: Final = 0.1
_EXACT: Final = 1e-9
_JOBS: Final = 200_000
_HZ: Final = 2e9
_SERVICE_S: Final = 0.05
_KAPPA: Final = 1e-28
_SCHEDULES: Final = 100
_NOISE_W: Final = 10.0 ** ((-95.0 - 30.0) / 10.0)
_FIX: Final = "the model differs from its law: report it with `cosim doctor --validate --json`"


def validate() -> Iterator[Check]:
    """Yield all checks, one after the other, each with expected and measured value, interval and verdict."""
    yield from _queues()
    yield _priority()
    yield _loss()
    yield _sharing()
    yield from _rates()
    yield from _interference()
    yield from _power()
    yield _wires()
    yield from _path_losses()
    yield from _shadowing()
    yield from _totals()
    yield _packets()
    yield _votes()


def _estimated(name: str, expected: float, measured: Estimate, *, scale: float | None = None) -> Check:
    """Return the verdict on an estimate; its width is compared with `scale`, the expected value by default."""
    hit = measured.low <= expected <= measured.high
    tight = measured.half_width <= _WIDEST * (abs(expected) if scale is None else scale)
    found = (
        f"expected {quantity(expected, measured.unit)}, measured {quantity(measured.value, measured.unit)}, "
        f"{CONFIDENCE:.0%} interval {quantity(measured.low, measured.unit)} to {quantity(measured.high, measured.unit)}"
    )
    error = _error(expected, measured.value, measured.unit)
    return Check(
        name, hit and tight, found, _FIX, expected, measured.value, measured.low, measured.high, error, measured.unit
    )


def _equal(name: str, expected: float, measured: float, unit: str, tolerance: float) -> Check:
    """Return the verdict on a number that has no spread; `tolerance` is absolute."""
    found = f"expected {quantity(expected, unit)}, measured {quantity(measured, unit)}, equal to within {tolerance:.1g}"
    ok, error = abs(measured - expected) <= tolerance, _error(expected, measured, unit)
    return Check(name, ok, found, _FIX, expected=expected, measured=measured, error=error, unit=unit)


def _error(expected: float, measured: float, unit: str) -> float:
    """Return how far a number is from its law, in dB for levels, else as a share of the law's."""
    distance = abs(measured - expected)
    return distance if unit == "dB" else distance / abs(expected)


def _settled(values: FloatArray, unit: str) -> Estimate:
    """Return the mean after the first twentieth, in which an empty queue fills."""
    return batch_means(values[len(values) // 20 :], _BATCHES, CONFIDENCE, unit)


def _queues() -> Iterator[Check]:
    """Check the waits of the three textbook queues."""
    yield _queue("M/M/1 wait, rho 0.7", 1, 0.7, mmc_wait_s(0.7 / _SERVICE_S, _SERVICE_S, 1))
    yield _queue("M/M/4 wait, rho 0.7", 4, 0.7, mmc_wait_s(2.8 / _SERVICE_S, _SERVICE_S, 4))
    yield _queue("M/D/1 wait, rho 0.7", 1, 0.7, mg1_wait_s(0.7 / _SERVICE_S, _SERVICE_S, 0.0), constant=True)


def _queue(name: str, cores: int, load: float, expected_s: float, *, constant: bool = False) -> Check:
    rng, clock = stream(1, f"validate {name}"), Clock()
    service_s = np.full(_JOBS, _SERVICE_S) if constant else rng.exponential(_SERVICE_S, _JOBS)
    cycles = (service_s * _HZ).tolist()
    host = QueueHost(clock, _HZ, cores, _KAPPA)
    arrivals_s = poisson_s(rng, load * cores / _SERVICE_S, _JOBS)
    spent_s = sojourns_s(clock, arrivals_s, lambda k: host.execute(cycles[k]))
    return _estimated(name, expected_s, _settled(spent_s - service_s, "s"))


def _priority() -> Check:
    """Check the wait of the higher of two classes of one queue."""
    rng, clock = stream(1, "validate priority"), Clock()
    first = rng.random(_JOBS) < 0.5
    cycles = rng.exponential(_SERVICE_S * _HZ, _JOBS).tolist()
    priority = first.astype(float).tolist()
    host = QueueHost(clock, _HZ, 1, _KAPPA, by_priority=True)
    rate_hz = 0.8 / _SERVICE_S
    spent_s = sojourns_s(clock, poisson_s(rng, rate_hz, _JOBS), lambda k: host.execute(cycles[k], priority[k]))
    expected_s = priority_waits_s([rate_hz / 2.0] * 2, [_SERVICE_S] * 2)[0]
    return _estimated("priority wait, rho 0.8", expected_s, _settled((spent_s - np.array(cycles) / _HZ)[first], "s"))


def _loss() -> Check:
    """Check the share of arrivals that a bounded queue turns away."""
    rng, clock = stream(1, "validate loss"), Clock()
    cycles = rng.exponential(_SERVICE_S * _HZ, _JOBS).tolist()
    host = QueueHost(clock, _HZ, 1, _KAPPA, queue_limit=4)
    spent_s = sojourns_s(clock, poisson_s(rng, 0.9 / _SERVICE_S, _JOBS), lambda k: host.execute(cycles[k]))
    return _estimated("M/M/1/5 loss, rho 0.9", blocking(0.9, 5), _settled(np.isnan(spent_s).astype(float), ""))


def _sharing() -> Check:
    """Check the time in processor sharing."""
    rng, clock = stream(1, "validate sharing"), Clock()
    cycles = rng.exponential(_SERVICE_S * _HZ, _JOBS).tolist()
    host = SharingHost(clock, _HZ, 1, _KAPPA)
    rate_hz = 0.7 / _SERVICE_S
    spent_s = sojourns_s(clock, poisson_s(rng, rate_hz, _JOBS), lambda k: host.execute(cycles[k]))
    return _estimated("processor sharing time, rho 0.7", sharing_sojourn_s(rate_hz, _SERVICE_S), _settled(spent_s, "s"))


def _rates() -> Iterator[Check]:
    """Check Shannon's rate of one transfer at 20 dB, and two users at 10 and 20 dB in a NOMA cell."""
    clock, size_bit, band_hz = Clock(), 1e7, 1e7
    cell = OrthogonalCell(clock, band_hz, ShannonCurve())
    alone_s = float(sojourns_s(clock, np.zeros(1), lambda _: cell.start(Flow(size_bit, cell.gain(100.0))))[0])
    rate_bps = band_hz * math.log2(101.0)
    yield _equal("Shannon rate at 20 dB", rate_bps, size_bit / alone_s, "bit/s", _EXACT * rate_bps)
    yield _stepped()
    for sic in (True, False):
        strong = math.log2(1.0 + 100.0 / 11.0)
        weak = math.log2(1.0 + (10.0 if sic else 10.0 / 101.0))
        first, last, alone = (weak, strong, math.log2(101.0)) if sic else (strong, weak, math.log2(11.0))
        expected_s = size_bit / band_hz * (1.0 / first + (1.0 - last / first) / alone)
        both_s = _together_s(size_bit, band_hz, sic)
        name = f"NOMA {'with' if sic else 'without'} SIC, last of two"
        yield _equal(name, expected_s, float(both_s.max()), "s", _EXACT * expected_s)


def _stepped() -> Check:
    """Check the rate of one transfer over LTE's uplink of 20 MHz at 14.2 dB, which is CQI 9."""
    clock, size_bit = Clock(), 1e7
    band = uplink_band(Radio(link=McsLink(kind="mcs")))
    cell = OrthogonalCell(clock, band.band_hz, band.curve)
    alone_s = float(sojourns_s(clock, np.zeros(1), lambda _: cell.start(Flow(size_bit, cell.gain(26.0))))[0])
    rate_bps = 30_576 * 1e3 * 1250 / 1284  # TS 36.213: I_TBS 15 over 100 resource blocks; 34 bytes of headers
    return _equal("LTE rate at 14 dB", rate_bps, size_bit / alone_s, "bit/s", _EXACT * rate_bps)


def _together_s(size_bit: float, band_hz: float, sic: bool) -> FloatArray:
    """Return the times of two equally long transfers that start together."""
    clock = Clock()
    cell = NomaCell(clock, band_hz, ShannonCurve(), sic=sic)
    return sojourns_s(clock, np.zeros(2), lambda k: cell.start(Flow(size_bit, (100.0, 10.0)[k])))


def _interference() -> Iterator[Check]:
    """Check the uplink rate of a vehicle at 100 m beside four others that send to another site, 500 m away."""
    for kind, louder, part in (("ofdma", 1.0, 1.0), ("noma", 4.0, 1.0), ("fixed", 0.4, 0.1)):
        radio = _open_radio(kind, interference=True)
        signal_w, other_w = (radio.vehicle_power_w * 1e-4 * at_m**-3.0 for at_m in (100.0, 500.0))
        expected_bps = part * radio.bandwidth_hz * math.log2(1.0 + signal_w / (_NOISE_W + louder * other_w))
        measured_bps = _disturbed_bps(radio)
        name = f"SINR beside four senders, {kind}"
        yield _equal(name, expected_bps, measured_bps, "bit/s", _EXACT * expected_bps)


def _disturbed_bps(radio: Radio) -> float:
    clock, size_bit = Clock(), 1e7
    cars = np.array([[100.0, 0.0], *[[500.0, 0.0]] * 4])
    channel = _channel_of(clock, radio, [[0.0, 0.0], [600.0, 0.0]], cars)
    upload = partial(channel.uplink, task=NOWHERE, power_w=radio.vehicle_power_w, share=1.0)

    def disturb() -> None:
        for car in range(1, 5):
            upload(car, size_bit=1e12)

    clock.at(0.5, disturb)
    lasted_s = sojourns_s(clock, np.array([2.0]), lambda _: upload(0, size_bit=size_bit))
    return size_bit / float(lasted_s[0])


def _power() -> Iterator[Check]:
    """Check that two uploads of one vehicle at once cost its power times the time that it sends."""
    for kind in ("ofdma", "noma"):
        radio = _open_radio(kind)
        measured_j, lasted_s = _both_uploads(radio)
        expected_j = radio.vehicle_power_w * lasted_s
        yield _equal(f"energy of two uploads at once, {kind}", expected_j, measured_j, "J", _EXACT * expected_j)


def _both_uploads(radio: Radio) -> tuple[float, float]:
    """Return the energy of two uploads of one vehicle that begin at once, and the time until the last ends."""
    clock = Clock()
    channel = _channel_of(clock, radio, [[0.0, 0.0]], np.array([[100.0, 0.0]]))
    sent: list[Transfer] = []

    def start(number: int) -> Transfer:
        sent.append(channel.uplink(0, NOWHERE, 1e7 * (1 + number), radio.vehicle_power_w, 1.0))
        return sent[-1]

    spent_s = sojourns_s(clock, np.full(2, 0.5), start)
    return math.fsum(one.energy_j for one in sent), float(spent_s.max())


def _open_radio(access: str, *, interference: bool = False) -> Radio:
    return Radio(
        bandwidth_hz=1e7,
        noise_dbm=-95.0,
        antenna_gain_db=0.0,
        max_efficiency_bps_hz=None,
        min_snr_db=-60.0,
        path_loss=PowerLaw(kind="power_law", exponent=3.0),
        access=Radio.model_validate({"access": {"kind": access}}).access,
        interference=interference,
    )


def _channel_of(clock: Clock, radio: Radio, sites: Sequence[Sequence[float]], cars: FloatArray) -> Channel:
    """Return the channel of vehicles that stand, on a clock that halts when their transfers are long done."""
    channel = Channel(clock, radio, np.array(sites), 1, NullWriter())
    numbers, nobody = np.arange(len(cars)), np.zeros(0, np.int64)
    clock.every(1.0, lambda tick: channel.tick(numbers, cars, nobody, tick))
    clock.at(60.0, clock.halt)
    return channel


def _wires() -> Check:
    """Check the time of a result that goes from the cloud to one cell of a star and, since that changed, to another."""
    size_bit, wire, wan = 1e6, Backhaul(bandwidth_bps=1e6, latency_s=0.5), Cloud(bandwidth_bps=2e6, latency_s=0.25)
    clock, topology = Clock(), build_topology(np.array([[0.0, 0.0], [1e3, 0.0]]), wire, wan)
    network, cloud = Wires(clock, topology), 2  # after the sites
    arrived_s: list[float] = []

    def story(_: int) -> Story:
        for start, end in ((cloud, 0), (0, 1)):
            yield from network.carry(size_bit, start, end)
        arrived_s.append(clock.now)

    drive(clock, np.zeros(1), story)
    wire_s, wan_s = size_bit / wire.bandwidth_bps + wire.latency_s, size_bit / wan.bandwidth_bps + wan.latency_s
    expected_s = wan_s + wire_s + 2.0 * wire_s
    return _equal("wires, cloud to cell to cell", expected_s, arrived_s[0], "s", _EXACT * expected_s)


def _path_losses() -> Iterator[Check]:
    """Check TR 37.885 at 5 GHz and 100 m, as published with ns-3's tests."""
    for name, law, published_db in (
        ("path loss, urban", v2v_urban_los_db, 84.8913),
        ("path loss, highway", v2v_highway_los_db, 86.3794),
        ("path loss, blocked", v2v_nlos_db, 110.0605),
    ):
        yield _equal(name, published_db, float(law(100.0, 5.0)), "dB", 5e-5)


def _shadowing() -> Iterator[Check]:
    """Check mean, deviation and autocorrelation of the shadowing of 20,000 vehicles after moves of 5 m."""
    vehicles, moves = 20_000, 10
    model = path_loss_model(Umi())
    field = ShadowField(stream_key(1, "validate shadowing"), model)
    numbers, sites = np.arange(vehicles), np.zeros((vehicles, 1), np.int64)
    moved_m, los = np.full(vehicles, 5.0), np.ones((vehicles, 1), bool)
    past = [field.update(numbers, sites, moved_m, los, tick)[:, 0] for tick in range(moves + 1)]
    last, sigma_db, reach_m = past[-1], float(model.sigma_db(los[:1])[0, 0]), float(model.correlation_m(los[:1])[0, 0])
    yield _estimated("shadowing mean", 0.0, batch_means(last, _BATCHES, CONFIDENCE, "dB"), scale=sigma_db)
    tail, free = (1.0 - CONFIDENCE) / 2.0, vehicles - 1
    deviation_db = float(last.std(ddof=1))
    low, high = (deviation_db * math.sqrt(free / float(chdtri(free, p))) for p in (tail, 1.0 - tail))
    yield _estimated("shadowing deviation", sigma_db, Estimate(deviation_db, low, high, "dB"))
    kept = float(np.corrcoef(past[-3], last)[0, 1])
    half = float(ndtri(1.0 - tail)) / math.sqrt(vehicles - 3)
    low, high = math.tanh(math.atanh(kept) - half), math.tanh(math.atanh(kept) + half)
    yield _estimated("shadowing correlation at 10 m", math.exp(-10.0 / reach_m), Estimate(kept, low, high))


def _votes() -> Check:
    """Compare the time until the vote goes on after random disturbances with its bound; see `cosim.ledger.liveness`."""
    outcomes = [outcome(seed) for seed in range(_SCHEDULES)]
    conflicts = sum(one.conflicts for one in outcomes)
    worst = max(outcomes, key=lambda one: one.ratio)
    took = "no decision" if worst.ratio == math.inf else quantity(worst.waited_s or 0.0, "s")
    found = (
        f"expected no conflict and at most {quantity(worst.bound_s, 's')}, measured {conflicts} conflicts and {took} "
        f"in the worst of {_SCHEDULES} schedules"
    )
    return Check(
        "vote after silence and loss",
        not conflicts and worst.ratio <= 1.0,
        found,
        _FIX,
        expected=worst.bound_s,
        measured=worst.waited_s,
        error=max(0.0, worst.ratio - 1.0),
        unit="s",
    )


def _packets() -> Check:
    """Compare uploads of 1 Mbit, 1 and 8 at once, with a packet-level simulator's; the row nearest to its bound."""
    rows = [row for row in at_one_distance() if len(row.distances_m) in (1, 8) and row.bit == 1_000_000]
    errors = [row.error() for row in rows]
    worst, error = max(zip(rows, errors, strict=True), key=lambda one: abs(one[1]) / bound(one[0]))
    expected_s = max(worst.packets_s)
    measured_s = expected_s * (1.0 + error)
    found = (
        f"expected {quantity(expected_s, 's')}, measured {quantity(measured_s, 's')}, to within {bound(worst):.0%}; "
        f"{worst.name}, of {len(rows)} comparisons"
    )
    ok, error = abs(error) <= bound(worst), _error(expected_s, measured_s, "s")
    return Check(
        "uploads beside packets", ok, found, _FIX, expected=expected_s, measured=measured_s, error=error, unit="s"
    )


class _TakenAway(Failure):
    """The failure of a job that the check cancelled."""


def _totals() -> Iterator[Check]:
    """Check that energy is the integral of power, and Little's law, exactly, while every fifth job is cancelled."""
    clock = Clock()
    yield from _totals_of("queue", clock, QueueHost(clock, _HZ, 2, _KAPPA))
    clock = Clock()
    yield from _totals_of("sharing", clock, SharingHost(clock, _HZ, 2, _KAPPA))


def _totals_of(name: str, clock: Clock, host: Host) -> Iterator[Check]:
    jobs, rng = 20_000, stream(1, f"validate {name} totals")
    cycles = rng.exponential(_SERVICE_S * _HZ, jobs).tolist()
    patience_s = np.where(rng.random(jobs) < 0.2, rng.exponential(_SERVICE_S, jobs), math.inf).tolist()
    paid_j, spent_s = [], []

    def story(number: int) -> Story:
        entered_s = clock.now
        execution = host.execute(cycles[number])
        if patience_s[number] < math.inf:
            clock.at(entered_s + patience_s[number], partial(_take_away, execution))
        with suppress(_TakenAway):
            yield execution
        paid_j.append(execution.energy_j)
        spent_s.append(clock.now - entered_s)

    drive(clock, poisson_s(rng, 1.6 / _SERVICE_S, jobs), story)
    host.settle()  # brings the integrals up to now
    drawn_j, total_s = energy_j(host), math.fsum(spent_s)
    yield _equal(f"energy, {name}", drawn_j, math.fsum(paid_j), "J", _EXACT * drawn_j)
    yield _equal(f"Little's law, {name}", total_s, host.number_s, "s", _EXACT * total_s)


def _take_away(execution: Execution) -> None:
    if execution.left > 0.0:
        execution.cancel(_TakenAway())
