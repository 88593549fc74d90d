"""The weather of key links: its closed form, its limits, and draws that disturb nobody."""

import math

import numpy as np
import pytest
from key_links import GOLDEN_NOISE_PER_S, row
from physics import seen

from cosim.kernel.rng import stream_key
from cosim.keys.rates.noise import conditions, slot_noise_per_s
from cosim.scenario.key_rates import KeyEnvironment

GOLDEN = KeyEnvironment()
"""A 0.2, beta 0.5, B 0.05, mu_q 0.2 pi: the golden constants, with phi 0.3 and a slot of 1 s."""
KEY = stream_key(7, "key_weather")


def test_golden_slot_mean() -> None:
    """The mean noise of the golden slot is 0.19758178875705376 to 1e-9."""
    np.testing.assert_allclose(slot_noise_per_s(GOLDEN, row(0.3), 1.0), GOLDEN_NOISE_PER_S, rtol=1e-9)


@pytest.mark.parametrize("slot_s", [0.1, 1.0, 7.3, 60.0])
def test_printed_primitive(slot_s: float) -> None:
    """The stable form equals A/beta (1 - e^(-beta T)) + B/mu_q (sin(mu_q T + phi) - sin(phi)), over T."""
    phase_rad = np.linspace(0.0, 2 * math.pi, 9)
    turn = GOLDEN.noise_frequency_rad_per_s
    printed = 0.2 / 0.5 * (1 - math.exp(-0.5 * slot_s)) + 0.05 / turn * (
        np.sin(turn * slot_s + phase_rad) - np.sin(phase_rad)
    )
    ours = slot_noise_per_s(GOLDEN, phase_rad, slot_s)
    np.testing.assert_allclose(ours, printed / slot_s, rtol=1e-12, atol=1e-15)
    seen(ours, printed / slot_s, "per s")


@pytest.mark.parametrize("small", [0.0, 1e-30, 1e-12])
def test_limits(small: float) -> None:
    """Without decay and without turning the noise is A + B cos(phi) all the time."""
    still = GOLDEN.model_copy(update={"noise_decay_per_s": small, "noise_frequency_rad_per_s": small})
    np.testing.assert_allclose(slot_noise_per_s(still, row(0.3), 2.0), 0.2 + 0.05 * math.cos(0.3), rtol=1e-11)


def test_links_and_slots_do_not_disturb_each_other() -> None:
    """A link's weather in a slot is the same whichever links and slots are asked for beside it, in any order."""
    together = conditions(GOLDEN, KEY, np.arange(50), 12, 1.0)
    conditions(GOLDEN, KEY, np.arange(9), 13, 1.0)
    some = conditions(GOLDEN, KEY, np.array([31, 4]), 12, 1.0)
    assert some.temperature_k.tolist() == together.temperature_k[[31, 4]].tolist()
    assert some.noise_per_s.tolist() == together.noise_per_s[[31, 4]].tolist()
    other = conditions(GOLDEN, KEY, np.arange(50), 13, 1.0)
    assert not np.isin(other.temperature_k, together.temperature_k).any()


def test_temperatures_are_normal() -> None:
    """Over 40,000 links and slots mean and deviation are those asked for, within 4.5 standard errors."""
    environment = GOLDEN.model_copy(update={"mean_temperature_k": 295.0, "temperature_deviation_k": 2.0})
    drawn = np.concatenate(
        [conditions(environment, KEY, np.arange(400), slot, 1.0).temperature_k for slot in range(100)]
    )
    assert drawn.mean() == pytest.approx(295.0, abs=4.5 * 2.0 / 200)
    assert drawn.std() == pytest.approx(2.0, abs=4.5 * 2.0 / (200 * math.sqrt(2)))


def test_phases_are_even_and_apart_from_temperature() -> None:
    """Still noise of amplitude B has mean 0 and mean square B^2/2, and no correlation with temperature (4.5 sigma)."""
    still = GOLDEN.model_copy(update={"noise_amplitude_per_s": 0.0, "noise_frequency_rad_per_s": 0.0})
    found = [conditions(still, KEY, np.arange(400), slot, 1.0) for slot in range(100)]
    noise = np.concatenate([one.noise_per_s for one in found]) / 0.05
    temperature_k = np.concatenate([one.temperature_k for one in found])
    assert noise.mean() == pytest.approx(0.0, abs=4.5 * math.sqrt(0.5) / 200)
    assert np.mean(noise**2) == pytest.approx(0.5, abs=4.5 * math.sqrt(0.125) / 200)
    assert np.corrcoef(noise, temperature_k)[0, 1] == pytest.approx(0.0, abs=4.5 / 200)


def test_steady_temperature() -> None:
    """A deviation of 0 gives the mean in each slot."""
    steady = GOLDEN.model_copy(update={"temperature_deviation_k": 0.0})
    assert set(conditions(steady, KEY, np.arange(5), 3, 1.0).temperature_k.tolist()) == {298.0}
