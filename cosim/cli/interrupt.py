"""Ctrl-C, and SIGTERM as batch systems send it: a command stops once, and closes its files undisturbed."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from cosim.errors import RunError

PATIENCE_S = 3.0


class Interrupt:
    """A signal handler that raises KeyboardInterrupt at the first signal and ignores those of the next PATIENCE_S.

    Pressing Ctrl-C again and again does not disturb the last flush. A later signal counts anew, because a library
    can swallow one while it is imported, as Pydantic does.
    """

    def __init__(self) -> None:
        self._heard_s = -math.inf

    @property
    def heard(self) -> bool:
        """Whether there was a signal; an error after it may be its consequence."""
        return self._heard_s > -math.inf

    def listen(self) -> None:
        """Handle signals from now on."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._signalled)

    def ignore(self) -> None:
        """Ignore signals once the command is over: none may end the interpreter with its own status as it exits."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)

    def _signalled(self, _number: int, _frame: FrameType | None) -> None:
        now_s = time.monotonic()
        if now_s - self._heard_s > PATIENCE_S:
            self._heard_s = now_s
            raise KeyboardInterrupt


def asked_to_stop() -> bool:
    """Return whether there was a signal; an error since then may be what a library made of it."""
    listener = getattr(signal.getsignal(signal.SIGINT), "__self__", None)
    return isinstance(listener, Interrupt) and listener.heard


def stop_on_signal(tell: Callable[[float], None] | None) -> Callable[[float], None]:
    """Return a progress callback that also stops a run whose KeyboardInterrupt was lost.

    Python drops an exception that a signal raises while an object is being destroyed, a generator's end among them; the
    next report of progress raises it again.
    """

    def told(now_s: float) -> None:
        if asked_to_stop():
            raise KeyboardInterrupt
        if tell is not None:
            tell(now_s)

    return told


@contextmanager
def told_when_stopped(line: Callable[[], str]) -> Iterator[None]:
    """End what is inside with one line at Ctrl-C or SIGTERM, or at the error that a library makes out of one.

    Args:
        line: gives the line, once it has stopped.

    Raises:
        RunError: interrupted.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, KeyboardInterrupt) or asked_to_stop():
            raise RunError(line()) from None
        raise
