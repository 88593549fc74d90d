"""Commands in processes that have imported everything before they begin, so that moments count: forks of one server."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SMALL = """\
name: small
duration_s: 6
policy: nearest
mobility: {kind: synthetic, vehicles: 20, length_m: 400}
sites: {kind: listed, sites: [{name: a, x_m: 200, y_m: 10}]}
statistics: {batches: 2}
trace: {part_s: 0.5, positions: true}
"""
ENDINGS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_SERVER = """
import json, os, sys, time
import cosim.runner, cosim.cli.main, cosim.cli.progress, cosim.experiments.runs, cosim.experiments.jobs
import cosim.experiments.contenders, cosim.experiments.compare, cosim.experiments.figures, cosim.maps.importing
import cosim.report.page.html

def carry_out(order):
    os.chdir(order["home"])
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    os.dup2(os.open(order["told"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    while not os.path.exists(order["gate"]):
        time.sleep(0.0002)
    try:
        cosim.cli.main.main(order["words"])
    except SystemExit as ended:
        os._exit(ended.code)

print("ready", flush=True)
for line in sys.stdin:
    order = json.loads(line)
    if "wait" in order:
        answer = os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
    else:
        answer = os.fork()
        if not answer:
            carry_out(order)
            os._exit(70)
    print(answer, flush=True)
"""


class CommandServer:
    """Starts commands as forks of a process that has imported all; they wait for a gate, so that several begin at once.

    Args:
        process: the server.
        scratch: folder for what commands say.
    """

    def __init__(self, process: "subprocess.Popen[str]", scratch: Path) -> None:
        self._process = process
        self._scratch = scratch
        self._orders = 0

    def _asked(self, order: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def begun(self, *commands: Sequence[str]) -> list[tuple[int, Path]]:
        """Begin commands in the working directory at the same instant; the number of each process and what it says."""
        self._orders += 1
        gate, started = self._scratch / f"gate{self._orders}", []
        for place, words in enumerate(commands):
            told = self._scratch / f"told{self._orders}.{place}"
            order = {"home": str(Path.cwd()), "told": str(told), "gate": str(gate), "words": list(words)}
            started.append((self._asked(order), told))
        time.sleep(0.02)
        gate.touch()
        return started

    def ended(self, pid: int, told: Path) -> tuple[int, str]:
        """Wait for a command; its exit status, or minus the signal that ended it, and stderr."""
        return self._asked({"wait": pid}), told.read_text()

    def at_once(self, words: Sequence[str], times: int = 2) -> list[tuple[int, str]]:
        """Status and stderr of a command that is given several times at the same instant."""
        return [self.ended(*one) for one in self.begun(*[words] * times)]

    def undisturbed_s(self, words: Sequence[str]) -> float:
        """How long a command takes; it succeeds."""
        begun_s = time.monotonic()
        ((status, told),) = self.at_once(words, 1)
        assert status == 0, told
        return time.monotonic() - begun_s

    def ended_early(self, words: Sequence[str], whole_s: float, dice: random.Random) -> tuple[signal.Signals, int, str]:
        """Begin a command and end it at some moment; the signal, the exit status and stderr.

        Args:
            words: the command.
            whole_s: how long it takes when nobody ends it.
            dice: draws signal and moment.
        """
        number = dice.choice(ENDINGS)
        ((pid, told),) = self.begun(words)
        time.sleep(dice.uniform(0.0, 1.1 * whole_s))
        os.kill(pid, number)
        return number, *self.ended(pid, told)


@contextmanager
def command_server(scratch: Path) -> Iterator[CommandServer]:
    """A server of commands, which ends with the block."""
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield CommandServer(process, scratch)


def content(folder: Path) -> dict[str, bytes]:
    """The bytes of every file below a folder, hidden ones too."""
    return {
        os.fspath(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
