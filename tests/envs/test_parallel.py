"""Agents that share a scenario: PettingZoo's checks, who decides what, and who earns it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from acting import shortened
from numpy.typing import NDArray
from pettingzoo.test import parallel_api_test, parallel_seed_test

from cosim.decision import Action, Observation
from cosim.envs.deciders import Seats, deciding_site
from cosim.envs.knobs import Knobs
from cosim.envs.loop import Loop
from cosim.envs.parallel import OffloadingParallelEnv
from cosim.errors import InputError
from cosim.kernel.rng import keyed_uniform, stream_key
from cosim.scenario.load import bundled_scenarios, load
from cosim.simulation import Simulation
from cosim.trace.store.writer import TraceWriter
from cosim.types import IntArray

Kind = Literal["site", "vehicle"]
KINDS: tuple[Kind, ...] = ("site", "vehicle")
CHECKED = {"s1_semantic_iov", "intersection", "qib_vec"}
SMALL = ["duration_s=12", "statistics.warmup_s=0", "statistics.batches=2"]


def values_of(tasks: IntArray, count: int) -> NDArray[np.float32]:
    """Some values in [-1, 1] for each task, (n, count): the same whoever decides it, and when."""
    drawn = keyed_uniform(stream_key(1, "test"), tasks[:, None], np.arange(count)[None, :])
    return (2.0 * drawn - 1.0).astype(np.float32)


def answers(env: OffloadingParallelEnv, infos: dict[str, dict[str, Any]]) -> dict[str, NDArray[np.float32]]:
    """Each present row's values by its task's number; the rest is noise that must not matter."""
    rows = len(next(iter(infos.values()))["action_mask"])
    count = len(env._loop.knobs.names)
    actions = {}
    for name in env.agents:
        action = np.full(env.action_space(name).shape, 0.7, np.float32)
        mine = values_of(infos[name]["tasks"], count)
        action[: rows * count].reshape(rows, count)[: len(mine)] = mine
        actions[name] = action
    return actions


def played(env: OffloadingParallelEnv) -> Iterator[tuple[dict[str, dict[str, Any]], dict[str, float]]]:
    """Infos before each step of the scenario's own episode, and the rewards after it."""
    _, infos = env.reset(seed=env._loop.scenario.seed)
    while env.agents:
        asked = infos
        _, rewards, _, _, infos = env.step(answers(env, infos))
        yield asked, rewards


class ByTask:
    """The policy of `values_of`."""

    def __init__(self, knobs: Knobs) -> None:
        self.knobs = knobs
        self.seen: list[Observation] = []

    def decide(self, observation: Observation) -> Action:
        """By task, and remember what was seen."""
        self.seen.append(observation)
        return self.knobs.decode(values_of(observation.task, len(self.knobs.names)), observation)


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", [name if name in CHECKED else pytest.param(name, marks=pytest.mark.long) for name in bundled_scenarios()]
)
def test_official_checks(name: str, kind: Kind) -> None:
    """PettingZoo's check of the interface passes on every bundled scenario, that of seeding on two; no warning."""

    def make() -> OffloadingParallelEnv:
        return OffloadingParallelEnv(name, shortened(name), kind, rows=8, slots=6)

    env = make()
    parallel_api_test(env, 6)
    env.close()
    if name in ("s1_semantic_iov", "intersection"):
        parallel_seed_test(make, 10)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[(name, kind) for name in ("s1_semantic_iov", "qib_vec") for kind in KINDS],
        *[pytest.param("per_task", kind, marks=pytest.mark.long) for kind in KINDS],
    ],
)
def test_stepped_digest_is_that_of_the_closed_loop(name: str, kind: Kind, tmp_path: Path) -> None:
    """Decided agent by agent, in several rounds an epoch, a run leaves the facts that it leaves under one policy."""
    loaded = load(name, SMALL)
    closed = TraceWriter(tmp_path / "closed", 60.0)
    simulation = Simulation(loaded.scenario, closed, loaded.folder)
    simulation.run(ByTask(Knobs.of(loaded.scenario, loaded.folder)))
    simulation.close()
    closed.close(True, loaded.scenario.duration_s)
    stepped = TraceWriter(tmp_path / "stepped", 60.0)
    env = OffloadingParallelEnv(name, SMALL, kind, rows=1, slots=2, facts=stepped)
    rounds = sum(1 for _ in played(env))
    env.close()
    assert rounds > 2
    assert stepped.digest == closed.digest


@pytest.mark.parametrize("kind", KINDS)
def test_each_task_is_decided_once_by_its_agent(kind: Kind) -> None:
    """All rounds together hold every waiting task once, no agent more than its rows, and a site only its own."""
    loop = Loop(load("qib_vec", SMALL))
    policy = ByTask(loop.knobs)
    following = loop.reset()
    while following is not None:
        step = loop.step(policy.decide(following.observation))
        following = None if step.over else step.following
    site = {
        task: place
        for seen in policy.seen
        for task, place in zip(seen.task.tolist(), deciding_site(seen).tolist(), strict=True)
    }
    env = OffloadingParallelEnv("qib_vec", SMALL, kind, rows=2, slots=3)
    decided: list[int] = []
    for infos, _ in played(env):
        for name, info in infos.items():
            tasks = info["tasks"].tolist()
            decided += tasks
            assert len(tasks) <= (2 if kind == "site" else 1)
            assert kind == "vehicle" or all(name == f"site_{site[task]}" for task in tasks)
    assert sorted(decided) == sorted(site)


def test_absent_rows_are_zero_and_possible_targets_are_told() -> None:
    """An absent row is 0 and may only name column 0; a present one ends in 1 and its mask is the option mask."""
    env = OffloadingParallelEnv("s1_semantic_iov", SMALL, "vehicle", slots=5)
    observations, infos = env.reset()
    with_task = [name for name in env.agents if len(infos[name]["tasks"])]
    assert 0 < len(with_task) <= 3
    for name in env.agents:
        present = name in with_task
        assert observations[name][-1] == present
        assert observations[name].any() == present
        assert infos[name]["action_mask"].tolist() == [[True, present, present]]


@pytest.mark.parametrize("reward", ["analytic", "realised"])
@pytest.mark.parametrize("kind", KINDS)
def test_rewards_go_to_who_decided(kind: Kind, reward: str) -> None:
    """An agent earns the settled rewards of the tasks that it decided, whoever holds the seat when they settle."""
    overrides = [*SMALL, f"decisions.reward.kind={reward}"]
    loop = Loop(load("qib_vec", overrides))
    policy = ByTask(loop.knobs)
    credit: dict[int, float] = {}
    following = loop.reset()
    while following is not None:
        step = loop.step(policy.decide(following.observation))
        credit.update(zip(step.settled_task.tolist(), step.settled_reward.tolist(), strict=True))
        following = None if step.over else step.following
    env = OffloadingParallelEnv("qib_vec", overrides, kind, rows=3, slots=4)
    earned = dict.fromkeys(env.possible_agents, 0.0)
    expected = dict.fromkeys(env.possible_agents, 0.0)
    for infos, rewards in played(env):
        for name in env.possible_agents:
            earned[name] += rewards[name]
            expected[name] += sum(credit.get(task, 0.0) for task in infos[name]["tasks"].tolist())
    assert sum(value != 0.0 for value in earned.values()) > 2
    assert earned == pytest.approx(expected, rel=1e-9)


def test_seats_are_the_lowest_free() -> None:
    """A seat is kept for a vehicle's whole stay, given back when it goes, and the lowest free one is taken next."""
    seats = Seats()
    seats.update(np.array([3, 5, 8]))
    assert seats.of(np.array([8, 3, 5])).tolist() == [2, 0, 1]
    seats.update(np.array([8, 9]))
    assert seats.of(np.array([8, 9])).tolist() == [2, 0]
    seats.update(np.array([8, 9, 10, 11]))
    assert seats.of(np.array([8, 9, 10, 11])).tolist() == [2, 0, 1, 3]


def test_an_episode_may_be_cut_off() -> None:
    """After `episode_epochs` epochs all agents are truncated, nobody is terminated, and reset begins anew."""
    env = OffloadingParallelEnv("s1_semantic_iov", SMALL, rows=4, episode_epochs=3)
    first, infos = env.reset(seed=4)
    for epoch in range(3):
        observations, _, terminated, truncated, infos = env.step(answers(env, infos))
        assert set(truncated.values()) == {epoch == 2}
        assert not any(terminated.values())
    assert env.agents == []
    assert any(row.any() for row in observations.values())
    with pytest.raises(RuntimeError, match="reset"):
        env.step({})
    again, _ = env.reset(seed=4)
    assert all((again[name] == first[name]).all() for name in first)


@pytest.mark.parametrize(("argument", "value"), [("agents", "lane"), ("rows", 0), ("slots", 2.5)])
def test_impossible_arguments_are_named(argument: str, value: Any) -> None:
    """A wrong argument is told in one line that names it."""
    with pytest.raises(InputError, match=argument):
        OffloadingParallelEnv("s1_semantic_iov", SMALL, **{argument: value})


def test_a_missing_action_is_told() -> None:
    """A step without some agent's action, or with one of another shape, names the agent."""
    env = OffloadingParallelEnv("s1_semantic_iov", SMALL)
    _, infos = env.reset()
    actions = answers(env, infos)
    with pytest.raises(InputError, match="site_1"):
        env.step({"site_0": actions["site_0"]})
