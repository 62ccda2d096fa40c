"""Merkle trees, against the definition of RFC 9162 written out."""

import hashlib

import pytest

from activities.evidence.merkle import EMPTY, RootBuilder, leaf_hash, path_to, root_by, root_of


def _defined(leaves: list[bytes]) -> bytes:
    """The Merkle Tree Hash as section 2.1.1 defines it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + _defined(leaves[:split]) + _defined(leaves[split:])).digest()


@pytest.mark.parametrize("size", [*range(1, 34), 100, 129])
def test_each_leaf_is_proved_and_nothing_else(size: int) -> None:
    leaves = [b"leaf %d" % number for number in range(size)]
    builder, hashes = RootBuilder(), [leaf_hash(leaf) for leaf in leaves]
    for leaf in leaves:
        builder.add(leaf)
    assert builder.root == root_of(hashes) == _defined(leaves)
    for index in range(size):
        path = path_to(index, hashes)
        assert root_by(hashes[index], index, size, path) == builder.root
        assert root_by(leaf_hash(b"other"), index, size, path) != builder.root
        assert root_by(hashes[index], index, size, [*path, bytes(32)]) is None
        assert root_by(hashes[index], size, size, path) is None
        if path:
            assert root_by(hashes[index], index, size, path[:-1]) is None


def test_nothing_has_the_root_of_nothing() -> None:
    assert RootBuilder().root == root_of([]) == EMPTY == _defined([])
