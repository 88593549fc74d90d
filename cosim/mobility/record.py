"""Writes the frames of a source of traffic as a Parquet recording that replays bit for bit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.data_text import json_data
from cosim.errors import InputError
from cosim.locks import drafting
from cosim.mobility.recording import RecordedRows, to_centi
from cosim.mobility.source import MobilityFrame, MobilitySource
from cosim.parquet import open_literally
from cosim.roads.net import Bounds
from cosim.types import AnyArray

MARK = b"cosim.recording"
"""Key of the file metadata that identifies a Parquet file as a recording of cosim."""
VERSION = 1
_MEASURES = ("x_centi", "y_centi", "speed_centi", "heading_centi")
_SCHEMA = pa.schema([("tick", pa.int32()), ("vehicle", pa.int32()), *((name, pa.int32()) for name in _MEASURES)])
_FLUSH_ROWS = 1 << 20


def last_tick(duration_s: float, step_s: float) -> int:
    """Return the number of the last tick at or before the end of a run."""
    return int(np.floor(duration_s / step_s + 1e-9))


def record_frames(source: MobilitySource, duration_s: float, path: Path, begin_s: float = 0.0) -> int:
    """Write the frames of ticks 0 to duration_s / step_s, both included, and return the number of vehicle rows.

    Values are hundredths as int32, -2^31 stands for NaN. Vehicles, step, bounds and the number of ticks are in the
    file's metadata, so that empty frames count too. The source is left open.

    Args:
        source: source of traffic, before its first tick.
        duration_s: simulated time to record.
        path: file to write.
        begin_s: traffic time of tick 0, from which a replay counts its own begin_s.

    Raises:
        InputError: the file cannot be written.
        RunError: the source failed; no file is left behind.
    """
    try:
        with drafting(path, "file") as draft:
            return _write(source, last_tick(duration_s, source.step_s) + 1, draft, begin_s)
    except OSError as error:
        raise InputError(f"recording {path}: cannot be written ({error.strerror}); choose another file") from error


def recorded_s(path: Path) -> tuple[float, float]:
    """Return step and length in s of a recording of cosim.

    Raises:
        InputError: the file is no such recording.
    """
    about = _described(path)
    return float(about["step_s"]), (about["ticks"] - 1) * float(about["step_s"])


def recorded_vehicles(path: Path) -> int:
    """Return the number of vehicles of a recording of cosim.

    Raises:
        InputError: the file is no such recording.
    """
    return len(_described(path)["vehicles"])


def recorded_bounds(path: Path) -> Bounds:
    """Return the bounds in m of a recording of cosim.

    Raises:
        InputError: the file is no such recording.
    """
    left, bottom, right, top = _described(path)["bounds_m"]
    return left, bottom, right, top


def _described(path: Path) -> dict[str, Any]:
    try:
        with open_literally(path) as file:
            about: dict[str, Any] = json_data((pq.read_metadata(file).metadata or {})[MARK])
    except (pa.ArrowException, KeyError, OSError, ValueError) as error:
        raise InputError(f"{path}: not a recording of `cosim map record`; record one") from error
    return about


def recording_begin_s(described: bytes) -> float:
    """Return the traffic time of tick 0 of a recording of cosim; 0 for one that does not say it.

    Args:
        described: the file's metadata under MARK.

    Raises:
        ValueError: it is no number of seconds.
    """
    begin_s = json_data(described).get("begin_s", 0.0)
    if isinstance(begin_s, bool) or not isinstance(begin_s, int | float) or not 0 <= begin_s < np.inf:
        raise ValueError("its begin_s is no number of seconds; record again")
    return float(begin_s)


def read_recording(table: pa.Table, described: bytes, step_s: float) -> tuple[RecordedRows, int, Bounds]:
    """Return rows, number of ticks and bounds of a recording of cosim.

    Args:
        table: rows of the file.
        described: the file's metadata under MARK.
        step_s: step of the run; the recording's own, or a multiple of it.

    Raises:
        ValueError: the recording is of another version or step.
    """
    about = json_data(described)
    if about["version"] != VERSION:
        raise ValueError(f"recording version {about['version']}, this cosim reads {VERSION}; record again")
    every = round(step_s / about["step_s"])
    if every < 1 or abs(every * about["step_s"] - step_s) > 1e-9:
        raise ValueError(f"it was recorded each {about['step_s']:g} s; set mobility.step_s to that or a multiple")
    tick, vehicle = (table[name].to_numpy().astype(np.int64) for name in ("tick", "vehicle"))
    centi = np.column_stack([table[name].to_numpy() for name in _MEASURES])
    rows = RecordedRows(tick, vehicle, centi, tuple((name, kind) for name, kind in about["vehicles"]))
    left, bottom, right, top = about["bounds_m"]
    if every > 1:
        rows = rows.chosen(tick % every == 0)
        rows.tick[:] //= every
    return rows, (about["ticks"] - 1) // every + 1, (left, bottom, right, top)


def _write(source: MobilitySource, ticks: int, path: Path, begin_s: float) -> int:
    vehicles: list[tuple[str, str]] = []
    waiting: list[tuple[AnyArray, ...]] = []
    rows = 0
    options = {"compression": "zstd", "use_dictionary": False, "column_encoding": "DELTA_BINARY_PACKED"}
    with open_literally(path, "wb") as file, pq.ParquetWriter(file, _SCHEMA, **options) as writer:
        for tick in range(ticks):
            frame = source.advance(tick)
            vehicles += [(entry.vehicle_id, entry.vehicle_type) for entry in frame.entered]
            waiting.append(_columns(tick, frame))
            rows += len(frame.numbers)
            if tick == ticks - 1 or sum(len(part[0]) for part in waiting) >= _FLUSH_ROWS:
                columns = [np.concatenate(column) for column in zip(*waiting, strict=True)]
                writer.write_table(pa.table(dict(zip(_SCHEMA.names, columns, strict=True)), schema=_SCHEMA))
                waiting.clear()
        about: dict[str, Any] = {"version": VERSION, "step_s": source.step_s, "ticks": ticks}
        about |= {"bounds_m": source.bounds_m, "vehicles": vehicles} | ({"begin_s": begin_s} if begin_s else {})
        writer.add_key_value_metadata({MARK: json.dumps(about).encode()})
    return rows


def _columns(tick: int, frame: MobilityFrame) -> tuple[AnyArray, ...]:
    shared = np.full(len(frame.numbers), tick, dtype=np.int32), frame.numbers.astype(np.int32)
    motion = frame.xy_m[:, 0], frame.xy_m[:, 1], frame.speed_mps, frame.heading_deg
    return (*shared, *(to_centi(values) for values in motion))
