"""What `cosim doctor --validate` runs."""

from math import inf

import pytest

from cosim.validation import validate
from cosim.validation.checks import _votes, mmc_wait_s
from cosim.validation.votes import VoteOutcome


@pytest.mark.long
def test_everything_agrees() -> None:
    """Every quick comparison holds, and says what was expected and what was measured."""
    checks = list(validate())
    assert [check.name for check in checks if not check.ok] == []
    assert len({check.name for check in checks}) == len(checks)
    assert all("expected" in check.found and "measured" in check.found for check in checks)
    assert sum("99% interval" in check.found for check in checks) >= 9


def test_a_wrong_law_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is a tenth off its law fails its check, with a remedy."""
    monkeypatch.setattr("cosim.validation.checks.mmc_wait_s", lambda *numbers: 1.1 * mmc_wait_s(*numbers))
    check = next(validate())
    assert not check.ok
    assert check.name == "M/M/1 wait, rho 0.7"
    assert "doctor --validate" in check.fix


@pytest.mark.parametrize(
    ("found", "ok", "told"),
    [
        (VoteOutcome(0, 2.0, 2.0, True), True, "at most 2.000 s, measured 0 conflicts and 2.000 s in the worst of 100"),
        (
            VoteOutcome(0, 3.0, 2.0, True),
            False,
            "at most 2.000 s, measured 0 conflicts and 3.000 s in the worst of 100",
        ),
        (VoteOutcome(1, 1.0, 2.0, True), False, "measured 100 conflicts and 1.000 s"),
        (VoteOutcome(0, inf, 2.0, False), False, "measured 0 conflicts and no decision in the worst of 100"),
    ],
)
def test_a_vote_that_is_late_or_split_is_told(
    monkeypatch: pytest.MonkeyPatch, found: VoteOutcome, ok: bool, told: str
) -> None:
    """The line of the vote names the bound and the worst of its schedules, and fails for one late or split."""
    monkeypatch.setattr("cosim.validation.checks.outcome", lambda _seed: found)
    check = _votes()
    assert check.ok == ok
    assert told in check.found
