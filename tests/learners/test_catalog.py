"""Agents by name, and what is said of a wrong option."""

import pytest
from cosim_agents.learners.catalog import agent_names, agent_settings, agent_spec

from cosim.errors import InputError


def test_every_agent_has_told_settings() -> None:
    """Each agent of the catalogue can be made with its defaults, and each of its settings says what it means."""
    assert {"q-ddpg", "ddpg", "ddpg-small", "q-maddpg", "q-learning"} <= set(agent_names())
    for name in agent_names():
        spec = agent_spec(name, {})
        assert spec.name == name
        assert all(setting.meaning for setting in agent_settings(name).values())


def test_defaults_are_those_of_the_paper() -> None:
    """Q-DDPG has S1's Table III: six features, one layer of ZZ encoding, rates 1e-4 and 2e-4, batch 4, buffer 1e6."""
    spec = agent_spec("q-ddpg", {})
    assert spec.actor is not None
    assert (spec.actor.kind, spec.actor.circuit, spec.actor.qubits, spec.actor.layers) == ("quantum", "zz", 6, 1)
    assert [spec.settings[key] for key in ("components", "lr", "critic_lr", "batch", "buffer", "updates")] == [
        *(6, 1e-4, 2e-4, 4, 1_000_000, 1)
    ]


def test_every_setting_on_offer_is_read() -> None:
    """What makes no difference to an agent is not offered, but stands in its spec as before."""
    for name, unused in (("q-dqn", "critic_lr"), ("dqn", "critic_hidden"), ("ddpg-small", "device")):
        assert unused not in agent_settings(name)
        assert unused in agent_spec(name, {}).settings


def test_text_becomes_numbers() -> None:
    """Options may come as text from a command line; each becomes what its default is."""
    spec = agent_spec("q-td3", {"lr": "3e-4", "batch": "64", "order": "parallel", "critic_hidden": "32,16"})
    assert spec.settings["lr"] == 3e-4
    assert spec.settings["batch"] == 64
    assert spec.actor is not None
    assert spec.critic is not None
    assert (spec.actor.kind, spec.actor.order, spec.critic.hidden) == ("hybrid", "parallel", (32, 16))
    assert agent_spec("maddpg", {"shared": "false"}).settings["shared"] is False


@pytest.mark.parametrize(
    ("agent", "options", "told"),
    [
        ("qddpg", {}, "did you mean q-ddpg?"),
        ("ddpg", {"lrr": 1}, "did you mean lr?"),
        ("ddpg", {"layers": 2}, "no such setting"),
        ("ddpg", {"lr": "fast"}, "lr=fast: is not a number"),
        ("ddpg", {"lr": "nan"}, "is not a number"),
        ("ddpg", {"batch": 2.5}, "batch=2.5: is not a whole number"),
        ("ddpg", {"batch": True}, "is not a whole number"),
        ("ddpg", {"batch": 0}, "above 0"),
        ("ddpg", {"tau": 2}, "at most 1"),
        ("ddpg", {"epsilon": -0.1}, "at least 0"),
        ("ddpg", {"hidden": "64,x"}, "hidden=64,x"),
        ("maddpg", {"shared": "perhaps"}, "true or false"),
        ("sac", {"entropy": "lots"}, "auto"),
        ("q-ddpg", {"method": "magic"}, "rotosolve"),
        ("q-ddpg", {"order": "sideways"}, "parallel"),
        ("ddpg", {"updates": 0}, "above 0"),
        ("ddpg", {"buffer": 1e12}, "at most 100000000"),
        ("dqn", {"critic_lr": 1}, "no such setting"),
        ("ddpg-small", {"shots": 100}, "no such setting"),
        ("q-learning", {"bins": 1e9, "components": 40}, "10,000,000 cells"),
        ("ppo", {"batch": 1}, "at least 2"),
    ],
)
def test_wrong_options(agent: str, options: dict, told: str) -> None:
    """A wrong name, kind or range is one line that names it and what would do."""
    with pytest.raises(InputError) as error:
        agent_spec(agent, options)
    assert told in str(error.value)
    assert "\n" not in str(error.value)
