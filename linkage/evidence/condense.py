"""Groups as if they were accounts, so that what ties groups is weighed by the same rules.

What only the members of one group share is explained by the group: its value has one holder left, and ties nobody any
more. What remains is what ties groups to each other and to single accounts.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from linkage.evidence.weights import Weighed, weigh
from linkage.identify import NEVER, Sightings


def condense(weighed: Weighed, labels: NDArray[np.int64]) -> Weighed:
    """The sightings of groups.

    A group is seen with a value as often as all its members are. Its habit is what its holders carry, over the square
    root of its size: what one of many members is seen with says less of the group than what all are seen with.

    Args:
        weighed: the sightings, each account a node.
        labels: int64[A], the node of each account, from 0 on without gaps.

    Returns:
        Sightings of the nodes, weighed. Identifiers keep their numbers; those with one holder are left out.
    """
    s = weighed.sightings
    nodes = int(labels.max()) + 1
    node = labels[s.account]
    cell = s.identifier.astype(np.int64) * nodes + node
    kept, inverse = np.unique(cell, return_inverse=True)
    identifier, holder = kept // nodes, kept % nodes
    shared = np.bincount(identifier, minlength=len(s.kind))[identifier] > 1
    first = np.full(len(kept), np.iinfo(np.int64).max)
    last = np.full(len(kept), np.iinfo(np.int64).min)
    np.minimum.at(first, inverse, s.first)
    np.maximum.at(last, inverse, s.last)
    # An identifier without holders is no identifier: they are numbered anew.
    number = np.cumsum(np.bincount(identifier[shared], minlength=len(s.kind)) > 0) - 1
    still = np.unique(identifier[shared])
    condensed = Sightings(
        account=holder[shared].astype(np.int32),
        identifier=number[identifier[shared]].astype(np.int32),
        count=np.bincount(inverse, s.count)[shared].astype(np.int64),
        most=np.bincount(inverse, s.most)[shared].astype(np.int64),
        first=np.maximum(first[shared], NEVER),
        last=np.maximum(last[shared], NEVER),
        kind=s.kind[still],
        kinds=s.kinds,
        accounts=nodes,
        ceiling=s.ceiling[still],
        rivals=s.rivals[still],
        chance=s.chance[still] if len(s.chance) else s.chance,
        behaviour=np.zeros((nodes, 0)),
    )
    out = weigh(condensed, weighed.reliability)
    carried = np.bincount(inverse, weighed.habit)[shared]
    part = np.minimum(1.0, carried / np.sqrt(np.bincount(labels))[condensed.account])
    return replace(out, habit=out.habit * part, likeness=replace(weighed.likeness, node=labels))
