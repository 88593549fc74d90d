"""The integrals of a finished run: totals of its samples against sums over its tasks.

The laws are exact, not statistical: Little's law as the integral of the number in a system against the sum of the
sojourns, clipped at the last sample, and energy as the integral of power against the sum over tasks. Hosts serve tasks
and the ledger's work alike, so both are in these sums.
"""

import math
from collections.abc import Iterator

from cosim.audit.radio_energy import radio_energy_findings
from cosim.trace.store.integrity import Finding
from cosim.trace.store.reader import Trace

_SOJOURN_RELATIVE, _SOJOURN_S = 1e-6, 1e-6
_ENERGY_RELATIVE, _ENERGY_J = 1e-9, 1e-12
_AT_HOST = "tier IN (1, 2) AND queued_s IS NOT NULL"
_LEDGER_WORK = "site, time_s, queued_s, time_s, energy_j"
_LEFT_HOST = "coalesce(executed_s, time_s)"


def integral_findings(trace: Trace) -> Iterator[Finding]:
    """Yield where totals and sums differ, in a run that reached its end, and radios that drew more than they can."""
    yield from radio_energy_findings(trace)
    if trace.complete:
        yield from _littles_law(trace)
        yield from _tasks_alive(trace)
        yield from _host_energy(trace)


def _host_totals(trace: Trace, total: str, summed: str) -> Iterator[tuple[int, int, float, float, float]]:
    """Yield (seq, site, time of the last sample, its total, the sum over tasks and the ledger's work) for each host."""
    rows = trace.sql(
        f"WITH last AS (SELECT site, max(seq) AS seq, arg_max(time_s, seq) AS at_s, arg_max({total}, seq) AS total "
        "FROM host_sampled GROUP BY site), "
        f"tasks AS (SELECT target AS site, time_s, queued_s, {_LEFT_HOST} AS left_s, edge_cpu_j FROM task_ended "
        f"WHERE {_AT_HOST} UNION ALL SELECT {_LEDGER_WORK} FROM consensus_worked) "
        f"SELECT last.seq, last.site, at_s, total, coalesce(fsum({summed}), 0) AS summed "
        "FROM last LEFT JOIN tasks USING (site) GROUP BY ALL ORDER BY ALL"
    )
    yield from rows.itertuples(index=False, name=None)


def _littles_law(trace: Trace) -> Iterator[Finding]:
    sojourn = "greatest(0.0, least(left_s, at_s) - queued_s)"
    for seq, site, at_s, integral, summed in _host_totals(trace, "number_s", sojourn):
        if not math.isclose(integral, summed, rel_tol=_SOJOURN_RELATIVE, abs_tol=_SOJOURN_S):
            why = f"site {site} to t={at_s:g} s: number_s={integral!r} is not the sum of the sojourns {summed!r}"
            yield Finding("host_sampled", seq, why)
    at_hosts = (("task_ended", "target", _AT_HOST), ("consensus_worked", "site", "true"))
    for kind, place, condition in at_hosts:
        unsampled = trace.sql(
            f"SELECT min(seq) AS seq, {place} FROM {kind} WHERE {condition} "
            f"AND {place} NOT IN (SELECT site FROM host_sampled) GROUP BY {place} ORDER BY {place}"
        )
        for seq, site in unsampled.itertuples(index=False, name=None):
            yield Finding(kind, seq, f"was executed at site {site}, whose host was never sampled")


def _tasks_alive(trace: Trace) -> Iterator[Finding]:
    rows = trace.sql(
        "WITH last AS (SELECT max(seq) AS seq, arg_max(time_s, seq) AS at_s, arg_max(alive_number_s, seq) AS total "
        "FROM traffic_sampled) SELECT last.seq, at_s, total, "
        "(SELECT coalesce(fsum(greatest(0.0, least(time_s, at_s) - decided_s)), 0) FROM task_ended, last "
        "WHERE decided_s IS NOT NULL) AS summed FROM last WHERE last.seq IS NOT NULL"
    )
    for seq, at_s, integral, summed in rows.itertuples(index=False, name=None):
        if not math.isclose(integral, summed, rel_tol=_SOJOURN_RELATIVE, abs_tol=_SOJOURN_S):
            why = f"to t={at_s:g} s: alive_number_s={integral!r} is not the sum of the tasks' lives {summed!r}"
            yield Finding("traffic_sampled", seq, why)


def _host_energy(trace: Trace) -> Iterator[Finding]:
    for seq, site, at_s, integral, summed in _host_totals(trace, "energy_j", "edge_cpu_j"):
        if at_s < trace.complete_to_s:
            why = f"is the last sample of site {site}, at t={at_s:g} s; the run ends at {trace.complete_to_s:g} s"
            yield Finding("host_sampled", seq, why)
        elif not math.isclose(integral, summed, rel_tol=_ENERGY_RELATIVE, abs_tol=_ENERGY_J):
            sums = f"is not the sum of its tasks' edge_cpu_j and of the ledger's work {summed!r}"
            why = f"site {site}: energy_j={integral!r} {sums}"
            yield Finding("host_sampled", seq, why)
