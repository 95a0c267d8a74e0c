"""Groups as if they were accounts, so that what ties groups is weighed by the same rules.

What only the members of one group share is explained by the group: its value has one holder left, and ties nobody any
more. What remains is what ties groups to each other and to single accounts.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from linkage.evidence.weights import Weighed, weigh
from linkage.identify import NEVER, Sightings
from linkage.kernel import kernel


def condense(weighed: Weighed, labels: NDArray[np.int64], among: NDArray[np.bool_], most: int) -> Weighed:
    """The sightings of groups.

    A group is seen with a value as often as all its members are. Its habit is what its holders carry, over the square
    root of its size: what one of many members is seen with says less of the group than what all are seen with.

    Args:
        weighed: the sightings, each account a node.
        labels: int64[A], the node of each account, from 0 on without gaps.
        among: bool[nodes], the nodes whose pairs are wanted.
        most: what more nodes hold ties no pair of them.

    Returns:
        Sightings of the nodes, weighed. Identifiers that tie no two of the wanted nodes are left out, but they count
        for how many nodes share anything.
    """
    s = weighed.sightings
    nodes = len(among)
    wanted, linked = _meeting(weighed.by_identifier, labels[s.account], among, most)
    rows = np.flatnonzero(wanted[s.identifier])
    identifier, node = s.identifier[rows], labels[s.account[rows]]
    kept, inverse = np.unique(identifier.astype(np.int64) * nodes + node, return_inverse=True)
    first = np.full(len(kept), np.iinfo(np.int64).max)
    last = np.full(len(kept), np.iinfo(np.int64).min)
    np.minimum.at(first, inverse, s.first[rows])
    np.maximum.at(last, inverse, s.last[rows])
    # An identifier without holders is no identifier: they are numbered anew.
    number = np.cumsum(wanted) - 1
    condensed = Sightings(
        account=(kept % nodes).astype(np.int32),
        identifier=number[kept // nodes].astype(np.int32),
        count=np.bincount(inverse, s.count[rows], minlength=len(kept)).astype(np.int64),
        most=np.bincount(inverse, s.most[rows], minlength=len(kept)).astype(np.int64),
        first=np.maximum(first, NEVER),
        last=np.maximum(last, NEVER),
        kind=s.kind[wanted],
        kinds=s.kinds,
        accounts=nodes,
        ceiling=s.ceiling[wanted],
        rivals=s.rivals[wanted],
        chance=s.chance[wanted] if len(s.chance) else s.chance,
        behaviour=np.zeros((nodes, 0)),
    )
    out = weigh(condensed, weighed.reliability, linked=int(linked.sum()))
    carried = np.bincount(inverse, weighed.habit[rows], minlength=len(kept))
    part = np.minimum(1.0, carried / np.sqrt(np.bincount(labels))[condensed.account])
    return replace(out, habit=out.habit * part, likeness=replace(weighed.likeness, node=labels))


@kernel
def _meeting(by_identifier, node, among, most):  # type: ignore[no-untyped-def]
    """bool[I], identifiers that tie two of the wanted nodes; bool[nodes], nodes that share any with another node."""
    wanted, linked = np.zeros(len(by_identifier) - 1, np.bool_), np.zeros(len(among), np.bool_)
    met = np.full(len(among), -1)
    for i in range(len(by_identifier) - 1):
        holders = found = 0
        for at in range(by_identifier[i], by_identifier[i + 1]):
            if met[node[at]] != i:
                met[node[at]] = i
                holders += 1
                found += among[node[at]]
        wanted[i] = found > 1 and holders <= most
        if holders > 1:
            for at in range(by_identifier[i], by_identifier[i + 1]):
                linked[node[at]] = True
    return wanted, linked
