"""Checkpoints of trainings: zip files of plain arrays and a JSON header, which can run no code when read."""

import dataclasses
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from cosim.errors import InputError, RunError
from cosim.trace.store.durable import sync_folder, write_durably
from cosim.types import AnyArray
from cosim_agents.features import Features
from cosim_agents.learners.learner import State

FORMAT: Final = "cosim checkpoint"
VERSION: Final = 1
_HEADER: Final = "header.json"
_DATE: Final = (1980, 1, 1, 0, 0, 0)  # of every member, so that equal trainings give equal files
_REPLAY: Final = "replay/"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a training after a number of whole episodes."""

    run_id: str
    """Run id of the scenario with its overrides, or a hash of several; or that of an environment."""
    scenario: str
    """Name of the scenario or environment."""
    agent: Mapping[str, Any]
    """The `AgentSpec` as JSON."""
    columns: tuple[str, ...]
    """Names of the columns of an observation's row."""
    knobs: Mapping[str, Any]
    """The `Knobs` as JSON, or what an environment's actions are."""
    discount: float
    reward_unit: float
    seed: int
    episodes: int
    """Number of episodes that are done."""
    epochs: int
    """Number of decision epochs in an episode, or most steps of one; 0: until the environment ends it."""
    features: Features
    state: State
    """The learner's state."""
    environment: Mapping[str, Any] | None = None
    """Name, arguments and version of an environment that is no scenario."""


def as_read_from_json(value: Any) -> Any:
    """Return a value as it comes back from JSON: dataclasses as mappings, tuples as lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return json.loads(json.dumps(value, default=_plain_array))


def _plain_array(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return as_read_from_json(value)


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint beside its path, flush it to the disk, and rename it.

    A kill at any moment leaves the old file or the new one.

    Raises:
        RunError: the file cannot be written.
    """
    header: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    arrays: dict[str, AnyArray] = {}
    for field in dataclasses.fields(checkpoint):
        known = field.name != "environment" or checkpoint.environment is not None
        if known and field.name not in {"features", "state"}:
            header[field.name] = as_read_from_json(getattr(checkpoint, field.name))
    header["state"] = {}
    for name, value in checkpoint.state.items():
        if isinstance(value, np.ndarray):
            arrays[f"state/{name}"] = value
        else:
            header["state"][name] = value
    for field in dataclasses.fields(Features):
        arrays[f"features/{field.name}"] = getattr(checkpoint.features, field.name)

    def fill(sink: BinaryIO) -> None:
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(zipfile.ZipInfo(_HEADER, _DATE), json.dumps(header))
            for name, array in arrays.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy", _DATE), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)

    try:
        write_durably(path, fill)
        sync_folder(path.parent)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {_reason(error)}; make room and run it again") from None


def read(path: Path, training: bool = True) -> Checkpoint:
    """Read a file that `write` made; every member's checksum is verified.

    Args:
        path: the file.
        training: whether to read also what only further training needs (keys `replay/...` of the state).

    Raises:
        InputError: it is missing, broken, of another program or of another version.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            header = _header(path, archive)
            names = [name for name in archive.namelist() if name != _HEADER]
            arrays = {
                name.removesuffix(".npy"): _array(archive, name)
                for name in names
                if training or not name.startswith(f"state/{_REPLAY}")
            }
        return _checkpoint(header, arrays)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {_reason(error)}; give a checkpoint of `cosim train`") from None
    except zipfile.BadZipFile:
        raise InputError(f"{path}: is no checkpoint or is damaged; give a checkpoint of `cosim train`") from None
    except Exception as error:  # whatever bytes someone else's zip may hold
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise InputError(f"{path}: is damaged ({reason}); train again or take another checkpoint") from None


def _header(path: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    if _HEADER not in archive.namelist():
        raise InputError(f"{path}: is no checkpoint of `cosim train` but another kind of zip file; give a .ckpt file")
    header = json.loads(archive.read(_HEADER))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise InputError(f"{path}: is no checkpoint of `cosim train`; give a .ckpt file")
    version = header.get("version")
    if version != VERSION:
        raise InputError(
            f"{path}: has checkpoint version {version!r}, this cosim reads {VERSION}; use the cosim that wrote it"
        )
    return header


def _array(archive: zipfile.ZipFile, name: str) -> AnyArray:
    with archive.open(name) as member:
        array: AnyArray = np.lib.format.read_array(member, allow_pickle=False)
        if member.read(1):  # reads to the end, where the checksum is compared
            raise ValueError(f"{name} is longer than its array")
    return array


def _checkpoint(header: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> Checkpoint:
    state: State = dict(header["state"])
    state.update({name.removeprefix("state/"): array for name, array in arrays.items() if name.startswith("state/")})
    fitted = {field.name: arrays[f"features/{field.name}"] for field in dataclasses.fields(Features)}
    return Checkpoint(
        run_id=str(header["run_id"]),
        scenario=str(header["scenario"]),
        agent=dict(header["agent"]),
        columns=tuple(header["columns"]),
        knobs=dict(header["knobs"]),
        discount=float(header["discount"]),
        reward_unit=float(header["reward_unit"]),
        seed=int(header["seed"]),
        episodes=int(header["episodes"]),
        epochs=int(header["epochs"]),
        features=Features(**fitted),
        state=state,
        environment=header.get("environment"),
    )


def _reason(error: OSError) -> str:
    return str(error.strerror or error).lower()
