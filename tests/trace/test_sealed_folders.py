"""Manifest and provenance hold hashes: of their own values, of each file of the run, and of each other."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from effort import LONG, few, rest_long
from hashes import rehashed, without_hashes

from cosim.audit.verify import verify
from cosim.cli import main as cli
from cosim.errors import InputError
from cosim.roads.drawn import GROUND
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.trace.metrics.tasks import kpis
from cosim.trace.store import manifest as manifests
from cosim.trace.store import provenance as provenances
from cosim.trace.store.reader import Trace
from cosim.trace.store.sealed import SEAL, hash_of

Edit = Callable[[dict[str, Any]], object]
MANIFEST, PROVENANCE = manifests.MANIFEST, provenances.PROVENANCE
SHORT: Final = ["duration_s=3", "statistics.warmup_s=1", "trace.part_s=1.5", "mobility.vehicles=6"]
READERS: Final = (["trace", "summary"], ["trace", "late"], ["report"])


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run; to be read only."""
    return simulate(load("per_task", SHORT), tmp_path_factory.mktemp("sealed") / "run").folder


@pytest.fixture(scope="module")
def cooler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the same rows and a longer warm-up."""
    changes = [*SHORT, "statistics.warmup_s=2"]
    return simulate(load("per_task", changes), tmp_path_factory.mktemp("cooler") / "run").folder


@pytest.fixture
def sealed(simulated: Path, tmp_path: Path) -> Path:
    """A copy of the run that may be spoilt."""
    return Path(shutil.copytree(simulated, tmp_path / "run"))


def edit_json(path: Path, edit: Edit) -> None:
    """Edit the values in a JSON file."""
    values = json.loads(path.read_text())
    edit(values)
    path.write_text(json.dumps(values, indent=1))


def told(capsys: pytest.CaptureFixture[str], status: int, *arguments: object) -> list[str]:
    """The lines of a command that ends with a status: of its answer, or the one line that says why there is none."""
    capsys.readouterr()
    assert cli.status([str(argument) for argument in arguments]) == status
    printed = capsys.readouterr()
    assert (printed.err.count("\n") == 1, printed.out) == (True, "") if status == 2 else printed.err == ""
    return (printed.err or printed.out).splitlines()


def refused(capsys: pytest.CaptureFixture[str], run: Path, *words: str) -> None:
    """Every reader refuses the folder in one line that has these words."""
    for command in READERS:
        (line,) = told(capsys, 2, *command, run)
        assert all(word in line for word in words), line


def within(section: str, **values: Any) -> Edit:
    """Change values of a section of the scenario."""
    return lambda said: said["scenario"][section].update(values)


EDITS: Final[dict[str, tuple[str, Edit]]] = {
    "end": (MANIFEST, lambda said: said.update(complete_to_s=1.5)),
    "state partial": (MANIFEST, lambda said: said.update(state="partial")),
    "state running": (MANIFEST, lambda said: said.update(state="running")),
    "no parts": (MANIFEST, lambda said: said.update(parts=[])),
    "one part less": (MANIFEST, lambda said: said["parts"].pop()),
    "hash of a part": (MANIFEST, lambda said: said["parts"][0].update(sha256="")),
    "origin": (MANIFEST, lambda said: said.update(origin="")),
    "no hash of the manifest": (MANIFEST, lambda said: said.pop(SEAL)),
    "warm-up": (PROVENANCE, within("statistics", warmup_s=2.0)),
    "batches": (PROVENANCE, within("statistics", batches=7)),
    "weight of the latency": (PROVENANCE, within("decisions", latency_weight=0.9)),
    "bandwidth": (PROVENANCE, within("radio", bandwidth_hz=1e6)),
    "duration": (PROVENANCE, lambda said: said["scenario"].update(duration_s=9.0)),
    "seed": (PROVENANCE, lambda said: said.update(seed=9)),
    "policy": (PROVENANCE, lambda said: said.update(policy="zzz")),
    "run id": (PROVENANCE, lambda said: said.update(run_id="zzz")),
    "facts": (PROVENANCE, lambda said: said.update(facts=7)),
    "digests": (PROVENANCE, lambda said: said.update(digests={})),
    "digest": (PROVENANCE, lambda said: said.update(digest="")),
    "status": (PROVENANCE, lambda said: said.update(status="partial")),
    "times": (PROVENANCE, lambda said: said.update(wall_s=0.1)),
    "versions": (PROVENANCE, lambda said: said["versions"].update(cosim="9.9")),
    "start": (PROVENANCE, lambda said: said.update(started="2020-01-01")),
    "order of the keys": (PROVENANCE, lambda said: said.update(seed=said.pop("seed"))),
    "hash of the provenance": (PROVENANCE, lambda said: said.update({SEAL: "0" * 64})),
    "no hash of the provenance": (PROVENANCE, lambda said: said.pop(SEAL)),
}


@pytest.mark.parametrize("name", rest_long(EDITS, 16))
def test_an_edited_value(sealed: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The audit finds an edit of one value and ends with 1; no figure is printed of it."""
    file, edit = EDITS[name]
    edit_json(sealed / file, edit)
    verdict, *found = told(capsys, 1, "trace", "verify", sealed)
    assert " finding" in verdict
    assert any(line.startswith(f"{file}: its ") for line in found), found
    with pytest.raises(InputError, match=rf"{file}: .*take it from an untouched copy or run the scenario again"):
        summed_up(sealed)


def summed_up(run: Path) -> str:
    """The figures of merit of a run."""
    with Trace.open(run) as trace:
        return repr(kpis(trace))


def leaves(value: Any) -> Iterator[tuple[Any, Any]]:
    """The lists and mappings in a value, with the keys of values that are none."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        if isinstance(value[key], dict | list) and value[key]:
            yield from leaves(value[key])
        else:
            yield value, key


@pytest.mark.parametrize("file", [MANIFEST, PROVENANCE])
def test_each_value_is_covered(sealed: Path, file: str) -> None:
    """Whichever value is another, or of another type, is seen by the hash of the file."""
    values = json.loads((sealed / file).read_text())
    tried = 0
    for holder, key in leaves(values):
        kept = holder[key]
        holder[key] = kept + 1 if type(kept) in (int, float) else f"{kept}x"
        (sealed / file).write_text(json.dumps(values))
        with pytest.raises(InputError, match=file):
            provenances.read_provenance(sealed, manifests.read_manifest(sealed))
        holder[key] = kept
        tried += 1
    assert tried > 100
    (sealed / file).write_text(json.dumps(values))
    assert verify(sealed).ok  # other spaces are no other values


@pytest.mark.parametrize("file", [MANIFEST, PROVENANCE])
def test_a_file_of_another_run(sealed: Path, cooler: Path, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The manifest or the provenance of a run with the same rows is found, and no reader takes it."""
    digests = [manifests.read_manifest(run).digests for run in (sealed, cooler)]
    assert digests[0] == digests[1]
    shutil.copy(cooler / file, sealed / file)
    assert f"{PROVENANCE}: its run is not that of {MANIFEST}, which names the provenance of another" in told(
        capsys, 1, "trace", "verify", sealed
    )
    refused(capsys, sealed, PROVENANCE, "its run is not that of")


def test_hashes_that_an_author_makes_anew_hide_an_edit(sealed: Path) -> None:
    """Out of scope, and said: who edits the end and all hashes after it is believed, but not in what rows repeat."""
    edit_json(sealed / PROVENANCE, lambda said: said.update(wall_s=0.5))
    assert verify(rehashed(sealed)).ok
    edit_json(sealed / PROVENANCE, EDITS["warm-up"][1])
    assert "statistics.warmup_s differs" in verify(rehashed(sealed)).lines[1]


def test_an_older_run(sealed: Path, simulated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run without hashes verifies, with a note of what that cannot find, and has the figures that it had."""
    without_hashes(sealed)
    verdict, note = told(capsys, 0, "trace", "verify", sealed)
    assert ": ok: complete run, " in verdict
    assert note.startswith(f"an older run, without hashes of its files: an edit of {MANIFEST} or {PROVENANCE} is ")
    assert summed_up(sealed) == summed_up(simulated)
    edit_json(sealed / PROVENANCE, EDITS["seed"][1])
    assert f"{PROVENANCE}: its seed 9 is not the scenario's 1" in told(capsys, 1, "trace", "verify", sealed)


@pytest.mark.parametrize("file", [MANIFEST, PROVENANCE])
def test_half_an_older_run(sealed: Path, simulated: Path, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A run of which one of the two files has lost all its hashes is no older run."""
    without_hashes(sealed)
    for name in (GROUND, PROVENANCE if file == MANIFEST else MANIFEST):
        shutil.copy(simulated / name, sealed / name)
    assert any(line.startswith(f"{PROVENANCE}: its ") for line in told(capsys, 1, "trace", "verify", sealed))
    refused(capsys, sealed, PROVENANCE)


def test_every_byte_of_a_part_is_covered(sealed: Path) -> None:
    """A part whose rows are the same but whose bytes are not, as its statistics, is found."""
    for part in few((sealed / "task_ended").iterdir()):
        whole = part.read_bytes()
        content = bytearray(whole)
        content[content.index(b"parquet-cpp")] ^= 1
        part.write_bytes(content)
        (finding,) = verify(sealed).findings
        assert finding.why.startswith(f"task_ended/{part.name} holds other bytes than were written")
        part.write_bytes(whole)


def test_other_files_of_a_run(sealed: Path) -> None:
    """A file that the manifest names with its hash is held to it: other bytes, none, and a folder are findings."""
    ground = sealed / "ground.bin"
    ground.write_bytes(b"roads")
    sha256 = "f1a4a30c0b0c7ae3d3d3d6ec2b1a9b3f"  # of something else
    edit_json(sealed / MANIFEST, lambda said: said.update(files={"ground.bin": sha256}))
    rehashed(sealed)
    assert [str(one) for one in verify(sealed).findings] == [
        "ground.bin: holds other bytes than were written: they do not fit their sha256 in the manifest"
    ]
    ground.unlink()
    assert [str(one) for one in verify(sealed).findings] == ["ground.bin: is missing"]
    ground.mkdir()
    assert [str(one) for one in verify(sealed).findings] == ["ground.bin: is no regular file"]


def test_foreign_files_are_named(sealed: Path, simulated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the manifest does not name is one line, changes no figure, and pictures and hidden files are not in it."""
    for name in ("run.png", "report.html", ".lock"):
        (sealed / name).write_text("x")
    assert verify(sealed).lines[1:] == []
    shutil.copy(sealed / "task_ended" / "part-00000.parquet", sealed / "task_ended" / "part-00007.parquet")
    (sealed / "notes.txt").write_text("mine")
    verdict, note = told(capsys, 0, "trace", "verify", sealed)
    assert ": ok: " in verdict
    assert note == (
        f"not of the run, as {MANIFEST} does not name it, and left out: notes.txt, task_ended/part-00007.parquet"
    )
    assert summed_up(sealed) == summed_up(simulated)


def changed_part(**values: Any) -> Edit:
    """Change values of the first part."""
    return lambda said: said["parts"][0].update(values)


STRANGE: Final[dict[str, Edit]] = {
    "rows null": changed_part(rows=None),
    "rows text": changed_part(rows="5"),
    "rows huge": changed_part(rows=10**30, last_seq=10**40),
    "more rows than numbers": changed_part(rows=10**9),
    "rows negative": changed_part(rows=-1),
    "kind unknown": changed_part(kind="zzz"),
    "kind a number": changed_part(kind=5),
    "file a number": changed_part(file=7),
    "file outside": changed_part(file="../../x.parquet"),
    "seq null": changed_part(first_seq=None),
    "a part that is none": lambda said: said["parts"].append("x"),
    "a part twice": lambda said: said["parts"].append(said["parts"][0]),
    "parts null": lambda said: said.update(parts=None),
    "end null": lambda said: said.update(complete_to_s=None),
    "end not finite": lambda said: said.update(complete_to_s=float("nan")),
    "end too large": lambda said: said.update(complete_to_s=10**400),
    "end negative": lambda said: said.update(complete_to_s=-1.0),
    "digests null": lambda said: said.update(digests=None),
    "a digest null": lambda said: said["digests"].update(task_ended=None),
    "state unknown": lambda said: said.update(state="bogus"),
    "files a list": lambda said: said.update(files=[]),
    "a file outside": lambda said: said.update(files={"/etc/x": ""}),
    "a field more": lambda said: said.update(more=1),
    "a field less": lambda said: said.pop("state"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_manifest_that_is_none(sealed: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Values of other types, and such as no run has, are one line that names file and field, whatever the hash says."""
    edit_json(sealed / MANIFEST, STRANGE[name])
    for _ in range(2):
        (line,) = told(capsys, 2, "trace", "verify", sealed)
        assert f"{MANIFEST}: broken (" in line
        assert line.endswith("; run the scenario again")
        with pytest.raises(InputError, match="broken"):
            Trace.open(sealed)
        edit_json(sealed / MANIFEST, lambda said: said.update({SEAL: hash_of({k: said[k] for k in said if k != SEAL})}))


TEXTS: Final = {
    "empty": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "null": b"null",
    "deep lists": b"[" * 200_000,
    "deep mappings": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "deeper than is read": b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}",
    "a key twice": b'{"state": "complete", "state": "partial"}',
    "not UTF-8": b'{"state": "\xff"}',
    "a number of thousands of digits": b'{"complete_to_s": ' + b"9" * 10_000 + b"}",
}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("file", [MANIFEST, PROVENANCE])
def test_a_file_that_is_no_mapping(sealed: Path, file: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever stands in either file, the audit and each reader say so in one line with the file's name."""
    (sealed / file).write_bytes(TEXTS[text])
    (line,) = told(capsys, 2, "trace", "verify", sealed)
    assert f"{file}: broken (" in line
    refused(capsys, sealed, f"{file}: broken (")


def pipe(path: Path) -> None:
    """A pipe into which nobody writes."""
    os.mkfifo(path)


PUT: Final[dict[str, Callable[[Path], None]]] = {
    "folder": Path.mkdir,
    "pipe": pipe,
    "link to itself": lambda path: path.symlink_to(path),
    "link to nothing": lambda path: path.symlink_to("nowhere"),
}


@pytest.mark.parametrize("put", PUT)
@pytest.mark.parametrize("file", [MANIFEST, PROVENANCE, "task_ended/part-00000.parquet"])
def test_what_is_no_file(sealed: Path, file: str, put: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder, a pipe or a link to itself in the place of a file is one line for each reader, and no reader waits."""
    (sealed / file).unlink()
    PUT[put](sealed / file)
    refused(capsys, sealed, file.rpartition("/")[2])
    assert cli.status(["trace", "verify", str(sealed)]) in (1, 2)
    printed = capsys.readouterr()
    assert file in printed.out + printed.err


def test_a_part_that_is_a_link(sealed: Path, simulated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A part that lies elsewhere is not in the run folder: a finding, and one line for who reads, whatever it holds."""
    file = "task_ended/part-00000.parquet"
    (sealed / file).unlink()
    (sealed / file).symlink_to(simulated / file)
    refused(capsys, sealed, f"{file} is missing, a link, or no file")
    found = told(capsys, 1, "trace", "verify", sealed)
    assert f"task_ended: {file} is a link, not the file that was written" in found


def test_a_fault_of_a_reader_is_told_as_that_of_the_part(sealed: Path) -> None:
    """What fails because of a part that was changed is one line; over a sound run it is a fault of cosim and stays."""
    with pytest.raises(KeyError), Trace.open(sealed):
        raise KeyError("a column")
    part = sealed / "task_ended" / "part-00000.parquet"
    content = bytearray(part.read_bytes())
    content[content.index(b"parquet-cpp")] ^= 1
    part.write_bytes(content)
    lost = r"a part is lost or broken \(task_ended: .* holds other bytes"
    with pytest.raises(InputError, match=lost), Trace.open(sealed):
        raise KeyError("a column")


def test_a_kill_at_any_write_leaves_a_run_that_verifies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each durable write of a run its folder verifies, but for the moment before the last provenance."""
    run, copies = tmp_path / "run", tmp_path / "copies"
    sync = manifests.sync_folder

    def kill(folder: Path) -> None:
        sync(folder)
        shutil.copytree(run, copies / f"{len(list(copies.glob('*'))):03d}")

    for module in ("manifest", "provenance", "writer"):
        monkeypatch.setattr(f"cosim.trace.store.{module}.sync_folder", kill)
    simulate(load("per_task", SHORT), run)
    left = sorted(copies.iterdir())
    assert len(left) > 20
    assert not (left[0] / MANIFEST).exists()  # no run yet, but what it will be is told
    chosen = left[1:] if LONG else [*left[1:4], *left[4:-3:7], *left[-3:]]
    found = [[finding.why for finding in verify(one).findings] for one in chosen]
    last = ["was not finished: it says `running`, the trace is complete"]
    assert [one for one in found if one and one != last] == []
    assert found.count(last) == 1
    assert found[-1] == []
