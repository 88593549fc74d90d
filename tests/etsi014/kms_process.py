"""`cosim kms serve` in a process of its own, and certificates for its clients."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

KEYED = """\
name: keyed
duration_s: 2
policy: random
mobility: {kind: synthetic, vehicles: 2, length_m: 2000}
sites:
  kind: listed
  sites: [{name: a, x_m: 0, y_m: 10}, {name: b, x_m: 900, y_m: 10}, {name: c, x_m: 1800, y_m: 10}]
statistics: {batches: 2}
keys:
  rate: {kind: qib_vec}
  topology: {links: [{ends: [a, b]}, {ends: [b, c]}]}
  pool: {capacity_bit: 100000, initial_bit: 5120}
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A service that is ready."""

    process: subprocess.Popen[str]
    url: str
    saes: list[str]
    tokens_file: Path | None

    def tokens(self) -> dict[str, str]:
        """By SAE."""
        assert self.tokens_file is not None
        found: dict[str, str] = json.loads(self.tokens_file.read_text())
        return found

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Exit status, the rest of stdout, stderr."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=10)
        return self.process.returncode, out, err


@contextmanager
def serving(*arguments: object, temporary: Path) -> Iterator[Running]:
    """Start it on a free port, wait until it is ready, and let it not outlive the test."""
    command = [sys.executable, "-m", "cosim.cli.main", "kms", "serve", *map(str, arguments), "--port", "0", "--json"]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        head = ""
        while not head.endswith("}\n"):
            line = process.stdout.readline()
            assert line, process.communicate()
            head += line
        ready = json.loads(head)
        tokens_file = ready["tokens"]
        yield Running(process, ready["url"], ready["saes"], None if tokens_file is None else Path(tokens_file))
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


class Authority:
    """Signs certificates into a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = self._write(f"{name}.pem", self._certificate(name, self._key, is_authority=True))

    def issue(self, common_name: str) -> tuple[Path, Path]:
        """Certificate and key of a server at 127.0.0.1, or of a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(common_name, key, is_authority=False)
        stem = f"{self._name.rdns[0].rfc4514_string()[3:]}-{common_name}"
        private = self.folder / f"{stem}.key"
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return self._write(f"{stem}.pem", certificate), private

    def _certificate(self, common_name: str, key: ec.EllipticCurvePrivateKey, is_authority: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(identifier, critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _write(self, name: str, certificate: x509.Certificate) -> Path:
        path = self.folder / name
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path
