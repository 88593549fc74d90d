"""Traffic that SUMO moves during the run, through libsumo or traci."""

import logging
import time

import numpy as np

from cosim.errors import InputError, RunError
from cosim.kernel.rng import stream_key
from cosim.mobility.catalog import MapFiles, net_of
from cosim.mobility.frames import Roster, build_frame
from cosim.mobility.libsumo_link import LibsumoLink
from cosim.mobility.link import Link, SumoError
from cosim.mobility.source import MobilityFrame
from cosim.mobility.traci_link import TraciLink
from cosim.roads.net import Bounds, read_bounds
from cosim.scenario.traffic import LibsumoMobility, TraciMobility

_NOWHERE_M = -1e9
"""SUMO reports -2^30 for the position of a vehicle that is being teleported."""
_HALF_TICK_S = 5e-4
"""Half of the millisecond of SUMO's clock."""
_TOLD_EACH_S = 5.0
logger = logging.getLogger(__name__)


class SumoMobility:
    """SUMO as a source of traffic, one step for each tick; frames are the same through libsumo and traci.

    Tick n is traffic time `begin_s + n step_s`, as SUMO's clock shows it after the step; SUMO's FCD output has the same
    positions one step earlier. The same SUMO drives the traffic before begin_s, so that the frames are those of an
    unbroken run. Persons are left out.

    Args:
        files: files of the map.
        mobility: section of the scenario.
        seed: seed of the scenario.

    Raises:
        InputError: SUMO refuses the map, the port is busy, or a time does not fit SUMO's clock.
        RunError: libsumo already runs a simulation in this process.
    """

    step_s: float
    bounds_m: Bounds

    def __init__(self, files: MapFiles, mobility: LibsumoMobility | TraciMobility, seed: int) -> None:
        self.step_s = mobility.step_s
        self.bounds_m = read_bounds(net_of(files))
        self._roster = Roster()
        self._next_tick = 0
        _check_times(mobility)
        options = sumo_options(files, mobility, seed)
        try:
            self._link = _start(options, mobility)
        except SumoError as lost:
            raise InputError(f"map={files.name}: SUMO refuses it: {lost}") from lost
        try:
            self._drive_to(mobility.begin_s)
        except SumoError as lost:
            raise InputError(f"map={files.name}: SUMO ended before mobility.begin_s: {lost}") from lost

    def _drive_to(self, begin_s: float) -> None:
        """Advance SUMO from where it starts to begin_s, and say how far it is; close it if that fails."""
        link, told_s = self._link, time.monotonic()
        try:
            if link.time_s() < begin_s:
                logger.info("SUMO drives up to t=%g s, where the run's clock starts", begin_s)
            while (now_s := link.time_s()) < begin_s - _HALF_TICK_S:
                link.advance_to(now_s + self.step_s)
                if time.monotonic() - told_s > _TOLD_EACH_S:
                    told_s = time.monotonic()
                    logger.info("SUMO is at t=%g s of %g s", now_s, begin_s)
        except BaseException:
            link.close()
            raise

    def advance(self, tick: int) -> MobilityFrame:
        """Return the frame of a tick.

        Raises:
            ValueError: the tick is not the next one.
            RunError: SUMO ended.
        """
        if tick != self._next_tick:
            raise ValueError(f"tick {tick} asked, {self._next_tick} is next; ticks come in order")
        self._next_tick += 1
        try:
            return self._frame(tick)
        except SumoError as lost:
            self.close()
            raise RunError(f"SUMO ended at t={tick * self.step_s:g} s: {lost}; correct that and run again") from lost

    def close(self) -> None:
        """Close the source; may be called twice."""
        self._link.close()

    def _frame(self, tick: int) -> MobilityFrame:
        no_one: tuple[str, ...] = ()
        if tick == 0:
            appeared, arrived = self._link.present(), no_one
        else:
            appeared, arrived = self._link.step()
        roster = self._roster
        left = roster.leave(arrived)
        # A vehicle that departs and arrives within one step is never seen; one that teleports at begin_s enters later.
        new = [name for name in sorted(set(appeared) - set(arrived)) if name not in roster]
        entered = roster.enter([(name, self._link.type_of(name)) for name in new])
        xy_m, speed_mps, heading_deg = self._link.motion(roster.ids)
        xy_m[xy_m[:, 0] < _NOWHERE_M] = np.nan
        return build_frame(tick * self.step_s, roster.numbers, (xy_m, speed_mps, heading_deg), entered, left)


def sumo_options(files: MapFiles, mobility: LibsumoMobility | TraciMobility, seed: int) -> list[str]:
    """Return SUMO's options without begin_s; its seed is derived from the scenario's and fits SUMO's 31 bits.

    Args:
        files: files of the map.
        mobility: section of the scenario.
        seed: seed of the scenario.
    """
    options = ["--net-file", str(files.net)]
    if files.routes:
        options += ["--route-files", ",".join(map(str, files.routes))]
    if files.additional:
        options += ["--additional-files", ",".join(map(str, files.additional))]
    options += ["--step-length", f"{mobility.step_s:.3f}", "--seed", str(stream_key(seed, "sumo") % 2**31)]
    options += ["--scale", repr(mobility.scale), "--time-to-teleport", repr(mobility.teleport_s)]
    if mobility.max_vehicles is not None:
        options += ["--max-num-vehicles", str(mobility.max_vehicles)]
    options += ["--xml-validation", "never", "--xml-validation.net", "never"]
    return [*options, "--no-step-log", "true", "--no-warnings", "true", "--duration-log.disable", "true"]


def _check_times(mobility: LibsumoMobility | TraciMobility) -> None:
    step_ms = mobility.step_s * 1000.0
    if abs(step_ms - round(step_ms)) > 1e-6 or round(step_ms) < 1:
        raise InputError(f"mobility.step_s={mobility.step_s!r} is not a multiple of 0.001 s, SUMO's clock; round it")
    steps = mobility.begin_s / mobility.step_s
    if abs(steps - round(steps)) > 1e-6:
        raise InputError(
            f"mobility.begin_s={mobility.begin_s:g} is not a multiple of mobility.step_s={mobility.step_s:g}; round it"
        )


def _start(options: list[str], mobility: LibsumoMobility | TraciMobility) -> Link:
    if isinstance(mobility, TraciMobility):
        return TraciLink(options, mobility.port, mobility.timeout_s, gui=mobility.gui)
    return LibsumoLink(options)
