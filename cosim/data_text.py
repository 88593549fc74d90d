"""JSON and TOML of files that somebody may have edited or damaged: each fault of a text is a ValueError of one line."""

import json
import re
import tomllib
from typing import Any, Final

MAX_DEPTH: Final = 64
"""Levels of lists and mappings in each other; cosim's own files have less than ten."""
_DEEP: Final = f"is nested deeper than {MAX_DEPTH} levels"
_DOTTED_KEY: Final = re.compile(rf"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{MAX_DEPTH},}}""")


def json_data(text: str | bytes) -> Any:
    r"""Return the data of a JSON text.

    Unlike `json.loads` it refuses a key that is given twice, of which one value would silently win, and deep nesting,
    at which readers that follow a value downwards would fail.

        >>> json_data('{"a": [1, 2.5]}')
        {'a': [1, 2.5]}
        >>> json_data('{"a": 1, "a": 2}')
        Traceback (most recent call last):
        ...
        ValueError: the key 'a' is given twice

    Raises:
        ValueError: it is no JSON or not UTF-8, has a key twice, or nests deeper than MAX_DEPTH.
    """
    try:
        data = json.loads(text, object_pairs_hook=_distinct)
    except RecursionError:
        raise ValueError(_DEEP) from None
    _see_depth(data)
    return data


def toml_data(text: str) -> dict[str, Any]:
    """Return the data of a TOML text.

    >>> toml_data("a = 1")
    {'a': 1}

    Raises:
        ValueError: it is no TOML, or nests deeper than MAX_DEPTH.
    """
    if _DOTTED_KEY.search(text):  # tomllib takes memory that grows with the square of its parts
        raise ValueError(_DEEP)
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise ValueError(_DEEP) from None
    _see_depth(data)
    return data


def _see_depth(data: Any) -> None:
    level, depth = [data], 0
    while level:  # level by level, as a function that calls itself would fail where this must answer
        if depth > MAX_DEPTH:
            raise ValueError(_DEEP)
        level = [item for one in level for item in _inside(one)]
        depth += 1


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in data if names.count(name) > 1)
        raise ValueError(f"the key {twice[:60]!r} is given twice")
    return data


def _inside(value: Any) -> list[Any]:
    """Return the lists and mappings that are items of a value."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [item for item in items if isinstance(item, dict | list)]
