"""An undirected weighted graph in compressed sparse rows, and the numbering of communities."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linkage.errors import UsageError
from linkage.kernel import kernel

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Graph:
    """An undirected graph; every edge stands twice, once from each end. No self-loops.

    Attributes:
        start: int64[n + 1], node x's edges are [start[x], start[x + 1]).
        other: int32[2E], the node at the other end.
        weight: float32[2E], > 0. There is at most one edge between two nodes.
        size: float64[n], how many original nodes each node stands for.
    """

    start: NDArray[np.int64]
    other: NDArray[np.int32]
    weight: NDArray[np.float32]
    size: NDArray[np.float64]

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return len(self.size)

    @classmethod
    def from_edges(
        cls, nodes: int, u: NDArray[np.int32], v: NDArray[np.int32], weight: NDArray[np.floating[Any]]
    ) -> "Graph":
        """A graph of `nodes` nodes of size 1 with the edges u[e]-v[e], each given once.

        Parallel edges add up. Edges of weight 0 and self-loops are left out: they tie nothing.

        Raises:
            UsageError: a weight that is negative or not finite.
        """
        with np.errstate(over="ignore"):
            bits = weight.astype(np.float32, copy=False)
        if not (np.isfinite(bits) & (bits >= 0)).all():
            raise UsageError("An edge has a weight that is negative or not finite.", "Give weights in bits, 0 or more.")
        # The kernels take a community whose summed weight is 0 for one that they have not met: a weight of 0 would
        # have them write past the end of an array.
        kept = (u != v) & (bits > 0)
        if not kept.all():
            u, v, bits = u[kept], v[kept], bits[kept]
        # Columns that are of this type already are not copied.
        start, other, both = _rows(nodes, u.astype(np.int32, copy=False), v.astype(np.int32, copy=False), bits)
        return cls(start, other, both, np.ones(nodes))

    def merged(self, labels: Labels) -> "Graph":
        """The graph whose nodes are the communities of `labels` (0 to k - 1); weights between two add up."""
        start, other, weight, size = _merge(self.start, self.other, self.weight, self.size, labels)
        return Graph(start, other, weight, size)


@kernel
def _rows(n, u, v, w):  # type: ignore[no-untyped-def]
    start = np.zeros(n + 1, np.int64)
    for e in range(len(u)):
        start[u[e] + 1] += 1
        start[v[e] + 1] += 1
    for x in range(n):
        start[x + 1] += start[x]
    place = start[:-1].copy()
    other, both = np.empty(2 * len(u), np.int32), np.empty(2 * len(u), np.float32)
    for e in range(len(u)):
        a, b = u[e], v[e]
        other[place[a]], both[place[a]] = b, w[e]
        other[place[b]], both[place[b]] = a, w[e]
        place[a] += 1
        place[b] += 1
    # Parallel edges add up, where the first of them is.
    at, filled = np.full(n, -1), 0
    low = start[0]
    for x in range(n):
        first, high = filled, start[x + 1]
        for e in range(low, high):
            y, weight = other[e], both[e]
            if at[y] >= first:
                both[at[y]] += weight
            else:
                at[y], other[filled], both[filled] = filled, y, weight
                filled += 1
        low, start[x + 1] = high, filled
    # Not copied: what was never written takes no memory.
    return start, other[:filled], both[:filled]


@kernel
def _merge(start, other, weight, size, labels):  # type: ignore[no-untyped-def]
    n = len(size)
    k = 0
    for x in range(n):
        k = max(k, labels[x] + 1)
    merged_size, members_start = np.zeros(k), np.zeros(k + 1, np.int64)
    for x in range(n):
        merged_size[labels[x]] += size[x]
        members_start[labels[x] + 1] += 1
    for c in range(k):
        members_start[c + 1] += members_start[c]
    place, members = members_start[:-1].copy(), np.empty(n, np.int32)
    for x in range(n):
        members[place[labels[x]]] = x
        place[labels[x]] += 1
    total, touched = np.zeros(k), np.empty(k + 1, np.int32)
    merged_start = np.zeros(k + 1, np.int64)
    merged_other, merged_weight = np.empty(len(other), np.int32), np.empty(len(other), np.float32)
    filled = 0
    for c in range(k):
        n_touched = 0
        for m in range(members_start[c], members_start[c + 1]):
            x = members[m]
            for e in range(start[x], start[x + 1]):
                d = labels[other[e]]
                if d == c:
                    continue
                # Written always, counted if new: a branch that nobody can foresee costs more.
                touched[n_touched] = d
                n_touched += total[d] == 0.0
                total[d] += weight[e]
        for t in range(n_touched):
            merged_other[filled], merged_weight[filled] = touched[t], total[touched[t]]
            total[touched[t]] = 0.0
            filled += 1
        merged_start[c + 1] = filled
    return merged_start, merged_other[:filled], merged_weight[:filled], merged_size


@kernel
def numbered(labels):  # type: ignore[no-untyped-def]
    """Number communities from 0 by their smallest member; -1, which is no community, stays."""
    most = -1
    for x in range(len(labels)):
        most = max(most, labels[x])
    name = np.full(most + 1, -1, np.int64)
    out = np.full(len(labels), -1, np.int64)
    k = 0
    for x in range(len(labels)):
        if labels[x] < 0:
            continue
        if name[labels[x]] < 0:
            name[labels[x]] = k
            k += 1
        out[x] = name[labels[x]]
    return out
