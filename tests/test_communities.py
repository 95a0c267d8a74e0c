"""Communities against brute force, networkx, and planted truth."""

from collections.abc import Iterator
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.communities import (
    ALGORITHMS,
    Graph,
    Labels,
    communities,
    components,
    cpm_quality,
    ladder,
    leiden,
    louvain,
)
from linkage.errors import UsageError

Edge = tuple[int, int, float]

small_graphs = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.floats(0.1, 5)).filter(lambda e: e[0] != e[1]),
    min_size=1,
    max_size=20,
)


def graph_of(nodes: int, edges: list[Edge]) -> Graph:
    columns = np.array(edges).reshape(-1, 3)
    return Graph.from_edges(nodes, columns[:, 0].astype(np.int32), columns[:, 1].astype(np.int32), columns[:, 2])


def partitions(nodes: int) -> Iterator[Labels]:
    """Every partition of `nodes` nodes, as restricted growth strings."""

    def grow(prefix: list[int]) -> Iterator[Labels]:
        if len(prefix) == nodes:
            yield np.array(prefix, dtype=np.int64)
            return
        for label in range(max(prefix, default=-1) + 2):
            yield from grow([*prefix, label])

    return grow([])


def cliques(sizes: list[int], weight: float, between: float) -> tuple[Graph, Labels]:
    """Cliques in a row, each tied to the next by one edge."""
    edges: list[Edge] = []
    truth: list[int] = []
    for group, size in enumerate(sizes):
        base = len(truth)
        edges += [(base + a, base + b, weight) for a in range(size) for b in range(a)]
        if base:
            edges.append((base - 1, base, between))
        truth += [group] * size
    return graph_of(len(truth), edges), np.array(truth, dtype=np.int64)


@given(small_graphs, st.floats(0.2, 3))
@settings(deadline=None, max_examples=40)
def test_leiden_is_close_to_the_best_partition_there_is(edges: list[Edge], gamma: float) -> None:
    graph = graph_of(7, edges)
    best = max(cpm_quality(graph, labels, gamma) for labels in partitions(7))
    found = cpm_quality(graph, leiden(graph, gamma), gamma)
    assert found <= best + 1e-6
    assert found >= 0.8 * best - 1e-6


@given(small_graphs, st.floats(0.2, 3), st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_no_node_gains_by_moving_and_communities_are_connected(edges: list[Edge], gamma: float, seed: int) -> None:
    graph = graph_of(7, edges)
    labels = leiden(graph, gamma, seed=seed)
    quality = cpm_quality(graph, labels, gamma)
    for node in range(7):
        for target in range(int(labels.max()) + 2):
            moved = labels.copy()
            moved[node] = target
            assert cpm_quality(graph, moved, gamma) <= quality + 1e-6
    plain = nx.Graph([(a, b) for a, b, _ in edges])
    plain.add_nodes_from(range(7))
    for label in range(int(labels.max()) + 1):
        assert nx.is_connected(plain.subgraph(np.flatnonzero(labels == label).tolist()))


def test_quality_is_that_of_the_definition() -> None:
    graph, truth = cliques([3, 2], 2.0, 1.0)
    assert cpm_quality(graph, truth, 0.5) == pytest.approx(3 * 2.0 + 2.0 - 0.5 * (3 + 1))


@given(small_graphs)
@settings(deadline=None, max_examples=40)
def test_the_ladder_is_nested_and_numbered_by_smallest_member(edges: list[Edge]) -> None:
    levels = ladder(graph_of(7, edges), [4.0, 1.0, 0.25, 0.06])
    for lower, upper in pairwise(levels):
        for label in range(int(lower.max()) + 1):
            assert len(set(upper[lower == label].tolist())) == 1
    for labels in levels:
        firsts = [labels.tolist().index(label) for label in range(int(labels.max()) + 1)]
        assert firsts == sorted(firsts)


@given(small_graphs)
@settings(deadline=None, max_examples=40)
def test_components_are_those_of_networkx(edges: list[Edge]) -> None:
    plain = nx.Graph([(a, b) for a, b, _ in edges])
    plain.add_nodes_from(range(7))
    labels = components(graph_of(7, edges))
    ours = {frozenset(np.flatnonzero(labels == label).tolist()) for label in range(int(labels.max()) + 1)}
    assert ours == {frozenset(part) for part in nx.connected_components(plain)}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_parts_two_cliques_or_says_why_not(algorithm: str) -> None:
    graph, truth = cliques([8, 8], 3.0, 0.5)
    labels = communities(graph, algorithm, gamma=1.0)
    if algorithm == "wcc":
        assert labels.tolist() == [0] * 16
    else:
        assert labels.tolist() == truth.tolist()
    assert labels.tolist() == communities(graph, algorithm, gamma=1.0).tolist()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_graphs_without_edges_or_nodes(algorithm: str) -> None:
    none = np.zeros(0, np.int32)
    assert communities(Graph.from_edges(3, none, none, np.zeros(0)), algorithm, gamma=1.0).tolist() == [0, 1, 2]
    assert communities(Graph.from_edges(0, none, none, np.zeros(0)), algorithm, gamma=1.0).tolist() == []


def test_modularity_merges_small_cliques_in_a_long_row_and_cpm_does_not() -> None:
    graph, truth = cliques([5] * 60, 1.0, 1.0)
    assert leiden(graph, 0.5).tolist() == truth.tolist()
    assert len(set(louvain(graph).tolist())) < 60


def test_planted_rings_of_all_sizes_are_found() -> None:
    rng = np.random.default_rng(7)
    sizes = [int(s) for s in np.geomspace(3, 300, 40)]
    starts = np.cumsum([0, *sizes])
    nodes = int(starts[-1]) + 3_000
    edges: list[Edge] = []
    for size, base in zip(sizes, starts, strict=False):
        for a in range(size):
            for b in range(a):
                if rng.random() < (1.0 if size < 8 else 0.6):
                    edges.append((int(base) + a, int(base) + b, 10.0))
    noise = rng.integers(0, nodes, (4 * nodes, 2))
    edges += [(int(a), int(b), 2.0) for a, b in noise if a != b]
    labels = leiden(graph_of(nodes, edges), 3.0)
    found = 0
    for size, base in zip(sizes, starts, strict=False):
        ring = set(range(int(base), int(base) + size))
        best = max(
            len(ring & other) / len(ring | other)
            for other in (set(np.flatnonzero(labels == label).tolist()) for label in set(labels[list(ring)].tolist()))
        )
        found += best >= 0.7
    assert found >= 0.95 * len(sizes)


def test_what_an_algorithm_cannot_do_is_refused() -> None:
    graph, _ = cliques([3, 3], 1.0, 1.0)
    with pytest.raises(UsageError, match="below resolution 1"):
        communities(graph, "louvain", gamma=1.0, shift=-1.0)
    with pytest.raises(UsageError, match="no resolution"):
        communities(graph, "wcc", gamma=1.0, shift=1.0)
    with pytest.raises(UsageError, match="no algorithm"):
        communities(graph, "magic", gamma=1.0)
