"""A law that rows of a run must obey, as the query for those that do not."""

from dataclasses import dataclass
from typing import Any

from cosim.trace.facts.column import columns
from cosim.trace.store.layout import kind_name
from cosim.trace.store.reader import quoted
from cosim.types import NOWHERE


@dataclass(frozen=True, slots=True)
class Rule:
    """A query for the `seq` of rows of one kind that break a law, and what to say of them."""

    kind: str
    """Whose rows it is about."""
    why: str
    """What a finding says of a row that breaks it."""
    query: str
    condition: str = ""
    """That a row breaks it, where the row alone says so: one reading of a kind answers all such rules."""


def where(kind: str, why: str, condition: str) -> Rule:
    """No row of a kind is so.

    Args:
        kind: of facts.
        why: what a finding says of a row that is so.
        condition: SQL over the columns of the kind.
    """
    return Rule(kind, why, f"SELECT seq FROM {quoted(kind)} WHERE {condition}", condition)


def unknown(kind: str, why: str, column: str, known: str) -> Rule:
    """Every value of a column is one of those that a query gives; NULL is none.

    Args:
        kind: of facts.
        why: what a finding says of a row with another value.
        column: of the kind.
        known: SQL that gives the values, in one column.
    """
    return where(kind, why, f"{quoted(column)} NOT IN ({known})")


def amounts(held: dict[str, tuple[str, ...]]) -> list[Rule]:
    """Columns, by kind, that hold numbers which are not negative."""
    return [
        where(
            kind, f"its {name} is negative or no number", f"NOT ({quoted(name)} >= 0) OR isnan({quoted(name)}::DOUBLE)"
        )
        for kind, names in held.items()
        for name in names
    ]


def growing_totals(held: dict[tuple[str, ...], tuple[str, ...]]) -> list[Rule]:
    """Running totals, by kind and the columns that tell them apart, that never shrink."""
    rules = []
    for (kind, *key), names in held.items():
        shrinks = " OR ".join(f"{name} < lag({name}) OVER place" for name in map(quoted, names))
        apart = f"PARTITION BY {', '.join(map(quoted, key))} " if key else ""
        query = f"SELECT seq FROM {quoted(kind)} WINDOW place AS ({apart}ORDER BY seq) QUALIFY {shrinks}"
        rules.append(Rule(kind, "a running total is smaller than before", query))
    return rules


def known_codes(fact: type[Any], or_absent: tuple[str, ...] = ()) -> list[Rule]:
    """Columns with a table of codes hold codes of it; some may say by NOWHERE that there was nothing to name."""
    rules = []
    for name, column in columns(fact).items():
        if column.codes is not None:
            known = ", ".join(map(str, [*([NOWHERE] if name in or_absent else []), *map(int, column.codes)]))
            rules.append(where(kind_name(fact), f"its {name} is unknown", f"{quoted(name)} NOT IN ({known})"))
    return rules


def flags(kind: str, *names: str) -> list[Rule]:
    """Columns that hold 0 or 1."""
    return [where(kind, f"its {name} is unknown", f"{quoted(name)} NOT BETWEEN 0 AND 1") for name in names]
