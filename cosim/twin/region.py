"""The disc around a forecast that holds a stated share of the errors, learnt from the errors of earlier forecasts.

Split conformal prediction with scores error / scale (Lei et al. 2018); the quantile is tracked over time and its level
corrected by the share that it really held (adaptive conformal inference, Gibbs and Candes 2021). Every disc is about a
vehicle drawn from all: the share holds over vehicles and time, not for each vehicle alone.
"""

import numpy as np

from cosim.types import FloatArray, IntArray

KNOTS_S = (0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 14.0, 20.0, 30.0)
"""Horizons that have a quantile of their own; between them it is interpolated in the logarithm."""
_KNOTS: FloatArray = np.array(KNOTS_S)
_NEAR = 0.15
"""Share of the horizon by which a state may be early or late and still score the forecast."""
_LOW, _PER_DECADE, _DECADES = 1e-4, 40, 8
_BINS = _PER_DECADE * _DECADES
_ENOUGH = 50.0
"""Number of scores at a horizon from which on its quantile is used."""


class Region:
    """Radius of the disc by horizon; forecasts are kept until a state shows their error.

    Scores are in a histogram of logarithmic bins (6 % wide, interpolated), which forgets exponentially in the number of
    scores. A forecast with a radius of scale x quantile covers an error if the score is at most the quantile.

    Args:
        share: share of the errors that the disc holds.
        memory: mean number of scores of a horizon that weigh in.
        pace: how fast the level adapts: its change for each score is pace (share - held).
        prior: quantile of error / scale as long as nothing is known.
        growth: scales grow about as horizon^growth; radii never fall with the horizon.
    """

    def __init__(self, share: float, memory: float, pace: float, prior: float, growth: float) -> None:
        self._share, self._memory, self._pace = share, memory, pace
        knots = len(_KNOTS)
        self._counts: FloatArray = np.zeros((knots, _BINS))
        self._level: FloatArray = np.full(knots, share)
        self._ratio: FloatArray = np.full(knots, np.nan)
        self._prior, self._growth = prior, growth
        self._waiting: FloatArray = np.empty((0, 6))  # number, due, horizon, scale, x, y

    @property
    def ratios(self) -> FloatArray:
        """Quantile of error / scale by horizon, (knots,), such that radii never fall; unknown ones are interpolated."""
        known = ~np.isnan(self._ratio)
        if not known.any():
            return np.full(len(_KNOTS), self._prior)
        filled = np.interp(np.log(_KNOTS), np.log(_KNOTS[known]), self._ratio[known])
        size = _KNOTS**self._growth
        grown: FloatArray = np.maximum.accumulate(filled * size) / size
        return grown

    def radius_m(self, ahead_s: FloatArray, scale_m: FloatArray) -> FloatArray:
        """Return the radius (V,) in m at horizons (V,) with scales (V,)."""
        ratios = np.log(np.maximum(self.ratios, _LOW))
        radius: FloatArray = scale_m * np.exp(np.interp(np.log(np.maximum(ahead_s, 1e-9)), np.log(_KNOTS), ratios))
        return radius

    def expect(
        self, numbers: IntArray, time_s: FloatArray, ahead_s: FloatArray, scale_m: FloatArray, xy_m: FloatArray
    ) -> None:
        """Keep forecasts until they can be scored.

        Args:
            numbers: (V,) vehicles.
            time_s: (V,) times of the states that the forecasts were made from.
            ahead_s: (V,) horizons, from these times.
            scale_m: (V,) scales of the errors.
            xy_m: (V, 2) forecast positions.
        """
        sure = (ahead_s > 0.0) & (scale_m > 0.0) & np.isfinite(xy_m[:, 0])
        rows = np.column_stack((numbers, time_s + ahead_s, ahead_s, scale_m, xy_m))[sure]
        self._waiting = np.concatenate((self._waiting, rows))

    def learn(self, numbers: IntArray, time_s: FloatArray, xy_m: FloatArray, velocity_mps: FloatArray) -> None:
        """Score forecasts for about now by the states that have been received.

        A state some time before or after the due one is moved to it by its velocity.

        Args:
            numbers: (V,) vehicles, ascending.
            time_s: (V,) times of the states.
            xy_m: (V, 2) positions.
            velocity_mps: (V, 2) velocities.
        """
        waiting = self._waiting
        if not len(waiting) or not len(numbers):
            return
        number, due_s, ahead_s, scale_m = waiting[:, 0].astype(np.int64), *waiting[:, 1:4].T
        at = np.minimum(np.searchsorted(numbers, number), len(numbers) - 1)
        late_s = time_s[at] - due_s
        seen = numbers[at] == number
        told = seen & (np.abs(late_s) <= _NEAR * ahead_s)
        truth_m = xy_m[at[told]] - velocity_mps[at[told]] * late_s[told, None]
        score = np.hypot(*(waiting[told, 4:] - truth_m).T) / scale_m[told]
        self._count(np.abs(np.log(ahead_s[told][:, None] / _KNOTS)).argmin(axis=1), score)
        over = told | (seen & (late_s > 0.0)) | (due_s < time_s.max() - KNOTS_S[-1])
        self._waiting = waiting[~over]

    def forget(self, numbers: IntArray) -> None:
        """Drop the forecasts for vehicles that have left."""
        if len(numbers):
            self._waiting = self._waiting[~np.isin(self._waiting[:, 0].astype(np.int64), numbers)]

    def _count(self, knot: IntArray, score: FloatArray) -> None:
        """Correct the levels by what the quantiles held, then take in the scores."""
        knots = len(_KNOTS)
        fresh = np.bincount(knot, minlength=knots)
        # Judged by the quantiles of before, which these scores have not shaped yet.
        held = np.bincount(knot[score <= self.ratios[knot]], minlength=knots)
        known = ~np.isnan(self._ratio)
        self._level[known] += self._pace * (self._share * fresh - held)[known]
        self._level = np.clip(self._level, self._share - 0.1, 1.0 - (1.0 - self._share) / 10.0)
        slot = np.floor(_PER_DECADE * np.log10(np.maximum(score, _LOW) / _LOW)).astype(np.int64)
        flat = knot * _BINS + np.minimum(slot, _BINS - 1)
        self._counts *= np.exp(-fresh / self._memory)[:, None]
        self._counts += np.bincount(flat, minlength=knots * _BINS).reshape(knots, _BINS)
        for which in np.flatnonzero(fresh):
            if self._counts[which].sum() >= _ENOUGH:
                self._ratio[which] = _quantile(self._counts[which], self._level[which])


def _quantile(counts: FloatArray, level: float) -> float:
    """Return a quantile of a histogram, logarithmic within a bin; scores below the first bin lie in it."""
    running = np.cumsum(counts)
    target = level * running[-1]
    slot = int(np.searchsorted(running, target))
    into = (target - (running[slot] - counts[slot])) / counts[slot]
    return float(_LOW * 10.0 ** ((slot + into) / _PER_DECADE))
