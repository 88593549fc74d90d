"""Steps per second of the learning environments, and the gain by a second process.

Everything is decided by the rule of least latency. S1 is the small case of paper S1, three vehicles; the city is the
Manhattan grid of `benchmarks/city.py` with SUMO's traffic recorded once and replayed. A step decides all tasks that
wait in one decision epoch, about three in S1 and a thousand in the city; only with rows=1 a step is one task. The rule
reads the observation alone, so that Loop makes no columns for it; Gymnasium makes them. Rounds are
interleaved, CPU time of this process, but wall clock for the vector environments, which have processes of their own.

With `--beside CHECKOUT` only S1 is played, through Loop and through Gymnasium, by this checkout and by another one in
turn, each round in a process of its own; `ratio` is the time of a step of this one over that of the other one.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from city import WARM_S, scenario


def rates(steps: Callable[[], tuple[int, int]]) -> tuple[float, float]:
    """Return steps and decided tasks per second, of CPU time, or of wall clock where other processes work."""
    began_s, cpu_s = time.perf_counter(), time.process_time()
    count, tasks = steps()
    passed_s = time.process_time() - cpu_s if tasks else time.perf_counter() - began_s
    return count / passed_s, tasks / passed_s


def bare(plan: Any) -> tuple[int, int]:
    """Play a simulation by its own interface, and count steps and tasks."""
    from cosim.decision import Action
    from cosim.simulation import Simulation

    steps = tasks = 0
    with closing(Simulation(plan)) as simulation:
        while (epoch := simulation.advance()) is not None:
            simulation.decide(Action(epoch.observation.expected_s.argmin(axis=1)))
            steps, tasks = steps + 1, tasks + len(epoch.observation)
    return steps, tasks


def looped(loop: Any) -> tuple[int, int]:
    """Play an episode of `cosim.envs.loop.Loop`, and count steps and tasks."""
    from cosim.decision import Action

    steps = tasks = 0
    waiting = loop.reset()
    while waiting is not None:
        option = waiting.observation.expected_s[waiting.rows].argmin(axis=1)
        step = loop.step(Action(option))
        waiting = None if step.truncated else step.following  # nothing follows where it terminates
        steps, tasks = steps + 1, tasks + len(option)
    return steps, tasks


def greedy(loop: Any, rows: int) -> Callable[[Any], Any]:
    """Return the rule on flat observations (..., rows (F + 1)): the option whose column `latency` is lowest."""
    latency = [place for place, name in enumerate(loop.columns) if name.endswith(".latency")]

    def act(seen: Any) -> Any:
        tasks = seen.reshape(*seen.shape[:-1], rows, -1)
        values = np.ones((*tasks.shape[:-1], len(loop.knobs.names)), np.float32)
        values[..., : len(latency)] = -tasks[..., latency] / 4.0
        return values.reshape(*seen.shape[:-1], -1)

    return act


def gym(env: Any) -> tuple[int, int]:
    """Play an episode of `cosim/Offloading-v0`, and count steps and tasks."""
    act = greedy(env.unwrapped.loop, env.unwrapped.rows)
    seen, info = env.reset()
    steps = tasks = 0
    over = False
    while not over:
        tasks += len(info["tasks"])
        seen, _, terminated, truncated, info = env.step(act(seen))
        steps, over = steps + 1, terminated or truncated
    return steps, tasks


def vector(envs: Any, act: Callable[[Any], Any], steps: int) -> tuple[int, int]:
    """Play steps of all environments of an AsyncVectorEnv, and count them; tasks are not counted."""
    seen, _ = envs.reset(seed=1)
    for _ in range(steps):
        seen = envs.step(act(seen))[0]
    return steps * envs.num_envs, 0


def s1_rates(short: list[str]) -> dict[str, float]:
    """Return the steps per CPU second of S1 by what plays it.

    Args:
        short: overrides of the scenario.
    """
    import gymnasium

    import cosim.envs  # noqa: F401 - registers the environment
    from cosim.envs.loop import Loop
    from cosim.kernel.clock import quiet_collector
    from cosim.scenario.load import load

    loop = Loop(load("s1_semantic_iov", short))
    env = gymnasium.make("cosim/Offloading-v0", scenario="s1_semantic_iov", overrides=short)
    played: dict[str, Callable[[], tuple[int, int]]] = {
        "S1, Loop": lambda: looped(loop),
        "S1, Gymnasium": lambda: gym(env),
    }
    with quiet_collector():
        for steps in played.values():
            steps()
        return {what: rates(steps)[0] for what, steps in played.items()}


def beside(checkout: Path, rounds: int, seconds: int) -> None:
    """Print the steps per second of S1 in another checkout and in this one.

    Args:
        checkout: folder of the other checkout.
        rounds: number of rounds.
        seconds: simulated seconds of an episode.
    """
    command = [sys.executable, __file__, "--child", "--seconds", str(seconds)]
    other = dict(os.environ, PYTHONPATH=os.pathsep.join((str(checkout), str(checkout / "agents"))))
    found: list[list[dict[str, float]]] = []
    for _ in range(rounds):
        done = [subprocess.run(command, check=True, capture_output=True, env=env) for env in (other, dict(os.environ))]
        found.append([json.loads(one.stdout.splitlines()[-1]) for one in done])
    print(f"steps per CPU second, medians of {rounds} interleaved rounds, beside {checkout}")
    print(f"{'':<24} {'beside':>9} {'here':>9} {'ratio':>7}")
    for what in found[0][0]:
        before, now = (median(pair[side][what] for pair in found) for side in (0, 1))
        ratios = [pair[0][what] / pair[1][what] for pair in found]
        print(f"{what:<24} {before:9.0f} {now:9.0f} {median(ratios):7.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


def main() -> None:
    """Print a table, or one measurement as JSON."""
    import gymnasium

    from cosim.envs.loop import Loop
    from cosim.kernel.clock import quiet_collector
    from cosim.scenario.load import Loaded, load
    from cosim.scenario.schema import Scenario

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=1000, help="simulated, of S1")
    parser.add_argument("--vehicles", type=int, default=1000, help="of the city")
    parser.add_argument("--city-seconds", type=int, default=30)
    parser.add_argument("--beside", type=Path, help="folder of another checkout")
    parser.add_argument("--child", action="store_true", help="print the rates of S1 as JSON")
    options = parser.parse_args()
    short = [f"duration_s={options.seconds}", "trace.positions=false"]
    if options.child:
        print(json.dumps(s1_rates(short)))
        return
    if options.beside is not None:
        beside(options.beside.resolve(), options.rounds, options.seconds)
        return
    s1 = load("s1_semantic_iov", short)
    city = Scenario.model_validate(scenario(options.vehicles, options.city_seconds - WARM_S))
    name, given = "cosim.envs:cosim/Offloading-v0", {"scenario": "s1_semantic_iov", "overrides": short}
    env, loop, single = gymnasium.make(name, **given), Loop(s1), Loop(s1, rows=1)
    grid = Loop(Loaded(city, Path(), Path(), "bench"))
    spawn = {"vectorization_mode": "async", "vector_kwargs": {"context": "spawn"}}
    one, two = (gymnasium.make_vec(name, num_envs=count, **spawn, **given) for count in (1, 2))
    act = greedy(loop, env.unwrapped.rows)
    measured: dict[str, Callable[[], tuple[int, int]]] = {
        "S1, Simulation": lambda: bare(s1.scenario),
        "S1, Loop": lambda: looped(loop),
        "S1, Loop, rows=1": lambda: looped(single),
        "S1, Gymnasium": lambda: gym(env),
        "S1, vector, 1 process": lambda: vector(one, act, options.seconds),
        "S1, vector, 2 processes": lambda: vector(two, act, options.seconds),
        "city, Loop": lambda: looped(grid),
    }
    with quiet_collector():  # as in a run and in a training
        for steps in measured.values():
            steps()  # recordings are made, and code is warm
        rounds = [{what: rates(steps) for what, steps in measured.items()} for _ in range(options.rounds)]
    print(f"decided by least latency, medians of {options.rounds} interleaved rounds")
    print("a step is one decision epoch with all its waiting tasks; with rows=1 it is one task")
    print(f"{'':<24} {'steps/s':>9} {'tasks/s':>9} {'of Simulation':>14}")
    for what in measured:
        rate, tasks = (median(found[what][part] for found in rounds) for part in (0, 1))
        ratio = median(found[what][0] / found["S1, Simulation"][0] for found in rounds)
        shown = f"{ratio:13.2f}x" if what.startswith("S1") else ""
        print(f"{what:<24} {rate:9.0f} {f'{tasks:.0f}' if tasks else '':>9} {shown:>14}")
    gain = [found["S1, vector, 2 processes"][0] / found["S1, vector, 1 process"][0] for found in rounds]
    print(f"2 processes over 1: {median(gain):.2f}x ({min(gain):.2f} to {max(gain):.2f})")
    for part in (env, loop, single, grid, one, two):
        part.close()


if __name__ == "__main__":
    main()
