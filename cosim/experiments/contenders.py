"""The contenders of a comparison: policies named on a command line, trained agents among them."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from cosim_agents.registry import policy_file

from cosim.errors import InputError
from cosim.mobility.cache import file_hash
from cosim.scenario.load import override

_LEARNING: Final = ("torch", "stable_baselines3", "gymnasium", "pennylane", "tensorboard")


@dataclass(frozen=True, slots=True)
class Contender:
    """A policy, or the agents of a training, which take turns: agent i mod n decides in run i."""

    label: str
    """Name for folders, tables and pictures."""
    said: str
    """Word on the command line."""
    policies: tuple[str, ...]
    """Policies as a scenario names them."""

    def policy(self, run: int) -> str:
        """Return the policy of the run at that place in the order of seeds."""
        return self.policies[run % len(self.policies)]

    def contents(self, folder: Path) -> dict[str, str]:
        """Return the SHA-256 of the file of each policy; a policy known by a name alone has none.

        Args:
            folder: folder of the scenario, where policies are looked up before the working directory.
        """
        files = {policy: policy_file(policy, folder) for policy in self.policies}
        return {policy: file_hash(file) for policy, file in files.items() if file is not None}


def contenders(words: Sequence[str], option: str = "--policies") -> tuple[Contender, ...]:
    """Return a contender for each word: a policy's name, file.py:Class, a checkpoint, or the folder of a training.

    The folder of a training stands for the agents of all its seeds. A seed of a training is drawn as the run's seed is:
    with as many agents as runs, both enter the interval. With fewer agents than runs an agent decides in several, which
    makes the interval too narrow for a statement on training.

    Args:
        words: the policies.
        option: option of the command line that names them, for messages.

    Raises:
        InputError: an empty name, a name given twice, a folder without a trained agent, or a checkpoint without the
            learning libraries.

    Example:
        >>> [one.label for one in contenders(["greedy", "mine.py:Nearest"])]
        ['greedy', 'Nearest']
    """
    if not all(words):
        raise InputError(f"{option} '{','.join(words)}': an empty name; give names, file.py:Class or trained agents")
    doubled = sorted({word for word in words if words.count(word) > 1})
    if doubled:
        raise InputError(f"{option}: {doubled[0]} is given twice; name each once")
    found: list[Contender] = []
    for word in words:
        policies = _policies(word)
        taken = [one.label for one in found]
        label = stem = _label(word)
        number = 2
        while label in taken:
            label, number = f"{stem}-{number}", number + 1
        found.append(Contender(label, word, policies))
    return tuple(found)


def run_policy(word: str | None, folder: Path = Path()) -> list[str]:
    """Return the overrides that make a word of the command line the policy of one run.

    Of a training with several seeds the first agent decides. An agent is named with the SHA-256 of its checkpoint, so
    that runs under other weights have another id.

    Args:
        word: As for `contenders`; None leaves the scenario's policy.
        folder: Of the scenario, where checkpoints are looked for before the working directory.

    Raises:
        InputError: A folder without a trained agent, or an agent without the learning libraries.
    """
    if word is None or not word.strip():
        return override("policy", word)
    one = Contender("", word, _policies(word)[:1])
    content = one.contents(folder).get(one.policies[0]) if one.policies[0].endswith(".ckpt") else None
    if content is None:
        return override("policy", one.policies[0])
    return [f"policy={json.dumps({'name': one.policies[0], 'options': {'sha256': content}})}"]


def need_learning(what: str) -> None:
    """Check that the learning libraries are installed.

    Raises:
        InputError: one of them is not.
    """
    missing = [name for name in _LEARNING if find_spec(name) is None]
    if missing:
        raise InputError(f"{what}: needs {', '.join(missing)}; run pip install 'cosim-vec[learn]'")


def _policies(word: str) -> tuple[str, ...]:
    path = Path(word)
    try:
        folder = path.is_dir()
    except OSError:
        folder = False
    if folder:
        need_learning(word)
        return _trained(path)
    if path.suffix == ".ckpt":
        need_learning(word)
    return (word,)


def _trained(folder: Path) -> tuple[str, ...]:
    """Return the checkpoints of a training: that of the folder itself, or those of its seeds in order of number."""
    from cosim_agents.train import CHECKPOINT  # noqa: PLC0415 - imports torch

    if (folder / CHECKPOINT).is_file():
        return (str(folder / CHECKPOINT),)
    seeds = sorted(folder.glob(f"seed*/{CHECKPOINT}"), key=lambda path: (_number(path.parent.name), path))
    if not seeds:
        inside = sorted(path.parent.parent.name for path in folder.glob(f"*/seed*/{CHECKPOINT}"))
        hint = (
            f"name the agent's folder, as {folder / inside[0]}" if inside else "give a folder that `cosim train` made"
        )
        raise InputError(f"{folder}: holds no trained agent; {hint}")
    return tuple(map(str, seeds))


def _number(name: str) -> int:
    digits = re.sub(r"\D", "", name)
    return int(digits) if digits else 0


def _label(word: str) -> str:
    """Return a folder's name for a policy: the class of a file, or the training and seed of a checkpoint."""
    path = Path(word)
    name = path.name or path.resolve().name
    if ".py:" in word:
        name = word.rpartition(":")[2]
    elif path.suffix == ".ckpt":
        above = path.resolve().parent
        name = f"{above.parent.name}-{above.name}" if above.name.startswith("seed") else path.stem
    return re.sub(r"[^A-Za-z0-9._-]", "-", name).strip(".-") or "policy"
