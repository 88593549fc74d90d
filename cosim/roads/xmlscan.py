"""Reads the elements of an XML file, gzipped or plain, one after the other."""

import zlib
from collections.abc import Callable
from pathlib import Path
from xml.parsers import expat

from cosim.errors import InputError
from cosim.roads.packed import open_packed

_CHUNK = 1 << 18
_VERSIONS = ("1.0", "1.1")


def parse_xml(parser: expat.XMLParserType, content: bytes, name: str, remedy: str) -> None:
    """Give a parser a whole file.

    Args:
        parser: with its handlers.
        content: XML.
        name: the file, as the error's line names it.
        remedy: what to do about a broken file, the end of the error's line.

    Raises:
        InputError: it is not well-formed, of a version that SUMO refuses, or in an encoding that expat cannot read.
    """

    def declared(version: str, _: str | None, __: int) -> None:
        if version not in _VERSIONS:
            raise InputError(f"{name}: XML of the version {version}, which SUMO cannot read; write 1.0")

    parser.XmlDeclHandler = declared
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: an unknown, a multi-byte encoding
        raise InputError(f"{name}: broken XML, {error}; {remedy}") from error


def scan_xml(path: Path, on_element: Callable[[str, dict[str, str]], bool | None], remedy: str) -> None:
    """Call `on_element(name, attributes)` at each start tag until it returns True or the file ends.

    Args:
        path: an XML file, gzipped or plain.
        on_element: called for the elements in the file's order.
        remedy: what to do about a broken file, the end of the error's line.

    Raises:
        InputError: the file cannot be read or is not well-formed XML, or a value in it cannot be understood.
    """
    parser = expat.ParserCreate()
    stopped = False

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal stopped
        if on_element(name, attributes):
            stopped = True
            parser.StartElementHandler = None

    parser.StartElementHandler = start
    try:
        with open_packed(path) as stream:
            while not stopped:
                chunk = stream.read(_CHUNK)
                parser.Parse(chunk, not chunk)
                if not chunk:
                    return
    except expat.ExpatError as error:
        if not stopped:  # what comes after the wanted element was not asked for
            raise InputError(f"{path}: broken XML, {error}; {remedy}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error}); {remedy}") from error
    except KeyError as error:
        raise InputError(f"{path}, line {parser.CurrentLineNumber}: attribute {error} is missing; {remedy}") from error
    except LookupError as error:  # it declares an encoding that nobody knows
        raise InputError(f"{path}: broken XML, {error}; {remedy}") from error
    except ValueError as error:
        raise InputError(f"{path}, line {parser.CurrentLineNumber}: {error}; {remedy}") from error
