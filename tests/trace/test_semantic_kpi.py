"""The semantic performance of S1 eq 1 as a figure of merit."""

from pathlib import Path

import pytest

from cosim.runner import simulate
from cosim.scenario.load import Loaded
from cosim.scenario.schema import Scenario
from cosim.trace.facts.run import TaskEnded, TaskReleased
from cosim.trace.store.reader import Trace
from cosim.types import Status


def test_kpi_is_the_mean_of_eq_1_over_completed_tasks(tmp_path: Path) -> None:
    """semantic_performance equals the mean of phi_1 s_c + phi_2 sigma over the tasks that were completed."""
    scenario = Scenario.model_validate(
        {
            "mobility": {"kind": "synthetic", "vehicles": 5},
            "duration_s": 20,
            "sites": {"kind": "listed", "sites": [{"name": "a", "x_m": 500, "y_m": 0}]},
            "radio": {"path_loss": {"kind": "power_law"}},
            "tasks": {
                "classes": [
                    {"name": "plain", "deadline_s": 5},
                    {
                        "name": "meant",
                        "cycles": {"kind": "uniform", "low": 1e6, "high": 2e6},
                        "semantic": {"complexity_weight": 2e-7, "efficiency_weight": 0.8},
                    },
                ]
            },
        }
    )
    result = simulate(Loaded(scenario, tmp_path, tmp_path, "semantic"), tmp_path / "run")
    with Trace.open(result.folder) as trace:
        tasks = trace.table(TaskReleased).merge(trace.table(TaskEnded), on="task")
    done = tasks[(tasks.status == Status.COMPLETED) & (tasks.task_class == 1)]
    assert len(done) > 20
    expected = (2e-7 * done.cycles + 0.8 * done.efficiency).mean()
    assert result.kpis["semantic_performance"].value == pytest.approx(expected, rel=1e-12)
