"""A Kalman filter for each vehicle, all at once: place and velocity, or also acceleration, with covariance.

The x and the y axis have the same model and the same noise and no noise in common, so one covariance of (k, k) serves
both; k = 2 is driven by white acceleration, k = 3 by white jerk (Bar-Shalom, Li, Kirubarajan 2001, 6.2). Place and
velocity are measured.
"""

from dataclasses import dataclass

import numpy as np

from cosim.types import FloatArray


@dataclass(frozen=True, slots=True)
class KalmanModel:
    """What the filter assumes."""

    order: int
    """Kept numbers of each axis: 2 place and velocity, 3 also acceleration."""
    noise: float
    """Spectral density of what is left out: of acceleration in m2/s3, of jerk in m2/s5."""
    place_sd_m: float
    speed_sd_mps: float

    @property
    def first_variance(self) -> FloatArray:
        """(k, k) covariance after the first measurement; accelerations are below some 2 m/s2."""
        return np.diag([self.place_sd_m**2, self.speed_sd_mps**2, 4.0][: self.order])


def transition(order: int, ahead_s: FloatArray) -> FloatArray:
    """F (V, k, k): Taylor series over (V,) seconds."""
    t = np.asarray(ahead_s, dtype=np.float64)
    step = np.zeros((len(t), order, order))
    term = np.ones_like(t)
    for shift in range(order):
        for row in range(order - shift):
            step[:, row, row + shift] = term
        term = term * t / (shift + 1)
    return step


def process_noise(model: KalmanModel, ahead_s: FloatArray) -> FloatArray:
    """Q (V, k, k) of white noise on the highest derivative.

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


def predict(
    model: KalmanModel, mean: FloatArray, variance: FloatArray, ahead_s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean (V, k, 2) and covariance (V, k, k) after (V,) seconds: F m, F P F' + Q."""
    step = transition(model.order, ahead_s)
    return step @ mean, step @ variance @ step.transpose(0, 2, 1) + process_noise(model, ahead_s)


def correct(
    model: KalmanModel, mean: FloatArray, variance: FloatArray, measured: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance after a measurement (V, 2, 2) of place and velocity; the first index is the derivative.

    K = P H' (H P H' + R)^-1 with H = [I 0]; the covariance is (I - K H) P, made symmetric.
    """
    noise = np.array([[model.place_sd_m**2, 0.0], [0.0, model.speed_sd_mps**2]])
    gain = variance[:, :, :2] @ np.linalg.inv(variance[:, :2, :2] + noise)
    mean = mean + gain @ (measured - mean[:, :2])
    variance = variance - gain @ variance[:, :2]
    return mean, (variance + variance.transpose(0, 2, 1)) / 2.0


def place_sd_m(model: KalmanModel, variance: FloatArray, ahead_s: FloatArray) -> FloatArray:
    """(V,) root of the mean square distance from the expected place after (V,) seconds, both axes together."""
    step = transition(model.order, ahead_s)[:, :1]
    place = (step @ variance @ step.transpose(0, 2, 1))[:, 0, 0] + process_noise(model, ahead_s)[:, 0, 0]
    spread: FloatArray = np.sqrt(2.0 * place)
    return spread
