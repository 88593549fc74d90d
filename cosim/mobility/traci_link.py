"""SUMO in a process of its own, over a socket, through traci."""

import importlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from cosim.errors import InputError
from cosim.mobility.link import Motion, SumoError, printed_error
from cosim.mobility.programs import sumo_environment, sumo_home


class TraciLink:
    """SUMO in a process of its own, over a socket, with a limit on how long an answer may take.

    Args:
        options: SUMO's command-line options.
        port: TCP port; None: any free one.
        timeout_s: longest time to wait for an answer.
        gui: start sumo-gui instead of sumo.

    Raises:
        InputError: the port is in use.
        SumoError: SUMO refuses its input.
    """

    def __init__(self, options: list[str], port: int | None, timeout_s: float, *, gui: bool = False) -> None:
        self._timeout_s = timeout_s
        if port is not None:
            _refuse_busy(port)
        self._port = port if port is not None else _free_port()
        self._traci: Any = importlib.import_module("traci")
        self._codes = [
            self._traci.constants.VAR_POSITION,
            self._traci.constants.VAR_SPEED,
            self._traci.constants.VAR_ANGLE,
        ]
        self._errors = (self._traci.TraCIException, self._traci.FatalTraCIError, OSError)
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  closed with the link
        self._connection: Any = None
        shown = ["--start", "true", "--quit-on-end", "true"] if gui else []
        self.process = subprocess.Popen(
            [
                str(sumo_home() / "bin" / ("sumo-gui" if gui else "sumo")),
                *options,
                *shown,
                "--remote-port",
                str(self._port),
            ],
            env=sumo_environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._printed,
            stderr=self._printed,
            start_new_session=True,  # Ctrl-C is for cosim, which then ends SUMO itself
        )
        try:
            self._connection = self._connect()
        except BaseException:
            self.close()
            raise

    def present(self) -> tuple[str, ...]:
        """Return the ids of the vehicles on the map now."""
        ids: tuple[str, ...] = self._guarded(self._connection.vehicle.getIDList)
        for vehicle_id in ids:
            self._subscribe(vehicle_id)
        return ids

    def step(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Advance one step; return the ids that departed or ended a teleport, and the ids that arrived."""
        self._guarded(self._connection.simulationStep)
        simulation = self._connection.simulation
        appeared: tuple[str, ...] = self._guarded(simulation.getDepartedIDList)
        appeared += self._guarded(simulation.getEndingTeleportIDList)
        arrived: tuple[str, ...] = self._guarded(simulation.getArrivedIDList)
        for vehicle_id in sorted(set(appeared) - set(arrived)):
            self._subscribe(vehicle_id)
        return appeared, arrived

    def advance_to(self, time_s: float) -> None:
        """Advance over all steps before a time, without reading anything."""
        self._guarded(lambda: self._connection.simulationStep(float(time_s)))

    def time_s(self) -> float:
        """Return the time that SUMO's clock shows."""
        return float(self._guarded(self._connection.simulation.getTime))

    def type_of(self, vehicle_id: str) -> str:
        """Return the vehicle's vType id."""
        return str(self._guarded(lambda: self._connection.vehicle.getTypeID(vehicle_id)))

    def motion(self, vehicle_ids: list[str]) -> Motion:
        """Return the raw motion of vehicles.

        Subscriptions come with the step, 12 us for a vehicle; getters over the socket would take 86 us.
        """
        results = self._connection.vehicle.getAllSubscriptionResults()
        rows = [results[vehicle_id] for vehicle_id in vehicle_ids]
        position, speed, angle = self._codes
        xy_m = np.array([row[position] for row in rows], dtype=np.float64).reshape(-1, 2)
        speed_mps = np.array([row[speed] for row in rows], dtype=np.float64)
        return xy_m, speed_mps, np.array([row[angle] for row in rows], dtype=np.float64)

    def close(self) -> None:
        """End the connection to SUMO; may be called twice."""
        if self._connection is not None:
            if self._connection._socket is not None:  # traci drops it when SUMO is gone
                # A step that Ctrl-C has cut leaves half a message behind, and traci trips over it in many ways.
                with suppress(Exception):
                    self._connection._socket.settimeout(1.0)
                    self._connection.close(False)
            self._connection = None
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(1.0)
        if self.process.poll() is None:
            self.process.kill()  # SUMO puts SIGTERM off while it waits for a command
        self.process.wait()
        self._printed.close()

    def _subscribe(self, vehicle_id: str) -> None:
        self._guarded(lambda: self._connection.vehicle.subscribe(vehicle_id, self._codes))

    def _connect(self) -> Any:
        """Connect as soon as SUMO listens: it opens its port only after it has read the map."""
        started = time.monotonic()
        while True:
            try:
                connection = self._traci.connect(self._port, 0, "127.0.0.1", self.process)
                break
            except self._errors as error:
                if self.process.poll() is not None:
                    raise SumoError(self._last_words()) from error
                if time.monotonic() - started > self._timeout_s:
                    raise SumoError(
                        f"it does not listen on port {self._port} after {self._timeout_s:g} s; raise mobility.timeout_s"
                    ) from error
                time.sleep(0.02)
        connection._socket.settimeout(self._timeout_s)
        self._connection = connection
        self._guarded(connection.getVersion)
        return connection

    def _guarded(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except self._errors as error:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.5)
            if self.process.returncode is not None:
                raise SumoError(self._last_words()) from error
            if isinstance(error, self._traci.FatalTraCIError | OSError):
                raise SumoError(f"no answer for {self._timeout_s:g} s (mobility.timeout_s)") from error
            raise SumoError(" ".join(str(error).split())) from error

    def _last_words(self) -> str:
        code = self.process.returncode
        return printed_error(self._printed) or (f"killed by signal {-code}" if code < 0 else f"exit status {code}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _refuse_busy(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            raise InputError(
                f"mobility.port={port} cannot be used ({error.strerror}); choose another or leave it out"
            ) from error
