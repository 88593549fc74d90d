"""The head that sets the network's knobs: what it is told, what it learns, what it leaves and what it refuses."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small
from cosim_agents import checkpoint
from cosim_agents.features import Features
from cosim_agents.learned import Learned
from cosim_agents.learners.catalog import agent_names, agent_spec, make_learner
from cosim_agents.learners.choices import Dqn
from cosim_agents.learners.divergence import diverged_settings
from cosim_agents.learners.learner import LearningProblem
from cosim_agents.learners.network_head import NetworkActions, WithNetworkHead, network_problem
from cosim_agents.learners.rollout import play
from cosim_agents.learners.scenario_rows import KnobActions, ScenarioRows, TaskRows
from cosim_agents.learners.transitions import Transitions, Turn
from cosim_agents.train import train
from effort import rest_long
from starving import CARS, ENOUGH, RIGHT_DETECTOR, RIGHT_PROPOSER, SECONDS, starving

from cosim.cli import main as cli
from cosim.envs.knobs import Knobs
from cosim.envs.loop import Loop
from cosim.errors import InputError
from cosim.scenario.load import Loaded, load
from cosim.trace.store.reader import Trace

ALL = ("target", "detector", "proposer")
SHORT = ("dqn", "sac", "q-learning")


def secured(*knobs: str) -> Loaded:
    """Eight QKD links and four sites that vote, with rewards of tasks that take several epochs to end."""
    given = f"decisions.knobs=[{','.join(knobs)}]"
    return load("qib_vec", [given, "decisions.reward.kind=realised", "duration_s=30", "statistics.warmup_s=0"])


# --- what it learns ------------------------------------------------------------------------------------------------


def turned(run: Path) -> tuple[dict[str, list[float]], list[str], int]:
    """Detectors of each link over the samples, proposers of the blocks, and the number of tasks that completed."""
    with Trace.open(run) as trace:
        links = trace.sql(
            "SELECT a.name || '-' || b.name AS name, detector FROM key_pool_sampled "
            "JOIN key_link_deployed USING (link) JOIN key_node_deployed a ON from_node = a.node "
            "JOIN key_node_deployed b ON to_node = b.node "
            "WHERE key_pool_sampled.time_s > 1 ORDER BY key_pool_sampled.time_s"
        )
        blocks = trace.sql(
            "SELECT name FROM block_committed JOIN validator_deployed ON proposer = validator "
            "JOIN site_deployed USING (site) ORDER BY height"
        )
        done = trace.sql("SELECT count(*) AS n FROM task_ended WHERE status = 0")
    detectors = {"-".join(sorted(name.split("-"))): rows.detector.tolist() for name, rows in links.groupby("name")}
    return detectors, blocks.name.tolist(), int(done.n[0])


AGENTS: list[tuple[str, int, dict[str, Any]]] = [
    ("dqn", 12, {"lr": 3e-3, "tau": 0.05, "batch": 32, "epsilon_epochs": 160}),
    ("sac", 40, {"critic_hidden": "32,32"}),
]


@pytest.mark.parametrize(("name", "episodes", "options"), rest_long(AGENTS))
def test_the_right_turn_is_learned(name: str, episodes: int, options: dict[str, Any], tmp_path: Path) -> None:
    """In a run under the trained agent, facts show the efficiencies that make enough key, and the idle site proposing.

    By default none of the tasks gets a key; then all are done in time.
    """
    loaded = starving(tmp_path, "detector", "proposer")
    given = {"feature_epochs": 20, "components": 3, "hidden": "32,32", **options}
    learned = train(loaded, agent_spec(name, given), 1, episodes, SECONDS, tmp_path / "trained", episodes)
    call = ["run", str(loaded.path), "--no-picture", "--quiet", "--out"]
    assert cli.status([*call, str(tmp_path / "default")]) == 0
    assert cli.status([*call, str(tmp_path / "run"), "--policy", str(learned.checkpoint)]) == 0
    detectors, proposers, done = turned(tmp_path / "default")
    assert {level for levels in detectors.values() for level in levels} == {1.0}
    assert set(proposers) == {"A", "B", "C"}
    assert done == 0
    detectors, proposers, done = turned(tmp_path / "run")
    assert done == SECONDS * len(CARS)
    assert set(proposers) == {RIGHT_PROPOSER}
    for link, levels in detectors.items():
        low, high = (RIGHT_DETECTOR[link],) * 2 if name == "dqn" else ENOUGH[link]
        assert low <= min(levels) <= max(levels) <= high, link


def test_a_sum_is_valued_not_each_alone() -> None:
    """Choices that one knob took while the other was still wrong are not blamed for it.

    R = 4 [a = 1] + [b = 1]. At first a = 0 and mostly b = 1, later a = 1 and mostly b = 0: each alone, b = 0 was
    followed by more reward than b = 1, 3.6 against 1.4.
    """
    knobs = Knobs(1, (), (), links=2)
    actions = NetworkActions(knobs, "branches")
    spec = small.spec("dqn", lr=1e-2, batch=32, warmup_epochs=0, tau=0.1, hidden="16")
    task = network_problem(LearningProblem((), KnobActions(knobs), Features.fit(np.zeros((2, 1)), 1), 0.0), actions)
    history = [(0, 1)] * 9 + [(0, 0)] + [(1, 0)] * 9 + [(1, 1)]
    rows = np.eye(task.features.count, dtype=np.float32)[-2:]
    mask = knobs.network_mask(Loop(secured("detector")).reset(1).observation)
    seen = np.concatenate([rows, mask], axis=1, dtype=np.float32)
    found = {}
    for team in (1, 2):
        learner = Dqn(spec, task, 1, team)
        with learner.playing():
            for epoch, choice in enumerate(history * 20):
                reward = np.full(2, 4.0 * choice[0] + choice[1])
                tried = np.array(choice)[:, None]
                ended = np.ones(2, np.bool_)
                known = Transitions(seen, tried, reward, seen, ended, np.full(2, epoch), np.arange(2))
                learner.learn(Turn(known, None, reward[0], np.arange(2), ended, seen))
        found[team] = learner._values(rows)[:, :2].argmax(axis=1).tolist()
    assert found == {1: [1, 0], 2: [1, 1]}


# --- what it is told -----------------------------------------------------------------------------------------------


class Noted:
    """A learner that does as it is told and notes what it is taught."""

    def __init__(self, action: Any) -> None:
        self.action = action
        self.taught: list[Turn] = []

    def __getattr__(self, name: str) -> Any:
        if name == "playing":
            return nullcontext
        return lambda *_: None

    def see(self, rows: Any) -> np.ndarray:
        """The features as they are."""
        return np.asarray(rows.features, np.float32)

    def explore(self, rows: Any, seen: np.ndarray) -> tuple[np.ndarray, Any]:
        """How often it was taught, and its action."""
        return np.full((len(seen), 1), len(self.taught), np.float32), self.action(rows)

    def learn(self, turn: Turn) -> None:
        """Note it."""
        self.taught.append(turn)


def test_what_tasks_earn_is_moved_to_the_epoch_that_decided_them() -> None:
    """R_e = total_e + what its own tasks earn whenever they do - what other epochs' tasks earn in e.

    Epoch 0 decides two tasks, which earn -2 in it and -4 in epoch 1; epoch 1 decides one, which earns -8 in epoch 2.
    The network itself earns 0.5 in each. In units of 10: R_0 = (0.5 - 6) / 10, R_1 = (0.5 - 8) / 10.
    """
    loop = Loop(secured(*ALL))
    observation = loop.reset(1).observation
    knobs = loop.knobs
    task = LearningProblem((), KnobActions(knobs), Features.fit(np.zeros((2, 3)), 3), 0.9, reward_unit=5.0, rows=2.0)
    actions = NetworkActions(knobs, "joint")
    head = Noted(lambda _: {"proposer": 3})
    rows = Noted(lambda rows: KnobActions(knobs).of_values(np.zeros((len(observation), knobs.options)), rows))
    learner = WithNetworkHead(rows, head, task, actions)  # type: ignore[arg-type]
    learner.begin(None)  # type: ignore[arg-type]
    states = []
    for number, (count, told, total) in enumerate(
        [(2, [(0, 0, -2.0)], -1.5), (1, [(0, 1, -4.0)], -3.5), (1, [(1, 0, -8.0)], -7.5)]
    ):
        waiting = TaskRows(observation)
        waiting.features = np.full((count, 3), 0.1 * number, np.float32)
        states.append(learner.see(waiting))
        assert learner.explore(waiting, states[-1])[1].proposer == 3
        waiting.features = np.full((1, 3), 0.1 * (number + 1), np.float32)
        following = learner.see(waiting)
        epoch, row, reward = (np.array(column) for column in zip(*told, strict=True))
        some = np.zeros((len(told), 3), np.float32)
        known = Transitions(some, some[:, :1], reward, some, np.zeros(len(told), np.bool_), epoch, row)
        last = number == 2
        after = None if last else following
        learner.learn(Turn(known, after, total, np.arange(count), np.full(count, last), states[-1]))
    taught = [(t.transitions.epoch.tolist(), t.transitions.reward.tolist()) for t in head.taught]
    assert taught == [([], []), ([0], [pytest.approx(-0.55)]), ([1], [pytest.approx(-0.75)])]
    assert [turn.total for turn in head.taught] == [-0.15, -0.35, -0.75]
    first = head.taught[1].transitions
    assert first.seen[0, :4].tolist() == pytest.approx([0.0, 0.0, 0.0, 0.0])
    assert first.following[0, :3].tolist() == pytest.approx([0.1, 0.1, 0.1])
    assert [bool(turn.transitions.terminal.any()) for turn in head.taught] == [False, False, False]
    assert [turn.following is None for turn in head.taught] == [False, False, True]


def test_its_state_is_the_networks() -> None:
    """Mean and spread of the rows, their number, then rate, error, store and detector of links, stake of sites."""
    loop = Loop(secured(*ALL))
    observation = loop.reset(1).observation
    features = np.array([[0.0, 1.0], [1.0, 1.0]], np.float32)
    actions = NetworkActions(loop.knobs, "joint")
    (row,) = actions.rows(features, observation).features
    named = dict(zip(actions.columns(2), row.tolist(), strict=True))
    assert [named[name] for name in ("mean0", "mean1", "spread0", "spread1")] == [0.5, 1.0, 0.5, 0.0]
    assert named["rows"] == pytest.approx(np.log10(2) / 4)
    keys = observation.keys
    assert keys is not None
    assert named["link3.detector"] == pytest.approx(keys.detector[3])
    assert named["link3.key_rate"] == pytest.approx(np.log10(1 + keys.key_bps[3] / 1e3) / 4)
    assert named["link3.stored"] == pytest.approx(np.log10(1 + keys.stored_bit[3] / 256) / 4)
    assert named["link3.qber"] == pytest.approx(1.0 if np.isnan(keys.qber[3]) else 2 * keys.qber[3])
    assert [named[f"site{site}.stake"] for site in range(4)] == [0.25] * 4
    branches = NetworkActions(loop.knobs, "branches")
    rows = branches.rows(features, observation).features
    assert rows.shape == (9, len(branches.columns(2)))
    np.testing.assert_array_equal(rows[:, :-9], np.tile(row, (9, 1)))
    np.testing.assert_array_equal(rows[:, -9:], np.eye(9))


# --- life of a training --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", rest_long(sorted(agent_names(), key=SHORT.__contains__, reverse=True), len(SHORT)))
def test_every_agent_sets_the_network(name: str, tmp_path: Path) -> None:
    """Two episodes and two more end bit for bit where four at once do; the policy sets every knob, the same twice."""
    loaded, agent = secured(*ALL), small.spec(name)
    small.quick_train(loaded, agent, tmp_path / "parts", episodes=2, epochs=6)
    parts = small.quick_train(loaded, agent, tmp_path / "parts", episodes=4, epochs=6)
    whole = small.quick_train(loaded, agent, tmp_path / "whole", episodes=4, epochs=6)
    assert parts.read_bytes() == whole.read_bytes()
    kept = checkpoint.read(whole, training=False).state
    assert not [key for key, value in kept.items() if "replay/" in key and isinstance(value, np.ndarray)]
    observation = Loop(loaded).reset(7).observation
    policy = Learned(whole)
    first, second = policy.decide(observation), policy.decide(observation)
    assert first.detector is not None
    assert second.detector is not None
    assert ((first.detector > 0.0) & (first.detector <= 1.0)).all()
    assert first.detector.shape == (8,)
    assert first.proposer in range(4)
    np.testing.assert_array_equal(first.detector, second.detector)
    assert first.proposer == second.proposer


@pytest.mark.parametrize("knobs", [("proposer",), ("detector", "power"), ("detector", "share")])
def test_some_knobs_alone(knobs: tuple[str, ...], tmp_path: Path) -> None:
    """A scenario that hands over knobs of the network alone, or few others, can be learned."""
    for name in ("dqn", "sac"):
        observation = Loop(secured(*knobs)).reset(7).observation
        action = Learned(small.quick_train(secured(*knobs), small.spec(name), tmp_path / name, 2)).decide(observation)
        assert (action.proposer is None) == ("proposer" not in knobs)
        assert (action.detector is None) == ("detector" not in knobs)
        np.testing.assert_array_equal(action.option, observation.expected_s.argmin(axis=1))


@pytest.mark.parametrize("name", ["sac", "dqn", "q-learning"])
def test_rows_learn_as_without_a_head(name: str) -> None:
    """The head draws from streams of its own: up to the first step, rows explore as they would alone."""
    spec = small.spec(name, warmup_epochs=0)
    learner, environment = small.fresh(secured(*ALL), spec)
    assert learner.state()["exploration"] != learner.state()["network/exploration"]
    task = LearningProblem(environment.columns, environment.actions, learner._task.features, 0.9)
    bare = replace(task, actions=KnobActions(replace(environment.actions.knobs, links=0, validators=0)))
    alone = make_learner(spec, bare, 1)
    waiting = environment.reset(1)
    tried = []
    for one in (learner, alone):
        with one.playing():
            one.begin(environment)
            tried.append([one.explore(waiting, one.see(waiting))[0] for _ in range(5)])
    np.testing.assert_array_equal(*tried)


def test_a_head_that_diverged_is_named() -> None:
    """A weight of the head that is not finite is found under the setting that governs it."""
    learner, environment = small.fresh(secured(*ALL), small.spec("dqn"))
    play(learner, environment, 1)
    assert diverged_settings(learner) == []
    next(iter(learner._head.weights()["lr"])).data.fill_(np.inf)
    assert diverged_settings(learner) == ["lr"]


# --- what it refuses -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as it was written before there were heads: knobs of the network, and nothing that sets them."""
    path = small.quick_train(secured(*ALL), small.spec("dqn"), tmp_path_factory.mktemp("older"), episodes=1)
    kept = checkpoint.read(path)
    checkpoint.write(path, replace(kept, state={k: v for k, v in kept.state.items() if "network/" not in k}))
    return path


def test_older_checkpoints(older: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An agent that cannot set the network's knobs is refused in one line: file, what is missing, train again."""
    told = r"checkpoint\.ckpt: .*no head for the network's knobs.*; train again$"
    with pytest.raises(InputError, match=told):
        Learned(older)
    with pytest.raises(InputError, match=r"checkpoint\.ckpt: .*no head .*; remove the folder .* and train again"):
        small.quick_train(secured(*ALL), small.spec("dqn"), older.parent, episodes=2)
    assert cli.status(["run", "qib_vec", "--policy", str(older), "--out", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_another_network(tmp_path: Path) -> None:
    """A scenario with another number of links or sites is refused in one line that names both."""
    policy = Learned(small.quick_train(secured(*ALL), small.spec("dqn"), tmp_path, episodes=1))
    seen = ScenarioRows(Loop(secured(*ALL))).reset(1).observation
    with pytest.raises(InputError, match=r"8 QKD links and 4 sites; this scenario has 8 QKD links and 0 sites.*train"):
        policy.decide(replace(seen, stake=None))
