"""What the tests of several commands at once share: a server that starts them, and a folder with a scenario."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from started_at_once import SMALL, CommandServer, command_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandServer]:
    """Starts commands, several at the same instant if asked to."""
    with command_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with `small.yaml`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    return tmp_path
