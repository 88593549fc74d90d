"""The digital twin of a run as series over time: age and error of its state, its messages, and the hosts of twins."""

from typing import Any, Final

import numpy as np
import pandas as pd

from cosim.report.page.packaged import packaged
from cosim.report.page.twin_map import homes, lives
from cosim.report.series import Outcomes, by_slice, slice_from, slice_until
from cosim.trace.store.reader import Trace
from cosim.types import FloatArray

_MOST_SAMPLES: Final = 240
_MOST_TIMES: Final = 120  # of the numbers of twins by host
_MOST_COUNTS: Final = 24_000
_STATES: Final = (
    "mean_age_s",
    "max_age_s",
    "mirror_error_m",
    "mean_error_m",
    "p95_error_m",
    "inside_ratio",
    "demand_error_per_s",
    "demand_bound_per_s",
)
PANELS: Final = packaged("twins.js")
_TOTALS: Final = ("twin_s", "age_s2", "sent", "received", "lost", "sent_bit")
_DIGITS: Final = 6


def twin_series(trace: Trace, over_time: Outcomes) -> dict[str, Any]:
    """Return the series about twins.

    Args:
        trace: a run with twins.
        over_time: the slices of time.

    Returns:
        `lives`, which the playback needs, and the series by name.
    """
    twin = trace.scenario.twin
    told = lives(trace)
    return {
        "lives": {"every": told.every, "columns": told.packed},
        "placed": twin is not None and twin.placement is not None,
        **_samples(trace),
        "slices": _slices(trace, over_time),
        "hosts": _hosts(trace),
        "moves": _moves(trace, over_time),
    }


def _samples(trace: Trace) -> dict[str, Any]:
    """Return ages and errors at every n-th sample, as `every` says."""
    count = int(trace.sql("SELECT count(*) AS n FROM twin_sampled").n.iloc[0])
    every = max(1, -(-count // _MOST_SAMPLES))
    rows = trace.sql(
        f"SELECT time_s, {', '.join(_STATES)} FROM (SELECT *, row_number() OVER (ORDER BY time_s, seq) AS place "
        f"FROM twin_sampled) WHERE place % {every} = 0 ORDER BY time_s"
    )
    shown = {name: rows[name].astype(np.float64).round(_DIGITS).to_numpy() for name in _STATES}
    return {"every": every, "samples": {"time_s": rows.time_s.to_numpy(np.float64), **shown}}


def _slices(trace: Trace, over_time: Outcomes) -> dict[str, FloatArray]:
    """Return the growth of the running totals from the last sample of one slice to that of the next that has one.

    `mean_age_s` is the integral of all ages over that of the number of twins, exact between these samples; messages
    and bits are per second.
    """
    last = ", ".join(f"arg_max({name}, time_s) AS {name}" for name in _TOTALS)
    rows = trace.sql(
        f"SELECT {slice_until(over_time)} AS slice, max(time_s) AS time_s, {last} FROM twin_sampled "
        "GROUP BY slice ORDER BY slice"
    ).set_index("slice")
    grown = rows.astype(np.float64).diff()
    grown.iloc[:1] = rows.iloc[:1]  # from nothing at the run's begin
    per_s = grown[["sent", "received", "lost"]].div(grown.time_s, axis=0)
    found = per_s.assign(mean_age_s=grown.age_s2 / grown.twin_s, bps=grown.sent_bit / grown.time_s)
    return by_slice(found.round(_DIGITS), over_time)


def _hosts(trace: Trace) -> dict[str, Any]:
    """Return the number of twins of each node, thinned so that the page stays small; `capacity` only if placed."""
    placed = bool(trace.scenario.twin and trace.scenario.twin.placement)
    wide = _held(trace) if placed else _heard(trace)
    most = max(1, min(_MOST_TIMES, _MOST_COUNTS // max(1, wide.shape[1])))
    every = max(1, -(-len(wide) // most))
    wide = wide.iloc[every - 1 :: every]
    limits = trace.sql("SELECT node, max(capacity) AS capacity FROM twin_host_sampled GROUP BY node ORDER BY node")
    return {
        "until_s": wide.index.to_numpy(np.float64),
        "node": [int(node) for node in wide.columns],
        "twins": list(wide.to_numpy(np.int64).T),
        "capacity": limits.capacity.to_numpy(np.int64) if placed else None,
    }


def _held(trace: Trace) -> pd.DataFrame:
    rows = trace.sql("SELECT time_s, node, twins FROM twin_host_sampled")
    return rows.pivot_table(index="time_s", columns="node", values="twins", aggfunc="last").ffill().fillna(0)


def _heard(trace: Trace) -> pd.DataFrame:
    """Return the number of vehicles on the map by the node of their last update; those without one are left out."""
    changes = trace.sql(
        f"WITH homes AS ({homes(trace)}) SELECT time_s, to_node AS node, 1 AS step FROM homes UNION ALL "
        "SELECT time_s, from_node, -1 FROM homes WHERE from_node IS NOT NULL UNION ALL "
        "SELECT l.time_s, node, -1 FROM vehicle_left l JOIN "
        "(SELECT vehicle, arg_max(node, time_s) AS node FROM twin_synced GROUP BY vehicle) USING (vehicle)"
    )
    times_s = trace.sql("SELECT DISTINCT time_s FROM twin_sampled ORDER BY time_s").time_s
    wide = changes.pivot_table(index="time_s", columns="node", values="step", aggfunc="sum").fillna(0).cumsum()
    if not len(wide):
        return pd.DataFrame(index=times_s[:0])
    return wide.reindex(times_s, method="ffill").fillna(0)


def _moves(trace: Trace, over_time: Outcomes) -> dict[str, FloatArray]:
    """Return for each slice the twins that were made, moved and left without a host in it, and how long that took.

    `made_p50_s` and `moved_p50_s` count from when a twin's data or state set out, `still_p50_s` is how long those that
    moved stood still; p95 likewise. NaN where nothing came.
    """
    made = "from_node IS NULL AND to_node IS NOT NULL"
    moved = "from_node IS NOT NULL AND to_node IS NOT NULL"
    took = {"made": (made, "began_s"), "moved": (moved, "began_s"), "still": (moved, "still_s")}
    quantiles = [
        f"quantile_cont(time_s - {since}, {level / 100}) FILTER ({chosen}) AS {name}_p{level}_s"
        for name, (chosen, since) in took.items()
        for level in (50, 95)
    ]
    rows = trace.sql(
        f"SELECT {slice_from('time_s', over_time)} AS slice, count(*) FILTER ({made}) AS made, "
        f"count(*) FILTER ({moved}) AS moved, count(*) FILTER (to_node IS NULL) AS homeless, "
        f"{', '.join(quantiles)} FROM ({homes(trace)}) GROUP BY slice"
    ).set_index("slice")
    found = by_slice(rows.astype(np.float64).round(_DIGITS), over_time)
    return {name: values if name.endswith("_s") else np.nan_to_num(values) for name, values in found.items()}
