"""The standard streams of a command: stdout is the command's alone, whatever the code of users does meanwhile."""

import ctypes
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import IO, Any, Final, TextIO

from cosim.errors import RunError
from cosim.user_code import failed_at

_ANSWERS: Final[ContextVar[IO[str] | None]] = ContextVar("answers", default=None)
"""Where the running command writes its answer; None between commands."""
_LOST: Final = "stdout: {}; what was to be printed is lost, files that were written are whole; redirect stdout"


class ClosedStdout(io.TextIOBase):
    """The stdout of a process that was started without one: a command works all the same, and says what is lost."""

    def __init__(self) -> None:
        self._lost = False

    def write(self, text: str) -> int:
        """Take a text that nobody will see."""
        self._lost = self._lost or bool(text)
        return len(text)

    def flush(self) -> None:
        """Say once that something is lost.

        Raises:
            RunError: something was written.
        """
        lost, self._lost = self._lost, False
        if lost:
            raise RunError(_LOST.format("is closed"))


def open_streams() -> None:
    """Give the process the standard streams that it was started without, so that no file of a run takes their place."""
    for number, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        if not _is_open(number):
            os.set_inheritable(os.open(os.devnull, mode), True)  # the lowest that is free: this one
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    if sys.stdout is None:
        sys.stdout = ClosedStdout()
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def write_answer(text: str) -> None:
    """Write what was asked for.

    Raises:
        BrokenPipeError: its reader has seen enough.
        RunError: stdout does not take it.
    """
    with _told():
        (_ANSWERS.get() or sys.stdout).write(text)


def flush_answers() -> None:
    """Send on what stdout still holds back.

    Raises:
        BrokenPipeError: its reader has seen enough.
        RunError: stdout does not take it.
    """
    with _told():
        (_ANSWERS.get() or sys.stdout).flush()


@contextmanager
def _told() -> Iterator[None]:
    """Turn the refusal of a stream to take the answer into one line."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = str(error.strerror or error).lower()
        raise RunError(_LOST.format(reason)) from error


@contextmanager
def own_output() -> Iterator[None]:
    """Within a command, send its answer to stdout and all else that is printed, by C code too, to stderr.

    Streams that are closed or replaced meanwhile are there again afterwards.

    Raises:
        RunError: code that the command called wanted to end the process.
    """
    before = sys.stdout, sys.stderr
    if _ANSWERS.get() is not None or before[0] is None or before[1] is None:
        yield
        return
    with _told():
        before[0].flush()
    copies = {number: os.dup(number) for number in (1, 2) if _is_open(number)}
    stream = _beside(before[0], copies)
    token = _ANSWERS.set(stream)
    if len(copies) == 2:
        os.dup2(2, 1)
    shared: Any = _Shared(before[1])
    sys.stdout = sys.stderr = shared
    try:
        yield
        flush_answers()
    except SystemExit as error:
        raise RunError(
            f"code that was called wanted to end the process (SystemExit: {error}); correct it{failed_at(error)}"
        ) from error
    finally:
        _ANSWERS.reset(token)
        if stream is not before[0]:
            with suppress(OSError):  # a reader that has gone: the flush above has said so
                stream.close()
        ctypes.CDLL(None).fflush(None)  # of C, which would print later what it holds back
        for number, copy in copies.items():
            os.dup2(copy, number)
            os.close(copy)
        sys.stdout, sys.stderr = (_usable(one, number) for one, number in zip(before, (1, 2), strict=True))


def leave_stdout() -> None:
    """Send what is printed from now on, by what runs as the process ends, to stderr."""
    with suppress(OSError, ValueError, RunError):
        sys.stdout.flush()
        os.dup2(2, 1)


class _Shared:
    """A stream that those who write to it cannot close: not itself, not by a wrapper of its buffer."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __enter__(self) -> "_Shared":
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    @property
    def buffer(self) -> "_Shared":
        """The bytes below the text, likewise."""
        return _Shared(self._stream.buffer)

    def detach(self) -> "_Shared":
        """Return the buffer and stay usable."""
        return self.buffer

    def close(self) -> None:
        """Keep it open."""


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _beside(stdout: TextIO, copies: dict[int, int]) -> IO[str]:
    """Return a stream to where stdout goes that does not write to descriptor 1; itself if it does not, as in tests."""
    try:
        same = stdout.fileno() == 1 and 1 in copies
    except (OSError, ValueError):
        same = False
    if not same:
        return stdout
    return os.fdopen(os.dup(copies[1]), "w", encoding=stdout.encoding, errors=stdout.errors)


def _usable(stream: IO[str], number: int) -> Any:
    """Return the stream, or a new one to the same descriptor if it was closed or detached."""
    with suppress(ValueError):  # of one without a buffer
        if not stream.closed:
            return stream
    return os.fdopen(number, "w", closefd=False)
