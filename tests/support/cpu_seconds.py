"""A plug-in of pytest that prints the processor time of tests by folder, with that of the processes they start."""

import resource
from collections import Counter
from pathlib import PurePosixPath
from typing import Any

import pytest

_BEGAN = pytest.StashKey[float]()
_spent_s: Counter[str] = Counter()


def _cpu_s() -> float:
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note when a test begins, before its fixtures are made."""
    item.stash[_BEGAN] = _cpu_s()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Tell with the last report of a test what it has used."""
    report = yield
    if report.when == "teardown":
        report.cpu_s = _cpu_s() - item.stash[_BEGAN]
    return report


def pytest_runtest_logreport(report: Any) -> None:
    """Add up, in the process that collects the reports of all."""
    _spent_s["/".join(PurePosixPath(report.nodeid.partition("::")[0]).parts[:2])] += getattr(report, "cpu_s", 0.0)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print a line for each folder, the dearest first."""
    terminalreporter.section("processor time by folder")
    for folder, spent_s in _spent_s.most_common():
        terminalreporter.write_line(f"{spent_s:8.1f} s {folder}")
    terminalreporter.write_line(f"{_spent_s.total():8.1f} s in all")
