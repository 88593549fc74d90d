"""Where a run came from."""

import json
from pathlib import Path

import pytest

from cosim.errors import InputError
from cosim.trace.store.provenance import Provenance, machine, read_provenance, versions, write_provenance


def test_provenance_comes_back(tmp_path: Path) -> None:
    """What is written is read; the file holds the digest, the versions and no name of the machine."""
    said = Provenance("a" * 64, {"duration_s": 1.0}, 7, "local", "2026-01-01T00:00:00Z", "complete", "f" * 64, facts=3)
    write_provenance(tmp_path, said)
    assert read_provenance(tmp_path) == said
    data = json.loads((tmp_path / "provenance.json").read_text())
    assert data["digest"] == "f" * 64
    assert data["versions"]["numpy"] == versions()["numpy"] != ""
    assert set(machine()) == {"system", "architecture", "processor", "processors", "memory_byte"}


@pytest.mark.parametrize("text", ["", "[]", '{"digest": "x"}', '{"unknown": 1}'])
def test_broken_provenance_is_told(tmp_path: Path, text: str) -> None:
    """A provenance.json that cannot be one is bad input in one line."""
    (tmp_path / "provenance.json").write_text(text)
    with pytest.raises(InputError, match="broken") as caught:
        read_provenance(tmp_path)
    assert "\n" not in str(caught.value)
