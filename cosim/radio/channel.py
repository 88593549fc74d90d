"""Transfers over the air: they follow their vehicle from cell to cell, wait without coverage, and may be lost.

Before its first bit a transfer waits for the grant of its cell (`radio.grant_s`), and again in each other cell and when
coverage is back. While it waits it is in no medium: it sends nothing, draws nothing and takes no share.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from operator import attrgetter
from typing import ClassVar, cast

import numpy as np

from cosim.kernel.clock import Clock, Wait
from cosim.kernel.fluid import Bearer, Flow, Medium
from cosim.radio.cell import Cell, NomaCell, make_cell
from cosim.radio.interference import Emission, EmissionMeter, Emissions, Emitter
from cosim.radio.power import RadiatedBearer, RadiatedFlow, VehicleRadios
from cosim.radio.survey import Air, Survey
from cosim.scenario.bands import downlink_band, uplink_band
from cosim.scenario.schema import Fixed, Radio
from cosim.trace.facts.run import CellChanged, TransferGranted, TransferMoved
from cosim.trace.store.writer import FactWriter
from cosim.types import NOWHERE, Direction, Failure, FloatArray, IntArray, Status, VehicleGone


class LinkLost(Failure):
    """A transfer, or a result before its downlink, had no coverage for longer than `radio.outage_s`."""

    status = Status.NO_COVERAGE


class RadioBearer(RadiatedBearer):
    """The transfers of one vehicle in one direction, at one power and with one pinned site: they always share a cell.

    Args:
        channel: all cells.
        transfer: its first one.
        site: the site of their cell; NOWHERE without coverage.
    """

    def __init__(self, channel: "Channel", transfer: "Transfer", site: int) -> None:
        self.uplink = transfer.uplink
        self.direction = transfer.direction
        self.pinned = transfer.pinned
        self.site = site
        """Site of their cell; NOWHERE without coverage."""
        self.moves = 0
        """Number of changes of cell or coverage so far; a timer set before the last one is out of date."""
        self._channel = channel
        meter, radios = channel.shared_by(transfer.uplink)
        super().__init__(channel.cell(transfer.uplink, site), transfer.vehicle, transfer.power_w, meter, radios)

    @property
    def transfers(self) -> "dict[Transfer, None]":
        """Transfers that are not over, in the order in which they were sent."""
        return cast("dict[Transfer, None]", self.flows)

    def follow(self, site: int) -> None:
        """Belong to the cell of another site, or to none, while no transfer is active."""
        self.site = site
        self.moves += 1
        self.medium = self._channel.cell(self.uplink, site)
        self.set_density(self.power_w)

    def tune(self) -> None:
        """Set gain and noise to what positions and its density give now."""
        self._channel.tune(self)

    def emissions(self, power_w: float, ended: bool) -> Iterable[Emission]:
        """Return what its sender sent."""
        return ((self.sender, self.site, power_w, ended, self.pinned < 0),)


class Transfer(RadiatedFlow):
    """Bits between a vehicle and a site.

    Args:
        vehicle: vehicle number.
        task: number of its task; NOWHERE for none.
        size_bit: bits to send.
        power_w: transmit power of the sender.
        share: weight in the cell, in (0, 1].
        pinned: site to use instead of the serving one; NOWHERE for the serving one.
    """

    uplink: ClassVar[bool]
    direction: ClassVar[Direction]
    bearer: RadioBearer | None = None
    gain = 1.0
    site = NOWHERE
    """Number of the cell it is in, or was in last."""
    handovers = 0
    """Number of changes from one cell to another."""
    outside = -1
    """Its number, in order of time, among the transfers without a medium; -1 while it has one."""

    def __init__(self, vehicle: int, task: int, size_bit: float, power_w: float, share: float, pinned: int) -> None:
        self.size = size_bit
        self.left = size_bit
        self.weight = share
        self.vehicle = vehicle
        self.task = task
        self.pinned = pinned
        self.power_w = power_w


class Uplink(Transfer):
    """From a vehicle to a site."""

    uplink = True
    direction = Direction.UPLINK


class Downlink(Transfer):
    """From a site to a vehicle."""

    uplink = False
    direction = Direction.DOWNLINK


class BundleBearer(Emitter):
    """The bearer of one flow that carries short messages of many vehicles to one site, and ends with the last of them.

    Args:
        cell: the site's uplink.
        site: site number of the cell.
        vehicles: the senders, (V,).
        turns: share of the flow's time in which each of them sends, (V,).
        power_w: transmit power of each.
        meter: measures what they send.
    """

    def __init__(
        self, cell: Cell, site: int, vehicles: IntArray, turns: FloatArray, power_w: float, meter: EmissionMeter
    ) -> None:
        super().__init__(cell, power_w, meter)
        self._site = site
        self._senders = list(zip(vehicles.tolist(), turns.tolist(), strict=True))

    def emissions(self, power_w: float, ended: bool) -> Iterable[Emission]:
        """Return what its senders sent, in turn."""
        return [(vehicle, self._site, power_w * turn, ended, ended) for vehicle, turn in self._senders]


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
        up, down = uplink_band(radio), downlink_band(radio)
        sites = range(len(site_xy_m))
        self.up: list[Cell] = [make_cell(clock, radio.access, up.band_hz, up.curve, uplink=True) for _ in sites]
        self.down: list[Cell] = [make_cell(clock, radio.access, down.band_hz, down.curve, uplink=False) for _ in sites]
        # All cells of one direction have the same gains.
        self._up_gain, self._down_gain = self.up[0].gain, self.down[0].gain
        self._needs_noise = radio.interference and isinstance(self.up[0], NomaCell)
        """Whether flows that disturb each other in a cell are disturbed from outside."""
        self._bearers: dict[int, dict[tuple[bool, int, float], RadioBearer]] = {}
        """Bearers of each vehicle by direction, pinned site and power: a tick looks at these, not at transfers."""
        self._loose: list[Transfer] = []
        """Transfers sent since the last tick that have no bearer: nobody else hears them, and their radio is theirs."""
        self._meters: tuple[EmissionMeter, EmissionMeter] | None = None
        """What uplinks and downlinks send; None without interference."""
        if radio.interference:
            band_share = radio.access.slice_share if isinstance(radio.access, Fixed) else 1.0
            self._meters = EmissionMeter(band_share), EmissionMeter(band_share)
        power_w = radio.vehicle_power_w
        self.radios = VehicleRadios(clock, power_w, self._tie) if radio.power == "per_radio" else None
        """The radios of the vehicles, whose power their flows share; None where each transfer has its own."""
        self._uncovered: dict[CoverageWait, None] = {}
        """Results that wait until their vehicles have a cell."""
        self._ticked_s = 0.0
        self._cells_changed = facts.batch(CellChanged)
        self._moved = facts.batch(TransferMoved)
        self._granted = facts.recorder(TransferGranted)
        self.grant_s = {Direction.UPLINK: radio.grant_s.uplink, Direction.DOWNLINK: radio.grant_s.downlink}
        """Time that each transfer of a direction waits for its grant, in s."""
        self._up_at_once = self._meters is None and not radio.grant_s.uplink
        self._down_at_once = self._meters is None and not radio.grant_s.downlink
        """Whether a transfer without a bearer may begin as soon as it is sent."""
        self.air: Air
        self._row: dict[int, int] = {}
        self._serving: list[int] = []
        self._up_link: list[tuple[int, float]] = []
        """Serving site of each row, and the signal-to-noise ratio of its uplink for each watt, 0 without coverage."""
        self._clean_snr_per_w: list[float] = []
        self._down_link: list[tuple[int, float]] = []
        """Serving site of each row, and the signal-to-noise ratio of its downlink, 0 without coverage."""

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
        transfer = Uplink(vehicle, task, size_bit, power_w, share, pinned)
        row = self._row.get(vehicle)
        if row is None:
            return self._miss(transfer)
        site, snr_per_w = self._up_link[row] if pinned < 0 else self._link(row, True, pinned)
        if site < 0 or not self._up_at_once or not (self.radios is None or self.radios.alone(transfer)):
            return self._send(transfer, row, site)
        cell = self.up[site]
        transfer.site = site
        transfer.gain = cell.gain(snr_per_w * power_w)
        self._loose.append(transfer)
        cell.start(transfer)
        return transfer

    def downlink(self, vehicle: int, task: int, size_bit: float, pinned: int = NOWHERE) -> Transfer:
        """Send to a vehicle from its serving site and return the transfer, a wait.

        Args:
            vehicle: vehicle number.
            task: number of the task that receives; NOWHERE if none does.
            size_bit: bits to send.
            pinned: site to send from instead of the serving one; NOWHERE for the serving one.
        """
        transfer = Downlink(vehicle, task, size_bit, self._radio.site_power_w, 1.0, pinned)
        row = self._row.get(vehicle)
        if row is None:
            return self._miss(transfer)
        site, snr = self._down_link[row] if pinned < 0 else self._link(row, False, pinned)
        if site < 0 or not self._down_at_once:
            return self._send(transfer, row, site)
        cell = self.down[site]
        transfer.site = site
        transfer.gain = cell.gain(snr)
        self._loose.append(transfer)
        cell.start(transfer)
        return transfer

    def carry_up(self, site: int, size_bit: float, vehicles: IntArray, snr: FloatArray) -> Flow:
        """Send the messages of vehicles to their serving site, as one flow of weight 1 beside the transfers.

        It keeps its gain and its cell whatever its vehicles do, because messages are short. Their requests run side by
        side, so that it waits for one grant.

        Args:
            site: site number of the cell.
            size_bit: bits of all messages.
            vehicles: the vehicles that send, (V,).
            snr: signal over noise and interference of each vehicle that sends, linear, (V,).
        """
        cell = self.up[site]
        flow = Flow(size_bit, cell.joint_gain(snr))
        if self._meters is not None:
            power_w = self._radio.vehicle_power_w
            bearer = BundleBearer(cell, site, vehicles, cell.turns(snr), power_w, self._meters[0])
            rows = self.air.numbers.searchsorted(vehicles)
            clean_snr = self.air.clean_snr_per_w[rows, self.air.slot[rows]] * power_w
            bearer.gain, bearer.noise = flow.gain, float(clean_snr.mean() / snr.mean())
            bearer.add(flow)
        grant_s = self.grant_s[Direction.UPLINK]
        if grant_s == 0.0:
            return cell.start(flow)
        self._clock.at(self._clock.now + grant_s, partial(_start, cell, flow))
        return flow

    def stop(self, transfers: Iterable[Transfer]) -> None:
        """Take transfers out of their cells together, each of which is cancelled next: cheaper than one by one."""
        places: dict[Medium | None, list[Transfer]] = {}
        for transfer in transfers:
            places.setdefault(transfer.medium, []).append(transfer)
        for medium, together in places.items():
            if medium is not None:
                medium.withdraw_all(together)

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

    # --- what a bearer uses ----------------------------------------------------------------------------------------

    def cell(self, uplink: bool, site: int) -> Cell | None:
        """Return one direction of the cell of a site; None for NOWHERE."""
        return (self.up if uplink else self.down)[site] if site >= 0 else None

    def shared_by(self, uplink: bool) -> tuple[EmissionMeter | None, VehicleRadios | None]:
        """Return what measures the transfers of one direction and the radios that share their power, if any do."""
        meter = None if self._meters is None else self._meters[0 if uplink else 1]
        return meter, self.radios if uplink else None

    def tune(self, bearer: RadioBearer) -> None:
        """Set gain and noise of a bearer to what positions and its density give now."""
        row = self._row.get(bearer.sender)
        if row is not None:  # else about to be lost
            self._tune(bearer, row, *self._link(row, bearer.uplink, bearer.pinned))

    def _tune(self, bearer: RadioBearer, row: int, site: int, snr: float) -> None:
        if not bearer.uplink:
            bearer.gain = self._down_gain(snr)
            return
        snr *= bearer.density_w
        if self._needs_noise:
            clean_snr_per_w = self._clean_snr_per_w[row]
            if bearer.pinned >= 0:
                clean_snr_per_w = self.air.clean_snr_per_w.item(row, self.air.sites[row].tolist().index(site))
            bearer.noise = clean_snr_per_w * bearer.density_w / snr
        bearer.gain = self._up_gain(snr)

    # --- what the tick does ----------------------------------------------------------------------------------------

    def tick(
        self, numbers: IntArray, xy_m: FloatArray, left: IntArray, tick: int, coming_m: FloatArray | None = None
    ) -> None:
        """Update serving sites and rates to new positions; transfers follow, and those of vehicles that left are lost.

        Args:
            numbers: vehicles on the map, (N,), ascending.
            xy_m: their positions, (N, 2).
            left: vehicles that have left since the last tick.
            tick: number of the tick.
            coming_m: their positions at the next ticks, (K, N, 2), as far as they are known.
        """
        with nullcontext() if self.radios is None else self.radios.held():
            self._tick(numbers, xy_m, left, tick, coming_m)

    def _tick(
        self, numbers: IntArray, xy_m: FloatArray, left: IntArray, tick: int, coming_m: FloatArray | None
    ) -> None:
        now = self._clock.now
        # Before the survey: its rows are those of the vehicles that are still there.
        for transfer in self._loose:
            if transfer.medium is not None and transfer.bearer is None:
                self._tie(transfer)
        self._loose.clear()
        if self.radios is not None:
            self.radios.forget_alone()
        if len(left):
            gone = dict.fromkeys(left.tolist())
            bearers = [bearer for vehicle in gone for bearer in self._bearers.pop(vehicle, {}).values()]
            for transfer in _take_out(bearers):
                transfer.cancel(VehicleGone())
            for wait in [wait for wait in self._uncovered if wait.vehicle in gone and wait.error is None]:
                wait.cancel(VehicleGone())
        self.air = air = self._survey.update(numbers, xy_m, tick, self._sent(), coming_m)
        self._row = air.row
        place = np.arange(0, air.sites.size, air.sites.shape[1]) + air.slot
        covered = air.serving >= 0
        self._serving = air.serving.tolist()
        self._up_link = list(zip(self._serving, (air.snr_per_w.take(place) * covered).tolist(), strict=True))
        self._clean_snr_per_w = air.clean_snr_per_w.take(place).tolist()
        self._down_link = list(zip(self._serving, (air.down_snr.take(place) * covered).tolist(), strict=True))
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

    def _sent(self) -> tuple[Emissions, Emissions] | None:
        """Return what uplinks and downlinks sent since the last tick; None without interference."""
        if self._meters is None:
            return None
        for cell in (*self.up, *self.down):
            cell.settle()
        passed_s = self._clock.now - self._ticked_s
        up, down = self._meters
        return up.take(passed_s), down.take(passed_s)

    def _follow(self) -> None:
        """Move the active transfers to where their vehicles are."""
        self._ticked_s = self._clock.now
        moved: list[RadioBearer] = []
        spent: list[tuple[int, tuple[bool, int, float]]] = []
        touched: set[Medium | None] = set()
        rows, up_link, down_link = self._row, self._up_link, self._down_link
        for vehicle, bearers in self._bearers.items():
            row = rows[vehicle]
            for key, bearer in bearers.items():
                if not bearer.flows:
                    spent.append((vehicle, key))
                    continue
                if bearer.pinned < 0:
                    site, snr = (up_link if bearer.uplink else down_link)[row]
                else:
                    site, snr = self._link(row, bearer.uplink, bearer.pinned)
                if site != bearer.site:
                    moved.append(bearer)
                elif site >= 0:
                    self._tune(bearer, row, site, snr)
                    if bearer.active:
                        touched.add(bearer.medium)
        for vehicle, key in spent:
            bearers = self._bearers[vehicle]
            del bearers[key]
            if not bearers:
                del self._bearers[vehicle]
        self._move(moved)
        for cell in (*self.up, *self.down):
            if cell in touched:
                cell.retune()

    def _link(self, row: int, uplink: bool, pinned: int) -> tuple[int, float]:
        """Return site and signal-to-noise ratio (uplinks: for each watt) now; NOWHERE and 0 without coverage.

        Args:
            row: row of their vehicle.
            uplink: direction.
            pinned: site that they are pinned to; NOWHERE if to none.
        """
        if pinned < 0:
            return (self._up_link if uplink else self._down_link)[row]
        air = self.air
        sites = air.sites[row].tolist()
        if pinned not in sites:
            return NOWHERE, 0.0
        snr = (air.snr_per_w if uplink else air.down_snr).item(row, sites.index(pinned))
        return (pinned, snr) if snr > 0.0 else (NOWHERE, 0.0)

    # --- the way of a transfer -------------------------------------------------------------------------------------

    def _send(self, transfer: Transfer, row: int, site: int) -> Transfer:
        """Send a transfer that has to have a bearer, or wait for its grant or for coverage with it.

        Args:
            transfer: the transfer.
            row: row of its vehicle.
            site: site of its cell; NOWHERE without coverage.
        """
        transfer.site = site
        self._bear(transfer, row)
        if site < 0:
            self._suspend([transfer])
        elif grant_s := self.grant_s[transfer.direction]:
            self._later([transfer], grant_s, self._begin)
        else:
            (self.up if transfer.uplink else self.down)[site].start(transfer)
        return transfer

    def _miss(self, transfer: Transfer) -> Transfer:
        """Lose a transfer of a vehicle that has left, at this instant."""
        self._clock.at(self._clock.now, partial(_lose, VehicleGone, [transfer]))
        return transfer

    def _tie(self, transfer: RadiatedFlow) -> None:
        """Give an active transfer without a bearer one."""
        assert isinstance(transfer, Transfer)  # noqa: S101 - only transfers are loose
        self._bear(transfer, self._row[transfer.vehicle])
        assert transfer.bearer is not None  # noqa: S101 - it has one now
        transfer.bearer.joins((transfer,), (transfer.weight,), 0.0)

    def _bear(self, transfer: Transfer, row: int) -> None:
        """Have a transfer belong to the bearer of its vehicle, at this row, and its way."""
        bearers = self._bearers.setdefault(transfer.vehicle, {})
        key = (transfer.uplink, transfer.pinned, transfer.power_w)
        bearer = bearers.get(key)
        if bearer is None or not (bearer.flows or bearer.density_w == bearer.power_w):
            site, snr = self._link(row, transfer.uplink, transfer.pinned)
            bearers[key] = bearer = RadioBearer(self, transfer, site)
            if site >= 0:
                self._tune(bearer, row, site, snr)
        bearer.add(transfer)

    def _move(self, bearers: Sequence[RadioBearer]) -> None:
        """Hand bearers with their transfers over to other cells, or out of or back into coverage."""
        transfers = _take_out(bearers)
        handover = self._radio.handover
        inside: dict[float, list[Transfer]] = {0.0: []}
        """Transfers with a cell by the time until they may send: interruption and grant."""
        outside: list[Transfer] = []
        moves: dict[Bearer | None, tuple[int, int, int, int, list[Transfer]]] = {}
        for number, bearer in enumerate(bearers):
            before, row = bearer.site, self._row[bearer.sender]
            site, snr = self._link(row, bearer.uplink, bearer.pinned)
            bearer.follow(site)
            if site >= 0:
                self._tune(bearer, row, site, snr)
            crossed = before >= 0 and site >= 0
            wait_s = self.grant_s[bearer.direction] + (handover.interruption_s if crossed else 0.0)
            way = inside.setdefault(wait_s, []) if site >= 0 else outside
            moves[bearer] = number, before, site, int(crossed), way
        numbers: list[int] = []
        for transfer in transfers:
            number, _, transfer.site, crosses, way = moves[transfer.bearer]
            transfer.handovers += crosses
            way.append(transfer)
            numbers.append(number)
        if handover.transfer == "restart":
            for transfer in transfers:
                transfer.left = transfer.size
        if transfers:
            task = np.array([transfer.task for transfer in transfers])
            left_bit = np.array([transfer.left for transfer in transfers])
            told = (task != NOWHERE).nonzero()[0]
            each = np.array(numbers)[told]
            self._moved(
                time_s=self._clock.now,
                task=task[told],
                direction=np.array([bearer.direction for bearer in bearers])[each],
                from_site=np.array([before for _, before, *_ in moves.values()])[each],
                to_site=np.array([bearer.site for bearer in bearers])[each],
                left_bit=left_bit[told],
            )
        self._suspend(outside)
        at_once = inside.pop(0.0)
        for wait_s, together in inside.items():
            self._later(together, wait_s, self._begin)
        self._join(at_once)

    def _begin(self, transfers: Sequence[Transfer]) -> None:
        """Let transfers run whose interruption is over, and their wait for a grant, which is recorded."""
        now = self._clock.now
        for transfer in transfers:
            grant_s = self.grant_s[transfer.direction]
            if grant_s and transfer.task != NOWHERE:
                self._granted(
                    now, transfer.task, transfer.direction, transfer.vehicle, transfer.site, grant_s, transfer.left
                )
        self._join(transfers)

    def _join(self, transfers: Sequence[Transfer]) -> None:
        """Let transfers run in their cells."""
        joining: dict[Medium | None, list[Transfer]] = {}
        for transfer in transfers:
            bearer = transfer.bearer
            assert bearer is not None  # noqa: S101 - it moves with its bearer
            transfer.outside = -1
            bearer.renew()
            transfer.gain, transfer.noise = bearer.gain, bearer.noise
            joining.setdefault(bearer.medium, []).append(transfer)
        for cell, together in joining.items():
            cast("Cell", cell).start_all(together)

    def _suspend(self, transfers: Sequence[Transfer]) -> None:
        self._later(transfers, self._radio.outage_s, partial(_lose, LinkLost))

    def _later(self, transfers: Sequence[Transfer], wait_s: float, do: Callable[[Sequence[Transfer]], None]) -> None:
        """Have transfers wait outside, and do something with those that have neither moved nor ended until then.

        Args:
            transfers: the transfers, each with a bearer.
            wait_s: time to wait.
            do: what to do.
        """
        if not transfers:
            return
        numbers = self._clock.numbers
        for transfer in transfers:
            if transfer.outside < 0:
                transfer.outside = next(numbers)
        bearers = dict.fromkeys(map(_bearer, transfers))
        moves = [bearer.moves for bearer in bearers]

        def due() -> None:
            still = {bearer for bearer, before in zip(bearers, moves, strict=True) if bearer.moves == before}
            do([transfer for transfer in transfers if transfer.error is None and transfer.bearer in still])

        self._clock.at(self._clock.now + wait_s, due)


def _start(cell: Cell, flow: Flow) -> None:
    if flow.error is None:  # else cancelled while it waited
        cell.start(flow)


_bearer: Callable[[Transfer], RadioBearer] = attrgetter("bearer")
"""Return the bearer of a transfer that has one."""


def _lose(why: type[Failure], transfers: Sequence[Transfer]) -> None:
    for transfer in transfers:
        if transfer.error is None:
            transfer.cancel(why())


def _take_out(bearers: Iterable[RadioBearer]) -> list[Transfer]:
    """Take the transfers of bearers out of their cells: return them by cell and entry, uplinks first, then the rest."""
    inside: dict[tuple[bool, int], list[Transfer]] = {}
    outside: list[Transfer] = []
    for bearer in bearers:
        transfers: Iterable[Transfer] = bearer.transfers
        if bearer.active < len(bearer.transfers):
            outside += [transfer for transfer in transfers if transfer.outside >= 0]
            transfers = [transfer for transfer in transfers if transfer.outside < 0]
        if bearer.active:
            inside.setdefault((not bearer.uplink, bearer.site), []).extend(transfers)
    taken: list[Transfer] = []
    for _, here in sorted(inside.items()):
        here.sort(key=attrgetter("entry"))
        cast("Medium", here[0].medium).withdraw_all(here)
        taken += here
    return taken + sorted(outside, key=attrgetter("outside"))


def _resume(wait: CoverageWait) -> None:
    if wait.error is None:  # else cancelled since the tick
        wait.resume(wait)
