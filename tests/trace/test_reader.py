"""Questions to a stored run."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cosim.audit.verify import verify
from cosim.errors import InputError
from cosim.subjects import fact_kinds
from cosim.trace.facts.column import columns
from cosim.trace.facts.run import SCHEMA_VERSION, SiteDeployed, TaskEnded, TaskReleased, VehicleMoved
from cosim.trace.store.reader import Trace
from cosim.trace.store.writer import TraceWriter
from cosim.trace.views.timeline import timeline

BAD = [
    "SELEC 1",
    "SELECT nothing FROM task_ended",
    "SELECT * FROM nowhere",
    "",
    "SELECT 1; SELECT 2",
    "DROP VIEW task_ended",
    "COPY task_ended TO 'out.csv'",
    "ATTACH 'other.db'",
    "SET enable_external_access = true",
    "SELECT * FROM read_csv('/etc/passwd')",
]


def test_every_kind_is_a_view(stored_run: Path) -> None:
    """Each kind has a view with seq and its columns, also one without a single row."""
    with Trace.open(stored_run) as trace:
        for fact in fact_kinds():
            assert list(trace.table(fact).columns) == ["seq", *columns(fact)]
        assert trace.table(VehicleMoved).empty


def test_tables_are_in_order_of_time(stored_run: Path) -> None:
    """A table is sorted by time, then by the order of recording."""
    with Trace.open(stored_run) as trace:
        table = trace.table(TaskReleased)
    assert len(table) == 240
    assert table.equals(table.sort_values(["time_s", "seq"], ignore_index=True))


def test_codes_have_names(stored_run: Path) -> None:
    """status_name, phase_name, tier_name and direction_name turn codes into words, and -1 into nothing."""
    with Trace.open(stored_run) as trace:
        row = trace.sql(
            "SELECT status_name(8) a, phase_name(7) b, tier_name(3) c, direction_name(2) d, tier_name(-1) IS NULL e"
        )
        assert row.iloc[0].tolist() == ["IN_FLIGHT", "DONE", "NEIGHBOUR", "SIDELINK", True]
        assert set(trace.sql("SELECT DISTINCT tier_name(tier) AS tier FROM task_ended").tier) == {"LOCAL", "EDGE"}


def test_sums_are_the_same_each_time(tmp_path: Path) -> None:
    """A sum of floats over many parts has one value, whatever the processor does besides."""
    writer = TraceWriter(tmp_path / "run", 1.0)
    moved, rng = writer.batch(VehicleMoved), np.random.default_rng(1)
    for second in range(8):
        x_m, vehicle = rng.random(5000) * 1e-3, np.arange(5000)
        moved(time_s=float(second), vehicle=vehicle, x_m=x_m, y_m=0.0, speed_mps=0.0, site=vehicle % 10)
        writer.tick(float(second + 1))
    writer.close(complete=True)
    query = "SELECT site, sum(x_m) FILTER (x_m > 1e-5) AS x_m FROM vehicle_moved GROUP BY site ORDER BY site"
    with Trace.open(tmp_path / "run") as trace:
        assert len({tuple(trace.sql(query).x_m) for _ in range(100)}) == 1


def test_null_is_seen_in_a_run_of_one_part(tmp_path: Path) -> None:
    """IS NULL is true of what did not happen also where one part holds it beside numbers."""
    writer = TraceWriter(tmp_path / "run", 60.0)
    site = writer.recorder(SiteDeployed)
    site(0.0, 0, "rsu", 1.0, 2.0, 1, 1e9)
    site(0.0, 1, "cloud", float("nan"), float("nan"), 1, 1e9)
    writer.close(complete=True)
    with Trace.open(tmp_path / "run") as trace:
        assert trace.sql("SELECT x_m IS NULL AS nowhere FROM site_deployed ORDER BY site").nowhere.tolist() == [
            False,
            True,
        ]


@pytest.mark.parametrize("query", BAD)
def test_bad_queries_are_told_in_one_line(stored_run: Path, query: str) -> None:
    """Wrong SQL, a statement that writes, and a look outside the run are bad input in one line."""
    with Trace.open(stored_run) as trace, pytest.raises(InputError, match="SQL: ") as caught:
        trace.sql(query)
    assert "\n" not in str(caught.value)


def test_the_run_says_where_it_came_from(stored_run: Path) -> None:
    """Provenance and scenario come back as values."""
    with Trace.open(stored_run) as trace:
        assert trace.provenance.policy == "alternating"
        assert trace.provenance.facts > 800
        assert trace.provenance.versions["pyarrow"] == pa.__version__
        assert trace.scenario.duration_s == 60.0
        assert trace.complete
        assert trace.complete_to_s == 60.0


def test_the_life_of_a_task(stored_run: Path) -> None:
    """A timeline tells in order of time what happened to a task and to its vehicle's radio."""
    with Trace.open(stored_run) as trace:
        steps = timeline(trace.sql, 20)
    texts = [text.split(":")[0].split(" after ")[0] for _, text in steps]
    assert texts[:4] == ["released by vehicle 0", "decided", "uplink starts", "uplink ends in cell rsu-0"]
    assert texts[4:7] == ["enters the queue of rsu-0", "execution starts at rsu-0", "execution ends"]
    assert texts[7] == "downlink starts in cell rsu-0"
    assert texts[8].startswith("ends ")
    assert [time_s for time_s, _ in steps] == sorted(time_s for time_s, _ in steps)


def test_moves_and_cells_are_told(stored_run: Path) -> None:
    """A transfer that waits stands in the timeline of its task, a handover in that of its vehicle's task."""
    with Trace.open(stored_run) as trace:
        assert any("uplink waits for coverage, 10.00 bit left" in text for _, text in timeline(trace.sql, 0))
        during = trace.sql(
            "SELECT task FROM task_ended WHERE vehicle = 1 AND released_s <= 5 AND time_s >= 5 ORDER BY task"
        ).task.tolist()
        for task in during:
            assert (5.0, "vehicle changes from cell rsu-0 to cloud") in timeline(trace.sql, task)
        assert len(trace.table(TaskEnded)) == 240


def test_an_unknown_task_is_told(stored_run: Path) -> None:
    """A task that is not in the trace is bad input that says how many there are."""
    with Trace.open(stored_run) as trace, pytest.raises(InputError, match="240 tasks, numbered from 0"):
        timeline(trace.sql, 240)


def test_folders_that_cannot_be_read(run: Path, tmp_path: Path) -> None:
    """No manifest, a broken one, one of another schema and a lost part are bad input in one line."""
    with pytest.raises(InputError, match="not a run folder"):
        Trace.open(tmp_path)
    (run / "task_ended" / "part-00000.parquet").unlink()
    with pytest.raises(InputError, match="lost or broken") as caught:
        Trace.open(run)
    assert "\n" not in str(caught.value)
    text = (run / "manifest.json").read_text()
    (run / "manifest.json").write_text(text.replace(f'"schema_version": {SCHEMA_VERSION}', '"schema_version": 99'))
    with pytest.raises(InputError, match="schema_version=99"):
        Trace.open(run)
    (run / "manifest.json").write_text(text[:100])
    with pytest.raises(InputError, match=r"manifest\.json: broken"):
        Trace.open(run)


def test_a_manifest_of_other_types(run: Path) -> None:
    """A value of another type in the manifest is bad input in one line, for who opens the run and for the audit."""
    text = (run / "manifest.json").read_text()
    told = json.loads(text)
    for change in (
        *({"schema_version": value} for value in ([3], "3", 3.0, True, None)),
        *({"digests": value} for value in (None, [], {"task_ended": 5})),
        *({"state": value} for value in ("done", [])),
        {"complete_to_s": "60"},
        *({"parts": [{**told["parts"][0], name: "1"}]} for name in ("rows", "first_seq", "last_seq")),
        {"parts": [{**told["parts"][0], "file": 1}]},
    ):
        (run / "manifest.json").write_text(json.dumps({**told, **change}))
        with pytest.raises(InputError, match=r"manifest\.json: broken \(.*; run the scenario again"):
            verify(run)


def test_an_empty_run_is_readable(tmp_path: Path) -> None:
    """A run without a single fact opens, and all its tables are empty; its provenance is missing and said so."""
    TraceWriter(tmp_path / "run", 60.0).close(complete=True)
    with Trace.open(tmp_path / "run") as trace:
        assert all(trace.table(fact).empty for fact in fact_kinds())
        with pytest.raises(InputError, match=r"provenance\.json"):
            _ = trace.scenario
