"""Signatures: the figures that a run pays, keys from the seed, and what verification finds."""

import pytest
from cryptography.exceptions import UnsupportedAlgorithm

from cosim.errors import InputError
from cosim.ledger.signature import FIGURES, Computed, Modelled, signatures

ALGORITHMS = sorted(FIGURES)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_real_signatures(algorithm):
    """A computed signature has the published size, verifies, and fails for other messages, signers and bits."""
    scheme = signatures(algorithm, True, 1, 2)
    signature = scheme.sign(0, b"precommit")
    assert 8 * len(signature) == scheme.figures.size_bit
    assert scheme.verify(0, b"precommit", signature)
    assert not scheme.verify(0, b"precommit!", signature)
    assert not scheme.verify(1, b"precommit", signature)
    assert not scheme.verify(0, b"precommit", signature[:-1] + bytes([signature[-1] ^ 1]))
    assert not scheme.verify(0, b"precommit", signature[:-1])
    assert not scheme.verify(0, b"precommit", b"")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_keys_come_from_the_seed(algorithm):
    """Two runs of one seed have the same keys, another seed has others."""
    signature = Computed(algorithm, 7, 1).sign(0, b"vote")
    assert Computed(algorithm, 7, 3).verify(0, b"vote", signature)
    assert not Computed(algorithm, 8, 1).verify(0, b"vote", signature)


def test_which_signatures_repeat():
    """Ed25519 gives the same signature again; ML-DSA does not, so that no signature may enter a hash."""
    assert len({Computed("ed25519", 7, 1).sign(0, b"vote") for _ in range(3)}) == 1
    assert len({Computed("ml_dsa_44", 7, 1).sign(0, b"vote") for _ in range(3)}) == 3


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_modelled_costs_the_same(algorithm):
    """The modelled scheme charges what the computed one does, and computes nothing."""
    modelled = signatures(algorithm, False, 1, 2)
    assert isinstance(modelled, Modelled)
    assert modelled.figures == signatures(algorithm, True, 1, 2).figures
    assert modelled.sign(0, b"vote") == b""
    assert modelled.verify(0, b"vote", b"")


def test_algorithm_that_is_not_installed(monkeypatch):
    """A build of the library without the algorithm gives one line with the algorithm and the remedy."""

    def refuse(*_):
        raise UnsupportedAlgorithm("not in this build")

    monkeypatch.setattr("cosim.ledger.signature._private_key", refuse)
    with pytest.raises(InputError, match=r"ml_dsa_65.*ledger\.sign=false"):
        signatures("ml_dsa_65", True, 1, 1)
