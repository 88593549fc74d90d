"""A checkpoint as a policy."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import small

from agents.learned import Learned
from agents.learners.catalog import agent_names
from agents.registry import make_policy
from cosim.envs.loop import Loop
from cosim.errors import InputError

RNG = np.random.default_rng(1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a quantum agent."""
    return small.quick_train(small.scenario(), small.spec("q-ddpg"), tmp_path_factory.mktemp("trained"))


@pytest.mark.parametrize("name", agent_names())
def test_it_decides_as_the_learner_did(name: str, tmp_path: Path) -> None:
    """The policy of the file gives the actions of the learner that wrote it, twice the same, all within bounds."""
    loaded = small.scenario()
    policy = Learned(small.quick_train(loaded, small.spec(name), tmp_path, episodes=2))
    observation = Loop(loaded).reset(7).observation
    one, two = policy.decide(observation), policy.decide(observation)
    np.testing.assert_array_equal(one.option, two.option)
    assert observation.feasible[np.arange(len(observation)), one.option].all()
    again = small.quick_train(loaded, small.spec(name), tmp_path, episodes=2)
    np.testing.assert_array_equal(Learned(again).decide(observation).option, one.option)


def test_from_the_registry(trained: Path) -> None:
    """A name that ends in .ckpt is a learned policy; a missing file is one line."""
    assert isinstance(make_policy(str(trained), {}, RNG), Learned)
    assert isinstance(make_policy(trained.name, {}, RNG, trained.parent), Learned)
    with pytest.raises(InputError, match="no such checkpoint"):
        make_policy("nowhere.ckpt", {}, RNG)


def test_other_columns(trained: Path) -> None:
    """A scenario with other columns is refused in one line that names what to change."""
    policy = Learned(trained)
    other = Loop(small.scenario("decisions.candidates=1")).reset(1).observation
    with pytest.raises(InputError, match=r"decisions\.candidates"):
        policy.decide(other)


def test_rules_do_without_torch() -> None:
    """Making a rule imports neither torch nor what learns."""
    code = (
        "import sys, numpy as np\nfrom agents.registry import make_policy\nmake_policy('nearest', {}, np.random)\n"
        "assert not {'torch', 'pennylane', 'stable_baselines3', 'gymnasium'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_on_the_command_line(trained: Path, tmp_path: Path) -> None:
    """`cosim run --policy x.ckpt` runs a scenario under it, and names a broken file in one line."""
    call = [sys.executable, "-m", "cosim.cli", "run", "s1_semantic_iov", "--set", "duration_s=5", "--set", "twin=null"]
    done = subprocess.run(
        [*call, "--policy", str(trained), "--out", str(tmp_path / "run")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    broken = tmp_path / "broken.ckpt"
    broken.write_bytes(trained.read_bytes()[:1000])
    done = subprocess.run(
        [*call, "--policy", str(broken), "--out", str(tmp_path / "no")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "broken.ckpt" in done.stderr


def test_thousands_in_one_pass(trained: Path) -> None:
    """5,000 waiting tasks are decided in one forward pass, in well under the time of a decision epoch."""
    loaded = small.scenario("mobility.vehicles=5000", "tasks.arrivals.rate_per_s=3")
    observation = Loop(loaded).reset(1).observation
    assert len(observation) > 4000
    policy = Learned(trained)
    policy.decide(observation)
    start = time.perf_counter()
    policy.decide(observation)
    assert time.perf_counter() - start < 0.5
