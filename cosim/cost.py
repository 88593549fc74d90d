"""The cost that paper S1 gives to the decisions of one epoch, as a pure function of an observation (eq 12-18)."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from math import inf, isfinite
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from cosim.adaptation.curve import power_gain
from cosim.decision import Observation
from cosim.objective import computing_j, total_latency_s, weighted_cost
from cosim.types import BoolArray, FloatArray, IntArray, Tier

_Host: TypeAlias = tuple[bool, int]
"""Whether a host is a vehicle, and its number."""
_LOCAL, _NEIGHBOUR = int(Tier.LOCAL), int(Tier.NEIGHBOUR)
_LEAST_BPS: Final = 1e-200
"""Stands for a rate of 0, so that a division by it stays finite."""


@dataclass(frozen=True, slots=True)
class OptionTerms:
    """Latency, energy and cost of each option if none of the epoch's other tasks existed; (T, M), or (..., T, M)."""

    airtime_s: FloatArray
    """Time on the uplink in s."""
    service_s: FloatArray
    """Time of the execution in s."""
    result_s: FloatArray
    """Time on the downlink in s."""
    radio_j: FloatArray
    """Energy of the uplink in J."""
    processor_j: FloatArray
    """Energy of a vehicle's processor in J; 0 at sites."""
    latency_s: FloatArray
    """L of eq 12-14 in s, with the queue that is at the host and the grants of both transfers."""
    energy_j: FloatArray
    """E of eq 15-17 in J: radio and processor."""
    cost: FloatArray
    """w1 L + (1 - w1) E of eq 18."""


def option_terms(
    observation: Observation, power_w: FloatArray | None = None, uplink_bps: FloatArray | None = None
) -> OptionTerms:
    """Return latency, energy and cost of every option, also of infeasible ones (S1 eq 12-18).

    All values are finite: over a link that carries nothing, sending takes next to for ever, but not infinitely long,
    because infinity times a weight w1 of 0 or 1 would give NaN.

        >>> import cosim
        >>> loaded = cosim.load("per_task", ["duration_s=2", "statistics.warmup_s=0"])
        >>> run = cosim.Simulation(loaded.scenario, folder=loaded.folder)
        >>> option_terms(run.advance().observation).cost.shape
        (1, 4)
        >>> run.close()

    Args:
        observation: T tasks with M options.
        power_w: transmit powers in W, which broadcast with (T, M); the default power if not given.
        uplink_bps: rates at the default power in bit/s, (T, M); those with a cell's whole band (`alone_bps`) if not
            given.
    """
    rate_bps = observation.alone_bps if uplink_bps is None else uplink_bps
    sent_w = observation.power_w[:, None]
    if power_w is not None:
        rate_bps, sent_w = rate_bps * observation.power_gain(power_w), power_w
    airtime_s = observation.input_bit[:, None] / np.maximum(rate_bps, _LEAST_BPS)
    result_s = observation.output_bit[:, None] / np.maximum(observation.downlink_bps, _LEAST_BPS)
    core_hz, work_cycles = observation.core_hz, observation.work_cycles
    service_s = work_cycles / core_hz
    wire_s, grant_s = observation.wire_s, observation.grant_s
    latency_s = total_latency_s(airtime_s, wire_s, observation.wait_s, service_s, result_s, grant_s)
    radio_j = sent_w * airtime_s
    processor_j = np.where(_in_vehicle(observation.tier), computing_j(observation.kappa, core_hz, work_cycles), 0.0)
    energy_j = radio_j + processor_j
    cost = weighted_cost(observation.latency_weight, latency_s, energy_j)
    return OptionTerms(airtime_s, service_s, result_s, radio_j, processor_j, latency_s, energy_j, cost)


def host_numbers(observation: Observation) -> IntArray:
    """Return a number for the host behind each option, (T, M).

    A vehicle is one host for its own tasks and those of its neighbours.
    """
    tier = observation.tier
    number = np.where(tier == _LOCAL, observation.vehicle[:, None], observation.target)
    hosts: IntArray = 2 * number + _in_vehicle(tier)  # a vehicle and a site of the same number are not the same host
    return hosts


def analytic_cost(observation: Observation, options: IntArray, power_w: FloatArray | None = None) -> FloatArray:
    """Return sum_i w1 L_i + (1 - w1) E_i of each assignment, without simulating it.

    L_i = bits / rate + wire + wait + cycles / f + result / downlink (S1 eq 12-14) + grants, from now on, in seconds.
    E_i = p bits / rate for the radio, and kappa f^2 cycles where a vehicle computes (eq 15-17), in joules.

    The n tasks that use the uplink of the same cell share its band equally: rate = alone_bps / n. Tasks at the same
    host queue in row order: each waits for the work in front (`wait_s`) and for the work of the earlier rows, spread
    over the host's cores. A vehicle's processor is one host for its own tasks and for those of its neighbours. A task
    without any feasible option adds nothing. Left out: transfers that were already running, the downlink's sharing, and
    handover.

    Args:
        observation: T tasks with M options.
        options: (A, T) column for each task, A assignments.
        power_w: (A, T) transmit powers in W; the default power if not given.

    Returns:
        (A,) cost, inf where an assignment has an infeasible choice.
    """
    row = np.arange(len(observation))
    possible = observation.feasible.any(axis=1)  # (T,)
    alone = option_terms(observation)
    cell, host = observation.cell[row, options], host_numbers(observation)[row, options]  # (A, T), as all below
    sharing = np.maximum(((cell[:, :, None] == cell[:, None, :]) & possible).sum(axis=2), 1)
    rate_bps = np.where(cell >= 0, observation.alone_bps[row, options] / sharing, observation.uplink_bps[row, options])
    sent_w = observation.power_w
    if power_w is not None:
        snr_per_w = observation.snr_per_w[row, options]
        rate_bps = rate_bps * power_gain(power_w, sent_w, snr_per_w, observation.curve)
        sent_w = power_w
    airtime_s = observation.input_bit / np.maximum(rate_bps, _LEAST_BPS)
    service_s = np.where(possible, alone.service_s[row, options], 0.0)
    earlier = np.tril(np.ones((len(row), len(row)), dtype=np.bool_), k=-1)
    ahead_s = (((host[:, :, None] == host[:, None, :]) & earlier) * service_s[:, None, :]).sum(axis=2)
    cores = np.maximum(observation.cores[row, options], 1.0)  # a site without a host has none
    wait_s = observation.wait_s[row, options] + ahead_s / cores
    wire_s, result_s = observation.wire_s[row, options], alone.result_s[row, options]
    grant_s = observation.grant_s[row, options]
    latency_s = total_latency_s(airtime_s, wire_s, wait_s, service_s, result_s, grant_s)
    energy_j = sent_w * airtime_s + alone.processor_j[row, options]
    cost = weighted_cost(observation.latency_weight, latency_s, energy_j)
    cost = np.where(observation.feasible[row, options] & ~np.isnan(cost), cost, np.inf)
    total: FloatArray = np.where(possible, cost, 0.0).sum(axis=1)
    return total


@dataclass(frozen=True, slots=True)
class CostTerms:
    """The cost of each of T tasks, and the cost that it imposes on the others."""

    latency_s: FloatArray
    """(T,) L_i in s, from the decision on."""
    energy_j: FloatArray
    """(T,) E_i in J."""
    own: FloatArray
    """(T,) w1 L_i + (1 - w1) E_i."""
    imposed: FloatArray
    """(T,) by how much the cost of the others would fall if the task did not exist."""


def cost_terms(
    observation: Observation, option: IntArray, power_w: FloatArray | None = None, share: FloatArray | None = None
) -> CostTerms:
    """Return the terms of one assignment's `analytic_cost`: `own.sum()` is that cost.

    With bandwidth shares the rate is alone_bps share_i / max(1, sum of the shares in the cell), as the cells of the
    simulation divide their band; all shares 1 is the equal division of `analytic_cost`. A neighbour's link, which
    carries no other task of this epoch, gives uplink_bps share_i.

    With Phi the sum of `own`, imposed_i = Phi(all) - own_i - Phi(without i): the band that i takes from the others of
    its cell, and the work that it puts in front of later rows at its host. O(T).

    A task whose option is negative takes no part (it is not decided yet, or goes where this observation has no column):
    all its terms are 0, as for a task without any feasible option. An infeasible choice has infinite latency, energy
    and `own`; it counts as a user of its cell, and `imposed` leaves it out among the others.

    Args:
        observation: T tasks with M options.
        option: (T,) columns.
        power_w: (T,) transmit powers in W; the default power if not given.
        share: (T,) bandwidth shares in (0, 1]; 1 if not given.
    """
    # In plain numbers, task by task: for the few tasks of a small scenario array operations would cost many times more.
    rows = ((option >= 0) & observation.feasible.any(axis=1)).nonzero()[0]
    chosen = _chosen(observation, option, power_w, share, rows)
    used: dict[int, float] = {}  # shares in each cell
    for one in chosen:
        used[one.cell] = used.get(one.cell, 0.0) + one.share
    weight = observation.latency_weight
    queued_s: dict[_Host, float] = {}  # work at each host so far
    slowed: dict[int, float] = {}  # what one more unit of load in a cell would cost its tasks
    own = [_own(one, used[one.cell], weight, queued_s, slowed) for one in chosen]
    held: dict[_Host, float] = {}  # what a second of work in front would cost a host's later rows
    terms = [[0.0] * len(option) for _ in range(4)]
    for row, one, costs in zip(reversed(rows.tolist()), reversed(chosen), reversed(own), strict=True):
        behind = held.get(costs.host, 0.0)
        held[costs.host] = behind + costs.per_queued_s
        imposed = costs.service_s * behind
        if one.cell >= 0:
            relief = max(1.0, used[one.cell]) - max(1.0, used[one.cell] - one.share)
            imposed += (slowed[one.cell] - costs.per_crowd) * relief
        for values, value in zip(terms, (costs.latency_s, costs.energy_j, costs.cost, imposed), strict=True):
            values[row] = value
    return CostTerms(*np.array(terms))


class _Chosen(NamedTuple):
    """The chosen option of one task: the observation's columns, and the knobs."""

    feasible: bool
    tier: int
    target: int
    cell: int
    cores: float
    core_hz: float
    work_cycles: float
    kappa: float
    alone_bps: float
    uplink_bps: float
    downlink_bps: float
    wire_s: float
    wait_s: float
    grant_s: float
    vehicle: int
    input_bit: float
    output_bit: float
    power_w: float
    share: float
    gain: float
    """How many times faster than at the default power."""


_TABLES: Final = _Chosen._fields[: _Chosen._fields.index("vehicle")]


class _Own(NamedTuple):
    """The cost of one task, and what others would change of it."""

    latency_s: float
    energy_j: float
    cost: float
    host: _Host
    service_s: float
    per_crowd: float
    """Cost of one more unit of load in its cell."""
    per_queued_s: float
    """Cost of a second of work in front of it."""


def _chosen(
    observation: Observation, option: IntArray, power_w: FloatArray | None, share: FloatArray | None, rows: IntArray
) -> list[_Chosen]:
    """Return the chosen options of the tasks that take part."""
    at = rows * observation.tier.shape[1] + option[rows]  # in the flattened tables
    sent_w = (observation.power_w if power_w is None else power_w)[rows]
    gain: Iterable[float] = itertools.repeat(1.0)
    if power_w is not None:
        snr_per_w = observation.snr_per_w.take(at)
        gain = power_gain(sent_w, observation.power_w[rows], snr_per_w, observation.curve).tolist()
    part = itertools.repeat(1.0) if share is None else share[rows].tolist()
    tables = [getattr(observation, name).take(at).tolist() for name in _TABLES]
    tasks = [values[rows].tolist() for values in (observation.vehicle, observation.input_bit, observation.output_bit)]
    # tuple.__new__ skips the Python call of a NamedTuple's own constructor.
    return list(map(partial(tuple.__new__, _Chosen), zip(*tables, *tasks, sent_w.tolist(), part, gain, strict=False)))


def _own(one: _Chosen, used: float, weight: float, queued_s: dict[_Host, float], slowed: dict[int, float]) -> _Own:
    """Return eq 12-18 of one task, and add it to its host's queue and its cell."""
    paid, shared = one.tier in (_LOCAL, _NEIGHBOUR), one.cell >= 0
    host = paid, one.vehicle if one.tier == _LOCAL else one.target
    service_s = one.work_cycles / one.core_hz
    ahead_s = queued_s.get(host, 0.0)
    queued_s[host] = ahead_s + service_s
    rate_bps = (one.alone_bps if shared else one.uplink_bps) * one.share * one.gain
    lone_s = one.input_bit / rate_bps if rate_bps > 0.0 else inf
    airtime_s = lone_s * max(1.0, used) if shared else lone_s
    result_s = one.output_bit / one.downlink_bps if one.downlink_bps > 0.0 else inf
    latency_s = total_latency_s(airtime_s, one.wire_s, one.wait_s, service_s, result_s, one.grant_s)
    energy_j = one.power_w * airtime_s + (computing_j(one.kappa, one.core_hz, one.work_cycles) if paid else 0.0)
    if not (one.feasible and isfinite(latency_s + energy_j)):
        slowed.setdefault(one.cell, 0.0)
        return _Own(inf, inf, inf, host, service_s, 0.0, 0.0)
    latency_s += ahead_s / one.cores
    per_crowd = weighted_cost(weight, 1.0, one.power_w) * lone_s if shared else 0.0
    slowed[one.cell] = slowed.get(one.cell, 0.0) + per_crowd
    per_queued_s = weighted_cost(weight, 1.0, 0.0) / one.cores
    cost = weighted_cost(weight, latency_s, energy_j)
    return _Own(latency_s, energy_j, cost, host, service_s, per_crowd, per_queued_s)


def _in_vehicle(tier: IntArray) -> BoolArray:
    """Return whether a vehicle's processor would execute the task, so that the vehicle pays for it."""
    vehicle: BoolArray = (tier == _LOCAL) | (tier == _NEIGHBOUR)
    return vehicle
