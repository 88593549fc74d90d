"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a bar inside a cell ends no column, whether it stands in text or in code.

    >>> print(table(["a"], [["x|y, `x|y`"]]))
    | a |
    | --- |
    | x&#124;y, `x|y` |
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_without_bars, line))} |" for line in lines)


def _without_bars(cell: str) -> str:
    pieces = cell.split("`")
    pieces[::2] = [text.replace("|", "&#124;") for text in pieces[::2]]
    return "`".join(pieces)


def code(text: str) -> str:
    """Return a text in code, "" as it is."""
    return f"`{text}`" if text else ""


def sentence(text: str) -> str:
    """Return a text on one line with a capital at its beginning, unless that is a name to be typed as it is."""
    line = " ".join(text.split())
    first = line.partition(" ")[0].removesuffix(".").removesuffix(",")
    return line if set(first) & set(":._") else line[:1].upper() + line[1:]
