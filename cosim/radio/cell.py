"""The shared medium of one cell and direction: shares of the band, fixed slices, or all users at once (NOMA).

The signal-to-noise ratio of a transfer decides its gain: bit/s per Hz where users are orthogonal, received power over
noise where they are not. Power is taken as spread over the whole band, so that the ratio does not depend on the share.
"""

from collections.abc import Sequence
from math import inf
from typing import Protocol

import numpy as np

from cosim.adaptation.curve import LinkCurve
from cosim.kernel.clock import Clock
from cosim.kernel.fluid import Flow, Fluid, by_bearer
from cosim.radio.link import noma_sinr
from cosim.scenario.schema import Access, Fixed, Noma
from cosim.types import FloatArray, IntArray

_LEAST_BPS_HZ = 1e-12


class Cell(Protocol):
    """One direction of one cell."""

    @property
    def active(self) -> int:
        """Number of active flows."""
        ...

    number_s: float
    """Integral over time of the number of active flows."""
    busy_s: float
    """Time with at least one active flow, in s."""
    done: float
    """Bits of the flows that ended."""

    @property
    def next_share(self) -> float:
        """Fraction of its rate with the whole cell that one more flow would get."""
        ...

    def gain(self, snr: float) -> float:
        """Return the gain of a flow with this signal-to-noise(-and-interference) ratio, linear."""
        ...

    def joint_gain(self, snr: FloatArray) -> float:
        """Return the gain of one flow that carries equally long messages of senders with these ratios, (V,)."""
        ...

    def expected_bps(self, snr: FloatArray) -> FloatArray:
        """Return the rate in bit/s of one more flow beside the flows that are active now."""
        ...

    def alone_bps(self, snr: FloatArray) -> FloatArray:
        """Return the rate in bit/s of a flow that has the whole cell."""
        ...

    def start(self, flow: Flow) -> Flow:
        """Let a flow run."""
        ...

    def start_all(self, flows: Sequence[Flow]) -> None:
        """Let flows run, as if each were started after the one before."""
        ...

    def withdraw(self, flow: Flow) -> None:
        """Take a flow out; its `left` is then up to date."""
        ...

    def withdraw_all(self, flows: Sequence[Flow]) -> None:
        """Take flows out; what is left of them is then up to date."""
        ...

    def turns(self, snr: FloatArray) -> FloatArray:
        """Return the share of a joint flow's time in which each of its senders sends, (V,), by their ratios, (V,)."""
        ...

    def retune(self) -> None:
        """Give each flow the gain of its bearer; a flow without one keeps its own."""
        ...

    @property
    def share_s(self) -> float:
        """Integral over time of the share of a flow of weight 1, up to the last change or `settle`; see `Medium`."""
        ...

    def settle(self) -> None:
        """Bring the totals up to now."""
        ...


class OrthogonalCell(Fluid):
    """A cell with OFDMA (shares of the band, by weight) or with fixed slices.

    Args:
        clock: simulated time.
        band_hz: the whole band, or one slice.
        curve: link adaptation.
        shared: whether flows share the band; else each has a slice of its own.
    """

    __slots__ = ("_curve", "_efficiency")

    def __init__(self, clock: Clock, band_hz: float, curve: LinkCurve, *, shared: bool = True) -> None:
        super().__init__(clock, band_hz, 1.0 if shared else inf)
        self._curve = curve
        self._efficiency = curve.efficiency

    def gain(self, snr: float) -> float:
        """Return the spectral efficiency in bit/s/Hz, never 0: interference may drown a link in rounding."""
        return self._efficiency(snr) or _LEAST_BPS_HZ

    def joint_gain(self, snr: FloatArray) -> float:
        """Return the harmonic mean of the spectral efficiencies: sent in turn, messages take as long as the flow."""
        lone = np.maximum(self._curve.efficiencies(snr), _LEAST_BPS_HZ)
        return len(snr) / float((1.0 / lone).sum())

    def turns(self, snr: FloatArray) -> FloatArray:
        """Return the share of a joint flow's time in which each of its senders sends: as long as its message takes."""
        lone_s = 1.0 / np.maximum(self._curve.efficiencies(snr), _LEAST_BPS_HZ)
        turns: FloatArray = lone_s / lone_s.sum()
        return turns

    @property
    def next_share(self) -> float:
        """Fraction of its rate with the whole cell that one more flow would get."""
        return 1.0 / max(1.0, (self.weight + 1.0) / self.room)

    def expected_bps(self, snr: FloatArray) -> FloatArray:
        """Return the rate of an equal share of the band beside the active flows, in bit/s."""
        return self.alone_bps(snr) * self.next_share

    def alone_bps(self, snr: FloatArray) -> FloatArray:
        """Return the rate with the whole band, or with one slice, in bit/s."""
        return self.unit_rate * self._curve.efficiencies(snr)


class NomaCell:
    """A cell in which all flows use the whole band at once and interfere (S3 eq 13), so each change alters all rates.

    Args:
        clock: simulated time.
        band_hz: the whole band.
        curve: link adaptation.
        sic: successive interference cancellation.
    """

    def __init__(self, clock: Clock, band_hz: float, curve: LinkCurve, *, sic: bool) -> None:
        self._clock = clock
        self._band_hz = band_hz
        self._curve = curve
        self._sic = sic
        self._flows: list[Flow] = []
        self._rates: list[float] = []
        self._since_s = clock.now
        self._armed_s = inf
        self.number_s = 0.0
        self.busy_s = 0.0
        self.done = 0.0

    @property
    def active(self) -> int:
        """Number of active flows."""
        return len(self._flows)

    def gain(self, snr: float) -> float:
        """Return the received power over noise, which is the ratio itself."""
        return snr

    def joint_gain(self, snr: FloatArray) -> float:
        """Return the mean ratio: sent one after the other, messages interfere like their mean received power."""
        return float(snr.mean())

    def turns(self, snr: FloatArray) -> FloatArray:
        """Return the share of a joint flow's time in which each of its senders sends: equal ones."""
        return np.full(len(snr), 1.0 / len(snr))

    @property
    def next_share(self) -> float:
        """Fraction of its rate with the whole cell that one more flow would get if flows took turns (no shares)."""
        return 1.0 / (1.0 + len(self._flows))

    def alone_bps(self, snr: FloatArray) -> FloatArray:
        """Return the rate with the whole band and without the others, in bit/s."""
        return self._band_hz * self._curve.efficiencies(snr)

    def expected_bps(self, snr: FloatArray) -> FloatArray:
        """Return the rate beside the present flows in bit/s: with SIC only the weaker ones interfere.

        One more flow is taken to hear the same interference from outside as they do.
        """
        heard = np.array([flow.gain for flow in self._flows])
        others = (
            np.where(heard <= snr[..., None], heard, 0.0)
            if self._sic
            else np.broadcast_to(heard, (*snr.shape, len(heard)))
        )
        return self.alone_bps(snr / (1.0 + others.sum(axis=-1)))

    def start(self, flow: Flow) -> Flow:
        """Let a flow run."""
        self.start_all((flow,))
        return flow

    def start_all(self, flows: Sequence[Flow]) -> None:
        """Let flows run, as if each were started after the one before."""
        self.settle()
        for flow in flows:
            flow.since_s = self._since_s
            flow.medium = self
            flow.entry = next(self._clock.numbers)
        self._flows.extend(flows)
        self._rate()
        for bearer, own in by_bearer(flows):
            bearer.joins(own, [1.0] * len(own), self._since_s)

    def withdraw(self, flow: Flow) -> None:
        """Take a flow out; its `left` is then up to date."""
        self.withdraw_all((flow,))

    def withdraw_all(self, flows: Sequence[Flow]) -> None:
        """Take flows out; what is left of them is then up to date."""
        self.settle()
        self._drop(flows)

    def retune(self) -> None:
        """Give each flow the received power over noise of its bearer; a flow without one keeps its own."""
        self.settle()
        for flow in self._flows:
            if flow.bearer is not None:
                flow.gain, flow.noise = flow.bearer.gain, flow.bearer.noise
        self._rate()

    @property
    def share_s(self) -> float:
        """Simulated time up to the last change or `settle`: each flow has the whole band, whatever its weight."""
        return self._since_s

    def settle(self) -> None:
        """Bring the totals, and what is left of each flow, up to now."""
        passed_s = self._clock.now - self._since_s
        self._since_s = self._clock.now
        if passed_s > 0.0 and self._flows:
            for flow, rate_bps in zip(self._flows, self._rates, strict=True):
                flow.left = max(0.0, flow.left - passed_s * rate_bps)
            self.number_s += passed_s * len(self._flows)
            self.busy_s += passed_s

    def _drop(self, flows: Sequence[Flow]) -> None:
        """Forget flows, and give the others their new rates."""
        for flow in flows:
            flow.medium = None
            flow.active_s += self._since_s - flow.since_s
        self._flows = [flow for flow in self._flows if flow.medium is self]
        self._rate()
        for bearer, own in by_bearer(flows):
            bearer.parts(own, [1.0] * len(own), self._since_s)

    def _rate(self) -> None:
        if not self._flows:
            self._rates = []
            self._armed_s = inf
            return
        noise = np.array([flow.noise for flow in self._flows])
        sinr = noma_sinr(np.array([flow.gain for flow in self._flows]) * noise, noise, self._sic)
        self._rates = np.maximum(self.alone_bps(sinr), self._band_hz * _LEAST_BPS_HZ).tolist()
        due_s = self._since_s + min(flow.left / rate for flow, rate in zip(self._flows, self._rates, strict=True))
        if due_s < self._armed_s:
            self._armed_s = due_s
            self._clock.at(due_s, self._fire)

    def _fire(self) -> None:
        if self._clock.now < self._armed_s:
            return
        self._armed_s = inf
        self.settle()
        ended = [flow for flow, rate in zip(self._flows, self._rates, strict=True) if flow.left <= rate * 1e-9]
        for flow in ended:
            flow.left = 0.0
            if flow.bearer is not None:
                flow.bearer.flows.pop(flow, None)
            self.done += flow.size
        self._drop(ended)
        for flow in ended:
            flow.resume(flow)


def make_cell(clock: Clock, access: Access, band_hz: float, curve: LinkCurve, *, uplink: bool) -> Cell:
    """Return the medium of one cell and direction. NOMA is for the uplink; its downlink is shared as in OFDMA.

    Args:
        clock: simulated time.
        access: the scenario's section `radio.access`.
        band_hz: band of the cell.
        curve: link adaptation.
        uplink: direction.
    """
    if isinstance(access, Noma) and uplink:
        return NomaCell(clock, band_hz, curve, sic=access.sic)
    if isinstance(access, Fixed):
        return OrthogonalCell(clock, band_hz * access.slice_share, curve, shared=False)
    return OrthogonalCell(clock, band_hz, curve)


def expected_bps(cells: Sequence[Cell], sites: IntArray, snr: FloatArray, alone_bps: FloatArray) -> FloatArray:
    """Return the rate in bit/s of one more transfer in each of the cells `sites`, of any shape; 0 where the ratio is 0.

    All cells of one direction have the same band and the same curve, so that `alone_bps` of any is that of all.

    Args:
        cells: cells of one direction, by site number.
        sites: site numbers, of any shape.
        snr: signal-to-noise ratios of the transfers, linear, of the same shape.
        alone_bps: their rates with the whole cell, of the same shape.
    """
    if isinstance(cells[0], OrthogonalCell):
        share = np.array([cell.next_share for cell in cells])
        expected: FloatArray = alone_bps * share.take(sites)
        return expected
    rate_bps = np.zeros(snr.shape)
    for site in np.unique(sites[sites >= 0]).tolist():
        here = sites == site
        rate_bps[here] = cells[site].expected_bps(snr[here])
    return rate_bps
