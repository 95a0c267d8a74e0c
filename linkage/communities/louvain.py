"""Louvain by python-louvain: modularity (Blondel et al. 2008, doi:10.1088/1742-5468/2008/10/P10008).

A choice, not the default: modularity's resolution limit (Fortunato and Barthelemy 2007, doi:10.1073/pnas.0605965104)
merges small rings. Below resolution 1 the stopping test and the move rule of python-louvain 0.16 disagree and the
result is wrong, so that is refused; its result depends on the order of nodes even with a seed, so they go in sorted.
"""

import networkx as nx
import numpy as np

from linkage.communities.graph import Graph, Labels, numbered
from linkage.errors import UsageError


def louvain(graph: Graph, *, resolution: float = 1.0, seed: int = 1) -> Labels:
    """Communities: int64[n], numbered by smallest member.

    Args:
        graph: the weighted graph.
        resolution: at least 1; higher gives smaller communities.
        seed: of the visiting orders.

    Raises:
        UsageError: a resolution below 1.
    """
    if resolution < 1:
        raise UsageError(
            "python-louvain is wrong below resolution 1.", "Use --resolution 0 or more, or --algorithm leiden."
        )
    # Imported late: it is slow, rarely chosen, and installs a top-level module called `community`.
    import community  # noqa: PLC0415

    source = np.repeat(np.arange(graph.nodes), np.diff(graph.start))
    once = source < graph.other
    ends, weight = np.stack((source[once], graph.other[once]), axis=1), graph.weight[once]
    pairs, inverse = np.unique(ends, axis=0, return_inverse=True)
    total = np.bincount(inverse.ravel(), weight, minlength=len(pairs))
    whole: nx.Graph[int] = nx.Graph()
    whole.add_nodes_from(range(graph.nodes))
    whole.add_weighted_edges_from(
        (int(a), int(b), float(w)) for (a, b), w in zip(pairs.tolist(), total.tolist(), strict=True)
    )
    if not len(pairs):
        return np.arange(graph.nodes, dtype=np.int64)
    partition = community.best_partition(whole, weight="weight", resolution=resolution, random_state=seed)
    found: Labels = numbered(np.array([partition[x] for x in range(graph.nodes)], dtype=np.int64))
    return found
