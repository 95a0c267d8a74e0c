"""Near-duplicate clusters against brute force, in any order and any split, and where they would cost most."""

from itertools import combinations
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from linkage.prompts import near_duplicates
from linkage.prompts.near import SEEDS, SIMILAR, SKETCH

Sketch = tuple[int, ...]
WORD, LONG = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF
VALUES = (0, 1, 2, 3, 5, 8, 2**16, 2**31, WORD - 1, WORD)


def columns(sketches: list[Sketch]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    start = np.cumsum([0, *map(len, sketches)]).astype(np.int64)
    return np.array([value for sketch in sketches for value in sketch], dtype=np.uint32), start


def rows(matrix: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    return matrix.reshape(-1), np.arange(len(matrix) + 1, dtype=np.int64) * matrix.shape[1]


def found(prompts: dict[int, Sketch], known: dict[int, int] | None = None) -> dict[int, int]:
    """The cluster of each id, in the order the prompts have."""
    ids = np.array(list(prompts), dtype=np.uint64)
    earlier = np.array([(known or {}).get(i, 0) for i in prompts], dtype=np.uint64)
    clusters = near_duplicates(ids, *columns(list(prompts.values())), earlier)
    return dict(zip(prompts, clusters.tolist(), strict=True))


# The oracle: the definition in plain integers.


def mixed(v: int) -> int:
    v ^= v >> 16
    v = v * 0x7FEB352D & WORD
    v ^= v >> 15
    v = v * 0x846CA68B & WORD
    return v ^ v >> 16


def band_keys(sketch: Sketch) -> list[int]:
    keys = []
    for band in SEEDS.tolist():
        key = 0
        for flip, factor in band:
            key = (key ^ min((mixed(v) ^ flip) * factor & WORD for v in sketch)) * 0xBF58476D1CE4E5B9 & LONG
            key ^= key >> 32
        keys.append((key * 0x94D049BB133111EB & LONG) >> 32)
    return keys


def estimate(a: Sketch, b: Sketch) -> float:
    union = sorted({*a, *b})
    if len(a) == SKETCH or len(b) == SKETCH:
        union = union[:SKETCH]
    return len({*union} & {*a} & {*b}) / len(union)


def tied(a: Sketch, b: Sketch) -> bool:
    if not a or not b:
        return False
    share = any(x == y for x, y in zip(band_keys(a), band_keys(b), strict=True))
    return share and estimate(a, b) >= SIMILAR


def components(prompts: dict[int, Sketch]) -> dict[int, int]:
    cluster = {i: i for i in prompts}
    for i, j in combinations(prompts, 2):
        if tied(prompts[i], prompts[j]):
            low, high = sorted((cluster[i], cluster[j]))
            cluster = {k: low if c == high else c for k, c in cluster.items()}
    return cluster


def sketch_of(values: set[int]) -> Sketch:
    return tuple(sorted(values)[:SKETCH])


few_values = st.sets(st.sampled_from(VALUES), max_size=6)
many_values = st.builds(
    lambda base, changed: {base * 1_000_003 + v * 7919 for v in range(60) if v not in changed} | {*changed},
    st.integers(0, 2),
    st.sets(st.integers(0, 59), max_size=40),
)
prompt_sets = st.dictionaries(
    st.integers(1, 40) | st.integers(LONG - 9, LONG), (few_values | many_values).map(sketch_of), min_size=1, max_size=14
)


@given(prompt_sets)
@settings(deadline=None, max_examples=150)
def test_clusters_are_the_components_of_all_ties(prompts: dict[int, Sketch]) -> None:
    assert found(prompts) == components(prompts)


@given(prompt_sets, st.randoms(use_true_random=False), st.integers(1, 4))
@settings(deadline=None, max_examples=150)
def test_neither_order_nor_a_split_over_calls_changes_a_cluster(
    prompts: dict[int, Sketch], random: Random, calls: int
) -> None:
    wanted = found(prompts)
    order = list(prompts)
    random.shuffle(order)
    ends = [*sorted(random.choices(range(len(order)), k=calls - 1)), len(order)]
    known: dict[int, int] = {}
    for end in ends:
        so_far = order[:end]
        random.shuffle(so_far)
        known = found({i: prompts[i] for i in so_far}, known)
    assert known == wanted
