"""The power of a vehicle's radio, which all its flows in the air share.

A radio radiates at most P, the larger of `radio.vehicle_power_w` and the largest power chosen among its flows in the
air. Flows whose powers add up to more get P / sum of theirs, in all cells and the sidelink together, for as long as
they are in the air at once. Flows of one OFDMA or fixed cell use different parts of the band: there each flow has the
density that one flow with the power of all of them would have, but never more than it chose, so that flows of one such
cell alone pay less and are heard as well as before. Left out: the synchronisation messages of twins, which are short
and count for no radio.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import fsum
from typing import cast

from cosim.energy import transmit_energy_j
from cosim.kernel.clock import Clock
from cosim.kernel.fluid import Flow, Fluid, Medium
from cosim.radio.interference import EmissionMeter, Emitter


class RadiatedFlow(Flow):
    """A flow that is sent with a chosen power."""

    vehicle: int
    """The vehicle whose radio sends it, or that owns its task."""
    power_w: float
    """The chosen power."""
    radio_s = 0.0
    """Integral of its radio's scale when it entered the medium, in s."""
    drawn_s: float | None = None
    """Time in media with its power scaled down to what it drew, in s; None if its radio scales nothing."""

    @property
    def energy_j(self) -> float:
        """Energy in J that it has drawn, once it is in no medium."""
        return transmit_energy_j(self.power_w, self.active_s if self.drawn_s is None else self.drawn_s)


class RadiatedBearer(Emitter):
    """Flows that one sender sends in one medium, each with the same chosen power.

    Args:
        medium: where the flows are while they are active; None without coverage.
        sender: vehicle that sends them; for downlinks the vehicle that they are sent to.
        power_w: chosen power.
        meter: measures what they send; None if nobody asks.
        radios: the radios of the vehicles; None where each flow has a power of its own.
    """

    def __init__(
        self,
        medium: Medium | None,
        sender: int,
        power_w: float,
        meter: EmissionMeter | None,
        radios: "VehicleRadios | None",
    ) -> None:
        super().__init__(medium, power_w, meter)
        self.sender = sender
        self.power_w = power_w
        self._radios = radios

    def tune(self) -> None:
        """Set gain and noise to what its density gives now."""
        raise NotImplementedError

    def renew(self) -> None:
        """Forget the density that its flows had last, if none is active: those that begin next set out with its power.

        A bearer whose flows wait outlives its active ones, and its radio tells it nothing meanwhile.
        """
        if not self.active and self.density_w != self.power_w:
            self.set_density(self.power_w)
            self.tune()

    def joins(self, flows: Sequence[Flow], weights: Sequence[float], share_s: float) -> None:
        """Take power from the radio for flows.

        Args:
            flows: the flows.
            weights: the share of the medium that each gets, as a multiple of that of a flow of weight 1.
            share_s: the medium's `share_s`.
        """
        super().joins(flows, weights, share_s)
        if self._radios is not None:
            self._radios.enter(self, cast("Sequence[RadiatedFlow]", flows))

    def parts(self, flows: Sequence[Flow], weights: Sequence[float], share_s: float) -> None:
        """Leave the power of flows to the others of the radio.

        Args:
            flows: the flows.
            weights: the share of the medium that each gets, as a multiple of that of a flow of weight 1.
            share_s: the medium's `share_s` just before it may have begun again.
        """
        super().parts(flows, weights, share_s)
        if self._radios is not None:
            self._radios.leave(self, cast("Sequence[RadiatedFlow]", flows))


class _VehicleRadio:
    """The radio of one vehicle while it sends.

    Args:
        power_w: its power if none of the flows asks for more.
        now_s: simulated time.
    """

    __slots__ = ("_power_w", "_since_s", "bearers", "scale", "scaled_s", "uneven")

    def __init__(self, power_w: float, now_s: float) -> None:
        self._power_w = power_w
        self._since_s = now_s
        self.bearers: dict[RadiatedBearer, None] = {}
        """Bearers of the flows in the air."""
        self.scale = 1.0
        """Share of its power that each flow draws."""
        self.scaled_s = 0.0
        """Integral of the scale over time."""
        self.uneven = False
        """Whether the density of a flow may differ from its power."""

    def settle(self, now_s: float) -> None:
        """Bring the integral up to now."""
        self.scaled_s += self.scale * (now_s - self._since_s)
        self._since_s = now_s

    def share(self) -> dict[RadiatedBearer, None]:
        """Give each flow its part of the power, and return the bearers whose density is another now.

        Flows of one orthogonal cell are a group: its power is that of all of them, on the band that they share.
        """
        if len(self.bearers) == 1 and not self.uneven:
            (bearer,) = self.bearers
            if isinstance(bearer.medium, Fluid):
                total_w = bearer.power_w * bearer.active
                most_w = self._power_w if self._power_w > bearer.power_w else bearer.power_w
                self.scale = most_w / total_w if most_w < total_w else 1.0
                return {}
        total_w = fsum(bearer.power_w * bearer.active for bearer in self.bearers)
        most_w = max(self._power_w, *(bearer.power_w for bearer in self.bearers))
        self.scale = min(1.0, most_w / total_w)
        groups: dict[object, list[RadiatedBearer]] = {}
        if self.scale < 1.0:
            for bearer in self.bearers:
                groups.setdefault(bearer.medium if isinstance(bearer.medium, Fluid) else bearer, []).append(bearer)
        divided = len(groups) > 1 or not all(isinstance(group, Fluid) for group in groups)
        if not (divided or self.uneven):
            return {}
        self.uneven = divided
        changed: dict[RadiatedBearer, None] = {}
        for bearer in self.bearers:
            factor = 1.0
            if divided and isinstance(bearer.medium, Fluid):
                group = groups[bearer.medium]
                group_w = fsum(one.power_w * one.active for one in group)
                factor = min(1.0, self.scale * group_w / max(one.power_w for one in group))
            elif divided:
                factor = self.scale
            if bearer.power_w * factor != bearer.density_w:
                bearer.set_density(bearer.power_w * factor)
                changed[bearer] = None
        return changed


class VehicleRadios:
    """The radios of all vehicles; each change in one retunes its other flows at that instant.

    Args:
        clock: simulated time.
        power_w: power of a radio none of whose flows asks for more.
        tie: gives a flow a bearer that enters it here.
    """

    def __init__(self, clock: Clock, power_w: float, tie: Callable[[RadiatedFlow], None]) -> None:
        self._clock = clock
        self._power_w = power_w
        self._tie = tie
        self._alone: dict[int, RadiatedFlow] = {}
        """The last flow of each vehicle that was alone as it began, and is so while it is active and without bearer."""
        self._radios: dict[int, _VehicleRadio] = {}
        self._holds = 0
        self._put_off: dict[_VehicleRadio, None] = {}

    def alone(self, flow: RadiatedFlow) -> bool:
        """Return whether a flow that is about to begin has its radio to itself, until others come; it needs no bearer.

        Else the other flow has one from now on.
        """
        vehicle = flow.vehicle
        if vehicle in self._radios:
            return False
        other = self._alone.get(vehicle)
        if other is not None and _is_loose(other):
            self._tie(other)
            return False
        self._alone[vehicle] = flow
        return True

    def forget_alone(self) -> None:
        """Forget the flows that were alone, once all that are still active have bearers."""
        self._alone.clear()

    def enter(self, bearer: RadiatedBearer, flows: Sequence[RadiatedFlow]) -> None:
        """Take up flows that have just begun in their medium.

        Args:
            bearer: their bearer.
            flows: the flows.
        """
        now = self._clock.now
        other = self._alone.pop(bearer.sender, None)
        if other is not None and _is_loose(other):
            self._tie(other)
        radio = self._radios.get(bearer.sender)
        if radio is None:
            self._radios[bearer.sender] = radio = _VehicleRadio(self._power_w, now)
        radio.settle(now)
        scaled_s = radio.scaled_s
        for flow in flows:
            if flow.drawn_s is None:  # it has just begun, or was alone
                flow.drawn_s = flow.active_s + now - flow.since_s
            flow.radio_s = scaled_s
        radio.bearers[bearer] = None
        self._share(radio)

    def leave(self, bearer: RadiatedBearer, flows: Sequence[RadiatedFlow]) -> None:
        """Forget flows that have left their medium.

        Args:
            bearer: their bearer.
            flows: the flows.
        """
        radio = self._radios[bearer.sender]
        radio.settle(self._clock.now)
        scaled_s = radio.scaled_s
        for flow in flows:
            flow.drawn_s = (flow.drawn_s or 0.0) + scaled_s - flow.radio_s  # set since it entered
        if not bearer.active:
            del radio.bearers[bearer]
        if radio.bearers:
            self._share(radio)
        else:
            del self._radios[bearer.sender]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Put off all changes until flows have followed their vehicles."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            if not self._holds:
                put_off, self._put_off = self._put_off, {}
                changed: dict[RadiatedBearer, None] = {}
                for radio in put_off:
                    if radio.bearers:
                        changed |= radio.share()
                _retune(changed)

    def _share(self, radio: _VehicleRadio) -> None:
        if self._holds:
            self._put_off[radio] = None
        else:
            _retune(radio.share())


def _is_loose(flow: RadiatedFlow) -> bool:
    """Return whether a flow that was alone as it began is active and still without a bearer."""
    return flow.medium is not None and flow.bearer is None


def _retune(bearers: dict[RadiatedBearer, None]) -> None:
    """Give the active flows of bearers, whose densities are new, their gains."""
    media: dict[Medium, None] = {}
    for bearer in bearers:
        bearer.tune()
        if bearer.medium is not None:
            media[bearer.medium] = None
    for medium in media:
        medium.retune()
