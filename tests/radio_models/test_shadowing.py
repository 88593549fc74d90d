"""Shadowing as AR(1) in dB and line of sight along the way; statistical tests use 99.9 % intervals."""

import numpy as np
import pytest
from physics import seen
from scipy import stats

from cosim.kernel.rng import stream_key
from cosim.radio.pathloss import path_loss_model
from cosim.radio.shadowing import ShadowField, ar1_db, los_state
from cosim.scenario.radio import Umi

KEY = stream_key(7, "shadowing")
MODEL = path_loss_model(Umi())
Z = stats.norm.ppf(0.9995)


def field_after(ticks, moved_m, vehicles=20_000, los=True):
    """The last `ticks + 1` fields of many vehicles with one site."""
    field = ShadowField(KEY, MODEL)
    numbers, sites = np.arange(vehicles), np.zeros((vehicles, 1), np.int64)
    state = np.full((vehicles, 1), los)
    return [field.update(numbers, sites, np.full(vehicles, moved_m), state, t)[:, 0] for t in range(ticks + 1)]


@pytest.mark.parametrize(("los", "sigma_db"), [(True, 4.0), (False, 7.82)])
def test_stationary_law(los, sigma_db):
    """After 50 ticks of movement shadowing still has mean 0 dB, deviation sigma and a normal law (99.9 %)."""
    last = field_after(50, 3.0, los=los)[-1]
    n = len(last)
    assert abs(last.mean()) < Z * sigma_db / np.sqrt(n)
    low, high = stats.chi2.ppf([0.0005, 0.9995], n - 1)
    assert low < (n - 1) * last.var(ddof=1) / sigma_db**2 < high
    assert stats.kstest(last / sigma_db, "norm").pvalue > 0.001


@pytest.mark.parametrize(("los", "correlation_m"), [(True, 10.0), (False, 13.0)])
@pytest.mark.parametrize("lag", [1, 2, 4])
def test_autocorrelation(los, correlation_m, lag):
    """The autocorrelation of shadowing over a distance d is e^(-d/D), D 10 m or 13 m by state (Fisher z, 99.9 %)."""
    fields = field_after(4, 5.0, los=los)
    estimate = np.corrcoef(fields[0], fields[lag])[0, 1]
    expected = np.exp(-5.0 * lag / correlation_m)
    assert abs(np.arctanh(estimate) - np.arctanh(expected)) < Z / np.sqrt(len(fields[0]) - 3)
    seen(estimate, expected, "of 1")


def test_ar1_limits():
    """No move leaves the value as it is; an infinite move gives a fresh draw with deviation sigma."""
    previous_db, innovation = np.array([3.0, -2.0]), np.array([1.0, 0.5])
    np.testing.assert_array_equal(ar1_db(previous_db, np.zeros(2), 10.0, 4.0, innovation), previous_db)
    np.testing.assert_array_equal(ar1_db(previous_db, np.full(2, np.inf), 10.0, 4.0, innovation), 4.0 * innovation)


def test_candidates_do_not_change_the_draws():
    """A pair has the same shadowing whatever the order and number of the other candidates."""
    numbers, los = np.arange(50), np.ones((50, 3), bool)
    wide, narrow = ShadowField(KEY, MODEL), ShadowField(KEY, MODEL)
    sites = np.tile([4, 9, 2], (50, 1))
    for tick in range(5):
        moved_m = np.full(50, 4.0)
        all_db = wide.update(numbers, np.roll(sites, tick, axis=1), moved_m, los, tick)
        one_db = narrow.update(numbers, sites[:, 1:2], moved_m, los[:, :1], tick)
        np.testing.assert_array_equal(np.roll(all_db, -tick, axis=1)[:, 1:2], one_db)


def test_values_follow_vehicle_and_site():
    """While nobody moves, vehicles that enter or leave and candidates that swap slots leave each pair's value alone."""
    field = ShadowField(KEY, MODEL)
    los = np.ones((3, 2), bool)
    first = field.update(np.array([3, 5, 8]), np.array([[0, 1], [1, 2], [2, 3]]), np.zeros(3), los, 0)
    second = field.update(np.array([3, 8, 9]), np.array([[1, 0], [2, 7], [2, 3]]), np.zeros(3), los, 1)
    np.testing.assert_array_equal(second[0], first[0][::-1])
    assert second[1, 0] == first[2, 0]
    assert second[1, 1] != first[2, 1]
    assert second[2, 0] != first[2, 0]


def test_empty_map_and_teleport():
    """An empty map is a field of no rows; a vehicle back from a teleport (moved NaN) starts from the stationary law."""
    field = ShadowField(KEY, MODEL)
    one, sites, los = np.array([4]), np.array([[0]]), np.ones((1, 1), bool)
    before = field.update(one, sites, np.zeros(1), los, 0)
    after = field.update(one, sites, np.array([np.nan]), los, 1)
    assert np.isfinite(after).all()
    assert after[0, 0] != before[0, 0]
    assert field.update(one[:0], sites[:0], np.zeros(0), los[:0], 2).shape == (0, 1)
    assert np.isfinite(field.update(one, sites, np.zeros(1), los, 3)).all()


def test_state_scales_the_field():
    """When line of sight is lost the same obstacle field counts with the deviation of the new state."""
    field = ShadowField(KEY, MODEL)
    numbers, sites = np.array([1]), np.array([[0]])
    seen = field.update(numbers, sites, np.zeros(1), np.array([[True]]), 0)
    hidden = field.update(numbers, sites, np.zeros(1), np.array([[False]]), 1)
    assert hidden[0, 0] / seen[0, 0] == pytest.approx(7.82 / 4.0)


def test_line_of_sight_has_its_probability():
    """The share of links with line of sight is its probability (binomial, 99.9 %)."""
    n, p = 20_000, 0.3
    los = los_state(KEY, np.arange(n), np.zeros((n, 1), np.int64), np.zeros(n), np.full((n, 1), p), 10.0)
    assert abs(los.mean() - p) < Z * np.sqrt(p * (1 - p) / n)
    seen(los.mean(), p, "of 1")


def test_line_of_sight_stays_on_a_stretch():
    """Line of sight stays within 10 m of way, is drawn anew beyond, and does not depend on the other candidates."""
    numbers, sites = np.arange(1000), np.tile([3, 6], (1000, 1))
    p_los = np.full((1000, 2), 0.5)
    start = los_state(KEY, numbers, sites, np.full(1000, 20.0), p_los, 10.0)
    np.testing.assert_array_equal(los_state(KEY, numbers, sites, np.full(1000, 29.9), p_los, 10.0), start)
    np.testing.assert_array_equal(
        los_state(KEY, numbers, sites[:, 1:], np.full(1000, 20.0), p_los[:, 1:], 10.0)[:, 0], start[:, 1]
    )
    beyond = los_state(KEY, numbers, sites, np.full(1000, 30.1), p_los, 10.0)
    assert abs((beyond != start).mean() - 0.5) < Z * 0.5 / np.sqrt(2000)
