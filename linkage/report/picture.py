"""A ring as a picture of a few hundred nodes at most, whether it has 5 accounts or 20,000.

Accounts and the values that tie them make a bipartite graph. Where that is small it is drawn as it is. Else

1. accounts that share the same set of values become one node, and so do values of one kind that the same accounts
   have: nothing is lost by that but names;
2. while there are still more than `GROUPS` groups of accounts, pairs of groups are joined, those first that share most
   for their size (heavy-edge matching; Karypis and Kumar 1998, doi:10.1137/S1064827595287997). A value that lies
   within one such group is told with the group and drawn no more;
3. of the values the strongest are drawn one by one, `VALUES` of them; the rest of each kind becomes one node;
4. bystanders that touch the same of these nodes are one node.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, diags_array, triu

SMALL: Final = 150
"""Accounts and values together; so many are drawn as they are. So are so many accounts, whatever ties them."""

GROUPS: Final = 60
VALUES: Final = 60
KINDS: Final = 12
"""So many kinds have a node of their own for the rest of their values; those of all others share one."""

BYSTANDERS: Final = 20
"""So many nodes for bystanders."""

NAMED: Final = 12
"""So many accounts or values of a node are named."""

WORK: Final = 2_000_000
"""Pairs of groups that one round of joining looks at; the most shared values wait for a later round."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Value:
    """A value that ties a ring, in its order of strength: see `results.EvidenceRow`; `bits` to an average member."""

    kind: str
    name: str
    bits: float
    outsiders: int


@dataclass
class Picture:
    """Nodes and edges, as columns.

    Attributes:
        accounts: for each account node how many it stands for, the names of some, and what ties them among each
            other alone (kind and number of values).
        values: for each value node its kind ("" for several), how many values it stands for, the names of some, how
            many members have one of them, and how many others at most have one of them.
        edges: account node, value node, and how many members tie them.
        bystanders: for each node how many it stands for, the names of some, and the value nodes that they touch.
        exact: every account node holds accounts that share the same values.
        untied: members that none of the values ties.
    """

    accounts: list[tuple[int, list[str], list[tuple[str, int]]]] = field(default_factory=list)
    values: list[tuple[str, int, list[str], int, int]] = field(default_factory=list)
    edges: list[tuple[int, int, int]] = field(default_factory=list)
    bystanders: list[tuple[int, list[str], list[int]]] = field(default_factory=list)
    exact: bool = True
    untied: int = 0


def picture(
    accounts: Sequence[str],
    values: Sequence[Value],
    account: Ints,
    value: Ints,
    bits: Any,
    touching: Mapping[str, Sequence[int]] | None = None,
) -> Picture:
    """Draw a ring.

    Args:
        accounts: names of the members, the first to be named first.
        values: what ties them, the strongest first.
        account, value: ties as places in the two lists, in any order, each once.
        bits: float[ties], what each is worth.
        touching: the values that each bystander has.
    """
    tied = np.unique(account)
    out = Picture(untied=len(accounts) - len(tied))
    if not len(account):
        return out
    order = np.lexsort((value, account))
    account, value, bits = account[order], value[order], np.asarray(bits, dtype=np.float64)[order]
    small = len(tied) + len(values) <= SMALL
    group = np.full(len(accounts), -1)
    if small:
        group[tied] = np.arange(len(tied))
    else:
        group[tied] = _alike(account, value, tied)
        if len(tied) <= SMALL:
            group[tied] = np.arange(len(tied))
        elif group.max() >= GROUPS:
            joined = _joined(group[account], value, bits, np.bincount(group[tied]))
            out.exact = len(np.unique(joined)) == len(joined)
            group[tied] = joined[group[tied]]
    # Groups are numbered by their first account.
    _, first = np.unique(group[tied], return_index=True)
    number = np.empty(len(first), dtype=np.int64)
    number[np.argsort(first, kind="stable")] = np.arange(len(first))
    group[tied] = number[group[tied]]
    nodes, inside = _value_nodes(group[account], value, values, out, alone=small)
    members: list[list[str]] = [[] for _ in first]
    for at in tied.tolist():
        members[group[at]].append(accounts[at])
    out.accounts = [
        (len(names), names[:NAMED], sorted(inside[at].items(), key=lambda kind: (-kind[1], kind[0])))
        for at, names in enumerate(members)
    ]
    node_of = np.full(len(values), -1)
    for at, places in enumerate(nodes):
        node_of[places] = at
    _add_values(out, nodes, values, node_of, group, account, value)
    _add_bystanders(out, node_of, touching or {})
    return out


def _alike(account: Ints, value: Ints, tied: Ints) -> Ints:
    """The group of each tied account: those with the same set of values, which lie together, make one."""
    start = np.searchsorted(account, tied)
    same: dict[bytes, int] = {}
    return np.array([same.setdefault(run.tobytes(), len(same)) for run in np.split(value, start[1:])], dtype=np.int64)


def _joined(group: Ints, value: Ints, bits: NDArray[np.float64], size: Ints) -> Ints:
    """A coarser group for each group: at most `GROUPS` of them."""
    coarse = np.arange(len(size))
    while (left := int(coarse.max()) + 1) > GROUPS:
        weight = np.bincount(coarse, weights=size)
        ties = coo_array((bits, (coarse[group], value))).tocsr()
        ties.sum_duplicates()
        degree = np.bincount(ties.indices, minlength=ties.shape[1])
        rare = np.argsort(degree, kind="stable")
        rare = rare[degree[rare] > 1]
        rare = rare[np.cumsum(degree[rare] ** 2) <= WORK]
        near = ties[:, rare]
        shared = near @ (near @ diags_array(1 / degree[rare])).T
        pairs = triu(shared, k=1).tocoo()
        strength = pairs.data / (weight[pairs.row] * weight[pairs.col])
        best = np.lexsort((pairs.col, pairs.row, -np.round(strength, 9)))
        partner = np.arange(left)
        free, merges = np.ones(left, dtype=bool).tolist(), left - GROUPS
        for one, other in zip(pairs.row[best].tolist(), pairs.col[best].tolist(), strict=True):
            if merges and free[one] and free[other]:
                free[one] = free[other] = False
                partner[other] = one
                merges -= 1
        if (partner == np.arange(left)).all():
            # Nothing but hubs ties what is left: the smallest become one.
            partner[np.argsort(-weight, kind="stable")[GROUPS - 1 :]] = left
        _, joined = np.unique(partner, return_inverse=True)
        coarse = joined[coarse]
    return coarse


def _value_nodes(
    group: Ints, value: Ints, values: Sequence[Value], out: Picture, *, alone: bool
) -> tuple[list[list[int]], list[dict[str, int]]]:
    """The values of each node that is drawn, and for each group how many of each kind lie within it alone."""
    inside: list[dict[str, int]] = [defaultdict(int) for _ in range(int(group.max()) + 1)]
    at: dict[int, set[int]] = defaultdict(set)
    for one, place in zip(group.tolist(), value.tolist(), strict=True):
        at[place].add(one)
    if alone:
        return [[place] for place in sorted(at)], inside
    bundles: dict[tuple[str, frozenset[int]], list[int]] = {}
    for place in sorted(at):
        if len(at[place]) == 1 and not out.exact:
            inside[min(at[place])][values[place].kind] += 1
        else:
            bundles.setdefault((values[place].kind, frozenset(at[place])), []).append(place)
    strength = {key: sum(values[place].bits for place in places) for key, places in bundles.items()}
    ranked = sorted(bundles, key=lambda key: (-round(strength[key], 6), bundles[key][0]))
    nodes = [bundles[key] for key in ranked[:VALUES]]
    rest: dict[str, list[int]] = {}
    for kind, where in ranked[VALUES:]:
        rest.setdefault(kind if kind in rest or len(rest) < KINDS else "", []).extend(bundles[kind, where])
    return nodes + [sorted(places) for places in rest.values()], inside


def _add_values(
    out: Picture,
    nodes: list[list[int]],
    values: Sequence[Value],
    node_of: Ints,
    group: Ints,
    account: Ints,
    value: Ints,
) -> None:
    drawn = node_of[value] >= 0
    # A member with two values of a node is one member.
    pairs = np.unique(np.column_stack([node_of[value[drawn]], account[drawn]]), axis=0)
    members = np.bincount(pairs[:, 0], minlength=len(nodes))
    edges, counts = np.unique(np.column_stack([group[pairs[:, 1]], pairs[:, 0]]), axis=0, return_counts=True)
    out.edges = [(a, v, n) for (a, v), n in zip(edges.tolist(), counts.tolist(), strict=True)]
    for places, having in zip(nodes, members.tolist(), strict=True):
        kinds = {values[place].kind for place in places}
        out.values.append(
            (
                kinds.pop() if len(kinds) == 1 else "",
                len(places),
                [values[place].name for place in places[:NAMED]],
                having,
                max(values[place].outsiders for place in places),
            )
        )


def _add_bystanders(out: Picture, node_of: Ints, touching: Mapping[str, Sequence[int]]) -> None:
    alike: dict[tuple[int, ...], list[str]] = {}
    for name, places in touching.items():
        nodes = sorted({int(node_of[place]) for place in places} - {-1})
        if nodes:
            alike.setdefault(tuple(nodes), []).append(name)
    out.bystanders = [(len(names), names[:NAMED], list(nodes)) for nodes, names in list(alike.items())[:BYSTANDERS]]
