"""A run in other tools' formats, read back: Perfetto by its protobuf schema, Chrome's JSON, CSV."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as proto

from cosim.cli import main as cli
from cosim.errors import InputError
from cosim.subjects import fact_kinds
from cosim.trace.store.reader import Trace
from cosim.trace.views.export import export_trace


def exported(run: Path, form: str, out: Path) -> Path:
    """Where the export is."""
    with Trace.open(run) as trace:
        export_trace(trace, form, out)
    return out


def phases(run: Path) -> dict[str, int]:
    """Slices that the export must have, by track."""
    with Trace.open(run) as trace:
        rows = trace.sql(
            "SELECT count(*) FILTER (tier = 1) AS uplink, count(*) FILTER (tier = 1 AND started_s > queued_s + 1e-9 "
            "OR tier = 1 AND started_s IS NULL AND time_s > queued_s) AS queue, "
            "count(*) FILTER (tier = 1 AND started_s IS NOT NULL) AS host FROM task_ended"
        )
    return {name: int(rows[name][0]) for name in rows.columns}


def read_perfetto(path: Path) -> tuple[dict[int, Any], list[Any]]:
    """Track descriptors by uuid, and the packets with events in order."""
    trace = proto.Trace()
    trace.ParseFromString(path.read_bytes())
    described = [packet.track_descriptor for packet in trace.packet if packet.HasField("track_descriptor")]
    assert len({one.uuid for one in described}) == len(described)
    return {one.uuid: one for one in described}, [one for one in trace.packet if one.HasField("track_event")]


def test_perfetto_parses_with_sites_as_tracks(run: Path, tmp_path: Path) -> None:
    """Perfetto's own schema reads the file: sites on top, their tracks below, all slices there with their arguments."""
    described, events = read_perfetto(exported(run, "perfetto", tmp_path / "run.pftrace"))
    roots = {one.uuid: one.name for one in described.values() if not one.parent_uuid}
    assert set(roots.values()) == {"rsu-0", "vehicles"}
    begun = [one.track_event for one in events if one.track_event.type == proto.TrackEvent.TYPE_SLICE_BEGIN]
    at_site = [one for one in begun if roots[described[one.track_uuid].parent_uuid] == "rsu-0"]
    for name, count in phases(run).items():
        assert sum(one.categories[0] == name for one in at_site) == count
    notes = {note.name: note for note in at_site[0].debug_annotations}
    assert (notes["task"].int_value, notes["vehicle"].int_value, notes["status"].string_value) == (0, 0, "completed")


def test_perfetto_slices_never_overlap(run: Path, tmp_path: Path) -> None:
    """On each track every slice ends before the next begins, in the order of the file."""
    described, events = read_perfetto(exported(run, "perfetto", tmp_path / "run.pftrace"))
    by_track: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for packet in events:
        if packet.track_event.type != proto.TrackEvent.TYPE_COUNTER:
            by_track[packet.track_event.track_uuid].append((packet.timestamp, packet.track_event.type))
    assert any(described[uuid].name.startswith("queue ") for uuid in by_track)  # several wait at once: lanes
    for track in by_track.values():
        times, kinds = np.array(track).T
        assert (np.diff(times) >= 0).all()
        assert (kinds[::2] == proto.TrackEvent.TYPE_SLICE_BEGIN).all()
        assert (kinds[1::2] == proto.TrackEvent.TYPE_SLICE_END).all()


def test_perfetto_counters(run: Path, tmp_path: Path) -> None:
    """Queue length is a counter track with a value for each sample."""
    described, events = read_perfetto(exported(run, "perfetto", tmp_path / "run.pftrace"))
    (queue,) = [one for one in described.values() if one.name == "queue length"]
    assert queue.HasField("counter")
    assert sum(one.track_event.track_uuid == queue.uuid for one in events) == 60


def test_chrome_loads_and_nests(run: Path, tmp_path: Path) -> None:
    """The JSON has the same slices, none of one thread overlap, and every process and thread is named."""
    path = exported(run, "chrome", tmp_path / "run.json")
    events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    named = {(one["pid"], one["tid"]) for one in events if one["ph"] == "M"}
    slices = pd.DataFrame([one for one in events if one["ph"] == "X"])
    assert {(pid, tid) for pid, tid in zip(slices.pid, slices.tid, strict=True)} <= named
    site = next(one["pid"] for one in events if one["ph"] == "M" and one["args"]["name"] == "rsu-0")
    counted = slices[slices.pid == site].groupby("cat").size()
    assert {name: counted[name] for name in phases(run)} == phases(run)
    for _, lane in slices.groupby(["pid", "tid"]):
        ordered = lane.sort_values("ts")
        assert (ordered.ts.to_numpy()[1:] - (ordered.ts + ordered.dur).to_numpy()[:-1] > -1e-6).all()
    assert sum(one["ph"] == "C" and one["name"] == "queue length" for one in events) == 60


def test_csv_has_every_row(run: Path, tmp_path: Path) -> None:
    """One file for each kind with the rows and values of the trace."""
    folder = exported(run, "csv", tmp_path / "csv")
    assert len(list(folder.iterdir())) == len(fact_kinds()) + 1
    with Trace.open(run) as trace:
        for fact, kind in zip(fact_kinds(), trace.kinds, strict=True):
            read = pd.read_csv(folder / f"{kind}.csv")
            stored = trace.table(fact).sort_values("seq").reset_index(drop=True)
            assert read.columns.tolist() == stored.columns.tolist()
            read = read.sort_values("seq").reset_index(drop=True)
            whole = {name: np.float64 for name in stored if str(stored[name].dtype).startswith("Int")}
            pd.testing.assert_frame_equal(
                read.astype(whole), stored.astype(whole), check_dtype=False, rtol=1e-6, atol=0
            )


def test_what_exists_is_kept(run: Path, tmp_path: Path) -> None:
    """An existing file or folder is refused in one line and not touched."""
    path = tmp_path / "there"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="exists"):
        exported(run, "chrome", path)
    assert path.read_text(encoding="utf-8") == "mine"


def test_without_the_package(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package perfetto one line says what to install, and nothing is written."""
    monkeypatch.setitem(__import__("sys").modules, "perfetto.protos.perfetto.trace", None)
    with pytest.raises(InputError, match=r"pip install 'cosim-vec\[timeline\]'"):
        exported(run, "perfetto", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_unknown_format_ends_with_2(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--format xml` is refused with the formats that there are."""
    assert cli.status(["trace", "export", str(run), "--format", "xml", "--out", str(tmp_path / "x")]) == 2
    assert "perfetto, chrome, csv" in capsys.readouterr().err
