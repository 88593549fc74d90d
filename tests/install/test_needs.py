"""A test that this machine cannot run is skipped, but fails where the machine has been made for it."""

import re
from pathlib import Path

import browser
import needs
import pytest

ROOT = Path(__file__).parents[2]


def test_what_is_needed_may_not_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Chromium a test is skipped; where `COSIM_TESTS_NEED` names the browser it fails."""
    monkeypatch.setattr(browser, "CHROMIUM", None)
    monkeypatch.setattr(needs, "NEEDED", frozenset())
    with pytest.raises(pytest.skip.Exception, match="no chromium"), browser.browser(tmp_path):
        pass
    monkeypatch.setattr(needs, "NEEDED", frozenset({"browser"}))
    with pytest.raises(pytest.fail.Exception, match="no chromium"), browser.browser(tmp_path):
        pass


def test_nothing_may_be_missing_in_ci() -> None:
    """`.ci/run` names everything that some test says is lacking."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")]
    lacked = {what for text in texts for what in re.findall(r'\blacking\("(\w+)"', text)}
    assert lacked == {"browser", "display", "index", "mkdocs"}
    said = re.search(
        r"^export COSIM_TESTS_NEED=(\S+)$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert said is not None
    assert set(said[1].split(",")) == lacked
