"""The examples run as they stand."""

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_sac_of_stable_baselines3_trains_on_the_environment_as_it_is() -> None:
    """A few steps of training end in a table with a reward for what was learnt and for both rules."""
    command = [sys.executable, str(EXAMPLES / "train_with_sb3.py"), "--steps", "120", "--seeds", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    _, *lines = done.stdout.splitlines()
    rewards = {name: float(mean) for name, mean, _, _ in map(str.split, lines)}
    assert list(rewards) == ["SAC", "greedy-latency", "local"]
    assert rewards["local"] < rewards["greedy-latency"] < 0.0
