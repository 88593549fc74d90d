"""The subjects of a run: what each section of behaviour records, is checked against, measures and shows.

A row of the table names the pieces of one subject as "module:attribute"; a piece is imported when it is first used, so
that a simulation imports no pages and a scenario no simulation. Other packages bring subjects of their own through the
entry-point group `cosim.parts`: the entry's name is the scenario section, its object a `Subject`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Final

from cosim.errors import InputError
from cosim.plugins import load_plugin
from cosim.user_code import KeptProcess, failed_at, guarded, reason_of

GROUP: Final = "cosim.parts"
"""Entry-point group of the subjects of other packages."""
_FUNCTIONS: Final = ("rules", "end_rules", "checks", "figures", "series")
"""Pieces that are called when a run is over; `cosim.assembly` calls the maker of a part."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One section of behaviour. Each piece is "module:attribute", or "" where the subject has none.

    >>> import cosim
    >>> zones = cosim.Subject("zones", section="my_package.section:Zones", part="my_package.part:ZoneCounter")
    >>> zones.applies(cosim.load("per_task").scenario)  # it has no section of that name
    False
    """

    name: str
    """Name of the scenario's section; `core` is what every run has."""
    facts: str = ""
    """Tuple of the dataclasses of its kinds of facts, in the order of storage."""
    section: str = ""
    """Model of the scenario's section; for built-in subjects it is a field of `Scenario`."""
    part: str = ""
    """Maker of its part: `(section, PartContext) -> Part`; "" where `cosim.assembly` builds it."""
    rules: str = ""
    """`() -> list[Rule]`: what holds of its rows at every moment of a run."""
    end_rules: str = ""
    """`() -> list[Rule]`: what holds once the run has reached its end."""
    checks: str = ""
    """`(Trace) -> Iterator[Finding]`: laws that no query can state, such as hashes and integrals."""
    figures: str = ""
    """`(Trace, Batches) -> Iterator[tuple[str, Estimate]]`: its figures of merit."""
    definitions: str = ""
    """`Mapping[str, Definition]`: unit, meaning and query of each of them, see `cosim.trace.metrics.definitions`."""
    causes: str = ""
    """Rows `Cause`: why its part of the model makes tasks late, and how much of their time it took."""
    headline: str = ""
    """Rows (key, label, factor, unit) of the figures that summary and report show first."""
    series: str = ""
    """`(Trace, Outcomes) -> dict`: data of its part of the page; `Packed` columns may be among them."""
    panels: str = ""
    """JavaScript that draws the data on the page and adds itself to `SUBJECTS`, see `cosim/report/page/base.js`."""

    def applies(self, scenario: Any) -> bool:
        """Return whether a run of this scenario has the subject."""
        return self.name == "core" or getattr(scenario, self.name, None) is not None

    def piece(self, name: str) -> Any:
        """Return the object that a piece names; None where the subject has none.

        Raises:
            InputError: it cannot be imported.
        """
        reference: str = getattr(self, name)
        if not reference:
            return None
        module, _, attribute = reference.partition(":")
        if module.startswith("cosim."):
            return getattr(import_module(module), attribute)
        what = f"{name} of section {self.name} ({reference})"
        try:
            with KeptProcess():
                found = getattr(import_module(module), attribute)
        except (Exception, SystemExit) as error:  # whatever a module does while it is imported
            raise InputError(
                f"{what} cannot be imported: {reason_of(error)}; reinstall the package that brings it, "
                f"or correct it{failed_at(error)}"
            ) from error
        return guarded(what, found) if name in _FUNCTIONS else found


BUILT_IN: Final = (
    Subject(
        "core",
        facts="cosim.trace.facts.run:FACTS",
        rules="cosim.audit.rules_tasks:task_rules",
        end_rules="cosim.audit.rules_tasks:task_end_rules",
        checks="cosim.audit.run_check:run_findings",
        figures="cosim.trace.metrics.tasks:task_figures",
        definitions="cosim.trace.metrics.tasks:DEFINITIONS",
        headline="cosim.trace.metrics.tasks:HEADLINE",
    ),
    Subject(
        "keys",
        facts="cosim.trace.facts.keys:FACTS",
        rules="cosim.audit.rules_keys:key_rules",
        end_rules="cosim.audit.rules_keys:key_end_rules",
        figures="cosim.trace.metrics.keys:key_figures",
        definitions="cosim.trace.metrics.keys:DEFINITIONS",
        headline="cosim.trace.metrics.keys:HEADLINE",
        causes="cosim.trace.lateness.key_waits:CAUSES",
        series="cosim.report.page.keys:key_series",
        panels="cosim.report.page.keys:PANELS",
    ),
    Subject(
        "ledger",
        facts="cosim.trace.facts.ledger:FACTS",
        rules="cosim.audit.rules_ledger:ledger_rules",
        checks="cosim.audit.ledger_check:chain_findings",
        figures="cosim.trace.metrics.ledger:ledger_figures",
        definitions="cosim.trace.metrics.ledger:DEFINITIONS",
        headline="cosim.trace.metrics.ledger:HEADLINE",
        causes="cosim.trace.lateness.ledger_load:CAUSES",
        series="cosim.report.page.ledger:ledger_series",
        panels="cosim.report.page.ledger:PANELS",
    ),
    Subject(
        "twin",
        facts="cosim.trace.facts.twin:FACTS",
        rules="cosim.audit.rules_twin:twin_rules",
        end_rules="cosim.audit.rules_twin:twin_end_rules",
        figures="cosim.trace.metrics.twin:twin_figures",
        definitions="cosim.trace.metrics.twin:DEFINITIONS",
        series="cosim.report.page.twins:twin_series",
        panels="cosim.report.page.twins:PANELS",
    ),
)
"""In the order of storage, of rules and of figures."""


@cache
def subjects() -> tuple[Subject, ...]:
    """Return all subjects: the built-in ones, then those of installed packages in order of name.

        >>> [subject.name for subject in subjects()][:4]
        ['core', 'keys', 'ledger', 'twin']

    Raises:
        InputError: a package cannot be imported, declares something else, or two claim one section or one kind.
    """
    found = [*BUILT_IN, *_installed()]
    _see_single(found)
    return tuple(found)


def outside() -> tuple[Subject, ...]:
    """Return the subjects of installed packages."""
    return tuple(subject for subject in subjects() if subject not in BUILT_IN)


def pieces(name: str) -> Iterator[tuple[Subject, Any]]:
    """Yield each subject that has a piece of that name, with the piece."""
    for subject in subjects():
        piece = subject.piece(name)
        if piece is not None:
            yield subject, piece


def fact_kinds() -> tuple[type[Any], ...]:
    """Return the dataclasses of all kinds of facts, in the order of storage."""
    return tuple(fact for _, facts in pieces("facts") for fact in facts)


def _installed() -> Iterator[Subject]:
    for name in sorted({entry.name for entry in entry_points(group=GROUP)}):
        subject = load_plugin(GROUP, name)
        if not isinstance(subject, Subject):
            raise InputError(f"plug-in {name!r} of {GROUP} is no cosim.subjects.Subject; correct its entry point")
        if subject.name != name:
            raise InputError(f"plug-in {name!r} of {GROUP} declares the section {subject.name!r}; give both one name")
        if not name.isidentifier() or name.startswith("_") or name in {built_in.name for built_in in BUILT_IN}:
            raise InputError(f"plug-in {name!r} of {GROUP}: is no name for a section; choose another word")
        if not (subject.section and subject.part):
            raise InputError(f"plug-in {name!r} of {GROUP} lacks section or part; a Subject from outside needs both")
        yield subject


def _see_single(found: list[Subject]) -> None:
    """Check that facts are dataclasses in a tuple, and that each kind of fact belongs to one subject."""
    owners: dict[str, str] = {}
    for subject in found:
        facts = subject.piece("facts") or ()
        if not (isinstance(facts, tuple) and all(isinstance(fact, type) and is_dataclass(fact) for fact in facts)):
            raise InputError(
                f"facts of section {subject.name} ({subject.facts}) are no tuple of dataclasses; "
                "correct the package that brings it"
            )
        for fact in facts:
            kind = fact.__name__.lower()  # kinds are folders, and some disks see no capitals
            if kind in owners:
                raise InputError(
                    f"fact {fact.__name__} is declared by the sections {owners[kind]} and {subject.name}; "
                    "uninstall one of the packages or rename its kind"
                )
            owners[kind] = subject.name
