"""Paper S1: why DDPG with the tuned settings gets worse after its first fifty episodes; one experiment a suspect.

Each variant changes one thing of the tuned training and is trained with three seeds. Printed is the cost of a slot in
1e-3 without exploration, after each of some episodes, as the mean of the seeds with its range: roll-outs on seeds that
no training has seen. Suspects: exploration noise that does not decay (here it falls linearly to none at the last
episode), a critic that overestimates (the lower of two critics in the target, as in TD3, all else as in DDPG), and
features of six components with a scale of their own (all columns, only standardised). Then the mean reward of an
episode as the agents explored, in some stretches of the training. It takes about half an hour of CPU time and is not
part of `make bench`.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest.mock import patch

import numpy as np

from cosim.cli.progress import progress_bars
from cosim.experiments.jobs import Tell, usable_processors, work

MARKS: Final = (25, 50, 100, 150, 200)
STRETCHES: Final = ((30, 50), (50, 70), (80, 100), (130, 150), (180, 200))
"""First episode of each, from 0, and the one after its last."""
SEEDS: Final = (101, 102, 103)
MEASURED_SEEDS: Final = (2001, 2002, 2003, 2004)
_ONE_CRITIC_MORE: Final = {"policy_delay": 1, "target_noise": 0.0, "noise_theta": 0.15}


@dataclass(frozen=True, slots=True)
class Variant:
    """A training that differs from the tuned one in one thing."""

    name: str
    agent: str
    options: Mapping[str, Any]
    fading: bool = False
    """Whether the exploration noise falls to none."""


VARIANTS: Final = (
    Variant("DDPG, tuned", "ddpg", {}),
    Variant("DDPG, noise that decays", "ddpg", {}, fading=True),
    Variant("DDPG, lower of two critics", "td3", _ONE_CRITIC_MORE),
    Variant("DDPG, all columns", "ddpg", {"components": 0}),
    Variant("Q-DDPG, tuned", "q-ddpg", {}),
    Variant("Q-DDPG, noise that decays", "q-ddpg", {}, fading=True),
)


def measured(job: tuple[Any, Variant, int], tell: Tell) -> tuple[list[float], list[float]]:
    """Return the cost of a slot after each of MARKS episodes, in 1e-3, and the mean reward in each of STRETCHES."""
    from cosim_agents.learned import Learned
    from cosim_agents.learners import off_policy
    from cosim_agents.learners.catalog import agent_spec
    from cosim_agents.train import train

    from cosim.experiments.papers.s1.plan import SETTINGS, TUNED
    from cosim.experiments.rollout import rollout

    loaded, variant, seed = job
    costs: list[float] = []
    rewards: list[float] = []

    class Fading(off_policy.Exploration):
        """Noise and random scores that fall linearly from episode to episode."""

        def __init__(self, settings: Any, values: int, scores: int, rng: np.random.Generator) -> None:
            super().__init__(settings, values, scores, rng)
            self._sizes = self._noise._sigma, self._epsilon
            self._begun = 0

        def restart(self) -> None:
            """Begin a new episode, with less noise than the last."""
            left = 1.0 - self._begun / MARKS[-1]
            self._begun += 1
            self._noise._sigma, self._epsilon = (left * size for size in self._sizes)
            super().restart()

    def after(done: int, log: Any) -> None:
        tell(done)
        rewards.append(log["reward"])
        if done in MARKS:
            policy = Learned(Path(folder) / "checkpoint.ckpt")
            costs.append(1e3 * float(np.mean([rollout(loaded, policy, one).cost_per_epoch for one in MEASURED_SEEDS])))

    spec = agent_spec(variant.agent, {**SETTINGS[TUNED], **variant.options})
    noise = patch.object(off_policy, "Exploration", Fading if variant.fading else off_policy.Exploration)
    with noise, TemporaryDirectory(prefix="cosim-") as folder:
        train(loaded, spec, seed, MARKS[-1], 20, Path(folder), MARKS[0], after)
    return costs, [float(np.mean(rewards[first:last])) for first, last in STRETCHES]


def main() -> None:
    """Print the table."""
    from cosim.experiments.jobs import Job
    from cosim.experiments.papers.s1.plan import SCENARIO
    from cosim.scenario.load import load

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=200.0, help="of a roll-out")
    parser.add_argument("--jobs", type=int, default=usable_processors())
    options = parser.parse_args()
    loaded = load(SCENARIO, [f"duration_s={options.seconds:g}"])
    jobs = [
        Job(f"{variant.name}, seed {seed}", (loaded, variant, seed), MARKS[-1])
        for variant in VARIANTS
        for seed in SEEDS
    ]
    with progress_bars(jobs) as watch:
        found = work(measured, jobs, options.jobs, watch)
    seeds = f"mean and range of seeds {SEEDS[0]} to {SEEDS[-1]}"
    print(f"cost of a slot in 1e-3 after so many episodes, {seeds}")
    show([str(mark) for mark in MARKS], [costs for costs, _ in found], 3)
    print(f"reward of an episode while exploring, in these episodes, {seeds}")
    show([f"{first + 1} to {last}" for first, last in STRETCHES], [rewards for _, rewards in found], 1)


def show(heads: Sequence[str], found: Sequence[Sequence[float]], places: int) -> None:
    """Print a table with a row for each variant.

    Args:
        heads: heads of the columns.
        found: numbers of each training, seed after seed of each variant.
        places: decimal places.
    """
    table = np.array(found).reshape(len(VARIANTS), len(SEEDS), len(heads))
    print(f"{'':<28}" + "".join(f"{head:>24}" for head in heads))
    for variant, rows in zip(VARIANTS, table, strict=True):
        told = (f"{one.mean():.{places}f} {one.min():.{places}f} to {one.max():.{places}f}" for one in rows.T)
        print(f"{variant.name:<28}" + "".join(f"{text:>24}" for text in told))


if __name__ == "__main__":
    main()
