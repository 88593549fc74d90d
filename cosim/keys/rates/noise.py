"""The conditions of a key link in one slot: its temperature and its extra noise (S3 eq 3, 7, 8).

Each link and slot draws from counters of its own: a draw does not depend on other links, other slots or their order.
"""

import math
from dataclasses import dataclass

import numpy as np

from cosim.kernel.rng import keyed_normal, keyed_uniform
from cosim.scenario.key_rates import KeyEnvironment
from cosim.types import FloatArray, IntArray

_PHASE = 2  # the normal draw of the temperature takes the counters 0 and 1 of a link and slot


@dataclass(frozen=True, slots=True)
class Conditions:
    """Temperature and noise of one slot, one entry per link; only `qib_vec` has terms for them."""

    temperature_k: FloatArray  # (L,)
    noise_per_s: FloatArray  # (L,) mean over the slot, without the baseline; can be negative


def slot_noise_per_s(environment: KeyEnvironment, phase_rad: FloatArray, slot_s: float) -> FloatArray:
    """Return the mean over a slot of f(t) = A e^(-beta t) + B cos(mu_q t + phi), t from the slot's beginning.

    S3 eq 8 adds an indefinite integral over time, a count, to the baseline, a rate; read as the mean over the slot,
    (1/T) times the integral from 0 to T. Eq 7 prints beta(omega epsilon) and mu_q(omega epsilon); read as products with
    time. A disturbance begins anew in each slot, else the first term would die out for ever. In closed form

        A (1 - e^(-beta T)) / (beta T) + B cos(phi + mu_q T / 2) sin(mu_q T / 2) / (mu_q T / 2),

    whose limits are A for beta -> 0 and B cos(phi) for mu_q -> 0.

    Args:
        environment: A, B, beta and mu_q.
        phase_rad: phi of the disturbance, of any shape.
        slot_s: T, positive.
    """
    decayed = environment.noise_decay_per_s * slot_s
    mean_decay = -math.expm1(-decayed) / decayed if decayed > 0.0 else 1.0
    half_turn = 0.5 * environment.noise_frequency_rad_per_s * slot_s
    oscillation = environment.noise_oscillation_per_s * np.cos(phase_rad + half_turn) * np.sinc(half_turn / math.pi)
    return environment.noise_amplitude_per_s * mean_decay + oscillation


def conditions(environment: KeyEnvironment, key: int, links: IntArray, slot: int, slot_s: float) -> Conditions:
    """Return the temperature and extra noise of the links in a slot.

    Temperature is normal around its mean, one draw per link and slot; the phase of the disturbance is uniform over a
    turn. Correlation of temperature between neighbouring slots and links is left out.

    Args:
        environment: means and amplitudes.
        key: key of a random stream, see `cosim.kernel.rng.stream_key`.
        links: (L,) numbers of the links, the same for a link in every slot.
        slot: number of the slot.
        slot_s: length of the slot.
    """
    drawn = keyed_normal(key, links, slot)
    phase_rad = 2.0 * math.pi * keyed_uniform(key, links, slot, _PHASE)
    return Conditions(
        temperature_k=environment.mean_temperature_k + environment.temperature_deviation_k * drawn,
        noise_per_s=slot_noise_per_s(environment, phase_rad, slot_s),
    )
