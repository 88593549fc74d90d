"""What the command line prints: aligned text for people, one JSON object for machines, progress on a terminal."""

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import typer

from cosim.errors import InputError, RunError

STOPPED: Final = "interrupted; what was written is kept"


class Estimate(Protocol):
    """What a table needs of `cosim.trace.statistics.Estimate`, which imports SciPy."""

    @property
    def value(self) -> float:
        """The figure."""
        ...

    @property
    def half_width(self) -> float:
        """Half its interval."""
        ...

    @property
    def unit(self) -> str:
        """Of the figure."""
        ...


def say(text: str) -> None:
    """A line on stdout."""
    sys.stdout.write(f"{text}\n")


def warn(text: str) -> None:
    """A line on stderr, after the program's name."""
    sys.stderr.write(f"cosim: {text}\n")


def stopped(run_folder: Path) -> str:
    """What to say of a run that Ctrl-C has ended."""
    if not run_folder.exists() or not any(run_folder.iterdir()):
        return "interrupted before the run began; nothing is left of it"
    return f"{STOPPED}; look at it with `cosim trace summary {run_folder}` or run again for all of it"


def silence() -> None:
    """Send what is still to be printed nowhere, so that the interpreter's last flush finds no broken pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def failure(error: BaseException) -> tuple[int, str]:
    """Exit status and line of an expected failure; any other is a fault of cosim and is raised again."""
    usage = getattr(error, "format_message", None)  # of Typer's click or of click itself
    match error:
        case InputError():
            return 2, str(error)
        case RunError():
            return 1, str(error)
        case KeyboardInterrupt() | typer.Abort():
            return 1, STOPPED
        case BrokenPipeError():  # the reader of a pipe has seen enough
            silence()
            return 1, ""
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return 1, f"{where}{str(error.strerror or error).lower()}; make room or correct the path"
        case _ if usage is not None:
            return 2, f"{' '.join(usage().split())} Try cosim --help." if usage() else ""
    raise error


def say_json(value: Any) -> None:
    """One JSON object on stdout; numbers that are not finite become null."""
    say(json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def say_table(rows: Sequence[Sequence[str]], headers: Sequence[str] = ()) -> None:
    """Columns aligned by spaces, numbers to the right; never cut, so that a pipe gets everything."""
    shown = [list(map(str, row)) for row in ([headers, *rows] if headers else rows)]
    if not shown:
        return
    columns = list(zip(*shown, strict=True))
    widths = [max(map(len, column)) for column in columns]
    numeric = [bool(rows) and all(map(_is_number, column[1 if headers else 0 :])) for column in columns]
    for row in shown:
        cells = zip(row, widths, numeric, strict=True)
        say("  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in cells).rstrip())


def say_estimates(estimates: Mapping[str, Estimate]) -> None:
    """Key figures with the half widths of their intervals and their units."""
    rows = [(name, number(one.value), number(one.half_width, 2), one.unit) for name, one in estimates.items()]
    say_table(rows, ("figure", "value", "+-", "unit"))


def number(value: float, digits: int = 4) -> str:
    """A number for a table; `-` where there is none."""
    if not math.isfinite(value):
        return "-"
    if value == int(value) and abs(value) < 10**9:
        return str(int(value))
    return f"{value:.{digits}g}"


def shown(value: object) -> str:
    """A value for a table, as YAML writes it."""
    if value is None or isinstance(value, bool):
        return "-" if value is None else str(value).lower()
    if isinstance(value, float):
        return number(value)
    return ", ".join(map(shown, value)) if isinstance(value, tuple | list) else str(value)


@contextmanager
def progress(total_s: float, label: str) -> Iterator[Callable[[float], None] | None]:
    """A bar on stderr that follows the simulated time; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - only where a bar is drawn
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total_s)
        yield lambda time_s: bar.update(task, completed=time_s)


def _is_number(text: str) -> bool:
    try:
        return text == "-" or isinstance(float(text), float)
    except ValueError:
        return False


def _plain(value: Any) -> Any:
    """Only what JSON knows."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()  # a NumPy scalar
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
