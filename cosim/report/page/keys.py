"""The key network of a run as series over time: pools and rates of links, vehicles' keys, waits for keys."""

from typing import Any, Final

import numpy as np
import pandas as pd

from cosim.report.page.key_map import key_net, stored_bit
from cosim.report.page.packaged import packaged
from cosim.report.series import Outcomes, by_slice, counts, slice_from, slice_until
from cosim.trace.lateness.key_waits import WAITS
from cosim.trace.store.reader import Trace
from cosim.types import FloatArray, KeyState, LinkState, Status

NAMED: Final = 8
"""Links with a line of their own; of the others a figure shows the lowest and the highest."""
_MOST_SAMPLES: Final = 240
PANELS: Final = packaged("keys.js")
_CLOSEST: Final = 1e-3  # spans closer than this part of the run are one for the links without a line


def key_series(trace: Trace, over_time: Outcomes) -> dict[str, Any]:
    """Return the series about keys.

    `named` are links that were down, then those with the lowest mean level, lowest first. A sample that is taken at the
    end of a slice belongs to that slice, since its rate is that of the time before; what a task did belongs to the
    slice in which it was done.

    Args:
        trace: a run with keys.
        over_time: the slices of time.

    Returns:
        `net`, which the playback needs, and the series by name.
    """
    options = trace.scenario.keys
    named = _chosen_links(trace)
    return {
        "net": key_net(trace),
        "named": named,
        "stored": _stored(trace, named),
        **_rates(trace, over_time, named),
        "abort_qber": options.abort_qber if options else None,
        "down": _down(trace, named),
        "vehicles": _vehicles(trace, over_time),
        "waits_s": _waits(trace, over_time),
        "tasks": _tasks(trace, over_time),
    }


def _chosen_links(trace: Trace) -> list[int]:
    down = f"link IN (SELECT link FROM key_link_changed WHERE state <> {LinkState.UP:d})"
    rows = trace.sql(
        "SELECT link FROM key_link_deployed LEFT JOIN key_pool_sampled s USING (link) GROUP BY link "
        f"ORDER BY {down} DESC, avg(s.stored_bit / capacity_bit) NULLS LAST, link LIMIT {NAMED}"
    )
    return [int(link) for link in rows.link]


def _stored(trace: Trace, named: list[int]) -> dict[str, Any]:
    """Return the level of each pool [bit], at every n-th sampling time."""
    wide = stored_bit(trace, _MOST_SAMPLES)
    return {"time_s": wide.index.to_numpy(np.float64), **_lines(wide, named)}


def _rates(trace: Trace, over_time: Outcomes, named: list[int]) -> dict[str, Any]:
    """Return the mean key rate [bit/s] and error rate in each slice; NaN without a sample or a signal."""
    rows = trace.sql(
        f"SELECT link, {slice_until(over_time)} AS slice, avg(key_bps) AS key_bps, "
        "avg(qber) AS qber FROM key_pool_sampled GROUP BY ALL"
    )
    slices, links = (
        np.arange(len(over_time.begin_s)),
        trace.sql("SELECT link FROM key_link_deployed ORDER BY link").link,
    )
    found = {}
    for name, digits in (("key_bps", 3), ("qber", 6)):
        wide = rows.pivot(index="slice", columns="link", values=name).reindex(index=slices, columns=links)
        found[name] = _lines(wide.astype(np.float64).round(digits), named)
    return found


def _lines(wide: pd.DataFrame, named: list[int]) -> dict[str, Any]:
    """Return a line for each named link, and the lowest and highest of the others at each time."""
    others = wide.drop(columns=named)
    return {
        "lines": [wide[link].to_numpy(np.float64) for link in named],
        "low": others.min(axis=1).to_numpy(np.float64) if others.shape[1] else None,
        "high": others.max(axis=1).to_numpy(np.float64) if others.shape[1] else None,
    }


def _down(trace: Trace, named: list[int]) -> list[dict[str, Any]]:
    """Return when links were aborted or cut; link -1 stands for any of those without a line."""
    end_s = trace.complete_to_s
    rows = trace.sql("SELECT link, time_s, state FROM key_link_changed ORDER BY link, time_s, seq")
    until_s = rows.groupby("link").time_s.shift(-1).fillna(end_s).clip(upper=end_s)
    spans = rows.assign(until_s=until_s, own=rows.link.where(rows.link.isin(named), -1))
    spans = spans[(spans.state != LinkState.UP) & (spans.time_s < spans.until_s)]
    found = []
    for link, state in sorted(set(zip(spans.own, spans.state, strict=True))):
        chosen = spans[(spans.own == link) & (spans.state == state)].sort_values("time_s")
        pairs = chosen[["time_s", "until_s"]].to_numpy(np.float64)
        for begin_s, last_s in _merged(pairs, 0.0 if link >= 0 else _CLOSEST * end_s):
            found.append({"link": int(link), "state": int(state), "begin_s": begin_s, "end_s": last_s})
    return found


def _merged(spans: FloatArray, apart_s: float) -> list[tuple[float, float]]:
    """Return spans in order of begin, with those that overlap or are closer than `apart_s` merged."""
    found: list[tuple[float, float]] = []
    for begin_s, end_s in spans.tolist():
        if found and begin_s <= found[-1][1] + apart_s:
            found[-1] = (found[-1][0], max(found[-1][1], end_s))
        else:
            found.append((begin_s, end_s))
    return found


def _vehicles(trace: Trace, over_time: Outcomes) -> dict[str, FloatArray]:
    """Return the level of all vehicles' pools at the end of each slice, and means of filling and waiting in it."""
    rows = trace.sql(
        f"SELECT {slice_until(over_time)} AS slice, arg_max(stored_bit, time_s) AS stored_bit, "
        "avg(filling) AS filling, avg(waiting) AS waiting FROM vehicle_keys_sampled GROUP BY slice"
    ).set_index("slice")
    return by_slice(rows, over_time)


def _waits(trace: Trace, over_time: Outcomes) -> dict[str, FloatArray]:
    """Return the waits for keys of the ended tasks that asked for one, both directions together, by time of release."""
    rows = trace.sql(
        f"SELECT {slice_from('released_s', over_time)} AS slice, quantile_cont(up_s + down_s, 0.5) AS p50, "
        f"quantile_cont(up_s + down_s, 0.95) AS p95 FROM ({WAITS}) "
        f"WHERE asked AND status <> {Status.IN_FLIGHT:d} GROUP BY slice"
    ).set_index("slice")
    return by_slice(rows, over_time)


def _tasks(trace: Trace, over_time: Outcomes) -> dict[str, FloatArray]:
    """Return the numbers of tasks that ended without a key or went on without a quantum key, by their time of end."""
    slices = f"SELECT {slice_from('time_s', over_time)} AS slice, count(*) AS n FROM"
    ended = {
        "no_key": f"task_ended WHERE status = {Status.NO_KEY:d}",
        "downgraded": f"task_keyed WHERE state = {KeyState.DOWNGRADED:d}",
    }
    return {
        name: counts(trace.sql(f"{slices} {source} GROUP BY slice").set_index("slice").n, over_time)
        for name, source in ended.items()
    }
