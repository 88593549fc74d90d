"""Every command of `cosim` with its arguments, options and examples."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import typer.main

from cosim.cli.answers import ANSWERS
from cosim.cli.main import app
from generated.markdown import code, sentence, table

_INTRODUCTION: Final = """\
# Commands

Every command with its arguments and options, made at each build from the code; `cosim COMMAND --help` prints the same.
Exit codes: 0 done, 1 the run broke or an audit found something, 2 bad input; every failure is one line on stderr that
says what to change. `--json` prints one JSON object for scripts, in base units and with all digits: `[]` stands for the
elements of a list, `*` for a name that depends on the run, `**` for whatever lies below; what is not known is null.
"""


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument or option of a command."""

    name: str
    takes: str
    default: str
    help: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command that can be called."""

    name: str
    """As it is called, with `cosim`."""
    help: str
    arguments: tuple[Parameter, ...]
    options: tuple[Parameter, ...]
    examples: tuple[str, ...]


def commands_page() -> str:
    """Return the page."""
    return "\n".join([_INTRODUCTION, *map(_section, commands())])


def commands() -> Iterator[Command]:
    """Yield every command, in the order of their names."""
    yield from sorted(_walk(typer.main.get_command(app), ("cosim",)), key=lambda command: command.name)


def _walk(command: Any, path: tuple[str, ...]) -> Iterator[Command]:
    below = getattr(command, "commands", None)
    if below is not None:
        for name, one in below.items():
            yield from _walk(one, (*path, name))
        return
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    lines = [line.strip() for line in (command.epilog or "").splitlines()]
    lines = [line for line in lines if line and not line.startswith("Keys of --json")]
    types = get_type_hints(command.callback)
    yield Command(
        " ".join(path),
        command.help or "",
        tuple(_argument(one) for one in arguments),
        tuple(_option(one, types[one.name]) for one in options),
        tuple(lines[1:] if lines[:1] == ["Examples:"] else lines),
    )


def _argument(one: Any) -> Parameter:
    shown = one.metavar or one.name.upper()
    name = shown if one.required or shown.startswith("[") else f"[{shown}]"
    return Parameter(name, "", "", one.help or "")


def _option(one: Any, annotation: Any) -> Parameter:
    value = getattr(one.default, "value", one.default)
    default = "*required*" if one.required else "" if value in (None, False, ()) else code(str(value))
    takes = "" if annotation is bool else one.metavar or _takes(annotation)
    return Parameter(" / ".join([*one.opts, *one.secondary_opts]), takes, default, one.help or "")


def _takes(annotation: Any) -> str:
    """What an option of a type takes, in capitals or as a choice."""
    if get_origin(annotation) in (Union, UnionType, list):
        return " ".join(_takes(one) for one in get_args(annotation) if one is not type(None))
    if get_origin(annotation) is Literal:
        return "|".join(map(str, get_args(annotation)))
    if issubclass(annotation, Enum):
        return "|".join(str(one.value) for one in annotation)
    return {int: "N", float: "NUMBER", str: "TEXT"}.get(annotation, "PATH")


def _section(command: Command) -> str:
    called = " ".join([command.name, *(one.name for one in command.arguments)])
    parts = [f"## `{command.name}`\n\n{sentence(command.help)}\n", f"```text\n{called} [OPTIONS]\n```\n"]
    rows = [(code(one.name), "", "", sentence(one.help)) for one in command.arguments]
    rows += [(code(one.name), code(one.takes), one.default, sentence(one.help)) for one in command.options]
    if rows:
        parts.append(table(("argument or option", "value", "default", "what it does"), rows) + "\n")
    if command.examples:
        parts.append("\n".join(["```text", *command.examples, "```\n"]))
    keys = ANSWERS.get(command.name.removeprefix("cosim "), ())
    if keys:
        parts.append(
            table(("key of `--json`", "unit", "what it is"), [(code(one.key), one.unit, one.meaning) for one in keys])
        )
    return "\n".join(parts)
