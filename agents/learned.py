"""A checkpoint as a policy: what `cosim run --policy x.ckpt` decides with."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from agents import checkpoint
from agents.learners.catalog import make_learner
from agents.learners.learner import AgentSpec, Task
from agents.networks import NetSpec
from cosim.decision import Action, Observation
from cosim.envs.knobs import Knobs
from cosim.errors import InputError


class Learned:
    """Decides as the trained agent would without exploring: deterministic, one forward pass for all tasks.

    It needs no environment: its columns come from the observation alone. It may be run on another map, another
    seed or live traffic, as long as a task's columns are those of the training.

    Args:
        path: a checkpoint of `cosim train`.
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        kept = checkpoint.read(path, training=False)
        try:
            spec, knobs = _spec(dict(kept.agent)), Knobs(**{name: _tuple(value) for name, value in kept.knobs.items()})
            task = Task(kept.columns, knobs, kept.features, kept.discount, kept.reward_unit)
            learner = make_learner(spec, task, kept.seed)
            learner.restore(kept.state)
        except InputError:
            raise
        except Exception as error:  # a header that some other hand has changed
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise InputError(f"{path}: does not fit this cosim ({reason}); train again") from None
        self._path = path
        self._policy = learner.policy()
        self.checkpoint = kept
        """What the file says of the training."""

    def decide(self, observation: Observation) -> Action:
        """One forward pass.

        Raises:
            InputError: the observation has other columns or options than the training had.
        """
        return self._policy.decide(observation)


def _spec(agent: dict[str, Any]) -> AgentSpec:
    for part in ("actor", "critic"):
        if agent[part] is not None:
            agent[part] = NetSpec(**{name: _tuple(value) for name, value in agent[part].items()})
    spec = AgentSpec(**agent)
    if "buffer" not in spec.settings:
        return spec
    return replace(spec, settings={**spec.settings, "buffer": 1})  # a policy remembers nothing


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
