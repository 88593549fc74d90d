"""Motion models and the Kalman filter against closed forms."""

import numpy as np
import pytest
from physics import seen
from scipy.linalg import solve_discrete_are

from cosim.twin.motion import (
    KalmanModel,
    constant_position,
    constant_turn,
    constant_velocity,
    kalman_correct,
    kalman_predict,
    place_sd_m,
    process_noise,
    transition,
    turned_deg,
)

RNG = np.random.default_rng(5)
XY, SPEED, HEADING = RNG.uniform(-500, 500, (40, 2)), RNG.uniform(0, 40, 40), RNG.uniform(0, 360, 40)
AHEAD = RNG.uniform(0, 20, 40)


def test_straight_on():
    """Constant velocity goes speed x time along the heading, clockwise from north."""
    moved = constant_velocity(XY, SPEED, HEADING, AHEAD) - XY
    assert np.allclose(np.hypot(*moved.T), SPEED * AHEAD)
    assert np.allclose(moved[:, 0], SPEED * AHEAD * np.sin(np.radians(HEADING)))
    assert np.array_equal(constant_position(XY), XY)


def test_circle():
    """Constant turn is exact on circles, and equal to constant velocity without a turn."""
    rate = RNG.uniform(-40, 40, 40)
    omega, heading = np.radians(rate), np.radians(HEADING)
    radius = SPEED / omega
    exact = XY + radius[:, None] * np.column_stack(
        (np.cos(heading) - np.cos(heading + omega * AHEAD), np.sin(heading + omega * AHEAD) - np.sin(heading))
    )
    assert np.allclose(constant_turn(XY, SPEED, HEADING, rate, AHEAD), exact)
    seen(constant_turn(XY, SPEED, HEADING, rate, AHEAD), exact, "m")
    straight = constant_velocity(XY, SPEED, HEADING, AHEAD)
    for tiny in (0.0, 1e-9):
        assert np.allclose(constant_turn(XY, SPEED, HEADING, np.full(40, tiny), AHEAD), straight, atol=1e-4)


@pytest.mark.parametrize(("before", "after", "turn"), [(350, 10, 20), (10, 350, -20), (0, 180, -180), (90, 90, 0)])
def test_turn_is_the_short_way(before, after, turn):
    """A turn across north is the short one."""
    assert turned_deg(np.array([float(before)]), np.array([float(after)]))[0] == turn


def test_transition_and_noise():
    """F composes over time, and Q of a whole step is Q of its parts carried on."""
    for order in (2, 3):
        model = KalmanModel(order, 1.7, 0.1, 0.2)
        one, two = np.array([0.7]), np.array([1.9])
        f1, f2 = transition(order, one), transition(order, two)
        assert np.allclose(f2 @ f1, transition(order, one + two))
        carried = f2 @ process_noise(model, one) @ f2.transpose(0, 2, 1) + process_noise(model, two)
        assert np.allclose(carried, process_noise(model, one + two))


@pytest.mark.parametrize("order", [2, 3])
def test_kalman_steady_state(order):
    """After many equal steps the covariance solves the filter's Riccati equation, for every vehicle."""
    model = KalmanModel(order, 2.0, 0.5, 0.3)
    mean, variance = np.zeros((3, order, 2)), np.repeat(model.first_variance[None], 3, axis=0)
    step = np.ones(3)
    for _ in range(200):
        mean, variance = kalman_predict(model, mean, variance, step)
        mean, variance = kalman_correct(model, mean, variance, np.zeros((3, 2, 2)))
    h, r = np.eye(2, order), np.diag([0.25, 0.09])
    f, q = transition(order, step)[0], process_noise(model, step)[0]
    before = solve_discrete_are(f.T, h.T, q, r)
    after = before - before @ h.T @ np.linalg.solve(h @ before @ h.T + r, h @ before)
    assert np.allclose(variance, after)
    seen(variance, np.broadcast_to(after, variance.shape))
    ahead = place_sd_m(model, variance, step)
    assert np.allclose(ahead, np.sqrt(2 * before[0, 0]))


def test_kalman_equals_least_squares():
    """Without process noise the mean is the least-squares line through all places and speeds."""
    model = KalmanModel(2, 1e-12, 0.5, 0.5)
    times = np.arange(8.0)
    places = 3.0 + 2.0 * times + RNG.normal(0, 0.5, 8)
    speeds = 2.0 + RNG.normal(0, 0.5, 8)
    mean = np.array([[[places[0], 0.0], [speeds[0], 0.0]]])
    variance = model.first_variance[None]
    for k in range(1, 8):
        mean, variance = kalman_predict(model, mean, variance, np.ones(1))
        measured = np.array([[[places[k], 0.0], [speeds[k], 0.0]]])
        mean, variance = kalman_correct(model, mean, variance, measured)
    rows = np.vstack((np.column_stack((np.ones(8), times - 7.0)), np.column_stack((np.zeros(8), np.ones(8)))))
    line, *_ = np.linalg.lstsq(rows, np.concatenate((places, speeds)), rcond=None)
    assert np.allclose(mean[0, :, 0], line)
    seen(mean[0, :, 0], line)
