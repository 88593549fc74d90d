"""Who hears whom at a tick: each vehicle's nearest sites, their path gains, its serving site, and the interference.

Everything is NumPy over all vehicles. Each vehicle looks at its k nearest sites; what comes from farther away counts
neither as signal nor as interference.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cosim.radio.link import noise_w
from cosim.radio.pathloss import path_loss_model
from cosim.radio.shadowing import ShadowField, los_state
from cosim.rng import stream_key
from cosim.scenario.schema import Radio
from cosim.types import NOWHERE, FloatArray, IntArray
from cosim.units import db_to_linear, dbm_to_w

LOS_STRETCH_M = 50.0
"""Correlation distance of the line-of-sight state, TR 38.901 Table 7.6.3.1-2, UMi."""


@dataclass(frozen=True, slots=True)
class Air:
    """The radio conditions of one tick. N vehicles in the order of the frame, k candidates each, S sites."""

    numbers: IntArray  # (N,)
    row: dict[int, int]  # vehicle number -> row
    xy_m: FloatArray  # (N, 2)
    sites: IntArray  # (N, k) strongest first
    snr_per_w: FloatArray  # (N, k) uplink signal over noise and interference for each watt; 0 where out of coverage
    clean_snr_per_w: FloatArray  # (N, k) uplink signal over noise alone for each watt; 0 where out of coverage
    down_snr: FloatArray  # (N, k) downlink signal over noise and interference; 0 where out of coverage
    serving: IntArray  # (N,) site number or NOWHERE
    slot: IntArray  # (N,) column of the serving site, 0 without one
    changed: IntArray  # rows whose serving site differs from the tick before
    before: IntArray  # (N,) serving site of the tick before; NOWHERE for a new vehicle


@dataclass(frozen=True, slots=True)
class LinkBudget:
    """What turns path loss into signal over noise, and decides who serves whom: the scenario's radio in numbers."""

    antenna_db: float
    up_noise_w: float
    down_noise_w: float
    site_power_w: float
    least_gain: float  # path gain below which a link is out of coverage
    hysteresis: float  # another site must be stronger by this factor

    @classmethod
    def of(cls, radio: Radio) -> "LinkBudget":
        """The budget of a scenario."""
        down_hz = radio.downlink_bandwidth_hz or radio.bandwidth_hz
        total_w = None if radio.noise_dbm is None else dbm_to_w(radio.noise_dbm)
        up_noise_w = noise_w(radio.bandwidth_hz, radio.noise_figure_db) if total_w is None else total_w
        return cls(
            antenna_db=radio.antenna_gain_db,
            up_noise_w=up_noise_w,
            down_noise_w=noise_w(down_hz, radio.noise_figure_db) if total_w is None else total_w,
            site_power_w=radio.site_power_w,
            least_gain=db_to_linear(radio.min_snr_db) * up_noise_w / radio.vehicle_power_w,
            hysteresis=db_to_linear(radio.handover.hysteresis_db),
        )

    def associate(self, gain: FloatArray, sites: IntArray, before: IntArray) -> tuple[IntArray, IntArray]:
        """Strongest site, except that the one of before stays while it is heard and within the hysteresis.

        Args:
            gain: path gains, (N, k), strongest first.
            sites: their sites, (N, k).
            before: (N,) serving site of before, or NOWHERE.

        Returns:
            (N,) the serving site, or NOWHERE, and (N,) its column, 0 without one.
        """
        same = sites == before[:, None]
        kept = same.argmax(axis=1)
        kept_gain = np.where(same.any(axis=1), np.take_along_axis(gain, kept[:, None], axis=1)[:, 0], 0.0)
        stays = (kept_gain >= self.least_gain) & (gain[:, 0] <= kept_gain * self.hysteresis)
        slot = np.where(stays, kept, 0)
        covered = np.take_along_axis(gain, slot[:, None], axis=1)[:, 0] >= self.least_gain
        serving = np.where(covered, np.take_along_axis(sites, slot[:, None], axis=1)[:, 0], NOWHERE)
        return serving, slot


class Survey:
    """Turns frames into `Air`, tick by tick."""

    def __init__(self, radio: Radio, site_xy_m: FloatArray, seed: int) -> None:
        self._radio = radio
        self._tree = cKDTree(site_xy_m)
        self._ranks = list(range(1, min(radio.candidates, len(site_xy_m)) + 1))
        self._sites = len(site_xy_m)
        self._model = path_loss_model(radio.path_loss)
        self._los_key = stream_key(seed, "line-of-sight")
        self._shadow = ShadowField(stream_key(seed, "shadowing"), self._model) if self._model.shadowed else None
        self._budget = LinkBudget.of(radio)
        self._numbers = np.empty(0, np.int64)
        self._xy_m = np.empty((0, 2))
        self._travelled_m = np.empty(0)
        self._serving = np.empty(0, np.int64)

    def update(self, numbers: IntArray, xy_m: FloatArray, tick: int, up_busy: FloatArray, down_busy: FloatArray) -> Air:
        """The conditions at a tick.

        Args:
            numbers: vehicles, (N,), ascending.
            xy_m: their positions, (N, 2); NaN for one that is off the road: it hears nothing.
            tick: number of the tick, a counter of the random draws.
            up_busy: (S,) share of the past tick in which the uplink of a cell carried something.
            down_busy: (S,) likewise for the downlink.
        """
        before, moved_m = self._follow(numbers, xy_m)
        on_road = ~np.isnan(xy_m[:, 0])
        # Vehicles off the road are looked at where site 0 is and then struck out: no NaN reaches the models.
        looked_at = xy_m if on_road.all() else np.where(on_road[:, None], xy_m, self._tree.data[0])
        found = self._tree.query(looked_at, k=self._ranks)
        distance_m, sites = np.asarray(found[0]), np.asarray(found[1])  # (N, k)
        gain = self._gain(numbers, sites, distance_m, moved_m, tick)
        gain[~on_road] = 0.0
        order = np.argsort(-gain, axis=1, kind="stable")
        gain = np.take_along_axis(gain, order, axis=1)
        sites = np.take_along_axis(sites, order, axis=1)
        serving, slot = self._budget.associate(gain, sites, before)
        heard = gain >= self._budget.least_gain
        up_noise_w, down_noise_w = self._noise(gain, sites, serving, up_busy, down_busy)
        self._serving = serving
        return Air(
            numbers=numbers,
            row=dict(zip(numbers.tolist(), range(len(numbers)), strict=True)),
            xy_m=xy_m,
            sites=sites,
            snr_per_w=np.where(heard, gain / up_noise_w, 0.0),
            clean_snr_per_w=np.where(heard, gain / self._budget.up_noise_w, 0.0),
            down_snr=np.where(heard, self._radio.site_power_w * gain / down_noise_w, 0.0),
            serving=serving,
            slot=slot,
            changed=np.flatnonzero(serving != before),
            before=before,
        )

    def _follow(self, numbers: IntArray, xy_m: FloatArray) -> tuple[IntArray, FloatArray]:
        """Carry the serving site and the way travelled over to this tick's rows."""
        count = len(numbers)
        before = np.full(count, NOWHERE, np.int64)
        travelled_m = np.zeros(count)
        moved_m = np.zeros(count)
        stayed = np.isin(self._numbers, numbers, assume_unique=True)
        rows = np.searchsorted(numbers, self._numbers[stayed])
        moved_m[rows] = np.hypot(*(xy_m[rows] - self._xy_m[stayed]).T)  # NaN: a teleport, which forgets the shadowing
        before[rows] = self._serving[stayed]
        travelled_m[rows] = self._travelled_m[stayed]
        travelled_m += np.nan_to_num(moved_m)
        self._numbers, self._xy_m, self._travelled_m = numbers, xy_m, travelled_m
        return before, moved_m

    def _gain(
        self, numbers: IntArray, sites: IntArray, distance_m: FloatArray, moved_m: FloatArray, tick: int
    ) -> FloatArray:  # (N, k)
        model = self._model
        p_los = model.los_probability(distance_m)
        los = (
            los_state(self._los_key, numbers, sites, self._travelled_m, p_los, LOS_STRETCH_M)
            if model.los_drawn
            else p_los > 0.5
        )
        loss_db = model.loss_db(distance_m, los)
        if self._shadow is not None:
            loss_db = loss_db + self._shadow.update(numbers, sites, moved_m, los, tick)
        return db_to_linear(self._budget.antenna_db - loss_db)

    def _noise(
        self, gain: FloatArray, sites: IntArray, serving: IntArray, up_busy: FloatArray, down_busy: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Noise and, as an option, interference: that of the past tick's activity, at the positions of this one.

        A busy cell's sender is taken as any of its vehicles with equal chance, so a site hears from another cell its
        busy share times the mean of p g over that cell's vehicles.
        """
        up = np.full(gain.shape, self._budget.up_noise_w)
        down = np.full(gain.shape, self._budget.down_noise_w)
        if self._radio.interference:
            attached = np.bincount(serving[serving >= 0], minlength=self._sites)
            weight = np.where(serving >= 0, up_busy[serving] / np.maximum(attached[serving], 1), 0.0)
            foreign = sites != serving[:, None]
            sent_w = self._radio.vehicle_power_w * weight[:, None] * gain * foreign
            up += np.bincount(sites.ravel(), sent_w.ravel(), self._sites)[sites]
            received_w = self._radio.site_power_w * down_busy[sites] * gain
            down += received_w.sum(axis=1, keepdims=True) - received_w
        return up, down
