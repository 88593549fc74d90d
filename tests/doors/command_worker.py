"""A process that gives one command after the other, so that a death or a hang of it is seen and the next goes on."""

import contextlib
import json
import os
import resource
import select
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEMORY_BYTE = 12 * 2**30


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int | str
    """Exit status; "died ..." of the process; "hang"; "raised ..." for an exception that nobody caught."""
    out: str
    err: str


class CommandWorker:
    """The process, started when it is needed."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, arguments: list[str], folder: Path, limit_s: float = 120.0) -> Ended:
        """Give a command in a folder."""
        if self.process is None:
            command = [sys.executable, __file__]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([str(folder), *arguments]).encode() + b"\n")
        process.stdin.flush()
        until_s = time.monotonic() + limit_s
        while not select.select([process.stdout], [], [], 0.2)[0]:
            if time.monotonic() > until_s:
                self.close()
                return Ended("hang", "", "")
        line = process.stdout.readline()
        if not line:
            status = process.wait()
            self.close()
            return Ended(f"died {status}", "", "")
        return Ended(**json.loads(line))

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                with contextlib.suppress(OSError):
                    if pipe is not None:
                        pipe.close()
            self.process = None


def answer(arguments: list[str]) -> dict[str, Any]:
    """Give one command with everything that it prints, C++ code included, in files."""
    from cosim.cli import main as cli

    kept = [os.dup(number) for number in (1, 2)]
    status: int | str
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        try:
            status = cli.status(arguments)
        except BaseException:
            status = f"raised {traceback.format_exc()}"
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    return {"status": status, "out": texts[0], "err": texts[1]}


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTE, MEMORY_BYTE))
    for line in sys.stdin.buffer:
        folder, *arguments = json.loads(line)
        os.chdir(folder)
        sys.stdout.write(json.dumps(answer(arguments)) + "\n")
        sys.stdout.flush()
