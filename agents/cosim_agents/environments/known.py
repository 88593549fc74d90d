"""Environments by the words of a command line: made, and named by what must be the same to go on with a training."""

import difflib
import hashlib
import importlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import packages_distributions, version
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeAlias, TypeVar

import gymnasium

from cosim.errors import InputError, RunError
from cosim.scenario.document import shown
from cosim.scenario.identity import safe_name
from cosim.user_code import KeptProcess, failed_at, module_of, reason_of
from cosim_agents.environments.gymnasium_rows import GymnasiumRows
from cosim_agents.environments.pettingzoo_rows import PettingZooRows
from cosim_agents.environments.spaces import MOST_CHOICES
from cosim_agents.learners.catalog import DISCRETE, agent_settings, agent_spec

T = TypeVar("T")
OtherRows: TypeAlias = GymnasiumRows | PettingZooRows
"""An environment that is no scenario."""

_FEW: Final = 6
"""Most columns that a circuit reads as they are, a qubit each; of more it reads as many principal components."""
_FEW_TABLED: Final = 4
"""Most columns that a table's states are made of as they are."""
_WIDE: Final = frozenset({"amplitude"})
"""Circuits that read up to 2^qubits inputs."""


@dataclass(frozen=True, slots=True)
class KnownEnvironment:
    """An environment that can be made, and what agents meet in it.

    As what a training learns from it stands beside `cosim.scenario.load.Loaded`.
    """

    name: str
    """id of Gymnasium, `module:id`, `module:factory` or `file.py:factory`."""
    options: Mapping[str, Any]
    """Arguments that it is made with."""
    maker: str
    """Package and version that brings it, or the SHA-256 of the file."""
    columns: int
    choices: int
    """Discrete choices of a row; 0 if it has none."""
    figures: tuple[str, ...]
    """What is known of an episode: reward, steps, and the reward of each of several agents."""

    @property
    def identity(self) -> dict[str, Any]:
        """What a training that is gone on with must have been made with, as JSON."""
        told: dict[str, Any] = json.loads(
            json.dumps({"name": self.name, "options": dict(self.options), "maker": self.maker}, default=str)
        )
        return told

    @property
    def run_id(self) -> str:
        """Name, and hash of the identity."""
        text = json.dumps(self.identity, sort_keys=True)
        return f"{safe_name(self.name)}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def rows(self, steps: int) -> OtherRows:
        """Return the environment, made anew.

        Args:
            steps: most steps of an episode; 0: until the environment ends it.

        Raises:
            InputError: it cannot be made.
        """
        return _rows(self.name, self.options, steps)

    def agent_options(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return an agent's options with those whose defaults depend on the environment.

        All columns are features, but of more than 6 a circuit reads 6 principal components, and of more than 4 a table
        its usual number. A circuit has as many qubits as features.

        Args:
            name: name of the agent.
            options: changes to its settings.

        Raises:
            InputError: no such agent or setting, or it needs discrete choices and there are none.
        """
        known = agent_settings(name)
        spec = agent_spec(name, {**options, "components": 0})
        if spec.algorithm in DISCRETE and not self.choices:
            raise InputError(
                f"{name}: chooses among discrete actions, of which {self.name} has none, or more than "
                f"{MOST_CHOICES:,}; take ddpg, td3, sac, ppo or maddpg"
            )
        chosen: dict[str, Any] = {"discount": known["discount"].default, "components": 0, **options}
        if spec.actor is None:
            if self.columns > _FEW_TABLED:
                chosen["components"] = known["components"].default
        elif "qubits" in known:
            chosen.update(self._circuit_options(int(spec.settings["qubits"]), spec.actor.circuit, options))
        return {**chosen, **options}

    def _circuit_options(self, qubits: int, circuit: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return components and qubits so that the circuit reads as many features as it can."""
        wide = circuit in _WIDE
        most = 2**qubits if wide else _FEW
        fits = self.columns == qubits if "qubits" in options and not wide else self.columns <= most
        components = options.get("components", 0 if fits else qubits)
        return {"components": components, **({} if wide else {"qubits": components or self.columns})}


def know_environment(name: str, options: Mapping[str, Any]) -> KnownEnvironment:
    """Return an environment after it was made once.

    Args:
        name: id of Gymnasium, `module:id`, `module:factory` or `file.py:factory`.
        options: arguments that it is made with.

    Raises:
        InputError: there is none, it cannot be made, or agents cannot see its observations or take its actions.
    """
    rows = _rows(name, options, 0)
    try:
        return KnownEnvironment(
            name, options, _maker(name, rows), len(rows.columns), rows.actions.choices, tuple(rows.nothing)
        )
    finally:
        rows.close()


def environment_names() -> list[str]:
    """Return the ids that Gymnasium has registered."""
    return list(gymnasium.registry)


def _rows(name: str, options: Mapping[str, Any], steps: int) -> OtherRows:
    made: Any = _called(name, lambda: _maker_of(name)(**options))
    if isinstance(made, gymnasium.Env):
        return _called(name, lambda: GymnasiumRows(name, made, steps))
    if hasattr(made, "possible_agents") and not hasattr(made, "agent_iter"):
        return _called(name, lambda: PettingZooRows(name, made, steps))
    hint = "take its parallel_env" if hasattr(made, "agent_iter") else "name what makes one"
    raise InputError(
        f"{shown(name)}: makes a {type(made).__name__}, which is neither a gymnasium.Env nor a parallel environment of "
        f"PettingZoo; {hint}"
    )


def _maker_of(name: str) -> Callable[..., Any]:
    """Return the function that makes an environment."""
    module, _, attribute = name.rpartition(":")
    if not module:
        return partial(gymnasium.make, name, disable_env_checker=True)
    brought = _from_file(name, module) if module.endswith(".py") else importlib.import_module(module)
    factory = getattr(brought, attribute, None)
    if factory is None and not module.endswith(".py") and attribute in gymnasium.registry:
        return partial(gymnasium.make, attribute, disable_env_checker=True)
    if not callable(factory):
        raise InputError(f"{shown(name)}: {module} has no {shown(attribute)} that makes an environment; check the name")
    return factory  # type: ignore[no-any-return]  # whatever the module holds; what it makes is checked


def _from_file(name: str, file: str) -> ModuleType:
    path = Path(file)
    made = module_of(path, "cosim_environment") if path.is_file() else None
    if made is None:
        raise InputError(f"{shown(name)}: no file {shown(file)} here; check the path")
    return made


def _called(name: str, call: Callable[[], T]) -> T:
    """Return the result of a call of others' code, or raise its failure as one line."""
    try:
        with KeptProcess():
            return call()
    except (InputError, RunError) as error:
        raise InputError(str(error)) from error
    except (Exception, SystemExit) as error:
        near = difflib.get_close_matches(name, environment_names(), n=2)
        hint = (
            f"did you mean {' or '.join(near)}?" if near and isinstance(error, gymnasium.error.UnregisteredEnv) else ""
        )
        raise InputError(
            f"{shown(name)}: cannot be made ({reason_of(error)[:300]}); "
            f"{hint or 'correct the name or its --set, or install what it needs'}{failed_at(error)}"
        ) from error


def _maker(name: str, rows: OtherRows) -> str:
    """Return package and version of what makes an environment, or the SHA-256 of its file where no package is known."""
    file = name.rpartition(":")[0]
    if file.endswith(".py"):
        return _content(Path(file))
    module = type(rows.unwrapped).__module__
    package = module.partition(".")[0]
    brought = sorted(set(packages_distributions().get(package, ())))
    if brought:
        return ", ".join(f"{one} {version(one)}" for one in brought)
    path = getattr(sys.modules.get(module), "__file__", None)
    return _content(Path(path)) if path else package


def _content(path: Path) -> str:
    return f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
