"""What disturbs a link: thermal noise, and several users on one band (NOMA)."""

import math

import numpy as np

from cosim.scenario.bands import AirBand
from cosim.types import FloatArray
from cosim.units import THERMAL_NOISE_DBM_HZ, dbm_to_w


def noise_w(bandwidth_hz: float, noise_figure_db: float) -> float:
    """Return the noise power of a receiver in W: -174 dBm/Hz + 10 log10 B + NF.

    >>> round(10.0 * math.log10(noise_w(bandwidth_hz=20e6, noise_figure_db=5.0)) + 30.0, 2)  # in dBm
    -95.99
    """
    return dbm_to_w(THERMAL_NOISE_DBM_HZ + 10.0 * math.log10(bandwidth_hz) + noise_figure_db)


def band_noise_w(band: AirBand) -> float:
    """Return the noise power of a band's receivers in W: over what of it is occupied, or as the scenario sets it."""
    return noise_w(band.occupied_hz, band.noise_figure_db) if band.noise_dbm is None else dbm_to_w(band.noise_dbm)


def noma_sinr(received_w: FloatArray, noise_w: float | FloatArray, sic: bool) -> FloatArray:
    """Return the SINR of users that send at once over the whole band of one receiver (S3 eq 13), in the users' order.

    Without SIC every other user interferes: P_i / (N + sum of the others). Two equal users then never exceed 0 dB,
    whatever their power. With SIC the receiver decodes in descending received power and removes what it has decoded, so
    that only weaker users interfere; of two equal users the earlier in the array is decoded first. The rates log2(1 +
    SINR_i) then add up to the joint capacity log2(1 + sum P / N). Removal is perfect; error propagation and a bound on
    the number of users are left out.

    Args:
        received_w: power of each user at the receiver, (n,).
        noise_w: noise over the whole band, and what each user hears from outside, (n,) or one number.
        sic: successive interference cancellation.
    """
    if not sic:
        everyone: FloatArray = received_w / (noise_w + _others(received_w))
        return everyone
    order = np.argsort(-received_w, kind="stable")
    descending = received_w[order]
    weaker = np.zeros(len(descending))
    weaker[:-1] = np.cumsum(descending[:0:-1])[::-1]
    ratio = np.empty(len(descending))
    ratio[order] = descending / (np.broadcast_to(noise_w, len(order))[order] + weaker)
    return ratio


def _others(power_w: FloatArray) -> FloatArray:
    """Return the sum of all other elements, from both sides: total minus own would cancel when one user dominates."""
    before = np.zeros(len(power_w))
    before[1:] = np.cumsum(power_w[:-1])
    after = np.zeros(len(power_w))
    after[:-1] = np.cumsum(power_w[:0:-1])[::-1]
    return before + after
