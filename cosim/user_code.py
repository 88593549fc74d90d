"""How code that users and packages bring is called: policies, arrivals, path losses, parts and their figures.

It writes nothing that it is given, what fails in it is one line with its file and line, and what it does to the process
(working directory, standard streams) is undone.
"""

import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import wraps
from inspect import unwrap
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Final

from cosim.errors import InputError, RunError

_OURS: Final = ("cosim", "importlib", "simpy")
"""Packages whose frames lead to a user's code."""
_ALSO_OURS: Final = ("cosim_agents.registry", "cosim_agents.environments.known")
_STREAMS: Final = (1, 2)


def reason_of(error: BaseException) -> str:
    """Return the kind and the words of an error, on one line."""
    told = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, ValueError) and "read-only" in told:
        told += ", as all that it is given: write to a copy"
    return told if told.isprintable() else repr(told)


def module_of(path: Path, prefix: str) -> ModuleType | None:
    """Return a user's file as a module that is known under `prefix` and its name; None if it is not a Python file.

    Whatever the file raises is raised.
    """
    name = f"{prefix}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look the module up by its name
    spec.loader.exec_module(module)
    return module


def failed_at(error: BaseException, packages: Sequence[str] = ()) -> str:
    """Return where a user's code failed, as " at mine.py:6": the innermost line in the file or package that was called.

    Args:
        error: the error, with its traceback.
        packages: packages of which it may be; by default the first one that is not cosim's.

    Returns:
        "" where no such code is in the traceback.
    """
    found = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        package = module.partition(".")[0]
        if not packages and package not in _OURS and module not in _ALSO_OURS:
            packages = (package,)
        if package in packages:
            found = f" at {_shown(frame.f_code.co_filename)}:{line}"
    if not found and isinstance(error, SyntaxError) and error.filename and not packages:
        found = f" at {_shown(error.filename)}:{error.lineno}"
    return found


def failed_in(called: object, error: BaseException) -> str:
    """Return where a user's object failed, as `failed_at`: the innermost line of the package that the object is of.

    A decorator of another package, as `torch.no_grad()`, stands before it in the traceback.
    """
    package = str(getattr(called, "__module__", "")).partition(".")[0]
    return failed_at(error, [package]) or failed_at(error)


def defined_at(function: Callable[..., Any]) -> str:
    """Return where a function is defined, as " at mine.py:6"; "" for one that is not written in Python."""
    code = getattr(unwrap(function), "__code__", None)
    return "" if code is None else f" at {_shown(code.co_filename)}:{code.co_firstlineno}"


def _shown(file: str) -> str:
    """Return a path as short as it can be from where the user stands."""
    with suppress(OSError, ValueError):
        return str(Path(file).relative_to(Path.cwd()))
    return file


def _copy_of(descriptor: int) -> int:
    """Return a copy of a descriptor that is not of the standard streams, one of which may be closed just now."""
    copy = os.dup(descriptor)
    if copy > _STREAMS[-1]:
        return copy
    try:
        return _copy_of(copy)
    finally:
        os.close(copy)


class KeptProcess:
    """The working directory and the standard streams of this process, to be set again after others' code has run.

    A context manager. What that code closes or replaces is there again after `restore`.
    """

    def __enter__(self) -> "KeptProcess":
        self._streams = sys.stdout, sys.stderr
        self._copies: dict[int, int] = {}
        self._folder: int | None = None
        with suppress(OSError):  # a folder that is gone, or that nobody may read
            folder = os.open(".", os.O_RDONLY)
            self._folder = _copy_of(folder)
            os.close(folder)
        for number in _STREAMS:
            with suppress(OSError):  # closed before we came
                self._copies[number] = _copy_of(number)
        return self

    def restore(self) -> None:
        """Set folder and streams as they were."""
        if self._folder is not None:
            os.fchdir(self._folder)
        sys.stdout, sys.stderr = self._streams
        for number, copy in self._copies.items():
            try:
                os.fstat(number)
            except OSError:
                os.dup2(copy, number)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.restore()
        for handle in (*self._copies.values(), *(() if self._folder is None else (self._folder,))):
            os.close(handle)


def guarded(who: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a user's function, of which an error is a RunError of one line.

    It gets copies of arrays, which it cannot write; of the arrays that it returns copies are kept, because it may write
    its own again. A generator's values are returned as a list.

    Args:
        who: what the function is, for that line.
        call: the function.
    """
    import numpy as np  # noqa: PLC0415 - a command that prints its help needs none

    from cosim.types import read_only  # noqa: PLC0415 - likewise

    def copied(value: Any) -> Any:
        return read_only(value.copy()) if isinstance(value, np.ndarray) else value

    @wraps(call)
    def called(*arguments: Any, **named: Any) -> Any:
        try:
            with KeptProcess():
                found = call(*map(copied, arguments), **{name: copied(value) for name, value in named.items()})
                if isinstance(found, np.ndarray):
                    return found.copy()
                return list(found) if isinstance(found, Iterator) else found
        except (InputError, RunError):
            raise
        except (Exception, SystemExit) as error:
            raise RunError(f"{who} failed ({reason_of(error)}); correct it{failed_in(call, error)}") from error

    return called


class GuardedObject:
    """An object of a package, with its methods `guarded` and its other attributes as they are.

    Args:
        who: what the object is, for the line of an error.
        made: the object.
    """

    def __init__(self, who: str, made: Any) -> None:
        self.made = made
        self._who = who

    def __getattr__(self, name: str) -> Any:
        """Return the object's attribute; only called for those that it has and this does not."""
        if name in ("made", "_who"):  # while it is being copied
            raise AttributeError(name)
        value = getattr(self.made, name)
        if not callable(value):
            return value
        method = self.__dict__[name] = guarded(f"{self._who}: {name}()", value)
        return method


def failure_of(packages: Mapping[str, str], time_s: float, error: BaseException) -> RunError | None:
    """Return an error of a run as one line if it comes out of one of these packages, else None.

    Args:
        packages: what each package is in the run, by its name.
        time_s: simulated time of the error in s.
        error: the error.
    """
    for package, what in packages.items():
        at = failed_at(error, [package])
        if at:
            return RunError(f"{what} failed at t={time_s:g} s ({reason_of(error)}); correct it{at}")
    return None
