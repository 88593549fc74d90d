"""Vehicle-to-vehicle links: neighbours in range, and transfers between two vehicles.

Resources are those of the site nearest to the sender (NR-V2X mode 1): transfers around one site share one sidelink
band. A link ends when the two vehicles are out of range at a tick.
"""

from dataclasses import dataclass
from functools import partial
from math import inf

import numpy as np
from scipy.spatial import cKDTree

from cosim.kernel.clock import Clock
from cosim.kernel.fluid import Bearer, Flow
from cosim.kernel.rng import stream_key
from cosim.radio.cell import OrthogonalCell
from cosim.radio.link import noise_w, rate_bps
from cosim.radio.pathloss import path_loss_model
from cosim.radio.shadowing import los_state
from cosim.scenario.schema import Radio, Sidelink
from cosim.types import NOWHERE, BoolArray, Failure, FloatArray, IntArray, Status, VehicleGone
from cosim.units import db_to_linear, dbm_to_w


class HelperLost(Failure):
    """The neighbour left the map or the range."""

    status = Status.HELPER_LOST


class SideTransfer(Flow):
    """Bits between the vehicle that owns the task and its helper, in either direction.

    Args:
        vehicle: vehicle that owns the task.
        helper: its neighbour.
        size_bit: bits to send.
        power_w: transmit power.
        share: weight in the band, in (0, 1].
    """

    zone = NOWHERE
    """Site whose sidelink band carries it."""

    def __init__(self, vehicle: int, helper: int, size_bit: float, power_w: float, share: float) -> None:
        super().__init__(size_bit, 1.0, share)
        self.vehicle = vehicle
        self.helper = helper
        self.power_w = power_w


class SideBearer(Bearer):
    """The transfers between two vehicles at one power in one zone.

    Args:
        transfer: its first one.
    """

    def __init__(self, transfer: SideTransfer) -> None:
        super().__init__()
        self.vehicle = transfer.vehicle
        self.helper = transfer.helper
        self.power_w = transfer.power_w
        self.zone = transfer.zone


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest vehicles in range of each vehicle."""

    numbers: IntArray
    """(N, m) vehicle numbers, nearest first; NOWHERE where there is none."""
    distance_m: FloatArray
    """(N, m) distances; inf where there is none."""


class SidelinkChannel:
    """All sidelinks. Shadowing is left out: pairs of vehicles are too short-lived to carry a state.

    Args:
        clock: simulated time.
        radio: section `radio` of the scenario.
        sidelink: section `radio.sidelink`.
        site_xy_m: (S, 2) positions of the sites.
        seed: seed of the run.
    """

    def __init__(self, clock: Clock, radio: Radio, sidelink: Sidelink, site_xy_m: FloatArray, seed: int) -> None:
        self._clock = clock
        self._options = sidelink
        self._power_w = radio.vehicle_power_w
        self._model = path_loss_model(sidelink.path_loss)
        self._los_key = stream_key(seed, "sidelink-line-of-sight")
        noise = radio.noise_dbm
        total_w = noise_w(sidelink.bandwidth_hz, radio.noise_figure_db) if noise is None else dbm_to_w(noise)
        self._gain_per_noise = db_to_linear(radio.antenna_gain_db) / total_w
        self._cap = radio.max_efficiency_bps_hz or inf
        self._least_snr = db_to_linear(radio.min_snr_db)
        self._tree = cKDTree(site_xy_m)
        self.zones = [OrthogonalCell(clock, sidelink.bandwidth_hz, self._cap) for _ in range(len(site_xy_m))]
        self._active: dict[tuple[int, int, float, int], SideBearer] = {}
        """Bearers by vehicle, helper, power and zone: a tick looks at these, not at transfers."""
        self._sent: list[SideTransfer] = []
        """Transfers that have no bearer yet: sent since the last tick."""
        self._row: dict[int, int] = {}
        self._xy_m = np.empty((0, 2))
        self._zone: list[int] = []
        self.neighbours = Neighbours(np.empty((0, sidelink.max_neighbours), np.int64), np.empty((0, 1)))

    def tick(self, numbers: IntArray, xy_m: FloatArray, row: dict[int, int]) -> None:
        """Update neighbours and rates to the new positions; transfers out of range end.

        Args:
            numbers: vehicles on the map, (N,), ascending.
            xy_m: their positions, (N, 2); NaN for a vehicle that is being teleported.
            row: row of each vehicle number.
        """
        self._row = row
        self._xy_m = xy_m
        here = np.where(np.isnan(xy_m), 1e12, xy_m)
        self._zone = np.asarray(self._tree.query(here)[1]).tolist()
        self.neighbours = self._nearest(numbers, here)
        self._bear()
        broken: list[tuple[Flow, type[Failure]]] = []
        whole: list[SideBearer] = []
        for bearer in sorted(self._active.values(), key=_began):
            error, snr = self._condition(bearer)
            if error is None:
                bearer.gain = self.zones[bearer.zone].gain(snr)
                whole.append(bearer)
            else:
                broken += [(transfer, error) for transfer in bearer.flows]
        for transfer, error in sorted(broken, key=lambda pair: pair[0].entry):
            if transfer.medium is not None:  # else it ended at this instant
                transfer.cancel(error())
        for zone in dict.fromkeys(bearer.zone for bearer in whole if bearer.flows):
            self.zones[zone].retune()

    def _bear(self) -> None:
        """Drop bearers whose transfers are over, and give bearers to the transfers that have none."""
        self._active = {key: bearer for key, bearer in self._active.items() if bearer.flows}
        for transfer in self._sent:
            if transfer.medium is not None:
                key = (transfer.vehicle, transfer.helper, transfer.power_w, transfer.zone)
                bearer = self._active.get(key)
                if bearer is None:
                    self._active[key] = bearer = SideBearer(transfer)
                bearer.add(transfer)
        self._sent.clear()

    def send(self, vehicle: int, helper: int, size_bit: float, power_w: float, share: float = 1.0) -> SideTransfer:
        """Send between two vehicles and return the transfer, a wait that ends with HelperLost if they are out of range.

        Args:
            vehicle: vehicle that owns the task; its nearest site's band is used.
            helper: its neighbour.
            size_bit: bits to send.
            power_w: transmit power.
            share: weight in the band, in (0, 1].
        """
        transfer = SideTransfer(vehicle, helper, size_bit, power_w, share)
        error, snr = self._condition(transfer)
        if error is not None:
            self._clock.at(self._clock.now, partial(transfer.cancel, error()))
            return transfer
        transfer.zone = self._zone[self._row[vehicle]]
        cell = self.zones[transfer.zone]
        transfer.gain = cell.gain(snr)
        self._sent.append(transfer)
        cell.start(transfer)
        return transfer

    def rates_bps(self, rows: IntArray) -> FloatArray:  # (T, m)
        """Return the rate (T, m) in bit/s to each neighbour of the vehicles in `rows`, beside the active transfers."""
        near = self.neighbours
        snr = self._power_w * self._snr_per_w(near.distance_m[rows], self._los(near.numbers[rows], rows))
        load = np.array([self.zones[zone].active + 1.0 for zone in self._zone])[rows][:, None]
        rates: FloatArray = rate_bps(self._options.bandwidth_hz, snr, self._cap) / load
        return rates

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
        """Return why the link between two vehicles is broken, None if it is not, and its signal-to-noise ratio."""
        if way.vehicle not in self._row:
            return VehicleGone, 0.0
        if way.helper not in self._row:
            return HelperLost, 0.0
        gap = self._xy_m[self._row[way.vehicle]] - self._xy_m[self._row[way.helper]]
        distance_m = float(np.hypot(gap[0], gap[1]))
        low, high = sorted((way.vehicle, way.helper))
        probability = self._model.los_probability(np.array([[distance_m]]))
        los = los_state(self._los_key, np.array([low]), np.array([[high]]), np.zeros(1), probability, 1.0)
        snr = float(self._snr_per_w(np.array([[distance_m]]), los)[0, 0]) * way.power_w
        able = distance_m <= self._options.range_m and snr >= self._least_snr
        return (None if able else HelperLost), snr


def _began(bearer: SideBearer) -> int:
    """Return the place in time of a bearer's first transfer that is not over."""
    return next(iter(bearer.flows)).entry
