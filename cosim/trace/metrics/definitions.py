"""What each figure of merit is: its unit, its meaning, and for many the query that gives it.

The queries are SQL over a run's facts, without intervals; `$begin_s` stands for the warm-up's end and `$end_s` for the
run's. A name with `/*` stands for one figure of each site.
"""

from collections.abc import Iterator, Mapping
from string import Template
from typing import NamedTuple

from cosim.subjects import Subject, pieces


class Definition(NamedTuple):
    """What a figure of merit is."""

    unit: str
    meaning: str
    sql: str = ""
    """Query that gives its value; "" where one query does not say it."""

    def query(self, begin_s: float, end_s: float) -> str:
        """Return the query for the time from `begin_s` to `end_s`."""
        return Template(self.sql).substitute(begin_s=repr(begin_s), end_s=repr(end_s))


def definitions() -> Iterator[tuple[Subject, Mapping[str, Definition]]]:
    """Yield each subject that measures something, with the definitions of its figures by name."""
    for subject, _ in pieces("figures"):
        yield subject, subject.piece("definitions") or {}
