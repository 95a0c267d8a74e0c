"""Do the members of a group behave alike? One hand runs its accounts alike; people of one house or company do not.

Each behaviour of an account (how much it sends, from how many addresses, how long its prompts are, when it took up a
new model …) becomes its rank among all accounts, from 0 to 1. Of a group's ranks the mean difference of two members is
taken (Gini's mean difference): strangers give 1/3 on average, whatever the behaviour's distribution and unit.

    bits = log2(1/3 / mean difference)      but no more than chance bears: z - 1, z the standard errors below 1/3

The standard error is that of a U-statistic on uniform ranks (Hoeffding 1948, doi:10.1214/aoms/1177730196):
variance = (4 (n - 2) / 180 + 2 / 18) / (n (n - 1)).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EACH: Final = 2.0
"""Bits that one behaviour may bring. Higher: one common habit could stand for many."""


def ranks(values: Floats) -> Floats:
    """float64[A, B], each account's rank among all by each behaviour, from 0 to 1, ties in their middle; NaN stays.

    >>> ranks(np.array([[5.0], [7.0], [np.nan], [5.0]])).ravel()
    array([0.33333333, 0.83333333,        nan, 0.33333333])
    """
    out = np.full(values.shape, np.nan)
    for column in range(values.shape[1]):
        known = np.flatnonzero(~np.isnan(values[:, column]))
        if len(known):
            _, inverse, count = np.unique(values[known, column], return_inverse=True, return_counts=True)
            middle = np.cumsum(count) - count / 2
            out[known, column] = middle[inverse] / len(known)
    return out


def alike(ranked: Floats, label: NDArray[np.int64], groups: int) -> Floats:
    """How alike the members of each group behave.

    Args:
        ranked: float64[M, B], ranks of the members; NaN where unknown.
        label: int64[M], the group of each member.
        groups: how many groups there are.

    Returns:
        float64[groups, B], bits from 0 to `EACH`; 0 where fewer than three members are known.
    """
    return np.stack([_one(ranked[:, column], label, groups) for column in range(ranked.shape[1])], axis=1)


def _one(ranked: Floats, label: NDArray[np.int64], groups: int) -> Floats:
    known = np.flatnonzero(~np.isnan(ranked))
    order = known[np.lexsort((ranked[known], label[known]))]
    owner, value = label[order], ranked[order]
    n = np.bincount(owner, minlength=groups).astype(np.float64)
    start = np.cumsum(n) - n
    place = np.arange(len(order)) - start[owner]
    pairs = np.maximum(n * (n - 1), 1.0)
    # The sum over all pairs of |x - y| is that of (2 place - n + 1) x over the sorted values.
    difference = 2.0 * np.bincount(owner, (2 * place - n[owner] + 1) * value, minlength=groups) / pairs
    error = np.sqrt((4.0 * np.maximum(n - 2, 0) / 180 + 2 / 18) / pairs)
    bits = np.minimum(np.log2(1 / 3 / np.maximum(difference, 1e-9)), (1 / 3 - difference) / error - 1)
    return np.where(n >= 3, np.clip(bits, 0.0, EACH), 0.0)
