"""Facts in memory, parts on the disk."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow.parquet as pq
import pytest
from crafted import recorded
from small_run import write_small_run

from cosim.errors import InputError
from cosim.subjects import fact_kinds
from cosim.trace.facts.column import Column, Time, columns
from cosim.trace.facts.run import SCHEMA_VERSION, CellChanged, SiteDeployed, TaskReleased, VehicleEntered, VehicleLeft
from cosim.trace.store.reader import Trace
from cosim.trace.store.writer import NullWriter, TraceWriter

NAN = float("nan")


def test_rows_come_back_as_recorded(tmp_path: Path) -> None:
    """Rows recorded one by one, by position or by name, and with texts, are read back with gapless seq."""
    writer = TraceWriter(tmp_path / "run", 60.0)
    changed, entered = writer.recorder(CellChanged), writer.recorder(VehicleEntered)
    changed(0.25, 7, -1, 3)
    entered(0.5, 8, "müller \N{BUS}", "bus")
    changed(time_s=0.75, vehicle=7, from_site=3, to_site=-1)
    writer.close(complete=True)
    with Trace.open(tmp_path / "run") as trace:
        assert recorded(trace, CellChanged).to_numpy().tolist() == [[0, 0.25, 7, -1, 3], [2, 0.75, 7, 3, -1]]
        assert trace.table(VehicleEntered).iloc[0].tolist() == [1, 0.5, 8, "müller \N{BUS}", "bus"]


def test_a_batch_equals_its_rows(tmp_path: Path) -> None:
    """A batch of arrays and repeated scalars stores the same rows, and the same digest, as one recording for each."""
    time_s, vehicle = np.linspace(0.0, 1.0, 5), np.arange(5)
    batched, single = TraceWriter(tmp_path / "a", 60.0), TraceWriter(tmp_path / "b", 60.0)
    batched.batch(CellChanged)(time_s=time_s, vehicle=vehicle, from_site=-1, to_site=2)
    batched.batch(CellChanged)(time_s=time_s[:0], vehicle=vehicle[:0], from_site=-1, to_site=2)
    record = single.recorder(CellChanged)
    for number in range(5):
        record(time_s[number], number, -1, 2)
    batched.close(complete=True)
    single.close(complete=True)
    assert batched.digest == single.digest
    assert batched.facts == 5


def test_a_batch_needs_all_columns(tmp_path: Path) -> None:
    """A missing column, arrays of two lengths, or a kind with texts is refused at the call."""
    writer = TraceWriter(tmp_path / "run", 60.0)
    with pytest.raises(TypeError, match="needs time_s, vehicle"):
        writer.batch(VehicleLeft)(time_s=np.zeros(2))
    with pytest.raises(TypeError, match="one length"):
        writer.batch(VehicleLeft)(time_s=np.zeros(2), vehicle=np.arange(3))
    with pytest.raises(TypeError, match="text columns"):
        writer.batch(SiteDeployed)


def test_the_digest_knows_neither_parts_nor_seq(tmp_path: Path) -> None:
    """The same facts in parts of another length have the same digest; a kind's own digest does not see other kinds."""
    short = write_small_run(tmp_path / "short", part_s=7.0)
    long = write_small_run(tmp_path / "long", part_s=60.0)
    assert short.digest == long.digest
    alone = TraceWriter(tmp_path / "alone", 60.0)
    mixed = TraceWriter(tmp_path / "mixed", 60.0)
    mixed.recorder(CellChanged)(0.0, 1, 2, 3)
    for writer in (alone, mixed):
        writer.recorder(VehicleLeft)(1.0, 2)
        writer.close(complete=True)
    assert alone.digests["vehicle_left"] == mixed.digests["vehicle_left"]
    assert alone.digest != mixed.digest


def test_equal_numbers_have_equal_bytes(tmp_path: Path) -> None:
    """Signs of zero and patterns of NaN do not enter the digest; a change of the last bit does."""
    digests = []
    for name, values in (("a", (0.0, NAN)), ("b", (-0.0, -NAN)), ("c", (5e-324, NAN))):
        writer = TraceWriter(tmp_path / name, 60.0)
        writer.recorder(SiteDeployed)(0.0, 1, "rsu", *values, 1, 1e9)
        writer.close(complete=True)
        digests.append(writer.digest)
    assert digests[0] == digests[1] != digests[2]


def test_kinds_rotate_together(tmp_path: Path) -> None:
    """At the first tick past a multiple of part_s every kind with rows writes a part; the manifest names them all."""
    writer = TraceWriter(tmp_path / "run", 10.0)
    left, changed = writer.recorder(VehicleLeft), writer.recorder(CellChanged)
    left(0.5, 1)
    changed(0.6, 1, 0, 1)
    writer.tick(9.0)
    assert not list((tmp_path / "run").glob("*/*.parquet"))
    writer.tick(10.5)
    left(15.0, 2)
    writer.tick(19.0)
    writer.tick(20.0)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["state"] == "running"
    assert manifest["complete_to_s"] == 20.0
    assert [(part["file"], part["rows"], part["first_seq"], part["last_seq"]) for part in manifest["parts"]] == [
        ("vehicle_left/part-00000.parquet", 1, 0, 0),
        ("cell_changed/part-00000.parquet", 1, 1, 1),
        ("vehicle_left/part-00001.parquet", 1, 2, 2),
    ]


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than the buffer's bound are written at the next tick, before the part's time is over."""
    monkeypatch.setattr("cosim.trace.store.writer.BUFFER_BYTE", 1000)
    writer = TraceWriter(tmp_path / "run", 1e6)
    writer.batch(VehicleLeft)(time_s=np.zeros(100), vehicle=np.arange(100))
    writer.tick(1.0)
    assert writer.facts == 100


def test_parts_say_what_their_columns_mean(stored_run: Path) -> None:
    """Each column of a part carries its unit and meaning, each part its kind and the schema's version."""
    for fact in fact_kinds():
        for path in stored_run.glob(f"{fact.__name__.lower()}/*.parquet"):
            schema = pq.read_schema(path)
            for name, column in columns(fact).items():
                assert schema.field(name).metadata[b"unit"].decode() == column.unit
    released = pq.ParquetFile(stored_run / "task_released" / "part-00000.parquet")
    assert released.schema_arrow.metadata[b"schema_version"] == str(SCHEMA_VERSION).encode()
    assert released.schema_arrow.metadata[b"kind"] == b"task_released"
    assert released.metadata.row_group(0).column(1).compression == "ZSTD"
    assert "BYTE_STREAM_SPLIT" in released.metadata.row_group(0).column(1).encodings
    assert "DELTA_BINARY_PACKED" in released.metadata.row_group(0).column(2).encodings


def test_another_run_is_not_overwritten(stored_run: Path, tmp_path: Path) -> None:
    """A folder that holds a run, or a file in its place, is bad input with a remedy."""
    with pytest.raises(InputError, match="give another --out"):
        TraceWriter(stored_run, 60.0)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="give a folder"):
        TraceWriter(tmp_path / "file", 60.0)


def test_the_null_writer_records_nothing(tmp_path: Path) -> None:
    """Without a trace the same calls do nothing."""
    writer = NullWriter()
    writer.recorder(VehicleLeft)(1.0, 2)
    writer.batch(TaskReleased)(time_s=np.zeros(3))
    writer.tick(1.0)
    writer.close(complete=True)
    assert not list(tmp_path.iterdir())


@dataclass(frozen=True)
class Awkward:
    """A kind whose columns have the names of a recorder's own variables."""

    time_s: Time
    buffer: Annotated[float, Column("<f8", "")]
    pack: Annotated[float, Column("<f8", "")]
    next_seq: Annotated[float, Column("<f8", "")]


def test_columns_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns called as a recorder's own variables are stored like others."""
    monkeypatch.setattr("cosim.trace.store.writer.fact_kinds", lambda: (Awkward,))
    writer = TraceWriter(tmp_path / "run", 10.0)
    writer.recorder(Awkward)(1.0, 2.0, 3.0, 4.0)
    writer.close(complete=True)
    stored = pq.read_table(tmp_path / "run" / "awkward" / "part-00000.parquet").to_pylist()
    assert [[row[name] for name in ("buffer", "pack", "next_seq")] for row in stored] == [[2.0, 3.0, 4.0]]


def test_a_kind_that_no_subject_has(tmp_path: Path) -> None:
    """Recording a kind that the table of subjects does not know is refused in one line."""
    writer = TraceWriter(tmp_path / "run", 10.0)
    for make in (writer.recorder, writer.batch):
        with pytest.raises(InputError, match=r"fact Awkward belongs to no subject; declare it by the entry point"):
            make(Awkward)
