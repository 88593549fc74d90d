"""The content that a scenario's figures stand on: hashes of map, demand, recording, sites and arrivals."""

from collections.abc import Iterator
from pathlib import Path

from cosim.mobility.cache import file_hash
from cosim.mobility.catalog import MapFiles, resolve_map
from cosim.mobility.connect import NO_MAP
from cosim.mobility.inputs import Inputs, read_inputs
from cosim.scenario.schema import Scenario
from cosim.scenario.traffic import ReplayMobility, SyntheticMobility


def content_of(scenario: Scenario, folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file that shapes traffic, sites or arrivals, by its name.

    Names are relative to the map folder, so that they say nothing about the machine; a file outside it has its own
    name, numbered where that is taken. One that SUMO's files name and that is not there has the hash "".

        >>> import cosim
        >>> loaded = cosim.load("intersection")
        >>> list(content_of(loaded.scenario, loaded.folder))
        ['net.net.xml.gz', 'rou.xml.gz', 'sites.yaml']

    Args:
        scenario: the scenario.
        folder: folder that its relative paths start from.

    Raises:
        InputError: its map is not there.
    """
    found: dict[str, str] = {}
    for name, sha256 in _hashes(scenario, folder):
        taken, number = name, 2
        while taken in found and found[taken] != sha256:
            taken, number = f"{name} ({number})", number + 1
        found[taken] = sha256
    return found


def _hashes(scenario: Scenario, folder: Path) -> Iterator[tuple[str, str]]:
    mobility = scenario.mobility
    if not isinstance(mobility, SyntheticMobility) and scenario.map != NO_MAP:
        files = resolve_map(scenario.map, folder)
        yield from _map_hashes(files, live=not isinstance(mobility, ReplayMobility))
        if isinstance(mobility, ReplayMobility) and mobility.file is None and files.recording is not None:
            yield files.recording.name, file_hash(files.recording)
    if isinstance(mobility, ReplayMobility) and mobility.file is not None:
        yield from _named(folder, mobility.file)
    if scenario.tasks.arrivals.kind == "file":
        yield from _named(folder, scenario.tasks.arrivals.file)


def _map_hashes(files: MapFiles, *, live: bool) -> Iterator[tuple[str, str]]:
    """Yield what a map's roads, traffic and sites are made of; a replay takes the roads and the sites alone."""
    home = next((path.parent for path in (files.net, files.recording) if path is not None), Path())
    inputs = read_inputs(files.inputs) if live else read_inputs([] if files.net is None else [files.net])
    yield from _relative(inputs, home)
    if files.sites is not None:
        yield files.sites.name, file_hash(files.sites)


def _relative(inputs: Inputs, home: Path) -> Iterator[tuple[str, str]]:
    for file in inputs.files:
        within = file.path.is_relative_to(home) and ".." not in file.path.parts
        yield (file.path.relative_to(home).as_posix() if within else file.path.name), file.sha256
    for said in inputs.unfollowed:
        yield said.partition(":")[0], ""


def _named(folder: Path, name: str) -> Iterator[tuple[str, str]]:
    """Yield a file that the scenario names; one that is not there is refused by whoever opens it."""
    path = folder / name
    if path.is_file():
        yield path.name, file_hash(path)
