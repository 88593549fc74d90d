"""What did not happen is null: SQL, pandas, Polars and CSV agree about it, and with the numbers that were recorded."""

import hashlib
import json
import math
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import make_dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from crafted import CraftedRun
from effort import few, rest_long
from hashes import without_hashes

from cosim.audit.verify import verify
from cosim.cli import main as cli
from cosim.errors import InputError
from cosim.runner import simulate
from cosim.scenario.load import bundled_scenarios, load
from cosim.subjects import fact_kinds
from cosim.trace.facts.column import Column, Time, columns
from cosim.trace.facts.run import TrafficSampled
from cosim.trace.metrics.tasks import kpis
from cosim.trace.store.layout import CHECK, Layout, digest_bytes, known_layouts, row_checks
from cosim.trace.store.manifest import MANIFEST, read_manifest
from cosim.trace.store.provenance import PROVENANCE
from cosim.trace.store.reader import Trace
from cosim.trace.store.schemas import combined_digest
from cosim.trace.views.export import export_trace

SECONDS = {"s1_semantic_iov": 20}
SECTIONED = ["qib_vec", "s5_placement_paper"]
"""Scenarios with keys and a ledger, and with a twin that is placed."""
NAMES = [*SECTIONED, *(name for name in bundled_scenarios() if name not in SECTIONED)]
LEVELS = (0.5, 0.8)
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered")  # quantiles between infinite rates


class Summary(NamedTuple):
    """What is asked of a column."""

    count: float
    largest: float
    above: float
    """Rows above the mean of what was recorded."""
    later: float
    """Rows above `time_s` of their row."""
    mean: float
    quantiles: tuple[float, ...]


class Recorded(NamedTuple):
    """A run, and the rows of each kind as they were packed, with NaN and -1."""

    run: Path
    rows: Mapping[str, Any]

    def happened(self) -> Iterator[tuple[str, str, Column, Any, float]]:
        """Each column that can be null: kind, name, column, where it has a value, and a number to compare with."""
        for kind, rows in self.rows.items():
            for name, column in known_layouts()[kind].columns.items():
                if column.absent is not None:
                    there = ~np.isnan(rows[name]) if column.code[1] == "f" else rows[name] != -1
                    finite = rows[name][there & np.isfinite(rows[name])].astype(float)
                    yield kind, name, column, there, float(finite.mean()) if len(finite) else 0.0


@pytest.fixture(scope="module", params=rest_long(NAMES, 2))
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """A short run of a bundled scenario, listened to as it packs its rows."""
    rows: dict[str, list[Any]] = defaultdict(list)
    table = Layout.table

    def listened(self: Layout, packed: Any, texts: Any) -> Any:
        rows[self.kind].append(packed.copy())
        return table(self, packed, texts)

    seconds = SECONDS.get(request.param, 5)
    loaded = load(request.param, [f"duration_s={seconds}", "statistics.warmup_s=0", "statistics.batches=4"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Layout, "table", listened)
        run = simulate(loaded, tmp_path_factory.mktemp("nulls") / request.param).folder
    return Recorded(run, {kind: np.concatenate(parts) for kind, parts in rows.items()})


def files(run: Path, kind: str) -> list[str]:
    """Its Parquet files."""
    return [str(run / part.file) for part in read_manifest(run).parts if part.kind == kind]


def of_numbers(values: Any, time_s: Any, there: Any, limit: float) -> Summary:
    """By NumPy, from what was recorded."""
    found = values[there].astype(np.float64)
    return Summary(
        len(found),
        found.max() if len(found) else math.nan,
        (found > limit).sum(),
        (found > time_s[there]).sum(),
        found.mean() if len(found) else math.nan,
        tuple(np.quantile(found, LEVELS)) if len(found) else (math.nan,) * len(LEVELS),
    )


def of_sql(ask: Callable[[str], Any], source: str, name: str, limit: float) -> Summary:
    """By DuckDB."""
    levels = ", ".join(f"quantile_cont({name}, {level})" for level in LEVELS)
    row = ask(
        f"SELECT count({name}), max({name}), count(*) FILTER ({name} > {limit!r}), "
        f"count(*) FILTER ({name} > time_s), avg({name}), {levels} FROM {source}"
    )
    said = [math.nan if value is None or pd.isna(value) else float(value) for value in row]
    return Summary(*said[:5], tuple(said[5:]))


def of_pandas(table: pd.DataFrame, name: str, limit: float) -> Summary:
    """By pandas."""
    column = table[name]
    found = [column.count(), column.max(), (column > limit).sum(), (column > table.time_s).sum(), column.mean()]
    said = [math.nan if pd.isna(value) else float(value) for value in found]
    return Summary(*said, tuple(float(value) for value in column.quantile(list(LEVELS)).astype(float)))


def of_polars(polars: Any, paths: list[str], name: str, limit: float) -> Summary:
    """By Polars."""
    table = polars.read_parquet(paths)
    column = table[name]
    found = [column.count(), column.max(), (column > limit).sum(), (column > table["time_s"]).sum(), column.mean()]
    levels = [column.quantile(level, interpolation="linear") for level in LEVELS]
    said = [math.nan if value is None else float(value) for value in (*found, *levels)]
    return Summary(*said[:5], tuple(said[5:]))


def plain_sql(run: Path) -> Callable[[str, str, float], Summary]:
    """DuckDB over the files as they lie."""
    database = duckdb.connect(config={"threads": 1})

    def ask(query: str) -> Any:
        return database.execute(query).fetchone()

    return lambda kind, name, limit: of_sql(ask, f"read_parquet({files(run, kind)})", name, limit)


def trace_sql(run: Path) -> Callable[[str, str, float], Summary]:
    """The views of a trace."""
    trace = Trace.open(run)
    return lambda kind, name, limit: of_sql(lambda query: list(trace.sql(query).iloc[0]), kind, name, limit)


def trace_table(run: Path) -> Callable[[str, str, float], Summary]:
    """`Trace.table`, whose integers have the same nullable types in every run."""
    facts = {kind: fact for fact, kind in zip(fact_kinds(), known_layouts(), strict=True)}
    tables: dict[str, pd.DataFrame] = {}

    def summed(kind: str, name: str, limit: float) -> Summary:
        if kind not in tables:
            with Trace.open(run) as trace:
                tables[kind] = trace.table(facts[kind])
        integer = known_layouts()[kind].columns[name].code[1] == "i"
        assert str(tables[kind][name].dtype).startswith("Int" if integer else "float")
        return of_pandas(tables[kind], name, limit)

    return summed


def plain_pandas(run: Path) -> Callable[[str, str, float], Summary]:
    """The files as they lie, by pandas."""
    return lambda kind, name, limit: of_pandas(pd.concat(map(pd.read_parquet, files(run, kind))), name, limit)


def plain_polars(run: Path) -> Callable[[str, str, float], Summary]:
    """Polars over the files as they lie."""
    polars = pytest.importorskip("polars")
    return lambda kind, name, limit: of_polars(polars, files(run, kind), name, limit)


def csv(run: Path) -> Callable[[str, str, float], Summary]:
    """The exported CSV, by pandas."""
    folder = run.parent / f"{run.name}-csv"
    if not folder.exists():
        with Trace.open(run) as trace:
            export_trace(trace, "csv", folder)
    return lambda kind, name, limit: of_pandas(pd.read_csv(folder / f"{kind}.csv"), name, limit)


READERS = (plain_sql, trace_sql, trace_table, plain_pandas, plain_polars, csv)


def agree(found: Summary, wanted: Summary, column: Column) -> bool:
    """Whether two answers are one, to rounding; where the values are infinite, only what is exact."""
    near = 1e-5 if column.code == "<f4" else 1e-9
    if found[:1] + found[2:4] != wanted[:1] + wanted[2:4]:
        return False
    pairs = [(found.largest, wanted.largest)]
    if not math.isinf(wanted.mean):
        pairs += [(found.mean, wanted.mean), *zip(found.quantiles, wanted.quantiles, strict=True)]
    return all(one == pytest.approx(other, rel=near, nan_ok=True) for one, other in pairs)


def disagreements(
    recorded: Recorded, run: Path, reader: Callable[[Path], Callable[[str, str, float], Summary]]
) -> list[Any]:
    """The columns of a run of any schema about which a reader says something else than what was recorded."""
    ask, wrong, schema = reader(run), [], read_manifest(run).schema_version
    for kind, name, column, there, limit in recorded.happened():
        if column.since > schema:
            continue
        rows = recorded.rows[kind]
        wanted = of_numbers(rows[name], rows["time_s"], there, limit)
        found = ask(kind, name, limit)
        if not agree(found, wanted, column):
            wrong.append((kind, name, found, wanted))
    return wrong


def as_schema_3(run: Path, out: Path) -> Path:
    """The same run as cosim wrote it before schema 4: NaN and -1 in its files."""
    shutil.copytree(run, out)
    layouts = known_layouts(3)
    hashes = {kind: hashlib.sha256() for kind in read_manifest(run).kinds}
    for part in read_manifest(run).parts:
        table, stored = pq.read_table(run / part.file), layouts[part.kind]
        values = {"seq": table.column("seq").to_numpy()}
        for name, column in stored.columns.items():
            found = table.column(name) if column.absent is None else pc.fill_null(table.column(name), column.absent)
            values[name] = found.to_pylist() if column.code == "O" else found.to_numpy()
        rows = stored.image(values, table.num_rows)
        hashes[part.kind].update(digest_bytes(rows))
        names = ["seq", *stored.columns, CHECK]
        arrays = [pa.array(values[name], from_pandas=False) for name in names[:-1]]
        pq.write_table(pa.table([*arrays, pa.array(row_checks(rows))], names), out / part.file, write_statistics=False)
    digests = {kind: one.hexdigest() for kind, one in hashes.items()}
    said = {"digests": digests, "digest": combined_digest(digests)}
    for name, change in ((MANIFEST, {"schema_version": 3, "digests": digests}), (PROVENANCE, said)):
        path = out / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    return without_hashes(out)


@pytest.fixture(scope="module")
def old(recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run as one of schema 3."""
    return as_schema_3(recorded.run, tmp_path_factory.mktemp("old") / "run")


@pytest.mark.parametrize("reader", READERS)
def test_readers_agree(recorded: Recorded, reader: Callable[[Path], Any]) -> None:
    """Count, mean, maximum, quantiles and `>` of every column that can be null are those of what happened."""
    asked = list(recorded.happened())
    assert len(asked) > 15
    assert sum(int((~there).sum()) for *_, there, _ in asked) > 0
    assert disagreements(recorded, recorded.run, reader) == []


def test_no_other_column_tells_what_did_not_happen(recorded: Recorded) -> None:
    """No column that always has a value was recorded with NaN or -1; changes of credits alone may be -1."""
    odd = [
        f"{kind}.{name}"
        for kind, rows in recorded.rows.items()
        for name, column in known_layouts()[kind].columns.items()
        if column.absent is None and column.code != "O" and column.unit != "credit"
        if (np.isnan(rows[name]) if column.code[1] == "f" else rows[name] == -1).any()
    ]
    assert odd == []


def test_numbers_in_place_of_nulls_would_be_seen(recorded: Recorded, old: Path) -> None:
    """Over files that hold NaN and -1, plain SQL says something else: the comparison has teeth."""
    assert len(disagreements(recorded, old, plain_sql)) > 3


@pytest.mark.parametrize("reader", [trace_sql, trace_table, csv])
def test_a_run_of_schema_3_gives_the_same_answers(recorded: Recorded, old: Path, reader: Callable[[Path], Any]) -> None:
    """Views, tables and CSV of a run that was stored with NaN and -1 have nulls."""
    assert disagreements(recorded, old, reader) == []


def test_a_run_of_schema_3_verifies_with_the_same_figures(recorded: Recorded, old: Path) -> None:
    """Nothing is found, and all figures of merit are equal bit for bit."""
    assert verify(old).findings == verify(recorded.run).findings == ()
    with Trace.open(recorded.run) as trace, Trace.open(old) as before:
        assert str(kpis(before)) == str(kpis(trace))


def changed(path: Path, name: str, row: int, value: Any) -> int:
    """Write one value of a file anew; the result is the `seq` of its row."""
    table = pq.read_table(path)
    field = table.schema.field(name)
    values = table.column(name).to_pylist()
    values[row] = value
    column = pa.array(values, field.type, from_pandas=False)
    table = table.set_column(table.schema.get_field_index(name), field.with_nullable(True), column)
    pq.write_table(table, path)
    return int(table.column("seq")[row].as_py())


class Edit(NamedTuple):
    """A row of a file in which a column is null, or is not."""

    path: Path
    kind: str
    name: str
    row: int
    column: Column


def edits(run: Path, null: bool) -> list[list[Edit]]:
    """Edits of each column that has a row in which it is null, or is not; those of a list are of different kinds."""
    of_kind: dict[str, list[Edit]] = defaultdict(list)
    for part in read_manifest(run).parts:
        table = pq.read_table(run / part.file)
        for name, column in known_layouts()[part.kind].columns.items():
            rows = [row for row, value in enumerate(table.column(name).to_pylist()) if (value is None) == null]
            if rows and all(edit.name != name for edit in of_kind[part.kind]):
                of_kind[part.kind].append(Edit(run / part.file, part.kind, name, rows[-1], column))
    return [[edit for edit in together if edit] for together in zip_longest(*of_kind.values())]


def found_after(run: Path, together: list[Edit], value: Callable[[Column], Any]) -> tuple[list[int], list[str]]:
    """The `seq` of the rows that are changed and what the audit of the run says; the files are put back."""
    whole = {edit.path: edit.path.read_bytes() for edit in together}
    try:
        seqs = [changed(edit.path, edit.name, edit.row, value(edit.column)) for edit in together]
        return seqs, [str(finding) for finding in verify(run).findings]
    finally:
        for path, content in whole.items():
            path.write_bytes(content)


def test_a_number_in_place_of_a_null_is_found(run: Path) -> None:
    """NaN or -1 in place of a null, which leaves the packed row as it was, is named with its row."""
    cases = edits(run, null=True)
    assert sum(map(len, cases)) > 6
    for together in few(cases, 2):
        seqs, findings = found_after(run, together, lambda column: column.absent)
        for seq, (_, kind, name, _, column) in zip(seqs, together, strict=True):
            assert (
                f"{kind} row seq={seq}: has {column.absent} for {name}, where what did not happen is null" in findings
            )


def test_a_null_in_place_of_a_value_is_found(run: Path) -> None:
    """A null in any column is named with its row: the row does not fit its check, or always has a value there."""
    cases = edits(run, null=False)
    assert sum(map(len, cases)) > 60
    for together in few(cases, 4):
        seqs, findings = found_after(run, together, lambda _column: None)
        for seq, (_, kind, name, _, column) in zip(seqs, together, strict=True):
            absent = f"has no {name}, which every row has"
            why = absent if column.absent is None else "was changed: it does not fit its check"
            assert f"{kind} row seq={seq}: {why}" in findings


def test_nulls_in_an_older_run_are_found(run: Path) -> None:
    """A run that says that it is of schema 3 and has nulls is not read as one."""
    manifest = run / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "schema_version": 3}))
    assert "task_decided: task_decided/part-00000.parquet has empty values" in map(str, verify(run).findings)


def test_a_number_that_is_none_is_null(tmp_path: Path) -> None:
    """NaN in a column of floats that always has a value is null for readers too, and a finding."""
    crafted = CraftedRun(tmp_path / "run")
    crafted.record(TrafficSampled, time_s=1.0, alive_number_s=math.nan, mean_speed_mps=math.nan)
    run = crafted.close({"name": "odd"}, 2.0)
    with Trace.open(run) as trace:
        assert trace.sql("SELECT count(alive_number_s) AS n FROM traffic_sampled").n[0] == 0
    named = [str(finding) for finding in verify(run).findings]
    assert "traffic_sampled row seq=0: has no alive_number_s, which every row has" in named
    assert not any("mean_speed_mps" in finding for finding in named)


@pytest.mark.parametrize(
    ("code", "absent"), [("<f8", -1), ("<i4", math.nan), ("<i4", 0), ("<i4", -1.0), ("O", -1), ("O", math.nan)]
)
def test_what_stands_for_a_null_fits_its_type(code: str, absent: float) -> None:
    """A column of floats is absent by NaN, one of integers by -1, text never."""
    odd = make_dataclass("Odd", [("time_s", Time), ("odd", Annotated[Any, Column(code, absent=absent, unit="")])])
    with pytest.raises(InputError, match="fact Odd: odd of type"):
        columns(odd)


def test_csv_has_names_and_empty_cells(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`trace export --names` writes the names of codes, an unknown code as its number, and nothing for a null."""
    command = ["trace", "export", str(run), "--out", str(tmp_path / "csv"), "--names", "--format"]
    assert cli.status([*command, "chrome"]) == 2
    assert "--names: is for --format csv" in capsys.readouterr().err
    changed(run / "task_ended" / "part-00000.parquet", "status", 0, 77)
    assert cli.status([*command, "csv"]) == 0
    with Trace.open(run) as trace:
        stored = trace.sql("SELECT status_name(status) AS status, tier_name(tier) AS tier FROM task_ended ORDER BY seq")
    read = pd.read_csv(tmp_path / "csv" / "task_ended.csv", dtype=str, keep_default_na=False).astype({"seq": int})
    read = read.sort_values("seq")
    assert read.status.tolist()[1:] == stored.status.tolist()[1:]
    assert read.status.tolist()[0] == "77"
    assert read.tier.tolist() == stored.tier.fillna("").tolist()
    assert set(read.target) == {"", "0"}
    assert "nan" not in (tmp_path / "csv" / "task_ended.csv").read_text()


def test_sql_on_the_command_line_shows_nothing(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A null is a dash in the table and null in JSON, whatever its type."""
    query = "SELECT target, downlink_s, tier_name(tier) AS tier FROM task_ended WHERE target IS NULL LIMIT 1"
    assert cli.status(["trace", "sql", str(run), query]) == 0
    assert capsys.readouterr().out.split()[3:] == ["-", "-", "LOCAL"]
    assert cli.status(["trace", "sql", str(run), query, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == [{"target": None, "downlink_s": None, "tier": "LOCAL"}]
