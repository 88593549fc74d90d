"""Runs that are executed again: one that was interrupted goes on, and one gets another future from a moment on."""

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.decision import Action, Observation, Policy, action_problem
from cosim.errors import InputError
from cosim.repeated import RepeatedDecisions
from cosim.runner import Repetition, RunResult, policy_of, provenance_of, run_through, seen_from
from cosim.scenario.identity import as_json
from cosim.scenario.load import Loaded, given_scenario
from cosim.scenario.sense import refuse_senseless
from cosim.stored_run import StoredRun, is_finished, locked_run, open_stored, own_policy
from cosim.trace.facts.run import TaskDecided
from cosim.trace.store.continued import ContinuedWriter
from cosim.trace.store.decisions import DECISIONS, DecisionRows, decision_files
from cosim.trace.store.integrity import packed_rows
from cosim.trace.store.layout import digest_bytes, kind_name, known_layouts, layout
from cosim.trace.store.past import Past
from cosim.trace.store.provenance import Provenance
from cosim.trace.store.schemas import combined_digest
from cosim.trace.store.standing import is_written
from cosim.trace.store.writer import TraceWriter
from cosim.user_code import KeptProcess, failed_in, reason_of

CHANGEABLE: Final = ("name", "description", "policy", "statistics", "decisions.knobs")
"""Fields of a scenario that a fork may change: they act on decisions to come, or on nothing that happens."""
SCHEDULES: Final = ("keys.attacks", "ledger.faults", "ledger.partitions")
"""Lists of what begins and ends at times, of which a fork may change what lies ahead."""


def resume(run: Path, progress: Callable[[float], None] | None = None) -> RunResult:
    """Go on with a run that was interrupted, and return its figures of merit.

    It is executed again from its start: the policy is asked as before and its answers are compared with those that are
    recorded, the digest is checked where the record ends, and from there on facts are written. Digest and files are in
    the end those of a run that nobody interrupted. Until the record is passed, nothing in the folder changes.

    Args:
        run: the run folder.
        progress: called with the simulated time in s at each decision epoch.

    Raises:
        InputError: it is no run folder, is finished, in use, altered or of another version, or a file that it stands on
            is missing or has changed.
        RunError: the run does not come out as it was recorded, or failed later on.
    """
    _see_unfinished(run)
    with locked_run(run) as lock:
        _see_unfinished(run)
        stored = open_stored(run)
        policy = own_policy(stored)
        told = f"{run} cannot be resumed"
        said = replace(stored.provenance, status="running", digest="", digests={}, facts=0, wall_s=0.0, cpu_s=0.0)
        past = None
        if repeated_to_s := _repeated_to_s(said):
            kept = {kind_name(fact): [run / _kept_name(fact)] for fact in DECISIONS}
            files = {kind: [path for path in paths if path.exists()] for kind, paths in kept.items()}
            past = RepeatedDecisions(DecisionRows(files), repeated_to_s, told)
        writer = partial(ContinuedWriter, run, lock, stored.scenario.trace.part_s, stored.manifest, said)
        recorded = DecisionRows(decision_files(run, stored.manifest))
        return run_through(stored.loaded, policy, said, writer, progress, Repetition(recorded, told, past))


def fork(
    run: Path,
    at_s: float,
    changes: Sequence[str],
    out: Path,
    progress: Callable[[float], None] | None = None,
    *,
    anew: bool = False,
) -> RunResult:
    """Give a run another future from a time on, as a run of its own, and return its figures of merit.

    Up to then the recorded decisions are repeated, without the policy that made them, and the facts are the run's. From
    then on the policy of the changed scenario decides, which begins there. Where the policy is the same and not to
    begin anew, it is asked from the start, so that its state is that of then.

    Args:
        run: the run folder; it stays as it is.
        at_s: time from which on the future is another.
        changes: changes `key.path=value` to the scenario, of what acts from then on.
        out: folder of the new run, which must not exist or be empty.
        progress: called with the simulated time in s at each decision epoch.
        anew: whether the policy begins at `at_s`, even if it is the run's own.

    Raises:
        InputError: the time is not within the run, a change acts on the past, the policy cannot decide there, `out` is
            taken, or, as for `resume`, the run cannot be executed again; nothing is written.
        RunError: the run does not come out as it was recorded, or failed after `at_s`.
    """
    if is_written(run):
        raise InputError(f"{run}: another process writes this run; wait for it or stop it")
    stored = open_stored(run)
    end_s = stored.manifest.complete_to_s
    if not 0.0 < at_s < end_s:
        raise InputError(f"--at {at_s:g}: is outside of what {run} holds; give a time between 0 and {end_s:g} s")
    loaded = _changed(stored, at_s, changes)
    before, after = stored.scenario, loaded.scenario
    if not (anew or changes):
        raise InputError("nothing is to change; give --policy or --set")
    refuse_senseless(after)
    anew = anew or after.policy != before.policy or after.decisions.knobs != before.decisions.knobs
    policy = policy_of(loaded) if anew else own_policy(stored)
    parent = {
        "run_id": stored.provenance.run_id,
        "policy": stored.provenance.policy,
        "digest": combined_digest(stored.manifest.digests),
        "at_s": float(at_s),
        "repeated_to_s": float(at_s) if anew else _repeated_to_s(stored.provenance),
    }
    said = provenance_of(loaded, out, parent)
    if not anew:
        read = stored.provenance.policy_file
        said = replace(said, policy_file={seen_from(out, run / path): sha256 for path, sha256 in read.items()})
    loaded = replace(loaded, run_id=said.run_id)
    told = f"{run} cannot be forked"
    files = decision_files(run, stored.manifest)
    past: Callable[[Observation], Action | None] | None = None
    repeated_to_s = _repeated_to_s(said)
    if repeated_to_s:
        past = RepeatedDecisions(DecisionRows(files, repeated_to_s), repeated_to_s, told)
    if anew and past is not None:
        past = _Tried(past, partial(policy_of, loaded), after.policy.name, run)
    writer = partial(_forked_writer, stored, out, said, _past_of(stored, at_s, told), loaded)
    return run_through(loaded, policy, said, writer, progress, Repetition(DecisionRows(files, at_s), told, past))


def _see_unfinished(run: Path) -> None:
    if is_finished(run):
        raise InputError(
            f"{run}: is finished, there is nothing to resume; for another future give "
            f"`cosim fork {run} --at T --policy P`"
        )


def _repeated_to_s(said: Provenance) -> float:
    """Return the time up to which a run repeats the decisions of its parent; 0 for one without."""
    return float(said.parent.get("repeated_to_s", 0.0))


def _kept_name(fact: type[Any]) -> str:
    """Return the name of the file in which a fork keeps the decisions of its parent that it repeats."""
    return f"past-{kind_name(fact)}.parquet"


def _past_of(stored: StoredRun, at_s: float, told: str) -> Past:
    """Return the rows of a run up to its last decision before a time."""
    run, parts = stored.folder, stored.manifest.parts
    layouts, rows = known_layouts(), 0
    for path in decision_files(run, stored.manifest)[kind_name(TaskDecided)]:
        decided = packed_rows(path, layout(TaskDecided))
        rows = max(rows, int(decided["seq"][decided["time_s"] < at_s].max(initial=-1)) + 1)
    hashes = {part.kind: hashlib.sha256() for part in parts if part.first_seq < rows}
    for part in parts:
        if part.first_seq < rows:
            found = packed_rows(run / part.file, layouts[part.kind])
            hashes[part.kind].update(digest_bytes(found[: np.searchsorted(found["seq"], rows)]))
    return Past(rows, {kind: running.hexdigest() for kind, running in hashes.items()}, told)


def _forked_writer(stored: StoredRun, out: Path, said: Provenance, past: Past, loaded: Loaded) -> TraceWriter:
    """Return a writer for the fork, whose folder keeps the decisions that it repeats: it can be resumed by itself."""
    writer = TraceWriter(out, loaded.scenario.trace.part_s, said, past)
    repeated_to_s = _repeated_to_s(said)
    try:
        for fact in DECISIONS if repeated_to_s else ():
            tables = []
            for path in decision_files(stored.folder, stored.manifest)[kind_name(fact)]:
                rows = packed_rows(path, layout(fact))
                tables.append(layout(fact).table(rows[: np.searchsorted(rows["time_s"], repeated_to_s)], {}))
            if any(map(len, tables)):
                content = io.BytesIO()
                pq.write_table(pa.concat_tables(tables), content, compression="zstd")
                writer.keep_file(_kept_name(fact), content.getvalue())
    except BaseException:
        writer.withdraw()
        raise
    return writer


class _Tried:
    """Recorded decisions, and a look at whether the policy that comes after them can decide here at all.

    A policy made for that is asked twice and its answers go nowhere: at the first epoch, so that one which cannot is
    refused at once, and at the first epoch that is its own.

    Args:
        past: gives the recorded decisions.
        make: makes the policy.
        name: its name.
        run: the run that is forked, for messages.
    """

    def __init__(
        self, past: Callable[[Observation], Action | None], make: Callable[[], Policy], name: str, run: Path
    ) -> None:
        self._past = past
        self._make = make
        self._name = name
        self._run = run
        self._tries = 2

    def __call__(self, observation: Observation) -> Action | None:
        """Return what was decided then; None where the policy is asked."""
        action = self._past(observation)
        if self._tries == 2 or (self._tries == 1 and action is None):
            self._tries = 1 if action is not None else 0
            self._try(observation)
        return action

    def _try(self, observation: Observation) -> None:
        policy = self._make()
        try:
            with KeptProcess():
                problem = action_problem(policy.decide(observation), observation)
                where = ""
        except InputError:
            raise
        except (Exception, SystemExit) as error:
            problem, where = reason_of(error), failed_in(policy, error)
        if problem:
            raise InputError(
                f"policy {self._name} cannot decide on what {self._run} shows at t={observation.time_s:g} s "
                f"({problem}); give another --policy, or correct it{where}"
            )


def _changed(stored: StoredRun, at_s: float, changes: Sequence[str]) -> Loaded:
    """Return the scenario of a fork.

    Raises:
        InputError: it is impossible, or a change acts on what was before `at_s`.
    """
    before = as_json(stored.scenario)
    loaded = replace(given_scenario(before, changes), path=stored.loaded.path, folder=stored.home)
    for path, old, new in _differences("", before, as_json(loaded.scenario)):
        if any(path == name or path.startswith(f"{name}.") for name in CHANGEABLE):
            continue
        if path in SCHEDULES and _begun(old, at_s) == _begun(new, at_s):
            continue
        raise InputError(
            f"--set {path}: acts on what was before t={at_s:g} s; a fork may change {', '.join(CHANGEABLE)}, and of "
            f"{', '.join(SCHEDULES)} what is still to come; run the scenario again for the rest"
        )
    return loaded


def _differences(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield path and values of what differs in two scenarios; lists are compared as a whole."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys((*before, *after)):
            yield from _differences(f"{path}.{name}" if path else str(name), before.get(name), after.get(name))
    elif before != after:
        yield path, before, after


def _begun(schedule: Any, at_s: float) -> list[dict[str, Any]]:
    """Return what of a schedule lies before a time: what has begun by then, without an end that is still to come."""
    return [
        {**entry, "end_s": entry["end_s"] if entry["end_s"] < at_s else inf}
        for entry in schedule or ()
        if entry["start_s"] < at_s
    ]
