"""Label propagation (Raghavan, Albert and Kumara 2007, doi:10.1103/PhysRevE.76.036106), weighted.

Every node takes the label that weighs most among its neighbours, in an order drawn anew each round from the seed, until
no label changes. A node keeps its label when it is among the heaviest; other ties go to the smallest label, so that
the result depends on the seed alone. It has no objective: large communities swallow small ones that touch them.

A label goes along edges only, so that components have nothing to do with each other but the order of visits.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.communities.graph import Graph, Labels, numbered
from linkage.kernel import kernel

ROUNDS: Final = 50


def label_propagation(graph: Graph, *, seed: int = 1, within: tuple[NDArray[np.int64], int] | None = None) -> Labels:
    """Communities: int64[n], numbered by smallest member.

    Args:
        graph: the weighted graph.
        seed: of the visiting orders.
        within: where `graph` is some components of a larger one, its nodes there (int64[n], rising) and how many nodes
            that has. Then the communities are those of the larger graph.
    """
    rng = np.random.default_rng(seed)
    labels: Labels = np.arange(graph.nodes, dtype=np.int64)
    nodes, total = within or (None, graph.nodes)
    for _ in range(ROUNDS):
        order = rng.permutation(total)
        if nodes is not None:
            place = np.empty(total, np.int64)
            place[order] = np.arange(total)
            order = np.argsort(place[nodes])
        if not _round(graph.start, graph.other, graph.weight, labels, order):
            break
    found: Labels = numbered(labels)
    return found


@kernel
def _round(start, other, weight, labels, order):  # type: ignore[no-untyped-def]
    total, touched = np.zeros(len(labels)), np.empty(len(labels), np.int64)
    changed = 0
    for at in range(len(order)):
        x = order[at]
        n_touched = 0
        for e in range(start[x], start[x + 1]):
            label = labels[other[e]]
            if total[label] == 0.0:
                touched[n_touched] = label
                n_touched += 1
            total[label] += weight[e]
        best = labels[x]
        heaviest = total[best]
        for t in range(n_touched):
            label = touched[t]
            if total[label] > heaviest + 1e-9 or (
                total[label] > heaviest - 1e-9 and best != labels[x] and label < best
            ):
                best, heaviest = label, total[label]
        for t in range(n_touched):
            total[touched[t]] = 0.0
        if best != labels[x]:
            labels[x] = best
            changed += 1
    return changed
