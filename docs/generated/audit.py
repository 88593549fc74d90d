"""The rules that `cosim trace verify` holds the rows of a run to."""

from collections.abc import Iterator
from typing import Final

from cosim.audit.rule import Rule
from cosim.subjects import Subject, subjects
from generated.facts import TITLES
from generated.markdown import code, table

_INTRODUCTION: Final = """\
# Audit rules

What `cosim trace verify RUN` checks of the rows of each kind of fact, made at each build from the code: a row that is
so is a finding. Beside these rules the audit checks the files against the manifest, the order of the rows, the digest,
the integrals of running totals, the wires that each result crossed against the path from its host to its cell, and the
provenance; of a ledger it hashes every record and block again.
"""


def audit_page() -> str:
    """Return the page."""
    parts = [_INTRODUCTION]
    for subject, rules in audit_rules():
        parts.append(f"## {TITLES.get(subject.name, f'Runs with {subject.name}')}\n")
        rows = dict.fromkeys((code(rule.kind), rule.why) for rule in rules)
        parts.append(table(("kind of fact", "a row is wrong if"), rows) + "\n")
    return "\n".join(parts)


def audit_rules() -> Iterator[tuple[Subject, list[Rule]]]:
    """Yield the subjects that have rules, with those that hold always and those that hold at a run's end."""
    for subject in subjects():
        makers = [subject.piece(name) for name in ("rules", "end_rules")]
        rules = [rule for maker in makers if maker is not None for rule in maker()]
        if rules:
            yield subject, rules
