"""The laws of every run that no query over one kind of fact can state: integrals, and wires."""

from collections.abc import Iterator

from cosim.audit.integrals import integral_findings
from cosim.audit.wires import wire_findings
from cosim.trace.store.integrity import Finding
from cosim.trace.store.reader import Trace


def run_findings(trace: Trace) -> Iterator[Finding]:
    """Yield where totals and sums over tasks differ, and the results that did not cross the wires of their paths."""
    yield from integral_findings(trace)
    yield from wire_findings(trace)
