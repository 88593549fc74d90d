"""The parts of an epoch's cost: what a task costs itself, and what it makes the others cost."""

import tracemalloc
from dataclasses import replace

import numpy as np
import physics
import pytest
from effort import drawn
from hypothesis import given
from hypothesis import strategies as st
from observations import random_observation

from cosim.cost import analytic_cost, cost_terms
from cosim.decision import Observation
from cosim.types import AnyArray, Tier

Case = tuple[Observation, AnyArray, AnyArray, AnyArray]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """An observation with options, powers and shares for all tasks; some of them choose what is infeasible."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    tasks = draw(st.integers(1, 7))
    seen = random_observation(rng, tasks, draw(st.integers(1, 3)), cloud=draw(st.booleans()))
    seen = replace(seen, latency_weight=float(rng.random()))
    if draw(st.booleans()):
        feasible = seen.feasible.copy()
        feasible[rng.integers(0, tasks)] = False
        seen = replace(seen, feasible=feasible)
    option = rng.integers(0, seen.tier.shape[1], tasks)
    if draw(st.booleans()):
        option = np.where(seen.feasible, rng.random(seen.feasible.shape), -1.0).argmax(axis=1)
    return seen, option, rng.uniform(0.05, 1.0, tasks), rng.uniform(0.05, 1.0, tasks)


def own_by_hand(seen: Observation, option: AnyArray, power_w: AnyArray, share: AnyArray) -> AnyArray:
    """Own cost of each task with plain loops; a negative option takes no part."""
    own, backlog_s = np.zeros(len(seen)), dict[tuple[bool, int], float]()
    possible = seen.feasible.any(axis=1)
    part = [(i, m) for i, m in enumerate(option.tolist()) if m >= 0 and possible[i]]
    for i, m in part:
        tier = int(seen.tier[i, m])
        vehicle = tier in {Tier.LOCAL, Tier.NEIGHBOUR}
        host = vehicle, int(seen.vehicle[i] if tier == Tier.LOCAL else seen.target[i, m])
        service_s = seen.work_cycles[i, m] / seen.core_hz[i, m]
        latency_s = seen.wait_s[i, m] + backlog_s.get(host, 0.0) / seen.cores[i, m] + service_s + seen.wire_s[i, m]
        backlog_s[host] = backlog_s.get(host, 0.0) + service_s
        energy_j = seen.kappa[i, m] * seen.core_hz[i, m] ** 2 * seen.work_cycles[i, m] * vehicle
        if tier != Tier.LOCAL:
            gain = 1.0
            if seen.snr_per_w[i, m] > 0.0:
                gain = np.log1p(power_w[i] * seen.snr_per_w[i, m]) / np.log1p(seen.power_w[i] * seen.snr_per_w[i, m])
            used = sum(share[j] for j, k in part if seen.cell[j, k] == seen.cell[i, m])
            shared = seen.cell[i, m] >= 0
            full_bps = seen.alone_bps[i, m] / max(1.0, used) if shared else seen.uplink_bps[i, m]
            airtime_s = seen.input_bit[i] / (full_bps * gain * share[i])
            latency_s += airtime_s + seen.output_bit[i] / seen.downlink_bps[i, m] + seen.grant_s[i, m]
            energy_j += power_w[i] * airtime_s
        own[i] = seen.latency_weight * latency_s + (1.0 - seen.latency_weight) * energy_j
        if not seen.feasible[i, m]:
            own[i] = np.inf
    return own


@given(cases())
@drawn(150)
def test_own_adds_up_to_the_analytic_cost(case: Case) -> None:
    """The sum of `own` is `analytic_cost`, at the default power and at others."""
    seen, option, power_w, _ = case
    for given_w in (None, power_w):
        whole = analytic_cost(seen, option[None], None if given_w is None else given_w[None])[0]
        assert cost_terms(seen, option, given_w).own.sum() == pytest.approx(whole, rel=1e-12)


@given(cases())
@drawn(150)
def test_own_is_the_formula_with_shares(case: Case) -> None:
    """Each task's own cost, its latency and its energy are those of the formula by hand, with powers and shares."""
    seen, option, power_w, share = case
    terms = cost_terms(seen, option, power_w, share)
    np.testing.assert_allclose(terms.own, own_by_hand(seen, option, power_w, share), rtol=1e-10)
    finite = np.isfinite(terms.own)
    physics.seen(terms.own[finite], own_by_hand(seen, option, power_w, share)[finite])
    weighted = seen.latency_weight * terms.latency_s + (1.0 - seen.latency_weight) * terms.energy_j
    np.testing.assert_allclose(weighted[finite], terms.own[finite], rtol=1e-12)


@given(cases())
@drawn(150)
def test_imposed_is_what_the_others_would_save(case: Case) -> None:
    """`imposed` is what the others' finite cost would fall by if the task were not there, found by taking it away."""
    seen, option, power_w, share = case
    terms = cost_terms(seen, option, power_w, share)
    for i in range(len(seen)):
        without = own_by_hand(seen, np.where(np.arange(len(seen)) == i, -1, option), power_w, share)
        others = np.isfinite(without) & (np.arange(len(seen)) != i)
        saved = terms.own[others].sum() - without[others].sum()
        assert terms.imposed[i] == pytest.approx(saved, rel=1e-8, abs=1e-11)


@given(cases())
@drawn(60)
def test_an_undecided_task_takes_no_part(case: Case) -> None:
    """A task with a negative option costs nothing and weighs on nobody: the others' terms are those without it."""
    seen, option, power_w, share = case
    decided = np.arange(len(seen)) % 2 == 0
    part = cost_terms(seen, np.where(decided, option, -1), power_w, share)
    assert not part.own[~decided].any()
    assert not part.imposed[~decided].any()
    by_hand = own_by_hand(seen, np.where(decided, option, -1), power_w, share)
    np.testing.assert_allclose(part.own, by_hand, rtol=1e-10)


def test_five_thousand_tasks_need_no_square_table() -> None:
    """The terms of 5,000 tasks take a few MB; a table of each against each would take 25 MB for a truth value alone."""
    seen = random_observation(np.random.default_rng(3), 5000)
    seen = replace(seen, feasible=np.ones_like(seen.feasible))
    tracemalloc.start()
    terms = cost_terms(seen, np.ones(5000, np.int64))
    peak_byte = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_byte < 5e6
    assert np.isfinite(terms.own).all()
    assert (terms.imposed > 0.0).any()
