"""The files that SUMO opens, which are more than those it is given: its inputs include and name others."""

import re
from collections.abc import Iterable
from pathlib import Path
from xml.parsers import expat

from cosim.errors import InputError
from cosim.mobility.references import DEMAND, read_by
from cosim.roads.packed import unpacked

_REFERRING = re.compile(rb"<include\b|\bfile\s*=|\b(?:edges|img|osg)File\b")
_DEMANDING = re.compile(rb"<(?:" + b"|".join(name.encode() for name in DEMAND) + rb")\b")
_WIDE = (b"\xfe\xff", b"\xff\xfe")


def opened_files(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the files and those that they include or name for reading, each once, in the order of opening.

    Of a folder these are its files.

    A file named for reading that is not there is left out: SUMO says what it thinks of that.

    Raises:
        InputError: a file cannot be read or is broken.
    """
    found: dict[Path, None] = {}
    waiting = list(paths)
    while waiting:
        path = waiting.pop(0)
        if path.is_dir():
            waiting[:0] = sorted(path.iterdir())
        elif path not in found:
            found[path] = None
            waiting[:0] = [one for one in _named_in(path) if one.is_file()]
    return tuple(found)


def brings_demand(paths: Iterable[Path]) -> bool:
    """Return whether one of the files, or a file that they include, has a vehicle, flow, person or the like.

    Raises:
        InputError: a file cannot be read or is broken.
    """
    return any(_DEMANDING.search(_narrow(unpacked(path))) for path in opened_files(paths))


def _named_in(path: Path) -> list[Path]:
    content = unpacked(path)
    if not _REFERRING.search(_narrow(content)):
        return []
    named: list[Path] = []

    def on_element(name: str, attributes: dict[str, str]) -> None:
        named.extend(path.parent / attributes[one] for one in read_by(name, attributes))

    parser = expat.ParserCreate()
    parser.StartElementHandler = on_element
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise InputError(f"{path}: broken XML, {error}; correct the file") from error
    return named


def _narrow(content: bytes) -> bytes:
    """Return text of two bytes a letter as one of one, so that element names can be searched."""
    return content.replace(b"\0", b"") if content.startswith(_WIDE) else content
