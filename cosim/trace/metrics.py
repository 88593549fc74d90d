"""The figures of merit of a run, each with a batch-means interval.

Tasks count by their time of release: those released before the warm-up's end are left out, those still in flight at
the run's end are counted apart and enter no ratio. The measured time is cut into equal slices, which are the batches.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

from cosim.scenario.schema import Statistics
from cosim.scenario.work import Semantic
from cosim.trace.reader import Trace
from cosim.trace.statistics import Estimate, batch_quantile, batch_ratio, batch_total
from cosim.types import FloatArray, Status

Kpis: TypeAlias = Mapping[str, Estimate]
"""Estimates by name, in the order of a report."""

_LEVELS = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
_LOST = (
    Status.NO_COVERAGE,
    Status.REJECTED,
    Status.LEFT,
    Status.EXPIRED,
    Status.NO_ENERGY,
    Status.HELPER_LOST,
)
_DONE = f"status IN ({Status.COMPLETED:d}, {Status.LATE:d})"


@dataclass(frozen=True, slots=True)
class _Slices:
    """The measured time, cut into batches."""

    begin_s: float
    end_s: float
    count: int
    confidence: float

    @property
    def length_s(self) -> float:
        return (self.end_s - self.begin_s) / self.count

    def by_start(self, time_s: str) -> str:
        """SQL: batch of a time; one at a boundary belongs to the batch that starts there."""
        return f"least({self.count - 1}, floor(({time_s} - {self.begin_s!r}) / {self.length_s!r}))::INTEGER"

    def by_end(self, time_s: str) -> str:
        """SQL: batch of a sample of running totals; -1 up to the begin, a boundary belongs to the batch before it."""
        return f"greatest(0, ceil(({time_s} - {self.begin_s!r}) / {self.length_s!r}))::INTEGER - 1"

    def column(self, table: pd.DataFrame, name: str) -> FloatArray:  # (count,)
        """Values by batch of a table indexed by batch; 0 where it has no row."""
        values: FloatArray = table[name].reindex(range(self.count)).fillna(0.0).to_numpy(dtype=np.float64)
        return values


def kpis(trace: Trace, statistics: Statistics | None = None) -> Kpis:
    """All key figures of a run.

    Args:
        trace: a run, complete or not; of a partial one the time up to `complete_to_s` counts.
        statistics: warm-up, batches and confidence; the run's own by default.
    """
    options = trace.scenario.statistics if statistics is None else statistics
    end_s = max(trace.complete_to_s, options.warmup_s + 1e-9)
    slices = _Slices(options.warmup_s, end_s, options.batches, options.confidence)
    return dict(
        [
            *_tasks(trace, slices),
            *_latencies(trace, slices),
            *_meaning(trace, slices),
            *_traffic(trace, slices),
            *_utilisations(trace, slices),
        ]
    )


def _tasks(trace: Trace, slices: _Slices) -> Iterator[tuple[str, Estimate]]:
    released = trace.sql(
        f"SELECT {slices.by_start('time_s')} AS batch, count(*) AS n FROM task_released "
        f"WHERE time_s >= {slices.begin_s!r} AND time_s < {slices.end_s!r} GROUP BY batch"
    ).set_index("batch")
    counts = ", ".join(f"count(*) FILTER (status = {status:d}) AS {status.name}" for status in Status)
    tasks = trace.sql(
        f"SELECT {slices.by_start('released_s')} AS batch, {counts}, "
        f"sum(time_s - released_s) FILTER ({_DONE}) AS latency, sum(transmit_j) AS radio_j, "
        "sum(vehicle_cpu_j) AS cpu_j, sum(edge_cpu_j) AS edge_j FROM task_ended "
        f"WHERE released_s >= {slices.begin_s!r} AND released_s < {slices.end_s!r} GROUP BY batch"
    ).set_index("batch")
    by_status = {status: slices.column(tasks, status.name) for status in Status}
    ended = sum((by_status[status] for status in Status if status != Status.IN_FLIGHT), np.zeros(slices.count))
    known = ended + by_status[Status.IN_FLIGHT]
    done = by_status[Status.COMPLETED] + by_status[Status.LATE]
    sure, vehicle_j = slices.confidence, slices.column(tasks, "radio_j") + slices.column(tasks, "cpu_j")
    began = slices.column(released, "n")
    yield "released", batch_total(began, sure)
    yield "in_flight", Estimate(float(began.sum() - ended.sum()))
    yield "completed_ratio", batch_ratio(by_status[Status.COMPLETED], ended, sure)
    yield "late_ratio", batch_ratio(by_status[Status.LATE], ended, sure)
    for status in _LOST:
        yield f"lost_{status.name.lower()}_ratio", batch_ratio(by_status[status], ended, sure)
    for status in (Status.COMPLETED, Status.LATE, *_LOST):
        yield status.name.lower(), batch_total(by_status[status], sure)
    yield "throughput", _rate(by_status[Status.COMPLETED], slices, "task/s")
    yield "latency_mean", batch_ratio(slices.column(tasks, "latency"), done, sure, "s")
    yield "vehicle_energy_per_task", batch_ratio(vehicle_j, known, sure, "J")
    yield "edge_energy_per_task", batch_ratio(slices.column(tasks, "edge_j"), known, sure, "J")
    yield "radio_energy", batch_total(slices.column(tasks, "radio_j"), sure, "J")
    yield "vehicle_cpu_energy", batch_total(slices.column(tasks, "cpu_j"), sure, "J")
    yield "edge_energy", batch_total(slices.column(tasks, "edge_j"), sure, "J")


def _rate(amounts: FloatArray, slices: _Slices, unit: str) -> Estimate:
    return batch_ratio(amounts, np.full(slices.count, slices.length_s), slices.confidence, unit)


def _latencies(trace: Trace, slices: _Slices) -> Iterator[tuple[str, Estimate]]:
    levels = ", ".join(str(level) for level in _LEVELS.values())
    table = trace.sql(
        f"SELECT batch, count(*) AS n, quantile_cont(latency, [{levels}]) AS levels FROM ("
        f"SELECT {slices.by_start('released_s')} AS batch, time_s - released_s AS latency FROM task_ended "
        f"WHERE {_DONE} AND released_s >= {slices.begin_s!r} AND released_s < {slices.end_s!r}"
        ") GROUP BY GROUPING SETS ((batch), ())"
    )
    whole = table[table.batch.isna()]
    overall = whole.levels.iloc[0] if len(whole) and whole.n.iloc[0] else [np.nan] * len(_LEVELS)
    batches = table[table.batch.notna()].set_index("batch")
    counts = slices.column(batches, "n")
    for place, (name, level) in enumerate(_LEVELS.items()):
        quantiles = batches.levels.map(lambda levels, place=place: levels[place]).reindex(range(slices.count))
        yield (
            f"latency_{name}",
            batch_quantile(
                float(overall[place]), quantiles.to_numpy(dtype=np.float64), counts, level, slices.confidence, "s"
            ),
        )


def _meaning(trace: Trace, slices: _Slices) -> Iterator[tuple[str, Estimate]]:
    """Mean semantic performance (S1 eq 1) of the tasks done in time, over the classes that have semantics."""
    semantics = [task_class.semantic for task_class in trace.scenario.tasks.classes]
    cases = [
        f"WHEN {number} THEN {_performance(semantic)}"
        for number, semantic in enumerate(semantics)
        if semantic is not None
    ]
    if not cases:
        return
    table = trace.sql(
        f"SELECT {slices.by_start('released_s')} AS batch, count(value) AS n, sum(value) AS total FROM ("
        f"SELECT e.released_s, CASE task_class {' '.join(cases)} END AS value FROM task_ended e "
        f"JOIN task_released r USING (task) WHERE status = {Status.COMPLETED:d} "
        f"AND e.released_s >= {slices.begin_s!r} AND e.released_s < {slices.end_s!r}) GROUP BY batch"
    ).set_index("batch")
    total, count = slices.column(table, "total"), slices.column(table, "n")
    yield "semantic_performance", batch_ratio(total, count, slices.confidence)


def _performance(semantic: Semantic) -> str:
    """S1 eq 1 (`cosim.semantic.performance`) as SQL: phi_1 s_c + phi_2 sigma_ij."""
    return f"{semantic.complexity_weight!r} * cycles + {semantic.efficiency_weight!r} * efficiency"


def _traffic(trace: Trace, slices: _Slices) -> Iterator[tuple[str, Estimate]]:
    window = f"WHERE time_s >= {slices.begin_s!r} AND time_s <= {slices.end_s!r} GROUP BY batch"
    handovers = trace.sql(
        f"SELECT {slices.by_start('time_s')} AS batch, count(*) FILTER (from_site >= 0 AND to_site >= 0) AS n "
        f"FROM cell_changed {window}"
    ).set_index("batch")
    vehicles = trace.sql(
        f"SELECT {slices.by_start('time_s')} AS batch, sum(vehicles) AS vehicles, sum(covered) AS covered "
        f"FROM traffic_sampled {window}"
    ).set_index("batch")
    sent = _increments(trace, slices, "cell_sampled", "sent_bit", ("site", "direction"))
    total = sum((amounts for amounts, _ in sent.values()), np.zeros(slices.count))
    yield "delivered", _rate(total, slices, "bit/s")
    yield "handovers", batch_total(slices.column(handovers, "n"), slices.confidence)
    yield (
        "coverage_ratio",
        batch_ratio(slices.column(vehicles, "covered"), slices.column(vehicles, "vehicles"), slices.confidence),
    )


def _utilisations(trace: Trace, slices: _Slices) -> Iterator[tuple[str, Estimate]]:
    busy = _increments(trace, slices, "host_sampled", "busy_core_s", ("site",))
    hosts = trace.sql(
        "SELECT site, name, cores, NOT isnan(x_m) AS on_map FROM site_deployed WHERE cores > 0 ORDER BY site"
    )
    pairs = []
    for site, name, cores, on_map in zip(hosts.site, hosts.name, hosts.cores, hosts.on_map, strict=True):
        if (int(site),) in busy:
            used, time_s = busy[(int(site),)]
            if on_map:  # the cloud's thousand cores would hide the sites'
                pairs.append((used, cores * time_s))
            yield f"utilisation/{name}", batch_ratio(used, cores * time_s, slices.confidence)
    if pairs:
        used, offered = (np.sum(column, axis=0) for column in zip(*pairs, strict=True))
        yield "utilisation", batch_ratio(used, offered, slices.confidence)


def _increments(
    trace: Trace, slices: _Slices, kind: str, total: str, keys: tuple[str, ...]
) -> dict[tuple[int, ...], tuple[FloatArray, FloatArray]]:
    """Growth of a running total in each batch and the time between the samples it is taken from, by key."""
    names = ", ".join(keys)
    table = trace.sql(
        f"SELECT {names}, {slices.by_end('time_s')} AS batch, max(time_s) AS time_s, max({total}) AS total "
        f"FROM {kind} WHERE time_s <= {slices.end_s!r} GROUP BY ALL ORDER BY ALL"
    )
    grown = {}
    for _, rows in table.groupby(list(keys)):
        filled = rows.set_index("batch")[["time_s", "total"]].reindex(range(-1, slices.count)).ffill().fillna(0.0)
        steps = np.diff(filled.to_numpy(dtype=np.float64), axis=0)
        grown[tuple(rows[list(keys)].iloc[0].tolist())] = (steps[:, 1], steps[:, 0])
    return grown
