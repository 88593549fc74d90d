"""The key figures of the digital twin: its age and error, and what its messages cost the radio."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from cosim.trace.metrics.batches import Batches, increments, rate
from cosim.trace.metrics.definitions import Definition
from cosim.trace.metrics.statistics import Estimate, batch_ratio, batch_total
from cosim.trace.store.reader import Trace
from cosim.types import FloatArray

_ALL = "(SELECT 0 AS all_of_them, * FROM twin_sampled)"

_SAMPLED = "FROM twin_sampled WHERE time_s >= $begin_s AND time_s <= $end_s"
_MOVED = "FROM twin_moved WHERE time_s >= $begin_s AND time_s <= $end_s"
_CREATED = f"{_MOVED} AND from_node IS NULL AND to_node IS NOT NULL"


def _growth(total: str) -> str:
    """SQL: how much a running total has grown."""
    return f"(max({total}) - coalesce(max({total}) FILTER (time_s <= $begin_s), 0))"


def _by_twins(column: str) -> str:
    return (
        f"SELECT sum({column} * twins) / sum(twins) FROM twin_sampled "
        f"WHERE {column} IS NOT NULL AND time_s >= $begin_s AND time_s <= $end_s"
    )


DEFINITIONS: Final[Mapping[str, Definition]] = {
    "age_mean": Definition(
        "s",
        "age of what the twins know, mean over all twins and the measured time",
        f"SELECT {_growth('age_s2')} / {_growth('twin_s')} FROM twin_sampled WHERE time_s <= $end_s",
    ),
    "age_max": Definition("s", "largest age at a sample", f"SELECT max(max_age_s) {_SAMPLED}"),
    "sync_rate": Definition(
        "bit/s",
        "what vehicles sent to their twins",
        f"SELECT coalesce({_growth('sent_bit')}, 0) / ($end_s - $begin_s) FROM twin_sampled WHERE time_s <= $end_s",
    ),
    "sync_lost_ratio": Definition(
        "",
        "share of the messages that were lost on the air, or held up until a newer one had come",
        f"SELECT {_growth('lost')} / {_growth('sent')} FROM twin_sampled WHERE time_s <= $end_s",
    ),
    "mirror_error_mean": Definition(
        "m",
        "distance between the last synchronised and the true place, mean of the samples by number of twins",
        _by_twins("mirror_error_m"),
    ),
    "forecast_error_mean": Definition(
        "m", "distance between the forecast and the true place, likewise", _by_twins("mean_error_m")
    ),
    "forecast_inside_ratio": Definition(
        "", "share of the true places in the disc that the forecast said to hold 90 %", _by_twins("inside_ratio")
    ),
    "twins_created": Definition("", "twins that were made, with `twin.placement`", f"SELECT count(*) {_CREATED}"),
    "twin_creation_mean": Definition(
        "s", "time to make a twin, T_ij of S5 eq 17", f"SELECT avg(time_s - began_s) {_CREATED}"
    ),
    "twins_moved": Definition(
        "", "twins that moved to another host, or lost theirs", f"SELECT count(*) {_MOVED} AND from_node IS NOT NULL"
    ),
    "twin_downtime_mean": Definition(
        "s", "time that a moved twin stood still", f"SELECT avg(time_s - still_s) {_MOVED} AND from_node IS NOT NULL"
    ),
    "twins_refused": Definition(
        "", "vehicles that found no host with room at once", f"SELECT count(*) {_MOVED} AND to_node IS NULL"
    ),
}
"""Of the figures of a run with a twin; those of hosts only with `twin.placement`."""


def twin_figures(trace: Trace, slices: Batches) -> Iterator[tuple[str, Estimate]]:
    """Yield the figures of a run with a twin, by name.

    `age_mean`: mean age of information of all twins over the measured time, exact; `age_max`: the largest at the
    samples. `sync_rate`: bits per second that vehicles sent for it; `sync_lost_ratio`: share of the messages sent.
    Means over the samples, weighted by the number of twins: `mirror_error_mean`, and `forecast_error_mean` and
    `forecast_inside_ratio` where the twin forecasts.
    """
    sure = slices.confidence
    yield "age_mean", batch_ratio(_grown(trace, slices, "age_s2"), _grown(trace, slices, "twin_s"), sure, "s")
    oldest = trace.sql(
        "SELECT max(max_age_s) AS age_s FROM twin_sampled "
        f"WHERE time_s >= {slices.begin_s!r} AND time_s <= {slices.end_s!r}"
    )
    yield "age_max", Estimate(float(oldest.age_s.astype(np.float64).iloc[0]), unit="s")
    yield "sync_rate", rate(_grown(trace, slices, "sent_bit"), slices, "bit/s")
    yield "sync_lost_ratio", batch_ratio(_grown(trace, slices, "lost"), _grown(trace, slices, "sent"), sure)
    for name, column, unit in (
        ("mirror_error_mean", "mirror_error_m", "m"),
        ("forecast_error_mean", "mean_error_m", "m"),
        ("forecast_inside_ratio", "inside_ratio", ""),
    ):
        weighted = trace.sql(
            f"SELECT {slices.by_start('time_s')} AS batch, sum({column} * twins) AS total, sum(twins) AS n "
            f"FROM twin_sampled WHERE {column} IS NOT NULL AND time_s >= {slices.begin_s!r} "
            f"AND time_s <= {slices.end_s!r} GROUP BY batch"
        ).set_index("batch")
        if len(weighted):
            yield name, batch_ratio(slices.column(weighted, "total"), slices.column(weighted, "n"), sure, unit)
    twin = trace.scenario.twin
    if twin is not None and twin.placement is not None:
        yield from _homes(trace, slices)


def _homes(trace: Trace, slices: Batches) -> Iterator[tuple[str, Estimate]]:
    """Yield the figures of the placement of twins, by the time at which they came to a host.

    `twin_creation_mean`: T_ij of S5 eq 17, over the twins that were made (`twins_created`). `twin_downtime_mean`: time
    that a moved twin (`twins_moved`) stood still. `twins_refused`: vehicles that found no host with room at once.
    """
    moved = trace.sql(
        f"SELECT {slices.by_start('time_s')} AS batch, count(*) FILTER (to_node IS NULL) AS refused, "
        "count(*) FILTER (from_node IS NULL AND to_node IS NOT NULL) AS created, "
        "count(*) FILTER (from_node IS NOT NULL) AS moved, "
        "sum(time_s - began_s) FILTER (from_node IS NULL AND to_node IS NOT NULL) AS creation_s, "
        "sum(time_s - still_s) FILTER (from_node IS NOT NULL) AS down_s FROM twin_moved "
        f"WHERE time_s >= {slices.begin_s!r} AND time_s <= {slices.end_s!r} GROUP BY batch"
    ).set_index("batch")
    created, moves, refused, creation_s, down_s = (
        slices.column(moved, name) for name in ("created", "moved", "refused", "creation_s", "down_s")
    )
    sure = slices.confidence
    yield "twins_created", batch_total(created, sure)
    yield "twin_creation_mean", batch_ratio(creation_s, created, sure, "s")
    yield "twins_moved", batch_total(moves, sure)
    yield "twin_downtime_mean", batch_ratio(down_s, moves, sure, "s")
    yield "twins_refused", batch_total(refused, sure)


def _grown(trace: Trace, slices: Batches, total: str) -> FloatArray:  # (batches,)
    grown = increments(trace, slices, _ALL, total, ("all_of_them",))
    return sum((amounts for amounts, _ in grown.values()), np.zeros(slices.count))
