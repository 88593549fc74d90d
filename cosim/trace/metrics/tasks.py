"""The key figures of a run, each with a batch-means interval.

Tasks count by their time of release: those released before the end of the warm-up are left out, those still in flight
at the end of the run are counted apart and enter no ratio. The measured time is cut into equal batches.
"""

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import numpy as np

from cosim.errors import InputError
from cosim.objective import weighted_cost
from cosim.scenario.schema import Statistics
from cosim.scenario.work import Semantic
from cosim.subjects import pieces
from cosim.trace.metrics.batches import Batches, increments, quantiles, rate
from cosim.trace.metrics.definitions import Definition
from cosim.trace.metrics.statistics import Estimate, batch_ratio, batch_total
from cosim.trace.realised import PAID_SQL
from cosim.trace.store.reader import Trace
from cosim.types import Status

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
HEADLINE: Final = (
    ("released", "released", 1.0, "tasks"),
    ("completed_ratio", "completed in time", 100.0, "%"),
    ("late_ratio", "late", 100.0, "%"),
    ("throughput", "throughput", 1.0, "tasks/s"),
    ("latency_mean", "latency, mean", 1e3, "ms"),
    ("latency_p50", "latency, p50", 1e3, "ms"),
    ("latency_p95", "latency, p95", 1e3, "ms"),
    ("latency_p99", "latency, p99", 1e3, "ms"),
    ("vehicle_energy_per_task", "vehicle energy", 1.0, "J/task"),
    ("edge_energy_per_task", "edge energy", 1.0, "J/task"),
    ("semantic_performance", "semantic performance", 1.0, ""),
    ("delivered", "delivered by radio", 1e-6, "Mbit/s"),
    ("handovers", "handovers", 1.0, ""),
    ("coverage_ratio", "vehicles covered", 100.0, "%"),
    ("utilisation", "utilisation of the sites", 100.0, "%"),
)
"""Key, label, factor to the unit that is shown, and that unit, of the figures that summary and page show first."""

_MEASURED = "released_s >= $begin_s AND released_s < $end_s"
_ENDED = f"status_name(status) <> 'IN_FLIGHT' AND {_MEASURED}"
_BACK = f"status_name(status) IN ('COMPLETED', 'LATE') AND {_MEASURED}"
_OUTCOMES: Final[Mapping[Status, str]] = {
    Status.COMPLETED: "whose result was back by the deadline",
    Status.LATE: "whose result was back after the deadline",
    Status.NO_COVERAGE: "lost because a transfer had no coverage for longer than `radio.outage_s`",
    Status.REJECTED: "lost because a queue was full or the site has no processor",
    Status.LEFT: "lost because their vehicle left the map",
    Status.EXPIRED: "dropped at the deadline, with `tasks.on_deadline: drop`",
    Status.NO_ENERGY: "lost because their vehicle's energy budget was spent",
    Status.HELPER_LOST: "lost because the neighbour that executed them left the map or the range",
    Status.NO_KEY: "lost because a transfer's key did not come in time; only with keys",
}


def _outcome_definitions() -> dict[str, Definition]:
    """A share and a count for each way in which a task ends."""
    found = {}
    for status, told in _OUTCOMES.items():
        name, is_it = status.name.lower(), f"status_name(status) = '{status.name}'"
        share = f"{name}_ratio" if status in (Status.COMPLETED, Status.LATE) else f"lost_{name}_ratio"
        found[share] = Definition(
            "", f"share of the ended tasks {told}", f"SELECT avg(({is_it})::INTEGER) FROM task_ended WHERE {_ENDED}"
        )
        found[name] = Definition("", f"tasks {told}", f"SELECT count(*) FROM task_ended WHERE {is_it} AND {_MEASURED}")
    return found


def _latency_quantile(percent: int) -> Definition:
    level = f"SELECT quantile_cont(time_s - released_s, {percent / 100}) FROM task_ended WHERE {_BACK}"
    return Definition("s", f"{percent} % of the tasks whose result came back took at most so long", level)


DEFINITIONS: Final[Mapping[str, Definition]] = {
    "released": Definition(
        "", "tasks released", "SELECT count(*) FROM task_released WHERE time_s >= $begin_s AND time_s < $end_s"
    ),
    "in_flight": Definition(
        "",
        "tasks released that had not ended when the run did; they enter no ratio",
        "SELECT count(*) FROM task_released ANTI JOIN (SELECT task FROM task_ended "
        "WHERE status_name(status) <> 'IN_FLIGHT') USING (task) WHERE time_s >= $begin_s AND time_s < $end_s",
    ),
    **_outcome_definitions(),
    "throughput": Definition(
        "task/s",
        "tasks completed in time for each second",
        "SELECT count(*) / ($end_s - $begin_s) FROM task_ended "
        f"WHERE status_name(status) = 'COMPLETED' AND {_MEASURED}",
    ),
    "latency_mean": Definition(
        "s",
        "mean time from release to result, of the tasks whose result came back, in time or late",
        f"SELECT avg(time_s - released_s) FROM task_ended WHERE {_BACK}",
    ),
    "latency_p50": _latency_quantile(50),
    "latency_p95": _latency_quantile(95),
    "latency_p99": _latency_quantile(99),
    "vehicle_energy_per_task": Definition(
        "J",
        "what radios and processors of vehicles spent, for each released task that has a row in task_ended",
        f"SELECT sum(transmit_j + vehicle_cpu_j) / count(*) FROM task_ended WHERE {_MEASURED}",
    ),
    "cost_mean": Definition(
        "",
        "cost of S1 eq 18 as it came, w L + (1 - w) E with w = `decisions.latency_weight`, L from release to result "
        "in s and E the vehicles' joules; mean over the tasks whose result came back",
    ),
    "edge_energy_per_task": Definition(
        "J",
        "what hosts of sites and cloud spent, for each released task that has a row in task_ended",
        f"SELECT sum(edge_cpu_j) / count(*) FROM task_ended WHERE {_MEASURED}",
    ),
    "radio_energy": Definition(
        "J",
        "spent by vehicles' radios on tasks",
        f"SELECT coalesce(sum(transmit_j), 0) FROM task_ended WHERE {_MEASURED}",
    ),
    "vehicle_cpu_energy": Definition(
        "J",
        "spent by vehicles' processors on tasks",
        f"SELECT coalesce(sum(vehicle_cpu_j), 0) FROM task_ended WHERE {_MEASURED}",
    ),
    "edge_energy": Definition(
        "J",
        "spent by hosts of sites and cloud on tasks",
        f"SELECT coalesce(sum(edge_cpu_j), 0) FROM task_ended WHERE {_MEASURED}",
    ),
    "semantic_performance": Definition(
        "",
        "S1 eq 1, phi_1 s_c + phi_2 sigma_ij, mean over the tasks completed in time whose class has a semantic section",
    ),
    "delivered": Definition(
        "bit/s",
        "bits that radio transfers delivered, uplink, downlink and sidelink, for each second",
        "SELECT coalesce(sum(grown), 0) / ($end_s - $begin_s) FROM (SELECT max(sent_bit) - coalesce(max(sent_bit) "
        "FILTER (time_s <= $begin_s), 0) AS grown FROM cell_sampled WHERE time_s <= $end_s GROUP BY site, direction)",
    ),
    "handovers": Definition(
        "",
        "changes of a vehicle from one cell to another",
        "SELECT count(*) FROM cell_changed WHERE from_site IS NOT NULL AND to_site IS NOT NULL "
        "AND time_s >= $begin_s AND time_s <= $end_s",
    ),
    "coverage_ratio": Definition(
        "",
        "share of the vehicles on the map that have a serving site, over the samples",
        "SELECT sum(covered) / sum(vehicles) FROM traffic_sampled WHERE time_s >= $begin_s AND time_s <= $end_s",
    ),
    "utilisation/*": Definition("", "busy core-seconds over core-seconds of one site's host"),
    "utilisation": Definition("", "the same over all hosts on the map, without the cloud"),
}
"""Of the figures that every run has."""


def kpis(trace: Trace, statistics: Statistics | None = None) -> Kpis:
    """Return all figures of merit of a run by name, with units and confidence intervals.

        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import cosim
        >>> loaded = cosim.load("per_task", ["duration_s=1", "statistics.warmup_s=0", "mobility.vehicles=10"])
        >>> with TemporaryDirectory() as folder:
        ...     result = cosim.simulate(loaded, Path(folder))
        ...     with cosim.Trace.open(result.folder) as trace:
        ...         latency = cosim.kpis(trace)["latency_mean"]
        >>> latency.low < latency.value < latency.high, latency.unit
        (True, 's')

    Args:
        trace: a run, complete or not; of a partial one the time up to `complete_to_s` counts.
        statistics: warm-up, batches and confidence; the run's own by default.

    Raises:
        InputError: the run has no readable provenance, or two subjects give a figure of one name.
    """
    options = trace.scenario.statistics if statistics is None else statistics
    end_s = max(trace.complete_to_s, options.warmup_s + 1e-9)
    slices = Batches(options.warmup_s, end_s, options.batches, options.confidence)
    found: dict[str, Estimate] = {}
    for subject, figures in pieces("figures"):
        if subject.applies(trace.scenario):
            own = dict(figures(trace, slices))
            if taken := sorted(found.keys() & own.keys()):
                raise InputError(f"figure {taken[0]!r} of section {subject.name} is another's already; rename it")
            found.update(own)
    return found


def task_figures(trace: Trace, slices: Batches) -> Iterator[tuple[str, Estimate]]:
    """Yield the figures that every run has, by name: of its tasks, its traffic and its hosts."""
    yield from _tasks(trace, slices)
    yield from _latencies(trace, slices)
    yield from _meaning(trace, slices)
    yield from _traffic(trace, slices)
    yield from _utilisations(trace, slices)


def _tasks(trace: Trace, slices: Batches) -> Iterator[tuple[str, Estimate]]:
    released = trace.sql(
        f"SELECT {slices.by_start('time_s')} AS batch, count(*) AS n FROM task_released "
        f"WHERE time_s >= {slices.begin_s!r} AND time_s < {slices.end_s!r} GROUP BY batch"
    ).set_index("batch")
    counts = ", ".join(f"count(*) FILTER (status = {status:d}) AS {status.name}" for status in Status)
    tasks = trace.sql(
        f"SELECT {slices.by_start('released_s')} AS batch, {counts}, "
        f"sum(time_s - released_s) FILTER ({_DONE}) AS latency, sum(transmit_j) AS radio_j, "
        f"sum({PAID_SQL}) FILTER ({_DONE}) AS done_j, "
        "sum(vehicle_cpu_j) AS cpu_j, sum(edge_cpu_j) AS edge_j FROM task_ended "
        f"WHERE released_s >= {slices.begin_s!r} AND released_s < {slices.end_s!r} GROUP BY batch"
    ).set_index("batch")
    by_status = {status: slices.column(tasks, status.name) for status in Status}
    ended = sum((by_status[status] for status in Status if status != Status.IN_FLIGHT), np.zeros(slices.count))
    known = ended + by_status[Status.IN_FLIGHT]
    done = by_status[Status.COMPLETED] + by_status[Status.LATE]
    losses = _LOST if trace.scenario.keys is None else (*_LOST, Status.NO_KEY)
    sure, vehicle_j = slices.confidence, slices.column(tasks, "radio_j") + slices.column(tasks, "cpu_j")
    began = slices.column(released, "n")
    yield "released", batch_total(began, sure)
    yield "in_flight", Estimate(float(began.sum() - ended.sum()))
    yield "completed_ratio", batch_ratio(by_status[Status.COMPLETED], ended, sure)
    yield "late_ratio", batch_ratio(by_status[Status.LATE], ended, sure)
    for status in losses:
        yield f"lost_{status.name.lower()}_ratio", batch_ratio(by_status[status], ended, sure)
    for status in (Status.COMPLETED, Status.LATE, *losses):
        yield status.name.lower(), batch_total(by_status[status], sure)
    yield "throughput", rate(by_status[Status.COMPLETED], slices, "task/s")
    yield "latency_mean", batch_ratio(slices.column(tasks, "latency"), done, sure, "s")
    yield "vehicle_energy_per_task", batch_ratio(vehicle_j, known, sure, "J")
    weight = trace.scenario.decisions.latency_weight
    cost = weighted_cost(weight, slices.column(tasks, "latency"), slices.column(tasks, "done_j"))
    yield "cost_mean", batch_ratio(cost, done, sure)  # S1 eq 18 as it came, over the tasks whose result is back
    yield "edge_energy_per_task", batch_ratio(slices.column(tasks, "edge_j"), known, sure, "J")
    yield "radio_energy", batch_total(slices.column(tasks, "radio_j"), sure, "J")
    yield "vehicle_cpu_energy", batch_total(slices.column(tasks, "cpu_j"), sure, "J")
    yield "edge_energy", batch_total(slices.column(tasks, "edge_j"), sure, "J")


def _latencies(trace: Trace, slices: Batches) -> Iterator[tuple[str, Estimate]]:
    levels = tuple(_LEVELS.values())
    table = trace.sql(
        f"SELECT batch, count(*) AS n, quantile_cont(latency, {list(levels)}) AS levels FROM ("
        f"SELECT {slices.by_start('released_s')} AS batch, time_s - released_s AS latency FROM task_ended "
        f"WHERE {_DONE} AND released_s >= {slices.begin_s!r} AND released_s < {slices.end_s!r}"
        ") GROUP BY GROUPING SETS ((batch), ())"
    )
    for name, estimate in zip(_LEVELS, quantiles(table, slices, levels, "s"), strict=True):
        yield f"latency_{name}", estimate


def _meaning(trace: Trace, slices: Batches) -> Iterator[tuple[str, Estimate]]:
    """Yield the mean semantic performance (S1 eq 1) of the tasks done in time, over the classes that have semantics."""
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
    """Return S1 eq 1 as SQL: phi_1 s_c + phi_2 sigma_ij."""
    return f"{semantic.complexity_weight!r} * cycles + {semantic.efficiency_weight!r} * efficiency"


def _traffic(trace: Trace, slices: Batches) -> Iterator[tuple[str, Estimate]]:
    window = f"WHERE time_s >= {slices.begin_s!r} AND time_s <= {slices.end_s!r} GROUP BY batch"
    handovers = trace.sql(
        f"SELECT {slices.by_start('time_s')} AS batch, "
        f"count(*) FILTER (from_site IS NOT NULL AND to_site IS NOT NULL) AS n FROM cell_changed {window}"
    ).set_index("batch")
    vehicles = trace.sql(
        f"SELECT {slices.by_start('time_s')} AS batch, sum(vehicles) AS vehicles, sum(covered) AS covered "
        f"FROM traffic_sampled {window}"
    ).set_index("batch")
    sent = increments(trace, slices, "cell_sampled", "sent_bit", ("site", "direction"))
    total = sum((amounts for amounts, _ in sent.values()), np.zeros(slices.count))
    yield "delivered", rate(total, slices, "bit/s")
    yield "handovers", batch_total(slices.column(handovers, "n"), slices.confidence)
    yield (
        "coverage_ratio",
        batch_ratio(slices.column(vehicles, "covered"), slices.column(vehicles, "vehicles"), slices.confidence),
    )


def _utilisations(trace: Trace, slices: Batches) -> Iterator[tuple[str, Estimate]]:
    busy = increments(trace, slices, "host_sampled", "busy_core_s", ("site",))
    hosts = trace.sql(
        "SELECT site, name, cores, x_m IS NOT NULL AS on_map FROM site_deployed WHERE cores > 0 ORDER BY site"
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
