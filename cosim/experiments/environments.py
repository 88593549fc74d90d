"""Environments of Gymnasium and PettingZoo in the place of scenarios: found by a word, policies compared in them."""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cosim.data_text import json_data
from cosim.errors import InputError, RunError
from cosim.experiments.contenders import Contender, contenders, need_learning
from cosim.experiments.folders import changed, lock_folder, make_folder
from cosim.experiments.jobs import Job, Tell, Watching, work
from cosim.experiments.runs import MeasuredRun
from cosim.locks import is_leftover, remove_empty
from cosim.scenario.document import shown
from cosim.scenario.load import bundled_scenarios
from cosim.trace.store.durable import write_durably

if TYPE_CHECKING:
    from cosim_agents.environments.known import KnownEnvironment

SETTINGS: Final = "environment.json"
_VERSIONED: Final = re.compile(r"-v\d+$")
"""How ids of Gymnasium end."""
_TABLES: Final = ("compare.csv", "compare.png")


def is_environment(word: str) -> bool:
    """Return whether a word of a command line names an environment and no scenario.

    A file and the name of a bundled scenario are scenarios, whatever else has that name; what has a colon is an
    environment, as `module:id` or `file.py:factory`, and so is an id that Gymnasium has registered.

    Raises:
        InputError: it is neither, and near to the id of an environment.
    """
    with suppress(OSError, ValueError):
        if Path(word).is_file() or word in bundled_scenarios():
            return False
    if ":" in word:
        return True
    if find_spec("gymnasium") is None or word.endswith((".yaml", ".yml")):
        return False
    import gymnasium  # noqa: PLC0415 - a scenario needs none

    known = list(gymnasium.registry)
    if word in known:
        return True
    near = difflib.get_close_matches(word, known, n=2)
    if near or _VERSIONED.search(word):
        near = [*difflib.get_close_matches(word, bundled_scenarios(), n=1), *near]
        remedy = f"did you mean {' or '.join(near)}?" if near else "name its package too, as my_package:My-v0"
        raise InputError(f"{shown(word)}: no such file, bundled scenario or registered environment; {remedy}")
    return False


def find_environment(word: str, options: Mapping[str, Any]) -> "KnownEnvironment":
    """Return the environment of a word, made once with its arguments.

    Args:
        word: id of Gymnasium, `module:id`, `module:factory` or `file.py:factory`.
        options: arguments that it is made with.

    Raises:
        InputError: the learning libraries are missing, or it cannot be made.
    """
    need_learning(word)
    from cosim_agents.environments.known import know_environment  # noqa: PLC0415 - imports torch

    return know_environment(word, options)


@dataclass(frozen=True, slots=True)
class PlannedEpisode:
    """An episode that a comparison needs."""

    environment: "KnownEnvironment"
    label: str
    policy: str
    seed: int
    steps: int
    """Most steps; 0: until the environment ends it."""


def plan_episodes(
    environment: "KnownEnvironment", words: Sequence[str], option: str, seeds: Sequence[int], steps: int
) -> tuple[tuple[Contender, ...], list[PlannedEpisode]]:
    """Return the policies and all their episodes, seed by seed, after a check that every policy can be made.

    Args:
        environment: what is played.
        words: policies: `random`, file.py:Class, a checkpoint or the folder of a training.
        option: option of the command line that names them, for messages.
        seeds: seeds of the episodes.
        steps: most steps of an episode; 0: until the environment ends it.

    Raises:
        InputError: a policy is not possible.
    """
    from cosim_agents.environments.policies import check_policy  # noqa: PLC0415 - imports torch

    against = contenders(words, option)
    planned = [
        PlannedEpisode(environment, one.label, one.policy(place), seed, steps)
        for place, seed in enumerate(seeds)
        for one in against
    ]
    for policy in dict.fromkeys(one.policy for one in planned):
        check_policy(environment, policy)
    return against, planned


def play_all(planned: Sequence[PlannedEpisode], processes: int, watching: Watching) -> list[MeasuredRun]:
    """Play all episodes and return their figures in the order of the plan.

    Args:
        planned: the episodes.
        processes: number of processes.
        watching: shows the progress.

    Raises:
        RunError: the environment or a policy failed, or a seed does not begin the same episode under every policy.
    """
    jobs = [Job(f"{one.label} seed {one.seed}", one, 1.0) for one in planned]
    with watching(jobs) as watch:
        measured = work(play_one, jobs, processes, watch)
    first: dict[int, MeasuredRun] = {}
    for one in measured:
        other = first.setdefault(one.seed, one)
        if one.same != other.same:
            raise RunError(
                f"{planned[0].environment.name}: reset(seed={one.seed}) begins another episode under {one.label} than "
                f"under {other.label}: no fair comparison; have the environment draw from its seed alone"
            )
    return measured


def play_one(planned: PlannedEpisode, tell: Tell) -> MeasuredRun:
    """Play one episode in an environment made anew."""
    from cosim_agents.environments.policies import play_policy  # noqa: PLC0415 - imports torch

    played = play_policy(planned.environment, planned.policy, planned.seed, planned.steps)
    tell(1.0)
    return MeasuredRun(
        planned.label,
        planned.policy,
        planned.seed,
        played.digest,
        (played.begins,),
        played.log,
        dict.fromkeys(played.log, ""),
    )


def check_tables(out: Path, environment: "KnownEnvironment") -> None:
    """Check that a folder for a comparison's tables is free, or holds those of this environment.

    Raises:
        InputError: it holds something else.
    """
    path = out / SETTINGS
    try:
        found = {one.name for one in out.iterdir() if not is_leftover(one.name)} if out.exists() else set()
        before = json_data(path.read_text(encoding="utf-8")) if SETTINGS in found else environment.identity
    except (OSError, ValueError) as error:
        raise InputError(f"{out}: cannot be read ({type(error).__name__}); give another --out") from None
    if found - {SETTINGS, *_TABLES} or (found and SETTINGS not in found):
        raise InputError(f"{out}: is taken by something else; give another --out")
    if before != environment.identity:
        raise InputError(
            f"{out}: holds a comparison in another environment: {changed(before, environment.identity)}; "
            "give another --out"
        )


def claim_tables(out: Path, environment: "KnownEnvironment") -> None:
    """Make the folder of a comparison's tables, and note the environment in it.

    Raises:
        InputError: it cannot be made, or holds something else.
    """
    made = make_folder(out, "--out")
    try:
        with lock_folder(out, "comparison", "--out"):
            check_tables(out, environment)  # again: another may have been quicker
            text = json.dumps(environment.identity, indent=1)
            write_durably(out / SETTINGS, lambda sink: sink.write(text.encode()))
    except BaseException:
        remove_empty(made)
        raise
