"""What others would do with the same tables, each with the defaults that its papers and manuals give; none is fitted.

- Louvain: accounts that share a payment, address, device or prompt fingerprint that at most 50 hold, weighted by the
  number of shared values, in networkx; python-louvain's best partition; communities of 5 accounts or more are flagged.
- Components: connected components over values that at most 20 accounts hold; those of 3 accounts or more are flagged.
- FRAUDAR: see `accuracy_fraudar`.
- igraph Leiden on the projection of Louvain, by modularity and by CPM, both at igraph's resolution of 1; 5 accounts
  or more.

Each ranks its groups, the most tied first, since an analyst begins at the top: by the mean weight of a member's ties.
"""

import importlib.util
import random
from collections.abc import Callable, Iterator

import networkx as nx
import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from benchmarks.accuracy_fraudar import fraudar
from benchmarks.accuracy_tables import LEAST_RING, Floats, Ints, Shared, projected

CAP = 50
"""Most holders of a value that ties accounts in a projection: without one it does not end."""

COMPONENT_CAP = 20
"""Most holders of a value that ties accounts into one component."""

COMMUNITY = 5
"""The smallest community that is flagged."""

Baseline = Callable[[Shared], list[list[str]]]


def naive_louvain(shared: Shared) -> list[list[str]]:
    """pandas, networkx and python-louvain, as most begin."""
    # Imported late: it installs a top-level module called `community`.
    import community

    a, b, weight = projected(shared, CAP)
    graph: nx.Graph[int] = nx.from_pandas_edgelist(
        pd.DataFrame({"a": a, "b": b, "weight": weight}), "a", "b", edge_attr="weight"
    )
    if not graph:
        return []
    partition = community.best_partition(graph, weight="weight", random_state=1)
    labels = np.full(len(shared.names), -1)
    labels[list(partition)] = list(partition.values())
    return shared.groups(labels, COMMUNITY, _inside(labels, a, b, weight))


def capped_components(shared: Shared) -> list[list[str]]:
    """Connected components of accounts and values; a member's ties are the values that it shares."""
    kept = shared.holders[shared.identifier] <= COMPONENT_CAP
    account, identifier = shared.account[kept], shared.identifier[kept]
    count = len(shared.names)
    size = count + len(shared.kind)
    graph = coo_matrix((np.ones(len(account), np.int8), (account, count + identifier)), shape=(size, size))
    labels = connected_components(graph, directed=False)[1][:count].astype(np.int64)
    return shared.groups(labels, LEAST_RING, np.bincount(account, minlength=count).astype(float))


def igraph_leiden(objective: str) -> Baseline:
    """Leiden by igraph, which draws from Python's generator; the objective is `modularity` or `CPM`."""

    def found(shared: Shared) -> list[list[str]]:
        import igraph

        a, b, weight = projected(shared, CAP)
        graph = igraph.Graph(n=len(shared.names), edges=np.stack((a, b), axis=1))
        random.seed(1)
        parts = graph.community_leiden(objective, weights=weight, resolution=1.0, n_iterations=-1)
        labels = np.array(parts.membership, dtype=np.int64)
        return shared.groups(labels, COMMUNITY, _inside(labels, a, b, weight))

    return found


def baselines() -> Iterator[tuple[str, Baseline]]:
    """Name and function of each; igraph is measured where it is installed (it is GPL, so it is no dependency)."""
    yield "naive Louvain", naive_louvain
    yield "capped components", capped_components
    yield "FRAUDAR", fraudar
    if importlib.util.find_spec("igraph"):
        yield "igraph Leiden, modularity", igraph_leiden("modularity")
        yield "igraph Leiden, CPM", igraph_leiden("CPM")


def _inside(labels: Ints, a: Ints, b: Ints, weight: Ints) -> Floats:
    """float64[n], the weight of each account's ties within its group."""
    same = labels[a] == labels[b]
    ends, weights = np.concatenate((a[same], b[same])), np.concatenate((weight[same], weight[same]))
    total: Floats = np.bincount(ends, weights.astype(float), minlength=len(labels)).astype(float)
    return total
