"""What did not happen: NaN or -1 in packed rows, a null in the store, so that SQL, pandas, Polars and CSV leave it out.

Digests and row checks are over packed rows, so that a null is read back as the number that stood for it. A NaN in a
float column is stored as a null whether or not the column says that it can be absent; the audit tells the difference.
"""

from collections.abc import Mapping
from math import isnan, nan
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cosim.trace.facts.column import Column
from cosim.types import AnyArray, BoolArray

NULLS_SINCE: Final = 4
"""The first schema version whose files hold nulls; older ones hold NaN and -1."""


def stand_in(column: Column) -> float | None:
    """Return the number that stands in a packed row for a null of a column; None if its type has no such number."""
    if column.absent is not None:
        return column.absent
    return nan if column.code in ("<f8", "<f4") else None


def absences(values: AnyArray, column: Column) -> BoolArray:  # (N,)
    """Return where packed values of a column stand for what did not happen."""
    number = stand_in(column)
    if number is None:
        return np.zeros(len(values), np.bool_)
    missing: BoolArray = np.isnan(values) if isnan(number) else values == number
    return missing


def with_nulls(values: AnyArray, column: Column) -> Any:
    """Return packed values of a column as an Arrow array, with nulls for what did not happen."""
    missing = absences(values, column)
    return pa.array(values, mask=missing) if missing.any() else pa.array(values)


def table_with_nulls(table: Any, columns: Mapping[str, Column]) -> Any:
    """Return stored rows of any schema version with nulls for what did not happen.

    Args:
        table: Arrow table with some of the columns.
        columns: how the columns are stored.
    """
    for place, name in enumerate(table.column_names):
        if name in columns and stand_in(columns[name]) is not None and not table.column(name).null_count:
            values = with_nulls(table.column(name).to_numpy(), columns[name])
            table = table.set_column(place, table.schema.field(place).with_nullable(True), values)
    return table


def without_nulls(stored: Any, column: Column) -> tuple[Any, BoolArray]:
    """Return the values of a stored column as they were packed, and where it has nulls.

    A null that no number stands for becomes 0 or an empty text.

    Args:
        stored: Arrow array of the column.
        column: how the column is stored.
    """
    missing: BoolArray = stored.is_null().to_numpy()
    if stored.null_count:
        number = stand_in(column)
        filler = "" if column.code == "O" else 0 if number is None else number
        stored = pc.fill_null(stored, pa.scalar(filler, stored.type))
    return (stored.to_pylist() if column.code == "O" else stored.to_numpy()), missing


def sql_with_nulls(name: str, column: Column) -> str:
    """Return SQL for a column of a file that holds NaN and -1, with nulls for what did not happen.

    Args:
        name: the column, quoted.
        column: how it is stored.
    """
    number = stand_in(column)
    if number is None:
        return name
    happened = f"NOT isnan({name})" if isnan(number) else f"{name} <> {number:d}"
    return f"CASE WHEN {happened} THEN {name} END AS {name}"
