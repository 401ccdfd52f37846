"""Merkle trees are those of RFC 9162."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.merkle import leaf_hash, root_of

LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
"""The leaves of the known answers of Certificate Transparency, and the root over the first so many of them."""
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_the_known_answers(size: int) -> None:
    assert root_of([leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES[:size]]).hex() == ROOTS[size]


def as_the_rfc_says(leaves: Sequence[bytes]) -> bytes:
    """MTH of section 2.1.1, word for word."""
    if len(leaves) < 2:
        return hashlib.sha256(b"\x00" + leaves[0] if leaves else b"").digest()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + as_the_rfc_says(leaves[:k]) + as_the_rfc_says(leaves[k:])).digest()


@given(st.lists(st.binary(max_size=4), max_size=70))
def test_the_root_is_that_of_the_definition(leaves: list[bytes]) -> None:
    assert root_of([leaf_hash(leaf) for leaf in leaves]) == as_the_rfc_says(leaves)


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=70), st.sampled_from([1, 2, 4, 8, 16]))
def test_the_roots_of_its_parts_give_the_root_of_the_whole(leaves: list[bytes], size: int) -> None:
    hashes = [leaf_hash(leaf) for leaf in leaves]
    parts = [root_of(hashes[start : start + size]) for start in range(0, len(hashes), size)]
    assert root_of(parts) == root_of(hashes)


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=40), st.data())
def test_no_leaf_can_be_changed_left_out_or_moved(leaves: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(leaves) - 1))
    hashes = [leaf_hash(leaf) for leaf in leaves]
    other = [leaf_hash(b"other")]
    changed = [
        hashes[:place] + other + hashes[place + 1 :],
        hashes[:place] + hashes[place + 1 :],
        hashes[:place] + other + hashes[place:],
    ]
    assert root_of(hashes) not in [root_of(each) for each in changed]
