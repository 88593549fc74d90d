"""What agents train on: scenarios, or any environment of Gymnasium or PettingZoo, as environments of rows."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from cosim.envs.loop import Loop
from cosim.errors import InputError
from cosim.scenario.load import Loaded
from cosim_agents.environments.known import KnownEnvironment
from cosim_agents.learners.environment import RowEnvironment
from cosim_agents.learners.learner import AgentSpec
from cosim_agents.learners.scenario_rows import ScenarioRows

TrainedOn: TypeAlias = Loaded | Sequence[Loaded] | KnownEnvironment
"""A scenario, several with the same columns and knobs, or an environment."""


class RowSource(Protocol):
    """What the environments of a training are made from."""

    @property
    def name(self) -> str:
        """Name of the scenario or environment."""
        ...

    @property
    def run_id(self) -> str:
        """Name and hash of all that a training that is gone on with must have in common."""
        ...

    @property
    def environment(self) -> Mapping[str, Any] | None:
        """Identity of an environment as JSON; None for a scenario."""
        ...

    def make(self, epochs: int) -> list[RowEnvironment]:
        """Return the environments of which each episode takes one; `epochs` is the most steps of an episode."""
        ...

    def discount(self, spec: AgentSpec) -> float:
        """Return the discount factor; InputError where the agent's settings have one that does not count."""
        ...


@dataclass(frozen=True, slots=True)
class ScenarioSource:
    """One scenario, or several with the same columns and knobs."""

    scenarios: tuple[Loaded, ...]
    environment = None

    @property
    def name(self) -> str:
        """Name of the first scenario."""
        return self.scenarios[0].scenario.name

    @property
    def run_id(self) -> str:
        """The scenario's run id, or for several a hash of all."""
        if len(self.scenarios) == 1:
            return self.scenarios[0].run_id
        names = "\n".join(one.run_id for one in self.scenarios)
        return f"{self.name}-{len(self.scenarios)}-{hashlib.sha256(names.encode()).hexdigest()[:12]}"

    def make(self, epochs: int) -> list[RowEnvironment]:
        """Return an environment for each scenario."""
        path = self.scenarios[0].path
        made = [ScenarioRows(Loop(one, episode_epochs=epochs)) for one in self.scenarios]
        if any((one.columns, one.actions) != (made[0].columns, made[0].actions) for one in made):
            raise InputError(f"{path}: scenarios of one training differ in columns or knobs; train one for each")
        if not made[0].actions.values and not made[0].actions.knobs.network_size:
            raise InputError(f"{path}: decisions.knobs hands nothing over that an agent chooses; add target")
        return list(made)

    def discount(self, spec: AgentSpec) -> float:
        """Return the scenario's."""
        if "discount" in spec.settings:
            raise InputError(
                f"--option discount: a scenario has its own; use --set decisions.reward.discount="
                f"{spec.settings['discount']}"
            )
        return self.scenarios[0].scenario.decisions.reward.discount


@dataclass(frozen=True, slots=True)
class EnvironmentSource:
    """An environment of Gymnasium or PettingZoo."""

    known: KnownEnvironment

    @property
    def name(self) -> str:
        """Word that it is known by."""
        return self.known.name

    @property
    def run_id(self) -> str:
        """Name, and hash of name, arguments and version."""
        return self.known.run_id

    @property
    def environment(self) -> Mapping[str, Any]:
        """Name, arguments and version."""
        return self.known.identity

    def make(self, epochs: int) -> list[RowEnvironment]:
        """Return the environment."""
        return [self.known.rows(epochs)]

    def discount(self, spec: AgentSpec) -> float:
        """Return the agent's."""
        return float(spec.settings["discount"])


def source_of(trained_on: TrainedOn) -> RowSource:
    """Return what makes the environments of a training."""
    if isinstance(trained_on, KnownEnvironment):
        return EnvironmentSource(trained_on)
    return ScenarioSource((trained_on,) if isinstance(trained_on, Loaded) else tuple(trained_on))
