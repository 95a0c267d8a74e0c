"""Weakly connected components."""

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from linkage.communities.graph import Graph, Labels, numbered


def components(graph: Graph) -> Labels:
    """The connected components: int64[n], numbered by smallest member."""
    return _components(graph, np.ones(len(graph.other), np.bool_))


def connected_parts(graph: Graph, labels: Labels) -> Labels:
    """Split every community into its connected parts."""
    source = np.repeat(np.arange(graph.nodes), np.diff(graph.start))
    return _components(graph, labels[source] == labels[graph.other])


def _components(graph: Graph, kept: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> Labels:
    if not graph.nodes:
        return np.zeros(0, np.int64)
    before = np.concatenate(([0], np.cumsum(kept)))
    matrix = csr_array(
        (np.ones(int(kept.sum()), np.int8), graph.other[kept], before[graph.start]), shape=(graph.nodes, graph.nodes)
    )
    _, labels = connected_components(matrix, directed=False)
    found: Labels = numbered(labels.astype(np.int64))
    return found
