"""Puts tests/support on the path, keeps the user's cache out of the tests, and lets them hear Ctrl-C."""

import gc
import os
import signal
import sys
from pathlib import Path

import hypothesis
import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))

import effort

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in what a script runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("cosim", deadline=None, derandomize=not effort.FIRST_SEED, database=None)
hypothesis.settings.load_profile("cosim")
_SCALED = (effort.count, effort.seeds, effort.few, effort.drawn)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of each module whose counts are larger in the long run."""
    for item in items:
        if any(value in _SCALED for value in vars(getattr(item, "module", None) or effort).values() if callable(value)):
            item.add_marker("counted")


def pytest_collection_finish() -> None:
    """Keep what imports left behind out of the garbage collections of every run."""
    gc.collect()
    gc.freeze()


def pytest_report_header() -> str:
    """Say from where seeds count, so that a run with fresh ones can be repeated."""
    return f"seeds from {effort.FIRST_SEED} (SEEDS={effort.FIRST_SEED} repeats them)" if effort.FIRST_SEED else ""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print at the end of the long run what its tests measured: `record_property("measured", text)`."""
    for report in terminalreporter.stats.get("passed", []) if effort.LONG else []:
        for name, text in report.user_properties:
            if name == "measured":
                terminalreporter.write_line(f"{report.nodeid}: {text}")


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory):
    """Every test session has its own cache folder, which its processes share."""
    base = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COSIM_CACHE", str((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"))
        yield
