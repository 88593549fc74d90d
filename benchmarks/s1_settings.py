"""Paper S1: the search for the "tuned" learning rates and batch, one for Q-DDPG and both sizes of DDPG.

Each of four settings trains each agent with two seeds on Table III's scenario. Printed is the cost of a slot then, in
1e-3, as the mean of roll-outs without exploration on two seeds more; none of these seeds is used for the paper's
results.
The settings with the lowest mean over all are `TUNED` of `cosim.experiments.papers.s1.plan`. It takes about ten
minutes of CPU time and is not part of `make bench`.
"""

import argparse
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from cosim.cli.progress import progress_bars
from cosim.experiments.jobs import Tell, usable_processors, work

GRID: Final = (
    {"lr": 1e-3, "critic_lr": 1e-3, "batch": 64},
    {"lr": 3e-4, "critic_lr": 1e-3, "batch": 64},
    {"lr": 1e-4, "critic_lr": 1e-3, "batch": 64},
    {"lr": 3e-4, "critic_lr": 3e-4, "batch": 64},
)
SEEDS: Final = (101, 102)
MEASURED_SEEDS: Final = (2001, 2002)


def cost(job: tuple[Any, int, dict[str, float], str, int], tell: Tell) -> float:
    """Return the cost of a slot after a training, in 1e-3."""
    from cosim_agents.learned import Learned
    from cosim_agents.learners.catalog import agent_spec
    from cosim_agents.train import train

    from cosim.experiments.rollout import rollout

    loaded, episodes, settings, agent, seed = job
    with TemporaryDirectory(prefix="cosim-") as folder:
        spec = agent_spec(agent, settings)
        made = train(loaded, spec, seed, episodes, 20, Path(folder), episodes, lambda done, _: tell(done))
        policy = Learned(made.checkpoint)
        return 1e3 * float(np.mean([rollout(loaded, policy, one).cost_per_epoch for one in MEASURED_SEEDS]))


def main() -> None:
    """Print the table."""
    from cosim.experiments.jobs import Job
    from cosim.experiments.papers.s1.plan import AGENTS, SCENARIO
    from cosim.scenario.load import load

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=250)
    parser.add_argument("--seconds", type=float, default=200.0, help="of a roll-out")
    parser.add_argument("--jobs", type=int, default=usable_processors())
    options = parser.parse_args()
    loaded = load(SCENARIO, [f"duration_s={options.seconds:g}"])
    cases = list(product(GRID, AGENTS, SEEDS))
    jobs = [
        Job(f"{agent} {settings} seed {seed}", (loaded, options.episodes, settings, agent, seed), options.episodes)
        for settings, agent, seed in cases
    ]
    with progress_bars(jobs) as watch:
        found = np.array(work(cost, jobs, options.jobs, watch)).reshape(len(GRID), len(AGENTS), len(SEEDS))
    print(f"cost of a slot in 1e-3 after {options.episodes} episodes, seeds {SEEDS[0]} and {SEEDS[1]}")
    print(f"{'lr':>7}{'critic_lr':>11}{'batch':>7}" + "".join(f"{agent:>18}" for agent in AGENTS) + f"{'mean':>8}")
    for settings, row in zip(GRID, found, strict=True):
        told = "".join(f"{f'{first:.3f}, {second:.3f}':>18}" for first, second in row)
        print(f"{settings['lr']:7g}{settings['critic_lr']:11g}{settings['batch']:7g}{told}{row.mean():8.3f}")


if __name__ == "__main__":
    main()
