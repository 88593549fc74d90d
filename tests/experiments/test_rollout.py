"""A roll-out in memory counts what the trace of the same run holds, from the decision on."""

import math
from pathlib import Path

import numpy as np
import pytest
from cosim_agents.registry import make_policy

from cosim.experiments.rollout import NEEDED, outcome_totals, rollout
from cosim.kernel.rng import stream
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.trace.store.memory import Ended, columns_of
from cosim.trace.store.reader import Trace
from cosim.types import Status


@pytest.mark.parametrize(
    ("scenario", "name"),
    [
        ("s1_semantic_iov", "greedy-latency"),
        ("per_task", "local"),
        pytest.param("s1_semantic_iov", "local", marks=pytest.mark.long),
        pytest.param("per_task", "greedy-latency", marks=pytest.mark.long),
    ],
)
def test_rollout_equals_the_trace(tmp_path: Path, scenario: str, name: str) -> None:
    """The totals of a roll-out are those of the run folder, to the last bit."""
    loaded = load(scenario, ["duration_s=20", f"policy={name}", "seed=5", "statistics.warmup_s=0"])
    policy = make_policy(name, {}, stream(5, "policy"))
    got = rollout(loaded, policy)
    simulate(loaded, tmp_path / "run")
    with Trace.open(tmp_path / "run") as trace:
        ended = trace.sql(f"SELECT {', '.join(NEEDED)} FROM task_ended ORDER BY seq")
    stored = outcome_totals(
        {str(key): values.to_numpy(np.float64) for key, values in ended.items()},
        loaded.scenario.decisions.latency_weight,
        20.0,
    )
    assert got == stored
    assert got.tasks + got.undecided == len(ended)
    assert got.tasks > 20


def test_totals_by_hand() -> None:
    """Latency counts from the decision, of tasks without a result at least to the deadline; the undecided do not."""
    nan = math.nan
    ended = [
        Ended(1.3, 0, 0, Status.COMPLETED, 0, 2.0, 1.0, 0.0, 4.0),
        Ended(1.5, 1, 0, Status.LATE, 1, 1.4, 1.0, 2.0, 0.0),
        Ended(2.2, 2, 0, Status.REJECTED, 1, 2.6, 2.0, 1.0, 0.0),
        Ended(3.0, 3, 0, Status.IN_FLIGHT, 2, 2.5, 2.0, 0.5, 0.0),
        Ended(3.0, 4, 0, Status.IN_FLIGHT, 0, 3.5, 3.0, 0.0, 0.0),
        Ended(2.5, 5, 0, Status.LEFT, -1, 3.0, nan, 0.0, 0.0),
    ]
    got = outcome_totals(columns_of(ended), 0.25, 3.0)
    assert (got.epochs, got.tasks, got.offloaded, got.undecided) == (2, 4, 3, 2)
    assert got.latency_s == pytest.approx(0.3 + 0.5 + 0.6 + 1.0)
    assert got.energy_j == 7.5
    assert got.cost == pytest.approx(0.25 * 2.4 + 0.75 * 7.5)
    assert got.cost_per_epoch == pytest.approx(got.cost / 2)
    assert got.offloaded_ratio == 0.75


def test_seed_takes_the_place_of_the_scenarios() -> None:
    """Another seed gives other totals, the scenario's own the same."""
    loaded = load("s1_semantic_iov", ["duration_s=10"])
    policy = make_policy("local", {}, stream(1, "policy"))
    first, other = rollout(loaded, policy, 1), rollout(loaded, policy, 2)
    assert first == rollout(loaded, policy) != other


def test_optimum_beats_the_rules() -> None:
    """On S1 the exact optimum costs least, and the best rule lies between it and all-local."""
    loaded = load("s1_semantic_iov", ["duration_s=20"])
    cost = {
        name: rollout(loaded, make_policy(name, {}, stream(1, "policy")), 1).cost_per_epoch
        for name in ("optimal", "greedy-latency", "local")
    }
    assert cost["optimal"] < cost["greedy-latency"] < cost["local"]
