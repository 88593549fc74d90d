"""The catalogue of agents by name: algorithm, networks, and settings, each with a default and a meaning."""

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import torch

from cosim.errors import InputError
from cosim_agents.learners.choices import Dqn
from cosim_agents.learners.learner import AgentSpec, Learner, LearningProblem, Value
from cosim_agents.learners.maddpg import Maddpg
from cosim_agents.learners.off_policy import OffPolicy
from cosim_agents.learners.on_policy import OnPolicy
from cosim_agents.learners.qlearning import QLearning, state_count
from cosim_agents.networks import ORDERS, NetSpec, check_method, make_network, mlp_like, parameter_count


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of an agent, a number or word that `--option name=value` changes."""

    default: Value
    meaning: str


_SMALL: Final = "ddpg-small"
_TABULAR: Final = "q-learning"

_ROWS: Final[Mapping[str, Setting]] = {
    "components": Setting(6, "features of a row after PCA; 0: all columns, standardised"),
    "feature_epochs": Setting(200, "epochs of random roll-outs that the features are fitted on"),
}
_GRADIENT: Final[Mapping[str, Setting]] = {
    "lr": Setting(1e-4, "learning rate of the actor, or of the one network"),
    "critic_lr": Setting(2e-4, "learning rate of the critic"),
    "batch": Setting(4, "rows of a gradient step"),
    "reward_clip": Setting(10.0, "bound on a task's reward, in its median size under random decisions"),
    "hidden": Setting("64,64", "widths of a classical actor's hidden layers"),
    "critic_hidden": Setting("64,64", "widths of the critic's hidden layers"),
}
_FAST: Final[Mapping[str, Setting]] = {
    "lr": Setting(1e-3, "learning rate of the actor, or of the one network"),
    "critic_lr": Setting(1e-3, "learning rate of the critic"),
    "batch": Setting(64, "rows of a gradient step"),
}
"""Learning rates and batch of agents other than DDPG, for which alone the paper S1 gives them."""
_REPLAY: Final[Mapping[str, Setting]] = {
    "buffer": Setting(1_000_000, "transitions that are remembered"),
    "updates": Setting(1, "gradient steps after each epoch"),
    "tau": Setting(0.005, "part by which target networks follow at a step"),
    "warmup_epochs": Setting(40, "epochs of random actions before the first step"),
}
_CIRCUIT: Final[Mapping[str, Setting]] = {
    "circuit": Setting("zz", "encoding and layers of the quantum network"),
    "qubits": Setting(6, "qubits; as many as the features for encodings of one feature a qubit"),
    "layers": Setting(1, "trainable layers"),
    "order": Setting("quantum", "quantum, quantum-classical, classical-quantum or parallel"),
    "gamma": Setting(1.0, "strength of the zz encoding"),
    "ring": Setting("own", "gates that entangle: cz, cnot, or own: those of the circuit"),
    "device": Setting(
        "torch", "our engine, or a device of PennyLane, as default.qubit, lightning.qubit, default.mixed"
    ),
    "shots": Setting(0, "measurements of each circuit; 0: exact expectations, which only a simulator has"),
    "depolarizing": Setting(0.0, "probability of a depolarised qubit after each layer"),
    "readout": Setting(0.0, "probability that a bit is read wrongly"),
}
_NOISE: Final[Mapping[str, Setting]] = {
    "noise_sigma": Setting(0.2, "step of the exploration noise"),
    "noise_theta": Setting(0.15, "its pull to zero: below 1 Ornstein-Uhlenbeck, 1 white"),
    "epsilon": Setting(0.1, "part of the rows whose option scores are drawn uniformly"),
}
_TWIN_DELAYED: Final[Mapping[str, Setting]] = {
    **_NOISE,
    "noise_theta": Setting(1.0, "pull of the noise to zero: below 1 Ornstein-Uhlenbeck, 1 white"),
    "policy_delay": Setting(2, "critic steps for each step of the actor"),
    "target_noise": Setting(0.2, "noise on the target's action"),
    "target_noise_clip": Setting(0.5, "its bound"),
}
_SOFT: Final[Mapping[str, Setting]] = {
    "entropy": Setting("auto_0.1", "entropy coefficient: auto, auto_0.1 to begin with 0.1, or a number"),
}
_GREEDY: Final[Mapping[str, Setting]] = {
    "epsilon": Setting(0.05, "part of the rows that explore in the end"),
    "epsilon_epochs": Setting(2000, "epochs until then, from 1 linearly"),
}
_PROXIMAL: Final[Mapping[str, Setting]] = {
    "rollout_rows": Setting(256, "rows to collect before an update; whole episodes"),
    "passes": Setting(10, "passes over them"),
    "gae_lambda": Setting(0.95, "lambda of generalised advantage estimation"),
    "clip": Setting(0.2, "bound on the change of a probability"),
    "entropy": Setting(0.0, "weight of the entropy in the loss"),
    "log_std": Setting(-0.5, "first log deviation of the values"),
    "lr": Setting(3e-4, "learning rate of the actor"),
    "critic_lr": Setting(1e-3, "learning rate of the critic"),
    "batch": Setting(64, "rows of a gradient step"),
}
_MULTI_AGENT: Final[Mapping[str, Setting]] = {
    **_NOISE,
    "buffer": Setting(1_000_000, "epochs that are remembered, each with the rows of all its tasks"),
    "shared": Setting(True, "one actor for the agents of all sites; false: one each"),
    "embedding": Setting(64, "numbers that the critics keep of each site's rows"),
}
_TABLE: Final[Mapping[str, Setting]] = {
    "components": Setting(3, "features of a row after PCA"),
    "bins": Setting(4, "classes of each feature"),
    "decay": Setting(0.6, "learning rate of a cell after n visits: n^-decay"),
    "warmup_epochs": Setting(40, "epochs of random actions that the classes are fitted on"),
    **_GREEDY,
}
_METHOD: Final[Mapping[str, Setting]] = {
    "method": Setting("backprop", "gradient of the circuit: backprop, parameter-shift or rotosolve"),
}
_TRAINED_BY_METHOD: Final = ("q-ddpg", "q-td3")
_ONE_NETWORK: Final = frozenset({"critic_lr", "critic_hidden"})
_UNUSED: Final[Mapping[str, frozenset[str]]] = {
    "dqn": _ONE_NETWORK,
    "q-dqn": _ONE_NETWORK,
    _SMALL: frozenset(_CIRCUIT) - {"circuit", "qubits", "layers", "order"},
}
"""Settings that make no difference to an agent: they are not offered, but stay in its spec, because finished trainings
are found by all settings."""
_SETTINGS: Final[Mapping[str, Mapping[str, Setting]]] = {
    "ddpg": {**_ROWS, **_GRADIENT, **_REPLAY, **_NOISE},
    "td3": {**_ROWS, **_GRADIENT, **_FAST, **_REPLAY, **_TWIN_DELAYED},
    "sac": {**_ROWS, **_GRADIENT, **_FAST, **_REPLAY, **_SOFT},
    "dqn": {**_ROWS, **_GRADIENT, **_FAST, **_REPLAY, **_GREEDY},
    "ppo": {**_ROWS, **_GRADIENT, **_PROXIMAL},
    "maddpg": {**_ROWS, **_GRADIENT, **_FAST, **_REPLAY, **_MULTI_AGENT},
    _TABULAR: {**_ROWS, **_TABLE},
}
_MAKERS: Final[Mapping[str, Callable[[AgentSpec, LearningProblem, int], Learner]]] = {
    "ddpg": OffPolicy,
    "td3": OffPolicy,
    "sac": OffPolicy,
    "dqn": Dqn,
    "ppo": OnPolicy,
    "maddpg": Maddpg,
    _TABULAR: QLearning,
}


def agent_names() -> list[str]:
    """Return the names of all agents: each quantum agent, then its classical counterpart; last tabular Q-learning."""
    names = [name for algorithm in _MAKERS if algorithm != _TABULAR for name in (f"q-{algorithm}", algorithm)]
    names.insert(names.index("ddpg") + 1, _SMALL)
    return [*names, _TABULAR]


def agent_settings(name: str) -> Mapping[str, Setting]:
    """Return the settings that make a difference to an agent, with their defaults and meanings.

    Raises:
        InputError: there is no such agent.
    """
    unused = _UNUSED.get(name, frozenset())
    return {key: setting for key, setting in _all_settings(name).items() if key not in unused}


def _all_settings(name: str) -> dict[str, Setting]:
    if name not in agent_names():
        near = difflib.get_close_matches(name, agent_names(), n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(f"agent {name}: no such agent; {hint}use {', '.join(agent_names())}")
    settings = dict(_SETTINGS[_algorithm(name)])
    if _is_quantum(name) or name == _SMALL:
        settings.update(_CIRCUIT)
    if name in _TRAINED_BY_METHOD:
        settings.update(_METHOD)
    return settings


def agent_spec(name: str, options: Mapping[str, Any]) -> AgentSpec:
    """Return an agent's spec with some settings changed. Its networks are made once to check that they can be.

    Args:
        name: name of the agent, from `agent_names`.
        options: values of settings, or their text as on a command line.

    Raises:
        InputError: there is no such agent or setting, or a value is of the wrong kind or does not fit the others.

    >>> spec = agent_spec("ddpg", {"hidden": "32,32", "lr": 1e-3})
    >>> spec.actor.hidden, spec.settings["lr"]
    ((32, 32), 0.001)
    """
    known = agent_settings(name)
    settings: dict[str, Value] = {key: setting.default for key, setting in _all_settings(name).items()}
    for key, value in options.items():
        if key not in known:
            near = difflib.get_close_matches(key, list(known), n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise InputError(f"--option {key}: {name} has no such setting; {hint}use {', '.join(known)}")
        settings[key] = _value(name, key, value, known[key].default)
    _check_ranges(name, settings)
    if name == _TABULAR:
        state_count(int(settings["bins"]), int(settings["components"]))
        return AgentSpec(name, _TABULAR, None, None, settings)
    hidden, critic_hidden = (_widths(name, key, str(settings[key])) for key in ("hidden", "critic_hidden"))
    actor = NetSpec(kind="mlp", hidden=hidden)
    if "circuit" in settings:
        actor = _quantum(settings, hidden)
        _check_network(actor, settings)
    return AgentSpec(name, _algorithm(name), actor, NetSpec(kind="mlp", hidden=critic_hidden), settings)


def raised_by(spec: AgentSpec, setting: str) -> float:
    """Return by which factor an agent's setting is above its default; 1 for what is no number of its own."""
    default, value = _all_settings(spec.name).get(setting, Setting(1.0, "")).default, spec.settings.get(setting, 1.0)
    return float(value) / float(default) if isinstance(default, float) and default else 1.0


def _quantum(settings: Mapping[str, Value], hidden: tuple[int, ...]) -> NetSpec:
    alone = settings["order"] == "quantum"
    return NetSpec(
        kind="quantum" if alone else "hybrid",
        hidden=hidden,
        circuit=str(settings["circuit"]),
        qubits=int(settings["qubits"]),
        layers=int(settings["layers"]),
        order=ORDERS[0] if alone else str(settings["order"]),
        circuit_options=_circuit_options(settings),
        engine=engine_options(settings),
    )


def _check_network(actor: NetSpec, settings: Mapping[str, Value]) -> None:
    """Check that the network can be made, as far as that can be known without a scenario, and trained by its method."""
    if "method" in settings:
        check_method(str(settings["method"]), actor)
    features = int(settings["components"]) or actor.qubits  # all columns: how many, only a scenario knows
    make_network(actor, features, 1, torch.Generator().manual_seed(0))


def _circuit_options(settings: Mapping[str, Value]) -> tuple[tuple[str, Value], ...]:
    """Return the options of `make_circuit` that differ from the circuit's defaults."""
    options: dict[str, Value] = {}
    if settings["gamma"] != _CIRCUIT["gamma"].default:
        options["gamma"] = settings["gamma"]
    if settings["ring"] != "own":
        options["ring"] = settings["ring"]
    return tuple(options.items())


def engine_options(settings: Mapping[str, Value]) -> tuple[tuple[str, Value], ...]:
    """Return the settings that differ from exact simulation by our engine, in the form of `NetSpec.engine`."""
    options: dict[str, Value] = {}
    if settings.get("device", "torch") != "torch":
        options |= {"backend": "pennylane", "device": settings["device"]}
    options |= {name: settings[name] for name in ("shots", "depolarizing", "readout") if settings.get(name)}
    return tuple(options.items())


def make_learner(spec: AgentSpec, task: LearningProblem, seed: int) -> Learner:
    """Return a fresh learner; equal arguments give learners with equal weights.

    Args:
        spec: the agent.
        task: columns, actions, features and reward of what is learned.
        seed: seed of all that the learner draws.
    """
    return _MAKERS[spec.algorithm](_sized(spec, task), task, seed)


def _sized(spec: AgentSpec, task: LearningProblem) -> AgentSpec:
    """Return the spec with its actor sized: of `ddpg-small` the MLP nearest to the quantum actor in parameters."""
    if spec.name != _SMALL or spec.actor is None:
        return spec
    inputs, outputs = task.features.count, task.values
    quantum = make_network(spec.actor, inputs, outputs, torch.Generator().manual_seed(0))
    return replace(spec, actor=mlp_like(parameter_count(quantum), inputs, outputs))


def _algorithm(name: str) -> str:
    return name if name == _TABULAR else name.removeprefix("q-").removesuffix("-small")


def _is_quantum(name: str) -> bool:
    return name.startswith("q-") and name != _TABULAR


def _value(agent: str, key: str, value: Any, default: Value) -> Value:
    """Return a setting's value in the type of its default."""
    text = "" if value is None else str(value).strip()
    kind = type(default)
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        if kind is int:
            number = float(text)
            if isinstance(value, bool) or not number.is_integer():
                raise ValueError
            return int(number)
        if kind is float:
            number = float(text)
            if isinstance(value, bool) or not math.isfinite(number):
                raise ValueError
            return number
    except (ValueError, KeyError):
        wanted = {bool: "true or false", int: "a whole number"}.get(kind, "a number")
        raise InputError(f"--option {key}={text}: is not {wanted}; {agent} has {key}={default} by default") from None
    return text


_POSITIVE: Final = frozenset(
    {"feature_epochs", "batch", "buffer", "updates", "qubits", "layers", "passes", "rollout_rows", "policy_delay"}
    | {"lr", "critic_lr", "clip", "reward_clip", "tau", "noise_theta", "embedding", "bins", "decay"}
)
_MOST: Final[Mapping[str, int]] = {
    **dict.fromkeys(("tau", "epsilon", "gae_lambda", "noise_theta", "decay"), 1),
    "buffer": 100_000_000,
}
_ANY_SIGN: Final = frozenset({"log_std"})


def _check_ranges(agent: str, settings: Mapping[str, Value]) -> None:
    defaults = _all_settings(agent)
    for key, value in settings.items():
        if isinstance(value, str | bool):
            continue
        needed = ""
        if key in _POSITIVE and value <= 0:
            needed = "above 0"
        elif key not in _ANY_SIGN and value < 0:
            needed = "at least 0"
        elif value > _MOST.get(key, math.inf):
            needed = f"at most {_MOST[key]}"
        if needed:
            remedy = f"{agent} needs it {needed}; the default is {defaults[key].default}"
            raise InputError(f"--option {key}={value}: {remedy}")
    if settings.get("batch") == 1 and _algorithm(agent) == "ppo":
        raise InputError(f"--option batch=1: {agent} normalises advantages over a batch; give at least 2")
    if settings.get("order", "quantum") not in ("quantum", *ORDERS):
        raise InputError(f"--option order={settings['order']}: is not known; use quantum, {', '.join(ORDERS)}")
    entropy = settings.get("entropy")
    if isinstance(entropy, str) and not _is_entropy(entropy):
        raise InputError(f"--option entropy={entropy}: give auto, auto_0.1 or a number")


def _is_entropy(text: str) -> bool:
    number = text.removeprefix("auto_") if text != "auto" else "1"
    try:
        value = float(number)
    except ValueError:
        return False
    return math.isfinite(value) and (value > 0.0 if text.startswith("auto") else value >= 0.0)


def _widths(agent: str, key: str, text: str) -> tuple[int, ...]:
    try:
        widths = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        widths = (0,)
    if any(width < 1 for width in widths):
        raise InputError(f"--option {key}={text}: {agent} needs widths like 64,64; leave it empty for none")
    return widths
