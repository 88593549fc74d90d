"""Positions that a source of traffic gives ahead of time change what is computed when, and nothing else."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from effort import rest_long

from cosim.decision import Action, Observation
from cosim.errors import RunError
from cosim.kernel.rng import stream
from cosim.mobility.source import MobilityFrame
from cosim.mobility.synthetic import SyntheticRoads
from cosim.radio.survey import Survey
from cosim.scenario.load import load
from cosim.scenario.schema import Radio, Scenario, SyntheticMobility
from cosim.simulation import Simulation
from cosim.trace.store.memory import InMemoryTaskEnds
from cosim.trace.store.writer import NullWriter

ROADS = {"kind": "synthetic", "length_m": 400.0}


def roads(**changed: object) -> SyntheticRoads:
    plan = SyntheticMobility.model_validate(ROADS | changed)
    return SyntheticRoads(plan, stream(1, "mobility"))


class Unforeseen:
    """A source of traffic that keeps to itself what comes."""

    def __init__(self, source: SyntheticRoads) -> None:
        self.step_s, self.bounds_m, self.close = source.step_s, source.bounds_m, source.close
        self._source = source

    def advance(self, tick: int) -> MobilityFrame:
        """The frame of a tick, of which only the present is known."""
        return replace(self._source.advance(tick), coming_m=None)


@pytest.mark.parametrize(
    "changed",
    [
        {"vehicles": 3, "speed_mps": 15.0},
        {"vehicles": 5, "speed_mps": {"kind": "uniform", "low": 0.0, "high": 30.0}, "placement": "random", "roads": 2},
        {"vehicles": 2, "speed_mps": 9.0, "reenter": False, "step_s": 0.5},
        {"vehicles": 300, "speed_mps": 0.0},
    ],
)
def test_what_is_foreseen_comes(changed: dict[str, object]) -> None:
    """Positions given ahead are those of the frames that follow, in which nobody comes or goes."""
    source = roads(**changed)
    frames = [source.advance(tick) for tick in range(120)]
    foreseen = [0 if frame.coming_m is None else len(frame.coming_m) for frame in frames]
    assert max(foreseen) > 5
    for tick, ahead in enumerate(foreseen):
        for later in range(tick + 1, min(tick + 1 + ahead, len(frames))):
            np.testing.assert_array_equal(frames[tick].coming_m[later - tick - 1], frames[later].xy_m)
            np.testing.assert_array_equal(frames[tick].numbers, frames[later].numbers)
            assert not frames[later].entered
            assert not len(frames[later].left)


def test_positions_are_those_of_each_tick_alone() -> None:
    """A vehicle is where its speed puts it at each tick, however many are computed; at the end a new one takes over."""
    source = roads(vehicles=1, length_m=100.0, speed_mps=7.75)
    frames = [source.advance(tick) for tick in range(200)]
    assert [frame.xy_m[0, 0] for frame in frames] == [7.75 * tick % 100.0 for tick in range(200)]
    assert [frame.numbers.tolist() for frame in frames] == [[int(7.75 * tick // 100.0)] for tick in range(200)]


@pytest.mark.parametrize(
    "changes",
    rest_long(
        [
            "s1_semantic_iov duration_s=90",
            "per_task duration_s=20",
            "highway_v2v duration_s=8",
            "s1_semantic_iov duration_s=70.5 radio.interference=true mobility.speed_mps=25",
        ],
        keep=2,
    ),
)
def test_a_run_is_the_same_without_foresight(changes: str) -> None:
    """Observations, and the ends of tasks, are equal to the bit whether the source tells what comes or not."""
    name, *short = changes.split()
    scenario = load(name, [*short, "statistics.warmup_s=0"]).scenario
    plain, unforeseen = played(scenario, False), played(scenario, True)
    assert len(plain) > 5
    assert plain == unforeseen


class Quickest:
    """A policy: the option of least expected latency."""

    def decide(self, observation: Observation) -> Action:
        """The first of the best."""
        return Action(observation.expected_s.argmin(axis=1))


def played(scenario: Scenario, unforeseen: bool) -> list[object]:
    """What a run shows at each epoch, and how its tasks end."""
    facts = InMemoryTaskEnds(NullWriter())
    source = SyntheticRoads(scenario.mobility, stream(scenario.seed, "mobility"))
    told: list[object] = []
    with closing(Simulation(scenario, facts, source=Unforeseen(source) if unforeseen else source)) as run:
        while (epoch := run.advance()) is not None:
            told.append(epoch.observation.content(expected=True))
            run.decide(Quickest().decide(epoch.observation))
    return [*told, repr(facts.take())]


def test_a_survey_looks_again_where_vehicles_are_not_as_foreseen() -> None:
    """Positions that differ from those given ahead are looked at anew; the positions given then count from there."""
    radio = Radio.model_validate({"path_loss": {"kind": "power_law", "exponent": 2.0, "gain_at_1m_db": -40.0}})
    sites, numbers = np.array([(0.0, 10.0), (500.0, 10.0)]), np.arange(2)
    rng = np.random.default_rng(2)
    coming = rng.uniform(0.0, 500.0, (8, 2, 2))
    foresighted, other = Survey(radio, sites, 1), Survey(radio, sites, 1)
    for tick in range(8):
        xy_m = coming[tick] + (20.0 if tick in (3, 4) else 0.0)
        ahead = foresighted.update(numbers, xy_m, tick, coming_m=coming[tick + 1 :])
        alone = other.update(numbers, xy_m, tick)
        for name in ("sites", "snr_per_w", "down_snr", "serving", "slot"):
            np.testing.assert_array_equal(getattr(ahead, name), getattr(alone, name))


def test_vehicles_that_leave_against_what_was_foreseen_end_the_run() -> None:
    """A source that has given positions of a vehicle beyond the tick at which it leaves is told so."""

    class Fickle(Unforeseen):
        def advance(self, tick: int) -> MobilityFrame:
            frame = self._source.advance(tick)
            return frame if tick < 5 else replace(frame, left=frame.numbers[:1])

    scenario = load("s1_semantic_iov", ["duration_s=30"]).scenario
    source = SyntheticRoads(scenario.mobility, stream(1, "mobility"))
    with closing(Simulation(scenario, source=Fickle(source))) as run, pytest.raises(RunError, match="beyond 5 s"):
        run.run(Quickest())
