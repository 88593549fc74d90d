"""A source of traffic that says what a test wrote down."""

from collections.abc import Mapping, Sequence

import numpy as np

from cosim.errors import RunError
from cosim.mobility.frames import Roster, build_frame
from cosim.mobility.source import MobilityFrame
from cosim.roads.net import Bounds

Place = tuple[float, float] | float | None
TELEPORTING = float("nan")


class ScriptedMobility:
    """A place for each vehicle and tick: (x, y) on the road, NaN teleporting, None before it enters and after it left.

    Speed and heading follow from the last place; a vehicle whose list has ended has left.
    """

    def __init__(self, step_s: float, paths: Mapping[str, Sequence[Place]], vehicle_type: str = "car") -> None:
        self.step_s = step_s
        self._paths = paths
        self._type = vehicle_type
        self._roster = Roster()
        places = [place for path in paths.values() for place in path if isinstance(place, tuple)]
        xy_m = np.array(places or [(0.0, 0.0)], dtype=np.float64)
        self.bounds_m: Bounds = (*xy_m.min(axis=0).tolist(), *xy_m.max(axis=0).tolist())
        self.closed = False

    def advance(self, tick: int) -> MobilityFrame:
        """See MobilitySource."""
        if self.closed:
            raise RunError("the script is closed")
        left = self._roster.leave([name for name in self._roster.ids if self._place(name, tick) is None])
        fresh = [name for name in self._paths if name not in self._roster and self._place(name, tick) is not None]
        entered = self._roster.enter([(name, self._type) for name in fresh])
        now, before = self._xy_m(tick), self._xy_m(tick - 1)
        moved = np.where(np.isnan(before), 0.0, now - before)
        speed_mps = np.hypot(moved[:, 0], moved[:, 1]) / self.step_s
        heading_deg = np.degrees(np.arctan2(moved[:, 0], moved[:, 1]))
        motion = (now, speed_mps, heading_deg)
        return build_frame(tick * self.step_s, self._roster.numbers, motion, entered, left)

    def close(self) -> None:
        """See MobilitySource."""
        self.closed = True

    def _place(self, name: str, tick: int) -> Place:
        path = self._paths[name]
        return path[tick] if 0 <= tick < len(path) else None

    def _xy_m(self, tick: int) -> np.ndarray:
        nowhere = (TELEPORTING, TELEPORTING)
        places = [self._place(name, tick) for name in self._roster.ids]
        rows = [place if isinstance(place, tuple) else nowhere for place in places]
        return np.array(rows, dtype=np.float64).reshape(-1, 2)
