"""Who writes into a folder: one of several commands at a time, which removes nothing that it has not made."""

import errno
import fcntl
import json
import threading
from pathlib import Path

import pytest
from effort import count
from started_at_once import CommandServer, content

from cosim.audit.verify import verify
from cosim.cli import main as cli
from cosim.errors import InputError
from cosim.locks import LOCK, drafting, make_folders, take_lock
from cosim.trace.store.durable import write_durably
from cosim.trace.store.manifest import read_manifest
from cosim.trace.store.writer import TraceWriter


def raced(folder: Path, writers: int = 4) -> list[TraceWriter | str]:
    """What comes of writers that claim a folder at the same instant: each a writer, or the line of its refusal."""
    start, outcomes = threading.Barrier(writers), list[TraceWriter | str]()

    def claim() -> None:
        start.wait()
        try:
            writer = TraceWriter(folder, 60.0)
            outcomes.append(writer)
            writer.close(complete=True, end_s=0.0)
            writer.release()  # at once, while others are still about to claim it
        except InputError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=claim) for _ in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_two_runs_at_the_same_instant(place: Path, server: CommandServer) -> None:
    """One gets the folder and is whole; the other ends with one line and 2, and has touched nothing."""
    digests = set()
    for number in range(count(60, least=6)):
        out = f"deep{number}/run"
        outcomes = server.at_once(["run", "small.yaml", "--out", out, "--no-picture", "--quiet"])
        assert sorted(status for status, _ in outcomes) == [0, 2], outcomes
        (line,) = [told for status, told in outcomes if status == 2]
        assert line.startswith(f"cosim: --out {out}: ")
        assert "another run writes here" in line or "is not empty" in line
        assert line.count("\n") == 1
        report = verify(place / out)
        assert report.ok
        assert report.complete
        digests.add(report.digest)
        assert not (place / out / LOCK).exists()
    assert len(digests) == 1


def test_two_runs_without_a_folder(place: Path, server: CommandServer) -> None:
    """Runs that are given no folder get one each, also at the same instant."""
    for number in range(count(20, least=2)):
        words = ["run", "small.yaml", "--no-picture", "--quiet", "--set", f"seed={number}"]
        assert server.at_once(words) == [(0, ""), (0, "")]
    runs = sorted((place / "runs").iterdir())
    assert len(runs) == 2 * count(20, least=2)
    assert all(verify(run).complete for run in runs)


@pytest.mark.parametrize("locks", [True, False])
def test_many_writers_at_the_same_instant(tmp_path: Path, locks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four writers one gets the folder, on a file system without locks too."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    if not locks:
        monkeypatch.setattr("cosim.locks.fcntl.flock", refuse)
    for number in range(count(400)):
        outcomes = raced(tmp_path / f"deep{number}" / "run")
        (winner,) = [one for one in outcomes if isinstance(one, TraceWriter)]
        assert all("give another --out" in one for one in outcomes if isinstance(one, str))
        assert [path.name for path in winner._home.iterdir()] == ["manifest.json"]


def test_a_living_writer_is_seen(tmp_path: Path) -> None:
    """While it writes, a reader cannot lock the folder's `.lock`; once it has let go, the file is gone."""
    writer = TraceWriter(tmp_path / "run", 60.0)
    with (tmp_path / "run" / LOCK).open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    writer.close(complete=True, end_s=1.0)
    writer.release()
    writer.release()
    assert not (tmp_path / "run" / LOCK).exists()
    assert read_manifest(tmp_path / "run").state == "complete"


def test_what_a_killed_run_left_before_it_began(tmp_path: Path) -> None:
    """An empty folder is free, and one in which a run was killed before its first manifest; one with a file is not."""
    run = tmp_path / "run"
    run.mkdir()
    for name in (LOCK, ".manifest.json.tmp", "provenance.json"):
        (run / LOCK).touch()
        (run / name).touch()
        TraceWriter(run, 60.0).withdraw()
    (run / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        TraceWriter(run, 60.0)
    (run / "notes.txt").unlink()
    (run / "provenance.json").write_text("{}")  # without a lock beside it nothing says that a run of cosim was here
    with pytest.raises(InputError, match="is not empty"):
        TraceWriter(run, 60.0)
    assert content(run) == {"provenance.json": b"{}"}


def test_clearing_spares_what_others_have_put_there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is refused after it has claimed its folder removes its own files and folders, and no others."""

    def refused(*_: object) -> None:
        (place / "deep" / "run" / "notes.txt").write_text("mine")
        (place / "deep" / "run" / "task_ended").mkdir()
        (place / "deep" / "run" / "task_ended" / "part-00007.parquet").write_text("mine too")
        raise InputError("impossible")

    monkeypatch.setattr("cosim.assembly.build_topology", refused)
    assert cli.status(["run", "small.yaml", "--out", "deep/run", "--no-picture"]) == 2
    assert content(place / "deep") == {"run/notes.txt": b"mine", "run/task_ended/part-00007.parquet": b"mine too"}


def test_a_refused_run_leaves_the_folders_of_others(tmp_path: Path) -> None:
    """Folders above the run are removed only by the run that has made them, and only while they are empty."""
    (tmp_path / "mine").mkdir()
    TraceWriter(tmp_path / "mine" / "deep" / "run", 60.0).withdraw()
    assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]
    assert make_folders(tmp_path / "a" / "b") == [tmp_path / "a" / "b", tmp_path / "a"]
    assert make_folders(tmp_path / "a" / "b") == []


def test_two_comparisons_at_the_same_instant(place: Path, server: CommandServer) -> None:
    """Of two comparisons in one folder one is made; the other is refused in a line, or finds all done already."""
    words = ["compare", "small.yaml", "--policies", "local,nearest", "--seeds", "2", "--jobs", "1", "--out", "study"]
    outcomes = server.at_once([*words, "--quiet"])
    assert sorted(status for status, _ in outcomes) == [0, 2], outcomes
    assert [told for status, told in outcomes if status == 2] == [
        "cosim: study: another comparison writes here; wait for it or give another --out\n"
    ]
    assert all(verify(run).complete for run in (place / "study").glob("*/seed*"))
    assert len(list((place / "study").glob("*/seed*"))) == 4
    assert not list((place / "study").rglob(".*"))


def test_two_maps_of_one_name_at_the_same_instant(place: Path, server: CommandServer) -> None:
    """Of two commands that make a map folder one does; the other is refused, and nothing hidden is left."""
    outcomes = server.at_once(["map", "make", "intersection", "--name", "new", "--vehicles", "5", "--quiet"])
    assert sorted(status for status, _ in outcomes) == [0, 2], outcomes
    assert [told.partition(";")[0] for status, told in outcomes if status == 2] == ["cosim: new exists already"]
    assert sorted(path.name for path in place.iterdir()) == ["new", "small.yaml"]


def test_a_map_that_fails_half_made(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a map is made nothing stands under its name, and nothing is left where making it fails."""

    def fail(*_: object, **__: object) -> None:
        assert not (place / "new").exists()
        raise InputError("impossible")

    monkeypatch.setattr("cosim.maps.generate.write_first_run", fail)
    assert cli.status(["map", "make", "intersection", "--name", "new", "--vehicles", "5"]) == 2
    assert [path.name for path in place.iterdir()] == ["small.yaml"]


def test_a_draft_of_a_killed_command_is_removed(tmp_path: Path) -> None:
    """A hidden folder whose maker is gone goes with the next command; one of a living maker and others' stay."""
    dead, living, foreign = (tmp_path / f".building-{name}" for name in ("dead", "living", "foreign"))
    for folder in (dead, living, foreign):
        folder.mkdir()
    (dead / "town").mkdir()
    (dead / LOCK).touch()
    (foreign / "thesis.tex").write_text("dear to me")
    held = take_lock(living)
    assert held is not None
    with drafting(tmp_path / "town", "--name") as draft:
        draft.mkdir()
        (draft / "net").touch()
    assert not dead.exists()
    assert living.exists()
    assert content(tmp_path) == {
        ".building-living/.lock": b"",
        ".building-foreign/thesis.tex": b"dear to me",
        "town/net": b"",
    }
    held.release(remove=True)


def test_a_draft_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Neither the hidden folder nor folders that were made for it are left; a folder that came meanwhile stands."""

    def fail(target: Path) -> None:
        with drafting(target, "--name") as draft:
            draft.mkdir()
            raise ZeroDivisionError

    def be_late(target: Path) -> None:
        with drafting(target, "--name") as draft:
            draft.mkdir()
            target.mkdir()
            (target / "thesis.tex").write_text("dear to me")

    with pytest.raises(ZeroDivisionError):
        fail(tmp_path / "a" / "b" / "town")
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="exists already; choose another --name"):
        be_late(tmp_path / "town")
    assert content(tmp_path) == {"town/thesis.tex": b"dear to me"}


def test_one_file_by_many_at_once(tmp_path: Path) -> None:
    """A file that several write at once is one of theirs, whole; a file that is to be new is written once."""
    path, texts = tmp_path / "page.html", [bytes([65 + k]) * 100_000 for k in range(4)]
    start, refused = threading.Barrier(4), list[str]()

    def write(text: bytes, new: bool) -> None:
        start.wait()
        for chunk in range(3):
            target = tmp_path / f"new{chunk}" if new else path
            try:
                write_durably(target, lambda sink: [sink.write(text[k::100]) for k in range(100)], new=new)
            except FileExistsError:
                refused.append(target.name)

    for new in (False, True):
        threads = [threading.Thread(target=write, args=(text, new)) for text in texts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert path.read_bytes() in texts
    assert sorted(refused) == sorted(["new0", "new1", "new2"] * 3)
    assert all((tmp_path / f"new{k}").read_bytes() in texts for k in range(3))
    assert len(list(tmp_path.iterdir())) == 4


def test_no_device_is_replaced(tmp_path: Path) -> None:
    """A file that is no plain file, as a device or a pipe, is not replaced by another."""
    import os

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="Is no plain file"):
        write_durably(tmp_path / "pipe", lambda sink: sink.write(b"x"))
    with pytest.raises(IsADirectoryError):
        write_durably(tmp_path, lambda sink: sink.write(b"x"))
    assert (tmp_path / "pipe").is_fifo()


def test_the_lock_is_no_part_of_a_run(place: Path) -> None:
    """A leftover `.lock` changes neither the verdict on a run nor its digest."""
    assert cli.status(["run", "small.yaml", "--out", "run", "--no-picture", "--quiet"]) == 0
    before = verify(place / "run")
    (place / "run" / LOCK).touch()
    assert verify(place / "run") == before
    assert json.loads((place / "run" / "manifest.json").read_text())["state"] == "complete"


def test_a_run_that_came_between_the_look_and_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that was empty and is not, once the lock is held, is refused and stays as it is."""

    def late(folder: Path) -> object:
        (folder / "manifest.json").write_text("another's")
        return take_lock(folder)

    monkeypatch.setattr("cosim.trace.store.writer.take_lock", late)
    with pytest.raises(InputError, match="is not empty"):
        TraceWriter(tmp_path / "run", 60.0)
    assert content(tmp_path) == {"run/manifest.json": b"another's"}
