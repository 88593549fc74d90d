"""`cosim twin`: the accuracy of the digital twin's forecasts, and the quality of its placement."""

from typing import Annotated

import typer

from cosim.cli import console
from cosim.cli.arguments import Json, Overrides
from cosim.cli.loudness import Commands
from cosim.quantity import digits

app = Commands(help="Digital twin: score its forecasts, compare placements.", no_args_is_help=True)
_SCORES = ("cosim twin score sumo:a10kw", "cosim twin score ./bologna --horizons 1,2,5,10 --sync 10")
_GAPS = ("cosim twin gap physical", "cosim twin gap paper --count 200 --set places=3")
_HEADERS = ("forecaster", "horizon, s", "forecasts", "mean, m", "p50, m", "p95, m", "in disc, %", "radius, m")


@app.callback()
def _root() -> None:
    """Digital twin: score its forecasts, compare placements."""


@app.command("score", epilog=console.examples(*_SCORES))
def score_map(
    what: Annotated[str, typer.Argument(metavar="MAP|SCENARIO", help="A map's name or folder; or a YAML scenario.")],
    overrides: Overrides = None,
    horizons: Annotated[str, typer.Option(help="Seconds ahead, separated by commas.")] = "1,2,5",
    sync: Annotated[float, typer.Option(min=0.001, help="Time between two states of a vehicle, s.")] = 1.0,
    seconds: Annotated[float, typer.Option(min=1.0, max=86400.0, help="Traffic watched after the first 60 s.")] = 300.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of a map's traffic.")] = 1,
    json: Json = False,
) -> None:
    """Forecast the traffic of a map or scenario with every forecaster, and compare with where the vehicles went.

    The table shows the distance between forecast and truth, and the share of forecasts within the disc that is stated
    to hold 90 %. Every vehicle's state comes each --sync seconds, at once and without delay.
    """
    from cosim.twin.score import score_forecasters

    with console.working("forecasting"):
        scores = score_forecasters(what, overrides or [], _numbers(horizons), sync, seconds, seed)
    if json:
        console.say_json({"scores": scores})
        return
    rows = [
        (
            one.kind,
            f"{one.horizon_s:g}",
            str(one.forecasts),
            *map(digits, (one.mean_m, one.p50_m, one.p95_m, 100.0 * one.held, one.radius_m)),
        )
        for one in scores
    ]
    console.say_table(rows, _HEADERS)


@app.command("gap", epilog=console.examples(*_GAPS))
def gap(
    kind: Annotated[str, typer.Argument(metavar="paper|physical", help="How the instances of paper S5 are drawn.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Field of an instance, as exponent=3.5.")
    ] = None,
    count: Annotated[int, typer.Option(min=2, max=1_000_000, help="Number of instances.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the instances.")] = 1,
    json: Json = False,
) -> None:
    """Place the twins of drawn instances of paper S5 by every policy, and compare with the optimum.

    Fields of an instance: users, hosts, data_bit, compute_hz, places, share, cycles_per_bit, power_w, bandwidth_hz,
    noise, noise_dbm, logarithm, exponent, gain_at_1m_db, distance_m, limit_s.
    """
    from dataclasses import asdict

    from cosim.twin.placing.gap import format_gaps, measure_gaps, placement_study

    with console.working("placing"):
        table = measure_gaps(placement_study(kind, settings or (), count), seed)
    if json:
        console.say_json(asdict(table))
    else:
        console.say(format_gaps(table))


def _numbers(text: str) -> list[float]:
    from cosim.errors import InputError

    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--horizons={text}: is no list of seconds; write it like 1,2,5") from None
