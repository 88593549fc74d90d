"""How much a command tells: `--quiet` and `--log-level`, before or after any command; logging goes to stderr."""

import functools
import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO, Annotated, Any, Final, Literal, TypeVar

import typer
from typer.models import CommandInfo

from cosim.cli.answers import keys_line
from cosim.cli.output import own_output

Level = Literal["debug", "info", "warning", "error"]
LEVEL: Final = "Lines on stderr about what is done. By default warning."
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        help="Print only errors and what was asked for; of checks those that failed.",
    ),
]
LogLevel = Annotated[Level | None, typer.Option("--log-level", help=LEVEL)]
_LOG: Final = logging.getLogger("cosim")
_QUIET: Final = ContextVar("quiet", default=False)
_Command = TypeVar("_Command", bound=Callable[..., Any])


def quiet() -> bool:
    """Return whether the command is to print only errors and what was asked for."""
    return _QUIET.get()


def choose(quieter: bool, level: Level | None) -> None:
    """Follow the options of a command line; one that is not given changes nothing."""
    if quieter:
        _QUIET.set(True)
    if level is not None:
        _LOG.setLevel(level.upper())


@contextmanager
def listening() -> Iterator[None]:
    """Write log records to stderr for one command, from warnings on, and forget its options afterwards."""
    before, token, handler = _LOG.level, _QUIET.set(False), _Stderr()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S"))
    _LOG.setLevel(logging.WARNING)
    _LOG.addHandler(handler)
    pictures = logging.getLogger("matplotlib")  # which warns where it cannot keep its list of fonts, and goes on
    told = pictures.level
    pictures.setLevel(logging.ERROR)
    try:
        yield
    finally:
        pictures.setLevel(told)
        _LOG.removeHandler(handler)
        _LOG.setLevel(before)
        _QUIET.reset(token)


class _Stderr(logging.StreamHandler[IO[str]]):
    """Writes to the stderr of the moment, which a progress bar redirects."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        self.stream = sys.stderr
        super().emit(record)


class Commands(typer.Typer):
    """A Typer application each command of which takes `--quiet` and `--log-level` too, and has stdout for itself."""

    def command(self, *arguments: Any, **named: Any) -> Callable[[_Command], _Command]:
        """Register a command."""
        register = super().command(*arguments, **named)

        def decorate(function: _Command) -> _Command:
            register(_with_options(function))
            return function

        return decorate

    def commands(self, group: str) -> dict[str, CommandInfo]:
        """Return the commands by the words that they are called with, after those of the group."""
        return {
            f"{group} {one.name or getattr(one.callback, '__name__', '')}".strip(): one
            for one in self.registered_commands
        }

    def name_keys(self, group: str) -> None:
        """Add to the help of each command the keys of its JSON object."""
        for name, one in self.commands(group).items():
            one.epilog = "\n\n".join(filter(None, (one.epilog, keys_line(name))))


def _with_options(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def called(*arguments: Any, quiet: bool, log_level: Level | None, **named: Any) -> Any:
        choose(quiet, log_level)
        with own_output():
            return function(*arguments, **named)

    own = inspect.signature(function)
    options = (
        inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Quiet),
        inspect.Parameter("log_level", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=LogLevel),
    )
    called.__annotations__ = {**function.__annotations__, "quiet": Quiet, "log_level": LogLevel}
    called.__signature__ = own.replace(parameters=[*own.parameters.values(), *options])  # type: ignore[attr-defined]
    return called
