"""Age of information against closed forms: periodic states with a constant delay, and an M/M/1 queue of states."""

from itertools import pairwise

import numpy as np
import pytest
from physics import seen
from stories import NEAR_A, NEAR_B
from twin_runs import TENTH, mirrored

from cosim.compute import QueueHost
from cosim.kernel.clock import Clock
from cosim.kernel.rng import stream
from cosim.trace.metrics.statistics import batch_means
from cosim.trace.metrics.tasks import kpis
from cosim.trace.store.reader import Trace
from cosim.twin.mirror import AgeTotals
from cosim.types import FloatArray
from cosim.validation.drive import poisson_s, sojourns_s

PERIOD_S, DELAY_S = 2.0, 0.75


def mean_age_s(generated_s: FloatArray, received_s: FloatArray, begin_s: float, end_s: float) -> float:
    """Return the exact time average of the age from `begin_s` to `end_s`; states may come out of order.

    Args:
        generated_s: (U,) when each state was true.
        received_s: (U,) when it came, not before that; at least one by `begin_s`.
        begin_s: of the time that counts.
        end_s: of the time that counts, later.
    """
    order = np.argsort(received_s, kind="stable")
    newest_s = np.maximum.accumulate(generated_s[order])
    edges_s = np.clip(np.append(received_s[order], end_s), begin_s, end_s)
    area_s2 = ((edges_s[1:] - newest_s) ** 2 - (edges_s[:-1] - newest_s) ** 2).sum() / 2.0
    return float(area_s2 / (end_s - begin_s))


def test_periodic_states_with_a_constant_delay():
    """Over whole periods the mean age is half a period plus the delay."""
    generated_s = PERIOD_S * np.arange(20)
    mean_s = mean_age_s(generated_s, generated_s + DELAY_S, PERIOD_S + DELAY_S, 11 * PERIOD_S + DELAY_S)
    assert mean_s == pytest.approx(PERIOD_S / 2 + DELAY_S, rel=1e-12)


def test_a_state_that_comes_late_changes_nothing():
    """A state that is overtaken by a newer one leaves the age as it is."""
    in_order = mean_age_s(np.array([0.0, 2.0]), np.array([0.0, 2.5]), 0.0, 4.0)
    assert in_order == pytest.approx((2.5**2 / 2 + (2.0**2 - 0.5**2) / 2) / 4.0, rel=1e-12)
    assert mean_age_s(np.array([0.0, 1.0, 2.0]), np.array([0.0, 3.5, 2.5]), 0.0, 4.0) == pytest.approx(in_order)


def test_running_totals_are_the_mean_age():
    """Integrals that are brought up at each change give each twin's exact mean age, summed over twins."""
    rng = stream(5, "age")
    totals, means = AgeTotals(), []
    events = []
    for twin in range(6):
        generated_s = np.append(0.0, np.sort(rng.uniform(0.0, 50.0, 40)))
        received_s = generated_s + np.append(0.0, rng.exponential(3.0, 40))
        means.append(mean_age_s(generated_s, received_s, 0.0, 60.0))
        events += [(came_s, twin, true_s) for came_s, true_s in zip(received_s, generated_s, strict=True)]
    known = {}
    for came_s, twin, true_s in sorted(event for event in events if event[0] <= 60.0):
        if twin not in known:
            totals.change(came_s, 1, came_s - true_s)
        elif true_s > known[twin]:
            totals.change(came_s, 0, known[twin] - true_s)
        known[twin] = max(true_s, known.get(twin, true_s))
    totals.settle(60.0)
    assert totals.twin_s == pytest.approx(6 * 60.0, rel=1e-12)
    assert totals.age_s2 / totals.twin_s == pytest.approx(np.mean(means), rel=1e-12)
    seen(totals.age_s2 / totals.twin_s, np.mean(means))


@pytest.mark.parametrize("load", [0.3, 0.53, 0.8])
def test_a_queue_of_states(load):
    """The mean age behind an M/M/1 FCFS queue is (1 + 1/rho + rho^2 / (1 - rho)) / mu, within the 99 % interval.

    Kaul, Yates and Gruteser 2012, eq 17; about 0.53 is the load of least age.
    """
    rng, clock, updates = stream(2024, f"age/{load}"), Clock(), 60_000
    arrivals_s = poisson_s(rng, load, updates)
    cycles = rng.exponential(1e9, updates).tolist()
    host = QueueHost(clock, 1e9, 1, 0.0)
    received_s = arrivals_s + sojourns_s(clock, arrivals_s, lambda k: host.execute(cycles[k]))
    edges_s = np.linspace(arrivals_s[updates // 20], arrivals_s[-1], 601)
    ages_s = np.array([mean_age_s(*_around(arrivals_s, received_s, span), *span) for span in pairwise(edges_s)])
    estimate = batch_means(ages_s, 30, 0.99)
    expected_s = 1.0 + 1.0 / load + load**2 / (1.0 - load)
    assert estimate.half_width <= 0.1 * expected_s
    assert estimate.low <= expected_s <= estimate.high
    seen(estimate.value, expected_s)


def _around(generated_s, received_s, span):
    """The states that matter between two times: the last one before and those within."""
    first, last = np.searchsorted(received_s, span, side="right")
    return generated_s[first - 1 : last], received_s[first - 1 : last]


def test_a_run_with_one_vehicle(tmp_path):
    """A vehicle that tells its state every 2 s over 0.1 s of air has a mean age of 1.1 s and a peak of 2.1 s."""
    run = mirrored(tmp_path, {"a": [NEAR_A] * 21}, {"sync": {"kind": "periodic", "period_s": 2.0}}, duration_s=20.0)
    assert run.between(4.0, 20.0) == pytest.approx(1.1, rel=1e-9)
    peaks_s = run.synced.time_s.to_numpy()[1:] - run.synced.generated_s.to_numpy()[:-1]
    np.testing.assert_allclose(peaks_s, 2.1, rtol=1e-9)
    assert run.sampled.set_index("time_s").max_age_s[8.0] == pytest.approx(2.0)
    with Trace.open(run.run) as trace:
        measured = kpis(trace, trace.scenario.statistics.model_copy(update={"warmup_s": 4.0, "batches": 4}))
    assert measured["age_mean"].value == pytest.approx(1.1, rel=1e-9)
    seen(measured["age_mean"].value, 1.1)
    assert measured["age_mean"].half_width == pytest.approx(0.0, abs=1e-9)
    assert measured["sync_rate"].value == pytest.approx(TENTH / 2.0)
    assert measured["sync_lost_ratio"].value == 0.0
    assert measured["mirror_error_mean"].value == 0.0
    assert measured["forecast_error_mean"].value == 0.0


def test_a_run_with_a_full_cell(tmp_path):
    """Five vehicles that speak at once come as one bundle of 0.5 s: each twin's mean age is 1 s + 0.5 s."""
    paths = {name: [NEAR_A] * 21 for name in "abcde"} | {"far": [NEAR_B] * 21}
    twin = {"sync": {"kind": "periodic", "period_s": 2.0, "staggered": False}}
    run = mirrored(tmp_path, paths, twin, duration_s=20.0)
    assert run.between(4.0, 20.0) == pytest.approx((5 * 1.5 + 1.1) / 6, rel=1e-9)
    assert run.uplinked.groupby("site").vehicles.max().to_dict() == {0: 5, 1: 1}
    assert run.uplinked.groupby("began_s").size().max() == 2


def test_turns(tmp_path):
    """Staggered vehicles speak at the same interval, but not at the same tick."""
    run = mirrored(
        tmp_path, {name: [NEAR_A] * 13 for name in "abc"}, {"sync": {"kind": "periodic", "period_s": 3.0}},
        duration_s=12.0,
    )  # fmt: skip
    assert set(run.uplinked.vehicles) == {1}
    assert run.uplinked.began_s.tolist() == [float(tick) for tick in range(1, 13)]
    assert run.between(6.0, 12.0) == pytest.approx(1.6, rel=1e-9)
