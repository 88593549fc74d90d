"""The chain of S3 eq 1-12 as read."""

import numpy as np
import pytest
from key_links import GOLDEN_NOISE_PER_S, rates, row, weather
from physics import seen

from cosim.keys.rates.qib_vec import qib_vec_chain, visibility
from cosim.scenario.key_rates import QibVecRate

GOLDEN = QibVecRate(kind="qib_vec", noise_doubling=None)
"""v_s 50/s, theta_k pi/2, sigma 0, theta_I 0.2, rho 0.02, eta_int 0.9, mu_tem 0.004/K, F 298 K, F_0 293 K, eta_ot 0.5,
alpha 0.2 dB/km, N_0 0.1/s, eps_err 0.005, mu_1 20, n_sec 1e5, mu_2 2.16, eps_sec 1e-10, q 0.5."""
TIGHT = {"rtol": 1e-9, "atol": 0.0}


def test_golden_chain() -> None:
    """At 10 km every quantity of the chain has the golden value to 1e-9."""
    chain = qib_vec_chain(GOLDEN, row(10.0), row(0.9), row(0.0), weather(1))
    assert visibility(GOLDEN) == pytest.approx(0.9608495861188643, rel=1e-9)
    for ours, golden in [
        (chain.efficiency, 0.882),
        (chain.signal_per_s, 13.912609445788261),
        (chain.noise_per_s, 0.29758178875705377),
        (chain.qber, 0.03463599126937477),
        (chain.margin, 0.48314956298556094),
        (chain.sifted_bps, 7.105095617272657),
        (chain.key_bps, 3.42617974504882),
    ]:
        np.testing.assert_allclose(ours, golden, **TIGHT)


def test_golden_distances() -> None:
    """Signal, QBER and both key rates over 0 to 100 km have the golden values to 1e-9."""
    length_km = row(0, 1, 10, 25, 50, 75, 100)
    signal = [22.05, 21.057586521772663, 13.912609445788261, 6.9728222406712765, 2.205, 0.6972822240671276, 0.2205]
    qber = [
        0.030972573359595298,
        0.03126987060244917,
        0.03463599126937477,
        0.044239268071583786,
        0.08170247843440753,
        0.16827893673577654,
        0.3005271365091725,
    ]
    printed = [5.860807559227257, 5.563354025172656, 3.42617974504882, 1.3704331530246248, 0.02821901085100478, 0, 0]
    physical = [6.2068886174081745, 5.8972407000545495, 3.672271774816749, 1.531251829447926, 0.13045257816413694, 0, 0]
    zeros = np.zeros(7)
    chain = qib_vec_chain(GOLDEN, length_km, np.full(7, 0.9), zeros, weather(7))
    np.testing.assert_allclose(chain.signal_per_s, signal, **TIGHT)
    np.testing.assert_allclose(chain.qber, qber, **TIGHT)
    np.testing.assert_allclose(rates(GOLDEN, length_km).key_bps, printed, **TIGHT)
    seen([chain.signal_per_s, chain.qber, chain.key_bps], [signal, qber, printed])
    np.testing.assert_allclose(
        rates(GOLDEN.model_copy(update={"minus_qber": False}), length_km).key_bps, physical, **TIGHT
    )


def test_detector_over_temperature() -> None:
    """Eq 3 as read gives eta_int at the reference temperature and 0.8928 and 0.882 at 2 and 5 K above it."""
    for temperature_k, golden in ((293.0, 0.9), (295.0, 0.8928), (298.0, 0.882)):
        chain = qib_vec_chain(GOLDEN, row(10.0), row(0.9), row(0.0), weather(1, temperature_k))
        np.testing.assert_allclose(chain.efficiency, golden, **TIGHT)


def test_best_detector_by_distance() -> None:
    """If noise doubles for each 0.1 of efficiency, the best of Table II's is 1.0 at 1 km, 0.9 at 25, 0.8 at 40."""
    model = QibVecRate(kind="qib_vec")
    choices = (0.8, 0.9, 1.0)
    key_bps = np.array([rates(model, row(1.0, 25.0, 40.0), detector).key_bps for detector in choices])
    assert [choices[i] for i in key_bps.argmax(axis=0)] == [1.0, 0.9, 0.8]
    np.testing.assert_allclose(key_bps[:, 1], [1.144482146573, 1.150720918147, 0.952997629460], rtol=1e-9)


def test_best_detector_without_tradeoff() -> None:
    """With constant noise the highest efficiency is the best at each distance."""
    key_bps = np.array([rates(GOLDEN, row(1.0, 25.0, 40.0), detector).key_bps for detector in (0.8, 0.9, 1.0)])
    assert (np.diff(key_bps, axis=0) > 0).all()


def test_noise_floor() -> None:
    """Noise that would be negative is the floor, so that QBER is misalignment and the error floor alone."""
    chain = qib_vec_chain(GOLDEN, row(10.0), row(0.9), row(0.0), weather(1, noise_per_s=-5.0))
    assert chain.noise_per_s[0] == GOLDEN.noise_floor_per_s
    assert chain.qber[0] == pytest.approx(0.5 * (1 - visibility(GOLDEN)) + 0.005, abs=1e-9)


def test_golden_noise_is_the_slot_mean() -> None:
    """The golden extra noise is the mean of eq 7 over the first second, found by numbers."""
    time_s = (np.arange(200_000) + 0.5) / 200_000
    mean = np.mean(0.2 * np.exp(-0.5 * time_s) + 0.05 * np.cos(0.2 * np.pi * time_s + 0.3))
    assert mean == pytest.approx(GOLDEN_NOISE_PER_S, rel=1e-9)
