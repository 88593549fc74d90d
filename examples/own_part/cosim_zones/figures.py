"""The zones' figures of merit."""

from collections.abc import Iterator

from cosim.trace.metrics.batches import Batches
from cosim.trace.metrics.definitions import Definition
from cosim.trace.metrics.statistics import Estimate, batch_ratio
from cosim.trace.store.reader import Trace

HEADLINE = (
    ("zone_vehicles", "vehicles in a zone", 1.0, ""),
    ("zone_reports_lost", "reports given up", 100.0, "%"),
)
DEFINITIONS = {
    "zone_vehicles": Definition("", "vehicles in a zone, mean over zones and counts"),
    "zone_reports_lost": Definition(
        "",
        "share of the reports that were given up",
        "SELECT avg(1 - arrived) FROM zone_counted WHERE counted_s >= $begin_s AND counted_s <= $end_s",
    ),
}


def figures(trace: Trace, slices: Batches) -> Iterator[tuple[str, Estimate]]:
    """Yield `zone_vehicles`, the mean over zones and counts, and `zone_reports_lost`, the share of lost reports.

    Counts belong to the batch in which they were taken; those before the warm-up's end are left out.

    Args:
        trace: trace of a run with zones.
        slices: the measured time in batches.
    """
    rows = trace.sql(
        f"SELECT {slices.by_start('counted_s')} AS batch, count(*) AS n, sum(vehicles) AS vehicles, "
        f"sum(1 - arrived) AS lost FROM zone_counted WHERE counted_s >= {slices.begin_s!r} "
        f"AND counted_s <= {slices.end_s!r} GROUP BY batch"
    ).set_index("batch")
    counts = slices.column(rows, "n")
    yield "zone_vehicles", batch_ratio(slices.column(rows, "vehicles"), counts, slices.confidence)
    yield "zone_reports_lost", batch_ratio(slices.column(rows, "lost"), counts, slices.confidence)
