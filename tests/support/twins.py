"""What the tests of forecasts share: a net by hand and vehicles that drive along it."""

from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from cosim.scenario.twin_forecast import MotionForecast
from cosim.twin.forecast import make_forecaster

KINDS = ("last", "constant_velocity", "constant_turn", "kalman", "map")
RADIUS_M = 30.0
_CORNER = [(200 + RADIUS_M * np.sin(a), RADIUS_M * (1 - np.cos(a))) for a in np.linspace(0, np.pi / 2, 7)]


def _shape(points):
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in points)


def _length(points):
    return float(np.hypot(*np.diff(np.array(points), axis=0).T).sum())


def bent_net(folder: Path) -> Path:
    """East for 200 m, a bend to the left, north for 400 m; at (200, 0) a second way goes straight on for 300 m."""
    inner = [(round(x, 2), round(y, 2)) for x, y in _CORNER]
    end = inner[-1]
    roads = {"a": [(0.0, 0.0), (200.0, 0.0)], "b": [end, (end[0], 430.0)], "c": [(203.0, 0.0), (503.0, 0.0)]}
    inside = {":j_0": inner, ":j_1": [(200.0, 0.0), (203.0, 0.0)]}
    lines = ['<net version="1.20">', '<location netOffset="0,0" convBoundary="0,0,503,430" projParameter="!"/>']
    for name, points in inside.items():
        lane = f'<lane id="{name}_0" index="0" speed="14" length="{_length(points)}" shape="{_shape(points)}"/>'
        lines.append(f'<edge id="{name}" function="internal">{lane}</edge>')
    for name, points in roads.items():
        lane = f'<lane id="{name}_0" index="0" speed="14" length="{_length(points)}" shape="{_shape(points)}"/>'
        lines.append(f'<edge id="{name}" from="x" to="y">{lane}</edge>')
    for to, via in (("b", ":j_0"), ("c", ":j_1")):
        lines.append(f'<connection from="a" to="{to}" fromLane="0" toLane="0" via="{via}_0" dir="s" state="M"/>')
        lines.append(f'<connection from="{via}" to="{to}" fromLane="0" toLane="0" dir="s" state="M"/>')
    net = folder / "net.net.xml"
    net.write_text("\n".join([*lines, "</net>"]), encoding="utf-8")
    return net


def drive(way_m: float) -> tuple[float, float, float]:
    """x, y and heading so far along the bend of `bent_net`."""
    points = np.array([(0.0, 0.0), *[(round(x, 2), round(y, 2)) for x, y in _CORNER], (200 + RADIUS_M, 430.0)])
    steps = np.diff(points, axis=0)
    before = np.append(0.0, np.cumsum(np.hypot(*steps.T)))
    k = int(np.clip(np.searchsorted(before, way_m, side="right") - 1, 0, len(steps) - 1))
    unit = steps[k] / np.hypot(*steps[k])
    x, y = points[k] + unit * (way_m - before[k])
    return float(x), float(y), float(np.degrees(np.arctan2(unit[0], unit[1])) % 360)


def forecaster(kind: str, net: Path, **options: object):
    return make_forecaster(TypeAdapter(MotionForecast).validate_python({"kind": kind, **options}), net)
