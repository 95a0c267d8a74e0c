"""Do accounts behave alike? One hand runs its accounts alike; people of one house, company or network do not.

Values that accounts share say that something ties them: a hand, a home, an employer. How alike they live tells these
apart. Each behaviour of an account (`identify.BEHAVIOURS`: when it signed up, how much it sends …) becomes its rank
among all linked accounts, evenly from 0 to 1, so that units and outliers do not matter and two random accounts differ
by d with density 2 (1 - d). Two accounts of one hand differ less; by how much less is learnt from the case without
labels, as Fellegi and Sunter's m is by EM (Winkler 1988; Dempster, Laird and Rubin 1977,
doi:10.1111/j.2517-6161.1977.tb01600.x): the pairs that share hard evidence are a mixture of pairs that behave like
random ones (u, known) and of pairs of one hand (m, to be found):

    pair:   bits(a, b)  = sum over behaviours of log2(m(d) / u(d))
    group:  bits(a, C)  = sum over behaviours of log2((SCEPTIC + sum over members c of m(d) / u(d)) / (SCEPTIC + s - 1))

Behaviours are correlated: the sum is damped by what the sum over random pairs varies more than independent ones would.
Where no pairs behave more alike than chance makes them, all bits are 0.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.kernel import kernel

Floats = NDArray[np.float64]

EDGES: Final = (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 1.0)
"""Differences of two ranks are told apart by these steps."""

STATED: Final = (0.06, 0.12, 0.14, 0.16, 0.19, 0.2, 0.13)
"""m before anything is learnt: one hand's accounts are within a fifth of the ranking two times in three."""

PRIOR_PAIRS: Final = 300.0
"""What is stated counts as much as so many pairs. Higher: small cases keep to it more closely."""

SCEPTIC: Final = 2.0
"""A group's likeness counts as if so many members behaved like anybody. Higher: small groups say less."""

STEPS: Final = 12
"""Of EM. The likelihood hardly rises after ten."""

GAIN: Final = 20.0
"""Bits by which pairs of one hand must explain the case better than chance alone, or likeness is worth nothing."""

GAIN_EACH: Final = 0.03
"""The same for an account's pairs together. Null models of 3,000 and of 20,000 accounts gain 0.004 to 0.013."""

SAMPLE: Final = 400_000
"""Pairs that are learnt from, at most."""

EACH: Final = 6
"""Two groups are compared by so many members of each."""

CELLS: Final = 200
"""Ranks are told apart by this many cells when a group is compared with its member."""

DIRECT: Final = 16
"""Up to so many members are compared one by one, which is quicker then than counting them by cell."""


@dataclass(frozen=True)
class Likeness:
    """What likeness is worth in a case.

    Attributes:
        rank: float64[A, B], ranks from 0 to 1; NaN where unknown.
        ratio: float64[B, steps], m / u of each behaviour for each step of `EDGES`.
        damp: 0 to 1, what correlation leaves of the sum.
        node: int64[A], rising from 0: the node that each account is part of, where groups are compared as if they were
            accounts; None where each account is a node of its own.
    """

    rank: Floats
    ratio: Floats
    damp: float
    node: NDArray[np.int64] | None = None

    @property
    def learnt(self) -> bool:
        """Whether behaving alike is worth anything here."""
        return bool((self.ratio != 1.0).any())

    @cached_property
    def kernel(self) -> Floats:
        """float64[B, CELLS], m / u by the difference of two cells."""
        middle = (np.arange(CELLS)) / CELLS
        return self.ratio[:, _step(middle)].copy()

    @property
    def age(self) -> Floats:
        """float64[nodes], a place in the order of sign-ups; of a node of several accounts that of any of them."""
        first = np.nan_to_num(self.rank[:, 0]) if self.rank.shape[1] else np.zeros(len(self.rank))
        if self.node is None:
            return first
        return first[np.unique(self.node, return_index=True)[1]]

    def pair_bits(self, u: NDArray[np.int32], v: NDArray[np.int32]) -> Floats:
        """float64[E], bits of the likeness of nodes u[e] and v[e]; below 0 where they live differently."""
        if self.node is not None:
            order = np.argsort(self.node, kind="stable")
            start = np.searchsorted(self.node[order], np.arange(int(self.node.max(initial=-1)) + 2))
            between: Floats = _between(start, order, self._cells, self.kernel, u, v, EACH)
            return between * self.damp
        bits: Floats = _bits(_steps(self.rank, u, v, np.array(EDGES)), np.log2(self.ratio))
        return bits * self.damp

    def group_bits(self, start: NDArray[np.int64], members: NDArray[np.int64]) -> Floats:
        """Bits of each account's likeness to the others of its group by each behaviour, not damped yet.

        Args:
            start, members: the accounts of group g are members[start[g]:start[g + 1]].

        Returns:
            float64[members, B].
        """
        bits: Floats = _group_bits(start, members, self._cells, self.kernel, SCEPTIC)
        return bits

    def bits_towards(self, weight: Floats) -> Floats:
        """Bits of each account's likeness to a group of which it is no part, by each behaviour, damped.

        Args:
            weight: float64[A], how surely each account is of the group, from 0 to 1. No account speaks for itself.

        Returns:
            float64[A, B].
        """
        bits = np.zeros(self.rank.shape)
        group = np.flatnonzero(weight > 0.0)
        apart = np.abs(np.arange(CELLS)[:, None] - np.arange(CELLS)[None, :])
        for at in range(self.rank.shape[1]):
            cell = self._cells[:, at]
            inside = group[cell[group] >= 0]
            count = np.bincount(cell[inside], weight[inside], minlength=CELLS)
            known = cell >= 0
            own = np.where(known, weight, 0.0)
            total = (self.kernel[at][apart] @ count)[cell] - own * self.kernel[at, 0]
            found = np.log2((SCEPTIC + np.maximum(total, 0.0)) / (SCEPTIC + np.maximum(count.sum() - own, 0.0)))
            bits[:, at] = np.where(known, found, 0.0)
        return bits * self.damp

    @cached_property
    def _cells(self) -> NDArray[np.int64]:
        cells = np.minimum(np.nan_to_num(self.rank) * CELLS, CELLS - 1)
        return np.where(np.isnan(self.rank), -1, cells).astype(np.int16)


def ranks(values: Floats, linked: NDArray[np.bool_]) -> Floats:
    """Ranks of each column among the linked accounts, evenly spread from 0 to 1.

    Ties are spread over their range by the account's place, so that a value which many have says nothing.

    Args:
        values: float64[A, B], NaN where unknown.
        linked: bool[A], accounts that share anything: the others change no rank, and have none.
    """
    out = np.full(values.shape, np.nan)
    place = np.cumsum(linked) * 0.6180339887498949 % 1.0
    for column in range(values.shape[1]):
        known = np.flatnonzero(~np.isnan(values[:, column]) & linked)
        order = known[np.lexsort((place[known], values[known, column]))]
        out[order, column] = (np.arange(len(order)) + 0.5) / max(len(order), 1)
    return out


def unlearnt(rank: Floats) -> Likeness:
    """Likeness that is worth nothing."""
    return Likeness(rank, np.ones((rank.shape[1], len(EDGES) - 1)), 1.0)


def learn(rank: Floats, u: NDArray[np.int32], v: NDArray[np.int32]) -> Likeness:
    """Learn from the pairs of accounts that share hard evidence what likeness is worth.

    Args:
        rank: float64[A, B], of `ranks`.
        u, v: int32[E], the pairs.
    """
    behaviours, chance = rank.shape[1], _chance()
    ratio = np.repeat((np.array(STATED) / chance)[None, :], behaviours, axis=0)
    if not behaviours:
        return Likeness(rank, ratio, 1.0)
    stride = max(1, len(u) // SAMPLE)
    u, v = np.ascontiguousarray(u[::stride]), np.ascontiguousarray(v[::stride])
    degree = np.bincount(np.concatenate((u, v)), minlength=len(rank))
    # An account of many pairs counts no more than others do: else the largest group alone would be learnt from.
    weight = 1.0 / np.maximum(np.maximum(degree[u], degree[v]), 1)
    step, strangers = _steps(rank, u, v, np.array(EDGES)), _strangers(rank)
    damp = _damp(strangers, ratio)
    share, bits = 0.3, np.zeros(len(u))
    for _ in range(STEPS):
        bits = _bits(step, np.log2(ratio))
        odds = np.exp2(np.clip(bits * damp, -60, 60)) * share / (1 - share)
        one_hand = weight * odds / (1 + odds)
        for at, seen in enumerate(_seen(step, one_hand, len(chance))):
            m = (seen + PRIOR_PAIRS * np.array(STATED)) / (seen.sum() + PRIOR_PAIRS)
            ratio[at] = _falling(m / chance, chance)
        damp = _damp(strangers, ratio)
        share = float(np.clip(one_hand.sum() / max(weight.sum(), 1e-9), 0.02, 0.6)) if len(u) else share
    # By how many bits the mixture explains the pairs better than chance does.
    gain = float((weight * np.log2(1 - share + share * np.exp2(np.clip(bits * damp, -60, 60)))).sum())
    return Likeness(rank, ratio, damp) if gain > max(GAIN, GAIN_EACH * weight.sum()) else unlearnt(rank)


def _step(apart: Floats) -> NDArray[np.int64]:
    found: NDArray[np.int64] = np.clip(np.searchsorted(EDGES, apart, side="right") - 1, 0, len(EDGES) - 2)
    return found


def _chance() -> Floats:
    """u: how often the ranks of two random accounts differ by each step."""
    below = 1.0 - (1.0 - np.array(EDGES)) ** 2
    return np.diff(below)


def _falling(ratio: Floats, weight: Floats) -> Floats:
    """The nearest ratios that never rise with the difference, by pooling adjacent violators (Ayer et al. 1955)."""
    blocks: list[list[float]] = []
    for value, mass in zip(ratio.tolist(), weight.tolist(), strict=True):
        blocks.append([value, mass, 1])
        while len(blocks) > 1 and blocks[-2][0] < blocks[-1][0]:
            last = blocks.pop()
            before = blocks[-1]
            total = before[1] + last[1]
            blocks[-1] = [(before[0] * before[1] + last[0] * last[1]) / total, total, before[2] + last[2]]
    return np.concatenate([np.full(int(block[2]), block[0]) for block in blocks])


def _strangers(rank: Floats) -> NDArray[np.int8]:
    """How far pairs of accounts at random differ, as `_steps`; none where there are too few accounts to tell."""
    n = len(rank)
    half = min(n // 2, 20_000)
    a = (np.arange(half if half >= 100 else 0) * (n // max(half, 1))).astype(np.int32)
    b = ((a + n // 2 + 1) % max(n, 1)).astype(np.int32)
    found: NDArray[np.int8] = _steps(rank, a, b, np.array(EDGES))
    return found


def _damp(strangers: NDArray[np.int8], ratio: Floats) -> float:
    """What correlation of the behaviours leaves of the sum of their bits, from pairs of accounts at random."""
    if not len(strangers):
        return 0.7
    # The last column is for differences that are not known.
    logs = np.concatenate((np.log2(ratio), np.zeros((len(ratio), 1))), axis=1)
    bits = np.stack([logs[at][strangers[:, at]] for at in range(len(ratio))])
    alone, together = float(bits.var(axis=1).sum()), float(bits.sum(axis=0).var())
    return 1.0 if together <= alone or together <= 0 else float(np.sqrt(alone / together))


@kernel
def _steps(rank, u, v, edges):  # type: ignore[no-untyped-def]
    """int8[pairs, B], the step of `EDGES` in which the ranks of two accounts differ; -1 where one is not known."""
    step = np.full((len(u), rank.shape[1]), -1, np.int8)
    for e in range(len(u)):
        for at in range(rank.shape[1]):
            apart = abs(rank[u[e], at] - rank[v[e], at])
            if apart >= 0.0:
                k = 0
                for edge in edges[1:-1]:
                    k += apart >= edge
                step[e, at] = k
    return step


@kernel
def _bits(step, logs):  # type: ignore[no-untyped-def]
    bits = np.zeros(len(step))
    for e in range(len(step)):
        for at in range(step.shape[1]):
            if step[e, at] >= 0:
                bits[e] += logs[at, step[e, at]]
    return bits


@kernel
def _seen(step, weight, steps):  # type: ignore[no-untyped-def]
    """float64[B, steps], the weight of the pairs in each step of each behaviour."""
    seen = np.zeros((step.shape[1], steps))
    for e in range(len(step)):
        for at in range(step.shape[1]):
            if step[e, at] >= 0:
                seen[at, step[e, at]] += weight[e]
    return seen


@kernel
def _group_bits(start, members, cell, ratio, sceptic):  # type: ignore[no-untyped-def]
    behaviours, cells = ratio.shape
    bits = np.zeros((len(members), behaviours))
    # Ratios change at a few differences only: [edge[k], edge[k + 1]) have the same one.
    edge, edges = np.zeros(cells + 1, np.int64), 1
    for c in range(1, cells):
        for at in range(behaviours):
            if ratio[at, c] != ratio[at, c - 1]:
                edge[edges] = c
                edges += 1
                break
    edge[edges] = cells
    below = np.zeros(cells + 1, np.int64)
    for g in range(len(start) - 1):
        low, high = start[g], start[g + 1]
        if high - low < 2:
            continue
        for at in range(behaviours):
            known = 0
            for x in range(low, high):
                known += cell[members[x], at] >= 0
            if known < 2:
                continue
            if known > DIRECT:
                # How many have a cell below each.
                below[:] = 0
                for x in range(low, high):
                    if cell[members[x], at] >= 0:
                        below[cell[members[x], at] + 1] += 1
                for c in range(cells):
                    below[c + 1] += below[c]
            for x in range(low, high):
                mine = np.int64(cell[members[x], at])
                if mine < 0:
                    continue
                total = -ratio[at, 0]
                if known <= DIRECT:
                    for y in range(low, high):
                        other = np.int64(cell[members[y], at])
                        if other >= 0:
                            total += ratio[at, abs(mine - other)]
                else:
                    nearer = 0
                    for k in range(edges):
                        apart = edge[k + 1]
                        within = below[min(mine + apart, cells)] - below[max(mine - apart + 1, 0)]
                        total += (within - nearer) * ratio[at, edge[k]]
                        nearer = within
                bits[x, at] = np.log2((sceptic + total) / (sceptic + known - 1))
    return bits


@kernel
def _between(start, members, cell, ratio, u, v, each):  # type: ignore[no-untyped-def]
    behaviours = ratio.shape[0]
    bits = np.zeros(len(u))
    for e in range(len(u)):
        here, there = start[u[e] + 1] - start[u[e]], start[v[e] + 1] - start[v[e]]
        a, b = min(each, here), min(each, there)
        for at in range(behaviours):
            total, known = 0.0, 0
            for x in range(a):
                mine = cell[members[start[u[e]] + x * here // a], at]
                if mine < 0:
                    continue
                for y in range(b):
                    other = cell[members[start[v[e]] + y * there // b], at]
                    if other >= 0:
                        total += ratio[at, abs(mine - other)]
                        known += 1
            if known > 0:
                bits[e] += np.log2(total / known)
    return bits
