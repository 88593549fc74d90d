"""The audit of stored runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from effort import rest_long
from hashes import rehashed

from cosim.audit.verify import verify
from cosim.errors import InputError

CHANGES = [
    ("task_ended", "handovers", 1),
    ("task_ended", "seq", 10_000),
    ("task_decided", "expected_s", 0.40000000000000008),
    ("vehicle_entered", "vehicle_type", "truck"),
    ("task_released", "input_bit", 2e6),
    ("task_ended", "transmit_j", 0.5),
    ("host_sampled", "served", 77),
    ("traffic_sampled", "mean_speed_mps", 11.0),
    ("cell_changed", "to_site", 1),
]
KINDS = ["task_ended", "vehicle_entered", "task_released", "task_decided", "cell_sampled"]


def rewrite(run: Path, kind: str, edit: Callable[[list[dict[str, Any]]], None], number: int = 0) -> None:
    """Change the rows of a part and store it again with the same schema."""
    path = run / kind / f"part-{number:05d}.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    edit(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


def test_a_sound_run_passes(run: Path) -> None:
    """A run that adds up has no findings and keeps the digest of its provenance."""
    report = verify(run)
    assert report.ok, report.lines
    assert report.complete
    assert report.digest == json.loads((run / "provenance.json").read_text())["digest"]
    assert len(report.lines) == 1


@pytest.mark.parametrize(("kind", "column", "value"), rest_long(CHANGES, 4))
def test_a_changed_row_is_named(run: Path, kind: str, column: str, value: Any) -> None:
    """One changed field of one row makes the audit fail, naming the kind and the row."""
    changed: list[int] = []

    def edit(rows: list[dict[str, Any]]) -> None:
        assert rows[0][column] != value
        rows[0][column] = value
        changed.append(rows[0]["seq"])

    rewrite(run, kind, edit)
    report = verify(run)
    named = [finding for finding in report.findings if "does not fit its check" in finding.why]
    assert [(finding.kind, finding.seq) for finding in named] == [(kind, changed[0])]


@pytest.mark.parametrize("kind", rest_long(KINDS, 2))
def test_a_dropped_row_is_named(run: Path, kind: str) -> None:
    """One row taken out makes the audit fail, naming the kind and the row that is missing."""
    dropped: list[int] = []
    rewrite(run, kind, lambda rows: dropped.append(rows.pop(1)["seq"]))
    missing = [finding for finding in verify(run).findings if finding.why == "is missing"]
    assert [(finding.kind, finding.seq) for finding in missing] == [(kind, dropped[0])]


@pytest.mark.parametrize("kind", rest_long(KINDS, 2))
def test_a_doubled_row_is_named(run: Path, kind: str) -> None:
    """One row put in twice makes the audit fail, naming the kind and the row."""
    doubled: list[int] = []

    def edit(rows: list[dict[str, Any]]) -> None:
        rows.insert(2, rows[1])
        doubled.append(rows[1]["seq"])

    rewrite(run, kind, edit)
    named = [finding for finding in verify(run).findings if finding.why == "is there more than once"]
    assert [(finding.kind, finding.seq) for finding in named] == [(kind, doubled[0])]


def test_a_lost_and_a_broken_part_are_named(run: Path) -> None:
    """A missing file and a cut file are findings with the file's name, not exceptions."""
    (run / "task_ended" / "part-00001.parquet").unlink()
    cut = run / "task_released" / "part-00000.parquet"
    cut.write_bytes(cut.read_bytes()[:-100])
    lines = verify(run).lines
    assert "task_ended: task_ended/part-00001.parquet is missing" in lines
    assert any(line.startswith("task_released: task_released/part-00000.parquet cannot be read") for line in lines)


def test_a_foreign_digest_is_found(run: Path) -> None:
    """A digest in provenance.json that is not the rows' makes the audit fail."""
    said = json.loads((run / "provenance.json").read_text())
    (run / "provenance.json").write_text(json.dumps({**said, "digest": "f" * 64}))
    assert {finding.kind for finding in verify(run).findings} == {"provenance.json"}
    (finding,) = verify(rehashed(run)).findings
    assert finding.why.startswith(f"its digest {'f' * 64} is not the rows' ")


def test_no_run_folder(tmp_path: Path) -> None:
    """A folder without a manifest is bad input, in one line."""
    with pytest.raises(InputError, match="not a run folder") as caught:
        verify(tmp_path)
    assert "\n" not in str(caught.value)
