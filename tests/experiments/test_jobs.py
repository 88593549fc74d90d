"""Jobs in processes of their own: results in order, and no failure that leaves a process behind."""

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import experiment_jobs
import pytest

from cosim.errors import InputError, RunError
from cosim.experiments.jobs import Job, Watch, cores, work


class Told(Watch):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []

    def began(self, job: int) -> None:
        """A job began."""
        self.heard.append(("began", job))

    def ended(self, job: int) -> None:
        """A job ended."""
        self.heard.append(("ended", job))

    def stopping(self) -> None:
        """All stop."""
        self.heard.append(("stopping", -1))


def test_results_come_in_the_order_of_the_jobs() -> None:
    """Whichever job ends first, its result stands in its place; each process keeps to one thread, ours to its own."""
    before = os.environ.get("OMP_NUM_THREADS")
    told = Told()
    jobs = [Job(str(number), number, 1.0) for number in range(5)]
    results = work(experiment_jobs.late_first, jobs, 2, told)
    assert results == [(number, "1") for number in range(5)]
    assert sorted(told.heard) == sorted([(word, number) for number in range(5) for word in ("began", "ended")])
    assert os.environ.get("OMP_NUM_THREADS") == before
    assert not multiprocessing.active_children()


def test_nothing_to_do() -> None:
    """No jobs, no processes."""
    assert work(experiment_jobs.square, [], 4) == []
    assert cores() >= 1


@pytest.mark.parametrize(
    ("kind", "error", "told"),
    [
        ("input", InputError, "^a.yaml: x=1: wrong; correct it$"),
        ("run", RunError, "^broke at t=3 s$"),
        ("fault", KeyError, "a fault of the program"),
        ("killed", RunError, "^bad: its process was killed by SIGKILL, perhaps for want of memory; run the same"),
        ("exit", RunError, "^bad: its process ended with status 7; run the same command again to go on$"),
    ],
)
def test_a_failure_stops_all(kind: str, error: type[Exception], told: str) -> None:
    """The error of a job is raised as it was, a death is told with the job's name, and its neighbour is stopped."""
    jobs = [Job("endless", "wait", 1.0), Job("bad", kind, 1.0), Job("never", "wait", 1.0)]
    watch = Told()
    with pytest.raises(error, match=told):
        work(experiment_jobs.fail, jobs, 2, watch)
    assert ("stopping", -1) in watch.heard
    assert ("began", 2) not in watch.heard
    assert not multiprocessing.active_children()


def test_an_interrupt_stops_all() -> None:
    """Ctrl-C in the middle ends every process and comes through."""
    jobs = [Job("endless", "wait", 1.0), Job("too", "wait", 1.0)]
    timer = threading.Timer(2.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    began_s = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        work(experiment_jobs.fail, jobs, 2)
    timer.cancel()
    assert time.monotonic() - began_s < 20.0
    assert not multiprocessing.active_children()


class Stopper(Told):
    """Ctrl-C at the first sign of progress."""

    def progressed(self, job: int, done: float) -> None:  # noqa: ARG002 - of Watch
        """Stops."""
        raise KeyboardInterrupt


def test_a_job_stops_where_it_may(tmp_path: Path) -> None:
    """Progress that does not allow it stops no job: it goes on to a place where it has kept what it did."""
    note = tmp_path / "note"
    with pytest.raises(KeyboardInterrupt):
        work(experiment_jobs.careful, [Job("careful", str(note), 50.0)], 1, Stopper())
    assert note.read_text() == "whole"


def test_prints_of_a_job_do_not_reach_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    """What a job prints goes to stderr: stdout belongs to the command."""
    work(experiment_jobs.fail, [Job("chatty", "print", 1.0)], 1)
    said = capfd.readouterr()
    assert said.out == ""
    assert "printed by a job" in said.err
