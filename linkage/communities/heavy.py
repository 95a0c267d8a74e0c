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
    weight: NDArray[np.float64]
    light: NDArray[np.float64]
    rate: NDArray[np.float64]

    @classmethod
    def of(cls, graph: Graph, gamma: float) -> "Heavy":
        """The heavy edges of `graph`, which has no parallel ones."""
        return cls(*_heavy(graph.start, graph.other, graph.weight, graph.size, gamma, EDGE))


def merged_where_it_matters(graph: Graph, heavy: Heavy, parts: Labels, community: Labels, gamma: float) -> Graph:
    """`graph.merged(parts)` without the edges that can never decide a move at this gamma.

    A part that is a community of its own and has no heavy edge to another part stays alone, whatever the others do: two
    parts that are tied lightly stay so however they are merged. It keeps its number, and loses its edges.

    Args:
        graph, heavy: the graph, and its heavy edges at `gamma`.
        parts: int64[n], the node that each node becomes a part of.
        community: int64[parts], the community of each part.
        gamma: as `heavy` was made for.
    """
    return Graph(
        *_merge_active(
            graph.start, graph.other, graph.weight, graph.size, heavy.start, heavy.other, parts, community, gamma, EDGE
        )
    )


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
    heavy_other, heavy_weight = np.empty(filled, np.int32), np.empty(filled, np.float64)
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
def _active(
    start, other, weight, size, heavy_start, heavy_other, parts, community, gamma, edge, members_start, members
):  # type: ignore[no-untyped-def]
    """Whether each part has a heavy edge to another one, or company in its community."""
    k = len(members_start) - 1
    whole = np.zeros(k, np.float64)
    for x in range(len(size)):
        whole[parts[x]] += size[x]
    company = np.zeros(k, np.int64)
    for p in range(k):
        company[community[p]] += 1
    active = np.empty(k, np.bool_)
    for p in range(k):
        active[p] = company[community[p]] > 1
    asked, tie, touched = np.full(k, -1), np.zeros(k), np.empty(k + 1, np.int32)
    for p in range(k):
        n_touched = 0
        for m in range(members_start[p], members_start[p + 1]):
            for e in range(heavy_start[members[m]], heavy_start[members[m] + 1]):
                q = parts[heavy_other[e]]
                if q > p and asked[q] != p and not (active[p] and active[q]):
                    asked[q] = p
                    touched[n_touched] = q
                    n_touched += 1
        if n_touched == 0:
            continue
        for m in range(members_start[p], members_start[p + 1]):
            for e in range(start[members[m]], start[members[m] + 1]):
                q = parts[other[e]]
                if asked[q] == p:
                    tie[q] += weight[e]
        for t in range(n_touched):
            q = touched[t]
            if tie[q] > gamma * whole[p] * whole[q] - edge:
                active[p] = active[q] = True
            tie[q] = 0.0
    return active, whole


@kernel
def _merge_active(start, other, weight, size, heavy_start, heavy_other, parts, community, gamma, edge):  # type: ignore[no-untyped-def]
    n, k = len(size), len(community)
    members_start = np.zeros(k + 1, np.int64)
    for x in range(n):
        members_start[parts[x] + 1] += 1
    for p in range(k):
        members_start[p + 1] += members_start[p]
    place, members = members_start[:-1].copy(), np.empty(n, np.int32)
    for x in range(n):
        members[place[parts[x]]] = x
        place[parts[x]] += 1
    active, whole = _active(
        start, other, weight, size, heavy_start, heavy_other, parts, community, gamma, edge, members_start, members
    )
    room = 0
    for x in range(n):
        if active[parts[x]]:
            room += start[x + 1] - start[x]
    total, touched = np.zeros(k), np.empty(k + 1, np.int32)
    merged_start = np.zeros(k + 1, np.int64)
    merged_other, merged_weight = np.empty(room, np.int32), np.empty(room, np.float64)
    filled = 0
    for p in range(k):
        n_touched = 0
        for m in range(members_start[p], members_start[p + 1]):
            if not active[p]:
                break
            for e in range(start[members[m]], start[members[m] + 1]):
                q = parts[other[e]]
                if q == p or not active[q]:
                    continue
                touched[n_touched] = q
                n_touched += total[q] == 0.0
                total[q] += weight[e]
        for t in range(n_touched):
            merged_other[filled], merged_weight[filled] = touched[t], total[touched[t]]
            total[touched[t]] = 0.0
            filled += 1
        merged_start[p + 1] = filled
    return merged_start, merged_other[:filled].copy(), merged_weight[:filled].copy(), whole
