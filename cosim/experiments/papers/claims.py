"""What a paper claims of its figures against what was measured: computed from the scores of all repetitions.

A claim holds if the 95 % interval of what it is about lies wholly on the claimed side; a claim on a whole range, if
that is so at every point of it. It fails if an interval lies wholly on the other side, at one point of a range or more.
Else our seeds do not show it, and it is open.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from cosim.experiments.papers.lines import CsvTable, estimate, relative_difference
from cosim.experiments.statistics import paired_difference, smoothed
from cosim.kernel.rng import stream
from cosim.trace.metrics.statistics import Estimate
from cosim.types import FloatArray

HEAD: Final = (
    "figure", "claim", "setting", "measure", "value", "low", "high", "points_that_hold", "points_contrary", "points",
    "holds",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ClaimFinding:
    """A number with its interval, and at how many points of a range it is as claimed, or the contrary."""

    found: Estimate
    holding: int
    contrary: int
    points: int

    @property
    def verdict(self) -> Literal["yes", "no", "open"]:
        """Whether what was claimed holds."""
        if self.holding == self.points:
            return "yes"
        return "no" if self.contrary else "open"


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of the paper beside our number."""

    figure: int
    said: str
    """By the paper, in our words."""
    setting: str
    measure: str
    """What the number is, with its unit."""
    finding: ClaimFinding

    def row(self) -> tuple[object, ...]:
        """Under HEAD."""
        one, found = self.finding, self.finding.found
        told = (self.figure, self.said, self.setting, self.measure, found.value, found.low, found.high)
        return (*told, one.holding, one.contrary, one.points, one.verdict)


def lower(scores: FloatArray, reference: FloatArray) -> ClaimFinding:
    """Lower than the reference at every point: paired difference in % of the reference, over all points.

    Args:
        scores: (R, P) or (R,).
        reference: the same seeds.
    """
    first, second = _table(scores), _table(reference)
    return _finding(relative_difference(first, second), _below, map(relative_difference, first.T, second.T))


def higher(scores: FloatArray, reference: FloatArray) -> ClaimFinding:
    """Higher, where larger is better: paired difference in % of the reference's size, (R,) each."""
    told = relative_difference(scores, reference)
    return _finding(told, _above, [told])


def sooner(episodes: FloatArray, reference: FloatArray) -> ClaimFinding:
    """Fewer episodes than the reference: paired difference in episodes, (R,) each."""
    told = paired_difference(episodes, reference, stream(0, "bootstrap"))
    return _finding(told, _below, [told])


def rises(scores: FloatArray) -> ClaimFinding:
    """Rises from each point to the next: paired difference of the ends, in % of the first, (R, P)."""
    return _finding(
        relative_difference(scores[:, -1], scores[:, 0]), _above, map(relative_difference, scores.T[1:], scores.T)
    )


def falls(scores: FloatArray) -> ClaimFinding:
    """Falls from each point to the next."""
    return _finding(
        relative_difference(scores[:, -1], scores[:, 0]), _below, map(relative_difference, scores.T[1:], scores.T)
    )


def widens(scores: FloatArray, reference: FloatArray) -> ClaimFinding:
    """The gap reference - scores is wider at the last point than at the first: by how much, in 1e-3 of cost."""
    gap = 1e3 * (reference - scores)
    told = estimate(gap[:, -1] - gap[:, 0])
    return _finding(told, _above, [told])


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


def claims_table(found: Sequence[Claim]) -> CsvTable:
    """A row for each claim."""
    return CsvTable(HEAD, [one.row() for one in found])


def _table(scores: FloatArray) -> FloatArray:
    return scores[:, None] if scores.ndim == 1 else scores


def _finding(found: Estimate, claimed: Callable[[Estimate], bool], points: Iterable[Estimate]) -> ClaimFinding:
    """From the estimates at the points, and what is claimed of each: `_below` or `_above`."""
    other = _above if claimed is _below else _below
    told = list(points)
    return ClaimFinding(found, sum(map(claimed, told)), sum(map(other, told)), len(told))


def _below(one: Estimate) -> bool:
    return one.high < 0.0


def _above(one: Estimate) -> bool:
    return one.low > 0.0
