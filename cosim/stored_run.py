"""A run folder that is to be executed again: checked byte by byte, with scenario, files and policy as they were."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cosim_agents.registry import make_policy, policy_file

from cosim.audit.origin import NOT_FINISHED, origin_findings
from cosim.decision import Policy
from cosim.errors import InputError
from cosim.kernel.rng import stream
from cosim.locks import FolderLock, take_lock
from cosim.mobility.cache import file_hash
from cosim.mobility.content import content_of
from cosim.scenario.identity import identity
from cosim.scenario.load import Loaded
from cosim.scenario.schema import Scenario, known_part, scenario_model
from cosim.trace.facts.run import SCHEMA_VERSION
from cosim.trace.store.integrity import Finding, check_files, check_parts
from cosim.trace.store.manifest import MANIFEST, Manifest, stored_manifest
from cosim.trace.store.provenance import PROVENANCE, Provenance, read_provenance, versions
from cosim.trace.store.sealed import Seal

_ANEW: Final = "or run the scenario again"


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A recorded run, of which every byte is as it was written, and what it was made from."""

    folder: Path
    manifest: Manifest
    provenance: Provenance
    scenario: Scenario
    home: Path
    """Folder that relative paths of the scenario start from."""

    @property
    def loaded(self) -> Loaded:
        """The scenario as `cosim.load` gives it."""
        return Loaded(self.scenario, self.folder / PROVENANCE, self.home, self.provenance.run_id)


@contextmanager
def locked_run(run: Path) -> Iterator[FolderLock]:
    """Lock the folder of a run that is to be written on; the block lets it go, or it is as it was.

    Raises:
        InputError: it is no run folder, or another process writes it.
    """
    stored_manifest(run)  # before a lock is made in what is somebody else's
    try:
        lock = take_lock(run)
    except OSError as error:
        raise InputError(f"{run}: cannot be written: {str(error.strerror).lower()}; change its permissions") from None
    if lock is None:
        raise InputError(f"{run}: another process writes this run; wait for it or stop it")
    try:
        if not (lock.made or lock.sure):
            raise InputError(
                f"{run}: this file system has no locks, so that another process may write this run; "
                "copy the folder elsewhere, or remove its .lock if you know of none"
            )
        yield lock
    finally:
        lock.release(remove=lock.made)


def is_finished(run: Path) -> bool:
    """Return whether a run has reached its end and said so.

    Raises:
        InputError: it is no run folder.
    """
    manifest, _ = stored_manifest(run)
    with suppress(InputError):
        return manifest.state == "complete" and read_provenance(run).status == "complete"
    return False


def open_stored(run: Path) -> StoredRun:
    """Return a recorded run that can be executed again here.

    Raises:
        InputError: it is no run folder, was altered, is of another version, or stands on files that are not here or
            have changed.
    """
    manifest, seal = stored_manifest(run)
    if manifest.schema_version != SCHEMA_VERSION:
        raise InputError(
            f"{run}: is of another version (schema {manifest.schema_version}, here {SCHEMA_VERSION}); "
            f"use the cosim that made it, {_ANEW}"
        )
    altered = next(_altered(run, manifest, seal), None)
    if altered is not None:
        raise InputError(
            f"{run}: was altered: {altered}; take it from an untouched copy {_ANEW} "
            f"(`cosim trace verify {run}` says more)"
        )
    said = read_provenance(run, manifest)
    _see_versions(run, said)
    scenario = _scenario(run, said)
    return StoredRun(run, manifest, said, scenario, _home(run, said, scenario))


def _altered(run: Path, manifest: Manifest, seal: Seal) -> Iterator[Finding]:
    """Yield where the folder is not as it was written; a run that was only not finished is."""
    if seal is not Seal.WHOLE:
        yield Finding(MANIFEST, None, "its values do not fit its sha256")
    integrity = check_parts(run, manifest)
    yield from integrity.findings
    yield from check_files(run, manifest)
    yield from (one for one in origin_findings(run, manifest, integrity.digests) if one.why != NOT_FINISHED)
    for kind in integrity.unknown:
        yield Finding(kind, None, "no package that brings this kind of fact is installed")


def _see_versions(run: Path, said: Provenance) -> None:
    here = versions()
    other = [name for name in {**said.versions, **here} if said.versions.get(name) != here.get(name)]
    if other:
        told = ", ".join(
            f"{name} {said.versions.get(name) or 'none'}, here {here.get(name) or 'none'}" for name in other
        )
        raise InputError(f"{run}: is of another version ({told}); use an installation like that which made it, {_ANEW}")


def _scenario(run: Path, said: Provenance) -> Scenario:
    known, unknown = known_part(said.scenario)
    used = [name for name in unknown if said.scenario[name] is not None]
    if used:
        raise InputError(f"{run}: its section {used[0]} is of a package that is not installed; install it {_ANEW}")
    try:
        scenario = scenario_model().model_validate_json(json.dumps(known))
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{run}: its scenario is none that this cosim knows ({reason}); {_ANEW[3:]}") from None
    if identity(scenario, said.forked) != said.identity:
        raise InputError(f"{run}: is of another version, whose defaults were others; use it, {_ANEW}")
    return scenario


def _home(run: Path, said: Provenance, scenario: Scenario) -> Path:
    """Return the folder that paths start from: that of then, or the working directory where files are found from there.

    Raises:
        InputError: a file is in neither, or has changed.
    """
    problems: list[InputError] = []
    for home in ((run.resolve() / said.folder).resolve(), Path.cwd()) if said.folder else (Path.cwd(),):
        try:
            now = content_of(scenario, home)
        except InputError as error:
            problems.append(error)
            continue
        if now == said.files:
            return home
        other = ", ".join(name for name in {**said.files, **now} if said.files.get(name) != now.get(name))
        problems.append(
            InputError(f"{run}: stands on other content of {other} than is there now; put it back, {_ANEW}")
        )
    raise problems[0]


def own_policy(stored: StoredRun) -> Policy:
    """Return the policy of a run as it was before its first decision.

    Raises:
        InputError: its file is not there or has changed, or it cannot be made.
    """
    chosen, name = stored.scenario.policy, stored.scenario.policy.name
    for path, sha256 in stored.provenance.policy_file.items():
        there = (stored.folder.resolve() / path).resolve()
        file = there if there.is_file() else policy_file(name, stored.home)
        if file is None:
            raise InputError(f"{stored.folder}: policy = {name}: its file {path} is missing; put it back, {_ANEW}")
        if file_hash(file) != sha256:
            raise InputError(
                f"{stored.folder}: policy = {name}: {file} has changed since the run began; put it back, {_ANEW}"
            )
        _, colon, made = name.rpartition(":")
        name = (
            f"{file.absolute()}{colon}{made}" if made and not made.endswith((".py", ".ckpt")) else str(file.absolute())
        )
    return make_policy(name, chosen.options, stream(stored.scenario.seed, "policy"), stored.home)
