"""The pieces of papers' experiments: trainings, roll-outs of a policy along a sweep, and rules in training episodes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cosim_agents.registry import make_policy

from cosim.decision import Policy
from cosim.envs.loop import Loop, Round
from cosim.experiments.jobs import Tell
from cosim.experiments.pieces import piece_folder, piece_key
from cosim.experiments.rollout import rollout
from cosim.experiments.training import at_checkpoints
from cosim.kernel.rng import stream
from cosim.scenario.load import Loaded

CHECKPOINT_EVERY: Final = 25


@dataclass(frozen=True, slots=True)
class StudyTraining:
    """An agent trained with one seed on one scenario, or on several in turn."""

    group: str
    """Name of the set of scenarios."""
    scenarios: tuple[Loaded, ...]
    agent: str
    setting: str
    """Name of the options."""
    options: Mapping[str, Any]
    seed: int
    episodes: int
    epochs: int

    @property
    def label(self) -> str:
        """Folder of the piece: group, agent, setting and seed."""
        return f"train/{self.group}/{self.agent}-{self.setting}/seed{self.seed}"

    @property
    def total(self) -> float:
        """Number of episodes."""
        return float(self.episodes)

    def settings(self) -> dict[str, Any]:
        """Return scenarios by their hashes, and the agent with its defaults written out."""
        from cosim_agents.learners.catalog import agent_spec  # noqa: PLC0415 - imports torch

        return {
            "scenarios": [one.run_id for one in self.scenarios],
            "agent": self.agent,
            "options": dict(agent_spec(self.agent, self.options).settings),
            "seed": self.seed,
            "episodes": self.episodes,
            "epochs": self.epochs,
        }

    def carry_out(self, store: Path, tell: Tell) -> dict[str, Any]:
        """Train the agent; it stops only where it has just written a checkpoint."""
        from cosim_agents.learners.catalog import agent_spec  # noqa: PLC0415 - imports torch
        from cosim_agents.train import train  # noqa: PLC0415 - imports torch

        given = self.scenarios if len(self.scenarios) > 1 else self.scenarios[0]
        spec, folder = agent_spec(self.agent, self.options), piece_folder(store, self)
        progress = at_checkpoints(tell, CHECKPOINT_EVERY)
        left = train(given, spec, self.seed, self.episodes, self.epochs, folder, CHECKPOINT_EVERY, progress)
        return {"episodes": left.episodes, "here": left.episodes - left.resumed_at}

    def checkpoint(self, store: Path) -> Path:
        """Return the file of its weights."""
        from cosim_agents.train import CHECKPOINT  # noqa: PLC0415 - imports torch

        return piece_folder(store, self) / CHECKPOINT

    def curve(self, store: Path) -> Path:
        """Return the file of its learning curve, a row for each episode."""
        from cosim_agents.train import CURVE  # noqa: PLC0415 - imports torch

        return piece_folder(store, self) / CURVE


@dataclass(frozen=True, slots=True)
class FixedPolicy:
    """A policy that learns nothing."""

    name: str
    """Name in the registry of policies; with `own` only the name under which settings and labels have the rule."""
    options: Mapping[str, Any] = field(default_factory=dict)
    own: Callable[[int], Policy] | None = None
    """Makes it from a seed instead of the registry; a function of a module, since it crosses a pipe."""

    def settings(self) -> dict[str, Any]:
        """Return name and options, on which results depend."""
        return {"policy": self.name, "options": dict(self.options)}

    def make(self, seed: int) -> Policy:
        """Return a new policy."""
        if self.own is not None:
            return self.own(seed)
        return make_policy(self.name, self.options, stream(seed, "policy"))


@dataclass(frozen=True, slots=True)
class RollOuts:
    """One policy on each scenario of a sweep, all with the same seed of arrivals and traffic."""

    policy: FixedPolicy | StudyTraining
    scenarios: tuple[Loaded, ...]
    seed: int

    @property
    def label(self) -> str:
        """Folder of the piece: the policy's name, then the seed."""
        one = self.policy
        name = one.name if isinstance(one, FixedPolicy) else f"{one.group}-{one.agent}-{one.setting}"
        return f"measure/{name}/seed{self.seed}"

    @property
    def total(self) -> float:
        """Number of roll-outs."""
        return float(len(self.scenarios))

    def settings(self) -> dict[str, Any]:
        """Return policy, scenarios and seed; a trained agent is given by the key of its training."""
        decides = (
            self.policy.settings() if isinstance(self.policy, FixedPolicy) else {"training": piece_key(self.policy)}
        )
        return {**decides, "scenarios": [one.run_id for one in self.scenarios], "seed": self.seed}

    def carry_out(self, store: Path, tell: Tell) -> dict[str, Any]:
        """Return lists over the sweep: realised cost of a slot, latency and energy of a task, share offloaded."""
        found: dict[str, Any] = {"cost": [], "latency_s": [], "energy_j": [], "offloaded": [], "tasks": []}
        for place, loaded in enumerate(self.scenarios):
            tell(place)
            sums = rollout(loaded, self._made(store), self.seed)
            found["cost"].append(sums.cost_per_epoch)
            found["latency_s"].append(sums.latency_mean_s)
            found["energy_j"].append(sums.energy_mean_j)
            found["offloaded"].append(sums.offloaded_ratio)
            found["tasks"].append(sums.tasks)
        return found

    def _made(self, store: Path) -> Policy:
        if isinstance(self.policy, FixedPolicy):
            return self.policy.make(self.seed)
        from cosim_agents.learned import Learned  # noqa: PLC0415 - imports torch

        return Learned(self.policy.checkpoint(store))


@dataclass(frozen=True, slots=True)
class Episodes:
    """A rule in some of the episodes of a training with the same seed: the level beside a learning curve."""

    rule: FixedPolicy
    loaded: Loaded
    seed: int
    numbers: tuple[int, ...]
    """Numbers of episodes of the training."""
    epochs: int

    @property
    def scenarios(self) -> tuple[Loaded, ...]:
        """The scenario of the episodes, as the one element of a tuple."""
        return (self.loaded,)

    @property
    def label(self) -> str:
        """Folder of the piece: the rule's name, then the seed."""
        return f"measure/episodes/{self.rule.name}/seed{self.seed}"

    @property
    def total(self) -> float:
        """Number of episodes."""
        return float(len(self.numbers))

    def settings(self) -> dict[str, Any]:
        """Return rule, scenario, seed and episodes."""
        return {
            **self.rule.settings(),
            "scenario": self.loaded.run_id,
            "seed": self.seed,
            "numbers": list(self.numbers),
            "epochs": self.epochs,
        }

    def carry_out(self, store: Path, tell: Tell) -> dict[str, Any]:  # noqa: ARG002 - of the protocol
        """Return sums over all its episodes of what `curve.csv` has for each."""
        from cosim_agents.train import episode_seed  # noqa: PLC0415 - imports torch

        sums = {"reward": 0.0, "cost": 0.0, "latency_s": 0.0, "energy_j": 0.0, "tasks": 0}
        loop = Loop(self.loaded, episode_epochs=self.epochs)
        policy = self.rule.make(self.seed)
        try:
            for place, number in enumerate(self.numbers):
                tell(place)
                waiting: Round | None = loop.reset(episode_seed(self.seed, number))
                while waiting is not None:
                    step = loop.step(policy.decide(waiting.observation))
                    sums["reward"] += step.total
                    for name in ("cost", "latency_s", "energy_j", "tasks"):
                        sums[name] += getattr(step.costs, name)
                    waiting = None if step.over else step.following
        finally:
            loop.close()
        return {**sums, "episodes": len(self.numbers)}
