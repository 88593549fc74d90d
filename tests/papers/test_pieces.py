"""Pieces of a long experiment: done once, kept, gone on with."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cosim.errors import InputError, RunError
from cosim.experiments.jobs import Job, Tell, Watch
from cosim.experiments.pieces import carry_out, find_done, piece_folder


@contextmanager
def nothing_shown(_: Sequence[Job[Any]]) -> Iterator[Watch]:
    yield Watch()


@dataclass(frozen=True, slots=True)
class Note:
    """Writes a line into a diary; the fatal one kills its process as long as there is no pardon."""

    name: str
    fatal: bool = False
    number: int = 1

    @property
    def label(self) -> str:
        """Its path."""
        return f"note/{self.name}"

    @property
    def total(self) -> float:
        """One."""
        return 1.0

    def settings(self) -> dict[str, Any]:
        """Name and number."""
        return {"name": self.name, "number": self.number}

    def carry_out(self, store: Path, tell: Tell) -> dict[str, Any]:
        """Write, or die."""
        tell(0.0)
        if self.fatal and not (store / "pardon").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        with (store / "diary").open("a") as diary:
            diary.write(f"{self.name}\n")
        return {"number": self.number}


def test_resume(tmp_path: Path) -> None:
    """After a kill the same call does what is missing and nothing twice."""
    pieces = [Note("a"), Note("b", fatal=True), Note("c")]
    assert carry_out(tmp_path, pieces[:1], 1, nothing_shown) == 1
    with pytest.raises(RunError, match="note/b: its process was killed by SIGKILL"):
        carry_out(tmp_path, pieces, 2, nothing_shown)
    done = (tmp_path / "diary").read_text().splitlines()
    assert "b" not in done
    (tmp_path / "pardon").touch()
    assert carry_out(tmp_path, pieces, 1, nothing_shown) == len(pieces) - len(done)
    assert sorted((tmp_path / "diary").read_text().splitlines()) == ["a", "b", "c"]
    assert carry_out(tmp_path, pieces, 1, nothing_shown) == 0


def test_settings_make_the_piece(tmp_path: Path) -> None:
    """A piece with other settings is another piece; equal ones are done once."""
    assert carry_out(tmp_path, [Note("a"), Note("a"), Note("a", number=2)], 1, nothing_shown) == 2
    done = [find_done(tmp_path, Note("a", number=number)) for number in (1, 2)]
    assert [one.result for one in done if one is not None] == [{"number": 1}, {"number": 2}]
    assert find_done(tmp_path, Note("a", number=3)) is None


def test_broken_piece(tmp_path: Path) -> None:
    """A file that is no piece is named in one line."""
    folder = piece_folder(tmp_path, Note("a"))
    folder.mkdir(parents=True)
    (folder / "piece.json").write_text("{")
    with pytest.raises(InputError, match=r"piece\.json: is broken; remove its folder"):
        find_done(tmp_path, Note("a"))
