"""What a link carries: thermal noise, signal-to-noise ratio, Shannon's rate, and several users on one band (NOMA)."""

import math

import numpy as np

from cosim.types import FloatArray
from cosim.units import THERMAL_NOISE_DBM_HZ, dbm_to_w

_LN_2 = math.log(2.0)


def noise_w(bandwidth_hz: float, noise_figure_db: float) -> float:
    """Return the noise power of a receiver in W: -174 dBm/Hz + 10 log10 B + NF.

    >>> round(10.0 * math.log10(noise_w(bandwidth_hz=20e6, noise_figure_db=5.0)) + 30.0, 2)  # in dBm
    -95.99
    """
    return dbm_to_w(THERMAL_NOISE_DBM_HZ + 10.0 * math.log10(bandwidth_hz) + noise_figure_db)


def spectral_efficiency_bps_hz(sinr: FloatArray, cap: float = math.inf) -> FloatArray:
    """Return Shannon's min(cap, log2(1 + SINR)), element by element; `efficiency` is the same for one number.

    Computed as ln(1 + SINR) / ln 2 by log1p, so that the rate of a user far below the noise is small but not 0.

    Args:
        sinr: linear, any shape.
        cap: highest modulation and coding the radio has, in bit/s/Hz; inf where a paper's formula has none.
    """
    shannon: FloatArray = np.log1p(sinr) / _LN_2
    return shannon if cap == math.inf else np.minimum(shannon, cap)


def efficiency(sinr: float, cap: float = math.inf) -> float:
    """Return min(cap, log2(1 + SINR)) of one link: twenty times faster than the array form where events are counted."""
    value = math.log1p(sinr) / _LN_2
    return value if value < cap else cap


def rate_bps(bandwidth_hz: float | FloatArray, sinr: FloatArray, cap: float = math.inf) -> FloatArray:
    """Return B min(cap, log2(1 + SINR)) in bit/s (S1 eq 10); block errors and control overhead are left out.

    Args:
        bandwidth_hz: B.
        sinr: linear, any shape.
        cap: highest spectral efficiency in bit/s/Hz; inf for none.
    """
    rate: FloatArray = bandwidth_hz * spectral_efficiency_bps_hz(sinr, cap)
    return rate


def power_gain(power_w: FloatArray, from_w: FloatArray, snr_per_w: FloatArray, cap: float = math.inf) -> FloatArray:
    """Return how many times Shannon's rate a link has at another power; 1 where its signal is unknown (NaN) or 0.

    Args:
        power_w: the other power.
        from_w: power of the known rate.
        snr_per_w: signal to noise at 1 W. All three broadcast together.
        cap: as in `spectral_efficiency_bps_hz`.
    """
    most = cap * _LN_2  # in a ratio of rates the ln 2 of both cancels
    with np.errstate(invalid="ignore", divide="ignore"):
        rate, known_rate = np.log1p(power_w * snr_per_w), np.log1p(from_w * snr_per_w)
        if most < math.inf:
            rate, known_rate = np.minimum(rate, most), np.minimum(known_rate, most)
        gain = rate / known_rate
    known: FloatArray = np.where(snr_per_w > 0.0, gain, 1.0)
    return known


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
