"""A checkpoint as a policy, as in `cosim run --policy x.ckpt`."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from cosim.decision import Action, Observation
from cosim.envs.knobs import Knobs
from cosim.errors import InputError
from cosim_agents import checkpoint
from cosim_agents.checkpoint import Checkpoint, as_read_from_json
from cosim_agents.learners.catalog import engine_options, make_learner
from cosim_agents.learners.environment import RowActions, RowEnvironment
from cosim_agents.learners.learner import AgentSpec, Learner, LearningProblem
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
        if kept.environment is not None:
            raise InputError(
                f"{path}: was trained on {kept.scenario}, which is no scenario; "
                f"play it with `cosim evaluate {kept.scenario} --policy {path}`"
            )
        given = {"device": device, "shots": shots, "depolarizing": depolarizing, "readout": readout}
        measured = {name: value for name, value in given.items() if value is not None}
        with _fitting(path):
            spec, knobs = _spec(dict(kept.agent)), Knobs(**{name: _tuple(value) for name, value in kept.knobs.items()})
            if measured:
                spec = _measured(path, spec, measured)
            learner = _learner(kept, KnobActions(knobs), spec)
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


def restored(path: str | Path, rows: RowEnvironment, name: str) -> Learner:
    """Return the learner of a checkpoint, to decide rows of an environment that is no scenario.

    Args:
        path: the checkpoint.
        rows: the environment.
        name: its name.

    Raises:
        InputError: it is no checkpoint, or was trained on a scenario or on other observations or actions.
    """
    path = Path(path)
    kept = checkpoint.read(path, training=False)
    if kept.environment is None:
        raise InputError(f"{path}: was trained on scenario {kept.scenario}, not on {name}; train an agent on it")
    if kept.columns != rows.columns or kept.knobs != as_read_from_json(rows.actions.knobs):
        raise InputError(
            f"{path}: was trained on {kept.scenario}, whose observations or actions are others than those of {name}; "
            "train an agent on it"
        )
    with _fitting(path):
        return _learner(kept, rows.actions, _spec(dict(kept.agent)))


@contextmanager
def _fitting(path: Path) -> Iterator[None]:
    """Tell as one line what a header may hold that was edited or written by another version."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise InputError(f"{path}: does not fit this cosim ({reason}); train again") from None


def _learner(kept: Checkpoint, actions: RowActions, spec: AgentSpec) -> Learner:
    task = LearningProblem(kept.columns, actions, kept.features, kept.discount, kept.reward_unit)
    learner = make_learner(spec, task, kept.seed)
    learner.restore(kept.state)
    return learner


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
    zeros = bool(spec.settings.get("circuit_zero"))
    if spec.actor is None or spec.actor.kind == "mlp" or zeros:
        agent = spec.name + " with circuit_zero=true" * zeros
        raise InputError(f"{path}: {', '.join(given)}: {agent} has no circuit to measure; leave it out")
    return replace(spec, actor=replace(spec.actor, engine=engine_options({**spec.settings, **given})))


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
