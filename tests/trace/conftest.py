"""One small run for all tests of the trace; each test gets a copy of its own."""

import shutil
from pathlib import Path

import pytest
from small_run import write_small_run


@pytest.fixture(scope="session")
def stored_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small run; to be read only."""
    folder = tmp_path_factory.mktemp("trace") / "run"
    write_small_run(folder)
    return folder


@pytest.fixture
def run(stored_run: Path, tmp_path: Path) -> Path:
    """A copy of the small run that may be spoilt."""
    return Path(shutil.copytree(stored_run, tmp_path / "run"))


@pytest.fixture
def unhashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit without its re-hash of the chain: the blocks of runs made by hand have names in place of hashes."""
    monkeypatch.setattr("cosim.audit.ledger_check.chain_findings", lambda _trace: iter(()))
