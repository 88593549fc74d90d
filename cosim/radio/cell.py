"""The shared medium of one cell and direction: shares of the band, fixed slices, or all users at once (NOMA).

A transfer's signal-to-noise ratio decides its gain: bit/s per Hz where users are orthogonal, received power over noise
where they are not. Power counts as spread over the whole band, so that the ratio does not depend on the share.
"""

from collections.abc import Callable, Sequence
from math import inf
from typing import Protocol

import numpy as np

from cosim.kernel.clock import Clock
from cosim.kernel.fluid import Flow, Fluid
from cosim.radio.link import efficiency, noma_sinr, rate_bps, spectral_efficiency_bps_hz
from cosim.scenario.schema import Access, Fixed, Noma
from cosim.types import FloatArray, IntArray

_LEAST_BPS_HZ = 1e-12


class Cell(Protocol):
    """One direction of one cell."""

    @property
    def active(self) -> int:
        """Flows now."""
        ...

    number_s: float
    busy_s: float
    done: float

    @property
    def next_share(self) -> float:
        """Part of its lone rate that one more flow would get."""
        ...

    def gain(self, snr: float) -> float:
        """Gain of a flow whose signal-to-noise(-and-interference) ratio is `snr`."""
        ...

    def joint_gain(self, snr: FloatArray) -> float:
        """Gain of one flow that carries equally long messages of senders with these ratios, (V,)."""
        ...

    def expected_bps(self, snr: FloatArray) -> FloatArray:
        """Rate of one more flow, estimated with the flows that are active now."""
        ...

    def alone_bps(self, snr: FloatArray) -> FloatArray:
        """Rate of a flow that has the cell for itself."""
        ...

    def start(self, flow: Flow) -> Flow:
        """Let a flow run."""
        ...

    def flows(self) -> list[Flow]:
        """The active flows in order of their start."""
        ...

    def withdraw(self, flow: Flow) -> None:
        """Take a flow out."""
        ...

    def retune(self, gain: Callable[[Flow], float]) -> None:
        """Give each flow the gain it has now."""
        ...

    def settle(self) -> None:
        """Bring the totals up to now."""
        ...


class OrthogonalCell(Fluid):
    """OFDMA (shares of the band, by weight) or fixed slices."""

    __slots__ = ("_cap_bps_hz",)

    def __init__(self, clock: Clock, band_hz: float, cap_bps_hz: float, *, shared: bool = True) -> None:
        super().__init__(clock, band_hz, 1.0 if shared else inf)
        self._cap_bps_hz = cap_bps_hz

    def gain(self, snr: float) -> float:
        """Spectral efficiency, never quite 0: interference may drown a link that has coverage."""
        return efficiency(snr, self._cap_bps_hz) or _LEAST_BPS_HZ

    def joint_gain(self, snr: FloatArray) -> float:
        """Harmonic mean of their spectral efficiencies: one after the other they take as long as the flow."""
        lone = np.maximum(spectral_efficiency_bps_hz(snr, self._cap_bps_hz), _LEAST_BPS_HZ)
        return len(snr) / float((1.0 / lone).sum())

    @property
    def next_share(self) -> float:
        """Part of its lone rate that one more flow would get."""
        return 1.0 / max(1.0, (self.weight + 1.0) / self.room)

    def expected_bps(self, snr: FloatArray) -> FloatArray:
        """An equal share of the band beside the active flows."""
        return self.alone_bps(snr) * self.next_share

    def alone_bps(self, snr: FloatArray) -> FloatArray:
        """The whole band, or one slice."""
        return rate_bps(self.unit_rate, snr, self._cap_bps_hz)


class NomaCell:
    """All flows use the whole band at once and disturb each other (S3 eq 13), so each change re-rates all of them."""

    def __init__(self, clock: Clock, band_hz: float, cap_bps_hz: float, *, sic: bool) -> None:
        self._clock = clock
        self._band_hz = band_hz
        self._cap_bps_hz = cap_bps_hz
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
        """Flows now."""
        return len(self._flows)

    def gain(self, snr: float) -> float:
        """Received power over noise."""
        return snr

    def joint_gain(self, snr: FloatArray) -> float:
        """One after the other they disturb like their mean received power."""
        return float(snr.mean())

    @property
    def next_share(self) -> float:
        """Part of its lone rate that one more flow would get; NOMA has no shares, it is told as if flows took turns."""
        return 1.0 / (1.0 + len(self._flows))

    def alone_bps(self, snr: FloatArray) -> FloatArray:
        """The whole band without the others."""
        return rate_bps(self._band_hz, snr, self._cap_bps_hz)

    def expected_bps(self, snr: FloatArray) -> FloatArray:
        """Rate beside the flows of now: with SIC it hears the weaker ones only."""
        heard = np.array([flow.gain for flow in self._flows])
        others = (
            np.where(heard <= snr[..., None], heard, 0.0)
            if self._sic
            else np.broadcast_to(heard, (*snr.shape, len(heard)))
        )
        return self.alone_bps(snr / (1.0 + others.sum(axis=-1)))

    def flows(self) -> list[Flow]:
        """The active flows in order of their start."""
        return list(self._flows)

    def start(self, flow: Flow) -> Flow:
        """Let a flow run."""
        self.settle()
        flow.since_s = self._since_s
        flow.medium = self
        self._flows.append(flow)
        self._rate()
        return flow

    def withdraw(self, flow: Flow) -> None:
        """Take a flow out, with what is left of it."""
        self.settle()
        self._drop(flow)
        self._rate()

    def retune(self, gain: Callable[[Flow], float]) -> None:
        """Give each flow the received power that it has now."""
        self.settle()
        for flow in self._flows:
            flow.gain = gain(flow)
        self._rate()

    def settle(self) -> None:
        """Bring what is left and the totals up to now."""
        passed_s = self._clock.now - self._since_s
        self._since_s = self._clock.now
        if passed_s > 0.0 and self._flows:
            for flow, rate_bps in zip(self._flows, self._rates, strict=True):
                flow.left = max(0.0, flow.left - passed_s * rate_bps)
            self.number_s += passed_s * len(self._flows)
            self.busy_s += passed_s

    def _drop(self, flow: Flow) -> None:
        self._flows.remove(flow)
        flow.medium = None
        flow.active_s += self._since_s - flow.since_s

    def _rate(self) -> None:
        if not self._flows:
            self._rates = []
            self._armed_s = inf
            return
        sinr = noma_sinr(np.array([flow.gain for flow in self._flows]), 1.0, self._sic)
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
            self._drop(flow)
            self.done += flow.size
        self._rate()
        for flow in ended:
            flow.resume(flow)


def make_cell(clock: Clock, access: Access, band_hz: float, cap_bps_hz: float, *, uplink: bool) -> Cell:
    """The medium of one cell and direction. NOMA is for the uplink; its downlink is shared as in OFDMA."""
    if isinstance(access, Noma) and uplink:
        return NomaCell(clock, band_hz, cap_bps_hz, sic=access.sic)
    if isinstance(access, Fixed):
        return OrthogonalCell(clock, band_hz * access.slice_share, cap_bps_hz, shared=False)
    return OrthogonalCell(clock, band_hz, cap_bps_hz)


def expected_bps(cells: Sequence[Cell], sites: IntArray, snr: FloatArray, alone_bps: FloatArray) -> FloatArray:
    """Rate of one more transfer in each of the cells `sites`, of any shape; 0 where the ratio is 0.

    All cells of one direction have the same band and the same cap, so that `alone_bps` of any is that of all.
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
