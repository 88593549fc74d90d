"""Loading of scenarios: from a file, or the name of a bundled scenario, to a checked scenario with a run id."""

import copy
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from cosim.errors import InputError
from cosim.quantity import quantity
from cosim.resources import bundled
from cosim.scenario import overrides as changes
from cosim.scenario.document import Document, Location, parse, shown
from cosim.scenario.identity import identity, run_id, safe_name
from cosim.scenario.preset_values import PRESETS, Preset
from cosim.scenario.presets import changed_fields
from cosim.scenario.problems import closest, input_error
from cosim.scenario.radio import Radio
from cosim.scenario.schema import Scenario, scenario_model
from cosim.scenario.section import Section

logger = logging.getLogger(__name__)

MAX_FILE_BYTE: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """A checked scenario and where it came from; `load` returns it.

    >>> import cosim
    >>> loaded = cosim.load("per_task", ["duration_s=30"])
    >>> loaded.path.name, loaded.scenario.duration_s, loaded.run_id.startswith("per_task-")
    ('per_task.yaml', 30.0, True)
    """

    scenario: Scenario
    """The scenario with the overrides applied."""
    path: Path
    """File that it was read from."""
    folder: Path
    """Folder that relative paths in the scenario start from."""
    run_id: str
    """Name of the scenario and hash of what differs from the defaults."""

    @property
    def run_folder(self) -> Path:
        """Default folder of a run, below `runs`: run id, policy and seed, with -2, -3, ... if that name is taken."""
        name = f"{self.run_id}-{safe_name(self.scenario.policy.name)}-s{self.scenario.seed}"
        names = (name, *(f"{name}-{count}" for count in range(2, 10_000)))
        return next((path for path in map(Path("runs").joinpath, names) if not path.exists()), Path("runs") / name)


def load(path_or_name: str | Path, overrides: Sequence[str] = ()) -> Loaded:
    """Read a YAML file, or a bundled scenario by its name, and apply overrides.

        >>> import cosim
        >>> cosim.load("per_task", ["compute.edge.cores=4"]).scenario.compute.edge.cores
        4

    Args:
        path_or_name: scenario file, or name of a bundled scenario (`bundled_scenarios`).
        overrides: changes `key.path=value`, the values in YAML; later ones win.

    Raises:
        InputError: it is missing, unreadable, not YAML, or not a possible scenario; one line with file, line, field,
            value and remedy.
    """
    path = _find(path_or_name)
    origin = shown(str(path), 300)
    document = parse(_text(path, origin), origin)
    if document.data is None:
        raise InputError(f"{origin}: is empty; start from `cosim scenario list` or write at least `duration_s: 60`")
    if not isinstance(document.data, dict):
        raise InputError(f"{origin}:1: is not a mapping; write lines like `duration_s: 60`")
    scenario = _checked(document, overrides, origin)
    logger.debug("scenario %s read from %s", scenario.name, origin)
    return Loaded(scenario, path, path.resolve().parent, run_id(scenario.name, identity(scenario)))


def given_scenario(given: object, overrides: Sequence[str] = ()) -> Loaded:
    """Return a scenario however it is given: as `load` takes it, as a mapping of its keys, or as an object.

    Relative paths of a mapping or a `Scenario` start from the working directory.

        >>> given_scenario({"duration_s": 30}, ["seed=3"]).scenario.seed
        3

    Args:
        given: scenario file, bundled name, mapping with the keys of a scenario file, `Scenario` or `Loaded`.
        overrides: changes `key.path=value`, the values in YAML; later ones win.

    Raises:
        InputError: it is none of them, or not a possible scenario; one line.
    """
    if isinstance(overrides, str):
        raise InputError(f"overrides={shown(overrides)}: is one text; give a list of `key.path=value`")
    if isinstance(given, str | Path):
        return load(given, overrides)
    if isinstance(given, Loaded) and not overrides:
        return given
    folder = given.folder if isinstance(given, Loaded) else Path.cwd()
    bare = given.scenario if isinstance(given, Loaded) else given
    if isinstance(bare, Scenario):
        scenario = bare
        if overrides:
            scenario = _checked(Document(_as_written(bare), {}), overrides, "scenario")
    elif isinstance(bare, Mapping):
        scenario = _checked(Document(copy.deepcopy(dict(bare)), {}), overrides, "scenario")
    else:
        raise InputError(
            f"scenario={shown(given)}: is neither a file, a name, a mapping, a Scenario nor a Loaded; give one of them"
        )
    path = given.path if isinstance(given, Loaded) else Path(scenario.name)
    return Loaded(scenario, path, folder, run_id(scenario.name, identity(scenario)))


def _as_written(value: Any) -> Any:
    """Return what was given of a section, without what defaults or a preset gave; kinds are always there."""
    if isinstance(value, Section):
        names = value.model_fields_set | {"kind"}
        return {name: _as_written(getattr(value, name)) for name in type(value).model_fields if name in names}
    if isinstance(value, Mapping):
        return {key: _as_written(item) for key, item in value.items()}
    return [_as_written(item) for item in value] if isinstance(value, tuple | list) else value


def _checked(document: Document, overrides: Sequence[str], origin: str) -> Scenario:
    data = dict(document.data)
    origins = changes.apply(data, overrides)
    halved = next(_halved(data, ()), None)
    if halved is not None:
        line = document.line(halved)
        where = f"{origin}:{line}" if line is not None else origin
        field = ".".join(shown(part) for part in halved)
        raise InputError(f"{where}: {field}: has half of a character (a surrogate); write the character itself")
    try:
        return scenario_model().model_validate(data)
    except ValidationError as error:
        raise input_error(error, document, origins, origin) from None


def _halved(value: Any, place: Location) -> Iterator[Location]:
    """Yield the places of texts and keys with surrogates, which no file can hold; YAML allows them as escapes."""
    if isinstance(value, str):
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            yield place
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _halved(key, (*place, key))
            yield from _halved(item, (*place, key))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _halved(item, (*place, number))


def override(path: str, value: str | int | None) -> list[str]:
    """Return the override for a value that is given, as plain text or number; none for None."""
    return [] if value is None else [f"{path}={json.dumps(value)}"]


def bundled_scenarios() -> dict[str, Path]:
    """Return name and file of each scenario that comes with cosim, in order of name.

    >>> import cosim
    >>> "per_task" in cosim.bundled_scenarios()
    True
    """
    folder = bundled("scenarios")
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("*.yaml"))}


def find_preset(name: str) -> Preset:
    """Return a preset of a radio by its name.

    Raises:
        InputError: no preset has it.
    """
    if name not in PRESETS:
        raise InputError(f"{shown(name)}: no such preset; {closest(name, PRESETS)}")
    return PRESETS[name]


def json_schema() -> str:
    """Return the JSON Schema of a scenario file, for completion and checks in editors."""
    schema = scenario_model().model_json_schema()
    schema["properties"]["policy"] = {"anyOf": [{"type": "string", "minLength": 1}, schema["properties"]["policy"]]}
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2)


def describe_scenario(loaded: Loaded) -> dict[str, str]:
    """Return the main choices of a scenario in words, by name."""
    scenario = loaded.scenario
    classes = ", ".join(task_class.name for task_class in scenario.tasks.classes)
    return {
        "name": scenario.name,
        "description": " ".join(scenario.description.split()),
        "run id": loaded.run_id,
        "map": scenario.map if scenario.mobility.kind != "synthetic" else "straight roads",
        "duration": f"{scenario.duration_s:g} s after a warm-up of traffic of {scenario.mobility.begin_s:g} s"
        if scenario.mobility.kind != "synthetic"
        else f"{scenario.duration_s:g} s",
        "mobility": f"{scenario.mobility.kind}, tick {scenario.mobility.step_s:g} s",
        "sites": scenario.sites.kind,
        "radio": _radio(scenario.radio),
        "tasks": f"{scenario.tasks.arrivals.kind} arrivals of {classes}",
        "decisions": f"{scenario.decisions.kind} by {scenario.policy.name}",
        "seed": str(scenario.seed),
    }


def _radio(radio: Radio) -> str:
    """Return the main choices of a radio; with a preset, also which of its fields the scenario changes."""
    chosen = [radio.path_loss.kind, radio.access.kind, radio.link.kind, quantity(radio.bandwidth_hz, "Hz")]
    if radio.preset is None:
        return ", ".join(chosen)
    changed = ", ".join(changed_fields(radio, radio.preset)) or "nothing"
    return f"{', '.join(chosen)}; preset {radio.preset}, changed: {changed}"


def _find(path_or_name: str | Path) -> Path:
    path = Path(path_or_name)
    name = shown(str(path_or_name), 300)
    try:
        if path.is_file():
            return path
        known = bundled_scenarios()
        if str(path_or_name) in known:
            return known[str(path_or_name)]
        if path.is_dir():
            raise InputError(f"{name}: is a folder; name a scenario file in it")
        if path.exists():
            raise InputError(f"{name}: is not a regular file; name a YAML file")
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: cannot be opened: {_reason(error)}; check the path") from None
    raise InputError(f"{name}: no such file or bundled scenario; {closest(str(path_or_name), known)}")


def _text(path: Path, origin: str) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{origin}: cannot be read: {_reason(error)}; check its permissions") from None
    if len(content) > MAX_FILE_BYTE:
        raise InputError(f"{origin}: has {len(content)} bytes; a scenario may have {MAX_FILE_BYTE}, move data to files")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"{origin}:{line}: is not UTF-8 text; give a YAML file") from None


def _reason(error: OSError | ValueError) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
