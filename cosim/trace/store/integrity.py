"""The check that the files of a run are those that were written: bytes, row checks, order numbers and digests.

What the rows mean is not looked at here; the rules of `cosim.audit` do that.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.errors import InputError, one_line
from cosim.trace.store.layout import CHECK, Layout, digest_bytes, known_layouts, row_checks, stored_layout
from cosim.trace.store.manifest import MANIFEST, Manifest, StoredFile
from cosim.trace.store.nulls import NULLS_SINCE, absences, stand_in, without_nulls
from cosim.trace.store.schemas import DIGESTED
from cosim.types import AnyArray, BoolArray, IntArray

_OTHER_BYTES = "holds other bytes than were written: they do not fit their sha256 in the manifest"
SHOWN = 20
"""Findings of one sort that are listed; the rest is a number."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A defect of a run, at a row where one can be named."""

    kind: str
    seq: int | None
    why: str

    def __str__(self) -> str:
        where = self.kind if self.seq is None else f"{self.kind} row seq={self.seq}"
        return one_line(f"{where}: {self.why}")


def shortened(kind: str, seqs: IntArray, why: str) -> Iterator[Finding]:
    """Yield a finding for each of the first rows, and one that counts the rest.

    Args:
        kind: kind of fact of the rows.
        seqs: their `seq`, (N,).
        why: what is wrong with them.
    """
    for seq in seqs[:SHOWN]:
        yield Finding(kind, int(seq), why)
    if len(seqs) > SHOWN:
        yield Finding(kind, None, f"{len(seqs) - SHOWN} more rows: {why}")


@dataclass(slots=True)
class Integrity:
    """The outcome of reading all parts of a run."""

    findings: list[Finding]
    readable: bool
    """Whether every part could be read, so that its contents can be checked."""
    digests: dict[str, str]
    """Digests recomputed from the rows, by kind, for the kinds that the schema of the run counts."""
    unknown: tuple[str, ...]
    """Kinds that no installed package declares; their rows are read by the schema in their own files."""


def check_parts(run: Path, manifest: Manifest) -> Integrity:
    """Read every committed part once: bytes, row checks, the gapless order of seq, and digests.

    One part is in memory at a time, plus one byte for each row of the run.
    """
    layouts = known_layouts(manifest.schema_version)
    unknown = tuple(kind for kind in manifest.kinds if kind not in layouts)
    hashes = {kind: hashlib.sha256() for kind in (*DIGESTED[manifest.schema_version], *manifest.kinds)}
    seen = np.zeros(sum(part.rows for part in manifest.parts), dtype=np.uint8)
    found: list[Finding] = []
    short: list[StoredFile] = []
    readable = True
    for part in manifest.parts:
        content, problem = _content(run / part.file)
        changed_bytes = not problem and bool(part.sha256) and hashlib.sha256(content).hexdigest() != part.sha256
        nulls = manifest.schema_version >= NULLS_SINCE
        table: Any = None
        if not problem:
            table, problem = _read(content, part.kind, layouts, nulls=nulls)
        if problem:
            found.append(Finding(part.kind, None, f"{part.file} {problem}"))
            short.append(part)
            readable = False
            continue
        before = len(found)
        # Packed again as the writer packed it, so that checks and digests are over the same bytes.
        rows, missing = _image(table, layouts[part.kind])
        if nulls:
            found.extend(_wrongly_null(rows, missing, layouts[part.kind]))
        hashes[part.kind].update(digest_bytes(rows))
        changed = row_checks(rows) != table.column(CHECK).to_numpy()
        found.extend(shortened(part.kind, rows["seq"][changed], "was changed: it does not fit its check"))
        distinct = _count(seen, rows["seq"])
        found.extend(_doubled(part, rows["seq"]))
        if len(rows) != part.rows:
            found.append(Finding(part.kind, None, f"{part.file} has {len(rows)} rows, {part.rows} were written"))
        if distinct < part.rows:
            short.append(part)
        if changed_bytes and len(found) == before:  # a row that is named says more
            found.append(Finding(part.kind, None, f"{part.file} {_OTHER_BYTES}"))
    found.extend(_missing(np.flatnonzero(seen == 0), short))
    digests = {kind: running.hexdigest() for kind, running in hashes.items()}
    differing = [kind for kind in {**digests, **manifest.digests} if digests.get(kind) != manifest.digests.get(kind)]
    found.extend(Finding(kind, None, "its digest differs from the manifest's") for kind in differing)
    return Integrity(found, readable, digests, unknown)


def packed_rows(path: Path, stored: Layout) -> AnyArray:
    """Return the rows of a file of today's schema as the writer packed them; slices keep the bytes between the columns.

    Args:
        path: the file, one part or one written like it.
        stored: layout of its kind.

    Raises:
        InputError: it is not there, or holds something else.
    """
    content, problem = _content(path)
    if not problem:
        table, problem = _read(content, stored.kind, {stored.kind: stored}, nulls=True)
    if problem:
        raise InputError(f"{path}: {problem}; take it from an untouched copy")
    return _image(table, stored)[0]


def check_files(run: Path, manifest: Manifest) -> Iterator[Finding]:
    """Yield the other files that a manifest names whose bytes are not those that were written."""
    for name, sha256 in manifest.files.items():
        content, problem = _content(run / name)
        if problem or hashlib.sha256(content).hexdigest() != sha256:
            yield Finding(name, None, problem or _OTHER_BYTES)


def unnamed_files(run: Path, manifest: Manifest) -> list[str]:
    """Return the files below a run folder that its manifest does not name, hidden ones left out."""
    named = {MANIFEST, *manifest.files, *(part.file for part in manifest.parts)}
    found = (path.relative_to(run).as_posix() for path in run.rglob("*") if not path.is_dir())
    return sorted(name for name in found if name not in named and not name.rpartition("/")[2].startswith("."))


def _content(path: Path) -> tuple[bytes, str]:
    """Return the bytes of a file, or what is wrong with it."""
    try:
        if path.is_symlink():  # into another folder, which no query may reach
            return b"", "is a link, not the file that was written"
        if path.exists() and not path.is_file():  # a pipe would never end
            return b"", "is no regular file"
        return path.read_bytes(), ""
    except FileNotFoundError:
        return b"", "is missing"
    except OSError as error:
        return b"", f"cannot be read ({str(error.strerror).lower()})"


def _read(content: bytes, kind: str, layouts: dict[str, Layout], *, nulls: bool) -> tuple[Any, str]:
    """Return the rows of a file, or what is wrong with it; a kind without a layout gets that of its first file.

    Args:
        content: the bytes of the file.
        kind: kind of fact of its rows.
        layouts: layouts by kind, to which a new one is added.
        nulls: whether columns of facts may have nulls.
    """
    try:
        table = pq.read_table(pa.BufferReader(content))
    except (OSError, ValueError, pa.ArrowException) as error:
        return None, f"cannot be read ({one_line(error)})"
    try:
        if kind not in layouts:
            layouts[kind] = stored_layout(kind, table.schema)
    except ValueError as error:
        return None, str(error)
    expected = [(column.name, column.type) for column in layouts[kind].schema]
    if [(column.name, column.type) for column in table.schema] != expected:
        return None, "has other columns than its kind"
    full = ("seq", CHECK) if nulls else table.column_names
    if any(table.column(name).null_count for name in full):
        return None, "has empty values"
    return table, ""


def _image(table: Any, stored: Layout) -> tuple[AnyArray, dict[str, BoolArray]]:
    """Return the rows of a file as they were packed, and where each column has nulls, (N,) each."""
    values, missing = {"seq": table.column("seq").to_numpy()}, {}
    for name, column in stored.columns.items():
        values[name], missing[name] = without_nulls(table.column(name), column)
    return stored.image(values, table.num_rows), missing


def _wrongly_null(rows: AnyArray, missing: dict[str, BoolArray], stored: Layout) -> Iterator[Finding]:
    """Yield the rows that have a null where there is always a value, or a number where the store has a null.

    Checks and digests, which are over packed rows, cannot tell these apart.
    """
    for name, column in stored.columns.items():
        if column.absent is None:
            yield from shortened(stored.kind, rows["seq"][missing[name]], f"has no {name}, which every row has")
        if name not in stored.texts:
            instead = absences(rows[name], column) & ~missing[name]
            why = f"has {stand_in(column)} for {name}, where what did not happen is null"
            yield from shortened(stored.kind, rows["seq"][instead], why)


def _count(seen: AnyArray, seqs: AnyArray) -> int:
    """Mark order numbers as seen; return how many were new."""
    inside = np.sort(seqs[(seqs >= 0) & (seqs < len(seen))])  # a hundred times faster than np.unique without counts
    fresh = int(np.count_nonzero((seen[inside] == 0) & (np.diff(inside, prepend=-1) > 0)))
    seen[inside] = 1
    return fresh


def _doubled(part: StoredFile, seqs: AnyArray) -> Iterator[Finding]:
    values, counts = np.unique(seqs, return_counts=True)
    yield from shortened(part.kind, values[counts > 1], "is there more than once")
    outside = values[(values < part.first_seq) | (values > part.last_seq)]
    yield from shortened(part.kind, outside, f"does not belong to {part.file}")


def _missing(seqs: IntArray, short: list[StoredFile]) -> Iterator[Finding]:
    """Name the kinds that lack a row and could have held the missing number."""
    for seq in seqs[:SHOWN]:
        kinds = sorted({part.kind for part in short if part.first_seq <= seq <= part.last_seq})
        yield Finding(" or ".join(kinds) or "trace", int(seq), "is missing")
    if len(seqs) > SHOWN:
        yield Finding("trace", None, f"{len(seqs) - SHOWN} more rows are missing")
