"""The examples run as they stand."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SB3 = Path(__file__).parents[2] / "examples" / "train_with_sb3.py"


def rewards_of(printed: str) -> dict[str, float]:
    """The mean reward in each line of the table."""
    _, *lines = printed.splitlines()
    rewards = {name: float(mean) for name, mean, _, _ in map(str.split, lines)}
    assert list(rewards) == ["SAC", "greedy-latency", "local"]
    return rewards


def test_sac_of_stable_baselines3_trains_on_the_environment_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few steps of training end in a table with a reward for what was learnt and for both rules."""
    monkeypatch.setattr(sys, "argv", [str(SB3), "--steps", "105", "--seeds", "1"])
    runpy.run_path(str(SB3), run_name="__main__")
    rewards = rewards_of(capsys.readouterr().out)
    assert rewards["local"] < rewards["greedy-latency"] < 0.0


@pytest.mark.long
def test_sac_trains_in_a_process_of_its_own() -> None:
    """So they do as the file says how to call it."""
    command = [sys.executable, str(SB3), "--steps", "120", "--seeds", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    rewards = rewards_of(done.stdout)
    assert rewards["local"] < rewards["greedy-latency"] < 0.0
