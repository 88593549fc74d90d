"""The disc that holds a stated share of errors."""

import numpy as np
import pytest

from cosim.twin.region import KNOTS_S, Region

NUMBERS = np.arange(400)


def feed(region, rng, spread_m, ahead_s=5.0, rounds=300):
    """Share of errors with standard deviation spread_m(round) that the region held, round by round."""
    held = []
    for k in range(rounds):
        start = np.full(400, 100.0 * k)
        told = np.zeros((400, 2))
        scale, ahead = np.full(400, ahead_s**1.3), np.full(400, ahead_s)
        truth = rng.normal(0, spread_m(k), (400, 2))
        held.append((np.hypot(*truth.T) <= region.radius_m(ahead, scale)).mean())
        region.expect(NUMBERS, start, ahead, scale, told)
        region.learn(NUMBERS, start + ahead, truth, np.zeros((400, 2)))
    return np.array(held)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_holds_the_share(share):
    """Of Rayleigh errors the disc holds the stated share to 1 % and has their quantile as radius to 3 %."""
    region = Region(share, 4000, 1e-4, 2.0, 1.3)
    held = feed(region, np.random.default_rng(1), lambda _: 3.0)
    assert abs(held[50:].mean() - share) < 0.01
    radius = region.radius_m(np.array([5.0]), np.array([5.0**1.3]))[0]
    assert radius == pytest.approx(3.0 * np.sqrt(-2 * np.log(1 - share)), rel=0.03)


def test_follows_a_change():
    """When errors become four times as large, the disc holds 90 +- 1 % of them again after 100 rounds."""
    region = Region(0.9, 4000, 1e-4, 2.0, 1.3)
    held = feed(region, np.random.default_rng(2), lambda k: 3.0 if k < 150 else 12.0)
    assert held[150] < 0.5
    assert abs(held[250:].mean() - 0.9) < 0.01


def test_holds_under_drift():
    """While errors grow by 1 % each round, the corrected level still holds 88 to 92 %."""
    region = Region(0.9, 4000, 1e-4, 2.0, 1.3)
    held = feed(region, np.random.default_rng(3), lambda k: 1.01**k)
    assert 0.88 < held[150:].mean() < 0.92


def test_unknown_horizons_follow_the_known():
    """Next to a horizon that was checked, radii grow as horizon^1.3, and never fall."""
    region = Region(0.9, 4000, 1e-4, 2.0, 1.3)
    feed(region, np.random.default_rng(4), lambda _: 3.0)
    ahead = np.array(KNOTS_S)
    radius = region.radius_m(ahead, ahead**1.3)
    assert np.allclose(radius / radius[4], (ahead / 5.0) ** 1.3)


def test_late_state_is_moved_back():
    """A state that comes half a second late is moved along its velocity to the time of the forecast."""
    region = Region(0.9, 4000, 1e-4, 2.0, 1.3)
    ahead, scale, moving = np.full(400, 5.0), np.full(400, 5.0**1.3), np.tile([20.0, 0.0], (400, 1))
    for k in range(5):
        start = np.full(400, 100.0 * k)
        region.expect(NUMBERS, start, ahead, scale, np.zeros((400, 2)))
        region.learn(NUMBERS, start + 5.5, np.tile([11.0, 0.0], (400, 1)), moving)
    assert region.radius_m(ahead[:1], scale[:1])[0] == pytest.approx(1.0, rel=0.06)


def test_unscored_forecasts_are_dropped():
    """A forecast whose state comes far too late, or whose vehicle left, teaches nothing."""
    region = Region(0.9, 4000, 1e-4, 2.0, 1.3)
    ahead, scale = np.full(400, 5.0), np.full(400, 5.0**1.3)
    region.expect(NUMBERS, np.zeros(400), ahead, scale, np.zeros((400, 2)))
    region.learn(NUMBERS, np.full(400, 9.0), np.full((400, 2), 50.0), np.zeros((400, 2)))
    region.expect(NUMBERS, np.full(400, 10.0), ahead, scale, np.zeros((400, 2)))
    region.forget(NUMBERS)
    region.learn(NUMBERS, np.full(400, 15.0), np.full((400, 2), 50.0), np.zeros((400, 2)))
    assert (region.ratios == 2.0).all()
