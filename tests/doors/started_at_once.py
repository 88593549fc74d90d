"""Commands in processes of their own that have imported everything before they begin, so that moments count."""

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
_IMPORTS = """
import sys
import cosim.runner, cosim.cli.main, cosim.cli.progress, cosim.experiments.runs, cosim.experiments.jobs
import cosim.experiments.contenders, cosim.experiments.compare, cosim.experiments.figures, cosim.maps.importing
import cosim.report.page.html
"""
_ONE = f"""{_IMPORTS}
print("ready", flush=True)
cosim.cli.main.main()
"""
_MANY = f"""{_IMPORTS}
import contextlib, io, json
print("ready", flush=True)
for line in sys.stdin:
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        status = cosim.cli.main.status(json.loads(line))
    print(json.dumps([status, said.getvalue()]), flush=True)
"""


def _process(code: str, arguments: Sequence[str] = ()) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@contextmanager
def two_shells() -> Iterator[list[subprocess.Popen[str]]]:
    """Two processes that carry out one command after the other."""
    shells = [_process(_MANY) for _ in range(2)]
    try:
        yield shells
    finally:
        for shell in shells:
            shell.communicate(timeout=30)


def at_once(shells: Sequence[subprocess.Popen[str]], arguments: Sequence[str]) -> list[tuple[int, str]]:
    """Status and stderr of a command that all processes are given at the same instant."""
    line = json.dumps(list(arguments)) + "\n"
    for shell in shells:
        assert shell.stdin is not None
        shell.stdin.write(line)
    for shell in shells:
        assert shell.stdin is not None
        shell.stdin.flush()
    return [tuple(json.loads(shell.stdout.readline())) for shell in shells if shell.stdout is not None]


def ended_early(arguments: Sequence[str], whole_s: float, dice: random.Random) -> tuple[signal.Signals, int, str]:
    """Begin a command and end it at some moment; the signal, the exit status and stderr.

    Args:
        arguments: words of the command.
        whole_s: how long it takes when nobody ends it.
        dice: draws signal and moment.
    """
    number = dice.choice(ENDINGS)
    process = _process(_ONE, arguments)
    time.sleep(dice.uniform(0.0, 1.1 * whole_s))
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    return number, process.returncode, told


def undisturbed_s(arguments: Sequence[str]) -> float:
    """How long a command takes, once everything is imported; it succeeds."""
    process = _process(_ONE, arguments)
    begun_s = time.monotonic()
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    return time.monotonic() - begun_s


def content(folder: Path) -> dict[str, bytes]:
    """The bytes of every file below a folder, hidden ones too."""
    return {
        os.fspath(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
