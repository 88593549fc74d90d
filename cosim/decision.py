"""What a policy sees and what it answers: arrays with one row for each waiting task and one column for each option.

Column 0 is the vehicle itself; then come the edge hosts at the sites with the strongest signal, the cloud if there is
one, and the neighbours in range if there is a sidelink.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from operator import attrgetter
from typing import Any, Protocol

import numpy as np

from cosim.adaptation.curve import LinkCurve, power_gain
from cosim.errors import RunError
from cosim.objective import total_latency_s
from cosim.types import AnyArray, BoolArray, FloatArray, IntArray, read_only


class KeyView(Protocol):
    """The key network as a policy sees it at a decision epoch: L QKD links, and the vehicles of T tasks."""

    @property
    def key_bps(self) -> FloatArray:
        """(L,) secret key rate of the last slot in bit/s; 0 for a link that is down."""
        ...

    @property
    def qber(self) -> FloatArray:
        """(L,) quantum bit error rate of the last slot, 0 to 1; NaN without a signal."""
        ...

    @property
    def stored_bit(self) -> IntArray:
        """(L,) bits stored in the pools of the links."""
        ...

    @property
    def detector(self) -> FloatArray:
        """(L,) detector efficiency that is set, 0 to 1."""
        ...

    @property
    def vehicle_bit(self) -> IntArray:
        """(T,) bits stored in the vehicle of each task."""
        ...


@dataclass(frozen=True, slots=True)
class ExpectedArrivals:
    """Expected arrival rates, and a bound on their deviation (S1 eq 9)."""

    rate_per_s: FloatArray
    """(N,) lambda-hat, tasks per second."""
    deviation_per_s: float
    """Epsilon, tasks per second: |lambda - lambda-hat| was at most this in what was observed."""

    @property
    def most_per_s(self) -> FloatArray:
        """(N,) rate that a cautious plan allows for: lambda-hat + epsilon."""
        return read_only(self.rate_per_s + self.deviation_per_s)


class DemandView(Protocol):
    """Task arrivals that a digital twin expects, as a policy sees them at a decision epoch."""

    @property
    def site(self) -> ExpectedArrivals:
        """Rates (S,), one for each site."""
        ...

    @property
    def vehicle(self) -> ExpectedArrivals:
        """Rates (T,), one for the vehicle of each task."""
        ...


@dataclass(frozen=True)
class Observation:
    """The state at a decision epoch: T waiting tasks (rows) with M options each (columns).

    Rates are those of a transfer that started now beside the transfers that are active, at the default power. Waits are
    the work in the queue over the host's speed. All are estimates: they do not know what the other tasks will choose.

        >>> import cosim
        >>> loaded = cosim.load("per_task", ["duration_s=2", "statistics.warmup_s=0"])
        >>> run = cosim.Simulation(loaded.scenario, folder=loaded.folder)
        >>> observation = run.advance().observation
        >>> len(observation), observation.tier.shape  # one task; its vehicle and three edge hosts
        (1, (1, 4))
        >>> bool(observation.feasible[0, observation.expected_s[0].argmin()])
        True
        >>> run.close()

    Not slotted, because `expected_s` is computed once, when it is first used.
    """

    time_s: float
    """Simulated time of the epoch in s."""
    task: IntArray
    """(T,) task numbers."""
    vehicle: IntArray
    """(T,) vehicle numbers."""
    task_class: IntArray
    """(T,) index in `tasks.classes`."""
    released_s: FloatArray
    """(T,) time of release in s."""
    deadline_s: FloatArray
    """(T,) absolute deadline in s."""
    input_bit: FloatArray
    """(T,) bits to be sent, D sigma_ij."""
    output_bit: FloatArray
    """(T,) bits of the result."""
    cycles: FloatArray
    """(T,) s_c, CPU cycles before the accuracy factor."""
    priority: FloatArray
    """(T,) place in a priority queue, larger first."""
    power_w: FloatArray
    """(T,) default transmit power in W."""
    tier: IntArray
    """(T, M) `cosim.types.Tier` of the option."""
    target: IntArray
    """(T, M) site number, or the neighbour's vehicle number; -1 for local."""
    feasible: BoolArray
    """(T, M) whether the option can be carried out now."""
    work_cycles: FloatArray
    """(T, M) `cycles` times the accuracy factor of that processor."""
    core_hz: FloatArray
    """(T, M) cycles per second for the task once it runs."""
    cores: FloatArray
    """(T, M) cores of the processor."""
    wait_s: FloatArray
    """(T, M) estimated wait in the host's queue in s."""
    uplink_bps: FloatArray
    """(T, M) uplink rate beside the active transfers in bit/s; inf for local."""
    alone_bps: FloatArray
    """(T, M) uplink rate with the whole band of the cell in bit/s; inf for local."""
    clean_bps: FloatArray
    """(T, M) likewise without interference."""
    downlink_bps: FloatArray
    """(T, M) downlink rate in bit/s; inf for local."""
    snr_per_w: FloatArray
    """(T, M) uplink signal-to-noise ratio for each watt; NaN for local and neighbours."""
    wire_s: FloatArray
    """(T, M) time on backhaul and WAN, both ways, in s."""
    grant_s: FloatArray
    """(T, M) waits for the grants of both transfers in s (`radio.grant_s`); 0 for local."""
    cell: IntArray
    """(T, M) site whose uplink would carry the task; -1 for local and neighbours."""
    kappa: FloatArray
    """(T, M) kappa of the processor, as in kappa f^2 C; counted only where the vehicle pays."""
    max_power_w: float
    """Largest transmit power that may be chosen, in W."""
    curve: LinkCurve
    """Link adaptation of the uplink: bit/s per hertz by the signal-to-noise ratio."""
    latency_weight: float
    """w1, the weight of latency against energy in the cost (S1 eq 18), 0 to 1."""
    keys: KeyView | None = None
    """The key network; None without one."""
    stake: IntArray | None = None
    """(S,) credits of each site as a validator, 0 for one that does not vote; None without a ledger."""
    demand: DemandView | None = None
    """Expected arrivals; None without a digital twin."""

    def power_gain(self, power_w: FloatArray) -> FloatArray:
        """Return how many times faster each option's uplink is at other powers, by the run's link adaptation.

        Args:
            power_w: powers in W that broadcast with (T, M).

        Returns:
            (..., T, M) factor on `uplink_bps` and `alone_bps`; 1 for local, for neighbours and where those are 0.
        """
        return power_gain(power_w, self.power_w[:, None], self.snr_per_w, self.curve)

    def __len__(self) -> int:
        """Number of waiting tasks."""
        return len(self.task)

    @cached_property
    def expected_s(self) -> FloatArray:  # (T, M)
        """Estimated latency from now on in s: send, wait, execute, return, with grants; inf where infeasible."""
        with np.errstate(divide="ignore", invalid="ignore"):
            airtime_s, result_s = (
                self.input_bit[:, None] / self.uplink_bps,
                self.output_bit[:, None] / self.downlink_bps,
            )
            service_s = self.work_cycles / self.core_hz
            total = total_latency_s(airtime_s, self.wire_s, self.wait_s, service_s, result_s, self.grant_s)
        return read_only(np.where(self.feasible, total, np.inf))

    def content(self, *, expected: bool = False) -> tuple[bytes, ...]:
        """Return the bytes of its arrays, `expected_s` among them once it is computed, or if `expected`."""
        arrays: tuple[AnyArray, ...] = _arrays(self)
        if self.stake is not None:
            arrays += (self.stake,)
        if expected or "expected_s" in vars(self):
            arrays += (self.expected_s,)
        return tuple([array.tobytes() for array in arrays])

    def check_content(self, before: tuple[bytes, ...]) -> None:
        """Check that nobody has written to its arrays.

        NumPy refuses to, but not every library asks NumPy: a tensor of `torch.from_numpy` writes to the same memory.

        Args:
            before: its content when it was made.

        Raises:
            WrittenError: somebody has.
        """
        now = self.content()[: len(before)]
        if now != before:
            names = (*_ARRAYS, *(() if self.stake is None else ("stake",)), "expected_s")
            written = (name for name, was, is_now in zip(names, before, now, strict=False) if was != is_now)
            raise WrittenError(next(written))


_ARRAYS = tuple(field.name for field in fields(Observation) if field.type in (FloatArray, IntArray, BoolArray))
"""The arrays that each observation has."""
_arrays = attrgetter(*_ARRAYS)


class WrittenError(RunError):
    """The error of a policy that has written to an array of its observation, past its being read-only.

    Args:
        name: the array's name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"observation.{self.name} is read-only and was written to: write to a copy"


@dataclass(frozen=True, slots=True)
class Action:
    """A decision for each waiting task. Knobs that the scenario does not hand over (`decisions.knobs`) are ignored.

    >>> import numpy as np
    >>> from cosim import Action
    >>> local = Action(option=np.zeros(3, np.int64))  # three tasks, each in its own vehicle
    >>> quiet = Action(option=np.array([1, 2, 1]), power_w=np.full(3, 0.05))
    """

    option: IntArray
    """(T,) column of the observation, from 0."""
    share: FloatArray | None = None
    """(T,) bandwidth share in (0, 1]; None: 1, an equal part of the cell's band."""
    power_w: FloatArray | None = None
    """(T,) transmit power in W, in (0, `max_power_w`]; None: the default power."""
    cpu_share: FloatArray | None = None
    """(T,) share of a core in (0, 1] at hosts with processor sharing; None: 1."""
    detector: FloatArray | None = None
    """(L,) detector efficiency of each QKD link in (0, 1], kept until it is changed; None: unchanged."""
    proposer: int | None = None
    """Number of the site that is asked to propose the block of the next height; None: no wish."""


class Policy(Protocol):
    """Anything with a method `decide`.

    >>> import cosim
    >>> class Quickest:
    ...     def decide(self, observation):
    ...         return cosim.Action(option=observation.expected_s.argmin(axis=1))
    >>> loaded = cosim.load("per_task", ["duration_s=2", "statistics.warmup_s=0"])
    >>> run = cosim.Simulation(loaded.scenario, folder=loaded.folder)
    >>> run.run(Quickest())
    >>> run.close()
    """

    def decide(self, observation: Observation) -> Action:
        """Return the decision for all waiting tasks of an epoch at once."""
        ...


@dataclass(frozen=True, slots=True)
class DecisionEpoch:
    """An instant at which tasks wait; the simulation stands still until `Simulation.decide` gets their action.

    >>> import cosim
    >>> loaded = cosim.load("per_task", ["duration_s=2", "statistics.warmup_s=0"])
    >>> run = cosim.Simulation(loaded.scenario, folder=loaded.folder)
    >>> epoch = run.advance()
    >>> epoch.time_s == epoch.observation.time_s
    True
    >>> run.close()
    """

    time_s: float
    """Simulated time in s."""
    observation: Observation
    """What the policy is shown: a row for each waiting task."""


def action_problem(action: Action, observation: Observation) -> str | None:
    """Return what is wrong with an action, in words; None if it can be carried out.

    An infeasible option is no fault: it is carried out and fails as it would on the road.

        >>> import cosim
        >>> loaded = cosim.load("per_task", ["duration_s=2", "statistics.warmup_s=0"])
        >>> run = cosim.Simulation(loaded.scenario, folder=loaded.folder)
        >>> observation = run.advance().observation
        >>> action_problem(cosim.Action(option=[4]), observation)
        'option must be whole numbers from 0 to 3'
        >>> run.close()
    """
    if not isinstance(action, Action):
        return f"decide() gave {type(action).__name__}, needs an Action"
    tasks, options = observation.tier.shape
    option = _array(action.option)
    if option is None or option.dtype.kind not in "iufb":
        return "option is no array of numbers"
    if option.shape != (tasks,):
        return f"option has shape {option.shape}, needs ({tasks},): one column for each waiting task"
    if tasks and (option.dtype.kind not in "iu" or option[option.argmin()] < 0 or option[option.argmax()] >= options):
        return f"option must be whole numbers from 0 to {options - 1}"
    for name in ("share", "power_w", "cpu_share"):
        if getattr(action, name) is None:
            continue
        knob = _array(getattr(action, name))
        if not _finite(knob, tasks):
            return f"{name} must hold {tasks} finite numbers"
    return _network_problem(action, observation)


def _network_problem(action: Action, observation: Observation) -> str | None:
    if action.detector is not None:
        links = 0 if observation.keys is None else len(observation.keys.detector)
        if not _finite(_array(action.detector), links):
            return f"detector must hold {links} finite numbers, one for each QKD link"
    if action.proposer is not None:
        sites = 0 if observation.stake is None else len(observation.stake)
        if not isinstance(action.proposer, int | np.integer) or not 0 <= action.proposer < sites:
            return f"proposer must be the number of one of {sites} sites"
    return None


def _finite(values: AnyArray | None, count: int) -> bool:
    return (
        values is not None
        and values.shape == (count,)
        and values.dtype.kind in "iuf"
        and np.count_nonzero(np.isfinite(values)) == count
    )


def _array(value: Any) -> AnyArray | None:
    """Return what a policy gave as an array; None where rows differ in length."""
    try:
        return np.asarray(value)
    except ValueError:
        return None
