"""Weakly connected components."""

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from linkage.communities.graph import Graph, Labels, numbered
from linkage.communities.heavy import Heavy
from linkage.kernel import kernel, root_of


def components(graph: Graph) -> Labels:
    """The connected components: int64[n], numbered by smallest member."""
    if not graph.nodes:
        return np.zeros(0, np.int64)
    matrix = csr_array((np.ones(len(graph.other), np.int8), graph.other, graph.start), shape=(graph.nodes, graph.nodes))
    _, labels = connected_components(matrix, directed=False)
    found: Labels = numbered(labels.astype(np.int64))
    return found


def connected_parts(graph: Graph, heavy: Heavy, labels: Labels) -> Labels:
    """Split every community into its connected parts. Heavy edges hold most together, and are looked at first."""
    parent = np.arange(graph.nodes)
    # A community of m nodes is connected after m - 1 unions.
    missing = np.bincount(labels) - 1
    _unite(heavy.start, heavy.other, labels, parent, missing)
    _unite(graph.start, graph.other, labels, parent, missing)
    found: Labels = numbered(_roots(parent))
    return found


@kernel
def _unite(start, other, labels, parent, missing):  # type: ignore[no-untyped-def]
    for x in range(len(labels)):
        if missing[labels[x]] == 0:
            continue
        for e in range(start[x], start[x + 1]):
            if labels[other[e]] != labels[x]:
                continue
            a, b = root_of(parent, x), root_of(parent, other[e])
            if a != b:
                parent[max(a, b)] = min(a, b)
                missing[labels[x]] -= 1


@kernel
def _roots(parent):  # type: ignore[no-untyped-def]
    roots = np.empty(len(parent), np.int64)
    for x in range(len(parent)):
        roots[x] = root_of(parent, x)
    return roots
