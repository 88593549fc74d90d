"""`cosim report`: the HTML report of one run or several."""

from pathlib import Path
from typing import Annotated

import typer

from cosim.cli import console
from cosim.cli.arguments import Json
from cosim.cli.loudness import quiet
from cosim.quantity import quantity


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders; several stand side by side.", metavar="RUN")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="report.html in the run folder, or here for several runs.")
    ] = None,
    json: Json = False,
) -> None:
    """Write one HTML file with figures and a playback of the city; it needs no network."""
    from cosim.report.page.html import FILE, STEPS, write_report
    from cosim.trace.store.reader import Trace

    path = out or (runs[0] / FILE if len(runs) == 1 else Path(FILE))
    with console.progress(STEPS * len(runs), "report", "steps") as tell:
        size = write_report(runs, path, tell=tell)
    for run in runs:
        with Trace.open(run) as trace:
            if trace.unfinished:
                console.note(f"note: {trace.unfinished}" if len(runs) == 1 else f"note: {run}: {trace.unfinished}")
    if json:
        console.say_json({"report": path, "bytes": size, "runs": runs})
        return
    if quiet():
        return
    console.say_table([("report", str(path)), ("size", quantity(size, "B"))])
