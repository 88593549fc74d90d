"""Independent jobs, several at a time: the runs of a comparison, the seeds of a training.

A single job, and with one process every job, runs in this process, since a new one needs seconds for its imports.
Several at a time have processes of their own, spawned, since libsumo allows one simulation in a process and threads do
not survive a fork. While jobs run, here or there, each numerical library keeps to one thread, so that a result depends
neither on that nor on how many jobs run beside it.
"""

import ctypes
import logging
import math
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from cosim.errors import InputError, RunError
from cosim.experiments.threads import one_thread, one_thread_when_loaded

logger = logging.getLogger(__name__)

A = TypeVar("A")
R = TypeVar("R")

PATIENCE_S: Final = 60.0
"""Time that a job has to reach a place where it can stop; then it is ended wherever it is."""
_REPORT_EVERY_S: Final = 0.1
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Job(Generic[A]):
    """A piece of work that is independent of the others."""

    label: str
    argument: A
    total: float
    """Progress at its end, for a progress bar."""


class Tell(Protocol):
    """The function with which a job reports its progress."""

    def __call__(self, done: float, /, may_stop: bool = True) -> None:
        """Report how much of the job's total is done.

        Args:
            done: progress so far.
            may_stop: whether to raise KeyboardInterrupt if the job is to stop; False where it would lose what it has
                done.
        """
        ...


class Watch:
    """An observer of the jobs; this one ignores everything."""

    def began(self, job: int) -> None:
        """Note that the job of that number has begun."""

    def progressed(self, job: int, done: float) -> None:
        """Note how much of the job's total is done."""

    def ended(self, job: int) -> None:
        """Note that the job is done."""

    def stopping(self) -> None:
        """Note that the running jobs are asked to stop."""


class _Logged(Watch):
    """Logs when jobs begin and end, for another watch."""

    def __init__(self, watch: Watch, jobs: "Sequence[Job[Any]]") -> None:
        self._watch = watch
        self._jobs = jobs
        self._begun_s: dict[int, float] = {}

    def began(self, job: int) -> None:
        logger.info("%s begins", self._jobs[job].label)
        self._begun_s[job] = time.monotonic()
        self._watch.began(job)

    def progressed(self, job: int, done: float) -> None:
        self._watch.progressed(job, done)

    def ended(self, job: int) -> None:
        logger.info("%s ends after %.3f s", self._jobs[job].label, time.monotonic() - self._begun_s[job])
        self._watch.ended(job)

    def stopping(self) -> None:
        logger.info("the jobs are being stopped")
        self._watch.stopping()


Watching: TypeAlias = Callable[[Sequence[Job[Any]]], AbstractContextManager[Watch]]
"""A context manager that shows the jobs for as long as they are worked on."""


def usable_processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def work(call: Callable[[A, Tell], R], jobs: Sequence[Job[A]], processes: int, watch: Watch | None = None) -> list[R]:
    """Do jobs, several at a time, and return their results in the order of the jobs.

    The first failure, or an interrupt, stops all others where they can stop, and is raised again here. A second
    interrupt ends them at once.

    Args:
        call: does one job; a function of a module, since it, its argument and its result cross a pipe.
        jobs: the jobs, begun in this order.
        processes: number of processes; with 1, or for a single job, this process does them.
        watch: observer of the progress.

    Raises:
        InputError: raised by a job, as are RunError and any other error.
        RunError: a process died.

    Example:
        >>> def double(number, tell):
        ...     tell(1.0)
        ...     return 2 * number
        >>> work(double, [Job("first", 1, total=1.0), Job("second", 2, total=1.0)], processes=1)
        [2, 4]
    """
    watch = _Logged(watch or Watch(), jobs)
    at_once = min(processes, len(jobs))
    return _in_processes(call, jobs, at_once, watch) if at_once > 1 else _in_this_process(call, jobs, watch)


class _Stop:
    """The reason why jobs are to stop, once there is one."""

    def __init__(self) -> None:
        self.why: BaseException | None = None
        self._deadline_s = math.inf

    def ask(self, why: BaseException) -> None:
        """Ask jobs to stop: where they may, and after PATIENCE_S wherever they are."""
        self.why = why
        self._deadline_s = time.monotonic() + PATIENCE_S

    def check(self, may_stop: bool) -> None:
        """Raise the reason if the job is to stop here."""
        if self.why is not None and (may_stop or time.monotonic() > self._deadline_s):
            raise self.why


class _Reporter:
    """Reports the progress of a job from time to time, and stops the job if it is to stop."""

    def __init__(self, report: Callable[[float], None], stop: _Stop) -> None:
        self._report = report
        self._reported_s = -math.inf
        self._stop = stop

    def __call__(self, done: float, /, may_stop: bool = True) -> None:
        self._stop.check(may_stop)
        now_s = time.monotonic()
        if now_s - self._reported_s > _REPORT_EVERY_S:
            self._reported_s = now_s
            self._report(done)


# --- in this process -----------------------------------------------------------------------------------------------


def _in_this_process(call: Callable[[A, Tell], R], jobs: Sequence[Job[A]], watch: Watch) -> list[R]:
    """Do one job after the other, each on a copy of its argument, as if it had crossed a pipe."""
    results: list[R] = []
    stop = _Stop()
    with _postponing_interrupts(stop, watch), _stdout_to_stderr(), one_thread():
        try:
            for number, job in enumerate(jobs):
                watch.began(number)
                argument: A = pickle.loads(pickle.dumps(job.argument))  # noqa: S301 - our own bytes
                results.append(call(argument, _Reporter(partial(_show, watch, stop, number), stop)))
                stop.check(may_stop=True)
                watch.ended(number)
        except BaseException as error:
            if stop.why is None or error is stop.why or not isinstance(error, Exception):
                raise
            raise stop.why from None  # what a library made of it
    return results


def _show(watch: Watch, stop: _Stop, job: int, done: float) -> None:
    """Report the progress of a job to the watch; an error of the watch asks the job to stop where it may."""
    if stop.why is not None:
        return
    try:
        watch.progressed(job, done)
    except BaseException as error:
        if stop.why is not None:  # a second interrupt
            raise
        stop.ask(error)


@contextmanager
def _postponing_interrupts(stop: _Stop, watch: Watch) -> Iterator[None]:
    """Turn the first interrupt that a signal handler raises into a request to stop; raise a second one at once."""

    def postponing(handler: Callable[[int, FrameType | None], Any]) -> Callable[[int, FrameType | None], None]:
        def heard(number: int, frame: FrameType | None) -> None:
            try:
                handler(number, frame)
            except KeyboardInterrupt as error:
                if stop.why is not None:
                    raise
                stop.ask(error)
                watch.stopping()

        return heard

    ours = threading.current_thread() is threading.main_thread()  # no other may change handlers, and none hears signals
    before = {number: handler for number in _SIGNALS if ours and callable(handler := signal.getsignal(number))}
    for number, handler in before.items():
        signal.signal(number, postponing(handler))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Send what is printed inside, by C code too, to stderr: stdout belongs to the command."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        ctypes.CDLL(None).fflush(None)  # of C, which would print later what it holds back
        os.dup2(kept, 1)
        os.close(kept)


# --- in processes of their own -------------------------------------------------------------------------------------


def _in_processes(call: Callable[[A, Tell], R], jobs: Sequence[Job[A]], processes: int, watch: Watch) -> list[R]:
    """Do so many jobs at once; the process that is done first gets the next one."""
    waiting = deque(range(len(jobs)))
    results: dict[int, R] = {}
    crew: list[_Worker[A, R]] = []
    try:
        with one_thread_when_loaded():
            crew.extend(_Worker(call) for _ in range(processes))
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
    """A worker process and our end of its pipe."""

    def __init__(self, call: Callable[[A, Tell], R]) -> None:
        context = multiprocessing.get_context("spawn")
        self.job: int | None = None
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, call), daemon=True)
        with _undisturbed():
            self.process.start()
        theirs.close()

    def hear(self, jobs: Sequence[Job[A]]) -> tuple[str, Any]:
        """Receive the next message, progress or a result; raise a failure."""
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
    """End the workers: ask those that have a job to stop, and wait until all are gone."""
    for worker in crew:  # None ends an idle worker, the signal one that is in a job
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
    """Start a process with these signals blocked until it can handle them; ours are delivered afterwards."""
    resource_tracker.ensure_running()  # it would let the signals in again
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


# --- at the other end of the pipe ----------------------------------------------------------------------------------


def _serve(pipe: Connection, call: Callable[[Any, Tell], Any]) -> None:
    """Do the jobs that come through the pipe until it ends; what a job prints goes to stderr, not to the command's."""
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    stop = _Stop()
    for number in _SIGNALS:
        signal.signal(number, lambda *_: stop.ask(KeyboardInterrupt()))
    tell = _Reporter(lambda done: pipe.send(("progress", done)), stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    with suppress(EOFError, OSError, KeyboardInterrupt):  # who started it is gone, or has asked it to stop
        while (argument := pipe.recv()) is not None:
            try:
                answer: tuple[str, Any] = ("done", call(argument, tell))
            except KeyboardInterrupt:
                return
            except Exception as error:
                if stop.why is not None:
                    return  # what a library made of it
                answer = ("failed", _portable(error))
            pipe.send(answer)


def _portable(error: Exception) -> Exception:
    """Return an error that survives the pipe, with its traceback as a note."""
    lines = traceback.format_exc()
    try:
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:
        return RuntimeError(lines)
    if not isinstance(error, InputError | RunError):
        copy.add_note(lines)
    return copy  # type: ignore[no-any-return]  # it is the error again
