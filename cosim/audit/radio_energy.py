"""The law of a vehicle's radio: what it draws while it sends is at most its power times the union of its sending.

A radio's stretches are the times during which at least one of its transfers is under way, without a gap. In each of
them the energy of the transfers, less what receiving costs, is at most P times the length of the stretch, where P is
the larger of `radio.vehicle_power_w` and the largest power chosen in it. Of a task that a neighbour helps with, whose
energy is that of two radios, only what the owner must have spent counts. Runs with `radio.power: per_transfer` are
spared, because there each transfer has a radio's whole power, and so are older runs, whose scenarios say nothing of it.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from cosim.trace.store.integrity import Finding
from cosim.trace.store.reader import Trace
from cosim.types import Tier

_RELATIVE: Final = 1e-9
_EARLY_S: Final = 1e-9
"""A transfer may end this much early, see `cosim.kernel.fluid`."""
_STRETCHES: Final = """
WITH tasks AS (
  SELECT e.seq, e.vehicle, e.target, e.tier, uplink_s, downlink_s, e.time_s, transmit_j, power_w,
    CASE WHEN isnan(uplinked_s) THEN e.time_s ELSE uplinked_s END AS uplink_end_s,
    CASE WHEN isnan(downlink_s) THEN 0.0 ELSE e.time_s - downlink_s END AS back_s
  FROM task_ended e JOIN task_decided d USING (task) WHERE NOT isnan(uplink_s)
), sent AS (
  SELECT seq, vehicle, uplink_s AS begin_s, uplink_end_s AS end_s, power_w,
    transmit_j - back_s * CASE WHEN tier = {neighbour} THEN power_w ELSE {receive_w} END AS energy_j FROM tasks
  UNION ALL
  SELECT seq, target, downlink_s, time_s, power_w, 0.0 FROM tasks WHERE tier = {neighbour} AND NOT isnan(downlink_s)
), cut AS (
  SELECT *, begin_s > max(end_s) OVER (
    PARTITION BY vehicle ORDER BY begin_s, seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS apart FROM sent
), stretches AS (
  SELECT *, count(*) FILTER (apart) OVER (PARTITION BY vehicle ORDER BY begin_s, seq) AS stretch FROM cut
)
SELECT max(seq) AS seq, vehicle, min(begin_s) AS begin_s, max(end_s) AS end_s,
  fsum(greatest(0.0, energy_j)) AS energy_j, greatest({power_w}, max(power_w)) AS power_w
FROM stretches GROUP BY vehicle, stretch
HAVING fsum(greatest(0.0, energy_j))
  > greatest({power_w}, max(power_w)) * (max(end_s) - min(begin_s) + {early_s}) * (1 + {relative})
ORDER BY seq
"""


def radio_energy_findings(trace: Trace) -> Iterator[Finding]:
    """Yield the stretches of sending in which a radio drew more than its power allows."""
    stored = trace.provenance.scenario.get("radio")
    if not isinstance(stored, Mapping) or stored.get("power") != "per_radio":
        return
    scenario = trace.scenario
    rows = trace.sql(
        _STRETCHES.format(
            neighbour=int(Tier.NEIGHBOUR),
            receive_w=scenario.energy.receive_power_w,
            power_w=scenario.radio.vehicle_power_w,
            early_s=_EARLY_S,
            relative=_RELATIVE,
        )
    )
    for seq, vehicle, begin_s, end_s, energy_j, power_w in rows.itertuples(index=False, name=None):
        why = (
            f"vehicle {vehicle} sent from t={begin_s:g} to {end_s:g} s with {energy_j!r} J, "
            f"more than {power_w:g} W allow in that time"
        )
        yield Finding("task_ended", seq, why)
