"""The decisions of a recorded run: all that a policy had a say in, row by row, and a writer that compares with them."""

from collections.abc import Callable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any, Final, NoReturn, ParamSpec

import numpy as np

from cosim.trace.facts.keys import DetectorTurned
from cosim.trace.facts.ledger import ProposerAsked
from cosim.trace.facts.run import TaskDecided
from cosim.trace.store.integrity import packed_rows
from cosim.trace.store.layout import kind_name, layout
from cosim.trace.store.manifest import Manifest
from cosim.trace.store.past import DifferenceError
from cosim.trace.store.writer import FactWriter
from cosim.types import AnyArray, BoolArray

P = ParamSpec("P")

DECISIONS: Final[tuple[type[Any], ...]] = (TaskDecided, DetectorTurned, ProposerAsked)
"""The kinds of facts that hold what policies decide."""
_ANSWERS: Final = ("tier", "target", "share", "power_w", "cpu_share")
"""Columns of a decided task that the policy chooses; the others are what it was shown."""


class DecisionRows:
    """The recorded decisions, read part by part in the order in which they were made.

    Args:
        files: files of each kind in the order of their rows, by the name of the kind.
        until_s: decisions from then on are left out.
    """

    def __init__(self, files: Mapping[str, Sequence[Path]], until_s: float = inf) -> None:
        self._left = {fact: list(files.get(kind_name(fact), ())) for fact in DECISIONS}
        self._rows = {fact: layout(fact).rows(bytearray()) for fact in DECISIONS}
        self._until_s = until_s

    def next(self, fact: type[Any], count: int) -> AnyArray:
        """Return the next rows of a kind and leave them there, fewer where no more are recorded."""
        while len(self._rows[fact]) < count and self._left[fact]:
            rows = packed_rows(self._left[fact].pop(0), layout(fact))
            if rows["time_s"].max(initial=-inf) >= self._until_s:
                rows, self._left[fact] = rows[rows["time_s"] < self._until_s], []
            self._rows[fact] = np.concatenate([self._rows[fact], rows])
        return self._rows[fact][:count]

    def take(self, fact: type[Any], count: int) -> AnyArray:
        """Return the next rows of a kind and go on after them; fewer where no more are recorded."""
        rows = self.next(fact, count)
        self._rows[fact] = self._rows[fact][len(rows) :]
        return rows

    def take_at(self, fact: type[Any], time_s: float) -> AnyArray:
        """Return the next rows of a kind that are of this time, and go on after them."""
        count = 0
        while len(rows := self.next(fact, count + 1)) > count and rows["time_s"][count] == time_s:
            count += 1
        return self.take(fact, count)


def decision_files(run: Path, manifest: Manifest) -> dict[str, list[Path]]:
    """Return the files of the decisions of a run, by kind."""
    names = [kind_name(fact) for fact in DECISIONS]
    return {name: [run / part.file for part in manifest.parts if part.kind == name] for name in names}


class ComparedFacts:
    """A writer that passes facts on to another, and holds every decision against a recorded one, as far as there are.

    Args:
        facts: the other writer.
        recorded: the recorded decisions.
        told: what is repeated and cannot be if they differ, for the line of an error.
        policy: name of the policy.
    """

    def __init__(self, facts: FactWriter, recorded: DecisionRows, told: str, policy: str) -> None:
        self._facts = facts
        self._recorded = recorded
        self._told = told
        self._policy = policy
        self._epoch = 1
        self.records = facts.records

    def recorder(self, fact: Callable[P, Any]) -> Callable[P, None]:
        """Return the function of the other writer that records one fact; a decision is compared first."""
        record = self._facts.recorder(fact)
        if not isinstance(fact, type) or fact not in DECISIONS:
            return record
        names = tuple(layout(fact).columns)

        def both(*values: P.args, **named: P.kwargs) -> None:
            self._compare(fact, {**dict(zip(names, values, strict=False)), **named})
            record(*values, **named)

        return both

    def batch(self, fact: type[Any]) -> Callable[..., None]:
        """Return the function of the other writer that records many facts; decisions are compared first."""
        record = self._facts.batch(fact)
        if fact not in DECISIONS:
            return record

        def both(**values: Any) -> None:
            self._compare(fact, values)
            record(**values)

        return both

    def tick(self, now_s: float) -> None:
        """Pass the tick on to the other writer."""
        self._facts.tick(now_s)

    def close(self, complete: bool, end_s: float | None = None) -> None:
        """Close the other writer."""
        self._facts.close(complete, end_s)

    def _compare(self, fact: type[Any], values: Mapping[str, Any]) -> None:
        size = max((len(value) for value in values.values() if isinstance(value, np.ndarray | list)), default=1)
        stored = layout(fact)
        now_s = float(np.max(values["time_s"]))
        recorded = self._recorded.take(fact, size)
        if len(recorded):
            columns = {name: np.broadcast_to(value, size) for name, value in values.items()}
            rows = stored.image({"seq": np.zeros(size, np.int64), **columns}, size)
            if len(recorded) < size:
                self._refuse(now_s, f"{size} rows of {stored.kind} instead of {len(recorded)}", asked=False)
            unequal = {name: _unequal(rows[name], recorded[name]) for name in stored.columns}
            wrong = [name for name, places in unequal.items() if places.any()]
            if wrong:
                self._tell(fact, now_s, wrong, unequal, rows, recorded)
        if fact is TaskDecided:
            self._see_unmade(now_s)
            self._epoch += 1

    def _see_unmade(self, now_s: float) -> None:
        """Check that no knob was turned at this epoch that is not turned now; those are recorded before the tasks."""
        for fact in DECISIONS[1:]:
            rows = self._recorded.next(fact, 1)
            if len(rows) and rows["time_s"][0] <= now_s:
                self._refuse(now_s, f"{kind_name(fact)} is recorded, and not decided now", asked=True)

    def _tell(
        self,
        fact: type[Any],
        now_s: float,
        wrong: Sequence[str],
        unequal: Mapping[str, BoolArray],
        rows: AnyArray,
        recorded: AnyArray,
    ) -> None:
        """Name the first value that differs: of an answer, where the policy was shown the same."""
        answered = [name for name in wrong if fact is not TaskDecided or name in _ANSWERS]
        asked = bool(answered) and not {"time_s", "task", "link"} & set(wrong)
        name = answered[0] if asked else wrong[0]
        place = int(np.flatnonzero(unequal[name])[0])
        of = next((f"{key} {rows[key][place]}: " for key in ("task", "link") if key in layout(fact).columns), "")
        self._refuse(now_s, f"{of}{name} is {rows[name][place]:g}, recorded is {recorded[name][place]:g}", asked=asked)

    def _refuse(self, now_s: float, what: str, *, asked: bool) -> NoReturn:
        at = f"at t={now_s:g} s, decision epoch {self._epoch}, {what}"
        if asked:
            raise DifferenceError(
                f"{self._told}: policy {self._policy} decides otherwise than before: {at}; "
                "give the policy as it was, or run the scenario again"
            )
        raise DifferenceError(
            f"{self._told}: it does not come out as it was recorded: {at}; "
            "what shapes it has changed since: run the scenario again"
        )


def _unequal(a: AnyArray, b: AnyArray) -> BoolArray:
    """Return where two columns differ; NaN is equal to NaN."""
    different: BoolArray = a != b
    return different & ~(np.isnan(a) & np.isnan(b)) if a.dtype.kind == "f" else different
