"""Objects that other packages bring: found by entry-point group and name, and built with a scenario's options."""

import copy
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from cosim.errors import InputError
from cosim.user_code import KeptProcess, failed_at, failed_in, reason_of


def load_plugin(group: str, name: str) -> Any:
    """Return the object that an installed package declares under `name` in an entry-point group.

    Raises:
        InputError: no such name, two packages claim it, or the object cannot be imported.
    """
    found = [entry for entry in entry_points(group=group) if entry.name == name]
    if not found:
        known = ", ".join(sorted(entry.name for entry in entry_points(group=group))) or "none"
        raise InputError(
            f"no plug-in {name!r} in entry-point group {group} (installed: {known}); "
            "correct the name or install the package that declares it"
        )
    if len({entry.value for entry in found}) > 1:
        claims = ", ".join(sorted(entry.value for entry in found))
        raise InputError(f"plug-in {name!r} of {group} is declared more than once ({claims}); uninstall all but one")
    try:
        with KeptProcess():
            return found[0].load()
    except (Exception, SystemExit) as error:  # whatever a module does while it is imported
        raise InputError(
            f"plug-in {name!r} of {group} ({found[0].value}) cannot be imported: {reason_of(error)}; "
            f"reinstall its package, or correct it{failed_at(error)}"
        ) from error


def make_plugin(group: str, name: str, options: Mapping[str, Any], *arguments: Any) -> Any:
    """Call the plug-in `name` with `arguments` and its options as keywords, and return the result.

    Args:
        group: entry-point group.
        name: entry point.
        options: keyword arguments, from the scenario.
        arguments: positional arguments.

    Raises:
        InputError: as `load_plugin`; or the plug-in does not take these options, or fails for another reason.
    """
    who = f"plug-in {name!r} of {group}"
    factory = load_plugin(group, name)
    if not callable(factory):
        raise InputError(f"{who} is not callable; its entry point must name a class or function")
    try:
        with KeptProcess():
            return factory(*arguments, **copy.deepcopy(dict(options)))  # the scenario keeps its own
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{who} failed with options={dict(options)}: {reason_of(error)}; "
            f"correct its options, or it{failed_in(factory, error)}"
        ) from error
