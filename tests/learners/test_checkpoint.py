"""The checkpoint file: whole or not at all, never code, one line for whatever is wrong with it."""

import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from cosim_agents import checkpoint
from cosim_agents.checkpoint import Checkpoint
from cosim_agents.features import Features

from cosim.errors import InputError, RunError

FEATURES = Features.fit(np.random.default_rng(1).normal(size=(20, 3)), 2)


def example(**changes: object) -> Checkpoint:
    values: dict = {
        "run_id": "s-1",
        "scenario": "s",
        "agent": {"name": "ddpg"},
        "columns": ("a", "b", "c"),
        "knobs": {"names": ["share"]},
        "discount": 0.9,
        "reward_unit": 2.0,
        "seed": 1,
        "episodes": 3,
        "epochs": 20,
        "features": FEATURES,
        "state": {
            "weights": np.arange(6, dtype=np.float32).reshape(2, 3),
            "replay/rows": np.ones(5),
            "step": np.array(3.0),
            "updates": 7,
        },
    }
    return Checkpoint(**(values | changes))


def test_it_comes_back(tmp_path: Path) -> None:
    """All fields, arrays bit for bit with their kinds, and equal trainings give equal files."""
    one, other = tmp_path / "one.ckpt", tmp_path / "other.ckpt"
    checkpoint.write(one, example())
    checkpoint.write(other, example())
    assert one.read_bytes() == other.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.ckpt", "other.ckpt"]
    kept = checkpoint.read(one)
    assert (kept.columns, kept.reward_unit, kept.episodes, kept.state["updates"]) == (("a", "b", "c"), 2.0, 3, 7)
    assert kept.state["weights"].dtype == np.float32
    np.testing.assert_array_equal(kept.state["weights"], example().state["weights"])
    assert np.shape(kept.state["step"]) == ()
    np.testing.assert_array_equal(kept.features.axes, FEATURES.axes)
    assert "replay/rows" not in checkpoint.read(one, training=False).state


def rewritten(path: Path, change: dict | None = None, member: tuple[str, bytes] | None = None) -> Path:
    """The file with a changed header, or a changed member."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if change is not None:
        members["header.json"] = json.dumps(json.loads(members["header.json"]) | change).encode()
    if member is not None:
        members[member[0]] = member[1]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def refused(path: Path) -> str:
    with pytest.raises(InputError) as error:
        checkpoint.read(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    return str(error.value)


def test_foreign_files(tmp_path: Path) -> None:
    """Text, an empty file, a folder, a foreign zip, a pickle and nothing at all: one line each."""
    path = tmp_path / "x.ckpt"
    assert "cannot be read" in refused(path)
    for content in (b"", b"weights: 1\n", pickle.dumps({"a": 1})):
        path.write_bytes(content)
        assert "no checkpoint" in refused(path)
    path.unlink()
    path.mkdir()
    refused(path)
    path.rmdir()
    np.savez(path.with_suffix(".npz"), a=np.ones(3))
    assert "another kind of zip" in refused(path.with_suffix(".npz"))


def test_other_versions_and_programs(tmp_path: Path) -> None:
    """A newer version names both versions; another program's header is no checkpoint."""
    path = tmp_path / "x.ckpt"
    checkpoint.write(path, example())
    assert "version 2, this cosim reads 1" in refused(rewritten(path, {"version": 2}))
    assert "no checkpoint" in refused(rewritten(path, {"format": "other"}))


def test_damage(tmp_path: Path) -> None:
    """A file cut short anywhere, a turned bit in any array and a missing field are seen."""
    path = tmp_path / "x.ckpt"
    checkpoint.write(path, example())
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        refused(path)
    at = whole.index(example().state["weights"].tobytes())
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    refused(path)
    path.write_bytes(whole)
    refused(rewritten(path, {"columns": None}))


def test_no_code_is_run(tmp_path: Path) -> None:
    """An array that would need unpickling is refused without running what it holds."""
    path, trap = tmp_path / "x.ckpt", tmp_path / "trap"

    class Trap:
        def __reduce__(self) -> tuple:
            return (Path.touch, (trap,))

    checkpoint.write(path, example())
    harmful = tmp_path / "harmful.npy"
    np.save(harmful, np.array([Trap()], dtype=object), allow_pickle=True)
    refused(rewritten(path, member=("state/weights.npy", harmful.read_bytes())))
    assert not trap.exists()


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk refuses, the old file stays as it was and one line says so."""
    path = tmp_path / "x.ckpt"
    checkpoint.write(path, example())
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cosim.trace.store.durable.os.fsync", full)
    with pytest.raises(RunError, match="no space left"):
        checkpoint.write(path, example(episodes=4))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
