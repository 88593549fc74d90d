"""The key figures of the key network: key generated, used and lost, and the time that tasks waited for keys.

`kgr_delivered` is the key generation rate of S3, figures 7 and 9, read as bits delivered to use for each
vehicle-second, because the raw rate of the links depends neither on the data size nor on the number of vehicles.
`key_generated` leaves out the bits that the pools had at the start.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from cosim.trace.lateness.key_waits import WAITS
from cosim.trace.metrics.batches import Batches, increments
from cosim.trace.metrics.definitions import Definition
from cosim.trace.metrics.statistics import Estimate, batch_ratio, batch_total
from cosim.trace.store.reader import Trace
from cosim.types import FloatArray, KeyState, Status

_TOTALS: Final = ("generated_bit", "used_bit", "lost_bit")
_POOLS: Final = (
    f"(SELECT link, time_s, {', '.join(_TOTALS)} FROM key_pool_sampled "
    "UNION ALL SELECT link, time_s, initial_bit, 0, 0 FROM key_link_deployed)"
)
HEADLINE: Final = (
    ("key_rate_mean", "key rate of a link", 1.0, "bit/s"),
    ("qber_mean", "QBER", 100.0, "%"),
    ("kgr_delivered", "key used by a vehicle", 1.0, "bit/s"),
    ("key_wait_mean", "wait for keys", 1e3, "ms"),
    ("downgraded_ratio", "without a quantum key", 100.0, "%"),
)
"""Key, label, factor to the unit that is shown, and that unit, of the figures that summary and page show first."""

_GROWN = (
    "SELECT coalesce(sum(grown), 0) FROM (SELECT max({0}) - coalesce(max({0}) FILTER (time_s <= $begin_s), 0) AS grown "
    "FROM key_pool_sampled WHERE time_s <= $end_s GROUP BY link)"
)
DEFINITIONS: Final[Mapping[str, Definition]] = {
    "key_generated": Definition("bit", "secret bits that the links made, without those that pools had at the start"),
    "key_rate_mean": Definition("bit/s", "the same for each link and second"),
    "key_used": Definition(
        "bit", "bits relayed for transfers or given to vehicles, on every link of the way", _GROWN.format("used_bit")
    ),
    "key_lost": Definition("bit", "bits thrown away, overflowed or expired in link pools", _GROWN.format("lost_bit")),
    "kgr_delivered": Definition(
        "bit/s",
        "key that transfers took from vehicles' pools, for each vehicle on the map and second (S3 figures 7, 9)",
    ),
    "qber_mean": Definition(
        "",
        "mean error rate of the blocks that had a signal",
        "SELECT avg(qber) FROM key_block_distilled WHERE time_s >= $begin_s AND time_s <= $end_s",
    ),
    "key_wait_mean": Definition(
        "s", "wait for keys, uplink and downlink together, mean over the ended tasks that asked for one"
    ),
    "downgraded_ratio": Definition("", "share of the ended tasks of which a transfer went without a quantum key"),
}
"""Of the figures of a run with keys."""


def key_figures(trace: Trace, slices: Batches) -> Iterator[tuple[str, Estimate]]:
    """Yield the figures of a run with keys, by name.

    Link pools, in bits over the measured time: `key_generated`, `key_used` (relayed for transfers or given to
    vehicles), `key_lost`; `key_rate_mean`: generated per link and second; `qber_mean`: over the blocks that had a
    signal. Tasks, by release: `key_wait_mean`: both directions together, over the ended tasks that asked for a key;
    `downgraded_ratio`: the share of ended tasks of which a transfer went without a quantum key.
    """
    yield from link_figures(trace, slices)
    yield "kgr_delivered", _delivered(trace, slices)
    yield "qber_mean", _qber(trace, slices)
    yield from _tasks(trace, slices)


def link_figures(trace: Trace, slices: Batches) -> Iterator[tuple[str, Estimate]]:
    """Yield the figures of the pools of links, by one query over all links."""
    last = ", ".join(f"max({name}) AS {name}" for name in _TOTALS)
    grown = ", ".join(f"{name} - lag({name}, 1, 0) OVER so_far AS {name}" for name in _TOTALS)
    sums = ", ".join(f"sum({name})::DOUBLE AS {name}" for name in _TOTALS)
    # A batch in which a link has no sample grows by nothing; the next one has its growth.
    table = trace.sql(
        f"WITH last AS (SELECT link, {slices.by_end('time_s')} AS batch, {last} FROM {_POOLS} "
        f"WHERE time_s <= {slices.end_s!r} GROUP BY ALL), "
        f"grown AS (SELECT link, batch, {grown} FROM last WINDOW so_far AS (PARTITION BY link ORDER BY batch)) "
        f"SELECT batch, {sums}, (SELECT count(DISTINCT link) FROM last) AS links FROM grown GROUP BY batch"
    )
    links = int(table.links.max()) if len(table) else 0
    rows = table.set_index("batch")
    for name in _TOTALS:
        total = slices.column(rows, name)
        yield f"key_{name.removesuffix('_bit')}", batch_total(total, slices.confidence, "bit")
        if name == "generated_bit":
            links_s = np.full(slices.count, links * slices.length_s)
            yield "key_rate_mean", batch_ratio(total, links_s, slices.confidence, "bit/s")


def _delivered(trace: Trace, slices: Batches) -> Estimate:
    """Return the bits used per vehicle and second; the number of vehicles is the mean of its samples."""
    used = increments(
        trace, slices, "(SELECT 0 AS all_of_them, * FROM vehicle_keys_sampled)", "used_bit", ("all_of_them",)
    )
    vehicles = trace.sql(
        f"SELECT {slices.by_start('time_s')} AS batch, avg(vehicles) AS mean FROM traffic_sampled "
        f"WHERE time_s >= {slices.begin_s!r} AND time_s <= {slices.end_s!r} GROUP BY batch"
    ).set_index("batch")
    total = sum((amounts for amounts, _ in used.values()), np.zeros(slices.count))
    return batch_ratio(total, slices.column(vehicles, "mean") * slices.length_s, slices.confidence, "bit/s")


def _qber(trace: Trace, slices: Batches) -> Estimate:
    blocks = trace.sql(
        f"SELECT {slices.by_start('time_s')} AS batch, count(*) AS n, sum(qber) AS total FROM key_block_distilled "
        f"WHERE qber IS NOT NULL AND time_s >= {slices.begin_s!r} AND time_s <= {slices.end_s!r} GROUP BY batch"
    ).set_index("batch")
    return batch_ratio(slices.column(blocks, "total"), slices.column(blocks, "n"), slices.confidence)


def _tasks(trace: Trace, slices: Batches) -> Iterator[tuple[str, Estimate]]:
    measured = f"status <> {Status.IN_FLIGHT:d} AND released_s >= {slices.begin_s!r} AND released_s < {slices.end_s!r}"
    batch = slices.by_start("released_s")
    waits = trace.sql(
        f"SELECT {batch} AS batch, sum(up_s + down_s) AS wait_s, count(*) FILTER (asked) AS asked, "
        f"count(*) FILTER (state = {KeyState.DOWNGRADED:d}) AS downgraded "
        f"FROM ({WAITS}) WHERE {measured} GROUP BY batch"
    ).set_index("batch")
    ended = trace.sql(f"SELECT {batch} AS batch, count(*) AS n FROM task_ended WHERE {measured} GROUP BY batch")
    count: FloatArray = slices.column(ended.set_index("batch"), "n")
    sure = slices.confidence
    yield "key_wait_mean", batch_ratio(slices.column(waits, "wait_s"), slices.column(waits, "asked"), sure, "s")
    yield "downgraded_ratio", batch_ratio(slices.column(waits, "downgraded"), count, sure)
