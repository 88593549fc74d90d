"""The twins of a run on the map: when they received updates, how old the states were, and where the twins lived."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from cosim.report.page.columns import Packed, differences, pack_columns
from cosim.trace.store.reader import Trace
from cosim.types import NOWHERE, IntArray

_MOST_NEWS: Final = 300_000


@dataclass(frozen=True, slots=True)
class Lives:
    """The lives of twins, times to 1 ms.

    Columns of `packed`, all by vehicle in order: `entered_ms` and `left_ms` (-1: it did not), `news` and `homes` (how
    many follow); then news by time, `synced_ms` as differences within a vehicle and `old_ms`, the age of the state as
    it came; then changes of home by time, `home_ms` as differences, `home_node`, and how long before that its state had
    set out (`home_took_ms`) and stood still (`home_still_ms`).
    """

    packed: Packed
    every: int
    """Only vehicles whose number is a multiple of it have news and homes."""


def lives(trace: Trace) -> Lives:
    """Return the lives of twins, of only so many vehicles that the page stays small."""
    many = "SELECT greatest((SELECT count(*) FROM twin_synced), (SELECT count(*) FROM twin_moved)) AS n"
    every = max(1, -(-int(trace.sql(many).n.iloc[0]) // _MOST_NEWS))
    vehicles = trace.sql(
        "SELECT vehicle, e.time_s AS entered_s, l.time_s AS left_s FROM vehicle_entered e "
        "LEFT JOIN vehicle_left l USING (vehicle)"
    ).set_index("vehicle")
    vehicles = vehicles.reindex(range(int(vehicles.index.max()) + 1 if len(vehicles) else 0))
    kept = f"WHERE vehicle % {every} = 0 ORDER BY vehicle, time_s, seq"
    news = trace.sql(f"SELECT vehicle, time_s, seq, time_s - generated_s AS old_s FROM twin_synced {kept}")
    moves = trace.sql(
        f"SELECT vehicle, time_s, seq, to_node, time_s - began_s AS took_s, time_s - still_s AS still_s "
        f"FROM ({homes(trace)}) {kept}"
    )
    packed = pack_columns(
        {
            "entered_ms": _ms(vehicles.entered_s),
            "left_ms": _ms(vehicles.left_s),
            "news": _by_vehicle(news, len(vehicles)),
            "homes": _by_vehicle(moves, len(vehicles)),
            "synced_ms": _differences(news),
            "old_ms": _ms(news.old_s),
            "home_ms": _differences(moves),
            "home_node": moves.to_node.fillna(NOWHERE).to_numpy(np.int64),
            "home_took_ms": _ms(moves.took_s),
            "home_still_ms": _ms(moves.still_s),
        }
    )
    return Lives(packed, every)


def homes(trace: Trace) -> str:
    """Return SQL for the host of each vehicle's twin over time.

    Columns: `vehicle`, `time_s`, `seq`, and `from_node`, `to_node`, `began_s` and `still_s` as in `TwinMoved`. Without
    a placement a twin lives at the site that last received its state, and moving takes no time.
    """
    if trace.scenario.twin and trace.scenario.twin.placement:
        return "SELECT vehicle, time_s, seq, from_node, to_node, began_s, still_s FROM twin_moved"
    return (
        "SELECT vehicle, time_s, seq, before AS from_node, node AS to_node, "
        "time_s AS began_s, time_s AS still_s FROM (SELECT *, lag(node) OVER "
        "(PARTITION BY vehicle ORDER BY time_s, seq) AS before FROM twin_synced) WHERE before IS DISTINCT FROM node"
    )


def _ms(times_s: "pd.Series[float]") -> IntArray:
    """Return whole milliseconds; -1 for what did not happen."""
    whole: IntArray = np.rint(times_s.astype(np.float64).fillna(-1e-3).to_numpy() * 1e3).astype(np.int64)
    return whole


def _by_vehicle(rows: pd.DataFrame, count: int) -> IntArray:
    return np.bincount(rows.vehicle.to_numpy(np.int64), minlength=count).astype(np.int64)


def _differences(rows: pd.DataFrame) -> IntArray:
    vehicle = rows.vehicle.to_numpy(np.int64)
    return differences(_ms(rows.time_s), np.diff(vehicle, prepend=-1) != 0)
