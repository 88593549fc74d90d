"""Export of a run to the formats of other tools: Perfetto, Chrome's trace events, and CSV.

Perfetto: https://perfetto.dev/docs/reference/synthetic-track-event, opened at ui.perfetto.dev. Chrome: the JSON Object
Format of the "Trace Event Format" document, complete events (X) in microseconds with three decimals, one process for
each site, one thread for each lane.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from cosim.errors import InputError
from cosim.locks import drafting, make_folders, remove_empty
from cosim.parquet import open_literally
from cosim.trace.facts.codes import code_names
from cosim.trace.store.durable import write_durably
from cosim.trace.store.layout import CHECK, Layout
from cosim.trace.store.nulls import table_with_nulls
from cosim.trace.store.reader import Trace
from cosim.trace.views.slices import Counter, Track, counters, status_word, tracks

CODES: Final = "codes.csv"
"""File with the names of the codes in the other files: kind, column, code, name."""
FORMATS: Final = ("perfetto", "chrome", "csv")
_SEQUENCE: Final = 1
_US: Final = 1e-3


def export_trace(trace: Trace, form: str, out: Path, *, names: bool = False) -> None:
    """Write a run into a new file, or for `csv` into a new folder with a file for each kind and one for the codes.

    Args:
        trace: a run.
        form: one of FORMATS.
        out: the file or folder to make.
        names: write the names of codes instead of their numbers; for `csv`, the other formats have names anyway.

    Raises:
        InputError: unknown format, `out` exists, a kind has the name of the file of codes, names are asked for in
            another format than CSV, or the package perfetto is missing.
        OSError: the disk refuses.
    """
    if form not in FORMATS:
        raise InputError(f"--format {form}: unknown; give one of {', '.join(FORMATS)}")
    if names and form != "csv":
        raise InputError(f"--names: is for --format csv, {form} has the names of codes anyway; leave --names out")
    if out.exists():
        raise InputError(f"{out}: exists; give another --out or remove it")
    if form == "csv":
        _write_csv(trace, out, names=names)
        return
    schema = _perfetto() if form == "perfetto" else None
    made = make_folders(out.parent)
    try:
        _write_new(out, lambda sink: _write_perfetto(trace, sink, schema) if schema else _write_chrome(trace, sink))
    except BaseException:
        remove_empty(made)
        raise


def _write_new(out: Path, write: Callable[[BinaryIO], object]) -> None:
    try:
        write_durably(out, write, new=True)
    except FileExistsError:
        raise InputError(f"{out}: exists; give another --out or remove it") from None


# --- csv -----------------------------------------------------------------------------------------------------------


def _write_csv(trace: Trace, folder: Path, *, names: bool) -> None:
    """Write the kinds part by part, in the order of recording, so that one part is in memory at a time.

    A cell of what did not happen is empty.
    """
    if Path(CODES).stem in trace.layouts:
        raise InputError(
            f"--format csv: the run has a kind {Path(CODES).stem}, whose file would be {CODES}, the table of codes; "
            "read it by `cosim trace sql`, or rename the kind in its package"
        )
    with drafting(folder, "--out") as draft:
        draft.mkdir()
        _write_kinds(trace, draft, names=names)


def _write_kinds(trace: Trace, folder: Path, *, names: bool) -> None:
    with (folder / CODES).open("w", newline="", encoding="utf-8") as sink:
        csv.writer(sink).writerows([("kind", "column", "code", "name"), *_codes(trace)])
    for stored in trace.layouts.values():
        shown = [name for name in stored.schema.names if name != CHECK]
        empty = stored.schema.empty_table().select(shown)
        with pa_csv.CSVWriter(folder / f"{stored.kind}.csv", _csv_rows(empty, stored, names=names).schema) as writer:
            for part in trace.manifest.parts:
                if part.kind == stored.kind:
                    with open_literally(trace.run / part.file) as file:
                        rows = pq.read_table(file, columns=shown)
                    writer.write_table(_csv_rows(rows, stored, names=names))


def _csv_rows(rows: Any, stored: Layout, *, names: bool) -> Any:
    """Return rows as CSV has them: nulls for what did not happen, and names of codes if they are asked for."""
    rows = table_with_nulls(rows, stored.columns)
    columns = {name: rows.column(name) for name in rows.column_names}
    for name, column in stored.columns.items() if names else ():
        if column.codes is not None:
            columns[name] = _named(columns[name], code_names(column.codes))
    return pa.table(columns)


def _named(codes: Any, names: Mapping[int, str]) -> Any:
    """Return a column of codes as their names; a number that is no code stays one."""
    place = pc.index_in(codes, pa.array(list(names), codes.type))
    return pc.coalesce(pa.chunked_array([pa.array(list(names.values()))]).take(place), codes.cast(pa.string()))


def _codes(trace: Trace) -> Iterator[tuple[str, str, int, str]]:
    for stored in trace.layouts.values():
        for name, column in stored.columns.items():
            for code, said in code_names(column.codes).items() if column.codes is not None else ():
                yield stored.kind, name, code, said


# --- chrome --------------------------------------------------------------------------------------------------------


def _write_chrome(trace: Trace, sink: BinaryIO) -> None:
    sink.write(b'{"displayTimeUnit": "ms", "traceEvents": [\n')
    first = True
    for event in _chrome_events(trace):
        sink.write((b"" if first else b",\n") + json.dumps(event).encode())
        first = False
    sink.write(b"\n]}\n")


def _chrome_events(trace: Trace) -> Iterator[dict[str, Any]]:
    owners: dict[str, int] = {}
    threads: dict[str, int] = {}

    def process(owner: str) -> Iterator[dict[str, Any]]:
        if owner not in owners:
            owners[owner] = len(owners) + 1
            yield {"ph": "M", "name": "process_name", "pid": owners[owner], "tid": 0, "args": {"name": owner}}

    for track in tracks(trace):
        yield from process(track.owner)
        pid, first = owners[track.owner], threads.get(track.owner, 1)
        threads[track.owner] = first + track.lanes
        for lane in range(track.lanes):
            yield {
                "ph": "M",
                "name": "thread_name",
                "pid": pid,
                "tid": first + lane,
                "args": {"name": _lane(track, lane)},
            }
        for begin, end, lane, name, args in _slices(track):
            yield {"ph": "X", "name": name, "cat": track.name, "pid": pid, "tid": first + lane,
                   "ts": begin * _US, "dur": (end - begin) * _US, "args": args}  # fmt: skip
    for counter in counters(trace):
        yield from process(counter.owner)
        for time_ns, value in zip(counter.time_ns.tolist(), counter.value.tolist(), strict=True):
            yield {"ph": "C", "name": counter.name, "pid": owners[counter.owner], "tid": 0, "ts": time_ns * _US,
                   "args": {"value": value}}  # fmt: skip


def _lane(track: Track, lane: int) -> str:
    return f"{track.name} {lane + 1}" if track.lanes > 1 else track.name


def _slices(track: Track) -> Iterator[tuple[int, int, int, str, dict[str, Any]]]:
    """Yield (begin, end, lane, name, arguments) of each slice."""
    columns = (track.begin_ns, track.end_ns, track.lane, track.task, track.vehicle, track.status)
    for begin, end, lane, task, vehicle, status in zip(*(column.tolist() for column in columns), strict=True):
        yield begin, end, lane, f"task {task}", {"task": task, "vehicle": vehicle, "status": status_word(status)}


# --- perfetto ------------------------------------------------------------------------------------------------------


def _perfetto() -> Any:
    """Return the module with Perfetto's protobuf classes."""
    try:
        from perfetto.protos.perfetto.trace import perfetto_trace_pb2  # noqa: PLC0415 - an optional package
    except ImportError as error:
        raise InputError("--format perfetto: needs the package perfetto; pip install 'cosim-vec[timeline]'") from error
    return perfetto_trace_pb2


def _write_perfetto(trace: Trace, sink: BinaryIO, schema: Any) -> None:
    """Write the packets in pieces: a trace is a repeated field, so that pieces in sequence are one trace."""
    owners: dict[str, int] = {}
    numbers = iter(range(1, 1 << 62))
    for track in tracks(trace):
        piece = schema.Trace()
        parent = _owner(piece, track.owner, owners, numbers)
        lanes = [next(numbers) for _ in range(track.lanes)]
        for lane, uuid in enumerate(lanes):
            described = piece.packet.add().track_descriptor
            described.uuid, described.parent_uuid, described.name = uuid, parent, _lane(track, lane)
        for begin, end, lane, name, args in _slices(track):
            opened = _event(piece, begin, lanes[lane], schema.TrackEvent.TYPE_SLICE_BEGIN)
            opened.name = name
            opened.categories.append(track.name)
            _annotate(opened, args)
            _event(piece, end, lanes[lane], schema.TrackEvent.TYPE_SLICE_END)
        sink.write(piece.SerializeToString())
    for counter in counters(trace):
        piece = schema.Trace()
        _count(piece, counter, _owner(piece, counter.owner, owners, numbers), next(numbers), schema)
        sink.write(piece.SerializeToString())


def _owner(piece: Any, owner: str, owners: dict[str, int], numbers: Iterator[int]) -> int:
    if owner not in owners:
        owners[owner] = next(numbers)
        described = piece.packet.add().track_descriptor
        described.uuid, described.name = owners[owner], owner
    return owners[owner]


def _event(piece: Any, time_ns: int, uuid: int, kind: int) -> Any:
    packet = piece.packet.add()
    packet.timestamp = time_ns
    packet.trusted_packet_sequence_id = _SEQUENCE
    packet.track_event.track_uuid = uuid
    packet.track_event.type = kind
    return packet.track_event


def _annotate(event: Any, args: dict[str, Any]) -> None:
    for name, value in args.items():
        note = event.debug_annotations.add()
        note.name = name
        if isinstance(value, str):
            note.string_value = value
        else:
            note.int_value = value


def _count(piece: Any, counter: Counter, parent: int, uuid: int, schema: Any) -> None:
    described = piece.packet.add().track_descriptor
    described.uuid, described.parent_uuid, described.name = uuid, parent, counter.name
    described.counter.SetInParent()
    for time_ns, value in zip(counter.time_ns.tolist(), counter.value.tolist(), strict=True):
        _event(piece, time_ns, uuid, schema.TrackEvent.TYPE_COUNTER).counter_value = value
