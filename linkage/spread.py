"""Evidence that spreads from seeds: who is tied to accounts that are known to be bad, over one hop or several.

Personalised PageRank (Haveliwala 2002, doi:10.1145/511446.511513; Andersen, Chung and Lang 2006,
doi:10.1109/FOCS.2006.44) ranks by how often a random walk that starts at the seeds comes by. It knows no prior: a hub
still hands its weight to thousands, and what a walk brings home is no evidence that anybody could read. So the walk is
replaced by the evidence of `linkage.evidence.groups`, taken towards the seeds, in rounds:

1. The seeds weigh 1 and are the first group. Its size s is the sum of its weights.
2. Account a, value v that d accounts share, n the weight of those in the group that have it, a itself left out:

       fact(v) = habit * (log2(m_k * n / (d - 1) * N / s) - looks)   at least 0
       net(a)  = sum over families of the strongest kind's saturated facts  -  log2(N / (PARTNERS + s))

   or, where that is more, by values that link two accounts by themselves, b being the one of greatest weight:

       fact(v) = min(habit, weight_b * habit_b) * (log2(m_k * N / d) - looks)  if above the prior
       net(a)  = the same sum  -  log2(N / PARTNERS)

   Looks are LOOKS * log2(M), M being how many values of the kind the account lives on (`breadth`): who uses a thousand
   addresses of a proxy provider meets other customers of it. Facts that anyone can fake at no cost count at most as
   much as the others.

   Living like the group (`likeness`), weighed as its members are, adds to either sum as it does among pairs and groups:
   hard + min(hard, soft + alike) - prior, alike below 0 counting in full. Nobody is ranked by it alone.

   An account that the newest run put into a group of k in which there is no seed loses log2((k + 1) / 4) bits: of
   a group of the seeds' hand some would be known, and if any share of the hand is as likely to be known as any other,
   the chance that none of k is would be 1 / (k + 1). A piece of three says nothing.

   Nobody is surer than those who speak for it: the posterior p = 1 / (1 + 2**-net) is multiplied by the mean weight of
   the surest holder of each value that counts, each value counting by its bits.
3. Accounts whose posterior reaches `JOINS` join the group with it as their weight: so evidence reaches those who share
   nothing with any seed. Back to 2 until nobody joins, at most `rounds` times.

4. Last, an account in a group of k that holds n seeds, is tied by that, where it is more:

       net(a)  = fact + min(fact, alike) - log2(N / (PARTNERS + s)),    fact = log2(GROUP * n / (k - 1) * N / s)

   It speaks for nobody: what ties its group was looked at from all sides when the run found it.

No echo: an account that joined in round r is scored by those that had joined by then, whose weights were fixed without
it. So two accounts never confirm one another, and each account's weight rests on the seeds alone.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from linkage.evidence import PARTNERS, Weighed, group_prior
from linkage.identify import NEVER
from linkage.kernel import kernel

JOINS: Final = 0.5
"""The posterior from which on an account speaks for others. Lower reaches further, and drifts to bystanders sooner."""

ROUNDS: Final = 8
"""So many steps from the seeds are looked at, if the caller does not say."""

OWNER_DAYS: Final = 7
"""Who held a payment method so many days before everybody else may be its rightful owner, whose card was stolen."""

OWNER_BITS: Final = 4.0
"""What that speaks against an account that nothing else ties."""

LOOKS: Final = 0.5
"""An account with M values of a kind has had more chances to share one: each is worth so many times log2(M) bits less.
1 would be Bonferroni's correction, as if the values were independent; those of one pool are not. A judgement."""

GROUP: Final = 0.8
"""m of having been put into one group by a run, as of a payment method. A judgement."""

SMALL: Final = 3
"""That a group of so many accounts or fewer holds no seed says nothing: rings often come out in such pieces."""

FAR: Final = 2**15
"""Stands for the hops of an account that nothing ties."""


@dataclass(frozen=True)
class Spread:
    """What ties each account to the seeds.

    Attributes:
        net: float64[A], bits beyond the prior; -inf for seeds and for accounts that nothing ties.
        hops: int32[A], 0 for seeds, 1 for accounts that share a counted value with a seed, and so on; `FAR` for none.
        credit: float64[S], the part of the account's bits that each sighting brings.
        weight: float64[A], how much each account speaks for others: 1 for a seed, the posterior of one that joined.
        owner: bool[A], accounts that are tied by one payment method only, which they had long before everybody else.
        alike: float64[A], the part of the bits that is for living like the seeds; below 0 for living differently.
        group: float64[A], the part that is for being in a group with seeds; 0 where the values tie it more. Else it
            stands in the place of the credits.
        apart: float64[A], bits that were taken off for being in a group without seeds.
    """

    net: NDArray[np.float64]
    hops: NDArray[np.int32]
    credit: NDArray[np.float64]
    weight: NDArray[np.float64]
    owner: NDArray[np.bool_]
    alike: NDArray[np.float64]
    group: NDArray[np.float64]
    apart: NDArray[np.float64]


def spread(
    weighed: Weighed, seeds: NDArray[np.int64], rounds: int = ROUNDS, groups: NDArray[np.int64] | None = None
) -> Spread:
    """Score all accounts towards the seeds.

    Args:
        weighed: the sightings, and what likeness is worth.
        seeds: int64, indices of accounts.
        rounds: at most so many hops.
        groups: int64[A], the group that a run put each account into, from 0 on; -1 for none.
    """
    s = weighed.sightings
    seeds = np.unique(seeds)
    fact, apart = _of_groups(np.full(s.accounts, -1) if groups is None else groups, seeds, weighed.population)
    living = np.zeros(s.accounts)
    net = np.full(s.accounts, -np.inf)
    hops = np.full(s.accounts, FAR, np.int32)
    credit = np.zeros(len(s.account))
    alike = np.zeros(s.accounts)
    weight = np.zeros(s.accounts)
    # What the group has of each identifier: the sum of shares, the two greatest and whose they are, and the least hops.
    values = len(s.kind)
    group: tuple[Any, ...] = (
        np.zeros(values),
        np.zeros(values),
        np.full(values, -1, np.int64),
        np.zeros(values),
        np.full(values, -1, np.int64),
        np.full(values, FAR, np.int32),
    )
    walk = (weighed.by_account, weighed.account_order)
    looks = breadth(weighed) * LOOKS
    owner, early = np.zeros(s.accounts, np.bool_), held_first(weighed)
    weight[seeds], hops[seeds] = 1.0, 0
    settled = weight > 0
    joined = seeds
    for _ in range(rounds if len(joined) else 0):
        _join(*walk, s.identifier, weighed.habit, joined, weight, hops, *group)
        living = weighed.likeness.bits_towards(weight).sum(axis=1)
        _score(
            *walk,
            weighed.by_identifier,
            s.identifier,
            weighed.habit,
            weighed.reliability_bits,
            s.kind,
            weighed.kind_family,
            weighed.kind_fakeable,
            len(weighed.families),
            weight,
            float(weight.sum()),
            looks,
            settled,
            *group,
            weighed.population,
            PARTNERS,
            living,
            apart,
            net,
            hops,
            credit,
            alike,
        )
        settled = weight > 0
        ties = np.bincount(s.account[credit > 0], minlength=s.accounts)
        suspect = np.zeros(s.accounts, np.bool_)
        suspect[s.account[early & (credit > 0)]] = True
        suspect &= (ties == 1) & ~settled
        owner = np.where(settled, owner, suspect)
        posterior = probability(net - OWNER_BITS * owner)
        joined = np.flatnonzero(~settled & (posterior >= JOINS))
        if not len(joined):
            break
        weight[joined] = posterior[joined]
    net = net - OWNER_BITS * owner
    like = np.minimum(living, fact)
    by_group = np.where(fact > 0.0, fact + like - group_prior(weighed.population, len(seeds)), -np.inf)
    by_group[seeds] = -np.inf
    better = (by_group > net) & ~owner
    net, alike = np.where(better, by_group, net), np.where(better, like, alike)
    hops[better & (hops == FAR)] = 1
    return Spread(net, hops, credit, weight, owner, alike, np.where(better, fact, 0.0), apart)


def _of_groups(
    groups: NDArray[np.int64], seeds: NDArray[np.int64], population: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What the groups of a run say of each account: bits for one with seeds, and bits against one without."""
    inside = groups >= 0
    size = np.bincount(groups[inside]).astype(np.float64)
    known = np.bincount(groups[seeds][inside[seeds]], minlength=len(size)).astype(np.float64)
    with np.errstate(divide="ignore"):
        fact = np.log2(GROUP * known / np.maximum(size - 1.0, 1.0) * population / max(len(seeds), 1))
    loss = np.where(known > 0.0, 0.0, np.log2((size + 1.0) / (SMALL + 1.0)))
    towards, apart = np.zeros(len(groups)), np.zeros(len(groups))
    towards[inside] = np.maximum(fact, 0.0)[groups[inside]]
    apart[inside] = np.maximum(loss, 0.0)[groups[inside]]
    return towards, apart


def breadth(weighed: Weighed) -> NDArray[np.float64]:
    """How many values of a sighting's kind its account lives on: log2 of the perplexity of its counts.

    Returns:
        float64[S], bits; 0 where the account has one value of the kind.
    """
    s = weighed.sightings
    of = s.account.astype(np.int64) * max(len(s.kinds), 1) + s.kind[s.identifier]
    size = s.accounts * max(len(s.kinds), 1)
    count = s.count.astype(np.float64)
    total = np.bincount(of, count, minlength=size)[of]
    share = count / total
    entropy = np.bincount(of, -share * np.log2(share), minlength=size)
    found: NDArray[np.float64] = entropy[of]
    return found


def held_first(weighed: Weighed) -> NDArray[np.bool_]:
    """Sightings of a payment method that began `OWNER_DAYS` before anybody else's.

    Returns:
        bool[S].
    """
    s = weighed.sightings
    payment = np.array([kind.name == "payment" for kind in weighed.kinds], dtype=np.bool_)
    found = np.zeros(len(s.account), np.bool_)
    at = np.flatnonzero(payment[s.kind[s.identifier]] if len(s.kind) else found)
    at = at[np.lexsort((s.first[at], s.identifier[at]))]
    if len(at) < 2:
        return found
    value, first = s.identifier[at], s.first[at]
    # An unknown time sorts first: nobody is known to be the owner then.
    leads = np.concatenate(([True], value[1:] != value[:-1]))[:-1] & (value[1:] == value[:-1])
    leads &= (first[:-1] != NEVER) & (first[1:] - first[:-1] >= OWNER_DAYS * 86_400_000_000)
    found[at[:-1][leads]] = True
    return found


def probability(net: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + 2 ** -net).

    >>> probability(np.array([-np.inf, 0.0, 3.0])).round(4).tolist()
    [0.0, 0.5, 0.8889]
    """
    with np.errstate(over="ignore"):
        found: NDArray[np.float64] = 1.0 / (1.0 + np.exp2(-net))
    return found


@kernel
def _join(by_account, order, identifier, habit, joined, weight, hops, mass, best, holder, second, runner, near):  # type: ignore[no-untyped-def]
    for a in joined:
        for at in range(by_account[a], by_account[a + 1]):
            here = order[at]
            i = identifier[here]
            share = weight[a] * habit[here]
            mass[i] += share
            if share > best[i]:
                second[i], runner[i] = best[i], holder[i]
                best[i], holder[i] = share, a
            elif share > second[i]:
                second[i], runner[i] = share, a
            if share > 0.0:
                near[i] = min(near[i], hops[a])


@kernel
def _score(  # type: ignore[no-untyped-def]
    by_account, order, by_identifier, identifier, habit, reliability, kind, family, fakeable, families, weight, size,
    looks, settled, mass, best, holder, second, runner, near, population, partners, living, apart, net, hops, credit,
    alike,
):  # fmt: skip
    worth, facts = np.zeros((2, len(family))), np.zeros((2, len(family)))
    hard_kind, soft_kind = np.full((2, families), -1), np.full((2, families), -1)
    hard, soft, sums, greatest = np.zeros(2), np.zeros(2), np.zeros(2), np.zeros(2)
    like, room = np.zeros(2), np.zeros(2)
    pair_prior = np.log2(population / partners)
    for a in range(len(by_account) - 1):
        start, end = by_account[a], by_account[a + 1]
        touched = False
        for at in range(start, end):
            if mass[identifier[order[at]]] > 0.0:
                touched = True
                break
        if settled[a] or not touched:
            continue
        # An account that joined in the last round does not speak for itself, nor is it part of the group's size.
        group_size = size - weight[a]
        scale = np.log2(population / group_size)
        group_prior = np.log2(population / (partners + group_size))
        facts[:] = 0.0
        worth[:] = 0.0
        hard_kind[:] = -1
        soft_kind[:] = -1
        greatest[:] = 0.0
        for at in range(start, end):
            here = order[at]
            i = identifier[here]
            k = kind[i]
            n = mass[i] - weight[a] * habit[here]
            if n > 1e-9:
                d = by_identifier[i + 1] - by_identifier[i]
                fact = habit[here] * (reliability[i] + np.log2(n / (d - 1)) + scale - looks[here])
                if fact > 0.0:
                    facts[0, k] += fact
                    greatest[0] = max(greatest[0], fact)
                other = second[i] if holder[i] == a else best[i]
                fact = min(habit[here], other) * (reliability[i] + np.log2(population / d) - looks[here])
                if fact > pair_prior:
                    facts[1, k] += fact
                    greatest[1] = max(greatest[1], fact)
            last = at + 1 == end
            if last or kind[identifier[order[at + 1]]] != k:
                for way in range(2):
                    if facts[way, k] <= 0.0:
                        continue
                    worth[way, k] = 2.0 * greatest[way] - greatest[way] * greatest[way] / facts[way, k]
                    chosen = soft_kind[way] if fakeable[k] else hard_kind[way]
                    if chosen[family[k]] < 0 or worth[way, k] > worth[way, chosen[family[k]]]:
                        chosen[family[k]] = k
                greatest[:] = 0.0
        for way in range(2):
            hard[way] = soft[way] = 0.0
            for f in range(families):
                base = worth[way, hard_kind[way, f]] if hard_kind[way, f] >= 0 else 0.0
                faked = worth[way, soft_kind[way, f]] if soft_kind[way, f] >= 0 else 0.0
                hard[way] += base
                soft[way] += max(0.0, faked - base)
            like[way] = min(living[a], hard[way])
            room[way] = hard[way] - max(0.0, like[way])
            sums[way] = hard[way] + like[way] + min(room[way], soft[way]) - (pair_prior if way else group_prior)
        way = 1 if hard[1] > 0.0 and sums[1] > sums[0] else 0
        for at in range(start, end):
            credit[order[at]] = 0.0
        if hard[way] <= 0.0:
            # What anyone can fake at no cost ranks nobody by itself.
            net[a] = -np.inf
            hops[a] = FAR
            alike[a] = 0.0
            continue
        net[a] = sums[way]
        alike[a] = like[way]
        cap = min(room[way], soft[way]) / soft[way] if soft[way] > 0.0 else 0.0
        nearest = hops[a] if weight[a] > 0.0 else FAR
        spoken = counted = 0.0
        for at in range(start, end):
            here = order[at]
            i = identifier[here]
            k = kind[i]
            f = family[k]
            n = mass[i] - weight[a] * habit[here]
            if n <= 1e-9 or facts[way, k] <= 0.0:
                continue
            d = by_identifier[i + 1] - by_identifier[i]
            if way == 1:
                other = second[i] if holder[i] == a else best[i]
                fact = min(habit[here], other) * (reliability[i] + np.log2(population / d) - looks[here])
                if fact <= pair_prior:
                    continue
            else:
                fact = habit[here] * (reliability[i] + np.log2(n / (d - 1)) + scale - looks[here])
                if fact <= 0.0:
                    continue
            part = 0.0
            if hard_kind[way, f] == k:
                part = worth[way, k]
            elif soft_kind[way, f] == k:
                base = worth[way, hard_kind[way, f]] if hard_kind[way, f] >= 0 else 0.0
                part = max(0.0, worth[way, k] - base) * cap
            credit[here] = fact / facts[way, k] * part
            if part > 0.0:
                nearest = min(nearest, near[i] + 1)
                counted += credit[here]
                spoken += credit[here] * weight[runner[i] if holder[i] == a else holder[i]]
        hops[a] = nearest
        if spoken < counted:
            # log2(p / (1 - p)) of p = spoken / counted / (1 + 2 ** -net)
            net[a] = -np.log2((1.0 + 2.0 ** -net[a]) * counted / spoken - 1.0)
        net[a] -= apart[a]
