"""Kinds of facts that a package from outside brings: they change no other run, and are read and checked without it."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hashes import rehashed
from small_run import END_S, Recorder, provenance, write_small_run

from cosim import subjects
from cosim.audit.rule import Rule, amounts, flags, growing_totals, known_codes, unknown, where
from cosim.audit.verify import verify
from cosim.cli import main as cli
from cosim.errors import InputError
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.scenario.section import Section
from cosim.trace.facts.column import Column, Text, Time
from cosim.trace.store.layout import stored_layout
from cosim.trace.store.provenance import write_provenance
from cosim.trace.store.reader import Trace
from cosim.trace.store.schemas import combined_digest


class Shock(IntEnum):
    """The sort of a quake."""

    MAIN = 0
    AFTER = 1


@dataclass(frozen=True, slots=True)
class QuakeFelt:
    """The ground has shaken under a site."""

    time_s: Time
    site: Annotated[int, Column("<i4", "", "site number, as in SiteDeployed")]
    strength_mps2: Annotated[float, Column("<f4", "m/s2", "peak acceleration of the ground")]
    aftershock: Annotated[int, Column("<i1", "", "its sort", Shock)]
    select: Text


class Haze(IntEnum):
    """Codes of a column."""

    THIN = 0
    THICK = 1


FACTS = (QuakeFelt,)


class Quakes(Section):
    """A section without a field."""


QUAKES = subjects.Subject("quakes", facts=f"{__name__}:FACTS", section=f"{__name__}:Quakes", part=f"{__name__}:Part")


@contextmanager
def installed() -> Iterator[None]:
    """A package that brings the kind is installed; it stands first, so that an order of storage would show."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cosim.subjects.subjects", lambda: (QUAKES, *subjects.BUILT_IN))
        for module in ("schema", "identity"):  # it brings no section
            patch.setattr(f"cosim.scenario.{module}.outside", lambda: ())
        yield


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small run with quakes in two parts, written where the package is installed; to be read only."""
    run = tmp_path_factory.mktemp("shaken") / "run"
    with installed():
        recorder = Recorder(run, 20.0, 240, 1)
        felt = recorder.writer.recorder(QuakeFelt)
        recorder.start()
        for tick in range(1, int(END_S) + 1):
            if tick in {5, 6, 7, 45}:
                felt(float(tick), 0, tick / 4, tick == 6, f"the {tick}th")
            recorder.tick(tick)
        recorder.writer.close(complete=True, end_s=END_S)
        write_provenance(run, provenance(recorder.writer, "complete"))
        assert verify(run).lines[1:] == []
    return run


@pytest.fixture
def shaken(stored: Path, tmp_path: Path) -> Path:
    """A copy of it that may be spoilt."""
    return Path(shutil.copytree(stored, tmp_path / "run"))


def test_an_unused_kind_changes_no_digest(tmp_path: Path) -> None:
    """With a kind more than before, of which nothing is stated, a run has the same digests of the same kinds."""
    before = write_small_run(tmp_path / "before")
    with installed():
        after = write_small_run(tmp_path / "after")
        assert verify(tmp_path / "before").ok
    assert (after.digest, after.digests) == (before.digest, before.digests)
    assert verify(tmp_path / "after").ok
    assert "quake_felt" not in (tmp_path / "after" / "manifest.json").read_text()


@dataclass(frozen=True, slots=True)
class Order:
    """A kind and columns that are words of SQL."""

    time_s: Time
    end: Annotated[int, Column("<i4", "", "running total", Haze)]
    group: Annotated[float, Column("<f8", "", "an amount")]


ORDERS = (Order,)


def order_rules() -> list[Rule]:
    """One of each sort."""
    return [
        where("order", "it is late", "time_s > 90"),
        unknown("order", "its end is no site", "end", "SELECT site FROM site_deployed"),
        *amounts({"order": ("group",)}),
        *growing_totals({("order", "end"): ("group",), ("order",): ("end",)}),
        *known_codes(Order),
        *flags("order", "end"),
    ]


def test_words_of_sql_are_names_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules of each sort hold a kind and columns that are reserved words, and name the rows that break them."""
    orders = subjects.Subject("orders", facts=f"{__name__}:ORDERS", rules=f"{__name__}:order_rules")
    monkeypatch.setattr("cosim.subjects.subjects", lambda: (*subjects.BUILT_IN, orders))
    for module in ("schema", "identity"):
        monkeypatch.setattr(f"cosim.scenario.{module}.outside", lambda: ())
    recorder = Recorder(tmp_path / "run", 20.0, 240, 1)
    order = recorder.writer.recorder(Order)
    recorder.start()
    for time_s, end, group in ((1.0, 1, 2.0), (2.0, 1, 1.0), (3.0, 7, -1.0), (4.0, 0, 0.0)):
        order(time_s, end, group)
    for tick in range(1, int(END_S) + 1):
        recorder.tick(tick)
    recorder.writer.close(complete=True, end_s=END_S)
    write_provenance(tmp_path / "run", provenance(recorder.writer, "complete"))
    found = [one.why for one in verify(tmp_path / "run").findings]
    assert found == [
        "its end is no site",
        "its group is negative or no number",
        "a running total is smaller than before",
        "a running total is smaller than before",
        "its end is unknown",
        "its end is unknown",
    ]


def test_an_unused_kind_changes_no_simulated_run(tmp_path: Path) -> None:
    """Likewise of a simulated run with keys and a ledger: manifest and digest are over the kinds that have rows."""
    short = load("per_task", ["duration_s=6", "statistics.warmup_s=0", "keys={}", "ledger={}"])
    before = simulate(short, tmp_path / "before")
    with installed():
        after = simulate(short, tmp_path / "after")
    assert (after.digest, dict(after.digests)) == (before.digest, dict(before.digests))
    parts = json.loads((tmp_path / "after" / "manifest.json").read_text())["parts"]
    assert set(after.digests) == {part["kind"] for part in parts}
    assert len(after.digests) < len(subjects.fact_kinds())


def test_a_kind_is_counted_as_soon_as_it_has_a_row(tmp_path: Path, shaken: Path) -> None:
    """Rows of a new kind change the digest of the run, and none of the other kinds."""
    plain = write_small_run(tmp_path / "plain")
    said = json.loads((shaken / "provenance.json").read_text())
    assert said["digest"] != plain.digest
    quakes = said["digests"].pop("quake_felt")
    assert said["digests"] == plain.digests
    assert said["digest"] == combined_digest({"quake_felt": quakes, **plain.digests})


def test_without_its_package_the_rows_are_checked(shaken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`trace verify` ends with 0, with the digest of the whole run, and says whose rules are missing."""
    assert cli.status(["trace", "verify", str(shaken)]) == 0
    verdict, note = capsys.readouterr().out.splitlines()
    assert verdict.endswith(json.loads((shaken / "provenance.json").read_text())["digest"])
    assert verdict.startswith(f"{shaken}: ok: complete run, ")
    assert note.startswith("quake_felt: only its rows were checked: no package that brings its rules is installed")
    assert cli.status(["trace", "verify", str(shaken), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"]
    assert told["notes"] == [note]


def test_without_its_package_it_can_be_asked(shaken: Path) -> None:
    """It has a view with the columns that its files say, whose names may be words of SQL; queries still hold."""
    with Trace.open(shaken) as trace:
        rows = trace.sql('SELECT time_s, site, strength_mps2, aftershock, "select" FROM quake_felt ORDER BY time_s')
        assert rows.time_s.tolist() == [5.0, 6.0, 7.0, 45.0]
        assert rows.strength_mps2.tolist() == [1.25, 1.5, 1.75, 11.25]
        assert rows.aftershock.tolist() == [0, 1, 0, 0]
        assert rows["select"].tolist() == ["the 5th", "the 6th", "the 7th", "the 45th"]
        assert trace.kinds[-1] == "quake_felt"
        assert trace.table(QuakeFelt).seq.is_monotonic_increasing
        with pytest.raises(InputError, match=r"views: .*, quake_felt"):
            trace.sql("SELECT * FROM nowhere")


def test_without_its_package_it_is_exported_and_described(
    shaken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """CSV has a file of it, and `trace schema RUN` its meaning, types, units and meanings of columns."""
    assert cli.status(["trace", "export", str(shaken), "--format", "csv", "--out", str(tmp_path / "csv")]) == 0
    assert pd.read_csv(tmp_path / "csv" / "quake_felt.csv").strength_mps2.tolist() == [1.25, 1.5, 1.75, 11.25]
    capsys.readouterr()
    assert cli.status(["trace", "schema", str(shaken), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["kinds"][-1]
    assert told["kind"] == "quake_felt"
    assert told["meaning"] == "The ground has shaken under a site."
    strength = {"name": "strength_mps2", "type": "float32", "unit": "m/s2", "codes": {}, "can_be_null": False}
    assert told["columns"][3] == {**strength, "meaning": "peak acceleration of the ground"}
    assert told["columns"][4]["codes"] == {"0": "MAIN", "1": "AFTER"}
    assert "quake_felt,aftershock,1,AFTER" in (tmp_path / "csv" / "codes.csv").read_text()
    assert [one["type"] for one in told["columns"]] == ["int64", "float64", "int32", "float32", "int8", "text"]
    assert cli.status(["trace", "schema", "--json"]) == 0
    assert "quake_felt" not in capsys.readouterr().out


def test_a_kind_with_the_name_of_the_codes(shaken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run with a kind `codes`, whose file would be that of the codes, is refused as CSV, and nothing is written."""
    manifest = shaken / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"quake_felt', '"codes'))
    (shaken / "quake_felt").rename(shaken / "codes")
    rehashed(shaken)
    assert cli.status(["trace", "export", str(shaken), "--format", "csv", "--out", str(tmp_path / "csv")]) == 2
    assert "a kind codes, whose file would be codes.csv" in capsys.readouterr().err
    assert not (tmp_path / "csv").exists()


def test_the_digest_of_a_run_is_in_order_of_name() -> None:
    """It does not depend on the order in which kinds are stored: SHA-256 of a line for each, by name."""
    digests = {"b_two": "2" * 64, "c_three": "3" * 64, "a_one": "1" * 64}
    lines = f"a_one {'1' * 64}\nb_two {'2' * 64}\nc_three {'3' * 64}\n"
    assert combined_digest(digests) == hashlib.sha256(lines.encode()).hexdigest()


@pytest.mark.parametrize(
    "columns",
    [
        [],
        [("row_check", pa.uint32())],
        [("seq", pa.int64())],
        [("row_check", pa.uint32()), ("seq", pa.int64())],
        [("seq", pa.int32()), ("row_check", pa.uint32())],
        [("seq", pa.int64()), ("time_s", pa.float64()), ("time_s", pa.float64()), ("row_check", pa.uint32())],
        [("seq", pa.int64()), ("seq", pa.int64()), ("row_check", pa.uint32())],
        [("seq", pa.int64()), ("at", pa.date32()), ("row_check", pa.uint32())],
    ],
)
def test_columns_that_no_kind_has(columns: list[tuple[str, Any]]) -> None:
    """A file whose columns cannot be those of a kind of fact has no layout."""
    with pytest.raises(ValueError, match="other columns than any kind"):
        stored_layout("quake_felt", pa.schema(columns))


def rewrite(run: Path, edit: Any, schema: Any = None, number: int = 0) -> None:
    """Change the rows of a part of the quakes and store it again."""
    path = run / "quake_felt" / f"part-{number:05d}.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    edit(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema or table.schema), path)


@pytest.mark.parametrize(
    ("column", "value"), [("strength_mps2", 1.0), ("select", "another"), ("aftershock", 1), ("seq", 2)]
)
def test_without_its_package_a_changed_value_is_found(shaken: Path, column: str, value: Any) -> None:
    """A changed number, text or place of a row is found by the row's check, and the kind's digest or order differs."""
    rewrite(shaken, lambda rows: rows[0].__setitem__(column, value))
    found = [str(finding) for finding in verify(shaken).findings]
    assert any(one.startswith("quake_felt row seq=") and one.endswith("it does not fit its check") for one in found)
    assert len(found) > 1


def test_without_its_package_lost_rows_are_found(shaken: Path) -> None:
    """A dropped row, and a lost or a broken part, are findings of its kind."""
    dropped: list[int] = []
    rewrite(shaken, lambda rows: dropped.append(rows.pop(1)["seq"]))
    assert f"quake_felt row seq={dropped[0]}: is missing" in [str(one) for one in verify(shaken).findings]
    (shaken / "quake_felt" / "part-00002.parquet").unlink()
    assert "quake_felt: quake_felt/part-00002.parquet is missing" in verify(shaken).lines
    broken = shaken / "quake_felt" / "part-00000.parquet"
    broken.write_bytes(broken.read_bytes()[:-50])
    assert any("part-00000.parquet cannot be read" in line for line in verify(shaken).lines)
    with pytest.raises(InputError, match="lost or broken") as caught:
        Trace.open(shaken)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "kept",
    ["[1]", "5", '"a"', "{", '{"0": 5}', '{"0": null}', '{"0": ["a"]}', '{"0": "mro"}', '{"a": "b"}', '{"0": ""}'],
)
def test_codes_that_are_no_table(shaken: Path, kept: str) -> None:
    """A file whose codes are no table of names is lost or broken: a finding, and one line for who opens the run."""
    path = shaken / "quake_felt" / "part-00000.parquet"
    table = pq.read_table(path)
    place = table.schema.get_field_index("aftershock")
    column = table.schema.field(place)
    schema = table.schema.set(place, column.with_metadata({**column.metadata, b"codes": kept.encode()}))
    pq.write_table(table.cast(schema), path)
    assert any(finding.why.startswith("quake_felt/part-00000.parquet ") for finding in verify(shaken).findings)
    with pytest.raises(InputError, match="lost or broken"):
        Trace.open(shaken)


def test_without_its_package_other_columns_are_found(shaken: Path) -> None:
    """A part with other columns than the first one of its kind, or with columns that no kind has, is a finding."""
    path = shaken / "quake_felt" / "part-00002.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["site"]), path)
    assert "quake_felt: quake_felt/part-00002.parquet has other columns than its kind" in verify(shaken).lines
    first = shaken / "quake_felt" / "part-00000.parquet"
    table = pq.read_table(first)
    pq.write_table(table.set_column(2, "site", table.column("site").cast(pa.uint64())), first)
    assert "quake_felt: quake_felt/part-00000.parquet has other columns than any kind" in verify(shaken).lines
    with pytest.raises(InputError, match="lost or broken"):
        Trace.open(shaken)


def test_a_known_kind_with_other_columns_is_found(shaken: Path) -> None:
    """Columns that are not those of this installation are a finding, also where the file says so itself."""
    path = shaken / "cell_changed" / "part-00000.parquet"
    table = pq.read_table(path)
    pq.write_table(table.append_column("more", pa.array([0.0] * len(table))), path)
    assert "cell_changed: cell_changed/part-00000.parquet has other columns than its kind" in verify(shaken).lines


@pytest.mark.parametrize("kind", ["", "../run", "a b", 'a"; DROP VIEW task_ended; --', 7])
def test_a_kind_that_is_no_name(shaken: Path, kind: Any) -> None:
    """A manifest with a kind that could not be a view or a file is broken, in one line."""
    path = shaken / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["parts"][-1]["kind"] = kind
    path.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"manifest\.json: broken .*(is no name|is 7, expected is text)") as caught:
        Trace.open(shaken)
    assert "\n" not in str(caught.value)


def test_a_digest_of_a_kind_without_rows_is_found(shaken: Path) -> None:
    """A manifest that speaks of a kind of which there is no row is found."""
    path = shaken / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["digests"]["task_dreamt"] = "f" * 64
    path.write_text(json.dumps(manifest))
    changed = "manifest.json: its values were changed: they do not fit its sha256"
    foreign = "task_dreamt: its digest differs from the manifest's"
    assert [str(one) for one in verify(shaken).findings] == [changed, foreign]
    assert [str(one) for one in verify(rehashed(shaken)).findings] == [foreign]
