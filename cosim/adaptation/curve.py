"""Curves of link adaptation: from the signal-to-noise(-and-interference) ratio of a link to its bit/s per hertz.

A curve is over the nominal band: what guard bands, reference signals, control and headers take is in it. Three kinds:
Shannon's bound with a cap, a share of it between two ratios, and steps.

Below its lowest ratio a link has no coverage. Where interference alone, or a low chosen power, brings it there, blocks
are repeated until they are decoded: n copies that are combined have n times the ratio (Chase, IEEE Trans. Commun. 33
(5), 1985), so that the rate falls in proportion to the ratio, from that at the lowest one down. Without that rule such
a transfer would hold its share of a cell and send nothing, for as long as those that disturb it do the same.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from cosim.types import FloatArray

_LN_2 = math.log(2.0)


class LinkCurve(Protocol):
    """The spectral efficiency of a link by its ratio: at least 0, never falling."""

    @property
    def least_sinr(self) -> float:
        """Ratio, linear, at which coverage ends and below which blocks are repeated; 0 if there is none."""
        ...

    @property
    def most_bps_hz(self) -> float:
        """Highest spectral efficiency in bit/s/Hz; inf without a cap."""
        ...

    def efficiency(self, sinr: float) -> float:
        """Return the bit/s per hertz of one link: many times faster than the array form where events are counted."""
        ...

    def efficiencies(self, sinr: FloatArray) -> FloatArray:
        """Return the bit/s per hertz of links with these ratios, linear, of any shape; NaN where the ratio is NaN."""
        ...

    def relative(self, sinr: FloatArray) -> FloatArray:
        """Return `efficiencies` up to a factor that is the same for all ratios, for quotients of rates."""
        ...


class ShannonCurve:
    """Shannon's min(cap, log2(1 + SINR)) (S1 eq 10); block errors and control overhead are left out.

    Computed as ln(1 + SINR) / ln 2 by log1p, so that the rate of a user far below the noise is small but not 0.

    >>> ShannonCurve(cap_bps_hz=7.4063).efficiency(3.0)
    2.0

    Args:
        cap_bps_hz: highest modulation and coding the radio has; inf where a paper's formula has none.
    """

    __slots__ = ("most_bps_hz",)
    least_sinr = 0.0

    def __init__(self, cap_bps_hz: float = math.inf) -> None:
        self.most_bps_hz = cap_bps_hz

    def efficiency(self, sinr: float) -> float:
        """Return the bit/s per hertz of one link."""
        value = math.log1p(sinr) / _LN_2
        return value if value < self.most_bps_hz else self.most_bps_hz

    def efficiencies(self, sinr: FloatArray) -> FloatArray:
        """Return the bit/s per hertz of links with these ratios, linear, of any shape."""
        shannon: FloatArray = np.log1p(sinr) / _LN_2
        return shannon if self.most_bps_hz == math.inf else np.minimum(shannon, self.most_bps_hz)

    def relative(self, sinr: FloatArray) -> FloatArray:
        """Return the natural logarithm, in which the cap is cap ln 2: in a quotient the ln 2 of both cancels."""
        natural: FloatArray = np.log1p(sinr)
        most = self.most_bps_hz * _LN_2
        return natural if most == math.inf else np.minimum(natural, most)


class AttenuatedCurve:
    """A share of Shannon's rate between two ratios (3GPP TR 36.942 Annex A.2).

    alpha log2(1 + SINR) from the lowest ratio on, up to the highest efficiency; blocks are repeated below.

    >>> round(AttenuatedCurve(0.6, 4.4, 0.1).efficiency(100.0), 2)
    3.99

    Args:
        alpha: the share of Shannon's rate, in (0, 1].
        most_bps_hz: highest efficiency.
        least_sinr: lowest ratio, linear.
    """

    __slots__ = ("_factor", "_repeated", "least_sinr", "most_bps_hz")

    def __init__(self, alpha: float, most_bps_hz: float, least_sinr: float) -> None:
        self._factor = alpha / _LN_2
        self.most_bps_hz = most_bps_hz
        self.least_sinr = least_sinr
        self._repeated = min(self._factor * math.log1p(least_sinr), most_bps_hz) / least_sinr

    def efficiency(self, sinr: float) -> float:
        """Return the bit/s per hertz of one link."""
        if sinr < self.least_sinr:
            return self._repeated * sinr
        value = self._factor * math.log1p(sinr)
        return value if value < self.most_bps_hz else self.most_bps_hz

    def efficiencies(self, sinr: FloatArray) -> FloatArray:
        """Return the bit/s per hertz of links with these ratios, linear, of any shape."""
        share: FloatArray = np.minimum(self._factor * np.log1p(sinr), self.most_bps_hz)
        return np.where(sinr < self.least_sinr, self._repeated * sinr, share)

    def relative(self, sinr: FloatArray) -> FloatArray:
        """Return the efficiencies."""
        return self.efficiencies(sinr)


class SteppedCurve:
    """One efficiency from above each of some ratios to the next: modulation and coding; blocks are repeated below.

    >>> steps = SteppedCurve([1.0, 10.0], [0.5, 2.0])
    >>> steps.efficiency(0.2), steps.efficiency(1.1), steps.efficiency(11.0)
    (0.1, 0.5, 2.0)

    Args:
        above_sinr: the ratios, linear, ascending.
        bps_hz: the efficiency above each of them, never falling.
    """

    __slots__ = ("_above", "_above_array", "_levels", "_levels_array", "_repeated", "least_sinr")

    def __init__(self, above_sinr: Sequence[float], bps_hz: Sequence[float]) -> None:
        self._above = list(above_sinr)
        self._levels = [bps_hz[0], *bps_hz]
        self._above_array, self._levels_array = np.array(self._above), np.array(self._levels)
        self.least_sinr = self._above[0]
        self._repeated = bps_hz[0] / self.least_sinr

    @property
    def most_bps_hz(self) -> float:
        """The last efficiency."""
        return self._levels[-1]

    def efficiency(self, sinr: float) -> float:
        """Return the bit/s per hertz of one link."""
        if sinr < self.least_sinr:
            return self._repeated * sinr
        return self._levels[bisect_left(self._above, sinr)]

    def efficiencies(self, sinr: FloatArray) -> FloatArray:
        """Return the bit/s per hertz of links with these ratios, linear, of any shape."""
        step: FloatArray = self._levels_array[self._above_array.searchsorted(sinr)]
        step = np.where(sinr < self.least_sinr, self._repeated * sinr, step)
        return np.where(np.isnan(sinr), np.nan, step)

    def relative(self, sinr: FloatArray) -> FloatArray:
        """Return the efficiencies."""
        return self.efficiencies(sinr)


def power_gain(power_w: FloatArray, from_w: FloatArray, snr_per_w: FloatArray, curve: LinkCurve) -> FloatArray:
    """Return how many times the rate a link has at another power; 1 where its signal is unknown (NaN) or 0.

    It is 1 as well where the link carries nothing at the known power, of which no factor makes another rate.

    Args:
        power_w: the other power.
        from_w: power of the known rate.
        snr_per_w: signal to noise at 1 W. All three broadcast together.
        curve: link adaptation.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        rate, known_rate = curve.relative(power_w * snr_per_w), curve.relative(from_w * snr_per_w)
        gain = rate / known_rate
    known: FloatArray = np.where((snr_per_w > 0.0) & (known_rate > 0.0), gain, 1.0)
    return known
