"""The columns of a table of tracks by their usual names, and the units that their names state."""

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Role: TypeAlias = Literal["id", "time", "date", "lat", "lon", "x", "y", "speed", "heading", "type"]

_NAMES: Final[dict[Role, str]] = {  # the first that a table has is taken
    "id": "vehicle_id vehicleid veh_id vehid vehicle veh track_id trackid trajectory_id traj_id taxi_id taxiid taxi "
    "car_id carid bus_id object_id device_id deviceid device imei mmsi unit_id unit logger_id plate license_plate "
    "user_id trip_id tripid trip track name id",
    "time": "timestamp datetime date_time time_utc utc_time gps_time gpstime time timestep timestep_time unix_time "
    "unixtime epoch event_time recorded_at local_time global_time utc ts t seconds sec",
    "date": "date gps_date utc_date",
    "lat": "lat latitude gps_lat gps_latitude position_lat location_lat",
    "lon": "lon lng long longitude gps_lon gps_lng gps_long gps_longitude position_lon position_lng position_long "
    "location_lon location_lng location_long",
    "x": "x pos_x position_x x_center xcenter center_x local_x vehicle_x easting utm_x",
    "y": "y pos_y position_y y_center ycenter center_y local_y vehicle_y northing utm_y",
    "speed": "speed velocity gps_speed vehicle_speed speed_over_ground sog ground_speed spd v_vel v",
    "heading": "heading course bearing azimuth course_over_ground cog vehicle_angle gps_heading gps_course angle",
    "type": "vehicle_type vtype veh_type vehicle_class veh_class type",
}
_SPEEDS: Final = {
    "mps": 1.0, "ms": 1.0, "m_s": 1.0, "kmh": 1 / 3.6, "kmph": 1 / 3.6, "kph": 1 / 3.6, "km_h": 1 / 3.6,
    "mph": 0.44704, "mi_h": 0.44704, "kn": 1852 / 3600, "kt": 1852 / 3600, "kts": 1852 / 3600, "knot": 1852 / 3600,
    "knots": 1852 / 3600, "fps": 0.3048, "ft_s": 0.3048, "cmps": 0.01, "cm_s": 0.01,
}  # fmt: skip
_LENGTHS: Final = {"m": 1.0, "meter": 1.0, "meters": 1.0, "metres": 1.0, "cm": 0.01, "mm": 0.001, "km": 1000.0}
_FEET: Final = dict.fromkeys(("ft", "feet", "foot"), 0.3048)
_TIMES: Final = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3, "millis": 1e-3, "us": 1e-6, "ns": 1e-9}
_ANGLES: Final = dict.fromkeys(("deg", "degree", "degrees", "dd", "wgs84"), 1.0)
_UNITS: Final[dict[Role, dict[str, float]]] = {
    "speed": _SPEEDS,
    "x": _LENGTHS | _FEET,
    "y": _LENGTHS | _FEET,
    "time": _TIMES,
    "lat": _ANGLES,
    "lon": _ANGLES,
    "heading": _ANGLES,
}
_BRACKETS: Final = re.compile(r"^(.*?)[\s_]*[\[({]([^\])}]*)[\])}]\s*$")


@dataclass(frozen=True, slots=True)
class TrackColumn:
    """A column that is read."""

    name: str
    """As the file spells it."""
    factor: float | None
    """Size of its unit in m, s, m/s or degrees; None: its name does not say."""


def find_columns(names: list[str]) -> tuple[dict[Role, TrackColumn], tuple[str, ...]]:
    """Return the columns of a table by what they hold, and the names of those that hold something else.

    Case, blanks, dashes and units do not count: `Speed (km/h)`, `speed_kmh` and `SPEED` are speeds.

    >>> columns, others = find_columns(["Vehicle-ID", "time [ms]", "Latitude", "Lng", "Speed (km/h)", "hdop"])
    >>> columns["time"], round(columns["speed"].factor, 4), others
    (TrackColumn(name='time [ms]', factor=0.001), 0.2778, ('hdop',))
    """
    spelled = {name: _parts(name) for name in names}
    found: dict[Role, TrackColumn] = {}
    taken: set[str] = set()
    for role, listed in _NAMES.items():
        for wanted in listed.split():
            for name, (plain, unit) in spelled.items():
                factor = _factor(role, plain, unit, wanted)
                if role not in found and name not in taken and factor != 0.0:
                    found[role] = TrackColumn(name, factor)
                    taken.add(name)
    return found, tuple(name for name in names if name not in taken)


def _parts(name: str) -> tuple[str, str]:
    """Return a column's name and the unit in brackets after it, both in small letters with single underscores."""
    bracketed = _BRACKETS.match(name.strip())
    plain, unit = bracketed.groups() if bracketed else (name, "")
    return _simple(plain), _simple(unit)


def _simple(text: str) -> str:
    return re.sub(r"[^0-9a-z]+", "_", text.lower()).strip("_")


def _factor(role: Role, plain: str, unit: str, wanted: str) -> float | None:
    """Return the size of a column's unit, None if it is not said, and 0 if the column is another."""
    units = _UNITS.get(role, {})
    if plain == wanted:
        return units.get(unit) if unit in units or not unit else 0.0
    behind = plain.removeprefix(f"{wanted}_")
    return units.get(behind, 0.0) if behind != plain and not unit else 0.0
