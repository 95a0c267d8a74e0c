"""One partition of several: what most runs agree on.

Leiden's result depends on the order in which nodes are visited. So the groups are found several times, each time in
another order, and two accounts stay together where most runs put them together. What falls out beside the groups is how
stable each membership is.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Labels = NDArray[np.int64]


def consensus(partitions: Sequence[Labels]) -> tuple[Labels, NDArray[np.float64]]:
    """What most of the partitions agree on.

    Accounts that more than half of the partitions put together are in one group, and so is whoever is tied to it by
    others so.

    Args:
        partitions: int64[A] each, -1 for no group.

    Returns:
        labels: int64[A], numbered by smallest member; -1 where at least half of the partitions have no group, and for
            groups of one.
        stability: float64[A], 0 to 1: the share of partitions in which most of an account's companions are of its
            group here; 1 for accounts without a group.
    """
    stacked = np.stack(partitions)
    runs, accounts = stacked.shape
    inside = np.flatnonzero((stacked >= 0).sum(axis=0) * 2 > runs)
    labels, stability = np.full(accounts, -1, np.int64), np.ones(accounts)
    if not len(inside):
        return labels, stability
    whole = stacked[:, inside]
    # Two accounts that a majority puts together agree in all labels of some smallest majority of the partitions.
    keys = [_codes(whole[list(some)]) for some in combinations(range(runs), runs // 2 + 1)]
    offset = len(inside) + np.concatenate(([0], np.cumsum([key.max() + 1 for key in keys])))
    account = np.concatenate([np.flatnonzero(key >= 0) for key in keys])
    agreed = np.concatenate([key[key >= 0] + start for key, start in zip(keys, offset[:-1], strict=True)])
    ties = coo_array((np.ones(len(account), np.int8), (account, agreed)), shape=(offset[-1], offset[-1]))
    labels[inside] = _numbered(connected_components(ties, directed=False)[1][: len(inside)].astype(np.int64))
    for run in range(runs):
        stability[inside] -= ~_mostly(whole[run], labels[inside]) / runs
    alone = np.bincount(labels[inside])[labels[inside]] < 2
    labels[inside[alone]] = -1
    labels[inside] = np.where(labels[inside] >= 0, _numbered(labels[inside]), -1)
    return labels, np.clip(stability, 0.0, 1.0)


def _codes(labels: Labels) -> Labels:
    """A number for each combination of labels (one column an account); -1 where one of them is -1."""
    codes = labels[0]
    for more in labels[1:]:
        codes = np.unique(codes * (int(more.max()) + 2) + more + 1, return_inverse=True)[1].reshape(-1)
    return np.where((labels >= 0).all(axis=0), codes, -1)


def _mostly(run: Labels, labels: Labels) -> NDArray[np.bool_]:
    """Whether at least half of an account's companions in the run are of its group here."""
    cell = _codes(np.stack((run, labels)))
    count = np.bincount(cell[cell >= 0], minlength=1)
    size = np.bincount(run[run >= 0], minlength=1)
    found: NDArray[np.bool_] = (cell >= 0) & (count[np.maximum(cell, 0)] * 2 >= size[np.maximum(run, 0)])
    return found


def _numbered(labels: Labels) -> Labels:
    """Numbered by smallest member; -1 stays out of it and must be masked by the caller."""
    known, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(known), np.int64)
    rank[np.argsort(np.where(known < 0, len(labels), first), kind="stable")] = np.arange(len(known))
    numbered: Labels = rank[inverse.reshape(-1)]
    return numbered
