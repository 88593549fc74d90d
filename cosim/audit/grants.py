"""The laws of grants: each transfer waits for its own in every cell, sends nothing meanwhile, and is later by it.

What a run's `transfer_granted` rows must be is known exactly. A transfer is a chain of legs
(`cosim.trace.lateness.airtime`), sidelinks are one leg each way; a leg with a cell begins with the interruption of a
handover, if it follows one, and then waits `radio.grant_s` of its medium. A leg that lasts longer than both has a row
at their end, with that wait, its cell and what was left then; a shorter one has none. So no transfer takes less than
its waits and its bits at the rate of the best link. Joules are those of the legs after their waits: at most the chosen
power times their time, exactly so with `radio.power: per_transfer`.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from cosim.errors import InputError
from cosim.kernel.clock import Clock
from cosim.radio.channel import Channel
from cosim.radio.sidelink import SidelinkChannel
from cosim.scenario.radio import Radio
from cosim.trace.lateness.airtime import Legs, legs
from cosim.trace.store.integrity import SHOWN, Finding
from cosim.trace.store.reader import Trace
from cosim.trace.store.writer import NullWriter
from cosim.types import NOWHERE, Direction, FloatArray, Tier

_ROUNDING_S: Final = 2e-9
"""Also what a transfer may end early by, see `cosim.kernel.fluid`."""
_RELATIVE: Final = 1e-9
_BACK: Final = 3
"""Way of a sidelink from the helper; the other ways have the numbers of their directions."""
_STRONG: Final = 1e30
"""A ratio of signal to noise that no link has."""
_GRANTED: Final = f"""
SELECT g.seq, g.time_s, g.task, g.vehicle, g.site, waited_s,
  CASE WHEN direction = {Direction.SIDELINK:d} AND g.vehicle <> e.vehicle THEN {_BACK} ELSE direction END AS way
FROM transfer_granted g JOIN task_ended e USING (task) WHERE direction BETWEEN 0 AND 2 ORDER BY g.seq
"""
_TASKS: Final = f"""
SELECT e.seq, e.task, e.vehicle, coalesce(e.tier, {NOWHERE:d}) AS tier, coalesce(e.target, {NOWHERE:d}) AS target,
  e.time_s, uplink_s, uplinked_s, downlink_s, status, transmit_j, power_w,
  input_bit * efficiency AS up_bit, output_bit AS down_bit
FROM task_ended e JOIN task_released USING (task) JOIN task_decided d USING (task)
WHERE uplink_s IS NOT NULL ORDER BY e.task
"""


def grant_findings(trace: Trace) -> Iterator[Finding]:
    """Yield the grants that are not those of the scenario, and the transfers that sent too early or paid for waiting.

    A run without a readable scenario is not checked.
    """
    try:
        radio = trace.scenario.radio
    except InputError:
        return  # the audit of the provenance says so
    granted, by_way = trace.sql(_GRANTED), _waits_s(radio)
    yield from _other_waits(granted, by_way)
    if by_way.any():
        tasks = trace.sql(_TASKS)
        expected = _expected(tasks, legs(trace), radio)
        yield from _other_places(granted, expected, by_way)
        yield from _too_early(tasks, granted, radio)
        yield from _paid(tasks, expected, radio, trace.scenario.energy.receive_power_w)


def _waits_s(radio: Radio) -> FloatArray:
    grant = radio.grant_s
    return np.array([grant.uplink, grant.downlink, grant.sidelink, grant.sidelink])


def _other_waits(granted: pd.DataFrame, by_way: FloatArray) -> Iterator[Finding]:
    way, waited_s = granted.way.to_numpy(np.int64), granted.waited_s.to_numpy(np.float64)
    wrong = (waited_s != by_way[way]) | (waited_s <= 0.0)
    yield from _shown(
        "transfer_granted",
        granted[wrong].seq,
        (
            f"it waited {was!r} s; radio.grant_s says {by_way[which]:g} s"
            for was, which in zip(waited_s[wrong].tolist(), way[wrong].tolist(), strict=True)
        ),
    )


def _expected(tasks: pd.DataFrame, ways: Legs, radio: Radio) -> pd.DataFrame:
    """Return a row for each leg with a cell: its task, way and sender, when it may send, and until when it lasts."""
    parts = [
        pd.DataFrame(
            {
                "task": ways.task,
                "way": np.where(ways.up, Direction.UPLINK, Direction.DOWNLINK),
                "site": ways.site,
                "begin_s": ways.air_begin_s,
                "end_s": ways.end_s,
            }
        )[ways.site >= 0].merge(tasks[["task", "vehicle"]], on="task")
    ]
    helped = tasks[tasks.tier == Tier.NEIGHBOUR]
    out_s = helped.uplinked_s.where(helped.uplinked_s.notna(), helped.time_s)
    back = helped.downlink_s.notna()
    for way, begin_s, end_s, sender, there in (
        (Direction.SIDELINK, helped.uplink_s, out_s, helped.vehicle, np.ones(len(helped), np.bool_)),
        (_BACK, helped.downlink_s, helped.time_s, helped.target, back),
    ):
        sent_s = np.minimum(begin_s + radio.grant_s.sidelink, end_s)
        columns = {"task": helped.task, "way": int(way), "site": NOWHERE, "begin_s": sent_s, "end_s": end_s}
        parts.append(pd.DataFrame({**columns, "vehicle": sender})[there])
    return pd.concat(parts, ignore_index=True)


def _other_places(granted: pd.DataFrame, expected: pd.DataFrame, by_way: FloatArray) -> Iterator[Finding]:
    """Yield rows that belong to no leg, and legs that sent without a row or with two."""
    pairs = granted.reset_index().merge(expected.reset_index(), on=["task", "way"], suffixes=("", "_leg"))
    same = (pairs.time_s - pairs.begin_s).abs() <= _ROUNDING_S
    same &= (pairs.vehicle == pairs.vehicle_leg) & ((pairs.site == pairs.site_leg) | (pairs.site_leg == NOWHERE))
    pairs = pairs[same]
    lost = granted[
        ~granted.index.isin(pairs["index"]) | granted.index.isin(pairs["index"][pairs.index_leg.duplicated()])
    ]
    why = "no transfer of its task began to send there then, after an interruption and the wait of radio.grant_s"
    yield from _shown("transfer_granted", lost.seq, (why for _ in range(len(lost))))
    sent = (expected.end_s - expected.begin_s > _ROUNDING_S) & (by_way[expected.way.to_numpy(np.int64)] > 0.0)
    silent = expected[sent & ~expected.index.isin(pairs.index_leg)]
    yield from _shown(
        "transfer_granted",
        [None] * len(silent),
        (
            f"task {task} sent at t={begin_s:g} s without a grant"
            for task, begin_s in zip(silent.task, silent.begin_s, strict=True)
        ),
    )


def _too_early(tasks: pd.DataFrame, granted: pd.DataFrame, radio: Radio) -> Iterator[Finding]:
    """Yield transfers that took less than their waits and their bits at the rate of the best link."""
    peak_bps = _peak_bps(radio)
    helped = (tasks.tier == Tier.NEIGHBOUR).to_numpy(np.bool_)
    done = tasks.status.isin((0, 1)).to_numpy(np.bool_)
    for way, name, begin_s, end_s, bit in (
        (0, "uplink", tasks.uplink_s, tasks.uplinked_s, tasks.up_bit),
        (1, "downlink", tasks.downlink_s, tasks.time_s.where(done), tasks.down_bit),
    ):
        mine = granted[granted.way.isin((way, way + 2))].groupby("task").waited_s.sum()
        waited_s = tasks.task.map(mine).fillna(0.0)
        least_s = bit / peak_bps[np.where(helped, 2, way)] + waited_s
        early = (end_s - begin_s < least_s * (1.0 - _RELATIVE) - _ROUNDING_S).to_numpy(np.bool_)
        yield from _shown(
            "task_ended",
            tasks.seq[early],
            (
                f"its {name} took {took:.9g} s, less than its grants and its bits at the best rate, {least:.9g} s"
                for took, least in zip((end_s - begin_s)[early], least_s[early], strict=True)
            ),
        )


def _peak_bps(radio: Radio) -> FloatArray:
    """Return the rates of uplink, downlink and sidelink over the best link that there is, alone in the cell."""
    clock, strong, nowhere_m = Clock(), np.array([_STRONG]), np.zeros((1, 2))
    channel = Channel(clock, radio, nowhere_m, 0, NullWriter())
    cells = [channel.up[0], channel.down[0]]
    if radio.sidelink is not None:
        cells += SidelinkChannel(clock, radio, radio.sidelink, nowhere_m, 0, NullWriter()).zones
    return np.array([*(float(cell.alone_bps(strong)[0]) for cell in cells), np.inf][:3])


def _paid(tasks: pd.DataFrame, expected: pd.DataFrame, radio: Radio, receive_w: float) -> Iterator[Finding]:
    """Yield tasks whose radio drew more than its power after the waits or, with powers of their own, less."""
    sent = expected.assign(sent_s=np.maximum(0.0, expected.end_s - expected.begin_s))
    receives = sent.way == Direction.DOWNLINK
    sent_s, received_s = (
        tasks.task.map(which.groupby("task").sent_s.sum()).fillna(0.0) for which in (sent[~receives], sent[receives])
    )
    most_j = (tasks.power_w * sent_s + receive_w * received_s).to_numpy(np.float64)
    paid_j, slack_j = (
        tasks.transmit_j.to_numpy(np.float64),
        (tasks.power_w.to_numpy(np.float64) + receive_w) * _ROUNDING_S,
    )
    wrong = paid_j > most_j * (1.0 + _RELATIVE) + slack_j
    if radio.power == "per_transfer":
        wrong |= paid_j < most_j * (1.0 - _RELATIVE) - slack_j
    yield from _shown(
        "task_ended",
        tasks.seq[wrong],
        (
            f"its transmit_j={paid!r} is not its power times the time of its sending, {most!r} J"
            for paid, most in zip(paid_j[wrong].tolist(), most_j[wrong].tolist(), strict=True)
        ),
    )


def _shown(kind: str, seqs: "pd.Series[int] | list[None]", why: Iterator[str]) -> Iterator[Finding]:
    """Yield the first findings, and one that counts the others."""
    found = list(seqs)
    for seq, words in zip(found[:SHOWN], why, strict=False):
        yield Finding(kind, None if seq is None else int(seq), words)
    if len(found) > SHOWN:
        yield Finding(kind, None, f"{len(found) - SHOWN} more of this kind")
