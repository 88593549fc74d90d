"""Tasks get class, sizes, meaning and number; statistical tests use 99.9 % intervals."""

from dataclasses import fields
from importlib.metadata import EntryPoint
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from fleets import entries, frame
from physics import seen
from scipy import stats

from cosim.errors import InputError, RunError
from cosim.scenario.work import Tasks
from cosim.tasks.arrivals import Arrived
from cosim.tasks.source import Releases, as_tasks, task_source
from cosim.trace.facts.run import TaskReleased

SIZE = {"kind": "uniform", "low": 1e5, "high": 2e5}


def source_of(classes=None, seed=5, vehicles=1000, types=("car",), **arrivals):
    source = task_source(
        Tasks(arrivals={"kind": "poisson", **arrivals}, **({"classes": classes} if classes else {})), seed, Path()
    )
    source.enter(entries(vehicles, types))
    return source


def test_columns_are_those_of_the_fact():
    """The columns of the releases are those of TaskReleased, in its order, then what the models make of these."""
    fact, names = [field.name for field in fields(TaskReleased)], [field.name for field in fields(Releases)]
    assert names[: len(fact)] == fact
    semantic = {"efficiency": 0.5, "vehicle_accuracy": 0.8, "edge_accuracy": 0.9}
    releases = source_of([{"name": "a", "input_bit": SIZE, "semantic": semantic}]).draw(frame(range(1000)), 0.0, 1.0)
    assert {len(getattr(releases, name)) for name in names} == {len(releases)}
    assert (releases.sent_bit == releases.input_bit * 0.5).all()
    assert (releases.vehicle_cycles == releases.cycles * 0.8).all()
    assert (releases.edge_cycles == releases.cycles * 0.9).all()


def test_numbers_go_on():
    """Task numbers are gapless in order of release over all intervals."""
    source = source_of()
    parts = [source.draw(frame(range(1000)), t, t + 1.0) for t in range(3)]
    tasks = np.concatenate([part.task for part in parts])
    np.testing.assert_array_equal(tasks, np.arange(len(tasks)))
    assert (np.diff(np.concatenate([part.time_s for part in parts])) >= 0.0).all()


@pytest.mark.parametrize(
    "classes",
    [
        [{"name": "a", "input_bit": SIZE, "cycles": {"kind": "exponential", "mean": 1e8}, "semantic": {}}],
        [{"name": "a", "input_bit": 1e5}],
        [
            {"name": "a", "input_bit": SIZE, "vehicle_types": ["car"], "semantic": {}},
            {"name": "b", "weight": 2.0, "cycles": {"kind": "lognormal", "mean": 1e8, "cv": 1.0}},
            {"name": "c", "vehicle_types": ["bus"], "output_bit": SIZE},
        ],
        [{"name": "a", "input_bit": SIZE, "vehicle_types": ["bus"]}],
    ],
)
@pytest.mark.parametrize("rate_per_s", [0.02, 1.0])
def test_many_intervals_at_once_are_those_one_by_one(classes, rate_per_s):
    """Tasks of many intervals are those of each interval drawn by itself, to the bit, and so are those that follow."""
    instants_s = [0.0, 1.0, 2.0, 2.5, 3.5, 4.0, 4.25]
    here = frame(range(0, 40, 3))
    made = [source_of(classes, vehicles=40, types=("car", "bus"), rate_per_s=rate_per_s) for _ in range(2)]
    together = [*made[0].draw_all(here, instants_s), made[0].draw(here, 4.25, 9.0)]
    apart = [made[1].draw(here, start_s, end_s) for start_s, end_s in pairwise([*instants_s, 9.0])]
    assert sum(map(len, apart)) > 2 * (rate_per_s == 1.0)
    for one, other in zip(together, apart, strict=True):
        for name in Releases.__slots__:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
            assert not getattr(one, name).flags.writeable


def test_streams_are_independent():
    """Another size, semantics or class list moves neither the times nor the vehicles of the tasks."""
    plain = source_of().draw(frame(range(1000)), 0.0, 1.0)
    sized = source_of([{"name": "a", "input_bit": SIZE}]).draw(frame(range(1000)), 0.0, 1.0)
    meant = source_of([{"name": "a", "input_bit": SIZE, "semantic": {}}]).draw(frame(range(1000)), 0.0, 1.0)
    classed = source_of([{"name": "a"}, {"name": "b"}]).draw(frame(range(1000)), 0.0, 1.0)
    for other in (sized, meant, classed):
        np.testing.assert_array_equal(other.time_s, plain.time_s)
        np.testing.assert_array_equal(other.vehicle, plain.vehicle)
    np.testing.assert_array_equal(meant.input_bit, sized.input_bit)


def test_classes_by_weight():
    """Classes get their shares of the arrivals and their own sizes (binomial, 99.9 %)."""
    classes = [{"name": "a", "weight": 3.0, "cycles": 1e8}, {"name": "b", "cycles": 2e8, "deadline_s": 0.5}]
    releases = source_of(classes, rate_per_s=20.0).draw(frame(range(1000)), 0.0, 1.0)
    second = releases.task_class == 1
    n = len(releases)
    assert abs(second.mean() - 0.25) < stats.norm.ppf(0.9995) * np.sqrt(0.25 * 0.75 / n)
    np.testing.assert_array_equal(releases.cycles, np.where(second, 2e8, 1e8))
    np.testing.assert_allclose(releases.deadline_s - releases.time_s, np.where(second, 0.5, 1.0), atol=1e-12)


def test_classes_by_vehicle_type():
    """A vehicle releases only classes open to its type, and nothing if there is none."""
    classes = [{"name": "a", "vehicle_types": ["car"]}, {"name": "b", "vehicle_types": ["car", "bus"]}]
    source = source_of(classes, types=("car", "bus", "bike"))
    releases = source.draw(frame(range(1000)), 0.0, 1.0)
    vehicle_type = releases.vehicle % 3
    assert set(releases.task_class[vehicle_type == 0].tolist()) == {0, 1}
    assert set(releases.task_class[vehicle_type == 1].tolist()) == {1}
    assert not (vehicle_type == 2).any()
    assert source.dropped == 0
    np.testing.assert_array_equal(releases.task, np.arange(len(releases)))


def test_teleporting_vehicles_release():
    """A vehicle without a position still wants its tasks computed."""
    assert len(source_of().draw(frame(range(1000), xy_m=np.nan), 0.0, 1.0)) > 0


def test_only_vehicles_on_the_map_release():
    """Vehicles that are not in the frame release nothing; numbers need not start at 0."""
    releases = source_of(vehicles=5000).draw(frame([1500, 4999]), 0.0, 20.0)
    assert set(releases.vehicle.tolist()) == {1500, 4999}


def test_tasks_carry_the_semantic_work():
    """A task sends D max(sigma_ij, sigma_min), works s_c sigma_i or s_c sigma_j, and has the priority phi s_c - L_D."""
    semantic = {"efficiency": 0.3, "min_efficiency": 0.5, "vehicle_accuracy": 0.6, "edge_accuracy": 0.9}
    one = {"name": "a", "input_bit": 1e4, "cycles": 1e6, "deadline_s": 0.05, "semantic": semantic}
    releases = source_of([one]).draw(frame(range(1000)), 0.0, 1.0)
    tasks = as_tasks(releases.stored())
    for task, time_s in zip(tasks, releases.time_s, strict=True):
        assert task.input_bit == pytest.approx(5e3)
        assert task.cycles == 1e6
        assert task.vehicle_cycles == pytest.approx(6e5)
        assert task.edge_cycles == pytest.approx(9e5)
        assert task.priority == pytest.approx(1.0 - (time_s + 0.05))
    ours = [(task.input_bit, task.vehicle_cycles, task.edge_cycles, task.priority) for task in tasks]
    seen(ours, [(5e3, 6e5, 9e5, 1.0 - (time_s + 0.05)) for time_s in releases.time_s])
    assert [task.task for task in tasks] == list(range(len(releases)))
    assert isinstance(tasks[0].vehicle, int)


def test_without_semantics_the_earliest_deadline_goes_first():
    """A class without semantics sends and works everything, and its priority is the negative deadline."""
    releases = source_of().draw(frame(range(1000)), 0.0, 1.0)
    np.testing.assert_array_equal(releases.priority, -releases.deadline_s)
    assert as_tasks(releases.stored())[0].input_bit == 1e6
    assert as_tasks(releases.stored())[0].edge_cycles == 5e8


class OneEach:
    """A plug-in: each vehicle releases one task at `phase` of each interval; it writes its own arrays again."""

    def __init__(self, _rng, phase, shift_s=0.0):
        self.phase, self.shift_s = phase, shift_s
        self.time_s = np.zeros(10)

    def enter(self, entries):
        """Nothing to note."""

    def draw(self, fleet, start_s, end_s):
        """All vehicles at once."""
        n = len(fleet.numbers)
        self.time_s[:] = start_s + self.phase * (end_s - start_s) + self.shift_s
        return Arrived(self.time_s[:n], fleet.numbers, dropped=2)


@pytest.fixture
def one_each(monkeypatch):
    entry = EntryPoint("one-each", f"{__name__}:OneEach", "cosim.arrivals")
    monkeypatch.setattr("cosim.plugins.entry_points", lambda group: [entry] if group == "cosim.arrivals" else [])

    def make(**options):
        source = task_source(Tasks(arrivals={"kind": "plugin", "name": "one-each", "options": options}), 1, Path())
        source.enter(entries(3))
        return source

    return make


def test_plug_in_arrivals(one_each):
    """A plug-in gives times and vehicles; the rest comes from the scenario, and its dropped arrivals are counted."""
    source = one_each(phase=0.5)
    releases = source.draw(frame([0, 2]), 4.0, 5.0)
    assert releases.time_s.tolist() == [4.5, 4.5]
    assert releases.vehicle.tolist() == [0, 2]
    assert source.dropped == 2


def test_plug_in_arrivals_of_many_intervals(one_each):
    """A plug-in is asked for one interval after the other, and an error names the interval."""
    source = one_each(phase=0.5)
    releases = source.draw_all(frame([0, 2]), [4.0, 5.0, 7.0])
    assert [one.time_s.tolist() for one in releases] == [[4.5, 4.5], [6.0, 6.0]]
    assert source.dropped == 4
    with pytest.raises(RunError, match=r"outside \[3, 4\) s"):
        one_each(phase=0.8, shift_s=0.3).draw_all(frame([0, 2]), [1.0, 3.0, 4.0])


def test_plug_in_options_are_checked(one_each):
    """Options that a plug-in does not take are named."""
    with pytest.raises(InputError, match=r"'one-each'.*options=\{'fase': 1\}"):
        one_each(fase=1)


def test_broken_plug_in_ends_the_run(one_each):
    """A plug-in whose times lie outside the interval ends the run with one line."""
    with pytest.raises(RunError, match=r"outside \[4, 5\) s"):
        one_each(phase=1.5).draw(frame([0, 2]), 4.0, 5.0)


def test_plug_in_must_name_vehicles_on_the_map(one_each):
    """A plug-in that names a vehicle which never entered ends the run with one line."""
    with pytest.raises(RunError, match="not on the map"):
        one_each(phase=0.5).draw(frame([7]), 4.0, 5.0)
