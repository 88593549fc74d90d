"""A run of schema 2, whose digest is over 38 kinds of facts, empty ones too: it is read and audited as it was.

`data/schema2` are five seconds of two sites with keys and a ledger, as cosim wrote them before schema 3.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cosim.audit.verify import verify
from cosim.cli import main as cli
from cosim.trace.store.manifest import read_manifest
from cosim.trace.store.reader import Trace
from cosim.trace.store.schemas import NO_ROWS

STORED = Path(__file__).parent / "data" / "schema2"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(STORED, tmp_path / "run"))


def rewrite(path: Path, **changes: Any) -> None:
    """Change fields of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_it_verifies(capsys: pytest.CaptureFixture[str]) -> None:
    """`trace verify` ends with 0 and gives the digest that the run had, over all 38 kinds."""
    said = json.loads((STORED / "provenance.json").read_text())
    assert len(said["digests"]) == 38
    assert cli.status(["trace", "verify", str(STORED)]) == 0
    verdict, note = capsys.readouterr().out.splitlines()
    assert verdict == f"{STORED}: ok: complete run, {said['facts']} facts, digest {said['digest']}"
    assert note.startswith("an older run, without hashes of its files: ")


def test_it_can_be_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    """`trace summary`, SQL and `ledger verify` answer as of a run of today."""
    assert cli.status(["trace", "summary", str(STORED)]) == 0
    assert "released" in capsys.readouterr().out
    with Trace.open(STORED) as trace:
        assert len(trace.sql("SELECT task FROM task_ended")) == len(trace.sql("SELECT task FROM task_released")) > 10
    assert cli.status(["ledger", "verify", str(STORED)]) == 0
    capsys.readouterr()
    assert cli.status(["trace", "schema", str(STORED), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["schema_version"] == 2


@pytest.mark.parametrize(
    "kind",
    ["key_pool_sampled", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("task_ended", "block_committed"))],
)
def test_a_changed_row_is_named(run: Path, kind: str) -> None:
    """One row that is another is found by its check."""
    path = run / kind / "part-00000.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[0]["time_s"] += 1e-9
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    found = [str(finding) for finding in verify(run).findings]
    assert f"{kind} row seq={rows[0]['seq']}: was changed: it does not fit its check" in found


def test_a_changed_byte_is_found(run: Path) -> None:
    """One bit that flips in the data of a part is found, whether or not the part can still be read."""
    path = run / "host_sampled" / "part-00000.parquet"
    content = bytearray(path.read_bytes())
    start = pq.ParquetFile(path).metadata.row_group(0).column(1).data_page_offset
    content[start + 40] ^= 1
    path.write_bytes(content)
    assert not verify(run).ok


@pytest.mark.parametrize("digest", [pytest.param("f" * 64, marks=pytest.mark.long), None])
def test_the_digest_of_an_empty_kind_counts(run: Path, digest: str | None) -> None:
    """Of a kind without rows the manifest holds a digest, and another one, or none, is a finding."""
    digests = dict(read_manifest(run).digests)
    assert digests["twin_synced"] == NO_ROWS
    del digests["twin_synced"]
    rewrite(run / "manifest.json", digests={**digests, **({"twin_synced": digest} if digest else {})})
    found = [str(finding) for finding in verify(run).findings]
    assert found == ["twin_synced: its digest differs from the manifest's"]


@pytest.mark.parametrize("changes", [{"scenario": {"name": "other"}}, {"run_id": "schema-2-000000000000"}])
def test_its_run_id_is_of_the_whole_scenario(run: Path, changes: dict[str, Any]) -> None:
    """The run id of those days is the hash of the scenario with all defaults: a change of either is a finding."""
    path = run / "provenance.json"
    said = json.loads(path.read_text())
    rewrite(path, **{name: {**said[name], **new} if name == "scenario" else new for name, new in changes.items()})
    (finding,) = verify(run).findings
    assert "is not that of its name and scenario" in finding.why
