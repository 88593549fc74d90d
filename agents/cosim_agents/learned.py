"""A checkpoint as a policy, as in `cosim run --policy x.ckpt`."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from cosim.decision import Action, Observation
from cosim.envs.knobs import Knobs
from cosim.errors import InputError
from cosim_agents import checkpoint
from cosim_agents.learners.catalog import engine_options, make_learner
from cosim_agents.learners.learner import AgentSpec, LearningProblem
from cosim_agents.learners.row_policy import RowPolicy
from cosim_agents.learners.scenario_rows import KnobActions
from cosim_agents.networks import NetSpec


class Learned:
    """A policy that decides as a trained agent would without exploring: one forward pass for all tasks, deterministic.

    It needs no environment: its columns come from the observation alone. It may be run on another map, another
    seed or live traffic, as long as a task's columns are those of the training.

    Its circuit may be measured in another way than in the training: on a device of PennyLane, with shots, with noise.
    A scenario does so by `policy: {name: x.ckpt, options: {shots: 1000, readout: 0.02}}`.

    Args:
        path: a checkpoint of `cosim train`.
        device: "torch", or a device of PennyLane. None, here and below: as trained.
        shots: measurements of each circuit; 0 for exact expectations.
        depolarizing: probability of a depolarised qubit after each layer.
        readout: probability that a bit is read wrongly.
        sha256: SHA-256 of the checkpoint's bytes, by which a scenario, and so the run id, names these weights.

    Raises:
        InputError: the file is no checkpoint or not the one that `sha256` names, or its agent has no circuit that could
            be measured in that way.
    """

    def __init__(
        self,
        path: str | Path,
        device: str | None = None,
        shots: int | None = None,
        depolarizing: float | None = None,
        readout: float | None = None,
        sha256: str | None = None,
    ) -> None:
        path = Path(path)
        if sha256 is not None:
            _check_content(path, sha256)
        kept = checkpoint.read(path, training=False)
        given = {"device": device, "shots": shots, "depolarizing": depolarizing, "readout": readout}
        measured = {name: value for name, value in given.items() if value is not None}
        try:
            spec, knobs = _spec(dict(kept.agent)), Knobs(**{name: _tuple(value) for name, value in kept.knobs.items()})
            if measured:
                spec = _measured(path, spec, measured)
            task = LearningProblem(kept.columns, KnobActions(knobs), kept.features, kept.discount, kept.reward_unit)
            learner = make_learner(spec, task, kept.seed)
            learner.restore(kept.state)
        except InputError:
            raise
        except Exception as error:  # whatever a header may hold that was edited or written by another version
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise InputError(f"{path}: does not fit this cosim ({reason}); train again") from None
        self._path = path
        self._policy = RowPolicy(kept.columns, learner)
        self.checkpoint = kept
        """The checkpoint, without what only further training needs."""

    def decide(self, observation: Observation) -> Action:
        """Return the trained agent's decision for all tasks.

        Raises:
            InputError: the observation has other columns or options than the training had.
        """
        try:
            return self._policy.decide(observation)
        except InputError as error:
            raise InputError(f"{self._path}: {error}") from None


def _check_content(path: Path, sha256: str) -> None:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return  # reading it, which follows, says why
    if found != sha256:
        raise InputError(
            f"{path}: its SHA-256 is {found[:16]}..., the scenario's policy.options.sha256 is {str(sha256)[:16]}...: "
            "other weights; train them again, or leave the option out"
        )


def _spec(agent: dict[str, Any]) -> AgentSpec:
    for part in ("actor", "critic"):
        if agent[part] is not None:
            agent[part] = NetSpec(**{name: _tuple(value) for name, value in agent[part].items()})
    spec = AgentSpec(**agent)
    if "buffer" not in spec.settings:
        return spec
    return replace(spec, settings={**spec.settings, "buffer": 1})  # a policy remembers nothing


def _measured(path: Path, spec: AgentSpec, given: dict[str, Any]) -> AgentSpec:
    if spec.actor is None or spec.actor.kind == "mlp":
        raise InputError(f"{path}: {', '.join(given)}: {spec.name} has no circuit to measure; leave it out")
    trained = {name: spec.settings[name] for name in ("device", "shots", "depolarizing", "readout")}
    return replace(spec, actor=replace(spec.actor, engine=engine_options({**trained, **given})))


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
