"""The audit of what a run says: rows that are as written and yet cannot be true."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import small_run

from cosim.audit.verify import Report, verify
from cosim.trace.facts.run import TaskEnded
from cosim.types import Phase, Status

TASK = 40  # an edge task that completes in the middle of the run


def run_with(folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[TaskEnded], TaskEnded]) -> Report:
    """Audit of the small run in which one task's row is written otherwise."""
    original = small_run.ended
    monkeypatch.setattr(
        small_run, "ended", lambda life: change(original(life)) if life.task == TASK else original(life)
    )
    small_run.write_small_run(folder)
    return verify(folder)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"status": Status.LATE}, "it is LATE before its deadline"),
        ({"phase": Phase.DOWNLINK}, "its result is back in phase DONE only, and then always"),
        ({"started_s": 0.5}, "its started_s is before an earlier step of its life"),
        ({"edge_cpu_j": -1.0}, "its edge_cpu_j is negative or no number"),
        ({"target": 9}, "its target is no deployed site"),
        ({"vehicle": 3}, "its vehicle, release or deadline is not that of its release"),
        ({"task": 9999}, "its task was never released"),
        ({"task": 41}, "its task has ended before"),
    ],
)
def test_an_impossible_row_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], why: str
) -> None:
    """A row that contradicts itself, its release or the sites is named with the reason."""
    report = run_with(tmp_path / "run", monkeypatch, lambda row: replace(row, **change))
    assert why in {
        finding.why for finding in report.findings if finding.kind == "task_ended" and finding.seq is not None
    }


def test_an_unended_task_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that is released and never ends is named by the row of its release."""
    report = run_with(tmp_path / "run", monkeypatch, lambda row: replace(row, task=9999))
    unended = [finding.kind for finding in report.findings if finding.why == "its task never ended"]
    assert unended == ["task_released"]


def test_littles_law_is_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sojourn of one task that is 1 ms longer than the host's integral knows is found."""
    report = run_with(tmp_path / "run", monkeypatch, lambda row: replace(row, queued_s=row.queued_s - 0.001))
    assert any("is not the sum of the sojourns" in finding.why for finding in report.findings)


def test_lives_add_up_to_the_number_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A life that ends 1 ms later than the traffic's integral knows is found."""
    report = run_with(tmp_path / "run", monkeypatch, lambda row: replace(row, time_s=row.time_s + 0.001))
    assert any("is not the sum of the tasks' lives" in finding.why for finding in report.findings)


def test_energy_is_the_integral_of_power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task's edge energy that is off by a millionth is found in its host's total."""
    report = run_with(tmp_path / "run", monkeypatch, lambda row: replace(row, edge_cpu_j=row.edge_cpu_j * 1.000001))
    assert [finding.kind for finding in report.findings] == ["host_sampled"]
    assert "is not the sum of its tasks' edge_cpu_j" in report.findings[0].why
