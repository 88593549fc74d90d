"""The cost that paper S1 gives to the decisions of one epoch, as a pure function of what the policy saw (eq 12-18)."""

import itertools
from dataclasses import dataclass
from math import inf, isfinite
from typing import Final, NamedTuple

import numpy as np

from cosim.decision import Observation
from cosim.types import FloatArray, IntArray, Tier

_LOCAL, _NEIGHBOUR = int(Tier.LOCAL), int(Tier.NEIGHBOUR)
_TABLES: Final = (
    "feasible", "tier", "target", "cell", "cores", "core_hz", "work_cycles", "kappa", "alone_bps", "uplink_bps",
    "downlink_bps", "wire_s", "wait_s",
)  # fmt: skip


def analytic_cost(observation: Observation, options: IntArray, power_w: FloatArray | None = None) -> FloatArray:
    """sum_i w1 L_i + (1 - w1) E_i of each assignment, without simulating it.

    L_i = bits / rate + wire + wait + cycles / f + result / downlink (S1 eq 12-14), from now on, in seconds.
    E_i = p bits / rate for the radio, and kappa f^2 cycles where a vehicle computes (eq 15-17), in joules.

    The n tasks that use the uplink of the same cell share its band equally: rate = alone_bps / n. Tasks at the same
    host queue in row order: each waits for the work in front (`wait_s`) and for the work of the earlier rows, spread
    over the host's cores. A vehicle's processor is one host for its own tasks and for those of its neighbours.
    A task without any feasible option adds nothing. Left out: transfers that were running already, the downlink's
    sharing, and handover.

    Args:
        observation: T tasks with M options.
        options: (A, T) column for each task, A assignments.
        power_w: (A, T) transmit powers; the default power if not given.

    Returns:
        (A,) cost, inf where an assignment has an infeasible choice.
    """
    row = np.arange(len(observation))
    possible = observation.feasible.any(axis=1)  # (T,)
    tier = observation.tier[row, options]  # (A, T), as all below
    cell = observation.cell[row, options]
    core_hz = observation.core_hz[row, options]
    work_cycles = observation.work_cycles[row, options]
    own = (tier == Tier.LOCAL) | (tier == Tier.NEIGHBOUR)
    number = np.where(tier == Tier.LOCAL, observation.vehicle, observation.target[row, options])
    host = 2 * number + own  # a vehicle and a site of the same number are not the same host

    sharing = ((cell[:, :, None] == cell[:, None, :]) & possible).sum(axis=2)
    sent_w = np.broadcast_to(observation.power_w, options.shape) if power_w is None else power_w
    with np.errstate(divide="ignore", invalid="ignore"):
        rate_bps = np.where(
            cell >= 0, observation.alone_bps[row, options] / sharing, observation.uplink_bps[row, options]
        )
        if power_w is not None:
            rate_bps = rate_bps * _faster(observation, options, power_w)
        airtime_s = np.where(tier == Tier.LOCAL, 0.0, observation.input_bit / rate_bps)
        result_s = np.where(tier == Tier.LOCAL, 0.0, observation.output_bit / observation.downlink_bps[row, options])
        service_s = np.where(possible, work_cycles / core_hz, 0.0)
    earlier = np.tril(np.ones((len(row), len(row)), dtype=np.bool_), k=-1)
    ahead_s = (((host[:, :, None] == host[:, None, :]) & earlier) * service_s[:, None, :]).sum(axis=2)
    wait_s = observation.wait_s[row, options] + ahead_s / observation.cores[row, options]
    latency_s = airtime_s + observation.wire_s[row, options] + wait_s + service_s + result_s
    energy_j = sent_w * airtime_s + np.where(own, observation.kappa[row, options] * core_hz**2 * work_cycles, 0.0)
    cost = observation.latency_weight * latency_s + (1.0 - observation.latency_weight) * energy_j
    cost = np.where(observation.feasible[row, options] & ~np.isnan(cost), cost, np.inf)
    total: FloatArray = np.where(possible, cost, 0.0).sum(axis=1)
    return total


@dataclass(frozen=True, slots=True)
class CostTerms:
    """What each of T tasks costs, and what it makes the others cost."""

    latency_s: FloatArray  # (T,) L_i, from the decision on
    energy_j: FloatArray  # (T,) E_i
    own: FloatArray  # (T,) w1 L_i + (1 - w1) E_i
    imposed: FloatArray  # (T,) by how much the others' cost would fall if the task were not there


def cost_terms(
    observation: Observation, option: IntArray, power_w: FloatArray | None = None, share: FloatArray | None = None
) -> CostTerms:
    """The parts of one assignment's `analytic_cost`: `own.sum()` is that cost.

    With bandwidth shares the rate is alone_bps share_i / max(1, sum of the shares in the cell), as the cells of the
    simulation divide their band; all shares 1 is the equal division of `analytic_cost`. A neighbour's link, which
    nobody of this epoch is counted on, gives uplink_bps share_i.

    With Phi the sum of `own`, imposed_i = Phi(all) - own_i - Phi(without i): the band that i takes from the others of
    its cell, and the work that it puts in front of later rows at its host. O(T).

    A task whose option is negative takes no part (it is not decided yet, or goes where this observation has no
    column): all its terms are 0, as for a task without any feasible option. An infeasible choice has infinite
    latency, energy and `own`; it counts as a user of its cell, and `imposed` leaves it out among the others.

    Args:
        observation: T tasks with M options.
        option: (T,) columns.
        power_w: (T,) transmit powers; the default power if not given.
        share: (T,) bandwidth shares in (0, 1]; 1 if not given.
    """
    # In plain numbers, task by task: the few tasks of a small scenario would pay for array operations many times over.
    rows = ((option >= 0) & observation.feasible.any(axis=1)).nonzero()[0]
    chosen = _chosen(observation, option, power_w, share, rows)
    used: dict[int, float] = {}  # shares in each cell
    for one in chosen:
        used[one.cell] = used.get(one.cell, 0.0) + one.share
    weight = observation.latency_weight
    queued_s: dict[int, float] = {}  # work at each host so far
    slowed: dict[int, float] = {}  # what a cell's tasks would pay for one more unit of crowding
    own = [_own(one, used[one.cell], weight, queued_s, slowed) for one in chosen]
    held: dict[int, float] = {}  # what a second of work in front would cost a host's later rows
    imposed = [0.0] * len(rows)
    for place in range(len(rows) - 1, -1, -1):
        one, costs = chosen[place], own[place]
        behind = held.get(one.host, 0.0)
        held[one.host] = behind + costs.per_queued_s
        imposed[place] = one.service_s * behind
        if one.cell >= 0:
            relief = max(1.0, used[one.cell]) - max(1.0, used[one.cell] - one.share)
            imposed[place] += (slowed[one.cell] - costs.per_crowd) * relief
    terms = np.zeros((4, len(option)))
    terms[:3, rows] = np.array([costs[:3] for costs in own]).reshape(-1, 3).T
    terms[3, rows] = imposed
    return CostTerms(*terms)


class _Chosen(NamedTuple):
    """What one task's choice means before the others are looked at."""

    feasible: bool
    cell: int
    share: float
    host: int
    cores: float
    power_w: float
    lone_s: float
    """Airtime in a cell that is not crowded."""
    wire_s: float
    wait_s: float
    """The queue that is there already."""
    service_s: float
    result_s: float
    processor_j: float


class _Own(NamedTuple):
    latency_s: float
    energy_j: float
    cost: float
    per_crowd: float
    """What it pays for one more unit of crowding in its cell."""
    per_queued_s: float
    """What it pays for a second of work in front of it."""


def _chosen(
    observation: Observation, option: IntArray, power_w: FloatArray | None, share: FloatArray | None, rows: IntArray
) -> list[_Chosen]:
    """The tasks that take part."""
    at = rows * observation.tier.shape[1] + option[rows]  # in the flattened tables
    sent_w = (observation.power_w if power_w is None else power_w)[rows]
    gain = itertools.repeat(1.0) if power_w is None else _gain(observation, rows, at, sent_w).tolist()
    part = itertools.repeat(1.0) if share is None else share[rows].tolist()
    tables = [getattr(observation, name).take(at).tolist() for name in _TABLES]
    tasks = [values[rows].tolist() for values in (observation.vehicle, observation.input_bit, observation.output_bit)]
    found = []
    for (
        feasible, tier, target, cell, cores, core_hz, work_cycles, kappa, alone_bps, uplink_bps, downlink_bps, wire_s,
        wait_s, vehicle, input_bit, output_bit, power, portion, faster,
    ) in zip(*tables, *tasks, sent_w.tolist(), part, gain, strict=False):  # fmt: skip
        paid = tier in (_LOCAL, _NEIGHBOUR)
        rate_bps = (alone_bps if cell >= 0 else uplink_bps) * portion * faster
        found.append(
            _Chosen(
                feasible,
                cell,
                portion,
                2 * (vehicle if tier == _LOCAL else target) + paid,  # a vehicle and a site of one number are two hosts
                cores,
                power,
                input_bit / rate_bps if rate_bps > 0.0 else inf,
                wire_s,
                wait_s,
                work_cycles / core_hz,
                output_bit / downlink_bps if downlink_bps > 0.0 else inf,
                kappa * (core_hz * core_hz) * work_cycles if paid else 0.0,
            )
        )
    return found


def _own(one: _Chosen, used: float, weight: float, queued_s: dict[int, float], slowed: dict[int, float]) -> _Own:
    """Eq 12-18 of one task; it joins its host's queue and its cell."""
    ahead_s = queued_s.get(one.host, 0.0)
    queued_s[one.host] = ahead_s + one.service_s
    shared = one.cell >= 0
    airtime_s = one.lone_s * max(1.0, used) if shared else one.lone_s
    latency_s = airtime_s + one.wire_s + one.wait_s + one.service_s + one.result_s
    energy_j = one.power_w * airtime_s + one.processor_j
    if not (one.feasible and isfinite(latency_s + energy_j)):
        slowed.setdefault(one.cell, 0.0)
        return _Own(inf, inf, inf, 0.0, 0.0)
    latency_s += ahead_s / one.cores
    per_crowd = (weight + (1.0 - weight) * one.power_w) * one.lone_s if shared else 0.0
    slowed[one.cell] = slowed.get(one.cell, 0.0) + per_crowd
    return _Own(latency_s, energy_j, weight * latency_s + (1.0 - weight) * energy_j, per_crowd, weight / one.cores)


def _gain(observation: Observation, rows: IntArray, at: IntArray, power_w: FloatArray) -> FloatArray:
    """`Observation.power_gain` of single columns, (n,)."""
    snr_per_w, cap = observation.snr_per_w.take(at), observation.max_efficiency_bps_hz * np.log(2.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        default = np.minimum(np.log1p(observation.power_w[rows] * snr_per_w), cap)
        gain: FloatArray = np.where(snr_per_w > 0.0, np.minimum(np.log1p(power_w * snr_per_w), cap) / default, 1.0)
    return gain


def _faster(observation: Observation, options: IntArray, power_w: FloatArray) -> FloatArray:
    """`Observation.power_gain` for the chosen options, (A, T)."""
    gain = np.empty(options.shape)
    row = np.arange(len(observation))
    for power in np.unique(power_w):
        at_power = observation.power_gain(np.full(observation.tier.shape, power))
        here = power_w == power
        gain[here] = at_power[np.broadcast_to(row, options.shape)[here], options[here]]
    return gain
