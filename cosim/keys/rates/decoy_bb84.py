"""Decoy-state BB84 in the limit of infinitely long keys (Lo, Ma, Chen, Phys. Rev. Lett. 94, 230504, 2005).

With a vacuum and one weak decoy the bounds are those of Ma, Qi, Zhao and Lo, Phys. Rev. A 72, 012326 (2005).
"""

from dataclasses import dataclass

import numpy as np

from cosim.keys.rates.entropy import binary_entropy
from cosim.keys.rates.intercept import intercepted_qber
from cosim.keys.rates.loss import transmittance
from cosim.scenario.key_rates import DecoyBb84Rate
from cosim.types import FloatArray


@dataclass(frozen=True, slots=True)
class DecoyBb84:
    """Mean yield of one signal pulse, one entry per link; all (L,)."""

    gain: FloatArray  # Q_mu, clicks per signal pulse
    qber: FloatArray  # E_mu, an eavesdropper included
    single_yield: FloatArray  # Y_1
    single_error: FloatArray  # e_1
    single_gain: FloatArray  # Q_1
    key_bit: FloatArray  # R, secret bits per pulse


def _gain(model: DecoyBb84Rate, mean_photons: float, efficiency: FloatArray) -> FloatArray:
    """Return the gain Q_mu = Y_0 + 1 - e^(-eta mu)."""
    return model.dark_count - np.expm1(-efficiency * mean_photons)


def _error_gain(
    model: DecoyBb84Rate, mean_photons: float, efficiency: FloatArray, intercepted: FloatArray
) -> FloatArray:
    """Return E_mu Q_mu = Y_0 / 2 + e_d (1 - e^(-eta mu)), an eavesdropper included."""
    gain = _gain(model, mean_photons, efficiency)
    errors = 0.5 * model.dark_count - model.misalignment * np.expm1(-efficiency * mean_photons)
    return gain * intercepted_qber(errors / gain, intercepted)


def _single_known(
    model: DecoyBb84Rate, efficiency: FloatArray, intercepted: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return Y_1 = Y_0 + eta and e_1 = (Y_0 / 2 + e_d eta) / Y_1, which infinitely many decoys determine exactly."""
    single_yield = model.dark_count + efficiency
    single_error = (0.5 * model.dark_count + model.misalignment * efficiency) / single_yield
    return single_yield, intercepted_qber(single_error, intercepted)


def _single_bounded(
    model: DecoyBb84Rate, weak_mu: float, efficiency: FloatArray, intercepted: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the least Y_1 and the largest e_1 that agree with a vacuum and a weak decoy nu.

    Y_1 >= mu / (mu nu - nu^2) (Q_nu e^nu - Q_mu e^mu (nu/mu)^2 - (1 - (nu/mu)^2) Y_0),
    e_1 <= (E_nu Q_nu e^nu - Y_0 / 2) / (Y_1 nu); a bound of no worth gives 0 and 1/2.
    """
    mu, ratio = model.signal_mu, (weak_mu / model.signal_mu) ** 2
    weak = _gain(model, weak_mu, efficiency) * np.exp(weak_mu)
    signal = _gain(model, mu, efficiency) * np.exp(mu)
    scale = mu / (mu * weak_mu - weak_mu**2)
    least = np.maximum(0.0, scale * (weak - signal * ratio - (1.0 - ratio) * model.dark_count))
    errors = _error_gain(model, weak_mu, efficiency, intercepted) * np.exp(weak_mu) - 0.5 * model.dark_count
    most = np.maximum(0.0, errors) / np.where(least > 0.0, least * weak_mu, 1.0)
    return least, np.where(least > 0.0, np.minimum(0.5, most), 0.5)


def decoy_bb84(model: DecoyBb84Rate, length_km: FloatArray, detector: FloatArray, intercepted: FloatArray) -> DecoyBb84:
    """Return R = q max(0, Q_1 (1 - h(e_1)) - f Q_mu h(E_mu)), Q_1 = Y_1 mu e^(-mu), in bits per pulse, and its parts.

    Pulses spent on decoys, dead time and statistical fluctuations are left out; so is any change of dark counts with
    the detector's efficiency.

    Args:
        model: constants of source, fibre, detector and processing.
        length_km: (L,) not negative.
        detector: (L,) eta_Bob in [0, 1].
        intercepted: (L,) share of pulses measured and sent on, in [0, 1].
    """
    efficiency = detector * transmittance(model, length_km)
    gain = _gain(model, model.signal_mu, efficiency)
    qber = _error_gain(model, model.signal_mu, efficiency, intercepted) / gain
    if model.weak_mu is None:
        single_yield, single_error = _single_known(model, efficiency, intercepted)
    else:
        single_yield, single_error = _single_bounded(model, model.weak_mu, efficiency, intercepted)
    single_gain = single_yield * model.signal_mu * np.exp(-model.signal_mu)
    leaked = model.correction_inefficiency * gain * binary_entropy(qber)
    key_bit = model.sifting * np.maximum(0.0, single_gain * (1.0 - binary_entropy(single_error)) - leaked)
    return DecoyBb84(gain, qber, single_yield, single_error, single_gain, key_bit)
