"""Interference: the power that a receiver hears from those who really sent outside its own orthogonal resource.

The power p of a flow is a density p / B over its band, so that a flow with a share s of the band is heard as s p g: a
full OFDMA cell is as loud as one sender, one fixed slice of ten a tenth, four NOMA senders four times as loud. What
counts is the mean of s p over the past tick, flows that have ended in it included, times the path gain of this tick:

    I(receiver) = sum over flows f of other cells: g(f, receiver) * integral of s_f p_f over the past tick / tick.

A flow that follows its vehicle counts in the cell that serves the vehicle now, so that a handover makes nobody disturb
itself; nor does what a vehicle sent before, in flows that are over, disturb what it sends now. An uplink is heard by
the sites that are among the candidates of its vehicle, a downlink by the vehicles that have its site among theirs, a
sidelink by the vehicles that have the site of its band among theirs. Left out: which parts of the band a cell uses (a
receiver hears the mean over the band) and changes within a tick.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

import numpy as np

from cosim.kernel.fluid import Bearer, Flow, Medium
from cosim.scenario.radio import Radio
from cosim.types import BoolArray, FloatArray, IntArray

Emission: TypeAlias = tuple[int, int, float, bool, bool]
"""What one sender of a flow sent over the past tick; the fields of `Emissions`."""


@dataclass(frozen=True, slots=True)
class Emissions:
    """The emissions of one direction over the past tick, (E,) each."""

    vehicle: IntArray
    """The vehicle that sends, or that a site sends to."""
    cell: IntArray
    """Site in whose cell it was sent, at last."""
    power_w: FloatArray
    """Mean over the tick of share times transmit power."""
    ended: BoolArray
    """Whether the flow is over."""
    follows: BoolArray
    """Whether the flow is carried by the cell that serves the vehicle, whichever that is."""

    @classmethod
    def of(cls, given: list[Emission]) -> "Emissions":
        """Return emissions as columns."""
        table = np.fromiter(chain.from_iterable(given), np.float64, 5 * len(given)).reshape(-1, 5).T
        vehicle, cell, power_w, ended, follows = table
        return cls(
            vehicle.astype(np.int64),
            cell.astype(np.int64),
            power_w.copy(),
            ended.astype(np.bool_),
            follows.astype(np.bool_),
        )

    def __len__(self) -> int:
        return len(self.vehicle)

    def pick(self, which: BoolArray) -> "Emissions":
        """Return some of them."""
        return Emissions(
            self.vehicle[which], self.cell[which], self.power_w[which], self.ended[which], self.follows[which]
        )

    def placed(self, numbers: IntArray, serving: IntArray) -> tuple[BoolArray, IntArray, IntArray]:
        """Return whether each vehicle is there, its row, and the cell in which each emission counts now, (E,) each.

        Args:
            numbers: vehicles, (N,), ascending.
            serving: their serving sites, (N,), or NOWHERE.
        """
        if not len(numbers):
            return np.zeros(len(self.cell), np.bool_), np.zeros(len(self.cell), np.int64), self.cell
        row = np.minimum(numbers.searchsorted(self.vehicle), len(numbers) - 1)
        there: BoolArray = numbers[row] == self.vehicle
        served = serving[row]
        return there, row, np.where(there & self.follows & (served >= 0), served, self.cell)


class Emitter(Bearer):
    """Flows of one cell at one power that are heard outside it, as one.

    Args:
        medium: where the flows are while they are active; None without coverage.
        density_w: power over the whole band that their signals have the density of.
        meter: measures what they send; None if nobody asks.
    """

    _share_s = 0.0
    _weight = 0.0
    """Sum of the weights of the active flows."""
    _loud_ws = 0.0
    """Integral over the medium's `share_s` of the density, since there have been active flows."""
    _told_ws = 0.0
    """Its value when it was last told."""
    _sent_ws = 0.0
    """Integral over time of share times density of all flows since then."""
    _ended_ws = 0.0
    """Part of it of flows that are not active any more."""

    def __init__(self, medium: Medium | None, density_w: float, meter: "EmissionMeter | None") -> None:
        super().__init__()
        self.medium = medium
        self.density_w = density_w
        """Power over the whole band that the signals have the density of; changed by `set_density`."""
        self._meter = meter

    def set_density(self, density_w: float) -> None:
        """Send with another density from now on; the gain stays what it is."""
        if self._meter is not None and self.active:
            assert self.medium is not None  # noqa: S101 - active flows are in it
            self.medium.settle()
            self._count(self.medium.share_s)
        self.density_w = density_w

    def joins(self, flows: Sequence[Flow], weights: Sequence[float], share_s: float) -> None:
        """Count what flows send from now on.

        Args:
            flows: the flows.
            weights: the share of the medium that each gets, as a multiple of that of a flow of weight 1.
            share_s: the medium's `share_s`.
        """
        if self._meter is not None:
            if not self.active:
                self._share_s, self._weight, self._loud_ws, self._told_ws = share_s, 0.0, 0.0, 0.0
                self._meter.watch(self)
            self._count(share_s)
            self._weight += sum(weights)
            loud_ws = self._loud_ws
            for flow in flows:
                flow.mark = loud_ws
        self.active += len(flows)

    def parts(self, flows: Sequence[Flow], weights: Sequence[float], share_s: float) -> None:
        """Count what flows have sent.

        Args:
            flows: the flows.
            weights: the share of the medium that each gets, as a multiple of that of a flow of weight 1.
            share_s: the medium's `share_s` just before it may have begun again.
        """
        self.active -= len(flows)
        if self._meter is not None:
            self._count(share_s)
            loud_ws, told_ws, left, ended_ws = self._loud_ws, self._told_ws, self._weight, self._ended_ws
            for flow, weight in zip(flows, weights, strict=True):
                begun_ws = flow.mark
                left -= weight
                ended_ws += weight * (loud_ws - (begun_ws if begun_ws > told_ws else told_ws))
            self._weight, self._ended_ws = left, ended_ws

    def emissions(self, power_w: float, ended: bool) -> Iterable[Emission]:
        """Return what its senders sent.

        Args:
            power_w: mean over the tick of share times power.
            ended: whether it is that of flows that are over.
        """
        raise NotImplementedError

    def take_ws(self) -> tuple[float, float]:
        """Return the integrals over time of share times power since the last call, of flows that are active and over.

        The medium must be settled.
        """
        sent_ws = ended_ws = self._sent_ws
        if self.active:
            # As `_count`, whose values are at hand here: of many bearers each is asked at each tick.
            share_s = self.medium.share_s  # type: ignore[union-attr]  # active flows are in it
            grown_ws = (share_s - self._share_s) * self.density_w
            self._share_s = share_s
            self._loud_ws += grown_ws
            sent_ws += self._weight * grown_ws
            ended_ws = self._ended_ws
        self._told_ws = self._loud_ws
        self._sent_ws = self._ended_ws = 0.0
        active_ws = sent_ws - ended_ws
        return active_ws if active_ws > 0.0 else 0.0, ended_ws

    def _count(self, share_s: float) -> None:
        grown_ws = (share_s - self._share_s) * self.density_w
        self._share_s = share_s
        self._loud_ws += grown_ws
        self._sent_ws += self._weight * grown_ws


class EmissionMeter:
    """Measures what the flows of one direction send, tick by tick.

    Args:
        band_share: part of the cell's band that a share of 1 stands for: below 1 for fixed slices.
    """

    def __init__(self, band_share: float) -> None:
        self._band_share = band_share
        self._emitters: dict[Emitter, None] = {}

    def watch(self, emitter: Emitter) -> None:
        """Measure an emitter until none of its flows is active."""
        self._emitters[emitter] = None

    def take(self, passed_s: float) -> Emissions:
        """Return what was sent since the last call; all cells must be settled.

        Args:
            passed_s: time since then.
        """
        told: list[Emission] = []
        band_share = self._band_share
        for emitter in self._emitters:
            active_ws, ended_ws = emitter.take_ws()
            if active_ws > 0.0:
                told += emitter.emissions(active_ws * band_share / passed_s, False)
            if ended_ws > 0.0:
                told += emitter.emissions(ended_ws * band_share / passed_s, True)
        self._emitters = {emitter: None for emitter in self._emitters if emitter.active}
        return Emissions.of(told)


def interference_note(radio: Radio, sites: int) -> str | None:
    """Return a remark for who reads the figures of a run without interference whose sites share a band, else None.

        >>> interference_note(Radio(), sites=2)
        'interference off: 2 sites share a band and do not disturb each other; radio.interference=true counts it'

    Args:
        radio: section `radio` of the scenario.
        sites: number of sites.
    """
    if radio.interference or sites < 2:
        return None
    return (
        f"interference off: {sites} sites share a band and do not disturb each other; radio.interference=true counts it"
    )


def heard_by_sites_w(
    sent: Emissions, numbers: IntArray, gain: FloatArray, sites: IntArray, serving: IntArray, count: int
) -> FloatArray:
    """Return the interference at each candidate site for a flow of each vehicle, in W, (N, k).

    Args:
        sent: emissions of the uplinks.
        numbers: vehicles, (N,), ascending.
        gain: path gains to their candidates, (N, k).
        sites: the candidates, (N, k).
        serving: serving sites, (N,), or NOWHERE.
        count: number of sites.
    """
    there, row, cell = sent.placed(numbers, serving)
    if not there.any():
        return np.zeros(gain.shape)
    row, cell, ended = row[there], cell[there], sent.ended[there]
    hearing = sites[row]
    heard_w = sent.power_w[there][:, None] * gain[row] * (hearing != cell[:, None])
    at_site_w = np.bincount(hearing.ravel(), heard_w.ravel(), count).astype(np.float64)
    others_w = at_site_w[sites]
    if ended.any():
        own_w = np.zeros(gain.shape)
        np.add.at(own_w, row[ended], heard_w[ended])
        others_w = np.maximum(others_w - own_w, 0.0)
    return others_w


def heard_by_vehicles_w(
    sent: Emissions, numbers: IntArray, gain: FloatArray, sites: IntArray, serving: IntArray, count: int
) -> FloatArray:
    """Return the interference at each vehicle for a flow from each of its candidate sites, in W, (N, k).

    Args:
        sent: emissions of the downlinks.
        numbers: vehicles, (N,), ascending.
        gain: path gains from their candidates, (N, k).
        sites: the candidates, (N, k).
        serving: serving sites, (N,), or NOWHERE.
        count: number of sites.
    """
    there, row, cell = sent.placed(numbers, serving)
    known = cell >= 0
    sent_w = np.bincount(cell[known], sent.power_w[known], count)[sites]
    own = there & sent.ended & known
    if own.any():
        own_w = np.zeros(gain.shape)
        np.add.at(own_w, row[own], sent.power_w[own][:, None] * (sites[row[own]] == cell[own][:, None]))
        sent_w = np.maximum(sent_w - own_w, 0.0)
    return exclusive_sums(sent_w * gain)


def exclusive_sums(values: FloatArray) -> FloatArray:
    """Return for each element of the last axis the sum of all others, added up from both sides.

    The total less the element itself would cancel where one element dominates.

        >>> exclusive_sums(np.array([[1e20, 1.0, 2.0]])).tolist()
        [[3.0, 1e+20, 1e+20]]
    """
    rest = np.zeros(values.shape)
    rest[..., 1:] = np.cumsum(values[..., :-1], axis=-1)
    rest[..., :-1] += np.cumsum(values[..., :0:-1], axis=-1)[..., ::-1]
    return rest
