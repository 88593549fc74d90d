"""Every kind of fact and every column, from the data dictionary of a trace."""

from typing import Final

from cosim.subjects import pieces
from cosim.trace.store.dictionary import Kind, dictionary
from cosim.trace.store.layout import kind_name, known_layouts
from generated.markdown import code, sentence, table

_INTRODUCTION: Final = """\
# Facts reference

Every kind of fact that a run can record, made at each build from the code. Each kind is a table in SQL and a folder of
Parquet files in the run folder; a kind whose section a scenario does not have has no rows. `cosim trace schema` prints
the same, `cosim trace schema RUN` also the kinds that only a run's own files know. Each table begins with `seq`, the
place in the order of recording, gapless over all kinds. Times are seconds of the run's clock. A column that can be null
is so where a thing did not happen. Numbers that stand for names have a function in SQL: `status_name(status)` for the
column `status` of the table of codes `Status`.
"""
TITLES: Final = {
    "core": "Every run",
    "keys": "Runs with keys",
    "ledger": "Runs with a ledger",
    "twin": "Runs with a digital twin",
}


def facts_page() -> str:
    """Return the page."""
    parts = [_INTRODUCTION]
    for title, kinds in facts():
        parts.append(f"## {title}\n")
        parts += [_kind(kind) for kind in kinds]
    return "\n".join(parts)


def facts() -> list[tuple[str, tuple[Kind, ...]]]:
    """Return the kinds of each subject, under its title."""
    known = known_layouts()
    found = []
    for subject, declared in pieces("facts"):
        kinds = dictionary(known[kind_name(fact)] for fact in declared)
        found.append((TITLES.get(subject.name, f"Runs with {subject.name}"), kinds))
    return found


def _kind(kind: Kind) -> str:
    rows = [(code(column.name), column.unit, code(column.type), sentence(column.said)) for column in kind.columns[1:]]
    return f"### `{kind.kind}` {{ #{kind.kind} }}\n\n{sentence(kind.meaning)}\n\n" + (
        table(("column", "unit", "type", "meaning"), rows) + "\n"
    )
