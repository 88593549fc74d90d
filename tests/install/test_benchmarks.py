"""The programs of `make bench` run as they are."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parents[2]
SHORT: Final = {
    "candidates": "--seconds 3",
    "city": "--help",
    "driving": "--map intersection:120 --seconds 10 --seeds 1",
    "engine": "--help",
    "envs": "--rounds 1 --seconds 40 --vehicles 1000 --city-seconds 12",
    "key_sites": "--sides 4 --rounds 1 --seconds 3",
    "overload": "--help",
    "packet_level": "",
    "placement": "--seeds 1 --instances 5",
    "replay": "--vehicles 1000 --rounds 1 --seconds 2",
    "secured": "--help",
    "trace": "--facts 20000",
    "twin": "--vehicles 1000 --rounds 1 --seconds 2",
    "twin_effect": "--seeds 1 --seconds 20 --mhz 5",
    "votes": "--validators 12 --seconds 40 --direct-seconds 20",
}
"""Arguments of the shortest measurement that passes through all of a program; --help where that takes long."""


def test_each_is_known() -> None:
    """Every program that the Makefile calls is run below."""
    assert set(re.findall(r"benchmarks/(\w+)\.py", (ROOT / "Makefile").read_text())) == set(SHORT)


@pytest.mark.long
@pytest.mark.parametrize("name", SHORT)
def test_a_benchmark(name: str) -> None:
    """It ends well and prints a table, or its options."""
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), *SHORT[name].split()]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout
