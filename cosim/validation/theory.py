"""Queueing theory of processors and shared media: means and probabilities in closed form.

Arrivals are Poisson. Sources: Kleinrock, Queueing Systems I (1975), chapters 3 and 5, and II (1976), chapters 3 and 4.
"""

from collections.abc import Sequence


def erlang_c(servers: int, offered: float) -> float:
    """Return the probability of waiting in M/M/c: C = B / (1 - rho (1 - B)), B from B_k = a B / (k + a B).

    Args:
        servers: c.
        offered: a = arrival rate times mean service time, below c.
    """
    loss = 1.0
    for server in range(1, servers + 1):
        loss = offered * loss / (server + offered * loss)
    return loss / (1.0 - offered / servers * (1.0 - loss))


def mmc_wait_s(arrival_hz: float, service_s: float, servers: int) -> float:
    """Return the mean time in the queue of M/M/c: C S / (c - a), with C of `erlang_c` and a = arrival_hz S.

    Args:
        arrival_hz: arrival rate.
        service_s: mean service time S.
        servers: c.

    Example:
        >>> round(mmc_wait_s(arrival_hz=14.0, service_s=0.05, servers=1), 6)  # M/M/1: rho S / (1 - rho)
        0.116667
    """
    offered = arrival_hz * service_s
    return erlang_c(servers, offered) * service_s / (servers - offered)


def mg1_wait_s(arrival_hz: float, service_s: float, squared_cv: float) -> float:
    """Return the mean time in the queue of M/G/1, FIFO (Pollaczek-Khinchine): rho S (1 + cv^2) / 2 (1 - rho).

    Args:
        arrival_hz: arrival rate.
        service_s: mean service time S.
        squared_cv: variance of the service time over S^2: 0 if it is constant, 1 if exponential.
    """
    load = arrival_hz * service_s
    return load * service_s * (1.0 + squared_cv) / (2.0 * (1.0 - load))


def sharing_sojourn_s(arrival_hz: float, service_s: float) -> float:
    """Return the mean time in M/G/1 processor sharing: S / (1 - rho), whatever the law of the service times."""
    return service_s / (1.0 - arrival_hz * service_s)


def priority_waits_s(arrivals_hz: Sequence[float], services_s: Sequence[float]) -> list[float]:
    """Return the mean time in the queue of each class of M/M/1 with non-preemptive priority.

    Cobham's law W_k = W_0 / (1 - s_(k-1)) (1 - s_k) with s_k the load of classes 1..k and W_0 = sum of lambda_i S_i^2
    (half the second moment of an exponential service time is S^2).

    Args:
        arrivals_hz: arrival rate of each class, highest first.
        services_s: mean service time of each class, in the same order.
    """
    classes = list(zip(arrivals_hz, services_s, strict=True))
    residual_s = sum(arrival_hz * service_s**2 for arrival_hz, service_s in classes)
    waits_s, above = [], 0.0
    for arrival_hz, service_s in classes:
        upto = above + arrival_hz * service_s
        waits_s.append(residual_s / ((1.0 - above) * (1.0 - upto)))
        above = upto
    return waits_s


def blocking(load: float, places: int) -> float:
    """Return the share of arrivals that M/M/1/K turns away: rho^K / (1 + rho + ... + rho^K).

    Args:
        load: rho, may exceed 1.
        places: K, the one in service included.
    """
    return load**places / sum(load**number for number in range(places + 1))
