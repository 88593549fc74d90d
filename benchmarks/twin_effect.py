"""Paper S1, figure 9: the cost of decisions made on the truth, on the last synchronised state, and on the forecast.

Each slot's decisions are made on what the policy observes, and charged with the analytic cost (S1 eq 18) on the true
state. Seeds, arrivals, places and shadowing are the same under every observation. Intervals are Student's over seeds,
of paired differences. `cosim paper S1 --figure 9` measures the realised cost of runs; here it is the formula's.

At the scenario's 15 m/s the mirror is up to 150 m behind. The excess grows about as the square of that distance: it
makes more vehicles choose the farther server, and the farther server is worse by more. --speed 30 shows it.
"""

import argparse
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from typing import Final

import numpy as np
from cosim_agents.registry import make_policy
from scipy.stats import t as student

from cosim.cost import analytic_cost
from cosim.envs.loop import translated
from cosim.kernel.rng import stream
from cosim.scenario.load import load
from cosim.scenario.schema import Scenario
from cosim.simulation import Simulation
from cosim.types import AnyArray

SOURCES: Final = ("truth", "mirror", "forecast")
POLICIES: Final = ("greedy-latency", "optimal")


def slots(plan: Scenario, policy: str, source: str) -> Iterator[tuple[float, AnyArray]]:
    """Yield the cost of each slot on the true state, and the targets chosen."""
    described = plan.model_dump()
    described["decisions"]["observation"] = source
    decider = make_policy(policy, {}, stream(plan.seed, "policy"))
    with closing(Simulation(Scenario.model_validate(described))) as simulation:
        while (epoch := simulation.advance()) is not None:
            true = simulation.true_observation()
            action = decider.decide(epoch.observation)
            columns = translated(action.option, epoch.observation, true)
            if (columns < 0).any():
                raise SystemExit("a policy chose a site that is no candidate any more; raise decisions.candidates")
            cost = float(analytic_cost(true, columns[None])[0])
            yield cost, epoch.observation.target[np.arange(len(columns)), action.option]
            simulation.decide(action)


def costs(plan: Scenario, policy: str) -> tuple[list[float], list[float], float]:
    """Return costs by source of the observation, shares of other targets, and the share that is offloaded.

    The first is the mean cost of a slot, the second the share of tasks that are sent elsewhere than on the truth, both
    in the order of SOURCES; the third is that of tasks offloaded on the truth.
    """
    told = {source: list(slots(plan, policy, source)) for source in SOURCES}
    targets = {source: np.concatenate([target for _, target in rows]) for source, rows in told.items()}
    period_s = plan.decisions.period_s if plan.decisions.kind == "periodic" else 1.0
    mean = [sum(cost for cost, _ in rows) * period_s / plan.duration_s for rows in told.values()]
    other = [float((targets[source] != targets["truth"]).mean()) for source in SOURCES]
    return mean, other, float((targets["truth"] >= 0).mean())


def interval(values: AnyArray) -> tuple[float, float]:
    """Return the mean and the half width of its 95 % interval."""
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(half)


def table(options: argparse.Namespace) -> None:
    """Print figure 9 as a table."""
    base = load("s1_semantic_iov", [f"mobility.speed_mps={options.speed}"]).scenario.model_dump()
    print(f"S1 figure 9: cost of a slot in 1e-3, excess over the truth in %; {options.seeds} seeds of ", end="")
    print(
        f"{options.seconds:g} s, {options.speed:g} m/s; elsewhere: tasks that the mirror sends elsewhere than the truth"
    )
    print(f"{'policy':15}{'MHz':>5}{'truth':>8}{'mirror':>8}{'forecast':>10}{'mirror excess':>18}", end="")
    print(f"{'forecast excess':>18}{'elsewhere %':>13}{'offloaded %':>13}")
    for policy, mhz in product(POLICIES, options.mhz):
        radio = {**base["radio"], "bandwidth_hz": mhz * 1e6}
        given = {**base, "radio": radio, "duration_s": options.seconds}
        plans = [Scenario.model_validate({**given, "seed": seed}) for seed in range(1, options.seeds + 1)]
        runs = [costs(plan, policy) for plan in plans]
        cost = 1e3 * np.array([run[0] for run in runs])
        truth, mirror, forecast = cost.mean(axis=0)
        excess = [interval(100.0 * (cost[:, k] - cost[:, 0]) / truth) for k in (1, 2)]
        print(f"{policy:15}{mhz:5g}{truth:8.3f}{mirror:8.3f}{forecast:10.3f}", end="")
        print("".join(f"{f'{mean:.2f} +- {half:.2f}':>18}" for mean, half in excess), end="")
        elsewhere, offloaded = np.mean([run[1][1] for run in runs]), np.mean([run[2] for run in runs])
        print(f"{100.0 * elsewhere:13.1f}{100.0 * offloaded:13.1f}", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=200.0)
    parser.add_argument("--mhz", type=float, nargs="+", default=[3.0, 5.0, 7.0, 9.0])
    parser.add_argument("--speed", type=float, default=15.0)
    table(parser.parse_args())


if __name__ == "__main__":
    main()
