"""The interface of a paper to the study runner: figures and tables, each with its pieces and a way to write them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from cosim.experiments.papers.claims import Claim
from cosim.experiments.pieces import Piece
from cosim.scenario.load import Loaded


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a paper's experiment; a paper adds fields of its own."""

    run: str
    """`full` or `QUICK`; it is stated in every file."""
    seeds: int
    """Repetitions of each result: seeds of training, or of measurement where nothing is trained."""


class Measurement(Piece, Protocol):
    """A piece with what its provenance needs."""

    @property
    def seed(self) -> int:
        """Seed of its arrivals and traffic, or of its learner."""
        ...

    @property
    def scenarios(self) -> tuple[Loaded, ...]:
        """Scenarios that it runs."""
        ...


class TrainingPiece(Measurement, Protocol):
    """A piece that measurements need, so that it is done before them."""

    @property
    def group(self) -> str:
        """Name of its set of scenarios."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """The files and claims of a figure or table."""

    files: tuple[Path, ...]
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """A figure or table of a paper."""

    name: str
    """Name, as "fig4"; unique in the paper."""
    trainings: Sequence[TrainingPiece]
    measurements: Sequence[Measurement]
    write: Callable[[Path, Path], Written]
    """Writes it from finished pieces into a results folder: (out, store)."""


class Study(Protocol):
    """The experiment of a paper in one size."""

    def figure(self, number: int) -> Result:
        """Return one of the paper's figures."""
        ...

    def tables(self) -> Sequence[Result]:
        """Return the tables, which are made when all figures are."""
        ...

    def provenance(self) -> Mapping[str, Any]:
        """Return what the provenance of the results has besides name, size and pieces, as JSON."""
        ...


S = TypeVar("S", bound=Size)


@dataclass(frozen=True, slots=True)
class Paper(Generic[S]):
    """A paper whose figures can be made."""

    name: str
    """Name, as "S1"."""
    full: S
    quick: S
    figures: tuple[int, ...]
    """Numbers of the figures that have results."""
    study: Callable[[S], Study]
