"""SUMO's XML read once for what it holds, and written again where references in it change."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from cosim.errors import InputError
from cosim.roads.xmlscan import parse_xml

Change: TypeAlias = Callable[[str, dict[str, str]], dict[str, str] | None]
"""Given an element and its attributes, returns the attributes that it gets in the copy; None: it stays as it is."""


def rewritten(path: Path, content: bytes, change: Change) -> bytes | None:
    """Return a file's content with changed attributes, without comments; None if nothing changes.

    Args:
        path: the file, for messages.
        content: its XML.
        change: called once for each element, in the file's order.

    Raises:
        InputError: it is broken XML, or draws text from other files by entities.
    """
    changes: dict[int, dict[str, str]] = {}
    elements = 0

    def on_element(name: str, attributes: dict[str, str]) -> None:
        nonlocal elements
        changed = change(name, attributes)
        if changed is not None:
            changes[elements] = changed
        elements += 1

    parser = expat.ParserCreate()
    parser.StartElementHandler = on_element
    _parse(parser, path, content)
    return _written(path, content, changes) if changes else None


def _written(path: Path, content: bytes, changes: dict[int, dict[str, str]]) -> bytes:
    parts = ['<?xml version="1.0" encoding="UTF-8"?>\n']
    elements = 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal elements
        shown = changes.get(elements, attributes)
        elements += 1
        parts.append(f"<{name}{''.join(f' {key}={quoteattr(value)}' for key, value in shown.items())}>")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = begin
    parser.EndElementHandler = lambda name: parts.append(f"</{name}>")
    parser.CharacterDataHandler = lambda text: parts.append(escape(text))
    _parse(parser, path, content)
    return "".join([*parts, "\n"]).encode()


def _parse(parser: expat.XMLParserType, path: Path, content: bytes) -> None:
    def on_entity(name: str, _: bool, __: str | None, ___: str | None, system: str | None, *____: object) -> None:
        if system is not None:
            raise InputError(f"{path.name}: the entity {name} draws text from {system}; put that text in its place")

    parser.EntityDeclHandler = on_entity
    parse_xml(parser, content, path.name, "correct the file")
