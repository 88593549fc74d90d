"""Random edits of a run folder: `verify` finds them, or summary, causes of lateness and report stay as they were.

Each edit is one of bytes of a file, of a value in a JSON file, or of a file as a whole. Whatever the edit, each reader
answers, or refuses in one line.
"""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from effort import count, rest_long, seeds

from cosim.audit import verify as audit
from cosim.errors import InputError, RunError
from cosim.locks import LOCK
from cosim.report.page.html import page
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.trace.lateness.ranking import lateness
from cosim.trace.metrics.tasks import kpis
from cosim.trace.store.reader import Trace

EDITS: Final = 2000
"""Edits in the long run, over all folders."""
SHORT: Final = ("duration_s=3", "statistics.warmup_s=1", "trace.part_s=1.5", "mobility.vehicles=8")
SCENARIOS: Final = {
    "keys-and-ledger": ("per_task", (*SHORT, "keys={}", "ledger={}")),
    "killed": ("per_task", (*SHORT, "mobility.vehicles=6")),
    "twin": ("s5_placement_paper", ("duration_s=3", "statistics.warmup_s=1", "trace.part_s=1.5")),
    "stopped": ("per_task", (*SHORT, "mobility.vehicles=5")),
}
OTHER: Final = "statistics.warmup_s=2"
"""What a second run has, whose rows are the same: files of the one are put in the place of the other's."""
DEEP: Final = "[" * 20_000 + "]" * 20_000
VALUES: Final = (
    *("null", "true", "false", "0", "1", "-1", "0.5", "1e308", "-0.0", "1" * 30, "9" * 5000, "NaN", "Infinity"),
    *('""', '"zzz"', '"1"', '"complete"', '"\\ud800"', '"../x"', "[]", "{}", "[[]]", '{"a": 1}', "[1, 2]"),
    *("[" * 70 + "]" * 70, '{"a":' * 70 + "1" + "}" * 70, DEEP),
)
"""JSON texts that take the place of a value."""


class Edited(NamedTuple):
    """A run folder, what its readers told before it was edited, and a run with the same rows and another scenario."""

    run: Path
    whole: Path
    other: Path
    told: tuple[str, ...]
    start: int
    """First seed of its edits."""


def stored(home: Path, name: str) -> Path:
    """Write the run of a scenario: complete, killed after its first parts, or stopped."""
    scenario, settings = SCENARIOS[name.split("/", maxsplit=1)[0]]
    changes = (*settings, OTHER) if name.endswith("/other") else settings
    run = home / name.replace("/", "-")
    killed = run.with_name(f"{run.name}-killed")

    def tell(now_s: float) -> None:
        if now_s > 2.0 and name.startswith("killed") and not killed.exists():
            shutil.copytree(run, killed)
        if now_s > 2.0 and name.startswith("stopped"):
            raise KeyboardInterrupt

    try:
        simulate(load(scenario, changes), run, tell)
    except KeyboardInterrupt:
        assert name.startswith("stopped")
    return killed if name.startswith("killed") else run


@pytest.fixture(scope="module", params=rest_long(SCENARIOS, 2))
def edited(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Edited:
    """A folder to edit, which verifies."""
    home = tmp_path_factory.mktemp("edited")
    whole = stored(home, request.param)
    run = Path(shutil.copytree(whole, home / "run"))
    assert audit.verify(run).ok
    return Edited(
        run,
        whole,
        stored(home, f"{request.param}/other"),
        tuple(read(run) for read in READERS),
        1000 * [*SCENARIOS].index(request.param),
    )


def summary(run: Path) -> str:
    """What `trace summary` tells."""
    with Trace.open(run) as trace:
        said = trace.provenance
        return repr(
            (kpis(trace), said.run_id, said.policy, said.seed, said.digest, trace.complete_to_s, trace.complete)
        )


def late(run: Path) -> str:
    """What `trace late` tells."""
    with Trace.open(run) as trace:
        return repr(lateness(trace))


def report(run: Path) -> str:
    """The page of `cosim report`."""
    return page([run])


READERS: Final[tuple[Callable[[Path], str], ...]] = (summary, late, report)


def edit(case: Edited, draw: random.Random) -> str:
    """Edit the folder at one place; what was done."""
    files = sorted(path for path in case.run.rglob("*") if path.is_file() and path.name != LOCK)
    described = [path for path in files if path.suffix == ".json"]
    path = draw.choice(described if draw.random() < 0.7 else files)
    kinds = [edit_bytes, edit_bytes, edit_file] + ([edit_value] * 4 if path in described else [])
    return draw.choice(kinds)(case, path, draw)


def edit_bytes(_case: Edited, path: Path, draw: random.Random) -> str:
    """Change, insert, remove, or move bytes."""
    content = bytearray(path.read_bytes())
    at = draw.randrange(len(content))
    to = min(len(content), at + draw.choice([1, 1, 2, 8, 100, 10_000]))
    match draw.randrange(6):
        case 0:
            content[at] ^= 1 << draw.randrange(8)
        case 1:
            content[at] = draw.choice(b'0123456789"{}[],:-e \n\x00\xff')
        case 2:
            content[at:at] = draw.choice([b"0", b"9", b" ", b"-", b'"', b"\xff\xfe", bytes(8), content[at:to]])
        case 3:
            del content[at:to]
        case 4:
            content[at:to] = bytes(to - at)
        case 5:
            del content[at:]
    path.write_bytes(content)
    return f"bytes {at} to {to} of {path.name}"


def edit_value(_case: Edited, path: Path, draw: random.Random) -> str:
    """Put another value, or none, in the place of one in a JSON file, whose other values stay."""
    data = json.loads(path.read_text())
    holder, key = draw.choice(list(places(data)))
    value = holder[key]
    near = [value * 2, value + 1, -value, float(value)] if type(value) in (int, float) else [f"{value}x", [value]]
    match draw.randrange(8):
        case 0 | 1:
            new = json.dumps(draw.choice(near))
        case 2 | 3 | 4:
            new = draw.choice(VALUES)
        case 5:
            del holder[key]
            path.write_text(json.dumps(data, indent=1))
            return f"without {key} in {path.name}"
        case 6:
            elsewhere, name = draw.choice(list(places(data)))
            new = json.dumps(elsewhere[name])
        case 7:
            new = json.dumps(value) + f', "{draw.choice(["x", key])}": {json.dumps(draw.choice(near))}'
    holder[key] = "<here>"
    path.write_text(json.dumps(data, indent=1).replace('"<here>"', new, 1))
    return f"{key} in {path.name} is {new[:60]}"


def places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Lists and mappings below a value, with each of their keys; of long ones a few."""
    keys = list(data) if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
    for key in keys:
        yield data, key
        yield from places(data[key])


def edit_file(case: Edited, path: Path, draw: random.Random) -> str:
    """Take a file away, or put something else there or beside it."""
    inside = path.relative_to(case.run)
    siblings = sorted(other for other in path.parent.rglob("*") if other.is_file() and other != path)
    match draw.randrange(8):
        case 0:
            path.unlink()
        case 1:
            path.write_bytes(b"")
        case 2:
            path.unlink()
            path.mkdir()
        case 3 if siblings:
            shutil.copy(draw.choice(siblings), path)
        case 4 if (case.other / inside).is_file():
            shutil.copy(case.other / inside, path)
        case 5:
            shutil.copy(path, path.with_name(draw.choice(["part-00007.parquet", "x", f"2{path.name}"])))
        case 6:
            path.rename(path.with_name(f"{path.name}.bak"))
        case _:
            path.unlink()
            path.symlink_to(draw.choice([case.whole / inside, path, Path("nowhere")]))
    return f"file {inside}"


def put_back(case: Edited) -> None:
    """Make the folder what it was."""
    shutil.rmtree(case.run)
    shutil.copytree(case.whole, case.run)


def answer(ask: Callable[[Path], Any], run: Path) -> tuple[Any, str]:
    """What a reader tells of a folder, or the line in which it refuses."""
    try:
        return ask(run), ""
    except (InputError, RunError) as error:
        return None, str(error)


def found(run: Path, whole: bool, patch: pytest.MonkeyPatch) -> bool:
    """Whether the audit finds or refuses a folder; laws are then only looked at if the whole audit is wanted."""
    meaning = audit._meaning
    with patch.context() as shorter:
        if not whole:
            shorter.setattr(audit, "_meaning", lambda *given: iter(()) if given[1] else meaning(*given))
        checked, refused = answer(audit.verify, run)
    lines = [refused] if checked is None else checked.lines
    assert [line for line in lines if not line.isprintable()] == []
    return checked is None or not checked.ok


def test_an_edit_is_found_or_changes_nothing(edited: Edited, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every edit: the audit finds it, or all readers tell what they told before; no reader fails otherwise."""
    number, unseen = EDITS // len(SCENARIOS), 0
    for seed in seeds(number, least=50, start=edited.start):
        what = edit(edited, random.Random(seed))
        if found(edited.run, seed % 5 == 0, monkeypatch):
            told, refused = answer(READERS[seed % len(READERS)], edited.run)
            assert told is not None or refused.isprintable(), f"seed {seed}: {what}: {refused!r}"
        else:
            unseen += 1
            assert [answer(read, edited.run) for read in READERS] == [(told, "") for told in edited.told], (
                f"seed {seed}: {what}"
            )
        put_back(edited)
    assert unseen <= count(number, least=50) // 4  # an edit of spaces, a value that is what it was, a foreign file
