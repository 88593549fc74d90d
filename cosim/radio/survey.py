"""Radio conditions at a tick: each vehicle's nearest sites, path gains, serving site, and interference.

All computations are NumPy over all vehicles. Each vehicle considers its k nearest sites; what comes from farther away
counts neither as signal nor as interference (docs/scenarios.md says what that is worth).
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from cosim.kernel.rng import stream_key
from cosim.radio.interference import Emissions, heard_by_sites_w, heard_by_vehicles_w
from cosim.radio.link import band_noise_w
from cosim.radio.pathloss import path_loss_model
from cosim.radio.shadowing import ShadowField, los_state
from cosim.scenario.bands import downlink_band, uplink_band
from cosim.scenario.schema import Radio
from cosim.types import NOWHERE, BoolArray, FloatArray, IntArray, read_only
from cosim.units import db_to_linear

LOS_STRETCH_M = 50.0
"""Correlation distance of the line-of-sight state, TR 38.901 Table 7.6.3.1-2, UMi."""


@dataclass(frozen=True, slots=True)
class Air:
    """The radio conditions of one tick. N vehicles in the order of the frame, k candidates each, S sites."""

    numbers: IntArray
    """(N,) vehicle numbers, ascending."""
    row: dict[int, int]
    """Row of each vehicle number."""
    xy_m: FloatArray
    """(N, 2) positions; NaN for a vehicle that is being teleported."""
    sites: IntArray
    """(N, k) site numbers, strongest first."""
    snr_per_w: FloatArray
    """(N, k) uplink signal over noise and interference for each watt; 0 where out of coverage."""
    clean_snr_per_w: FloatArray
    """(N, k) uplink signal over noise alone for each watt; 0 where out of coverage."""
    down_snr: FloatArray
    """(N, k) downlink signal over noise and interference; 0 where out of coverage."""
    serving: IntArray
    """(N,) site number or NOWHERE."""
    slot: IntArray
    """(N,) column of the serving site, 0 without one."""
    changed: IntArray
    """Rows whose serving site differs from that of the tick before."""
    before: IntArray
    """(N,) serving site at the tick before; NOWHERE for a new vehicle."""


@dataclass(frozen=True, slots=True)
class LinkBudget:
    """The scenario's radio in numbers, which turn path loss into signal over noise and decide on serving sites."""

    antenna_db: float
    """Antenna gains of both ends."""
    up_noise_w: float
    """Noise at a site over the uplink band."""
    down_noise_w: float
    """Noise at a vehicle over the downlink band."""
    site_power_w: float
    least_gain: float
    """Path gain, linear, below which a link is out of coverage: its uplink is below `radio.min_snr_db`, or one of its
    directions below the lowest ratio of its link adaptation."""
    hysteresis: float
    """Factor, linear, by which another site must be stronger than the serving one."""

    @classmethod
    def of(cls, radio: Radio) -> "LinkBudget":
        """Return the budget of a scenario."""
        up, down = uplink_band(radio), downlink_band(radio)
        up_noise_w, down_noise_w = band_noise_w(up), band_noise_w(down)
        least_snr = max(db_to_linear(radio.min_snr_db), up.curve.least_sinr)
        least_down = down.curve.least_sinr * down_noise_w / radio.site_power_w
        return cls(
            antenna_db=radio.antenna_gain_db,
            up_noise_w=up_noise_w,
            down_noise_w=down_noise_w,
            site_power_w=radio.site_power_w,
            least_gain=max(least_snr * up_noise_w / radio.vehicle_power_w, least_down),
            hysteresis=db_to_linear(radio.handover.hysteresis_db),
        )

    def associate(self, gain: FloatArray, sites: IntArray, before: IntArray) -> tuple[IntArray, IntArray]:
        """Choose serving sites: the strongest, but the present one while it is in coverage and within the hysteresis.

        Args:
            gain: path gains, (N, k), strongest first.
            sites: their sites, (N, k).
            before: (N,) present serving site, or NOWHERE.

        Returns:
            (N,) the serving site, or NOWHERE, and (N,) its column, 0 without one.
        """
        slot: IntArray = (sites == before[:, None]).argmax(axis=1)
        serving, best = sites[:, 0].copy(), gain[:, 0]
        if np.count_nonzero(slot):  # else nobody's present site is there and another one stronger
            first = np.arange(0, gain.size, gain.shape[1])  # of each row, in the flattened tables
            kept_gain = gain.take(first + slot)
            slot[(kept_gain < self.least_gain) | (best > kept_gain * self.hysteresis)] = 0
            place = first + slot
            serving, best = sites.take(place), gain.take(place)
        serving[best < self.least_gain] = NOWHERE
        return serving, slot


class _Links(NamedTuple):
    """The links of vehicles, strongest first, (N, k) each; read only."""

    sites: IntArray
    gain: FloatArray
    """Path gains, linear."""
    heard: FloatArray
    """Path gains, 0 where out of coverage."""
    clean_snr_per_w: FloatArray
    """Uplink signal over noise alone for each watt."""
    clean_down_snr: FloatArray
    """Downlink signal over noise alone."""


class Survey:
    """Computes `Air` from the positions of vehicles, tick by tick.

    Args:
        radio: section `radio` of the scenario.
        site_xy_m: (S, 2) positions of the sites.
        seed: seed of the run.
    """

    def __init__(self, radio: Radio, site_xy_m: FloatArray, seed: int) -> None:
        self._radio = radio
        self._tree = cKDTree(site_xy_m)
        self._ranks = list(range(1, min(radio.candidates, len(site_xy_m)) + 1))
        self._sites = len(site_xy_m)
        self._model = path_loss_model(radio.path_loss)
        self._los_key = stream_key(seed, "line-of-sight")
        self._shadow = ShadowField(stream_key(seed, "shadowing"), self._model) if self._model.shadowed else None
        self._fades = self._model.shadowed or self._model.los_drawn
        """Whether gains depend on more than positions."""
        self._coming: deque[tuple[bytes, _Links]] = deque()
        """Positions and links at the next updates, as far as positions were known."""
        self._budget = LinkBudget.of(radio)
        # The rows of the tick before; at first one of a vehicle that is never there.
        self._numbers: IntArray = np.array([NOWHERE])
        self._xy_m: FloatArray = np.zeros((1, 2))
        self._travelled_m: FloatArray = np.zeros(1)
        self._serving: IntArray = np.array([NOWHERE])
        self._row: dict[int, int] = {}
        """Row of each vehicle, while the set of vehicles is unchanged."""
        self._here: IntArray = np.zeros(1, np.int64)
        self._stay: BoolArray = np.ones(1, np.bool_)
        """Result of `_followed`, with `_here`, while the set of vehicles is unchanged."""

    def update(
        self,
        numbers: IntArray,
        xy_m: FloatArray,
        tick: int,
        sent: tuple[Emissions, Emissions] | None = None,
        coming_m: FloatArray | None = None,
    ) -> Air:
        """Return the radio conditions at a tick.

        Args:
            numbers: vehicles, (N,), ascending.
            xy_m: their positions, (N, 2); NaN for one that is off the road and has no coverage.
            tick: number of the tick, a counter of the random draws.
            sent: what uplinks and downlinks sent over the past tick; None without interference.
            coming_m: positions of the same vehicles at the next updates, (K, N, 2), if they are known.
        """
        row, stayed, before = self._followed(numbers)
        travelled_m = self._travelled_m
        if self._fades:
            moved_m, travelled_m = self._ways_m(xy_m, row, stayed)
            links = self._links(numbers, xy_m, moved_m, travelled_m, tick)
        else:
            links = self._next(xy_m, coming_m)
        serving, slot = self._budget.associate(links.gain, links.sites, before)
        snr_per_w, down_snr = links.clean_snr_per_w, links.clean_down_snr
        if sent is not None:  # what is too weak for a link disturbs others all the same
            scene = (numbers, links.gain, links.sites, serving, self._sites)
            snr_per_w = read_only(links.heard / (self._budget.up_noise_w + heard_by_sites_w(sent[0], *scene)))
            down_noise_w = self._budget.down_noise_w + heard_by_vehicles_w(sent[1], *scene)
            down_snr = read_only(self._radio.site_power_w * links.heard / down_noise_w)
        if len(numbers):  # else the rows of before stay: of vehicles that are gone for good
            self._numbers, self._xy_m, self._serving, self._travelled_m = numbers, xy_m, serving, travelled_m
        changed = (serving != before).nonzero()[0]
        return Air(
            numbers,
            self._row,
            xy_m,
            links.sites,
            snr_per_w,
            links.clean_snr_per_w,
            down_snr,
            *map(read_only, (serving, slot, changed, before)),
        )

    def _next(self, xy_m: FloatArray, coming_m: FloatArray | None) -> "_Links":
        """Return the links where they depend on positions alone: those of all known positions are computed at once."""
        if not self._coming or self._coming[0][0] != xy_m.tobytes():
            places = [xy_m] if coming_m is None else [xy_m, *coming_m]
            together = np.concatenate(places)
            nothing = np.zeros(len(together))
            links = self._links(nothing.astype(np.int64), together, nothing, nothing, 0)
            shape = len(places), len(xy_m), links.gain.shape[1]
            by_tick = [values.reshape(shape) for values in links]
            parts = map(_Links._make, zip(*by_tick, strict=True))
            self._coming = deque(zip([place.tobytes() for place in places], parts, strict=True))
        return self._coming.popleft()[1]

    def _links(
        self, numbers: IntArray, xy_m: FloatArray, moved_m: FloatArray, travelled_m: FloatArray, tick: int
    ) -> "_Links":
        """Return each vehicle's links, strongest first.

        Args:
            numbers: vehicles.
            xy_m: their positions.
            moved_m: distances travelled since the last tick.
            travelled_m: distances travelled since entry.
            tick: number of the tick.
        """
        off_road = np.isnan(xy_m[:, 0]).nonzero()[0]
        # Vehicles off the road are looked at where site 0 is and then struck out: no NaN reaches the models.
        looked_at = xy_m
        if len(off_road):
            looked_at = xy_m.copy()
            looked_at[off_road] = self._tree.data[0]
        found = self._tree.query(looked_at, k=self._ranks)
        distance_m, sites = np.asarray(found[0]), np.asarray(found[1])  # (N, k)
        gain = self._gain(numbers, sites, distance_m, moved_m, travelled_m, tick)
        if len(off_road):
            gain[off_road] = 0.0
        if np.count_nonzero(gain[:, 1:] > gain[:, :-1]):  # fading has changed the order of the distances
            rows, order = np.arange(len(gain))[:, None], (-gain).argsort(axis=1, kind="stable")
            gain, sites = gain[rows, order], sites[rows, order]
        heard = np.where(gain >= self._budget.least_gain, gain, 0.0)
        down_snr = self._radio.site_power_w * heard / self._budget.down_noise_w
        return _Links(*map(read_only, (sites, gain, heard, heard / self._budget.up_noise_w, down_snr)))

    def _followed(self, numbers: IntArray) -> tuple[IntArray, BoolArray, IntArray]:
        """Return the row at the tick before, whether there was one, and the serving site then, each (N,)."""
        if numbers is self._numbers:
            return self._here, self._stay, self._serving
        self._row = dict(zip(numbers.tolist(), range(len(numbers)), strict=True))
        self._here, self._stay = np.arange(len(numbers)), np.ones(len(numbers), np.bool_)
        row = np.minimum(self._numbers.searchsorted(numbers), len(self._numbers) - 1)
        stayed: BoolArray = self._numbers[row] == numbers
        return row, stayed, np.where(stayed, self._serving[row], NOWHERE)

    def _ways_m(self, xy_m: FloatArray, row: IntArray, stayed: BoolArray) -> tuple[FloatArray, FloatArray]:
        """Return the distances travelled since the last tick and since entry, (N,) each."""
        gap_m = xy_m - self._xy_m[row]
        moved_m = np.where(stayed, np.hypot(gap_m[:, 0], gap_m[:, 1]), 0.0)  # NaN: a teleport, which forgets shadowing
        travelled_m = np.where(stayed, self._travelled_m[row], 0.0) + np.where(np.isnan(moved_m), 0.0, moved_m)
        return moved_m, travelled_m

    def _gain(
        self,
        numbers: IntArray,
        sites: IntArray,
        distance_m: FloatArray,
        moved_m: FloatArray,
        travelled_m: FloatArray,
        tick: int,
    ) -> FloatArray:  # (N, k)
        model = self._model
        p_los = model.los_probability(distance_m)
        los = (
            los_state(self._los_key, numbers, sites, travelled_m, p_los, LOS_STRETCH_M)
            if model.los_drawn
            else p_los > 0.5
        )
        loss_db = model.loss_db(distance_m, los)
        if self._shadow is not None:
            loss_db = loss_db + self._shadow.update(numbers, sites, moved_m, los, tick)
        return db_to_linear(self._budget.antenna_db - loss_db)
