"""Band keys of sketches (MinHash with banding), and bringing equal keys together.

Each row of a band is the least of a sketch's values under a permutation of 32-bit words of its own; the rows of a band
are hashed to one key (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3,
doi:10.1017/9781139924801). Two sketches have equal rows with the probability of their Jaccard index as sets.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.kernel import kernel

ROWS: Final = 3
BANDS: Final = 48
"""A pair at Jaccard J shares a key with probability 1 - (1 - J^ROWS)^BANDS: .82 at .33, .998 at .5, .00005 at .01.

That is the Jaccard index of the two sketches as sets, which is a little below that of the prompts (.46 for .5): each
has values beyond the other's greatest.

More bands find more and cost in proportion. More rows find less, and bring fewer unrelated pairs together.
"""

PASS: Final = 4
"""Bands whose keys are made in one reading of the values: more read them less often, for 4 bytes a sketch each."""


def _seeds() -> NDArray[np.uint32]:
    """What each row of each band mixes in: uint32[BANDS, ROWS, 2], the second odd (SplitMix64, from 0)."""
    n = BANDS * ROWS
    z = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    pairs = np.column_stack((z >> np.uint64(32), (z & np.uint64(0xFFFFFFFF)) | np.uint64(1)))
    return pairs.astype(np.uint32).reshape(BANDS, ROWS, 2)


SEEDS: Final = _seeds()


_S15, _S16 = np.uint32(15), np.uint32(16)
_M1, _M2 = np.uint32(0x7FEB352D), np.uint32(0x846CA68B)
_B, _C = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_HALF, _SLOTS = np.uint64(32), np.uint64(2047)
_GREATEST = np.uint32(0xFFFFFFFF)


@kernel
def band_keys(values, start, first, seeds, mixed, keys):  # type: ignore[no-untyped-def]
    """The key of each sketch in each band of `seeds`."""
    for n in range(len(first)):
        low, size = start[first[n]], start[first[n] + 1] - start[first[n]]
        for x in range(size):
            v = values[low + x]
            v = np.uint32(np.uint32(v ^ np.uint32(v >> _S16)) * _M1)
            v = np.uint32(np.uint32(v ^ np.uint32(v >> _S15)) * _M2)
            mixed[x] = np.uint32(v ^ np.uint32(v >> _S16))
        # A value that stands twice changes no minimum, and whole vectors need no remainder.
        for x in range(size, len(mixed)):
            mixed[x] = mixed[0]
        for band in range(len(seeds)):
            key = np.uint64(0)
            for row in range(ROWS):
                flip, factor = seeds[band, row, 0], seeds[band, row, 1]
                least = _GREATEST
                for x in range(len(mixed)):
                    least = min(least, np.uint32(np.uint32(mixed[x] ^ flip) * factor))
                key = (key ^ np.uint64(least)) * _B
                key ^= key >> _HALF
            keys[band, n] = np.uint32((key * _C) >> _HALF)


@kernel
def group(keys, number, packed):  # type: ignore[no-untyped-def]
    """Bring equal keys together: key (high half) and number (low half), the numbers of one key in any order.

    A radix sort that first parts the keys so that each part, about 2,048 keys, is then sorted in the nearest cache.
    """
    n = len(keys)
    bits = 0
    while n >> bits > 2048:
        bits += 1
    far = np.uint64(32 - bits)
    counts = np.zeros((1 << bits) + 1, np.int64)
    for x in range(n):
        counts[np.int64(np.uint64(keys[x]) >> far) + 1] += 1
    ends = np.cumsum(counts)
    at = ends[:-1].copy()
    for x in range(n):
        to = np.int64(np.uint64(keys[x]) >> far)
        packed[at[to]] = np.uint64(keys[x]) << _HALF | np.uint64(number[x])
        at[to] += 1
    near = np.uint64(32 + 32 - bits - 11)
    slots = np.empty(2049, np.int64)
    for part in range(1 << bits):
        low, high = ends[part], ends[part + 1]
        slots[:] = 0
        for x in range(low, high):
            slots[np.int64(packed[x] >> near & _SLOTS) + 1] += 1
        slots[0] = low
        for slot in range(2048):
            slots[slot + 1] += slots[slot]
        copy = packed[low:high].copy()
        for x in range(high - low):
            own = np.int64(copy[x] >> near & _SLOTS)
            packed[slots[own]] = copy[x]
            slots[own] += 1
        for slot in range(2048):
            run = slots[slot - 1] if slot else low
            if slots[slot] - run > 1:
                _sort_keys(packed, run, slots[slot])


@kernel
def _sort_keys(packed, low, high):  # type: ignore[no-untyped-def]
    key = packed[low] >> _HALF
    mixed = False
    for x in range(low + 1, high):
        mixed |= packed[x] >> _HALF != key
    if not mixed:
        return
    if high - low > 32:
        packed[low:high].sort()
        return
    for x in range(low + 1, high):
        moved = packed[x]
        y = x
        while y > low and packed[y - 1] > moved:
            packed[y] = packed[y - 1]
            y -= 1
        packed[y] = moved
