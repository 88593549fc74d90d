"""Independent jobs in processes of their own, a few at a time: the runs of a comparison, the seeds of a training.

Processes are spawned, since libsumo knows one simulation in a process and threads do not survive a fork. Each numerical
library keeps to one thread, so that a result does not depend on how many jobs run beside it.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from cosim.errors import InputError, RunError

A = TypeVar("A")
R = TypeVar("R")

PATIENCE_S: Final = 60.0
"""So long a job may take to come to a place where it can stop; then its process is killed."""
_TOLD_S: Final = 0.1
_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Job(Generic[A]):
    """A piece of work that knows nothing of the others."""

    label: str
    argument: A
    total: float
    """Progress at its end, for a bar."""


class Tell(Protocol):
    """What a job reports its progress with."""

    def __call__(self, done: float, /, may_stop: bool = True) -> None:
        """So much of its total is done.

        Args:
            done: so far.
            may_stop: raise KeyboardInterrupt if the job is to stop; False where it would lose what it has done.
        """
        ...


class Watch:
    """Is told how the jobs go on; this one does not care."""

    def began(self, job: int) -> None:
        """A process has taken the job of that number."""

    def progressed(self, job: int, done: float) -> None:
        """So much of its total is done."""

    def ended(self, job: int) -> None:
        """It is done."""

    def stopping(self) -> None:
        """Those that run are asked to stop."""


Watching: TypeAlias = Callable[[Sequence[Job[Any]]], AbstractContextManager[Watch]]
"""Shows the jobs for as long as they are worked on."""


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def work(call: Callable[[A, Tell], R], jobs: Sequence[Job[A]], processes: int, watch: Watch | None = None) -> list[R]:
    """Do the jobs; their results, in the order of the jobs.

    The first failure, or an interrupt, stops all others where they can stop, and is raised again here. A second
    interrupt kills them.

    Args:
        call: does one job; a function of a module, its argument and result cross a pipe.
        jobs: begun in this order.
        processes: at once.
        watch: told of progress.

    Raises:
        InputError: as a job raised it, as for RunError and any other.
        RunError: a process died.
    """
    watch = watch or Watch()
    waiting = deque(range(len(jobs)))
    results: dict[int, R] = {}
    crew: list[_Worker[A, R]] = []
    try:
        with _one_thread():
            crew.extend(_Worker(call) for _ in range(min(processes, len(jobs))))
        for worker in crew:
            _hand_over(worker, waiting, jobs, watch)
        while busy := [worker for worker in crew if worker.job is not None]:
            for ready in connection.wait([worker.pipe for worker in busy]):
                worker = next(worker for worker in busy if worker.pipe is ready)
                kind, value = worker.hear(jobs)
                job = worker.job
                assert job is not None  # noqa: S101 - it is among the busy ones
                if kind == "progress":
                    watch.progressed(job, value)
                    continue
                results[job] = value
                watch.ended(job)
                _hand_over(worker, waiting, jobs, watch)
    except BaseException:
        watch.stopping()
        raise
    finally:
        _dismiss(crew)
    return [results[job] for job in range(len(jobs))]


def _hand_over(worker: "_Worker[A, R]", waiting: deque[int], jobs: Sequence[Job[A]], watch: Watch) -> None:
    worker.job = waiting.popleft() if waiting else None
    if worker.job is not None:
        watch.began(worker.job)
        with suppress(OSError):  # it died between two jobs: the next `hear` says so
            worker.pipe.send(jobs[worker.job].argument)


class _Worker(Generic[A, R]):
    """A process and our end of its pipe."""

    def __init__(self, call: Callable[[A, Tell], R]) -> None:
        context = multiprocessing.get_context("spawn")
        self.job: int | None = None
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, call), daemon=True)
        with _undisturbed():
            self.process.start()
        theirs.close()

    def hear(self, jobs: Sequence[Job[A]]) -> tuple[str, Any]:
        """The next message: progress or a result; a failure is raised."""
        label = "" if self.job is None else jobs[self.job].label
        try:
            kind, value = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(PATIENCE_S)
            raise RunError(f"{label}: {_death(self.process.exitcode)}; run the same command again to go on") from None
        if kind == "failed":
            raise value
        return kind, value


def _death(status: int | None) -> str:
    if status is None or status >= 0:
        return f"its process ended with status {status}"
    name = signal.Signals(-status).name
    return f"its process was killed by {name}" + (", perhaps for want of memory" if name == "SIGKILL" else "")


def _dismiss(crew: Sequence["_Worker[Any, Any]"]) -> None:
    """No more jobs; ask those that have one to stop, and see all go."""
    for worker in crew:
        with suppress(OSError):
            worker.pipe.send(None)
        if worker.job is not None:
            worker.process.terminate()
    deadline_s = time.monotonic() + PATIENCE_S
    try:
        for worker in crew:
            while worker.process.is_alive() and time.monotonic() < deadline_s:
                with suppress(EOFError, OSError):
                    while worker.pipe.poll(0.02):  # a full pipe must not hold it up
                        worker.pipe.recv()
                worker.process.join(0.02)
    finally:
        for worker in crew:
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A new process begins with these signals held back, until it can answer them; ours come after."""
    resource_tracker.ensure_running()  # it would let the signals in again
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


@contextmanager
def _one_thread() -> Iterator[None]:
    """New processes see that they may use one thread each."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# --- in the process ------------------------------------------------------------------------------------------------


class _Reporter:
    """Sends progress now and then, and stops the job once a signal was heard."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._sent_s = 0.0
        self.stopped = False
        for number in _SIGNALS:
            signal.signal(number, self._heard)

    def _heard(self, _number: int, _frame: FrameType | None) -> None:
        self.stopped = True

    def __call__(self, done: float, /, may_stop: bool = True) -> None:
        if self.stopped and may_stop:
            raise KeyboardInterrupt
        now_s = time.monotonic()
        if now_s - self._sent_s > _TOLD_S:
            self._sent_s = now_s
            self._pipe.send(("progress", done))


def _serve(pipe: Connection, call: Callable[[Any, Tell], Any]) -> None:
    """Do what comes through the pipe until it ends; what a job prints goes to stderr, stdout is the command's."""
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    tell = _Reporter(pipe)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    with suppress(EOFError, OSError, KeyboardInterrupt):  # who started it is gone, or has asked it to stop
        while (argument := pipe.recv()) is not None:
            try:
                answer: tuple[str, Any] = ("done", call(argument, tell))
            except KeyboardInterrupt:
                return
            except Exception as error:
                if tell.stopped:
                    return  # what a library made of it
                answer = ("failed", _portable(error))
            pipe.send(answer)


def _portable(error: Exception) -> Exception:
    """An error that survives the pipe."""
    told = traceback.format_exc()
    try:
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:
        return RuntimeError(told)
    if not isinstance(error, InputError | RunError):
        copy.add_note(told)
    return copy  # type: ignore[no-any-return]  # it is the error again
