"""Multi-agent DDPG (Lowe et al. 2017): an agent at each site, decentralised actors, critics that see all of them.

The agent of a site decides the tasks at it (`cosim.envs.deciders`) and earns their rewards alone, so that
agents may also work against each other. An actor maps the columns of one task to its values, a = mu_j(x): a site's
tasks are decided in one batched pass, however many they are, from what the site itself sees. The critics see the rows
of all agents. Their number changes from epoch to epoch, so the rows are pooled (Zaheer et al. 2017, "Deep sets"), and
an agent's return is a sum over its rows, as its reward is one (Sunehag et al. 2018, "Value-decomposition networks");
`cosim_agents.learners.joint_networks` has the formulas of Q_j.

    critics  minimise (R(r_j) + gamma Q'_j(s', mu'(s')) - Q_j(s, a))^2
    actors   maximise Q_j(s, a with mu_j(s) in place of a_j), for each j

R(r) = (r - m) / d, clipped at `reward_clip`, with the median m and the interquartile range d of rewards in random
epochs at the start, makes learning rates mean the same whatever a scenario's unit of reward is. It is clipped because
one transfer with little of the band costs as much as many others: unclipped, such rewards would dominate the critic.

An epoch is learned from once the rewards of all its tasks are known; epochs that are incomplete when an episode is
truncated are left out.
"""

import copy
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from cosim.errors import RunError
from cosim.types import AnyArray
from cosim_agents.learners.divergence import DivergenceError, trained_numbers
from cosim_agents.learners.environment import RowEnvironment, Rows
from cosim_agents.learners.exploration import Exploration
from cosim_agents.learners.joint import JointReplay, PendingEpochs
from cosim_agents.learners.joint_networks import Actors, Critics
from cosim_agents.learners.learner import AgentSpec, LearningProblem, State
from cosim_agents.learners.randomness import Randomness, torch_generator
from cosim_agents.learners.torch_state import module_state, optimizers_state, restore_module, restore_optimizers
from cosim_agents.learners.transitions import Turn

_RATES: Final = {"actors-optimizer": "lr", "critics-optimizer": "critic_lr"}


class Maddpg:
    """The learner of MADDPG. It takes the number of agents from the sites of the first scenario, or from a state.

    The first `warmup_epochs` epochs are uniform; then it explores by `cosim_agents.learners.exploration.Exploration`.
    """

    def __init__(self, spec: AgentSpec, task: LearningProblem, seed: int) -> None:
        self._spec = spec
        self._task = task
        self._seed = seed
        self._settings = spec.settings
        self._random = Randomness(seed, exploration="exploration", sampling="replay")
        self._rng = self._random["exploration"]
        self._replay = JointReplay(int(spec.settings["buffer"]), self._random["sampling"])
        self._scores = task.actions.scores
        self._exploration = Exploration(spec.settings, task.values, self._scores, self._rng)
        self._unsettled = PendingEpochs(0)
        self._epochs = 0
        self.agents = 0
        """Number of agents; 0 until it is known."""

    def _number(self, name: str) -> float:
        return float(self._settings[name])

    def _begin(self, agents: int) -> None:
        """Make the networks of this many agents."""
        spec, inputs, outputs = self._spec, self._task.features.count, self._task.values
        actor, critic = spec.networks
        generator = torch_generator(self._seed, "weights")
        self.agents = agents
        networks = 1 if self._settings["shared"] else agents
        width = int(self._settings["embedding"])
        actors = Actors(actor, inputs, outputs, networks, generator)
        critics = Critics(critic, inputs, outputs, self._scores, agents, width, generator)
        self.actors, self.critics = actors, critics
        self._target_actors, self._target_critics = copy.deepcopy(actors), copy.deepcopy(critics)
        self._optimizers = {
            "actors-optimizer": torch.optim.Adam(actors.parameters(), lr=self._number("lr")),
            "critics-optimizer": torch.optim.Adam(critics.parameters(), lr=self._number("critic_lr")),
        }

    # --- playing ---------------------------------------------------------------------------------------------------

    def playing(self) -> AbstractContextManager[None]:
        """See `Learner`."""
        return self._random.torch()

    def begin(self, environment: RowEnvironment) -> None:
        """Begin the exploration noise anew; in the first episode, make the networks of the environment's agents."""
        if not self.agents:
            self._begin(environment.agents)
        self._unsettled = PendingEpochs(self.agents)
        self._exploration.restart()

    def see(self, rows: Rows) -> AnyArray:
        """Return the features of each row, and the number of the agent that decides it."""
        return self._task.see_agents(rows)

    def explore(self, rows: Rows, seen: AnyArray) -> tuple[AnyArray, Any]:
        """Return the values to try, uniform throughout in the warm-up, and their action."""
        if self._epochs < int(self._settings["warmup_epochs"]):
            values: AnyArray = self._rng.uniform(-1.0, 1.0, (len(seen), self._task.values))
        else:
            with torch.no_grad():
                values = self._exploration.around(self.actors(torch.from_numpy(seen)).numpy())
        values = values.astype(np.float32)
        self._unsettled.decided(seen, values)
        return values, self._task.action(values, rows)

    def learn(self, turn: Turn) -> None:
        """Remember the steps whose rewards are all known; `updates` gradient steps follow once the warm-up is over."""
        for joint in self._unsettled.settle(turn):
            self._replay.add(joint)
        self._epochs += 1
        if self._epochs > int(self._settings["warmup_epochs"]) and len(self._replay):
            for _ in range(int(self._settings["updates"])):
                self._update()

    def end(self) -> None:
        """Do nothing: it learns after each step."""

    def decide(self, rows: Rows) -> Any:
        """Return the action of the agents' actors without noise.

        Raises:
            RunError: it has an actor for each of fewer agents.
        """
        seen = self.see(rows)
        if not self._settings["shared"] and seen[:, -1].max() >= self.agents:
            raise RunError(
                f"{self._spec.name}: was trained with an actor for each of {self.agents} sites and is asked for "
                f"site {int(seen[:, -1].max())}; train with --option shared=true to use it on other maps"
            )
        with self._random.torch(), torch.no_grad():
            values = self.actors(torch.from_numpy(seen)).numpy()
        return self._task.action(values, rows)

    def weights(self) -> Mapping[str, list[Tensor]]:
        """Return weights and moments of actors and critics."""
        if not self.agents:
            return {}
        networks = {"actors-optimizer": self.actors, "critics-optimizer": self.critics}
        return {
            _RATES[name]: trained_numbers(network.parameters(), self._optimizers[name])
            for name, network in networks.items()
        }

    # --- learning --------------------------------------------------------------------------------------------------

    def _calibrate(self) -> None:
        """Set n of the pooling, and m and d of the rewards, from the random epochs."""
        rewards = np.concatenate([joint.reward[np.unique(joint.seen[:, -1]).astype(int)] for joint in self._replay])
        low, middle, high = np.quantile(rewards, [0.25, 0.5, 0.75]).tolist()
        rows = np.mean([len(joint.seen) for joint in self._replay]) / self.agents
        for critics in (self.critics, self._target_critics):
            critics.middle.fill_(middle)
            critics.spread.fill_(high - low or 1.0)
            critics.typical_rows.fill_(float(rows))

    def _update(self) -> None:
        """Take a step of the critics, then of the actors, and move the targets towards them by `tau`."""
        if not self.critics.spread:
            self._calibrate()
        batch = self._replay.sample(int(self._settings["batch"]))
        count = len(batch.reward)
        with torch.no_grad():
            after = self._target_actors(batch.following)
            following = self._target_critics(batch.following, after, batch.following_of, count)
            clip = self._number("reward_clip")
            reward = ((batch.reward - self.critics.middle) / self.critics.spread).clamp(-clip, clip)
            target = reward + self._task.discount * batch.going * following
        error = self.critics(batch.seen, batch.values, batch.of, count) - target
        self._step("critics-optimizer", error.square().sum(dim=1).mean())

        chosen, agent = self.actors(batch.seen), batch.seen[:, -1:]
        loss = torch.zeros(())
        for number in np.unique(batch.seen[:, -1].numpy()).tolist():
            values = torch.where(agent == number, chosen, batch.values)
            loss = loss - self.critics(batch.seen, values, batch.of, count)[:, int(number)].mean()
        self._step("actors-optimizer", loss)

        with torch.no_grad():
            for net, slow in ((self.actors, self._target_actors), (self.critics, self._target_critics)):
                for weight, behind in zip(net.parameters(), slow.parameters(), strict=True):
                    behind.lerp_(weight, self._number("tau"))

    def _step(self, name: str, loss: Tensor) -> None:
        if not torch.isfinite(loss):
            raise DivergenceError("a loss", "critic_lr")  # an actor's is what the critics say of finite values
        for optimizer in self._optimizers.values():
            optimizer.zero_grad()
        torch.autograd.backward(loss)
        self._optimizers[name].step()

    # --- state -----------------------------------------------------------------------------------------------------

    @property
    def _modules(self) -> dict[str, torch.nn.Module]:
        return {
            "actors": self.actors,
            "critics": self.critics,
            "target-actors": self._target_actors,
            "target-critics": self._target_critics,
        }

    def state(self) -> State:
        """Return weights, targets, optimisers, buffer and generators."""
        state: State = {
            "agents": self.agents,
            "epochs": self._epochs,
            **self._random.state(),
            **self._replay.state(),
        }
        if self.agents:
            for name, module in self._modules.items():
                state.update(module_state(name, module))
            state.update(optimizers_state(self._optimizers))
        return state

    def restore(self, state: State) -> None:
        """Set all that `state` returns."""
        self._epochs = int(state["epochs"])
        self._random.restore(state)
        self._replay.restore(state)
        if int(state["agents"]):
            self._begin(int(state["agents"]))
            for name, module in self._modules.items():
                restore_module(name, module, state)
            restore_optimizers(self._optimizers, state)
