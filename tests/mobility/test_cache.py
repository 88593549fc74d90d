"""The cache: what is in it is checked before it is used, and nothing depends on whether it can be written."""

import logging
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from effort import seeds

from cosim.mobility import cache
from cosim.mobility.cache import cached, content_key

KEY = content_key(["a", "b"])
CONTENT = {"one.txt": b"first\n" * 50, "sub/two.bin": bytes(range(256))}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder, not made yet."""
    monkeypatch.setenv("COSIM_CACHE", str(tmp_path / "cache"))
    cache._go_without.cache_clear()
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is a process of its own as far as its temporary folder goes."""
    monkeypatch.setattr(cache, "_own_folder", cache._own_folder.__wrapped__)


class Builder:
    """Builds the content and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, folder: Path) -> None:
        """Build it."""
        self.calls += 1
        fill(folder)


def fill(folder: Path) -> None:
    """What is cached here."""
    assert list(folder.iterdir()) == []
    for name, content in CONTENT.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


def content_in(folder: Path) -> dict[str, bytes]:
    """The content of an entry, without its seal."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".sha256"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Warnings so far."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_built_once(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The second call finds what the first has built, and nothing else lies in the cache."""
    build = Builder()
    first, second = (cached("things", KEY, build) for _ in range(2))
    assert first == second == home / "things" / KEY
    assert build.calls == 1
    assert content_in(first) == CONTENT
    assert sorted(path.name for path in home.iterdir()) == [".lock", "things"]
    assert not told(caplog)


def test_what_a_key_is_made_of() -> None:
    """Words are told apart, whatever stands in them."""
    keys = [content_key(words) for words in (["ab"], ["a", "b"], ["a,1:b"], ["", "ab"], ["ab", ""], [], ["b", "a"])]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("seed", seeds(60, least=12))
def test_a_damaged_entry_is_built_again(home: Path, seed: int) -> None:
    """Whatever is changed in an entry, its content is what was built when it is used."""
    rng = Random(seed)
    build = Builder()
    entry = cached("things", KEY, build)
    for _ in range(rng.randrange(1, 3)):
        harm(entry, rng)
    again = cached("things", KEY, build)
    assert content_in(again) == CONTENT
    assert build.calls == 2
    assert cached("things", KEY, build) == entry
    assert build.calls == 2
    assert content_in(entry) == CONTENT
    assert not list(home.glob(".building-*"))


def harm(entry: Path, rng: Random) -> None:
    """Change something in an entry, by accident or by another program."""
    files = sorted(path for path in entry.rglob("*") if path.is_file())
    path = rng.choice(files) if files else entry / "x"
    match rng.randrange(8):
        case 0:
            changed = bytearray(path.read_bytes() if files else b"x")
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
            path.write_bytes(changed)
        case 1:
            path.write_bytes(path.read_bytes()[: rng.randrange(10)] if files else b"")
        case 2:
            path.unlink(missing_ok=True)
        case 3:
            (entry / f"more{rng.random()}").write_bytes(b"")
        case 4:
            shutil.rmtree(entry)
            entry.write_text("no folder")
            entry.unlink()
            entry.mkdir()
        case 5:
            path.unlink(missing_ok=True)
            path.symlink_to("/dev/null")
        case 6:
            path.rename(path.with_name(f"{path.name}x"))
        case _:
            path.unlink(missing_ok=True)
            path.mkdir()


def test_an_entry_of_another_key(home: Path) -> None:
    """A whole entry that was put in the place of another is not taken for it."""
    cached("things", KEY, fill)
    other = content_key(["c"])
    shutil.copytree(home / "things" / KEY, home / "things" / other)
    build = Builder()
    cached("things", other, build)
    assert build.calls == 1


@pytest.mark.usefixtures("home")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_an_entry_of_another_user() -> None:
    """An entry, or a file in it, that belongs to somebody else is built again."""
    build = Builder()
    entry = cached("things", KEY, build)
    for path in (entry / "one.txt", entry):
        os.chown(path, 12345, -1)
        assert content_in(cached("things", KEY, build)) == CONTENT
    assert build.calls == 3


def test_nothing_to_keep(home: Path) -> None:
    """Without a key the content is built each time and leaves nothing in the cache."""
    build = Builder()
    places = {cached("things", None, build) for _ in range(2)}
    assert build.calls == len(places) == 2
    assert not home.exists()


def test_a_failed_build(home: Path) -> None:
    """The failure is the caller's, nothing is kept, and the next call builds."""

    def fail(folder: Path) -> None:
        fill(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        cached("things", KEY, fail)
    assert not list(home.rglob("one.txt"))
    assert content_in(cached("things", KEY, fill)) == CONTENT


def is_a_file(home: Path, _: pytest.MonkeyPatch) -> None:
    home.write_text("")


def is_a_broken_link(home: Path, _: pytest.MonkeyPatch) -> None:
    home.symlink_to(home.parent / "gone" / "far")


def is_below_a_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.write_text("")
    monkeypatch.setenv("COSIM_CACHE", str(home / "cache"))


def has_a_comma(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSIM_CACHE", f"{home},2")


def is_anothers(home: Path, _: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give folders away")
    home.mkdir()
    os.chown(home, 12345, -1)


def nobody_has_a_home(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COSIM_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pathlib.Path.home", classmethod(no_home))


def no_home(_: type[Path]) -> Path:
    raise RuntimeError("Could not determine home directory.")


def home_is_not_there(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COSIM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/proc/nobody")


def a_kind_is_a_file(home: Path, _: pytest.MonkeyPatch) -> None:
    home.mkdir()
    (home / "things").write_text("")


def the_lock_is_a_folder(home: Path, _: pytest.MonkeyPatch) -> None:
    (home / ".lock").mkdir(parents=True)


def the_disk_is_full(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object, **_named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cosim.mobility.cache.shutil.copytree", full)


@pytest.mark.parametrize(
    "spoil",
    [
        is_a_file,
        is_a_broken_link,
        is_below_a_file,
        has_a_comma,
        is_anothers,
        nobody_has_a_home,
        home_is_not_there,
        a_kind_is_a_file,
        the_lock_is_a_folder,
        the_disk_is_full,
    ],
)
def test_gone_without(
    home: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path, pytest.MonkeyPatch], None],
) -> None:
    """A cache that cannot be used costs one line of the log; what is asked for is there, and once for the process."""
    kept = cache._own_folder(os.getpid())
    monkeypatch.setattr(cache, "_own_folder", lambda _: kept)
    spoil(home, monkeypatch)
    build = Builder()
    places = [cached("things", KEY, build) for _ in range(3)]
    assert build.calls == 1
    assert len(set(places)) == 1
    assert content_in(places[0]) == CONTENT
    assert len(told(caplog)) == 1
    assert "goes on without it" in told(caplog)[0]
    assert "\n" not in told(caplog)[0]


USE = """
import sys
from pathlib import Path
from cosim.mobility.cache import cached
sys.path.insert(0, sys.argv[1])
import test_cache
folder = cached("things", test_cache.KEY, test_cache.fill)
assert test_cache.content_in(folder) == test_cache.CONTENT
print(folder)
"""


def test_nothing_is_left_of_a_process_without_a_cache(tmp_path: Path) -> None:
    """What was built for want of a cache goes with the process."""
    (tmp_path / "cache").write_text("")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "COSIM_CACHE": str(tmp_path / "cache"), "TMPDIR": str(temporary)}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", USE, str(Path(__file__).parent)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith(str(temporary))
    assert list(temporary.iterdir()) == []


def slow_fill(folder: Path) -> None:
    fill(folder)
    time.sleep(0.3)


def use(told_by: "multiprocessing.Queue[dict[str, bytes]]") -> None:
    told_by.put(content_in(cached("things", KEY, slow_fill)))


def test_processes_that_build_at_once(home: Path) -> None:
    """Each gets the whole content, and the cache holds one entry."""
    fork = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[dict[str, bytes]] = fork.Queue()
    processes = [fork.Process(target=use, args=(answers,)) for _ in range(4)]
    for process in processes:
        process.start()
    found = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert found == [CONTENT] * 4
    assert [path.name for path in (home / "things").iterdir()] == [KEY]


def test_a_kill_in_between(home: Path) -> None:
    """A process killed at any moment of its work leaves no half entry, and the next one cleans up."""
    fork = multiprocessing.get_context("fork")
    for seed in seeds(60, least=4):
        process = fork.Process(target=cached, args=("things", content_key([str(seed)]), fill))
        process.start()
        time.sleep(Random(seed).uniform(0.0, 0.04))
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        for entry in home.glob("things/*"):
            assert content_in(entry) == CONTENT
    (home / ".building-left").mkdir(parents=True)
    build = Builder()
    cached("things", KEY, build)
    assert build.calls == 1
    assert not list(home.glob(".building-*"))
