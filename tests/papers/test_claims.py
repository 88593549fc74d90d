"""Claims are computed: numbers made by hand, on which each holds or does not."""

import numpy as np
import pytest

from cosim.experiments.papers import claims
from cosim.experiments.papers.claims import converged

NOISE = np.linspace(-0.01, 0.01, 10)[:, None]
FLAT = np.ones((10, 3)) + NOISE


def holds(finding: claims.ClaimFinding) -> bool:
    return finding.verdict == "yes"


def test_lower_at_every_point() -> None:
    """Ten percent lower everywhere holds and is told as -10 %; higher at a single point does not hold."""
    finding = claims.lower(0.9 * FLAT, FLAT)
    assert holds(finding)
    assert finding.found.value == pytest.approx(-10.0, abs=0.1)
    assert finding.found.high < 0.0
    crossing = 0.9 * FLAT
    crossing[:, 1] = 1.1 * FLAT[:, 1]
    finding = claims.lower(crossing, FLAT)
    assert (finding.holding, finding.contrary, finding.points, finding.verdict) == (2, 1, 3, "no")
    assert claims.lower(1.1 * FLAT, FLAT).verdict == "no"


def test_lower_within_the_noise() -> None:
    """A difference whose interval holds 0 leaves the claim open, whatever its sign, also at one point of several."""
    scattered = FLAT + np.resize([-0.2, 0.19], 10)[:, None]
    assert claims.lower(scattered, FLAT).verdict == "open"
    assert claims.lower(FLAT, scattered).verdict == "open"
    once = 0.9 * FLAT
    once[:, 1] = scattered[:, 1]
    assert claims.lower(once, FLAT).verdict == "open"


def test_pairs_and_not_means() -> None:
    """What a seed does to both policies cancels: a small difference within large swings is seen."""
    swing = FLAT * np.linspace(0.5, 1.5, 10)[:, None]
    assert holds(claims.lower(swing - 0.01, swing))


def test_rewards_are_better_when_higher() -> None:
    """Rewards are negative: -90 is 10 % higher than -100."""
    finding = claims.higher(-90.0 * FLAT[:, 0], -100.0 * FLAT[:, 0])
    assert holds(finding)
    assert finding.found.value == pytest.approx(10.0, abs=0.1)
    assert not holds(claims.higher(-100.0 * FLAT[:, 0], -90.0 * FLAT[:, 0]))


def test_rises_and_falls() -> None:
    """A range rises only if each step does."""
    assert holds(claims.rises(FLAT * [1.0, 1.1, 1.2]))
    assert claims.rises(FLAT * [1.0, 0.9, 1.2]).verdict == "no"
    assert holds(claims.falls(FLAT * [1.2, 1.1, 1.0]))
    assert claims.falls(FLAT * [1.0, 1.1, 1.2]).verdict == "no"


def test_widening_gap() -> None:
    """The gap grows from 0.1 to 0.3, which is 200 in 1e-3; the other way it shrinks."""
    finding = claims.widens(FLAT * [0.9, 0.8, 0.7], FLAT)
    assert holds(finding)
    assert finding.found.value == pytest.approx(200.0, rel=0.02)
    assert not holds(claims.widens(FLAT * [0.7, 0.8, 0.9], FLAT))


def test_sooner() -> None:
    """Fifty episodes fewer on every seed is sooner, the same number is not."""
    episodes = np.linspace(100.0, 200.0, 10)
    assert holds(claims.sooner(episodes - 50.0, episodes))
    assert not holds(claims.sooner(episodes, episodes))


def test_converged() -> None:
    """A mean of 10 comes within 5 % of a step at episode 100 when no old episode is left; a flat one with its first."""
    step = np.where(np.arange(300) < 100, 2.0, 1.0)
    assert converged(step, 10) == 110
    assert converged(np.ones(300), 10) == 10
    assert converged(step, 10, tolerance=0.1001) == 109
