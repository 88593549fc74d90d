"""Errors in a scenario as one line: file, line, field, value, remedy."""

import difflib
import re
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cosim.errors import InputError
from cosim.scenario.document import Document, Location, shown
from cosim.scenario.schema import scenario_model
from cosim.subjects import GROUP, outside

_Model: TypeAlias = type[BaseModel]

_REMEDIES: Final[Mapping[str, str]] = {
    "greater_than": "use a larger value",
    "greater_than_equal": "use a larger value",
    "less_than": "use a smaller value",
    "less_than_equal": "use a smaller value",
    "int_from_float": "round it",
    "string_type": "put it in quotes",
    "bool_type": "write one of them",
    "bool_parsing": "write one of them",
    "tuple_type": "write a list",
    "dict_type": "write keys and values below it",
    "model_type": "write keys and values below it",
    "model_attributes_type": "write keys and values below it",
    "missing": "add it",
    "too_short": "add an item",
    "string_too_short": "give a longer text",
    "string_too_long": "give a shorter text",
    "int_type": "give a whole number",
    "int_parsing": "give a whole number",
    "float_type": "give a number",
    "float_parsing": "give a number",
}
_PLAIN: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
}


def closest(name: str, known: Iterable[str]) -> str:
    """Return `did you mean x?` for a near miss, else the list of known names."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(names) or 'none'}"


def input_error(error: ValidationError, document: Document, origins: Mapping[Location, str], file: str) -> InputError:
    """Return the error of the first problem in the file's order, with the number of others.

    Args:
        error: what the check of the scenario found.
        document: the scenario as read, with its lines.
        origins: text of each override by its location.
        file: name of the scenario file.
    """
    details = [detail for detail in error.errors(include_url=False) if not _echo(detail)]
    problems = [(_place(detail, document, origins, file), _sentence(detail)) for detail in details]
    problems.sort(key=lambda problem: problem[0][0])
    (_, where), sentence = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return InputError(f"{where}: {sentence}{more}")


def _echo(detail: ErrorDetails) -> bool:
    """Return whether a list is called too short only because its items are wrong."""
    return detail["type"] == "too_short" and bool(detail["input"])


def _place(detail: ErrorDetails, document: Document, origins: Mapping[Location, str], file: str) -> tuple[float, str]:
    """Return the line (for sorting) and the words for the place: the override that set it, else the file's line."""
    location, _ = _resolve(detail["loc"])
    for length in range(len(location), 0, -1):
        if location[:length] in origins:
            return 0, origins[location[:length]]
        if location[:length] in document.lines:  # a longer path in the file is closer than an override above it
            break
    line = document.line(location)
    if line is not None:
        return line, f"{file}:{line}"
    below = [text for place, text in origins.items() if place[: len(location)] == location]
    return float("inf"), below[-1] if below and location else file


def _sentence(detail: ErrorDetails) -> str:
    location, annotation = _resolve(detail["loc"])
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    field = ".".join(shown(part) for part in location)
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        given = value.get("kind") if isinstance(value, dict) else None
        if given is None:
            return f"{field}: has no kind; add kind: with one of {', '.join(_kinds(annotation))}"
        return f"{field}.kind = {shown(given)}: is unknown; {closest(str(given), _kinds(annotation))}"
    if kind == "extra_forbidden":
        _, section = _resolve(detail["loc"][:-1])
        known = [key for member in _sections(section) for key in member.model_fields]
        return f"{field}: is an unknown key; {closest(str(location[-1]), known)}{_package(location)}"
    if kind == "value_error":
        problem = str(context.get("error", detail["msg"]))
    elif kind == "literal_error":
        names = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        problem = f"is not one of the choices; {closest(shown(value), names)}"
    else:
        message = re.sub(r"^[A-Z]\w* should ", "must ", detail["msg"]).replace(" after validation", "")
        problem = f"{_PLAIN.get(kind, message)}; {_REMEDIES.get(kind, 'correct it')}"
    scalar = kind != "missing" and not isinstance(value, dict | list | tuple | BaseModel)
    return " ".join(f"{field}{f' = {shown(value)}' if scalar else ''}{': ' if field else ''}{problem}".split())


def _package(location: Location) -> str:
    """Return the hint that an unknown section may be one of a package."""
    if len(location) > 1:
        return ""
    installed = ", ".join(subject.name for subject in outside()) or "none"
    return f"; or install the package that brings this section ({GROUP}: {installed})"


def _resolve(location: Iterable[str | int]) -> tuple[Location, Any]:
    """Return the place without union tags, and the annotation found there (None where it is unknown)."""
    path: list[str | int] = []
    annotation: Any = scenario_model()
    for part in location:
        members = _members(annotation)
        tagged = [member for member in members if part in _tags(member)]
        if len(members) > 1 and tagged:
            annotation = tagged[0]
            continue
        path.append(part)
        annotation = _below(members, part)
    return tuple(path), annotation


def _below(members: list[Any], part: str | int) -> Any:
    for member in members:
        if isinstance(member, type) and issubclass(member, BaseModel) and part in member.model_fields:
            return member.model_fields[str(part)].annotation
        if get_origin(member) in {tuple, dict}:
            arguments = get_args(member)
            return arguments[0] if get_origin(member) is tuple else arguments[1]
    return None


def _members(annotation: Any) -> list[Any]:
    """Return the alternatives of an annotation, without None."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in {Union, types.UnionType}:
        return [member for argument in get_args(annotation) for member in _members(argument)]
    return [] if annotation is type(None) else [annotation]


def _sections(annotation: Any) -> list[_Model]:
    return [member for member in _members(annotation) if isinstance(member, type) and issubclass(member, BaseModel)]


def _tags(member: Any) -> tuple[str, ...]:
    if isinstance(member, type) and issubclass(member, BaseModel):
        kind = member.model_fields.get("kind")
        return tuple(get_args(kind.annotation)) if kind and get_origin(kind.annotation) is Literal else ()
    return ("number",) if member is float else ()


def _kinds(annotation: Any) -> list[str]:
    """Return the kinds of a union of sections."""
    return [tag for member in _sections(annotation) for tag in _tags(member)]
