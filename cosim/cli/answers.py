"""What commands print with `--json`: every key with its unit and meaning, in base units and with all digits.

`[]` stands for the elements of a list, `*` for a name that depends on the run, `**` for whatever lies below. What is
not known or not finite is null. A reference can be made of `answer_rows`; a test holds the commands to it.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple


class AnswerKey(NamedTuple):
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


def _estimate(key: str, meaning: str, unit: str = "", interval: str = "its interval") -> tuple[AnswerKey, ...]:
    """Describe an estimate; one whose unit depends on its name says it beside."""
    told = unit or f"{key}.unit"
    return (
        AnswerKey(f"{key}.value", told, meaning),
        AnswerKey(f"{key}.low", told, f"lower end of {interval}; null without one"),
        AnswerKey(f"{key}.high", told, "upper end"),
        AnswerKey(f"{key}.unit", "", 'unit of value, low and high; "" for counts, shares and costs'),
    )


_RUN_ID: Final = AnswerKey("run_id", "", "the scenario's name and a hash of what differs from the defaults")
_DIGEST: Final = AnswerKey("digest", "", "SHA-256 of all rows; the same for the same facts")
_OK: Final = AnswerKey("ok", "", "whether nothing is wrong")
_FINDINGS: Final = (
    AnswerKey("findings[].kind", "", "kind of fact in which something is wrong"),
    AnswerKey("findings[].seq", "", "order number of the row; null where it is no single row"),
    AnswerKey("findings[].why", "", "what is wrong"),
)
_PICTURE: Final = AnswerKey("picture", "", "path of the picture")
_KPIS: Final = _estimate("kpis.*", "the figure; names as in `cosim trace summary --all`")
_OVER_SEEDS: Final = "the 95 % bootstrap interval over the seeds"

_RUN: Final = (
    AnswerKey("folder", "", "run folder"),
    _RUN_ID,
    _DIGEST,
    AnswerKey("digests.*", "", "SHA-256 of the rows of each kind of fact"),
    AnswerKey("facts", "", "number of rows"),
    AnswerKey("wall_s", "s", "time that the run took"),
    AnswerKey("cpu_s", "s", "processor time that it took"),
    AnswerKey("cpu_by_layer_s.*", "s", "with --profile: processor time of this command by layer, picture included"),
    *_KPIS,
    AnswerKey("notes[]", "", "what somebody who reads the figures should know"),
    AnswerKey("picture", "", "path of the picture; null with --no-picture"),
)

ANSWERS: Final[Mapping[str, tuple[AnswerKey, ...]]] = {
    "run": _RUN,
    "fork": _RUN,
    "doctor": (
        _OK,
        AnswerKey("checks[].name", "", "what is checked"),
        AnswerKey("checks[].ok", "", "whether it is as it should be"),
        AnswerKey("checks[].found", "", "what was found"),
        AnswerKey("checks[].fix", "", "what to do if it is not"),
        AnswerKey("checks[].expected", "checks[].unit", "what a law gives, or its bound; null without one"),
        AnswerKey("checks[].measured", "checks[].unit", "what the model gives"),
        AnswerKey("checks[].low", "checks[].unit", "lower end of the 99 % interval; null for an exact number"),
        AnswerKey("checks[].high", "checks[].unit", "upper end"),
        AnswerKey("checks[].error", "", "distance of the two over expected, in dB where that is the unit"),
        AnswerKey("checks[].unit", "", 'unit of expected, measured, low and high; "" for shares'),
    ),
    "report": (
        AnswerKey("report", "", "path of the page"),
        AnswerKey("bytes", "B", "its size"),
        AnswerKey("runs[]", "", "run folders on it"),
    ),
    "train": (
        AnswerKey("folder", "", "folder of the agents, one below it for each seed; a policy"),
        AnswerKey("trained", "", "trainings that this call did or went on with"),
        AnswerKey("picture", "", "path of the learning curves"),
        *_estimate("final.*", "interquartile mean over the seeds, of the last episodes", interval=_OVER_SEEDS),
    ),
    "evaluate": (
        AnswerKey("scenario", "", "as given"),
        AnswerKey("policy", "", "as given"),
        AnswerKey("map", "", "other map, as given; null for the scenario's"),
        *_estimate("kpis.*", "interquartile mean over the seeds; names as in compare.csv", interval=_OVER_SEEDS),
        AnswerKey("runs[].seed", "", "of arrivals and traffic, or of the episode in an environment"),
        AnswerKey("runs[].agent", "", "policy that decided in this run"),
        AnswerKey("runs[].digest", "", "SHA-256 of the run's rows; of an environment's rows, actions and rewards"),
        AnswerKey("runs[].kpis.*", "kpis.*.unit", "the run's figures"),
    ),
    "compare": (
        AnswerKey("scenario", "", "as given"),
        AnswerKey("table", "", "path of compare.csv"),
        AnswerKey("picture", "", "path of compare.png"),
        AnswerKey("standings[].metric", "", "figure"),
        AnswerKey("standings[].policy", "", "policy, as its runs' folder is named"),
        AnswerKey("standings[].seeds", "", "runs of each policy"),
        *_estimate("standings[].value", "interquartile mean over the seeds", interval=_OVER_SEEDS),
        *_estimate(
            "standings[].difference", "mean of the paired differences to the first policy", interval=_OVER_SEEDS
        ),
        AnswerKey("standings[].lower", "", "seeds on which the figure is lower than the first policy's"),
        AnswerKey("standings[].higher", "", "seeds on which it is higher"),
    ),
    "paper": (
        AnswerKey("papers.*", "", "what each paper is on; only without a paper's name"),
        AnswerKey("paper", "", "name of the paper"),
        AnswerKey("run", "", "full or QUICK"),
        AnswerKey("files[]", "", "paths of the results"),
        AnswerKey("claims[].figure", "", "figure of the paper"),
        AnswerKey("claims[].said", "", "what the paper claims"),
        AnswerKey("claims[].setting", "", "under what"),
        AnswerKey("claims[].measure", "", "what the number is, with its unit"),
        *_estimate("claims[].finding.found", "the number", "claims[].measure", "the 95 % bootstrap interval"),
        AnswerKey("claims[].finding.holding", "", "points at which it is as claimed"),
        AnswerKey("claims[].finding.contrary", "", "points at which it is the contrary"),
        AnswerKey("claims[].finding.points", "", "points looked at"),
        AnswerKey("claims[].holds", "", "yes, no, or open where these seeds do not show it"),
    ),
    "trace summary": (
        _RUN_ID,
        AnswerKey("policy", "", "as the scenario names it"),
        AnswerKey("seed", "", "of arrivals and traffic"),
        _DIGEST,
        AnswerKey("complete_to_s", "s", "simulated time before which every fact is there"),
        *_KPIS,
        AnswerKey("notes[]", "", "what somebody who reads the figures should know"),
    ),
    "trace task": (
        AnswerKey("task", "", "number of the task"),
        AnswerKey("steps[].time_s", "s", "simulated time of a step"),
        AnswerKey("steps[].event", "", "what happened, in words"),
        AnswerKey("why.task", "", "number of the task"),
        AnswerKey("why.cause", "", 'main cause of being late or lost; "" for a task in time'),
        AnswerKey("why.reason", "", "the cause in words"),
        AnswerKey("why.parts_s.*", "s", "elapsed time by what it was spent on"),
        AnswerKey("why.needed_s", "s", "time that the task needs by itself"),
        AnswerKey("why.allowed_s", "s", "from release to deadline"),
        AnswerKey("why.uplink_bps", "bit/s", "bits over the time of the whole uplink; null without one that ended"),
        AnswerKey("why.downlink_bps", "bit/s", "likewise of the downlink"),
        AnswerKey("why.beside_up[]", "", "tasks that sent in the same cells at the same time"),
        AnswerKey("why.beside_down[]", "", "tasks that received there"),
        AnswerKey("why.ahead[]", "", "tasks that its host executed while it queued"),
        AnswerKey("why.blocks[]", "", "heights of the ledger whose work its host did meanwhile"),
    ),
    "trace late": (
        AnswerKey("late", "", "tasks that ended late"),
        AnswerKey("lost", "", "tasks that were lost"),
        AnswerKey("elapsed_s", "s", "sum of their times from release to end"),
        AnswerKey("causes[].cause", "", "cause, most tasks first"),
        AnswerKey("causes[].tasks", "", "tasks of which it is the main cause"),
        AnswerKey("causes[].delay_s", "s", "its part of the elapsed time"),
        AnswerKey("causes[].delay_share", "", "the same as a share, 0 to 1"),
        AnswerKey("causes[].examples[]", "", "tasks of which it is the main cause, its largest parts first"),
    ),
    "trace diff": (
        AnswerKey("tasks", "", "tasks that have an end in both runs"),
        AnswerKey("done", "", "of these, with a result in both"),
        *_estimate("latency", "mean difference B minus A of the tasks done in both", "s"),
        *_estimate("completed", "difference of the shares of tasks in time"),
        *_estimate("vehicle_energy", "mean difference a task", "J"),
        *_estimate("edge_energy", "mean difference a task", "J"),
        AnswerKey("flips[].before", "", "how tasks ended in A"),
        AnswerKey("flips[].after", "", "how they ended in B"),
        AnswerKey("flips[].tasks", "", "how many"),
        AnswerKey("places[].site", "", "cell in which uplinks of A ended; - for none"),
        AnswerKey("places[].tasks", "", "tasks done in both runs"),
        AnswerKey("places[].latency_s", "s", "mean difference"),
        AnswerKey("notes[]", "", "what somebody who reads the figures should know"),
    ),
    "trace schema": (
        AnswerKey("schema_version", "", "of the files"),
        AnswerKey("kinds[].kind", "", "kind of fact: a table in SQL, a folder of Parquet files"),
        AnswerKey("kinds[].meaning", "", "what a row is"),
        AnswerKey("kinds[].columns[].name", "", "column"),
        AnswerKey("kinds[].columns[].type", "", "type in Parquet"),
        AnswerKey("kinds[].columns[].unit", "", "unit"),
        AnswerKey("kinds[].columns[].meaning", "", "meaning"),
        AnswerKey("kinds[].columns[].codes.*", "", "name of each code, where the numbers are codes"),
        AnswerKey("kinds[].columns[].can_be_null", "", "whether it is null where a thing did not happen"),
    ),
    "trace sql": (
        AnswerKey("rows[].*", "", "the answer, a value for each column; units as `cosim trace schema` says"),
    ),
    "trace verify": (
        _OK,
        AnswerKey("run", "", "run folder"),
        AnswerKey("facts", "", "number of rows"),
        AnswerKey("digest", "", "SHA-256 computed again from the rows"),
        AnswerKey("complete", "", "whether the run reached its end"),
        AnswerKey("complete_to_s", "s", "simulated time before which every fact is there"),
        *_FINDINGS,
        AnswerKey("notes[]", "", "what could not be looked at here"),
    ),
    "ledger show": (
        AnswerKey("blocks[].height", "", "height of a final block"),
        AnswerKey("blocks[].time_s", "s", "when it became final"),
        AnswerKey("blocks[].round", "", "round in which it was decided"),
        AnswerKey("blocks[].proposer", "", "site of the validator that made it"),
        AnswerKey("blocks[].batches", "", "batches of records in it"),
        AnswerKey("blocks[].records", "", "records in it"),
        AnswerKey("blocks[].evidence", "", "offences that it proves"),
        AnswerKey("blocks[].finality_s", "s", "from its making until it was final"),
        AnswerKey("blocks[].hash", "", "SHA-256 of its header"),
        AnswerKey("stakes[].site", "", "site of a validator"),
        AnswerKey("stakes[].member", "", "1: it votes at the end"),
        AnswerKey("stakes[].credits", "credit", "its stake at the end"),
        AnswerKey("stakes[].sat", "", "heights at which it had a seat; 0 without committees"),
        AnswerKey("committee", "", "null: all validators vote"),
        AnswerKey("committee.seats", "", "of each committee"),
        AnswerKey("committee.heights", "", "committees drawn"),
        AnswerKey("committee.faulty", "", "validators that `ledger.faults` names"),
        AnswerKey("committee.third", "", "committees in which they held at least a third of the stake"),
        AnswerKey("committee.probability", "", "of that, mean over the heights"),
        AnswerKey("committee.law", "", "hypergeometric: stakes were equal; simulated: they were not"),
        AnswerKey("treasury", "credit", "in nobody's hands"),
        AnswerKey("minted", "credit", "made in the run"),
        AnswerKey("burned", "credit", "taken from cheats"),
        AnswerKey("pending", "", "sealed records that no block holds"),
        AnswerKey("records", "", "records in final blocks"),
    ),
    "ledger verify": (
        _OK,
        AnswerKey("complete", "", "whether the run reached its end"),
        AnswerKey("blocks", "", "blocks hashed again"),
        AnswerKey("batches", "", "batches hashed again"),
        AnswerKey("records", "", "records hashed again"),
        AnswerKey("pending_batches", "", "sealed batches that no block holds"),
        AnswerKey("pending_records", "", "records in them"),
        *_FINDINGS,
    ),
    "ledger check": (
        AnswerKey("ok", "", "whether the proof leads to the block with this hash"),
        AnswerKey("height", "", "height of the block; only if it does, as the record"),
        AnswerKey("record.*", "", "what the record says; a quantity's name ends in its unit"),
    ),
    "map list": (AnswerKey("maps[].name", "", "name for scenarios"), AnswerKey("maps[].title", "", "what it is")),
    "map show": (
        AnswerKey("name", "", "name or folder"),
        AnswerKey("bounds_m[]", "m", "left, bottom, right, top"),
        AnswerKey("edges", "", "roads that passenger cars may use"),
        AnswerKey("junctions", "", "junctions"),
        AnswerKey("traffic_lights", "", "junctions with traffic lights"),
        AnswerKey("road_m", "m", "length of the roads, both directions counted"),
        AnswerKey(
            "vehicles", "", "single vehicles and trips of the demand; of a map without roads, those of its recording"
        ),
        AnswerKey("flows", "", "flows of the demand, each for many vehicles"),
        AnswerKey("begin_s", "s", "from when the map is filled; 0: not known"),
        AnswerKey("end_s", "s", "last departure; null: not known"),
        AnswerKey("has_sites", "", "whether it has sites of its own"),
        AnswerKey("origin", "", "where it comes from"),
        AnswerKey("licence", "", "of its data"),
    ),
    "map import": (
        AnswerKey("map", "", "folder that was made"),
        AnswerKey("source.*", "", "what stands in its SOURCE.toml; a quantity's name ends in its unit"),
        AnswerKey("report[][]", "", "pairs of what was made and what it is, in words"),
    ),
    "map sites": (
        AnswerKey("file", "", "file that was written"),
        AnswerKey("reach_m", "m", "how far a site reaches"),
        AnswerKey("covered.*", "", "share of vehicle-seconds covered by so many sites, by each method, 0 to 1"),
    ),
    "map record": (AnswerKey("file", "", "the recording"), AnswerKey("rows", "", "positions in it")),
    "scenario list": (AnswerKey("scenarios.*", "", "description of each bundled scenario"),),
    "scenario check": (
        _RUN_ID,
        AnswerKey("scenario.**", "", "the whole scenario, as `cosim scenario schema` describes it"),
        AnswerKey("notes[]", "", "what of it has no effect, or was surely not meant"),
    ),
    "scenario presets": (
        AnswerKey("presets.*.title", "", "what a preset is"),
        AnswerKey("presets.*.values.*.value", "", "value of a field of `radio`; a quantity's name ends in its unit"),
        AnswerKey("presets.*.values.*.source", "", "where the value comes from"),
    ),
    "twin score": (
        AnswerKey("scores[].kind", "", "forecaster"),
        AnswerKey("scores[].horizon_s", "s", "how far ahead"),
        AnswerKey("scores[].forecasts", "", "forecasts compared with the truth"),
        AnswerKey("scores[].mean_m", "m", "mean distance to the truth"),
        AnswerKey("scores[].p50_m", "m", "median distance"),
        AnswerKey("scores[].p95_m", "m", "distance that 95 % do not exceed"),
        AnswerKey("scores[].held", "", "share inside the disc that is said to hold 90 %, 0 to 1"),
        AnswerKey("scores[].radius_m", "m", "mean radius of the disc"),
    ),
    "twin gap": (
        AnswerKey("rows[].policy", "", "how twins were placed"),
        *_estimate("rows[].mean_s", "mean time to create a twin", "s"),
        *_estimate("rows[].gap", "total time over the optimum's, minus 1"),
        AnswerKey("rows[].unplaced", "", "share of instances in which a twin has no host (eq 22), 0 to 1"),
        AnswerKey("rows[].places", "", "share in which a host has too many (eq 23)"),
        AnswerKey("rows[].compute", "", "share in which a host gives more than it has (eq 24)"),
        AnswerKey("rows[].late", "", "share in which a twin takes too long (eq 26)"),
        AnswerKey("instances", "", "instances drawn"),
        AnswerKey("infeasible", "", "of these, without any full placement and left out"),
        AnswerKey("shortest_s", "s", "shortest time of a twin of an optimum"),
        AnswerKey("longest_s", "s", "longest time"),
    ),
    "kms serve": (
        AnswerKey("url", "", "where keys are given"),
        AnswerKey("saes[]", "", "applications that may ask"),
        AnswerKey("tokens", "", "file with their tokens; null with client certificates"),
    ),
    "circuit show": (
        AnswerKey("name", "", "circuit"),
        AnswerKey("layers", "", "layers of trained gates"),
        AnswerKey("inputs", "", "features that it takes"),
        AnswerKey("weight_shape[]", "", "shape of the trained weights"),
        AnswerKey("encoding.*", "", "how features become angles or amplitudes"),
        AnswerKey("ring", "", "whether the last qubit is entangled with the first"),
        AnswerKey("qubits", "", "qubits"),
        AnswerKey("one_qubit_gates", "", "after decomposition for hardware"),
        AnswerKey("two_qubit_gates", "", "likewise"),
        AnswerKey("depth", "", "gates one after another"),
        AnswerKey("parameters", "", "trained numbers"),
        AnswerKey("gate_set", "", "two-qubit gate of the hardware"),
    ),
}
"""Keys by command; tests/cli/test_cli_json.py runs each of them."""
