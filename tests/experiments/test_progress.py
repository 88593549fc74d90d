"""What is seen of long work: bars on a terminal with names that tell pieces apart, nothing in a pipe."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cosim.cli import main as cli
from cosim.experiments.jobs import Job, Tell, Watch, Watching
from cosim.experiments.papers import study
from cosim.experiments.pieces import carry_out, piece_key


@dataclass(frozen=True, slots=True)
class Measurement:
    """The same policy and seed on one of several sweeps."""

    policy: str
    sweep: int
    total: float = 1.0

    @property
    def label(self) -> str:
        """Without the sweep, as those of papers."""
        return f"measure/{self.policy}/seed1"

    def settings(self) -> dict[str, Any]:
        """All."""
        return {"policy": self.policy, "sweep": self.sweep}

    def carry_out(self, store: Path, tell: Tell) -> dict[str, Any]:  # noqa: ARG002 - of the protocol
        """Nothing."""
        return {}


class SeenError(Exception):
    """The labels, before anything is done."""


def test_labels_tell_pieces_apart(tmp_path: Path) -> None:
    """Pieces of the same label are shown with their keys, others without."""

    @contextmanager
    def watching(jobs: Sequence[Job[Any]]) -> Iterator[Watch]:
        raise SeenError(*(job.label for job in jobs))
        yield Watch()

    first, second = Measurement("optimum", 4), Measurement("optimum", 8)
    with pytest.raises(SeenError) as seen:
        carry_out(tmp_path, [first, second, Measurement("local", 4)], 1, watching)
    both = [f"measure/optimum/seed1-{piece_key(one)}" for one in (first, second)]
    assert list(seen.value.args) == [*both, "measure/local/seed1"]


def test_a_paper_is_quiet_in_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where stderr is no terminal, `cosim paper` writes nothing there, like the other commands."""

    def run_study(*arguments: Any) -> study.StudyResult:
        watching: Watching = arguments[-1]
        with watching([Job("train/x", None, 1.0)]) as watch:
            watch.began(0)
            watch.progressed(0, 1.0)
            watch.ended(0)
        return study.StudyResult(1, 0, (), ())

    monkeypatch.setattr(study, "run_study", run_study)
    assert cli.status(["paper", "S1", "--seeds", "1", "--work", str(tmp_path), "--out", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "1 seed; 1 training and 0 measurements" in said.out
