"""The search for rows that break rules: one query for each kind of fact and one more for each broken rule."""

from collections.abc import Iterator, Sequence

from cosim.audit.rule import Rule
from cosim.trace.store.integrity import SHOWN, Finding
from cosim.trace.store.reader import Trace, quoted


def broken_rows(trace: Trace, rules: Sequence[Rule]) -> Iterator[Finding]:
    """Yield the rows that break rules, in the order of the rules: of each rule the first rows and how many more.

    A sound run needs one query for each kind. Kinds without rows are left out: there is no row to name.
    """
    told = {part.kind for part in trace.manifest.parts}
    by_kind: dict[str, dict[int, Rule]] = {}
    for number, rule in enumerate(rules):
        if rule.kind in told:
            by_kind.setdefault(rule.kind, {})[number] = rule
    found = [number for kind, numbered in by_kind.items() for number in _numbers(trace, kind, numbered)]
    for number in sorted(found):
        yield from _rows(trace, rules[number])


def _numbers(trace: Trace, kind: str, rules: dict[int, Rule]) -> list[int]:
    """Return the numbers of the broken rules of a kind; those about single rows share one reading of it."""
    queries = [f"(SELECT {n} AS rule FROM ({rule.query}) LIMIT 1)" for n, rule in rules.items() if not rule.condition]
    tests = [f"CASE WHEN bool_or({rule.condition}) THEN {n} END" for n, rule in rules.items() if rule.condition]
    if tests:
        queries.append(f"(SELECT unnest([{', '.join(tests)}]) AS rule FROM {quoted(kind)})")
    answer = trace.sql(f"SELECT rule FROM ({' UNION ALL '.join(queries)}) WHERE rule IS NOT NULL")
    return [int(number) for number in answer.rule]


def _rows(trace: Trace, rule: Rule) -> Iterator[Finding]:
    rows = trace.sql(f"SELECT seq, count(*) OVER () AS n FROM ({rule.query}) ORDER BY seq LIMIT {SHOWN}")
    for seq in rows.seq.tolist():
        yield Finding(rule.kind, seq, rule.why)
    if len(rows) and rows.n[0] > SHOWN:
        yield Finding(rule.kind, None, f"{rows.n[0] - SHOWN} more rows: {rule.why}")
