"""How jobs that go on side by side are shown, and what is said when they are interrupted."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cosim import console
from cosim.commands.interrupt import asked_to_stop
from cosim.errors import RunError
from cosim.experiments.jobs import Job, Watch


class _Bars(Watch):
    def __init__(self, shown: Any, jobs: Sequence[Job[Any]]) -> None:
        self._shown = shown
        self._jobs = jobs
        self._all = shown.add_task("all", total=len(jobs))
        self._running: dict[int, Any] = {}

    def began(self, job: int) -> None:
        """A bar of its own."""
        self._running[job] = self._shown.add_task(f"  {self._jobs[job].label}", total=self._jobs[job].total)

    def progressed(self, job: int, done: float) -> None:
        """It grows."""
        self._shown.update(self._running[job], completed=done)

    def ended(self, job: int) -> None:
        """The bar goes, and that of all grows."""
        self._shown.remove_task(self._running.pop(job))
        self._shown.advance(self._all)

    def stopping(self) -> None:
        """The first bar says so."""
        self._shown.update(self._all, description="stopping; Ctrl-C again: at once")


@contextmanager
def watching(jobs: Sequence[Job[Any]]) -> Iterator[Watch]:
    """Bars on stderr, one for all and one for each that runs; nothing where stderr is no terminal."""
    if not jobs or not sys.stderr.isatty():
        yield Watch()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        yield _Bars(shown, jobs)


class _Lines(Watch):
    def __init__(self, jobs: Sequence[Job[Any]]) -> None:
        self._jobs = jobs
        self._done = 0

    def ended(self, job: int) -> None:
        """Which, and how many of all."""
        self._done += 1
        console.warn(f"{self._done}/{len(self._jobs)} {self._jobs[job].label}")


@contextmanager
def watching_for_hours(jobs: Sequence[Job[Any]]) -> Iterator[Watch]:
    """Bars on a terminal, a line for each finished job where stderr is none."""
    if sys.stderr.isatty():
        with watching(jobs) as bars:
            yield bars
    else:
        yield _Lines(jobs)


@contextmanager
def interruptible(kept: str) -> Iterator[None]:
    """Ctrl-C or SIGTERM, or the error that a library makes out of one, ends what is inside with one line.

    Args:
        kept: what of the work is kept, and how to go on.

    Raises:
        RunError: interrupted.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, KeyboardInterrupt) or asked_to_stop():
            raise RunError(f"interrupted; {kept}") from None
        raise
