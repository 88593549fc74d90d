"""Noise, Shannon's rate, and several users on one band."""

import math

import numpy as np
import pytest
from physics import seen

from cosim.adaptation.curve import ShannonCurve
from cosim.radio.link import noise_w, noma_sinr
from cosim.units import linear_to_db


@pytest.mark.parametrize(("bandwidth_hz", "level_dbm"), [(1e6, -105.0), (10e6, -95.0), (20e6, -91.98970004336019)])
def test_noise_power(bandwidth_hz, level_dbm):
    """Thermal noise with a 9 dB noise figure is -105, -95 and -92 dBm in 1, 10 and 20 MHz."""
    assert linear_to_db(noise_w(bandwidth_hz, 9.0)) + 30.0 == pytest.approx(level_dbm, abs=1e-9)
    seen(linear_to_db(noise_w(bandwidth_hz, 9.0)) + 30.0, level_dbm, "dB")


def test_shannon_rate():
    """A link of 10 MHz at 31.8 dB carries 105.6 Mbit/s, and one at 0 dB one bit per second and hertz."""
    assert 10e6 * ShannonCurve().efficiency(10**3.18) == pytest.approx(105.6e6, rel=1e-3)
    assert 5e6 * ShannonCurve().efficiency(1.0) == 5e6


def test_link_budget_of_s1():
    """S1's link (1 W, g0 = 1e-4, 100 m, -70 dBm noise) has 20 dB and 66.6 Mbit/s in 10 MHz."""
    ratio = np.array([1.0 * (1e-4 / 100.0**2) / 1e-10])
    assert ratio[0] == pytest.approx(100.0)
    assert 10e6 * ShannonCurve().efficiencies(ratio)[0] == pytest.approx(10e6 * math.log2(101.0))


def test_cap():
    """The cap bounds the efficiency, and is not felt below it."""
    capped = ShannonCurve(7.4063).efficiencies(np.array([3.0, 1e9]))
    np.testing.assert_allclose(capped, [2.0, 7.4063])
    seen(capped, [2.0, 7.4063])


@pytest.mark.parametrize("power_w", [1e-12, 1e-6, 1.0])
def test_two_equal_users_without_sic_stay_below_0_db(power_w):
    """Without SIC two equal NOMA users never exceed 0 dB, however strong they are."""
    ratio = noma_sinr(np.array([power_w, power_w]), 1e-13, sic=False)
    assert (ratio < 1.0).all()
    assert ratio[0] == pytest.approx(power_w / (1e-13 + power_w))


def test_two_equal_users_with_sic():
    """With SIC the earlier of two equal users is decoded first, under the other's interference; the later is alone."""
    np.testing.assert_allclose(noma_sinr(np.array([9.0, 9.0]), 1.0, sic=True), [0.9, 9.0])


def test_sic_decodes_the_strongest_first():
    """With SIC each user sees the weaker ones only, and the result stands in the users' own order."""
    np.testing.assert_allclose(noma_sinr(np.array([1.0, 8.0, 3.0]), 1.0, sic=True), [1.0, 8.0 / 5.0, 3.0 / 2.0])


@pytest.mark.parametrize("users", [1, 2, 5, 40])
def test_sic_sum_rate_is_the_joint_capacity(users):
    """With SIC the users' rates add up to log2(1 + sum P / N), exactly, over eight decades of power."""
    received_w = 10.0 ** np.random.default_rng(users).uniform(-8, 0, users)
    ratio = noma_sinr(received_w, 1e-6, sic=True)
    joint = math.log2(1.0 + received_w.sum() / 1e-6)
    assert np.log2(1.0 + ratio).sum() == pytest.approx(joint, rel=1e-12)
    seen(np.log2(1.0 + ratio).sum(), joint)


@pytest.mark.parametrize("sic", [True, False])
def test_one_user_alone_has_its_snr_and_nobody_has_none(sic):
    """A NOMA user alone has its signal-to-noise ratio; an empty cell has no ratios."""
    assert noma_sinr(np.array([2e-9]), 1e-10, sic)[0] == pytest.approx(20.0)
    assert noma_sinr(np.zeros(0), 1e-10, sic).shape == (0,)


def test_weak_users_count_beside_a_dominant_one():
    """Without SIC the strong user's interference is the weak one's power, even 17 decades below its own."""
    assert noma_sinr(np.array([1.0, 1e-17]), 1e-20, sic=False)[0] == pytest.approx(1.0 / (1e-17 + 1e-20), rel=1e-9)
