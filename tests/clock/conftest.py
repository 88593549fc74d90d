"""What the tests of the clock share."""

import pytest
from process_bench import Bench


@pytest.fixture
def bench() -> Bench:
    """A fresh one."""
    return Bench()
