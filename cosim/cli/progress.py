"""Progress bars of jobs that run side by side, and what is said when they are interrupted."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from cosim.cli.interrupt import told_when_stopped
from cosim.cli.loudness import quiet
from cosim.experiments.jobs import Job, Watch


class _Bars(Watch):
    def __init__(self, shown: Any, jobs: Sequence[Job[Any]]) -> None:
        self._shown = shown
        self._jobs = jobs
        self._all = shown.add_task("all", total=len(jobs))
        self._running: dict[int, Any] = {}

    def began(self, job: int) -> None:
        """Show a bar for the job."""
        self._running[job] = self._shown.add_task(f"  {self._jobs[job].label}", total=self._jobs[job].total)

    def progressed(self, job: int, done: float) -> None:
        """Let the job's bar grow."""
        self._shown.update(self._running[job], completed=done)

    def ended(self, job: int) -> None:
        """Remove the job's bar, and let that of all grow."""
        self._shown.remove_task(self._running.pop(job))
        self._shown.advance(self._all)

    def stopping(self) -> None:
        """Say on the first bar that the jobs are being stopped."""
        self._shown.update(self._all, description="stopping; Ctrl-C again: at once")


@contextmanager
def progress_bars(jobs: Sequence[Job[Any]]) -> Iterator[Watch]:
    """Show bars on stderr, one for all jobs and one for each that runs; nothing where stderr is no terminal."""
    if not jobs or quiet() or not sys.stderr.isatty():
        yield Watch()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        yield _Bars(shown, jobs)


def interruptible(left: Callable[[], str]) -> AbstractContextManager[None]:
    """End what is inside with one line at Ctrl-C or SIGTERM, as `told_when_stopped` does.

    Args:
        left: says what of the work is kept, and how to go on.
    """
    return told_when_stopped(lambda: f"interrupted; {left()}")
