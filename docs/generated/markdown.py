"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a bar inside a cell ends no column."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def code(text: str) -> str:
    """Return a text in code, "" as it is."""
    return f"`{text}`" if text else ""


def sentence(text: str) -> str:
    """Return a text on one line with a capital at its beginning, unless that is a name to be typed as it is."""
    line = " ".join(text.split())
    first = line.partition(" ")[0].removesuffix(".").removesuffix(",")
    return line if set(first) & set(":._") else line[:1].upper() + line[1:]
