"""The audit of a run folder: rows as they were written, tasks that live once and in order, integrals that agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cosim.audit.broken import broken_rows
from cosim.audit.origin import origin_findings
from cosim.audit.rule import Rule
from cosim.errors import InputError
from cosim.subjects import pieces
from cosim.trace.store.integrity import Finding, check_files, check_parts, unnamed_files
from cosim.trace.store.manifest import MANIFEST, Manifest, stored_manifest
from cosim.trace.store.provenance import PROVENANCE
from cosim.trace.store.reader import Trace
from cosim.trace.store.schemas import combined_digest
from cosim.trace.store.sealed import Seal
from cosim.trace.store.standing import unfinished

_DRAWN: Final = ("run.png", "report.html")
"""What `cosim run` and `cosim report` draw into a run folder; nothing reads it."""
_NAMED: Final = 4


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of an audit; see `verify`."""

    run: Path
    """Run folder."""
    facts: int
    """Number of rows."""
    digest: str
    """Hash over all facts, computed again from the rows."""
    complete: bool
    """Whether the run reached its end."""
    complete_to_s: float
    """Simulated time in s before which every fact is there."""
    findings: tuple[Finding, ...]
    """Faults that were found."""
    notes: tuple[str, ...] = ()
    """What could not be checked here, though no fault is known."""

    @property
    def ok(self) -> bool:
        """Whether no fault was found; a partial run can be ok."""
        return not self.findings

    @property
    def lines(self) -> list[str]:
        """The report as text, line by line."""
        state = "complete run" if self.complete else f"partial run, complete to t = {self.complete_to_s:g} s"
        verdict = "ok" if self.ok else f"{len(self.findings)} finding{'s' if len(self.findings) > 1 else ''}"
        onward = [] if self.complete else [f"it can be read up to there; for the rest: cosim run --resume {self.run}"]
        return [
            f"{self.run}: {verdict}: {state}, {self.facts} facts, digest {self.digest}",
            *onward,
            *self.notes,
            *(str(finding) for finding in self.findings),
        ]


def verify(run: Path) -> Report:
    """Audit a run folder: first the rows, then, if they can be read, the laws that they must obey.

    A run that was interrupted is held only to what holds at any moment.

        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import cosim
        >>> loaded = cosim.load("per_task", ["duration_s=1", "statistics.warmup_s=0", "mobility.vehicles=10"])
        >>> with TemporaryDirectory() as folder:
        ...     result = cosim.simulate(loaded, Path(folder))
        ...     report = cosim.verify(result.folder)
        >>> report.ok, report.digest == result.digest
        (True, True)

    Whoever computes the hashes of an edited folder anew is not found: compare the digest with one kept elsewhere.

    Raises:
        InputError: not a run folder, or its manifest or provenance is none.
    """
    manifest, seal = stored_manifest(run)
    left_open = unfinished(run, manifest)
    integrity = check_parts(run, manifest)
    digest = combined_digest(integrity.digests, manifest.schema_version)
    complete = manifest.state == "complete"
    findings = [
        *_manifest_findings(seal),
        *integrity.findings,
        *check_files(run, manifest),
        *origin_findings(run, manifest, integrity.digests),
    ]
    left_out: list[str] = []
    if integrity.readable:  # queries over a broken part would fail, not find
        with Trace.open(run, manifest) as trace:
            findings.extend(_meaning(trace, bool(findings), left_out))
    return Report(
        run=run,
        facts=sum(part.rows for part in manifest.parts),
        digest=digest,
        complete=complete,
        complete_to_s=manifest.complete_to_s,
        findings=tuple(findings),
        notes=(*filter(None, [left_open]), *_notes(run, manifest, seal), *map(_unknown, integrity.unknown), *left_out),
    )


def _manifest_findings(seal: Seal) -> Iterator[Finding]:
    if seal is Seal.BROKEN:
        yield Finding(MANIFEST, None, "its values were changed: they do not fit its sha256")


def _notes(run: Path, manifest: Manifest, seal: Seal) -> Iterator[str]:
    if seal is Seal.NONE:
        yield (
            f"an older run, without hashes of its files: an edit of {MANIFEST} or {PROVENANCE} is found only where "
            "rows, run id or scenario contradict it"
        )
    left = [name for name in unnamed_files(run, manifest) if name not in (PROVENANCE, *_DRAWN)]
    if left:
        more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
        yield f"not of the run, as {MANIFEST} does not name it, and left out: {', '.join(left[:_NAMED])}{more}"


def _unknown(kind: str) -> str:
    return (
        f"{kind}: only its rows were checked: no package that brings its rules is installed; "
        "install it and verify again"
    )


def run_rules(complete: bool) -> list[Rule]:
    """Return the rules of all subjects: those of every moment and, of a complete run, those of its end."""
    names = ("rules", "end_rules") if complete else ("rules",)
    return [rule for name in names for _, rules in pieces(name) for rule in rules()]


def _meaning(trace: Trace, faulty: bool, left_out: list[str]) -> Iterator[Finding]:
    """Yield what breaks the laws of a run.

    Args:
        trace: the run.
        faulty: whether its files or its provenance are known to be faulty.
        left_out: gets a line for each subject whose laws then cannot be checked.
    """
    yield from broken_rows(trace, run_rules(trace.complete))
    for subject, check in pieces("checks"):
        try:
            yield from check(trace)
        except InputError:
            if not faulty:
                raise
            left_out.append(
                f"{subject.name}: not all its laws were checked, as they rest on what was found to be wrong"
            )
