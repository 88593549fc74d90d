"""The same schedule in processes whose hashes of strings differ."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
from schedules import UNTIL_S, random_network
for seed in range(12):
    network, _ = random_network(seed, 0.3)
    network.run(UNTIL_S)
    print(network.trace_hash, network.sent, network.accused())
"""


def test_hash_seed_changes_nothing():
    """A schedule is the same under every PYTHONHASHSEED, message for message."""
    told = []
    for hash_seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).parents[2])}
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=environment,
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
        told.append(run.stdout)
    assert told[0].count("\n") == 12
    assert told[0] == told[1]
