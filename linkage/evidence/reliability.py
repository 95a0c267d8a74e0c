"""How often accounts of one hand agree on each kind: m of Fellegi and Sunter, estimated from the case itself.

The chance m_k that two accounts of one hand share a value of kind k differs from provider to provider: where cards are
cheap, rings share few. It is estimated as the EM algorithm does (Winkler 1988; Herzog, Scheuren and Winkler 2007,
doi:10.1007/0-387-69505-2): groups found with the weights so far, each counted by how probably it is one hand, give the
next weights:

    m_k = (PRIOR_PAIRS * m0_k + sum of p(pair) * agrees_k(pair)) / (PRIOR_PAIRS + sum of p(pair))

m0_k is the judgement that `model.Kind.reliability` states, and counts as much as `PRIOR_PAIRS` pairs. u needs no
estimate: a value's holders are counted.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.evidence.weights import Weighed
from linkage.kernel import kernel

PRIOR_PAIRS: Final = 1_000.0
"""Pairs of accounts that the stated reliability is worth. Higher: small cases keep to it more closely."""

PARTNERS_EACH: Final = 8
"""Pairs that are looked at for each account of a group."""

WITHIN: Final = 4.0
"""An estimate stays within this factor of what was stated, so that one odd ring cannot turn a kind on or off."""


def agreement(weighed: Weighed, labels: NDArray[np.int64], one_hand: NDArray[np.float64]) -> NDArray[np.float64]:
    """m of each kind.

    Args:
        weighed: the sightings, and by the stated reliabilities what they are worth.
        labels: int64[A], the group of each account; -1 for none.
        one_hand: float64[groups], how probably each group is one hand.

    Returns:
        float64[K].
    """
    s = weighed.sightings
    stated = np.array([kind.reliability for kind in weighed.kinds], dtype=np.float64)
    inside = np.flatnonzero(labels >= 0)
    if not len(inside):
        return stated
    order = inside[np.argsort(labels[inside], kind="stable")]
    start = np.searchsorted(labels[order], np.arange(len(one_hand) + 1))
    agree, pairs = _agree(
        start, order, one_hand, weighed.by_account, weighed.account_order, weighed.by_identifier, s.account,
        s.identifier, s.kind, len(stated), PARTNERS_EACH,
    )  # fmt: skip
    found = (PRIOR_PAIRS * stated + agree) / (PRIOR_PAIRS + pairs)
    return np.clip(found, stated / WITHIN, np.minimum(stated * WITHIN, np.maximum(stated, 0.95)))


@kernel
def _agree(start, members, one_hand, by_account, order, by_identifier, account, identifier, kind, kinds, each):  # type: ignore[no-untyped-def]
    agree, pairs = np.zeros(kinds), 0.0
    for g in range(len(start) - 1):
        size = start[g + 1] - start[g]
        most = min(each, size - 1)
        for x in range(size):
            a = members[start[g] + x]
            for step in range(1, most + 1):
                # All others in a small group, others spread over a large one.
                b = members[start[g] + (x + (step if size <= each + 1 else 1 + (size - 2) * step // most)) % size]
                pairs += one_hand[g]
                last = -1
                for at in range(by_account[a], by_account[a + 1]):
                    i = identifier[order[at]]
                    if kind[i] == last:
                        continue
                    low, high = by_identifier[i], by_identifier[i + 1]
                    while low < high:
                        middle = (low + high) // 2
                        if account[middle] < b:
                            low = middle + 1
                        else:
                            high = middle
                    if low < by_identifier[i + 1] and account[low] == b:
                        last = kind[i]
                        agree[kind[i]] += one_hand[g]
    return agree, pairs
