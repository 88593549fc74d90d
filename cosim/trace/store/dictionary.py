"""The data dictionary of a trace: every kind of fact and its columns, with type, unit, meaning and codes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cosim.trace.facts.codes import code_names
from cosim.trace.facts.column import Column
from cosim.trace.store.layout import Layout

_TYPES = {
    "<f8": "float64",
    "<f4": "float32",
    "<i8": "int64",
    "<i4": "int32",
    "<i2": "int16",
    "<i1": "int8",
    "O": "text",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a kind of fact, as the data dictionary describes it."""

    name: str
    type: str
    unit: str
    meaning: str
    codes: Mapping[int, str]
    """The names of its numbers, where they are codes."""
    can_be_null: bool = False
    """Whether it is null where a thing did not happen; otherwise every row has a value."""

    @property
    def said(self) -> str:
        """Its meaning, followed by its codes and their names, and whether it can be null."""
        codes = ", ".join(f"{code} {name}" for code, name in self.codes.items())
        null = "can be null" if self.can_be_null and "null" not in self.meaning else ""
        return "; ".join(filter(None, (": ".join(filter(None, (self.meaning, codes))), null)))


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fact: a table in SQL, a folder of Parquet files in the run folder."""

    kind: str
    meaning: str
    columns: tuple[Field, ...]


def dictionary(layouts: Iterable[Layout]) -> tuple[Kind, ...]:
    """Return the data dictionary of the kinds with these layouts; every kind begins with `seq`.

    Example:
        >>> from cosim.trace.store.layout import known_layouts
        >>> task_ended = next(kind for kind in dictionary(known_layouts().values()) if kind.kind == "task_ended")
        >>> [field.name for field in task_ended.columns[:4]]
        ['seq', 'time_s', 'task', 'vehicle']
    """
    order = Field("seq", "int64", "", "place in the order of recording, gapless over all kinds", {})
    return tuple(
        Kind(
            stored.kind,
            stored.meaning,
            (order, *(_field(name, column) for name, column in stored.columns.items())),
        )
        for stored in layouts
    )


def _field(name: str, column: Column) -> Field:
    codes = code_names(column.codes) if column.codes is not None else {}
    return Field(name, _TYPES[column.code], column.unit, column.meaning, codes, column.absent is not None)
