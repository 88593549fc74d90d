"""`cosim kms`: the key network as a service in real time."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from cosim.cli import console
from cosim.cli.arguments import Json, Overrides
from cosim.cli.loudness import Commands
from cosim.cli.output import flush_answers

_SERVE = (
    "cosim kms serve qib_vec",
    "cosim kms serve RUN --speed 60 --tokens tokens.yaml",
    "cosim kms serve qib_vec --host 0.0.0.0 --certificate kme.pem --key kme.key --client-ca ca.pem",
)
app = Commands(help="The key network behind the REST interface of ETSI GS QKD 014.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command("serve", epilog=console.examples(*_SERVE))
def serve_key_managers(
    what: Annotated[
        str, typer.Argument(metavar="RUN|SCENARIO", help="Pools start as the run left them, or as the scenario says.")
    ],
    overrides: Overrides = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but this machine's own needs TLS.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: a free one.")] = 8014,
    speed: Annotated[float, typer.Option(min=0.001, max=1e6, help="Simulated seconds in a real one.")] = 1.0,
    certificate: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Certificate of this server with its chain; turns TLS on.")
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="PEM", help="Private key of the certificate.")] = None,
    client_ca: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Mutual TLS: a client's common name is its SAE.")
    ] = None,
    tokens: Annotated[
        Path | None, typer.Option(metavar="FILE", help="SAE: token, as YAML; else tokens are made and the file named.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.01, max=1e6, help="Requests of a SAE per second.")] = 50.0,
    burst: Annotated[int, typer.Option(min=1, max=1_000_000, help="Requests of a SAE at once.")] = 100,
    keep: Annotated[float, typer.Option(min=1, max=1e9, help="Seconds for which a key waits for its slave.")] = 3600.0,
    connections: Annotated[int, typer.Option(min=1, max=100_000, help="Connections at once.")] = 512,
    unauthenticated: Annotated[
        int, typer.Option(min=1, max=100_000, help="Connections of a peer that have not authenticated.")
    ] = 128,
    request_timeout: Annotated[
        float, typer.Option(min=0.1, max=3600, help="Seconds for a TLS handshake, a request's head, body, or answer.")
    ] = 10.0,
    idle_timeout: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds between two requests.")] = 30.0,
    verbose: Annotated[bool, typer.Option("--verbose", help="A line on stderr for each request.")] = False,
    json: Json = False,
) -> None:
    """Serve keys in real time until Ctrl-C: status, enc_keys and dec_keys under /api/v1/keys.

    Each site is a KME with one SAE of the same name. The links of the scenario fill the pools, requests empty them;
    there is no traffic. Keys are random bytes of this machine: the network decides how many there are.
    """
    from cosim.errors import InputError

    missing = [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]
    if missing:
        raise InputError(f"cosim kms serve needs {' and '.join(missing)}; pip install 'cosim-vec[kms]'")

    from cosim.etsi014.connection import Patience
    from cosim.etsi014.serving import Endpoint, Limits, serve_keys

    endpoint = Endpoint(host, port, certificate, key, client_ca, tokens)

    def tell(url: str, saes: tuple[str, ...], tokens_file: Path | None) -> None:
        if json:
            console.say_json({"url": url, "saes": saes, "tokens": tokens_file})
        else:
            shown = ", ".join(saes[:8]) + (", ..." if len(saes) > 8 else "")
            known = "client certificates" if client_ca else str(tokens_file)
            console.say_table([("keys at", url), (f"{len(saes)} SAEs", shown), ("known by", known)])
            console.say("Ctrl-C ends it")
        flush_answers()

    patience = Patience(request_timeout, idle_timeout)
    limits = Limits(speed, rate, burst, keep, connections, unauthenticated, patience)
    serve_keys(what, overrides or [], endpoint, limits, verbose, tell, console.note)
