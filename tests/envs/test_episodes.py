"""Episodes differ unless a seed says otherwise, and both interfaces agree on how every kind of episode ends."""

import hashlib
import multiprocessing
from collections.abc import Callable
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np
import pytest
from acting import steps
from effort import count
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

from cosim.envs.loop import Loop
from cosim.envs.parallel import OffloadingParallelEnv
from cosim.envs.single import OffloadingEnv
from cosim.scenario.load import load
from cosim.trace.store.reader import Trace
from cosim.trace.store.writer import TraceWriter
from cosim.types import Status

NAME, S1 = "cosim.envs:cosim/Offloading-v0", ["duration_s=30", "statistics.warmup_s=0", "statistics.batches=2"]
AGENTS: tuple[Literal["site", "vehicle"], ...] = ("site", "vehicle")


def single() -> OffloadingEnv:
    """A Gymnasium environment of S1."""
    return OffloadingEnv(overrides=S1)


def by_site() -> OffloadingParallelEnv:
    """A PettingZoo environment of S1."""
    return OffloadingParallelEnv(overrides=S1)


def by_vehicle() -> OffloadingParallelEnv:
    """Another, with an agent for each vehicle."""
    return OffloadingParallelEnv(overrides=S1, agents="vehicle", slots=3)


MAKERS: tuple[Callable[[], Any], ...] = (single, by_site, by_vehicle)


def first(env: Any, seed: int | None = None) -> bytes:
    """What is seen first in an episode."""
    seen = env.reset(seed=seed)[0]
    return b"".join(seen[name].tobytes() for name in sorted(seen)) if isinstance(seen, dict) else bytes(seen.tobytes())


# --- which episodes differ ------------------------------------------------------------------------------------


@pytest.mark.parametrize("agents", AGENTS)
def test_unseeded_episodes_of_several_agents_differ(agents: Literal["site", "vehicle"]) -> None:
    """The usual loop, reset() and steps until nobody is left, meets four episodes in four."""
    seen = set()
    with closing(OffloadingParallelEnv("s1_semantic_iov", S1, agents, episode_epochs=6)) as env:
        for _ in range(4):
            shown, _ = env.reset()
            told = hashlib.sha1(usedforsecurity=False)
            while env.agents:
                for name in sorted(shown):
                    told.update(shown[name].tobytes())
                shown, *_ = env.step({name: np.full(env.action_space(name).shape, 0.3, np.float32) for name in shown})
            seen.add(told.hexdigest())
    assert len(seen) == 4


@pytest.mark.parametrize("make", MAKERS)
def test_no_two_unseeded_episodes_are_alike(make: Callable[[], Any]) -> None:
    """Of n unseeded copies with n resets each, no two begin alike."""
    copies = count(40, least=4)
    made = [make() for _ in range(copies)]
    shown = [first(env) for _ in range(copies) for env in made]
    for env in made:
        env.close()
    assert len(set(shown)) == copies * copies


@pytest.mark.parametrize("make", MAKERS)
def test_a_seeded_sequence_repeats(make: Callable[[], Any]) -> None:
    """reset(seed), reset(), reset() are three episodes, the same three after the same seed, in a copy as well."""
    with closing(make()) as one, closing(make()) as other:
        first(other)
        sequences = [[first(env, seed), first(env), first(env)] for env in (one, one, other) for seed in (0, 7)]
    assert sequences[:2] == sequences[2:4] == sequences[4:]
    assert len({shown for sequence in sequences for shown in sequence}) == 6


def test_interfaces_draw_the_same_seeds() -> None:
    """After one seed the Gymnasium and the PettingZoo environment play the same episodes, one after the other."""
    tasks: list[list[bytes]] = []
    for env in (single(), by_site()):
        loop: Loop = env.loop if isinstance(env, OffloadingEnv) else env._loop
        shown = []
        for seed in (5, None, None):
            env.reset(seed=seed)
            assert loop._epoch is not None
            shown.append(loop._epoch.features.tobytes())
        tasks.append(shown)
        env.close()
    assert tasks[0] == tasks[1]


def test_copies_in_one_vector_environment_differ() -> None:
    """Gymnasium's and Stable-Baselines3's vector environments in this process, without a seed: all copies differ."""
    with closing(gymnasium.make_vec(NAME, 4, vectorization_mode="sync", overrides=S1)) as envs:
        shown = [row.tobytes() for _ in range(2) for row in envs.reset()[0]]
    dummy = DummyVecEnv([single] * 4)
    shown += [row.tobytes() for _ in range(2) for row in np.asarray(dummy.reset())]
    dummy.close()
    assert len(set(shown)) == 16


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        ("gymnasium", "fork"),
        *[pytest.param("gymnasium", method, marks=pytest.mark.long) for method in ("spawn", "forkserver")],
        *[pytest.param("sb3", method, marks=pytest.mark.long) for method in ("fork", "spawn", "forkserver")],
    ],
)
def test_copies_in_processes_differ(kind: str, method: str) -> None:
    """However processes start, no seed is that of another."""
    if kind == "gymnasium":
        given: dict[str, Any] = {"vectorization_mode": "async", "vector_kwargs": {"context": method}}
        with closing(gymnasium.make_vec(NAME, 3, **given, overrides=S1)) as envs:
            shown = [row.tobytes() for _ in range(2) for row in envs.reset()[0]]
    else:
        many = SubprocVecEnv([single] * 3, start_method=method)
        shown = [row.tobytes() for _ in range(2) for row in np.asarray(many.reset())]
        many.close()
    assert len(set(shown)) == 6


def _tell(pipe: Connection, env: Any) -> None:
    pipe.send_bytes(first(env))


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("make", [single, by_site])
def test_a_fork_shares_no_sequence(make: Callable[[], Any], seed: int | None) -> None:
    """An environment that has been reset and is then forked goes on otherwise in each process."""
    with closing(make()) as env:
        first(env, seed)
        context = multiprocessing.get_context("fork")
        shown = []
        for _ in range(2):
            receive, send = context.Pipe(duplex=False)
            child = context.Process(target=_tell, args=(send, env))
            child.start()
            shown.append(receive.recv_bytes())
            child.join()
        shown.append(first(env))
    assert len(set(shown)) == 3


# --- how they end ------------------------------------------------------------------------------------

FILE = "tasks.arrivals={{kind: file, file: FOLDER/{}}}"
PROFILE = "tasks.arrivals={kind: poisson, rate_per_s: 1.0, profile: [{time_s: 0, factor: 1}, {time_s: 12, factor: 0}]}"
ENDS: dict[str, tuple[list[str], int | None, tuple[bool, bool, bool]]] = {
    # changes, episode_epochs: terminated, truncated, whether tasks wait at the end
    "by epochs": ([], 3, (False, True, True)),
    "by the duration": (["decisions.period_s=4"], None, (False, True, True)),
    "by the duration, none waits": ([], None, (False, True, False)),
    "by both": (["decisions.period_s=4"], 7, (False, True, True)),
    "by both, none waits": (["decisions.period_s=10"], 3, (False, True, False)),
    "the file is exhausted": ([FILE.format("early.csv")], None, (True, False, False)),
    "the file is exhausted at the last epoch": ([FILE.format("early.csv")], 2, (True, False, False)),
    "the file has more": ([FILE.format("late.csv")], None, (False, True, False)),
    "the file is exhausted, a task waits": (
        [FILE.format("early.csv"), "decisions.period_s=9", "duration_s=12"],
        None,
        (False, True, True),
    ),
    "that task is too late": (
        [FILE.format("early.csv"), "decisions.period_s=9", "duration_s=12", "tasks.on_deadline=drop"],
        None,
        (True, False, False),
    ),
    "the rate has fallen to 0": ([PROFILE], None, (True, False, False)),
    "the rate is falling to 0": ([PROFILE, "duration_s=10"], None, (False, True, False)),
    "realised": (["decisions.period_s=4", "decisions.reward.kind=realised"], None, (False, True, True)),
}
"""Early arrivals at 8.5 and 9.5 s, late ones at 8.5 and 31 s; an epoch at the very end leaves none waiting."""


def changes(kind: str, folder: Path) -> list[str]:
    """The overrides of a kind of episode, after its files are written into the folder."""
    for name, times in {"early.csv": (8.5, 9.5), "late.csv": (8.5, 31.0)}.items():
        (folder / name).write_text("time_s,vehicle_id\n" + "".join(f"{time},car00000000\n" for time in times))
    return [*S1, *(change.replace("FOLDER", str(folder)) for change in ENDS[kind][0])]


@pytest.mark.parametrize("kind", ENDS)
def test_both_interfaces_agree_on_the_end(kind: str, tmp_path: Path) -> None:
    """Epochs and durations truncate and show what waits; only where no task can come any more does it terminate."""
    epochs, expected = ENDS[kind][1:]
    overrides = changes(kind, tmp_path)
    told = {}
    with closing(OffloadingEnv(overrides=overrides, rows=64, episode_epochs=epochs)) as env:
        env.reset(seed=2)
        over = False
        while not over:
            seen, _, terminated, truncated, info = env.step(np.zeros(env.action_space.shape, np.float32))
            over = terminated or truncated
        told["gymnasium"] = terminated, truncated, info["tasks"]
        assert np.count_nonzero(seen.reshape(64, -1)[:, -1]) == len(info["tasks"])
        with pytest.raises(RuntimeError, match="reset"):
            env.step(np.zeros(env.action_space.shape, np.float32))
    for agents in AGENTS:
        with closing(
            OffloadingParallelEnv("s1_semantic_iov", overrides, agents, rows=64, episode_epochs=epochs)
        ) as envs:
            envs.reset(seed=2)
            while envs.agents:
                shown, _, ended, cut, infos = envs.step(
                    {name: np.zeros(envs.action_space(name).shape, np.float32) for name in envs.agents}
                )
            assert len(set(ended.values())) == len(set(cut.values())) == 1
            tasks = sorted({task for info in infos.values() for task in info["tasks"].tolist()})
            told[agents] = ended.popitem()[1], cut.popitem()[1], tasks
            present = sum(row.reshape(-1, len(envs._loop.columns) + 1)[:, -1].sum() for row in shown.values())
            assert present == len(tasks)
            with pytest.raises(RuntimeError, match="reset"):
                envs.step({})
    assert told["gymnasium"][:2] == expected[:2]
    assert bool(told["gymnasium"][2]) == expected[2]
    assert told["site"] == told["gymnasium"]
    assert told["vehicle"][:2] == told["gymnasium"][:2]
    assert set(told["vehicle"][2]) <= set(told["gymnasium"][2])  # an agent has one row for all vehicles of its seat
    assert bool(told["vehicle"][2]) == expected[2]


def test_what_waits_at_the_end_is_what_the_trace_cuts_off(tmp_path: Path) -> None:
    """The last observation has the tasks that end undecided and in flight, at the time of the end."""
    loaded = load(
        "qib_vec",
        ["duration_s=20.35", "tasks.arrivals.rate_per_s=0.5", "statistics.warmup_s=0", "statistics.batches=2"],
    )
    loop = Loop(loaded, facts=TraceWriter(tmp_path / "run", 60.0))
    *_, (_, step) = steps(loop)
    assert step.truncated
    assert step.following is not None
    seen = step.following.observation
    with pytest.raises(RuntimeError, match="reset"):
        loop.step(loop.knobs.decode(np.zeros((len(seen), len(loop.knobs.names))), seen))
    loop.close()
    assert '"complete"' in (tmp_path / "run" / "manifest.json").read_text()
    with Trace.open(tmp_path / "run") as trace:
        cut = trace.sql(f"SELECT task FROM task_ended WHERE decided_s IS NULL AND status = {int(Status.IN_FLIGHT)}")
    assert sorted(seen.task.tolist()) == sorted(cut.task.tolist())
    assert seen.time_s == 20.35
    assert len(seen) > 1
