"""Models of a vehicle's motion after its last known states: rest, straight on, along a circle, or a Kalman filter.

The usual dynamic models of target tracking: constant position, constant velocity (CV), constant turn rate and velocity
(CTRV). Headings are SUMO's, clockwise from north in degrees.

The Kalman filters of all vehicles are computed at once: position and velocity, or also acceleration, with covariance.
The x and the y axis have the same model and the same noise and no noise in common, so one covariance of (k, k) serves
both; k = 2 is driven by white acceleration, k = 3 by white jerk (Bar-Shalom, Li, Kirubarajan 2001, 6.2). Position and
velocity are measured.
"""

from dataclasses import dataclass

import numpy as np

from cosim.types import FloatArray

_STRAIGHT_RAD = 1e-6
"""A turn below this leaves chord and arc equal to a few picometres; the closed form would divide by it."""


def constant_position(xy_m: FloatArray) -> FloatArray:
    """Return the last position in m, (V, 2)."""
    return xy_m.copy()


def velocity(speed_mps: FloatArray, heading_deg: FloatArray) -> FloatArray:
    """Return the velocity in x and y in m/s, (V, 2).

    >>> velocity(np.array([10.0]), np.array([90.0])).round(6).tolist()  # to the east
    [[10.0, 0.0]]
    """
    heading_rad = np.radians(heading_deg)
    return np.stack((speed_mps * np.sin(heading_rad), speed_mps * np.cos(heading_rad)), axis=1)


def constant_velocity(
    xy_m: FloatArray, speed_mps: FloatArray, heading_deg: FloatArray, ahead_s: FloatArray
) -> FloatArray:
    """Return the position in m after straight motion, x + v t; (V, 2).

    Args:
        xy_m: (V, 2) last positions.
        speed_mps: (V,) speeds.
        heading_deg: (V,) headings.
        ahead_s: (V,) times since then.
    """
    moved: FloatArray = xy_m + velocity(speed_mps, heading_deg) * ahead_s[:, None]
    return moved


def constant_turn(
    xy_m: FloatArray, speed_mps: FloatArray, heading_deg: FloatArray, turn_dps: FloatArray, ahead_s: FloatArray
) -> FloatArray:
    """Return the position in m along the circle of a constant turn rate; (V, 2).

    The chord of an arc of length v t that turns by w t has the length v t sin(w t / 2) / (w t / 2) and the direction of
    half the turn.

    Args:
        xy_m: (V, 2) last positions.
        speed_mps: (V,) speeds.
        heading_deg: (V,) headings.
        turn_dps: (V,) turn rates in degrees per second, clockwise positive.
        ahead_s: (V,) times since then.
    """
    half_rad = np.radians(turn_dps) * ahead_s / 2.0
    bent = np.abs(half_rad) > _STRAIGHT_RAD
    shorter = np.where(bent, np.sin(half_rad) / np.where(bent, half_rad, 1.0), 1.0)
    return constant_velocity(xy_m, speed_mps * shorter, heading_deg + np.degrees(half_rad), ahead_s)


def turned_deg(before_deg: FloatArray, after_deg: FloatArray) -> FloatArray:
    """Return the smallest turn (V,) from one heading to another in degrees, in [-180, 180)."""
    turned: FloatArray = (after_deg - before_deg + 180.0) % 360.0 - 180.0
    return turned


@dataclass(frozen=True, slots=True)
class KalmanModel:
    """The assumptions of the Kalman filter."""

    order: int
    """State variables of each axis, k: 2 position and velocity, 3 also acceleration."""
    noise: float
    """Spectral density of the driving noise: of acceleration in m2/s3, of jerk in m2/s5."""
    place_sd_m: float
    """Standard deviation of a measured position on each axis."""
    speed_sd_mps: float
    """Standard deviation of a measured velocity on each axis."""

    @property
    def first_variance(self) -> FloatArray:
        """Covariance (k, k) after the first measurement; accelerations are below some 2 m/s2."""
        return np.diag([self.place_sd_m**2, self.speed_sd_mps**2, 4.0][: self.order])


def transition(order: int, ahead_s: FloatArray) -> FloatArray:
    """Return the transition matrices F (V, k, k): Taylor series over (V,) seconds."""
    t = np.asarray(ahead_s, dtype=np.float64)
    step = np.zeros((len(t), order, order))
    term = np.ones_like(t)
    for shift in range(order):
        for row in range(order - shift):
            step[:, row, row + shift] = term
        term = term * t / (shift + 1)
    return step


def process_noise(model: KalmanModel, ahead_s: FloatArray) -> FloatArray:
    """Return the covariance Q (V, k, k) of white noise on the highest derivative after (V,) seconds.

    Q_ij = q t^(a+b+1) / (a! b! (a+b+1)) with a = k-1-i and b = k-1-j.
    """
    k = model.order
    factorial = (1.0, 1.0, 2.0)
    spread = np.empty((len(ahead_s), k, k))
    for i in range(k):
        for j in range(k):
            a, b = k - 1 - i, k - 1 - j
            spread[:, i, j] = model.noise * ahead_s ** (a + b + 1) / (factorial[a] * factorial[b] * (a + b + 1))
    return spread


def kalman_predict(
    model: KalmanModel, mean: FloatArray, variance: FloatArray, ahead_s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return mean (V, k, 2) and covariance (V, k, k) some time later: F m, F P F' + Q.

    Args:
        model: assumptions of the filter.
        mean: (V, k, 2), m.
        variance: (V, k, k), P.
        ahead_s: (V,) times until then.
    """
    step = transition(model.order, ahead_s)
    return step @ mean, step @ variance @ step.transpose(0, 2, 1) + process_noise(model, ahead_s)


def kalman_correct(
    model: KalmanModel, mean: FloatArray, variance: FloatArray, measured: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return mean and covariance after a measurement.

    K = P H' (H P H' + R)^-1 with H = [I 0]; the covariance is (I - K H) P, made symmetric.

    Args:
        model: assumptions of the filter.
        mean: (V, k, 2).
        variance: (V, k, k), P.
        measured: (V, 2, 2) position and velocity; the first of the two last indices is the derivative.
    """
    noise = np.array([[model.place_sd_m**2, 0.0], [0.0, model.speed_sd_mps**2]])
    gain = variance[:, :, :2] @ np.linalg.inv(variance[:, :2, :2] + noise)
    mean = mean + gain @ (measured - mean[:, :2])
    variance = variance - gain @ variance[:, :2]
    return mean, (variance + variance.transpose(0, 2, 1)) / 2.0


def place_sd_m(model: KalmanModel, variance: FloatArray, ahead_s: FloatArray) -> FloatArray:
    """Return the root mean square distance in m from the expected position, both axes together, (V,).

    Args:
        model: assumptions of the filter.
        variance: (V, k, k) covariance at the last state.
        ahead_s: (V,) times since then.
    """
    step = transition(model.order, ahead_s)[:, :1]
    place = (step @ variance @ step.transpose(0, 2, 1))[:, 0, 0] + process_noise(model, ahead_s)[:, 0, 0]
    spread: FloatArray = np.sqrt(2.0 * place)
    return spread
