"""Jobs that misbehave; functions of a module, because they cross a pipe."""

import os
import signal
import time
from pathlib import Path

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
        case _:
            while True:
                time.sleep(0.01)
                tell(0.0)
