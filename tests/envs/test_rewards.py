"""Rewards are the negative cost: by the formula on the true state at once, or of the tasks' lives when they end."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from acting import shortened, some, steps

from cosim.cost import analytic_cost, cost_terms
from cosim.decision import Action, Observation
from cosim.envs.loop import Loop, translated
from cosim.envs.reward import charge
from cosim.scenario.load import load
from cosim.scenario.schema import Reward
from cosim.simulation import Simulation
from cosim.trace.store.reader import Trace
from cosim.trace.store.writer import TraceWriter
from cosim.types import AnyArray, Status, Tier

PLAIN = ("decisions.knobs=[target,power]", "decisions.reward.late_penalty=0", "decisions.reward.loss_penalty=0")


@pytest.mark.parametrize("name", ["s1_semantic_iov", "intersection"])
@pytest.mark.parametrize("rows", [None, 1, 3])
def test_analytic_rewards_add_up_to_the_cost(name: str, rows: int | None) -> None:
    """Over an episode the rewards are -scale times the sum of `analytic_cost`, however epochs are split."""
    loop = Loop(load(name, shortened(name, *PLAIN, "decisions.reward.scale=50")), rows=rows)
    total = cost = expected = 0.0
    for waiting, step in steps(loop):
        total += step.total
        cost += step.costs.cost
        if waiting.rows.start == 0:
            seen, action = waiting.observation, some(waiting.observation)
            assert action.power_w is not None
            expected += float(analytic_cost(seen, action.option[None], action.power_w[None])[0])
    assert expected > 0.0
    assert total == pytest.approx(-50.0 * expected, rel=1e-9)
    assert cost == pytest.approx(expected, rel=1e-9)


def test_each_task_gets_what_it_cost_and_imposed() -> None:
    """A task's credit is -(own + imposed) scale on the epoch's whole assignment, told for every task once."""
    loop = Loop(load("s1_semantic_iov", shortened("s1_semantic_iov")))
    crowded = 0
    for waiting, step in steps(loop):
        seen, action = waiting.observation, some(waiting.observation)
        terms = cost_terms(seen, action.option, action.power_w, action.share)
        np.testing.assert_array_equal(step.settled_task, seen.task)
        np.testing.assert_array_equal(step.settled_vehicle, seen.vehicle)
        np.testing.assert_allclose(step.settled_reward, -1e3 * (terms.own + terms.imposed), rtol=1e-12)
        crowded += int((terms.imposed > 0.0).sum())
    assert crowded > 5


def test_knobs_that_are_not_handed_over_change_no_reward() -> None:
    """Power and share of an action count only where the scenario hands them over, as in the simulation."""
    name = "s1_semantic_iov"

    def told(knobs: str, **turned: AnyArray | None) -> list[float]:
        loop = Loop(load(name, shortened(name, f"decisions.knobs={knobs}")))
        return [step.total for _, step in steps(loop, rule=lambda seen: replace(some(seen), **turned))]

    assert told("[target]") == told("[target,share,power]", share=None, power_w=None)
    assert told("[target]") != told("[target,power]")


def one_task(**changes: object) -> Observation:
    """The first task of S1 alone, with some of its columns changed."""
    seen = Loop(load("s1_semantic_iov", shortened("s1_semantic_iov"))).reset().observation
    first = {
        name: value[:1]
        for name, value in vars(seen).items()
        if isinstance(value, np.ndarray) and len(value) == len(seen)
    }
    return replace(seen, **{**first, **changes})  # type: ignore[arg-type]


def test_penalties_are_told() -> None:
    """Beyond the deadline costs late_penalty; more than energy_limit_j costs energy_penalty; both are not scaled."""
    seen = one_task(deadline_s=np.array([1e-9]))
    plan = Reward(scale=7.0, late_penalty=3.0, energy_limit_j=1e-9, energy_penalty=11.0)
    found = charge(seen, np.zeros(1, np.int64), None, None, 1, plan)
    own = float(analytic_cost(seen, np.zeros((1, 1), np.int64))[0])
    assert found.reward(7.0) == pytest.approx(-7.0 * own - 14.0)
    in_time = charge(one_task(), np.zeros(1, np.int64), None, None, 1, Reward())
    assert in_time.reward(7.0) == pytest.approx(-7.0 * own)


@pytest.mark.parametrize("option", [1, -1])
def test_a_choice_that_cannot_work_is_charged_as_lost(option: int) -> None:
    """An infeasible option, or a target the true state has no column for, costs at least the slowest that works."""
    seen = one_task()
    feasible = seen.feasible.copy()
    feasible[0, 1] = False
    seen = replace(seen, feasible=feasible)
    found = charge(seen, np.array([option]), None, None, 1, Reward(loss_penalty=5.0))
    left_s = seen.deadline_s[0] - seen.time_s
    assert found.lost.tolist() == [True]
    assert found.latency_s[0] == pytest.approx(max(left_s, seen.expected_s[0, [0, 2]].max()))
    assert found.reward(1.0) == pytest.approx(-seen.latency_weight * found.latency_s[0] - 5.0)
    late = charge(replace(seen, deadline_s=np.array([0.0])), np.array([option]), None, None, 1, Reward())
    assert late.latency_s[0] == pytest.approx(seen.expected_s[0, [0, 2]].max())


@pytest.mark.parametrize("source", ["mirror", "forecast"])
def test_choices_on_a_twin_are_charged_on_the_truth(source: str) -> None:
    """Policies see the twin's state; the reward is the cost of the same targets on the state of a run on the truth."""
    name = "s1_semantic_iov"
    loop = Loop(load(name, shortened(name, f"decisions.observation={source}")))
    scenario = load(name, shortened(name)).scenario
    apart = 0
    with closing(Simulation(scenario)) as reference:
        for waiting, step in steps(loop):
            epoch = reference.advance()
            assert epoch is not None
            seen, true, action = waiting.observation, epoch.observation, some(waiting.observation)
            column = translated(action.option, seen, true)
            rows = np.arange(len(seen))
            np.testing.assert_array_equal(true.target[rows, column], seen.target[rows, action.option])
            own = cost_terms(true, column, action.power_w, action.share).own.sum()
            assert step.total == pytest.approx(-1e3 * own, rel=1e-9)
            apart += int((column != action.option).any() or not np.array_equal(seen.alone_bps, true.alone_bps))
            reference.decide(replace(action, option=column))
    assert apart >= 3


def test_a_target_that_is_gone_in_the_truth_is_lost() -> None:
    """With one candidate, what the mirror still offers may be no option any more: it is charged as lost."""
    name = "s1_semantic_iov"
    changes = ["decisions.candidates=1", "decisions.observation=mirror", "mobility.speed_mps=40", "duration_s=60"]
    loop = Loop(load(name, [*shortened(name)[1:], *changes]))
    edge = [step for _, step in steps(loop, rule=lambda seen: Action(np.ones(len(seen), np.int64)))]
    assert sum(step.costs.lost for step in edge) > 0
    assert all(np.isfinite(step.total) for step in edge)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("s1_semantic_iov", ()),
        ("intersection", ()),
        ("per_task", ("decisions.knobs=[target,cpu_share]",)),
        ("qib_vec", ("tasks.arrivals.rate_per_s=0.5",)),
    ],
)
def test_realised_rewards_are_those_of_the_trace(name: str, changes: tuple[str, ...], tmp_path: Path) -> None:
    """Each decided task is rewarded once, by what its TaskEnded row says, in the step before whose end it ended."""
    penalties = {"late_penalty": 3.0, "loss_penalty": 17.0, "energy_penalty": 0.25, "energy_limit_j": 0.05}
    set_to = [f"decisions.reward.{key}={value}" for key, value in penalties.items()]
    loaded = load(
        name, shortened(name, *changes, "decisions.reward.kind=realised", "decisions.reward.scale=4", *set_to)
    )
    loop = Loop(loaded, facts=TraceWriter(tmp_path / "run", 60.0), rows=2)
    told: dict[int, tuple[float, float, float]] = {}
    with closing(loop):
        for waiting, step in steps(loop):
            until = np.inf if step.following is None else step.following.observation.time_s
            for task, reward in zip(step.settled_task.tolist(), step.settled_reward.tolist(), strict=True):
                assert task not in told
                told[task] = reward, waiting.observation.time_s, until
            assert step.total == pytest.approx(step.settled_reward.sum())
    with Trace.open(tmp_path / "run") as trace:
        rows = trace.sql("SELECT * FROM task_ended WHERE decided_s IS NOT NULL")
    assert len(rows) == len(told) > 10
    w1 = loaded.scenario.decisions.latency_weight
    for row in rows.itertuples():
        done = row.status in {Status.COMPLETED, Status.LATE}
        end_s = row.time_s if done else max(row.time_s, row.deadline_s)
        energy_j = row.transmit_j + row.vehicle_cpu_j
        reward = -4.0 * (w1 * (end_s - row.decided_s) + (1.0 - w1) * energy_j)
        reward -= 3.0 * (row.status == Status.LATE) + 0.25 * (energy_j > 0.05)
        reward -= 17.0 * (not done and row.status != Status.IN_FLIGHT)
        found, since_s, until_s = told[row.task]
        assert found == pytest.approx(reward, rel=1e-12)
        assert since_s <= row.time_s <= until_s


def test_costs_count_what_settled() -> None:
    """The sums of a step are over the tasks that it tells of."""
    loop = Loop(load("intersection", shortened("intersection", "decisions.reward.kind=realised")))
    settled = decided = offloaded = told_offloaded = 0
    for waiting, step in steps(loop):
        seen, option = waiting.observation, some(waiting.observation).option
        offloaded += int((seen.tier[np.arange(len(seen)), option] != Tier.LOCAL).sum())
        decided += len(seen)
        assert step.costs.tasks == len(step.settled_task)
        settled += step.costs.tasks
        told_offloaded += step.costs.offloaded
    assert (settled, told_offloaded) == (decided, offloaded)
