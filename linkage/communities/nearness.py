"""Number nodes so that those which are tied lie near each other in memory: large searches are so much quicker.

O. Borůvka's rounds (1926): each node is put together with the one that it is tied to most, and what came of that again.
Nodes of one group are numbered side by side, groups of one greater group too.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.kernel import kernel, root_of

ROUNDS: Final = 3
"""Each makes the groups some times larger; after three they are about as large as communities get."""


def places(nodes: int, u: NDArray[np.int32], v: NDArray[np.int32], weight: NDArray[np.float32]) -> NDArray[np.int32]:
    """int32[nodes], another number for each node, from 0; the same for the same edges in any order.

    Args:
        nodes: how many there are.
        u, v: int32[E], the ends of each edge.
        weight: float32[E], > 0.
    """
    group = np.arange(nodes, dtype=np.int32)
    groups = []
    for _ in range(ROUNDS):
        group = _joined(group, u, v, weight)
        groups.append(group)
    place = np.empty(nodes, np.int32)
    place[np.lexsort(groups)] = np.arange(nodes, dtype=np.int32)
    return place


@kernel
def _joined(group, u, v, weight):  # type: ignore[no-untyped-def]
    """Put each group together with the one that it has the heaviest edge to; groups are named by their first node."""
    n = len(group)
    heaviest, to = np.zeros(n), np.full(n, n, np.int32)
    for e in range(len(u)):
        a, b = group[u[e]], group[v[e]]
        if a != b:
            if weight[e] > heaviest[a] or (weight[e] == heaviest[a] and b < to[a]):
                heaviest[a], to[a] = weight[e], b
            if weight[e] > heaviest[b] or (weight[e] == heaviest[b] and a < to[b]):
                heaviest[b], to[b] = weight[e], a
    parent = np.arange(n)
    for x in range(n):
        if to[x] < n:
            a, b = root_of(parent, x), root_of(parent, to[x])
            parent[max(a, b)] = min(a, b)
    out = np.empty(n, np.int32)
    for x in range(n):
        out[x] = root_of(parent, group[x])
    return out
