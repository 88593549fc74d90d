"""Run folders that nobody simulated: rows that a test writes, with the manifest and provenance that readers ask for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from cosim.scenario.schema import Scenario
from cosim.subjects import fact_kinds
from cosim.trace.facts.column import columns
from cosim.trace.store.provenance import Provenance, new_provenance, write_provenance
from cosim.trace.store.reader import Trace
from cosim.trace.store.writer import TraceWriter


def recorded(trace: Trace, fact: type) -> pd.DataFrame:
    """All rows of a kind as they were recorded, with NaN and -1 for nulls."""
    absent = {name: column.absent for name, column in columns(fact).items() if column.absent is not None}
    return trace.table(fact).fillna(absent)


class CraftedRun:
    """A run folder that is being written.

    Args:
        folder: a new one.
        part_s: simulated time between two commits.
    """

    def __init__(self, folder: Path, part_s: float = 60.0) -> None:
        self.folder = folder
        self.writer = TraceWriter(folder, part_s)
        self._recorders: dict[type, Callable[..., None]] = {}

    def record(self, fact: type, **values: Any) -> None:
        """Write a row; what is not given is 0 or empty."""
        self._recorder(fact)(**{**_nothing(fact), **values})

    def add(self, row: Any) -> None:
        """Write a row that is whole."""
        self._recorder(type(row))(*(getattr(row, field.name) for field in fields(row)))

    def copy(self, trace: Trace, change: Callable[[type, pd.DataFrame], None] = lambda _fact, _rows: None) -> None:
        """Write all rows of another run, each kind's table after a change in place; nulls are NaN and -1 in it."""
        for fact in fact_kinds():
            rows = recorded(trace, fact).drop(columns="seq")
            change(fact, rows)
            for row in rows.itertuples(index=False, name=None):
                self._recorder(fact)(*row)

    def close(self, scenario: Mapping[str, Any] | Scenario, end_s: float, complete: bool = True, **said: Any) -> Path:
        """Commit the rows and write the provenance.

        Args:
            scenario: of the run, its defaults may be left out.
            end_s: simulated time up to which every row is there.
            complete: the run reached its end.
            said: other fields of the provenance.
        """
        self.writer.belong_to(provenance(self.writer, scenario, **said))
        self.writer.close(complete=complete, end_s=end_s)
        write_provenance(self.folder, provenance(self.writer, scenario, **said))
        return self.folder

    def _recorder(self, fact: type) -> Callable[..., None]:
        if fact not in self._recorders:
            self._recorders[fact] = self.writer.recorder(fact)
        return self._recorders[fact]


def provenance(writer: TraceWriter, scenario: Mapping[str, Any] | Scenario, **said: Any) -> Provenance:
    """What a crafted run says of itself."""
    plan = scenario if isinstance(scenario, Scenario) else Scenario.model_validate(scenario)
    ended = {"status": "complete", "digest": writer.digest, "digests": writer.digests, "facts": writer.facts}
    return replace(new_provenance(plan, "2026-01-01T00:00:00Z"), **{**ended, **said})


def write_run(folder: Path, rows: Sequence[Any], scenario: Mapping[str, Any] | Scenario, end_s: float) -> Path:
    """Store rows, in the order of recording, as a complete run."""
    run = CraftedRun(folder)
    for row in rows:
        run.add(row)
    return run.close(scenario, end_s)


def _nothing(fact: type) -> dict[str, Any]:
    return {name: "" if column.code == "O" else 0 for name, column in columns(fact).items()}
