"""The time of each transfer on the air, without coverage, in handovers and in wait for grants, and what others cost it.

A transfer is a chain of legs, cut at its `transfer_moved` rows: the first leg begins with the transfer and the last one
ends with it. A leg without a site waits for coverage. A leg after a change from cell to cell begins with
`radio.handover.interruption_s` in which nothing is sent; with `radio.handover.transfer: restart` the data of the legs
before is sent again, and their time on the air counts as handover too. Then each leg with a site waits for its grant
(`radio.grant_s`), for as long as it lasts at most. The moves of results over wires are no legs.

The lone time of a leg is what it would have lasted without other transfers: in a cell shared by weight a flow of weight
w among flows of total weight W gets w / max(1, W) of its lone rate (`cosim.kernel.fluid`), so that

    lone_s = integral of w / max(1, W(t)) dt.

W includes the synchronisation messages of the twins: those of one cell and tick are one flow of weight 1 in its uplink,
from `began_s`, or the grant after it, to `time_s` of its `twin_uplinked` row.

With fixed slices nothing is shared: lone_s is the duration of the leg. Under NOMA the rate beside others is no such
fraction; for an uplink lone_s is then the time during which it was alone. Left out: sidelinks, whose zones no fact
records, and transfers of tasks that have no `task_ended` row because their run was killed.
"""

from dataclasses import dataclass

import numpy as np

from cosim.scenario.radio import Fixed, Noma, Radio
from cosim.trace.store.reader import Trace
from cosim.types import NOWHERE, BoolArray, FloatArray, IntArray

ROUNDING_S = 1e-9
"""Differences of times below this are rounding."""
# In `points` no site is NOWHERE, because NULL stands in its sites for the begin of a transfer.
_LEGS = f"""
WITH transfers AS (
  SELECT e.task, 2 * e.task AS way, 0 AS direction, uplink_s AS begin_s,
    coalesce(uplinked_s, e.time_s) AS end_s, coalesce(uplink_site, {NOWHERE:d}) AS last_site,
    coalesce(share, 1.0) AS share
  FROM task_ended e LEFT JOIN task_decided d USING (task) WHERE e.tier IN (1, 2) AND uplink_s IS NOT NULL
  UNION ALL
  SELECT task, 2 * task + 1, 1, downlink_s, time_s, coalesce(downlink_site, {NOWHERE:d}), 1.0
  FROM task_ended WHERE tier IN (1, 2) AND downlink_s IS NOT NULL
), moved AS (
  SELECT t.task, way, t.direction, m.seq, least(m.time_s, t.end_s) AS begin_s, t.end_s, last_site, share,
    coalesce(from_site, {NOWHERE:d}) AS from_site, coalesce(to_site, {NOWHERE:d}) AS to_site
  FROM transfer_moved m JOIN transfers t ON t.way = 2 * m.task + m.direction WHERE m.direction IN (0, 1)
), points AS (
  SELECT * FROM moved UNION ALL
  SELECT task, way, direction, -1, begin_s, end_s, last_site, share, NULL, NULL FROM transfers
  WHERE way IN (SELECT way FROM moved)
)
SELECT task, direction = 0 AS up, begin_s, coalesce(lead(begin_s) OVER onward, end_s) AS end_s, share,
  coalesce(to_site, lead(from_site) OVER onward, last_site) AS site,
  coalesce(from_site >= 0 AND to_site >= 0, false) AS handed_over, lead(from_site) OVER onward IS NOT NULL AS cut
FROM points WINDOW onward AS (PARTITION BY way ORDER BY seq)
UNION ALL
SELECT task, direction = 0, begin_s, end_s, share, last_site, false, false FROM transfers
ANTI JOIN moved USING (way)
"""


@dataclass(frozen=True, slots=True)
class Bundles:
    """All bundles of synchronisation messages, (B,) each: they share uplinks but belong to no task's transfer."""

    site: IntArray
    begin_s: FloatArray
    end_s: FloatArray


@dataclass(frozen=True, slots=True)
class Legs:
    """All legs of all transfers between vehicles and sites, (L,) each."""

    task: IntArray
    up: BoolArray
    site: IntArray  # NOWHERE: it waits for coverage
    begin_s: FloatArray
    silent_s: FloatArray  # interruption at its begin
    grant_s: FloatArray  # wait for a grant after it
    end_s: FloatArray
    share: FloatArray
    repeated: BoolArray  # what was sent in it was sent again
    bundles: Bundles  # beside them

    @property
    def air_begin_s(self) -> FloatArray:
        """When the leg begins to send, (L,): after the interruption of a handover and the wait for a grant."""
        began: FloatArray = self.begin_s + (self.silent_s + self.grant_s)
        return began


@dataclass(frozen=True, slots=True)
class Airtime:
    """Times of one direction by task number, (T,) each; all but lone_s add up to the whole transfer."""

    coverage_s: FloatArray
    handover_s: FloatArray
    grant_s: FloatArray
    air_s: FloatArray
    lone_s: FloatArray


def legs(trace: Trace) -> Legs:
    """Return the legs of all transfers of a run, in no particular order.

    Raises:
        InputError: the run has no readable provenance.
    """
    radio = trace.scenario.radio
    handover, grant = radio.handover, radio.grant_s
    rows = trace.sql(_LEGS)
    begin_s, end_s = rows.begin_s.to_numpy(np.float64), rows.end_s.to_numpy(np.float64)
    handed_over, up = rows.handed_over.to_numpy(np.bool_), rows.up.to_numpy(np.bool_)
    site = rows.site.to_numpy(np.int64)
    silent_s = np.where(handed_over, np.minimum(end_s - begin_s, handover.interruption_s), 0.0)
    grant_s = np.where(site >= 0, np.where(up, grant.uplink, grant.downlink), 0.0)
    return Legs(
        task=rows.task.to_numpy(np.int64),
        up=up,
        site=site,
        begin_s=begin_s,
        silent_s=silent_s,
        grant_s=np.minimum(end_s - begin_s - silent_s, grant_s),
        end_s=end_s,
        share=rows.share.to_numpy(np.float64),
        repeated=rows["cut"].to_numpy(np.bool_) & (handover.transfer == "restart"),
        bundles=_bundles(trace, grant.uplink),
    )


def _bundles(trace: Trace, grant_s: float) -> Bundles:
    rows = trace.sql("SELECT site, began_s, time_s FROM twin_uplinked ORDER BY seq")
    end_s = rows.time_s.to_numpy(np.float64)
    begin_s = np.minimum(rows.began_s.to_numpy(np.float64) + grant_s, end_s)
    return Bundles(rows.site.to_numpy(np.int64), begin_s, end_s)


def airtime(ways: Legs, radio: Radio, tasks: int, *, up: bool) -> Airtime:
    """Return the times of the transfers in one direction, summed over their legs.

    Args:
        ways: all legs of the run.
        radio: radio section of the scenario.
        tasks: number of tasks, T.
        up: True for uplinks, False for downlinks.
    """
    mine = ways.up == up
    task, covered = ways.task[mine], ways.site[mine] >= 0
    whole_s = (ways.end_s - ways.begin_s)[mine]
    silent_s, grant_s = ways.silent_s[mine], ways.grant_s[mine]
    air_s = np.where(covered, whole_s - silent_s - grant_s, 0.0)
    lone_s = np.zeros(len(air_s))
    on_air = mine & (ways.site >= 0)
    lone_s[covered] = _lone_s(ways, on_air, radio) if covered.any() else 0.0
    again = ways.repeated[mine] & covered

    def total(values: FloatArray) -> FloatArray:
        sums: FloatArray = np.bincount(task, values, tasks).astype(np.float64)  # integers where there are no legs
        return sums

    return Airtime(
        coverage_s=total(np.where(covered, 0.0, whole_s)),
        handover_s=total(np.where(covered, silent_s, 0.0) + np.where(again, air_s, 0.0)),
        grant_s=total(grant_s),
        air_s=total(np.where(again, 0.0, air_s)),
        lone_s=total(np.where(again, 0.0, np.where(air_s - lone_s < ROUNDING_S, air_s, lone_s))),
    )


def _lone_s(ways: Legs, on_air: BoolArray, radio: Radio) -> FloatArray:
    """Return the lone time of the legs `on_air`, all of one direction, as differences of virtual times of their cells.

    The virtual time of a cell runs at the rate 1 / max(1, W) (as in fair queueing), so that one pass over the sorted
    begins and ends of all flows gives the integral of every leg.
    """
    begin_s, end_s, site, share = ways.air_begin_s[on_air], ways.end_s[on_air], ways.site[on_air], ways.share[on_air]
    if isinstance(radio.access, Fixed):
        alone: FloatArray = (end_s - begin_s) * np.minimum(share, 1.0)
        return alone
    counted = isinstance(radio.access, Noma) and bool(ways.up[on_air][0])
    weight = np.ones(len(share)) if counted else share
    flows = len(weight)
    if bool(ways.up[on_air][0]):  # bundles come after the legs, so that these stay the first rows
        beside = ways.bundles
        begin_s, end_s = np.concatenate([begin_s, beside.begin_s]), np.concatenate([end_s, beside.end_s])
        site, weight = np.concatenate([site, beside.site]), np.concatenate([weight, np.ones(len(beside.site))])
    # By cell, then by time: two stable sorts. W(t) is then one cumulative sum, since every cell's weights cancel.
    time_s, cell = np.concatenate([begin_s, end_s]), np.concatenate([site, site])
    order = np.argsort(time_s, kind="stable")
    order = order[np.argsort(cell[order].astype(np.min_scalar_type(int(site.max()))), kind="stable")]  # small: radix
    total = np.cumsum(np.concatenate([weight, -weight])[order])
    same_cell = np.diff(cell[order]) == 0
    step_s = np.where(same_cell, np.diff(time_s[order]), 0.0)
    pace = (total < 1.5).astype(np.float64) if counted else 1.0 / np.maximum(1.0, total)
    virtual_s = np.empty(len(order))
    virtual_s[order] = np.concatenate([[0.0], np.cumsum(step_s * pace[:-1])])
    lone: FloatArray = weight[:flows] * (virtual_s[len(begin_s) :] - virtual_s[: len(begin_s)])[:flows]
    return lone
