"""The tree of hashes over records, against the standard's own known answers."""

import pytest

from cosim.ledger.merkle import proof, root, verify_inclusion

INPUTS = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""Of the first 0, 1, ..., 8 inputs: reference tree of Certificate Transparency."""


@pytest.mark.parametrize("size", range(9))
def test_known_roots(size):
    """The first n inputs of Certificate Transparency's reference tree have its published roots, n = 0 to 8."""
    assert root(INPUTS[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize("size", range(1, 41))
def test_every_record_is_proven(size):
    """In trees of 1 to 40 records each record is proven at its own place, and at no other and in no other size."""
    records = [b"record %d" % number for number in range(size)]
    top = root(records)
    for index, record in enumerate(records):
        path = proof(records, index)
        assert len(path) <= (size - 1).bit_length()
        places = [place for place in range(-1, size + 1) if verify_inclusion(top, record, place, size, path)]
        assert places == [index]
        assert not verify_inclusion(top, record, index, index, path)
        assert not verify_inclusion(top, record + b"\x00", index, size, path)


@pytest.mark.parametrize("size", [1, 2, 7, 13])
def test_every_flipped_bit_is_found(size):
    """A proof with any one bit flipped in record, path or root fails."""
    records = [b"record %d" % number for number in range(size)]
    top = root(records)
    for index, record in enumerate(records):
        parts = [top, record, *proof(records, index)]
        for which, part in enumerate(parts):
            for bit in range(8 * len(part)):
                flipped = bytearray(part)
                flipped[bit // 8] ^= 1 << bit % 8
                changed = [*parts[:which], bytes(flipped), *parts[which + 1 :]]
                assert not verify_inclusion(changed[0], changed[1], index, size, changed[2:])


def test_proof_of_wrong_length():
    """A proof with a hash too few, too many, or cut short fails."""
    records = [b"record %d" % number for number in range(6)]
    top, path = root(records), proof(records, 2)
    assert verify_inclusion(top, records[2], 2, 6, path)
    for wrong in (path[:-1], (*path, path[0]), (*path[:-1], path[-1][:-1])):
        assert not verify_inclusion(top, records[2], 2, 6, wrong)


def test_a_node_is_no_record():
    """The two children of a node, joined, cannot be passed off as a record of a smaller tree."""
    records = INPUTS[:4]
    children = b"".join(reversed(proof(records, 0)[:1] + proof(records, 1)[:1]))
    assert not verify_inclusion(root(records), children, 0, 2, proof(records, 0)[1:])


def test_no_such_record():
    """A proof for a place outside the tree is refused."""
    for index in (-1, 3):
        with pytest.raises(IndexError, match="of a tree of 3"):
            proof(INPUTS[:3], index)
