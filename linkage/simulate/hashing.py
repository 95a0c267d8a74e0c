"""Chance that does not depend on order: numbers mixed from what they belong to, so that a chunk can be made alone."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)


def scramble(values: Any) -> Words:
    """The finalizer of SplitMix64: a one-to-one map of 64-bit numbers in which no order can be seen.

    Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014), doi:10.1145/2660193.2660195.
    """
    mixed: Words = np.atleast_1d(np.asarray(values)).astype(np.uint64) + _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return mixed ^ (mixed >> np.uint64(31))


def mix(*parts: Any) -> Words:
    """One 64-bit number for each row of the parts: arrays of whole numbers of one length, or single numbers."""
    mixed = scramble(parts[0])
    for part in parts[1:]:
        mixed = scramble(mixed ^ scramble(part))
    return mixed


def unit(words: Words) -> Floats:
    """Evenly spread numbers in [0, 1)."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
