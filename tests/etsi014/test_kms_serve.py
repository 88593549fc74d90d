"""`cosim kms serve` as a process: real sockets, TLS, real pools, signals."""

import signal
import socket
import ssl
import stat
import time
from base64 import b64decode
from pathlib import Path

import httpx
import pytest
from kms_process import KEYED, Authority, Running, serving

from cosim.cli import main as cli


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """A chain of three sites, with ten keys in each of its two pools."""
    path = tmp_path / "keyed.yaml"
    path.write_text(KEYED)
    return path


def client(service: Running, sae: str) -> httpx.Client:
    """Who shows the token of a SAE."""
    return httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {service.tokens()[sae]}"})


def stored(asking: httpx.Client, slave: str) -> int:
    """Keys that status counts."""
    count: int = asking.get(f"/{slave}/status").json()["stored_key_count"]
    return count


@pytest.mark.long
def test_two_clients_fetch_one_key_and_the_pools_pay(scenario: Path, tmp_path: Path):
    """Two SAEs get one key by its key_ID over real sockets; all pools on the way pay, run dry, and fill with time."""
    with serving(scenario, "--speed", 500, "--verbose", "--set", "keys.slot_s=400", temporary=tmp_path) as service:
        assert service.url.startswith("http://127.0.0.1:")
        assert service.saes == ["a", "b", "c"]
        assert service.tokens_file is not None
        assert stat.S_IMODE(service.tokens_file.stat().st_mode) == 0o600
        a, c = client(service, "a"), client(service, "c")
        before = stored(a, "c")
        made = a.get("/c/enc_keys", params={"number": before}).json()["keys"]
        assert stored(a, "b") + stored(a, "c") <= 1
        assert a.get("/c/enc_keys", params={"number": 100}).status_code == 503
        fetched = c.post("/a/dec_keys", json={"key_IDs": [{"key_ID": made[0]["key_ID"]}]}).json()["keys"]
        assert fetched == made[:1]
        assert len(b64decode(fetched[0]["key"])) == 32
        assert c.get("/a/dec_keys", params={"key_ID": made[0]["key_ID"]}).status_code == 400
        deadline = time.monotonic() + 8
        while stored(a, "c") < 1:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert a.get("/c/enc_keys").status_code == 200
        assert httpx.get(f"{service.url}/c/status").status_code == 401
        secrets = [*service.tokens().values(), *(key["key"] for key in made)]
        code, out, err = service.stop()
        assert (code, out) == (0, "")
        assert "enc_keys" in err
        assert "Traceback" not in err
        assert not any(secret in out + err for secret in secrets)
        assert not service.tokens_file.exists()


def test_mutual_tls_knows_clients_by_their_certificates(scenario: Path, tmp_path: Path):
    """With mutual TLS the common name is the SAE; no certificate, a foreign one and an unknown name get nothing."""
    authority, foreign = Authority(tmp_path), Authority(tmp_path, "foreign")
    server, server_key = authority.issue("kme")
    tls = ("--certificate", server, "--key", server_key, "--client-ca", authority.file)

    def over_tls(url: str, identity: tuple[Path, Path] | None) -> httpx.Client:
        context = ssl.create_default_context(cafile=str(authority.file))
        if identity is not None:
            context.load_cert_chain(*identity)
        return httpx.Client(base_url=url, verify=context)

    with serving(scenario, *tls, temporary=tmp_path) as service:
        assert service.url.startswith("https://")
        assert service.tokens_file is None
        a, b = over_tls(service.url, authority.issue("a")), over_tls(service.url, authority.issue("b"))
        made = a.get("/b/enc_keys", params={"size": 128}).json()
        assert b.get("/a/dec_keys", params={"key_ID": made["keys"][0]["key_ID"]}).json() == made
        assert over_tls(service.url, authority.issue("nobody")).get("/b/status").status_code == 401
        for identity in (None, foreign.issue("a")):
            with pytest.raises(httpx.TransportError):
                over_tls(service.url, identity).get("/b/status")
        code, out, err = service.stop(signal.SIGINT)
        assert (code, out, err) == (0, "", "")


@pytest.mark.long  # a process of its own; `test_key_methods.py` has the same answer in this one
def test_a_sae_is_slowed_down_over_the_wire(scenario: Path, tmp_path: Path):
    """With a burst of two the third request gets 429, by tokens from a file of ours."""
    tokens = tmp_path / "tokens.yaml"
    tokens.write_text("a: aaaaaaaaaaaaaaaaaaaaaaaa\nb: bbbbbbbbbbbbbbbbbbbbbbbb\n")
    tokens.chmod(0o600)
    with serving(scenario, "--tokens", tokens, "--burst", 2, "--rate", 0.1, temporary=tmp_path) as service:
        asking = httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {'a' * 24}"})
        answers = [asking.get("/b/status") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert service.stop()[0] == 0
    assert tokens.exists()


def failed(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The only line of a service that is refused with 2."""
    assert cli.status(["kms", "serve", *map(str, arguments)]) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err


def test_what_cannot_be_served_is_one_line(scenario: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    """A busy port, a public address without TLS, half of a TLS pair, and a scenario without keys end with 2."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert f"--port {port}: address already in use" in failed(capfd, scenario, "--port", port)
    assert "--host 0.0.0.0: keys would cross the network in the clear" in failed(capfd, scenario, "--host", "0.0.0.0")  # noqa: S104
    assert "belong together" in failed(capfd, scenario, "--certificate", scenario)
    assert "--client-ca needs TLS" in failed(capfd, scenario, "--client-ca", scenario)
    assert "--certificate" in failed(capfd, scenario, "--certificate", scenario, "--key", scenario)
    assert "keys: null" in failed(capfd, scenario, "--set", "keys=null")
    assert "no such file" in failed(capfd, tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        ("a: aaaaaaaaaaaaaaaaaaaa\n", 0o644, "others may read"),
        ("a: short\n", 0o600, "the token of a"),
        ("d: aaaaaaaaaaaaaaaaaaaa\n", 0o600, "'d' is no SAE"),
        ("a: aaaaaaaaaaaaaaaaaaaa\nb: aaaaaaaaaaaaaaaaaaaa\n", 0o600, "the same token"),
        ("- a\n", 0o600, "is not a mapping"),
        ("a: [\n", 0o600, "is not YAML"),
        (None, 0o600, "no such file"),
    ],
)
def test_a_bad_file_of_tokens_is_one_line(
    text: str | None, mode: int, told: str, scenario: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    """A file of tokens that is open to others, weak, wrong or missing is refused without showing a token."""
    path = tmp_path / "tokens.yaml"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    line = failed(capfd, scenario, "--tokens", path)
    assert told in line
    assert "aaaa" not in line


def test_without_the_extra_the_line_says_what_to_install(
    scenario: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Without FastAPI and Uvicorn the command ends with 2 and names the extra."""
    monkeypatch.setattr("cosim.cli.kms.find_spec", lambda _: None)
    assert "pip install 'cosim-vec[kms]'" in failed(capfd, scenario)
