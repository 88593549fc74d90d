"""The realised cost of S1 eq 18: latency and vehicle energy of the tasks whose result came back, weighed."""

import pytest
from physics import seen
from stories import NEAR_A
from twin_runs import mirrored

from cosim.trace.metrics.tasks import kpis
from cosim.trace.store.reader import Trace


def test_the_cost_of_a_task(tmp_path):
    """A task of 1 s up at 1 W, 1 s of work and 0.5 s down costs w1 2.5 + (1 - w1) 1, here with w1 = 0.25."""
    run = mirrored(
        tmp_path, {"a": [NEAR_A] * 11}, {"sync": {"kind": "budget", "messages_per_s": 0.0}}, [(0.5, "a")],
        decisions={"latency_weight": 0.25},
    )  # fmt: skip
    with Trace.open(run.run) as trace:
        assert kpis(trace)["cost_mean"].value == pytest.approx(0.25 * 2.5 + 0.75 * 1.0)
        seen(kpis(trace)["cost_mean"].value, 0.25 * 2.5 + 0.75 * 1.0)
