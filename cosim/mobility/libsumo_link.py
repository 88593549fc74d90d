"""SUMO inside this process, through libsumo."""

import importlib
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from itertools import chain
from typing import IO, Any

import numpy as np

from cosim.errors import RunError
from cosim.mobility.link import Motion, SumoError, printed_error


class LibsumoLink:
    """SUMO inside this process; there can be only one at a time.

    Args:
        options: SUMO's command-line options.

    Raises:
        RunError: libsumo already runs a simulation in this process.
        SumoError: SUMO refuses its input.
    """

    def __init__(self, options: list[str]) -> None:
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  closed with the link
        with _quiet(self._printed), redirect_stdout(io.StringIO()):  # Python prints of another pyarrow than its own
            self._sumo: Any = importlib.import_module("libsumo")
        # A RuntimeError, "unknown exception", stands for what C++ throws and libsumo does not know.
        self._errors = (self._sumo.TraCIException, self._sumo.FatalTraCIError, RuntimeError)
        if self._sumo.isLoaded():
            self._printed.close()
            raise RunError(
                "libsumo holds one simulation per process and one is open; close it first or use mobility.kind=traci"
            )
        self._open = True
        try:
            self._guarded(lambda: self._sumo.start(["sumo", *options]))
        except SumoError:
            self.close()
            raise

    def present(self) -> tuple[str, ...]:
        """Return the ids of the vehicles on the map now."""
        return tuple(self._sumo.vehicle.getIDList())

    def step(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Advance one step; return the ids that departed or ended a teleport, and the ids that arrived."""
        self._guarded(self._sumo.simulationStep)
        simulation = self._sumo.simulation
        return simulation.getDepartedIDList() + simulation.getEndingTeleportIDList(), simulation.getArrivedIDList()

    def advance_to(self, time_s: float) -> None:
        """Advance over all steps before a time, without reading anything."""
        self._guarded(lambda: self._sumo.simulationStep(time_s))

    def time_s(self) -> float:
        """Return the time that SUMO's clock shows."""
        return float(self._sumo.simulation.getTime())

    def type_of(self, vehicle_id: str) -> str:
        """Return the vehicle's vType id."""
        return str(self._sumo.vehicle.getTypeID(vehicle_id))

    def motion(self, vehicle_ids: list[str]) -> Motion:
        """Return the raw motion of vehicles; getters are the fastest way that libsumo offers, 1.9 us for a vehicle."""
        vehicle = self._sumo.vehicle
        count = len(vehicle_ids)
        xy_m = np.fromiter(chain.from_iterable(map(vehicle.getPosition, vehicle_ids)), np.float64, 2 * count)
        speed_mps = np.fromiter(map(vehicle.getSpeed, vehicle_ids), np.float64, count)
        heading_deg = np.fromiter(map(vehicle.getAngle, vehicle_ids), np.float64, count)
        return xy_m.reshape(-1, 2), speed_mps, heading_deg

    def close(self) -> None:
        """End the connection to SUMO; may be called twice."""
        if self._open:
            self._open = False
            with _quiet(self._printed), suppress(*self._errors):
                self._sumo.close()
            self._printed.close()

    def _guarded(self, call: Callable[[], Any]) -> None:
        try:
            with _quiet(self._printed):
                call()
        except self._errors as error:
            raise SumoError(printed_error(self._printed) or " ".join(str(error).split())) from error


@contextmanager
def _quiet(into: IO[bytes]) -> Iterator[None]:
    """Redirect what C++ code prints to stdout and stderr into a file: SUMO prints each error that it also raises."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [(number, os.dup(number)) for number in (1, 2)]
    for number, _ in kept:
        os.dup2(into.fileno(), number)
    try:
        yield
    finally:
        for number, copy in kept:
            os.dup2(copy, number)
            os.close(copy)
