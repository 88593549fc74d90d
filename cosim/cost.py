"""The cost that paper S1 gives to the decisions of one epoch, as a pure function of what the policy saw (eq 12-18)."""

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


def _faster(observation: Observation, options: IntArray, power_w: FloatArray) -> FloatArray:
    """`Observation.power_gain` for the chosen options, (A, T)."""
    gain = np.empty(options.shape)
    row = np.arange(len(observation))
    for power in np.unique(power_w):
        at_power = observation.power_gain(np.full(observation.tier.shape, power))
        here = power_w == power
        gain[here] = at_power[np.broadcast_to(row, options.shape)[here], options[here]]
    return gain
