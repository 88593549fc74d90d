"""A policy of the user's own that is broken ends in one line: 2 before the run begins, 1 once it has begun."""

from pathlib import Path

import pytest
from commands import failed, provenance, refused, said_to_be_partial

HEAD = """\
import sys
import numpy as np
from cosim.decision import Action
class Own:
    def decide(self, observation):
        n, zeros = len(observation), np.zeros(len(observation), dtype=np.int64)
        if observation.time_s < 0.8:
            return Action(zeros)
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("class Own(:\n", "SyntaxError"),
        ("import no_such_package\nclass Own: ...\n", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("import sys\nsys.exit(0)\n", "SystemExit"),
        ("class Other:\n    def decide(self, observation): ...\n", "has no class Own; classes with decide: Other"),
        ("class Own: ...\n", "has no method decide(observation); add one"),
        ("class Own:\n    def __init__(self): raise OSError('no\\nmodel')\n", "OSError: no model"),
        ("class Own:\n    def __init__(self, size): ...\n", "missing a required argument: 'size'"),
        ("Own = 3\n", "has no class Own"),
        ("\0", ""),
    ],
)
def test_a_policy_that_cannot_be_made(capfd: pytest.CaptureFixture[str], home: Path, text: str, told: str) -> None:
    """A file that does not run, or holds no such policy, is bad input: the line names the policy and the reason."""
    (home / "own.py").write_text(text)
    line = refused(capfd, "tiny.yaml", "--policy", "own.py:Own", "--out", "run")
    assert "own.py:Own: " in line
    assert told in line


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise ValueError('two\\nlines')", "failed at t=0.8 s (ValueError: two lines); correct its decide()"),
        ("return 1 / 0", "failed at t=0.8 s (ZeroDivisionError"),
        ("sys.exit(0)", "failed at t=0.8 s (SystemExit: 0)"),
        ("return None", "decide() gave NoneType, needs an Action"),
        ("return zeros", "decide() gave ndarray, needs an Action"),
        ("return Action(np.zeros(n + 1, dtype=np.int64))", "option has shape ("),
        ("return Action(np.zeros((n, 2), dtype=np.int64))", "option has shape ("),
        ("return Action(np.zeros(n))", "option must be whole numbers from 0 to "),
        ("return Action(zeros - 1)", "option must be whole numbers from 0 to "),
        ("return Action(zeros + 99)", "option must be whole numbers from 0 to "),
        ("return Action([['a'], [1, 2]])", "option is no array of numbers"),
        ("return Action(zeros, share=np.full(n, np.nan))", "share must hold "),
        ("return Action(zeros, power_w=np.ones(n + 1))", "power_w must hold "),
        ("return Action(zeros, cpu_share=['much'] * n)", "cpu_share must hold "),
    ],
)
def test_a_policy_that_breaks_the_run(capfd: pytest.CaptureFixture[str], home: Path, body: str, told: str) -> None:
    """An error, an exit or an impossible answer of decide() ends the run with 1; the facts before it are kept."""
    (home / "own.py").write_text(f"{HEAD}        {body}\n")
    busy = ["--set", "tasks.arrivals.rate_per_s=20"]
    line = failed(capfd, 1, "run", "tiny.yaml", "--policy", "own.py:Own", *busy, "--out", "run", "--no-picture")
    assert line.startswith("cosim: policy own.py:Own ")
    assert "t=0.8 s" in line
    assert told in line
    assert said_to_be_partial(capfd, home / "run") <= 0.8
    said = provenance(home / "run")
    assert said["status"] == "partial"
    assert said["facts"] > 0
