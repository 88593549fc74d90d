"""Processors: c cores of one speed that execute in order of arrival, by priority, or all work at once in shares.

Energy is the integral of power over time, kappa f^3 for each busy core; so C cycles cost kappa f^2 C. Idle power is
left out, as in the papers.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from heapq import heappop, heappush
from itertools import count
from math import isnan, nan
from typing import Protocol

import numpy as np

from cosim.distributions import keyed_draw
from cosim.energy import cpu_energy_j, cpu_power_w
from cosim.kernel.clock import Clock
from cosim.kernel.fluid import Flow, Fluid
from cosim.kernel.rng import stream_key
from cosim.scenario.hosts import VehicleCompute
from cosim.types import Failure, Status, VehicleGone


class QueueFull(Failure):
    """The host's queue is full."""

    status = Status.REJECTED


class Host(Protocol):
    """A processor, as tasks use it and as samples report it."""

    core_hz: float
    """Cycles per second of one core."""
    cores: int
    """Number of cores."""
    kappa: float
    """Energy coefficient kappa, in J per cycle and Hz^2."""
    rejected: int
    """Number of executions refused because the queue was full."""

    @property
    def queued(self) -> int:
        """Number of executions that wait now."""
        ...

    @property
    def running(self) -> int:
        """Number of executions that run now."""
        ...

    @property
    def served(self) -> int:
        """Number of executions that have ended."""
        ...

    @property
    def number_s(self) -> float:
        """Integral over time of the number of executions, waiting or running."""
        ...

    @property
    def busy_core_s(self) -> float:
        """Integral over time of the number of busy cores."""
        ...

    @property
    def wait_s(self) -> float:
        """Estimated wait in s of an execution that arrived now."""
        ...

    @property
    def speed_hz(self) -> float:
        """Estimated cycles per second of an execution that arrived now, once it runs."""
        ...

    def execute(self, cycles: float, priority: float = 0.0, share: float = 1.0) -> "Execution":
        """Queue work and return its execution, a wait.

        Args:
            cycles: amount of work.
            priority: larger goes first, where the queue is by priority.
            share: weight among executions that run at once, where cores are shared.

        Raises:
            QueueFull: `queue_limit` executions wait already.
        """
        ...

    def withdraw(self, execution: "Execution") -> None:
        """Take an execution out, waiting or running."""
        ...

    def settle(self) -> None:
        """Bring the totals up to now."""
        ...


class Execution(Flow):
    """Work at a host: `size` cycles, of which `left` are not done.

    Args:
        host: the host.
        cycles: amount of work.
    """

    gain = 1.0
    weight = 1.0
    started_s = nan
    """Simulated time at which it began to run; NaN while it waits."""

    def __init__(self, host: Host, cycles: float) -> None:
        self.size = cycles
        self.left = cycles
        self.host = host

    @property
    def energy_j(self) -> float:
        """Energy in J of the cycles done, once it has ended or was withdrawn."""
        return cpu_energy_j(self.host.kappa, self.host.core_hz, self.size - self.left)

    def cancel(self, error: Exception) -> None:
        """Leave the host; the energy of cycles already executed stays spent."""
        self.host.withdraw(self)
        self.fail(error)


def energy_j(host: Host) -> float:
    """Return the energy that a host has drawn so far in J, the integral of its power."""
    return cpu_power_w(host.kappa, host.core_hz) * host.busy_core_s


class QueueHost:
    """A host at which executions wait for a free core and run to their end, by order of arrival or by priority.

        >>> from cosim.kernel.clock import Clock
        >>> clock = Clock()
        >>> host = QueueHost(clock, core_hz=1e9, cores=1, kappa=1e-27)
        >>> first, second = host.execute(2e9), host.execute(1e9)
        >>> clock.run()
        >>> clock.now, host.served, second.energy_j
        (3.0, 2, 1.0)

    Args:
        clock: simulated time.
        core_hz: cycles per second of one core.
        cores: number of cores.
        kappa: energy coefficient, in J per cycle and Hz^2.
        queue_limit: most executions that may wait; None: any number.
        by_priority: the highest priority goes first, of equals the first to arrive; else the first to arrive.
    """

    def __init__(
        self,
        clock: Clock,
        core_hz: float,
        cores: int,
        kappa: float,
        queue_limit: int | None = None,
        by_priority: bool = False,
    ) -> None:
        self._clock = clock
        self.core_hz = core_hz
        self.speed_hz = core_hz
        self.cores = cores
        self.kappa = kappa
        self._queue_limit = queue_limit
        self._by_priority = by_priority
        self._order = count()
        self._waiting: list[tuple[float, int, Execution]] = []
        self._since_s = clock.now
        self._backlog_cycles = 0.0
        self.queued = 0
        self.running = 0
        self.served = 0
        self.rejected = 0
        self.busy_core_s = 0.0
        self.number_s = 0.0

    @property
    def wait_s(self) -> float:
        """Estimated wait in s: all work at the host over all its cores; 0 while a core is free."""
        return self._backlog_cycles / (self.cores * self.core_hz) if self.running >= self.cores else 0.0

    def execute(self, cycles: float, priority: float = 0.0, share: float = 1.0) -> Execution:  # noqa: ARG002
        """Queue work and return its execution.

        Args:
            cycles: amount of work.
            priority: larger goes first, where the queue is by priority.
            share: without effect, as each execution has a core to itself.

        Raises:
            QueueFull: `queue_limit` executions wait already.
        """
        free = self.running < self.cores
        if not free and self._queue_limit is not None and self.queued >= self._queue_limit:
            self.rejected += 1
            raise QueueFull
        execution = Execution(self, cycles)
        if self._clock.now > self._since_s:
            self.settle()
        self._backlog_cycles += cycles
        if free:
            self.running += 1
            self._begin(execution)
        else:
            self.queued += 1
            execution.entry = order = next(self._order)
            heappush(self._waiting, (-priority if self._by_priority else 0.0, order, execution))
        return execution

    def withdraw(self, execution: Execution) -> None:
        """Take an execution out; if it ran, its core goes to the next."""
        self.settle()
        execution.entry = -1  # its place in the heap or its timer stays, and is skipped when it comes up
        self._backlog_cycles -= execution.size
        if not isnan(execution.started_s):
            execution.left = max(0.0, execution.size - (self._clock.now - execution.started_s) * self.core_hz)
            self._next()
        else:
            self.queued -= 1

    def settle(self) -> None:
        """Bring the totals up to now."""
        now = self._clock.now
        passed_s = now - self._since_s
        if passed_s > 0.0:
            self.busy_core_s += passed_s * self.running
            self.number_s += passed_s * (self.running + self.queued)
            self._since_s = now

    def _begin(self, execution: Execution) -> None:
        execution.started_s = now = self._clock.now
        execution.entry = 0
        self._clock.at(now + execution.size / self.core_hz, partial(self._end, execution))

    def _end(self, execution: Execution) -> None:
        if execution.entry < 0:
            return  # withdrawn meanwhile
        self.settle()
        execution.left = 0.0
        self.served += 1
        self._backlog_cycles -= execution.size
        self._next()
        execution.resume(execution)

    def _next(self) -> None:
        while self._waiting:
            _, order, execution = heappop(self._waiting)
            if execution.entry == order:
                self.queued -= 1
                self._begin(execution)
                return
        self.running -= 1
        if not self.running:
            self._backlog_cycles = 0.0  # exactly: rounding must not pile up


class _Cores(Fluid):
    """Cores that executions share by their weights.

    Args:
        clock: simulated time.
        core_hz: cycles per second of one core.
        cores: number of cores.
    """

    __slots__ = ("busy_core_s",)

    def __init__(self, clock: Clock, core_hz: float, cores: int) -> None:
        super().__init__(clock, core_hz, float(cores))
        self.busy_core_s = 0.0
        """Integral over time of the number of busy cores."""

    def settle(self) -> None:
        """Bring virtual time and totals up to now."""
        self.busy_core_s += (self._clock.now - self._since_s) * min(self.weight, self.room)
        super().settle()


class SharingHost:
    """A host with processor sharing: all executions run at once by their shares, each on at most one core.

    Args:
        clock: simulated time.
        core_hz: cycles per second of one core.
        cores: number of cores.
        kappa: energy coefficient, in J per cycle and Hz^2.
        queue_limit: most executions beyond one for each core; None: any number.
    """

    def __init__(self, clock: Clock, core_hz: float, cores: int, kappa: float, queue_limit: int | None = None) -> None:
        self._clock = clock
        self._fluid = _Cores(clock, core_hz, cores)
        self.core_hz = core_hz
        self.cores = cores
        self.kappa = kappa
        self._queue_limit = queue_limit
        self.rejected = 0
        self.queued = 0
        self.wait_s = 0.0

    @property
    def running(self) -> int:
        """Number of executions that run now."""
        return self._fluid.active

    @property
    def served(self) -> int:
        """Number of executions that have ended."""
        return self._fluid.ended

    @property
    def number_s(self) -> float:
        """Integral over time of the number of executions."""
        return self._fluid.number_s

    @property
    def busy_core_s(self) -> float:
        """Integral over time of the number of busy cores."""
        return self._fluid.busy_core_s

    @property
    def speed_hz(self) -> float:
        """Estimated cycles per second of one more execution: a whole core, or an equal part of all cores."""
        return self.core_hz * min(1.0, self.cores / (self._fluid.active + 1))

    def execute(self, cycles: float, priority: float = 0.0, share: float = 1.0) -> Execution:  # noqa: ARG002
        """Run work beside the rest and return its execution.

        Args:
            cycles: amount of work.
            priority: without effect, as nothing waits.
            share: weight among the executions.

        Raises:
            QueueFull: one execution for each core and `queue_limit` more run already.
        """
        if self._queue_limit is not None and self._fluid.active >= self.cores + self._queue_limit:
            self.rejected += 1
            raise QueueFull
        execution = Execution(self, cycles)
        execution.started_s = self._clock.now
        execution.weight = share
        self._fluid.start(execution)
        return execution

    def withdraw(self, execution: Execution) -> None:
        """Take an execution out."""
        self._fluid.withdraw(execution)

    def settle(self) -> None:
        """Bring the totals up to now."""
        self._fluid.settle()


class _Bound:
    """Executions that end with their vehicle; those that are over are swept out whenever their number has doubled."""

    def __init__(self) -> None:
        self._executions: list[Execution] = []
        self._sweep_at = 8

    def add(self, execution: Execution) -> None:
        """Add an execution."""
        if len(self._executions) >= self._sweep_at:
            self._executions = self.active()
            self._sweep_at = 2 * len(self._executions) + 8
        self._executions.append(execution)

    def active(self) -> list[Execution]:
        """Return the executions that are not over, in the order in which they were added."""
        return [one for one in self._executions if one.left > 0.0 and one.error is None]


class VehicleHosts:
    """The vehicles' own processors, each with a speed drawn once for the vehicle's whole life.

    A host is made when its first task arrives, because most vehicles of a city never compute.

    Args:
        clock: simulated time.
        options: section `compute.vehicle` of the scenario.
        seed: seed of the run.
    """

    def __init__(self, clock: Clock, options: VehicleCompute, seed: int) -> None:
        self._clock = clock
        self._options = options
        self._key = stream_key(seed, "vehicle-core-hz")
        self._hosts: dict[int, Host] = {}
        self._bound: dict[int, _Bound] = {}
        self._here: dict[int, None] = {}
        self.core_hz = np.zeros(1024)
        """Cycles per second of each vehicle's processor, by vehicle number."""

    def enter(self, numbers: Sequence[int]) -> None:
        """Draw the speeds of vehicles that have entered; numbers ascend."""
        if len(numbers):
            while numbers[-1] >= len(self.core_hz):
                self.core_hz = np.concatenate([self.core_hz, np.zeros(len(self.core_hz))])
            self._here.update(dict.fromkeys(numbers))
            entered = np.array(numbers, np.int64)
            self.core_hz[entered] = keyed_draw(self._options.core_hz, self._key, entered)

    def leave(self, gone: Iterable[int]) -> None:
        """Drop the processors of vehicles that have left; work queued by `execute` ends with VehicleGone."""
        for number in gone:
            bound = self._bound.pop(number, None)
            for execution in bound.active() if bound is not None else ():
                if execution.left > 0.0 and execution.error is None:  # else it ended when one before it was cancelled
                    execution.cancel(VehicleGone())
            self._hosts.pop(number, None)
            self._here.pop(number, None)

    def execute(self, number: int, cycles: float, priority: float = 0.0) -> Execution:
        """Queue work in a vehicle on the map and return its execution; it ends with VehicleGone if the vehicle leaves.

        For SimPy processes and parts; the stories of tasks handle the departure of their vehicles themselves.

        Args:
            number: vehicle number.
            cycles: amount of work.
            priority: larger goes first, where the queue is by priority.

        Raises:
            VehicleGone: the vehicle is not on the map.
            QueueFull: its queue is full.
        """
        if number not in self._here:
            raise VehicleGone
        execution = self.host(number).execute(cycles, priority)
        self._bound.setdefault(number, _Bound()).add(execution)
        return execution

    def get(self, number: int) -> Host | None:
        """Return the processor of a vehicle; None while nothing was executed there."""
        return self._hosts.get(number)

    def host(self, number: int) -> Host:
        """Return the processor of a vehicle; it is made at the first call."""
        host = self._hosts.get(number)
        if host is None:
            options = self._options
            host = QueueHost(self._clock, float(self.core_hz[number]), 1, options.kappa, options.queue_limit)
            self._hosts[number] = host
        return host
