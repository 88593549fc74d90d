"""Paper S1 from nothing to its results folder: trainings, then measurements, then tables, pictures and claims."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cosim.envs.knobs import Knobs
from cosim.errors import InputError
from cosim.experiments.folders import hold, make_folder
from cosim.experiments.jobs import Watching
from cosim.experiments.papers import claims, report
from cosim.experiments.papers.claims import Claim
from cosim.experiments.papers.lines import Sweep, sweep_table
from cosim.experiments.papers.measured import Episodes, RollOuts, Training
from cosim.experiments.papers.s1.claims import curve_claims, curve_table, learner_table, read_curves, sweep_claims
from cosim.experiments.papers.s1.figures import draw_curves, draw_sweep
from cosim.experiments.papers.s1.plan import (
    AGENTS,
    CURVES,
    DEFAULTS,
    FIGURES,
    SCENARIO,
    SETTINGS,
    Size,
    Study,
    scenario,
)
from cosim.experiments.pieces import Piece, carry_out, find_done, piece_folder
from cosim.scenario.load import Loaded

_LEARNERS: Final = "learners"
_CURVES: Final = "curves"


@dataclass(frozen=True, slots=True)
class Conducted:
    """What was done and what came of it."""

    trained: int
    """Pieces that were not there before."""
    measured: int
    claims: tuple[Claim, ...]
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """Everything that some figures need, by "fig4", "curves" and "learners"."""

    figures: tuple[int, ...]
    trainings: dict[str, list[Training]]
    measurements: dict[str, list[Episodes | RollOuts]]
    sweeps: dict[str, Sweep]


def conduct(figure: int | None, size: Size, out: Path, store: Path, processes: int, watching: Watching) -> Conducted:
    """Train and measure what is missing, and write the results.

    Args:
        figure: one of FIGURES, or None for all of them and the tables of learners and circuits.
        size: full or quick.
        out: for tables, pictures, claims and provenance.
        store: for pieces; finished ones are never done again.
        processes: at once.
        watching: shows the pieces.

    Raises:
        InputError: no such figure; `out` holds something else or results of more seeds; a folder cannot be made;
            another experiment works in `store`.
        RunError: a piece broke; those that are finished are kept.
    """
    if figure is not None and figure not in FIGURES:
        raise InputError(f"--figure {figure}: paper S1 has results in figures {', '.join(map(str, FIGURES))}")
    before = report.read_told(out, size.run)
    _check_seeds(before, size, out)
    make_folder(store, "--work")
    make_folder(out, "--out")  # now, not after hours of training
    with hold(store, "experiment", "--work"):
        study = Study(size)
        names = _learner_names(size)
        plan = _plan(study, FIGURES if figure is None else (figure,), names if figure is None else ())
        trained = carry_out(store, _by_seed(plan.trainings.values()), processes, watching)
        measured = carry_out(store, _by_seed(plan.measurements.values()), processes, watching)
        try:
            found, files = _write(study, plan, out, store)
            report.write_told(out, _told(before, study, plan, store))
        except OSError as error:
            raise InputError(f"{out}: cannot be written: {str(error.strerror).lower()}; give another --out") from None
    return Conducted(trained, measured, tuple(found), tuple(files))


def _check_seeds(before: Mapping[str, Any], size: Size, out: Path) -> None:
    """See that no results are replaced by those of fewer seeds."""
    most = max((len(one["seeds_of_training"]) for one in before.get("figures", {}).values()), default=0)
    if most > size.seeds:
        raise InputError(f"{out}: holds results of {most} seeds, these are of {size.seeds}; give another --out")


def _learner_names(size: Size) -> tuple[str, ...]:
    from cosim_agents.learners.catalog import agent_names  # noqa: PLC0415 - imports torch

    known = agent_names() if size.learners is None else size.learners
    return tuple(dict.fromkeys((*AGENTS, *known)))


def _plan(study: Study, figures: Sequence[int], learners: Sequence[str]) -> _Plan:
    plan = _Plan(tuple(figures), {}, {}, {})
    for figure in figures:
        if figure in CURVES:
            plan.trainings[_CURVES] = [one for trainings in study.curves().values() for one in trainings]
            plan.measurements[_CURVES] = [one for pieces in study.levels().values() for one in pieces]
        else:
            plan.sweeps[f"fig{figure}"] = study.sweep(figure)
    if learners:
        plan.sweeps[_LEARNERS] = study.learners(learners)
    for name, sweep in plan.sweeps.items():
        plan.trainings[name] = sweep.trainings()
        plan.measurements[name] = list(sweep.pieces())
    return plan


def _by_seed(groups: Iterable[Sequence[Any]]) -> list[Piece]:
    """All seeds of a kind come one after the other, so that a stopped experiment has some of them complete."""
    return sorted((piece for group in groups for piece in group), key=lambda piece: piece.seed)


# --- results -------------------------------------------------------------------------------------------------------


def _write(study: Study, plan: _Plan, out: Path, store: Path) -> tuple[list[Claim], list[Path]]:
    size, found, files = study.size, list[Claim](), list[Path]()
    curves = read_curves(study, store) if _CURVES in plan.trainings else None
    for figure in plan.figures:
        table, picture = out / f"fig{figure}.csv", out / f"fig{figure}.png"
        files += [picture, table]
        if curves is not None and figure in CURVES:
            report.write_table(table, curve_table(curves, figure, size), size.run)
            draw_curves(picture, figure, curves, size)
            found += curve_claims(curves, figure, size)
            continue
        sweep = plan.sweeps[f"fig{figure}"]
        measured = sweep.measured(store)
        report.write_table(table, sweep_table(sweep, measured), size.run)
        draw_sweep(picture, figure, sweep, measured, size)
        found += sweep_claims(figure, measured)
    report.merge_rows(out / "claims.csv", claims.claims_table(found), size.run, plan.figures)
    files.append(out / "claims.csv")
    if _LEARNERS in plan.sweeps:
        files += _write_learners(study, plan.sweeps[_LEARNERS], out, store)
    return found, files


def _write_learners(study: Study, sweep: Sweep, out: Path, store: Path) -> list[Path]:
    from cosim.experiments.papers.s1.circuit_costs import cost_table  # noqa: PLC0415 - imports torch

    learners, costs = out / "learners.csv", out / "quantum_cost.csv"
    report.write_table(learners, learner_table(sweep, sweep.measured(store), study, store), study.size.run)
    trained: dict[tuple[str, str], list[Training]] = {}
    for one in sweep.trainings():
        trained.setdefault((one.setting, one.agent), []).append(one)
    report.write_table(costs, cost_table(trained, Knobs.of(scenario().scenario), store), study.size.run)
    return [learners, costs]


def _told(before: dict[str, Any], study: Study, plan: _Plan, store: Path) -> dict[str, Any]:
    """Provenance: what stood there, with the figures of this call anew."""
    size = study.size
    figures = dict(before.get("figures", {}))
    groups = {f"fig{one}": _CURVES if one in CURVES else f"fig{one}" for one in plan.figures}
    if _LEARNERS in plan.sweeps:
        groups[_LEARNERS] = _LEARNERS
    for name, group in groups.items():
        trainings, measurements = plan.trainings[group], plan.measurements[group]
        figures[name] = {
            "seeds_of_training": sorted({one.seed for one in trainings}),
            "seeds_of_measurement": sorted({one.seed for one in measurements}),
            "trained_on": {one.group: [loaded.run_id for loaded in one.scenarios] for one in trainings},
            "measured_on": sorted({loaded.run_id for one in measurements for loaded in _scenarios(one)}),
            "trainings": _work(trainings, store),
            "measurements": _work(measurements, store),
        }
    return {
        "paper": "S1",
        "run": size.run,
        "scenario": {"name": SCENARIO, "hash": scenario().run_id},
        "episodes": size.episodes,
        "episodes_tuned_and_other_learners": size.others,
        "slots_of_an_episode": size.epochs,
        "roll_out_s": size.duration_s,
        "settings": {**SETTINGS, DEFAULTS: "of `cosim train --settings NAME`"},
        "figures": dict(sorted(figures.items())),
    }


def _scenarios(piece: Episodes | RollOuts) -> Sequence[Loaded]:
    return piece.scenarios if isinstance(piece, RollOuts) else [piece.loaded]


def _work(pieces: Sequence[Any], store: Path) -> dict[str, float]:
    """How many pieces, and how long their last processes took, each with one thread."""
    done = {piece_folder(store, piece): find_done(store, piece) for piece in pieces}
    kept = [one for one in done.values() if one is not None]
    cpu_s, wall_s = sum(one.cpu_s for one in kept), sum(one.wall_s for one in kept)
    return {"pieces": len(kept), "cpu_s": round(cpu_s, 1), "wall_s": round(wall_s, 1)}
