"""Drives as other programs record them: rows of time, vehicle, place, heading and speed, and the files they make."""

from math import cos, radians
from pathlib import Path
from typing import NamedTuple

HEAD = "timestep_time;vehicle_id;vehicle_x;vehicle_y;vehicle_angle;vehicle_type;vehicle_speed\n"


class Seen(NamedTuple):
    """A vehicle at one time."""

    time_s: float
    vehicle: str
    x: float
    y: float
    heading_deg: float
    speed_mps: float


def drives(seconds: int = 40, vehicles: int = 4) -> list[Seen]:
    """Vehicles on the sides of a square of 300 m, two along x, two along y, each at its own constant speed, in m."""
    rows = []
    for k in range(vehicles):
        speed_mps = 8.0 + k
        for time_s in range(seconds):
            along_m = 20.0 + speed_mps * time_s
            sides = [
                (along_m, 0.0, 90.0),
                (0.0, along_m, 0.0),
                (500 - along_m, 300.0, 270.0),
                (300.0, 500 - along_m, 180.0),
            ]
            rows.append(Seen(float(time_s), f"car{k}", *sides[k % 4], speed_mps))
    return rows


def on_globe(rows: list[Seen], lat: float, lon: float) -> list[Seen]:
    """The rows with longitude in x and latitude in y, on a sphere, around a place."""
    metre_deg = 1.0 / 111_195.0
    placed = [(lon + row.x * metre_deg / cos(radians(lat)), lat + row.y * metre_deg) for row in rows]
    return [row._replace(x=(x + 180.0) % 360.0 - 180.0, y=y) for row, (x, y) in zip(rows, placed, strict=True)]


def write_fcd(path: Path, rows: list[Seen], decimals: int = 6) -> Path:
    """Write rows as SUMO's FCD in CSV."""
    lines = [
        f"{row.time_s:g};{row.vehicle};{row.x:.{decimals}f};{row.y:.{decimals}f};{row.heading_deg:.2f};car;{row.speed_mps:.4f}"
        for row in rows
    ]
    path.write_text(HEAD + "\n".join(lines) + "\n")
    return path
