"""The training of an agent with several seeds: a folder for each, resumed from its checkpoint, and their statistics."""

import csv
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cosim.data_text import json_data
from cosim.errors import InputError
from cosim.experiments.folders import changed, lock_folder, make_folder, share_lock
from cosim.experiments.jobs import Job, Tell, Watching, work
from cosim.experiments.statistics import curve, interval, smoothed
from cosim.kernel.rng import stream
from cosim.locks import remove_empty
from cosim.scenario.identity import as_json
from cosim.scenario.load import Loaded
from cosim.trace.metrics.statistics import Estimate
from cosim.trace.store.durable import write_durably
from cosim.trace.store.provenance import versions
from cosim.types import FloatArray

if TYPE_CHECKING:
    from cosim_agents.environments.known import KnownEnvironment
    from cosim_agents.learners.environment import EpisodeLog
    from cosim_agents.learners.learner import AgentSpec

SETTINGS: Final = "training.json"
_MOST_DRAWN: Final = 4
"""Most columns of an environment's curve that are drawn: of many agents the first ones' rewards."""
_MOST_HELD: Final = 256
"""Most folders that a command locks at once, since a process may have a limited number of open files."""


@dataclass(frozen=True, slots=True)
class SeedTraining:
    """The training of an agent with one seed."""

    trained_on: "Loaded | KnownEnvironment"
    agent: str
    options: Mapping[str, Any]
    seed: int
    episodes: int
    epochs: int
    """Decision epochs in an episode; of an environment the most steps, 0: until it ends the episode."""
    folder: Path
    checkpoint_every: int

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a checkpoint from which it can be resumed."""
        from cosim_agents.train import CHECKPOINT  # noqa: PLC0415 - imports torch

        return (self.folder / CHECKPOINT).is_file()

    def settings(self) -> dict[str, Any]:
        """Return what a training in the same folder must agree in, as JSON."""
        same = {"run_id": self.trained_on.run_id, "agent": self.agent, "options": dict(self.options)}
        told: dict[str, Any] = json.loads(json.dumps({**same, "seed": self.seed, "epochs": self.epochs}))
        return told


def agents() -> list[tuple[str, str]]:
    """Return name and description of every agent."""
    from cosim_agents.learners.catalog import agent_names, agent_spec  # noqa: PLC0415 - imports torch

    return [(name, _make(agent_spec(name, {}))) for name in agent_names()]


def _make(spec: "AgentSpec") -> str:
    """Return algorithm and networks of an agent in a line."""
    algorithm = spec.algorithm.upper()
    if spec.actor is None:
        return f"{algorithm}, a table"
    net = spec.actor
    hidden = "-".join(map(str, net.hidden))
    circuit = f"{net.circuit} circuit of {net.qubits} qubits, {net.layers} layer{'s' * (net.layers > 1)}"
    made = f"classical network {hidden}" if net.kind == "mlp" else f"{net.kind} network, {circuit}"
    if net.kind != "mlp" and not spec.name.startswith("q-"):
        made = "classical network of as many parameters as its quantum twin"
    return f"{algorithm}, {made}"


def settings(agent: str) -> list[tuple[str, str, str]]:
    """Return name, default and meaning of each setting of an agent that `--option` changes.

    Raises:
        InputError: no such agent.
    """
    from cosim_agents.learners.catalog import agent_settings  # noqa: PLC0415 - imports torch

    return [(name, str(one.default), one.meaning) for name, one in agent_settings(agent).items()]


def trainings(
    trained_on: "Loaded | KnownEnvironment",
    agent: str,
    options: Mapping[str, Any],
    seeds: Sequence[int],
    episodes: int,
    epochs: int,
    checkpoint_every: int,
    out: Path,
) -> list[SeedTraining]:
    """Return a training for each seed, in `out`/agent/seed<k>, after a check that the agent can be made.

    Args:
        trained_on: the scenario or environment.
        agent: name of the agent.
        options: changes to its settings.
        seeds: seeds of the trainings.
        episodes: number of episodes of each.
        epochs: decision epochs in an episode.
        checkpoint_every: episodes between checkpoints.
        out: folder of all trainings.

    Raises:
        InputError: no such agent or option; or a folder holds another training. Nothing is written.
    """
    from cosim_agents.learners.catalog import agent_spec  # noqa: PLC0415 - imports torch
    from cosim_agents.sources import source_of  # noqa: PLC0415 - imports torch

    if not isinstance(trained_on, Loaded):
        options = trained_on.agent_options(agent, options)
    source_of(trained_on).discount(agent_spec(agent, options))
    planned = [
        SeedTraining(trained_on, agent, options, seed, episodes, epochs, out / agent / f"seed{seed}", checkpoint_every)
        for seed in seeds
    ]
    for one in planned:
        is_done(one)
    return planned


def is_done(training: SeedTraining) -> bool:
    """Return whether its folder holds this training with all its episodes; False if it is missing or has fewer.

    Raises:
        InputError: the folder holds another training, one with more episodes, or damaged files.
    """
    from cosim_agents.learners.catalog import agent_spec  # noqa: PLC0415 - imports torch
    from cosim_agents.train import find_kept  # noqa: PLC0415 - imports torch

    folder = training.folder
    if _is_free(folder):
        return False
    _check_settings(training)
    spec = agent_spec(training.agent, training.options)
    kept = find_kept(training.trained_on, spec, training.seed, training.epochs, folder, training=False)
    done = 0 if kept is None else kept.episodes
    if done > training.episodes:
        raise InputError(f"{folder}: was trained for {done} episodes; ask for as many, or give another --out")
    return done == training.episodes


def _check_settings(training: SeedTraining) -> None:
    folder = training.folder
    path = folder / SETTINGS
    try:
        stored = json_data(path.read_text(encoding="utf-8"))
        before = {name: stored[name] for name in training.settings()}
    except FileNotFoundError:
        remedy = f"remove the folder {folder} and train again" if training.has_checkpoint else "give another --out"
        raise InputError(
            f"{path}: is missing: the folder is taken by something that is no training; {remedy}"
        ) from None
    except (OSError, ValueError, TypeError, KeyError):
        raise InputError(f"{path}: is damaged; remove the folder {folder} and train again") from None
    now = training.settings()
    run_ids = before.pop("run_id"), now.pop("run_id")
    differing = changed(before, now)
    if differing:
        raise InputError(f"{path}: {differing}; give another --out")
    if run_ids[0] != run_ids[1]:
        [(what, identity)] = _trained_on(training).items()
        told = changed(stored.get(what), identity) if what in stored else ""
        told = told or f"was {run_ids[0]}, now {run_ids[1]}"
        raise InputError(f"{path}: the {what} or a --set differs: {told}; give another --out")


def _is_free(folder: Path) -> bool:
    """Return whether the folder holds nothing but what a kill at the very beginning of a training leaves."""
    try:
        return not folder.exists() or all(path.name.startswith(".") for path in folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {str(error.strerror).lower()}; give another --out") from None


def train_all(planned: Sequence[SeedTraining], processes: int, watching: Watching) -> int:
    """Train what is not done yet and return how many seeds that were; trainings without a checkpoint leave nothing.

    Args:
        planned: the trainings.
        processes: number of processes.
        watching: shows the progress.

    Raises:
        InputError: the agent does not fit the scenario, a folder cannot be made, or another command trains there.
        RunError: a training broke; its last checkpoint is kept.
    """
    missing = [one for one in planned if not is_done(one)]
    jobs = [Job(f"{one.agent} seed {one.seed}", one, one.episodes) for one in missing]
    with ExitStack() as held:
        made: list[Path] = []
        ours: list[SeedTraining] = []
        held.callback(lambda: remove_empty(made))  # after the locks, which lie in them
        try:
            for one in missing:
                made[:0] = make_folder(one.folder, "--out")
                if len(ours) < _MOST_HELD:
                    held.enter_context(lock_folder(one.folder, "training", "--out"))
                ours.append(one)
                if _is_free(one.folder):
                    _note(one)
            with watching(jobs) as watch:
                work(train_one, jobs, processes, watch)
        except BaseException:
            for one in ours:
                _withdraw(one)
            raise
    return len(missing)


def _withdraw(training: SeedTraining) -> None:
    """Remove what a training without a checkpoint has left; what others have put there stays."""
    if training.has_checkpoint:
        return
    from cosim_agents.train import BOARD, CURVE  # noqa: PLC0415 - imports torch

    shutil.rmtree(training.folder / BOARD, ignore_errors=True)
    for name in (CURVE, SETTINGS):
        with suppress(OSError):
            (training.folder / name).unlink()


def train_one(training: SeedTraining, tell: Tell) -> None:
    """Train one seed, from its last checkpoint if there is one; it stops only where it has just written one."""
    from cosim_agents.learners.catalog import agent_spec  # noqa: PLC0415 - imports torch
    from cosim_agents.train import train  # noqa: PLC0415 - imports torch

    with share_lock(training.folder):
        train(
            training.trained_on,
            agent_spec(training.agent, training.options),
            training.seed,
            training.episodes,
            training.epochs,
            training.folder,
            training.checkpoint_every,
            at_checkpoints(tell, training.checkpoint_every),
        )


def at_checkpoints(tell: Tell, every: int) -> Callable[[int, "EpisodeLog"], None]:
    """Return the progress function for `cosim_agents.train.train`, which reports episodes and stops at checkpoints."""

    def episode_done(done: int, _: "EpisodeLog") -> None:
        tell(done, may_stop=done % every == 0)

    return episode_done


def _note(training: SeedTraining) -> None:
    text = json.dumps({**training.settings(), **_trained_on(training), "versions": versions()}, indent=1)
    write_durably(training.folder / SETTINGS, lambda sink: sink.write(text.encode()))


def _trained_on(training: SeedTraining) -> dict[str, Any]:
    """Return the whole scenario, or the identity of the environment, by what it is."""
    if isinstance(training.trained_on, Loaded):
        return {"scenario": as_json(training.trained_on.scenario)}
    return {"environment": training.trained_on.identity}


# --- what came of it -----------------------------------------------------------------------------------------------


def read_curve(path: Path, episodes: int | None = None) -> dict[str, FloatArray]:
    """Return the columns of a training's curve.csv but the episode's number, (E,) each: a row for each episode.

    Args:
        path: the file.
        episodes: number of episodes from the first; all by default.

    Raises:
        InputError: it is missing or damaged, or has fewer.
    """
    from cosim_agents.train import curve_lines  # noqa: PLC0415 - imports torch

    rows = csv.DictReader(curve_lines(path, episodes))
    names = list(rows.fieldnames or ())[1:]
    told = list(rows)
    return {name: np.array([float(row[name]) for row in told]) for name in names}


def read_curves(planned: Sequence[SeedTraining]) -> dict[str, FloatArray]:
    """Return the curves of all seeds, (R, E) each; rows behind the last checkpoint are left out.

    Raises:
        InputError: one is missing or damaged, or has fewer episodes than were trained.
    """
    from cosim_agents.train import CURVE  # noqa: PLC0415 - imports torch

    curves = [read_curve(one.folder / CURVE, one.episodes) for one in planned]
    return {name: np.array([one[name] for one in curves]) for name in curves[0]}


def last_episodes(episodes: int) -> int:
    """Return how many episodes at the end a table sums up: a quarter, at most 50."""
    return max(1, min(50, episodes // 4))


def final(curves: Mapping[str, FloatArray]) -> dict[str, Estimate]:
    """Return the results of the last episodes, in which agents explore: interquartile means over the seeds.

    Args:
        curves: curves as returned by `read_curves`.
    """
    episodes = last_episodes(curves["reward"].shape[1])
    end = {name: values[:, -episodes:].sum(axis=1) for name, values in curves.items()}  # (R,)
    if "tasks" not in end:
        return {
            f"{name} of an episode": interval(values / episodes, stream(0, f"bootstrap/{name} of an episode"))
            for name, values in end.items()
        }
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = {
            "reward of an episode": (end["reward"] / episodes, ""),
            "cost of a task": (end["cost"] / end["tasks"], ""),
            "latency of a task": (end["latency_s"] / end["tasks"], "s"),
            "vehicle energy of a task": (end["energy_j"] / end["tasks"], "J"),
            "offloaded": (end["offloaded"] / end["tasks"], ""),
        }
    return {
        name: interval(values, stream(0, f"bootstrap/{name}"), unit=unit) for name, (values, unit) in ratios.items()
    }


def draw_learning_curves(path: Path, planned: Sequence[SeedTraining], curves: Mapping[str, FloatArray]) -> None:
    """Draw the learning curves in one picture.

    Args:
        path: the picture to write.
        planned: the trainings, one for each seed.
        curves: their curves, as returned by `read_curves`.

    Raises:
        InputError: it cannot be written.
    """
    from cosim.experiments.figures import draw_curves  # noqa: PLC0415 - imports Matplotlib

    first, agent, episodes = planned[0].trained_on, planned[0].agent, curves["reward"].shape[1]
    window = max(1, min(20, episodes // 10))
    rng = stream(0, "bootstrap/curves")
    scenario = isinstance(first, Loaded)
    names = ("reward", "cost", "latency_s", "energy_j") if scenario else tuple(curves)[:_MOST_DRAWN]
    drawn = {name: curve(smoothed(curves[name], window), rng) for name in names}
    said = f"interquartile mean over {len(planned)} seeds, pointwise 95 % bootstrap band, mean of {window} episodes"
    draw_curves(path, f"{first.scenario.name if isinstance(first, Loaded) else first.name}: {agent}", said, drawn)
