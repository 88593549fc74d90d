"""BBM92: keys from entangled pairs, source in the middle of the link (Ma, Fung, Lo, Phys. Rev. A 76, 012307, 2007)."""

from dataclasses import dataclass

import numpy as np

from cosim.keys.rates.entropy import binary_entropy
from cosim.keys.rates.intercept import intercepted_qber
from cosim.keys.rates.loss import transmittance
from cosim.scenario.key_rates import Bbm92Rate
from cosim.types import FloatArray


@dataclass(frozen=True, slots=True)
class Bbm92:
    """Mean yield of one pump pulse, one entry per link; all (L,)."""

    gain: FloatArray  # Q, clicks on both sides per pulse
    qber: FloatArray  # E, an eavesdropper included
    key_bit: FloatArray  # R, secret bits per pulse


def _pairs(model: Bbm92Rate, arm: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return gain Q and QBER E of a down-conversion source with two equal arms of efficiency eta.

    With lambda half the mean number of pairs, x = eta lambda, M = (1 + x)^2, W = 1 + 2x - eta x, u = 1/M:

        Q = 1 - 2 (1 - Y_0) u + (1 - Y_0)^2 / W^2,      E Q = Q/2 - (1 - 2 e_d) eta x (1 + lambda) / (M W).

    Q is summed as (1 - (1 - Y_0) u)^2 + (1 - Y_0)^2 (1/W^2 - u^2), the same without subtracting near-equal numbers: the
    printed order is off by about 1e-16 / Q of Q.
    """
    half_pairs = 0.5 * model.mean_pairs
    x = arm * half_pairs
    both = (1.0 + x) ** 2
    either = 1.0 + 2.0 * x - arm * x
    joint = arm * x * (1.0 + half_pairs)  # M - W
    empty = 1.0 - model.dark_count
    one_side = (model.dark_count + x * (2.0 + x)) / both
    gain = one_side**2 + empty**2 * joint * (both + either) / (both * either) ** 2
    qber = 0.5 - (1.0 - 2.0 * model.misalignment) * joint / (both * either) / gain
    return gain, np.clip(qber, 0.0, 0.5)


def bbm92(model: Bbm92Rate, length_km: FloatArray, detector: FloatArray, intercepted: FloatArray) -> Bbm92:
    """Return R = q Q max(0, 1 - (1 + f) h(E)), the secret bits per pump pulse with one-way processing, and its parts.

    Each arm has half the length. The eavesdropper touches one arm. Finite keys and unequal arms are left out; so is any
    change of dark counts with the detectors' efficiency.

    Args:
        model: constants of source, detectors and processing.
        length_km: (L,) from end to end, not negative.
        detector: (L,) efficiency of each side without its arm, in [0, 1].
        intercepted: (L,) share of pairs of which one photon is measured and sent on, in [0, 1].
    """
    gain, own = _pairs(model, detector * transmittance(model, 0.5 * length_km))
    qber = intercepted_qber(own, intercepted)
    kept = np.maximum(0.0, 1.0 - (1.0 + model.correction_inefficiency) * binary_entropy(qber))
    return Bbm92(gain, qber, model.sifting * gain * kept)
