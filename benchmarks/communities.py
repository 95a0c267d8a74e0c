"""Community detection: seconds, and the share of planted rings that are found, on one generated graph in one run.

    python benchmarks/communities.py [--scale 1.0] [--gds]

Scale 1 is a million nodes. Rings of 3 to 1,500 accounts are planted among noise. A ring counts as found if its best
community has a Jaccard index of at least 0.7. Above 100,000 nodes a second comparison at 100,000 follows, with
python-louvain. With --gds Graph Data Science is measured alone, on the Neo4j server that `linkage` finds. igraph is
compared where it is installed: `pip install igraph` (GPL, so it is no dependency).
"""

import argparse
import importlib.util
import random
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from linkage.communities import Graph, Labels, components, cpm_quality, label_propagation, ladder, leiden, louvain
from linkage.graph.gds import Gds

Ints = NDArray[np.int32]
LOUVAIN_NODES = 100_000
GAMMA = 3.0
RUNGS = 7


def main() -> None:
    """Generate, time each method, print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="1 is a million nodes")
    parser.add_argument("--gds", action="store_true", help="measure Graph Data Science, and nothing else")
    options = parser.parse_args()
    nodes = int(1_000_000 * options.scale)
    if options.gds:
        compare_gds(nodes)
        return
    compare(nodes)
    # python-louvain takes minutes for what the others do in seconds: it gets a graph of its own size, and they too.
    if nodes > LOUVAIN_NODES:
        compare(LOUVAIN_NODES)


def compare(nodes: int) -> None:
    """Time every method that can take a graph of so many nodes."""
    u, v, weight, truth = generate(nodes)
    graph = Graph.from_edges(nodes, u, v, weight)
    tiny = Graph.from_edges(4, u[:1] * 0, u[:1] * 0 + 1, weight[:1])
    leiden(tiny, GAMMA)  # compile
    label_propagation(tiny)
    print(f"{nodes:,} nodes, {len(u):,} edges, {truth.max() + 1:,} rings")
    methods: list[tuple[str, Callable[[], Labels]]] = [
        ("leiden, 1 pass", lambda: leiden(graph, GAMMA, passes=1)),
        ("leiden, 2 passes", lambda: leiden(graph, GAMMA)),
        ("label propagation", lambda: label_propagation(graph)),
        ("components", lambda: components(graph)),
    ]
    if importlib.util.find_spec("igraph"):
        methods.append(("igraph leiden, 2", lambda: igraph_leiden(nodes, u, v, weight)))
    if nodes <= LOUVAIN_NODES:
        methods.append(("python-louvain", lambda: louvain(graph)))
    for name, method in methods:
        started = time.process_time()
        labels = method()
        seconds = time.process_time() - started
        quality = cpm_quality(graph, labels, GAMMA)
        print(
            f"{name:>20}: {seconds:7.1f} CPU s, {found([labels], truth):.3f} found, CPM quality {quality:,.0f}",
            flush=True,
        )
    started = time.process_time()
    rungs = ladder(graph, [GAMMA / 4**rung for rung in range(RUNGS)])
    seconds = time.process_time() - started
    print(f"{'ladder, any rung':>20}: {seconds:7.1f} CPU s, {found(rungs, truth):.3f} found", flush=True)


def compare_gds(nodes: int) -> None:
    """Wall seconds: the work is done by another process. Each time the graph travels again."""
    u, v, weight, truth = generate(nodes)
    graph = Graph.from_edges(nodes, u, v, weight)
    engine = Gds()
    engine.partition(Graph.from_edges(2, u[:1] * 0, u[:1] * 0 + 1, weight[:1]), "leiden", 1)  # warm up
    print(f"{nodes:,} nodes, {len(u):,} edges, {truth.max() + 1:,} rings")
    for algorithm in ("wcc", "label-propagation", "louvain", "leiden"):
        started = time.monotonic()
        labels = engine.partition(graph, algorithm, 1)
        print(f"{algorithm:>20}: {time.monotonic() - started:7.1f} s, {found([labels], truth):.3f} found", flush=True)


def generate(nodes: int) -> tuple[Ints, Ints, NDArray[np.float64], Labels]:
    """Edges u-v with weights, and the ring of each node (-1 for none)."""
    rng = np.random.default_rng(1)
    truth = np.full(nodes, -1, np.int64)
    ends: list[NDArray[np.int64]] = []
    place = ring = 0
    while place < nodes // 8:
        size = int(min(3 * (1 + rng.pareto(0.9)), 1_500))
        pairs = size * (size - 1) // 2
        count = min(pairs, max(3, int(size * min(size - 1, 24) * 0.35)))
        a, b = rng.integers(0, size, (2, 3 * count))
        kept = np.unique(np.sort(np.stack((a, b), axis=1)[a != b], axis=1), axis=0)[: count + 1]
        ends.append(kept + place)
        truth[place : place + size] = ring
        place, ring = place + size, ring + 1
    inside = np.concatenate(ends)
    noise = rng.integers(0, nodes, (6 * nodes, 2))
    noise = np.sort(noise[noise[:, 0] != noise[:, 1]], axis=1)
    both = np.concatenate((inside, noise)).astype(np.int32)
    weight = np.concatenate((np.full(len(inside), 8.0), np.full(len(noise), 2.0)))
    return both[:, 0], both[:, 1], weight, truth


def found(partitions: list[Labels], truth: Labels) -> float:
    """Share of rings whose best community in any of the partitions has Jaccard >= 0.7."""
    return float((np.max([best_jaccard(labels, truth) for labels in partitions], axis=0) >= 0.7).mean())


def best_jaccard(labels: Labels, truth: Labels) -> NDArray[np.float64]:
    """For each ring the Jaccard index of its best community."""
    size = np.bincount(labels)
    planted = truth >= 0
    width = int(labels.max()) + 1
    cells, common = np.unique(truth[planted] * width + labels[planted], return_counts=True)
    ring, community = cells // width, cells % width
    ring_size = np.bincount(truth[planted])
    jaccard = common / (ring_size[ring] + size[community] - common)
    best = np.zeros(len(ring_size))
    np.maximum.at(best, ring, jaccard)
    return best


def igraph_leiden(nodes: int, u: Ints, v: Ints, weight: NDArray[np.float64]) -> Labels:
    """The same objective by igraph, which draws from Python's generator."""
    import igraph

    random.seed(1)
    graph = igraph.Graph(n=nodes, edges=np.stack((u, v), axis=1))
    parts = graph.community_leiden("CPM", weights=weight, resolution=GAMMA, n_iterations=2)
    return np.array(parts.membership, dtype=np.int64)


if __name__ == "__main__":
    main()
