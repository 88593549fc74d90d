"""Signatures of validators: what they cost in bits and cycles, and, if a run asks for it, the signatures themselves.

Size is exact, time is published:

=========== ========= ======== ========= ========== ==================================================================
algorithm   signature sign     verify    public key source
            [byte]    [cycle]  [cycle]   [byte]
=========== ========= ======== ========= ========== ==================================================================
ed25519            64    87548    273364         32 RFC 8032; Bernstein et al., ed25519.cr.yp.to, Westmere, 2012
ml_dsa_44        2420   333013    118412       1312 FIPS 204; Dilithium2, round 3, pq-crystals.org, AVX2, Skylake
ml_dsa_65        3309   529106    179424       1952 FIPS 204; Dilithium3, round 3, pq-crystals.org, AVX2, Skylake
=========== ========= ======== ========= ========== ==================================================================

Cycles of Dilithium are medians; signing tries again until a candidate passes, so single signatures spread widely around
them. That spread, hashing of long messages and batch verification are left out: every signature costs the figure.

A run charges these figures whether or not signatures are computed, and no signature enters a hash, a time or a record.
So the switch changes no trace, although ML-DSA draws each signature at random.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA65PrivateKey

from cosim.errors import InputError
from cosim.scenario.ledger import Algorithm

PrivateKey: TypeAlias = Ed25519PrivateKey | MLDSA44PrivateKey | MLDSA65PrivateKey


@dataclass(frozen=True, slots=True)
class Figures:
    """What one signature costs."""

    size_bit: int
    sign_cycles: int
    verify_cycles: int


FIGURES: Mapping[Algorithm, Figures] = {
    "ed25519": Figures(8 * 64, 87_548, 273_364),
    "ml_dsa_44": Figures(8 * 2420, 333_013, 118_412),
    "ml_dsa_65": Figures(8 * 3309, 529_106, 179_424),
}


class Signatures(Protocol):
    """How validators sign and verify."""

    figures: Figures

    def sign(self, validator: int, message: bytes, /) -> bytes:
        """The validator's signature."""

    def verify(self, validator: int, message: bytes, signature: bytes, /) -> bool:
        """Has the validator signed exactly this message?"""


class Modelled:
    """Signatures by size and time alone: no bytes are computed, and nobody forges."""

    def __init__(self, algorithm: Algorithm) -> None:
        self.figures = FIGURES[algorithm]

    def sign(self, _validator: int, _message: bytes, /) -> bytes:
        """No bytes; who sends a message is taken at its word."""
        return b""

    def verify(self, _validator: int, _message: bytes, _signature: bytes, /) -> bool:
        """Always, because faulty validators of the model lie in their own name only."""
        return True


class Computed:
    """Real signatures with the keys of all validators, which are drawn from the run's seed and protect nothing.

    Raises:
        InputError: this installation cannot compute the algorithm.
    """

    def __init__(self, algorithm: Algorithm, seed: int, validators: int) -> None:
        self.figures = FIGURES[algorithm]
        try:
            self._private = [_private_key(algorithm, _key_seed(algorithm, seed, each)) for each in range(validators)]
        except UnsupportedAlgorithm as error:
            raise InputError(
                f"ledger.signature={algorithm}: this build of `cryptography` cannot compute it; "
                "install its wheel or set ledger.sign=false"
            ) from error
        self._public = [key.public_key() for key in self._private]

    def sign(self, validator: int, message: bytes, /) -> bytes:
        """The validator's signature; with ML-DSA another one at each call."""
        return self._private[validator].sign(message)

    def verify(self, validator: int, message: bytes, signature: bytes, /) -> bool:
        """Has the validator signed exactly this message?"""
        try:
            self._public[validator].verify(signature, message)
        except InvalidSignature:
            return False
        return True


def signatures(algorithm: Algorithm, computed: bool, seed: int, validators: int) -> Signatures:
    """The one switch: modelled by the algorithm's figures, or computed with it as well."""
    return Computed(algorithm, seed, validators) if computed else Modelled(algorithm)


def _key_seed(algorithm: Algorithm, seed: int, validator: int) -> bytes:
    """32 bytes that differ between algorithms, seeds and validators."""
    return hashlib.sha256(f"{seed}/ledger.signature/{algorithm}/{validator}".encode()).digest()


def _private_key(algorithm: Algorithm, key_seed: bytes) -> PrivateKey:
    if algorithm == "ed25519":
        return Ed25519PrivateKey.from_private_bytes(key_seed)
    if algorithm == "ml_dsa_44":
        return MLDSA44PrivateKey.from_seed_bytes(key_seed)
    return MLDSA65PrivateKey.from_seed_bytes(key_seed)
