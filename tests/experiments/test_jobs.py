"""Jobs in this process or several: the same results in order, and no failure that leaves a process behind."""

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import experiment_jobs
import pytest

from cosim.errors import InputError, RunError
from cosim.experiments.jobs import Job, Watch, usable_processors, work


class Told(Watch):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []

    def began(self, job: int) -> None:
        """A job began."""
        self.heard.append(("began", job))

    def progressed(self, job: int, done: float) -> None:  # noqa: ARG002 - of Watch
        """A job went on."""
        self.heard.append(("progressed", job))

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


def test_one_at_a_time_runs_here() -> None:
    """With one process, or for a single job, no other is started; the watch is told the same, in order."""
    jobs = [Job(str(number), number, 1.0) for number in range(2)]
    told = Told()
    assert work(experiment_jobs.process, jobs, 1, told) == [os.getpid()] * 2
    assert told.heard == [(word, number) for number in range(2) for word in ("began", "progressed", "ended")]
    assert work(experiment_jobs.process, jobs[:1], 8) == [os.getpid()]
    assert os.getpid() not in work(experiment_jobs.process, jobs, 2)


def test_bits_do_not_depend_on_the_processes() -> None:
    """A sum of floating-point numbers has the same last bits here as in children, and our libraries their threads."""
    jobs = [Job(str(seed), seed, 1.0) for seed in range(2)]
    before = experiment_jobs.product(0, lambda *_, **__: None)
    assert work(experiment_jobs.product, jobs, 1) == work(experiment_jobs.product, jobs, 2)
    assert experiment_jobs.product(0, lambda *_, **__: None) == before


def test_jobs_share_nothing() -> None:
    """What a job does to its argument reaches neither the next one nor us."""
    numbers = [7]
    assert work(experiment_jobs.grow, [Job("first", numbers, 1.0), Job("second", numbers, 1.0)], 1) == [[7, 1]] * 2
    assert numbers == [7]


def test_nothing_to_do() -> None:
    """No jobs, no processes."""
    assert work(experiment_jobs.square, [], 4) == []
    assert usable_processors() >= 1


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


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("input", InputError, "^a.yaml: x=1: wrong; correct it$"),
        ("run", RunError, "^broke at t=3 s$"),
        ("fault", KeyError, "a fault of the program"),
    ],
)
def test_a_failure_here(kind: str, error: type[Exception], message: str) -> None:
    """So it is where jobs run in this process."""
    watch = Told()
    with pytest.raises(error, match=message):
        work(experiment_jobs.fail, [Job("bad", kind, 1.0), Job("never", "wait", 1.0)], 1, watch)
    assert watch.heard == [("began", 0)]


@pytest.mark.parametrize(("note", "left"), [("once", "whole"), ("twice", None)])
def test_an_interrupt_here(tmp_path: Path, note: str, left: str | None) -> None:
    """A first Ctrl-C stops a job of this process where it may stop, a second one at once, and no other begins."""
    watch = Told()
    jobs = [Job("interrupted", str(tmp_path / note), 1.0), Job("never", str(tmp_path / "never"), 1.0)]
    with pytest.raises(KeyboardInterrupt):
        work(experiment_jobs.interrupted, jobs, 1, watch)
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == ({} if left is None else {note: left})
    assert watch.heard.count(("stopping", -1)) == 1
    assert ("began", 1) not in watch.heard
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_a_library_swallows() -> None:
    """An error that is made out of Ctrl-C is told as Ctrl-C."""
    with pytest.raises(KeyboardInterrupt):
        work(experiment_jobs.swallow, [Job("bad", "", 1.0)], 1)


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


@pytest.mark.parametrize("processes", [1, 2])
def test_a_job_stops_where_it_may(tmp_path: Path, processes: int) -> None:
    """Progress that does not allow it stops no job: it goes on to a place where it has kept what it did."""
    notes = [tmp_path / str(number) for number in range(processes)]
    with pytest.raises(KeyboardInterrupt):
        work(experiment_jobs.careful, [Job("careful", str(note), 50.0) for note in notes], processes, Stopper())
    assert any(note.exists() for note in notes)
    assert all(note.read_text() == "whole" for note in notes if note.exists())


class Impatient(Told):
    """Ctrl-C twice while progress is shown."""

    def progressed(self, job: int, done: float) -> None:  # noqa: ARG002 - of Watch
        """Is interrupted."""
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_a_second_interrupt_while_progress_is_shown(tmp_path: Path) -> None:
    """It ends a job of this process at once, wherever it is heard."""
    note = tmp_path / "note"
    with pytest.raises(KeyboardInterrupt):
        work(experiment_jobs.careful, [Job("careful", str(note), 50.0)], 1, Impatient())
    assert not note.exists()


@pytest.mark.parametrize("processes", [1, 2])
def test_prints_of_a_job_do_not_reach_stdout(capfd: pytest.CaptureFixture[str], processes: int) -> None:
    """What a job prints goes to stderr: stdout belongs to the command."""
    work(experiment_jobs.fail, [Job("chatty", "print", 1.0)] * processes, processes)
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.count("printed by a job") == said.err.count("and by Python") == processes
