"""Everything that is read out of short runs of the bundled scenarios, which a change of the store must not change.

    python benchmarks/figures.py --out before.json                      # at the first commit
    python benchmarks/figures.py --out after.json --against before.json  # at the last one, on the same machine

A run is told by its figures of merit with their intervals, bit for bit, by what the audit finds, by the causes of
lateness, by the lives and reasons of some tasks, and by hashes of its page's data and of the slices of its timeline.
With `--runs` the folders of an earlier call are read again, so that old folders are compared under a newer program.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cosim.audit.verify import verify
from cosim.report.page import payload
from cosim.report.page.playback import kept, stories
from cosim.trace.lateness.explain import explain_task
from cosim.trace.lateness.ranking import lateness
from cosim.trace.metrics.definitions import definitions
from cosim.trace.metrics.tasks import kpis
from cosim.trace.store.reader import Trace
from cosim.trace.views.slices import counters, tracks
from cosim.trace.views.timeline import timeline

SCENARIOS = Path(__file__).resolve().parents[1] / "scenarios"
TASKS = 40
"""Tasks of a run whose life and reason are told."""


def main() -> int:
    """Read the runs, write what was read, and compare it if asked; return 1 if something differs."""
    parser = argparse.ArgumentParser(description="What is read out of short runs of the bundled scenarios.")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--against", type=Path, help="JSON file of an earlier call: print what differs")
    parser.add_argument("--scenarios", default="", help="names with commas; all bundled ones by default")
    parser.add_argument("--seconds", type=float, default=20.0, help="simulated seconds of each run")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the run folders; those missing are made")
    parser.add_argument("--command", default=str(Path(sys.executable).with_name("cosim")), help="the cosim command")
    given = parser.parse_args()
    names = given.scenarios.split(",") if given.scenarios else sorted(path.stem for path in SCENARIOS.glob("*.yaml"))
    found = {name: dict(_read(_run(given, name))) for name in names}
    given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{given.out}: {len(found)} runs, {sum(map(len, found.values()))} answers")
    if given.against is None:
        return 0
    before = json.loads(given.against.read_text(encoding="utf-8"))
    after = json.loads(given.out.read_text(encoding="utf-8"))
    differing = [
        f"{name} {what}: was {before.get(name, {}).get(what)}, is {after[name].get(what)}"
        for name in after
        for what in sorted(before.get(name, {}).keys() | after[name].keys())
        if before.get(name, {}).get(what) != after[name].get(what)
    ]
    print("\n".join(line[:400] for line in differing) if differing else f"equal to {given.against}")
    return 1 if differing else 0


def _run(given: argparse.Namespace, name: str) -> Path:
    run: Path = given.runs / name
    if not run.exists():
        short = ("--set", f"duration_s={given.seconds}", "--set", f"statistics.warmup_s={given.seconds / 10}")
        subprocess.run([given.command, "run", name, "--out", str(run), *short], check=True, capture_output=True)
    return run


def _read(run: Path) -> Iterator[tuple[str, Any]]:
    report = verify(run)
    yield "digest", report.digest
    yield "findings", [str(finding) for finding in report.findings]
    with Trace.open(run) as trace:
        for name, one in kpis(trace).items():
            yield f"kpi {name}", f"{one.value!r} {one.half_width!r} {one.unit}"
        begin_s, end_s = trace.scenario.statistics.warmup_s, trace.complete_to_s
        for subject, defined in definitions():
            for name, one in defined.items() if subject.applies(trace.scenario) else ():
                if one.sql:
                    yield f"sql {name}", str(trace.sql(one.query(begin_s, end_s)).astype(float).iloc[0, 0])
        yield "lateness", repr(asdict(lateness(trace)))
        count = int(trace.sql("SELECT count(*) AS n FROM task_released").n.iloc[0])
        for task in range(0, count, max(1, count // TASKS)):
            yield f"task {task}", repr([timeline(trace.sql, task), explain_task(trace, task)])
        shown = payload.series(trace, payload.frame(trace, run))
        for name, value in shown.items():
            yield f"page {name}", _hash(payload.json_value(_plain(value)))
        yield "page stories", _hash(payload.json_value(asdict(stories(trace, kept(trace)))))
        yield "page sites", payload.json_value(payload.site_columns(trace))
        yield "tracks", _hash([[*map(str, asdict(one).items())] for one in tracks(trace)])
        yield "counters", _hash([[*map(str, asdict(one).items())] for one in counters(trace)])


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool | np.ndarray | np.generic | None) else str(value)


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
