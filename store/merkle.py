"""Merkle trees as RFC 9162 has them (section 2.1.1), with SHA-256. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

LEAF, NODE = b"\x00", b"\x01"
"""What is hashed before a leaf and before two nodes, so that the one can never pass for the other."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over its two children."""
    return sha256(NODE + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over the hashes of leaves, in their order; of none, the hash of nothing. Given the roots of the parts of
    a tree, all of one power of two but the last, which may be smaller, it is the root of the whole."""
    if not hashes:
        return sha256(b"").digest()
    level = list(hashes)
    while len(level) > 1:
        odd = level[len(level) - len(level) % 2 :]
        level = [node_hash(*pair) for pair in zip(level[::2], level[1::2], strict=False)] + odd
    return level[0]
