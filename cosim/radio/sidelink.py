"""Vehicle-to-vehicle links: neighbours in range, and transfers between two vehicles.

Resources are those of the site nearest to the owner of the task (NR-V2X mode 1): transfers around one site share one
sidelink band. A transfer waits for its grant before its first bit (`radio.grant_s.sidelink`), in no medium meanwhile. A
link ends when the two vehicles are out of range at a tick, also while it waits. With interference a receiver hears what
was sent in the bands of its other candidate sites, whatever the distance; not what it sends itself.
"""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import NamedTuple, cast

import numpy as np
from scipy.spatial import cKDTree

from cosim.kernel.clock import Clock
from cosim.kernel.rng import stream_key
from cosim.radio.cell import OrthogonalCell
from cosim.radio.interference import Emission, EmissionMeter, Emissions
from cosim.radio.link import band_noise_w
from cosim.radio.pathloss import path_loss_model
from cosim.radio.power import RadiatedBearer, RadiatedFlow, VehicleRadios
from cosim.radio.shadowing import los_state
from cosim.scenario.bands import sidelink_band
from cosim.scenario.schema import Radio, Sidelink
from cosim.trace.facts.run import TransferGranted
from cosim.trace.store.writer import FactWriter
from cosim.types import NOWHERE, BoolArray, Direction, Failure, FloatArray, IntArray, Status, VehicleGone
from cosim.units import db_to_linear


class HelperLost(Failure):
    """The neighbour left the map or the range."""

    status = Status.HELPER_LOST


class SideTransfer(RadiatedFlow):
    """Bits between the vehicle that owns the task and its helper.

    Args:
        vehicle: vehicle that owns the task.
        helper: its neighbour.
        size_bit: bits to send.
        power_w: transmit power.
        share: weight in the band, in (0, 1].
        back: whether the helper sends.
        task: number of its task; NOWHERE for none.
    """

    zone = NOWHERE
    """Site whose sidelink band carries it."""
    outside = -1
    """Its number, in order of time, while it waits for its grant."""

    def __init__(
        self, vehicle: int, helper: int, size_bit: float, power_w: float, share: float, back: bool, task: int
    ) -> None:
        super().__init__(size_bit, 1.0, share)
        self.vehicle = vehicle
        self.helper = helper
        self.power_w = power_w
        self.back = back
        self.task = task

    @property
    def place(self) -> int:
        """Its place in time among the transfers that are not over."""
        return self.entry if self.outside < 0 else self.outside


class SideBearer(RadiatedBearer):
    """The transfers from one vehicle to another at one power in one zone.

    Args:
        channel: all sidelinks.
        transfer: its first one, with its zone.
    """

    snr_per_w = 0.0
    """Signal-to-noise ratio for each watt, without interference."""
    heard = 0.0
    """Interference at the receiver over noise."""

    def __init__(self, channel: "SidelinkChannel", transfer: SideTransfer) -> None:
        self.vehicle = transfer.vehicle
        self.helper = transfer.helper
        self.zone = transfer.zone
        ends = (transfer.vehicle, transfer.helper)
        sender, self.receiver = reversed(ends) if transfer.back else ends
        self._cell = channel.zones[transfer.zone]
        super().__init__(self._cell, sender, transfer.power_w, channel.meter, channel.radios)

    @property
    def transfers(self) -> dict[SideTransfer, None]:
        """Transfers that are not over, in the order in which they were sent."""
        return cast("dict[SideTransfer, None]", self.flows)

    def tune(self) -> None:
        """Set the gain to what its ratios and its density give now."""
        self.gain = self._cell.gain(self.snr_per_w * self.density_w / (1.0 + self.heard))

    def emissions(self, power_w: float, ended: bool) -> Iterable[Emission]:
        """Return what its sender sent."""
        return ((self.sender, self.zone, power_w, ended, False),)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest vehicles in range of each vehicle."""

    numbers: IntArray
    """(N, m) vehicle numbers, nearest first; NOWHERE where there is none."""
    distance_m: FloatArray
    """(N, m) distances; inf where there is none."""


class NeighbourRates(NamedTuple):
    """Rates in bit/s between vehicles and their neighbours beside the active transfers, (T, m) each."""

    out_bps: FloatArray
    """To the neighbour."""
    clean_bps: FloatArray
    """Likewise without interference."""
    back_bps: FloatArray
    """From the neighbour."""


class SidelinkChannel:
    """All sidelinks. Shadowing is left out: pairs of vehicles are too short-lived to carry a state.

    Args:
        clock: simulated time.
        radio: section `radio` of the scenario.
        sidelink: section `radio.sidelink`.
        site_xy_m: (S, 2) positions of the sites.
        seed: seed of the run.
        facts: where grants are recorded.
        radios: the radios of the vehicles, if their flows share them.
    """

    def __init__(
        self,
        clock: Clock,
        radio: Radio,
        sidelink: Sidelink,
        site_xy_m: FloatArray,
        seed: int,
        facts: FactWriter,
        radios: VehicleRadios | None = None,
    ) -> None:
        self.radios = radios
        self._clock = clock
        self._options = sidelink
        self._power_w = radio.vehicle_power_w
        self._grant_s = radio.grant_s.sidelink
        self._granted = facts.recorder(TransferGranted)
        self._model = path_loss_model(sidelink.path_loss)
        self._los_key = stream_key(seed, "sidelink-line-of-sight")
        band = sidelink_band(radio, sidelink)
        self._gain_per_noise = db_to_linear(radio.antenna_gain_db) / band_noise_w(band)
        self._least_snr = max(db_to_linear(radio.min_snr_db), band.curve.least_sinr)
        self._tree = cKDTree(site_xy_m)
        self.zones = [OrthogonalCell(clock, band.band_hz, band.curve) for _ in range(len(site_xy_m))]
        self._active: dict[tuple[int, int, float, int, bool], SideBearer] = {}
        """Bearers by vehicle, helper, power, zone and direction: a tick looks at these, not at transfers."""
        self._row: dict[int, int] = {}
        self._xy_m = np.empty((0, 2))
        self._zone: IntArray = np.empty(0, np.int64)
        self._near: IntArray = np.empty((0, 1), np.int64)
        """(N, k) candidate sites of each vehicle, whose bands it hears."""
        self._ranks = list(range(1, min(radio.candidates, len(site_xy_m)) + 1)) if radio.interference else [1]
        self.meter = EmissionMeter(1.0) if radio.interference else None
        """What transfers send; None without interference."""
        self._sent = Emissions.of([])
        self._sent_row: IntArray = np.empty(0, np.int64)
        self._ticked_s = 0.0
        self._numbers: IntArray = np.empty(0, np.int64)
        self.neighbours = Neighbours(np.empty((0, sidelink.max_neighbours), np.int64), np.empty((0, 1)))

    def tick(self, numbers: IntArray, xy_m: FloatArray, row: dict[int, int]) -> None:
        """Update neighbours and rates to the new positions; transfers out of range end.

        Args:
            numbers: vehicles on the map, (N,), ascending.
            xy_m: their positions, (N, 2); NaN for a vehicle that is being teleported.
            row: row of each vehicle number.
        """
        with nullcontext() if self.radios is None else self.radios.held():
            self._tick(numbers, xy_m, row)

    def _tick(self, numbers: IntArray, xy_m: FloatArray, row: dict[int, int]) -> None:
        self._row = row
        self._xy_m = xy_m
        self._numbers = numbers
        here = np.where(np.isnan(xy_m), 1e12, xy_m)
        self._near = np.asarray(self._tree.query(here, k=self._ranks)[1])
        self._zone = self._near[:, 0]
        self._measure(numbers)
        self.neighbours = self._nearest(numbers, here)
        self._active = {key: bearer for key, bearer in self._active.items() if bearer.flows}
        broken: list[tuple[SideTransfer, type[Failure]]] = []
        whole: list[SideBearer] = []
        for bearer in sorted(self._active.values(), key=_began):
            error, bearer.snr_per_w = self._condition(bearer)
            if error is None:
                whole.append(bearer)
            else:
                broken += [(transfer, error) for transfer in bearer.transfers]
        for transfer, error in sorted(broken, key=lambda pair: pair[0].place):
            if transfer.medium is not None or (transfer.outside >= 0 and transfer.error is None):
                # else it ended at this instant
                transfer.cancel(error())
        self._disturb(whole)
        for zone in dict.fromkeys(bearer.zone for bearer in whole if bearer.flows):
            self.zones[zone].retune()

    def send(
        self,
        vehicle: int,
        helper: int,
        size_bit: float,
        power_w: float,
        share: float = 1.0,
        *,
        back: bool = False,
        task: int = NOWHERE,
    ) -> SideTransfer:
        """Send between two vehicles and return the transfer, a wait that ends with HelperLost if they are out of range.

        Args:
            vehicle: vehicle that owns the task; its nearest site's band is used.
            helper: its neighbour.
            size_bit: bits to send.
            power_w: transmit power.
            share: weight in the band, in (0, 1].
            back: whether the helper sends.
            task: number of the task that sends; NOWHERE if none does.
        """
        transfer = SideTransfer(vehicle, helper, size_bit, power_w, share, back, task)
        error, snr_per_w = self._condition(transfer)
        if error is not None:
            self._clock.at(self._clock.now, partial(transfer.cancel, error()))
            return transfer
        transfer.zone = int(self._zone[self._row[vehicle]])
        key = (vehicle, helper, power_w, transfer.zone, back)
        bearer = self._active.get(key)
        if bearer is None or not bearer.flows:
            self._active[key] = bearer = SideBearer(self, transfer)
            bearer.snr_per_w = snr_per_w
            self._disturb([bearer])
        bearer.add(transfer)
        if self._grant_s:
            transfer.outside = next(self._clock.numbers)
            self._clock.at(self._clock.now + self._grant_s, partial(self._begin, transfer, bearer))
        else:
            self.zones[transfer.zone].start(transfer)
        return transfer

    def _begin(self, transfer: SideTransfer, bearer: SideBearer) -> None:
        """Let a transfer run that has its grant, unless it was cancelled while it waited."""
        if transfer.error is not None:
            return
        transfer.outside = -1
        bearer.renew()
        transfer.gain, transfer.noise = bearer.gain, bearer.noise
        if transfer.task != NOWHERE:
            self._granted(
                self._clock.now, transfer.task, Direction.SIDELINK, bearer.sender, transfer.zone, self._grant_s,
                transfer.left,
            )  # fmt: skip
        self.zones[transfer.zone].start(transfer)

    def rates(self, rows: IntArray) -> NeighbourRates:
        """Return the rates, (T, m), between the vehicles in `rows` and each of their neighbours; 0 without one."""
        near = self.neighbours
        names = near.numbers[rows]
        snr = self._power_w * self._snr_per_w(near.distance_m[rows], self._los(names, rows))
        zones = self._zone[rows]
        load = np.array([zone.active + 1.0 for zone in self.zones])[zones][:, None]
        clean_bps: FloatArray = self.zones[0].alone_bps(snr) / load
        if not len(self._sent):
            return NeighbourRates(clean_bps, clean_bps, clean_bps)
        there = names >= 0
        count = there.sum(axis=1)
        own, helpers = np.repeat(self._numbers[rows], count), names[there]
        bands = np.repeat(zones, count)
        heard = np.zeros((2, *names.shape))
        heard[0, there] = self._heard(own, helpers, bands)
        heard[1, there] = self._heard(helpers, own, bands)
        disturbed = self.zones[0].alone_bps(snr / (1.0 + heard)) / load
        return NeighbourRates(disturbed[0], clean_bps, disturbed[1])

    # --- interference ----------------------------------------------------------------------------------------------

    def _measure(self, numbers: IntArray) -> None:
        """Note what was sent since the last tick, by senders that are still on the road."""
        passed_s, self._ticked_s = self._clock.now - self._ticked_s, self._clock.now
        if self.meter is None:
            return
        for zone in self.zones:
            zone.settle()
        sent = self.meter.take(passed_s)
        there, row, _ = sent.placed(numbers, numbers)
        there[there] = ~np.isnan(self._xy_m[row[there], 0])
        self._sent, self._sent_row = sent.pick(there), row[there]

    def _disturb(self, bearers: Sequence[SideBearer]) -> None:
        """Set the interference that transfers hear, and with it their gains."""
        if len(self._sent):
            pairs = np.array([(bearer.sender, bearer.receiver) for bearer in bearers], np.int64).reshape(-1, 2)
            heard = self._heard(pairs[:, 0], pairs[:, 1], np.array([bearer.zone for bearer in bearers], np.int64))
        else:
            heard = np.zeros(len(bearers))
        for bearer, ratio in zip(bearers, heard.tolist(), strict=True):
            bearer.heard = ratio
            bearer.tune()

    def _heard(self, senders: IntArray, receivers: IntArray, zones: IntArray) -> FloatArray:
        """Return the interference over noise that links hear, (L,).

        Args:
            senders: vehicles that send, (L,).
            receivers: vehicles that receive, (L,).
            zones: sites whose bands carry the links, (L,).
        """
        sent = self._sent
        at = self._numbers.searchsorted(receivers)
        in_reach = np.zeros((len(at), len(self.zones)), np.bool_)
        in_reach[np.arange(len(at))[:, None], self._near[at]] = True
        heard = in_reach[:, sent.cell] & (sent.cell != zones[:, None]) & (sent.vehicle != receivers[:, None])
        heard &= ~sent.ended | (sent.vehicle != senders[:, None])
        link, entry = heard.nonzero()
        gap_m = self._xy_m[at[link]] - self._xy_m[self._sent_row[entry]]
        distance_m = np.hypot(gap_m[:, 0], gap_m[:, 1])
        pair = np.sort(np.stack([receivers[link], sent.vehicle[entry]]), axis=0)
        ratio = sent.power_w[entry] * self._gain_over_noise(pair[0], pair[1], distance_m)
        total: FloatArray = np.bincount(link, ratio, len(at)).astype(np.float64)
        return total

    def _gain_over_noise(self, low: IntArray, high: IntArray, distance_m: FloatArray) -> FloatArray:
        """Return signal over noise for each watt of pairs of vehicles, (P,), by their numbers, the lower one first."""
        p_los = self._model.los_probability(distance_m)[:, None]
        los = los_state(self._los_key, low, high[:, None], np.zeros(len(low)), p_los, 1.0)
        return self._snr_per_w(distance_m[:, None], los)[:, 0]

    def _nearest(self, numbers: IntArray, here: FloatArray) -> Neighbours:
        count, most = len(numbers), self._options.max_neighbours
        if count < 2:
            return Neighbours(np.full((count, most), NOWHERE), np.full((count, most), inf))
        found_m, found = cKDTree(here).query(here, k=most + 1, distance_upper_bound=self._options.range_m)
        # The vehicle itself is the first, unless another stands at the very same place.
        found_m = np.where(found == np.arange(count)[:, None], inf, found_m)
        order = np.argsort(found_m, axis=1, kind="stable")[:, :most]
        distance_m, found = np.take_along_axis(found_m, order, axis=1), np.take_along_axis(found, order, axis=1)
        none = np.isinf(distance_m) | (here[:, :1] >= 1e12)
        names = np.where(none, NOWHERE, np.append(numbers, NOWHERE)[np.minimum(found, count)])
        return Neighbours(names, np.where(none, inf, distance_m))

    def _los(self, helpers: IntArray, rows: IntArray) -> BoolArray:
        near = self.neighbours
        p_los = self._model.los_probability(np.minimum(near.distance_m[rows], self._options.range_m))
        vehicles = np.array(list(self._row))[rows]
        low, high = np.minimum(vehicles[:, None], helpers), np.maximum(vehicles[:, None], helpers)
        drawn = los_state(
            self._los_key, low.ravel(), high.reshape(-1, 1), np.zeros(low.size), p_los.reshape(-1, 1), 1.0
        )
        return drawn.reshape(p_los.shape)

    def _snr_per_w(self, distance_m: FloatArray, los: BoolArray) -> FloatArray:
        finite = np.where(np.isfinite(distance_m), distance_m, self._options.range_m)
        loss_db = self._model.loss_db(finite, los)
        return np.where(np.isfinite(distance_m), db_to_linear(-loss_db) * self._gain_per_noise, 0.0)

    def _condition(self, way: SideTransfer | SideBearer) -> tuple[type[Failure] | None, float]:
        """Return why the link between two vehicles is broken, None if it is not, and its clean SNR for each watt."""
        if way.vehicle not in self._row:
            return VehicleGone, 0.0
        if way.helper not in self._row:
            return HelperLost, 0.0
        gap = self._xy_m[self._row[way.vehicle]] - self._xy_m[self._row[way.helper]]
        distance_m = float(np.hypot(gap[0], gap[1]))
        low, high = sorted((way.vehicle, way.helper))
        snr_per_w = float(self._gain_over_noise(np.array([low]), np.array([high]), np.array([distance_m]))[0])
        able = distance_m <= self._options.range_m and snr_per_w * way.power_w >= self._least_snr
        return (None if able else HelperLost), snr_per_w


def _began(bearer: SideBearer) -> int:
    """Return the place in time of a bearer's first transfer that is not over."""
    return next(iter(bearer.transfers)).place
