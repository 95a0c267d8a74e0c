"""Leiden under the constant Potts model: ours, igraph's and graspologic's on the same graphs, in one run.

    pip install igraph graspologic-native
    python benchmarks/leiden.py [--case CASE] [--exports FOLDER] [--least 2]

Three graphs, each at one gamma: the pair graph of a case (by default of a world that `linkage simulate` makes), the
pair graph of exports that no simulator made (`--exports`), and an LFR graph by networkx. Processor seconds are of the
search alone, the least of three runs, each library given its own form of the graph before. With --least the exit code
is 1 where igraph takes fewer than so many times our seconds, or where our quality is worse than its by more than
`WITHIN`.
igraph is GPL and no dependency.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import networkx as nx
import numpy as np

from linkage import store
from linkage.communities import Graph, Labels, cpm_quality, leiden
from linkage.evidence import HUB_DEGREE, learn_likeness, pair_edges, pair_prior, weigh
from linkage.identify import identify
from linkage.ingest import ingest
from linkage.simulate import simulate

WITHIN: Final = 0.005
RUNS: Final = 3
PASSES: Final = 2


def main() -> None:
    """Run every library on every graph, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--case", type=Path, help="a case whose pair graph is taken")
    parser.add_argument("--exports", type=Path, help="a folder of exports whose pair graph is taken")
    parser.add_argument("--nodes", type=int, default=20_000, help="of the LFR graph")
    parser.add_argument("--least", type=float, default=0.0, help="fail if we are not so many times as quick as igraph")
    options = parser.parse_args()
    print("| graph | nodes | edges | gamma | | CPU s | quality | of igraph's |\n|---|--:|--:|--:|---|--:|--:|--:|")
    failed = False
    for name, graph, gamma in graphs(options):
        failed |= not race(name, graph, gamma, options.least)
    sys.exit(failed)


def graphs(options: argparse.Namespace) -> Iterator[tuple[str, Graph, float]]:
    """Each graph with its name and its gamma."""
    with tempfile.TemporaryDirectory() as scratch:
        case = options.case
        if case is None:
            simulate(
                Path(scratch) / "world",
                world="campaigns",
                accounts=20_000,
                seed=101,
                prompts="fingerprint",
                format="parquet",
            )
            case = Path(scratch) / "world.duckdb"
            ingest([Path(scratch) / "world"], case)
        yield ("simulated campaigns", *pair_graph(case))
        if options.exports:
            case = Path(scratch) / "exports.duckdb"
            ingest([options.exports], case)
            yield ("exports given", *pair_graph(case))
    lfr = nx.LFR_benchmark_graph(
        options.nodes, 2.5, 1.5, 0.3, average_degree=20, max_degree=200, min_community=10, max_community=400, seed=1
    )
    lfr.remove_edges_from(list(nx.selfloop_edges(lfr)))
    u, v = np.array(lfr.edges, dtype=np.int32).T
    yield "LFR, mixing 0.3", Graph.from_edges(options.nodes, u, v, np.ones(len(u))), 0.05


def pair_graph(case: Path) -> tuple[Graph, float]:
    """The graph that `detect` searches first, and its gamma."""
    with store.scratch(case) as con:
        weighed = learn_likeness(weigh(identify(con, case)), HUB_DEGREE)
    graph = Graph.from_edges(weighed.sightings.accounts, *pair_edges(weighed, HUB_DEGREE))
    return graph, pair_prior(weighed.population)


def race(name: str, graph: Graph, gamma: float, least: float) -> bool:
    """A line for each library; whether ours is quick and good enough."""
    searches: dict[str, Callable[[], Labels]] = {"linkage": lambda: leiden(graph, gamma, passes=PASSES)}
    if find_spec("igraph"):
        searches["igraph"] = by_igraph(graph, gamma)
    if find_spec("graspologic_native"):
        searches["graspologic-native"] = by_graspologic(graph, gamma)
    one = np.ones(1, np.int32)
    leiden(Graph.from_edges(2, one * 0, one, np.ones(1)), gamma)  # compile
    seconds, quality = {}, {}
    for library, search in searches.items():
        times = []
        for _ in range(RUNS):
            started = time.process_time()
            labels = search()
            times.append(time.process_time() - started)
        seconds[library], quality[library] = min(times), cpm_quality(graph, labels, gamma)
    theirs, best = seconds.get("igraph", np.nan), quality.get("igraph", np.nan)
    for library in searches:
        print(
            f"| {name} | {graph.nodes:,} | {len(graph.other) // 2:,} | {gamma:.3g} | {library} "
            f"| {seconds[library]:.3f} | {quality[library]:,.0f} | {seconds[library] / theirs:.2f} of its seconds, "
            f"{quality[library] / best - 1:+.4f} |",
            flush=True,
        )
    quick, good = theirs >= least * seconds["linkage"], quality["linkage"] >= (1 - WITHIN) * best
    return not least or bool(quick and good)


def edges(graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    """Each edge once, and its weight."""
    source = np.repeat(np.arange(graph.nodes), np.diff(graph.start))
    once = source < graph.other
    return np.stack((source[once], graph.other[once]), axis=1), graph.weight[once]


def by_igraph(graph: Graph, gamma: float) -> Callable[[], Labels]:
    """igraph draws from Python's generator."""
    import igraph

    ends, weight = edges(graph)
    given, weights = igraph.Graph(n=graph.nodes, edges=ends), weight.tolist()

    def search() -> Labels:
        random.seed(1)
        parts = given.community_leiden("CPM", weights=weights, resolution=gamma, n_iterations=PASSES)
        return np.array(parts.membership, dtype=np.int64)

    return search


def by_graspologic(graph: Graph, gamma: float) -> Callable[[], Labels]:
    """graspologic's library in Rust, which takes the names of nodes."""
    import graspologic_native

    ends, weight = edges(graph)
    given = [(str(a), str(b), w) for (a, b), w in zip(ends.tolist(), weight.tolist(), strict=True)]

    def search() -> Labels:
        _, found = graspologic_native.leiden(
            edges=given,
            starting_communities=None,
            resolution=gamma,
            randomness=0.001,
            iterations=PASSES,
            use_modularity=False,
            seed=1,
            trials=1,
        )
        # A node without edges is not named; it is a community of its own.
        labels = np.arange(graph.nodes, dtype=np.int64) + graph.nodes
        for node, community in found.items():
            labels[int(node)] = community
        return np.unique(labels, return_inverse=True)[1].astype(np.int64)

    return search


if __name__ == "__main__":
    main()
