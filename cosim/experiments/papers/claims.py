"""What a paper claims of its figures against what was measured: computed from the scores of all repetitions.

A claim holds if the 95 % interval of what it is about lies wholly on the claimed side; a claim on a whole range, if
that is so at every point of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cosim.experiments.papers.lines import Table, difference, estimate
from cosim.experiments.statistics import paired_difference, smoothed
from cosim.rng import stream
from cosim.trace.statistics import Estimate
from cosim.types import FloatArray

HEAD: Final = ("figure", "claim", "setting", "measure", "value", "low", "high", "points_that_hold", "points", "holds")


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of the paper beside our number."""

    figure: int
    said: str
    """By the paper, in our words."""
    setting: str
    measure: str
    """What the number is, with its unit."""
    found: Estimate
    holding: int
    """Points at which it holds."""
    points: int

    @property
    def holds(self) -> bool:
        """At all points."""
        return self.holding == self.points

    def row(self) -> tuple[object, ...]:
        """Under HEAD."""
        one = self.found
        told = (self.figure, self.said, self.setting, self.measure, one.value, one.low, one.high)
        return (*told, self.holding, self.points, "yes" if self.holds else "no")


@dataclass(frozen=True, slots=True)
class Finding:
    """A number with its interval, and at how many points it is as claimed."""

    found: Estimate
    holding: int
    points: int


def lower(scores: FloatArray, reference: FloatArray) -> Finding:
    """Lower than the reference at every point: paired difference in % of the reference, over all points.

    Args:
        scores: (R, P) or (R,).
        reference: the same seeds.
    """
    first, second = _table(scores), _table(reference)
    points = first.shape[1]
    below = [difference(first[:, p], second[:, p]).high < 0.0 for p in range(points)]
    return Finding(difference(first, second), sum(below), points)


def higher(scores: FloatArray, reference: FloatArray) -> Finding:
    """Higher, where larger is better: paired difference in % of the reference's size, (R,) each."""
    told = difference(scores, reference)
    return Finding(told, int(told.low > 0.0), 1)


def sooner(episodes: FloatArray, reference: FloatArray) -> Finding:
    """Fewer episodes than the reference: paired difference in episodes, (R,) each."""
    told = paired_difference(episodes, reference, stream(0, "bootstrap"))
    return Finding(told, int(told.high < 0.0), 1)


def rises(scores: FloatArray) -> Finding:
    """Rises from each point to the next: paired difference of the ends, in % of the first, (R, P)."""
    steps = scores.shape[1] - 1
    up = [difference(scores[:, p + 1], scores[:, p]).low > 0.0 for p in range(steps)]
    return Finding(difference(scores[:, -1], scores[:, 0]), sum(up), steps)


def falls(scores: FloatArray) -> Finding:
    """Falls from each point to the next."""
    steps = scores.shape[1] - 1
    down = [difference(scores[:, p + 1], scores[:, p]).high < 0.0 for p in range(steps)]
    return Finding(difference(scores[:, -1], scores[:, 0]), sum(down), steps)


def widens(scores: FloatArray, reference: FloatArray) -> Finding:
    """The gap reference - scores is wider at the last point than at the first: by how much, in 1e-3 of cost."""
    gap = 1e3 * (reference - scores)
    told = estimate(gap[:, -1] - gap[:, 0])
    return Finding(told, int(told.low > 0.0), 1)


def converged(curve: FloatArray, window: int, tolerance: float = 0.05) -> int:
    """First episode from which on the moving mean stays within `tolerance` of the plateau, counted from 1.

    The moving mean is that of the last `window` episodes, the plateau that of the very last ones. A learner that does
    not learn is on its plateau from the first full window on: read it with the plateau's height.

    Args:
        curve: (E,) of a cost; E at least `window`.
        window: episodes.
        tolerance: part of the plateau.
    """
    means = smoothed(curve, window)[window - 1 :]
    outside = np.flatnonzero(np.abs(means - means[-1]) > tolerance * abs(means[-1]))
    return window + (int(outside[-1]) + 1 if len(outside) else 0)


def claims_table(found: Sequence[Claim]) -> Table:
    """A row for each claim."""
    return Table(HEAD, [one.row() for one in found])


def _table(scores: FloatArray) -> FloatArray:
    return scores[:, None] if scores.ndim == 1 else scores
