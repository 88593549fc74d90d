"""Tells a small run as a list of facts: scripted vehicles, written arrivals, a policy that does as it is told.

The air is made for sums by head: signal to noise is 1e4 / d^2, coverage ends at 0 dB, so at 100 m, and the cap is
1 bit/s/Hz. A cell is then a disc of 100 m in which 1 Mbit takes 1 s. Hosts do 1e9 cycles in 1 s. The usual task sends
1 Mbit, works 1e9 cycles and gets 0.5 Mbit back: 1 s, 1 s and 0.5 s.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from crafted import CraftedRun, recorded
from scripted import TELEPORTING, Place, ScriptedMobility
from secured import UNTOLD as UNTOLD_SECURED
from secured import SecuredNames

from cosim.assembly import Maker
from cosim.audit.verify import verify
from cosim.decision import Action, Observation
from cosim.scenario.schema import Scenario
from cosim.simulation import Simulation
from cosim.subjects import fact_kinds
from cosim.trace.facts.keys import TaskKeyed
from cosim.trace.facts.run import CellSampled, HostSampled, SiteDeployed, TaskEnded, TrafficSampled, VehicleMoved
from cosim.trace.store.layout import kind_name
from cosim.trace.store.reader import Trace
from cosim.types import Direction, Phase, Status, Tier

AWAY = TELEPORTING
NEAR_A, NEAR_B, FAR = (0.0, 10.0), (1000.0, 10.0), (500.0, 10.0)
"""In the cell of A, in the cell of B, and in none."""
_UNTOLD = (SiteDeployed, HostSampled, CellSampled, TrafficSampled, VehicleMoved, TaskEnded, *UNTOLD_SECURED)
_STEPS = (
    *("up_asked", "up_keyed", "uplink", "uplinked", "queued", "started", "executed"),
    *("down_asked", "down_keyed", "downlink"),
)
BASE: Mapping[str, Any] = {
    "duration_s": 10.0,
    "mobility": {"kind": "synthetic", "step_s": 1.0},
    "sites": {
        "kind": "listed",
        "sites": [{"name": "A", "x_m": 0.0, "y_m": 0.0}, {"name": "B", "x_m": 1000.0, "y_m": 0.0}],
    },
    "radio": {
        "bandwidth_hz": 1e6,
        "vehicle_power_w": 1.0,
        "site_power_w": 1.0,
        "antenna_gain_db": 0.0,
        "noise_dbm": -10.0,
        "path_loss": {"kind": "power_law", "exponent": 2.0, "gain_at_1m_db": 0.0},
        "max_efficiency_bps_hz": 1.0,
        "min_snr_db": 0.0,
        "handover": {"interruption_s": 0.0},
    },
    "compute": {"edge": {"cores": 1, "core_hz": 1e9}, "vehicle": {"core_hz": 1e9}},
    "tasks": {
        "arrivals": {"kind": "file", "file": "arrivals.csv"},
        "classes": [{"name": "usual", "input_bit": 1e6, "output_bit": 5e5, "cycles": 1e9, "deadline_s": 9.0}],
    },
    "decisions": {"kind": "per_task", "candidates": 16},
}


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes` laid over it; a section of another `kind` replaces the old one."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping) and value.get("kind") in (None, old.get("kind")):
            result[key] = merged(old, value)
        else:
            result[key] = value
    return result


def scenario(**changes: Any) -> Scenario:
    """The usual scenario with changes, section by section."""
    return Scenario.model_validate(merged(BASE, changes))


def sites(**x_m: float) -> dict[str, Any]:
    """Sites along the x axis."""
    return {"kind": "listed", "sites": [{"name": name, "x_m": x, "y_m": 0.0} for name, x in x_m.items()]}


class Told:
    """A policy that was told where each task goes: `local`, `cloud`, a site's name or a vehicle's id.

    Args:
        where: one place for all tasks, or one for each by number.
        knobs: `share`, `power_w` or `cpu_share` of each task by number.
    """

    def __init__(self, where: str | Sequence[str], **knobs: Sequence[float]) -> None:
        self._where = where
        self._knobs = knobs
        self.simulation: Simulation
        self.epochs: list[float] = []

    def decide(self, observation: Observation) -> Action:
        """The column of each task's place."""
        self.epochs.append(observation.time_s)
        tasks = observation.task.tolist()
        options = [self._option(observation, row, task) for row, task in enumerate(tasks)]
        knobs = {name: np.array([values[task] for task in tasks]) for name, values in self._knobs.items()}
        return Action(np.array(options), **knobs)

    def _option(self, observation: Observation, row: int, task: int) -> int:
        where = self._where if isinstance(self._where, str) else self._where[task]
        tier, target = self._target(where)
        found = np.flatnonzero((observation.tier[row] == tier) & (observation.target[row] == target))
        assert len(found) == 1, f"{where} is not offered to task {task}"
        return int(found[0])

    def _target(self, where: str) -> tuple[Tier, int]:
        names = [site.name for site in self.simulation.sites]
        if where == "local":
            return Tier.LOCAL, -1
        if where == "cloud":
            return Tier.CLOUD, len(names)
        if where in names:
            return Tier.EDGE, names.index(where)
        roster = self.simulation.source._roster
        return Tier.NEIGHBOUR, int(roster.numbers[roster.ids.index(where)])


@dataclass(frozen=True)
class Story:
    """A run that is over and was found sound by the audit."""

    facts: list[str]
    """In order of time, then of recording: `2.5 TaskDecided 0 EDGE A`. A task's steps are told as facts of its own."""
    run: Path
    ended: pd.DataFrame
    """TaskEnded by task."""
    policy: Told

    def of(self, *kinds: str) -> list[str]:
        """The facts of some kinds."""
        return [fact for fact in self.facts if fact.split()[1] in kinds]

    def about(self, task: int) -> list[str]:
        """The steps of one task, without its release and decision."""
        return [
            fact
            for fact in self.of(*_STEPS, "TaskEnded", "TransferMoved", "TransferGranted")
            if fact.split()[2] == str(task)
        ]

    def number(self, task: int, column: str) -> float:
        """A number of a task's ledger."""
        return float(self.ended.loc[task, column])


def tell(
    folder: Path,
    paths: Mapping[str, Sequence[Place]],
    arrivals: Sequence[tuple[Any, ...]],
    policy: Told | str = "A",
    **changes: Any,
) -> Story:
    """Run a story and audit it.

    Args:
        folder: an empty one.
        paths: place of each vehicle at each tick, see ScriptedMobility.
        arrivals: (time_s, vehicle) or (time_s, vehicle, {input_bit: ...}) of each task in order of release.
        policy: who decides; a name is short for Told(name).
        changes: to the usual scenario.
    """
    told = Told(policy) if isinstance(policy, str) else policy
    write_arrivals(folder, arrivals)
    run = folder / "run"
    perform(scenario(**changes), run, folder, paths, told)
    audit = verify(run)
    assert audit.ok, audit.lines
    assert audit.complete
    with Trace.open(run) as trace:
        ended = recorded(trace, TaskEnded).set_index("task").sort_index()
        return Story(list(_facts(trace)), run, ended, told)


def write_arrivals(folder: Path, arrivals: Sequence[tuple[Any, ...]]) -> None:
    """The arrivals file of the usual scenario."""
    rows = [{"time_s": time_s, "vehicle_id": vehicle, **dict(*given)} for time_s, vehicle, *given in arrivals]
    table = pd.DataFrame(rows, columns=None if rows else ["time_s", "vehicle_id"])
    table.to_csv(folder / "arrivals.csv", index=False)


def perform(
    chosen: Scenario,
    run: Path,
    folder: Path,
    paths: Mapping[str, Sequence[Place]],
    policy: Told,
    parts: Sequence[Maker] = (),
) -> Simulation:
    """Run with scripted vehicles into a run folder, with the provenance that the audit reads."""
    source = ScriptedMobility(chosen.mobility.step_s, paths)
    source.bounds_m = (-1e4, -1e4, 1e4, 1e4)
    crafted = CraftedRun(run, chosen.trace.part_s)
    simulation = Simulation(chosen, crafted.writer, folder, source, parts)
    policy.simulation = simulation
    simulation.run(policy)
    simulation.close()
    crafted.close(chosen, chosen.duration_s)
    return simulation


def _facts(trace: Trace) -> Iterator[str]:
    names = _Names(trace)
    rows: list[tuple[float, int, int, str]] = []
    stored = {part.kind for part in trace.manifest.parts}
    for kind in fact_kinds():
        if kind not in _UNTOLD and kind_name(kind) in stored:
            columns = [field.name for field in fields(kind)][1:]
            for row in recorded(trace, kind).to_dict("records"):
                text = names.line(kind.__name__, {name: row[name] for name in columns})
                rows.append((row["time_s"], row["seq"], 0, f"{kind.__name__} {text}"))
    keyed = trace.table(TaskKeyed).drop(columns=["seq", "time_s", "vehicle", "state"])
    for row in recorded(trace, TaskEnded).merge(keyed, how="left", on="task").to_dict("records"):
        rows.extend((at_s, row["seq"], place, text) for place, (at_s, text) in enumerate(names.life(row)))
    for at_s, _, _, text in sorted(rows):
        yield f"{_brief(at_s)} {text}"


def _brief(number: float) -> str:
    """To a millionth, without needless zeros."""
    return f"{number:.6f}".rstrip("0").rstrip(".")


class _Names:
    """Words for the numbers of one trace."""

    def __init__(self, trace: Trace) -> None:
        self._site = {-1: "-", **dict(trace.sql("SELECT site, name FROM site_deployed").itertuples(index=False))}
        self._vehicle = {-1: "-"} | dict(
            trace.sql("SELECT vehicle, vehicle_id FROM vehicle_entered").itertuples(index=False)
        )
        self._secured = SecuredNames(trace, self._vehicle)

    def line(self, kind: str, row: dict[str, Any]) -> str:
        """What follows the kind."""
        match kind:
            case "CellChanged":
                return f"{self._vehicle[row['vehicle']]} {self._site[row['from_site']]}->{self._site[row['to_site']]}"
            case "TransferMoved":
                way = f"{self._site[row['from_site']]}->{self._site[row['to_site']]}"
                return f"{row['task']} {Direction(row['direction']).name} {way} {_brief(row['left_bit'])} bit left"
            case "TransferGranted":
                return self._grant(row)
            case "TaskReleased" | "TaskDecided":
                decided = kind == "TaskDecided"
                where = self._place(row["tier"], row["target"]) if decided else self._vehicle[row["vehicle"]]
                return f"{row['task']} {where}"
            case "VehicleEntered" | "VehicleLeft" | "TeleportStarted" | "TeleportEnded":
                return self._vehicle[row["vehicle"]]
            case _:
                return self._secured.line(kind, row)

    def _grant(self, row: dict[str, Any]) -> str:
        """The cell and the wait; of a sidelink, who sends and in which site's band."""
        who = f" by {self._vehicle[row['vehicle']]}" if row["direction"] == Direction.SIDELINK else ""
        way = f"{Direction(row['direction']).name} {self._site[row['site']]}{who}"
        return f"{row['task']} {way} after {_brief(row['waited_s'])}, {_brief(row['left_bit'])} bit left"

    def life(self, row: dict[str, Any]) -> Iterator[tuple[float, str]]:
        """The steps of a task that happened, and its end."""
        task = row["task"]
        for step in _STEPS:
            if not isnan(row[f"{step}_s"]):
                yield row[f"{step}_s"], f"{step} {task}{self._more(step, row)}"
        status, phase = Status(row["status"]), Phase(row["phase"])
        where = "" if phase == Phase.DONE else f" in {phase.name}"
        cell = (
            f" through {self._site[row['downlink_site']]}" if phase == Phase.DONE and row["downlink_site"] >= 0 else ""
        )
        yield row["time_s"], f"TaskEnded {task} {status.name}{where}{cell}"

    def _more(self, step: str, row: dict[str, Any]) -> str:
        """The cell that an uplink came through, the bits of a key and the hops that it was relayed over."""
        if step == "uplinked" and row["uplink_site"] >= 0:
            return f" {self._site[row['uplink_site']]}"
        if step in ("up_keyed", "down_keyed"):
            way = step.partition("_")[0]
            return f" {row[f'{way}_bit']:.0f} bit over {row[f'{way}_hops']:.0f} hops"
        return ""

    def _place(self, tier: int, target: int) -> str:
        match Tier(tier):
            case Tier.LOCAL:
                return "LOCAL"
            case Tier.NEIGHBOUR:
                return f"NEIGHBOUR {self._vehicle[target]}"
            case other:
                return f"{other.name} {self._site[target]}"
