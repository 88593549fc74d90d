"""Key generation rate of the QIB-VEC paper (S3 eq 1-12), read so that every quantity stays in its domain."""

import math
from dataclasses import dataclass

import numpy as np

from cosim.keys.rates.entropy import binary_entropy
from cosim.keys.rates.intercept import intercepted_qber
from cosim.keys.rates.loss import transmittance
from cosim.keys.rates.noise import Conditions
from cosim.scenario.key_rates import QibVecRate
from cosim.types import FloatArray


@dataclass(frozen=True, slots=True)
class QibVecChain:
    """The quantities of S3 from efficiency to key rate, one entry per link; all (L,)."""

    efficiency: FloatArray  # eta_i of eq 3
    signal_per_s: FloatArray  # s of eq 6
    noise_per_s: FloatArray  # N of eq 8
    qber: FloatArray  # eq 9, an eavesdropper included
    margin: FloatArray  # Delta of eq 11, per sifted bit
    sifted_bps: FloatArray
    key_bps: FloatArray  # eq 12


def visibility(model: QibVecRate) -> float:
    """Eq 2: |cos theta_I| / (1 + rho), in [0, 1] because rho is not negative."""
    return abs(math.cos(model.interference_rad)) / (1.0 + model.phase_noise)


def detector_efficiency(model: QibVecRate, detector: FloatArray, temperature_k: FloatArray) -> FloatArray:
    """Eq 3: clip(eta_int (1 - mu_tem (F - F_0)), 0, 1).

    Printed eta_int (1 - mu_tem F) (F - F_0), which has the unit of a temperature and is 0 at F_0, where the text says
    that it is eta_int; read with the bracket in the other place.

    Args:
        model: constants.
        detector: eta_int in [0, 1], (L,).
        temperature_k: F of the slot, (L,).
    """
    warming_k = temperature_k - model.reference_temperature_k
    return np.clip(detector * (1.0 - model.temperature_coefficient_per_k * warming_k), 0.0, 1.0)


def signal_per_s(model: QibVecRate, length_km: FloatArray, efficiency: FloatArray) -> FloatArray:
    """Eq 1, 4, 5, 6: pairs that arrive and are seen, s = v_s sin^2(theta_k) e^(-sigma l) p eta_ot eta_i.

    Eq 4 adds probabilities over all nodes, beyond 1; read as their product on this link. p is 10^(-alpha l / 10), or
    the share through air.

    Args:
        model: constants.
        length_km: l, (L,) not negative.
        efficiency: eta_i of eq 3, (L,).
    """
    pairs_per_s = model.pair_rate_per_s * math.sin(model.preparation_rad) ** 2
    pairs = pairs_per_s * np.exp(-model.source_loss_per_km * length_km)
    return pairs * transmittance(model, length_km) * model.other_efficiency * efficiency


def noise_per_s(model: QibVecRate, detector: FloatArray, extra_per_s: FloatArray) -> FloatArray:
    """Eq 8: N = max(N_min, N_0 + mean extra noise of the slot), with N_0 growing with the detector's efficiency.

    N_0 = baseline 2^((eta_int - reference) / doubling): a detector that is biased to see more also sees more that is
    not there. The paper has no such term; without it the best efficiency is 1 at every distance.

    Args:
        model: constants.
        detector: eta_int in [0, 1], (L,).
        extra_per_s: mean extra noise of the slot, (L,); can be negative.
    """
    baseline = np.full_like(detector, model.baseline_noise_per_s)
    if model.noise_doubling is not None:
        baseline *= 2.0 ** ((detector - model.noise_reference_efficiency) / model.noise_doubling)
    return np.maximum(model.noise_floor_per_s, baseline + extra_per_s)


def own_qber(model: QibVecRate, signal: FloatArray, noise: FloatArray) -> FloatArray:
    """Eq 9: clip((1 - V s / (s + N)) / 2 + eps_err, 0, 1/2).

    Printed (1 - V e^eta p s/N) / 2 + eps_err, far below 0 for a good link, and with p counted again; read with the
    share of clicks that are signal, which is the common form of misalignment (1 - V)/2 on signal and 1/2 on noise.

    Args:
        model: constants.
        signal: s of eq 6 in clicks per second, (L,).
        noise: N of eq 8 in clicks per second, (L,), positive.
    """
    return np.clip(0.5 * (1.0 - visibility(model) * signal / (signal + noise)) + model.error_floor, 0.0, 0.5)


def security_margin(model: QibVecRate, qber: FloatArray) -> FloatArray:
    """Eq 11, per sifted bit: sqrt(mu_1 / n_sec) + mu_2 h + eps_sec, with n_sec read as the block's length."""
    return math.sqrt(model.fluctuation / model.block_bit) + model.entropy_weight * binary_entropy(qber) + model.security


def qib_vec_chain(
    model: QibVecRate, length_km: FloatArray, detector: FloatArray, intercepted: FloatArray, conditions: Conditions
) -> QibVecChain:
    """Return all quantities of the chain; eq 12 as KGR = q (s + N) max(0, 1 - QBER - Delta).

    Printed eta_i kappa_ent (1 - QBER) - Delta, a rate less a number, without the channel; read as sifted clicks times
    what is left of each. With `minus_qber` false the QBER is not subtracted a second time beside its entropy.

    Args:
        model: constants.
        length_km: (L,) not negative.
        detector: (L,) eta_int in [0, 1].
        intercepted: (L,) share of pulses measured and sent on, in [0, 1].
        conditions: temperature and extra noise of the slot.
    """
    efficiency = detector_efficiency(model, detector, conditions.temperature_k)
    signal = signal_per_s(model, length_km, efficiency)
    noise = noise_per_s(model, detector, conditions.noise_per_s)
    qber = intercepted_qber(own_qber(model, signal, noise), intercepted)
    margin = security_margin(model, qber)
    kept = 1.0 - margin - qber if model.minus_qber else 1.0 - margin
    sifted = model.sifting * (signal + noise)
    return QibVecChain(efficiency, signal, noise, qber, margin, sifted, sifted * np.maximum(0.0, kept))
