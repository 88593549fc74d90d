"""The results of paper S1: learning curves, the table of learners, and which of the paper's claims hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from cosim.experiments.papers import claims
from cosim.experiments.papers.claims import Claim, ClaimFinding
from cosim.experiments.papers.lines import (
    ENDS,
    QUANTITIES,
    CsvTable,
    Line,
    LineScores,
    Sweep,
    cells,
    estimate,
    finished,
    relative_difference,
)
from cosim.experiments.papers.measured import StudyTraining
from cosim.experiments.papers.s1.plan import (
    CONTROLS,
    CORES_HZ,
    CURVES,
    GREEDY,
    OPTIMUM,
    PAPER,
    QUANTUM,
    SETTINGS,
    SMALL,
    SOURCES,
    USUAL,
    S1Plan,
    S1Size,
)
from cosim.experiments.statistics import Curve, curve, smoothed
from cosim.experiments.training import read_curve
from cosim.kernel.rng import stream
from cosim.types import FloatArray

LAST: Final = 100
"""Episodes at the end that claims on learning curves are about."""
_THINNED: Final = 100
"""Points of a learning curve in a CSV file."""


# --- learning curves -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Curves:
    """Learning curves of figures 3, 5 and 6: reward of an episode, latency of a task (ms) and cost of a slot."""

    agents: Mapping[tuple[str, str], Mapping[str, FloatArray]]
    """Curves by setting and agent, then by quantity, (R, E) each."""
    levels: Mapping[str, Mapping[str, FloatArray]]
    """Levels of the rules by name, then by quantity, (R,) each."""

    def smooth(self, setting: str, agent: str, quantity: str, window: int) -> Curve:
        """Return a smoothed learning curve with its band.

        Args:
            setting: setting of the agent.
            agent: name of the agent.
            quantity: reward, latency or cost.
            window: episodes that a point is the mean of.
        """
        return curve(smoothed(self.agents[setting, agent][quantity], window), stream(0, "bootstrap"))


def finished_curves(plan: S1Plan, store: Path) -> Curves:
    """Return the learning curves from finished pieces."""
    agents = {
        key: _stacked([_quantities(read_curve(one.curve(store)), one.epochs) for one in trainings])
        for key, trainings in plan.curves().items()
    }
    levels = {}
    for name, pieces in plan.levels().items():
        rows = []
        for piece in pieces:
            told = finished(store, piece)
            episodes = told["episodes"]
            rows.append(
                {
                    "reward": np.float64(told["reward"] / episodes),
                    "latency": np.float64(1e3 * told["latency_s"] / told["tasks"]),
                    "cost": np.float64(told["cost"] / (episodes * piece.epochs)),
                }
            )
        levels[name] = _stacked(rows)
    return Curves(agents, levels)


def _quantities(one: Mapping[str, FloatArray], epochs: int) -> dict[str, FloatArray]:
    latency = 1e3 * one["latency_s"] / np.maximum(one["tasks"], 1.0)
    return {"reward": one["reward"], "latency": latency, "cost": one["cost"] / epochs}


def _stacked(rows: list[dict[str, Any]]) -> dict[str, FloatArray]:
    return {name: np.array([row[name] for row in rows], np.float64) for name in rows[0]}


def curve_table(curves: Curves, figure: int, size: S1Size) -> CsvTable:
    """Return a row for each agent and shown episode, and one for each rule.

    Args:
        curves: the learning curves.
        figure: 3, 5 or 6.
        size: size of the experiment.
    """
    quantity = CURVES[figure]
    unit = {"reward": "reward", "latency": "latency_ms", "cost": "cost_per_slot"}[quantity]
    table = CsvTable(("line", "panel", "episode", "seeds", unit, f"{unit}_low", f"{unit}_high"))
    for (setting, agent), found in curves.agents.items():
        band = curves.smooth(setting, agent, quantity, size.window)
        episodes = np.arange(1, len(band.value) + 1)
        for episode in episodes[:: -(-len(episodes) // _THINNED)].tolist():
            at = episode - 1
            seeds = len(found[quantity])
            table.rows.append((agent, setting, episode, seeds, band.value[at], band.low[at], band.high[at]))
    for name, level in curves.levels.items():
        told = estimate(level[quantity])
        table.rows.append((name, "", "", len(level[quantity]), told.value, told.low, told.high))
    return table


# --- claims --------------------------------------------------------------------------------------------------------


def curve_claims(curves: Curves, figure: int, size: S1Size) -> list[Claim]:
    """Return the claims of figures 3, 5 and 6, for each setting: Q-DDPG against DDPG, and against the small DDPG.

    Args:
        curves: the learning curves.
        figure: 3, 5 or 6.
        size: size of the experiment.
    """
    found = []
    quantity, last = CURVES[figure], min(LAST, size.episodes)
    for setting in SETTINGS:
        quantum = curves.agents[setting, QUANTUM]
        for other in (USUAL, SMALL):
            against = curves.agents[setting, other]
            ends = quantum[quantity][:, -last:], against[quantity][:, -last:]
            means = ends[0].mean(axis=1), ends[1].mean(axis=1)
            sooner = claims.sooner(_converged(quantum["cost"], size), _converged(against["cost"], size))
            episodes = f"episodes to the plateau of cost, minus {other}'s"
            if quantity == "reward":
                what = f"mean reward of the last {last} episodes against {other}'s (%)"
                told = [
                    ("Q-DDPG's final reward is higher", what, claims.higher(*means)),
                    ("Q-DDPG converges sooner", episodes, sooner),
                ]
            else:
                what = f"mean {quantity} of the last {last} episodes against {other}'s (%)"
                swing = f"deviation of {quantity} over the last {last} episodes against {other}'s (%)"
                told = [
                    (f"Q-DDPG's final {quantity} is lower", what, claims.lower(*means)),
                    (
                        f"Q-DDPG's {quantity} fluctuates less",
                        swing,
                        claims.lower(ends[0].std(axis=1), ends[1].std(axis=1)),
                    ),
                    ("Q-DDPG is stable sooner", episodes, sooner),
                ]
            found += [_claim(figure, said, setting, measure, one) for said, measure, one in told]
    return found


def _converged(costs: FloatArray, size: S1Size) -> FloatArray:  # (R, E) -> (R,)
    return np.array([float(claims.converged(row, size.plateau)) for row in costs])


def sweep_claims(figure: int, measured: Mapping[str, LineScores]) -> list[Claim]:
    """Return the claims of figure 4, 7, 8 or 9."""
    make = {4: _bandwidth_claims, 7: _server_claims, 8: _complexity_claims, 9: _twin_claims}
    return make[figure](measured)


def _bandwidth_claims(measured: Mapping[str, LineScores]) -> list[Claim]:
    return _lower_than_others(4, "Q-DDPG costs less at every bandwidth", measured)


def _complexity_claims(measured: Mapping[str, LineScores]) -> list[Claim]:
    found = _lower_than_others(8, "Q-DDPG costs less at every complexity", measured)
    quantum, usual = (_cost(measured, Line(agent, PAPER)) for agent in (QUANTUM, USUAL))
    measure = "gap to ddpg at the highest minus that at the lowest complexity (1e-3)"
    wider = claims.widens(quantum, usual)
    found.append(_claim(8, "the gap to DDPG grows with complexity", PAPER, measure, wider))
    for agent, cost in ((QUANTUM, quantum), (USUAL, usual)):
        measure = f"{agent}: cost at the highest against the lowest complexity (%)"
        found.append(_claim(8, "cost rises with complexity", PAPER, measure, claims.rises(cost)))
    return found


def _lower_than_others(figure: int, said: str, measured: Mapping[str, LineScores]) -> list[Claim]:
    quantum = _cost(measured, Line(QUANTUM, PAPER))
    others = [(agent, Line(agent, PAPER)) for agent in (USUAL, SMALL)] + [(rule, Line(rule, "")) for rule in CONTROLS]
    return [
        _claim(figure, said, PAPER, f"cost against {name}'s (%)", claims.lower(quantum, _cost(measured, line)))
        for name, line in others
    ]


def _server_claims(measured: Mapping[str, LineScores]) -> list[Claim]:
    fast, slow = (_cost(measured, Line(QUANTUM, PAPER, variant=f"{hz / 1e9:g} GHz")) for hz in CORES_HZ)
    said = "Q-DDPG costs less with servers of 10 GHz than of 5 GHz"
    found = [_claim(7, said, PAPER, "cost at 10 GHz against 5 GHz (%)", claims.lower(fast, slow))]
    for name, cost in (("10 GHz", fast), ("5 GHz", slow)):
        measure = f"{name}: cost at the highest against the lowest complexity (%)"
        found.append(_claim(7, "cost rises with complexity", PAPER, measure, claims.rises(cost)))
    return found


def _twin_claims(measured: Mapping[str, LineScores]) -> list[Claim]:
    panels = dict.fromkeys(one.line.panel for one in measured.values() if one.line.name in CONTROLS)
    told = [(QUANTUM, PAPER), *((rule, panel) for panel in panels for rule in CONTROLS)]
    return [claim for name, panel in told for claim in _twin_against_mirror(measured, name, panel)]


def _twin_against_mirror(measured: Mapping[str, LineScores], name: str, panel: str) -> list[Claim]:
    without, with_twin = (_cost(measured, Line(name, panel, variant=variant)) for variant in SOURCES.values())
    told = (
        ("the twin lowers cost at every bandwidth", ": cost with twin against without (%)", claims.lower),
        ("the twin's gain grows with bandwidth", ": gain at the widest minus narrowest (1e-3)", claims.widens),
    )
    found = [_claim(9, said, panel, f"{name}{what}", test(with_twin, without)) for said, what, test in told]
    measure = f"{name}, with twin: widest against narrowest (%)"
    return [*found, _claim(9, "cost falls with bandwidth", panel, measure, claims.falls(with_twin))]


def _cost(measured: Mapping[str, LineScores], line: Line) -> FloatArray:
    return measured[line.key].scores["cost"]


def _claim(figure: int, said: str, setting: str, measure: str, one: ClaimFinding) -> Claim:
    return Claim(figure, said, setting, measure, one)


# --- tables --------------------------------------------------------------------------------------------------------


def learner_table(sweep: Sweep, measured: Mapping[str, LineScores], plan: S1Plan, store: Path) -> CsvTable:
    """Return a row for each learner and rule at 10 MHz: cost, by how much it beats the rules, when it had converged.

    Args:
        sweep: the sweep of learners and rules.
        measured: scores by key of the line.
        plan: plan of the experiment.
        store: folder of the pieces.
    """
    yardsticks = ("random", "local", GREEDY, OPTIMUM)
    names = [name for _, name, _ in QUANTITIES] + [f"against_{name}_percent" for name in yardsticks]
    ends = [f"{name}{end}" for name in (*names, "episodes_to_plateau") for end in ENDS]
    table = CsvTable(("policy", "setting", "seeds", "episodes", *ends))
    for line, pieces in sweep.lines:
        one = measured[line.key]
        told = [estimate(one.scores[name][:, 0] * factor) for name, _, factor in QUANTITIES]
        cost = one.scores["cost"][:, 0]
        told += [relative_difference(cost, _cost(measured, Line(name, ""))[:, 0]) for name in yardsticks]
        trained = [piece.policy for piece in pieces if isinstance(piece.policy, StudyTraining)]
        costs = [read_curve(training.curve(store))["cost"] for training in trained]
        episodes = trained[0].episodes if trained else ""
        row: list[Any] = [line.name, line.panel, len(cost), episodes]
        row += [cell for value in told for cell in cells(value)]
        row += cells(estimate(_converged(np.array(costs), plan.size))) if costs else [""] * len(ENDS)
        table.rows.append(tuple(row))
    return table
