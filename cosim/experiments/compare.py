"""The comparison of policies on the same arrivals and traffic: a row for each run, intervals, paired differences."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from cosim.errors import InputError
from cosim.experiments.runs import MeasuredRun
from cosim.experiments.statistics import interval, paired_difference
from cosim.kernel.rng import stream
from cosim.trace.metrics.statistics import Estimate
from cosim.trace.store.durable import write_durably
from cosim.types import FloatArray

METRICS: Final = ("epoch_cost", "decided_latency_mean", "vehicle_energy_per_task", "completed_ratio")
_HEADS: Final = ("policy", "seed", "agent", "digest")


@dataclass(frozen=True, slots=True)
class Standing:
    """The result of a policy in one figure."""

    metric: str
    policy: str
    seeds: int
    value: Estimate
    """Interquartile mean over the seeds."""
    difference: Estimate | None
    """Interquartile mean of the differences to the first policy, paired by seed; None for the first policy."""
    lower: int
    """Number of seeds on which the figure is lower than the first policy's."""
    higher: int


def standings(measured: Sequence[MeasuredRun], metrics: Sequence[str]) -> list[Standing]:
    """Return the result of every policy in every figure, with 95 % intervals over the seeds.

    Args:
        measured: the runs, the first policy's among them on every seed.
        metrics: names of figures, some of `metric_names`.

    Raises:
        InputError: no such figure.
    """
    labels = list(dict.fromkeys(one.label for one in measured))
    found = []
    for metric in metrics:
        unit = _unit(measured, metric)
        scores = {label: _scores(measured, label, metric) for label in labels}
        reference = scores[labels[0]]
        for label in labels:
            value = interval(scores[label], stream(0, "bootstrap"), unit=unit)
            paired = None
            if label != labels[0]:
                paired = paired_difference(scores[label], reference, stream(0, "bootstrap"), unit=unit)
            lower, higher = (scores[label] < reference).sum(), (scores[label] > reference).sum()
            found.append(Standing(metric, label, len(reference), value, paired, int(lower), int(higher)))
    return found


def metric_names(measured: Sequence[MeasuredRun]) -> list[str]:
    """Return the name of every figure that a run has, in the order of the runs."""
    return list(dict.fromkeys(name for one in measured for name in one.values))


def write_comparison(path: Path, measured: Sequence[MeasuredRun]) -> None:
    """Write a table with a row for each policy and seed and a column for each figure, empty where a run lacks it.

    Raises:
        OSError: the disk refuses; an older table is kept.
    """
    names = metric_names(measured)
    units = {name: one.units[name] for one in measured for name in one.units}
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([*_HEADS, *(f"{name}_{_suffix(units[name])}" if units[name] else name for name in names)])
    for one in measured:
        values = [one.values.get(name, float("nan")) for name in names]
        told = ["" if np.isnan(value) else repr(float(value)) for value in values]
        rows.writerow([one.label, one.seed, one.policy, one.digest, *told])
    write_durably(path, lambda sink: sink.write(text.getvalue().encode()))


def _suffix(unit: str) -> str:
    return unit.lower().replace("/", "_per_").replace("%", "percent").replace(" ", "_")


def _unit(measured: Sequence[MeasuredRun], metric: str) -> str:
    names = metric_names(measured)
    if metric not in names:
        raise InputError(f"--metric {metric}: no such figure; use {', '.join(names)}")
    return next(one.units[metric] for one in measured if metric in one.units)


def _scores(measured: Sequence[MeasuredRun], label: str, metric: str) -> FloatArray:  # (R,), by seed
    runs = sorted((one for one in measured if one.label == label), key=lambda one: one.seed)
    return np.array([one.values.get(metric, float("nan")) for one in runs])
