"""The public client `etsi-qkd-014-client` and the probe `qkdsec`, in environments of their own, over mutual TLS."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kms_process import KEYED, Authority, Running, serving
from needs import lacking

SECURITY = Path(__file__).parents[2] / "docs" / "security.md"
WITH_THE_CLIENT = """\
import json, sys
from etsi_qkd_014_client import QKD014Client

host, ca, *files = sys.argv[1:]
a = QKD014Client(host, *files[:2], ca)
b = QKD014Client(host, *files[2:], ca)
code, made = a.get_key("b", number=3, size=128)
names = [key.key_id for key in made.keys]
fetched = b.get_key_with_key_IDs("a", names)[1]
print(json.dumps({
    "status": vars(a.get_status("b")[1]),
    "made": [code, [[key.key_id, key.key] for key in made.keys]],
    "fetched": [[key.key_id, key.key] for key in fetched.keys],
    "default": len(a.get_key("b")[1].keys),
    "shared": len(a.get_key("b", number=2, additional_slave_sae_ids=["c"])[1].keys),
    "optional": a.get_key("b", extension_optional=[{"route_type": "direct"}])[0],
    "refused": [[code, vars(error)] for code, error in (
        b.get_key_with_key_IDs("a", names),
        a.get_key("b", size=100),
        a.get_key("b", extension_mandatory=[{"route_type": "direct"}]),
        a.get_status("nobody"),
    )],
}))
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a package is installed."""

    folder: Path

    def run(self, *command: object) -> subprocess.CompletedProcess[str]:
        """A command of the environment."""
        plain = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "COSIM_TESTS"}}
        program, *arguments = map(str, command)
        return subprocess.run(
            [str(self.folder / "bin" / program), *arguments],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            env=plain | {"NO_COLOR": "1"},
        )


def environment(folder: Path, package: str) -> Environment:
    """An environment with nothing but a package and what it asks for."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    made = Environment(folder)
    pip = ("python", "-m", "pip", "--disable-pip-version-check", "--retries", "1", "install", "--quiet")
    reached = made.run(*pip, "--dry-run", "--no-deps", package)
    if reached.returncode != 0:
        lacking("index", f"pip reaches no package index: {' '.join(reached.stderr.split())[-200:]}")
    done = made.run(*pip, package)
    assert done.returncode == 0, done.stderr
    return made


@dataclass(frozen=True, slots=True)
class Secured:
    """A service with mutual TLS."""

    service: Running
    authority: Authority

    @property
    def base(self) -> str:
        """Its URL without the path."""
        return self.service.url.removesuffix("/api/v1/keys")


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Secured]:
    """A chain of three sites, known by certificates."""
    scenario = tmp_path / "keyed.yaml"
    scenario.write_text(KEYED)
    authority = Authority(tmp_path)
    certificate, key = authority.issue("kme")
    tls = ("--certificate", certificate, "--key", key, "--client-ca", authority.file)
    with serving(scenario, *tls, temporary=tmp_path) as service:
        yield Secured(service, authority)
        assert service.stop() == (0, "", "")


@pytest.mark.long
def test_the_public_client_gets_its_keys(tmp_path: Path, secured: Secured):
    """`etsi-qkd-014-client` reads status, makes keys and fetches the same ones, and understands each refusal."""
    made = environment(tmp_path / "env", "etsi-qkd-014-client>=0.9,<1")
    host = secured.base.removeprefix("https://")
    a, b = secured.authority.issue("a"), secured.authority.issue("b")
    done = made.run("python", "-c", WITH_THE_CLIENT, host, secured.authority.file, *a, *b)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert (told["status"]["master_sae_id"], told["status"]["slave_sae_id"]) == ("a", "b")
    assert told["made"][0] == 200
    assert told["fetched"] == told["made"][1]
    assert len(told["fetched"]) == 3
    assert (told["default"], told["shared"], told["optional"]) == (1, 2, 200)
    assert [code for code, _ in told["refused"]] == [400] * 4
    assert [error["message"] for _, error in told["refused"]] == [
        "one or more keys specified are not found on KME",
        "size shall be a multiple of 8",
        "not all extension_mandatory parameters are supported",
        "there is no such SAE",
    ]
    options = ("-H", host, "-c", a[0], "-k", a[1], "-r", secured.authority.file)
    for command in ("get_status", "get_key"):
        assert "Response code : 200" in made.run("qkd014-client", *options, command, "b").stdout


@pytest.mark.long
def test_the_probe_finds_what_the_page_says(tmp_path: Path, secured: Secured):
    """`qkdsec doctor` passes but for two lines, and docs/security.md names each line and what the probe said of it."""
    made = environment(tmp_path / "env", "qkdsec[doctor]>=0.3,<0.4")
    certificate, key = secured.authority.issue("a")
    options = ("-s", "b", "--cert", certificate, "--key", key, "--ca-cert", secured.authority.file)
    report = json.loads(made.run("qkdsec", "doctor", secured.base, *options, "--format", "json").stdout)
    found = {result["name"]: result["status"] for result in report["results"]}
    assert {name: status for name, status in found.items() if status != "pass"} == {
        "dec_keys_roundtrip": "fail",
        "error_contract_404": "warn",
    }
    page = SECURITY.read_text(encoding="utf-8")
    rows = {
        cells[0].strip("` "): cells[1].strip()
        for cells in (line.strip("|").split("|") for line in page.splitlines() if line.startswith("| `"))
        if cells[0].strip("` ") in found
    }
    assert rows == found
    got = made.run("qkdsec", "keys", "get", secured.base, "b", *options[2:], "--json")
    (taken,) = json.loads(got.stdout)
    other, other_key = secured.authority.issue("b")
    as_b = ("--cert", other, "--key", other_key, "--ca-cert", secured.authority.file, "--json")
    again = made.run("qkdsec", "keys", "retrieve", secured.base, "a", taken["key_id"], *as_b)
    assert json.loads(again.stdout) == [taken]
