"""The key figures of the ledger: blocks, time to finality (S3 eq 21), records, and its share of the CPU work."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from cosim.trace.lateness.ledger_load import ledger_loads
from cosim.trace.metrics.batches import Batches, increments, quantiles, rate
from cosim.trace.metrics.definitions import Definition
from cosim.trace.metrics.statistics import Estimate, batch_ratio, batch_total
from cosim.trace.store.reader import Trace
from cosim.types import FloatArray, Work

_P95: Final = 0.95
_BLOCKS: Final = f"""
SELECT b.time_s, b.records, b.time_s - coalesce(max(w.queued_s), b.proposed_s) AS finality_s,
  b.time_s - lag(b.time_s) OVER (ORDER BY b.height) AS interval_s
FROM block_committed b LEFT JOIN validator_deployed v ON v.validator = b.proposer
  LEFT JOIN consensus_worked w ON w.site = v.site AND w.height = b.height AND w.work = {Work.MAKE:d}
    AND w.queued_s <= b.proposed_s
GROUP BY b.seq, b.time_s, b.records, b.proposed_s, b.height
"""
HEADLINE: Final = (
    ("blocks", "blocks", 1.0, ""),
    ("finality_mean", "time to finality, mean", 1.0, "s"),
    ("finality_p95", "time to finality, p95", 1.0, "s"),
    ("records_per_s", "records in blocks", 1.0, "1/s"),
    ("ledger_cpu_share", "ledger's part of the CPU work", 100.0, "%"),
)
"""Key, label, factor to the unit that is shown, and that unit, of the figures that summary and page show first."""

_COMMITTED = "FROM block_committed WHERE time_s >= $begin_s AND time_s <= $end_s"
DEFINITIONS: Final[Mapping[str, Definition]] = {
    "blocks": Definition("", "blocks that became final", f"SELECT count(*) {_COMMITTED}"),
    "finality_mean": Definition(
        "s",
        "delay to finality of S3 eq 21: from the proposer's last demand to make the block, or the time in its header, "
        "to its commit",
    ),
    "finality_p95": Definition("s", "95 % of the blocks became final within so long"),
    "block_interval_mean": Definition("s", "between the commits of two heights"),
    "records_per_s": Definition(
        "1/s",
        "records in final blocks for each second",
        f"SELECT coalesce(sum(records), 0) / ($end_s - $begin_s) {_COMMITTED}",
    ),
    "ledger_cpu_share/*": Definition("", "the ledger's part of the busy core-seconds of one site"),
    "ledger_cpu_share": Definition("", "the same over all sites on the map"),
}
"""Of the figures of a run with a ledger."""


def ledger_figures(trace: Trace, slices: Batches) -> Iterator[tuple[str, Estimate]]:
    """Yield the figures of a run with a ledger, by name; blocks count by the time of their commit.

    `finality_mean`, `finality_p95`: delay to finality of eq 21, which begins with the making of the block: from the
    proposer's last demand to make a block of that height, or from the header's time where none is recorded before it,
    to the commit. `block_interval_mean`: between the commits of two heights. `ledger_cpu_share`, of all sites on the
    map and of each: the ledger's share of the busy core-seconds.
    """
    measured = f"time_s >= {slices.begin_s!r} AND time_s <= {slices.end_s!r}"
    blocks = f"(SELECT *, {slices.by_start('time_s')} AS batch FROM ({_BLOCKS}) WHERE {measured})"
    table = trace.sql(
        "SELECT batch, count(*) AS n, sum(records) AS records, sum(finality_s) AS finality_s, "
        f"sum(interval_s) AS interval_s, count(interval_s) AS intervals FROM {blocks} GROUP BY batch"
    ).set_index("batch")
    levels = trace.sql(
        f"SELECT batch, count(*) AS n, quantile_cont(finality_s, [{_P95}]) AS levels FROM {blocks} "
        "GROUP BY GROUPING SETS ((batch), ())"
    )
    count, finality_s, interval_s, intervals, records = (
        slices.column(table, name) for name in ("n", "finality_s", "interval_s", "intervals", "records")
    )
    sure = slices.confidence
    yield "blocks", batch_total(count, sure)
    yield "finality_mean", batch_ratio(finality_s, count, sure, "s")
    yield "finality_p95", quantiles(levels, slices, (_P95,), "s")[0]
    yield "block_interval_mean", batch_ratio(interval_s, intervals, sure, "s")
    yield "records_per_s", rate(records, slices, "1/s")
    yield from _processors(trace, slices)


def _processors(trace: Trace, slices: Batches) -> Iterator[tuple[str, Estimate]]:
    loads = ledger_loads(trace)
    busy = increments(trace, slices, "host_sampled", "busy_core_s", ("site",))
    sites = trace.sql("SELECT site, name FROM site_deployed WHERE cores > 0 AND x_m IS NOT NULL ORDER BY site")
    edges_s: FloatArray = np.linspace(slices.begin_s, slices.end_s, slices.count + 1)
    whole, whole_busy = np.zeros(slices.count), np.zeros(slices.count)
    for site, name in sites.itertuples(index=False, name=None):
        used, _ = busy.get((site,), (np.zeros(slices.count),) * 2)
        whole_busy += used
        if site in loads:
            ledger = loads[site].between(edges_s[:-1], edges_s[1:])
            whole += ledger
            yield f"ledger_cpu_share/{name}", batch_ratio(ledger, used, slices.confidence)
    yield "ledger_cpu_share", batch_ratio(whole, whole_busy, slices.confidence)
