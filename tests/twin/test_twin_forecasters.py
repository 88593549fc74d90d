"""What every forecaster promises, by kind."""

import numpy as np
import pytest
from physics import seen
from twins import KINDS, bent_net, drive, forecaster

from cosim.errors import InputError

MOVING = [kind for kind in KINDS if kind != "last"]


def state(places):
    x, y, heading = np.array(places).T
    return np.column_stack((x, y)), heading


@pytest.mark.parametrize("kind", MOVING)
def test_exact_on_a_straight_road(kind, tmp_path):
    """Vehicles at constant speed on a straight lane are forecast exactly."""
    made = forecaster(kind, bent_net(tmp_path))
    numbers, speed = np.array([4, 9]), np.array([12.0, 9.0])
    for t in range(4):
        xy = np.column_stack((np.array([60.0, 10.0]) + speed * t, [0.0, 0.0]))
        made.observe(numbers, float(t), xy, speed, np.array([90.0, 90.0]))
    for ahead in (0.0, 0.5, 1.0, 5.0):
        expected = np.column_stack((np.array([60.0, 10.0]) + speed * (3 + ahead), [0.0, 0.0]))
        assert np.allclose(made.at(3 + ahead, numbers).xy_m, expected, atol=1e-9)
        seen(made.at(3 + ahead, numbers).xy_m, expected, "m")


def test_map_goes_around_the_bend(tmp_path):
    """After some vehicles went around the bend, the map-aware forecast of the next one follows it exactly."""
    made = forecaster("map", bent_net(tmp_path))
    for t in range(40):
        ways = 10.0 * t - np.array([0.0, 60.0, 130.0])
        gone = np.flatnonzero((ways >= 0) & (ways < 600))
        xy, heading = state([drive(way) for way in ways[gone]])
        made.observe(gone, float(t), xy, np.full(len(gone), 10.0), heading)
    assert ways[2] > 255
    made.observe(np.array([7]), 39.0, np.array([[190.0, 0.0]]), np.array([10.0]), np.array([90.0]))
    for ahead in (1.0, 3.0, 5.0, 8.0):
        ours = made.at(39 + ahead, np.array([7])).xy_m
        assert np.allclose(ours, drive(190 + 10 * ahead)[:2], atol=1e-6)
        seen(ours[0], drive(190 + 10 * ahead)[:2], "m")


def test_map_keeps_behind_a_standing_vehicle(tmp_path):
    """A vehicle that comes up to a standing one is expected to stop 7.5 m before its front."""
    made = forecaster("map", bent_net(tmp_path))
    xy, heading = np.array([[40.0, 0.0], [90.0, 0.0]]), np.array([90.0, 90.0])
    made.observe(np.array([0, 1]), 0.0, xy, np.array([14.0, 0.0]), heading)
    assert np.allclose(made.at(2.0, np.array([0])).xy_m, [[68.0, 0.0]])
    assert np.allclose(made.at(9.0, np.array([0, 1])).xy_m, [[82.5, 0.0], [90.0, 0.0]])


def test_map_off_the_road_is_straight(tmp_path):
    """Far from every lane the map-aware forecast is straight on."""
    made = forecaster("map", bent_net(tmp_path))
    made.observe(np.array([0]), 0.0, np.array([[50.0, -80.0]]), np.array([5.0]), np.array([180.0]))
    assert np.allclose(made.at(3.0, np.array([0])).xy_m, [[50.0, -95.0]])


@pytest.mark.parametrize("kind", KINDS)
def test_age_zero_is_what_was_seen(kind, tmp_path):
    """At the time of its state a vehicle beside its lane is forecast where it was seen."""
    made = forecaster(kind, bent_net(tmp_path))
    made.observe(np.array([0]), 4.0, np.array([[60.0, 1.2]]), np.array([9.0]), np.array([90.0]))
    assert made.at(4.0, np.array([0])).xy_m.tolist() == [[60.0, 1.2]]
    assert made.at(3.0, np.array([0])).xy_m.tolist() == [[60.0, 1.2]]


def wandering(seed, ticks, count=60):
    """Frames of vehicles near the bent net that leave, come and are teleported; some places are NaN."""
    rng = np.random.default_rng(seed)
    start, speed = rng.uniform(0, 300, count), rng.uniform(0, 12, count)
    for t in range(ticks):
        numbers = np.flatnonzero(rng.random(count) < 0.9)
        xy, heading = state([drive(float(start[k] + speed[k] * t)) for k in numbers])
        xy[rng.random(len(numbers)) < 0.1] = np.nan
        yield t, numbers, xy, np.maximum(speed[numbers] + rng.normal(0, 1, len(numbers)), 0), heading


@pytest.mark.parametrize("kind", KINDS)
def test_order_does_not_matter(kind, tmp_path):
    """The same states in another order of vehicles give the same forecasts and discs, bit for bit."""
    net = bent_net(tmp_path)
    one, other = forecaster(kind, net, checks=10), forecaster(kind, net, checks=10)
    rng = np.random.default_rng(3)
    for t, numbers, xy, speed, heading in wandering(1, 40):
        mixed = rng.permutation(len(numbers))
        one.observe(numbers, float(t), xy, speed, heading)
        other.observe(numbers[mixed], float(t), xy[mixed], speed[mixed], heading[mixed])
    asked = rng.permutation(60)
    first, second = one.at(43.0, np.arange(60)), other.at(43.0, asked)
    assert np.array_equal(first.xy_m[asked], second.xy_m)
    assert np.array_equal(first.radius_m[asked], second.radius_m)


@pytest.mark.parametrize("kind", KINDS)
def test_subset_is_told_the_same(kind, tmp_path):
    """What is forecast for a vehicle does not depend on who else is asked for."""
    made = forecaster(kind, bent_net(tmp_path))
    for t, numbers, xy, speed, heading in wandering(2, 15):
        made.observe(numbers, float(t), xy, speed, heading)
    for ahead in (1.0, 4.0, 12.0):
        everyone = made.at(14 + ahead, np.arange(60))
        for chosen in (np.array([3]), np.arange(5, 30, 4)):
            assert np.allclose(made.at(14 + ahead, chosen).xy_m, everyone.xy_m[chosen], atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_radius_grows_with_the_horizon(kind, tmp_path):
    """Discs never shrink with the horizon, are finite, and nothing at the age of zero but a filter's own doubt."""
    made = forecaster(kind, bent_net(tmp_path))
    for t, numbers, xy, speed, heading in wandering(4, 60):
        made.observe(numbers, float(t), xy, speed, heading)
        known = numbers[np.isfinite(xy[:, 0])]
    radii = np.array([made.at(59 + ahead, known).radius_m for ahead in (0.0, 0.1, 0.4, 1, 1.7, 3, 5, 9, 15, 25, 60)])
    assert (np.diff(radii, axis=0) >= -1e-9).all()
    assert np.isfinite(radii).all()
    assert kind == "kalman" or not radii[0].any()


@pytest.mark.parametrize("kind", KINDS)
def test_teleport_and_forget(kind, tmp_path):
    """A state without a place changes nothing, a late state neither, and a forgotten vehicle is nowhere."""
    made = forecaster(kind, bent_net(tmp_path))
    both, heading = np.array([1, 5]), np.array([90.0, 90.0])
    made.observe(both, 10.0, np.array([[50.0, 0.0], [90.0, 0.0]]), np.array([8.0, 8.0]), heading)
    before = made.at(12.0, both)
    made.observe(both, 11.0, np.full((2, 2), np.nan), np.zeros(2), np.zeros(2))
    made.observe(both, 9.0, np.array([[30.0, 0.0], [70.0, 0.0]]), np.array([3.0, 3.0]), heading)
    assert np.array_equal(made.at(12.0, both).xy_m, before.xy_m)
    made.forget(np.array([5, 77, 100_000]))
    after = made.at(12.0, np.array([1, 5, 77, 100_000]))
    assert np.array_equal(after.xy_m[0], before.xy_m[0])
    assert np.isnan(after.xy_m[1:]).all()
    assert np.isinf(after.radius_m[1:]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_many_vehicles_come_and_go(kind, tmp_path):
    """Rows are used again: thousands of vehicles one after the other leave no trace in each other's forecasts."""
    made = forecaster(kind, bent_net(tmp_path))
    for t in range(30):
        numbers = np.arange(400 * t, 400 * t + 400)
        xy = np.column_stack((np.linspace(0, 100, 400), np.zeros(400)))
        made.observe(numbers, float(t), xy, np.zeros(400), np.full(400, 90.0))
        assert np.allclose(made.at(t + 1.0, numbers).xy_m, xy)
        made.forget(numbers)
    assert made.at(31.0, np.empty(0, dtype=np.int64)).xy_m.shape == (0, 2)


def test_map_needs_roads():
    """The map-aware forecaster without a net is refused in one line."""
    with pytest.raises(InputError, match="no roads"):
        forecaster("map", None)
