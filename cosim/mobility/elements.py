"""What the elements of SUMO's input files bring and write, also those of the files that they include."""

import re
from collections.abc import Iterable
from pathlib import Path
from xml.parsers import expat

from cosim.errors import InputError
from cosim.mobility.inputs import opened_files
from cosim.mobility.references import DEMAND, SILENT, written_by
from cosim.roads.packed import plain_bytes
from cosim.roads.xmlscan import parse_xml

_WRITING = re.compile(rb"""\b(?:file|dest|output)(?:\s*=|["'])""", re.IGNORECASE)
_DEMANDING = re.compile(rb"<(?:" + b"|".join(name.encode() for name in DEMAND) + rb")\b")
_WIDE = (b"\xfe\xff", b"\xff\xfe")


def brings_demand(paths: Iterable[Path]) -> bool:
    """Return whether one of the files, or a file that they include, has a vehicle, flow, person or the like.

    Raises:
        InputError: a file cannot be read or is broken.
    """
    return any(_DEMANDING.search(_narrow(plain_bytes(path))) for path in opened_files(paths))


def refuse_outputs(paths: Iterable[Path]) -> None:
    """Check that nothing in the files makes SUMO write.

    Raises:
        InputError: an element names a file to write, or a file cannot be read or is broken.
    """
    for path in opened_files(paths):
        content = plain_bytes(path)
        if not _WRITING.search(_narrow(content)):
            continue
        for name, attributes in _elements(path, content):
            for one in written_by(name, attributes):
                raise InputError(
                    f"{path}: <{name}> makes SUMO write {attributes[one]}, and cosim lets it write nothing; "
                    f'put {one}="{SILENT}" there, or import the SUMO configuration by `cosim map import`'
                )


def _elements(path: Path, content: bytes) -> list[tuple[str, dict[str, str]]]:
    """Return the elements that make SUMO write, with their attributes."""
    found: list[tuple[str, dict[str, str]]] = []

    def on_element(name: str, attributes: dict[str, str]) -> None:
        if written_by(name, attributes):
            found.append((name, attributes))

    parser = expat.ParserCreate()
    parser.StartElementHandler = on_element
    parse_xml(parser, content, str(path), "correct the file")
    return found


def _narrow(content: bytes) -> bytes:
    """Return text of two bytes a letter as one of one, so that element names can be searched."""
    return content.replace(b"\0", b"") if content.startswith(_WIDE) else content
