"""What the command line prints: aligned text for people, one JSON object for machines, progress on a terminal."""

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import typer

from cosim.cli.loudness import quiet
from cosim.cli.output import write_answer
from cosim.errors import InputError, RunError
from cosim.quantity import ABSENT, digits, quantity, with_interval
from cosim.report.headline import headline

_HEADERS: Final = ("figure", "value", "+-", "unit", "")
_NO_MEMORY: Final = "there is not enough memory; close programs, raise the limit (ulimit -v), or make the task smaller"
_UNMAPPED: Final = ("failed to map segment", "can't start new thread")
STOPPED: Final = "interrupted; what was written is kept"


class EstimateLike(Protocol):
    """What a table needs of `cosim.trace.metrics.statistics.Estimate`, which imports SciPy."""

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
    write_answer(f"{text}\n")


def tell(text: str) -> None:
    """A line on stdout about what was written, unless the command is to be quiet."""
    if not quiet():
        say(text)


def warn(text: str) -> None:
    """A line on stderr, after the program's name, whatever a file's bytes have brought into it."""
    line = "".join(sign if sign.isprintable() else "?" for sign in " ".join(text.split()))
    with suppress(OSError, ValueError):  # a stderr that takes nothing ends no command
        sys.stderr.write(f"cosim: {line}\n")
        sys.stderr.flush()


def note(text: str) -> None:
    """A line on stderr that is no error: something to know, unless the command is to be quiet."""
    if not quiet():
        warn(text)


def stopped(run_folder: Path) -> str:
    """What to say of a run that Ctrl-C has ended."""
    if not run_folder.exists() or not any(run_folder.iterdir()):
        return "interrupted before the run began; nothing is left of it"
    return (
        f"{STOPPED}; look at it with `cosim trace summary {run_folder}`, go on with `cosim run --resume {run_folder}`"
    )


def examples(*lines: str) -> str:
    """What stands under a command's help, one line each."""
    return "\n\n".join(("Examples:", *lines))


def silence() -> None:
    """Send what is still to be printed nowhere, so that the interpreter's last flush finds no broken pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def failure(error: BaseException) -> tuple[int, str]:
    """Exit status and line of an expected failure; any other is a fault of cosim and is raised again."""
    unmapped = isinstance(error, ImportError | RuntimeError) and any(told in str(error) for told in _UNMAPPED)
    if isinstance(error, MemoryError) or unmapped:  # or a library or the stack of a thread did not fit
        error = RunError(_NO_MEMORY)
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
    say(json.dumps(_json_value(value), indent=2, ensure_ascii=False, allow_nan=False))


def say_table(rows: Sequence[Sequence[str]], headers: Sequence[str] = ()) -> None:
    """Columns aligned by spaces, numbers to the right; never cut, so that a pipe gets everything."""
    shown = [list(map(str, row)) for row in ([headers, *rows] if headers else rows)]
    if not shown:
        return
    columns = list(zip(*shown, strict=True))
    widths = [max(map(len, column)) for column in columns]
    numeric = [_is_numeric(column[1 if headers else 0 :]) for column in columns]
    for row in shown:
        cells = zip(row, widths, numeric, strict=True)
        say("  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in cells).rstrip())


def say_estimates(estimates: Mapping[str, EstimateLike]) -> None:
    """All key figures with the half widths of their intervals and their units."""
    rows = [(name, *with_interval(one.value, one.half_width, one.unit)) for name, one in estimates.items()]
    say_table(rows, ("figure", "value", "+-", "unit"))


def say_summary(estimates: Mapping[str, EstimateLike]) -> None:
    """The key figures that a person asks for first: shares in percent, reasons and sites folded."""
    rows: list[tuple[str, ...]] = []
    for key, label, factor, unit in headline():
        if key not in estimates or not math.isfinite(estimates[key].value):
            continue
        told = _hosts(estimates) if key == "utilisation" else ""
        rows.append((label, *_summed(estimates[key], factor, unit), told))
        if key == "late_ratio":
            rows.append(_lost(estimates))
    say_table(rows, _HEADERS)


def say_left(folder: Path, picture: Path | None, digest: str, wall_s: float, duration_s: float) -> None:
    """What a run left behind and how long it took."""
    drawn = [] if picture is None else [("picture", str(picture))]
    speed = f"{quantity(wall_s, 's')}, {digits(duration_s / max(wall_s, 1e-3))} times real time"
    say("")
    say_table([("run folder", str(folder)), *drawn, ("digest", digest), ("wall time", speed)])


def say_profile(spent_s: Mapping[str, float]) -> None:
    """CPU time by layer, those that took none left out, and their sum."""
    from cosim.profiling import LAYERS

    whole_s = sum(spent_s.values())
    rows = [
        (layer, f"{one_s:.3f}", f"{100.0 * one_s / whole_s:.1f}", LAYERS[layer])
        for layer, one_s in spent_s.items()
        if one_s > 0.0
    ]
    say("")
    say_table([*rows, ("all", f"{whole_s:.3f}", "100.0", "")], ("layer", "CPU s", "%", "what it holds"))


def _lost(estimates: Mapping[str, EstimateLike]) -> tuple[str, ...]:
    """All losses in one row, with the reasons that occurred, in percent."""
    reasons = {key[5:-6].replace("_", " "): one.value for key, one in estimates.items() if key.startswith("lost_")}
    total = 100.0 * sum(reasons.values())
    told = ", ".join(f"{name} {digits(100.0 * value)}" for name, value in reasons.items() if value > 0.0)
    return "lost", digits(total), "", "%", told


def _summed(one: EstimateLike, factor: float, unit: str) -> tuple[str, str, str]:
    told = with_interval(one.value * factor, one.half_width * factor, unit)
    return told.value, "" if told.half_width in (ABSENT, "0") else told.half_width, told.unit


def _hosts(estimates: Mapping[str, EstimateLike]) -> str:
    """The least and the most used site, in percent."""
    used = {key.partition("/")[2]: one.value for key, one in estimates.items() if key.startswith("utilisation/")}
    used.pop("cloud", None)
    if len(used) < 2:
        return ""
    ends = (min(used, key=used.__getitem__), max(used, key=used.__getitem__))
    return " to ".join(f"{name} {digits(100.0 * used[name])}" for name in ends)


def table_cell(value: object) -> str:
    """A value for a table, as YAML writes it."""
    if value is None or isinstance(value, bool):
        return "-" if value is None else str(value).lower()
    if isinstance(value, float):
        return f"{value:.9g}"
    return ", ".join(map(table_cell, value)) if isinstance(value, tuple | list) else str(value)


@contextmanager
def progress(total: float, label: str, unit: str = "s") -> Iterator[Callable[[float], None] | None]:
    """A bar on stderr that follows the simulated time, or what else is counted; nothing where stderr is no terminal."""
    if quiet() or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn(f"{{task.completed:.0f}}/{{task.total:.0f}} {unit}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda time_s: bar.update(task, completed=time_s)


@contextmanager
def working(label: str) -> Iterator[Callable[[str], None]]:
    """A sign of life on stderr for work whose length is not known; nothing where stderr is no terminal.

    What is yielded shows how far the work is, after the label.
    """
    if quiet() or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status(label) as status:
        yield lambda how_far: status.update(f"{label}: {how_far}")


def _is_numeric(column: Sequence[str]) -> bool:
    return any(column) and all(map(_is_number, column))


def _is_number(text: str) -> bool:
    try:
        return text in ("", "-") or isinstance(float(text.replace(",", "")), float)
    except ValueError:
        return False


def _json_value(value: Any) -> Any:
    """Only what JSON knows."""
    if is_dataclass(value) and not isinstance(value, type):
        return _json_value(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()  # a NumPy scalar
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
