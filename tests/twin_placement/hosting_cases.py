"""Runs of a few scripted vehicles whose twins are made and moved in times that can be summed by head.

The air carries 1 Mbit/s to each vehicle near A or B, whoever else sends; a wire 1 Mbit/s with 0.1 s, so that 1 Mbit
from A to B takes 1 + 1 + 0.2 s. A host gives each twin 0.5 MHz, so that 1 Mbit of data is worked on for 2 s.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from crafted import recorded
from stories import Told, merged, perform, scenario, write_arrivals

from cosim.audit.verify import verify
from cosim.trace.facts.twin import TwinHostSampled, TwinMoved, TwinSampled, TwinSynced
from cosim.trace.store.reader import Trace

PLACEMENT: Mapping[str, Any] = {
    "policy": "greedy",
    "period_s": 4.0,
    "creation": {"data_bit": 1e6},
    "migration": {"state_bit": 1e6, "restart_s": 0.5, "high": 1.0, "target": 1.0},
    "tiers": {"edge": {"places": 2, "compute_hz": 1e6}},
}
KINDS = {"moved": TwinMoved, "hosts": TwinHostSampled, "synced": TwinSynced, "sampled": TwinSampled}


def placed(placement: Mapping[str, Any] | None = None, **changes: Any) -> Any:
    """The usual scenario with a placement, changed section by section."""
    base = {
        "duration_s": 20.0,
        "radio": {"access": {"kind": "fixed", "slice_share": 1.0}},
        "backhaul": {"bandwidth_bps": 1e6, "latency_s": 0.1},
        "twin": {"sync": {"kind": "periodic", "period_s": 1.0}, "message_bit": 1000.0, "site_period_s": 1000.0},
    }
    whole = merged(base, changes)
    whole["twin"] = {**whole["twin"], "placement": merged(PLACEMENT, placement or {})}
    return scenario(**whole)


def lives(
    folder: Path, paths: Mapping[str, Sequence[Any]], placement: Mapping[str, Any] | None = None, **changes: Any
) -> dict[str, pd.DataFrame]:
    """Run, audit, and read the tables of the twins."""
    write_arrivals(folder, [])
    run = folder / "run"
    perform(placed(placement, **changes), run, folder, paths, Told("A"))
    audit = verify(run)
    assert audit.ok, audit.lines
    with Trace.open(run) as trace:
        return {name: recorded(trace, kind) for name, kind in KINDS.items()}


def moves(tables: Mapping[str, pd.DataFrame]) -> list[tuple[float, int, int, int]]:
    """Time, vehicle, and the nodes from and to of each TwinMoved."""
    rows = tables["moved"][["time_s", "vehicle", "from_node", "to_node"]]
    return [(round(time_s, 9), *nodes) for time_s, *nodes in rows.itertuples(index=False)]
