"""Distributions of scenario quantities; statistical tests use 99.9 % intervals."""

import numpy as np
import pytest
from physics import seen
from scipy import stats

from cosim.distributions import draw, keyed_draw, mean, quantile
from cosim.kernel.rng import stream_key
from cosim.scenario.section import Choice, Exponential, Lognormal, Uniform

SPREADS = [
    (Uniform(kind="uniform", low=2.0, high=6.0), 4.0, 4.0 / np.sqrt(12.0)),
    (Exponential(kind="exponential", mean=3.0), 3.0, 3.0),
    (Lognormal(kind="lognormal", mean=5.0, cv=0.5), 5.0, 2.5),
    (Choice(kind="choice", values=(1.0, 5.0)), 3.0, 2.0),
    (Choice(kind="choice", values=(1.0, 5.0), weights=(3.0, 1.0)), 2.0, np.sqrt(3.0)),
]
N = 100_000


@pytest.mark.parametrize(("distribution", "expected", "deviation"), SPREADS)
def test_means_of_draws(distribution, expected, deviation):
    """Draws from a stream and draws by key both have the distribution's mean (99.9 %)."""
    assert mean(distribution) == pytest.approx(expected)
    bound = stats.norm.ppf(0.9995) * deviation / np.sqrt(N)
    assert abs(draw(distribution, np.random.default_rng(1), N).mean() - expected) < bound
    assert abs(keyed_draw(distribution, stream_key(1, "core"), np.arange(N)).mean() - expected) < bound


@pytest.mark.parametrize(
    ("distribution", "law"),
    [
        (SPREADS[0][0], stats.uniform(2.0, 4.0)),
        (SPREADS[1][0], stats.expon(scale=3.0)),
        (SPREADS[2][0], stats.lognorm(s=np.sqrt(np.log(1.25)), scale=5.0 / np.sqrt(1.25))),
    ],
)
def test_quantiles(distribution, law):
    """The inverse distribution functions are those of SciPy."""
    probability = np.linspace(0.01, 0.99, 99)
    np.testing.assert_allclose(quantile(distribution, probability), law.ppf(probability), rtol=1e-10)
    seen(quantile(distribution, probability), law.ppf(probability))


def test_plain_number_draws_nothing():
    """A plain number is itself, and leaves the stream where it was."""
    rng = np.random.default_rng(2)
    np.testing.assert_array_equal(draw(7.5, rng, 3), 7.5)
    assert mean(7.5) == 7.5
    assert rng.random() == np.random.default_rng(2).random()


@pytest.mark.parametrize("distribution", [SPREADS[1][0], SPREADS[2][0]])
def test_extreme_draws_are_positive_and_finite(distribution):
    """Exponential and lognormal values are positive and finite even where the uniform draw is 0 or 1."""
    values = quantile(distribution, np.array([0.0, 1.0]))
    assert (values > 0.0).all()
    assert np.isfinite(values).all()


def test_choice_takes_every_value_at_its_share():
    """A choice gives each value over its share of [0, 1]."""
    choice = Choice(kind="choice", values=(10.0, 20.0, 30.0), weights=(1.0, 2.0, 1.0))
    np.testing.assert_array_equal(
        quantile(choice, np.array([0.0, 0.24, 0.25, 0.74, 0.75, 1.0])), [10, 10, 20, 20, 30, 30]
    )


def test_keyed_draws_belong_to_their_counter():
    """A vehicle's keyed value does not depend on which other vehicles are asked for."""
    distribution, key = SPREADS[0][0], stream_key(3, "core")
    everyone = keyed_draw(distribution, key, np.arange(100))
    np.testing.assert_array_equal(keyed_draw(distribution, key, np.array([42, 7])), everyone[[42, 7]])
    assert keyed_draw(2e9, key, np.arange(3)).tolist() == [2e9] * 3
