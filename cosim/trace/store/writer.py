"""The writer of facts: rows in memory and, from time to time, Parquet parts that are committed together.

A recorder packs a row of numbers in about 0.2 us; at the first mobility tick past each multiple of `part_s` every kind
writes a part and one manifest commits the set, so that a kill loses at most the rows since then and never half a row.
A run that is stopped keeps its rows up to the last tick: what was recorded since can be half of what happened.
"""

import hashlib
import itertools
import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal, ParamSpec, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.errors import InputError, RunError
from cosim.locks import LOCK, FolderLock, is_leftover, make_folders, remove_empty, take_lock
from cosim.subjects import fact_kinds
from cosim.trace.facts.run import SCHEMA_VERSION
from cosim.trace.store.durable import sync_folder, write_durably
from cosim.trace.store.layout import Layout, digest_bytes, layout
from cosim.trace.store.manifest import MANIFEST, Manifest, StoredFile, read_manifest
from cosim.trace.store.past import Past
from cosim.trace.store.provenance import PROVENANCE, Provenance, origin_of, write_provenance
from cosim.trace.store.schemas import combined_digest
from cosim.types import AnyArray

logger = logging.getLogger(__name__)

P = ParamSpec("P")

STARTED = (MANIFEST, PROVENANCE)
"""Files of a run folder beside its parts, which are there from the start; the manifest comes last."""
_TRIES = 100

BUFFER_BYTE = 64 * 2**20
"""Size of uncommitted rows at a tick above which they are written before their time."""
_TEXT_ROW_BYTE = 200  # a guess at a tuple in a list, for the bound above


class FactWriter(Protocol):
    """Where facts go: `TraceWriter` stores them, `NullWriter` drops them."""

    records: bool
    """Whether facts are kept; if not, samples need not be computed."""

    def recorder(self, fact: Callable[P, Any]) -> Callable[P, None]:
        """Return a function with the signature of a kind of fact that records one fact."""
        ...

    def batch(self, fact: type[Any]) -> Callable[..., None]:
        """Return a function that records many facts: one array per column, by keyword; scalars are repeated."""
        ...

    def tick(self, now_s: float) -> None:
        """Note that all facts before `now_s` have been recorded."""
        ...

    def close(self, complete: bool, end_s: float | None = None) -> None:
        """End the recording: the run is over, at its end or before."""
        ...


class NullWriter:
    """A writer that drops all facts."""

    records = False

    def recorder(self, fact: Callable[P, Any]) -> Callable[P, None]:  # noqa: ARG002 - the protocol's signature
        """Return a function that does nothing."""

        def record(*_values: P.args, **_named: P.kwargs) -> None:
            return None

        return record

    def batch(self, fact: type[Any]) -> Callable[..., None]:  # noqa: ARG002 - the protocol's signature
        """Return a function that does nothing."""

        def record(**_columns: Any) -> None:
            return None

        return record

    def tick(self, now_s: float) -> None:
        """Do nothing."""

    def close(self, complete: bool, end_s: float | None = None) -> None:
        """Do nothing."""


class _Kind:
    """The rows of one kind that are not committed yet, and its digest so far."""

    __slots__ = ("_marks", "buffer", "hash", "layout", "texts")

    def __init__(self, kind_layout: Layout) -> None:
        self.layout = kind_layout
        self.buffer = bytearray()  # packed rows; the recorders hold this very object
        self.texts: list[tuple[Any, ...]] = []  # rows of a kind with texts
        self.hash = hashlib.sha256()
        self._marks = (0, 0)  # sizes of buffer and texts at the last tick

    def size_byte(self) -> int:
        return len(self.buffer) + _TEXT_ROW_BYTE * len(self.texts)

    def rows(self) -> tuple[AnyArray, dict[str, list[str]]]:
        """Return the waiting rows, and the texts that belong to them."""
        if not self.layout.texts:
            return self.layout.rows(self.buffer), {}
        values = dict(zip(["seq", *self.layout.columns], zip(*self.texts, strict=True), strict=True))
        return self.layout.image(values, len(self.texts)), {name: list(values[name]) for name in self.layout.texts}

    def clear(self) -> None:
        self.buffer.clear()
        self.texts.clear()
        self._marks = (0, 0)

    def mark(self) -> None:
        """Note that all rows so far are of the past."""
        self._marks = len(self.buffer), len(self.texts)

    def cut(self) -> None:
        """Drop the rows since `mark`."""
        size_byte, texts = self._marks
        del self.buffer[size_byte:]
        del self.texts[texts:]


class TraceWriter:
    """A writer that stores the facts of one run in a folder of its own.

    It holds a lock on the folder's `.lock` until `release`, or until the process is gone: of several writers that claim
    a folder at the same instant one gets it, and who reads can see whether the writer still lives.

    Args:
        folder: the run folder; made if missing, refused if something is in it.
        part_s: simulated time between committed sets of parts.
        provenance: of the run; written once the folder is claimed, before the first manifest makes a run of it.
            None: the facts belong to no run yet.
        past: the rows that the run has to begin with, of another run.

    Raises:
        InputError: the folder is not empty, another writer holds it, or it cannot be written.
        RunError: the disk is full; nothing is left behind.

    Example:
        >>> import tempfile
        >>> from cosim.trace.facts.run import VehicleLeft
        >>> folder = tempfile.TemporaryDirectory()
        >>> writer = TraceWriter(Path(folder.name, "run"), part_s=60.0)
        >>> record = writer.recorder(VehicleLeft)
        >>> record(time_s=1.5, vehicle=0)
        >>> writer.close(complete=True, end_s=2.0)
        >>> writer.release()
        >>> writer.facts
        1
        >>> folder.cleanup()
    """

    records = True

    continues = False
    """Whether it goes on with a run that another process has begun, of which nothing is ever withdrawn."""
    follows = False
    """Whether it has only compared so far, and written nothing."""

    def __init__(
        self, folder: Path, part_s: float, provenance: Provenance | None = None, past: Past | None = None
    ) -> None:
        lock, made = _claim(folder)
        self._begin(folder, lock, part_s, past)
        self._made = made
        try:
            if provenance is not None:
                self._guarded(lambda: self.belong_to(provenance))
            self._guarded(lambda: self._committed.write(self._home))
        except BaseException:
            self.withdraw()
            raise

    def _begin(self, folder: Path, lock: FolderLock, part_s: float, past: Past | None) -> None:
        """Set up the state of a writer that has the lock of its folder and has written nothing."""
        self._lock, self._made = lock, list[Path]()
        self.folder = folder
        self._home = folder.absolute()  # wherever a user's code goes meanwhile
        self._part_s = part_s
        self._kinds = {fact: _Kind(layout(fact)) for fact in fact_kinds()}
        self._seq = itertools.count()
        self._now_s = 0.0
        self._next_s = part_s
        self._sets = 0
        self._rows = 0  # in these sets
        self._past = past
        self._usable = True  # false from the start of a rotation until it is committed
        self._closed = False
        self._committed = Manifest(SCHEMA_VERSION, "running", 0.0, {}, ())

    def belong_to(self, provenance: Provenance) -> None:
        """Write the provenance of the run, and name it, by what it says of the start, in every manifest from now on.

        Raises:
            OSError: the disk refuses.
        """
        write_provenance(self._home, provenance)
        self._committed = replace(self._committed, origin=origin_of(asdict(provenance)))

    def recorder(self, fact: Callable[P, Any]) -> Callable[P, None]:
        """Return a function with the signature of a kind of fact that records one row.

        A number that does not fit its column is a struct.error.
        """
        kind = self._kind(fact)
        names = ", ".join(kind.layout.columns)
        if kind.layout.texts:  # text has no fixed width: such rows wait as tuples, not packed
            source = f"lambda {names}: _append((_next_seq(), {names}))"
            namespace: dict[str, Any] = {"_append": kind.texts.append, "_next_seq": self._seq.__next__}
            return eval(source, namespace)  # type: ignore[no-any-return]  # noqa: S307 - names of dataclass fields
        source = (
            f"def _bind(_buffer, _pack, _next_seq):\n"
            f"    def record({names}):\n"
            f"        nonlocal _buffer\n"
            f"        _buffer += _pack(_next_seq(), {names})\n"
            f"    return record\n"
        )
        namespace = {}
        exec(source, namespace)  # noqa: S102 - as dataclass does: named parameters are twice as fast as *values
        return namespace["_bind"](kind.buffer, kind.layout.row.pack, self._seq.__next__)  # type: ignore[no-any-return]

    def batch(self, fact: type[Any]) -> Callable[..., None]:
        """Return a function that records many rows: one array (N,) per column, by keyword; scalars are repeated.

        Raises:
            TypeError: the kind has texts; record those one by one.
        """
        kind = self._kind(fact)
        if kind.layout.texts:
            raise TypeError(f"{fact.__name__} has text columns; use recorder()")
        names = tuple(kind.layout.columns)
        dtype, buffer, seq = kind.layout.dtype, kind.buffer, self._seq

        def record(**values: Any) -> None:
            sizes = {len(value) for value in values.values() if isinstance(value, np.ndarray) and value.ndim}
            if len(sizes) != 1 or len(values) != len(names):
                raise TypeError(f"{fact.__name__}: needs {', '.join(names)} with arrays of one length, got {sizes}")
            size = sizes.pop()
            rows = np.zeros(size, dtype=dtype)
            for name in names:
                rows[name] = values[name]
            rows["seq"] = np.fromiter(itertools.islice(seq, size), np.int64, size)
            buffer.extend(rows.tobytes())

        return record

    def tick(self, now_s: float) -> None:
        """Note that all facts before `now_s` are recorded; commit them if a part's time is over or memory is short.

        Raises:
            DifferenceError: they are not those of the past that is to be repeated.
            RunError: the disk is full or refuses; what was committed before stays readable.
        """
        self._now_s = now_s
        if now_s >= self._next_s or sum(kind.size_byte() for kind in self._kinds.values()) > BUFFER_BYTE:
            self._next_s = self._part_s * (now_s // self._part_s + 1)
            self._guarded(lambda: self._rotate("running"))
        for kind in self._kinds.values():
            kind.mark()

    def close(self, complete: bool, end_s: float | None = None) -> None:
        """Commit the rest and the final state; a second call does nothing, or drops what the first could not write.

        Args:
            complete: the run reached its end; otherwise the trace is a partial one, with the rows up to the last tick.
            end_s: time up to which the facts are all there; the last tick by default.

        Raises:
            RunError: the disk is full or refuses; what was committed before stays readable.
        """
        if self._closed:
            return
        if self._usable:
            if not complete:
                for kind in self._kinds.values():
                    kind.cut()
            self._now_s = self._now_s if end_s is None else end_s
            self._guarded(lambda: self._rotate("complete" if complete else "partial"))
        else:
            self._give_up()
        self._closed = True

    def keep_file(self, name: str, content: bytes) -> None:
        """Write a file that belongs to the run besides its facts; from now on the manifest names it with its hash.

        Args:
            name: its name in the run folder.
            content: its bytes.

        Raises:
            OSError: the disk is full or refuses.
        """
        write_durably(self._home / name, lambda sink: sink.write(content))
        files = {**self._committed.files, name: hashlib.sha256(content).hexdigest()}
        self._committed = replace(self._committed, files=files)
        self._committed.write(self._home)

    @property
    def state(self) -> str:
        """What the manifest says: running, partial or complete."""
        return self._committed.state

    def release(self) -> None:
        """Let go of the folder: nothing more will be written into it. A second call does nothing."""
        self._lock.release(remove=True)

    def withdraw(self) -> None:
        """Remove what this run has written, and let go: the run never began. What others have put there stays."""
        self._closed = True
        with suppress(OSError):
            for name in (*STARTED, *self._committed.files):
                (self._home / name).unlink(missing_ok=True)
            for part in self._committed.parts:
                (self._home / part.file).unlink(missing_ok=True)
        remove_empty(self._home / kind for kind in self._committed.kinds)
        self.release()
        remove_empty(self._made)

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of the committed rows of each kind that has some; without seq, so that runs can be compared."""
        return dict(self._committed.digests)

    @property
    def digest(self) -> str:
        """SHA-256 over the kinds that have rows; the same for the same facts in every run of the scenario."""
        return combined_digest(self.digests)

    @property
    def facts(self) -> int:
        """Number of committed facts."""
        return sum(part.rows for part in self._committed.parts)

    def _kind(self, fact: Callable[P, Any]) -> _Kind:
        """Return the uncommitted rows of a kind of fact that a subject declares."""
        if not isinstance(fact, type) or fact not in self._kinds:
            name = getattr(fact, "__name__", repr(fact))
            raise InputError(f"fact {name} belongs to no subject; declare it by the entry point cosim.parts")
        return self._kinds[fact]

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except (OSError, pa.ArrowException) as error:
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())
            raise RunError(
                f"{self.folder}: the trace cannot be written ({reason}); facts up to "
                f"t={self._committed.complete_to_s:g} s are kept and readable; free space, then go on with "
                f"`cosim run --resume {self.folder}`"
            ) from error

    def _rotate(self, state: Literal["running", "partial", "complete"]) -> None:
        # Parts first, the manifest last: a kill in between leaves files that no manifest names, and no half set.
        self._usable = False
        self._see_past(state)
        parts = list(self._committed.parts)
        for kind in self._waiting():
            part = _write_part(self._home, kind, self._sets)
            parts.append(part)
            self._rows += part.rows
            kind.clear()
        filled = {part.kind for part in parts}
        manifest = replace(
            self._committed,
            state=state,
            complete_to_s=float(self._now_s),
            digests=self._hashes(filled),
            parts=tuple(parts),
        )
        manifest.write(self._home)
        self._committed = manifest
        logger.debug("%s: %d facts up to t=%g s are kept", self.folder, self.facts, manifest.complete_to_s)
        self._sets += 1
        self._usable = True

    def _waiting(self) -> list["_Kind"]:
        """Return the kinds with rows that are not committed."""
        return [kind for kind in self._kinds.values() if kind.size_byte()]

    def _hashes(self, kinds: Collection[str]) -> dict[str, str]:
        """Return the digests of these kinds over the sets so far."""
        return {kind.layout.kind: kind.hash.hexdigest() for kind in self._kinds.values() if kind.layout.kind in kinds}

    def _see_past(self, state: str) -> None:
        """Compare the waiting rows with the past, as far as it goes; they are not written yet."""
        if self._past is None:
            return
        rows = self._rows
        for kind in self._waiting():
            waiting, _ = kind.rows()
            self._past.see(kind.layout.kind, waiting)
            rows += len(waiting)
        if rows >= self._past.rows or state == "complete":
            self._past.check()
            self._past = None

    def _give_up(self) -> None:
        """Keep what the manifest on the disk names and delete the parts of the set that was being written."""
        self._committed = replace(read_manifest(self._home), state="partial")
        named = {part.file for part in self._committed.parts}
        with suppress(OSError):  # the reader leaves unnamed parts out, and reads `running` as partial
            for kind in self._kinds.values():
                for path in (self._home / kind.layout.kind).glob("part-*.parquet"):
                    if f"{kind.layout.kind}/{path.name}" not in named:
                        path.unlink()
            self._committed.write(self._home)


def _claim(folder: Path) -> tuple[FolderLock, list[Path]]:
    """Make and lock an empty folder; return its lock and the folders that were made, innermost first."""
    made: list[Path] = []
    try:
        for _ in range(_TRIES):
            try:
                made = [*make_folders(folder), *made]
                if _occupied(folder):
                    break
                lock = take_lock(folder)
            except FileNotFoundError:  # another that claimed it has left, and removed what it had made
                continue
            if lock is None:
                raise InputError(f"--out {folder}: another run writes here; wait for it or give another --out")
            if lock.made or lock.sure:
                if not _occupied(folder):
                    return lock, made
                lock.release(remove=lock.made)
            break
    except OSError as error:
        remove_empty(made)
        raise InputError(f"--out {folder}: {error.strerror}; give a folder that can be written") from error
    raise InputError(f"--out {folder}: is not empty and may hold another run; give another --out")


def _occupied(folder: Path) -> bool:
    """Return whether a folder holds anything but what is left of a run that was killed before it began."""
    names = {path.name for path in folder.iterdir()}
    begun = () if LOCK not in names or MANIFEST in names else STARTED
    return any(name not in begun and not is_leftover(name) for name in names)


def _write_part(folder: Path, kind: _Kind, number: int) -> StoredFile:
    rows, texts = kind.rows()
    table = kind.layout.table(rows, texts)
    kind.hash.update(digest_bytes(rows))
    file = f"{kind.layout.kind}/part-{number:05d}.parquet"
    write_parquet(folder / file, table, kind.layout.encoding)
    with (folder / file).open("rb") as written:
        sha256 = hashlib.file_digest(written, "sha256").hexdigest()
    return StoredFile(kind.layout.kind, file, len(rows), int(rows["seq"].min()), int(rows["seq"].max()), sha256)


def write_parquet(path: Path, table: Any, encoding: Mapping[str, str]) -> None:
    """Write one Parquet part durably: zstd, no dictionaries, delta-coded integers, byte-split floats.

    Args:
        path: file to write; its folder is made if missing.
        table: Arrow table of the rows.
        encoding: Parquet encoding by column.

    Raises:
        OSError: the disk is full or refuses; nothing is left at `path`.
    """

    def write(sink: BinaryIO) -> None:
        pq.write_table(
            table,
            sink,
            compression="zstd",
            use_dictionary=False,
            column_encoding=dict(encoding),
        )

    path.parent.mkdir(exist_ok=True)
    write_durably(path, write)
    sync_folder(path.parent)
