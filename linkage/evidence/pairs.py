"""Evidence between two accounts, for all pairs that share a value which is no hub.

1. Of every value that two accounts share, the pair gets the lesser of their two weights: who merely brushed it
   carries little.
2. Values of one kind saturate (`weights.saturate`); of correlated kinds (a family) only the strongest counts, so an
   address's network never adds to the address; families add up.
3. What anyone can fake at no cost, and behaving alike (`likeness`), count at most as much as what cannot be faked, and
   nothing by themselves. Living differently speaks against.
4. Hubs (shared by more than `hub_degree`) form no clique: their holders, once in a fixed scattered order and once in
   the order of their sign-ups, are tied to the next `HUB_TIES` / 2 ones only. That is enough for a community to be
   found behind a pool of large identifiers, and the cost stays linear in the sightings.
"""

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from linkage.evidence.likeness import learn
from linkage.evidence.weights import Weighed
from linkage.kernel import grown, kernel

HUB_TIES: Final = 6

PART: Final = 1 << 22
"""Pairs that are weighed at once."""

_KEPT: Final = "_pairs"

Edges = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]


def pair_edges(weighed: Weighed, hub_degree: int) -> Edges:
    """All pairs worth anything.

    Args:
        weighed: the sightings.
        hub_degree: identifiers shared by more accounts form no clique. Greater finds more and costs its square.

    Returns:
        u, v (int32[E], u < v) and bits (float32[E], > 0). A pair can stand twice: once from its cliques, once from
        each hub's ties; its evidence is the sum.
    """
    s = weighed.sightings
    if not len(s.account):
        return np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32)
    known = vars(weighed).pop(_KEPT, None)
    cliques = known[1] if known and known[0] == hub_degree else hard_pairs(weighed, hub_degree)
    u, v, bits = _hub_ties(
        weighed.by_identifier,
        s.account,
        weighed.bits,
        weighed.habit,
        weighed.kind_fakeable[s.kind],
        hub_degree,
        HUB_TIES,
        weighed.likeness.age,
    )
    near = _worth_anything(weighed, *cliques)
    far = _worth_anything(weighed, u, v, bits, np.zeros_like(bits))
    del known, cliques
    # A column at a time, so that none stands twice but the one that is put together.
    u, v, bits = (np.concatenate((near.pop(0), far.pop(0))) for _ in range(3))
    return u, v, bits


def _worth_anything(
    weighed: Weighed, u: NDArray[np.int32], v: NDArray[np.int32], hard: NDArray[np.float32], soft: NDArray[np.float32]
) -> list[NDArray[Any]]:
    """Of these pairs, in their own place, those worth anything: u, v and bits."""
    filled = 0
    # A part at a time: what is worked out beside a pair takes more memory than the pair.
    for part in (slice(at, at + PART) for at in range(0, len(u), PART)):
        alike = weighed.likeness.pair_bits(u[part], v[part])
        sure = hard[part].astype(np.float64)
        worth = sure + np.minimum(sure, soft[part] + np.maximum(alike, 0.0)) + np.minimum(alike, 0.0)
        kept = worth > 0.0
        end = filled + int(kept.sum())
        here = slice(filled, end)
        u[here], v[here], hard[here] = u[part][kept], v[part][kept], worth[kept]
        filled = end
    return [u[:filled], v[:filled], hard[:filled]]


def learn_likeness(weighed: Weighed, hub_degree: int) -> Weighed:
    """The same sightings, having learnt from the pairs that share hard facts what it is worth to behave alike.

    Args:
        weighed: the sightings.
        hub_degree: identifiers shared by more accounts form no pairs.
    """
    pairs = hard_pairs(weighed, hub_degree)
    learnt = replace(weighed, likeness=learn(weighed.likeness.rank, *pairs[:2]))
    # What was sorted stays sorted.
    learnt.__dict__.update({name: value for name, value in weighed.__dict__.items() if name not in learnt.__dict__})
    # Likeness changes nothing of these pairs. They are large, and wanted once more: `pair_edges` takes them.
    vars(learnt)[_KEPT] = (hub_degree, pairs)
    return learnt


def hard_pairs(
    weighed: Weighed, hub_degree: int, among: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """The pairs that share anything which nobody can fake at no cost, hubs left out.

    Args:
        weighed: the sightings.
        hub_degree: identifiers shared by more accounts form no pairs.
        among: bool[A], the accounts whose pairs are wanted; all, without it.

    Returns:
        u, v (int32[E], u < v), bits of what cannot be faked (float32[E], > 0) and of what can: most of the memory that
        a large case takes.
    """
    walk = _walk(weighed)
    if among is not None:
        walk = _only(
            walk,
            among[weighed.sightings.account] & (weighed.sightings.degree <= hub_degree)[weighed.sightings.identifier],
        )
    u, v, hard, soft = _clique_pairs(*walk, np.int64(hub_degree))
    return u, v, hard, soft


def _only(walk: tuple[Any, ...], kept: NDArray[np.bool_]) -> tuple[Any, ...]:
    """The same walk over a part of the sightings."""
    by_account, order, by_identifier, account, identifier, bits, kind, *of_kind = walk
    here = np.flatnonzero(kept)
    order = order[kept[order]]
    starts = []
    for ends, of in ((by_account, account), (by_identifier, identifier)):
        counts = np.bincount(of[here], minlength=len(ends) - 1)
        starts.append(np.concatenate((np.zeros(1, np.int64), np.cumsum(counts))).astype(ends.dtype))
    place = (np.cumsum(kept) - 1).astype(order.dtype)
    return (starts[0], place[order], starts[1], account[here], identifier[here], bits[here], kind[here], *of_kind)


def _walk(weighed: Weighed) -> tuple[Any, ...]:
    s = weighed.sightings
    return (
        weighed.by_account,
        weighed.account_order,
        weighed.by_identifier,
        s.account,
        s.identifier,
        weighed.bits[s.identifier] * weighed.habit,
        s.kind[s.identifier],
        weighed.kind_family,
        weighed.kind_fakeable,
    )


@kernel
def _clique_pairs(by_account, order, by_identifier, account, identifier, bits, kind, family, fakeable, cap):  # type: ignore[no-untyped-def]
    n = len(by_account) - 1
    size = 1024
    u, v = np.empty(size, np.int32), np.empty(size, np.int32)
    w, f = np.empty(size, np.float32), np.empty(size, np.float32)
    filled = 0
    greatest, total = np.zeros(n), np.zeros(n)  # of the running kind
    best, soft_best = np.zeros(n), np.zeros(n)  # of the running family
    hard, soft = np.zeros(n), np.zeros(n)
    in_kind, in_family, in_all = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int32)
    known = np.zeros(n, np.bool_)
    for a in range(n):
        n_all = n_family = n_kind = 0
        for at in range(by_account[a], by_account[a + 1]):
            here = order[at]
            i = identifier[here]
            if by_identifier[i + 1] - by_identifier[i] <= cap:
                # Step 1. Holders are sorted: those after `here` are the accounts with a greater index.
                for there in range(here + 1, by_identifier[i + 1]):
                    worth = min(bits[here], bits[there])
                    if worth <= 0.0:
                        continue
                    b = account[there]
                    if total[b] == 0.0:
                        in_kind[n_kind] = b
                        n_kind += 1
                    total[b] += worth
                    greatest[b] = max(greatest[b], worth)
            k = kind[here]
            last = at + 1 == by_account[a + 1]
            next_kind = -1 if last else kind[order[at + 1]]
            if next_kind == k:
                continue
            # Step 2, the kind is complete.
            for x in range(n_kind):
                b = in_kind[x]
                worth = 2.0 * greatest[b] - greatest[b] * greatest[b] / total[b]
                greatest[b] = total[b] = 0.0
                if not known[b]:
                    known[b] = True
                    in_all[n_all] = b
                    n_all += 1
                if best[b] == 0.0 and soft_best[b] == 0.0:
                    in_family[n_family] = b
                    n_family += 1
                if fakeable[k]:
                    soft_best[b] = max(soft_best[b], worth)
                else:
                    best[b] = max(best[b], worth)
            n_kind = 0
            if next_kind >= 0 and family[next_kind] == family[k]:
                continue
            for x in range(n_family):
                b = in_family[x]
                hard[b] += best[b]
                soft[b] += max(0.0, soft_best[b] - best[b])
                best[b] = soft_best[b] = 0.0
            n_family = 0
        for x in range(n_all):
            b = in_all[x]
            sure, faked = hard[b], soft[b]
            hard[b] = soft[b] = 0.0
            known[b] = False
            if sure <= 0.0:
                continue
            if filled == size:
                size *= 2
                u, v, w, f = grown(u, size), grown(v, size), grown(w, size), grown(f, size)
            u[filled], v[filled], w[filled], f[filled] = a, b, sure, faked
            filled += 1
    return u[:filled], v[:filled], w[:filled], f[:filled]


@kernel
def _hub_ties(by_identifier, account, bits, habit, fakeable, cap, ties, signed_up):  # type: ignore[no-untyped-def]
    room = 0
    for i in range(len(bits)):
        d = by_identifier[i + 1] - by_identifier[i]
        if d > cap and bits[i] > 0.0 and not fakeable[i]:
            room += d * ties
    u, v, w = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.float32)
    filled = 0
    for i in range(len(bits)):
        start = by_identifier[i]
        d = by_identifier[i + 1] - start
        if d <= cap or bits[i] <= 0.0 or fakeable[i]:
            continue
        # A scattered order that depends on the accounts and the identifier alone (a multiplicative hash).
        keys = np.empty(d)
        for x in range(d):
            keys[x] = np.float64((np.int64(account[start + x]) * 2654435761 + np.int64(i) * 40503) & 0xFFFFFFFF)
        near = min(ties // 2, (d - 1) // 2)  # In a small hub further steps would come round to the same pairs.
        place = np.empty(d, np.int64)
        for by_age in range(2):
            if by_age:
                for x in range(d):
                    keys[x] = signed_up[account[start + x]]
            order = np.argsort(keys, kind="mergesort")
            if not by_age:
                for x in range(d):
                    place[order[x]] = x
            for x in range(d):
                for step in range(1, near + 1):
                    here, there = start + order[x], start + order[(x + step) % d]
                    apart = abs(place[here - start] - place[there - start])
                    if by_age and min(apart, d - apart) <= near:
                        continue  # Tied already.
                    worth = bits[i] * min(habit[here], habit[there])
                    if worth <= 0.0:
                        continue
                    a, b = account[here], account[there]
                    u[filled], v[filled], w[filled] = min(a, b), max(a, b), worth
                    filled += 1
    return u[:filled].copy(), v[:filled].copy(), w[:filled].copy()
