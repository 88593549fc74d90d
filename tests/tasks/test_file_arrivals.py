"""Arrivals from a CSV file."""

import numpy as np
import pytest
from fleets import entries, frame

from cosim.errors import InputError
from cosim.scenario.work import Tasks
from cosim.tasks.source import task_source


@pytest.fixture
def load(tmp_path):
    def from_text(text):
        (tmp_path / "arrivals.csv").write_text(text)
        classes = [{"name": "a", "cycles": 1e8}, {"name": "b", "cycles": 2e8, "vehicle_types": ["bus"]}]
        source = task_source(
            Tasks(arrivals={"kind": "file", "file": "arrivals.csv"}, classes=classes), seed=1, folder=tmp_path
        )
        source.enter(entries(3))
        return source

    return from_text


def test_arrivals_come_as_written(load):
    """Each row becomes a task at its time and vehicle, in order of time; given values hold, empty ones are drawn."""
    source = load(
        "time_s,vehicle_id,class,input_bit,cycles,deadline_s\n1.5,v2,b,4e4,,0.25\n0.5,v0,a,2e4,7e6,0.1\n0.75,v1,,,,\n"
    )
    first = source.draw(frame([0, 1, 2]), 0.0, 1.0)
    assert first.time_s.tolist() == [0.5, 0.75]
    assert first.vehicle.tolist() == [0, 1]
    assert first.task_class.tolist() == [0, 0]
    assert first.input_bit.tolist() == [2e4, 1e6]
    assert first.cycles.tolist() == [7e6, 1e8]
    np.testing.assert_allclose(first.deadline_s, [0.6, 1.75])
    second = source.draw(frame([0, 1, 2]), 1.0, 2.0)
    assert second.task.tolist() == [2]
    assert second.cycles.tolist() == [2e8]
    assert second.deadline_s.tolist() == [1.75]


def test_arrivals_off_the_map_are_dropped_and_counted(load):
    """An arrival whose vehicle is unknown, not yet or no longer on the map is dropped and counted."""
    source = load("time_s,vehicle_id\n0.1,v0\n0.2,ghost\n0.3,v2\n")
    releases = source.draw(frame([2]), 0.0, 1.0)
    assert releases.vehicle.tolist() == [2]
    assert source.dropped == 2


def test_boundary_belongs_to_the_later_interval(load):
    """An arrival at the border of two intervals is released once, in the later one."""
    source = load("time_s,vehicle_id\n1.0,v0\n")
    assert len(source.draw(frame([0]), 0.0, 1.0)) == 0
    assert len(source.draw(frame([0]), 1.0, 2.0)) == 1


def test_header_alone_and_blank_lines(load):
    """A file with a header alone releases nothing; blank lines are passed over."""
    assert len(load("time_s,vehicle_id\n").draw(frame([0]), 0.0, 1.0)) == 0
    assert len(load("time_s,vehicle_id\n\n0.5,v0\n\n").draw(frame([0]), 0.0, 1.0)) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time_s,vehicle_id\n0.1,v0\n-2,v1\n", r"arrivals\.csv, line 3: time_s='-2' must be a number of at least 0"),
        ("time_s,vehicle_id\n\nsoon,v0\n", r"line 3: time_s='soon' must be a number"),
        ("time_s,vehicle_id,cycles\n0,v0,0\n", r"line 2: cycles='0' must be a number above 0"),
        ("time_s,vehicle_id,input_bit\n0,v0,inf\n", r"line 2: input_bit='inf' must be"),
        ("time_s,vehicle_id,deadline_s\n0,v0,nan\n", r"line 2: deadline_s='nan' must be"),
        ("time_s,vehicle_id,class\n0,v0,c\n", r"line 2: class='c' is no class of tasks\.classes \(a, b\)"),
        ("time_s,vehicle_id\n0,\n", r"line 2: vehicle_id='' must name a vehicle"),
        ("time_s,vehicle_id,size\n0,v0,1\n", r"line 1: column 'size' is unknown; known columns are time_s"),
        ("time_s,time_s,vehicle_id\n0,0,v0\n", r"line 1: column 'time_s\.1' is unknown"),
        ("time,vehicle_id\n0,v0\n", r"line 1: column time_s is missing; add it"),
        ("time_s,vehicle_id\n0,v0,7\n", r"is no CSV"),
        ("time_s,vehicle_id\n0,v0\n0,v0,7\n", r"is no CSV .*line 3"),
        ("time_s,vehicle_id\n0\n", r"line 2: vehicle_id='' must name a vehicle"),
        ("", r"is no CSV"),
    ],
)
def test_bad_files_are_named(load, text, message):
    """A bad cell, column or file gives one line with file, line, field, value and remedy."""
    with pytest.raises(InputError, match=message) as refusal:
        load(text)
    assert "\n" not in str(refusal.value)


def test_missing_file(tmp_path):
    """A missing file is named with its field."""
    with pytest.raises(InputError, match=r"tasks\.arrivals\.file=.*nowhere\.csv.*No such file"):
        task_source(Tasks(arrivals={"kind": "file", "file": "nowhere.csv"}), seed=1, folder=tmp_path)


def test_binary_file(tmp_path):
    """A file that is not text is refused in one line."""
    (tmp_path / "a.csv").write_bytes(b"time_s,vehicle_id\n\xff\xfe\x00,\x81\n")
    with pytest.raises(InputError, match="is no CSV"):
        task_source(Tasks(arrivals={"kind": "file", "file": "a.csv"}), seed=1, folder=tmp_path)
