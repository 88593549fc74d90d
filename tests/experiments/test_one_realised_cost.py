"""The realised cost is one form: reward, totals of a roll-out and a trace's mean cost are it, and change with it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from effort import drawn
from hypothesis import given
from hypothesis import strategies as st

from cosim.envs.reward import settled_rewards
from cosim.experiments.rollout import outcome_totals
from cosim.objective import weighted_cost
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.scenario.reward import Reward
from cosim.trace.metrics.tasks import kpis
from cosim.trace.store.memory import Ended, columns_of
from cosim.trace.store.reader import Trace
from cosim.types import Status, Tier

W1 = 0.8
END_S = 40.0
DONE = {Status.COMPLETED, Status.LATE}


def cost_by_hand(row: Ended, latency_weight: float, since_s: float) -> float:
    """Of one task: from some time to its result, or to its deadline if it has none and was not in time."""
    until_s = row.time_s if row.status in DONE else max(row.time_s, row.deadline_s)
    return latency_weight * (until_s - since_s) + (1.0 - latency_weight) * (row.transmit_j + row.vehicle_cpu_j)


@st.composite
def ends(draw: st.DrawFn) -> list[Ended]:
    """Tasks that ended somehow, each decided before."""
    times = st.floats(0.0, 10.0)
    joules = st.floats(0.0, 5.0)
    return [
        Ended(
            decided_s + draw(times), task, task % 3, draw(st.sampled_from(Status)), draw(st.sampled_from(Tier)),
            draw(times), decided_s, draw(joules), draw(joules),
        )
        for task, decided_s in enumerate(draw(st.lists(times, max_size=6)))
    ]  # fmt: skip


@given(ends(), st.floats(0.0, 1.0))
@drawn(100)
def test_rewards_and_totals_are_the_formula(rows: list[Ended], weight: float) -> None:
    """Each task's reward is its cost by hand from the decision on, and the sums are those of a roll-out's totals."""
    by_hand = [cost_by_hand(row, weight, row.decided_s) for row in rows]
    credit, sums, _ = settled_rewards(rows, weight, Reward(scale=1.0, late_penalty=0.0, loss_penalty=0.0))
    np.testing.assert_allclose(credit.reward, -np.array(by_hand), rtol=1e-9, atol=1e-12)
    summed = outcome_totals(columns_of(rows), weight, 100.0)
    for found in (sums, summed):
        assert found.cost == pytest.approx(sum(by_hand), rel=1e-9, abs=1e-12)
        assert found.energy_j == pytest.approx(sum(row.transmit_j + row.vehicle_cpu_j for row in rows), rel=1e-9)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trace]:
    """A run of S1 in which vehicles send and compute, with some tasks in neither the sums nor the mean."""
    folder: Path = tmp_path_factory.mktemp("realised") / "run"
    more = [f"duration_s={END_S}", "policy=random", f"decisions.latency_weight={W1}", "statistics.warmup_s=0"]
    simulate(load("s1_semantic_iov", more), folder)
    with closing(Trace.open(folder)) as opened:
        yield opened


@pytest.mark.parametrize("swapped", [False, True])
def test_a_changed_weighting_changes_all_together(swapped: bool, trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reward, totals and `cost_mean` are the formula by hand, and so they are with its weights in each other's place.

    `cost_mean` counts from the release and only tasks that have a result, as its documentation says.
    """
    table = trace.sql(f"SELECT {', '.join(Ended._fields)}, released_s FROM task_ended ORDER BY seq").astype(float)
    rows = [Ended(*row[:-1]) for row in table.itertuples(index=False)]
    released_s = table.released_s.tolist()
    decided = [row for row in rows if row.decided_s < END_S]
    weight = 1.0 - W1 if swapped else W1
    if swapped:

        def other(latency_weight, latency_s, energy_j):
            return (1.0 - latency_weight) * latency_s + latency_weight * energy_j

        monkeypatch.setattr(weighted_cost, "__code__", other.__code__)  # in its one place, whoever imported it by name
    sums = settled_rewards(decided, W1, Reward())[1]
    summed = outcome_totals(columns_of(rows), W1, END_S)
    mean = kpis(trace)["cost_mean"].value
    assert len(decided) > 20
    by_hand = sum(cost_by_hand(row, weight, row.decided_s) for row in decided)
    assert (sums.cost, summed.cost) == pytest.approx((by_hand, by_hand), rel=1e-9)
    back = [
        cost_by_hand(row, weight, since_s) for row, since_s in zip(rows, released_s, strict=True) if row.status in DONE
    ]
    assert mean == pytest.approx(np.mean(back), rel=1e-9)
