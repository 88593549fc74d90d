"""The power of a vehicle's radio, which all its flows in the air share.

A radio radiates at most P, the larger of `radio.vehicle_power_w` and the largest power chosen among its flows in the
air. Flows whose powers add up to more get P / sum of theirs, in all cells and the sidelink together, for as long as
they are in the air at once. Flows of one OFDMA or fixed cell use different parts of the band: there each flow has the
density that one flow with the power of all of them would have, but never more than it chose, so that flows of one such
cell alone pay less and are heard as well as before. Left out: the synchronisation messages of twins, which are short
and count for no radio.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import fsum

from cosim.energy import transmit_energy_j
from cosim.kernel.clock import Clock
from cosim.kernel.fluid import Fluid
from cosim.radio.interference import Emitter


class RadiatedFlow(Emitter):
    """A flow that is sent with a chosen power.

    Args:
        sender: vehicle that sends it; for a downlink the vehicle that it is sent to.
        power_w: the chosen power.
    """

    radios: "VehicleRadios | None" = None
    """Shares the power of the sender's radio; None where each flow has its own."""
    paid_j = 0.0
    """Energy drawn up to the last change of `drawn_w`, in J."""
    paid_s = 0.0
    """Time in the air up to then, in s."""

    def radiate(self, sender: int, power_w: float) -> None:
        """Set the sender and the power that it chose."""
        self.sender = sender
        self.power_w = power_w
        self.drawn_w = power_w
        """Power that it draws from the radio at present."""
        self.density_w = power_w

    @property
    def energy_j(self) -> float:
        """Energy in J that it has drawn, once it is in no medium."""
        return self.paid_j + transmit_energy_j(self.drawn_w, self.active_s - self.paid_s)

    def finished(self) -> None:
        """Leave its power to the other flows of its radio."""
        if self.radios is not None:
            self.radios.leave(self)

    def cancel(self, error: Exception) -> None:
        """Leave the medium and the radio; `left` is then what was not done."""
        if self.medium is not None:
            self.medium.withdraw(self)
            self.finished()
        self.fail(error)

    def set_power(self, drawn_w: float, density_w: float, now_s: float) -> None:
        """Draw and radiate other powers from now on.

        Args:
            drawn_w: power drawn from the radio.
            density_w: power over the whole band that the signal has the density of.
            now_s: simulated time.
        """
        assert self.medium is not None  # noqa: S101 - only flows in the air share a radio
        self.medium.settle()
        airtime_s = self.active_s + now_s - self.since_s
        self.paid_j += transmit_energy_j(self.drawn_w, airtime_s - self.paid_s)
        self.paid_s = airtime_s
        used_s = self.medium.used_by_s(self)
        self.carried_ws += (used_s - self.counted_s) * self.density_w
        self.counted_s = used_s
        self.drawn_w, self.density_w = drawn_w, density_w


class VehicleRadios:
    """The flows in the air by the vehicle that sends them; each change in one retunes the others at that instant.

    Args:
        clock: simulated time.
        power_w: power of a radio none of whose flows asks for more.
    """

    def __init__(self, clock: Clock, power_w: float) -> None:
        self._clock = clock
        self._power_w = power_w
        self._flows: dict[int, dict[RadiatedFlow, Callable[[RadiatedFlow], None]]] = {}
        self._holds = 0
        self._changed: dict[int, None] = {}

    def enter(self, flow: RadiatedFlow, retune: Callable[[RadiatedFlow], None]) -> None:
        """Take up a flow that has just begun in a medium.

        Args:
            flow: the flow.
            retune: sets the gain of a flow after a change of its power.
        """
        flow.radios = self
        self._flows.setdefault(flow.sender, {})[flow] = retune
        self._share(flow.sender)

    def leave(self, flow: RadiatedFlow) -> None:
        """Forget a flow that has left its medium."""
        flows = self._flows.get(flow.sender)
        if flows is None or flows.pop(flow, None) is None:
            return
        for other in [other for other in flows if other.medium is None]:
            del flows[other]  # it ended at this very instant
        if flows:
            self._share(flow.sender)
        else:
            del self._flows[flow.sender]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Put off all changes until flows have followed their vehicles."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            if not self._holds:
                changed, self._changed = self._changed, {}
                for vehicle in changed:
                    self._share(vehicle)

    def _share(self, vehicle: int) -> None:
        """Give each flow of a vehicle its part of the radio's power."""
        flows = self._flows.get(vehicle)
        if not flows or (len(flows) == 1 and all(flow.drawn_w == flow.power_w for flow in flows)):
            return
        if self._holds:
            self._changed[vehicle] = None
            return
        total_w = fsum(flow.power_w for flow in flows)
        scale = min(1.0, max(self._power_w, *(flow.power_w for flow in flows)) / total_w)
        density = _densities(list(flows), scale)
        for flow, retune in list(flows.items()):
            drawn_w, density_w = flow.power_w * scale, flow.power_w * density[flow]
            if drawn_w != flow.drawn_w or density_w != flow.density_w:
                louder = density_w != flow.density_w
                flow.set_power(drawn_w, density_w, self._clock.now)
                if louder:
                    retune(flow)


def _densities(flows: list[RadiatedFlow], scale: float) -> dict[RadiatedFlow, float]:
    """Return the factor on the density of each flow of a radio, of whose powers `scale` is left.

    Flows of one orthogonal cell are a group: its power is that of all of them, on the band that they share.
    """
    groups: dict[object, list[RadiatedFlow]] = {}
    for flow in flows:
        apart = isinstance(flow.medium, Fluid)
        groups.setdefault(flow.medium if apart else flow, []).append(flow)
    if len(groups) == 1 and all(isinstance(group, Fluid) for group in groups):
        return dict.fromkeys(flows, 1.0)
    factors = {}
    for group in groups.values():
        powers_w = [flow.power_w for flow in group]
        factors.update(dict.fromkeys(group, min(1.0, scale * fsum(powers_w) / max(powers_w))))
    return factors
