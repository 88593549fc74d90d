"""What a policy sees and what it answers: arrays with one row for each waiting task, one column for each option.

Column 0 is the vehicle itself; then come the edge hosts at the sites with the strongest signal, the cloud if there is
one, and the neighbours in range if there is a sidelink.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from cosim.objective import total_latency_s
from cosim.radio.link import power_gain
from cosim.types import AnyArray, BoolArray, FloatArray, IntArray


class KeyView(Protocol):
    """The key network as a policy sees it at a decision epoch: L links, the vehicles of T tasks."""

    @property
    def key_bps(self) -> FloatArray:
        """(L,) rate of the last slot; 0 for a link that is down."""
        ...

    @property
    def qber(self) -> FloatArray:
        """(L,) error rate of the last slot; NaN without a signal."""
        ...

    @property
    def stored_bit(self) -> IntArray:
        """(L,) bits in the pools of the links."""
        ...

    @property
    def detector(self) -> FloatArray:
        """(L,) detector efficiency that is set."""
        ...

    @property
    def vehicle_bit(self) -> IntArray:
        """(T,) bits that the vehicle of each task has."""
        ...


@dataclass(frozen=True, slots=True)
class ExpectedArrivals:
    """Expected arrivals, and how far off they may be (S1 eq 9)."""

    rate_per_s: FloatArray  # (N,) lambda-hat
    deviation_per_s: float
    """Epsilon: |lambda - lambda-hat| is at most this, as far as was seen."""

    @property
    def most_per_s(self) -> FloatArray:
        """The rate (N,) that a careful plan counts on: lambda-hat + epsilon."""
        most: FloatArray = self.rate_per_s + self.deviation_per_s
        return most


class DemandView(Protocol):
    """Tasks that a digital twin expects, as a policy sees it at a decision epoch."""

    @property
    def site(self) -> ExpectedArrivals:
        """(S,) of each site."""
        ...

    @property
    def vehicle(self) -> ExpectedArrivals:
        """(T,) of each task's vehicle."""
        ...


@dataclass(frozen=True)
class Observation:
    """The state at a decision epoch: T waiting tasks, M options each. Not slotted: `expected_s` is computed once.

    Rates are those of a transfer that started now beside the transfers that are active, at the default power. Waits
    are the work in the queue over the host's speed. All are estimates: they do not know what the others will choose.
    """

    time_s: float
    # (T,)
    task: IntArray
    vehicle: IntArray
    task_class: IntArray
    released_s: FloatArray
    deadline_s: FloatArray  # absolute
    input_bit: FloatArray  # to be sent: D sigma_ij
    output_bit: FloatArray
    cycles: FloatArray  # s_c, before the accuracy factor
    priority: FloatArray
    power_w: FloatArray  # default transmit power
    # (T, M)
    tier: IntArray  # cosim.types.Tier
    target: IntArray  # site number, neighbour's vehicle number; -1 for local
    feasible: BoolArray
    work_cycles: FloatArray  # cycles times the accuracy factor of that processor
    core_hz: FloatArray
    cores: FloatArray
    wait_s: FloatArray  # queue in front
    uplink_bps: FloatArray  # inf for local
    alone_bps: FloatArray  # uplink rate with the whole band of the cell; inf for local
    clean_bps: FloatArray  # likewise without interference
    downlink_bps: FloatArray  # inf for local
    snr_per_w: FloatArray  # of the uplink, for each watt; NaN for local and neighbours
    wire_s: FloatArray  # backhaul and WAN, both ways
    cell: IntArray  # cell whose uplink would carry it; -1 for local and neighbours
    kappa: FloatArray  # of the processor, counted only where the vehicle pays
    max_power_w: float
    max_efficiency_bps_hz: float
    latency_weight: float
    keys: KeyView | None = None
    """The key network; None without one."""
    stake: IntArray | None = None  # (S,) credits of each site as a validator, 0 for one that does not vote
    """None without a ledger."""
    demand: DemandView | None = None
    """Tasks that are expected; None without a digital twin."""

    def power_gain(self, power_w: FloatArray) -> FloatArray:
        """How much faster each option's uplink is at other powers than the default: Shannon's ratio, capped.

        Args:
            power_w: powers that broadcast with (T, M).

        Returns:
            (..., T, M) factor on `uplink_bps` and `alone_bps`; 1 for local and neighbours.
        """
        return power_gain(power_w, self.power_w[:, None], self.snr_per_w, self.max_efficiency_bps_hz)

    def __len__(self) -> int:
        """Number of waiting tasks."""
        return len(self.task)

    @cached_property
    def expected_s(self) -> FloatArray:  # (T, M)
        """Estimated latency from now on: send, wait, execute, return; inf where infeasible. Read only."""
        with np.errstate(divide="ignore", invalid="ignore"):
            airtime_s, result_s = (
                self.input_bit[:, None] / self.uplink_bps,
                self.output_bit[:, None] / self.downlink_bps,
            )
            service_s = self.work_cycles / self.core_hz
            total = total_latency_s(airtime_s, self.wire_s, self.wait_s, service_s, result_s)
        expected: FloatArray = np.where(self.feasible, total, np.inf)
        expected.flags.writeable = False
        return expected


@dataclass(frozen=True, slots=True)
class Action:
    """A choice for each waiting task; knobs that the scenario does not hand over are ignored."""

    option: IntArray  # (T,) column of the observation
    share: FloatArray | None = None  # (T,) bandwidth share in (0, 1]
    power_w: FloatArray | None = None  # (T,)
    cpu_share: FloatArray | None = None  # (T,) in (0, 1]
    detector: FloatArray | None = None  # (L,) detector efficiency of each QKD link in (0, 1]; stays until changed
    proposer: int | None = None  # site that is asked to propose the next height's block


class Policy(Protocol):
    """Anything that decides."""

    def decide(self, observation: Observation) -> Action:
        """One call for all waiting tasks."""
        ...


@dataclass(frozen=True, slots=True)
class DecisionEpoch:
    """The simulation stands still at `time_s` until its action is given."""

    time_s: float
    observation: Observation


def action_problem(action: Action, observation: Observation) -> str | None:
    """What is wrong with an answer, in words; None if it can be carried out.

    An infeasible option is no fault: it is carried out and fails as it would on the road.
    """
    if not isinstance(action, Action):
        return f"decide() gave {type(action).__name__}, needs an Action"
    tasks, options = observation.tier.shape
    option = _array(action.option)
    if option is None or option.dtype.kind not in "iufb":
        return "option is no array of numbers"
    if option.shape != (tasks,):
        return f"option has shape {option.shape}, needs ({tasks},): one column for each waiting task"
    if tasks and (option.dtype.kind not in "iu" or option.min() < 0 or option.max() >= options):
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
        and bool(np.isfinite(values).all())
    )


def _array(value: Any) -> AnyArray | None:
    """What a policy gave, as an array; None where rows differ in length."""
    try:
        return np.asarray(value)
    except ValueError:
        return None
