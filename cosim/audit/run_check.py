"""The laws of every run that no query over one kind of fact can state: integrals, wires, and grants."""

from collections.abc import Iterator

from cosim.audit.grants import grant_findings
from cosim.audit.integrals import integral_findings
from cosim.audit.wires import wire_findings
from cosim.trace.store.integrity import Finding
from cosim.trace.store.reader import Trace


def run_findings(trace: Trace) -> Iterator[Finding]:
    """Yield where totals and sums over tasks differ, results beside their wires, and grants out of place."""
    yield from integral_findings(trace)
    yield from wire_findings(trace)
    yield from grant_findings(trace)
