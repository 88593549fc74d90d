"""A roll-out in memory counts what the trace of the same run holds, from the decision on."""

from pathlib import Path

import numpy as np
import pytest

from agents.registry import make_policy
from cosim.experiments.rollout import rollout, totals
from cosim.rng import stream
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.trace.reader import Trace


@pytest.mark.parametrize("name", ["local", "greedy-latency"])
@pytest.mark.parametrize("scenario", ["s1_semantic_iov", "per_task"])
def test_rollout_equals_the_trace(tmp_path: Path, scenario: str, name: str) -> None:
    """The totals of a roll-out are those of the run folder, to the last bit."""
    loaded = load(scenario, ["duration_s=20", f"policy={name}", "seed=5", "statistics.warmup_s=0"])
    policy = make_policy(name, {}, stream(5, "policy"))
    got = rollout(loaded, policy)
    simulate(loaded, tmp_path / "run")
    with Trace.open(tmp_path / "run") as trace:
        ended = trace.sql("SELECT * FROM task_ended ORDER BY seq")
    stored = totals(
        {str(key): values.to_numpy(np.float64) for key, values in ended.items()},
        loaded.scenario.decisions.latency_weight,
        20.0,
    )
    assert got == stored
    assert got.tasks + got.undecided == len(ended)
    assert got.tasks > 20


def test_totals_by_hand() -> None:
    """Latency counts from the decision; lost and flying tasks count until their end; the undecided do not."""
    ended = {
        "time_s": np.array([1.3, 1.5, 2.2, 3.0, 3.0, 2.5]),
        "tier": np.array([0, 1, 1, 2, 0, -1]),
        "decided_s": np.array([1.0, 1.0, 2.0, 2.0, 3.0, np.nan]),
        "transmit_j": np.array([0.0, 2.0, 1.0, 0.5, 0.0, 0.0]),
        "vehicle_cpu_j": np.array([4.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
    }
    got = totals(ended, 0.25, 3.0)
    assert (got.epochs, got.tasks, got.offloaded, got.undecided) == (2, 4, 3, 2)
    assert got.latency_s == pytest.approx(0.3 + 0.5 + 0.2 + 1.0)
    assert got.energy_j == 7.5
    assert got.cost == pytest.approx(0.25 * 2.0 + 0.75 * 7.5)
    assert got.cost_per_epoch == pytest.approx(got.cost / 2)
    assert got.offloaded_ratio == 0.75


def test_seed_takes_the_place_of_the_scenarios() -> None:
    """Another seed gives other totals, the scenario's own the same."""
    loaded = load("s1_semantic_iov", ["duration_s=30"])
    policy = make_policy("local", {}, stream(1, "policy"))
    first, other = rollout(loaded, policy, 1), rollout(loaded, policy, 2)
    assert first == rollout(loaded, policy) != other


def test_optimum_beats_the_rules() -> None:
    """On S1 the exact optimum costs least, and the best rule lies between it and all-local."""
    loaded = load("s1_semantic_iov", ["duration_s=60"])
    cost = {
        name: rollout(loaded, make_policy(name, {}, stream(1, "policy")), 1).cost_per_epoch
        for name in ("optimal", "greedy-latency", "local")
    }
    assert cost["optimal"] < cost["greedy-latency"] < cost["local"]
