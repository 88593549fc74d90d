"""Small runs with a twin in the air of the stories, where 1 Mbit takes 1 s in a cell, and what their traces say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from stories import Told, perform, scenario, write_arrivals

from cosim.audit.verify import verify
from cosim.simulation import Simulation
from cosim.trace.facts.run import TaskEnded
from cosim.trace.facts.twin import TwinSampled, TwinSynced, TwinUplinked
from cosim.trace.store.reader import Trace

TENTH = 1e5
"""Bits of a message that takes 0.1 s alone."""


@dataclass(frozen=True)
class TwinRun:
    """A run that was found sound by the audit."""

    run: Path
    digest: str
    simulation: Simulation
    uplinked: pd.DataFrame
    synced: pd.DataFrame
    sampled: pd.DataFrame
    ended: pd.DataFrame

    @property
    def last(self) -> "pd.Series[float]":
        """The last sample."""
        return self.sampled.iloc[-1]

    def between(self, start_s: float, end_s: float) -> float:
        """Mean age between two samples, by the running integrals."""
        at = self.sampled.set_index("time_s")
        grown = at.loc[end_s] - at.loc[start_s]
        return float(grown.age_s2 / grown.twin_s)


def mirrored(
    folder: Path,
    paths: Mapping[str, Sequence[Any]],
    twin: Mapping[str, Any],
    arrivals: Sequence[tuple[Any, ...]] = (),
    policy: Told | str = "A",
    **changes: Any,
) -> TwinRun:
    """Run scripted vehicles with a twin and audit the run."""
    folder.mkdir(exist_ok=True)
    write_arrivals(folder, arrivals)
    run = folder / "run"
    told = Told(policy) if isinstance(policy, str) else policy
    chosen = scenario(twin={"message_bit": TENTH, **twin}, **changes)
    simulation = perform(chosen, run, folder, paths, told)
    audit = verify(run)
    assert audit.ok, audit.lines
    with Trace.open(run) as trace:
        tables = [trace.table(kind).sort_values("seq") for kind in (TwinUplinked, TwinSynced, TwinSampled, TaskEnded)]
    return TwinRun(run, audit.digest, simulation, *tables)
