"""Which commits may have changed a path, by the filters that the commit-graph keeps of the paths that each changed.

A filter is a Bloom filter: it never denies a path that was changed, and affirms one in a hundred that was not. It tells
of files and of the folders they are in, against the first parent.

Source: gitformat-commit-graph(5), BIDX and BDAT; git's Documentation/technical/commit-graph.txt, "Changed path Bloom
filters", and its bloom.c for the two seeds; Appleby's MurmurHash3_x86_32.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache, lru_cache
from typing import Final

from repos.git import commit_graph

_SEEDS: Final = (0x293AE76F, 0x7E646E2C)
_WORD: Final = 0xFFFFFFFF


class Paths:
    """Some paths, to be looked for in the filters of many commits."""

    def __init__(self, paths: Collection[bytes]) -> None:
        self._paths = paths
        self._bits = cache(self._bits_in)

    def __len__(self) -> int:
        return len(self._paths)

    def may_be_in(self, changed: commit_graph.ChangedPaths | None) -> bool:
        """Whether a commit with this filter may have changed one of them; True where it has no filter."""
        if changed is None:
            return True
        held = int.from_bytes(changed.bits, "little")
        return any(held & wanted == wanted for wanted in self._bits(changed.hash_count, len(changed.bits) * 8))

    def _bits_in(self, hash_count: int, size_bits: int) -> list[int]:
        """The bits that each sets in a filter of that size."""
        return [_bits_of(path, hash_count, size_bits) for path in self._paths]


@lru_cache(maxsize=65_536)
def _bits_of(path: bytes, hash_count: int, size_bits: int) -> int:
    """The bits that a path sets. None, so that every filter has them, where versions of git set different ones."""
    if not path.isascii():
        return 0
    first, step = _hashes(path)
    bits = 0
    for number in range(hash_count):
        bits |= 1 << ((first + number * step & _WORD) % size_bits)
    return bits


@lru_cache(maxsize=4096)
def _hashes(path: bytes) -> tuple[int, int]:
    first, second = (_murmur3(path, seed) for seed in _SEEDS)
    return first, second


def _murmur3(data: bytes, seed: int) -> int:
    value = seed
    for start in range(0, len(data), 4):
        word = data[start : start + 4]
        value ^= _rotated(int.from_bytes(word, "little") * 0xCC9E2D51 & _WORD, 15) * 0x1B873593 & _WORD
        if len(word) == 4:
            value = _rotated(value, 13) * 5 + 0xE6546B64 & _WORD
    value ^= len(data)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        value = (value ^ value >> shift) * factor & _WORD
    return value ^ value >> 16


def _rotated(value: int, bits: int) -> int:
    return (value << bits | value >> 32 - bits) & _WORD
