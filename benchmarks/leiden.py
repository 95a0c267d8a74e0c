"""Leiden under the constant Potts model: ours and that of others on the same graphs, in one run.

    pip install igraph graspologic-native
    python benchmarks/leiden.py [--case CASE] [--exports FOLDER] [--gds] [--louvain] [--least 2]

Four graphs, each at one gamma: the pair graphs of the worlds `campaigns` (or of `--case` in its place) and `mix` of
`linkage simulate`, the pair graph of exports that no simulator made (`--exports`), and an LFR graph by networkx.
Processor seconds are of the search alone, the least of three runs, each library given its own form of the graph before.
With --least the exit code is 1 where igraph takes fewer than so many times our seconds, or where our quality is worse
than its by more than `WITHIN`.

Beside them, once each, what maximises modularity in the place of CPM: python-louvain (--louvain, minutes for a million
edges), and the Leiden of Graph Data Science on a local server that is started for it (--gds; its processor seconds are
the server's and its client's, the way of the edges there and back included). Their quality under CPM says how another
objective does here, not how good they are at their own. igraph is GPL and no dependency.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import networkx as nx
import numpy as np

from linkage import server, store
from linkage.communities import Graph, Labels, cpm_quality, leiden, louvain
from linkage.evidence import HUB_DEGREE, learn_likeness, pair_edges, pair_prior, weigh
from linkage.graph.gds import Gds
from linkage.identify import identify
from linkage.ingest import ingest
from linkage.simulate import simulate

WITHIN: Final = 0.005
RUNS: Final = 3
PASSES: Final = 2


@dataclass(frozen=True)
class Contender:
    """How somebody finds communities, how often it is asked, and the process that works beside this one (0: none)."""

    search: Callable[[], Labels]
    runs: int = RUNS
    process: int = 0


def main() -> None:
    """Run every library on every graph, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--case", type=Path, help="a case whose pair graph is taken")
    parser.add_argument("--exports", type=Path, help="a folder of exports whose pair graph is taken")
    parser.add_argument("--nodes", type=int, default=20_000, help="of the LFR graph")
    parser.add_argument("--least", type=float, default=0.0, help="fail if we are not so many times as quick as igraph")
    parser.add_argument("--louvain", action="store_true", help="python-louvain, too")
    parser.add_argument("--gds", action="store_true", help="Graph Data Science, too, on a local server of its own")
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder, gds(Path(folder), options.gds) as process:
        print("| graph | nodes | edges | gamma | | CPU s | wall s | quality | of igraph's CPU s | of its quality |")
        print("|---|--:|--:|--:|---|--:|--:|--:|--:|--:|")
        for name, graph, gamma in graphs(options):
            others: dict[str, Contender] = {}
            if options.louvain:
                others["python-louvain, modularity"] = Contender(by_louvain(graph), 1)
            if process:
                others["GDS Leiden, modularity"] = Contender(by_gds(graph), 1, process)
            failed |= not race(name, graph, gamma, options.least, others)
    sys.exit(failed)


@contextmanager
def gds(folder: Path, wanted: bool) -> Iterator[int]:
    """The number of the process of a server with Graph Data Science that `Gds` finds, or 0 where none is wanted."""
    if not wanted:
        yield 0
        return
    up = server.up(folder / "neo4j", heap="4g")
    try:
        os.environ |= {
            "LINKAGE_NEO4J_URI": up.bolt_url,
            "LINKAGE_NEO4J_USER": up.user,
            "LINKAGE_NEO4J_PASSWORD": up.password,
        }
        one = np.ones(1, np.int32)
        Gds().partition(Graph.from_edges(2, one * 0, one, np.ones(1)), "leiden", 1)  # warm up
        yield up.pid
    finally:
        server.down(up.home)


def graphs(options: argparse.Namespace) -> Iterator[tuple[str, Graph, float]]:
    """Each graph with its name and its gamma."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("campaigns", "mix"):
            case = options.case if name == "campaigns" else None
            if case is None:
                world, case = Path(scratch) / name, Path(scratch) / f"{name}.duckdb"
                simulate(
                    world,
                    world=name,
                    accounts=20_000,
                    seed=101,
                    prompts="fingerprint",
                    format="parquet",
                )
                ingest([world], case)
            yield (f"simulated {name}", *pair_graph(case))
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


def race(name: str, graph: Graph, gamma: float, least: float, others: dict[str, Contender]) -> bool:
    """A line for each library; whether ours is quick and good enough."""
    contenders = {"linkage": Contender(lambda: leiden(graph, gamma, passes=PASSES))}
    if find_spec("igraph"):
        contenders["igraph"] = Contender(by_igraph(graph, gamma))
    if find_spec("graspologic_native"):
        contenders["graspologic-native"] = Contender(by_graspologic(graph, gamma))
    contenders |= others
    one = np.ones(1, np.int32)
    leiden(Graph.from_edges(2, one * 0, one, np.ones(1)), gamma)  # compile
    cpu, wall, quality = {}, {}, {}
    for library, contender in contenders.items():
        times = []
        for _ in range(contender.runs):
            before, started = seconds_of(contender.process), time.monotonic()
            labels = contender.search()
            times.append((seconds_of(contender.process) - before, time.monotonic() - started))
        (cpu[library], wall[library]), quality[library] = min(times), cpm_quality(graph, labels, gamma)
    theirs, best = cpu.get("igraph", np.nan), quality.get("igraph", np.nan)
    for library in contenders:
        print(
            f"| {name} | {graph.nodes:,} | {len(graph.other) // 2:,} | {gamma:.3g} | {library} | {cpu[library]:.3f} "
            f"| {wall[library]:.3f} | {quality[library]:,.0f} | {cpu[library] / theirs:.2f} "
            f"| {'' if library in others else f'{quality[library] / best - 1:+.4f}'} |",
            flush=True,
        )
    quick, good = theirs >= least * cpu["linkage"], quality["linkage"] >= (1 - WITHIN) * best
    return not least or bool(quick and good)


def seconds_of(process: int) -> float:
    """Processor seconds of this process, and with them those of another one, if any (Linux)."""
    own = time.process_time()
    if not process:
        return own
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return own + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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


def by_louvain(graph: Graph) -> Callable[[], Labels]:
    """python-louvain, which asks networkx for every edge; the graph of networkx is made in its time."""
    return lambda: louvain(graph)


def by_gds(graph: Graph) -> Callable[[], Labels]:
    """The Leiden of Graph Data Science, on one thread, as `linkage detect --engine gds` calls it."""
    return lambda: Gds().partition(graph, "leiden", 1)


if __name__ == "__main__":
    main()
