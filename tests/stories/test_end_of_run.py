"""The run ends and tasks are still on their way."""

from stories import FAR, NEAR_A, Told, tell


def test_in_flight_in_every_phase(tmp_path):
    """Nothing vanishes: each task that lives at the end of the run ends IN_FLIGHT in the phase it has come to.

    run to 10:  0 executes, 1 waits behind it, 2 sends, 3 waits for coverage, 4 executes at home, 5 waits behind it
    """
    paths = {"a": [NEAR_A] * 11, "b": [FAR] * 11, "c": [NEAR_A] * 11}
    arrivals = [
        (0.5, "a", {"cycles": 1e11}),
        (2.5, "a", {"cycles": 1e9}),
        (8.5, "a", {"input_bit": 4e6}),
        (8.5, "b", {"cycles": 1e9}),
        (8.75, "c", {"cycles": 5e9}),
        (9.0, "c", {"cycles": 5e9}),
    ]
    places = Told(["A", "A", "A", "A", "local", "local"])
    story = tell(tmp_path, paths, [_whole(row) for row in arrivals], places, radio={"outage_s": 5.0})
    assert sorted(story.of("TaskEnded")) == [
        "10 TaskEnded 0 IN_FLIGHT in EXECUTION",
        "10 TaskEnded 1 IN_FLIGHT in QUEUE",
        "10 TaskEnded 2 IN_FLIGHT in UPLINK",
        "10 TaskEnded 3 IN_FLIGHT in UPLINK",
        "10 TaskEnded 4 IN_FLIGHT in EXECUTION",
        "10 TaskEnded 5 IN_FLIGHT in QUEUE",
    ]


def _whole(arrival):
    time_s, vehicle, given = arrival
    return time_s, vehicle, {"input_bit": 1e6, "cycles": 1e9, **given}


def test_undecided_at_the_end(tmp_path):
    """A task that was released after the last epoch ends IN_FLIGHT without a decision."""
    decisions = {"kind": "periodic", "period_s": 6.0}
    story = tell(tmp_path, {"a": [NEAR_A] * 11}, [(7.0, "a")], decisions=decisions)
    assert story.facts[-2:] == ["7 TaskReleased 0 a", "10 TaskEnded 0 IN_FLIGHT in DECISION"]


def test_no_task_is_released_at_or_after_the_end(tmp_path):
    """Arrivals at the run's duration or later are no tasks of this run, also in the middle of a tick."""
    story = tell(tmp_path, {"a": [NEAR_A] * 11}, [(9.0, "a"), (9.5, "a"), (9.75, "a")], duration_s=9.5)
    assert story.of("TaskReleased") == ["9 TaskReleased 0 a"]


def test_an_empty_run(tmp_path):
    """A run without vehicles and without tasks is sound, and has nothing to tell."""
    story = tell(tmp_path, {}, [])
    assert story.facts == []
