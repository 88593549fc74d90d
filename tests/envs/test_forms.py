"""Spaces and hooks that a user chooses: kinds of actions, layouts, own columns and rewards, scenarios, pictures."""

import copy
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import closing
from typing import Any

import gymnasium
import numpy as np
import pytest
from effort import few, rest_long
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, parallel_api_test
from stable_baselines3 import DQN
from stable_baselines3.common.env_checker import check_env as check_by_sb3

from cosim.decision import Action, Observation
from cosim.envs.forms import ACTIONS, LAYOUTS
from cosim.envs.loop import Loop
from cosim.envs.parallel import OffloadingParallelEnv, env, parallel_env
from cosim.envs.reward import TaskOutcomes
from cosim.envs.single import OffloadingEnv
from cosim.errors import InputError, RunError
from cosim.scenario.document import parse
from cosim.scenario.load import bundled_scenarios, load
from cosim.types import Tier

S1 = ["duration_s=30", "statistics.warmup_s=0", "statistics.batches=2"]
REALISED = "decisions.reward.kind=realised"
NAME = "cosim.envs:cosim/Offloading-v0"


def made(**given: Any) -> OffloadingEnv:
    """A Gymnasium environment of S1."""
    return OffloadingEnv(overrides=S1, **given)


# --- actions and layouts ---------------------------------------------------


def test_discrete_algorithms_can_use_the_environment() -> None:
    """With one row and the target as the only knob there are three options, and Stable-Baselines3's DQN learns."""
    given: dict[str, Any] = {"scenario": "s1_semantic_iov", "rows": 1, "actions": "discrete"}
    made_by_id = gymnasium.make(NAME, overrides=["decisions.knobs=[target]"], **given)
    assert made_by_id.action_space == Discrete(3)
    assert made_by_id.unwrapped.action_masks().tolist() == [True, False, False]  # type: ignore[attr-defined]
    model = DQN("MlpPolicy", made_by_id, learning_starts=4, train_freq=2, batch_size=4, device="cpu", seed=1)
    model.learn(16)
    assert model.num_timesteps == 16
    made_by_id.close()


def test_kinds_of_actions() -> None:
    """A vector of numbers, an option of one task, or an option of each row; what is not turned is named."""
    assert made(rows=2).action_space == Box(-1.0, 1.0, (10,), np.float32)
    assert made(rows=2).kept_knobs == ()
    for rows, kind, space in ((1, "discrete", Discrete(3)), (4, "multidiscrete", MultiDiscrete([3] * 4))):
        one: Any = made(rows=rows, actions=kind)
        assert one.action_space == space
        assert one.kept_knobs == ("share", "power")
    for agents in ("site", "vehicle"):
        given: Any = {"agents": agents, "rows": 4, "actions": "multidiscrete"}
        several = OffloadingParallelEnv(overrides=S1, **given)
        assert several.action_space(f"{agents}_0") == MultiDiscrete([3] * (4 if agents == "site" else 1))
        assert several.kept_knobs == ("share", "power")


@pytest.mark.parametrize("kind", ["discrete", "multidiscrete"])
def test_options_are_carried_out_as_they_are_named(kind: Any) -> None:
    """Whole numbers are the options of the tasks, at the default share and power."""
    rows = 1 if kind == "discrete" else 8
    rng, loop = np.random.default_rng(1), Loop(load("s1_semantic_iov", S1), rows=rows)
    with closing(made(rows=rows, actions=kind)) as one, closing(loop):
        one.reset(seed=4)
        waiting = loop.reset(4)
        for _ in range(20):
            action = rng.integers(3, size=rows)
            _, reward, *_ = one.step(int(action[0]) if kind == "discrete" else action)
            step = loop.step(Action(action[: len(waiting.mask)]))
            assert reward == step.total
            assert step.following is not None
            waiting = step.following


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ACTIONS)
def test_the_checkers_are_content_with_every_form(kind: Any, layout: Any) -> None:
    """Gymnasium's, Stable-Baselines3's and PettingZoo's checks pass without a warning."""
    rows = 1 if kind == "discrete" else 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=ResourceWarning)  # files of other parts, when memory is tidied
        with closing(gymnasium.make(NAME, overrides=S1, rows=rows, actions=kind, layout=layout)) as one:
            check_env(one.unwrapped, skip_render_check=True)
            warnings.filterwarnings("ignore", "Your observation rows has an unconventional shape")  # a table, no image
            check_by_sb3(one.unwrapped)
        several = parallel_env(overrides=S1, rows=rows, actions=kind, layout=layout)
        with closing(several):
            parallel_api_test(several, 10)


@pytest.mark.filterwarnings("ignore:Observation:UserWarning", "ignore:Action space:UserWarning")  # of dicts and several
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "kind", ["discrete", "multidiscrete"]
)  # PettingZoo samples by the mask, and a box refuses that
def test_agents_in_turns(kind: Any, layout: Any) -> None:
    """PettingZoo's check of environments whose agents act in turns passes."""
    with closing(env(overrides=S1, rows=1 if kind == "discrete" else 3, actions=kind, layout=layout)) as turns:
        api_test(turns, 10)


def test_a_dict_says_what_the_vector_says() -> None:
    """`rows`, `present` and `option_mask` are the vector's columns, its last one, and the mask of info."""
    with closing(made(rows=3)) as flat, closing(made(rows=3, layout="dict")) as named:
        seen, info = flat.reset(seed=2)
        shown, _ = named.reset(seed=2)
        for _ in range(10):
            assert isinstance(seen, np.ndarray)
            table = seen.reshape(3, -1)
            assert np.array_equal(shown["rows"], table[:, :-1])
            assert np.array_equal(shown["present"], table[:, -1])
            assert np.array_equal(shown["option_mask"], info["action_mask"])
            assert np.array_equal(flat.action_masks(), info["action_mask"].ravel())
            action = flat.action_space.sample()
            seen, _, _, _, info = flat.step(action)
            shown = named.step(action)[0]


def test_masks_have_the_form_that_their_space_samples_by() -> None:
    """Of whole numbers the mask is what `sample` takes; what it draws by it may be chosen."""
    for rows, kind in ((1, "discrete"), (3, "multidiscrete")):
        given: Any = {"rows": rows, "actions": kind, "layout": "dict"}
        with closing(made(**given)) as one, closing(OffloadingParallelEnv(overrides=S1, **given)) as several:
            shown, info = one.reset(seed=1)
            for _ in range(10):
                drawn = np.asarray(one.action_space.sample(info["action_mask"])).reshape(rows)
                assert shown["option_mask"][np.arange(rows), drawn].all()
                assert one.action_masks().reshape(rows, 3)[np.arange(rows), drawn].all()
                assert kind != "discrete" or np.array_equal(shown["action_mask"], info["action_mask"])
                shown, *_, info = one.step(one.action_space.sample(info["action_mask"]))
            _, infos = several.reset(seed=1)
            for name in several.agents:
                several.action_space(name).sample(infos[name]["action_mask"])


def test_an_impossible_option_is_charged_as_lost() -> None:
    """Where the mask forbids an option, naming it costs a lost task, in both interfaces."""
    overrides = ["duration_s=10", "statistics.warmup_s=0", "statistics.batches=2", "decisions.reward.loss_penalty=1e6"]
    with closing(OffloadingEnv("highway_v2v", overrides, rows=1, actions="discrete")) as one:
        one.reset(seed=1)
        for _ in range(200):
            forbidden = np.flatnonzero(~one.action_masks())
            reward, *_, info = one.step(forbidden[0] if len(forbidden) else 0)[1:]
            if len(forbidden):
                break
    assert info["costs"]["lost"] == 1
    assert reward < -1e6


# --- own columns and rewards ---------------------------------------------------


def sizes(seen: Observation) -> Any:
    """Two columns of a user."""
    return np.column_stack([seen.input_bit / 1e4, seen.deadline_s - seen.time_s])


def test_columns_by_name_and_by_function() -> None:
    """Named columns are those of all in the order asked for; a function's are its numbers; absent rows are 0."""
    names = ["edge1.latency", "own", "time_left"]
    every, mine = made(rows=4, time_left=True), made(rows=4, observation=sizes)
    some = made(rows=4, observation=names, time_left=True)
    assert some.observation_space.shape == (16,)
    assert mine.observation_space.shape == (12,)
    places = [every.loop.columns.index(name) for name in names]
    for seed in range(5):
        table = np.asarray(every.reset(seed=seed)[0]).reshape(4, -1)
        assert np.array_equal(np.asarray(some.reset(seed=seed)[0]).reshape(4, 4), table[:, [*places, -1]])
        own = np.asarray(mine.reset(seed=seed)[0]).reshape(4, 3)
        assert mine._round is not None
        expected = sizes(mine._round.observation)[:4].astype(np.float32)
        assert np.array_equal(own[: len(expected), :2], expected)
        assert not own[len(expected) :].any()
        left_s = 30.0 - mine._round.observation.time_s
        assert table[0, -2] == pytest.approx(np.log10(1.0 + left_s))
    for one in (every, mine, some):
        one.close()
    with closing(OffloadingParallelEnv(overrides=S1, observation=sizes)) as several:
        seen, infos = several.reset(seed=1)
        assert all(seen[name].shape == (24,) for name in seen)
        for name, info in infos.items():
            assert seen[name].reshape(8, 3)[:, 2].sum() == len(info["tasks"])


@pytest.mark.parametrize(
    ("own", "told"),
    [
        (
            lambda seen: seen.input_bit,
            r"gave shape \(\d,\), needs finite numbers of shape \(\d, K\): a row for each task",
        ),
        (lambda seen: np.full((len(seen), 2), np.nan), "needs finite numbers"),
        (lambda seen: seen.nothing, r"observation= failed \(AttributeError.*; correct it at .*test_forms\.py:\d+"),
        (lambda seen: np.full((len(seen), 2), "x"), "gave no array of numbers"),
    ],
)
def test_own_columns_that_fail(own: Any, told: str) -> None:
    """What a user's function gives wrongly, or fails at, is one line."""
    with pytest.raises(RunError, match=told) as error:
        made(observation=own)
    assert "\n" not in str(error.value)


def told_by(reward: list[TaskOutcomes]) -> Callable[[TaskOutcomes], float]:
    """A reward that keeps what it is given."""

    def earned(outcomes: TaskOutcomes) -> float:
        reward.append(outcomes)
        return -float(outcomes.cost.sum())

    return earned


@pytest.mark.parametrize("rows", [2, 64])
@pytest.mark.parametrize("kind", ["analytic", "realised"])
def test_own_rewards(kind: str, rows: int) -> None:
    """The outcomes of an epoch have the costs and rewards that info tells, once, after the last of its rounds."""
    told: list[TaskOutcomes] = []
    overrides = [*S1, f"decisions.reward.kind={kind}"]
    own = OffloadingEnv(overrides=overrides, rows=rows, reward=told_by(told), actions="multidiscrete")
    with closing(own), closing(OffloadingEnv(overrides=overrides, rows=rows, actions="multidiscrete")) as plain:
        own.reset(seed=3)
        plain.reset(seed=3)
        earned = total = cost = 0.0
        over, settled = False, []
        rng = np.random.default_rng(2)
        while not over:
            action = rng.integers(3, size=rows)
            _, reward, *ends, info = own.step(action)
            total += plain.step(action)[1]
            earned, cost, over = earned + reward, cost + info["costs"]["cost"], any(ends)
            settled += info["settled_task"]
    found = {name: np.concatenate([getattr(one, name) for one in told]) for name in TaskOutcomes.__slots__}
    assert earned == pytest.approx(-cost)
    assert len(told) == own.loop._epochs
    assert sorted(found["task"].tolist()) == sorted(settled)
    assert set(found["tier"].tolist()) == {Tier.LOCAL, Tier.EDGE}
    np.testing.assert_allclose(found["cost"], 0.5 * found["latency_s"] + 0.5 * found["energy_j"])
    if kind == "realised":
        assert total == pytest.approx(found["reward"].sum())
        assert not found["imposed"].any()
    else:
        penalties = -1e3 * (found["cost"] + found["imposed"]) - found["reward"]
        np.testing.assert_allclose(penalties, found["late"] * 1.0 + found["lost"] * 2.0, atol=1e-9)
        assert found["imposed"].any()
    assert not told[0].cost.flags.writeable


def test_agents_own_rewards_are_of_their_own_tasks() -> None:
    """Each agent's outcomes are those of the tasks that it decided; together they are the team's."""
    told: list[TaskOutcomes] = []
    with closing(OffloadingParallelEnv(overrides=S1, reward=told_by(told))) as several:
        _, infos = several.reset(seed=3)
        while several.agents:
            asked = {name: set(info["tasks"].tolist()) for name, info in infos.items()}
            told.clear()
            actions = {name: np.zeros(several.action_space(name).shape) for name in several.agents}
            _, rewards, _, _, infos = several.step(actions)
            assert [set(one.task.tolist()) for one in told] == list(asked.values())
            assert list(rewards.values()) == [-float(one.cost.sum()) for one in told]


@pytest.mark.parametrize("given", [lambda _: np.nan, lambda _: None, lambda told: told.cost])
def test_a_reward_that_is_no_number(given: Any) -> None:
    """It is one line that says what came."""
    with closing(made(reward=given)) as one:
        one.reset(seed=1)
        with pytest.raises(RunError, match=r"reward= gave .* for \d tasks; return a finite number"):
            one.step(one.action_space.sample())


# --- scenarios, copies, pictures, arguments ---------------------------------------------------


def test_a_scenario_however_it_is_given() -> None:
    """A name, a file, its keys, the object and what `load` returns are one scenario, with and without overrides."""
    path = bundled_scenarios()["s1_semantic_iov"]
    plain = load("s1_semantic_iov")
    keys = parse(path.read_text(encoding="utf-8"), "here").data
    seen = []
    for given in ("s1_semantic_iov", path, str(path), keys, plain.scenario, plain):
        for overrides in ([], ["duration_s=30", "tasks.arrivals.rate_per_s=2"]):
            with closing(OffloadingEnv(given, overrides)) as one, closing(parallel_env(given, overrides)) as several:
                seen.append((np.asarray(one.reset(seed=1)[0]).tobytes(), one.loop.scenario.duration_s))
                several.reset(seed=1)
                assert one.loop._epoch is not None
                assert several.loop._epoch is not None
                assert np.array_equal(one.loop._epoch.features, several.loop._epoch.features)
    assert len(set(seen[::2])) == len(set(seen[1::2])) == 1
    assert keys == parse(path.read_text(encoding="utf-8"), "here").data


@pytest.mark.parametrize("make", [made, lambda: OffloadingParallelEnv(overrides=S1, slots=3, agents="vehicle")])
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])  # noqa: S301
def test_copies(make: Callable[[], Any], again: Callable[[Any], Any]) -> None:
    """Before an episode and after close() a copy is a new environment of the same arguments; else it is refused."""
    with closing(make()) as one:
        other = again(one)
        assert other._arguments == one._arguments
        first, second = (found.reset(seed=3)[0] for found in (one, other))
        assert str(first) == str(second)
        with pytest.raises(TypeError, match=r"an episode of this Offloading\w*Env runs and cannot be copied; copy it"):
            again(one)
        one.close()
        assert str(again(one).reset(seed=3)[0]) == str(first)
        other.close()


def test_the_picture() -> None:
    """The map as pixels, with the vehicles that wait in another colour; it changes as they move."""
    with closing(gymnasium.make(NAME, overrides=S1, render_mode="rgb_array")) as one:
        one.reset(seed=1)
        first: Any = one.render()
        for _ in range(10):
            one.step(one.action_space.sample())
        later: Any = one.render()
    assert first.shape == later.shape == (640, 640, 3)
    assert first.dtype == np.uint8
    assert (first != later).any()
    for colour in ((0xD5, 0x5E, 0x00), (0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00)):
        assert (first == colour).all(axis=2).any(), colour
    with closing(OffloadingParallelEnv(overrides=S1, render_mode="rgb_array")) as several:
        with pytest.raises(RuntimeError, match="no episode has begun"):
            several.render()
        several.reset(seed=1)
        assert np.array_equal(several.render(), first)
    with closing(made()) as plain:
        plain.reset(seed=1)
        with pytest.warns(UserWarning, match="render_mode"):
            assert plain.render() is None


def test_the_picture_shows_a_map() -> None:
    """The roads of a SUMO map are in the picture."""
    overrides = ["duration_s=5", "statistics.warmup_s=0", "statistics.batches=2"]
    with closing(OffloadingEnv("intersection", overrides, render_mode="rgb_array")) as one:
        one.reset(seed=1)
        shown = one.render()
    assert shown is not None
    assert (np.abs(shown.astype(int) - 178) < 2).all(axis=2).sum() > 200  # the roads' grey


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"rows": 0}, "rows=0"),
    ({"rows": True}, "rows=True"),
    ({"rows": "8"}, "rows='8'"),
    ({"episode_epochs": 2.5}, r"episode_epochs=2\.5"),
    ({"traffic": "recorded"}, "traffic='recorded'.*'replay' or 'live'"),
    ({"actions": "continuous"}, "actions='continuous'.*'multidiscrete'"),
    ({"actions": "discrete"}, "actions='discrete' decides one task.*rows=1"),
    ({"actions": "multidiscrete", "overrides": ["decisions.knobs=[share]"]}, "hands over none; add target"),
    ({"layout": "tuple"}, "layout='tuple'"),
    ({"observation": ["edge1.latencies"]}, r"'edge1\.latencies' is no column.*did you mean edge1\.latency\?"),
    ({"observation": "input"}, "observation='input' is neither"),
    ({"observation": []}, r"observation=\[\] is neither"),
    ({"reward": "realised"}, "reward='realised' cannot be called"),
    ({"render_mode": "human"}, "render_mode='human'"),
    ({"scenario": 3}, "scenario=3"),
    ({"scenario": {"duration_s": -1}}, "scenario: duration_s = -1"),
    ({"overrides": "duration_s=3"}, "overrides=duration_s=3: is one text"),
)


@pytest.mark.parametrize(("given", "told"), WRONG)
def test_wrong_arguments_are_named(given: dict[str, Any], told: str) -> None:
    """A wrong argument is one line that names it, its value and what to give, in both interfaces."""
    for make in (OffloadingEnv, OffloadingParallelEnv):
        with pytest.raises(InputError, match=told) as error:
            make(**given)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("seed", [-1, 1.5, True, "1"])
def test_wrong_seeds_are_named(seed: Any) -> None:
    """A seed that is none is one line."""
    for make in (made, lambda: OffloadingParallelEnv(overrides=S1)):
        with closing(make()) as one, pytest.raises(InputError, match=r"seed=.* whole number of at least 0"):
            one.reset(seed=seed)


def test_wrong_actions_are_named() -> None:
    """An action of another shape, or an option that there is not, is one line, and the round still waits."""
    with closing(made(rows=2, actions="multidiscrete")) as one:
        one.reset(seed=1)
        for action in (np.zeros(3, np.int64), None, 1, np.array(["a", "b"])):
            with pytest.raises(InputError, match=r"action has shape .* needs \(2,\) numbers"):
                one.step(action)
        with pytest.raises(RunError, match="from 0 to 2"):
            one.step(np.array([3, 3]))
        with pytest.raises(RunError, match="whole numbers"):
            one.step(np.array([0.5, 0.5]))
        one.step(np.array([1, 1]))


@pytest.mark.parametrize("line", rest_long([
    "import gymnasium; env = gymnasium.make('cosim.envs:cosim/Offloading-v0')",
    "from cosim.envs.parallel import parallel_env; env = parallel_env()",
]))  # fmt: skip
def test_nothing_needs_to_be_imported_before(line: str) -> None:
    """The id that names its module is enough in a fresh process, and PettingZoo's environment has its factory."""
    code = f"{line}; env.reset(seed=1); env.close(); print('made')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "made\n"


@pytest.mark.parametrize("reward", few(["analytic", "realised"], keep=1))
def test_hooks_leave_the_scenario_alone(reward: str) -> None:
    """Own columns, an own reward, another layout and pictures change nothing that the simulation does."""
    overrides = [*S1, f"decisions.reward.kind={reward}"]
    hooks: dict[str, Any] = {
        "observation": sizes,
        "reward": lambda _: 1.0,
        "layout": "dict",
        "render_mode": "rgb_array",
    }
    with (
        closing(OffloadingEnv(overrides=overrides)) as plain,
        closing(OffloadingEnv(overrides=overrides, **hooks)) as own,
    ):
        told = []
        for one in (plain, own):
            one.reset(seed=5)
            infos = []
            for _ in range(12):
                *_, info = one.step(np.full(one.action_space.shape, 0.4, np.float32))
                one.render() if one is own else None
                infos.append((info["tasks"], info["settled_task"], info["settled_reward"], info["costs"]))
            told.append(infos)
    assert told[0] == told[1]
