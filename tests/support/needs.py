"""What a machine may lack: a test that needs it is skipped there, or fails where `COSIM_TESTS_NEED` names it.

`COSIM_TESTS_NEED=browser,display,index,mkdocs` is for a machine that has been given them all, as .ci/run does.
"""

import os
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
