"""The null model, and what it makes of coincidences.

Streams are the traffic of one actor in one channel (a work, or all rarely repeated works together). A stream consists
of units: what it did in one hour, or the start or the end of a series. Of a unit it is asked whether it *hits*: whether
one of its probes finds a target of another stream of the group within a window.

The null model moves a whole unit by a number of minutes, up to half an hour either way, so that it happens at another
of the minutes of the hour at which the stream is used to act (starts at those of starts, ends at those of ends). So
each account keeps its volumes, its hours, its bouts and its habits of the clock (a cron bot, who always starts at :00,
does not move at all), and only the minutes of different accounts become independent. The chance p of a hit is the share
of such moves that hit; where the stream acted at this time of day on other days, also the share of those days' times
that would have hit, and the greater of the two counts. p is exact and needs no sampling. The unit itself is among its
own minutes, so p is rather too high than too low.

Evidence is an e-value: with s hits of units with chances p_u,

    E = mean over theta of exp(theta s - sum over u of log(1 - p_u + p_u e^theta))

has a mean of at most 1 under the null model, so that P(E >= 1/a) <= a (Markov's inequality): log2 E is a number of bits
that holds for every tail, without a fitted distribution and without the floor 1 / (1 + permutations) of sampling. The
streams of a group are taken in order, each against those before it only, so that their sums add up to one e-value. The
choice of g streams out of n costs log2(n over g) bits (a union bound over all groups), the number of channels and of
window lengths log2 of it (Bonferroni).

A stream of even gaps (a loop of its own with a fixed pause) has a phase and nothing else: all its units count as one,
which hits if more than half of them do.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from linkage.kernel import kernel
from linkage.timing.work import DAY, HOUR, Ids, Ints

Floats = NDArray[np.float64]
Flags = NDArray[np.int8]

THETAS: Final = np.array([0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
HABITS: Final = 48
"""So many of a stream's minutes stand for its habits of the clock."""

UNITS: Final = 600
"""At most so many units of a stream are asked, evenly chosen."""

NEAR: Final = 45 * 60
"""Seconds of the day within which another day's unit is at the same time of day."""

EVEN: Final = 0.05
"""Gaps within this part of the median gap (and `EVEN_SECONDS`) are even; more than half of a loop's gaps are."""

EVEN_SECONDS: Final = 120


@dataclass(frozen=True)
class Streams:
    """Who did what when, in units; see the module's head.

    Attributes:
        channel, actor: int32[S]; sorted by both, no pair twice. Channel -1 is that of rarely repeated works.
        units: int64[S + 1], stream s has the units [units[s], units[s + 1]).
        probes: int64[U + 1], unit u has the probes [probes[u], probes[u + 1]).
        probe: int64[P], positions (`work.Traffic.position`).
        anchor: int64[P], the second at which the unit starts, or acts, for each probe.
        back, ahead: int8[P], 1 if the window reaches back or ahead of the probe, else 0.
        targets: int64[S + 1], stream s has the targets [targets[s], targets[s + 1]).
        target: int64[T], positions, rising within a stream.
        loop: bool[S], streams of even gaps.
    """

    channel: Ids
    actor: Ids
    units: Ints
    probes: Ints
    probe: Ints
    anchor: Ints
    back: Flags
    ahead: Flags
    targets: Ints
    target: Ints
    loop: NDArray[np.bool_]


@dataclass(frozen=True)
class Tested:
    """A group against the null model, one entry a stream of the group.

    Attributes:
        bits: float64[g], log2 E of each stream against all others of the group.
        chain: log2 E of the whole group.
        hits: int64[g], units that hit.
        units: int64[g], units that were asked.
        expected: float64[g], what chance gives.
        first, last: int64[g], seconds of the first and last hit.
    """

    bits: Floats
    chain: float
    hits: Ints
    units: Ints
    expected: Floats
    first: Ints
    last: Ints


def against_chance(streams: Streams, group: Ints, window: int) -> Tested:
    """Test the streams `group` (rising) against each other, with windows of `window` seconds."""
    rank, position = _targets(group, streams.targets, streams.target)
    order = np.argsort(position, kind="stable")
    full, chain, hits, asked, expected, first, last = _tested(
        group,
        position[order],
        rank[order],
        streams.units,
        streams.probes,
        streams.probe,
        streams.anchor,
        streams.back,
        streams.ahead,
        window,
        streams.loop,
        THETAS,
    )
    return Tested(_mixed(full), float(_mixed(chain.sum(axis=0, keepdims=True))[0]), hits, asked, expected, first, last)


def _mixed(logs: Floats) -> Floats:
    bits: Floats = (logsumexp(logs, axis=1) - np.log(len(THETAS))) / np.log(2.0)
    return bits


def choices(n: int, g: int) -> float:
    """log2(n over g): what choosing g of n costs.

    >>> round(choices(10, 3), 3), choices(4, 4)
    (6.907, 0.0)
    """
    return max(0.0, float(gammaln(n + 1) - gammaln(g + 1) - gammaln(n - g + 1)) / float(np.log(2.0)))


@kernel
def loops(start, second, least):  # type: ignore[no-untyped-def]
    """Which runs [start[r], start[r + 1]) of rising seconds have more than half of their gaps even."""
    out = np.zeros(len(start) - 1, np.bool_)
    for r in range(len(out)):
        n = start[r + 1] - start[r] - 1
        if n < least:
            continue
        gaps = second[start[r] + 1 : start[r + 1]] - second[start[r] : start[r + 1] - 1]
        middle = np.median(gaps)
        even = 0
        for gap in gaps:
            if abs(gap - middle) <= min(EVEN * middle, EVEN_SECONDS):
                even += 1
        out[r] = 2 * even > n
    return out


@kernel
def _targets(group, targets, target):  # type: ignore[no-untyped-def]
    """The targets of the group's streams, one stream after the other, and the rank of the stream of each."""
    total = 0
    for stream in group:
        total += targets[stream + 1] - targets[stream]
    rank, position = np.empty(total, np.int64), np.empty(total, np.int64)
    filled = 0
    for own in range(len(group)):
        for at in range(targets[group[own]], targets[group[own] + 1]):
            rank[filled], position[filled] = own, target[at]
            filled += 1
    return rank, position


@kernel
def lower(values, begin, end, least, hint):  # type: ignore[no-untyped-def]
    """The first place in the rising values[begin:end] that is not below `least`: quick where that is near `hint`."""
    low, high, step = begin, hint, 1
    if hint < end and values[hint] < least:
        low, at = hint + 1, hint + 1
        while at < end and values[at] < least:
            low = at + 1
            step *= 2
            at += step
        high = min(at, end)
    else:
        at = hint - 1
        while at >= begin and values[at] >= least:
            high = at
            step *= 2
            at -= step
        low = max(at + 1, begin)
    while low < high:
        middle = (low + high) // 2
        if values[middle] < least:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def e_value(hits, chances, thetas):  # type: ignore[no-untyped-def]
    """theta s - sum over u of log(1 - p_u + p_u e^theta) for each theta (rising), s being the sum of `hits`."""
    powers = np.exp(thetas)
    product, logs = np.ones(len(thetas)), thetas * hits.sum()
    for p in chances:
        # One logarithm for many factors; that of the last theta is the greatest.
        for t in range(len(thetas)):
            product[t] *= 1.0 - p + p * powers[t]
        if product[-1] > 1e250:
            logs -= np.log(product)
            product[:] = 1.0
    return logs - np.log(product)


@kernel
def mixture(logs):  # type: ignore[no-untyped-def]
    """log2 of the mean of e to the power of `logs`."""
    highest = logs.max()
    return (highest + np.log(np.mean(np.exp(logs - highest)))) / np.log(2.0)


@kernel
def _finds(position, rank, begin, end, low, high, own, below, hint):  # type: ignore[no-untyped-def]
    """Whether a target between `low` and `high` is another stream's; `below` asks for streams before `own` only.

    Returns 0 for none, 1 for one of the streams after, 2 for one of those before; and where it looked, the next hint.
    """
    first = lower(position, begin, end, low, hint)
    found = 0
    for at in range(first, min(end, first + 400)):
        if position[at] > high:
            break
        if rank[at] < own:
            return 2, first
        if rank[at] > own:
            found = 1
            if not below:
                break
    return found, first


@kernel
def _unit_finds(  # type: ignore[no-untyped-def]
    position, rank, begin, end, own, low, high, move, probe, back, ahead, window
):
    best, hint = 0, begin
    for at in range(low, high):
        q = probe[at] + move
        found, hint = _finds(position, rank, begin, end, q - back[at] * window, q + ahead[at] * window, own, True, hint)
        best = max(best, found)
        if best == 2:
            break
    return best


@kernel
def _within_reach(position, rank, own, probe, window):  # type: ignore[no-untyped-def]
    """The targets that any move of a unit reaches, from and to; nothing if none of them is another stream's."""
    begin = np.searchsorted(position, probe.min() - NEAR - window)
    end = np.searchsorted(position, probe.max() + NEAR + window, "right")
    for at in range(begin, end):
        if rank[at] != own:
            return begin, end
    return begin, begin


@kernel
def _tested(  # type: ignore[no-untyped-def]
    group, position, rank, units, probes, probe, anchor, back, ahead, window, loop, thetas
):
    g = len(group)
    full, chain = np.zeros((g, len(thetas))), np.zeros((g, len(thetas)))
    hits, asked, expected = np.zeros(g, np.int64), np.zeros(g, np.int64), np.zeros(g)
    first, last = np.full(g, 2**62, np.int64), np.full(g, -(2**62), np.int64)
    for own in range(g):
        begin, end = units[group[own]], units[group[own] + 1]
        chosen = np.linspace(begin, end - 1, min(UNITS, end - begin)).astype(np.int64)
        m = len(chosen)
        asked[own] = m
        chances, hit = np.zeros((m, 2)), np.zeros((m, 2))
        sums = np.zeros(2)
        for looks_back in range(2):
            # Starts move to minutes of starts, ends to minutes of ends.
            alike = np.flatnonzero(back[probes[chosen]] > 0 if looks_back else back[probes[chosen]] == 0)
            if not len(alike):
                continue
            same = (back[probes[begin] : probes[end]] > 0) == bool(looks_back)
            habits = np.sort(anchor[probes[begin] : probes[end]][same] % HOUR)
            if len(habits) > HABITS:
                habits = habits[np.linspace(0, len(habits) - 1, HABITS).astype(np.int64)]
            day = np.sort(anchor[probes[chosen[alike]]] % DAY)
            n = len(day)
            for x in alike:
                low, high = probes[chosen[x]], probes[chosen[x] + 1]
                start = anchor[low]
                near, far = _within_reach(position, rank, own, probe[low:high], window)
                if near == far:
                    continue
                seen = _unit_finds(position, rank, near, far, own, low, high, 0, probe, back, ahead, window)
                if seen > 0:
                    hit[x, 0] = 1.0
                    hits[own] += 1
                    first[own] = min(first[own], start)
                    last[own] = max(last[own], anchor[high - 1])
                if seen == 2:
                    hit[x, 1] = 1.0
                # The minutes that the stream is used to.
                sums[:] = 0.0
                for k in range(len(habits)):
                    offset = habits[k] - anchor[low + k % (high - low)] % HOUR
                    move = (offset + HOUR // 2) % HOUR - HOUR // 2
                    seen = _unit_finds(position, rank, near, far, own, low, high, move, probe, back, ahead, window)
                    sums[0] += seen > 0
                    sums[1] += seen == 2
                chances[x] = sums / len(habits)
                # The same time on other days.
                mine = start % DAY
                sums[:] = 0.0
                others = 0
                where = np.searchsorted(day, mine)
                skipped = False
                for step in range(-min(24, (n - 1) // 2), min(24, n // 2) + 1):
                    move = (day[(where + step) % n] - mine + DAY // 2) % DAY - DAY // 2
                    if abs(move) > NEAR:
                        continue
                    if move == 0 and not skipped:
                        skipped = True  # itself
                        continue
                    seen = _unit_finds(position, rank, near, far, own, low, high, move, probe, back, ahead, window)
                    others += 1
                    sums[0] += seen > 0
                    sums[1] += seen == 2
                if others > 0:
                    chances[x] = np.maximum(chances[x], sums / others)
                expected[own] += chances[x, 0]
        for side in range(2):
            logs = full if side == 0 else chain
            s, p = hit[:, side], chances[:, side]
            if loop[group[own]]:
                s = np.array([1.0 if 2 * s.sum() > m else 0.0])
                p = np.array([p.mean()])
            logs[own] = e_value(s, p, thetas)
    return full, chain, hits, asked, expected, first, last
