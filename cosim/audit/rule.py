"""Rules of the audit: a law that rows must obey, as a query for those that do not."""

from dataclasses import dataclass
from typing import Any

from cosim.trace.facts.column import columns
from cosim.trace.store.layout import kind_name
from cosim.trace.store.reader import quoted


@dataclass(frozen=True, slots=True)
class Rule:
    """A query for the `seq` of the rows of one kind that break a law, and the words of a finding."""

    kind: str
    """Kind of fact of the rows."""
    why: str
    """What is wrong with a row that breaks it."""
    query: str
    condition: str = ""
    """SQL condition of a row that breaks it, if the row alone decides: one reading of a kind answers all such rules."""


def where(kind: str, why: str, condition: str) -> Rule:
    """Return the rule that no row of a kind satisfies a condition.

    Args:
        kind: kind of fact.
        why: what is wrong with a row that satisfies it.
        condition: SQL over the columns of the kind.

    Example:
        >>> where("task_ended", "its energy is negative", "transmit_j < 0").query
        'SELECT seq FROM "task_ended" WHERE transmit_j < 0'
    """
    return Rule(kind, why, f"SELECT seq FROM {quoted(kind)} WHERE {condition}", condition)


def unknown(kind: str, why: str, column: str, known: str) -> Rule:
    """Return the rule that every value of a column is among those that a query gives; NULL is not checked.

    Args:
        kind: kind of fact.
        why: what is wrong with a row that has another value.
        column: column of the kind.
        known: SQL that gives the values, in one column.
    """
    return where(kind, why, f"{quoted(column)} IS NOT NULL AND {quoted(column)} NOT IN ({known})")


def amounts(held: dict[str, tuple[str, ...]]) -> list[Rule]:
    """Return the rules that columns, named by kind, hold numbers that are not negative."""
    return [
        where(kind, f"its {name} is negative or no number", f"({quoted(name)} >= 0) IS NOT TRUE")
        for kind, names in held.items()
        for name in names
    ]


def growing_totals(held: dict[tuple[str, ...], tuple[str, ...]]) -> list[Rule]:
    """Return the rules that running totals, named by kind and the columns that tell them apart, never shrink."""
    rules = []
    for (kind, *key), names in held.items():
        shrinks = " OR ".join(f"{name} < lag({name}) OVER place" for name in map(quoted, names))
        apart = f"PARTITION BY {', '.join(map(quoted, key))} " if key else ""
        query = f"SELECT seq FROM {quoted(kind)} WINDOW place AS ({apart}ORDER BY seq) QUALIFY {shrinks}"
        rules.append(Rule(kind, "a running total is smaller than before", query))
    return rules


def known_codes(fact: type[Any]) -> list[Rule]:
    """Return the rules that columns with a table of codes hold codes of it; NULL is not checked."""
    rules = []
    for name, column in columns(fact).items():
        if column.codes is not None:
            known = ", ".join(str(int(code)) for code in column.codes)
            rules.append(where(kind_name(fact), f"its {name} is unknown", f"{quoted(name)} NOT IN ({known})"))
    return rules


def flags(kind: str, *names: str) -> list[Rule]:
    """Return the rules that columns hold 0 or 1."""
    return [where(kind, f"its {name} is unknown", f"{quoted(name)} NOT BETWEEN 0 AND 1") for name in names]
