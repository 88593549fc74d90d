"""Does provenance.json fit the run? Its digest is that of the rows, its run id that of its scenario."""

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from cosim.errors import InputError
from cosim.scenario.identity import DEFAULTS, identity, run_id, whole
from cosim.scenario.schema import scenario_model
from cosim.trace.store.integrity import Finding
from cosim.trace.store.provenance import PROVENANCE, Provenance, read_provenance

_ABSENT: Final = object()


def origin_findings(run: Path, complete: bool, digest: str) -> Iterator[Finding]:
    """What is wrong in the provenance of a run folder.

    Args:
        run: the folder.
        complete: its trace is.
        digest: of its rows.
    """
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
    for problem in _identity(said):
        yield Finding(PROVENANCE, None, problem)


def _identity(said: Provenance) -> Iterator[str]:
    if not (isinstance(said.scenario, Mapping) and isinstance(said.identity, str)):
        yield "its scenario is no mapping, or its identity no text"
        return
    text = said.identity or whole(said.scenario)  # older runs hashed all of it
    known = run_id(str(said.scenario.get("name")), text)
    if said.run_id != known:
        of = "identity" if said.identity else "scenario"
        yield f"its run_id {said.run_id} is not that of its name and {of}, {known}"
    if said.identity:
        yield from _scenario(said)


def _scenario(said: Provenance) -> Iterator[str]:
    """The identity against the scenario: all of it where both are of today's defaults, else what the identity has."""
    try:
        told = json.loads(said.identity)
        defaults, differs = told["defaults"], dict(told["differs"])
    except (ValueError, TypeError, KeyError):
        yield "its identity is none: JSON with `defaults` and `differs` is expected"
        return
    other = next(_others("", differs, said.scenario), None)
    if other is None and defaults == DEFAULTS:
        other = _differing(said)
    if other is not None:
        yield f"its identity is not that of its scenario: {other or 'the scenario'} differs"


def _differing(said: Provenance) -> str | None:
    try:
        now = identity(scenario_model().model_validate(said.scenario))
    except ValidationError:  # of a package that is not installed, or of another version
        return None
    if now == said.identity:
        return None
    a, b = json.loads(now)["differs"], json.loads(said.identity)["differs"]
    return next(chain(_others("", a, b), _others("", b, a)), "")


def _others(path: str, told: Any, scenario: Any) -> Iterator[str]:
    """Paths of the values that are told, but are others in the scenario."""
    if isinstance(told, Mapping) and isinstance(scenario, Mapping):
        for name, value in told.items():
            yield from _others(f"{path}.{name}" if path else name, value, scenario.get(name, _ABSENT))
    elif isinstance(told, list) and isinstance(scenario, list) and len(told) == len(scenario):
        for place, pair in enumerate(zip(told, scenario, strict=True)):
            yield from _others(f"{path}[{place}]", *pair)
    elif told != scenario:
        yield path
