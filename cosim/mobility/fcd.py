"""Replays a recording instead of running SUMO: cosim's own Parquet, SUMO's floating car data (FCD), or GPS tracks."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.errors import InputError, RunError
from cosim.mobility.foreign import FcdTable
from cosim.mobility.foreign_file import ForeignRecording, foreign_name, read_foreign
from cosim.mobility.frames import CENTI
from cosim.mobility.on_roads import off_roads, refuse_elsewhere
from cosim.mobility.record import MARK, last_tick, read_recording, recording_begin_s
from cosim.mobility.recording import ABSENT, RecordedRows, Recording, sorted_recording, to_centi
from cosim.mobility.source import MobilityFrame
from cosim.parquet import open_literally
from cosim.roads.net import Bounds
from cosim.scenario.traffic import ReplayMobility
from cosim.types import BoolArray

_ON_TICK = 1e-6
"""A recorded time this near to a tick, in steps, belongs to it."""


class RecordedMobility:
    """A recording as a source of traffic, one frame for each tick.

    SUMO's files do not mark vehicles that are being teleported: a vehicle enters at its first row, leaves after its
    last, and is taken as teleported where a row is missing between. SUMO writes under time t the state at the end of
    the step that begins at t; libsumo shows the same under t + step. Rows between two ticks are skipped. Tracks are
    interpolated to the ticks; their time begins at the first fix. Positions in degrees are projected, on a map with a
    net by its UTM.

    Args:
        path: *.parquet, *.xml, *.csv, the last two also gzipped.
        mobility: section of the scenario.
        duration_s: duration of the run.
        bounds_m: bounds of the map; None: those of the recording.
        net: net of the map; None without one.
        foreign: content of the file, if it was read before.

    Raises:
        InputError: the file is missing, malformed, of another step or another place, or ends before the run does.
    """

    step_s: float
    bounds_m: Bounds
    notes: tuple[str, ...]
    """Remarks for the user on what was made of a file of another program."""

    def __init__(
        self,
        path: Path,
        mobility: ReplayMobility,
        duration_s: float,
        bounds_m: Bounds | None = None,
        net: Path | None = None,
        foreign: ForeignRecording | None = None,
    ) -> None:
        if not path.is_file():
            raise InputError(f"mobility.file={mobility.file}: there is no file {path}; correct the path")
        self.step_s = mobility.step_s
        self._path = path
        self._recording, self.notes = _read(path, mobility, bounds_m, net, foreign)
        self.bounds_m = bounds_m or self._recording.bounds_m
        end_s = (self._recording.ticks - 1) * self.step_s
        if last_tick(duration_s, self.step_s) >= self._recording.ticks:
            raise InputError(
                f"mobility.file={mobility.file or path}: the recording ends {end_s:g} s after mobility.begin_s and "
                f"the run takes {duration_s:g} s; lower duration_s or record longer"
            )

    def advance(self, tick: int) -> MobilityFrame:
        """Return the frame of a tick.

        Raises:
            RunError: the recording has ended.
        """
        if tick >= self._recording.ticks:
            raise RunError(f"{self._path}: the recording ends before t={tick * self.step_s:g} s; record longer")
        return self._recording.frame(tick, self.step_s)

    def close(self) -> None:
        """Close the source; may be called twice."""


def _read(
    path: Path, mobility: ReplayMobility, bounds_m: Bounds | None, net: Path | None, foreign: ForeignRecording | None
) -> tuple[Recording, tuple[str, ...]]:
    kind = foreign_name(path)
    if not kind:
        raise InputError(
            f"mobility.file={mobility.file}: the name must end in .parquet, .xml, .csv, .xml.gz or .csv.gz"
        )
    notes: list[str] = []
    try:
        about = None
        if kind == "parquet":
            with open_literally(path) as file:
                stored = pq.ParquetFile(file)
                about = (stored.metadata.metadata or {}).get(MARK)
                table = stored.read() if about else None
        if about:
            recording = _own(table, about, mobility)
        else:
            foreign = foreign or read_foreign(path, net, mobility.step_s)
            notes += [f"{mobility.file}: {what}: {text}" for what, text in foreign.notes]
            recording = _foreign(foreign.table, mobility)
            if bounds_m is None and len(recording.rows.tick) == 0:
                raise ValueError(
                    "it has no vehicle at any tick, so where it plays is not known; record some, or name a map"
                )
        centi = recording.rows.centi
        xy_m = centi[centi[:, 0] != ABSENT, :2] / CENTI
        if bounds_m is not None:
            refuse_elsewhere(xy_m, bounds_m)
        if net is not None and not about and (remark := off_roads(xy_m, net)):
            notes.append(f"{mobility.file}: {remark}")
    except (pa.ArrowException, ValueError, KeyError, OSError, EOFError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"mobility.file={mobility.file or path}: {reason}") from error
    return recording, tuple(notes)


def _own(table: pa.Table, about: bytes, mobility: ReplayMobility) -> Recording:
    rows, ticks, bounds_m = read_recording(table, about, mobility.step_s)
    first_s = recording_begin_s(about)
    last_s = first_s + (ticks - 1) * mobility.step_s
    skipped_s = mobility.begin_s - first_s if mobility.begin_s else 0.0
    if not -_ON_TICK <= skipped_s <= last_s - first_s + _ON_TICK:
        raise ValueError(
            f"mobility.begin_s={mobility.begin_s:.10g} is not within the recording, {first_s:.10g} to {last_s:.10g} s; "
            "choose a time of it, or 0 for its start"
        )
    begin = round(skipped_s / mobility.step_s)
    if abs(begin * mobility.step_s - skipped_s) > _ON_TICK:
        raise ValueError(f"mobility.begin_s={mobility.begin_s:g} is not a multiple of mobility.step_s; round it")
    if begin:
        rows = rows.chosen(rows.tick >= begin)
        rows.tick[:] -= begin
    return sorted_recording(rows, max(0, ticks - begin), bounds_m)


def _foreign(table: FcdTable, mobility: ReplayMobility) -> Recording:
    """Return the rows of SUMO's FCD at the run's ticks; empty frames are known from rows without a vehicle."""
    place = (table.time_s - mobility.begin_s) / mobility.step_s
    tick = np.rint(place).astype(np.int64)
    kept = (np.abs(place - tick) < _ON_TICK) & (tick >= 0)
    shown = np.unique(tick[kept])
    if len(shown) == 0:
        raise ValueError(f"no row at or after mobility.begin_s={mobility.begin_s:g} s on a tick; lower begin_s")
    apart = np.diff(np.unique(table.time_s))
    if len(apart) and apart.min() > mobility.step_s * (1.0 + _ON_TICK):
        raise ValueError(f"it has a row each {apart.min():g} s; set mobility.step_s to that or a multiple")
    kept &= table.vehicle >= 0
    centi = to_centi(np.column_stack((table.x_m, table.y_m, table.speed_mps, table.heading_deg))[kept])
    centi[:, 3] %= 36000
    rows = RecordedRows(tick[kept], table.vehicle[kept], centi, table.names)
    _refuse_doubles(rows, mobility)
    return sorted_recording(rows, int(shown[-1]) + 1, _extent(table, kept))


def _refuse_doubles(rows: RecordedRows, mobility: ReplayMobility) -> None:
    order = np.lexsort((rows.vehicle, rows.tick))
    tick, vehicle = rows.tick[order], rows.vehicle[order]
    doubled = np.flatnonzero((np.diff(tick) == 0) & (np.diff(vehicle) == 0))
    if len(doubled):
        k = doubled[0]
        time_s = mobility.begin_s + tick[k] * mobility.step_s
        raise ValueError(f"vehicle {rows.names[vehicle[k]][0]} has two rows at t={time_s:g} s; drop one")


def _extent(table: FcdTable, kept: BoolArray) -> Bounds:
    if not kept.any():
        return (0.0, 0.0, 0.0, 0.0)
    x_m, y_m = table.x_m[kept], table.y_m[kept]
    return float(x_m.min()), float(y_m.min()), float(x_m.max()), float(y_m.max())
