"""The terms of the cost of paper S1 (eq 12-18), each defined once, for numbers and for arrays alike.

The costs of a decision's options (`cosim.cost`), the latency that an observation promises and the cost of tasks that
have ended (`cosim.trace.realised`) are computed from them.
"""

from typing import TypeVar

from cosim.types import FloatArray

N = TypeVar("N", float, FloatArray)


def weighted_cost(latency_weight: float, latency_s: N, energy_j: N) -> N:
    """Return w1 L + (1 - w1) E (eq 18).

        >>> weighted_cost(0.25, latency_s=2.0, energy_j=4.0)
        3.5

    Args:
        latency_weight: w1, the latency's share of the cost, 0 to 1.
        latency_s: L of one task in s.
        energy_j: E of the same task in J.
    """
    return latency_weight * latency_s + (1.0 - latency_weight) * energy_j


def total_latency_s(airtime_s: N, wire_s: N, wait_s: N, service_s: N, result_s: N, grant_s: N) -> N:
    """Return the latency of one task in s (eq 12-14).

    Args:
        airtime_s: its input on the uplink.
        wire_s: backhaul and WAN, both ways.
        wait_s: the host's queue in front of it.
        service_s: its execution.
        result_s: its output on the downlink.
        grant_s: the waits of both transfers before their first bits, which S1 does not have.
    """
    return airtime_s + wire_s + wait_s + service_s + result_s + grant_s


def computing_j(kappa: N, core_hz: N, work_cycles: N) -> N:
    """Return the energy of a vehicle's processor in J, kappa f^2 C (eq 16).

    Args:
        kappa: coefficient of the processor, in J per cycle and Hz^2.
        core_hz: f, cycles per second of the core.
        work_cycles: C, cycles of the work.
    """
    return kappa * (core_hz * core_hz) * work_cycles
