"""Signatures of validators: their cost in bits and cycles, and, if a run asks for them, the signatures themselves.

Sizes are exact, cycles as published:

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
    """Size of one signature, and processor cycles to sign and to verify."""

    size_bit: int
    sign_cycles: int
    verify_cycles: int


FIGURES: Mapping[Algorithm, Figures] = {
    "ed25519": Figures(8 * 64, 87_548, 273_364),
    "ml_dsa_44": Figures(8 * 2420, 333_013, 118_412),
    "ml_dsa_65": Figures(8 * 3309, 529_106, 179_424),
}


class Signatures(Protocol):
    """A signature scheme with the keys of all validators."""

    figures: Figures

    def sign(self, validator: int, message: bytes, /) -> bytes:
        """Return the validator's signature of a message."""

    def verify(self, validator: int, message: bytes, signature: bytes, /) -> bool:
        """Return whether the signature is the validator's and of exactly this message.

        Args:
            validator: number of the one that is said to have signed.
            message: bytes that were signed.
            signature: what `sign` returned.
        """


class Modelled:
    """Signatures modelled by size and time alone: no bytes are computed, and nobody forges."""

    def __init__(self, algorithm: Algorithm) -> None:
        self.figures = FIGURES[algorithm]

    def sign(self, _validator: int, _message: bytes, /) -> bytes:
        """Return no bytes: a message is taken to come from its sender."""
        return b""

    def verify(self, _validator: int, _message: bytes, _signature: bytes, /) -> bool:
        """Return True: faulty validators of the model send messages in their own name only.

        Args:
            _validator: not looked at.
            _message: not looked at.
            _signature: not looked at.
        """
        return True


class Computed:
    """Real signatures, by keys that are derived from the run's seed and therefore protect nothing.

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
        """Return the validator's signature; with ML-DSA another one at each call."""
        return self._private[validator].sign(message)

    def verify(self, validator: int, message: bytes, signature: bytes, /) -> bool:
        """Return whether the signature is the validator's and of exactly this message.

        Args:
            validator: number of the one that is said to have signed.
            message: bytes that were signed.
            signature: what `sign` returned.
        """
        try:
            self._public[validator].verify(signature, message)
        except InvalidSignature:
            return False
        return True


def signatures(algorithm: Algorithm, computed: bool, seed: int, validators: int) -> Signatures:
    """Return the signature scheme of a run.

    Args:
        algorithm: the scenario's `ledger.signature`.
        computed: whether signatures are computed, or only charged by the algorithm's figures.
        seed: the run's, from which keys are derived.
        validators: number of validators.

    Raises:
        InputError: this installation cannot compute the algorithm.

    >>> scheme = signatures("ed25519", computed=True, seed=1, validators=2)
    >>> scheme.verify(0, b"vote", scheme.sign(0, b"vote")), scheme.verify(1, b"vote", scheme.sign(0, b"vote"))
    (True, False)
    """
    return Computed(algorithm, seed, validators) if computed else Modelled(algorithm)


def _key_seed(algorithm: Algorithm, seed: int, validator: int) -> bytes:
    """Return 32 bytes that differ between algorithms, seeds and validators."""
    return hashlib.sha256(f"{seed}/ledger.signature/{algorithm}/{validator}".encode()).digest()


def _private_key(algorithm: Algorithm, key_seed: bytes) -> PrivateKey:
    if algorithm == "ed25519":
        return Ed25519PrivateKey.from_private_bytes(key_seed)
    if algorithm == "ml_dsa_44":
        return MLDSA44PrivateKey.from_seed_bytes(key_seed)
    return MLDSA65PrivateKey.from_seed_bytes(key_seed)
