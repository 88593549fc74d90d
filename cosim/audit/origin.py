"""The check of provenance.json: it is what was written for this run.

Digests are those of the rows; run id, seed and policy are those of its scenario.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final

from cosim.data_text import json_data
from cosim.scenario.identity import defaults_number, identity, run_id, text_of, whole
from cosim.scenario.schema import Scenario
from cosim.trace.store.integrity import Finding
from cosim.trace.store.manifest import Manifest
from cosim.trace.store.provenance import PROVENANCE, Provenance, StoredProvenance, stored_provenance
from cosim.trace.store.schemas import combined_digest

NOT_FINISHED: Final = "was not finished: it says `running`, the trace is complete"
"""What is said of a run that was stopped between its last facts and its provenance."""
_ABSENT: Final = object()


def origin_findings(run: Path, manifest: Manifest, digests: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is wrong in the provenance of a run folder.

    Args:
        run: the run folder.
        manifest: its manifest.
        digests: digests of its rows by kind, computed anew.

    Raises:
        InputError: it is no JSON mapping.
    """
    if not (run / PROVENANCE).exists():
        yield Finding(PROVENANCE, None, "is missing")
        return
    stored = stored_provenance(run)
    for problem in _of_stored(stored, manifest, digests):
        yield Finding(PROVENANCE, None, problem)


def _of_stored(stored: StoredProvenance, manifest: Manifest, digests: Mapping[str, str]) -> Iterator[str]:
    other = stored.unlike(manifest)
    if other:
        yield other
    yield from (f"its {problem}" for problem in stored.problems)
    if not stored.problems:
        said = Provenance(**stored.values)
        yield from chain(_rows(said, manifest, digests), _identity(said))


def _rows(said: Provenance, manifest: Manifest, digests: Mapping[str, str]) -> Iterator[str]:
    if said.status == "running":
        if manifest.state == "complete":
            yield NOT_FINISHED
        return
    if (said.status == "complete") != (manifest.state == "complete"):
        yield f"its status {said.status} is not the state of the trace, {manifest.state}"
    digest = combined_digest(digests, manifest.schema_version)
    if said.digest != digest:
        yield f"its digest {said.digest or '(none)'} is not the rows' {digest}"
    elif said.digests != digests:
        yield "its digests are not those of the rows by kind"
    facts = sum(part.rows for part in manifest.parts)
    if said.facts != facts:
        yield f"its number of facts {said.facts} is not that of the rows {facts}"


def _identity(said: Provenance) -> Iterator[str]:
    text = said.identity or whole(said.scenario)  # older runs hashed all of it
    known = run_id(str(said.scenario.get("name")), text)
    if said.run_id != known:
        of = "identity" if said.identity else "scenario"
        yield f"its run_id {said.run_id} is not that of its name and {of}, {known}"
    yield from _repeated(said)
    if said.identity:
        yield from _scenario(said)


def _repeated(said: Provenance) -> Iterator[str]:
    """Yield what contradicts the scenario, in which seed and policy are too."""
    seed, policy = said.scenario.get("seed"), said.scenario.get("policy")
    name = policy.get("name") if isinstance(policy, Mapping) else policy
    if said.seed != seed:
        yield f"its seed {said.seed} is not the scenario's {seed}"
    if said.policy != name:
        yield f"its policy {said.policy} is not the scenario's {name}"


def _scenario(said: Provenance) -> Iterator[str]:
    """Compare identity and scenario: completely if both have today's defaults, else in what the identity lists."""
    try:
        told = json_data(said.identity)
        defaults, differs = told["defaults"], told["differs"]
        of_parent = {"forked": json_data(whole(said.forked))} if said.parent else {}
        canonical = said.identity == text_of({"defaults": defaults, "differs": dict(differs), **of_parent})
    except (ValueError, TypeError, KeyError):
        yield "its identity is none: JSON with `defaults` and `differs` is expected"
        return
    other = next(_others("", differs, said.scenario), None)
    there = {name for name, section in said.scenario.items() if section is not None}
    if other is None and defaults == defaults_number(there):
        try:
            expected = _differing(said.scenario)
        except ValueError as error:
            reason = " ".join(str(error).split())
            yield f"its scenario is none that this cosim knows, so that its defaults cannot be compared ({reason})"
            return
        other = next(chain(_others("", expected, differs), _others("", differs, expected)), None)
    if other is None and told.get("forked") != of_parent.get("forked"):
        other = "parent"
    if other is None and not canonical:
        other = "the scenario"
    if other is not None:
        yield f"its identity is not that of its scenario: {other} differs"


def _differing(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs from the defaults in a stored scenario; sections of packages, installed or not, are whole.

    Raises:
        ValueError: cosim's own sections are not valid.
    """
    own = {name: value for name, value in stored.items() if name in Scenario.model_fields}
    scenario = Scenario.model_validate_json(json.dumps(own))
    foreign = {name: value for name, value in stored.items() if name not in own and value is not None}  # null: unused
    return {**json.loads(identity(scenario))["differs"], **foreign}


def _others(path: str, told: Any, scenario: Any) -> Iterator[str]:
    """Yield the paths of the values in `told` that are not the same in the scenario."""
    if isinstance(told, Mapping) and isinstance(scenario, Mapping):
        for name, value in told.items():
            yield from _others(f"{path}.{name}" if path else name, value, scenario.get(name, _ABSENT))
    elif isinstance(told, list) and isinstance(scenario, list) and len(told) == len(scenario):
        for place, pair in enumerate(zip(told, scenario, strict=True)):
            yield from _others(f"{path}[{place}]", *pair)
    elif told != scenario or isinstance(told, bool) != isinstance(scenario, bool):
        yield path or "the scenario"
