"""What a paper is to the study runner: figures and tables, each with its pieces and a way to write them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from cosim.experiments.papers.claims import Claim
from cosim.experiments.pieces import Piece
from cosim.scenario.load import Loaded


@dataclass(frozen=True, slots=True)
class Size:
    """How much of a paper's experiment is done; a paper adds fields of its own."""

    run: str
    """Stands in every file: full or QUICK."""
    seeds: int
    """Repetitions of each result: seeds of training, or of measurement where nothing is trained."""


class Measurement(Piece, Protocol):
    """A piece with what provenance says of it."""

    @property
    def seed(self) -> int:
        """Of its arrivals and traffic, or of its learner."""
        ...

    @property
    def scenarios(self) -> tuple[Loaded, ...]:
        """That it runs."""
        ...


class TrainingPiece(Measurement, Protocol):
    """A piece that measurements need: it is done before them."""

    @property
    def group(self) -> str:
        """Name of its set of scenarios."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """What a figure or table has come to."""

    files: tuple[Path, ...]
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """A figure or table of a paper."""

    name: str
    """As "fig4"; unique in the paper."""
    trainings: Sequence[TrainingPiece]
    measurements: Sequence[Measurement]
    write: Callable[[Path, Path], Written]
    """From finished pieces into a results folder: (out, store)."""


class Study(Protocol):
    """A paper's experiment in one size."""

    def figure(self, number: int) -> Result:
        """One of the paper's figures."""
        ...

    def tables(self) -> Sequence[Result]:
        """What stands beside the figures, and is made when all of them are."""
        ...

    def provenance(self) -> Mapping[str, Any]:
        """What the results' provenance says besides name, size and pieces, as JSON."""
        ...


S = TypeVar("S", bound=Size)


@dataclass(frozen=True, slots=True)
class Paper(Generic[S]):
    """A paper whose figures can be made."""

    name: str
    """As "S1"."""
    full: S
    quick: S
    figures: tuple[int, ...]
    """Numbers of those that have results."""
    study: Callable[[S], Study]
