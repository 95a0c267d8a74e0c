"""The weakest bridge of a ring: what it hangs on, if one tie were a coincidence.

Members and the values that tie them make a bipartite graph; a tie is worth what the value alone is worth to the member.

1. A value is a bridge if some members are tied to the others through it alone: an articulation point (Hopcroft and
   Tarjan 1973, doi:10.1145/362248.362272). The weakest bridge is the one that splits off most members.
2. If none splits off two members or a quarter of them, no single value holds the ring together. Then the tree of the
   strongest ties (a maximum spanning tree) is cut at its weakest edges in turn, `CUTS` of them, each with two members
   or more on either side; of these cuts the weakest is that which the fewest bits cross. It is what comes apart first
   when ties are believed from the strongest to the weakest, and no proof that there is no weaker cut.

Both are linear in the ties, but for sorting them. Ties that are worth nothing to a member do not count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, depth_first_order, minimum_spanning_tree

from linkage.model import kind_of, public_kind
from linkage.why import add_up

CUTS: Final = 64
"""So many edges of the tree are tried."""

NAMED: Final = 3
"""Where more values cross, none is named: that is no bridge but a broad front."""


@dataclass(frozen=True)
class Held:
    """A member's tie: bits are those of the value alone; `trust` is the kind that it is weighed as."""

    account_id: str
    trust: str
    value: str
    label: str | None
    bits: float


@dataclass(frozen=True)
class Crossing:
    """A value that holds the parts together: members who have it, and its bits to the better tied of each side."""

    kind: str
    value: str
    label: str | None
    members: int
    bits: float


@dataclass(frozen=True)
class Bridge:
    """Where a ring comes apart most easily.

    Attributes:
        single: one value alone holds the parts together.
        values: what crosses, the most bits first; one value if `single`.
        parts: members of each part, the largest first.
        apart: members outside the largest part.
        bits: what two members on different sides share at best, added up as `linkage why` does.
        sentence: the same in words.
    """

    single: bool
    values: tuple[Crossing, ...]
    parts: tuple[int, ...]
    apart: int
    bits: float
    sentence: str


def weakest_bridge(ties: Sequence[Held], size: int) -> Bridge | None:
    """Find the weakest bridge of a ring; None if its ties hold fewer than two members together.

    Args:
        ties: of the ring's members and the values that tie it; in any order.
        size: members of the ring, also those without a tie.
    """
    ties = sorted(ties, key=lambda t: (t.trust, t.value, t.account_id))
    accounts = sorted({tie.account_id for tie in ties})
    held = sorted({(tie.trust, tie.value) for tie in ties})
    if len(accounts) < 2:
        return None
    account_at = {account: at for at, account in enumerate(accounts)}
    value_at = {value: at for at, value in enumerate(held)}
    left = np.array([account_at[tie.account_id] for tie in ties], dtype=np.int64)
    right = np.array([value_at[tie.trust, tie.value] for tie in ties], dtype=np.int64)
    parts, value = _most_split(left, right, len(accounts), len(held))
    apart = sum(parts) - max(parts, default=0)
    if apart >= 2 or 4 * apart >= len(accounts):
        crossing = [tie for tie, at in zip(ties, right.tolist(), strict=True) if at == value]
        # All who have it stand on different sides of it: two of them are what it is worth.
        best = sorted((tie.bits for tie in crossing), reverse=True)[1]
        return _bridge([(crossing, best)], tuple(sorted(parts, reverse=True)), size, single=True)
    bits = np.array([tie.bits for tie in ties])
    cut = _weakest_cut(left, right, bits, len(accounts), len(held))
    if cut is None:
        return None
    one, other = cut
    crossings: list[tuple[Sequence[Held], float]] = []
    start = np.searchsorted(right, np.arange(len(held) + 1))
    for at in range(len(held)):
        here = slice(start[at], start[at + 1])
        this, that = bits[here][one[left[here]]], bits[here][other[left[here]]]
        if len(this) and len(that):
            crossings.append((ties[here], min(float(this.max()), float(that.max()))))
    parts_of_cut = sorted((int(one.sum()), int(other.sum())), reverse=True)
    return _bridge(crossings, tuple(parts_of_cut), size, single=False)


def _most_split(left: NDArray[np.int64], right: NDArray[np.int64], n: int, values: int) -> tuple[list[int], int]:
    """The value whose removal leaves most members outside the largest part that remains of its component.

    Returns:
        the members of each part without it, and the value; of equal ones the first.
    """
    ends = np.concatenate([left, right + n])
    order = np.argsort(ends, kind="stable")
    near = np.concatenate([right + n, left])[order].tolist()
    start = np.searchsorted(ends[order], np.arange(n + values + 1)).tolist()
    found, low, size = [-1] * (n + values), [0] * (n + values), [0] * (n + values)
    next_edge = start[:]
    best: tuple[int, list[int], int] = (0, [], -1)
    for root in range(n):
        if found[root] >= 0:
            continue
        split: dict[int, list[int]] = {}
        count = 0
        path = [(root, -1)]
        found[root] = low[root] = count
        size[root] = 1
        while path:
            node, parent = path[-1]
            if next_edge[node] < start[node + 1]:
                other = near[next_edge[node]]
                next_edge[node] += 1
                if found[other] < 0:
                    count += 1
                    found[other] = low[other] = count
                    size[other] = int(other < n)
                    path.append((other, node))
                elif other != parent:
                    low[node] = min(low[node], found[other])
                continue
            path.pop()
            if parent >= 0:
                size[parent] += size[node]
                low[parent] = min(low[parent], low[node])
                if parent >= n and low[node] >= found[parent]:
                    split.setdefault(parent, []).append(size[node])
        for node in sorted(split):
            rest = size[root] - sum(split[node])
            parts = [*split[node], rest] if rest else split[node]
            apart = sum(parts) - max(parts)
            if apart > best[0] or (apart == best[0] > 0 and node < best[2]):
                best = (apart, parts, node)
    return best[1], best[2] - n


def _weakest_cut(
    left: NDArray[np.int64], right: NDArray[np.int64], bits: NDArray[np.float64], n: int, values: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Two bool[n], the members on either side of the weakest cut that is tried; None if there is no edge.

    Of a ring whose ties leave it in several pieces only the largest counts.
    """
    # A rank in the place of the bits: without equal edges there is but one such tree.
    strongest = np.lexsort((left, right, -bits))
    cost = np.empty(len(bits))
    cost[strongest] = np.arange(1, len(bits) + 1)
    tree = minimum_spanning_tree(coo_array((cost, (left, right + n)), shape=(n + values, n + values)).tocsr())
    _, piece = connected_components(tree, directed=False)
    root = int(np.flatnonzero(piece == np.argmax(np.bincount(piece[:n])))[0])
    order, parent = depth_first_order(tree, root, directed=False, return_predecessors=True)
    members = (np.arange(n + values) < n).astype(np.int64)
    nodes = np.ones(n + values, np.int64)
    for node in order[:0:-1].tolist():
        members[parent[node]] += members[node]
        nodes[parent[node]] += nodes[node]
    edges = tree.tocoo()
    worth = np.zeros(n + values)
    # Each edge belongs to its lower end.
    lower = np.where(parent[edges.row] == edges.col, edges.row, edges.col)
    worth[lower] = bits[strongest][edges.data.astype(np.int64) - 1]
    total = int(members[root])
    smaller = np.minimum(members, total - members)
    below = order[1:][smaller[order[1:]] > 0]
    if not len(below):
        return None
    below = below[np.lexsort((below, -smaller[below], worth[below], smaller[below] < min(2, total // 2)))][:CUTS]
    enough = smaller[below] >= min(2, total // 2)
    below = below[enough] if enough.any() else below
    # What hangs below a node stands behind it in the order, in one piece.
    place = np.full(n + values, -1, np.int64)
    place[order] = np.arange(len(order))
    there, first = place[left] >= 0, np.flatnonzero(np.diff(right, prepend=-1))
    best: tuple[float, int, int] | None = None
    for node in below.tolist():
        inside = (place[left] >= place[node]) & (place[left] < place[node] + nodes[node])
        one = np.maximum.reduceat(np.where(inside, bits, -1.0), first)
        other = np.maximum.reduceat(np.where(there & ~inside, bits, -1.0), first)
        crosses = float(np.sum(np.minimum(one, other), where=(one >= 0) & (other >= 0)))
        cut = (round(crosses, 6), -int(smaller[node]), node)
        best = cut if best is None or cut < best else best
    assert best
    side = (place[:n] >= place[best[2]]) & (place[:n] < place[best[2]] + nodes[best[2]])
    return side, (place[:n] >= 0) & ~side


def _bridge(crossings: list[tuple[Sequence[Held], float]], parts: tuple[int, ...], n: int, *, single: bool) -> Bridge:
    rows = [(of[0].trust, of[0].value, of[0].label, len(of), bits) for of, bits in crossings]
    rows.sort(key=lambda row: (-row[4], row[0], row[1]))
    crossing = tuple(
        Crossing(public_kind(kind), value, label, members, round(bits, 4)) for kind, value, label, members, bits in rows
    )
    bits = round(add_up(rows)[1], 4)
    apart = sum(parts) - max(parts)
    return Bridge(single, crossing, parts, apart, bits, _sentence(crossing, parts, apart, n, bits, single=single))


def _sentence(
    values: Sequence[Crossing], parts: tuple[int, ...], apart: int, n: int, bits: float, *, single: bool
) -> str:
    named = ", ".join(f"{kind_of(v.kind).words} {_name(v)}" for v in values[:NAMED])
    if single and max(parts) == 1:
        return f"Without the {named}, {sum(parts):,} of its {n:,} accounts are tied to each other by nothing."
    are = "is" if apart == 1 else "are"
    if single:
        return f"Without the {named}, {apart:,} of its {n:,} accounts {are} tied to the others by nothing."
    what = named if len(values) <= NAMED else f"{len(values):,} values"
    nor = "" if len(values) <= NAMED else ", nor do a few"
    return (
        f"No single value holds it together{nor}. What holds least: {apart:,} of its {n:,} accounts {are} tied to the "
        f"others by {what}, {bits:.1f} bits at best."
    )


def _name(value: Crossing) -> str:
    # The label of what several accounts did together is a sentence of its own.
    return value.value if kind_of(value.kind).family in ("prompt", "timing") else value.label or value.value
