"""What a learner is shown, and what its numbers mean."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from acting import SHORT, shortened, steps
from effort import drawn
from hypothesis import given
from hypothesis import strategies as st

from cosim.decision import Observation
from cosim.envs.columns import LIMIT, OPTION, TASK, column_names, encode, option_mask, option_names
from cosim.envs.knobs import DETECTOR_LEVELS, LEAST, LEVELS, Knobs
from cosim.envs.loop import Loop
from cosim.envs.single import OffloadingEnv
from cosim.errors import RunError
from cosim.scenario.load import load


def seen_in(name: str, *more: str) -> tuple[Observation, dict[str, int]]:
    """A first observation, and the place of each column."""
    loop = Loop(load(name, shortened(name, *more)))
    seen = loop.reset().observation
    loop.close()
    return seen, {column: place for place, column in enumerate(loop.columns)}


@pytest.mark.parametrize("name", SHORT)
def test_columns_have_names_and_are_of_order_one(name: str) -> None:
    """Every scenario's columns are as many as their names, documented, finite and within the limit."""
    loop = Loop(load(name, shortened(name)))
    assert column_names(loop.scenario) == loop.columns
    assert len(set(loop.columns)) == len(loop.columns)
    documented = {*TASK, *OPTION, "key", "demand"}
    assert {column.rpartition(".")[2] for column in loop.columns} <= documented
    for count, (waiting, _) in enumerate(steps(loop)):
        assert waiting.features.shape == (len(waiting.mask), len(loop.columns))
        assert waiting.mask.shape[1] == loop.knobs.options == len(option_names(loop.scenario))
        assert waiting.features.dtype == np.float32
        assert np.abs(waiting.features).max() <= LIMIT
        if count > 20:
            break
    loop.close()


def test_columns_say_what_they_promise() -> None:
    """Latency, energy, cost, rate and slack of a lone task are those of S1's equations."""
    seen, place = seen_in("s1_semantic_iov")
    columns = 10.0 ** encode(seen).astype(float)
    airtime_s = seen.input_bit / seen.alone_bps[:, 1]
    latency_s = airtime_s + seen.work_cycles[:, 1] / seen.core_hz[:, 1] + seen.wait_s[:, 1]
    np.testing.assert_allclose(columns[:, place["edge1.latency"]], latency_s / 1e-2, rtol=1e-5)
    np.testing.assert_allclose(columns[:, place["edge1.energy"]], 0.4 * airtime_s / 1e-3, rtol=1e-5)
    cost = 0.5 * latency_s + 0.5 * 0.4 * airtime_s
    np.testing.assert_allclose(columns[:, place["edge1.cost"]], cost / 1e-2, rtol=1e-5)
    np.testing.assert_allclose(columns[:, place["edge2.rate"]], seen.uplink_bps[:, 2] / 1e7, rtol=1e-5)
    spent_j = 1e-27 * seen.core_hz[:, 0] ** 2 * seen.work_cycles[:, 0]
    np.testing.assert_allclose(columns[:, place["local.energy"]], spent_j / 1e-3, rtol=1e-5)
    np.testing.assert_allclose(columns[:, place["slack"]], 1.0 + (seen.deadline_s - seen.time_s) / 1e-2, rtol=1e-5)


def test_contenders_are_the_others_who_hear_the_cell_best() -> None:
    """`contenders` counts the other tasks of the epoch whose first edge option has the option's cell."""
    seen, place = seen_in("grid")
    shown = encode(seen)
    for task in range(0, len(seen), 7):
        for option, column in [(1, "edge1"), (2, "edge2"), (3, "cloud")]:
            others = np.delete(seen.cell[:, 1], task) == seen.cell[task, option]
            expected = 0.0 if seen.cell[task, option] < 0 else np.log10(1.0 + others.sum())
            assert shown[task, place[f"{column}.contenders"]] == pytest.approx(expected, rel=1e-6)


def test_a_task_out_of_reach_is_shown_at_the_limits() -> None:
    """Without a link an option is infeasible, endlessly slow and dear, and its rate is the least."""
    seen, place = seen_in("s1_semantic_iov")
    nothing = np.where(np.arange(3) == 1, 0.0, 1.0)
    lost = replace(
        seen,
        alone_bps=seen.alone_bps * nothing,
        uplink_bps=seen.uplink_bps * nothing,
        feasible=seen.feasible & (nothing > 0.0),
    )
    row = encode(lost)[0]
    assert row[place["edge1.feasible"]] == 0.0
    assert row[place["edge1.latency"]] == row[place["edge1.cost"]] == LIMIT
    assert row[place["edge1.rate"]] == -LIMIT


def test_keys_and_demand_are_shown_where_they_are() -> None:
    """A key network adds the vehicle's pool, a twin the tasks its vehicle is expected to release."""
    assert "key" in seen_in("qib_vec")[1]
    assert "demand" in seen_in("s1_semantic_iov")[1]
    assert not {"key", "demand"} & set(seen_in("intersection")[1])


@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
@drawn(100)
def test_an_impossible_target_is_never_decoded(seed: int, tasks: int) -> None:
    """Whatever the numbers, beyond their range or infinite, the option is feasible, or column 0 where nothing is."""
    rng = np.random.default_rng(seed)
    seen, _ = OBSERVED
    rows = rng.integers(0, len(seen), tasks)
    parts = {k: v[rows] for k, v in vars(seen).items() if isinstance(v, np.ndarray) and len(v) == len(seen)}
    seen = replace(seen, **{**parts, "feasible": rng.random((tasks, 3)) < 0.5})  # type: ignore[arg-type]
    values = rng.uniform(-3.0, 3.0, (tasks, 5))
    values[rng.random((tasks, 5)) < 0.1] = np.inf
    values[rng.random((tasks, 5)) < 0.1] = -np.inf
    action = KNOBS.decode(values, seen)
    picked = seen.feasible[np.arange(tasks), action.option]
    assert (picked | ((action.option == 0) & ~seen.feasible.any(axis=1))).all()
    for knob, most in ((action.share, 1.0), (action.power_w, seen.max_power_w)):
        assert knob is not None
        assert ((knob >= LEAST * most) & (knob <= most)).all()
    mask = KNOBS.choice_mask(seen)
    assert mask.shape == (tasks, KNOBS.choices)
    chosen = KNOBS.decode_choice(mask.argmax(axis=1), seen)
    assert option_mask(seen)[np.arange(tasks), chosen.option].all()


def test_nan_is_refused() -> None:
    """A diverged agent does not pass for one that decides; in the environment its round still waits."""
    with closing(OffloadingEnv("s1_semantic_iov", shortened("s1_semantic_iov"))) as env:
        env.reset(seed=1)
        action = env.action_space.sample()
        action[0] = np.nan
        with pytest.raises(RunError, match="diverged"):
            env.step(action)
        assert env.step(env.action_space.sample())[1] < 0.0


OBSERVED = seen_in("s1_semantic_iov")
KNOBS = Knobs.of(load("s1_semantic_iov").scenario)


def test_numbers_mean_options_shares_and_powers() -> None:
    """-1 is the least part, 1 all, linear between; the option with the highest score is taken."""
    seen = replace(OBSERVED[0])
    assert KNOBS.names == ("target.local", "target.edge1", "target.edge2", "share", "power")
    values = np.tile([-0.5, 0.25, 0.0, 0.0, 1.0], (len(seen), 1))
    action = KNOBS.decode(values, seen)
    assert action.share is not None
    assert action.power_w is not None
    assert (action.option == 1).all()
    np.testing.assert_allclose(action.share, (LEAST + 1.0) / 2.0)
    assert (action.power_w == seen.max_power_w).all()


def test_choices_are_options_times_powers() -> None:
    """A discrete choice is an option at a power level; without the power knob it is the option alone."""
    seen = OBSERVED[0]
    assert KNOBS.choices == 3 * len(LEVELS)
    action = KNOBS.decode_choice(np.full(len(seen), 2 * len(LEVELS) + 1), seen)
    assert action.power_w is not None
    assert (action.option == 2).all()
    assert (action.power_w == LEVELS[1] * seen.max_power_w).all()
    plain = Knobs.of(load("s1_semantic_iov", ["decisions.knobs=[target]"]).scenario)
    assert plain.choices == 3
    assert plain.decode_choice(np.full(len(seen), 2), seen).power_w is None


def test_without_the_target_knob_the_fastest_option_is_named() -> None:
    """The simulation then sends each task where the least latency is expected, and the action says the same."""
    knobs = Knobs.of(load("s1_semantic_iov", ["decisions.knobs=[share]"]).scenario)
    seen = OBSERVED[0]
    assert knobs.names == ("share",)
    np.testing.assert_array_equal(knobs.decode(np.zeros((len(seen), 1)), seen).option, seen.expected_s.argmin(axis=1))


def test_the_network_has_numbers_of_its_own() -> None:
    """A number for each link's detector, then a score for each site; a site without stake is never proposed."""
    loop = Loop(load("qib_vec", shortened("qib_vec", "decisions.knobs=[target,detector,proposer]")))
    seen, knobs = loop.reset().observation, loop.knobs
    assert (knobs.links, knobs.validators, knobs.network_size) == (8, 4, 12)
    stake = np.array([1000, 0, 1000, 1000])
    values = np.concatenate([np.full(8, -0.5), [0.1, 0.9, 0.3, 0.2]])
    action = knobs.decode(np.zeros((len(seen), 4)), replace(seen, stake=stake), values)
    assert action.detector is not None
    assert action.detector.tolist() == [0.25] * 8
    assert action.proposer == 2
    loop.step(action)
    loop.close()


def test_the_network_has_choices_of_its_own() -> None:
    """Each detector has four levels, the proposer the sites with stake; without any stake all of them."""
    loop = Loop(load("qib_vec", shortened("qib_vec", "decisions.knobs=[target,detector,proposer]")))
    seen, knobs = replace(loop.reset().observation, stake=np.array([1000, 0, 1000, 1000])), loop.knobs
    loop.close()
    assert (knobs.network_knobs, knobs.network_choices) == (9, 4)
    assert knobs.network_mask(seen).tolist() == [[True] * 4] * 8 + [[True, False, True, True]]
    assert knobs.network_mask(replace(seen, stake=np.zeros(4, np.int64)))[-1].all()
    turned = knobs.network_of_choices(np.array([0, 1, 2, 3, 0, 1, 2, 3, 2]))
    assert turned["detector"].tolist() == [*DETECTOR_LEVELS, *DETECTOR_LEVELS]
    assert turned["proposer"] == 2
