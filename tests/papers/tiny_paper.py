"""A made-up paper: rules over two bandwidths, nothing to train, and a claim that is true."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cosim.experiments.papers import claims, paper, report
from cosim.experiments.papers.claims import Claim
from cosim.experiments.papers.lines import CsvTable, Line, Sweep, repeated, sweep_table
from cosim.experiments.papers.measured import FixedPolicy
from cosim.experiments.papers.paper import Paper, Result, Written
from cosim.scenario.load import load


@dataclass(frozen=True, slots=True)
class Size(paper.Size):
    """With a length."""

    duration_s: float


class TinyStudy:
    """Figure 2 and a table."""

    def __init__(self, size: Size) -> None:
        self._size = size

    def figure(self, number: int) -> Result:
        """The only one."""
        points = (3.0, 9.0)
        along = tuple(
            load("s1_semantic_iov", [f"radio.bandwidth_hz={mhz * 1e6:g}", f"duration_s={self._size.duration_s:g}"])
            for mhz in points
        )
        seeds = range(1, self._size.seeds + 1)
        lines = [(Line("local", ""), "local"), (Line("greedy", "", against="local"), "greedy-latency")]
        made = tuple(repeated(line, [FixedPolicy(rule)] * len(seeds), along, seeds) for line, rule in lines)
        sweep = Sweep(f"fig{number}", "bandwidth (MHz)", points, made)
        return Result(sweep.name, (), sweep.pieces(), partial(self._write, sweep))

    def tables(self) -> Sequence[Result]:
        """Of what no piece measures."""
        return [Result("lengths", (), (), self._write_lengths)]

    def provenance(self) -> Mapping[str, Any]:
        """The length."""
        return {"roll_out_s": self._size.duration_s}

    def _write(self, sweep: Sweep, out: Path, store: Path) -> Written:
        measured = sweep.measured(store)
        report.write_csv(out / "fig2.csv", sweep_table(sweep, measured), self._size.run)
        costs = [measured[name].scores["cost"] for name in ("greedy", "local")]
        claim = Claim(2, "greedy costs less", "", "cost against local's (%)", claims.lower(*costs))
        return Written((out / "fig2.csv",), (claim,))

    def _write_lengths(self, out: Path, _: Path) -> Written:
        report.write_csv(out / "lengths.csv", CsvTable(("seconds",), [(self._size.duration_s,)]), self._size.run)
        return Written((out / "lengths.csv",))


PAPER = Paper("T1", Size("full", 3, 20.0), Size("QUICK", 2, 10.0), (2,), TinyStudy)
