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
    holder = labels[s.account]
    wanted, linked = _meeting(weighed.by_identifier, holder, among, most)
    identifier, node, count, usual, first, last, carried = _gathered(
        weighed.by_identifier, wanted, holder, nodes, s.count, s.most, s.first, s.last, weighed.habit
    )
    condensed = Sightings(
        account=node,
        identifier=identifier,
        count=count,
        most=usual,
        first=first,
        last=last,
        kind=s.kind[wanted],
        kinds=s.kinds,
        accounts=nodes,
        ceiling=s.ceiling[wanted],
        rivals=s.rivals[wanted],
        chance=s.chance[wanted] if len(s.chance) else s.chance,
        behaviour=np.zeros((nodes, 0)),
    )
    out = weigh(condensed, weighed.reliability, linked=int(linked.sum()))
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


@kernel
def _gathered(by_identifier, wanted, node, nodes, count, most, first, last, habit):  # type: ignore[no-untyped-def]
    """One sighting for each wanted identifier and node that holds it, sorted; identifiers are numbered anew."""
    room = 0
    for i in range(len(wanted)):
        if wanted[i]:
            room += by_identifier[i + 1] - by_identifier[i]
    identifier, holder = np.empty(room, np.int32), np.empty(room, np.int32)
    times, usual, carried = np.zeros(room, np.int64), np.zeros(room, np.int64), np.zeros(room)
    began, ended = np.empty(room, np.int64), np.empty(room, np.int64)
    place = np.full(nodes, -1)
    filled = number = 0
    for i in range(len(wanted)):
        if not wanted[i]:
            continue
        start, low, high = filled, by_identifier[i], by_identifier[i + 1]
        for x in range(low, high):
            if place[node[x]] < start:
                holder[filled] = node[x]
                place[node[x]] = filled
                filled += 1
        # Nodes are met in nearly the order of their numbers: each is put in its place among those before it.
        for at in range(start + 1, filled):
            moving, to = holder[at], at
            while to > start and holder[to - 1] > moving:
                holder[to] = holder[to - 1]
                to -= 1
            holder[to] = moving
        for at in range(start, filled):
            place[holder[at]] = at
            identifier[at] = number
            began[at], ended[at] = -NEVER, NEVER
        for x in range(low, high):
            at = place[node[x]]
            times[at] += count[x]
            usual[at] += most[x]
            carried[at] += habit[x]
            began[at], ended[at] = min(began[at], first[x]), max(ended[at], last[x])
        number += 1
    return (
        identifier[:filled], holder[:filled], times[:filled], usual[:filled], began[:filled], ended[:filled],
        carried[:filled],
    )  # fmt: skip
