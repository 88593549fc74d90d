"""REINFORCE (Williams 1992): a softmax over the choices of each row, learnt from whole episodes by its score."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from cosim.types import AnyArray, BoolArray, FloatArray, IntArray
from cosim_agents.learners.divergence import DivergenceError, check_values, trained_numbers
from cosim_agents.learners.environment import RowEnvironment, Rows
from cosim_agents.learners.learner import AgentSpec, LearningProblem, State
from cosim_agents.learners.randomness import Randomness
from cosim_agents.learners.sb3_networks import Blueprint
from cosim_agents.learners.score_function import (
    RunningMoments,
    draw_choices,
    falling_entropy,
    lasting_returns,
    log_probabilities,
    row_returns,
    score_loss,
)
from cosim_agents.learners.torch_state import module_state, optimizers_state, restore_module, restore_optimizers
from cosim_agents.learners.transitions import Turn
from cosim_agents.quantum.training import parameter_shift

BASELINES: Final = ("critic", "mean", "none")
_ROWS: Final = "replay/rows/"


@dataclass(slots=True)
class _Step:
    """A step as it was decided; its rewards become known later."""

    seen: AnyArray  # (n, k + C)
    choice: IntArray  # (n,)
    reward: FloatArray = field(init=False)  # (n,), NaN until known
    terminal: BoolArray = field(init=False)  # (n,)
    turn: Turn = field(init=False)  # once it was taken

    def __post_init__(self) -> None:
        self.reward = np.full(len(self.choice), np.nan)
        self.terminal = np.zeros(len(self.choice), np.bool_)


class Reinforce:
    """A learner of pi(choice | row), a softmax over the possible choices, with baseline and falling entropy.

    At the end of an episode, once `rollout_rows` rows are collected, it takes one step of Adam along
    mean((R - b) / s grad log pi(choice)) + c grad mean(H(pi)). R are the returns of `lasting_returns` where rows go on
    (`RowEnvironment.lasting`), else of `row_returns`, of rewards in the problem's unit and clipped; s is the running
    deviation of the returns seen; c is `falling_entropy`. b is, by `baseline`, 0, the running mean m of the returns
    seen, or s V(row, mean of the step's rows): a critic that sees all rows of a step, as no actor does, and is fitted
    to R / s by `critic_steps` steps after the actor's. What follows an episode that was cut off counts with b.
    """

    def __init__(self, spec: AgentSpec, task: LearningProblem, seed: int) -> None:
        self._task = task
        self._settings = spec.settings
        self._random = Randomness(seed, exploration="exploration")
        self._rng = self._random["exploration"]
        blueprint = Blueprint.of(spec, seed)
        self._method = blueprint.method
        self.actor = blueprint.policy_net(task.features.count, task.actions.choices)
        self._optimizers = {"actor-optimizer": torch.optim.Adam(self.actor.parameters(), lr=blueprint.actor_lr)}
        self.critic: torch.nn.Module | None = None
        if spec.settings["baseline"] == "critic":
            self.critic = blueprint.value_net(2 * task.features.count)
            self._optimizers["critic-optimizer"] = torch.optim.Adam(self.critic.parameters(), lr=blueprint.critic_lr)
        self._returns = RunningMoments(float(spec.settings["forget"]))
        self._episodes = 0
        self._collected: list[tuple[AnyArray, ...]] = []
        self._played: list[_Step] = []  # of the present episode
        self._lasting = False

    def playing(self) -> AbstractContextManager[None]:
        """See `Learner`."""
        return self._random.torch()

    def begin(self, environment: RowEnvironment) -> None:
        """Forget what was played of an episode before."""
        self._played, self._lasting = [], environment.lasting

    def see(self, rows: Rows) -> AnyArray:
        """Return features, then whether each choice is possible, (n, k + choices)."""
        return self._task.see_choices(rows)

    def explore(self, rows: Rows, seen: AnyArray) -> tuple[AnyArray, Any]:
        """Return choices drawn from pi, (n, 1), and their action."""
        with torch.no_grad():
            log_prob: AnyArray = self._log_prob(torch.from_numpy(seen)).numpy()
        check_values(log_prob)
        choice = draw_choices(log_prob, self._rng)
        self._played.append(_Step(seen, choice))
        return choice[:, None], self._task.actions.of_choices(choice, rows)

    def learn(self, turn: Turn) -> None:
        """Note the rewards that became known."""
        self._played[-1].turn, batch = turn, turn.transitions
        learnt = self._task.reward(batch.reward, float(self._settings["reward_clip"]))
        told = zip(batch.epoch.tolist(), batch.row.tolist(), learnt, batch.terminal, strict=True)
        for epoch, row, reward, terminal in told:
            self._played[epoch].reward[row], self._played[epoch].terminal[row] = reward, terminal

    def end(self) -> None:
        """Learn if enough rows are collected."""
        self._collect()
        if sum(len(columns[0]) for columns in self._collected) >= int(self._settings["rollout_rows"]):
            self._update(*(np.concatenate(column) for column in zip(*self._collected, strict=True)))
            self._collected = []
        self._episodes += 1

    def decide(self, rows: Rows) -> Any:
        """Return the action of the most probable possible choices."""
        with torch.no_grad():
            logits: AnyArray = self.actor(torch.from_numpy(self._task.see(rows))).numpy()
        return self._task.choose(logits, rows)

    def state(self) -> State:
        """Return weights, optimisers, generators, moments of the returns, and the rows that wait for an update."""
        state: State = {
            "episodes": self._episodes,
            **self._random.state(),
            **self._returns.state(),
            **optimizers_state(self._optimizers),
        }
        for name, module in self._modules.items():
            state.update(module_state(name, module))
        for number, column in enumerate(zip(*self._collected, strict=True)):
            state[f"{_ROWS}{number}"] = np.concatenate(column)
        return state

    def restore(self, state: State) -> None:
        """Set all that `state` returns."""
        self._episodes = int(state["episodes"])
        self._random.restore(state)
        self._returns.restore(state)
        for name, module in self._modules.items():
            restore_module(name, module, state)
        restore_optimizers(self._optimizers, state)
        columns = sum(name.startswith(_ROWS) for name in state)
        rows = tuple(np.array(state[f"{_ROWS}{number}"]) for number in range(columns))
        self._collected = [rows] if rows else []

    def weights(self) -> Mapping[str, list[Tensor]]:
        """Return weights and moments of the actor, and of the critic where there is one."""
        rates = {"actor": "lr", "critic": "critic_lr"}
        return {
            rates[name]: trained_numbers(module.parameters(), self._optimizers[f"{name}-optimizer"])
            for name, module in self._modules.items()
        }

    # --- learning --------------------------------------------------------------------------------------------------

    @property
    def _modules(self) -> dict[str, torch.nn.Module]:
        return {"actor": self.actor} | ({} if self.critic is None else {"critic": self.critic})

    def _log_prob(self, seen: Tensor) -> Tensor:
        count = self._task.features.count
        return log_probabilities(self.actor(seen[:, :count]), seen[:, count:] > 0.5)

    def _joint(self, seen: AnyArray) -> AnyArray:
        """Return what the critic reads of the rows of a step, (n, 2 k): each row's features, and their mean."""
        features = seen[:, : self._task.features.count]
        return np.concatenate([features, np.broadcast_to(features.mean(axis=0), features.shape)], axis=1)

    def _worth(self, seen: AnyArray) -> FloatArray:
        """Return the baselines of the rows of a step, estimates of their returns, (n,)."""
        if self.critic is not None:
            with torch.no_grad():
                value: AnyArray = self.critic(torch.from_numpy(self._joint(seen)))[:, 0].numpy()
            return self._returns.deviation * value.astype(float)
        return np.full(len(seen), self._returns.mean if self._settings["baseline"] == "mean" else 0.0)

    def _collect(self) -> None:
        """Add the rows of the episode with a known return: seen, what the critic reads, choice and return."""
        steps = self._played
        rewards, discount = [step.reward for step in steps], self._task.discount
        if self._lasting:
            terminal, successors = ([getattr(step.turn, name) for step in steps] for name in ("terminal", "successor"))
            worth = [self._worth(step.turn.beyond) for step in steps]
            returns = lasting_returns(rewards, terminal, successors, worth, discount)
        else:
            last = steps[-1].turn.following if steps else None
            following = 0.0 if last is None else float(self._worth(last).mean())
            estimates = [float(self._worth(step.seen).mean()) for step in steps]
            returns = row_returns(rewards, [step.terminal for step in steps], estimates, following, discount)
        for step, returned in zip(steps, returns, strict=True):
            known = ~np.isnan(returned)
            if known.any():
                columns = (step.seen, self._joint(step.seen), step.choice, returned)
                self._collected.append(tuple(column[known] for column in columns))

    def _update(self, seen: AnyArray, joint: AnyArray, choice: IntArray, returned: FloatArray) -> None:
        """Take a step of the actor, then steps of the critic.

        Args:
            seen: (n, k + C) features and possible choices.
            joint: (n, 2 k) what the critic reads.
            choice: (n,) choices that were made.
            returned: (n,) returns.
        """
        self._returns.add(returned)
        target = torch.from_numpy((returned / self._returns.deviation).astype(np.float32))
        rows = torch.from_numpy(joint)
        baseline = torch.zeros(())
        if self.critic is not None:
            with torch.no_grad():
                baseline = self.critic(rows)[:, 0]
            if not torch.isfinite(baseline).all():
                raise DivergenceError("a loss", "critic_lr")
        elif self._settings["baseline"] == "mean":
            baseline = torch.tensor(self._returns.mean / self._returns.deviation)
        with parameter_shift(self.actor) if self._method == "parameter-shift" else nullcontext():
            log_prob = self._log_prob(torch.from_numpy(seen))
            entropy = falling_entropy(self._settings, self._episodes)
            self._step("actor", score_loss(log_prob, torch.from_numpy(choice), target - baseline, entropy))
        if self.critic is not None:
            for _ in range(int(self._settings["critic_steps"])):
                self._step("critic", (self.critic(rows)[:, 0] - target).square().mean())

    def _step(self, name: str, loss: Tensor) -> None:
        if not torch.isfinite(loss):
            raise DivergenceError("a loss", "lr" if name == "actor" else "critic_lr")
        optimizer = self._optimizers[f"{name}-optimizer"]
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
