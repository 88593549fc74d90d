"""The explanation of one task: the parts of its time, its cause, its rates, and the tasks and blocks it waited for."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cosim.quantity import quantity
from cosim.trace.lateness.airtime import ROUNDING_S, Legs, legs
from cosim.trace.lateness.causes import attribute_delay, causes, part_names
from cosim.trace.store.reader import Trace
from cosim.types import IntArray, Status, Tier

SHOWN = 10
"""Most tasks or blocks that a sentence names; the rest is counted."""
_HOST = "CASE WHEN tier IN (1, 2) THEN target WHEN tier = 3 THEN -2 - target ELSE -2 - vehicle END"


@dataclass(frozen=True, slots=True)
class TaskExplanation:
    """The time, the cause and the surroundings of one task."""

    task: int
    cause: str
    """Name of its cause (`cosim.trace.lateness.causes.causes()`); "" for a task that is neither late nor lost."""
    reason: str
    """The cause in words."""
    parts_s: Mapping[str, float]
    """Its elapsed time in parts, in the order of `part_names()`."""
    needed_s: float
    """What it would have taken at best, by itself."""
    allowed_s: float
    """Time from release to deadline."""
    uplink_bps: float
    """Bits over the time of the whole uplink; NaN if none ended."""
    downlink_bps: float
    beside_up: tuple[int, ...]
    """Tasks that sent in the same cells at the same time."""
    beside_down: tuple[int, ...]
    """Tasks that received from the same cells at the same time."""
    ahead: tuple[int, ...]
    """Tasks that its host executed while it waited in the queue."""
    blocks: tuple[int, ...]
    """Heights of the ledger at which its host worked while it waited in the queue or was executed."""

    @property
    def lines(self) -> list[str]:
        """The explanation as lines of text, to follow the steps of the task."""
        parts = {name.replace("_", " "): quantity(part_s, "s") for name, part_s in self.parts_s.items() if part_s > 0.0}
        spent = ", ".join(f"{name} {part}" for name, part in parts.items()) or "none"
        needed, allowed = quantity(self.needed_s, "s"), quantity(self.allowed_s, "s")
        return [
            f"reason: {self.cause.replace('_', ' ')}: {self.reason}" if self.cause else f"reason: {self.reason}",
            f"time: {spent}; by itself it needs {needed} of {allowed} allowed",
            *self._met(),
        ]

    def _met(self) -> Iterator[str]:
        for name, rate_bps, others in (
            ("uplink", self.uplink_bps, self.beside_up),
            ("downlink", self.downlink_bps, self.beside_down),
        ):
            rate = "" if math.isnan(rate_bps) else f" {quantity(rate_bps, 'bit/s')} on the whole,"
            if rate or others:
                yield f"{name}:{rate} beside {_named_tasks(others)}"
        if self.parts_s["queue"] > ROUNDING_S:
            yield f"queue: its host executed {_named_tasks(self.ahead)} meanwhile"
        if self.parts_s["block"] > ROUNDING_S:
            yield f"ledger: {_numbered('block', self.blocks)} used its host meanwhile"


def explain_task(trace: Trace, task: int) -> TaskExplanation | None:
    """Explain one task, whether late, lost or in time; None if the trace has no end of it, as after a kill.

    Raises:
        InputError: the run has no readable provenance.
    """
    ways = legs(trace)
    rows = attribute_delay(trace, f"task = {task:d}", ways)
    if rows.empty:
        return None
    row = rows.iloc[0]
    ended = trace.sql(
        "SELECT e.*, input_bit * efficiency AS bit, output_bit FROM task_ended e JOIN task_released USING (task) "
        f"WHERE task = {task:d}"
    ).to_dict("records")[0]
    cause = str(row["cause"])
    return TaskExplanation(
        task=task,
        cause=cause,
        reason=_sentence(cause) if cause else _fine(Status(int(row["status"]))),
        parts_s={name: float(row[f"{name}_s"]) for name in part_names()},
        needed_s=float(row["needed_s"]),
        allowed_s=float(row["allowed_s"]),
        uplink_bps=_rate(ended["bit"], ended["uplinked_s"] - ended["uplink_s"]),
        downlink_bps=_rate(ended["output_bit"], _received_s(ended)),
        beside_up=_beside(ways, task, up=True),
        beside_down=_beside(ways, task, up=False),
        ahead=_ahead(trace, ended),
        blocks=_blocks(trace, ended) if row["block_s"] > ROUNDING_S else (),
    )


def _sentence(cause: str) -> str:
    return next(one.sentence for one in causes() if one.name == cause)


def _fine(status: Status) -> str:
    return "none, it was in time" if status == Status.COMPLETED else "none, the run ended first"


def _named_tasks(tasks: tuple[int, ...]) -> str:
    if not tasks:
        return "no other task"
    return _numbered("task", tasks)


def _numbered(what: str, numbers: tuple[int, ...]) -> str:
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return f"{what if len(numbers) == 1 else f'{what}s'} {', '.join(map(str, numbers[:SHOWN]))}{more}"


def _received_s(ended: Mapping[Any, Any]) -> float:
    """Return the duration of a downlink that ended; NaN without one."""
    done = ended["status"] in (Status.COMPLETED, Status.LATE) and ended["tier"] != Tier.LOCAL
    return float(ended["time_s"] - ended["downlink_s"]) if done else math.nan


def _rate(size_bit: float, took_s: float) -> float:
    return float(size_bit / took_s) if took_s > 0.0 else math.nan


def _beside(ways: Legs, task: int, *, up: bool) -> tuple[int, ...]:
    """Return the other tasks that were on the air in the same cell and direction at the same time."""
    began_s, same = ways.air_begin_s, (ways.up == up) & (ways.site >= 0)
    found: IntArray = np.zeros(0, np.int64)
    for leg in np.flatnonzero(same & (ways.task == task)):
        lap_s = np.minimum(ways.end_s, ways.end_s[leg]) - np.maximum(began_s, began_s[leg])
        here = same & (ways.site == ways.site[leg]) & (ways.task != task) & (lap_s > ROUNDING_S)
        found = np.union1d(found, ways.task[here])
    return tuple(found.tolist())


def _ahead(trace: Trace, ended: Mapping[Any, Any]) -> tuple[int, ...]:
    until_s = ended["time_s"] if math.isnan(ended["started_s"]) else ended["started_s"]
    if not until_s - ended["queued_s"] > ROUNDING_S:
        return ()
    rows = trace.sql(
        f"SELECT task FROM task_ended WHERE started_s < {float(until_s) - ROUNDING_S!r} "
        f"AND coalesce(executed_s, time_s) > {float(ended['queued_s']) + ROUNDING_S!r} "
        f"AND task <> {int(ended['task'])} "
        f"AND {_HOST} = (SELECT {_HOST} FROM task_ended WHERE task = {int(ended['task'])}) ORDER BY started_s, task"
    )
    return tuple(rows.task.tolist())


def _blocks(trace: Trace, ended: Mapping[Any, Any]) -> tuple[int, ...]:
    """Return the heights of the ledger's work on the host while the task queued or, if it never did, was executed."""
    started_s, executed_s = (
        ended["time_s"] if math.isnan(ended[name]) else ended[name] for name in ("started_s", "executed_s")
    )
    until_s = started_s if started_s - ended["queued_s"] > ROUNDING_S else executed_s
    rows = trace.sql(
        f"SELECT DISTINCT height FROM consensus_worked WHERE site = {int(ended['target'])} "
        f"AND started_s < {float(until_s) - ROUNDING_S!r} AND time_s > {float(ended['queued_s']) + ROUNDING_S!r} "
        "ORDER BY height"
    )
    return tuple(rows.height.tolist())
