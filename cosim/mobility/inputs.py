"""The files that SUMO opens: those it is started with and, one after the other, those that they include or name."""

import gzip
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote
from xml.parsers import expat

from cosim.errors import InputError
from cosim.mobility.cache import content_key, file_hash
from cosim.mobility.configuration import read_configuration
from cosim.mobility.option_table import option_table
from cosim.mobility.references import read_by
from cosim.roads.packed import open_packed

_CHUNK: Final = 1 << 20
_OVERLAP: Final = 64
_NAMES_FILE: Final = re.compile(rb"(?:href|file|[A-Za-z]File)\s*=|<!DOCTYPE")
_LITERALS: Final = (b"href", b"file", b"File", b"<!DOCTYPE")
"""What `_NAMES_FILE` needs; looking for these is many times as fast."""
_CONFIGURATIONS: Final = ("configuration", "sumoConfiguration", "sumocfg")
_PICTURES: Final = ("imgFile", "osgFile")
"""Attributes that only a window reads."""
_NO_FILE: Final = ("", "/dev/null", "NUL", "nul")
_TEXTS: Final = (".txt", ".csv")
_Naming: TypeAlias = Literal["file", "list", "perhaps"]
"""How a value names files: it is one, it is some parted by commas, or those of its parts count that are there."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that SUMO opens."""

    path: Path
    sha256: str
    """Of its bytes as they lie on the disk."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files that SUMO opens, each once, in the order in which they are named."""

    files: tuple[InputFile, ...]
    links: tuple[tuple[int, int], ...]
    """Pairs of places in `files`: which file names which, in the order of the names."""
    unfollowed: tuple[str, ...]
    """What names a file that cannot be found or read, one line each: other files than these may shape the traffic."""


def read_inputs(paths: Iterable[Path]) -> Inputs:
    """Return the files that SUMO opens when it is started with `paths`.

    A path in a file is relative to that file, as SUMO takes it. Files whose names end in anything are unpacked if they
    are gzipped. What only detectors and the like write is no input; what might be one counts.

    Args:
        paths: a net, route and additional files, or a .sumocfg.
    """
    return _Reader().read(paths)


def opened_files(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the paths of `read_inputs`.

    >>> from cosim.resources import bundled
    >>> [path.name for path in opened_files([bundled("sumo_maps") / "grid" / "rou.xml.gz"])]
    ['rou.xml.gz']
    """
    return tuple(file.path for file in read_inputs(paths).files)


def traffic_key(options: Iterable[str], inputs: Inputs, words: Iterable[str]) -> str | None:
    """Return a key for what SUMO computes from its options and files, wherever those lie; None: it must not be kept.

    Args:
        options: SUMO's options; paths of `inputs` in them, parted by commas, stand for the files' content.
        inputs: all files that SUMO opens.
        words: what else shapes the result.
    """
    if inputs.unfollowed:
        return None
    hashes = {str(file.path): file.sha256 for file in inputs.files}
    said = [",".join(hashes.get(part, part) for part in option.split(",")) for option in options]
    named = [f"{parent}:{inputs.files[child].sha256}" for parent, child in inputs.links]
    return content_key([*said, "", *(file.sha256 for file in inputs.files), "", *named, "", *words])


class _Reader:
    """Follows names from file to file, the nearest first."""

    def __init__(self) -> None:
        self._files: list[InputFile] = []
        self._place: dict[str, int] = {}
        self._links: list[tuple[int, int]] = []
        self._unfollowed: list[str] = []

    def read(self, paths: Iterable[Path]) -> Inputs:
        waiting = [(-1, path, "SUMO is started with it") for path in paths]
        for parent, path, said in waiting:  # grows while it is walked
            if path.is_dir():
                waiting.extend((parent, one, said) for one in sorted(path.iterdir()))
                continue
            place = self._place.get(os.path.realpath(path))
            if place is None:
                place = self._add(path, said, waiting)
            if place is not None and parent >= 0:
                self._links.append((parent, place))
        return Inputs(tuple(self._files), tuple(self._links), tuple(self._unfollowed))

    def _add(self, path: Path, said: str, waiting: list[tuple[int, Path, str]]) -> int | None:
        try:
            looked = _look(path)
        except (OSError, ValueError) as error:  # a ValueError: no name of a file
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())
            self._unfollowed.append(f"{path.name}: cannot be read ({reason}); {said}")
            return None
        place = self._place[os.path.realpath(path)] = len(self._files)
        self._files.append(InputFile(path, looked.sha256))
        if looked.trouble:
            self._unfollowed.append(f"{path.name}: {looked.trouble}")
        for name, naming in looked.names:
            waiting.extend((place, one, f"{path.name} names it") for one in _resolved(path.parent, name, naming))
        return place


@dataclass(slots=True)
class _Looked:
    """What one file holds: its hash, and the names of files in it."""

    sha256: str
    names: list[tuple[str, _Naming]]
    trouble: str = ""


def _resolved(folder: Path, text: str, naming: _Naming) -> Iterator[Path]:
    """Yield the files that a value in a file of the folder names."""
    parts = [text] if naming == "file" else [part.strip() for part in text.split(",")]
    for part in parts:
        if part in _NO_FILE:
            continue
        path = folder / part
        if naming != "file" and not _is_file(path):  # of %20 SUMO makes a space there
            path = folder / unquote(part)
        if naming != "perhaps" or _is_file(path):
            yield path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _look(path: Path) -> _Looked:
    """Read a file for its hash, for whether it may name other files and, if so, for their names.

    Raises:
        OSError: it cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(2, "it is not there, or no file")
    looked = _Looked(file_hash(path), [])
    may_name, before = False, b""
    try:
        for chunk in _chunks(path):
            text = before + chunk
            if not before:
                may_name = _is_special(path, text)
            may_name = may_name or (any(one in text for one in _LITERALS) and bool(_NAMES_FILE.search(text)))
            before = text[-_OVERLAP:]
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        looked.trouble = f"cannot be unpacked ({' '.join(str(error).split())})"
        return looked
    if may_name:
        _read_names(path, looked)
    return looked


def _is_special(path: Path, begin: bytes) -> bool:
    """Return whether a file that begins so is a configuration, or in an encoding in which words cannot be searched."""
    if path.name.endswith("cfg") or any(f"<{root}".encode() in begin[:65536] for root in _CONFIGURATIONS):
        return True
    plain = begin.removeprefix(b"\xef\xbb\xbf").lstrip()
    return 0 in begin[:4] or (path.suffix not in _TEXTS and not plain.startswith(b"<"))


def _chunks(path: Path) -> Iterator[bytes]:
    """Yield a file's content, unpacked if it is gzipped.

    Raises:
        OSError: it cannot be read, or is gzipped and broken.
        EOFError: it is gzipped and ends too early.
        zlib.error: it is gzipped and broken.
    """
    with open_packed(path) as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _read_names(path: Path, looked: _Looked) -> None:
    parser = expat.ParserCreate()
    root: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        root.append(name)
        for attribute in read_by(name, attributes):
            if attribute not in _PICTURES:
                # SUMO 1.28 looks for an edgesFile, which only limits an output, where it was started.
                looked.names.append((attributes[attribute], "perhaps" if attribute == "edgesFile" else "file"))

    def doctype(*_: object) -> None:
        looked.trouble = "it has a document type, whose entities may name files"

    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = doctype
    try:
        for chunk in _chunks(path):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: an unknown, a multi-byte encoding
        looked.trouble = f"broken XML, {error}"
    else:
        if root[0] in _CONFIGURATIONS or path.name.endswith("cfg"):
            _read_options(path, looked)


def _read_options(path: Path, looked: _Looked) -> None:
    """Note the files that a configuration names."""
    try:
        options = read_configuration(path).options
    except InputError as error:
        looked.trouble = str(error)
        return
    for name, value in options:
        option = option_table()[name]
        if option.is_read:
            looked.names.append((value, "list"))
        elif not option.is_left_out:
            looked.names.append((value, "perhaps"))
