"""A policy raises, or answers what cannot be carried out."""

import pytest

from cosim.audit.verify import verify
from cosim.errors import RunError
from cosim.runner import simulate
from cosim.scenario.load import load

YAML = """
name: short
duration_s: 5
policy: "wrong.py:{policy}"
mobility: {{kind: synthetic, vehicles: 2, speed_mps: 0}}
sites: {{kind: listed, sites: [{{name: A, x_m: 0, y_m: 0}}]}}
"""
WRONG = """
import numpy as np
from cosim.decision import Action


class Raises:
    def decide(self, observation):
        raise ValueError("no\\nidea")


class OutOfRange:
    def decide(self, observation):
        return Action(np.full(len(observation), 99))


class NotAnAction:
    def decide(self, observation):
        return None
"""


@pytest.mark.parametrize("policy", ["Raises", "OutOfRange", "NotAnAction"])
def test_a_policy_that_fails_is_one_line(tmp_path, policy):
    """A policy that fails ends the run with one line that names it and the time; the trace verifies as partial."""
    (tmp_path / "wrong.py").write_text(WRONG)
    (tmp_path / "short.yaml").write_text(YAML.format(policy=policy))
    with pytest.raises(RunError) as caught:
        simulate(load(tmp_path / "short.yaml"), tmp_path / "run")
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(f"policy wrong.py:{policy} ")
    assert "at t=" in message
    audit = verify(tmp_path / "run")
    assert audit.ok, audit.lines
    assert not audit.complete
