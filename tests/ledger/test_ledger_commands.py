"""`cosim ledger` shows, verifies and proves what a run's sites recorded."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from chained_run import chained_run

from cosim.cli import main as cli


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chained_run(tmp_path_factory.mktemp("commands") / "chained")


def answered(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Status and stdout; stderr has to be empty."""
    status = cli.status([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    assert printed.err == ""
    return status, printed.out


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line on stderr of a command that ends with 2."""
    status = cli.status([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    assert (status, printed.out, printed.err.count("\n")) == (2, "", 1)
    return printed.err


def shown(capsys: pytest.CaptureFixture[str], run: Path) -> dict[str, Any]:
    return json.loads(answered(capsys, "ledger", "show", run, "--json")[1])


def test_show(capsys: pytest.CaptureFixture[str], run: Path) -> None:
    """Each block has a line, its records add up with those in no block, and credits with the treasury."""
    chain = shown(capsys, run)
    verified = json.loads(answered(capsys, "ledger", "verify", run, "--json")[1])
    assert chain["records"] + chain["pending"] == verified["records"]
    assert [block["height"] for block in chain["blocks"]] == list(range(1, verified["blocks"] + 1))
    assert sum(stake["credits"] for stake in chain["stakes"]) + chain["treasury"] == chain["minted"] - chain["burned"]
    status, text = answered(capsys, "ledger", "show", run)
    lines = text.splitlines()
    assert status == 0
    assert lines[0].split()[:4] == ["height", "time_s", "round", "proposer"]
    assert lines[1].split()[-1] == chain["blocks"][0]["hash"][:16]


def test_verify(capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path) -> None:
    """A sound run ends with 0 and one line; a run with a changed Parquet part with 1 and a line for each finding.

    The line warns of the records that no block holds, as many as `show` counts.
    """
    status, text = answered(capsys, "ledger", "verify", run)
    assert (status, text.count("\n")) == (0, 1)
    assert " ok: " in text
    waiting = json.loads(answered(capsys, "ledger", "verify", run, "--json")[1])
    assert waiting["pending_records"] == shown(capsys, run)["pending"] > 0
    assert f"no block holds {waiting['pending_batches']} sealed batches with {waiting['pending_records']} " in text
    changed = tmp_path / "changed"
    for path in (one for one in run.rglob("*") if one.is_file()):
        copy = changed / path.relative_to(run)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    part = min(path for path in changed.rglob("*.parquet") if "batch_sealed" in str(path))
    table = pq.read_table(part)
    roots = table["root"].to_pylist()
    roots[0] = roots[1]
    pq.write_table(table.set_column(table.schema.get_field_index("root"), table.schema.field("root"), [roots]), part)
    status, text = answered(capsys, "ledger", "verify", changed)
    assert status == 1
    assert "it is not the one that is in the chain" in text


def test_proofs(capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path) -> None:
    """A proof holds against its block's hash without the run, against no other hash, and not with another record."""
    file = tmp_path / "proof.json"
    for wanted in (("--record", "b", 3), ("--record", "a", 0)):
        file.unlink(missing_ok=True)
        assert answered(capsys, "ledger", "prove", run, *wanted, "--out", file) == (0, f"{file}\n")
        proof = json.loads(file.read_text())
        hashes = {block["height"]: block["hash"] for block in shown(capsys, run)["blocks"]}
        assert proof["block_hash"] == hashes[proof["height"]]
        status, text = answered(capsys, "ledger", "check", file, "--hash", hashes[proof["height"]], "--json")
        assert status == 0
        assert json.loads(text)["height"] == proof["height"]
        other = next(value for height, value in hashes.items() if height != proof["height"])
        assert answered(capsys, "ledger", "check", file, "--hash", other)[0] == 1
        forged = {**proof, "record": proof["record"][:-2] + ("00" if proof["record"][-2:] != "00" else "01")}
        file.write_text(json.dumps(forged))
        assert answered(capsys, "ledger", "check", file, "--hash", proof["block_hash"])[0] == 1


def test_proof_of_a_task(capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path) -> None:
    """The proof of a task holds its own record, as its row in the trace tells it."""
    query = "SELECT task, vehicle, status FROM task_ended WHERE tier = 1 ORDER BY seq LIMIT 1"
    row = json.loads(answered(capsys, "trace", "sql", run, query, "--json")[1])["rows"][0]
    status, text = answered(capsys, "ledger", "prove", run, "--task", row["task"])
    proof = json.loads(text)
    (tmp_path / "proof.json").write_text(text)
    checked = answered(capsys, "ledger", "check", tmp_path / "proof.json", "--hash", proof["block_hash"], "--json")
    record = json.loads(checked[1])["record"]
    assert (status, checked[0], record["kind"]) == (0, 0, "offload")
    assert {name: record[name] for name in row} == row


def test_what_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path) -> None:
    """A run without a ledger, an unknown site, task or record, a taken file and no proof end with 2 and one line."""
    plain = chained_run(tmp_path / "plain", None)
    for command in (("show",), ("verify",), ("prove", "--task", 1)):
        assert "has no ledger" in refused(capsys, "ledger", command[0], plain, *command[1:])
    assert "not a run folder" in refused(capsys, "ledger", "verify", tmp_path / "nowhere")
    assert "no record of task 99999" in refused(capsys, "ledger", "prove", run, "--task", 99999)
    assert "no site is called z" in refused(capsys, "ledger", "prove", run, "--record", "z", 0)
    assert "give an index" in refused(capsys, "ledger", "prove", run, "--record", "a", 99999)
    assert "which record" in refused(capsys, "ledger", "prove", run)
    taken = tmp_path / "taken.json"
    taken.write_text("[]")
    assert "name a new file" in refused(capsys, "ledger", "prove", run, "--record", "a", 0, "--out", taken)
    assert "is no proof" in refused(capsys, "ledger", "check", taken, "--hash", "0" * 64)
    assert "64 hexadecimal digits" in refused(capsys, "ledger", "check", taken, "--hash", "12")
