"""A checkpoint as a policy."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small
from cosim_agents.learned import Learned
from cosim_agents.learners.catalog import agent_names, make_learner
from cosim_agents.learners.learner import Learner
from cosim_agents.learners.scenario_rows import TaskRows
from cosim_agents.registry import make_policy

from cosim.cli import main as cli
from cosim.envs.columns import encode
from cosim.envs.loop import Loop
from cosim.errors import InputError
from cosim.scenario.load import load
from cosim.types import Tier

RNG = np.random.default_rng(1)
OLDER = Path(__file__).parent / "data" / "agents_package.ckpt"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a quantum agent."""
    return small.quick_train(small.scenario(), small.spec("q-ddpg"), tmp_path_factory.mktemp("trained"))


@pytest.mark.parametrize("name", agent_names())
def test_it_decides_as_the_learner_did(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy of the file gives the actions of the learner that wrote it, twice the same, all within bounds."""
    learners = []

    def made(*given: object) -> Learner:
        learners.append(make_learner(*given))
        return learners[-1]

    monkeypatch.setattr("cosim_agents.train.make_learner", made)
    loaded = small.scenario()
    policy = Learned(small.quick_train(loaded, small.spec(name), tmp_path, episodes=2))
    observation = Loop(loaded).reset(7).observation
    (learner,) = learners
    wanted = learner.decide(TaskRows(observation))
    for _ in range(2):
        action = policy.decide(observation)
        assert observation.feasible[np.arange(len(observation)), action.option].all()
        np.testing.assert_array_equal(action.option, wanted.option)
        for knob in ("share", "power_w"):
            given, bound = getattr(action, knob), {"share": 1.0, "power_w": observation.max_power_w}[knob]
            assert (given is None) == (getattr(wanted, knob) is None)
            if given is not None:
                np.testing.assert_array_equal(given, getattr(wanted, knob))
                assert ((given > 0.0) & (given <= bound)).all()


def test_a_checkpoint_of_an_older_cosim_decides() -> None:
    """A file written while the package was called `agents`, and run ids were over all of a scenario, still decides."""
    policy = Learned(OLDER)
    observation = Loop(load("s1_semantic_iov")).reset(7).observation
    action = policy.decide(observation)
    assert observation.feasible[np.arange(len(observation)), action.option].all()


def test_from_the_registry(trained: Path) -> None:
    """A name that ends in .ckpt is a learned policy; a missing file is one line."""
    assert isinstance(make_policy(str(trained), {}, RNG), Learned)
    assert isinstance(make_policy(trained.name, {}, RNG, trained.parent), Learned)
    with pytest.raises(InputError, match="no such checkpoint"):
        make_policy("nowhere.ckpt", {}, RNG)


@pytest.mark.parametrize(
    ("changes", "seen", "remedy"),
    [
        (["decisions.candidates=1"], "local, edge1", r"--set decisions\.candidates=2 \(candidates count as far as its"),
        (["cloud={}"], "local, edge1, edge2, cloud", "--set cloud=null"),
        (["keys={}", "twin={}"], "local, edge1, edge2, keys, twin", "--set keys=null --set twin=null"),
        (["radio.sidelink.max_neighbours=1"], "local, edge1, edge2, neighbour1", r"--set radio\.sidelink=null"),
    ],
)
def test_other_columns(trained: Path, changes: list[str], seen: str, remedy: str) -> None:
    """A scenario with other columns is refused in one line: the checkpoint, what differs, and what to type."""
    policy = Learned(trained)
    other = Loop(small.scenario(*changes)).reset(1).observation
    has = "the agent was trained with local, edge1, edge2; this scenario has"
    with pytest.raises(InputError, match=rf"checkpoint\.ckpt: {has} {seen}; give it {remedy}"):
        policy.decide(other)


def test_columns_that_only_look_the_same(trained: Path) -> None:
    """As many columns of something else are refused too: a cloud in place of an edge server."""
    policy, observation = Learned(trained), Loop(small.scenario()).reset(1).observation
    tier = observation.tier.copy()
    tier[:, -1] = Tier.CLOUD
    other = replace(observation, tier=tier)
    assert encode(other).shape == encode(observation).shape
    remedy = r"decisions\.candidates=2 --set cloud=null \(candidates"
    with pytest.raises(InputError, match=f"local, edge1, edge2; this scenario has local, edge1, cloud; give.*{remedy}"):
        policy.decide(other)


def test_rules_do_without_torch() -> None:
    """Making a rule imports neither torch nor what learns."""
    code = (
        "import sys, numpy as np\nfrom cosim_agents.registry import make_policy\n"
        "make_policy('nearest', {}, np.random)\n"
        "assert not {'torch', 'pennylane', 'stable_baselines3', 'gymnasium'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_on_the_command_line(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`cosim run --policy x.ckpt` runs a scenario under it, and names a broken file in one line."""
    call = ["run", "s1_semantic_iov", "--set", "duration_s=5", "--set", "twin=null", "--no-picture"]
    assert cli.status([*call, "--policy", str(trained), "--out", str(tmp_path / "run")]) == 0
    broken = tmp_path / "broken.ckpt"
    broken.write_bytes(trained.read_bytes()[:1000])
    capsys.readouterr()
    assert cli.status([*call, "--policy", str(broken), "--out", str(tmp_path / "no")]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "broken.ckpt" in told


def test_thousands_in_one_pass(trained: Path) -> None:
    """5,000 waiting tasks are decided in one forward pass, each as if it were alone."""
    loaded = small.scenario("mobility.vehicles=5000", "tasks.arrivals.rate_per_s=3")
    observation = Loop(loaded).reset(1).observation
    assert len(observation) > 4000
    policy = Learned(trained)
    passes: list[int] = []
    learner = policy._policy._learner
    judge = learner._values
    learner._values = lambda features: (passes.append(len(features)), judge(features))[1]
    action = policy.decide(observation)
    assert passes == [len(observation)]
    features = policy.checkpoint.features.transform(encode(observation))[[3, 4000]]
    scores = judge(features)[:, : observation.tier.shape[1]]
    np.testing.assert_array_equal(action.option[[3, 4000]], scores.argmax(axis=1))


def test_a_circuit_may_be_measured_otherwise(trained: Path) -> None:
    """On PennyLane the values are the same; shots and noise change them a little; a scenario's options say which."""
    loop = Loop(small.scenario())
    observation = loop.reset(7).observation
    exact = Learned(trained).decide(observation).share
    on_device = make_policy(str(trained), {"device": "default.qubit"}, RNG).decide(observation).share
    np.testing.assert_allclose(on_device, exact, atol=1e-5)
    for options in ({"shots": 200}, {"readout": 0.2}, {"depolarizing": 0.2}, {"device": "default.qubit", "shots": 200}):
        other = Learned(trained, **options).decide(observation).share
        assert 1e-4 < np.abs(other - exact).max() < 0.4, options
    alone = Loop(small.scenario("mobility.vehicles=1", "tasks.arrivals.rate_per_s=0.1")).reset(1).observation
    assert len(alone) == 1
    assert len(Learned(trained, device="default.qubit", shots=10).decide(alone).option) == 1


def test_only_circuits_are_measured(tmp_path: Path) -> None:
    """Shots of a classical agent are refused in one line; so is a device that is not there."""
    classical = small.quick_train(small.scenario(), small.spec("ddpg"), tmp_path)
    with pytest.raises(InputError, match="ddpg has no circuit"):
        Learned(classical, shots=10)
    quantum = small.quick_train(small.scenario(), small.spec("q-ddpg"), tmp_path / "quantum")
    with pytest.raises(InputError, match="does not exist"):
        Learned(quantum, device="nowhere")
