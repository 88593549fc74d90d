"""Transfers over the air: they follow their vehicle from cell to cell, wait without coverage, and may be lost."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import ClassVar, cast

import numpy as np

from cosim.kernel.clock import Clock, Wait
from cosim.kernel.fluid import Bearer, Flow
from cosim.radio.cell import Cell, make_cell
from cosim.radio.survey import Air, Survey
from cosim.scenario.schema import Radio
from cosim.trace.facts.run import CellChanged, TransferMoved
from cosim.trace.store.writer import FactWriter
from cosim.types import NOWHERE, Direction, Failure, FloatArray, IntArray, Status, VehicleGone


class LinkLost(Failure):
    """A transfer, or a result before its downlink, had no coverage for longer than `radio.outage_s`."""

    status = Status.NO_COVERAGE


class RadioBearer(Bearer):
    """The transfers of one vehicle in one direction, at one power and with one pinned site: they always share a cell.

    Args:
        transfer: its first one.
    """

    def __init__(self, transfer: "Transfer") -> None:
        super().__init__()
        self.uplink = transfer.uplink
        self.power_w = transfer.power_w
        self.pinned = transfer.pinned
        self.site = transfer.site
        """Site of the transfers at the last tick; NOWHERE without coverage."""

    @property
    def transfers(self) -> "dict[Transfer, None]":
        """Transfers that are not over, in the order in which they were sent."""
        return cast("dict[Transfer, None]", self.flows)


class Transfer(Flow):
    """Bits between a vehicle and a site.

    Args:
        vehicle: vehicle number.
        task: number of its task; NOWHERE for none.
        size_bit: bits to send.
        power_w: transmit power of the vehicle.
        share: weight in the cell, in (0, 1].
        pinned: site to use instead of the serving one; NOWHERE for the serving one.
    """

    uplink: ClassVar[bool]
    gain = 1.0
    site = NOWHERE
    """Number of the cell it is in, or was in last."""
    handovers = 0
    """Number of changes from one cell to another."""
    waits = 0
    """Number of changes of cell or coverage so far; a timer set before the last one is out of date."""
    outside: "dict[Transfer, int] | None" = None
    """The channel's transfers without a medium, while it is one of them."""

    def __init__(self, vehicle: int, task: int, size_bit: float, power_w: float, share: float, pinned: int) -> None:
        self.size = size_bit
        self.left = size_bit
        self.weight = share
        self.vehicle = vehicle
        self.task = task
        self.power_w = power_w
        self.pinned = pinned

    def cancel(self, error: Exception) -> None:
        """Leave the cell, or the transfers that wait outside; `left` is then what was not sent."""
        self.enter()
        super().cancel(error)

    def enter(self) -> None:
        """Leave the transfers that wait outside, if it is one of them."""
        if self.outside is not None:
            del self.outside[self]
            self.outside = None


class Uplink(Transfer):
    """From a vehicle to a site."""

    uplink = True


class Downlink(Transfer):
    """From a site to a vehicle."""

    uplink = False


class Bundle(Flow):
    """Short messages of many vehicles to one site, as one flow that ends with the last of them."""


class CoverageWait(Wait):
    """A wait until a vehicle has a cell."""

    def __init__(self, vehicle: int) -> None:
        self.vehicle = vehicle

    def cancel(self, error: Exception) -> None:
        """Stop waiting."""
        self.fail(error)


class Channel:
    """All cells and the transfers in them.

    Args:
        clock: simulated time.
        radio: section `radio` of the scenario.
        site_xy_m: (S, 2) positions of the sites.
        seed: seed of the run.
        facts: where changes of cells are recorded.
    """

    def __init__(self, clock: Clock, radio: Radio, site_xy_m: FloatArray, seed: int, facts: FactWriter) -> None:
        self._clock = clock
        self._radio = radio
        self.site_xy_m = site_xy_m
        self._survey = Survey(radio, site_xy_m, seed)
        cap = radio.max_efficiency_bps_hz or float("inf")
        down_hz = radio.downlink_bandwidth_hz or radio.bandwidth_hz
        sites = range(len(site_xy_m))
        self.up: list[Cell] = [make_cell(clock, radio.access, radio.bandwidth_hz, cap, uplink=True) for _ in sites]
        self.down: list[Cell] = [make_cell(clock, radio.access, down_hz, cap, uplink=False) for _ in sites]
        self._outside: dict[Transfer, int] = {}
        """Transfers without a medium (no coverage, or in the middle of a handover), numbered in order of time."""
        self._sent: list[Transfer] = []
        """Transfers that have no bearer yet: sent since the last tick."""
        self._bearers: dict[int, dict[tuple[bool, int, float], RadioBearer]] = {}
        """Bearers of each vehicle by direction, pinned site and power: a tick looks at these, not at transfers."""
        self._uncovered: dict[CoverageWait, None] = {}
        """Results that wait until their vehicles have a cell."""
        self._busy_s = np.zeros((2, len(site_xy_m)))
        self._ticked_s = 0.0
        self._cells_changed = facts.batch(CellChanged)
        self._moved = facts.recorder(TransferMoved)
        self.air: Air
        self._row: dict[int, int] = {}
        self._serving: list[int] = []
        self._snr_per_w: list[float] = []
        self._down_snr: list[float] = []

    # --- what a story uses -----------------------------------------------------------------------------------------

    def uplink(
        self, vehicle: int, task: int, size_bit: float, power_w: float, share: float, pinned: int = NOWHERE
    ) -> Transfer:
        """Send from a vehicle to its serving site and return the transfer, a wait.

        Args:
            vehicle: vehicle number.
            task: number of the task that sends; NOWHERE if none does.
            size_bit: bits to send.
            power_w: transmit power.
            share: weight in the cell, in (0, 1].
            pinned: site to send to instead of the serving one; NOWHERE for the serving one.
        """
        return self._send(Uplink(vehicle, task, size_bit, power_w, share, pinned), self.up)

    def downlink(self, vehicle: int, task: int, size_bit: float, pinned: int = NOWHERE) -> Transfer:
        """Send to a vehicle from its serving site and return the transfer, a wait.

        Args:
            vehicle: vehicle number.
            task: number of the task that receives; NOWHERE if none does.
            size_bit: bits to send.
            pinned: site to send from instead of the serving one; NOWHERE for the serving one.
        """
        return self._send(Downlink(vehicle, task, size_bit, 0.0, 1.0, pinned), self.down)

    def carry_up(self, site: int, size_bit: float, snr: FloatArray) -> Bundle:
        """Send the messages of vehicles to their serving site, as one flow of weight 1 beside the transfers.

        It keeps its gain and its cell whatever its vehicles do, because messages are short.

        Args:
            site: site number of the cell.
            size_bit: bits of all messages.
            snr: signal over noise and interference of each vehicle that sends, linear, (V,).
        """
        cell = self.up[site]
        bundle = Bundle(size_bit, cell.joint_gain(snr))
        cell.start(bundle)
        return bundle

    def serving(self, vehicle: int) -> int:
        """Return the site that serves a vehicle now, or NOWHERE."""
        row = self._row.get(vehicle)
        return NOWHERE if row is None else self._serving[row]

    def coverage(self, vehicle: int) -> CoverageWait:
        """Return a wait until a site serves a vehicle that is on the map and in no cell now.

        It is over right after the tick that brings a cell, and fails with LinkLost after `radio.outage_s`, or with
        VehicleGone.
        """
        wait = CoverageWait(vehicle)
        self._uncovered[wait] = None
        self._clock.at(self._clock.now + self._radio.outage_s, partial(self._give_up, wait))
        return wait

    def place(self, vehicle: int) -> tuple[float, float]:
        """Return x and y in m of a vehicle on the map at the last tick."""
        x_m, y_m = self.air.xy_m[self._row[vehicle]].tolist()
        return x_m, y_m

    # --- what the tick does ----------------------------------------------------------------------------------------

    def tick(self, numbers: IntArray, xy_m: FloatArray, left: IntArray, tick: int) -> None:
        """Update serving sites and rates to new positions; transfers follow, and those of vehicles that left are lost.

        Args:
            numbers: vehicles on the map, (N,), ascending.
            xy_m: their positions, (N, 2).
            left: vehicles that have left since the last tick.
            tick: number of the tick.
        """
        now = self._clock.now
        # Before the survey: its rows are those of the vehicles that are still there.
        if len(left):
            self._bear()
            gone = dict.fromkeys(left.tolist())
            bearers = [bearer for vehicle in gone for bearer in self._bearers.pop(vehicle, {}).values()]
            for transfer in _in_order(bearers):
                transfer.cancel(VehicleGone())
            for wait in [wait for wait in self._uncovered if wait.vehicle in gone and wait.error is None]:
                wait.cancel(VehicleGone())
        up_busy, down_busy = self._activity(tick)
        self.air = air = self._survey.update(numbers, xy_m, tick, up_busy, down_busy)
        self._row = air.row
        place = np.arange(0, air.sites.size, air.sites.shape[1]) + air.slot
        covered = air.serving >= 0
        self._serving = air.serving.tolist()
        self._snr_per_w = (air.snr_per_w.take(place) * covered).tolist()
        self._down_snr = (air.down_snr.take(place) * covered).tolist()
        if len(air.changed):
            rows = air.changed
            self._cells_changed(
                time_s=now, vehicle=air.numbers[rows], from_site=air.before[rows], to_site=air.serving[rows]
            )
        self._follow()
        self._end_waits()

    def _end_waits(self) -> None:
        """End the waits for a cell of the vehicles that have one now, once all parts have seen the tick."""
        still: dict[CoverageWait, None] = {}
        for wait in self._uncovered:
            if wait.error is not None:
                continue
            if self.serving(wait.vehicle) == NOWHERE:
                still[wait] = None
            else:
                self._clock.at(self._clock.now, partial(_resume, wait))
        self._uncovered = still

    def _give_up(self, wait: CoverageWait) -> None:
        if wait in self._uncovered and wait.error is None:
            del self._uncovered[wait]
            wait.cancel(LinkLost())

    def _activity(self, tick: int) -> tuple[FloatArray, FloatArray]:
        """Return the busy share of each cell and direction since the last tick; 0 unless interference is modelled."""
        if not self._radio.interference or tick == 0:
            return self._busy_s[0], self._busy_s[1]
        for cell in (*self.up, *self.down):
            cell.settle()
        busy_s = np.array([[cell.busy_s for cell in self.up], [cell.busy_s for cell in self.down]])
        share = (busy_s - self._busy_s) / (self._clock.now - self._ticked_s)
        self._busy_s = busy_s
        return share[0], share[1]

    def _follow(self) -> None:
        """Move the active transfers to where their vehicles are."""
        self._ticked_s = self._clock.now
        self._bear()
        moved: list[RadioBearer] = []
        touched: set[tuple[bool, int]] = set()
        self._bearers = {
            vehicle: used
            for vehicle, bearers in self._bearers.items()
            if (used := {key: bearer for key, bearer in bearers.items() if bearer.flows})
        }
        for vehicle, bearers in self._bearers.items():
            row = self.air.row.get(vehicle)
            if row is None:
                continue  # sent to a vehicle that is gone: about to be lost
            for bearer in bearers.values():
                before = bearer.site
                bearer.site, snr = self._link(bearer, row)
                if bearer.site >= 0:
                    bearer.gain = self._cells(bearer)[bearer.site].gain(snr)
                if bearer.site != before:
                    moved.append(bearer)
                elif any(transfer.medium is not None for transfer in bearer.flows):
                    touched.add((not bearer.uplink, bearer.site))
        for transfer in _in_order(moved):
            self._change(transfer, cast("RadioBearer", transfer.bearer).site)
        for downlink, site in sorted(touched):
            (self.down if downlink else self.up)[site].retune()

    def _bear(self) -> None:
        """Give bearers to the transfers that have none."""
        for transfer in self._sent:
            if transfer.medium is not None or transfer.outside is not None:
                bearers = self._bearers.setdefault(transfer.vehicle, {})
                key = (transfer.uplink, transfer.pinned, transfer.power_w)
                bearer = bearers.get(key)
                if bearer is None:
                    bearers[key] = bearer = RadioBearer(transfer)
                bearer.add(transfer)
        self._sent.clear()

    def _cells(self, way: Transfer | RadioBearer) -> Sequence[Cell]:
        return self.up if way.uplink else self.down

    def _link(self, way: Transfer | RadioBearer, row: int) -> tuple[int, float]:
        """Return site and signal-to-noise ratio of a transfer or bearer now; NOWHERE and 0 without coverage."""
        uplink = way.uplink
        if way.pinned < 0:
            return self._serving[row], self._snr_per_w[row] * way.power_w if uplink else self._down_snr[row]
        air = self.air
        sites = air.sites[row].tolist()
        if way.pinned not in sites:
            return NOWHERE, 0.0
        snr = (air.snr_per_w if uplink else air.down_snr).item(row, sites.index(way.pinned))
        return (way.pinned, snr * way.power_w if uplink else snr) if snr > 0.0 else (NOWHERE, 0.0)

    # --- the way of a transfer -------------------------------------------------------------------------------------

    def _send(self, transfer: Transfer, cells: Sequence[Cell]) -> Transfer:
        self._sent.append(transfer)
        row = self._row.get(transfer.vehicle)
        if row is None:
            self._wait_outside(transfer)
            self._clock.at(self._clock.now, partial(self._lose, transfer, transfer.waits, VehicleGone()))
            return transfer
        site, snr = self._link(transfer, row)
        if site < 0:
            self._suspend(transfer)
        else:
            transfer.site = site
            cell = cells[site]
            transfer.gain = cell.gain(snr)
            cell.start(transfer)
        return transfer

    def _change(self, transfer: Transfer, site: int) -> None:
        """Hand an active transfer over to another cell, or out of or back into coverage."""
        if transfer.medium is not None:
            transfer.medium.withdraw(transfer)
            if self._radio.handover.transfer == "restart":
                transfer.left = transfer.size
        direction = Direction.UPLINK if transfer.uplink else Direction.DOWNLINK
        if transfer.task != NOWHERE:
            self._moved(self._clock.now, transfer.task, direction, transfer.site, site, transfer.left)
        came_back = transfer.site == NOWHERE
        transfer.site = site
        transfer.waits += 1  # timers set before now are out of date
        if site == NOWHERE:
            self._suspend(transfer)
            return
        transfer.handovers += not came_back
        interruption_s = 0.0 if came_back else self._radio.handover.interruption_s
        if interruption_s > 0.0:
            self._wait_outside(transfer)
            self._clock.at(self._clock.now + interruption_s, partial(self._join, transfer, transfer.waits))
        else:
            self._join(transfer, transfer.waits)

    def _join(self, transfer: Transfer, waits: int) -> None:
        if transfer.waits != waits or transfer.error is not None:
            return
        transfer.enter()
        cell = self._cells(transfer)[transfer.site]
        transfer.gain = cast("RadioBearer", transfer.bearer).gain
        cell.start(transfer)

    def _wait_outside(self, transfer: Transfer) -> None:
        self._outside.setdefault(transfer, next(self._clock.numbers))
        transfer.outside = self._outside

    def _suspend(self, transfer: Transfer) -> None:
        self._wait_outside(transfer)
        give_up_s = self._clock.now + self._radio.outage_s
        self._clock.at(give_up_s, partial(self._lose, transfer, transfer.waits, LinkLost()))

    def _lose(self, transfer: Transfer, waits: int, error: Failure) -> None:
        if transfer.waits == waits and transfer.error is None:
            transfer.cancel(error)


def _in_order(bearers: Iterable[RadioBearer]) -> list[Transfer]:
    """Return the transfers of bearers: those in cells, uplinks first, by cell and entry, then those outside."""

    def place(transfer: Transfer) -> tuple[int, int, int]:
        if transfer.outside is not None:
            return 2, 0, transfer.outside[transfer]
        return int(not transfer.uplink), transfer.site, transfer.entry

    return sorted((transfer for bearer in bearers for transfer in bearer.transfers), key=place)


def _resume(wait: CoverageWait) -> None:
    if wait.error is None:  # else cancelled since the tick
        wait.resume(wait)
