"""Columns of facts: the NumPy type, unit, meaning and codes of a field, and the columns that many facts share."""

import math
from dataclasses import fields
from enum import IntEnum
from typing import Annotated, Any, Final, NamedTuple, TypeAlias, get_type_hints

from cosim.errors import InputError
from cosim.types import NOWHERE

_ABSENT: Final = {"f": repr(math.nan), "i": repr(NOWHERE)}
"""What can stand for what did not happen, by kind of type."""


class Column(NamedTuple):
    """How a field of a fact is stored and read.

    `code` is the NumPy type, "O" for text. `codes` is the table of names of a column of codes: store, SQL, export,
    audit and page take the names from there. `absent` is the number that stands in memory for what did not happen: NaN
    or -1 (`cosim.types.NOWHERE`); the store has a null for it. Without it every row has a value. `since` is the schema
    of run folders in which a column of cosim appeared.

    Example:
        >>> from cosim.trace.facts.run import TaskEnded
        >>> columns(TaskEnded)["target"].absent, columns(TaskEnded)["task"].absent
        (-1, None)
    """

    code: str
    unit: str
    meaning: str = ""
    codes: type[IntEnum] | None = None
    absent: float | None = None
    since: int = 2


Time: TypeAlias = Annotated[float, Column("<f8", "s", "simulated time")]
TaskId: TypeAlias = Annotated[int, Column("<i8", "", "task, counted from 0 in order of release")]
Vehicle: TypeAlias = Annotated[int, Column("<i4", "", "vehicle number, counted from 0 in order of entry")]
SiteNumber: TypeAlias = Annotated[int, Column("<i4", "", "site number, as in SiteDeployed")]
Node: TypeAlias = Annotated[int, Column("<i4", "", "QKD node, as in KeyNodeDeployed; a site's node has its number")]
Link: TypeAlias = Annotated[int, Column("<i4", "", "QKD link, as in KeyLinkDeployed")]
Validator: TypeAlias = Annotated[int, Column("<i4", "", "validator, as in ValidatorDeployed")]
Height: TypeAlias = Annotated[int, Column("<i8", "", "place in the chain; the first block has 1")]
Round: TypeAlias = Annotated[int, Column("<i4", "", "attempt at a height, from 0")]
Text: TypeAlias = Annotated[str, Column("O", "", "name")]


def columns(fact: type[Any]) -> dict[str, Column]:
    """Return the columns of a fact in order, without `seq`.

    Raises:
        InputError: a field is not annotated with a `Column`, has a reserved name, or is absent by a number that its type
            does not hold, or the first field is not `time_s`.

    Example:
        >>> from cosim.trace.facts.run import VehicleLeft
        >>> {name: column.unit for name, column in columns(VehicleLeft).items()}
        {'time_s': 's', 'vehicle': ''}
    """
    hints = get_type_hints(fact, include_extras=True)
    found: dict[str, Column] = {}
    for field in fields(fact):
        column = getattr(hints[field.name], "__metadata__", (None,))[-1]
        if not isinstance(column, Column) or field.name.startswith("_") or field.name in ("seq", "row_check"):
            raise InputError(
                f"fact {fact.__name__}: {field.name} is no column; annotate it with a Column, and give it a name "
                "that is not seq, row_check or begins with _"
            )
        if column.absent is not None and repr(column.absent) != _ABSENT.get(column.code[1:2]):
            raise InputError(
                f"fact {fact.__name__}: {field.name} of type {column.code} cannot hold {column.absent!r} for what did "
                "not happen; give absent=math.nan to floats, -1 to integers, none to text"
            )
        found[field.name] = column
    if next(iter(found), None) != "time_s":
        raise InputError(f"fact {fact.__name__}: its first column is not time_s; state when it happened")
    return found
