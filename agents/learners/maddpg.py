"""Multi-agent DDPG (Lowe et al. 2017): an agent at each site, decentralised actors, critics that see all of them.

The agent of a site decides the tasks at it (`cosim.envs.deciders`), and earns their rewards and no others', so that
agents may also work against each other. An actor maps the columns of one task to its values, a = mu_j(x): a site's
tasks are decided in one batched pass, however many they are, from what the site itself sees. The critics see the rows
of all agents. Their number changes from epoch to epoch, so the rows are pooled (Zaheer et al. 2017, "Deep sets"), and
an agent's return is a sum over its rows, as its reward is one (Sunehag et al. 2018, "Value-decomposition networks"):

    e_i = relu(W (x_i, a_i) + b),   p_j = (1 / n) sum of e_i over the rows of site j,   p = (p_1, ..., p_N)
    Q_j(s, a) = sum over the rows i of site j of f(e_i, sum of all p_j) + g_j(p)

n, the rows that a site has on average, only keeps numbers near one. f and g are shared by the critics: as many separate
critics as there are agents, at the cost of one.

    critics  (R(r_j) + gamma Q'_j(s', mu'(s')) - Q_j(s, a))^2 least
    actors   Q_j(s, a with mu_j(s) in place of a_j) most, for each j

R(r) = (r - m) / d, cut at `reward_clip`, with the median m and the interquartile range d of rewards in random epochs
at the start, makes learning rates mean the same whatever a scenario's unit of reward is. It is cut because one transfer
with little of the band costs as much as many others: with such rewards in it the critic sees nothing else.

An epoch is learned from once the rewards of all its tasks are known; what is not known when an episode is cut off is
left out. Network-wide knobs (detector, proposer) take the mean of what the rows ask for.
"""

import copy
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from agents.learners.joint import Replay, Unsettled
from agents.learners.learner import AgentSpec, EpisodeLog, State, Task
from agents.learners.randomness import OrnsteinUhlenbeck, PrivateTorch, generator_text, restore_generator
from agents.learners.rollout import Tally, turns
from agents.learners.row_policy import RowPolicy
from agents.learners.sb3_state import module_state, optimizers_state, restore_module, restore_optimizer
from agents.networks import NetSpec, make_network
from cosim.decision import Action, Observation, Policy
from cosim.envs.deciders import deciding_site
from cosim.envs.loop import Loop, Round
from cosim.envs.traffic import sites_of
from cosim.errors import RunError
from cosim.rng import stream, stream_key
from cosim.types import AnyArray

_SHARPNESS: Final = 4.0


class Actors(torch.nn.Module):
    """One network for each agent, or one for all."""

    def __init__(self, spec: NetSpec, inputs: int, outputs: int, networks: int, generator: torch.Generator) -> None:
        super().__init__()
        self.outputs = outputs
        self.networks = torch.nn.ModuleList(make_network(spec, inputs, outputs, generator) for _ in range(networks))

    def forward(self, seen: Tensor) -> Tensor:
        """(n, k + 1) features and agent to (n, A) values in [-1, 1]."""
        x, agent = seen[:, :-1], seen[:, -1]
        if len(self.networks) == 1:
            return torch.tanh(self.networks[0](x))
        values = x.new_zeros(len(x), self.outputs)
        for number, network in enumerate(self.networks):
            mine = (agent == number).nonzero()[:, 0]
            if len(mine):
                values = values.index_copy(0, mine, torch.tanh(network(x[mine])))
        return values


def carried_out(values: Tensor, targets: int) -> Tensor:
    """What is done of a row's values: 1 for the target of the highest score, 0 for the others; the rest as it is.

    The gradient is that of softmax(4 score), straight through, as for the discrete actions of Lowe et al. 2017 but
    without their Gumbel noise: exploration is elsewhere.

    Args:
        values: (n, A).
        targets: the first so many of them are scores of targets.
    """
    if not targets:
        return values
    soft = torch.softmax(_SHARPNESS * values[:, :targets], dim=1)
    hard = torch.nn.functional.one_hot(soft.argmax(dim=1), targets)
    return torch.cat([hard + soft - soft.detach(), values[:, targets:]], dim=1)


class Critics(torch.nn.Module):
    """Q_j of all agents from the rows of all agents."""

    def __init__(
        self,
        spec: NetSpec,
        inputs: int,
        outputs: int,
        targets: int,
        agents: int,
        width: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.agents = agents
        self.targets = targets
        self.embed = make_network(NetSpec(kind="mlp", hidden=()), inputs + outputs, width, generator)
        self.value = make_network(spec, 2 * width, 1, generator)
        self.rest = make_network(NetSpec(kind="mlp", hidden=()), agents * width, agents, generator)
        for name in ("typical_rows", "middle", "spread"):
            self.register_buffer(name, torch.zeros(()))

    typical_rows: Tensor
    """n of the pooling; 0 until the first update, as the next two."""
    middle: Tensor
    """m."""
    spread: Tensor
    """d."""

    def forward(self, seen: Tensor, values: Tensor, of: Tensor, count: int) -> Tensor:
        """(n, k + 1) and (n, A) rows of `count` epochs, `of` which each is one, to (count, N)."""
        rows = torch.relu(self.embed(torch.cat([seen[:, :-1], carried_out(values, self.targets)], dim=1)))
        place = of * self.agents + seen[:, -1].long()
        pooled = rows.new_zeros(count * self.agents, rows.shape[1]).index_add(0, place, rows) / self.typical_rows
        crowd = pooled.view(count, self.agents, -1).sum(dim=1)
        each = self.value(torch.cat([rows, crowd[of]], dim=1))[:, 0]
        summed = each.new_zeros(count * self.agents).index_add(0, place, each)
        q: Tensor = summed.view(count, -1) + self.rest(pooled.view(count, -1))
        return q


class Maddpg:
    """The learner. How many agents there are is known once it has seen a scenario's sites, or a state.

    Exploration is that of the other learners: noise on all values, and a part `epsilon` of the rows whose scores of
    targets are drawn uniformly.
    """

    def __init__(self, spec: AgentSpec, task: Task, seed: int) -> None:
        self._spec = spec
        self._task = task
        self._seed = seed
        self._settings = spec.settings
        self._torch = PrivateTorch(seed, "torch")
        self._rng = stream(seed, "exploration")
        self._replay_rng = stream(seed, "replay")
        self._replay = Replay(int(spec.settings["buffer"]), self._replay_rng)
        self._noise = OrnsteinUhlenbeck(
            task.values, self._number("noise_theta"), self._number("noise_sigma"), self._rng
        )
        self._scores = sum(name.startswith("target.") for name in task.knobs.names)
        self._epochs = 0
        self.agents = 0
        """0 until it is known."""

    def _number(self, name: str) -> float:
        return float(self._settings[name])

    def _begin(self, agents: int) -> None:
        """Make the networks."""
        spec, inputs, outputs = self._spec, self._task.features.count, self._task.values
        if spec.actor is None or spec.critic is None:
            raise ValueError(f"{spec.name} has no networks")
        generator = torch.Generator().manual_seed(stream_key(self._seed, "weights") % 2**63)
        self.agents = agents
        networks = 1 if self._settings["shared"] else agents
        width = int(self._settings["embedding"])
        actors = Actors(spec.actor, inputs, outputs, networks, generator)
        critics = Critics(spec.critic, inputs, outputs, self._scores, agents, width, generator)
        self.actors, self.critics = actors, critics
        self._target_actors, self._target_critics = copy.deepcopy(actors), copy.deepcopy(critics)
        self._optimizers = {
            "actors-optimizer": torch.optim.Adam(actors.parameters(), lr=self._number("lr")),
            "critics-optimizer": torch.optim.Adam(critics.parameters(), lr=self._number("critic_lr")),
        }

    # --- playing ---------------------------------------------------------------------------------------------------

    def episode(self, loop: Loop, seed: int) -> EpisodeLog:
        """Play one episode; `updates` gradient steps follow each epoch once the warm-up is over."""
        if not self.agents:
            self._begin(len(sites_of(loop.scenario, Path())))
        tally, unsettled = Tally(), Unsettled(self.agents)
        warmup = int(self._settings["warmup_epochs"])

        def act(round_: Round, seen: AnyArray) -> tuple[AnyArray, Action]:
            values, action = self._explore(round_, seen)
            unsettled.decided(seen, values)
            return values, action

        with self._torch():
            self._noise.restart()
            for turn in turns(loop, seed, self._see, act, tally):
                for joint in unsettled.settle(turn):
                    self._replay.add(joint)
                self._epochs += 1
                if self._epochs > warmup and len(self._replay):
                    for _ in range(int(self._settings["updates"])):
                        self._update()
        return tally.log()

    def _see(self, round_: Round) -> AnyArray:
        """Features of each row, and the site that decides it."""
        return _rows(self._task.features.transform(round_.features), round_.observation)

    def _explore(self, round_: Round, seen: AnyArray) -> tuple[AnyArray, Action]:
        shape = (len(seen), self._task.values)
        if self._epochs < int(self._settings["warmup_epochs"]):
            values = self._rng.uniform(-1.0, 1.0, shape)
        else:
            with torch.no_grad():
                values = self.actors(torch.from_numpy(seen)).numpy()
            values = np.clip(values + self._noise.draw(len(seen)), -1.0, 1.0)
            anew = self._rng.random(len(seen)) < self._number("epsilon")
            values[anew, : self._scores] = self._rng.uniform(-1.0, 1.0, shape)[anew, : self._scores]
        values = values.astype(np.float32)
        return values, self._task.action(values, round_.observation)

    def policy(self) -> Policy:
        """Each site's actor without noise; shares the networks of this learner."""
        return RowPolicy(self._task, lambda features: features, self._decide)

    def _decide(self, features: AnyArray, observation: Observation) -> Action:
        seen = _rows(features, observation)
        if not self._settings["shared"] and seen[:, -1].max() >= self.agents:
            raise RunError(
                f"{self._spec.name}: was trained with an actor for each of {self.agents} sites and is asked for "
                f"site {int(seen[:, -1].max())}; train with --option shared=true to use it on other maps"
            )
        with self._torch(), torch.no_grad():
            values = self.actors(torch.from_numpy(seen)).numpy()
        return self._task.action(values, observation)

    # --- learning --------------------------------------------------------------------------------------------------

    def _calibrate(self) -> None:
        """Fix n of the pooling, and m and d of the rewards, by what the random epochs gave."""
        rewards = np.concatenate([joint.reward[np.unique(joint.seen[:, -1]).astype(int)] for joint in self._replay])
        low, middle, high = np.quantile(rewards, [0.25, 0.5, 0.75]).tolist()
        rows = np.mean([len(joint.seen) for joint in self._replay]) / self.agents
        for critics in (self.critics, self._target_critics):
            critics.middle.fill_(middle)
            critics.spread.fill_(high - low or 1.0)
            critics.typical_rows.fill_(float(rows))

    def _update(self) -> None:
        """One step of the critics, one of the actors, and the targets a little after them."""
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
        """Weights, targets, optimisers, buffer, generators."""
        state: State = {
            "agents": self.agents,
            "epochs": self._epochs,
            "exploration": generator_text(self._rng),
            "sampling": generator_text(self._replay_rng),
            "torch": self._torch.state,
            **self._replay.state(),
        }
        if self.agents:
            for name, module in self._modules.items():
                state.update(module_state(name, module))
            state.update(optimizers_state(self._optimizers))
        return state

    def restore(self, state: State) -> None:
        """From `state`."""
        self._epochs = int(state["epochs"])
        restore_generator(self._rng, str(state["exploration"]))
        restore_generator(self._replay_rng, str(state["sampling"]))
        self._torch.state = np.asarray(state["torch"])
        self._replay.restore(state)
        if int(state["agents"]):
            self._begin(int(state["agents"]))
            for name, module in self._modules.items():
                restore_module(name, module, state)
            for name, optimizer in self._optimizers.items():
                restore_optimizer(name, optimizer, state)


def _rows(features: AnyArray, observation: Observation) -> AnyArray:
    """(T, k + 1): a task's features and the number of the site that decides it."""
    site = deciding_site(observation)[:, None]
    rows: AnyArray = np.concatenate([features, site], axis=1, dtype=np.float32)
    return rows
