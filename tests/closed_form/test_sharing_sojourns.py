"""Processor sharing, on processors and in radio cells: mean times at 99 % per test with fixed seeds."""

import numpy as np
import pytest
from effort import rest_long
from intervals import assert_mean, seeded

from cosim.adaptation.curve import ShannonCurve
from cosim.compute import SharingHost
from cosim.kernel.clock import Clock
from cosim.kernel.fluid import Flow
from cosim.radio.cell import OrthogonalCell
from cosim.types import FloatArray
from cosim.validation.drive import poisson_s, sojourns_s
from cosim.validation.theory import mmc_wait_s, sharing_sojourn_s

JOBS = 300_000
CORE_HZ = 2.0
SERVICE_S = 0.5


def shared_s(arrivals_s: FloatArray, service_s: FloatArray, cores: int) -> FloatArray:
    """Time of each job in a sharing host."""
    clock = Clock()
    host = SharingHost(clock, CORE_HZ, cores, 1.0)
    cycles = (service_s * CORE_HZ).tolist()
    return sojourns_s(clock, arrivals_s, lambda k: host.execute(cycles[k]))


@pytest.mark.parametrize("law", rest_long(["mixed", "constant", "exponential"]))
def test_sharing_is_insensitive(law: str) -> None:
    """M/G/1 sharing takes S / (1 - rho) on average whatever the law of the sizes (rho 0.7, 99 %, half width < 7 %)."""
    rng = seeded(f"sharing {law}")
    shapes = {
        "exponential": rng.exponential(1.0, JOBS),
        "constant": np.ones(JOBS),
        "mixed": rng.choice([0.5, 5.5], JOBS, p=[0.9, 0.1]),
    }
    rate_hz = 0.7 / SERVICE_S
    spent_s = shared_s(poisson_s(rng, rate_hz, JOBS), SERVICE_S * shapes[law], 1)
    assert_mean(spent_s, sharing_sojourn_s(rate_hz, SERVICE_S), 0.07)


@pytest.mark.long
def test_sharing_is_fair() -> None:
    """Small and large jobs are slowed alike: jobs of 0.5 S and of 5.5 S take 1 / (1 - rho) times their size (99 %)."""
    rng = seeded("sharing fair")
    sizes = rng.choice([0.5, 5.5], JOBS, p=[0.9, 0.1])
    spent_s = shared_s(poisson_s(rng, 0.7 / SERVICE_S, JOBS), SERVICE_S * sizes, 1)
    for size in (0.5, 5.5):
        assert_mean(spent_s[sizes == size], size * SERVICE_S / 0.3, 0.07)


@pytest.mark.long
def test_sharing_two_cores() -> None:
    """Exponential jobs on two shared cores take as long as in M/M/2, each at most at one core's speed (99 %)."""
    rng = seeded("sharing two cores")
    rate_hz = 2.0 * 0.7 / SERVICE_S
    spent_s = shared_s(poisson_s(rng, rate_hz, JOBS), rng.exponential(SERVICE_S, JOBS), 2)
    assert_mean(spent_s, mmc_wait_s(rate_hz, SERVICE_S, 2) + SERVICE_S, 0.05)


@pytest.mark.long
def test_cell_is_a_shared_processor() -> None:
    """Transfers of one spectral efficiency in an OFDMA cell take what executions take on one shared core, one by one.

    Their mean is S / (1 - rho) (99 %, half width below 7 %).
    """
    rng, clock = seeded("cell"), Clock()
    band_hz, snr = 1e6, 15.0
    cell = OrthogonalCell(clock, band_hz, ShannonCurve())
    service_s = rng.exponential(SERVICE_S, JOBS)
    arrivals_s = poisson_s(rng, 0.7 / SERVICE_S, JOBS)
    gain, size_bit = cell.gain(snr), (service_s * band_hz * 4.0).tolist()
    spent_s = sojourns_s(clock, arrivals_s, lambda k: cell.start(Flow(size_bit[k], gain)))
    np.testing.assert_allclose(spent_s, shared_s(arrivals_s, service_s, 1), rtol=1e-6, atol=1e-6)
    assert_mean(spent_s, sharing_sojourn_s(0.7 / SERVICE_S, SERVICE_S), 0.07)


@pytest.mark.long
def test_unequal_links_share_the_band() -> None:
    """With equal shares a transfer's mean time is its lone time over 1 - rho, at 3 dB as at 20 dB (99 %, < 7 %)."""
    rng, clock = seeded("unequal links"), Clock()
    cell = OrthogonalCell(clock, 1e6, ShannonCurve())
    near = rng.random(JOBS) < 0.5
    gains = np.where(near, cell.gain(100.0), cell.gain(2.0))
    rate_hz = 0.7 / (0.5 / cell.gain(100.0) + 0.5 / cell.gain(2.0))  # 1 Mbit in 1 MHz: S = 1 / gain
    sizes, each = rng.exponential(1e6, JOBS).tolist(), gains.tolist()
    spent_s = sojourns_s(clock, poisson_s(rng, rate_hz, JOBS), lambda k: cell.start(Flow(sizes[k], each[k])))
    for group, snr in ((near, 100.0), (~near, 2.0)):
        assert_mean(spent_s[group], 1.0 / cell.gain(snr) / 0.3, 0.07)
