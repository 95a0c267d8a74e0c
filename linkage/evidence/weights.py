"""What one identifier is worth.

Fellegi and Sunter (1969, doi:10.1080/01621459.1969.10501049) weigh an agreement by log2(m / u): m, the chance that two
records of one hand agree, over u, the chance that two records picked at random do. Here:

    bits(v) = log2(m_k N / d)            v of kind k, shared by d of N accounts: u = d / N
    prior   = log2(N / PARTNERS)         what a pair must be worth before it is likelier than not

so that sharing v alone is worth the prior exactly when d = m_k * PARTNERS: N cancels.

N counts the accounts that share anything with anybody (at least `POPULATION_FLOOR`): accounts that share nothing
change no weight, and a small export is read as a sample of a larger population.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.evidence.likeness import Likeness, ranks, unlearnt
from linkage.identify import NEVER, Sightings
from linkage.kernel import kernel
from linkage.model import Kind, kind_of

PARTNERS: Final = 50.0
"""Expected number of true partners of a ring's account. Greater lets larger groups share one value and still link."""

POPULATION_FLOOR: Final = 10_000
"""The least N. Lower makes small exports blind; higher makes them credulous."""

BRUSH_BITS: Final = 14.0
"""An account that was seen with a value 2**BRUSH_BITS times less often than with its favourite has no evidence left."""

FADES: Final = 100.0
"""A value's use by another account so many memories ago says nothing any more."""

CROWD: Final = 100
"""A value that more accounts have is a crowd's. Lower asks more of groups of busy accounts, whatever they share."""


@dataclass(frozen=True)
class Weighed:
    """Sightings with their weights, in both sorted orders that the kernels walk.

    Attributes:
        sightings: as identified.
        population: N.
        bits: float64[I], log2(m N / d), at least 0.
        habit: float64[S], 0 to 1: how much of the account's life happens with the identifier (`habit`), how near in
            time to others who have it (`nearness`), and how far the identifier's own test (`ceiling`), those who use it
            less (`rivals`) and its network type (`chance`) let it count.
        reliability: float64[K], m of each kind, as stated or as estimated (`reliability.agreement`).
        likeness: what it is worth that accounts behave alike.
    """

    sightings: Sightings
    population: float
    bits: NDArray[np.float64]
    habit: NDArray[np.float64]
    reliability: NDArray[np.float64]
    likeness: Likeness

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """Each kind of `sightings.kinds`, with its trust."""
        return tuple(kind_of(name) for name in self.sightings.kinds)

    @cached_property
    def families(self) -> tuple[str, ...]:
        """The families of the kinds, sorted."""
        return tuple(sorted({kind.family for kind in self.kinds}))

    @cached_property
    def kind_family(self) -> NDArray[np.int16]:
        """int16[K], the index in `families` of each kind."""
        place = {family: at for at, family in enumerate(self.families)}
        return np.array([place[kind.family] for kind in self.kinds], dtype=np.int16)

    @cached_property
    def kind_fakeable(self) -> NDArray[np.bool_]:
        """bool[K]."""
        return np.array([kind.fakeable for kind in self.kinds], dtype=np.bool_)

    @cached_property
    def reliability_bits(self) -> NDArray[np.float64]:
        """float64[I], log2(m) of each identifier's kind."""
        return np.log2(self.reliability)[self.sightings.kind] if len(self.reliability) else np.zeros(0)

    @cached_property
    def by_identifier(self) -> NDArray[np.int64]:
        """int64[I + 1]: identifier i's sightings are [by_identifier[i], by_identifier[i + 1])."""
        return _pointers(self.sightings.identifier, len(self.sightings.kind))

    @property
    def account_order(self) -> NDArray[np.int32]:
        """int32[S]: sightings ordered by (account, family, kind, identifier)."""
        return self._ordered[0]

    @property
    def by_account(self) -> NDArray[np.int64]:
        """int64[A + 1]: account a's sightings are account_order[by_account[a]:by_account[a + 1]]."""
        return self._ordered[1]

    @cached_property
    def _ordered(self) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        s = self.sightings
        place = np.empty(len(s.kinds), np.int16)
        place[np.argsort(self.kind_family, kind="stable")] = np.arange(len(s.kinds), dtype=np.int16)
        order, start = _ordered(s.account, s.identifier, place[s.kind], len(s.kinds), s.accounts)
        return order, start

    @cached_property
    def own(self) -> "Own":
        """Each account's sightings side by side."""
        s, order = self.sightings, self.account_order
        identifier = s.identifier[order]
        degree = np.diff(self.by_identifier)
        logs = np.log2(np.maximum(np.arange(int(degree.max(initial=0)) + 1), 1))
        habit, of_kind = self.habit[order], self.reliability_bits
        pair = habit * (of_kind + np.log2(1.0 / np.maximum(degree, 1)) + np.log2(self.population))[identifier]
        base, crowd = of_kind - logs[degree - 1], np.where(degree > CROWD, degree, 0)
        return Own(
            identifier,
            s.kind[identifier],
            habit,
            base[identifier],
            pair,
            self._links(pair),
            logs,
            half=(crowd // 2).astype(np.int32)[identifier],
            crowds=np.bincount(s.kind, crowd, minlength=len(s.kinds)).astype(np.float64),
        )

    def _links(self, pair: NDArray[np.float64]) -> NDArray[np.bool_]:
        found = np.zeros(self.sightings.accounts, np.bool_)
        found[self.sightings.account[self.account_order[pair > np.log2(self.population / PARTNERS)]]] = True
        return found

    def without(self, left_out: NDArray[np.bool_]) -> "Weighed":
        """The same, some sightings worth nothing: who was seen with what stays, and what the rest is worth.

        Args:
            left_out: bool[S].
        """
        poorer = replace(self, habit=np.where(left_out, 0.0, self.habit))
        own, out = self.own, left_out[self.account_order]
        pair = np.where(out, 0.0, own.pair)
        # Sorting again would be most of the work.
        vars(poorer).update(
            by_identifier=self.by_identifier,
            _ordered=self._ordered,
            own=replace(own, habit=np.where(out, 0.0, own.habit), pair=pair, links=self._links(pair)),
        )
        return poorer

    def only(self, kept: NDArray[np.bool_]) -> "Weighed":
        """A part of the sightings, for groups that nothing else ties: what each is worth stays.

        Whoever else has an identifier counts among its rivals. No pairs are to be made of this.

        Args:
            kept: bool[S].
        """
        s, own, rows, mine = self.sightings, self.own, np.flatnonzero(kept), kept[self.account_order]
        columns = {name: getattr(s, name)[rows] for name in ("account", "identifier", "count", "most", "first", "last")}
        part = replace(s, **columns)
        part = replace(part, rivals=s.rivals + s.degree - part.degree)
        out = replace(self, sightings=part, habit=self.habit[rows])
        place = (np.cumsum(kept) - 1).astype(np.int32)
        start = np.concatenate((np.zeros(1, np.int64), np.cumsum(np.bincount(part.account, minlength=s.accounts))))
        vars(out).update(
            _ordered=(place[self.account_order[mine]], start),
            own=replace(
                own,
                **{name: getattr(own, name)[mine] for name in ("identifier", "kind", "habit", "base", "pair", "half")},
            ),
        )
        return out


@dataclass(frozen=True)
class Own:
    """Sightings in `Weighed.account_order`, for loops over accounts, and what of them no group changes.

    Attributes:
        identifier: int32[S].
        kind: int16[S], index into `Sightings.kinds`.
        habit: float64[S], as `Weighed.habit`.
        base: float64[S], log2(m / (d - 1)) of the identifier, which d accounts share.
        pair: float64[S], bits that the identifier brings to a pair of accounts.
        links: bool[A], whether an account has an identifier that links two accounts by itself.
        logs: float64[…], log2 of each number up to the greatest d.
        half: int32[S], half of d where that is a crowd, else 0: a group that has no more holders is a part of it.
        crowds: float64[K], sightings of the values of each kind that a crowd has.
    """

    identifier: NDArray[np.int32]
    kind: NDArray[np.int16]
    habit: NDArray[np.float64]
    base: NDArray[np.float64]
    pair: NDArray[np.float64]
    links: NDArray[np.bool_]
    logs: NDArray[np.float64]
    half: NDArray[np.int32]
    crowds: NDArray[np.float64]


def weigh(
    sightings: Sightings, reliability: NDArray[np.float64] | None = None, *, linked: int | None = None
) -> Weighed:
    """Weigh every sighting; what likeness is worth is not learnt yet (`pairs.learn_likeness`).

    Args:
        sightings: as identified.
        reliability: float64[K], m of each kind of `sightings.kinds`; by default as `model.Kind` states it.
        linked: how many accounts share anything, where `sightings` are a part of all.
    """
    sharing = np.zeros(sightings.accounts, np.bool_)
    sharing[sightings.account] = True
    population = float(max(int(sharing.sum()) if linked is None else linked, POPULATION_FLOOR))
    if reliability is None:
        reliability = np.array([kind_of(name).reliability for name in sightings.kinds], dtype=np.float64)
    degree = sightings.degree
    if len(degree):
        bits = identifier_bits(reliability[sightings.kind], degree.astype(np.float64), population)
    else:
        bits = np.zeros(0)
    memory = np.array([kind_of(name).memory for name in sightings.kinds], dtype=np.float64)
    days = memory[sightings.kind[sightings.identifier]] if len(memory) else np.zeros(0)
    near = nearness(sightings.identifier, sightings.first, sightings.last, days)
    # What a test of its own has found is worth no more than the test's surprise.
    most = sightings.ceiling
    if sightings.rivals.any():
        crowded = degree.astype(np.float64) + sightings.rivals
        most = np.minimum(most, identifier_bits(reliability[sightings.kind], crowded, population))
    if sightings.chance.any():
        # An address that strangers share is worth what its type bears, where that is less than its own rarity.
        by_type = np.maximum(0.0, np.log2(reliability[sightings.kind] / np.maximum(sightings.chance, 1e-300)))
        most = np.minimum(most, np.where(sightings.chance > 0.0, by_type, np.inf))
    capped = np.minimum(1.0, most / np.maximum(bits, 1e-9))[sightings.identifier]
    carried = habit(sightings.count, sightings.most) * near * capped
    likeness = unlearnt(ranks(sightings.behaviour, sharing))
    return Weighed(sightings, population, bits, carried, reliability, likeness)


def identifier_bits(
    reliability: NDArray[np.float64], degree: NDArray[np.float64], population: float
) -> NDArray[np.float64]:
    """log2(m N / d), never below 0: a popular value is worth nothing, it does not speak against a link.

    >>> identifier_bits(np.array([0.5]), np.array([5.0]), 10_000.0).round(2)
    array([9.97])
    """
    bits: NDArray[np.float64] = np.maximum(0.0, np.log2(reliability * population / degree))
    return bits


def habit(count: NDArray[np.int64], most: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much of a value's bits an account carries: 1 for its most frequent value of the kind, less for a brush.

    habit = 1 - log2(most / count) / BRUSH_BITS, from 0 to 1.

    >>> habit(np.array([700, 1]), np.array([700, 700])).round(2)
    array([1.  , 0.32])
    """
    share: NDArray[np.float64] = 1.0 - np.log2(most / np.maximum(count, 1)) / BRUSH_BITS
    return np.clip(share, 0.0, 1.0)


def nearness(
    identifier: NDArray[np.int32], first: NDArray[np.int64], last: NDArray[np.int64], memory: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How near in time an account's use of a value is to the nearest use by another account.

    1 up to the memory of the value's kind, then falling with the logarithm of the gap to 0 at `FADES` times the memory.
    An unknown time is near.

    Args:
        identifier: int[S], rising.
        first, last: microseconds since 1970, or `identify.NEVER`.
        memory: float64[S], days.

    >>> us = 86_400_000_000
    >>> days = np.array([0, 1, 0, 100, 0, 7_000], dtype=np.int64) * us
    >>> nearness(np.array([0, 0, 1, 1, 2, 2]), days, days, np.full(6, 10.0)).round(2)
    array([1. , 1. , 0.5, 0.5, 0. , 0. ])
    """
    if not len(identifier):
        return np.ones(0)
    gap, unknown = _gaps(identifier, first, last, NEVER)
    with np.errstate(divide="ignore", invalid="ignore"):
        faded = 1.0 - np.log(gap / 86_400_000_000 / memory) / np.log(FADES)
    near: NDArray[np.float64] = np.clip(np.nan_to_num(faded, nan=1.0), 0.0, 1.0)
    return np.where(unknown | ~np.isfinite(memory), 1.0, near)


@kernel
def _gaps(identifier, first, last, never):  # type: ignore[no-untyped-def]
    """Microseconds from each use to the nearest by another account, and whether that is not known."""
    gap, unknown = np.full(len(first), np.inf), np.zeros(len(first), np.bool_)
    start = 0
    for stop in range(1, len(first) + 1):
        if stop < len(first) and identifier[stop] == identifier[start]:
            continue
        order = start + np.argsort(first[start:stop], kind="mergesort")
        latest = last[order[0]]
        for at in range(len(order)):
            x = order[at]
            unknown[x] = first[x] == never or (at > 0 and first[order[at - 1]] == never)
            if at > 0:
                gap[x] = max(0.0, np.float64(first[x] - latest))
                latest = max(latest, last[x])
            if at + 1 < len(order):
                # What begins next may begin long after an earlier, longer use has ended: the gap is to this one's end.
                gap[x] = max(0.0, min(gap[x], np.float64(first[order[at + 1]] - last[x])))
        start = stop
    return gap, unknown


def saturate(greatest: float, total: float) -> float:
    """Several values of one kind are one fact seen again: 2 max - max^2 / sum.

    One value counts whole, two equal ones 1.5 times, any number less than twice. Never falls when a value is added.

    >>> saturate(8.0, 8.0), saturate(8.0, 16.0), saturate(8.0, 320.0)
    (8.0, 12.0, 15.8)
    """
    return 0.0 if total <= 0.0 else 2.0 * greatest - greatest * greatest / total


def pair_prior(population: float) -> float:
    """log2(N / PARTNERS): the bits that two accounts must share before they are likelier partners than not."""
    return float(np.log2(population / PARTNERS))


def group_prior(population: float, size: float) -> float:
    """log2(N / (PARTNERS + s)): the bits that an account must share with a group of s accounts."""
    return float(np.log2(population / (PARTNERS + size)))


@kernel
def _ordered(account, identifier, place, kinds, accounts):  # type: ignore[no-untyped-def]
    """Sightings, which come by identifier, by (account, place of their kind, identifier): two stable counting sorts.

    Also where each account's begin.
    """
    n = len(account)
    ends, start = np.zeros(kinds + 1, np.int64), np.zeros(accounts + 1, np.int64)
    for x in range(n):
        ends[place[identifier[x]] + 1] += 1
        start[account[x] + 1] += 1
    for k in range(kinds):
        ends[k + 1] += ends[k]
    for a in range(accounts):
        start[a + 1] += start[a]
    of_kinds, order = np.empty(n, np.int32), np.empty(n, np.int32)
    for x in range(n):
        k = place[identifier[x]]
        of_kinds[ends[k]] = x
        ends[k] += 1
    filled = start[:-1].copy()
    for row in of_kinds:
        order[filled[account[row]]] = row
        filled[account[row]] += 1
    return order, start


def _pointers(sorted_index: NDArray[np.int32], size: int) -> NDArray[np.int64]:
    return np.searchsorted(sorted_index, np.arange(size + 1)).astype(np.int64)
