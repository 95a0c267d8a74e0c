"""FRAUDAR: dense blocks of accounts and identifiers, with popular identifiers discounted.

Hooi, Song, Beutel, Shah, Shin and Faloutsos 2016, doi:10.1145/2939672.2939747. An edge to an identifier of degree d
weighs 1 / log(d + 5); a block S of accounts and identifiers has the density f(S) / |S|, where f is the weight of the
edges inside. Greedy peeling finds a block of at least half of the greatest density. Further blocks are found in what
is left when the edges of a block are taken out, with degrees counted anew.
"""

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_tables import LEAST_RING, Ints, Shared
from linkage.kernel import kernel

BLOCKS = 50
"""How many blocks are asked for. The paper leaves it to the user; it is not fitted to a world."""


def fraudar(shared: Shared, blocks: int = BLOCKS) -> list[list[str]]:
    """The accounts of so many blocks in the order in which they are found, each account in its first one.

    A block of fewer than three accounts is no ring, but counts as one of the blocks.
    """
    taken = np.zeros(len(shared.names), np.bool_)
    found = []
    account, identifier = shared.account, shared.identifier
    for _ in range(blocks):
        if not len(account):
            break
        accounts, identifiers, _ = densest(account, identifier)
        new = accounts[~taken[accounts]]
        taken[new] = True
        if len(new) >= LEAST_RING:
            found.append([shared.names[at] for at in new.tolist()])
        kept = ~(np.isin(account, accounts) & np.isin(identifier, identifiers))
        account, identifier = account[kept], identifier[kept]
    return found


def densest(account: Ints, identifier: Ints) -> tuple[Ints, Ints, float]:
    """The block that greedy peeling finds among edges between accounts and identifiers.

    Returns:
        Its accounts and its identifiers, each sorted, and its density.
    """
    accounts, rows = np.unique(account, return_inverse=True)
    identifiers, columns = np.unique(identifier, return_inverse=True)
    weight = 1 / np.log(np.bincount(columns) + 5)
    nodes = len(accounts) + len(identifiers)
    ends = np.concatenate((rows, columns + len(accounts)))
    others = np.concatenate((columns + len(accounts), rows))
    order = np.argsort(ends, kind="stable")
    start = np.concatenate(([0], np.cumsum(np.bincount(ends, minlength=nodes))))
    weights: NDArray[np.float64] = np.concatenate((weight[columns], weight[columns]))[order]
    removed, left, density = _peel(start, others[order], weights)
    kept = np.ones(nodes, np.bool_)
    kept[removed[: nodes - left]] = False
    return accounts[kept[: len(accounts)]], identifiers[kept[len(accounts) :]], float(density)


@kernel
def _peel(start, other, weight):  # type: ignore[no-untyped-def]
    """Take away the node of the least weight, again and again; of equals the first.

    Returns the nodes in the order of their going, how many were left when the density was greatest, and that density.
    """
    nodes = len(start) - 1
    size = 1
    while size < nodes:
        size *= 2
    # A tree of minima: the leaf of node x is size + x, and the children of t are 2t and 2t + 1.
    tree = np.full(2 * size, np.inf)
    total = 0.0
    for node in range(nodes):
        here = 0.0
        for at in range(start[node], start[node + 1]):
            here += weight[at]
        tree[size + node] = here
        total += here
    total /= 2
    for at in range(size - 1, 0, -1):
        tree[at] = min(tree[2 * at], tree[2 * at + 1])
    gone = np.zeros(nodes, np.bool_)
    order = np.empty(nodes, np.int64)
    best, left = total / nodes, nodes
    for step in range(nodes):
        at = 1
        while at < size:
            at = 2 * at if tree[2 * at] <= tree[2 * at + 1] else 2 * at + 1
        node = at - size
        order[step] = node
        gone[node] = True
        total -= tree[at]
        _set(tree, at, np.inf)
        for edge in range(start[node], start[node + 1]):
            if not gone[other[edge]]:
                leaf = size + other[edge]
                _set(tree, leaf, tree[leaf] - weight[edge])
        rest = nodes - step - 1
        if rest and total / rest > best:
            best, left = total / rest, rest
    return order, left, best


@kernel
def _set(tree, leaf, value):  # type: ignore[no-untyped-def]
    tree[leaf] = value
    at = leaf // 2
    while at:
        tree[at] = min(tree[2 * at], tree[2 * at + 1])
        at //= 2
