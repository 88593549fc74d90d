"""Poisson arrivals; statistical tests use 99.9 % intervals."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from fleets import entries, frame
from physics import seen
from scipy import stats

from cosim.errors import InputError
from cosim.scenario.work import Tasks
from cosim.tasks.source import task_source

VEHICLES = 2000


def drawn(arrivals, start_s=0.0, end_s=1.0, vehicles=VEHICLES, types=("car",), seed=11, ticks=1):
    """All releases of `ticks` equal intervals."""
    source = task_source(Tasks(arrivals={"kind": "poisson", **arrivals}), seed, Path())
    source.enter(entries(vehicles, types))
    edges = np.linspace(start_s, end_s, ticks + 1)
    parts = [source.draw(frame(range(vehicles)), a, b) for a, b in pairwise(edges)]
    return np.concatenate([part.time_s for part in parts]), np.concatenate([part.vehicle for part in parts])


def within(count, expected):
    """True if a Poisson count is in its central 99.9 %."""
    low, high = stats.poisson.ppf([0.0005, 0.9995], expected)
    return low <= count <= high


def test_counts_are_poisson():
    """Each vehicle's count over 10 s at 0.8 tasks/s is Poisson: mean 8, variance over mean 1 (chi-square, 99.9 %)."""
    _, vehicle = drawn({"rate_per_s": 0.8}, end_s=10.0, ticks=10)
    counts = np.bincount(vehicle, minlength=VEHICLES)
    assert within(counts.sum(), 8.0 * VEHICLES)
    seen([counts.mean(), counts.var(ddof=1)], [8.0, 8.0])
    low, high = stats.chi2.ppf([0.0005, 0.9995], VEHICLES - 1)
    assert low < ((counts - counts.mean()) ** 2).sum() / counts.mean() < high


def test_gaps_are_exponential():
    """The gaps between one vehicle's tasks are exponential with the mean 1 / rate, across ticks (KS, 0.1 %)."""
    time_s, _ = drawn({"rate_per_s": 5.0}, end_s=1000.0, vehicles=1, ticks=1000)
    assert stats.kstest(np.diff(time_s) * 5.0, "expon").pvalue > 0.001


def test_times_are_ordered_and_inside():
    """Times ascend and lie in [start, end)."""
    time_s, _ = drawn({}, start_s=3.0, end_s=3.25)
    assert (np.diff(time_s) >= 0.0).all()
    assert time_s[0] >= 3.0
    assert time_s[-1] < 3.25


def test_type_factor():
    """A type's factor multiplies its vehicles' rate, and a factor of 0 silences them (99.9 %)."""
    _, vehicle = drawn({"type_factor": {"bus": 3.0, "bike": 0.0}}, types=("car", "bus", "bike"), end_s=3.0)
    by_type = np.bincount(vehicle % 3, minlength=3)
    members = np.bincount(np.arange(VEHICLES) % 3)
    assert within(by_type[0], 3.0 * members[0])
    assert within(by_type[1], 9.0 * members[1])
    assert by_type[2] == 0


def test_profile_mean_and_shape():
    """With a profile that rises from 0 to 2 over 10 s the count has its integral as mean, and times the law t^2."""
    profile = [{"time_s": 0.0, "factor": 0.0}, {"time_s": 10.0, "factor": 2.0}]
    time_s, _ = drawn({"rate_per_s": 0.5, "profile": profile}, end_s=10.0, ticks=4)
    assert within(len(time_s), 0.5 * VEHICLES * 10.0)
    seen(len(time_s), 0.5 * VEHICLES * 10.0)
    assert stats.kstest((time_s / 10.0) ** 2, "uniform").pvalue > 0.001


def test_profile_peak_inside_a_tick():
    """A corner of the profile inside one interval counts: a triangle 0-2-0 over 10 s releases its area (99.9 %)."""
    corners = [(0.0, 0.0), (5.0, 2.0), (10.0, 0.0)]
    profile = [{"time_s": time_s, "factor": factor} for time_s, factor in corners]
    assert within(len(drawn({"rate_per_s": 0.5, "profile": profile}, end_s=10.0)[0]), 0.5 * VEHICLES * 10.0)


def test_profile_is_constant_outside():
    """Before its first and after its last corner a profile keeps their factors."""
    profile = [{"time_s": 10.0, "factor": 0.0}, {"time_s": 20.0, "factor": 1.0}]
    assert len(drawn({"profile": profile}, end_s=10.0)[0]) == 0
    assert within(len(drawn({"profile": profile}, start_s=20.0, end_s=21.0)[0]), VEHICLES)


@pytest.mark.parametrize("arrivals", [{"rate_per_s": 0.0}, {"type_factor": {"car": 0.0}}])
def test_no_rate_no_tasks(arrivals):
    """With rate 0 nothing is released."""
    assert len(drawn(arrivals)[0]) == 0


def test_empty_map():
    """Without vehicles nothing is released."""
    assert len(drawn({}, vehicles=0)[0]) == 0


def test_seed():
    """The same seed gives the same arrivals, another seed others."""
    first, again, other = (drawn({}, seed=seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert len(other) != len(first) or (other != first).any()


def test_absurd_rate_is_refused():
    """A rate that would fill the memory is refused with the field's name."""
    with pytest.raises(InputError, match=r"tasks\.arrivals\.rate_per_s=1e\+12 gives"):
        drawn({"rate_per_s": 1e12})
