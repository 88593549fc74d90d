"""Merkle trees: one root binds many records, and few hashes prove that it binds a given one (RFC 6962, RFC 9162).

A leaf is SHA-256(0x00 || record), a node SHA-256(0x01 || left || right), and the root of no records SHA-256 of nothing.
The standard splits n records at the largest power of two below n. Pairing neighbours from the left, level by level, and
taking an odd last node up unchanged gives the same tree, without recursion.

>>> records = [b"a", b"b", b"c"]
>>> path = proof(records, 2)
>>> verify_inclusion(root(records), b"c", 2, 3, path), verify_inclusion(root(records), b"x", 2, 3, path)
(True, False)
"""

import hashlib
from collections.abc import Sequence

ROOT_BYTE = 32
"""Size of a hash, SHA-256's."""


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over the records in their order (RFC 9162 section 2.1.1)."""
    level = _leaf_hashes(leaves)
    while len(level) > 1:
        level = _parents(level)
    return level[0] if level else hashlib.sha256().digest()


def proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the hashes that lead from record `index` to the root, the lowest first (RFC 9162 section 2.1.3.1).

    Raises:
        IndexError: there is no record with this index.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"record {index} of a tree of {len(leaves)}")
    level = _leaf_hashes(leaves)
    path = []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level = _parents(level)
        index //= 2
    return tuple(path)


def verify_inclusion(root: bytes, leaf_record: bytes, index: int, size: int, proof: Sequence[bytes]) -> bool:
    """Return whether the record stands at `index` of the `size` records below this root.

    Args:
        root: root of the tree.
        leaf_record: the record.
        index: place of the record in the tree.
        size: number of records in the tree.
        proof: hashes from the record to the root, the lowest first.
    """
    return implied_root(leaf_record, index, size, proof) == root


def implied_root(leaf_record: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """Return the root that a proof leads to (RFC 9162 section 2.1.3.2).

    Args:
        leaf_record: the record.
        index: place of the record in the tree.
        size: number of records in the tree.
        proof: hashes from the record to the root, the lowest first.

    Returns:
        None if `index` is not below `size`, or the proof has not just the hashes that this place needs.
    """
    if not 0 <= index < size:
        return None
    node = hashlib.sha256(b"\x00" + leaf_record).digest()
    last = size - 1
    hashes = iter(proof)
    while last:
        # A right child, or a left one that has a sibling; an odd last node goes up without a hash.
        if index & 1 or index < last:
            sibling = next(hashes, None)
            if sibling is None or len(sibling) != ROOT_BYTE:
                return None
            below = sibling + node if index & 1 else node + sibling
            node = hashlib.sha256(b"\x01" + below).digest()
        index //= 2
        last //= 2
    return node if next(hashes, None) is None else None


def _leaf_hashes(leaves: Sequence[bytes]) -> list[bytes]:
    sha256 = hashlib.sha256
    return [sha256(b"\x00" + leaf).digest() for leaf in leaves]


def _parents(level: list[bytes]) -> list[bytes]:
    """Return the level above; an odd last node goes up as it is."""
    sha256 = hashlib.sha256
    pairs = iter(level)
    parents = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
    if len(level) % 2:
        parents.append(level[-1])
    return parents
