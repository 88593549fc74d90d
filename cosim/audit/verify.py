"""Does a stored run add up? Its rows are as written, its tasks lived once and in order, its integrals agree.

The laws are exact, not statistical: Little's law as the integral of the number in a system against the sum of the
sojourns, clipped at the last sample, and energy as the integral of power against the sum over tasks. Hosts serve tasks
and the ledger's work alike, so both are in these sums.
"""

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cosim.audit.ledger_check import chain_findings
from cosim.audit.origin import origin_findings
from cosim.audit.rule import Rule
from cosim.audit.rules_tasks import completeness_rules, row_rules
from cosim.errors import InputError
from cosim.trace.store.integrity import SHOWN, Finding, check_parts
from cosim.trace.store.manifest import read_manifest
from cosim.trace.store.reader import Trace
from cosim.trace.store.schemas import combined_digest

_SOJOURN_RELATIVE, _SOJOURN_S = 1e-6, 1e-6
_ENERGY_RELATIVE, _ENERGY_J = 1e-9, 1e-12
_AT_HOST = "tier IN (1, 2) AND NOT isnan(queued_s)"
_LEDGER_WORK = "site, time_s, queued_s, time_s, energy_j"
_LEFT_HOST = "CASE WHEN isnan(executed_s) THEN time_s ELSE executed_s END"


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of an audit."""

    run: Path
    facts: int
    digest: str
    """Recomputed from the rows."""
    complete: bool
    complete_to_s: float
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    """What could not be looked at here, though nothing is known to be wrong."""

    @property
    def ok(self) -> bool:
        """Nothing is wrong; a partial run can be ok."""
        return not self.findings

    @property
    def lines(self) -> list[str]:
        """The report for a person."""
        state = "complete run" if self.complete else f"partial run, complete to t = {self.complete_to_s:g} s"
        verdict = "ok" if self.ok else f"{len(self.findings)} findings"
        onward = [] if self.complete else ["it can be read up to there; for the rest run the scenario again"]
        return [
            f"{self.run}: {verdict}: {state}, {self.facts} facts, digest {self.digest}",
            *onward,
            *self.notes,
            *(str(finding) for finding in self.findings),
        ]


def verify(run: Path) -> Report:
    """Audit a run folder: first the rows, then, if they can be read, what they say.

    A run that was killed is held only to what holds at any moment.

    Raises:
        InputError: not a run folder.
    """
    manifest = read_manifest(run)
    integrity = check_parts(run, manifest)
    digest = combined_digest(integrity.digests, manifest.schema_version)
    complete = manifest.state == "complete"
    findings = [*integrity.findings, *origin_findings(run, complete, digest)]
    if integrity.readable:
        with Trace.open(run) as trace:
            findings.extend(_meaning(trace))
    return Report(
        run=run,
        facts=sum(part.rows for part in manifest.parts),
        digest=digest,
        complete=complete,
        complete_to_s=manifest.complete_to_s,
        findings=tuple(findings),
        notes=tuple(
            f"{kind}: only its rows were checked: no package that brings its rules is installed; "
            "install it and verify again"
            for kind in integrity.unknown
        ),
    )


def _meaning(trace: Trace) -> Iterator[Finding]:
    told = {part.kind for part in trace.manifest.parts}
    rules = [*row_rules(), *(completeness_rules() if trace.complete else [])]
    for rule in rules:
        if rule.kind in told:  # of the others there is no row to name
            yield from _broken(trace, rule)
    if trace.complete:
        yield from _littles_law(trace)
        yield from _tasks_alive(trace)
        yield from _host_energy(trace)
    with suppress(InputError):  # of a provenance that cannot be read, which is found elsewhere
        yield from chain_findings(trace)


def _broken(trace: Trace, rule: Rule) -> Iterator[Finding]:
    rows = trace.sql(f"SELECT seq, count(*) OVER () AS n FROM ({rule.query}) ORDER BY seq LIMIT {SHOWN}")
    for seq in rows.seq.tolist():
        yield Finding(rule.kind, seq, rule.why)
    if len(rows) and rows.n[0] > SHOWN:
        yield Finding(rule.kind, None, f"{rows.n[0] - SHOWN} more rows: {rule.why}")


def _host_totals(trace: Trace, total: str, summed: str) -> Iterator[tuple[int, int, float, float, float]]:
    """(seq, site, time of the last sample, its total, the sum over tasks and the ledger's work) for each host."""
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
        "WHERE NOT isnan(decided_s)) AS summed FROM last WHERE last.seq IS NOT NULL"
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
