"""Decoy BB84 with blocks of finite length (Lim, Curty, Walenta, Xu, Zbinden, Phys. Rev. A 89, 022307, 2014)."""

import math
from dataclasses import dataclass

import numpy as np

from cosim.keys.rates.entropy import binary_entropy
from cosim.keys.rates.intercept import intercepted_qber
from cosim.keys.rates.loss import transmittance
from cosim.scenario.key_rates import FiniteKeyRate
from cosim.types import FloatArray


@dataclass(frozen=True, slots=True)
class FiniteBlock:
    """One block of sifted bits, one entry per link; all (L,)."""

    pulses: FloatArray  # N sent until the block is full
    qber: FloatArray  # observed in X, an eavesdropper included
    vacuum: FloatArray  # s_X0, bits of empty pulses, at least
    single_x: FloatArray  # s_X1, bits of single photons in X, at least
    single_z: FloatArray  # s_Z1, in Z, at least
    single_errors: FloatArray  # v_Z1, errors among them, at most
    phase_error: FloatArray  # phi_X, at most
    leaked_bit: FloatArray  # disclosed during error correction
    key_bit: FloatArray  # l, secret bits of the block; the floor to whole bits is left to the pool


@dataclass(frozen=True, slots=True)
class _Pulses:
    """Three kinds of pulses: signal, decoy and near-vacuum."""

    mean_photons: FloatArray  # (3, 1)
    share: FloatArray  # (3, 1)
    gain: FloatArray  # (3, L) R_k
    error: FloatArray  # (3, L) share of the clicks that are wrong

    def photons(self, number: int) -> float:
        """tau_n = sum of p_k e^(-mu_k) mu_k^n, for n of 0 and 1."""
        return float(np.sum(self.share * np.exp(-self.mean_photons) * self.mean_photons**number))


def _pulses(model: FiniteKeyRate, efficiency: FloatArray, intercepted: FloatArray) -> _Pulses:
    """Return the clicks and errors of each kind of pulse.

    D_k = 1 - (1 - 2 p_dc) e^(-eta mu_k), R_k = (1 + p_ap) D_k, wrong: p_dc + e_mis (1 - e^(-eta mu_k)) + p_ap D_k / 2.
    The paper prints the channel's transmittance alone in the error; read as that of the whole system, as in D_k,
    because a photon that is not detected makes no error (and only so the rates grow with the block as its text says).
    """
    mean = np.array([[model.signal_mu], [model.decoy_mu], [model.vacuum_mu]])
    share = np.array([[model.signal_share], [model.decoy_share], [1.0 - model.signal_share - model.decoy_share]])
    seen = -np.expm1(-efficiency * mean)
    click = seen + 2.0 * model.dark_count * (1.0 - seen)
    wrong = model.dark_count + model.misalignment * seen + 0.5 * model.after_pulse * click
    gain = (1.0 + model.after_pulse) * click
    return _Pulses(mean, share, gain, intercepted_qber(wrong / gain, intercepted))


def _bounds(model: FiniteKeyRate, pulses: _Pulses, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """n^-_k and n^+_k = (e^mu_k / p_k) (n_k -+ sqrt(n/2 ln(21 / eps_sec))), Hoeffding's; counts and both (3, L)."""
    deviation = np.sqrt(0.5 * counts.sum(axis=0) * math.log(21.0 / model.secrecy))
    scale = np.exp(pulses.mean_photons) / pulses.share
    return scale * (counts - deviation), scale * (counts + deviation)


def _photon_bits(model: FiniteKeyRate, pulses: _Pulses, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Eq 2 and 3: bits of empty and of single-photon pulses, at least; neither below 0."""
    signal, decoy, vacuum = model.signal_mu, model.decoy_mu, model.vacuum_mu
    low, high = _bounds(model, pulses, counts)
    empty = np.maximum(0.0, pulses.photons(0) * (decoy * low[2] - vacuum * high[1]) / (decoy - vacuum))
    squares = decoy**2 - vacuum**2
    rest = low[1] - high[2] - squares / signal**2 * (high[0] - empty / pulses.photons(0))
    single = pulses.photons(1) * signal * rest / (signal * (decoy - vacuum) - squares)
    return empty, np.maximum(0.0, single)


def _phase_error(model: FiniteKeyRate, errors: FloatArray, single_z: FloatArray, single_x: FloatArray) -> FloatArray:
    """Eq 5: v/s_Z1 + gamma(eps_sec, v/s_Z1, s_Z1, s_X1), at most 1/2; 1/2 where no single photons are certain.

    gamma(a, b, c, d) = sqrt((c + d)(1 - b) b / (c d ln 2) log2((c + d) / (c d (1 - b) b) 21^2 / a^2)).
    """
    certain = (single_z > 0.0) & (single_x > 0.0)
    z, x = np.where(certain, single_z, 1.0), np.where(certain, single_x, 1.0)
    share = np.where(certain, np.minimum(0.5, errors / z), 0.5)
    spread = (z + x) / (z * x)
    mixed = share * (1.0 - share)
    gamma = np.sqrt(spread * mixed / math.log(2.0) * np.log2(spread / mixed * (21.0 / model.secrecy) ** 2))
    return np.where(certain, np.minimum(0.5, share + gamma), 0.5)


def finite_key(
    model: FiniteKeyRate, length_km: FloatArray, detector: FloatArray, intercepted: FloatArray
) -> FiniteBlock:
    """Eq 1: l = max(0, s_X0 + s_X1 (1 - h(phi_X)) - leak - 6 log2(21 / eps_sec) - log2(2 / eps_cor)) of n_X bits.

    Counts are their expectations for this channel. leak = f_EC n_X h(QBER), all three intensities corrected together.
    Dead time is left out; so is any change of dark counts with the detectors' efficiency. Lim scales eps_sec with l;
    here it is fixed for each block.

    Args:
        model: constants of source, fibre, detector and security.
        length_km: (L,) not negative.
        detector: (L,) eta_Bob in [0, 1].
        intercepted: (L,) share of pulses measured and sent on, in [0, 1].
    """
    pulses = _pulses(model, detector * transmittance(model, length_km), intercepted)
    clicks = pulses.share * pulses.gain  # (3, L)
    sum_clicks = clicks.sum(axis=0)
    other = (1.0 - model.basis_x_share) / model.basis_x_share
    in_x = model.block_bit * clicks / sum_clicks
    in_z = in_x * other**2
    qber = np.minimum(0.5, np.sum(clicks * pulses.error, axis=0) / sum_clicks)

    vacuum, single_x = _photon_bits(model, pulses, in_x)
    single_z = _photon_bits(model, pulses, in_z)[1]
    low, high = _bounds(model, pulses, in_z * pulses.error)
    errors = pulses.photons(1) * (high[1] - low[2]) / (model.decoy_mu - model.vacuum_mu)
    phase_error = _phase_error(model, errors, single_z, single_x)

    leaked = model.correction_inefficiency * model.block_bit * binary_entropy(qber)
    paid = 6.0 * math.log2(21.0 / model.secrecy) + math.log2(2.0 / model.correctness)
    key_bit = np.maximum(0.0, vacuum + single_x * (1.0 - binary_entropy(phase_error)) - leaked - paid)
    sent = model.block_bit / (model.basis_x_share**2 * sum_clicks)
    return FiniteBlock(sent, qber, vacuum, single_x, single_z, errors, phase_error, leaked, key_bit)
