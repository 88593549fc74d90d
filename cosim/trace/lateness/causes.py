"""Attribution of delay: the time of a task in parts, each with its cause, and the main cause of a late or lost task.

The time from release to end is cut, without a gap, into

    decision_wait   release to the first step: the epoch and `decisions.inference_s`
    key             from asking for a key to drawing it or going without, before the uplink and before the downlink
    coverage        transfers without a cell, and results that wait for one before their downlink
    handover        interruptions of transfers, and what a restart sends again
    grant           waits of transfers for their grants, at first and after each change of cell, up and down
    shared_cell     time on the air beyond the lone time, up and down (`cosim.trace.lateness.airtime`)
    sending         lone uplink time, up to bits / clean_bps; bits = input_bit * efficiency
    interference    more of it, up to bits / alone_bps - bits / clean_bps
    weaker_link     the rest of it: the link became slower than it was at the decision
    backhaul        wires to the host and back, all crossings of a result
    queue           waiting at the host
    block           the share of queue and shared_cpu that the ledger's work took
    shared_cpu      execution beyond cycles / core_hz (processor sharing)
    execution       up to cycles on the fastest core of the run's sites and cloud
    slow_cpu        the rest of the execution: the chosen core is slower than that one
    receiving       lone downlink time

The rates are those known at the decision, at the default power; a later change of the interference counts as
weaker_link. Without coverage at the decision the whole lone uplink is sending. For a sidelink, whose neighbours on the
air no fact records, what exceeds bits / alone_bps is shared_cell. Under NOMA shared_cell is the excess over
bits / alone_bps, as far as the uplink was not alone.

block: while the task waits in the queue of its host, the core-seconds of the ledger at that host
(`cosim.trace.lateness.ledger_load`) over the host's cores, at most the wait: with one core that is the time during
which the ledger occupied it. While the task is executed, likewise, at most what the execution lasts beyond
cycles / core_hz. A key that is asked for and not drawn is waited for until the transfer goes without it, or until the
task's end.

The cause of a loss follows from its status where that names one (no coverage, no key, rejected, left, no energy, helper
lost). A task that was late or expired had too short a deadline if sending + execution + receiving, as they are or, for
phases that it did not reach, as known at the decision, exceed the time from release to deadline; otherwise its cause
is the largest of the other parts, the first in the list above if two are equal.

A row of type Cause describes a cause completely: those of every run are defined here, `key` and `block` with the
sections that bring them. Such a section claims time between two steps (decision, there, queue, shared_cpu, back), of
which the step's own cause keeps the rest; a package from outside adds a cause, its part and its sentence in the same
way.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Final

import numpy as np
import pandas as pd

from cosim.errors import InputError
from cosim.scenario.radio import Noma
from cosim.subjects import pieces
from cosim.trace.lateness.airtime import ROUNDING_S, Airtime, Legs, airtime, legs
from cosim.trace.lateness.cause import Cause
from cosim.trace.store.reader import Trace
from cosim.types import NOWHERE, BoolArray, Direction, FloatArray, IntArray, Status, Tier

DEADLINE: Final = "deadline"
_EVERY_RUN: Final = (
    Cause("decision_wait", "it waited for the decision"),
    Cause("coverage", "its transfers waited for coverage", status=Status.NO_COVERAGE),
    Cause("handover", "handovers interrupted its transfers"),
    Cause("grant", "its transfers waited for their grants before their first bits"),
    Cause("shared_cell", "it shared its cell's band with other transfers"),
    Cause("interference", "other cells disturbed its uplink"),
    Cause("weaker_link", "its link became weaker than it was at the decision"),
    Cause("backhaul", "the wires between its cell and its host took long"),
    Cause("queue", "it waited in the queue of its host"),
    Cause("shared_cpu", "it shared its host's processor with other tasks"),
    Cause("slow_cpu", "its host is slower than the fastest core of the run"),
    Cause(DEADLINE, "the deadline was too short for its size: even alone it would not have been in time", False),
    Cause("rejected", "its host refused it: the queue was full, or the site has no processor", False, Status.REJECTED),
    Cause("left", "its vehicle left the map", False, Status.LEFT),
    Cause("no_energy", "its vehicle had spent its energy budget", False, Status.NO_ENERGY),
    Cause("helper_lost", "the neighbour that helped left the map or the range", False, Status.HELPER_LOST),
)
"""The causes that every run can have; of two equal parts the first one's cause wins."""
OWN: Final = ("sending", "execution", "receiving")
"""Parts of the time that the task needs by itself."""
CLAIMABLE: Final = ("decision", "there", "queue", "shared_cpu", "back")
"""Steps of whose time a cause can claim a part."""
WRONG: Final = f"status NOT IN ({Status.COMPLETED:d}, {Status.IN_FLIGHT:d})"
"""SQL condition on task_ended: the task was late or lost."""
_FACTS = f"""
SELECT task, status, coalesce(e.tier, {NOWHERE:d}) AS tier, coalesce(e.target, {NOWHERE:d}) AS target, e.time_s,
  e.released_s, e.deadline_s, decided_s, uplink_s, uplinked_s, queued_s, started_s, executed_s, downlink_s,
  input_bit * efficiency AS bit, alone_bps, clean_bps, core_hz, cores,
  cycles * CASE WHEN e.tier IN (1, 2) THEN edge_accuracy ELSE vehicle_accuracy END AS cycles
FROM task_ended e JOIN task_released r USING (task) LEFT JOIN task_decided d USING (task)
  LEFT JOIN site_deployed s ON e.tier IN (1, 2) AND s.site = e.target
"""
_WAITED_FOR_CELL = f"""
SELECT task, sum(until_s - time_s) AS waited_s FROM (
  SELECT task, to_site, m.time_s,
    coalesce(lead(m.time_s) OVER (PARTITION BY task ORDER BY m.seq), e.time_s) AS until_s
  FROM transfer_moved m JOIN task_ended e USING (task) WHERE direction = {Direction.WIRES:d}
) WHERE to_site IS NULL GROUP BY task
"""


def causes() -> tuple[Cause, ...]:
    """Return all causes of lateness; one that claims time of a step follows the cause of that step.

    Raises:
        InputError: a package gives a cause a taken name, an unknown place, a status that another cause has, or a claim
            without a part.
    """
    found = list(_EVERY_RUN)
    for subject, rows in pieces("causes"):
        for row in rows:
            names = [cause.name for cause in found]
            if row.name in names or row.after not in names:
                raise InputError(
                    f"cause {row.name!r} of section {subject.name}: its name must be new and stand after a known one, "
                    f"not after {row.after!r}; correct the package"
                )
            if row.claim is not None and not row.has_part:
                raise InputError(
                    f"cause {row.name!r} of section {subject.name}: claims time and has no part that shows it; "
                    "give it has_part=True, or no claim"
                )
            other = next((cause.name for cause in found if row.status is not None and cause.status == row.status), None)
            if other is not None:
                raise InputError(
                    f"cause {row.name!r} of section {subject.name}: status {row.status!r} is that of cause {other!r}; "
                    "correct the package"
                )
            found.insert(names.index(row.after) + 1, row)
    return tuple(found)


def part_names() -> tuple[str, ...]:
    """Return the names of the parts of a task's time: those of the causes that have one, then those of its own need."""
    return (*(cause.name for cause in causes() if cause.has_part), *OWN)


def attribute_delay(trace: Trace, which: str = WRONG, ways: Legs | None = None) -> pd.DataFrame:
    """Return the parts of time and the main cause of tasks, by task number.

    Args:
        trace: a run.
        which: SQL condition on task_ended; the late and lost tasks by default.
        ways: `legs(trace)`, if already computed.

    Returns:
        A row for each task: `status`, `elapsed_s`, a column `{part}_s` for each of `part_names()`, whose sum is
        `elapsed_s`; `needed_s`, what the task would have taken at best; `allowed_s`, from release to deadline; and
        `cause`, "" for a task that is neither late nor lost.

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
    steps.update(_execution(facts, steps.pop("execution")))
    waited_s = np.minimum(_waited_for_cell_s(trace, task), steps["back"])
    steps["back"] = steps["back"] - waited_s
    side_grants_s = _side_grants_s(facts, steps, radio.grant_s.sidelink)
    claimed = _claimed(trace, task, facts, steps)  # before the parts, since it shortens the steps
    parts = {
        "decision_wait": steps["decision"],
        "coverage": up.coverage_s + down.coverage_s + waited_s,
        "handover": up.handover_s + down.handover_s,
        "grant": up.grant_s + down.grant_s + side_grants_s,
        "backhaul": steps["there"] + steps["back"],
        **{name: steps[name] for name in ("queue", "execution", "slow_cpu", "shared_cpu")},
        **_uplink(facts, _sent(facts, steps["uplink"], up, isinstance(radio.access, Noma)), down),
        "receiving": np.where(facts["tier"] == Tier.NEIGHBOUR, steps["downlink"], down.lone_s),
        **claimed,
    }
    needed_s = _needed_s(facts, parts)
    answer = pd.DataFrame({f"{name}_s": parts[name] for name in part_names()}, index=pd.Index(task, name="task"))
    answer.insert(0, "status", rows.status.to_numpy())
    answer.insert(1, "elapsed_s", facts["time_s"] - facts["released_s"])
    answer["needed_s"] = needed_s
    answer["allowed_s"] = facts["deadline_s"] - facts["released_s"]
    answer["cause"] = _causes(answer)
    return answer


def _fastest_hz(trace: Trace) -> float:
    return float(trace.sql("SELECT coalesce(max(core_hz) FILTER (cores > 0), 0) AS hz FROM site_deployed").hz[0])


def _waited_for_cell_s(trace: Trace, task: IntArray) -> FloatArray:  # (T,)
    """Return how long the results of tasks waited at a site or in the cloud for a cell of their vehicles."""
    rows = trace.sql(f"SELECT task, waited_s FROM ({_WAITED_FOR_CELL}) ORDER BY task")
    waiting = rows.task.to_numpy(np.int64)
    mine = np.isin(waiting, task, assume_unique=True)
    waited_s = np.zeros(len(task))
    waited_s[np.searchsorted(task, waiting[mine])] = rows.waited_s.to_numpy(np.float64)[mine]
    return waited_s


def _of(times: Airtime, task: IntArray) -> Airtime:
    return Airtime(*(getattr(times, field.name)[task] for field in fields(times)))


def _side_grants_s(facts: Mapping[str, FloatArray], steps: dict[str, FloatArray], grant_s: float) -> FloatArray:
    """Return how long the sidelinks of tasks waited for their grants, (T,); `steps` keep the rest."""
    waits_s = np.zeros(len(facts["tier"]))
    for step in ("uplink", "downlink"):
        wait_s = np.where(facts["tier"] == Tier.NEIGHBOUR, np.minimum(steps[step], grant_s), 0.0)
        steps[step] = steps[step] - wait_s
        waits_s += wait_s
    return waits_s


def _steps(facts: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return the times between the steps; the next step that happened, or the end, stands for one that did not."""

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
    """Return amount over rate; inf where the rate is 0 or unknown, so that it bounds nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = amount / rate
    return np.where(np.isnan(quotient), np.inf, quotient)


def _sent(facts: Mapping[str, FloatArray], uplink_s: FloatArray, up: Airtime, noma: bool) -> Airtime:
    """Return the time of uplinks on the air; of sidelinks and NOMA the lone time is that at the decision's rate."""
    side = facts["tier"] == Tier.NEIGHBOUR
    air_s = np.where(side, uplink_s, up.air_s)
    best_s = np.minimum(air_s, _ratio(facts["bit"], facts["alone_bps"]))
    lone_s = np.where(side, best_s, np.maximum(up.lone_s, best_s) if noma else up.lone_s)
    return replace(up, air_s=air_s, lone_s=np.where(air_s - lone_s < ROUNDING_S, air_s, lone_s))


def _uplink(facts: Mapping[str, FloatArray], up: Airtime, down: Airtime) -> dict[str, FloatArray]:
    clean_s, alone_s = (_ratio(facts["bit"], facts[name]) for name in ("clean_bps", "alone_bps"))
    sending_s = np.minimum(up.lone_s, clean_s)
    sending_s = np.where(up.lone_s - sending_s < 1e-6 * up.lone_s, up.lone_s, sending_s)  # rates are single precision
    with np.errstate(invalid="ignore"):
        disturbed_s = np.where(np.isfinite(clean_s), alone_s - clean_s, 0.0)  # inf where the link was drowned
    interference_s = np.clip(disturbed_s, 0.0, up.lone_s - sending_s)
    return {
        "sending": sending_s,
        "interference": interference_s,
        "weaker_link": up.lone_s - sending_s - interference_s,
        "shared_cell": (up.air_s - up.lone_s) + (down.air_s - down.lone_s),
    }


def _execution(facts: Mapping[str, FloatArray], took_s: FloatArray) -> dict[str, FloatArray]:
    own_s = np.minimum(took_s, _ratio(facts["cycles"], facts["core_hz"]))
    own_s = np.where(took_s - own_s < ROUNDING_S, took_s, own_s)
    best_s = np.minimum(own_s, _ratio(facts["cycles"], facts["fastest_hz"]))
    best_s = np.where(own_s - best_s < ROUNDING_S, own_s, best_s)
    return {"execution": best_s, "slow_cpu": own_s - best_s, "shared_cpu": took_s - own_s}


def _claimed(
    trace: Trace, task: IntArray, facts: Mapping[str, FloatArray], steps: dict[str, FloatArray]
) -> dict[str, FloatArray]:
    """Return the parts of the causes that claim time, each at most what is left of the step; `steps` keep the rest."""
    parts = {}
    for subject, rows in pieces("causes"):
        for cause in rows:
            parts[cause.name] = np.zeros(len(task))
            if cause.claim is None or not subject.applies(trace.scenario):
                continue
            for step, claim_s in cause.claim(trace, task, facts).items():
                _see_claim(f"cause {cause.name!r} of section {subject.name}", step, claim_s, len(task))
                taken_s = np.minimum(claim_s, steps[step])
                steps[step] = steps[step] - taken_s
                parts[cause.name] = parts[cause.name] + taken_s
    return parts


def _see_claim(whose: str, step: str, claim_s: FloatArray, count: int) -> None:
    if step not in CLAIMABLE:
        raise InputError(f"{whose}: claims time of {step!r}; claim of {', '.join(CLAIMABLE)}")
    if np.shape(claim_s) != (count,) or not np.all(np.isfinite(claim_s) & (np.asarray(claim_s) >= 0.0)):
        raise InputError(f"{whose}: its claim on {step!r} is not one finite time in s, at least 0, for each task")


def _needed_s(facts: Mapping[str, FloatArray], parts: Mapping[str, FloatArray]) -> FloatArray:
    """Return what each task needs by itself; an unfinished phase counts at the decision's rate or the fastest core."""

    def whole(ended: BoolArray, was_s: FloatArray, best_s: FloatArray) -> FloatArray:
        return np.where(ended | ~np.isfinite(best_s), was_s, best_s)

    sent = ~np.isnan(facts["uplinked_s"]) | (facts["tier"] == Tier.LOCAL)
    sending_s = whole(sent, parts["sending"], _ratio(facts["bit"], facts["clean_bps"]))
    executed = ~np.isnan(facts["executed_s"])
    execution_s = whole(executed, parts["execution"], _ratio(facts["cycles"], facts["fastest_hz"]))
    return sending_s + execution_s + parts["receiving"]


def _causes(answer: pd.DataFrame) -> list[str]:
    known = causes()
    status = answer.status.to_numpy(np.int64)
    names = [cause.name for cause in known if cause.has_part]
    avoidable = answer[[f"{name}_s" for name in names]].to_numpy(np.float64)
    first = avoidable.argmax(axis=1) if len(answer) else np.zeros(0, np.int64)
    largest = np.array(names, dtype=object)[first]
    hopeless = (answer.needed_s > answer.allowed_s + ROUNDING_S).to_numpy(np.bool_)
    nothing = avoidable.max(axis=1, initial=0.0) <= ROUNDING_S
    found = np.where(hopeless | nothing, DEADLINE, largest)
    for cause in known:  # a status that names the cause overrules the largest part
        if cause.status is not None:
            found[status == cause.status] = cause.name
    found[(status == Status.COMPLETED) | (status == Status.IN_FLIGHT)] = ""
    return [str(one) for one in found]
