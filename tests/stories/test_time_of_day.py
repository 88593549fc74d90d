"""Arrivals follow the time of day."""

import pytest
from stories import NEAR_A, tell

PATH = {"a": [NEAR_A] * 11}


def poisson(rate_per_s, *profile):
    """Arrivals at a rate times a profile of (time_s, factor)."""
    corners = [{"time_s": time_s, "factor": factor} for time_s, factor in profile]
    return {"arrivals": {"kind": "poisson", "rate_per_s": rate_per_s, "profile": corners}}


def test_nothing_arrives_at_night(tmp_path):
    """Where the profile is 0 nothing is released; where it is not, tasks are."""
    tasks = poisson(20.0, (4.0, 0.0), (4.5, 1.0), (6.0, 1.0), (6.5, 0.0))
    story = tell(tmp_path, PATH, [], "local", tasks=tasks)
    times_s = [float(fact.split()[0]) for fact in story.of("TaskReleased")]
    assert min(times_s) >= 4.0
    assert max(times_s) <= 6.5
    assert len(times_s) > 10


def test_a_peak_has_its_share(tmp_path):
    """A factor of 10 for half the run brings ten elevenths of the tasks, within 3 sigma (99.7 %) of a binomial."""
    tasks = poisson(20.0, (5.0, 0.1), (5.0 + 1e-6, 1.0))
    story = tell(tmp_path, PATH, [], "local", tasks=tasks)
    late = [float(fact.split()[0]) > 5.0 for fact in story.of("TaskReleased")]
    assert sum(late) / len(late) == pytest.approx(10 / 11, abs=3 * (10 / 121 / len(late)) ** 0.5)
