"""Merkle trees of RFC 9162: the root over many leaves, and the proof that one leaf is under it."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

HASH_BYTES: Final = 32
EMPTY: Final = hashlib.sha256(b"").digest()
"""The root over nothing."""


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class RootBuilder:
    """The root over leaves that come one by one; keeps one hash a level."""

    def __init__(self) -> None:
        self.size = 0
        self._whole: list[bytes] = []
        """The roots of the perfect subtrees, largest first: one for each bit of `size`."""

    def add(self, leaf: bytes) -> None:
        self.add_hash(leaf_hash(leaf))

    def add_hash(self, hashed: bytes) -> None:
        """A leaf by its hash."""
        size = self.size
        while size & 1:
            hashed = _node(self._whole.pop(), hashed)
            size >>= 1
        self._whole.append(hashed)
        self.size += 1

    @property
    def root(self) -> bytes:
        if not self._whole:
            return EMPTY
        *rest, root = self._whole
        for left in reversed(rest):
            root = _node(left, root)
        return root


def root_of(hashes: Iterable[bytes]) -> bytes:
    """The root over leaves by their hashes."""
    builder = RootBuilder()
    for one in hashes:
        builder.add_hash(one)
    return builder.root


def path_to(index: int, hashes: Sequence[bytes]) -> list[bytes]:
    """The inclusion proof of the leaf at `index` (RFC 9162, 2.1.3.1), nearest sibling first."""
    path = []
    level = list(hashes)
    while len(level) > 1:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        level = [_node(*level[at : at + 2]) if at + 1 < len(level) else level[at] for at in range(0, len(level), 2)]
        index >>= 1
    return path


def root_by(hashed: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a proof leads to (RFC 9162, 2.1.3.2); None for one of another length."""
    if not 0 <= index < size:
        return None
    last, left = size - 1, list(path)
    while last:
        if index & 1 or index < last:
            if not left:
                return None
            sibling = left.pop(0)
            hashed = _node(sibling, hashed) if index & 1 else _node(hashed, sibling)
        index, last = index >> 1, last >> 1
    return None if left else hashed
