"""Paper S1 for the study runner: figures 3 to 9 with their claims, and the tables of learners and circuits."""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

from cosim.envs.knobs import Knobs
from cosim.experiments.papers import report
from cosim.experiments.papers.lines import Sweep, sweep_table
from cosim.experiments.papers.measured import StudyTraining
from cosim.experiments.papers.paper import Paper, Result, Written
from cosim.experiments.papers.pictures import draw_sweep
from cosim.experiments.papers.s1.claims import (
    Curves,
    curve_claims,
    curve_table,
    finished_curves,
    learner_table,
    sweep_claims,
)
from cosim.experiments.papers.s1.figures import draw_settings, sweep_picture
from cosim.experiments.papers.s1.plan import (
    CURVES,
    DEFAULTS,
    FIGURES,
    FULL,
    QUICK,
    SCENARIO,
    SETTINGS,
    S1Plan,
    S1Size,
    scenario,
)


class S1Study:
    """The figures and tables of paper S1 in one size."""

    def __init__(self, size: S1Size) -> None:
        self._plan = S1Plan(size)
        self._curves: Curves | None = None

    def figure(self, number: int) -> Result:
        """Return figure 3, 5 or 6, learning curves, or 4, 7, 8 or 9, a sweep."""
        name = f"fig{number}"
        if number in CURVES:
            trainings, measurements = self._curve_pieces
            return Result(name, trainings, measurements, partial(self._write_curves, number))
        sweep = self._plan.sweep(number)
        return Result(name, sweep.trainings(), sweep.pieces(), partial(self._write_sweep, number, sweep))

    def tables(self) -> Sequence[Result]:
        """Return the tables of all learners' results and of their circuits' costs."""
        size = self._plan.size
        sweep = self._plan.learners(size.learners)
        return [Result("learners", sweep.trainings(), sweep.pieces(), partial(self._write_learners, sweep))]

    def provenance(self) -> Mapping[str, Any]:
        """Return scenario, lengths and agents' settings."""
        size = self._plan.size
        return {
            "scenario": {"name": SCENARIO, "hash": scenario().run_id},
            "episodes": size.episodes,
            "episodes_tuned_and_other_learners": size.others,
            "slots_of_an_episode": size.epochs,
            "roll_out_s": size.duration_s,
            "settings": {**SETTINGS, DEFAULTS: "of `cosim train --settings NAME`"},
        }

    @cached_property
    def _curve_pieces(self) -> tuple[list[StudyTraining], list[Any]]:
        """Trainings and rules' episodes that figures 3, 5 and 6 share."""
        trainings = [one for trained in self._plan.curves().values() for one in trained]
        return trainings, [one for pieces in self._plan.levels().values() for one in pieces]

    def _write_curves(self, number: int, out: Path, store: Path) -> Written:
        size, (picture, table) = self._plan.size, _files(number, out)
        if self._curves is None:
            self._curves = finished_curves(self._plan, store)
        curves = self._curves
        report.write_csv(table, curve_table(curves, number, size), size.run)
        draw_settings(picture, number, curves, size)
        return Written((picture, table), tuple(curve_claims(curves, number, size)))

    def _write_sweep(self, number: int, sweep: Sweep, out: Path, store: Path) -> Written:
        size, (picture, table) = self._plan.size, _files(number, out)
        measured = sweep.measured(store)
        report.write_csv(table, sweep_table(sweep, measured), size.run)
        draw_sweep(picture, sweep_picture(number, measured, size), sweep, measured, size)
        return Written((picture, table), tuple(sweep_claims(number, measured)))

    def _write_learners(self, sweep: Sweep, out: Path, store: Path) -> Written:
        from cosim.experiments.papers.s1.circuit_costs import cost_table  # noqa: PLC0415 - imports torch

        run, learners, costs = self._plan.size.run, out / "learners.csv", out / "quantum_cost.csv"
        report.write_csv(learners, learner_table(sweep, sweep.measured(store), self._plan, store), run)
        trained: dict[tuple[str, str], list[StudyTraining]] = {}
        for one in sweep.trainings():
            trained.setdefault((one.setting, one.agent), []).append(one)
        report.write_csv(costs, cost_table(trained, Knobs.of(scenario().scenario), store), run)
        return Written((learners, costs))


def _files(number: int, out: Path) -> tuple[Path, Path]:
    return out / f"fig{number}.png", out / f"fig{number}.csv"


PAPER: Final = Paper("S1", FULL, QUICK, FIGURES, S1Study)
