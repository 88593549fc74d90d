"""A run of schema 3, whose tasks do not say over which wires their results came: it is read and audited as it was.

`data/schema3` are five seconds of two sites, as cosim wrote them before schema 4.
"""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cosim.audit.verify import verify
from cosim.cli import main as cli
from cosim.trace.store.reader import Trace

STORED = Path(__file__).parent / "data" / "schema3"
LATER = ["downlink_from_site", "wire_bit"]


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command prints."""
    assert cli.status(list(map(str, arguments))) == 0
    return capsys.readouterr().out


def test_it_verifies(capsys: pytest.CaptureFixture[str]) -> None:
    """`trace verify` ends with 0 and gives the digest that the run had, over its own columns."""
    known = json.loads((STORED / "provenance.json").read_text())
    assert not set(LATER) & set(pq.read_schema(STORED / "task_ended" / "part-00000.parquet").names)
    verdict, note = said(capsys, "trace", "verify", STORED).splitlines()
    assert verdict == f"{STORED}: ok: complete run, {known['facts']} facts, digest {known['digest']}"
    assert note.startswith("an older run, without hashes of its files: ")


def test_what_it_does_not_say_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    """The later columns are NULL in SQL and are no columns of its data dictionary; the rest is there."""
    with Trace.open(STORED) as trace:
        counts = trace.sql("SELECT count(*) AS rows, count(wire_bit), count(downlink_from_site) FROM task_ended")
        assert counts.to_numpy().tolist() == [[12, 0, 0]]
    kinds = json.loads(said(capsys, "trace", "schema", STORED, "--json"))
    assert kinds["schema_version"] == 3
    named = [column["name"] for kind in kinds["kinds"] if kind["kind"] == "task_ended" for column in kind["columns"]]
    assert named[-1] == "edge_cpu_j"


def test_it_is_explained_and_exported(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Lateness, a task's life, the summary and CSV answer as of a run of today."""
    assert said(capsys, "trace", "late", STORED).startswith("12 late, 0 lost")
    assert "downlink starts\n" in said(capsys, "trace", "task", STORED, "1")
    assert "released" in said(capsys, "trace", "summary", STORED)
    said(capsys, "trace", "export", STORED, "--format", "csv", "--out", tmp_path / "csv")
    head = (tmp_path / "csv" / "task_ended.csv").read_text().splitlines()[0]
    assert head.endswith('"edge_cpu_j"')


def test_a_changed_row_is_named(tmp_path: Path) -> None:
    """One row that is another is found by its check, which is over the columns of then."""
    run = Path(shutil.copytree(STORED, tmp_path / "run"))
    path = run / "task_ended" / "part-00000.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[0]["time_s"] += 1e-9
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    found = [str(finding) for finding in verify(run).findings]
    assert f"task_ended row seq={rows[0]['seq']}: was changed: it does not fit its check" in found
