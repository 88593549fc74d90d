"""Mean waits in queues, at 99 % per test with fixed seeds: M/M/c by Erlang C, M/G/1 by Pollaczek and Khinchine."""

import numpy as np
import pytest
from effort import rest_long
from intervals import assert_mean, seeded

from cosim.compute import QueueHost, SharingHost
from cosim.kernel.clock import Clock
from cosim.types import FloatArray
from cosim.validation.drive import poisson_s, sojourns_s
from cosim.validation.theory import blocking, mg1_wait_s, mmc_wait_s, priority_waits_s

CORE_HZ = 2.0
SERVICE_S = 0.5
LOADS = [
    (1, 0.7, 200_000, 0.07),
    (2, 0.3, 150_000, 0.07),
    (8, 0.7, 250_000, 0.1),
    (1, 0.3, 150_000, 0.05),
    (1, 0.9, 900_000, 0.1),
    (2, 0.7, 200_000, 0.07),
    (2, 0.9, 900_000, 0.1),
    (8, 0.3, 1_000_000, 0.15),
    (8, 0.9, 900_000, 0.1),
]


def waits_s(
    rng: np.random.Generator, service_s: FloatArray, rate_hz: float, cores: int, first: FloatArray | None = None
) -> FloatArray:
    """Time in the queue of each arrival, in their order; `first` is their priority."""
    clock = Clock()
    host = QueueHost(clock, CORE_HZ, cores, 1.0, by_priority=first is not None)
    cycles = (service_s * CORE_HZ).tolist()
    priority = (np.zeros(len(cycles)) if first is None else first).tolist()
    arrivals_s = poisson_s(rng, rate_hz, len(cycles))
    return sojourns_s(clock, arrivals_s, lambda k: host.execute(cycles[k], priority[k])) - service_s


@pytest.mark.parametrize(
    ("cores", "load", "jobs", "widest"),
    rest_long(LOADS, 2),
)
def test_mmc_wait(cores: int, load: float, jobs: int, widest: float) -> None:
    """M/M/c waits C S / (c - a) on average (99 %); at rho 0.3 on 8 cores only 1 of 280 waits, so 15 % is narrow."""
    rng = seeded(f"mmc {cores} {load}")
    rate_hz = load * cores / SERVICE_S
    waited_s = waits_s(rng, rng.exponential(SERVICE_S, jobs), rate_hz, cores)
    assert_mean(waited_s, mmc_wait_s(rate_hz, SERVICE_S, cores), widest)


@pytest.mark.parametrize(
    ("load", "jobs"),
    rest_long([(0.7, 150_000), (0.3, 100_000), (0.9, 400_000)]),
)
def test_constant_service(load: float, jobs: int) -> None:
    """With constant service the mean wait is half of M/M/1's (99 %, half width below 7 %)."""
    rng = seeded(f"constant {load}")
    waited_s = waits_s(rng, np.full(jobs, SERVICE_S), load / SERVICE_S, 1)
    assert_mean(waited_s, mg1_wait_s(load / SERVICE_S, SERVICE_S, 0.0), 0.07)


def test_hyperexponential_service() -> None:
    """With cv^2 = 3 (one job in ten is long) the mean wait at rho 0.6 is twice M/M/1's (99 %, half width below 8 %)."""
    jobs, rng = 300_000, seeded("hyperexponential")
    long = rng.random(jobs) < 0.1
    # 0.9 short + 0.1 long = 1 and 0.9 short^2 + 0.1 long^2 = 2: cv^2 = 2 * 2 - 1 = 3.
    short_mean, long_mean = 1.0 - 1.0 / 3.0, 1.0 + 3.0
    service_s = SERVICE_S * rng.exponential(1.0, jobs) * np.where(long, long_mean, short_mean)
    assert 0.9 * short_mean + 0.1 * long_mean == pytest.approx(1.0)
    assert 0.9 * short_mean**2 + 0.1 * long_mean**2 == pytest.approx(2.0)
    rate_hz = 0.6 / SERVICE_S
    assert mg1_wait_s(rate_hz, SERVICE_S, 3.0) == pytest.approx(2.0 * mmc_wait_s(rate_hz, SERVICE_S, 1))
    assert_mean(waits_s(rng, service_s, rate_hz, 1), mg1_wait_s(rate_hz, SERVICE_S, 3.0), 0.08)


@pytest.mark.long
def test_two_priorities() -> None:
    """Two classes with different lengths wait as Cobham's law says, rho 0.4 each (99 % per class, half width < 7 %)."""
    jobs, rng = 500_000, seeded("priorities")
    services_s = (SERVICE_S, 2.0 * SERVICE_S)
    rates_hz = (0.4 / services_s[0], 0.4 / services_s[1])
    first = rng.random(jobs) < rates_hz[0] / sum(rates_hz)
    service_s = rng.exponential(1.0, jobs) * np.where(first, *services_s)
    waited_s = waits_s(rng, service_s, sum(rates_hz), 1, first.astype(float))
    expected_s = priority_waits_s(rates_hz, services_s)
    assert_mean(waited_s[first], expected_s[0], 0.07)
    assert_mean(waited_s[~first], expected_s[1], 0.07)


@pytest.mark.parametrize(("load", "queue_limit"), [(0.7, 3), (1.2, 7), (0.9, 0)])
def test_bounded_queue(load: float, queue_limit: int) -> None:
    """M/M/1/K turns away rho^K (1 - rho) / (1 - rho^(K+1)) of its arrivals (99 %, half width below 5 %)."""
    jobs, rng, clock = 200_000, seeded(f"bounded {load} {queue_limit}"), Clock()
    cycles = rng.exponential(SERVICE_S * CORE_HZ, jobs).tolist()
    host = QueueHost(clock, CORE_HZ, 1, 1.0, queue_limit)
    spent_s = sojourns_s(clock, poisson_s(rng, load / SERVICE_S, jobs), lambda k: host.execute(cycles[k]))
    turned_away = np.isnan(spent_s)
    assert host.rejected == turned_away.sum()
    assert host.served == jobs - host.rejected
    assert_mean(turned_away.astype(float), blocking(load, queue_limit + 1), 0.05)


def test_bounded_sharing() -> None:
    """A bounded sharing host loses as much as a bounded queue: M/M/1/4 at rho 0.9 (99 %, half width below 5 %)."""
    jobs, rng, clock = 200_000, seeded("bounded sharing"), Clock()
    cycles = rng.exponential(SERVICE_S * CORE_HZ, jobs).tolist()
    host = SharingHost(clock, CORE_HZ, 1, 1.0, 3)
    spent_s = sojourns_s(clock, poisson_s(rng, 0.9 / SERVICE_S, jobs), lambda k: host.execute(cycles[k]))
    assert_mean(np.isnan(spent_s).astype(float), blocking(0.9, 4), 0.05)
