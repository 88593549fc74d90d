"""The registry of policies: from the name in a scenario to the object that decides."""

import copy
import difflib
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

import numpy as np

from cosim.decision import Policy
from cosim.errors import InputError
from cosim.plugins import load_plugin
from cosim.user_code import KeptProcess, failed_in, module_of
from cosim_agents.baselines import GreedyLatency, Local, Nearest, Random, RoundRobin
from cosim_agents.optimal import Optimal
from cosim_agents.quantum.search_policy import GroverSearch

ENTRY_POINTS: Final = "cosim.policies"

_BUILT_IN: Final[Mapping[str, Callable[..., Policy]]] = {
    "local": Local,
    "random": Random,
    "nearest": Nearest,
    "greedy-latency": GreedyLatency,
    "round-robin": RoundRobin,
    "optimal": Optimal,
    "grover-search": GroverSearch,
}


def policy_names() -> list[str]:
    """Return the names of the built-in policies, then those of installed packages."""
    return [*_BUILT_IN, *sorted({entry.name for entry in entry_points(group=ENTRY_POINTS)} - set(_BUILT_IN))]


def make_policy(name: str, options: Mapping[str, Any], rng: np.random.Generator, folder: Path = Path()) -> Policy:
    """Return the policy of a name.

    Args:
        name: a built-in name, a name from the entry-point group `cosim.policies`, or `file.py:Class` or a checkpoint
            `x.ckpt` with a path relative to `folder` or to the working directory.
        options: keyword arguments of the class.
        rng: random stream, given as `rng` to a class that takes an argument of this name.
        folder: folder of the scenario.

    Raises:
        InputError: there is no such policy, its module fails, or it does not take these options.

    >>> from cosim import load
    >>> from cosim.envs.loop import Loop
    >>> observation = Loop(load("per_task")).reset(seed=1).observation
    >>> policy = make_policy("greedy-latency", {}, np.random.default_rng(1))
    >>> len(policy.decide(observation).option) == len(observation)
    True
    """
    return _instance(name, _factory(name, folder), options, rng)


def policy_file(name: str, folder: Path) -> Path | None:
    """Return the file that `make_policy` reads a policy from; None for one that is known by a name alone, or not there.

    Args:
        name: as a scenario names the policy.
        folder: folder of the scenario.
    """
    if name in _BUILT_IN:
        return None
    file = name.rpartition(":")[0] or name
    if name.endswith((".py", ".ckpt")):
        file = name
    return _beside(file, folder) if file.endswith((".py", ".ckpt")) else None


def _factory(name: str, folder: Path) -> Callable[..., Any]:
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    file, _, attribute = name.rpartition(":")
    if name.endswith(".ckpt"):
        return _from_checkpoint(name, folder)
    if file.endswith(".py"):
        return _from_file(name, file, attribute, folder)
    if name.endswith(".py"):
        return _from_file(name, name, "", folder)
    if name in policy_names():
        loaded: Callable[..., Any] = _called(name, lambda: load_plugin(ENTRY_POINTS, name))
        return loaded
    if "/" in name and not Path(name).exists():
        raise InputError(f"policy = {_line(name)}: no such folder or file; check the path")
    if "/" in name and Path(name).is_dir():
        raise InputError(f"policy = {_line(name)}: is a folder; name the x.ckpt in it, or give the folder by --policy")
    near = difflib.get_close_matches(name, policy_names(), n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise InputError(
        f"policy = {_line(name)}: no such policy; {hint}use {', '.join(policy_names())}, file.py:Class or x.ckpt"
    )


def _from_checkpoint(name: str, folder: Path) -> Callable[..., Any]:
    path = _beside(name, folder)
    if path is None:
        raise InputError(f"policy = {_line(name)}: no such checkpoint beside the scenario or here; check the path")
    try:
        from cosim_agents.learned import Learned  # noqa: PLC0415 - torch takes seconds to import, rules do without
    except ImportError as error:
        raise InputError(f"policy = {_line(name)}: {_line(error)}; pip install 'cosim-vec[learn]'") from None
    return partial(Learned, path)


def _beside(file: str, folder: Path) -> Path | None:
    try:
        return next((path for path in (folder / file, Path(file)) if path.is_file()), None)
    except (OSError, ValueError):
        return None


def _from_file(name: str, file: str, attribute: str, folder: Path) -> Callable[..., Any]:
    path = _beside(file, folder)
    if path is None:
        raise InputError(f"policy = {_line(name)}: no file {_line(file)} beside the scenario or here; check the path")
    module = _called(name, lambda: module_of(path, "cosim_policy"))
    if module is None:
        raise InputError(f"policy = {_line(name)}: is not a Python file; give file.py:Class")
    factory = getattr(module, attribute, None)
    if not callable(factory):
        found = [key for key, value in vars(module).items() if isinstance(value, type) and hasattr(value, "decide")]
        problem = f"{path.name} has no class {_line(attribute)}" if attribute else "names no class"
        offer = f"; give {_line(file)}:{found[0]}" if found else ""
        raise InputError(f"policy = {_line(name)}: {problem}; classes with decide: {', '.join(found) or 'none'}{offer}")
    return factory  # type: ignore[no-any-return]  # whatever the user's module holds; checked once it is made


def _instance(name: str, factory: Callable[..., Any], options: Mapping[str, Any], rng: np.random.Generator) -> Policy:
    signature = _called(name, lambda: inspect.signature(factory))
    arguments = copy.deepcopy(dict(options))  # the scenario keeps its own
    if "rng" in signature.parameters:
        if "rng" in options:
            raise InputError(f"policy {_line(name)}: rng is not an option; it comes from the seed, leave it out")
        arguments["rng"] = rng
    try:
        signature.bind(**arguments)
    except TypeError as error:
        known = [key for key in signature.parameters if key != "rng"]
        raise InputError(
            f"policy {_line(name)}: options: {_line(error)}; it takes {', '.join(known) or 'no options'}"
        ) from None
    policy = _called(name, lambda: factory(**arguments), factory)
    if not callable(getattr(policy, "decide", None)):
        raise InputError(f"policy {_line(name)}: has no method decide(observation); add one")
    return policy  # type: ignore[no-any-return]  # a Policy by the check above


def _called(name: str, call: Callable[[], Any], of: object = None) -> Any:
    """Return the result of a user's code, or raise its failure as one line.

    Args:
        name: name of the policy.
        call: calls the code.
        of: the class or function that it is, where it is known.
    """
    try:
        with KeptProcess():
            return call()
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}" if not isinstance(error, ValueError) else str(error)
        raise InputError(
            f"policy {_line(name)}: {_line(reason)}; correct the policy or its options{failed_in(of, error)}"
        ) from error


def _line(value: object) -> str:
    """Return a value's text on one printable line."""
    text = " ".join(str(value).split())
    return text if text.isprintable() else repr(text)
