"""Lines of a paper's figures: which policy is measured where, the scores of all repetitions, and their intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from cosim.experiments.papers.measured import FixedPolicy, RollOuts, StudyTraining
from cosim.experiments.pieces import find_done
from cosim.experiments.statistics import interval, paired_difference
from cosim.kernel.rng import stream
from cosim.scenario.load import Loaded
from cosim.trace.metrics.statistics import Estimate
from cosim.types import FloatArray

QUANTITIES: Final = (
    ("cost", "cost_per_slot", 1.0),
    ("latency_s", "latency_ms", 1e3),
    ("energy_j", "energy_mj", 1e3),
    ("offloaded", "offloaded", 1.0),
)
"""What is measured: its name in a piece, that of its column, and the factor between their units."""
ENDS: Final = ("", "_low", "_high")
"""Endings of the names of the columns of an estimate: value, low and high."""


@dataclass(frozen=True, slots=True)
class Line:
    """A policy along a sweep."""

    name: str
    """Name of the policy, for legends."""
    panel: str
    """Panel of the picture, as "tuned"; "" for a line that is in all of them."""
    group: str = ""
    """Group of scenarios on which it was trained; "" for a rule."""
    against: str = ""
    """Key of the line to which differences are taken; "" for none."""
    variant: str = ""
    """What else tells it apart from lines of the same name, as "10 GHz"."""

    @property
    def key(self) -> str:
        """Key of the line, unique in a sweep."""
        return "/".join(part for part in (self.name, self.panel, self.variant) if part)


@dataclass(frozen=True, slots=True)
class LineScores:
    """Repetitions of a line: score r is that of agent r on seed r of arrivals and traffic."""

    line: Line
    scores: Mapping[str, FloatArray]  # each (R, P): R repetitions at P points of the sweep


@dataclass(frozen=True, slots=True)
class Sweep:
    """A figure over a parameter: its points, and the lines with the pieces that measure them."""

    name: str
    """Name of the figure, as "fig4"."""
    x_label: str
    points: tuple[float, ...]
    lines: tuple[tuple[Line, tuple[RollOuts, ...]], ...]
    """Lines, each with a piece for every repetition."""

    def pieces(self) -> list[RollOuts]:
        """Return the pieces repetition by repetition, so that a stopped experiment has whole repetitions."""
        return [piece for repetition in zip(*(pieces for _, pieces in self.lines), strict=True) for piece in repetition]

    def trainings(self) -> list[StudyTraining]:
        """Return the trainings that the lines need."""
        return [piece.policy for piece in self.pieces() if isinstance(piece.policy, StudyTraining)]

    def measured(self, store: Path) -> dict[str, LineScores]:
        """Return the scores by key of the line, from finished pieces."""
        found = {}
        for line, pieces in self.lines:
            results = [finished(store, piece) for piece in pieces]
            scores = {name: np.array([one[name] for one in results], np.float64) for name, _, _ in QUANTITIES}
            found[line.key] = LineScores(line, scores)
        return found


def finished(store: Path, piece: Any) -> dict[str, Any]:
    """Return the result of a finished piece."""
    done = find_done(store, piece)
    if done is None:
        raise RuntimeError(f"{piece.label} is not done")
    return done.result


def repeated(
    line: Line, policies: Sequence[FixedPolicy | StudyTraining], scenarios: tuple[Loaded, ...], seeds: Sequence[int]
) -> tuple[Line, tuple[RollOuts, ...]]:
    """Return a line with a piece for each seed; policy r decides in the run of seed r.

    Args:
        line: the line.
        policies: a policy for each seed.
        scenarios: the scenarios along the sweep.
        seeds: seeds of arrivals and traffic.
    """
    made = zip(policies, seeds, strict=True)
    return line, tuple(RollOuts(policy, scenarios, seed) for policy, seed in made)


@dataclass(frozen=True, slots=True)
class CsvTable:
    """The head and rows of a CSV file."""

    head: tuple[str, ...]
    rows: list[tuple[Any, ...]] = field(default_factory=list)


def estimate(scores: FloatArray, unit: str = "") -> Estimate:
    """Return the interquartile mean with its 95 % interval over repetitions, (R,) or (R, strata)."""
    return interval(scores, stream(0, "bootstrap"), unit=unit)


def relative_difference(scores: FloatArray, reference: FloatArray) -> Estimate:
    """Return the paired difference in % of the size of the reference's mean: 100 (a - b) / |mean(b)|, by stratum.

    The interval takes the mean as known: it is that of a - b.
    """
    scale = 100.0 / np.abs(np.mean(reference, axis=0))
    return paired_difference(scores * scale, reference * scale, stream(0, "bootstrap"))


def cells(told: Estimate) -> list[float]:
    """Return the cells of an estimate, under a name with each of ENDS."""
    return [told.value, told.low, told.high]


_HEAD: Final = ("line", "panel", "variant", "trained_on", "x", "seeds")


def sweep_table(sweep: Sweep, measured: Mapping[str, LineScores]) -> CsvTable:
    """Return a row for each line and point: interquartile means with intervals, and the paired cost difference in %."""
    ends = [f"{name}{end}" for _, name, _ in QUANTITIES for end in ENDS]
    compared = ("against", "difference_percent", "difference_low", "difference_high")
    table = CsvTable((*_HEAD, *ends, *compared))
    for one in measured.values():
        line = one.line
        reference = measured.get(line.against)
        for place, x in enumerate(sweep.points):
            row: list[Any] = [line.name, line.panel, line.variant, line.group, x, len(one.scores["cost"])]
            for quantity, _, factor in QUANTITIES:
                row += cells(estimate(one.scores[quantity][:, place] * factor))
            if reference is None:
                row += ["", "", "", ""]
            else:
                told = relative_difference(one.scores["cost"][:, place], reference.scores["cost"][:, place])
                row += [line.against, *cells(told)]
            table.rows.append(tuple(row))
    return table
