"""The key network of a run on the map: its nodes and links, and the levels of the pools during the playback."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from cosim.report.page.columns import Packed, differences, pack_columns
from cosim.trace.store.reader import Trace
from cosim.types import IntArray

_MOST_LEVELS: Final = 100_000
_MOST_SAMPLES: Final = 1_200
_LARGEST: Final = 2**30  # a level, and a difference of two, fits into 32 bits


@dataclass(frozen=True, slots=True)
class Levels:
    """Levels of the pools over time.

    Columns of `packed`: `sample_ms`; `stored` by link and time, in units of `unit_bit`, as differences within a link;
    `changed_ms`, `changed_link` and `changed_state` (cosim.types.LinkState) in order of time.
    """

    packed: Packed
    unit_bit: int


def key_net(trace: Trace) -> dict[str, Any]:
    """Return the nodes and links of the key network, and the levels of its pools for the playback."""
    held = levels(trace)
    return {"nodes": nodes(trace), "links": links(trace), "unit_bit": held.unit_bit, "levels": held.packed}


def nodes(trace: Trace) -> list[dict[str, Any]]:
    """Return the nodes in order of their number; the node of a site has the number of the site."""
    rows = trace.sql("SELECT node, name, x_m, y_m FROM key_node_deployed ORDER BY node")
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict(orient="records")]


def links(trace: Trace) -> list[dict[str, Any]]:
    """Return the links in order of their number."""
    rows = trace.sql(
        "SELECT link, from_node, to_node, length_km, capacity_bit, initial_bit FROM key_link_deployed ORDER BY link"
    )
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict(orient="records")]


def levels(trace: Trace) -> Levels:
    """Return the levels of the pools, thinned so that the page stays small, and all changes of links."""
    count = int(trace.sql("SELECT count(*) AS n FROM key_link_deployed").n.iloc[0])
    wide = stored_bit(trace, min(_MOST_SAMPLES, max(1, _MOST_LEVELS // max(1, count))))
    stored = wide.to_numpy(np.float64).T
    unit_bit = max(1, -(-int(stored.max(initial=0.0)) // _LARGEST))
    whole: IntArray = np.rint(stored / unit_bit).astype(np.int64)
    starts = np.tile(np.arange(whole.shape[1]) == 0, len(whole))
    changed = trace.sql("SELECT time_s, link, state FROM key_link_changed ORDER BY time_s, seq")
    return Levels(
        pack_columns(
            {
                "sample_ms": np.rint(wide.index.to_numpy(np.float64) * 1e3),
                "stored": differences(whole.ravel(), starts),
                "changed_ms": np.rint(changed.time_s.to_numpy(np.float64) * 1e3),
                "changed_link": changed.link.to_numpy(np.int64),
                "changed_state": changed.state.to_numpy(np.int64),
            }
        ),
        unit_bit,
    )


def stored_bit(trace: Trace, most: int) -> pd.DataFrame:
    """Return the level of each pool [bit], a column per link, at no more than `most` sampling times, evenly chosen."""
    times = int(trace.sql("SELECT count(DISTINCT time_s) AS n FROM key_pool_sampled").n.iloc[0])
    rows = trace.sql(
        "SELECT time_s, link, stored_bit FROM (SELECT *, dense_rank() OVER (ORDER BY time_s) AS place "
        f"FROM key_pool_sampled) WHERE place % {max(1, -(-times // most))} = 0"
    )
    links = trace.sql("SELECT link, initial_bit FROM key_link_deployed ORDER BY link").set_index("link").initial_bit
    wide = rows.pivot_table(index="time_s", columns="link", values="stored_bit").reindex(columns=links.index)
    return wide.ffill().fillna(links)
