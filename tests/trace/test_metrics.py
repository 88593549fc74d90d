"""Key figures of a stored run against the same figures by hand."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hashes import rehashed
from small_run import END_S, ended, lives

from cosim.scenario.schema import Statistics
from cosim.trace.facts.run import TaskEnded
from cosim.trace.metrics.tasks import kpis
from cosim.trace.store.reader import Trace
from cosim.types import Status

WARMUP_S = 10.0


@pytest.fixture(scope="module")
def rows() -> list[TaskEnded]:
    """The rows of the measured tasks."""
    return [row for row in map(ended, lives(240, 1)) if row.released_s >= WARMUP_S]


def test_figures_by_hand(stored_run: Path, rows: list[TaskEnded]) -> None:
    """Counts, ratios, latencies and energies are those of the rows released after the warm-up."""
    with Trace.open(stored_run) as trace:
        found = kpis(trace, Statistics(warmup_s=WARMUP_S, batches=5))
    over = [row for row in rows if row.status != Status.IN_FLIGHT]
    completed = [row for row in over if row.status == Status.COMPLETED]
    latency_s = [row.time_s - row.released_s for row in over]
    expected = {
        "released": len(rows),
        "in_flight": len(rows) - len(over),
        "completed": len(completed),
        "completed_ratio": len(completed) / len(over),
        "late_ratio": 1.0 - len(completed) / len(over),
        "lost_left_ratio": 0.0,
        "rejected": 0.0,
        "throughput": len(completed) / (END_S - WARMUP_S),
        "latency_mean": np.mean(latency_s),
        "latency_p50": np.quantile(latency_s, 0.50),
        "latency_p95": np.quantile(latency_s, 0.95),
        "latency_p99": np.quantile(latency_s, 0.99),
        "vehicle_energy_per_task": np.mean([row.transmit_j + row.vehicle_cpu_j for row in rows]),
        "edge_energy": sum(row.edge_cpu_j for row in rows),
        "coverage_ratio": 0.8,
        "handovers": 0.0,
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected)
    assert 0 < expected["in_flight"] < 10


def test_running_totals_become_rates(stored_run: Path) -> None:
    """Utilisation and delivered bits are the growth of the totals over the measured time, per core and second."""
    edge = [life for life in lives(240, 1) if life.edge]
    busy_s = sum(max(0.0, min(life.executed_s, END_S) - max(life.started_s, WARMUP_S)) for life in edge)
    served = sum(WARMUP_S < life.executed_s <= END_S for life in edge)
    with Trace.open(stored_run) as trace:
        found = kpis(trace, Statistics(warmup_s=WARMUP_S, batches=5))
    assert found["utilisation/rsu-0"].value == pytest.approx(busy_s / (END_S - WARMUP_S))
    assert found["utilisation"].value == found["utilisation/rsu-0"].value
    assert "utilisation/cloud" not in found  # it has no cores
    assert found["delivered"].value == pytest.approx(1e6 * served / (END_S - WARMUP_S))
    assert found["delivered"].unit == "bit/s"


def test_intervals_hold_their_value(stored_run: Path) -> None:
    """Every figure has an interval around its value, but for quantiles of small batches and what is only counted."""
    with Trace.open(stored_run) as trace:
        found = kpis(trace)  # the scenario's own: no warm-up, five batches
    bare = {name for name, estimate in found.items() if math.isnan(estimate.low)}
    assert bare == {"in_flight", "latency_p99"}
    assert all(estimate.low <= estimate.value <= estimate.high for name, estimate in found.items() if name not in bare)
    assert found["handovers"].value == 1.0


def test_a_partial_run_is_summarised(run: Path) -> None:
    """A run of which only the first third is left has figures up to the time to which it is complete."""
    told = json.loads((run / "manifest.json").read_text())
    parts = [part for part in told["parts"] if "part-00000" in part["file"]]
    (run / "manifest.json").write_text(json.dumps({**told, "complete_to_s": 20.0, "parts": parts}))
    rehashed(run)
    with Trace.open(run) as trace:
        found = kpis(trace)
    assert found["released"].value == sum(life.released_s < 20.0 for life in lives(240, 1))
    assert found["in_flight"].value > 0
