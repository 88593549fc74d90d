"""What is wrong with a query, in one line: DuckDB's first sentence, and the nearest name instead of its candidates."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Final

ONE_SELECT: Final = "a trace is read only; give one SELECT statement"
_SORT: Final = re.compile(r"^(?:[A-Z]\w*[ -])+Error: ")
_COLUMN: Final = re.compile(r'Referenced column "(?P<a>.+?)" not found|does not have a column named "(?P<b>.+?)"')
_TABLE: Final = re.compile(r"Table with name (?P<name>\S+) does not exist")
_LONGEST: Final = 240


def sql_problem(said: str, query: str, columns: Mapping[str, Iterable[str]], stored: Iterable[str]) -> str:
    """Return the problem of a query that DuckDB refuses, as one line with a remedy where one is known.

    Args:
        said: DuckDB's message, of several lines.
        query: What was asked.
        columns: The columns of each view.
        stored: The views that have rows in this run.
    """
    first, *others = [line.strip() for line in said.splitlines() if line.strip()] or ["is refused"]
    if column := _COLUMN.search(first):
        return _no_column(column["a"] or column["b"], query, columns)
    if table := _TABLE.search(first):
        near = difflib.get_close_matches(table["name"].lower(), columns, n=1)
        known = f"did you mean {near[0]}?" if near else f"views: {', '.join(stored)}"
        return f"no table {_short(table['name'])}; {known}"
    told = _SORT.sub("", first).rstrip(".!")
    hint = next((f"; {line[0].lower()}{line[1:]}" for line in others if line.startswith("Did you mean")), "")
    return _short(f"{told[:1].lower()}{told[1:]}{hint}")


def _no_column(name: str, query: str, columns: Mapping[str, Iterable[str]]) -> str:
    """Look for a near name in the views that the query names, in all if it names none."""
    words = set(re.findall(r"\w+", query.lower()))
    asked = [view for view in columns if view in words] or list(columns)
    known = dict.fromkeys(column for view in asked for column in columns[view])
    near = difflib.get_close_matches(name.lower(), known, n=1)
    where = f" in {', '.join(asked)}" if len(asked) <= 3 else ""
    hint = f"did you mean {near[0]}?" if near else "`cosim trace schema` lists them"
    return f"no column {_short(name)}{where}; {hint}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
