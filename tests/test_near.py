"""Near-duplicate clusters against brute force, in any order and any split, and where they would cost most."""

from itertools import combinations
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from linkage.prompts import near_duplicates
from linkage.prompts.keys import ROWS, SEEDS, group
from linkage.prompts.near import BUCKET, NEIGHBOURS, SAMPLES, SIMILAR, SKETCH, Ids, clustered

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
    v = (v ^ v >> 16) * 0x7FEB352D & WORD
    v = (v ^ v >> 15) * 0x846CA68B & WORD
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


def test_a_memory_map_and_columns_that_cannot_be_written_are_read(tmp_path: Path) -> None:
    ids, sketches = ids_of(500), pairs_at(0.6, 250)
    wanted = near_duplicates(ids, *rows(sketches))
    np.save(tmp_path / "values.npy", sketches.reshape(-1))
    mapped = np.load(tmp_path / "values.npy", mmap_mode="r")
    assert near_duplicates(ids, mapped, rows(sketches)[1]).tolist() == wanted.tolist()


def test_a_known_cluster_stays_together_and_lends_its_name() -> None:
    ids = np.array([50, 40, 30, 20, 10], dtype=np.uint64)
    values, start = columns([(1, 2, 3), (7, 8, 9), (1, 2, 4), (), ()])
    known = np.array([5, 5, 0, 0, 7], dtype=np.uint64)
    assert near_duplicates(ids, values, start, known).tolist() == [5, 5, 5, 20, 7]


def test_two_known_clusters_are_not_compared_but_what_is_new_joins_them() -> None:
    values, start = columns([(1, 2, 3, 4), (1, 2, 3, 5), (1, 2, 3, 6)])
    apart = near_duplicates(np.array([1, 2], np.uint64), values[:8], start[:3], np.array([1, 2], np.uint64))
    assert apart.tolist() == [1, 2]
    joined = near_duplicates(np.array([1, 2, 3], np.uint64), values, start, np.array([1, 2, 0], np.uint64))
    assert joined.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("ids", "sketches", "known", "says"),
    [
        ([0], [(1,)], [0], "0 or stands twice"),
        ([3, 3], [(1,), (2,)], [0, 0], "0 or stands twice"),
        ([1], [(2, 1)], [0], "sketch 0"),
        ([1, 2], [(1,), (2, 2)], [0, 0], "sketch 1"),
        ([1], [tuple(range(SKETCH + 1))], [0], "sketch 0"),
        ([1, 2], [(1,)], [0, 0], "2 ids need 3 starts"),
        ([1], [(1,)], [0, 0], "as many known"),
    ],
)
def test_what_is_no_sketch_is_refused(ids: list[int], sketches: list[Sketch], known: list[int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        near_duplicates(np.array(ids, np.uint64), *columns(sketches), np.array(known, np.uint64))


def test_starts_that_leave_the_values_are_refused() -> None:
    ids, values = np.array([1, 2], np.uint64), np.array([1, 2], np.uint32)
    for start in ([0, 1, 3], [1, 1, 2], [0, 9, 2], [0, -1, 2]):
        with pytest.raises(ValueError, match=r"starts go|sketch"):
            near_duplicates(ids, values, np.array(start, np.int64))


def test_no_prompts_have_no_clusters() -> None:
    assert near_duplicates(np.zeros(0, np.uint64), *columns([])).tolist() == []


# Recall, by the Jaccard index of the whole sets of shingles.


def ids_of(n: int) -> Ids:
    return np.random.default_rng(n).permutation(n).astype(np.uint64) + np.uint64(1)


def pairs_at(jaccard: float, pairs: int, shingles: int = 200) -> NDArray[np.uint32]:
    """uint32[2 * pairs, SKETCH]: rows 2n and 2n + 1 are sketches of two sets of equal size at this Jaccard index."""
    rng = np.random.default_rng(round(jaccard * 1000))
    common = round(2 * shingles * jaccard / (1 + jaccard))
    made = np.empty((2 * pairs, SKETCH), np.uint32)
    for n in range(pairs):
        union = rng.choice(2**32, 2 * shingles - common, replace=False).astype(np.uint32)
        made[2 * n] = np.sort(union[:shingles])[:SKETCH]
        made[2 * n + 1] = np.sort(np.concatenate((union[:common], union[shingles:])))[:SKETCH]
    return made


@pytest.mark.parametrize(
    ("jaccard", "least", "most"),
    [(0.03, 0.0, 0.002), (0.1, 0.0, 0.01), (0.33, 0.58, 0.75), (0.5, 0.96, 1.0), (0.6, 0.985, 1.0), (0.8, 0.999, 1.0)],
)
def test_recall_of_lone_pairs_by_jaccard_index(jaccard: float, least: float, most: float) -> None:
    clusters = near_duplicates(ids_of(6_000), *rows(pairs_at(jaccard, 3_000)))
    assert least <= (clusters[::2] == clusters[1::2]).mean() <= most


@pytest.mark.parametrize("shingles", [1, 3, 8, 20, 31, 32, 33])
def test_short_prompts_are_found_as_well(shingles: int) -> None:
    rng = np.random.default_rng(shingles)
    sketches: list[Sketch] = []
    for _ in range(2_000):
        union = rng.choice(2**32, shingles + max(1, shingles // 4), replace=False).tolist()
        sketches += [sketch_of(set(union[:shingles])), sketch_of(set(union[-shingles:]))]
    clusters = near_duplicates(ids_of(4_000), *columns(sketches))
    jaccard = (shingles - max(1, shingles // 4)) / (shingles + max(1, shingles // 4))
    found = (clusters[::2] == clusters[1::2]).mean()
    assert found >= 0.97 if jaccard >= 0.5 else found == (jaccard > 0)
    assert len(np.unique(clusters)) >= 2_000


def test_the_prompts_of_a_template_of_twenty_at_a_third_are_found() -> None:
    rng = np.random.default_rng(4)
    sketches, truth = [], np.repeat(np.arange(300), 20)
    for _ in range(300):
        template = rng.choice(2**32, 150, replace=False)
        for _ in range(20):
            # Two such sets share 106 * 106 / 150 = 75 of their 150 shingles: a Jaccard index of a third.
            own = np.concatenate((rng.choice(template, 106, replace=False), rng.choice(2**32, 44, replace=False)))
            sketches.append(sketch_of(set(own.tolist())))
    clusters = near_duplicates(ids_of(6_000), *columns(sketches))
    largest = [np.unique(clusters[truth == t], return_counts=True)[1].max() for t in range(300)]
    assert sum(largest) >= 0.99 * 6_000
    assert len(np.unique(clusters)) >= 300


# Where it would cost most: the comparisons stay linear.

PER_BUCKET = NEIGHBOURS + SAMPLES


def test_equal_sketches_are_one_and_empty_ones_are_each_their_own() -> None:
    ids = ids_of(100_000)
    same = np.tile(np.arange(SKETCH, dtype=np.uint32), (len(ids), 1))
    clusters, compared = clustered(ids, *rows(same))
    assert (compared, set(clusters.tolist())) == (0, {1})
    clusters, compared = clustered(ids, np.zeros(0, np.uint32), np.zeros(len(ids) + 1, np.int64))
    assert (compared, clusters.tolist()) == (0, ids.tolist())


def test_sketches_of_one_value_meet_only_their_equals() -> None:
    ids = ids_of(100_000)
    one = np.random.default_rng(3).integers(0, 1_000, (len(ids), 1)).astype(np.uint32) * np.uint32(4_294_967)
    clusters, compared = clustered(ids, *rows(one))
    smallest = {value: ids[one[:, 0] == value].min() for value in np.unique(one)}
    assert clusters.tolist() == [smallest[value] for value in one[:, 0]]
    assert compared <= len(ids)


def test_a_giant_template_costs_a_few_comparisons_a_prompt() -> None:
    rng = np.random.default_rng(5)
    template = np.sort(rng.choice(2**20, 40, replace=False).astype(np.uint32))
    kept = np.argsort(rng.random((100_000, 40)), axis=1)[:, :28]
    own = 2**20 + np.arange(400_000, dtype=np.uint32).reshape(-1, 4)
    sketches = np.sort(np.concatenate((template[kept], own), axis=1), axis=1)
    clusters, compared = clustered(ids_of(len(sketches)), *rows(sketches))
    assert set(clusters.tolist()) == {1}
    assert compared <= 3 * len(sketches)


def distinct_rows(made: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The rows without a value that stands twice."""
    kept: NDArray[np.bool_] = (made[:, 1:] != made[:, :-1]).all(axis=1)
    return np.ascontiguousarray(made[kept])


def colliding(n: int, common: int, rng: np.random.Generator) -> NDArray[np.uint32]:
    """Sketches that share `common` values which are the minima of all rows of the first band, and nothing else."""
    pool = rng.choice(2**32, 400_000, replace=False).tolist()
    minima = [min(pool, key=lambda v: (mixed(v) ^ flip) * factor & WORD) for flip, factor in SEEDS[0].tolist()]
    shared = np.array(minima[:common], np.uint32)
    own = rng.integers(0, 2**32, (n, SKETCH - common), dtype=np.uint32)
    made = np.sort(np.concatenate((np.tile(shared, (n, 1)), own), axis=1), axis=1)
    return distinct_rows(made)


@pytest.mark.parametrize("common", [ROWS - 1, ROWS])
def test_near_collisions_of_a_band_stay_linear(common: int) -> None:
    sketches = colliding(100_000, common, np.random.default_rng(6))
    clusters, compared = clustered(ids_of(len(sketches)), *rows(sketches))
    assert len(np.unique(clusters)) >= 0.99 * len(sketches)
    if common < ROWS:
        assert compared <= PER_BUCKET * len(sketches)
    else:
        assert 0.9 * PER_BUCKET * len(sketches) <= compared <= 3 * PER_BUCKET * len(sketches)


def test_equal_keys_are_grouped_whatever_lies_between_them() -> None:
    rng = np.random.default_rng(7)
    for n in (0, 1, 2, 100, 5_000, 300_000):
        # Half have one key, and a tenth have keys right beside it.
        crowd = np.uint32(2**31) + (rng.integers(0, 40, n) * (rng.random(n) < 0.2)).astype(np.uint32)
        keys = np.where(rng.random(n) < 0.6, crowd, rng.integers(0, 2**32, n, dtype=np.uint32))
        number, packed = rng.permutation(n).astype(np.int32), np.empty(n, np.uint64)
        group(keys, number, packed)
        wanted = keys.astype(np.uint64) << np.uint64(32) | number.astype(np.uint64)
        assert (np.sort(packed) == np.sort(wanted)).all()
        grouped = packed >> np.uint64(32)
        assert (grouped[1:] >= grouped[:-1]).all()


def crowd_of_pairs(n: int) -> NDArray[np.uint32]:
    """Sketches behind one key, of which each second takes over half of the one before."""
    crowd = colliding(n, ROWS, np.random.default_rng(8))
    crowd[1::2, : SKETCH // 2] = crowd[: 2 * (len(crowd) // 2) : 2, : SKETCH // 2][: len(crowd[1::2])]
    return distinct_rows(np.sort(crowd, axis=1))


def test_a_split_over_calls_changes_nothing_behind_a_crowded_key() -> None:
    crowd = crowd_of_pairs(BUCKET // 2)
    ids = ids_of(len(crowd))
    wanted = near_duplicates(ids, *rows(crowd))
    assert len(np.unique(wanted)) < 0.8 * len(ids)
    early = np.random.default_rng(9).random(len(ids)) < 0.9
    known = np.zeros(len(ids), np.uint64)
    known[early] = near_duplicates(ids[early], *rows(crowd[early]))
    assert near_duplicates(ids, *rows(crowd), known).tolist() == wanted.tolist()


def test_what_an_overcrowded_key_finds_depends_on_the_set_alone() -> None:
    crowd = crowd_of_pairs(2 * BUCKET)
    assert len(crowd) > BUCKET
    ids = ids_of(len(crowd))
    wanted = near_duplicates(ids, *rows(crowd))
    assert len(np.unique(wanted)) < 0.8 * len(ids)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(ids))
        assert near_duplicates(ids[order], *rows(crowd[order])).tolist() == wanted[order].tolist()


def test_two_giant_templates_behind_one_preamble_stay_two() -> None:
    rng = np.random.default_rng(9)
    preamble, *templates = (rng.choice(2**32, size, replace=False).astype(np.uint32) for size in (12, 100, 100))
    sketches, truth = [], []
    for n in range(20_000):
        kept = rng.choice(templates[n % 2], 80, replace=False)
        sketches.append(sketch_of({*preamble.tolist(), *kept.tolist()}))
        truth.append(n % 2)
    ids = ids_of(len(sketches))
    clusters, compared = clustered(ids, *columns(sketches))
    names = [ids[np.array(truth) == side].min() for side in (0, 1)]
    assert clusters.tolist() == [names[side] for side in truth]
    assert compared <= PER_BUCKET * len(sketches)
