"""`cosim trace`: read, compare, export and audit stored runs."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cosim.cli import console
from cosim.cli.arguments import Json, RunFolder
from cosim.cli.loudness import Commands, quiet
from cosim.quantity import digits, quantity

app = Commands(help="Read what a run wrote.", no_args_is_help=True)


@app.command("summary")
def summary(
    run_folder: RunFolder,
    every: Annotated[bool, typer.Option("--all", help="All figures, by the names that --json uses.")] = False,
    json: Json = False,
) -> None:
    """Print the figures of merit of a run, with intervals."""
    from cosim.radio.interference import interference_note
    from cosim.scenario.sense import sense_notes
    from cosim.trace.metrics.shown import shown_by
    from cosim.trace.metrics.tasks import kpis
    from cosim.trace.store.reader import Trace

    with Trace.open(run_folder) as trace:
        estimates, said = kpis(trace), trace.provenance
        places = trace.sql("SELECT x_m FROM site_deployed").x_m  # the cloud has none
        loud = interference_note(trace.scenario.radio, int(places.notna().sum()))
        notes = [*filter(None, (loud,)), *sense_notes(trace.scenario, shown_by(trace, estimates))]
        if json:
            head = {"run_id": said.run_id, "policy": said.policy, "seed": said.seed, "digest": said.digest}
            notes = [*filter(None, (trace.unfinished,)), *notes]
            console.say_json({**head, "complete_to_s": trace.complete_to_s, "kpis": estimates, "notes": notes})
            return
        state = "complete" if trace.complete else f"partial, complete to t = {trace.complete_to_s:g} s"
        console.say(f"{said.run_id}, policy {said.policy}, seed {said.seed}, {state}\n")
        (console.say_estimates if every else console.say_summary)(estimates)
    for note in filter(None, (trace.unfinished, *notes)):
        console.note(f"note: {note}")


@app.command("task")
def task(
    run_folder: RunFolder,
    task: Annotated[int, typer.Argument(metavar="TASK", help="Number of the task.")],
    json: Json = False,
) -> None:
    """Print the life of one task, step by step, and the reason why it was late or lost."""
    from cosim.trace.lateness.explain import explain_task
    from cosim.trace.store.reader import Trace
    from cosim.trace.views.timeline import timeline

    with Trace.open(run_folder) as trace:
        steps, reason = timeline(trace.sql, task), explain_task(trace, task)
    if json:
        events = [{"time_s": time_s, "event": event} for time_s, event in steps]
        console.say_json({"task": task, "steps": events, "why": reason})
        return
    console.say_table([(f"{time_s:.6f}", event) for time_s, event in steps], ("time_s", "event"))
    for line in reason.lines if reason else ():
        console.say(line)


@app.command("late", epilog=console.examples("cosim trace late RUN", "cosim trace late RUN --top 3 --json"))
def late(
    run_folder: RunFolder,
    top: Annotated[int | None, typer.Option("--top", min=1, metavar="N", help="Only the first N causes.")] = None,
    json: Json = False,
) -> None:
    """Rank the causes of late and lost tasks, with examples for `cosim trace task`."""
    from cosim.trace.lateness.ranking import lateness
    from cosim.trace.store.reader import Trace

    with Trace.open(run_folder) as trace:
        found = lateness(trace)
    if trace.unfinished:
        console.note(f"note: {trace.unfinished}")
    causes = found.causes[:top]
    if json:
        console.say_json({**asdict(found), "causes": [asdict(one) for one in causes]})
        return
    elapsed = quantity(found.elapsed_s, "s")
    console.say(f"{found.late} late, {found.lost} lost, {elapsed} from their releases to their ends\n")
    total = max(1, found.late + found.lost)
    rows = [
        (
            one.cause.replace("_", " "),
            str(one.tasks),
            digits(100.0 * one.tasks / total),
            digits(100.0 * one.delay_share),
            ", ".join(map(str, one.examples)),
        )
        for one in causes
    ]
    console.say_table(rows, ("cause", "tasks", "% of tasks", "% of time", "for example"))


@app.command("diff", epilog=console.examples("cosim trace diff runs/nearest runs/greedy"))
def diff(
    run_a: Annotated[Path, typer.Argument(metavar="RUN_A", help="A run folder.")],
    run_b: Annotated[Path, typer.Argument(metavar="RUN_B", help="A run with the same arrivals.")],
    json: Json = False,
) -> None:
    """Compare two runs with the same arrivals, task by task: B minus A."""
    from cosim.trace.store.reader import Trace
    from cosim.trace.views.compare import compare_runs

    with Trace.open(run_a) as a, Trace.open(run_b) as b:
        found = compare_runs(a, b)
    if json:
        console.say_json(found)
        return
    console.say(f"{found.tasks} tasks ended in both runs, {found.done} with a result in both; B minus A\n")
    figures = {
        "latency": found.latency,
        "completed": found.completed,
        "vehicle energy": found.vehicle_energy,
        "edge energy": found.edge_energy,
    }
    console.say_estimates(figures)
    if found.flips:
        console.say("")
        flips = [(one.before, one.after, str(one.tasks)) for one in found.flips]
        console.say_table(flips, ("in A", "in B", "tasks"))
    console.say("")
    places = [(one.site, str(one.tasks), quantity(one.latency_s, "s")) for one in found.places]
    console.say_table(places, ("cell in A", "tasks", "mean latency"))
    for one in found.notes:
        console.note(f"note: {one}")


@app.command("export", epilog=console.examples("cosim trace export RUN --format perfetto --out run.pftrace"))
def export_run(
    run_folder: RunFolder,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="perfetto, chrome or csv.")],
    out: Annotated[Path, typer.Option("--out", metavar="PATH", help="A new file; for csv a new folder.")],
    names: Annotated[bool, typer.Option("--names", help="In CSV the names of codes instead of their numbers.")] = False,
) -> None:
    """Write a run for another tool: Perfetto (ui.perfetto.dev), chrome://tracing, or CSV."""
    from cosim.trace.store.reader import Trace
    from cosim.trace.views.export import export_trace

    with Trace.open(run_folder) as trace:
        export_trace(trace, form, out, names=names)
    console.tell(str(out))


@app.command("schema")
def print_fact_schema(
    run_folder: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="A run folder, for kinds that only its own files know.")
    ] = None,
    json: Json = False,
) -> None:
    """Print the data dictionary: kinds of facts, their columns, types, units and meanings."""
    from cosim.trace.facts.run import SCHEMA_VERSION
    from cosim.trace.store.dictionary import dictionary
    from cosim.trace.store.layout import known_layouts
    from cosim.trace.store.reader import Trace

    layouts, version = known_layouts(), SCHEMA_VERSION
    if run_folder is not None:
        with Trace.open(run_folder) as trace:
            layouts, version = trace.layouts, trace.manifest.schema_version
    kinds = dictionary(layouts.values())
    if json:
        console.say_json({"schema_version": version, "kinds": kinds})
        return
    for kind in kinds:
        console.say(f"{kind.kind}: {kind.meaning}")
        console.say_table([(f"  {one.name}", one.type, one.unit, one.said) for one in kind.columns])
        console.say("")


@app.command("sql", epilog=console.examples("cosim trace sql RUN 'SELECT avg(time_s - released_s) FROM task_ended'"))
def sql(
    run_folder: RunFolder,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="SELECT ... FROM task_ended")],
    json: Json = False,
) -> None:
    """Answer a question in SQL; the tables are the kinds of facts."""
    from cosim.trace.store.reader import Trace

    with Trace.open(run_folder) as trace:
        answer = trace.sql(query)
    if json:
        console.say_json({"rows": answer.to_dict(orient="records")})
    else:
        shown = answer.astype(object).where(answer.notna(), None)
        console.say_table(
            [list(map(console.table_cell, row)) for row in shown.itertuples(index=False)],
            list(map(str, answer.columns)),
        )


@app.command("verify")
def verify_run(run_folder: RunFolder, json: Json = False) -> None:
    """Audit a run: rows, order, integrals, digest. Ends with 1 if something is wrong."""
    from cosim.audit.verify import verify

    report = verify(run_folder)
    if json:
        console.say_json({"ok": report.ok, **asdict(report)})
    elif not (report.ok and quiet()):
        console.say("\n".join(report.lines))
    if not report.ok:
        raise typer.Exit(1)
