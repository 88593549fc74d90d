"""Forecasts scored on SUMO's traffic."""

import json

import pytest

from cosim.cli.main import status
from cosim.twin.score import score_forecasters


@pytest.mark.parametrize(
    "where", ["intersection", *(pytest.param(where, marks=pytest.mark.long) for where in ("sumo:a10kw", "grid"))]
)
def test_map_wins_and_discs_hold(where):
    """At 5 s the map-aware forecast errs less than constant velocity, that less than none; discs hold 88 to 92 %."""
    scores = {(one.kind, one.horizon_s): one for one in score_forecasters(where, [], [1.0, 5.0], 1.0, 120.0, 1)}
    last, straight, along = (scores[kind, 5.0] for kind in ("last", "constant_velocity", "map"))
    assert along.mean_m < straight.mean_m < last.mean_m
    assert along.p95_m < straight.p95_m
    assert {key: one.held for key, one in scores.items() if not 0.88 <= one.held <= 0.92} == {}


def test_command_prints_the_table(capsys):
    """`cosim twin score` prints a row for each forecaster and horizon, and the same as JSON."""
    assert status(["twin", "score", "intersection", "--seconds", "20", "--horizons", "1,2", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert [(one["kind"], one["horizon_s"]) for one in scores[-2:]] == [("map", 1.0), ("map", 2.0)]
    assert len(scores) == 10
    assert status(["twin", "score", "intersection", "--seconds", "20"]) == 0
    assert "in disc, %" in capsys.readouterr().out


def test_constant_speed_is_exact():
    """On synthetic roads at constant speed every forecaster but the last state errs by rounding alone."""
    fixed = ["mobility.kind=synthetic", "map=synthetic", "mobility.length_m=1e6", "duration_s=60"]
    scores = score_forecasters("highway_v2v", fixed, [1.0, 5.0], 1.0, 20.0, 1)
    assert {one.kind for one in scores} == {"last", "constant_velocity", "constant_turn", "kalman"}
    assert all(one.p95_m < 0.05 for one in scores if one.kind != "last")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--horizons", "1,x"], "no list of seconds"),
        (["--horizons", "1.5"], "no multiple of mobility.step_s=1"),
        (["--sync", "0.3"], "no multiple of mobility.step_s=1"),
        (["--set", "seed=3"], "is a map"),
    ],
)
def test_refused(arguments, told, capsys):
    """Times that the traffic has no ticks for, and overrides of a map, are refused in one line."""
    assert status(["twin", "score", "intersection", *arguments]) == 2
    assert told in capsys.readouterr().err
