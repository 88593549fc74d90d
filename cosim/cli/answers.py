"""What commands print with `--json`: every key with its unit and meaning, in base units and with all digits.

`[]` stands for the elements of a list, `*` for a name that depends on the run, `**` for whatever lies below. What is
not known or not finite is null. A reference can be made of `answer_rows`; a test holds the commands to it.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple


class Key(NamedTuple):
    """A key of a JSON object."""

    key: str
    """Its path."""
    unit: str
    """SI unit, the key that names it, or "" for text, counts and shares."""
    meaning: str


class AnswerRow(NamedTuple):
    """A line of a reference."""

    command: str
    key: str
    unit: str
    meaning: str


def answer_rows() -> Iterator[AnswerRow]:
    """Yield command, key, unit and meaning of everything that is printed with `--json`."""
    for command, keys in ANSWERS.items():
        for one in keys:
            yield AnswerRow(command, *one)


def keys_line(command: str) -> str:
    """Return the line for a command's help that names the outermost keys; "" for a command without `--json`."""
    if command not in ANSWERS:
        return ""
    names = dict.fromkeys(one.key.partition(".")[0].removesuffix("[]") for one in ANSWERS[command])
    return f"Keys of --json: {', '.join(names)}."


def _estimate(key: str, meaning: str, unit: str = "", interval: str = "its interval") -> tuple[Key, ...]:
    """Describe an estimate; one whose unit depends on its name says it beside."""
    told = unit or f"{key}.unit"
    return (
        Key(f"{key}.value", told, meaning),
        Key(f"{key}.low", told, f"lower end of {interval}; null without one"),
        Key(f"{key}.high", told, "upper end"),
        Key(f"{key}.unit", "", 'unit of value, low and high; "" for counts, shares and costs'),
    )


_RUN_ID: Final = Key("run_id", "", "the scenario's name and a hash of what differs from the defaults")
_DIGEST: Final = Key("digest", "", "SHA-256 of all rows; the same for the same facts")
_OK: Final = Key("ok", "", "whether nothing is wrong")
_FINDINGS: Final = (
    Key("findings[].kind", "", "kind of fact in which something is wrong"),
    Key("findings[].seq", "", "order number of the row; null where it is no single row"),
    Key("findings[].why", "", "what is wrong"),
)
_PICTURE: Final = Key("picture", "", "path of the picture")
_KPIS: Final = _estimate("kpis.*", "the figure; names as in `cosim trace summary --all`")
_OVER_SEEDS: Final = "the 95 % bootstrap interval over the seeds"

ANSWERS: Final[Mapping[str, tuple[Key, ...]]] = {
    "run": (
        Key("folder", "", "run folder"),
        _RUN_ID,
        _DIGEST,
        Key("digests.*", "", "SHA-256 of the rows of each kind of fact"),
        Key("facts", "", "number of rows"),
        Key("wall_s", "s", "time that the run took"),
        Key("cpu_s", "s", "processor time that it took"),
        *_KPIS,
        Key("notes[]", "", "what somebody who reads the figures should know"),
        Key("picture", "", "path of the picture; null with --no-picture"),
    ),
    "doctor": (
        _OK,
        Key("checks[].name", "", "what is checked"),
        Key("checks[].ok", "", "whether it is as it should be"),
        Key("checks[].found", "", "what was found"),
        Key("checks[].fix", "", "what to do if it is not"),
    ),
    "report": (
        Key("report", "", "path of the page"),
        Key("bytes", "B", "its size"),
        Key("runs[]", "", "run folders on it"),
    ),
    "train": (
        Key("folder", "", "folder of the agents, one below it for each seed; a policy"),
        Key("trained", "", "trainings that this call did or went on with"),
        Key("picture", "", "path of the learning curves"),
        *_estimate("final.*", "interquartile mean over the seeds, of the last episodes", interval=_OVER_SEEDS),
    ),
    "evaluate": (
        Key("scenario", "", "as given"),
        Key("policy", "", "as given"),
        Key("map", "", "other map, as given; null for the scenario's"),
        *_estimate("kpis.*", "interquartile mean over the seeds; names as in compare.csv", interval=_OVER_SEEDS),
        Key("runs[].seed", "", "of arrivals and traffic"),
        Key("runs[].agent", "", "policy that decided in this run"),
        Key("runs[].digest", "", "SHA-256 of the run's rows"),
        Key("runs[].kpis.*", "kpis.*.unit", "the run's figures"),
    ),
    "compare": (
        Key("scenario", "", "as given"),
        Key("table", "", "path of compare.csv"),
        Key("picture", "", "path of compare.png"),
        Key("standings[].metric", "", "figure"),
        Key("standings[].policy", "", "policy, as its runs' folder is named"),
        Key("standings[].seeds", "", "runs of each policy"),
        *_estimate("standings[].value", "interquartile mean over the seeds", interval=_OVER_SEEDS),
        *_estimate(
            "standings[].difference", "mean of the paired differences to the first policy", interval=_OVER_SEEDS
        ),
        Key("standings[].lower", "", "seeds on which the figure is lower than the first policy's"),
        Key("standings[].higher", "", "seeds on which it is higher"),
    ),
    "paper": (
        Key("papers.*", "", "what each paper is on; only without a paper's name"),
        Key("paper", "", "name of the paper"),
        Key("run", "", "full or QUICK"),
        Key("files[]", "", "paths of the results"),
        Key("claims[].figure", "", "figure of the paper"),
        Key("claims[].said", "", "what the paper claims"),
        Key("claims[].setting", "", "under what"),
        Key("claims[].measure", "", "what the number is, with its unit"),
        *_estimate("claims[].finding.found", "the number", "claims[].measure", "the 95 % bootstrap interval"),
        Key("claims[].finding.holding", "", "points at which it is as claimed"),
        Key("claims[].finding.contrary", "", "points at which it is the contrary"),
        Key("claims[].finding.points", "", "points looked at"),
        Key("claims[].holds", "", "yes, no, or open where these seeds do not show it"),
    ),
    "trace summary": (
        _RUN_ID,
        Key("policy", "", "as the scenario names it"),
        Key("seed", "", "of arrivals and traffic"),
        _DIGEST,
        Key("complete_to_s", "s", "simulated time before which every fact is there"),
        *_KPIS,
    ),
    "trace task": (
        Key("task", "", "number of the task"),
        Key("steps[].time_s", "s", "simulated time of a step"),
        Key("steps[].event", "", "what happened, in words"),
        Key("why.task", "", "number of the task"),
        Key("why.cause", "", 'main cause of being late or lost; "" for a task in time'),
        Key("why.reason", "", "the cause in words"),
        Key("why.parts_s.*", "s", "elapsed time by what it was spent on"),
        Key("why.needed_s", "s", "time that the task needs by itself"),
        Key("why.allowed_s", "s", "from release to deadline"),
        Key("why.uplink_bps", "bit/s", "bits over the time of the whole uplink; null without one that ended"),
        Key("why.downlink_bps", "bit/s", "likewise of the downlink"),
        Key("why.beside_up[]", "", "tasks that sent in the same cells at the same time"),
        Key("why.beside_down[]", "", "tasks that received there"),
        Key("why.ahead[]", "", "tasks that its host executed while it queued"),
        Key("why.blocks[]", "", "heights of the ledger whose work its host did meanwhile"),
    ),
    "trace late": (
        Key("late", "", "tasks that ended late"),
        Key("lost", "", "tasks that were lost"),
        Key("elapsed_s", "s", "sum of their times from release to end"),
        Key("causes[].cause", "", "cause, most tasks first"),
        Key("causes[].tasks", "", "tasks of which it is the main cause"),
        Key("causes[].delay_s", "s", "its part of the elapsed time"),
        Key("causes[].delay_share", "", "the same as a share, 0 to 1"),
        Key("causes[].examples[]", "", "tasks of which it is the main cause, its largest parts first"),
    ),
    "trace diff": (
        Key("tasks", "", "tasks that have an end in both runs"),
        Key("done", "", "of these, with a result in both"),
        *_estimate("latency", "mean difference B minus A of the tasks done in both", "s"),
        *_estimate("completed", "difference of the shares of tasks in time"),
        *_estimate("vehicle_energy", "mean difference a task", "J"),
        *_estimate("edge_energy", "mean difference a task", "J"),
        Key("flips[].before", "", "how tasks ended in A"),
        Key("flips[].after", "", "how they ended in B"),
        Key("flips[].tasks", "", "how many"),
        Key("places[].site", "", "cell in which uplinks of A ended; - for none"),
        Key("places[].tasks", "", "tasks done in both runs"),
        Key("places[].latency_s", "s", "mean difference"),
    ),
    "trace schema": (
        Key("schema_version", "", "of the files"),
        Key("kinds[].kind", "", "kind of fact: a table in SQL, a folder of Parquet files"),
        Key("kinds[].meaning", "", "what a row is"),
        Key("kinds[].columns[].name", "", "column"),
        Key("kinds[].columns[].type", "", "type in Parquet"),
        Key("kinds[].columns[].unit", "", "unit"),
        Key("kinds[].columns[].meaning", "", "meaning"),
        Key("kinds[].columns[].codes.*", "", "name of each code, where the numbers are codes"),
    ),
    "trace sql": (Key("rows[].*", "", "the answer, a value for each column; units as `cosim trace schema` says"),),
    "trace verify": (
        _OK,
        Key("run", "", "run folder"),
        Key("facts", "", "number of rows"),
        Key("digest", "", "SHA-256 computed again from the rows"),
        Key("complete", "", "whether the run reached its end"),
        Key("complete_to_s", "s", "simulated time before which every fact is there"),
        *_FINDINGS,
        Key("notes[]", "", "what could not be looked at here"),
    ),
    "ledger show": (
        Key("blocks[].height", "", "height of a final block"),
        Key("blocks[].time_s", "s", "when it became final"),
        Key("blocks[].round", "", "round in which it was decided"),
        Key("blocks[].proposer", "", "site of the validator that made it"),
        Key("blocks[].batches", "", "batches of records in it"),
        Key("blocks[].records", "", "records in it"),
        Key("blocks[].evidence", "", "offences that it proves"),
        Key("blocks[].finality_s", "s", "from its making until it was final"),
        Key("blocks[].hash", "", "SHA-256 of its header"),
        Key("stakes[].site", "", "site of a validator"),
        Key("stakes[].member", "", "1: it votes at the end"),
        Key("stakes[].credits", "credit", "its stake at the end"),
        Key("treasury", "credit", "in nobody's hands"),
        Key("minted", "credit", "made in the run"),
        Key("burned", "credit", "taken from cheats"),
        Key("pending", "", "sealed records that no block holds"),
        Key("records", "", "records in final blocks"),
    ),
    "ledger verify": (
        _OK,
        Key("complete", "", "whether the run reached its end"),
        Key("blocks", "", "blocks hashed again"),
        Key("batches", "", "batches hashed again"),
        Key("records", "", "records hashed again"),
        *_FINDINGS,
    ),
    "ledger check": (
        Key("ok", "", "whether the proof leads to the block with this hash"),
        Key("height", "", "height of the block; only if it does, as the record"),
        Key("record.*", "", "what the record says; a quantity's name ends in its unit"),
    ),
    "map list": (Key("maps[].name", "", "name for scenarios"), Key("maps[].title", "", "what it is")),
    "map show": (
        Key("name", "", "name or folder"),
        Key("bounds_m[]", "m", "left, bottom, right, top"),
        Key("edges", "", "roads that passenger cars may use"),
        Key("junctions", "", "junctions"),
        Key("traffic_lights", "", "junctions with traffic lights"),
        Key("road_m", "m", "length of the roads, both directions counted"),
        Key("vehicles", "", "single vehicles and trips of the demand"),
        Key("flows", "", "flows of the demand, each for many vehicles"),
        Key("begin_s", "s", "from when the map is filled; 0: not known"),
        Key("end_s", "s", "last departure; null: not known"),
        Key("has_sites", "", "whether it has sites of its own"),
        Key("origin", "", "where it comes from"),
        Key("licence", "", "of its data"),
    ),
    "map import": (
        Key("map", "", "folder that was made"),
        Key("source.*", "", "what stands in its SOURCE.toml; a quantity's name ends in its unit"),
        Key("report[][]", "", "pairs of what was made and what it is, in words"),
    ),
    "map sites": (
        Key("file", "", "file that was written"),
        Key("reach_m", "m", "how far a site reaches"),
        Key("covered.*", "", "share of vehicle-seconds covered by so many sites, by each method, 0 to 1"),
    ),
    "map record": (Key("file", "", "the recording"), Key("rows", "", "positions in it")),
    "scenario list": (Key("scenarios.*", "", "description of each bundled scenario"),),
    "scenario check": (_RUN_ID, Key("scenario.**", "", "the whole scenario, as `cosim scenario schema` describes it")),
    "twin score": (
        Key("scores[].kind", "", "forecaster"),
        Key("scores[].horizon_s", "s", "how far ahead"),
        Key("scores[].forecasts", "", "forecasts compared with the truth"),
        Key("scores[].mean_m", "m", "mean distance to the truth"),
        Key("scores[].p50_m", "m", "median distance"),
        Key("scores[].p95_m", "m", "distance that 95 % do not exceed"),
        Key("scores[].held", "", "share inside the disc that is said to hold 90 %, 0 to 1"),
        Key("scores[].radius_m", "m", "mean radius of the disc"),
    ),
    "twin gap": (
        Key("rows[].policy", "", "how twins were placed"),
        *_estimate("rows[].mean_s", "mean time to create a twin", "s"),
        *_estimate("rows[].gap", "total time over the optimum's, minus 1"),
        Key("rows[].unplaced", "", "share of instances in which a twin has no host (eq 22), 0 to 1"),
        Key("rows[].places", "", "share in which a host has too many (eq 23)"),
        Key("rows[].compute", "", "share in which a host gives more than it has (eq 24)"),
        Key("rows[].late", "", "share in which a twin takes too long (eq 26)"),
        Key("instances", "", "instances drawn"),
        Key("infeasible", "", "of these, without any full placement and left out"),
        Key("shortest_s", "s", "shortest time of a twin of an optimum"),
        Key("longest_s", "s", "longest time"),
    ),
    "kms serve": (
        Key("url", "", "where keys are given"),
        Key("saes[]", "", "applications that may ask"),
        Key("tokens", "", "file with their tokens; null with client certificates"),
    ),
    "circuit show": (
        Key("name", "", "circuit"),
        Key("layers", "", "layers of trained gates"),
        Key("inputs", "", "features that it takes"),
        Key("weight_shape[]", "", "shape of the trained weights"),
        Key("encoding.*", "", "how features become angles or amplitudes"),
        Key("ring", "", "whether the last qubit is entangled with the first"),
        Key("qubits", "", "qubits"),
        Key("one_qubit_gates", "", "after decomposition for hardware"),
        Key("two_qubit_gates", "", "likewise"),
        Key("depth", "", "gates one after another"),
        Key("parameters", "", "trained numbers"),
        Key("gate_set", "", "two-qubit gate of the hardware"),
    ),
}
"""Keys by command; tests/cli/test_cli_json.py runs each of them."""
