"""A long experiment in pieces: each is done once, in this process or another, and kept; a killed one resumes."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from cosim.data_text import json_data
from cosim.errors import InputError
from cosim.experiments.folders import make_folder, share_lock
from cosim.experiments.jobs import Job, Tell, Watching, work
from cosim.trace.store.durable import write_durably
from cosim.trace.store.provenance import versions

PIECE: Final = "piece.json"


class Piece(Protocol):
    """A training or an evaluation that needs no other piece of its stage."""

    @property
    def label(self) -> str:
        """Its folder in the store, without the key at its end: "train/nominal/q-ddpg/seed1"."""
        ...

    @property
    def total(self) -> float:
        """Progress at its end."""
        ...

    def settings(self) -> dict[str, Any]:
        """Return all that its result depends on, as JSON; the code is not part of it."""
        ...

    def carry_out(self, store: Path, tell: Tell) -> dict[str, Any]:
        """Do the piece, or go on from what its folder holds; return the result as JSON.

        Args:
            store: folder of all pieces; the piece's own folder exists.
            tell: reports progress, and raises KeyboardInterrupt when the piece is to stop.
        """
        ...


P = TypeVar("P", bound=Piece)


@dataclass(frozen=True, slots=True)
class Done:
    """A finished piece."""

    result: dict[str, Any]
    cpu_s: float
    """CPU time of the last process that worked on it."""
    wall_s: float


def piece_key(piece: Piece) -> str:
    """Return 12 hex digits of the hash of the settings: other settings make another piece."""
    text = json.dumps(piece.settings(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def piece_folder(store: Path, piece: Piece) -> Path:
    """Return the folder of a piece in the store."""
    return store / f"{piece.label}-{piece_key(piece)}"


def find_done(store: Path, piece: Piece) -> Done | None:
    """Return a finished piece; None if it is not finished.

    Raises:
        InputError: its file is broken.
    """
    path = piece_folder(store, piece) / PIECE
    try:
        stored = json_data(path.read_text(encoding="utf-8"))
        return Done(dict(stored["result"]), float(stored["cpu_s"]), float(stored["wall_s"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError):
        raise InputError(f"{path}: is broken; remove its folder and run the command again") from None


def carry_out(store: Path, pieces: Sequence[Piece], processes: int, watching: Watching) -> int:
    """Do the pieces that are not finished, in their order, and return how many that were; equal pieces are done once.

    Args:
        store: folder of all pieces.
        pieces: the pieces.
        processes: number of processes.
        watching: shows the progress.

    Raises:
        InputError: a piece refuses its settings, or the folder cannot be written.
        RunError: a piece broke; the finished ones are kept.
    """
    missing = {piece_folder(store, piece): piece for piece in pieces if find_done(store, piece) is None}
    labels = Counter(piece.label for piece in missing.values())
    jobs = [
        Job(piece.label if labels[piece.label] == 1 else str(folder.relative_to(store)), (store, piece), piece.total)
        for folder, piece in missing.items()
    ]
    with watching(jobs) as watch:
        work(_carry_out_one, jobs, processes, watch)
    return len(jobs)


def _carry_out_one(argument: tuple[Path, Piece], tell: Tell) -> None:
    store, piece = argument
    folder = piece_folder(store, piece)
    make_folder(folder, "--work")
    begun_s, cpu_s = time.perf_counter(), time.process_time()
    with share_lock(store):
        result = piece.carry_out(store, tell)
    told = {
        "settings": piece.settings(),
        "result": result,
        "cpu_s": round(time.process_time() - cpu_s, 3),
        "wall_s": round(time.perf_counter() - begun_s, 3),
        "versions": versions(),
    }
    text = json.dumps(told, indent=1)
    write_durably(folder / PIECE, lambda sink: sink.write(text.encode()))
