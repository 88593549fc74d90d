"""The study runner: from a paper to its results folder, by trainings, measurements, tables, pictures and claims."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.errors import InputError
from cosim.experiments.folders import lock_folder, make_folder
from cosim.experiments.jobs import Watching
from cosim.experiments.papers import claims, report
from cosim.experiments.papers.claims import Claim
from cosim.experiments.papers.paper import Measurement, Paper, Result, S, Size, Study
from cosim.experiments.pieces import Piece, carry_out, find_done, piece_folder


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What a study has done, and its results."""

    trained: int
    """Number of trainings that were not done before."""
    measured: int
    """Number of measurements that were not done before."""
    claims: tuple[Claim, ...]
    files: tuple[Path, ...]


def run_study(
    paper: Paper[S], figure: int | None, size: S, out: Path, store: Path, processes: int, watching: Watching
) -> StudyResult:
    """Train and measure what is missing, and write the results.

    Args:
        paper: the paper.
        figure: number of a figure, or None for all of them and the tables.
        size: full or quick.
        out: folder of tables, pictures, claims and provenance.
        store: folder of the pieces; finished ones are never done again.
        processes: number of processes.
        watching: shows the pieces.

    Raises:
        InputError: no such figure; `out` holds something else, another paper's results or those of more seeds; a folder
            cannot be made; another experiment works in `store`.
        RunError: a piece broke; those that are finished are kept.
    """
    if figure is not None and figure not in paper.figures:
        numbers = ", ".join(map(str, paper.figures))
        raise InputError(f"--figure {figure}: paper {paper.name} has results in figures {numbers}")
    _check_seeds(report.read_results(out, paper.name, size.run), size, out)
    make_folder(store, "--work")
    make_folder(out, "--out")  # now, not after hours of training
    with ExitStack() as held:
        held.enter_context(lock_folder(store, "experiment", "--work"))
        if not out.samefile(store):
            held.enter_context(lock_folder(out, "experiment", "--out"))
        before = report.read_results(out, paper.name, size.run)
        _check_seeds(before, size, out)
        study = paper.study(size)
        figures = {number: study.figure(number) for number in (paper.figures if figure is None else (figure,))}
        tables = study.tables() if figure is None else ()
        results = [*figures.values(), *tables]
        trained = carry_out(store, _by_seed([one.trainings for one in results]), processes, watching)
        measured = carry_out(store, _by_seed([one.measurements for one in results]), processes, watching)
        try:
            found, files = _write(figures, tables, size, out, store)
            report.write_results(out, _provenance(before, paper.name, size, study, results, store))
        except OSError as error:
            raise InputError(f"{out}: cannot be written: {str(error.strerror).lower()}; give another --out") from None
    return StudyResult(trained, measured, tuple(found), tuple(files))


def _check_seeds(before: Mapping[str, Any], size: Size, out: Path) -> None:
    """Check that no results are replaced by those of fewer seeds."""
    stored = before.get("figures", {}).values()
    most = max((len(one["seeds_of_training"] or one["seeds_of_measurement"]) for one in stored), default=0)
    if most > size.seeds:
        raise InputError(f"{out}: holds results of {most} seeds, these are of {size.seeds}; give another --out")


def _by_seed(groups: Sequence[Sequence[Measurement]]) -> list[Measurement]:
    """Return pieces in order of seed, so that a stopped experiment has some of the seeds complete."""
    return sorted((piece for group in groups for piece in group), key=lambda piece: piece.seed)


# --- results -------------------------------------------------------------------------------------------------------


def _write(
    figures: Mapping[int, Result], tables: Sequence[Result], size: Size, out: Path, store: Path
) -> tuple[list[Claim], list[Path]]:
    """Write the figures, the claims on them, and the tables."""
    found, files = list[Claim](), list[Path]()
    for result in figures.values():
        written = result.write(out, store)
        found += written.claims
        files += written.files
    report.merge_rows(out / "claims.csv", claims.claims_table(found), size.run, tuple(figures))
    files.append(out / "claims.csv")
    for result in tables:
        files += result.write(out, store).files
    return found, files


def _provenance(
    before: Mapping[str, Any], name: str, size: Size, study: Study, results: Sequence[Result], store: Path
) -> dict[str, Any]:
    """Return the provenance as it was, with the figures of this call replaced."""
    figures = dict(before.get("figures", {}))
    for one in results:
        figures[one.name] = {
            "seeds_of_training": sorted({piece.seed for piece in one.trainings}),
            "seeds_of_measurement": sorted({piece.seed for piece in one.measurements}),
            "trained_on": {piece.group: [loaded.run_id for loaded in piece.scenarios] for piece in one.trainings},
            "measured_on": sorted({loaded.run_id for piece in one.measurements for loaded in piece.scenarios}),
            "trainings": _time_spent(one.trainings, store),
            "measurements": _time_spent(one.measurements, store),
        }
    return {"paper": name, "run": size.run, **study.provenance(), "figures": dict(sorted(figures.items()))}


def _time_spent(pieces: Sequence[Piece], store: Path) -> dict[str, float]:
    """Return the number of pieces, and how long their last processes took, each with one thread."""
    done = {piece_folder(store, piece): find_done(store, piece) for piece in pieces}
    kept = [one for one in done.values() if one is not None]
    cpu_s, wall_s = sum(one.cpu_s for one in kept), sum(one.wall_s for one in kept)
    return {"pieces": len(kept), "cpu_s": round(cpu_s, 1), "wall_s": round(wall_s, 1)}
