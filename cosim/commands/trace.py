"""`cosim trace`: read what a run wrote."""

from dataclasses import asdict
from typing import Annotated

import typer

from cosim import console
from cosim.commands.arguments import Json, RunFolder

app = typer.Typer(help="Read what a run wrote.", no_args_is_help=True)


@app.command("summary")
def summary(
    run_folder: RunFolder,
    every: Annotated[bool, typer.Option("--all", help="All figures, by the names that --json uses.")] = False,
    json: Json = False,
) -> None:
    """Figures of merit of a run, with intervals."""
    from cosim.trace.metrics import kpis
    from cosim.trace.reader import Trace

    with Trace.open(run_folder) as trace:
        estimates, said = kpis(trace), trace.provenance
        if json:
            head = {"run_id": said.run_id, "policy": said.policy, "seed": said.seed, "digest": said.digest}
            console.say_json({**head, "complete_to_s": trace.complete_to_s, "kpis": estimates})
            return
        state = "complete" if trace.complete else f"partial, complete to t = {trace.complete_to_s:g} s"
        console.say(f"{said.run_id}, policy {said.policy}, seed {said.seed}, {state}\n")
        (console.say_estimates if every else console.say_summary)(estimates)


@app.command("task")
def task(
    run_folder: RunFolder, task: Annotated[int, typer.Argument(metavar="TASK", help="Its number.")], json: Json = False
) -> None:
    """The life of one task, step by step."""
    from cosim.trace.reader import Trace

    with Trace.open(run_folder) as trace:
        steps = trace.timeline(task)
    if json:
        console.say_json({"task": task, "steps": [{"time_s": time_s, "event": event} for time_s, event in steps]})
    else:
        console.say_table([(f"{time_s:.6f}", event) for time_s, event in steps], ("time_s", "event"))


@app.command("sql", epilog=console.examples("cosim trace sql RUN 'SELECT avg(time_s - released_s) FROM task_ended'"))
def sql(
    run_folder: RunFolder,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="SELECT ... FROM task_ended")],
    json: Json = False,
) -> None:
    """Answer a question in SQL; the tables are the kinds of facts."""
    from cosim.trace.reader import Trace

    with Trace.open(run_folder) as trace:
        answer = trace.sql(query)
    if json:
        console.say_json({"rows": answer.to_dict(orient="records")})
    else:
        console.say_table(
            [list(map(console.shown, row)) for row in answer.itertuples(index=False)], list(map(str, answer.columns))
        )


@app.command("verify")
def verify(run_folder: RunFolder, json: Json = False) -> None:
    """Audit a run: rows, order, integrals, digest. Ends with 1 if something is wrong."""
    from cosim.audit import verify

    report = verify(run_folder)
    if json:
        console.say_json({"ok": report.ok, **asdict(report)})
    else:
        console.say("\n".join(report.lines))
    if not report.ok:
        raise typer.Exit(1)
