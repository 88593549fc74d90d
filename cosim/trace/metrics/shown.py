"""What a stored run shows beside its scenario, for the remarks of `cosim.scenario.sense`."""

from cosim.scenario.sense import Shown, Stand
from cosim.trace.metrics.tasks import Kpis
from cosim.trace.store.reader import Trace


def shown_by(trace: Trace, measured: Kpis) -> Shown:
    """Return where the sites of a run stand and, if it reached its end, what came and what came of it.

    Args:
        trace: the run.
        measured: its figures of merit.
    """
    placed = trace.sql("SELECT name, x_m, y_m, cores FROM site_deployed WHERE x_m IS NOT NULL ORDER BY seq")
    sites = [Stand(*row) for row in placed.itertuples(index=False)]
    if not trace.complete:
        return Shown(sites)
    types = trace.sql("SELECT DISTINCT vehicle_type FROM vehicle_entered")["vehicle_type"]
    return Shown(sites, frozenset(types), {name: one.value for name, one in measured.items()})
