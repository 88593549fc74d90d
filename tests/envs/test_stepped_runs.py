"""A simulation that is turned decision by decision is the one that a policy runs, and a new episode costs little."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from acting import shortened, some, steps

from cosim.decision import Action, Observation
from cosim.envs import traffic
from cosim.envs.loop import Loop
from cosim.errors import InputError, RunError
from cosim.scenario.load import Loaded, load
from cosim.simulation import Simulation
from cosim.trace.store.writer import TraceWriter

SECURED = ("decisions.knobs=[target,detector,proposer]",)
CASES = {
    "s1_semantic_iov": (),
    "intersection": ("decisions.knobs=[target,share]",),
    "qib_vec": SECURED,
    "per_task": (),
    "s1_semantic_iov ": ("duration_s=30.7", "decisions.observation=forecast"),
    "qib_vec ": ("duration_s=19.83", *SECURED),
}
"""Changes of each; the last two leave tasks that wait at the end, which a loop shows."""


class Rule:
    """`acting.some` as a policy."""

    def decide(self, observation: Observation) -> Action:
        """See Policy."""
        return some(observation)


def closed_digest(loaded: Loaded, folder: Path) -> str:
    """Of the run that a policy drives."""
    writer = TraceWriter(folder, loaded.scenario.trace.part_s)
    simulation = Simulation(loaded.scenario, writer, loaded.folder)
    with closing(simulation):
        simulation.run(Rule())
    writer.close(True, loaded.scenario.duration_s)
    return writer.digest


def stepped_digest(loop: Loop, writer: TraceWriter) -> str:
    """Of the same run, decision by decision."""
    with closing(loop):
        assert len(list(steps(loop))) > 3
    return writer.digest


@pytest.mark.parametrize("name", CASES)
def test_stepped_and_closed_runs_have_one_digest(name: str, tmp_path: Path) -> None:
    """Live or replayed, all tasks of an epoch at once or in rounds of 1 or 3: the facts are those of `run`."""
    loaded = load(name.strip(), shortened(name.strip(), *CASES[name]))
    expected = closed_digest(loaded, tmp_path / "closed")
    for case, (kind, rows) in enumerate([("live", None), ("replay", None), ("replay", 1), ("replay", 3), ("live", 3)]):
        writer = TraceWriter(tmp_path / f"stepped{case}", loaded.scenario.trace.part_s)
        loop = Loop(loaded, rows=rows, facts=writer, traffic="live" if kind == "live" else "replay")
        assert stepped_digest(loop, writer) == expected, (kind, rows)


def test_realised_rewards_leave_the_facts_alone(tmp_path: Path) -> None:
    """A loop that listens to the facts for its rewards writes the same trace."""
    loaded = load("intersection", shortened("intersection", "decisions.reward.kind=realised"))
    writer = TraceWriter(tmp_path / "stepped", loaded.scenario.trace.part_s)
    assert stepped_digest(Loop(loaded, facts=writer), writer) == closed_digest(loaded, tmp_path / "closed")


def test_a_second_episode_starts_no_sumo(monkeypatch: pytest.MonkeyPatch) -> None:
    """SUMO is connected once for all episodes, and not at all by a second loop, which finds the recording."""
    connected = []
    real = traffic.connect
    monkeypatch.setattr(traffic, "connect", lambda *given: connected.append(given) or real(*given))
    loaded = load("intersection", shortened("intersection", "seed=77"))
    with closing(Loop(loaded)) as loop:
        first = [waiting.features for waiting, _ in steps(loop)]
        assert len(connected) == 1
        monkeypatch.setattr("cosim.simulation.connect", None)
        again = [waiting.features for waiting, _ in steps(loop)]
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    with closing(Loop(loaded)) as loop:
        loop.reset()
    assert len(connected) == 1


@pytest.mark.parametrize(
    "change", ["seed=78", "mobility.scale=1.5", "duration_s=21", "mobility.begin_s=121", "mobility.teleport_s=100"]
)
def test_what_shapes_traffic_is_in_the_recordings_name(change: str) -> None:
    """Another seed, demand, length or start of the clock is another recording."""
    plain = load("intersection", shortened("intersection", "seed=77"))
    other = load("intersection", [*shortened("intersection", "seed=77"), change])
    keys = {
        traffic._key(loaded.scenario, loaded.scenario.mobility, loaded.folder)  # type: ignore[arg-type]
        for loaded in (plain, other)
    }
    assert len(keys) == 2


def test_without_the_cache_traffic_is_recorded_for_this_loop_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """mobility.cache=false leaves nothing in the cache folder, and the second episode still starts no SUMO."""
    monkeypatch.setattr(traffic, "cached", None)
    with closing(Loop(load("intersection", shortened("intersection", "mobility.cache=false")))) as loop:
        first = loop.reset().features
        monkeypatch.setattr(traffic, "connect", None)
        assert np.array_equal(loop.reset().features, first)


def test_the_seed_makes_the_episode() -> None:
    """One seed gives one episode, whatever ran before; another gives other tasks; none gives the scenario's."""
    loaded = load("s1_semantic_iov", shortened("s1_semantic_iov"))
    loop = Loop(loaded)
    told = {}
    for key, seed in {"a": 5, "b": 6, "c": 5, "d": None, "e": loaded.scenario.seed}.items():
        told[key] = [(waiting.features.tobytes(), step.total) for waiting, step in steps(loop, seed)]
    assert told["a"] == told["c"]
    assert told["d"] == told["e"]
    assert len({str(told[key]) for key in "abd"}) == 3


def test_an_episode_ends_after_its_epochs() -> None:
    """`truncated` comes with the last round of the last epoch, and shows the next epoch; reset() begins anew."""
    loop = Loop(load("s1_semantic_iov", shortened("s1_semantic_iov")), rows=1, episode_epochs=4)
    played = list(steps(loop))
    assert [step.truncated for _, step in played] == [False] * (len(played) - 1) + [True]
    assert len({waiting.observation.time_s for waiting, _ in played}) == 4
    last = played[-1][1].following
    assert last is not None
    with pytest.raises(RuntimeError, match="over"):
        loop.step(some(last.observation))
    assert next(steps(loop))[0].observation.time_s == played[0][0].observation.time_s


def test_one_writer_serves_one_episode(tmp_path: Path) -> None:
    """A second episode into the same run folder is refused."""
    loop = Loop(load("s1_semantic_iov", shortened("s1_semantic_iov")), facts=TraceWriter(tmp_path / "run", 60.0))
    loop.reset()
    with pytest.raises(InputError, match="one episode"):
        loop.reset()
    loop.close()


def test_a_stopped_episode_leaves_a_partial_trace(tmp_path: Path) -> None:
    """Closed before the end, the trace says that it is partial."""
    loop = Loop(load("s1_semantic_iov", shortened("s1_semantic_iov")), facts=TraceWriter(tmp_path / "run", 60.0))
    loop.reset()
    loop.close()
    assert '"partial"' in (tmp_path / "run" / "manifest.json").read_text()


def test_a_scenario_without_tasks_is_refused() -> None:
    """Where nothing is ever decided an episode cannot begin; the line says what to raise."""
    loop = Loop(load("s1_semantic_iov", shortened("s1_semantic_iov", "tasks.arrivals.rate_per_s=0")))
    with pytest.raises(RunError, match="raise it, or the arrivals"):
        loop.reset()


@pytest.mark.parametrize(
    ("action", "what"),
    [
        (Action(np.zeros(99, np.int64)), "shape"),
        (Action(np.full(1, 7)), "from 0 to 2"),
        (Action(np.zeros(1, np.int64), share=np.array([np.nan])), "share must hold"),
    ],
)
def test_an_impossible_action_is_refused(action: Action, what: str) -> None:
    """An action that does not fit the round is a RunError of one line, and the round still waits."""
    loop = Loop(load("s1_semantic_iov", shortened("s1_semantic_iov")), rows=1)
    loop.reset()
    with pytest.raises(RunError, match=what):
        loop.step(action)
    loop.step(Action(np.zeros(1, np.int64)))
