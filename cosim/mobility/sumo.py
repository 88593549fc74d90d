"""Traffic that SUMO moves during the run, through libsumo or traci."""

import logging
import shlex
import time

import numpy as np

from cosim.errors import InputError, RunError
from cosim.kernel.rng import stream_key
from cosim.mobility.catalog import MapFiles, net_of
from cosim.mobility.elements import refuse_outputs
from cosim.mobility.frames import CENTI, Roster, build_frame
from cosim.mobility.libsumo_link import LibsumoLink
from cosim.mobility.link import Link, Motion, SumoError
from cosim.mobility.probe import see_it_loads
from cosim.mobility.references import SILENT
from cosim.mobility.source import MobilityFrame
from cosim.mobility.traci_link import TraciLink
from cosim.roads.net import Bounds, read_bounds
from cosim.scenario.traffic import LibsumoMobility, TraciMobility

_NOWHERE_M = -(2.0**30)
"""The position that SUMO reports for a vehicle that is being teleported."""
_FARTHEST_M = 2.0**31 / CENTI
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
        InputError: SUMO refuses the map or would write, the port is busy, or a time does not fit SUMO's clock.
        RunError: libsumo already runs a simulation in this process.
    """

    step_s: float
    bounds_m: Bounds

    def __init__(self, files: MapFiles, mobility: LibsumoMobility | TraciMobility, seed: int) -> None:
        self.step_s = mobility.step_s
        self.bounds_m = read_bounds(net_of(files))
        self._roster = Roster()
        self._next_tick = 0
        self._hidden: list[str] = []  # departed, and not on the road so far
        _check_times(mobility, files)
        refuse_outputs(files.inputs)
        options = sumo_options(files, mobility, seed)
        logger.debug("SUMO's options: %s", shlex.join(options))
        if isinstance(mobility, LibsumoMobility):
            see_it_loads(files, options)
        try:
            self.link = _start(options, mobility)
        except SumoError as lost:
            raise InputError(f"map={files.name}: SUMO refuses it: {lost}") from lost
        try:
            self._drive_to(mobility.begin_s)
        except SumoError as lost:
            raise InputError(f"map={files.name}: SUMO ended before mobility.begin_s: {lost}") from lost

    def _drive_to(self, begin_s: float) -> None:
        """Advance SUMO from where it starts to begin_s, and say how far it is; close it if that fails."""
        link, told_s = self.link, time.monotonic()
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
        self.link.close()

    def _frame(self, tick: int) -> MobilityFrame:
        no_one: tuple[str, ...] = ()
        if tick == 0:
            appeared, arrived = self.link.present(), no_one
        else:
            appeared, arrived = self.link.step()
        roster = self._roster
        left = roster.leave(arrived)
        # A vehicle that departs and arrives within one step is never seen; one that teleports at begin_s enters later,
        # and so does one that is not on the road at the end of its first step: a calibrator may be about to remove it.
        new = [name for name in sorted({*appeared, *self._hidden} - set(arrived)) if name not in roster]
        shown = ~np.isnan(self._motion(new)[0][:, 0])
        self._hidden = [name for name, seen in zip(new, shown, strict=True) if not seen]
        new = [name for name, seen in zip(new, shown, strict=True) if seen]
        entered = roster.enter([(name, self.link.type_of(name)) for name in new])
        return build_frame(tick * self.step_s, roster.numbers, self._motion(roster.ids), entered, left)

    def _motion(self, vehicle_ids: list[str]) -> Motion:
        """Return the raw motion of vehicles, with NaN for the position of one that is being teleported."""
        xy_m, speed_mps, heading_deg = self.link.motion(vehicle_ids)
        xy_m[xy_m[:, 0] == _NOWHERE_M] = np.nan
        far = np.flatnonzero((np.abs(xy_m) >= _FARTHEST_M).any(axis=1) | ~np.isfinite(speed_mps))
        if len(far):  # SUMO lets vehicles drive on lanes whose shape is none
            x_m, y_m = xy_m[far[0]]
            raise SumoError(f"it has vehicle {vehicle_ids[far[0]]} at x={x_m:g}, y={y_m:g} m, so the net is damaged")
        return xy_m, speed_mps, heading_deg


def sumo_options(files: MapFiles, mobility: LibsumoMobility | TraciMobility, seed: int) -> list[str]:
    """Return SUMO's options without begin_s; its seed is derived from the scenario's and fits SUMO's 31 bits.

    The map's configuration is SUMO's to read; what stands here goes before it. Its files are named again by their
    paths, because SUMO takes %20 in the path of a file that a configuration names for a space.

    Args:
        files: files of the map.
        mobility: section of the scenario.
        seed: seed of the scenario.
    """
    options = [] if files.configuration is None else ["--configuration-file", str(files.configuration)]
    options += ["--net-file", str(files.net)]
    if files.routes:
        options += ["--route-files", ",".join(map(str, files.routes))]
    if files.additional:
        options += ["--additional-files", ",".join(map(str, files.additional))]
    for option, paths in files.further:
        options += [f"--{option}", ",".join(map(str, paths))]
    options += ["--step-length", f"{mobility.step_s:.3f}", "--seed", str(stream_key(seed, "sumo") % 2**31)]
    options += ["--scale", repr(mobility.scale), "--time-to-teleport", repr(mobility.teleport_s)]
    if mobility.max_vehicles is not None:
        options += ["--max-num-vehicles", str(mobility.max_vehicles)]
    options += ["--device.ssm.file", SILENT, "--xml-validation", "never", "--xml-validation.net", "never"]
    return [*options, "--no-step-log", "true", "--no-warnings", "true", "--duration-log.disable", "true"]


def _check_times(mobility: LibsumoMobility | TraciMobility, files: MapFiles) -> None:
    step_ms = mobility.step_s * 1000.0
    if abs(step_ms - round(step_ms)) > 1e-6 or round(step_ms) < 1:
        raise InputError(f"mobility.step_s={mobility.step_s!r} is not a multiple of 0.001 s, SUMO's clock; round it")
    begin_s, start_s = mobility.begin_s, files.start_s
    if begin_s < start_s:
        raise InputError(
            f"mobility.begin_s={begin_s:g} is before {start_s:.10g} s, the begin of {files.configuration}; "
            f"use {files.begin_s:.10g}, from which on the map is filled"
        )
    steps = (begin_s - start_s) / mobility.step_s
    if abs(steps - round(steps)) > 1e-6:
        after = f" after {start_s:.10g} s, the begin of the map's configuration" if start_s else ""
        raise InputError(
            f"mobility.begin_s={begin_s:.10g} is not a multiple of mobility.step_s={mobility.step_s:g}{after}; round it"
        )


def check_end(mobility: LibsumoMobility | TraciMobility, files: MapFiles, duration_s: float) -> None:
    """Check that a run ends no later than the map's configuration.

    Args:
        mobility: section of the scenario.
        files: files of the map.
        duration_s: duration of the run.

    Raises:
        InputError: it ends later.
    """
    if files.stop_s is not None and mobility.begin_s + duration_s > files.stop_s + 1e-6:
        raise InputError(
            f"duration_s={duration_s:g}: the run would end at t={mobility.begin_s + duration_s:.10g} s, after "
            f"{files.stop_s:.10g} s, the end of {files.configuration}; shorten it, or change the end there"
        )


def _start(options: list[str], mobility: LibsumoMobility | TraciMobility) -> Link:
    if isinstance(mobility, TraciMobility):
        return TraciLink(options, mobility.port, mobility.timeout_s, gui=mobility.gui)
    return LibsumoLink(options)
