"""The provenance of runs whose rows are written by hand: what a run of their scenario would say."""

from dataclasses import replace
from typing import Any

from cosim.scenario.schema import Scenario
from cosim.trace.store.provenance import Provenance, begun
from cosim.trace.store.writer import TraceWriter


def provenance(scenario: Scenario, writer: TraceWriter, **more: Any) -> Provenance:
    """Of a complete run whose writer is closed, with `more` of its fields set otherwise."""
    said = begun(scenario, "2026-01-01T00:00:00Z")
    ended = {"status": "complete", "digest": writer.digest, "digests": writer.digests, "facts": writer.facts}
    return replace(said, **{**ended, **more})
