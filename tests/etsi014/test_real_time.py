"""A simulated clock that follows the wall."""

import pytest
from made_keys import Wall

from cosim.etsi014.realtime import RealTime
from cosim.kernel.clock import Clock


def test_simulated_time_follows_the_wall_at_its_speed():
    """After 3 s on the wall at speed 20 the slots of 60 simulated seconds have passed, each at its own time."""
    clock, wall, seen, told = Clock(), Wall(), [], []
    clock.every(1.0, lambda _: seen.append(clock.now))
    real_time = RealTime(clock, 1.0, 20.0, wall, told.append)
    real_time.catch_up()
    wall.now_s += 3.0
    real_time.catch_up()
    assert clock.now == pytest.approx(60.0)
    assert seen == [float(n) for n in range(61)]
    assert told == []


def test_a_machine_that_is_too_slow_leaves_time_out():
    """If a slot takes longer than it should, catching up stops after 0.1 s of work, says so once, and goes on later."""
    clock, wall, told = Clock(), Wall(), []

    def slow(_: int) -> None:
        wall.now_s += 0.04

    clock.every(1.0, slow, first=1)
    real_time = RealTime(clock, 1.0, 100.0, wall, told.append)
    for _ in range(2):
        wall.now_s += 10.0
        before = wall.now_s
        real_time.catch_up()
        assert wall.now_s - before == pytest.approx(0.12)
    assert clock.now == 6.0
    assert len(told) == 1
    assert "--speed 100" in told[0]
