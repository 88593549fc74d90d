"""Does a stored run add up? Its rows are as written, its tasks lived once and in order, its integrals agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosim.audit.broken import broken
from cosim.audit.rule import Rule
from cosim.errors import InputError
from cosim.subjects import pieces
from cosim.trace.store.integrity import Finding, check_parts
from cosim.trace.store.layout import combined_digest
from cosim.trace.store.manifest import read_manifest
from cosim.trace.store.provenance import PROVENANCE, read_provenance
from cosim.trace.store.reader import Trace


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of an audit."""

    run: Path
    facts: int
    digest: str
    """Recomputed from the rows."""
    complete: bool
    complete_to_s: float
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Nothing is wrong; a partial run can be ok."""
        return not self.findings

    @property
    def lines(self) -> list[str]:
        """The report for a person."""
        state = "complete run" if self.complete else f"partial run, complete to t = {self.complete_to_s:g} s"
        verdict = "ok" if self.ok else f"{len(self.findings)} findings"
        onward = [] if self.complete else ["it can be read up to there; for the rest run the scenario again"]
        return [
            f"{self.run}: {verdict}: {state}, {self.facts} facts, digest {self.digest}",
            *onward,
            *(str(finding) for finding in self.findings),
        ]


def verify(run: Path) -> Report:
    """Audit a run folder: first the rows, then, if they can be read, what they say.

    A run that was killed is held only to what holds at any moment.

    Raises:
        InputError: not a run folder.
    """
    manifest = read_manifest(run)
    integrity = check_parts(run, manifest)
    digest = combined_digest(integrity.digests)
    complete = manifest.state == "complete"
    findings = [*integrity.findings, *_provenance(run, complete, digest)]
    if integrity.readable:
        with Trace.open(run) as trace:
            findings.extend(_meaning(trace))
    return Report(
        run=run,
        facts=sum(part.rows for part in manifest.parts),
        digest=digest,
        complete=complete,
        complete_to_s=manifest.complete_to_s,
        findings=tuple(findings),
    )


def _provenance(run: Path, complete: bool, digest: str) -> Iterator[Finding]:
    try:
        said = read_provenance(run)
    except InputError as error:
        yield Finding(PROVENANCE, None, str(error))
        return
    if said.status == "running":
        if complete:
            yield Finding(PROVENANCE, None, "was not finished: it says `running`, the trace is complete")
    elif said.digest != digest:
        yield Finding(PROVENANCE, None, f"its digest {said.digest or '(none)'} is not the rows' {digest}")


def run_rules(complete: bool) -> list[Rule]:
    """The rules of all subjects: those of every moment, then those of a run that has reached its end."""
    names = ("rules", "end_rules") if complete else ("rules",)
    return [rule for name in names for _, rules in pieces(name) for rule in rules()]


def _meaning(trace: Trace) -> Iterator[Finding]:
    yield from broken(trace, run_rules(trace.complete))
    for _, check in pieces("checks"):
        yield from check(trace)
