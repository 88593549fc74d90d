"""Two runs with the same arrivals are compared task by task; others are refused."""

import math
from pathlib import Path

import numpy as np
import pytest
from small_run import write_small_run
from stories import NEAR_A, tell

from cosim.errors import InputError
from cosim.trace.store.reader import Trace
from cosim.trace.views.compare import Comparison, Flip, Place, compare_runs

PATHS = {"a": [NEAR_A] * 11}
ARRIVALS = [(0.5 + number, "a", {"deadline_s": 2.0, "cycles": 1e8}) for number in range(4)]


def compared(a: Path, b: Path) -> Comparison:
    """B minus A."""
    with Trace.open(a) as one, Trace.open(b) as other:
        return compare_runs(one, other)


def test_a_run_with_itself_is_zero(run: Path) -> None:
    """Every difference and every interval of a run with itself is exactly zero, and no task flips."""
    found = compared(run, run)
    assert found.tasks == 240
    assert found.flips == ()
    for one in (found.latency, found.completed, found.vehicle_energy, found.edge_energy):
        assert (one.value, one.low, one.high) == (0.0, 0.0, 0.0)
    assert {place.latency_s for place in found.places} == {0.0}


def test_two_policies_by_hand(tmp_path: Path) -> None:
    """At the site a task takes 1 + 0.1 + 0.5 s, at home 0.1 s: -1.5 s and one flip for each that was late.

    Uplinks of 1 s released a second apart do not meet; downlinks do not either.
    """
    for name in ("edge", "home"):
        (tmp_path / name).mkdir()
    edge = tell(tmp_path / "edge", PATHS, ARRIVALS, "A", compute={"edge": {"core_hz": 1e8}})
    home = tell(tmp_path / "home", PATHS, ARRIVALS, "local", compute={"edge": {"core_hz": 1e8}})
    found = compared(edge.run, home.run)
    assert (found.tasks, found.done) == (4, 4)
    assert found.latency.value == pytest.approx(0.1 - 2.5)
    assert found.completed.value == 1.0
    assert found.flips == (Flip("late", "completed", 4),)
    assert found.places == (Place("A", 4, pytest.approx(0.1 - 2.5)),)
    assert found.vehicle_energy.value == pytest.approx(-1.0 + 1e-27 * 1e18 * 1e8)
    assert math.isnan(found.latency.low)  # four tasks fill no twenty batches


def test_the_interval_is_of_paired_differences(run: Path, tmp_path: Path) -> None:
    """The interval is that of the batch means of the differences: of a run made slower by 0.25 s it has no width."""
    write_small_run(tmp_path / "slower")
    with Trace.open(run) as one, Trace.open(tmp_path / "slower") as other:
        told = other.sql

        def slower(query: str):  # type: ignore[no-untyped-def]
            """Every task ends 0.25 s later."""
            return told(query.replace("time_s - released_s", "time_s + 0.25 - released_s"))

        other.sql = slower  # type: ignore[method-assign]
        found = compare_runs(one, other)
    assert np.allclose([found.latency.value, found.latency.low, found.latency.high], 0.25, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"seed": 2}, "task 0 has time_s"), ({"count": 239}, "task 4 has time_s")],
)
def test_other_arrivals_are_refused(run: Path, tmp_path: Path, options: dict[str, int], said: str) -> None:
    """Runs of other tasks are refused in one line that says where they begin to differ."""
    write_small_run(tmp_path / "other", **options)
    with pytest.raises(InputError, match=said) as caught:
        compared(run, tmp_path / "other")
    assert "\n" not in str(caught.value)
