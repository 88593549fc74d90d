"""An interrupt that Python drops does not let a run go on for ever."""

import os
import signal

import pytest

from cosim.cli.interrupt import Interrupt, stop_on_signal


class Doomed:
    """Hears the signal while it is being destroyed, where exceptions are lost."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_progress_raises_an_interrupt_that_was_lost() -> None:
    """A KeyboardInterrupt raised in a finaliser is dropped by Python, and raised again at the next sign of progress."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    told: list[float] = []
    progress = stop_on_signal(told.append)
    Interrupt().listen()
    try:
        progress(1.0)
        doomed = Doomed()
        del doomed
        with pytest.raises(KeyboardInterrupt):
            progress(2.0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert told == [1.0]
