"""The rule that searches each task's best option by amplitude amplification."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cosim_agents.quantum.grover import search_budget
from cosim_agents.quantum.search_policy import lone_cost
from cosim_agents.registry import make_policy
from observations import random_observation

from cosim.cost import analytic_cost
from cosim.errors import InputError
from cosim.kernel.rng import stream
from cosim.runner import simulate
from cosim.scenario.load import load


def test_grover_search_takes_the_smallest_estimate() -> None:
    """`grover-search` decides as `greedy-latency` in nearly every row, and counts its oracle calls."""
    observation = random_observation(np.random.default_rng(3), 500)
    policy = make_policy("grover-search", {"repetitions": 2}, stream(1, "policy"))
    greedy = make_policy("greedy-latency", {}, stream(1, "policy")).decide(observation).option
    assert (policy.decide(observation).option == greedy).mean() > 0.995
    assert policy.oracle_calls >= 2 * 500 * search_budget(8)  # type: ignore[attr-defined]


def test_lone_cost_is_the_cost_of_a_task_alone() -> None:
    """`lone_cost` of each option equals `analytic_cost` of a single task where the cell is empty."""
    for seed in range(10):
        observation = random_observation(np.random.default_rng(seed), 1)
        observation = replace(
            observation,
            latency_weight=0.3,
            uplink_bps=np.where(observation.cell >= 0, observation.alone_bps, observation.uplink_bps),
        )
        options = np.arange(observation.tier.shape[1])[:, None]
        np.testing.assert_allclose(lone_cost(observation)[0], analytic_cost(observation, options), rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "told"), [({"minimise": "x"}, "minimise='x'"), ({"repetitions": 0}, "repetitions=0")]
)
def test_bad_options(options: dict[str, object], told: str) -> None:
    """A wrong option ends in a line that names it."""
    with pytest.raises(InputError, match=told):
        make_policy("grover-search", options, stream(1, "policy"))


def test_a_scenario_runs_on_it(tmp_path: Path) -> None:
    """A scenario names `grover-search`: the same seed gives the same digest, and latencies close to greed's."""
    searched = ["duration_s=20", "policy.name=grover-search", "policy.options={minimise: latency}"]
    runs = [simulate(load("s1_semantic_iov", searched), tmp_path / name) for name in ("first", "second")]
    assert runs[0].digest == runs[1].digest
    greedy = simulate(load("s1_semantic_iov", ["duration_s=20", "policy.name=greedy-latency"]), tmp_path / "greedy")
    assert runs[0].kpis["latency_mean"].value == pytest.approx(greedy.kpis["latency_mean"].value, rel=0.1)


def test_no_learning_library_is_loaded() -> None:
    """A rule's process stays small: `grover-search` brings neither torch nor PennyLane in."""
    code = "import sys, cosim_agents.registry; print([name for name in ('torch', 'pennylane') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
