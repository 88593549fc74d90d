"""A trial of a map's traffic: SUMO runs it as a scenario would, and says what drives and what does not."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TypeAlias

import numpy as np

from cosim.errors import InputError
from cosim.maps.occupancy import OccupancyCurve
from cosim.maps.scenario_files import OwnDemand
from cosim.mobility.catalog import MapFiles, net_of
from cosim.mobility.link import SumoError
from cosim.mobility.sumo import sumo_options
from cosim.mobility.traci_link import TraciLink
from cosim.scenario.schema import Scenario
from cosim.scenario.traffic import LibsumoMobility

Told: TypeAlias = Callable[[str], None]
"""Shows how far the work is."""
TRIED_S = 1800.0
_PATIENCE_S = 3600.0
_LONGEST_STEPS = 100_000
_CHUNK_S = 60.0
_IGNORED = re.compile(r"Warning: .*ignoring '([^']*)'")
_TELEPORTED = re.compile(r"Warning: Teleporting vehicle '([^']*)'")
_SPEAKING = {"--no-warnings": "false", "--aggregate-warnings": "-1"}
_EMPTY = {"--max-num-vehicles": "0", "--max-depart-delay": "0", "--max-num-persons": "0", "--scale": "1"}


@dataclass(frozen=True, slots=True)
class Trial:
    """What was seen."""

    curve: OccupancyCurve
    classes: tuple[tuple[str, int], ...]
    """Classes of the vehicles that departed and how many of each, the most first."""
    lost: tuple[str, ...]
    """Vehicles that SUMO took and then let go without a departure."""
    teleported: tuple[str, ...]
    """Vehicles that SUMO has teleported."""


def silent(_: str) -> None:
    """Show nothing."""


def try_traffic(
    files: MapFiles,
    mobility: LibsumoMobility,
    demand: OwnDemand,
    end_s: float,
    told: Told = silent,
) -> Trial:
    """Run a map's traffic, with the options and the default seed of a scenario.

    Args:
        files: files of the map.
        mobility: section of the scenario; its begin_s does not count.
        demand: what the files bring.
        end_s: traffic time at which the trial ends.
        told: shows how far the trial is.

    Raises:
        InputError: SUMO refuses the map; the message is SUMO's.
    """
    times_s, running = [files.start_s], [0]
    classes: Counter[str] = Counter()
    each_s = mobility.step_s * max(1, round(1.0 / mobility.step_s))
    with _watched(files, mobility, {}) as sumo:
        idle_s = each_s * int(max(0.0, demand.first_s - files.start_s) / each_s) if demand.first_s < end_s else 0.0
        if idle_s:
            sumo.advance_to(files.start_s + idle_s)
            classes.update(sumo.departed_classes())
            times_s, running = [sumo.time_s()], [sumo.count()]
        while times_s[-1] < end_s - 1e-6:
            sumo.advance_to(min(times_s[-1] + each_s, end_s))
            classes.update(sumo.departed_classes())
            times_s.append(sumo.time_s())
            running.append(sumo.count())
            if len(times_s) % 10 == 0:
                told(f"trying the traffic, t={times_s[-1]:.0f} of {end_s:.0f} s, {running[-1]} vehicles")
        lost = tuple(name for name in sumo.gone() if demand.was_due(name, times_s[-1] - 2.0 * each_s))
        teleported = sumo.teleported()
    curve = OccupancyCurve(np.array(times_s, dtype=np.float64), np.array(running, dtype=np.float64))
    return Trial(curve, tuple(classes.most_common()), lost, teleported)


def read_demand(
    files: MapFiles, mobility: LibsumoMobility, end_s: float, told: Told = silent
) -> tuple[frozenset[str], tuple[str, ...], float]:
    """Let SUMO read the demand without letting anything depart.

    Args:
        files: files of the map.
        mobility: section of the scenario.
        end_s: traffic time up to which departures matter.
        told: shows how far the reading is.

    Returns:
        The names that SUMO took, those that it says to ignore, and the traffic time up to which it read.

    Raises:
        InputError: SUMO refuses the demand; the message is SUMO's.
    """
    end_s = min(end_s, files.start_s + _LONGEST_STEPS * mobility.step_s)
    with _watched(files, mobility, _EMPTY) as sumo:
        loaded = set(sumo.loaded())
        while (now_s := sumo.time_s()) < end_s - 1e-6:
            sumo.advance_to(min(now_s + _CHUNK_S, end_s))
            loaded.update(sumo.loaded())
            told(f"reading the demand, t={now_s:.0f} of {end_s:.0f} s")
        return frozenset(loaded), sumo.ignored(), end_s


@contextmanager
def _watched(files: MapFiles, mobility: LibsumoMobility, more: dict[str, str]) -> Iterator["_Watched"]:
    changed = _SPEAKING | more
    given = sumo_options(files, mobility, Scenario.model_fields["seed"].default)
    pairs = zip(given[::2], given[1::2], strict=True)
    kept = [word for pair in pairs if pair[0] not in changed for word in pair]
    sumo: _Watched | None = None
    try:
        sumo = _Watched([*kept, *chain.from_iterable(changed.items())])
        yield sumo
    except SumoError as lost:
        told = str(lost).replace(f"{net_of(files).parent}/", "")  # a folder that is there during the import only
        raise InputError(f"trying the map: SUMO refuses it: {told}") from lost
    finally:
        if sumo is not None:
            sumo.close()


class _Watched(TraciLink):
    """SUMO that is asked what departs; what it has read and let depart comes with each advance."""

    def __init__(self, options: list[str]) -> None:
        self._taken: set[str] = set()
        super().__init__(options, None, _PATIENCE_S)
        names = self._traci.constants
        self._kinds = [names.VAR_LOADED_VEHICLES_IDS, names.VAR_DEPARTED_VEHICLES_IDS, names.VAR_ARRIVED_VEHICLES_IDS]
        self._guarded(lambda: self._connection.simulation.subscribe(self._kinds))
        self._taken.update(self.loaded())  # some are read before the first step

    def count(self) -> int:
        """Return the number of vehicles on the map."""
        return int(self._guarded(self._connection.vehicle.getIDCount))

    def loaded(self) -> tuple[str, ...]:
        """Return the vehicles that SUMO has read during the last advance."""
        return self._told()[0]

    def departed_classes(self) -> list[str]:
        """Return the classes of the vehicles that have departed during the last advance."""
        loaded, departed, arrived = self._told()
        self._taken.update(loaded)
        self._taken.difference_update(departed)
        vehicle = self._connection.vehicle
        return [str(self._guarded(partial(vehicle.getVehicleClass, name))) for name in sorted({*departed} - {*arrived})]

    def gone(self) -> list[str]:
        """Return the vehicles that were read, have not departed and do not wait to."""
        return sorted(self._taken - set(self._guarded(self._connection.simulation.getPendingVehicles)))

    def ignored(self) -> tuple[str, ...]:
        """Return the vehicles and flows that SUMO says it ignores, each once."""
        return self._said(_IGNORED)

    def teleported(self) -> tuple[str, ...]:
        """Return the vehicles that SUMO says it teleports, each once."""
        return self._said(_TELEPORTED)

    def _told(self) -> list[tuple[str, ...]]:
        results = self._connection.simulation.getSubscriptionResults()
        return [tuple(results[kind]) for kind in self._kinds]

    def _said(self, pattern: re.Pattern[str]) -> tuple[str, ...]:
        self._printed.seek(0)
        return tuple(dict.fromkeys(pattern.findall(self._printed.read().decode(errors="replace"))))
