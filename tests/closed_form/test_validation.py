"""What `cosim doctor --validate` runs."""

import pytest

from cosim.validation import validate
from cosim.validation.checks import mmc_wait_s


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
