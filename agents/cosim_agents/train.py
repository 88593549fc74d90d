"""Training of an agent: episodes, learning curve, checkpoints, and resuming after a kill."""

import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from cosim.errors import InputError, RunError
from cosim.kernel.clock import quiet_collector
from cosim.kernel.rng import stream, stream_key
from cosim.trace.store.durable import write_durably
from cosim.types import AnyArray, FloatArray
from cosim_agents import checkpoint
from cosim_agents.checkpoint import Checkpoint, as_read_from_json
from cosim_agents.features import Features
from cosim_agents.learners.catalog import make_learner, raised_by
from cosim_agents.learners.divergence import DivergenceError, diverged_settings
from cosim_agents.learners.environment import EpisodeLog, RowEnvironment, Rows
from cosim_agents.learners.learner import AgentSpec, Learner, LearningProblem
from cosim_agents.learners.rollout import EpisodeSums, play, turns
from cosim_agents.learners.scenario_rows import NOTHING
from cosim_agents.sources import RowSource, TrainedOn, source_of

CHECKPOINT: Final = "checkpoint.ckpt"
CURVE: Final = "curve.csv"
BOARD: Final = "tensorboard"
"""Folder of events for TensorBoard in that of a training."""
COLUMNS: Final = ("episode", *NOTHING)
_HEADERS: Final = (",".join(COLUMNS) + "\n", "episode,reward,steps")
"""How a curve begins: of a scenario, and of an environment."""


@dataclass(frozen=True, slots=True)
class TrainResult:
    """The files of a training, and the number of its episodes."""

    folder: Path
    checkpoint: Path
    curve: Path
    episodes: int
    """Number of episodes in the checkpoint."""
    resumed_at: int
    """Number of episodes that were done when this call began; equal to `episodes` where nothing was left to do."""


def train(
    trained_on: TrainedOn,
    spec: AgentSpec,
    seed: int,
    episodes: int,
    epochs: int,
    out: Path,
    checkpoint_every: int = 10,
    progress: Callable[[int, EpisodeLog], None] | None = None,
) -> TrainResult:
    """Train an agent, or resume the same training from its folder.

    Each episode is a fresh run of the scenario, or of the next of several in a fixed random order, under a seed of its
    own. Both depend on `seed` and the episode's number alone: agents that are trained with the same seed meet the same
    arrivals and traffic. A training that was killed resumes from its last checkpoint and ends with the weights and the
    curve that it would have had; more `episodes` than before make it longer. The features are fitted first, on random
    roll-outs of other seeds. Only a device of PennyLane that measures with shots draws anew after a kill.

    An environment that is no scenario is made anew when a training is gone on with: what it keeps from one episode to
    the next, beyond the seed that it is reset with, is lost to the resumed training.

    Args:
        trained_on: the scenario; or several with the same columns and knobs, one of which each episode takes; or an
            environment.
        spec: the agent, from `cosim_agents.learners.catalog.agent_spec`, for an environment with its `agent_options`.
        seed: seed of the learner and its episodes.
        episodes: number of episodes of the whole training.
        epochs: decision epochs of an episode, fewer where it is over before; 0 in an environment: until it is over.
        out: folder for `checkpoint.ckpt`, `curve.csv` (a row per episode) and `tensorboard/`.
        checkpoint_every: episodes between checkpoints.
        progress: called after each episode with the number of episodes done and the episode's log.

    Raises:
        InputError: `out` holds another training or a damaged one, or the scenario cannot be learnt.
        RunError: a checkpoint cannot be written, the simulation or environment failed, or the agent has diverged: a
            loss, a weight or an action is not finite. Its last checkpoint, in which all are, is kept.

    >>> import tempfile
    >>> from cosim import load
    >>> from cosim_agents.learners.catalog import agent_spec
    >>> spec = agent_spec("q-learning", {"feature_epochs": 2})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = train(load("per_task"), spec, seed=1, episodes=2, epochs=3, out=Path(folder))
    >>> result.episodes, result.resumed_at
    (2, 0)
    """
    source = source_of(trained_on)
    least = 1 if source.environment is None else 0
    for name, value in (("episodes", episodes), ("epochs", epochs + 1 - least), ("checkpoint_every", checkpoint_every)):
        if value < 1:
            raise InputError(f"{name}={value}: must be at least 1")
    path, curve = out / CHECKPOINT, out / CURVE
    kept = find_kept(trained_on, spec, seed, epochs, out)
    if kept is not None and kept.episodes >= episodes:
        return TrainResult(out, path, curve, kept.episodes, kept.episodes)
    environments = source.make(epochs)
    try:
        task = _task(out, environments, source.discount(spec), spec, seed, kept)
        learner, start = make_learner(spec, task, seed), 0
        if kept is not None:
            _restore(learner, kept, path)
            start, kept = kept.episodes, None  # its replay buffer is not to stay in memory beside the learner's

        def saved(done: int) -> Checkpoint:
            return Checkpoint(
                run_id=source.run_id,
                scenario=source.name,
                agent=as_read_from_json(spec),
                columns=task.columns,
                knobs=as_read_from_json(environments[0].actions.knobs),
                discount=task.discount,
                reward_unit=task.reward_unit,
                seed=seed,
                episodes=done,
                epochs=epochs,
                features=task.features,
                state=learner.state(),
                environment=source.environment,
            )

        with quiet_collector():
            _play(learner, spec, environments, seed, range(start, episodes), out, saved, checkpoint_every, progress)
    finally:
        for environment in environments:
            environment.close()
    return TrainResult(out, path, curve, episodes, start)


def find_kept(
    trained_on: TrainedOn, spec: AgentSpec, seed: int, epochs: int, out: Path, training: bool = True
) -> Checkpoint | None:
    """Return the checkpoint of a training's folder, after checks of it and of its curve; None without a checkpoint.

    Args:
        trained_on: the training's scenarios or environment.
        spec: its agent.
        seed: its seed.
        epochs: decision epochs of its episodes.
        out: its folder.
        training: whether to read also what only further training needs.

    Raises:
        InputError: the checkpoint or the curve is damaged, or of another training.
    """
    path = out / CHECKPOINT
    if not path.exists():
        return None
    try:
        kept = checkpoint.read(path, training)
    except InputError as error:
        raise InputError(f"{str(error).rpartition('; ')[0]}; {_again(out)}") from None
    _check_same(path, kept, source_of(trained_on), spec, seed, epochs)
    curve_lines(out / CURVE, kept.episodes)
    return kept


def curve_lines(curve: Path, episodes: int | None = None) -> list[str]:
    """Return the lines of a learning curve: its header, and the rows of its first episodes, or of all.

    Raises:
        InputError: it is damaged, or has fewer rows.
    """
    try:
        lines = curve.read_text(encoding="utf-8").splitlines(keepends=True)
    except OSError as error:
        raise InputError(f"{curve}: cannot be read: {str(error.strerror).lower()}; {_again(curve.parent)}") from None
    except ValueError:
        lines = []
    wanted = max(0, len(lines) - 1) if episodes is None else episodes
    if not lines or not lines[0].startswith(_HEADERS):
        raise InputError(f"{curve}: is no learning curve or is damaged; {_again(curve.parent)}")
    if len(lines) <= wanted:
        raise InputError(f"{curve}: has lost episodes that the checkpoint holds; {_again(curve.parent)}")
    for number, line in enumerate(lines[1 : wanted + 1]):
        if not _is_row(number, line, lines[0].count(",") + 1):
            raise InputError(f"{curve}: is damaged in line {number + 2}; {_again(curve.parent)}")
    return lines[: wanted + 1]


def _is_row(number: int, line: str, columns: int) -> bool:
    cells = line.rstrip("\n").split(",")
    try:
        return line.endswith("\n") and len(list(map(float, cells))) == columns and cells[0] == str(number)
    except ValueError:
        return False


def _again(folder: Path) -> str:
    return f"remove the folder {folder} and train again"


def _restore(learner: Learner, kept: Checkpoint, path: Path) -> None:
    try:
        learner.restore(kept.state)
    except Exception as error:  # whatever a state may hold that was edited or written by another version
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise InputError(f"{path}: does not fit this cosim ({reason}); {_again(path.parent)}") from None


def episode_seed(seed: int, episode: int) -> int:
    """Return the seed of the scenario in an episode of a training."""
    return stream_key(seed, f"episode/{episode}") % 2**31


def _turn(seed: int, episode: int, scenarios: int) -> int:
    """Return which scenario an episode takes: each once, in a random order, then each again in another."""
    again, place = divmod(episode, scenarios)
    return int(stream(seed, f"scenarios/{again}").permutation(scenarios)[place])


def _play(
    learner: Learner,
    spec: AgentSpec,
    environments: Sequence[RowEnvironment],
    seed: int,
    numbers: range,
    out: Path,
    saved: Callable[[int], Checkpoint],
    checkpoint_every: int,
    progress: Callable[[int, EpisodeLog], None] | None,
) -> None:
    board, names = out / BOARD, list(environments[0].nothing)
    try:
        board.mkdir(parents=True, exist_ok=True)
        _cut(out / CURVE, numbers.start, names)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror}; choose another folder") from None
    with SummaryWriter(str(board), purge_step=numbers.start) as events, (out / CURVE).open("a", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        kept = numbers.start
        for number in numbers:
            try:
                log = _episode(
                    learner, environments[_turn(seed, number, len(environments))], episode_seed(seed, number)
                )
            except DivergenceError as error:
                raise _end_of(error, spec, number, kept, out) from error
            values = [log[name] for name in names]
            rows.writerow([number, *(repr(float(value)) if isinstance(value, float) else value for value in values)])
            file.flush()
            for name, value in zip(names, values, strict=True):
                events.add_scalar(f"episode/{name}", value, number)
            done = number + 1
            if done % checkpoint_every == 0 or done == numbers.stop:
                os.fsync(file.fileno())  # a checkpoint never knows of episodes that the curve has lost
                checkpoint.write(out / CHECKPOINT, saved(done))
                kept = done
            if progress is not None:
                progress(done, log)


def _episode(learner: Learner, environment: RowEnvironment, seed: int) -> EpisodeLog:
    """Play one episode.

    Raises:
        DivergenceError: a loss, a weight or an action is not finite; it names all settings whose weights are not.
    """
    try:
        log = play(learner, environment, seed)
    except DivergenceError as error:
        broken = diverged_settings(learner) if error.what == "an action" else []
        raise DivergenceError(error.what, *(broken or error.settings)) from error
    broken = diverged_settings(learner)
    if broken:
        raise DivergenceError("a weight", *broken)
    return log


def _end_of(error: DivergenceError, spec: AgentSpec, episode: int, kept: int, out: Path) -> RunError:
    """Return the line on a training that has diverged.

    Of several settings it names the one that was raised most, because what one part makes of it breaks the other.

    Args:
        error: why.
        spec: the agent.
        episode: number of the episode, from 0.
        kept: episodes in the last checkpoint; 0 without one.
        out: folder of the training.
    """
    raised = {name: raised_by(spec, name) for name in error.settings}
    most = [name for name, factor in raised.items() if factor == max(raised.values())]
    told = " or ".join(
        f"--option {name} (now {spec.settings[name]:g})" if name in spec.settings else f"--set {name}" for name in most
    )
    what = f"its checkpoint after {kept} episodes is kept" if kept else "it had no checkpoint yet"
    return RunError(
        f"{out}: the agent diverged in episode {episode}: {error.what} is not finite; {what}; "
        f"train again with a lower {told} and another --out"
    )


def _cut(curve: Path, episodes: int, names: Sequence[str]) -> None:
    """Cut the curve to its header and the rows of the episodes that the checkpoint holds."""
    lines = curve_lines(curve, episodes) if episodes else [",".join(("episode", *names)) + "\n"]
    write_durably(curve, lambda sink: sink.write("".join(lines).encode()))


def _task(
    out: Path,
    environments: Sequence[RowEnvironment],
    discount: float,
    spec: AgentSpec,
    seed: int,
    kept: Checkpoint | None,
) -> LearningProblem:
    columns, actions = environments[0].columns, environments[0].actions
    if kept is None:
        features, unit, rows = _fitted(environments, spec, seed)
        return LearningProblem(columns, actions, features, discount, unit, rows)
    if kept.columns != columns or kept.knobs != as_read_from_json(actions.knobs):
        raise InputError(
            f"{out}: its training saw other columns or actions: files of what it trains on changed; {_again(out)}"
        )
    return LearningProblem(columns, actions, kept.features, discount, kept.reward_unit)


def _fitted(environments: Sequence[RowEnvironment], spec: AgentSpec, seed: int) -> tuple[Features, float, float]:
    """Return features fitted to the rows that a uniformly random policy meets, median reward, and rows in a step."""
    rng, first = stream(seed, "features"), environments[0]
    unfitted = Features.fit(np.zeros((2, len(first.columns))), 0)
    task = LearningProblem(first.columns, first.actions, unfitted, 1.0)
    kept: list[AnyArray] = []
    rewards: list[FloatArray] = []

    def at_random(rows: Rows, seen: AnyArray) -> tuple[AnyArray, Any]:
        kept.append(seen)
        values = rng.uniform(-1.0, 1.0, (len(seen), task.values)).astype(np.float32)
        return values, task.action(values, rows)

    wanted, run = int(spec.settings["feature_epochs"]), 0
    while len(kept) < wanted:  # each run has at least one epoch, or its reset says so
        environment = environments[_turn(seed, run, len(environments))]
        for turn in turns(environment, stream_key(seed, f"features/{run}") % 2**31, _columns, at_random, EpisodeSums()):
            rewards.append(np.abs(turn.transitions.reward))
            if len(kept) >= wanted:
                break
        run += 1
    unit = float(np.median(np.concatenate(rewards))) if any(map(len, rewards)) else 0.0
    met, components = np.concatenate(kept), int(spec.settings["components"])
    if first.bounds is None or components:
        features = Features.fit(met, components)
    else:
        features = Features.spanning(met, *first.bounds)
    return features, unit if unit > 0.0 else 1.0, len(met) / len(kept)


def _columns(rows: Rows) -> AnyArray:
    return rows.features


def _check_same(path: Path, kept: Checkpoint, source: RowSource, spec: AgentSpec, seed: int, epochs: int) -> None:
    wanted: dict[str, tuple[Any, Any]] = {
        "agent": (kept.agent.get("name"), spec.name),
        "settings of the agent": (kept.agent, as_read_from_json(spec)),
        "scenario" if source.environment is None else "environment": (kept.run_id, source.run_id),
        "seed": (kept.seed, seed),
        "epochs": (kept.epochs, epochs),
    }
    for name, (before, now) in wanted.items():
        if before != now:
            shown = "" if name.startswith("settings") else f" ({before}, not {now})"
            raise InputError(
                f"{path}: is of a training that differs in {name}{shown}; {_again(path.parent)}, or give another folder"
            )
