"""Tables of codes: the names behind the numbers of a column, such as Status, found by the name of the table."""

import re
from enum import IntEnum

from cosim.errors import InputError
from cosim.subjects import fact_kinds
from cosim.trace.facts.column import columns
from cosim.types import word


def table_name(codes: type[IntEnum]) -> str:
    """Return the name of a table of codes: KeyState -> key_state.

    In SQL the macro `key_state_name(state)` gives the names of the codes of that table.

    Example:
        >>> from cosim.types import KeyState
        >>> table_name(KeyState)
        'key_state'
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", codes.__name__).lower()


def code_tables() -> dict[str, type[IntEnum]]:
    """Return all tables of codes that columns of facts use, by name.

    Raises:
        InputError: two tables have the same name.
    """
    tables: dict[str, type[IntEnum]] = {}
    for fact in fact_kinds():
        for column in columns(fact).values():
            if column.codes is not None:
                name = table_name(column.codes)
                if tables.setdefault(name, column.codes) is not column.codes:
                    raise InputError(f"codes {name}: {fact.__name__} has another table of that name; rename it")
    return tables


def code_names(codes: type[IntEnum]) -> dict[int, str]:
    """Return the names of a table by code, as they are stored and as SQL gives them."""
    return {int(code): code.name for code in codes}


def code_words(codes: type[IntEnum]) -> dict[int, str]:
    """Return the words of a table by code, as people read them."""
    return {int(code): word(code) for code in codes}
