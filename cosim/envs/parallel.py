"""A scenario as a PettingZoo parallel environment: one agent for each site, or for each vehicle."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from gymnasium.spaces import Space
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.conversions import parallel_to_aec

from cosim.envs.deciders import Seats, deciding_site
from cosim.envs.episodes import RENDER_MODES, OwnReward, ScenarioEpisodes, check_choice, check_counts, own_reward
from cosim.envs.forms import ACTIONS, LAYOUTS, ActionKind, DecisionForm, Layout, OwnColumns, Shown, ShownRows
from cosim.envs.loop import Loop, Round, Step
from cosim.envs.traffic import sites_of
from cosim.scenario.load import Loaded, given_scenario
from cosim.scenario.schema import Scenario
from cosim.trace.store.writer import FactWriter
from cosim.types import AnyArray, FloatArray, IntArray


class OffloadingParallelEnv(ScenarioEpisodes, ParallelEnv):  # type: ignore[misc]  # pettingzoo is only partly typed
    """Agents that share a scenario's decisions, each of which earns the rewards of the tasks that it decided.

    `agents="site"`: agent `site_j` decides the tasks whose strongest feasible edge host is at site j; those without a
    feasible edge host are site 0's. It sees up to `rows` of them at once.

    `agents="vehicle"`: agent `vehicle_k` decides for the vehicle in seat k, one task at once. A vehicle takes the
    lowest free seat when it enters and gives it back when it leaves; with more vehicles than agents, seats n, n + K, n
    + 2K, ... are all agent n's.

    Tasks that do not fit are decided in further rounds at the same instant, and the simulation goes on when all of the
    epoch are decided. An agent without a task sees absent rows, and its action is ignored. All agents are present from
    the first round to the last.

    Observations, actions and the choices of both are those of `cosim.envs.single.OffloadingEnv`, `rows` of each agent's
    own tasks. The first agent's box ends with the values of the network-wide knobs, of which the last round's hold.
    `infos[agent]` has `action_mask`, which options each row may be given, and `tasks`, the numbers of the present rows'
    tasks.

    Rewards (`decisions.reward`) follow the decision: a task's goes to the agent that decided it, also when its vehicle
    has left and the seat is another's, because leaving early is an outcome of the decision too. What settles in one
    step is summed; a round that is not the epoch's last gives 0. A task that ended undecided counts for no agent, nor
    does one that is still on its way when the episode ends. An analytic reward is the task's own cost and what it
    imposes on others, so that an agent is charged for the harm it does; summed over agents it is therefore more than
    the team's reward of the single-agent environment. A reward of your own is called for each agent, with the outcomes
    of the tasks that it decided, which may be none.

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

    metadata = {  # noqa: RUF012 - PettingZoo's
        "name": "cosim_offloading_v0",
        "render_modes": list(RENDER_MODES),
        "render_fps": 1,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        scenario: str | Path | Mapping[str, Any] | Scenario | Loaded = "s1_semantic_iov",
        overrides: Sequence[str] = (),
        agents: Literal["site", "vehicle"] = "site",
        *,
        rows: int = 8,
        slots: int = 16,
        episode_epochs: int | None = None,
        facts: FactWriter | None = None,
        traffic: Literal["replay", "live"] = "replay",
        actions: ActionKind = "box",
        observation: Sequence[str] | OwnColumns | None = None,
        layout: Layout = "flat",
        reward: OwnReward | None = None,
        time_left: bool = False,
        render_mode: Literal["rgb_array"] | None = None,
    ) -> None:
        """Load the scenario.

        Args:
            scenario: file, bundled name, mapping of a scenario's keys, `cosim.Scenario` or `cosim.Loaded`.
            overrides: changes `key.path=value`.
            agents: whether an agent is a site or a vehicle.
            rows: tasks that a site's agent sees at once; a vehicle's sees one.
            slots: number of agents for vehicles.
            episode_epochs: decision epochs of an episode; None: the scenario's duration.
            facts: where the facts of the run are recorded; nowhere by default.
            traffic: `replay` SUMO's recorded traffic, or run SUMO `live`.
            actions: "box", "discrete" where an agent sees one task, or "multidiscrete".
            observation: names of columns, or a function of a `cosim.Observation`, as of `OffloadingEnv`.
            layout: "flat", a vector, or "dict".
            reward: function of the `TaskOutcomes` of an agent's own tasks; None: the scenario's reward.
            time_left: whether each row has the column `time_left`, the time until the scenario's duration is over.
            render_mode: "rgb_array": `render()` returns the map as pixels.

        Raises:
            InputError: the scenario cannot be loaded, or an argument is out of range.
        """
        self._arguments = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        check_choice("agents", agents, ("site", "vehicle"))
        check_choice("actions", actions, ACTIONS)
        check_choice("layout", layout, LAYOUTS)
        check_choice("render_mode", render_mode, (*RENDER_MODES, None))
        check_counts(rows=rows, slots=slots)
        loaded = given_scenario(scenario, overrides)
        self._reward = own_reward(reward)
        self.loop = Loop(
            loaded,
            episode_epochs=episode_epochs,
            facts=facts,
            traffic=traffic,
            time_left=time_left,
            outcomes=reward is not None,
        )
        self.render_mode = render_mode
        self._by_site = agents == "site"
        self._rows = rows if self._by_site else 1
        count = len(sites_of(self.loop.scenario, Path())) if self._by_site else slots
        self.possible_agents = [f"{agents}_{number}" for number in range(count)]
        self.agents: list[str] = []
        self._form = DecisionForm(actions, self._rows, self.loop.knobs, loaded.scenario)
        self.kept_knobs = self._form.kept
        """Knobs of `decisions.knobs` that the actions do not turn."""
        self._seen = ShownRows(self.loop, loaded, self._rows, observation, layout, actions == "discrete")
        self.observation_spaces = {name: copy.copy(self._seen.space) for name in self.possible_agents}
        self.action_spaces = {
            name: self._form.space(network=number == 0) for number, name in enumerate(self.possible_agents)
        }

    def observation_space(self, agent: str) -> Space[Any]:
        """Return the observation space of that agent, always the same object."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space[Any]:
        """Return the action space of that agent, always the same object."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Shown], dict[str, dict[str, Any]]]:
        """Begin a run with this seed and return observations and infos of its first decisions.

        Args:
            seed: seed of arrivals and all other random quantities; None: drawn, as by `cosim.envs.episodes`.
            options: none are known.

        Raises:
            RunError: no task ever waits.
        """
        del options
        self._seats = Seats()
        self._decider: dict[int, int] = {}
        self.agents = self.possible_agents[:]
        self._open(self.loop.reset(self.next_seed(seed)))
        return self._observations(), self._infos()

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[dict[str, Shown], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
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
        self.loop.close()

    # --- one epoch -------------------------------------------------------------------------------------------------

    def _open(self, epoch: Round) -> None:
        """Assign the tasks of an epoch that begins to agents, rounds and rows."""
        self._epoch = epoch
        self._turn = 0
        if self._by_site:
            agent = deciding_site(epoch.observation)
        else:
            self._seats.update(self.loop.vehicles)
            agent = self._seats.of(epoch.observation.vehicle) % len(self.possible_agents)
        turn, row = np.divmod(_rank(agent), self._rows)
        self._place: IntArray = np.stack([turn, agent, row], axis=1)
        self._decider.update(zip(epoch.observation.task.tolist(), agent.tolist(), strict=True))
        self._numbers: AnyArray | None = None
        self._columns = self._seen.columns(epoch)

    def _present(self) -> IntArray:
        """Return the tasks of this round, as rows of the epoch's observation."""
        return np.flatnonzero(self._place[:, 0] == self._turn)

    def _keep(self, actions: Mapping[str, Any]) -> AnyArray:
        """Note the numbers of this round's tasks, and return the network-wide ones."""
        answers = [
            self._form.split(actions.get(name), space, f"action of {name}")
            for name, space in self.action_spaces.items()
        ]
        table = np.stack([rows for rows, _ in answers])
        present = self._present()
        if self._numbers is None:
            self._numbers = np.zeros((len(self._place), self._form.width), table.dtype)
        self._numbers[present] = table[self._place[present, 1], self._place[present, 2]]
        return answers[0][1]

    def _go_on(self, network: AnyArray, earned: FloatArray) -> Step:
        """Run to the next epoch after all tasks are decided, and add the rewards that became known."""
        assert self._numbers is not None  # noqa: S101 - _keep() came first
        action = self._form.decode(self._numbers, self._epoch.observation, network, slice(len(self._numbers)))
        step = self.loop.step(action)
        agent = np.array([self._decider.pop(task, -1) for task in step.settled_task.tolist()], np.int64)
        if self._reward is None:
            np.add.at(earned, agent[agent >= 0], step.settled_reward[agent >= 0])
        else:
            assert step.outcomes is not None  # noqa: S101 - all tasks of the epoch are decided
            earned[:] = [self._earned(step.outcomes.of(agent == number)) for number in range(len(earned))]
        if step.following is None:
            self._turn += 1  # nothing is present any more
        else:
            self._open(step.following)
        return step

    def _observations(self) -> dict[str, Shown]:
        present = self._present()
        agent, row = self._place[present, 1], self._place[present, 2]
        columns = self._seen.none if self._columns is None else self._columns[present]
        shown = self._seen.shown(len(self.possible_agents), agent, row, columns, self._epoch.mask[present])
        return dict(zip(self.possible_agents, shown, strict=True))

    def _infos(self) -> dict[str, dict[str, Any]]:
        present = self._present()
        agent, row = self._place[present, 1], self._place[present, 2]
        mask = self._seen.masks(len(self.possible_agents), agent, row, self._epoch.mask[present])
        tasks = self._epoch.observation.task[present]
        return {
            name: {"action_mask": self._form.mask(mask[number]), "tasks": tasks[agent == number]}
            for number, name in enumerate(self.possible_agents)
        }


def _rank(agent: IntArray) -> IntArray:
    """Return how many earlier rows have the same agent, (T,)."""
    order = np.argsort(agent, kind="stable")
    ordered = agent[order]
    rank = np.empty(len(agent), np.int64)
    rank[order] = np.arange(len(agent)) - np.searchsorted(ordered, ordered)
    return rank


def parallel_env(*given: Any, **named: Any) -> OffloadingParallelEnv:
    """Return an `OffloadingParallelEnv`, as PettingZoo's packages name their parallel environments."""
    return OffloadingParallelEnv(*given, **named)


def env(*given: Any, **named: Any) -> AECEnv:
    """Return an `OffloadingParallelEnv` whose agents act in turns (AEC), as PettingZoo's packages name it.

    >>> turns = env("per_task", ["duration_s=2", "statistics.warmup_s=0"], rows=2)
    >>> turns.reset(seed=1)
    >>> turns.agent_selection
    'site_0'
    >>> turns.close()
    """
    return parallel_to_aec(OffloadingParallelEnv(*given, **named))
