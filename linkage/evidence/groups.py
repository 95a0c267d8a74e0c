"""Evidence between an account and a group.

Account a, group C of s accounts, value v that d accounts share, n of them in C (a itself never counts for itself):

    fact(v) = habit * log2(m_k * (n - 1) / (d - 1) / p)      at least 0;  p = s / N
    net(a)  = sum over families of the strongest kind's saturated facts  -  log2(N / (PARTNERS + s))

An account that is tied to a member by a value that links two accounts by itself (`pairs`) is tied to the group: where
that is more,

    fact(v) = habit * log2(m_k * N / d)  if above the prior,   net(a) = the same sum  -  log2(N / PARTNERS)

Without it nobody could belong to a long chain, whose values are shared by few each.

The ratio (n - 1) / (d - 1) is how much of the value's other holders live in C; p is how much of them would, if they
were random accounts, and makes a likelihood ratio of it. A value whose holders all sit in C is worth the same whether
it is shared by 5 or by 500; a hub whose holders are everywhere is worth log2(m N / d), which is little. One shared
value of a kind with m near 1 hardly beats the prior: it takes a second fact, another kind or a pool of values, to be
sure. Facts that anyone can fake at no cost count at most as much as the others.

Where a crowd meets (more than `CROWD` accounts have v, at least half of them outside of C), busy accounts meet more
often than others: much traffic passes through many exits of carriers and of networks that hide where it comes from.
So busy accounts must be a greater part of the crowd there than they are of crowds elsewhere:

    p = max(s / N, C's sightings of such values of kind k that two or more of C have / all sightings of crowds' values
        of kind k)
"""

from dataclasses import dataclass
from typing import Any

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
    accounts, families = s.accounts, len(weighed.families)
    start, members = by_group(labels)
    bits = weighed.likeness.group_bits(start, members)
    net, explained, counted, of_family, holders, credit = _towards(
        *_walk(weighed, start, members, bits), weighed.account_order, True
    )
    alike = np.zeros((accounts, bits.shape[1]))
    alike[members] = bits
    by_family = np.zeros((accounts, families))
    by_family[members] = of_family
    net, explained, counted = (_spread(accounts, members, values) for values in (net, explained, counted))
    return GroupEvidence(net, explained, by_family, holders, credit, counted, alike)


def group_ties(weighed: Weighed, labels: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`net` and `explained` of `group_evidence` alone, for searches that weigh many groups."""
    start, members = by_group(labels)
    bits = weighed.likeness.group_bits(start, members)
    net, explained, *_ = _towards(*_walk(weighed, start, members, bits), weighed.account_order, False)
    accounts = weighed.sightings.accounts
    return _spread(accounts, members, net), _spread(accounts, members, explained)


def _spread(accounts: int, members: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.zeros(accounts)
    out[members] = values
    return out


def _walk(
    weighed: Weighed, start: NDArray[np.int64], members: NDArray[np.int64], bits: NDArray[np.float64]
) -> tuple[Any, ...]:
    own = weighed.own
    return (
        start,
        members,
        bits.sum(axis=1) * weighed.likeness.damp,
        weighed.by_account,
        own.identifier,
        own.kind,
        own.habit,
        own.base,
        own.pair,
        own.links,
        own.logs,
        own.half,
        own.crowds,
        weighed.kind_family,
        weighed.kind_fakeable,
        len(weighed.families),
        len(weighed.sightings.kind),
        weighed.population,
        PARTNERS,
    )


@kernel
def by_group(labels):  # type: ignore[no-untyped-def]
    """The accounts of each group, in order: group g's are members[start[g]:start[g + 1]]. -1 is no group."""
    groups = 0
    for a in range(len(labels)):
        groups = max(groups, labels[a] + 1)
    start = np.zeros(groups + 1, np.int64)
    for a in range(len(labels)):
        if labels[a] >= 0:
            start[labels[a] + 1] += 1
    for g in range(groups):
        start[g + 1] += start[g]
    place, members = start[:-1].copy(), np.empty(start[-1], np.int64)
    for a in range(len(labels)):
        if labels[a] >= 0:
            members[place[labels[a]]] = a
            place[labels[a]] += 1
    return start, members


@kernel
def _towards(  # type: ignore[no-untyped-def]
    start, members, alike, by_account, identifier, kind, habit, base, pair, links, logs, half, crowds, family, fakeable,
    families, identifiers, population, partners, order, detailed,
):  # fmt: skip
    """One entry a member, group by group, but `holders` and `credit`, which are by sighting and stay empty without
    `detailed`. Sightings come side by side for each account, and stand at `order` in the results.
    """
    n = len(members)
    net, explained, counted = np.zeros(n), np.zeros(n), np.zeros(n)
    of_family = np.zeros((n if detailed else 0, families))
    holders = np.zeros(len(kind) if detailed else 0, np.int32)
    credit = np.zeros(len(kind) if detailed else 0)
    count = np.zeros(identifiers, np.int32)
    most = 0
    for a in range(len(by_account) - 1):
        most = max(most, by_account[a + 1] - by_account[a])
    shared, place, fact = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most)
    state, best = np.zeros((2, len(family))), np.zeros((2, families), np.int64)
    crowded = np.zeros(len(family))  # of each kind: sightings by which the group is of a crowd, then -log2(p) of those
    pair_prior = np.log2(population / partners)
    for g in range(len(start) - 1):
        for x in range(start[g], start[g + 1]):
            for at in range(by_account[members[x]], by_account[members[x] + 1]):
                count[identifier[at]] += 1
        size = max(1.0, np.float64(start[g + 1] - start[g]))
        scale, prior = np.log2(population / size), np.log2(population / (partners + size))
        crowded[:] = 0.0
        for x in range(start[g], start[g + 1]):
            for at in range(by_account[members[x]], by_account[members[x] + 1]):
                crowded[kind[at]] += 1 < count[identifier[at]] <= half[at]
        for k in range(len(crowded)):
            crowded[k] = min(scale, np.log2(crowds[k] / crowded[k])) if crowded[k] > 0.0 else scale
        for x in range(start[g], start[g + 1]):
            a = members[x]
            n_shared = filled = 0
            for at in range(by_account[a], by_account[a + 1]):
                held = count[identifier[at]]
                if detailed:
                    holders[order[at]] = held
                if held > 1:
                    shared[n_shared] = at
                    n_shared += 1
                    likely = crowded[kind[at]] if held <= half[at] else scale
                    worth = habit[at] * (base[at] + logs[held - 1] + likely)
                    if worth > 0.0:
                        place[filled], fact[filled] = at, worth
                        filled += 1
            net[x], explained[x], counted[x] = _tie(place[:filled], fact, kind, family, fakeable, alike[x], state, best)
            net[x] -= prior
            if detailed:
                _share(place[:filled], fact, kind, family, alike[x], state, best, of_family[x], order, credit)
            # Only a value that links two accounts by itself can tie more by pairs.
            if not links[a]:
                continue
            now = 0
            for at in shared[:n_shared]:
                if pair[at] > pair_prior:
                    place[now], fact[now] = at, pair[at]
                    now += 1
            by_pairs, _, pair_counted = _tie(place[:now], fact, kind, family, fakeable, alike[x], state, best)
            if by_pairs - pair_prior > net[x]:
                net[x], counted[x] = by_pairs - pair_prior, pair_counted
                if detailed:
                    for at in shared[:n_shared]:
                        credit[order[at]] = 0.0
                    _share(place[:now], fact, kind, family, alike[x], state, best, of_family[x], order, credit)
        for x in range(start[g], start[g + 1]):
            for at in range(by_account[members[x]], by_account[members[x] + 1]):
                count[identifier[at]] = 0
    return net, explained, counted, of_family, holders, credit


@kernel
def _tie(place, fact, kind, family, fakeable, alike, state, best):  # type: ignore[no-untyped-def]
    """Bits of one account before its prior, bits that are explained, and bits of likeness.

    fact[n] bits come from the sighting place[n], those of one kind side by side. Leaves each kind's sum and saturated
    worth in `state`, and each family's strongest kind, which can be faked or not, in `best`.
    """
    total, worth = state[0], state[1]
    hard_kind, soft_kind = best[0], best[1]
    total[:] = 0.0
    best[:] = -1
    greatest = 0.0
    for n in range(len(place)):
        k = kind[place[n]]
        total[k] += fact[n]
        greatest = max(greatest, fact[n])
        if n + 1 == len(place) or kind[place[n + 1]] != k:
            # The kind is complete: saturate it, and see if it is the strongest of its family.
            worth[k] = 2.0 * greatest - greatest * greatest / total[k]
            greatest = 0.0
            strongest = soft_kind if fakeable[k] else hard_kind
            if strongest[family[k]] < 0 or worth[k] > worth[strongest[family[k]]]:
                strongest[family[k]] = k
    hard = soft = hard_all = soft_all = 0.0
    for f in range(len(hard_kind)):
        hard_sum = hard_best = 0.0
        if hard_kind[f] >= 0:
            hard_sum, hard_best = total[hard_kind[f]], worth[hard_kind[f]]
        hard_all += hard_sum
        hard += hard_best
        if soft_kind[f] >= 0:
            # Beside a hard kind of its family, a fakeable kind counts only for what it has more.
            soft_all += max(0.0, total[soft_kind[f]] - hard_sum)
            soft += max(0.0, worth[soft_kind[f]] - hard_best)
    counted = min(alike, hard)
    bits = hard + min(soft, hard - max(0.0, counted)) + counted
    return bits, hard_all + min(hard_all, soft_all + max(0.0, alike)) + min(0.0, alike), counted


@kernel
def _share(place, fact, kind, family, alike, state, best, of_family, order, credit):  # type: ignore[no-untyped-def]
    """The part of the account's bits that each sighting brings, and each family's bits, from what `_tie` has left."""
    total, worth = state[0], state[1]
    hard = soft = 0.0
    for f in range(len(of_family)):
        hard_best = worth[best[0, f]] if best[0, f] >= 0 else 0.0
        soft_best = worth[best[1, f]] if best[1, f] >= 0 else 0.0
        of_family[f] = max(hard_best, soft_best)
        hard += hard_best
        soft += max(0.0, soft_best - hard_best)
    cap = min(soft, hard - max(0.0, min(alike, hard))) / soft if soft > 0.0 else 0.0
    for n in range(len(place)):
        k = kind[place[n]]
        hard_kind = best[0, family[k]]
        part = 0.0
        if hard_kind == k:
            part = worth[k]
        elif best[1, family[k]] == k:
            part = max(0.0, worth[k] - (worth[hard_kind] if hard_kind >= 0 else 0.0)) * cap
        credit[order[place[n]]] = fact[n] * (part / total[k])
