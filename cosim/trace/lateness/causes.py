"""Why a task was late or lost: its elapsed time in parts, each with the cause that it belongs to.

From release to end a task's time is cut, without a gap, into

    decision_wait   release to the first step: the epoch and `decisions.inference_s`
    key             from asking for a key to drawing it or going without, before the uplink and before the downlink
    coverage        transfers without a cell
    handover        interruptions of transfers, and what a restart sends again
    shared_cell     time on the air beyond the lone time, up and down (`cosim.trace.lateness.airtime`)
    sending         lone uplink time, up to bits / clean_bps; bits = input_bit * efficiency
    interference    more of it, up to bits / alone_bps - bits / clean_bps
    weaker_link     the rest of it: the link became slower than it was at the decision
    backhaul        wires to the host and back
    queue           waiting at the host
    block           of queue and shared_cpu, what the ledger's work took
    shared_cpu      execution beyond cycles / core_hz (processor sharing)
    execution       up to cycles on the fastest core of the run's sites and cloud
    slow_cpu        the rest of the execution: the chosen core is slower than that one
    receiving       lone downlink time

The rates are those that the decision knew, at the default power; a change of the interference after it counts as
weaker_link. Without coverage at the decision the whole lone uplink is sending. For a sidelink, whose neighbours on the
air no fact tells, what exceeds bits / alone_bps is shared_cell. Under NOMA shared_cell is the excess over
bits / alone_bps, as far as it was not alone.

block: while the task waits in its host's queue, the ledger's core-seconds at that host
(`cosim.trace.lateness.ledger_load`) over the host's cores, at most the wait: with one core that is the time in which
the ledger held it. While the task is executed, likewise, at most what the execution lasts beyond cycles / core_hz. A
key that is asked for and not drawn is waited for up to the transfer that goes without it, or up to the task's end.

The cause of a loss is its status where that says it (no coverage, no key, rejected, left, no energy, helper lost). A
task that was late or expired had too short a deadline if sending + execution + receiving, as they are or for phases
that it did not reach as the decision knew them, exceed the time from release to deadline; otherwise its cause is the
largest of the other parts, the first in the list above where two are equal.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import numpy as np
import pandas as pd

from cosim.scenario.radio import Noma
from cosim.trace.lateness.airtime import ROUNDING_S, Airtime, Legs, airtime, legs
from cosim.trace.lateness.key_waits import key_waits
from cosim.trace.lateness.ledger_load import ledger_loads, taken_s
from cosim.trace.store.reader import Trace
from cosim.types import NOWHERE, BoolArray, FloatArray, IntArray, Status, Tier


class Cause(StrEnum):
    """Why a task was late or lost."""

    COVERAGE = "coverage"
    HANDOVER = "handover"
    INTERFERENCE = "interference"
    WEAKER_LINK = "weaker_link"
    SHARED_CELL = "shared_cell"
    BACKHAUL = "backhaul"
    QUEUE = "queue"
    BLOCK = "block"
    SHARED_CPU = "shared_cpu"
    SLOW_CPU = "slow_cpu"
    DECISION_WAIT = "decision_wait"
    KEY = "key"
    DEADLINE = "deadline"
    REJECTED = "rejected"
    LEFT = "left"
    NO_ENERGY = "no_energy"
    HELPER_LOST = "helper_lost"


AVOIDABLE: Final = (
    Cause.DECISION_WAIT,
    Cause.KEY,
    Cause.COVERAGE,
    Cause.HANDOVER,
    Cause.SHARED_CELL,
    Cause.INTERFERENCE,
    Cause.WEAKER_LINK,
    Cause.BACKHAUL,
    Cause.QUEUE,
    Cause.BLOCK,
    Cause.SHARED_CPU,
    Cause.SLOW_CPU,
)
"""Causes that have a part of the time; the order settles ties."""
OWN: Final = ("sending", "execution", "receiving")
"""Parts that the task needs by itself."""
PARTS: Final = (*map(str, AVOIDABLE), *OWN)
WRONG: Final = f"status NOT IN ({Status.COMPLETED:d}, {Status.IN_FLIGHT:d})"
"""SQL: late or lost."""
_BY_STATUS: Final = {
    Status.NO_COVERAGE: Cause.COVERAGE,
    Status.REJECTED: Cause.REJECTED,
    Status.LEFT: Cause.LEFT,
    Status.NO_ENERGY: Cause.NO_ENERGY,
    Status.HELPER_LOST: Cause.HELPER_LOST,
    Status.NO_KEY: Cause.KEY,
}
_FACTS = """
SELECT task, status, e.tier, e.target, e.time_s, e.released_s, e.deadline_s, decided_s, uplink_s, uplinked_s, queued_s,
  started_s, executed_s, downlink_s, input_bit * efficiency AS bit, alone_bps, clean_bps, core_hz, cores,
  cycles * CASE WHEN e.tier IN (1, 2) THEN edge_accuracy ELSE vehicle_accuracy END AS cycles
FROM task_ended e JOIN task_released r USING (task) LEFT JOIN task_decided d USING (task)
  LEFT JOIN site_deployed s ON e.tier IN (1, 2) AND s.site = e.target
"""


def explain(trace: Trace, which: str = WRONG, ways: Legs | None = None) -> pd.DataFrame:
    """The parts and the cause of tasks, by task number.

    Args:
        trace: a run.
        which: SQL condition on task_ended.
        ways: `legs(trace)`, if they are known.

    Returns:
        A row for each task: `status`, `elapsed_s`, a column `{part}_s` for each of `PARTS`, their sum being
        `elapsed_s`; `needed_s`, what it would have taken at best; `allowed_s`, from release to deadline; and `cause`,
        "" for a task that is neither late nor lost.

    Raises:
        InputError: the run has no readable provenance.
    """
    rows = trace.sql(f"{_FACTS} WHERE {which} ORDER BY task")
    radio = trace.scenario.radio
    ways = legs(trace) if ways is None else ways
    task = rows.task.to_numpy(np.int64)
    count = int(max(task.max(initial=-1), ways.task.max(initial=-1))) + 1
    facts = {name: rows[name].to_numpy(np.float64) for name in rows.columns if name != "task"}
    facts["fastest_hz"] = np.full(len(task), _fastest_hz(trace))
    up, down = (_of(airtime(ways, radio, count, up=direction), task) for direction in (True, False))
    steps = _steps(facts)
    key_up_s, key_down_s = (
        np.minimum(*pair) for pair in zip(key_waits(trace, task), (steps["decision"], steps["back"]), strict=True)
    )
    executed = _execution(facts, steps["execution"])
    ledger_queue_s, ledger_cpu_s = _ledger(trace, facts, steps["queue"], executed[Cause.SHARED_CPU])
    parts = {
        Cause.DECISION_WAIT: steps["decision"] - key_up_s,
        Cause.KEY: key_up_s + key_down_s,
        Cause.COVERAGE: up.coverage_s + down.coverage_s,
        Cause.HANDOVER: up.handover_s + down.handover_s,
        Cause.BACKHAUL: steps["there"] + (steps["back"] - key_down_s),
        Cause.QUEUE: steps["queue"] - ledger_queue_s,
        Cause.BLOCK: ledger_queue_s + ledger_cpu_s,
        **_uplink(facts, _sent(facts, steps["uplink"], up, isinstance(radio.access, Noma)), down),
        **executed,
        Cause.SHARED_CPU: executed[Cause.SHARED_CPU] - ledger_cpu_s,
        "receiving": np.where(facts["tier"] == Tier.NEIGHBOUR, steps["downlink"], down.lone_s),
    }
    needed_s = _needed_s(facts, parts)
    answer = pd.DataFrame({f"{name}_s": parts[name] for name in PARTS}, index=pd.Index(task, name="task"))
    answer.insert(0, "status", rows.status.to_numpy())
    answer.insert(1, "elapsed_s", facts["time_s"] - facts["released_s"])
    answer["needed_s"] = needed_s
    answer["allowed_s"] = facts["deadline_s"] - facts["released_s"]
    answer["cause"] = _causes(answer)
    return answer


def _fastest_hz(trace: Trace) -> float:
    return float(trace.sql("SELECT coalesce(max(core_hz) FILTER (cores > 0), 0) AS hz FROM site_deployed").hz[0])


def _of(times: Airtime, task: IntArray) -> Airtime:
    return Airtime(times.coverage_s[task], times.handover_s[task], times.air_s[task], times.lone_s[task])


def _steps(facts: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Times between the steps; a step that did not happen lies at the end, or with the next one that did."""

    def known(time_s: FloatArray, otherwise: FloatArray) -> FloatArray:
        return np.where(np.isnan(time_s), otherwise, time_s)

    end_s = facts["time_s"]
    arrived_s = known(facts["queued_s"], end_s)
    sent_from_s = known(facts["uplink_s"], arrived_s)
    sent_s = np.where(np.isnan(facts["uplink_s"]), sent_from_s, known(facts["uplinked_s"], end_s))
    started_s = known(facts["started_s"], end_s)
    executed_s = known(facts["executed_s"], end_s)
    received_from_s = known(facts["downlink_s"], end_s)
    return {
        "decision": sent_from_s - facts["released_s"],
        "uplink": sent_s - sent_from_s,
        "there": arrived_s - sent_s,
        "queue": started_s - arrived_s,
        "execution": executed_s - started_s,
        "back": received_from_s - executed_s,
        "downlink": end_s - received_from_s,
    }


def _ratio(amount: FloatArray, rate: FloatArray) -> FloatArray:
    """Amount over rate; inf where the rate is 0 or unknown, so that it bounds nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = amount / rate
    return np.where(np.isnan(quotient), np.inf, quotient)


def _sent(facts: Mapping[str, FloatArray], uplink_s: FloatArray, up: Airtime, noma: bool) -> Airtime:
    """The uplinks' time on the air, with the lone time of sidelinks and of NOMA by the rate of the decision."""
    side = facts["tier"] == Tier.NEIGHBOUR
    air_s = np.where(side, uplink_s, up.air_s)
    best_s = np.minimum(air_s, _ratio(facts["bit"], facts["alone_bps"]))
    lone_s = np.where(side, best_s, np.maximum(up.lone_s, best_s) if noma else up.lone_s)
    return Airtime(up.coverage_s, up.handover_s, air_s, np.where(air_s - lone_s < ROUNDING_S, air_s, lone_s))


def _uplink(facts: Mapping[str, FloatArray], up: Airtime, down: Airtime) -> dict[str, FloatArray]:
    clean_s, alone_s = (_ratio(facts["bit"], facts[name]) for name in ("clean_bps", "alone_bps"))
    sending_s = np.minimum(up.lone_s, clean_s)
    sending_s = np.where(up.lone_s - sending_s < 1e-6 * up.lone_s, up.lone_s, sending_s)  # rates are single precision
    disturbed_s = np.where(np.isfinite(alone_s), alone_s, 0.0) - np.where(np.isfinite(alone_s), clean_s, 0.0)
    interference_s = np.clip(disturbed_s, 0.0, up.lone_s - sending_s)
    return {
        "sending": sending_s,
        Cause.INTERFERENCE: interference_s,
        Cause.WEAKER_LINK: up.lone_s - sending_s - interference_s,
        Cause.SHARED_CELL: (up.air_s - up.lone_s) + (down.air_s - down.lone_s),
    }


def _execution(facts: Mapping[str, FloatArray], took_s: FloatArray) -> dict[str, FloatArray]:
    own_s = np.minimum(took_s, _ratio(facts["cycles"], facts["core_hz"]))
    own_s = np.where(took_s - own_s < ROUNDING_S, took_s, own_s)
    best_s = np.minimum(own_s, _ratio(facts["cycles"], facts["fastest_hz"]))
    best_s = np.where(own_s - best_s < ROUNDING_S, own_s, best_s)
    return {"execution": best_s, Cause.SLOW_CPU: own_s - best_s, Cause.SHARED_CPU: took_s - own_s}


def _ledger(
    trace: Trace, facts: Mapping[str, FloatArray], queue_s: FloatArray, excess_s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """What the ledger's work took of the time in the queue and of the execution's excess."""
    loads = ledger_loads(trace)
    if not loads:
        return np.zeros(len(queue_s)), np.zeros(len(queue_s))
    site = np.where(np.isin(facts["tier"], (Tier.EDGE, Tier.CLOUD)), facts["target"], NOWHERE).astype(np.int64)
    started_s, executed_s = (
        np.where(np.isnan(facts[name]), facts["time_s"], facts[name]) for name in ("started_s", "executed_s")
    )
    waited_s = taken_s(loads, site, facts["cores"], facts["queued_s"], started_s)
    shared_s = taken_s(loads, site, facts["cores"], facts["started_s"], executed_s)
    return np.minimum(waited_s, queue_s), np.minimum(shared_s, excess_s)


def _needed_s(facts: Mapping[str, FloatArray], parts: Mapping[str, FloatArray]) -> FloatArray:
    """What the task needs by itself; phases that it did not end count as the decision and the run's hosts allow."""

    def whole(ended: BoolArray, was_s: FloatArray, best_s: FloatArray) -> FloatArray:
        return np.where(ended | ~np.isfinite(best_s), was_s, best_s)

    sent = ~np.isnan(facts["uplinked_s"]) | (facts["tier"] == Tier.LOCAL)
    sending_s = whole(sent, parts["sending"], _ratio(facts["bit"], facts["clean_bps"]))
    executed = ~np.isnan(facts["executed_s"])
    execution_s = whole(executed, parts["execution"], _ratio(facts["cycles"], facts["fastest_hz"]))
    return sending_s + execution_s + parts["receiving"]


def _causes(answer: pd.DataFrame) -> list[str]:
    status = answer.status.to_numpy(np.int64)
    avoidable = answer[[f"{cause}_s" for cause in AVOIDABLE]].to_numpy(np.float64)
    first = avoidable.argmax(axis=1) if len(answer) else np.zeros(0, np.int64)
    largest = np.array([str(cause) for cause in AVOIDABLE], dtype=object)[first]
    hopeless = (answer.needed_s > answer.allowed_s + ROUNDING_S).to_numpy(np.bool_)
    nothing = avoidable.max(axis=1, initial=0.0) <= ROUNDING_S
    cause = np.where(hopeless | nothing, str(Cause.DEADLINE), largest)
    for said, reason in _BY_STATUS.items():
        cause[status == said] = str(reason)
    cause[(status == Status.COMPLETED) | (status == Status.IN_FLIGHT)] = ""
    return [str(one) for one in cause]
