"""What a machine may lack: a test that needs it is skipped there, or fails where `COSIM_TESTS_NEED` names it.

`COSIM_TESTS_NEED=browser,display,index,mkdocs` is for a machine that has been given them all, as .ci/run does.
"""

import os
from pathlib import Path
from typing import Final, NoReturn

import pytest

NEEDED: Final = frozenset(os.environ.get("COSIM_TESTS_NEED", "").replace(",", " ").split())


def lacking(what: str, reason: str) -> NoReturn:
    """Skip the test that calls this, or fail it where `what` has to be there.

    Args:
        what: `browser`, `display`, `index` (a package index that pip reaches) or `mkdocs`.
        reason: what is not there.
    """
    if what in NEEDED:
        pytest.fail(f"{reason}, and COSIM_TESTS_NEED names {what}", pytrace=False)
    pytest.skip(reason)


def real_map(name: str) -> Path:
    """A map of a real city from a folder beside the checkout, `../shared/data`; the test is skipped without it."""
    path = Path(__file__).parents[2].parent / "shared" / "data" / name
    if not path.exists():
        pytest.skip(f"{name} of ../shared/data is not here")
    return path
