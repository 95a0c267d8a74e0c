"""Leiden under the constant Potts model (CPM).

V. A. Traag, L. Waltman, N. J. van Eck, "From Louvain to Leiden: guaranteeing well-connected communities", Scientific
Reports 9, 5233 (2019), doi:10.1038/s41598-019-41695-z, for the objective of V. A. Traag, P. Van Dooren, Y. Nesterov,
"Narrow scope for resolution-limit-free community detection", Physical Review E 84, 016114 (2011),
doi:10.1103/PhysRevE.84.016114:

    quality = sum over communities of (weight inside - gamma * pairs inside)

gamma is a density: a community's pairs must weigh, on average, at least gamma. There is no resolution limit.

One pass:

1. Local moving: visit nodes in a random order; move each to the neighbouring community, or to one of its own, that
   raises the quality most; visit again only neighbours outside of the new community.
2. Refinement: inside each community start from single nodes and merge a node that is still single into the
   sub-community that raises the quality most, if both are well connected to the rest of the community.
3. Aggregation: sub-communities become nodes, their communities the starting partition. Repeat until nothing merges.

Left out: the paper picks a refinement merge at random in proportion to exp(gain / theta); here the best one is taken
(theta to 0), ties to the one met first, so that only the visiting order depends on the seed. At the end communities
are split into their connected parts, which never lowers the quality. One thread: the result depends on nothing else
but the order of the edges, which decides ties.

Not promised: passes end after a fixed number, not when nothing changes any more, so a node may be left that would gain
by moving. On random graphs that happens as often as in igraph at as many iterations; `docs/communities.md` has figures.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from linkage.communities.components import connected_parts
from linkage.communities.graph import Graph, Labels, numbered
from linkage.communities.heavy import Heavy, contested
from linkage.errors import UsageError
from linkage.kernel import kernel

MARGIN: Final = 1e-8
"""Bounds of gains must be so far apart to tell which one is greater: more than ties and rounding come to."""


def leiden(graph: Graph, gamma: float, *, seed: int = 1, passes: int = 2, heavy: Heavy | None = None) -> Labels:
    """Communities of `graph`.

    Args:
        graph: the weighted graph.
        gamma: weight that a pair inside a community must have on average, > 0. Higher gives smaller, denser ones.
        seed: of the visiting orders.
        passes: the second pass starts from the first one's result and mends what it missed.
        heavy: the graph's heavy edges at gamma, where they are known.

    Returns:
        int64[n], numbered by smallest member. Every community is connected.

    Raises:
        UsageError: a gamma that is not above 0.
    """
    if not gamma > 0:
        raise UsageError(f"gamma must be above 0, not {gamma:g}.", "Lower it towards 0 for larger communities.")
    rng = np.random.default_rng(seed)
    labels: Labels = np.arange(graph.nodes, dtype=np.int64)
    heavy = heavy or Heavy.of(graph, gamma)
    for _ in range(passes):
        labels = _one_pass(graph, heavy, gamma, labels, rng)
    return connected_parts(graph, heavy, labels)


def ladder(graph: Graph, gammas: Sequence[float], *, seed: int = 1, heavy: Heavy | None = None) -> list[Labels]:
    """Nested partitions: one for each gamma, each a union of communities of the one before.

    Args:
        graph: the weighted graph.
        gammas: falling; the first gives the tightest communities.
        seed: of the visiting orders.
        heavy: the graph's heavy edges at the first gamma, where they are known.

    Returns:
        one int64[n] for each gamma, numbered by smallest member.

    Raises:
        UsageError: gammas that do not fall, or one that is not above 0.
    """
    if any(lower >= upper for upper, lower in pairwise(gammas)):
        raise UsageError("The gammas of a ladder must fall.", "Give the greatest first, each once.")
    levels: list[Labels] = []
    current: Labels = np.arange(graph.nodes, dtype=np.int64)
    for rung, gamma in enumerate(gammas):
        labels = leiden(graph, gamma, seed=seed + rung, heavy=None if rung else heavy)
        graph = graph.merged(labels)
        current = labels[current]
        levels.append(current)
    return levels


def cpm_quality(graph: Graph, labels: Labels, gamma: float) -> float:
    """Weight inside communities minus gamma times the pairs inside them."""
    source = np.repeat(np.arange(graph.nodes), np.diff(graph.start))
    inside = graph.weight[labels[source] == labels[graph.other]].sum(dtype=np.float64) / 2
    sizes = np.bincount(labels, graph.size)
    own = np.bincount(labels, graph.size**2)
    return float(inside - gamma * ((sizes**2 - own) / 2).sum())


def _one_pass(graph: Graph, heavy: Heavy, gamma: float, labels: Labels, rng: np.random.Generator) -> Labels:
    node: Labels = np.arange(graph.nodes, dtype=np.int64)
    community = labels.copy()
    while True:
        order = rng.permutation(graph.nodes)
        edges = (graph.start, graph.other, graph.weight, graph.size)
        _move(*edges, heavy.start, heavy.other, heavy.weight, heavy.light, heavy.rate, gamma, community, order)
        community = numbered(community)
        found = int(community.max(initial=-1)) + 1
        if found == graph.nodes:
            break
        parts = numbered(_refine(*edges, gamma, community, order))
        if int(parts.max()) + 1 == graph.nodes:
            parts = community
        upper = np.empty(int(parts.max()) + 1, np.int64)
        upper[parts] = community
        graph, community, node = graph.merged(parts), upper, parts[node]
        heavy = Heavy.of(graph, gamma)
        graph = contested(graph, heavy, community)
    result: Labels = numbered(community[node])
    return result


@kernel
def _move(  # type: ignore[no-untyped-def]
    start, other, weight, size, heavy_start, heavy_other, heavy_weight, light, rate, gamma, community, order,
):  # fmt: skip
    """Step 1, in place on `community`, whose labels are from 0 to n - 1."""
    n = len(size)
    total, nodes = np.zeros(n), np.zeros(n, np.int32)  # of each community
    for x in range(n):
        total[community[x]] += size[x]
        nodes[community[x]] += 1
    empty, n_empty = np.empty(n + 1, np.int32), 0
    for c in range(n - 1, -1, -1):
        if nodes[c] == 0:
            empty[n_empty] = c
            n_empty += 1
    queue, queued = order.astype(np.int32), np.ones(n, np.bool_)
    head, waiting = 0, n
    # Of each community: what ties x to it, the size of its members so tied, whether it is to be weighed in full.
    tie, held, asked = np.zeros(n), np.zeros(n), np.zeros(n, np.bool_)
    touched = np.empty(n + 1, np.int32)
    while waiting > 0:
        x = queue[head]
        head = head + 1 if head + 1 < n else 0
        waiting -= 1
        queued[x] = False
        old, unit = community[x], gamma * size[x]
        rest = total[old] - size[x]
        n_touched = 0
        for e in range(heavy_start[x], heavy_start[x + 1]):
            c = community[heavy_other[e]]
            # Written always, counted if new: a branch that nobody can foresee costs more.
            touched[n_touched] = c
            n_touched += tie[c] == 0.0
            tie[c] += heavy_weight[e]
            held[c] += size[heavy_other[e]]
        # What each community brings at least, by heavy edges, and at most: light ones bring less than their pairs cost.
        best, low = old, tie[old] - unit * rest
        high = low + min(light[x], rate[x] * (rest - held[old]))
        second = 0.0  # at most what any other one brings, or none
        for t in range(n_touched):
            c = touched[t]
            if c == old:
                continue
            its_low = tie[c] - unit * total[c]
            its_high = its_low + min(light[x], rate[x] * (total[c] - held[c]))
            if its_low > low:
                second = max(second, high)
                best, low, high = c, its_low, its_high
            else:
                second = max(second, its_high)
            tie[c], held[c] = its_high, 0.0
        tie[old] = held[old] = 0.0
        if best == old and second <= low and (low >= 0.0 or nodes[old] == 1):
            best = old
        elif high < -MARGIN and second <= 0.0:
            best = -1
        elif best == old or second > low - MARGIN:
            asked[old] = True
            for t in range(n_touched):
                asked[touched[t]] |= tie[touched[t]] > low - MARGIN
                tie[touched[t]] = 0.0
            n_touched = 0
            for e in range(start[x], start[x + 1]):
                c = community[other[e]]
                if asked[c]:
                    touched[n_touched] = c
                    n_touched += tie[c] == 0.0
                    tie[c] += weight[e]
            best, gain = old, tie[old] - unit * rest
            for t in range(n_touched):
                c = touched[t]
                if c != old and tie[c] - unit * total[c] > gain + 1e-9:
                    best, gain = c, tie[c] - unit * total[c]
                asked[c] = False
            asked[old] = False
            if gain < -1e-9:
                best = -1
        for t in range(n_touched):
            tie[touched[t]] = 0.0
        if best == old:
            continue
        total[old] -= size[x]
        nodes[old] -= 1
        if nodes[old] == 0:
            empty[n_empty] = old
            n_empty += 1
        if best < 0:
            best = empty[n_empty - 1]  # a community of its own
        if nodes[best] == 0:
            n_empty -= 1  # an empty community that is taken is always the one on top
        community[x] = best
        total[best] += size[x]
        nodes[best] += 1
        for e in range(start[x], start[x + 1]):
            y = other[e]
            if community[y] != best and not queued[y]:
                place = head + waiting
                queue[place if place < n else place - n] = y
                waiting += 1
                queued[y] = True


@kernel
def _refine(start, other, weight, size, gamma, community, order):  # type: ignore[no-untyped-def]
    """Step 2: a partition that only cuts communities, never joins them."""
    n = len(size)
    part, part_size = np.arange(n), size.copy()
    single = np.ones(n, np.bool_)
    total, nodes = np.zeros(n), np.zeros(n, np.int32)
    for x in range(n):
        total[community[x]] += size[x]
        nodes[community[x]] += 1
    room = 0
    for x in range(n):
        if nodes[community[x]] > 1:
            room += start[x + 1] - start[x]
    # Edges inside of communities, and the weight from a part to the rest of its community.
    inner_start, filled = np.zeros(n + 1, np.int64), 0
    inner, inner_weight = np.empty(room + 1, np.int32), np.empty(room + 1, np.float32)
    outward = np.zeros(n)
    for x in range(n):
        if nodes[community[x]] > 1:
            for e in range(start[x], start[x + 1]):
                inside = community[other[e]] == community[x]
                inner[filled], inner_weight[filled] = other[e], weight[e]
                filled += inside
                outward[x] += weight[e] * inside
        inner_start[x + 1] = filled
    tie, touched = np.zeros(n), np.empty(n + 1, np.int32)
    for at in range(n):
        x = order[at]
        whole = total[community[x]]
        if nodes[community[x]] == 1 or not single[x] or outward[x] < gamma * size[x] * (whole - size[x]):
            continue
        n_touched = 0
        for e in range(inner_start[x], inner_start[x + 1]):
            p = part[inner[e]]
            touched[n_touched] = p
            n_touched += tie[p] == 0.0
            tie[p] += inner_weight[e]
        best, best_gain = x, 0.0
        for t in range(n_touched):
            p = touched[t]
            gain = tie[p] - gamma * size[x] * part_size[p]
            if gain > best_gain and outward[p] >= gamma * part_size[p] * (whole - part_size[p]):
                best, best_gain = p, gain
        if best != x:
            part[x] = best
            part_size[best] += size[x]
            outward[best] += outward[x] - 2.0 * tie[best]
            single[x] = single[best] = False
        for t in range(n_touched):
            tie[touched[t]] = 0.0
    return part
