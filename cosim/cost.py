"""The cost that paper S1 gives to the decisions of one epoch, as a pure function of what the policy saw (eq 12-18)."""

from dataclasses import dataclass

import numpy as np

from cosim.decision import Observation
from cosim.types import FloatArray, IntArray, Tier


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
    its cell, and the work that it puts in front of later rows at its host. O(T log T).

    A task whose option is negative takes no part (it is not decided yet, or goes where this observation has no
    column): all its terms are 0, as for a task without any feasible option. An infeasible choice has infinite
    latency, energy and `own`; it counts as a user of its cell, and `imposed` leaves it out among the others.

    Args:
        observation: T tasks with M options.
        option: (T,) columns.
        power_w: (T,) transmit powers; the default power if not given.
        share: (T,) bandwidth shares in (0, 1]; 1 if not given.
    """
    # Rows that take part; everything below is (n,) over them.
    rows = np.flatnonzero((option >= 0) & observation.feasible.any(axis=1))
    at = rows * observation.tier.shape[1] + option[rows]  # in the flattened tables
    tier, cell, cores = observation.tier.take(at), observation.cell.take(at), observation.cores.take(at)
    core_hz, work_cycles = observation.core_hz.take(at), observation.work_cycles.take(at)
    weight = observation.latency_weight
    local = tier == Tier.LOCAL
    vehicle = local | (tier == Tier.NEIGHBOUR)
    sent_w = (observation.power_w if power_w is None else power_w)[rows]
    part = np.ones(len(rows)) if share is None else share[rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        used = np.bincount(cell + 1, part)  # of each cell; the first is of those that use none
        crowd = np.where(cell >= 0, np.maximum(1.0, used[cell + 1]), 1.0)
        rate_bps = np.where(cell >= 0, observation.alone_bps.take(at), observation.uplink_bps.take(at)) * part
        if power_w is not None:
            rate_bps = rate_bps * _gain(observation, rows, at, sent_w)
        lone_s = np.where(local, 0.0, observation.input_bit[rows] / rate_bps)  # airtime in a cell that is not crowded
        result_s = np.where(local, 0.0, observation.output_bit[rows] / observation.downlink_bps.take(at))
        airtime_s = lone_s * crowd
        service_s = work_cycles / core_hz
        energy_j = sent_w * airtime_s + np.where(vehicle, observation.kappa.take(at) * core_hz**2 * work_cycles, 0.0)
        latency_s = airtime_s + observation.wire_s.take(at) + observation.wait_s.take(at) + service_s + result_s
        possible = observation.feasible.take(at) & np.isfinite(latency_s + energy_j)
        host = 2 * np.where(local, observation.vehicle[rows], observation.target.take(at)) + vehicle
        # A second of work in front costs the host's later rows this much each.
        ahead_s, behind = _queues(host, service_s, np.where(possible, weight / cores, 0.0))
        latency_s = latency_s + ahead_s / cores
        own = weight * latency_s + (1.0 - weight) * energy_j
        # What a cell's others would pay for one more unit of crowding.
        per_crowd = np.where(possible & (cell >= 0), (weight + (1.0 - weight) * sent_w) * lone_s, 0.0)
        others = np.bincount(cell + 1, per_crowd)[cell + 1] - per_crowd
        imposed = others * (crowd - np.maximum(1.0, used[cell + 1] - part)) * (cell >= 0) + service_s * behind
    terms = np.zeros((4, len(option)))
    terms[:3, rows] = np.where(possible, (latency_s, energy_j, own), np.inf)
    terms[3, rows] = imposed
    return CostTerms(*terms)


def _queues(host: IntArray, service_s: FloatArray, held_back: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Work of the earlier rows at the same host, and `held_back` of the later ones summed, (n,) each."""
    order = np.argsort(host, kind="stable")
    here = host[order]
    done_s, held = (np.concatenate([[0.0], np.cumsum(values[order])]) for values in (service_s, held_back))
    ahead_s, behind = np.empty(len(host)), np.empty(len(host))
    ahead_s[order] = done_s[:-1] - done_s[np.searchsorted(here, here)]
    behind[order] = held[np.searchsorted(here, here, side="right")] - held[1:]
    return ahead_s, behind


def _gain(observation: Observation, rows: IntArray, at: IntArray, power_w: FloatArray) -> FloatArray:
    """`Observation.power_gain` of single columns, (n,)."""
    snr_per_w, cap = observation.snr_per_w.take(at), observation.max_efficiency_bps_hz * np.log(2.0)
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
