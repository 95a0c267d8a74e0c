"""Near-duplicate prompts: CPU seconds by number of prompts, beside numpy's sort of the same values, in one run.

    python benchmarks/near.py [100000 1000000 4000000 ...]

Each prompt has 100 shingles, five of them from phrases that all prompts draw on. Half of the prompts are alone; a tenth
fills in one giant template; the rest fills in templates with 20 prompts each. A template's prompts keep .6 to .95 of
its shingles, so that their Jaccard index is .4 to .9. "compared" is pairs of sketches compared for each prompt; "found"
is the share of template prompts that are in their template's largest cluster; "mixed" is the number of templates that
share a cluster with another one. 16 million prompts take 2.1 GB of values and as much again to sort them.
"""

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from linkage.prompts.near import SKETCH, clustered

SHINGLES = 100
CHUNK = 100_000


def main() -> None:
    """Generate, time, print a row for each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("prompts", type=int, nargs="*", default=[100_000, 1_000_000, 4_000_000])
    options = parser.parse_args()
    compare(1_000)  # compiles
    print(f"{'prompts':>10} {'CPU s':>7} {'a second':>9} {'sort s':>7} {'compared':>9} {'found':>6} {'mixed':>6}")
    for prompts in options.prompts:
        print(compare(prompts))


def compare(prompts: int) -> str:
    """One size, as a row of the table."""
    template, values = generate(prompts)
    ids = np.random.default_rng(1).permutation(prompts).astype(np.uint64) + np.uint64(1)
    start = np.arange(prompts + 1, dtype=np.int64) * SKETCH
    before = time.process_time()
    clusters, compared = clustered(ids, values, start)
    took = time.process_time() - before
    before = time.process_time()
    np.sort(values)
    sorting = time.process_time() - before
    found, mixed = agreement(template, clusters)
    return (
        f"{prompts:>10,} {took:>7.2f} {prompts / took:>9,.0f} {sorting:>7.2f} {compared / prompts:>9.2f}"
        f" {found:>6.4f} {mixed:>6,}"
    )


def generate(prompts: int) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """The template of each prompt (int64[P], -1 for none) and the sketches, SKETCH values each."""
    rng = np.random.default_rng(prompts)
    template = np.full(prompts, -1)
    template[: prompts // 10] = 0
    rest = slice(prompts // 10, prompts // 2)
    template[rest] = 1 + np.arange(rest.stop - rest.start) // 20
    rng.shuffle(template)
    phrases = rng.integers(0, 2**32, 1_000, dtype=np.uint32)
    values = np.empty((prompts, SKETCH), np.uint32)
    for low in range(0, prompts, CHUNK):
        own = template[low : low + CHUNK, None]
        sets = rng.integers(0, 2**32, (len(own), SHINGLES), dtype=np.uint32)
        # A template's shingles, by a multiplicative hash of template and position.
        of_template = (own * 1_000_003 + np.arange(SHINGLES)).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        of_template = (of_template ^ of_template >> np.uint64(29)) * np.uint64(0xBF58476D1CE4E5B9) >> np.uint64(32)
        kept = (own >= 0) & (rng.random(sets.shape) < rng.uniform(0.6, 0.95, (len(own), 1)))
        sets = np.where(kept, of_template.astype(np.uint32), sets)
        sets[:, -5:] = phrases[(len(phrases) ** rng.random((len(own), 5))).astype(np.int64) - 1]
        sets.sort(axis=1)
        # Values that stand twice go to the end, far from the least that a sketch keeps.
        sets[:, 1:][sets[:, 1:] == sets[:, :-1]] = 0xFFFFFFFF
        sets.sort(axis=1)
        values[low : low + CHUNK] = sets[:, :SKETCH]
    return template, values.reshape(-1)


def agreement(template: NDArray[np.int64], clusters: NDArray[np.uint64]) -> tuple[float, int]:
    """The share of template prompts in their template's largest cluster, and how many templates are in a mixed one."""
    of = template >= 0
    joint, counts = np.unique(np.stack((template[of].astype(np.uint64), clusters[of])), axis=1, return_counts=True)
    largest = np.zeros(int(template.max()) + 1, np.int64)
    np.maximum.at(largest, joint[0].astype(np.int64), counts)
    _, back, templates = np.unique(joint[1], return_inverse=True, return_counts=True)
    return float(largest.sum() / of.sum()), len(np.unique(joint[0][templates[back] > 1]))


if __name__ == "__main__":
    main()
