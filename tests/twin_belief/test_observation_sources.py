"""The same run seen through the truth, the mirror and the forecast."""

from contextlib import closing
from dataclasses import fields
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
from cosim_agents.baselines import GreedyLatency, Nearest

from cosim.decision import Observation
from cosim.errors import InputError
from cosim.scenario.load import load
from cosim.scenario.schema import Scenario
from cosim.simulation import Simulation
from cosim.types import Tier

SOURCES = ("truth", "mirror", "forecast")
_SHOWN = [field.name for field in fields(Observation) if field.name not in ("curve", "keys", "stake", "demand")]


def _highway(source: str, *changes: str, period_s: float = 10.0) -> Scenario:
    sync = f"twin={{sync: {{kind: periodic, period_s: {period_s}, staggered: false}}}}"
    given = (sync, f"decisions.observation={source}", "duration_s=8", "cloud={cores: 4}", "statistics.warmup_s=0")
    return load("highway_v2v", [*given, *changes]).scenario


def _epochs(plan: Scenario, policy: Nearest | GreedyLatency | None = None) -> list[Observation]:
    """What a policy sees; its decisions do not depend on it unless it is a greedy one."""
    policy = policy or Nearest()
    seen = []
    simulation = Simulation(plan)
    with closing(simulation):
        while (epoch := simulation.advance()) is not None:
            seen.append(epoch.observation)
            simulation.decide(policy.decide(epoch.observation))
    return seen


@pytest.mark.parametrize("kind", ["periodic", "per_task"])
def test_a_policy_cannot_tell_the_sources_apart_by_form(kind):
    """Truth, mirror and forecast give the same epochs with the same fields, shapes and types."""
    decided = ["decisions={kind: per_task}"] if kind == "per_task" else []
    runs = []
    for source in SOURCES:
        plan = _highway("truth", *decided)
        runs.append(
            _epochs(plan.model_copy(update={"decisions": plan.decisions.model_copy(update={"observation": source})}))
        )
    assert len(runs[0]) > 20
    for true, *others in zip(*runs, strict=True):
        for other in others:
            assert other.time_s == true.time_s
            assert np.array_equal(other.task, true.task)
            for name in _SHOWN:
                one, two = np.asarray(getattr(true, name)), np.asarray(getattr(other, name))
                assert (one.shape, one.dtype) == (two.shape, two.dtype), name


def test_what_a_vehicle_knows_without_the_network_is_true():
    """Its own processor and its neighbours look the same in all sources; its radio does not."""
    true, mirror, forecast = (_epochs(_highway(source))[-1] for source in SOURCES)
    own = (true.tier == Tier.LOCAL) | (true.tier == Tier.NEIGHBOUR)
    assert (true.tier == Tier.NEIGHBOUR).any()
    for other in (mirror, forecast):
        for name in ("target", "feasible", "wait_s", "core_hz", "uplink_bps"):
            assert np.array_equal(getattr(other, name)[own], getattr(true, name)[own]), name
        assert not np.array_equal(other.snr_per_w[:, 1], true.snr_per_w[:, 1])


def test_all_sources_agree_as_vehicles_attach():
    """At the first tick a twin has the state with which its vehicle attached, and sites have told theirs."""
    decided = "decisions.period_s=0.2"
    true, mirror, forecast = (_epochs(_highway(source, decided))[0] for source in SOURCES)
    assert true.time_s < 1.0
    for name in ("target", "feasible", "cell", "snr_per_w", "core_hz"):
        assert np.array_equal(getattr(mirror, name), getattr(true, name), equal_nan=True), name
    edge = true.tier == Tier.EDGE
    assert np.allclose(np.where(edge, mirror.alone_bps, 0.0), np.where(edge, true.alone_bps, 0.0))
    assert forecast.snr_per_w.shape == true.snr_per_w.shape


def test_a_mirror_that_is_never_renewed_shows_what_it_showed():
    """Without synchronisation a vehicle's links are those of its entry for ever."""
    seen = _epochs(_highway("mirror", "twin={sync: {kind: budget, messages_per_s: 0}}"))
    first: dict[int, list[float]] = {}
    for epoch in seen:
        for vehicle, snr in zip(epoch.vehicle.tolist(), epoch.snr_per_w[:, 1:3].tolist(), strict=True):
            assert first.setdefault(vehicle, snr) == snr
    assert len(first) > 50


@pytest.mark.parametrize("source", ["mirror", "forecast"])
def test_belief_is_reproducible(source):
    """The same scenario and seed show a policy the same beliefs to the last bit, although it acts on them."""
    once, again = (_epochs(_highway(source, period_s=2.0), GreedyLatency()) for _ in range(2))
    for one, two in zip(once, again, strict=True):
        for name in _SHOWN:
            assert np.array_equal(getattr(one, name), getattr(two, name), equal_nan=True), name


def test_a_belief_needs_a_twin():
    """Mirror and forecast without a twin: section are refused in one line that says what to do."""
    with pytest.raises(InputError, match=r"observation=mirror needs a twin; add a twin: section or use truth"):
        load("per_task", ["decisions.observation=mirror"])


def test_the_truth_does_not_depend_on_the_twin():
    """Observing the truth, a policy sees the same radio with and without a twin beside the run."""
    with_twin = _epochs(_highway("truth"))
    without = _epochs(_highway("truth", "twin=null"))
    for one, two in zip(with_twin, without, strict=True):
        assert np.array_equal(one.snr_per_w, two.snr_per_w, equal_nan=True)
        assert np.array_equal(one.alone_bps, two.alone_bps)


def costs(seeds: range) -> np.ndarray:
    """Cost of the optimum on S1 at 6 MHz by seed (rows), seeing truth, mirror and forecast."""
    place = Path(__file__).parents[2] / "benchmarks" / "twin_effect.py"
    spec = spec_from_file_location("twin_effect", place)
    assert spec is not None
    assert spec.loader is not None
    benchmark = module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    base = load("s1_semantic_iov", ["radio.bandwidth_hz=6e6"]).scenario
    plans = [base.model_copy(update={"seed": seed, "duration_s": 100.0}) for seed in seeds]
    return np.array([benchmark.costs(plan, "optimal")[0] for plan in plans])


def test_a_forecast_is_worth_the_truth():
    """On one seed the forecast costs what the truth does, and the mirror more."""
    ((truth, mirror, forecast),) = costs(range(1, 2))
    assert mirror > truth
    assert forecast == pytest.approx(truth, rel=1e-9)


@pytest.mark.long
def test_the_effect_of_figure_9():
    """On paired seeds the mirror costs more than the truth (99.9 %, t), the forecast the same."""
    cost = costs(range(1, 6))
    excess = (cost[:, 1] - cost[:, 0]) / cost[:, 0].mean()
    assert excess.mean() > 7.17 * excess.std(ddof=1) / np.sqrt(5)  # Student's, 4 degrees of freedom
    assert excess.mean() < 0.11
    assert cost[:, 2] == pytest.approx(cost[:, 0], rel=1e-9)
