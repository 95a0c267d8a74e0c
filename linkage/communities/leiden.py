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

import numpy as np

from linkage.communities.components import connected_parts
from linkage.communities.graph import Graph, Labels, numbered
from linkage.errors import UsageError
from linkage.kernel import kernel


def leiden(graph: Graph, gamma: float, *, seed: int = 1, passes: int = 2) -> Labels:
    """Communities of `graph`.

    Args:
        graph: the weighted graph.
        gamma: weight that a pair inside a community must have on average, > 0. Higher gives smaller, denser ones.
        seed: of the visiting orders.
        passes: the second pass starts from the first one's result and mends what it missed.

    Returns:
        int64[n], numbered by smallest member. Every community is connected.

    Raises:
        UsageError: a gamma that is not above 0.
    """
    if not gamma > 0:
        raise UsageError(f"gamma must be above 0, not {gamma:g}.", "Lower it towards 0 for larger communities.")
    rng = np.random.default_rng(seed)
    labels: Labels = np.arange(graph.nodes, dtype=np.int64)
    for _ in range(passes):
        labels = _one_pass(graph, gamma, labels, rng)
    return connected_parts(graph, labels)


def ladder(graph: Graph, gammas: Sequence[float], *, seed: int = 1) -> list[Labels]:
    """Nested partitions: one for each gamma, each a union of communities of the one before.

    Args:
        graph: the weighted graph.
        gammas: falling; the first gives the tightest communities.
        seed: of the visiting orders.

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
        labels = leiden(graph, gamma, seed=seed + rung)
        graph = graph.merged(labels)
        current = labels[current]
        levels.append(current)
    return levels


def cpm_quality(graph: Graph, labels: Labels, gamma: float) -> float:
    """Weight inside communities minus gamma times the pairs inside them."""
    source = np.repeat(np.arange(graph.nodes), np.diff(graph.start))
    inside = graph.weight[labels[source] == labels[graph.other]].sum() / 2
    sizes = np.bincount(labels, graph.size)
    own = np.bincount(labels, graph.size**2)
    return float(inside - gamma * ((sizes**2 - own) / 2).sum())


def _one_pass(graph: Graph, gamma: float, labels: Labels, rng: np.random.Generator) -> Labels:
    node: Labels = np.arange(graph.nodes, dtype=np.int64)
    community = labels.copy()
    while True:
        order = rng.permutation(graph.nodes)
        _move(graph.start, graph.other, graph.weight, graph.size, gamma, community, order)
        community = numbered(community)
        found = int(community.max(initial=-1)) + 1
        if found == graph.nodes:
            break
        parts = numbered(_refine(graph.start, graph.other, graph.weight, graph.size, gamma, community, order))
        if int(parts.max()) + 1 == graph.nodes:
            parts = community
        upper = np.empty(int(parts.max()) + 1, np.int64)
        upper[parts] = community
        graph, community, node = graph.merged(parts), upper, parts[node]
    result: Labels = numbered(community[node])
    return result


@kernel
def _move(start, other, weight, size, gamma, community, order):  # type: ignore[no-untyped-def]
    """Step 1, in place on `community`, whose labels are from 0 to n - 1."""
    n = len(size)
    total, nodes = np.zeros(n), np.zeros(n, np.int64)  # of each community
    for x in range(n):
        total[community[x]] += size[x]
        nodes[community[x]] += 1
    empty = np.empty(n + 1, np.int64)
    n_empty = 0
    for c in range(n - 1, -1, -1):
        if nodes[c] == 0:
            empty[n_empty] = c
            n_empty += 1
    queue, queued = order.copy(), np.ones(n, np.bool_)
    head, waiting = 0, n
    tie, touched = np.zeros(n), np.empty(n, np.int64)  # weight from x to each community
    while waiting > 0:
        x = queue[head]
        head = head + 1 if head + 1 < n else 0
        waiting -= 1
        queued[x] = False
        old = community[x]
        n_touched = 0
        for e in range(start[x], start[x + 1]):
            c = community[other[e]]
            if tie[c] == 0.0:
                touched[n_touched] = c
                n_touched += 1
            tie[c] += weight[e]
        total[old] -= size[x]
        nodes[old] -= 1
        if nodes[old] == 0:
            empty[n_empty] = old
            n_empty += 1
        best, best_gain = old, tie[old] - gamma * size[x] * total[old]
        for t in range(n_touched):
            c = touched[t]
            gain = tie[c] - gamma * size[x] * total[c]
            if gain > best_gain + 1e-9:
                best, best_gain = c, gain
        if best_gain < -1e-9:
            best = empty[n_empty - 1]  # a community of its own
        for t in range(n_touched):
            tie[touched[t]] = 0.0
        if nodes[best] == 0:
            n_empty -= 1  # an empty community that is taken is always the one on top
        community[x] = best
        total[best] += size[x]
        nodes[best] += 1
        if best == old:
            continue
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
    total, outward = np.zeros(n), np.zeros(n)  # outward: weight from a part to the rest of its community
    for x in range(n):
        total[community[x]] += size[x]
        for e in range(start[x], start[x + 1]):
            if community[other[e]] == community[x]:
                outward[x] += weight[e]
    tie, touched = np.zeros(n), np.empty(n, np.int64)
    for at in range(n):
        x = order[at]
        whole = total[community[x]]
        if not single[x] or outward[x] < gamma * size[x] * (whole - size[x]):
            continue
        n_touched = 0
        for e in range(start[x], start[x + 1]):
            if community[other[e]] != community[x]:
                continue
            p = part[other[e]]
            if tie[p] == 0.0:
                touched[n_touched] = p
                n_touched += 1
            tie[p] += weight[e]
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
