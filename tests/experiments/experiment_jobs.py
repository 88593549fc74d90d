"""Jobs that misbehave; functions of a module, because they cross a pipe."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from cosim.errors import InputError, RunError
from cosim.experiments.jobs import Tell


def square(number: int, tell: Tell) -> int:
    """A good job."""
    tell(0.5)
    return number * number


def late_first(number: int, _: Tell) -> tuple[int, str]:
    """The first ends last; it says how many threads it may use."""
    time.sleep(0.3 if number == 0 else 0.0)
    return number, os.environ["OMP_NUM_THREADS"]


def process(_: int, tell: Tell) -> int:
    """Says where it runs."""
    tell(1.0)
    return os.getpid()


def product(seed: int, _: Tell) -> bytes:
    """The bits of a matrix product, the last of which depend on the number of threads."""
    matrix = np.random.default_rng(seed).standard_normal((700, 300))
    return (matrix.T @ matrix).tobytes()


def grow(numbers: list[int], _: Tell) -> list[int]:
    """Changes what it was given."""
    numbers.append(len(numbers))
    return numbers


def interrupted(note: str, tell: Tell) -> None:
    """Ctrl-C where it must not stop, once or, as the note says, twice; then it writes."""
    for _ in range(2 if "twice" in note else 1):
        os.kill(os.getpid(), signal.SIGINT)
        tell(0.5, may_stop=False)
    Path(note).write_text("whole")
    tell(1.0)
    Path(note).write_text("went on")


def swallow(_: str, tell: Tell) -> None:
    """Makes an error of its own out of Ctrl-C, as libraries do."""
    os.kill(os.getpid(), signal.SIGINT)
    try:
        tell(1.0)
    except KeyboardInterrupt:
        raise RuntimeError("a library's") from None


def careful(note: str, tell: Tell) -> None:
    """Cannot be stopped before it has written its note."""
    for done in range(50):
        time.sleep(0.01)
        tell(done, may_stop=False)
    Path(note).write_text("whole")
    while True:
        time.sleep(0.01)
        tell(50.0)


def fail(kind: str, tell: Tell) -> None:
    """Fails in one of many ways; `wait` goes on until it is stopped."""
    match kind:
        case "input":
            raise InputError("a.yaml: x=1: wrong; correct it")
        case "run":
            raise RunError("broke at t=3 s")
        case "fault":
            raise KeyError("a fault of the program")
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(7)
        case "print":
            os.write(1, b"printed by a job\n")
            print("and by Python")  # noqa: T201
        case _:
            while True:
                time.sleep(0.01)
                tell(0.0)
