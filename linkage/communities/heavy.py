"""Which edges can decide a move under the constant Potts model, and what all others are worth at most.

A node x gains by joining a community only if some member y is tied to it by more than the pair costs,

    weight(x, y) > gamma * size(x) * size(y)

since the sum over the members is positive only if a term is. Such edges are called heavy; where communities are dense,
few are. A search walks the heavy edges and looks at the light ones only where those could tell.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.communities.graph import Graph, Labels
from linkage.kernel import kernel

EDGE: Final = 1e-6
"""An edge this much lighter than its pair's cost is heavy still: a tie may be decided by it, and sums are rounded."""


@dataclass(frozen=True)
class Heavy:
    """The heavy edges of a graph at one gamma.

    Attributes:
        start, other, weight: as those of `Graph`, in the same order.
        light: float64[n], the weight of each node's light edges together.
        rate: float64[n], the greatest of them by the size of the other end.
    """

    start: NDArray[np.int64]
    other: NDArray[np.int32]
    weight: NDArray[np.float32]
    light: NDArray[np.float64]
    rate: NDArray[np.float64]

    @classmethod
    def of(cls, graph: Graph, gamma: float) -> "Heavy":
        """The heavy edges of `graph`, which has no parallel ones."""
        return cls(*_heavy(graph.start, graph.other, graph.weight, graph.size, gamma, EDGE))


def contested(graph: Graph, heavy: Heavy, community: Labels) -> Graph:
    """The graph without the edges of nodes that stay where they are, whatever the others do.

    Such a node is a community of its own and has no heavy edge: nobody gains by joining it, and what is tied lightly
    stays so however nodes are merged. It keeps its number.

    Args:
        graph: its columns are written over, so that no second copy of a large graph stands beside it.
        heavy: its heavy edges.
        community: int64[n], from 0 to n - 1.
    """
    moving = (np.diff(heavy.start) > 0) | (np.bincount(community)[community] > 1)
    start, other, weight = _among(graph.start, graph.other, graph.weight, moving)
    return Graph(start, other, weight, graph.size)


@kernel
def _heavy(start, other, weight, size, gamma, edge):  # type: ignore[no-untyped-def]
    n, filled = len(size), 0
    heavy_start = np.zeros(n + 1, np.int64)
    light, rate = np.zeros(n), np.zeros(n)
    for x in range(n):
        unit = gamma * size[x]
        for e in range(start[x], start[x + 1]):
            filled += weight[e] > unit * size[other[e]] - edge
        heavy_start[x + 1] = filled
    heavy_other, heavy_weight = np.empty(filled, np.int32), np.empty(filled, np.float32)
    filled = 0
    for x in range(n):
        unit = gamma * size[x]
        for e in range(start[x], start[x + 1]):
            y, w = other[e], weight[e]
            if w > unit * size[y] - edge:
                heavy_other[filled], heavy_weight[filled] = y, w
                filled += 1
            else:
                light[x] += w
                rate[x] = max(rate[x], w / size[y])
    return heavy_start, heavy_other, heavy_weight, light, rate


@kernel
def _among(start, other, weight, kept):  # type: ignore[no-untyped-def]
    filled = low = 0
    for x in range(len(kept)):
        high = start[x + 1]
        if kept[x]:
            for e in range(low, high):
                other[filled], weight[filled] = other[e], weight[e]
                filled += kept[other[e]]
        low, start[x + 1] = high, filled
    return start, other[:filled], weight[:filled]
