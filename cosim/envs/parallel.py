"""A scenario as a PettingZoo parallel environment: one agent for each site, or for each vehicle."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from cosim.envs.columns import LIMIT
from cosim.envs.deciders import Seats, deciding_site
from cosim.envs.loop import Loop, Round, Step
from cosim.envs.seeds import SeededEpisodes
from cosim.envs.traffic import sites_of
from cosim.errors import InputError
from cosim.scenario.load import load
from cosim.trace.store.writer import FactWriter
from cosim.types import BoolArray, FloatArray, IntArray

Rows = NDArray[np.float32]


class OffloadingParallelEnv(SeededEpisodes, ParallelEnv):  # type: ignore[misc]  # pettingzoo is only partly typed
    """Agents that share a scenario's decisions, each of which earns the rewards of the tasks that it decided.

    `agents="site"`: agent `site_j` decides the tasks whose strongest feasible edge host is at site j; those without a
    feasible edge host are site 0's. It sees up to `rows` of them at once.

    `agents="vehicle"`: agent `vehicle_k` decides for the vehicle in seat k, one task at once. A vehicle takes the
    lowest free seat when it enters and gives it back when it leaves; with more vehicles than agents, seats n, n + K, n
    + 2K, ... are all agent n's.

    Tasks that do not fit are decided in further rounds at the same instant, and the simulation goes on when all of the
    epoch are decided. An agent without a task sees absent rows, and its action is ignored. All agents are present from
    the first round to the last.

    An observation is `rows` times the columns of `cosim.envs.columns` and one more that is 1 for a present row; absent
    rows are 0. An action is `rows` times the values of `cosim.envs.knobs`, in [-1, 1]; the first agent's ends with the
    values of the network-wide knobs, of which the last round's hold. `infos[agent]` has `action_mask` (rows, options)
    of the possible targets, and `tasks`, the numbers of the present rows' tasks.

    Rewards (`decisions.reward`) follow the decision: a task's goes to the agent that decided it, also when its vehicle
    has left and the seat is another's, because leaving early is an outcome of the decision too. What settles in one
    step is summed; a round that is not the epoch's last gives 0. A task that ended undecided counts for no agent, nor
    does one that is still on its way when the episode ends. An analytic reward is the task's own cost and what it
    imposes on others, so that an agent is charged for the harm it does; summed over agents it is therefore more than
    the team's reward of the single-agent environment.

    Episodes begin and end for all agents at once, as those of `cosim.envs.single.OffloadingEnv` do: with
    `episode_epochs` or the scenario's duration they are truncated, and the last observations have the tasks that wait
    then; where none can come any more they terminate. Seeds make episodes as there.

        >>> import numpy as np
        >>> import cosim
        >>> env = cosim.OffloadingParallelEnv("per_task", ["duration_s=2", "statistics.warmup_s=0"], rows=2)
        >>> observations, infos = env.reset(seed=1)
        >>> sorted(observations)
        ['site_0', 'site_1', 'site_2']
        >>> actions = {agent: np.zeros(env.action_space(agent).shape) for agent in env.agents}
        >>> observations, rewards, terminations, truncations, infos = env.step(actions)
        >>> env.close()
    """

    metadata = {"name": "cosim_offloading_v0", "render_modes": [], "is_parallelizable": True}  # noqa: RUF012 - PettingZoo's
    render_mode = None

    def __init__(
        self,
        scenario: str | Path = "s1_semantic_iov",
        overrides: Sequence[str] = (),
        agents: Literal["site", "vehicle"] = "site",
        *,
        rows: int = 8,
        slots: int = 16,
        episode_epochs: int | None = None,
        facts: FactWriter | None = None,
        traffic: Literal["replay", "live"] = "replay",
    ) -> None:
        """Load the scenario.

        Args:
            scenario: file or bundled name.
            overrides: changes `key.path=value`.
            agents: whether an agent is a site or a vehicle.
            rows: tasks that a site's agent sees at once; a vehicle's sees one.
            slots: number of agents for vehicles.
            episode_epochs: decision epochs of an episode; None: the scenario's duration.
            facts: where the facts of the run are recorded; nowhere by default.
            traffic: `replay` SUMO's recorded traffic, or run SUMO `live`.

        Raises:
            InputError: the scenario cannot be loaded, or an argument is out of range.
        """
        if agents not in ("site", "vehicle"):
            raise InputError(f"agents={agents!r} is neither site nor vehicle; give one of them")
        for name, count in (("rows", rows), ("slots", slots)):
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise InputError(f"{name}={count!r} is not a positive whole number; give one")
        self._loop = Loop(load(scenario, overrides), episode_epochs=episode_epochs, facts=facts, traffic=traffic)
        self._by_site = agents == "site"
        self._rows = rows if self._by_site else 1
        count = len(sites_of(self._loop.scenario, Path())) if self._by_site else slots
        self.possible_agents = [f"{agents}_{number}" for number in range(count)]
        self.agents: list[str] = []
        width = self._rows * (len(self._loop.columns) + 1)
        values, network = self._rows * len(self._loop.knobs.names), self._loop.knobs.network_size
        self.observation_spaces = {name: _box(width, LIMIT) for name in self.possible_agents}
        self.action_spaces = {
            name: _box(values + network * (number == 0), 1.0) for number, name in enumerate(self.possible_agents)
        }

    def observation_space(self, agent: str) -> Box:
        """Return the observation space of that agent, always the same object."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Box:
        """Return the action space of that agent, always the same object."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Rows], dict[str, dict[str, Any]]]:
        """Begin a run with this seed and return observations and infos of its first decisions.

        Args:
            seed: seed of arrivals and all other random quantities; None: drawn, as by `cosim.envs.seeds`.
            options: none are known.

        Raises:
            RunError: no task ever waits.
        """
        del options
        self._seats = Seats()
        self._decider: dict[int, int] = {}
        self.agents = self.possible_agents[:]
        self._open(self._loop.reset(self.next_seed(seed)))
        return self._observations(), self._infos()

    def step(
        self, actions: dict[str, Rows]
    ) -> tuple[dict[str, Rows], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Take the agents' actions for this round; after an epoch's last round, go on to the next epoch.

        Args:
            actions: action of each agent by name.

        Returns:
            Observations, rewards, terminations, truncations and infos of each agent by name.

        Raises:
            RuntimeError: the episode is over, or has not begun.
            InputError: an agent's action is missing or is not of its space's shape.
        """
        if not self.agents:
            raise RuntimeError("no episode runs; call reset()")
        earned = np.zeros(len(self.possible_agents))
        step: Step | None = None
        network = self._keep(actions)
        self._turn += 1
        if self._turn > self._place[:, 0].max(initial=0):
            step = self._go_on(network, earned)
        observations, infos = self._observations(), self._infos()
        names = self.agents
        if step is not None and step.over:
            self.agents = []
        return (
            observations,
            dict(zip(names, earned.tolist(), strict=True)),
            dict.fromkeys(names, step is not None and step.terminated),
            dict.fromkeys(names, step is not None and step.truncated),
            infos,
        )

    def close(self) -> None:
        """End the run; a second call does nothing."""
        self._loop.close()

    # --- one epoch -------------------------------------------------------------------------------------------------

    def _open(self, epoch: Round) -> None:
        """Assign the tasks of an epoch that begins to agents, rounds and rows."""
        self._epoch = epoch
        self._turn = 0
        if self._by_site:
            agent = deciding_site(epoch.observation)
        else:
            self._seats.update(self._loop.vehicles)
            agent = self._seats.of(epoch.observation.vehicle) % len(self.possible_agents)
        turn, row = np.divmod(_rank(agent), self._rows)
        self._place: IntArray = np.stack([turn, agent, row], axis=1)
        self._decider.update(zip(epoch.observation.task.tolist(), agent.tolist(), strict=True))
        self._values: FloatArray = np.zeros((len(agent), len(self._loop.knobs.names)))

    def _present(self) -> IntArray:
        """Return the tasks of this round, as rows of the epoch's observation."""
        return np.flatnonzero(self._place[:, 0] == self._turn)

    def _keep(self, actions: dict[str, Rows]) -> FloatArray:
        """Note the values of this round's tasks, and return the network-wide ones."""
        answers = [self._answer(name, actions) for name in self.possible_agents]
        size = self._rows * self._values.shape[1]
        table = np.stack([answer[:size] for answer in answers]).reshape(len(answers), self._rows, -1)
        present = self._present()
        self._values[present] = table[self._place[present, 1], self._place[present, 2]]
        return answers[0][size:]

    def _answer(self, name: str, actions: dict[str, Rows]) -> FloatArray:
        answer = np.asarray(actions.get(name), np.float64)
        if answer.shape != self.action_spaces[name].shape:
            raise InputError(f"action of {name} has shape {answer.shape}, needs {self.action_spaces[name].shape}")
        return answer

    def _go_on(self, network: FloatArray, earned: FloatArray) -> Step:
        """Run to the next epoch after all tasks are decided, and add the rewards that became known."""
        action = self._loop.knobs.decode(self._values, self._epoch.observation, network)
        step = self._loop.step(action)
        for task, reward in zip(step.settled_task.tolist(), step.settled_reward.tolist(), strict=True):
            agent = self._decider.pop(task, None)
            if agent is not None:
                earned[agent] += reward
        if step.following is None:
            self._turn += 1  # nothing is present any more
        else:
            self._open(step.following)
        return step

    def _observations(self) -> dict[str, Rows]:
        present = self._present()
        table = np.zeros((len(self.possible_agents), self._rows, len(self._loop.columns) + 1), np.float32)
        agent, row = self._place[present, 1], self._place[present, 2]
        table[agent, row, :-1] = self._epoch.features[present]
        table[agent, row, -1] = 1.0
        return dict(zip(self.possible_agents, table.reshape(len(table), -1), strict=True))

    def _infos(self) -> dict[str, dict[str, Any]]:
        present = self._present()
        agent, row = self._place[present, 1], self._place[present, 2]
        mask: BoolArray = np.zeros((len(self.possible_agents), self._rows, self._loop.knobs.options), np.bool_)
        mask[:, :, 0] = True
        mask[agent, row] = self._epoch.mask[present]
        tasks = self._epoch.observation.task[present]
        return {
            name: {"action_mask": mask[number], "tasks": tasks[agent == number]}
            for number, name in enumerate(self.possible_agents)
        }


def _rank(agent: IntArray) -> IntArray:
    """Return how many earlier rows have the same agent, (T,)."""
    order = np.argsort(agent, kind="stable")
    ordered = agent[order]
    rank = np.empty(len(agent), np.int64)
    rank[order] = np.arange(len(agent)) - np.searchsorted(ordered, ordered)
    return rank


def _box(size: int, bound: float) -> Box:
    return Box(-bound, bound, (size,), np.float32)
