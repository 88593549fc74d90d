"""`cosim ledger`: read, check and prove what the sites of a run agreed on."""

import json as jsonlib
import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cosim.cli import console
from cosim.cli.arguments import Json, RunFolder
from cosim.cli.loudness import Commands, quiet
from cosim.quantity import quantity

app = Commands(help="The chain of blocks on which sites record what they did.", no_args_is_help=True)


@app.command("show", epilog=console.examples("cosim ledger show RUN", "cosim ledger show RUN --json"))
def show_blocks(run_folder: RunFolder, json: Json = False) -> None:
    """Show the final blocks, one a line, and the validators' credits at the end."""
    from cosim.audit.ledger_overview import overview
    from cosim.trace.store.reader import Trace

    with Trace.open(run_folder) as trace:
        found = overview(trace)
    if json:
        console.say_json({**asdict(found), "records": found.records})
        return
    rows = [
        (
            str(one.height),
            f"{one.time_s:.3f}",
            str(one.round),
            one.proposer,
            str(one.batches),
            str(one.records),
            str(one.evidence),
            quantity(one.finality_s, "s"),
            one.hash[:16],
        )
        for one in found.blocks
    ]
    headers = ("height", "time_s", "round", "proposer", "batches", "records", "evidence", "finality", "hash")
    console.say_table(rows, headers)
    console.say(f"\n{len(rows)} blocks with {found.records} records; {found.pending} sealed records are in no block\n")
    seats = found.committee
    stakes = [
        (one.site, str(one.credits), *((str(one.sat),) if seats else ()), "" if one.member else "does not vote")
        for one in found.stakes
    ]
    console.say_table(stakes, ("validator", "credits", *(("heights with a seat",) if seats else ()), ""))
    if seats is not None:
        named = f"the {seats.faulty} faulty validators" if seats.faulty != 1 else "the one faulty validator"
        seen, expected = (100.0 * share for share in (seats.third / max(1, seats.heights), seats.probability))
        console.say(
            f"\ncommittees of {seats.seats} at {seats.heights} heights; {named} of ledger.faults held at least a third "
            f"of the stake in {seats.third}, {seen:.2f} %: expected {expected:.2f} % ({seats.law})"
        )
    console.say(f"\ntreasury {found.treasury}, minted {found.minted}, burned {found.burned} credits")


@app.command("verify", epilog=console.examples("cosim ledger verify RUN"))
def verify_ledger(run_folder: RunFolder, json: Json = False) -> None:
    """Hash all records and blocks again and compute all stakes again. Ends with 1 if something has changed.

    Warns of sealed batches that no block holds: nobody has agreed on their records.
    """
    from cosim.audit.ledger_check import check_rows, pending
    from cosim.audit.ledger_rows import read_rows
    from cosim.trace.facts.ledger import BatchSealed, BlockCommitted
    from cosim.trace.store.reader import Trace

    with Trace.open(run_folder) as trace:
        read = read_rows(trace)
    findings = list(check_rows(read))
    sealed = read.of[BatchSealed]
    counts = {"blocks": len(read.of[BlockCommitted]), "batches": len(sealed), "records": int(sealed.records.sum())}
    batches, records = pending(read)
    if json:
        waiting = {"pending_batches": batches, "pending_records": records}
        console.say_json({"ok": not findings, "complete": read.complete, **counts, **waiting, "findings": findings})
    elif findings or not quiet():
        verdict = f"{len(findings)} finding{'s' if len(findings) > 1 else ''}" if findings else "ok"
        told = ", ".join(f"{count} {name}" for name, count in counts.items())
        state = "" if read.complete else ", of a run that was stopped"
        warning = f"; warning: no block holds {batches} sealed batches with {records} records" if batches else ""
        console.say("\n".join([f"{run_folder}: {verdict}: {told}{state}{warning}", *map(str, findings)]))
    if findings:
        raise typer.Exit(1)


@app.command(
    "prove", epilog=console.examples("cosim ledger prove RUN --task 17", "cosim ledger prove RUN --record tower 0")
)
def prove_inclusion(
    run_folder: RunFolder,
    task: Annotated[int | None, typer.Option("--task", metavar="N", help="A task that was offloaded.")] = None,
    record: Annotated[
        tuple[str, int] | None, typer.Option("--record", metavar="SITE INDEX", help="A site's record, from 0.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="A new file instead of stdout.")] = None,
) -> None:
    """Prove that a block holds a record, as JSON for `cosim ledger check`, which needs the block's hash and no run."""
    from cosim.audit.ledger_proofs import prove_record, prove_task
    from cosim.errors import InputError
    from cosim.trace.store.durable import write_durably
    from cosim.trace.store.reader import Trace

    if (task is None) == (record is None):
        raise InputError("cosim ledger prove: which record? Give --task N or --record SITE INDEX, and not both")
    with Trace.open(run_folder) as trace:
        proof = prove_record(trace, *record) if record is not None else prove_task(trace, task or 0)
    if out is None:
        console.say_json(proof.content)
        return
    try:
        write_durably(out, lambda sink: sink.write((jsonlib.dumps(proof.content, indent=2) + "\n").encode()), new=True)
    except OSError as error:
        raise InputError(f"--out {out}: {str(error.strerror).lower()}; name a new file") from error
    console.tell(str(out))


@app.command("check", epilog=console.examples("cosim ledger check proof.json --hash 41c7...e2"))
def check_proof(
    proof: Annotated[Path, typer.Argument(metavar="FILE", help="File of `cosim ledger prove --out`.")],
    block_hash: Annotated[
        str, typer.Option("--hash", metavar="HASH", help="Hash of the block, from a source that you trust.")
    ],
    json: Json = False,
) -> None:
    """Check that a proof leads from its record to the block with this hash, without a run. Ends with 1 if not."""
    from cosim.audit.ledger_proofs import read_proof
    from cosim.errors import InputError
    from cosim.ledger.proof import check_inclusion
    from cosim.ledger.records import unpacked

    if not re.fullmatch("[0-9a-fA-F]{64}", block_hash):
        raise InputError(f"--hash {block_hash}: a block's hash has 64 hexadecimal digits; see `cosim ledger show RUN`")
    inclusion = read_proof(proof)
    if not check_inclusion(inclusion, bytes.fromhex(block_hash)):
        if json:
            console.say_json({"ok": False})
        else:
            console.say(f"{proof}: does not lead to block {block_hash}")
        raise typer.Exit(1)
    kind, values = unpacked(bytes.fromhex(inclusion.record))
    name = kind.name.lower().replace("_", " ")
    if json:
        console.say_json({"ok": True, "height": inclusion.height, "record": {"kind": name, **values}})
        return
    console.say(f"{proof}: ok: block {inclusion.height} holds this record of site {inclusion.site}\n")
    console.say_table([("kind", name), *((key, repr(value)) for key, value in values.items())])
