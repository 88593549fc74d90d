"""The writer of a run that is resumed: it compares with what was committed, and writes only from there on.

The run is executed again from its start. Up to the last committed row nothing is written: rows are hashed and, once
they are as many, held against the manifest. Until then an error or a signal leaves the folder as it was.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from cosim.locks import FolderLock, is_leftover
from cosim.trace.store.layout import digest_bytes
from cosim.trace.store.manifest import Manifest, StoredFile
from cosim.trace.store.past import DifferenceError, Past
from cosim.trace.store.provenance import Provenance, write_provenance
from cosim.trace.store.writer import TraceWriter

_PARTS: Final = "part-*.parquet"


class ContinuedWriter(TraceWriter):
    """A writer that goes on with a run folder where its last committed set ends.

    A set that was cut short as the run was stopped is written anew as a whole, so that the files in the end are those
    of a run that nobody stopped.

    Args:
        folder: the run folder.
        lock: its lock, which `release` lets go.
        part_s: simulated time between committed sets of parts.
        manifest: what is committed; every part is as it was written.
        provenance: of the run, as it was written at its start.
    """

    continues = True

    def __init__(
        self, folder: Path, lock: FolderLock, part_s: float, manifest: Manifest, provenance: Provenance
    ) -> None:
        rows = sum(part.rows for part in manifest.parts)
        self._begin(folder, lock, part_s, Past(rows, manifest.digests, f"{folder} cannot be resumed"))
        self._kept: Manifest | None = manifest
        self._kept_rows = rows
        self._committed = manifest
        self._provenance = provenance
        self._later: dict[str, bytes] = {}
        self._set_s = 0.0

    @property
    def follows(self) -> bool:  # type: ignore[override]  # of which other writers need no state
        """Whether it has only compared so far, and written nothing."""
        return self._kept is not None

    def keep_file(self, name: str, content: bytes) -> None:
        """Write a file that belongs to the run, unless it is there already.

        Args:
            name: its name in the run folder.
            content: its bytes.

        Raises:
            OSError: the disk is full or refuses.
        """
        if self._kept is None:
            super().keep_file(name, content)
        elif name not in self._kept.files:
            self._later[name] = content

    def close(self, complete: bool, end_s: float | None = None) -> None:
        """Commit the rest and the final state; nothing is changed where the run stops before it has gone further.

        Args:
            complete: the run reached its end.
            end_s: time up to which the facts are all there; the last tick by default.

        Raises:
            RunError: the disk is full or refuses; what was committed before stays readable.
        """
        if self._kept is not None and not complete:
            self._closed = True
        super().close(complete, end_s)

    def release(self) -> None:
        """Let go of the folder; the lock's file stays where it was before and nothing has changed."""
        self._lock.release(remove=self._kept is None or self._lock.made)

    def withdraw(self) -> None:
        """Let go of the folder: what another process has written stays."""
        self._closed = True
        self.release()

    def _rotate(self, state: Literal["running", "partial", "complete"]) -> None:
        if self._kept is None:
            super()._rotate(state)
            return
        self._usable = False
        self._see_past(state)
        waiting = sum(len(kind.rows()[0]) for kind in self._waiting())
        if self._rows + waiting > self._kept_rows:
            self._go_on(self._kept)
            super()._rotate(state)
            return
        self._pass_by(self._kept)
        self._rows += waiting
        self._set_s = float(self._now_s)
        if state == "complete" and self._kept.state != "complete":
            self._go_on(self._kept)
            super()._rotate(state)
            return
        if state == "complete":
            self._kept = None
        self._sets += 1
        self._usable = True

    def _pass_by(self, kept: Manifest) -> None:
        """Leave a set that is committed as it is; it has to be cut as here."""
        here: dict[str, tuple[int, int, int]] = {}
        for kind in self._waiting():
            rows, _ = kind.rows()
            here[kind.layout.kind] = len(rows), int(rows["seq"].min()), int(rows["seq"].max())
            kind.hash.update(digest_bytes(rows))
            del rows  # a view would keep the buffer from being emptied
            kind.clear()
        most = max((last for _, _, last in here.values()), default=-1)
        there = {
            part.kind: (part.rows, part.first_seq, part.last_seq)
            for part in kept.parts
            if self._rows <= part.first_seq <= most
        }
        if here != there:
            raise DifferenceError(
                f"{self.folder} cannot be resumed: its parts are cut at other times than here "
                f"(before t={self._now_s:g} s); run the scenario again"
            )

    def _go_on(self, kept: Manifest) -> None:
        """Begin to write after the sets that were passed by: what else there is was cut short or never committed."""
        parts = tuple(part for part in kept.parts if part.last_seq < self._rows)
        digests = self._hashes({part.kind for part in parts})
        self._committed = replace(kept, state="running", complete_to_s=self._set_s, digests=digests, parts=parts)
        if kept.state != "running" or len(parts) != len(kept.parts):
            # Provenance first: with either manifest it is that of a run which is not over.
            write_provenance(self._home, self._provenance)
            self._committed.write(self._home)
        self._sweep(parts)
        self._kept = None
        later: Mapping[str, bytes] = self._later
        for name, content in later.items():
            super().keep_file(name, content)

    def _sweep(self, parts: tuple[StoredFile, ...]) -> None:
        """Remove parts that no manifest names, and what is left of files that were being written."""
        named = {part.file for part in parts}
        with suppress(OSError):  # no reader looks at them, and new ones take their names
            for kind in self._kinds.values():
                for path in (self._home / kind.layout.kind).glob(_PARTS):
                    if f"{kind.layout.kind}/{path.name}" not in named:
                        path.unlink()
                for path in (self._home / kind.layout.kind).glob(".*"):
                    if is_leftover(path.name):
                        path.unlink()
