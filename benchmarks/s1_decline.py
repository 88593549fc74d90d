"""Paper S1: why DDPG with the tuned settings gets worse after its first fifty episodes; one experiment a suspect.

Each variant changes one thing of the tuned training and is trained with three seeds. Printed is the cost of a slot in
1e-3 without exploration, after each of some episodes, as the mean of the seeds with its range: roll-outs on seeds that
no training has seen. Suspects: exploration noise that does not decay (here it falls linearly to none at the last
episode), a critic that overestimates (the lower of two critics in the target, as in TD3, all else as in DDPG), and
features of six components with a scale of their own (all columns, only standardised). It takes about half an hour of
CPU time and is not part of `make bench`.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest.mock import patch

import numpy as np

from cosim.cli.progress import progress_bars
from cosim.experiments.jobs import Tell, usable_processors, work

MARKS: Final = (25, 50, 100, 150, 200)
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


def costs(job: tuple[Any, Variant, int], tell: Tell) -> list[float]:
    """Return the cost of a slot after each of MARKS episodes, in 1e-3."""
    from cosim_agents.learned import Learned
    from cosim_agents.learners import off_policy
    from cosim_agents.learners.catalog import agent_spec
    from cosim_agents.train import train

    from cosim.experiments.papers.s1.plan import SETTINGS, TUNED
    from cosim.experiments.rollout import rollout

    loaded, variant, seed = job
    found: list[float] = []

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

    def measured(done: int, _: Any) -> None:
        tell(done)
        if done in MARKS:
            policy = Learned(Path(folder) / "checkpoint.ckpt")
            found.append(1e3 * float(np.mean([rollout(loaded, policy, one).cost_per_epoch for one in MEASURED_SEEDS])))

    spec = agent_spec(variant.agent, {**SETTINGS[TUNED], **variant.options})
    noise = patch.object(off_policy, "Exploration", Fading if variant.fading else off_policy.Exploration)
    with noise, TemporaryDirectory(prefix="cosim-") as folder:
        train(loaded, spec, seed, MARKS[-1], 20, Path(folder), MARKS[0], measured)
    return found


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
        found = np.array(work(costs, jobs, options.jobs, watch)).reshape(len(VARIANTS), len(SEEDS), len(MARKS))
    print(f"cost of a slot in 1e-3 after so many episodes, mean and range of seeds {SEEDS[0]} to {SEEDS[-1]}")
    print(f"{'':<28}" + "".join(f"{mark:>20}" for mark in MARKS))
    for variant, rows in zip(VARIANTS, found, strict=True):
        told = (f"{one.mean():.3f} {one.min():.3f} to {one.max():.3f}" for one in rows.T)
        print(f"{variant.name:<28}" + "".join(f"{text:>22}" for text in told))


if __name__ == "__main__":
    main()
