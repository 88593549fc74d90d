"""A law that rows of a run must obey, as the query for those that do not."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A query for the `seq` of rows of one kind that break a law, and what to say of them."""

    kind: str
    why: str
    query: str
    condition: str = ""
    """That a row breaks it, where the row alone says so: one reading of a kind answers all such rules."""


def where(kind: str, why: str, condition: str) -> Rule:
    """No row of a kind is so."""
    return Rule(kind, why, f"SELECT seq FROM {kind} WHERE {condition}", condition)


def unknown(kind: str, why: str, column: str, known: str) -> Rule:
    """Every value of a column is one of those that a query gives; NULL is none."""
    return where(kind, why, f'"{column}" NOT IN ({known})')


def amounts(columns: dict[str, tuple[str, ...]]) -> list[Rule]:
    """Columns, by kind, that hold numbers which are not negative."""
    return [
        where(kind, f"its {name} is negative or no number", f"NOT ({name} >= 0) OR isnan({name}::DOUBLE)")
        for kind, names in columns.items()
        for name in names
    ]


def totals(columns: dict[tuple[str, str], tuple[str, ...]]) -> list[Rule]:
    """Running totals, by kind and by what tells them apart, that never shrink."""
    rules = []
    for (kind, key), names in columns.items():
        shrinks = " OR ".join(f"{name} < lag({name}) OVER place" for name in names)
        query = f"SELECT seq FROM {kind} WINDOW place AS (PARTITION BY {key} ORDER BY seq) QUALIFY {shrinks}"
        rules.append(Rule(kind, "a running total is smaller than before", query))
    return rules


def codes(columns: dict[tuple[str, str], int]) -> list[Rule]:
    """Columns, by kind and name, that hold codes from 0 to a highest one."""
    return [
        where(kind, f"its {name} is unknown", f"{name} NOT BETWEEN 0 AND {most:d}")
        for (kind, name), most in columns.items()
    ]
