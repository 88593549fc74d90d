"""Time that twins take to be made in the scenarios of paper S5 under each placement policy, beside the pure study.

The first table is of runs: the same seeds, and so the same users, for each policy; each twin's time is measured, from
its vehicle's entry until it stands. The second solves drawn instances without a run, with a distance of its own for
each user and base station; in the runs both distances of a user follow from its place.
"""

import argparse
from collections.abc import Callable
from typing import Any, get_args

import numpy as np

SCENARIOS = {"paper": "s5_placement_paper", "physical": "s5_placement_physical"}


def made_s(scenario: Any) -> list[float]:
    """Return the time from the entry of each user until its twin is made, in a run of a scenario."""
    from cosim_agents.registry import make_policy

    from cosim.kernel.rng import stream
    from cosim.simulation import Simulation
    from cosim.trace.facts.twin import TwinMoved
    from cosim.trace.store.writer import NullWriter

    times_s: list[float] = []

    class Listener(NullWriter):
        def recorder(self, fact: Callable[..., Any]) -> Callable[..., None]:
            if fact is not TwinMoved:
                return super().recorder(fact)

            def record(*values: Any) -> None:
                moved = TwinMoved(*values)
                if moved.to_node >= 0:
                    times_s.append(moved.time_s - moved.began_s)

            return record

    simulation = Simulation(scenario, Listener())
    policy = make_policy(scenario.policy.name, {}, stream(scenario.seed, "policy"))
    while (epoch := simulation.advance()) is not None:
        simulation.decide(policy.decide(epoch.observation))
    simulation.close()
    return times_s


def runs(name: str, seeds: int) -> None:
    """Print mean and excess over the optimum for each policy, over the runs in which all twins were made."""
    from cosim.scenario.load import load
    from cosim.scenario.twin_placement import PlacingPolicy

    best = np.array([])
    quiet = ["duration_s=40", "trace.sample_s=40", "twin.sync={kind: periodic, period_s: 40}", "twin.site_period_s=40"]
    print(f"\n{name}: {seeds} runs for each policy; eq 22: % of runs in which a twin was not made")
    print(f"{'policy':<14}{'mean [s]':>10}{'gap [%]':>18}{'least':>8}{'most':>8}{'eq 22':>8}")
    for policy in ("exact", *(one for one in get_args(PlacingPolicy) if one != "exact")):
        plan = load(name, [f"twin.placement.policy={policy}", *quiet]).scenario
        made = [made_s(plan.model_copy(update={"seed": seed})) for seed in range(1, seeds + 1)]
        full = np.array([len(times_s) == plan.mobility.vehicles for times_s in made])
        means = np.array([np.mean(times_s) for times_s in made])
        best = means if policy == "exact" else best
        gap = (means / best - 1.0)[full]
        half = 1.96 * gap.std(ddof=1) / np.sqrt(len(gap))
        every_s = np.concatenate(made)
        line = f"{policy:<14}{means[full].mean():>10.3f}{f'{100 * gap.mean():.2f} -+ {100 * half:.2f}':>18}"
        print(f"{line}{every_s.min():>8.2f}{every_s.max():>8.2f}{100 * (1 - full.mean()):>8.1f}")


def main() -> None:
    """Print the tables."""
    from cosim.twin.placing.gap import format_gaps, measure_gaps, placement_study

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--instances", type=int, default=1000)
    options = parser.parse_args()
    for kind, name in SCENARIOS.items():
        runs(name, options.seeds)
        print(f"\ndrawn instances, {kind}")
        print(format_gaps(measure_gaps(placement_study(kind, (), options.instances), 1)))


if __name__ == "__main__":
    main()
