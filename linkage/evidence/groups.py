"""Evidence between an account and a group.

Account a, group C of s accounts, value v that d accounts share, n of them in C (a itself never counts for itself):

    fact(v) = habit * log2(m_k * (n - 1) / (d - 1) * N / s)      at least 0
    net(a)  = sum over families of the strongest kind's saturated facts  -  log2(N / (PARTNERS + s))

An account that is tied to a member by a value that links two accounts by itself (`pairs`) is tied to the group: where
that is more,

    fact(v) = habit * log2(m_k * N / d)  if above the prior,   net(a) = the same sum  -  log2(N / PARTNERS)

Without it nobody could belong to a long chain, whose values are shared by few each.

The ratio (n - 1) / (d - 1) is how much of the value's other holders live in C; N / s turns it into a likelihood ratio
against a random account. A value whose holders all sit in C is worth the same whether it is shared by 5 or by 500; a
hub whose holders are everywhere is worth log2(m N / d), which is little. One shared value of a kind with m near 1
hardly beats the prior: it takes a second fact, another kind or a pool of values, to be sure. Facts that anyone can
fake at no cost count at most as much as the others.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linkage.evidence.weights import PARTNERS, Weighed
from linkage.kernel import kernel


@dataclass(frozen=True)
class GroupEvidence:
    """What ties each account to its group.

    Attributes:
        net: float64[A], bits beyond the prior; 0 for accounts in no group.
        explained: float64[A], bits of all facts without saturation: how much of what the account shares with anybody
            the group accounts for. It compares groups, and says nothing of how sure a membership is.
        families: float64[A, F], bits of each family's strongest kind, before the fakeable ones are capped.
        holders: int32[S], for each sighting the members of the account's group that have the identifier.
        credit: float64[S], the part of the account's bits that each sighting brings. Over an account's sightings the
            credits and its `likeness` add up to its `net` plus the prior of the way that it is tied by.
        likeness: float64[A], bits for behaving like the others of the group, below 0 for behaving differently; above 0
            at most as much as the facts that nobody can fake at no cost.
        alike: float64[A, B], bits of that for each behaviour alone.
    """

    net: NDArray[np.float64]
    explained: NDArray[np.float64]
    families: NDArray[np.float64]
    holders: NDArray[np.int32]
    credit: NDArray[np.float64]
    likeness: NDArray[np.float64]
    alike: NDArray[np.float64]


def group_evidence(weighed: Weighed, labels: NDArray[np.int64]) -> GroupEvidence:
    """Evidence of every account towards the group that `labels` puts it in.

    Args:
        weighed: the sightings.
        labels: int64[A], the group of each account, from 0 on; -1 for none.
    """
    s = weighed.sightings
    groups = int(labels.max()) + 1 if len(labels) else 0
    sizes = np.bincount(labels[labels >= 0], minlength=max(groups, 1)).astype(np.float64)
    alike = weighed.likeness.group_bits(labels)
    holders = _holders(weighed.by_identifier, s.account, labels, max(groups, 1))
    own = weighed.own
    shared = (
        weighed.by_account,
        own.kind,
        own.habit,
        weighed.kind_family,
        weighed.kind_fakeable,
        len(weighed.families),
        labels,
        sizes,
        holders[weighed.account_order],
        weighed.population,
        PARTNERS,
        alike.sum(axis=1) * weighed.likeness.damp,
    )
    inside = labels >= 0
    net, explained, families, credit, counted = _net(*shared, own.base, own.logs, inside, False)
    # Only a value that links two accounts by itself can tie more by pairs.
    linked = inside & own.links
    pair_net, _, pair_families, pair_credit, pair_counted = _net(*shared, own.pair, own.logs, linked, True)
    pairwise = linked & (pair_net > net)
    net = np.where(pairwise, pair_net, net)
    families = np.where(pairwise[:, None], pair_families, families)
    mine = np.where(np.repeat(pairwise, np.diff(weighed.by_account)), pair_credit, credit)
    credit = np.empty(len(mine))
    credit[weighed.account_order] = mine
    return GroupEvidence(net, explained, families, holders, credit, np.where(pairwise, pair_counted, counted), alike)


@kernel
def _holders(by_identifier, account, labels, groups):  # type: ignore[no-untyped-def]
    counts = np.zeros(groups, np.int32)
    holders = np.zeros(len(account), np.int32)
    for i in range(len(by_identifier) - 1):
        for at in range(by_identifier[i], by_identifier[i + 1]):
            if labels[account[at]] >= 0:
                counts[labels[account[at]]] += 1
        for at in range(by_identifier[i], by_identifier[i + 1]):
            if labels[account[at]] >= 0:
                holders[at] = counts[labels[account[at]]]
        for at in range(by_identifier[i], by_identifier[i + 1]):
            if labels[account[at]] >= 0:
                counts[labels[account[at]]] = 0
    return holders


@kernel
def _net(  # type: ignore[no-untyped-def]
    by_account, kind, habit, family, fakeable, families, labels, sizes, holders, population, partners, alike, base,
    logs, wanted, pairwise,
):  # fmt: skip
    """By sightings side by side for each account; `base` is the bits of one, or what of them no group changes."""
    n = len(by_account) - 1
    net, explained, counted = np.zeros(n), np.zeros(n), np.zeros(n)
    bits, credit = np.zeros((n, families)), np.zeros(len(kind))
    worth, facts = np.zeros(len(family)), np.zeros(len(family))
    hard_kind, soft_kind = np.full(families, -1), np.full(families, -1)
    for a in range(n):
        if not wanted[a]:
            continue
        s = sizes[labels[a]]
        scale = np.log2(population / s)
        prior = np.log2(population / (partners + (0.0 if pairwise else s)))
        worth[:] = 0.0
        facts[:] = 0.0
        hard_kind[:] = -1
        soft_kind[:] = -1
        greatest = 0.0
        for at in range(by_account[a], by_account[a + 1]):
            k = kind[at]
            if holders[at] > 1:
                fact = base[at] if pairwise else habit[at] * (base[at] + logs[holders[at] - 1] + scale)
                if fact > (prior if pairwise else 0.0):
                    credit[at] = fact
                    facts[k] += fact
                    greatest = max(greatest, fact)
            last = at + 1 == by_account[a + 1]
            if (last or kind[at + 1] != k) and facts[k] > 0.0:
                # The kind is complete: saturate it, and see if it is the strongest of its family.
                worth[k] = 2.0 * greatest - greatest * greatest / facts[k]
                greatest = 0.0
                best = soft_kind if fakeable[k] else hard_kind
                if best[family[k]] < 0 or worth[k] > worth[best[family[k]]]:
                    best[family[k]] = k
        hard = soft = hard_all = soft_all = 0.0
        for f in range(families):
            hard_sum = facts[hard_kind[f]] if hard_kind[f] >= 0 else 0.0
            hard_all += hard_sum
            if soft_kind[f] >= 0:
                soft_all += max(0.0, facts[soft_kind[f]] - hard_sum)
            hard_best = worth[hard_kind[f]] if hard_kind[f] >= 0 else 0.0
            soft_best = worth[soft_kind[f]] if soft_kind[f] >= 0 else 0.0
            bits[a, f] = max(hard_best, soft_best)
            hard += hard_best
            # Beside a hard kind of its family, a fakeable kind counts only for what it has more.
            soft += max(0.0, soft_best - hard_best)
        fakeable_bits = soft
        counted[a] = min(alike[a], hard)
        soft = min(soft, hard - max(0.0, counted[a]))
        net[a] = hard + soft + counted[a] - prior
        explained[a] = hard_all + min(hard_all, soft_all + max(0.0, alike[a])) + min(0.0, alike[a])
        cap = soft / fakeable_bits if fakeable_bits > 0.0 else 0.0
        for at in range(by_account[a], by_account[a + 1]):
            if credit[at] <= 0.0:
                continue
            k = kind[at]
            f = family[k]
            part = 0.0
            if hard_kind[f] == k:
                part = worth[k]
            elif soft_kind[f] == k:
                more = worth[k] - (worth[hard_kind[f]] if hard_kind[f] >= 0 else 0.0)
                part = max(0.0, more) * cap
            credit[at] *= part / facts[k]
    return net, explained, bits, credit, counted
