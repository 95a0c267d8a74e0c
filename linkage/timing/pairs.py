"""Steps 2 and 3 of `channels`: streams that coincide more often than even traffic within half an hour would."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.kernel import grown, kernel
from linkage.timing.permute import THETAS, Streams, e_value, lower, mixture
from linkage.timing.work import HOUR, Ints, runs

AGAIN: Final = 3
"""Again and again: at least so many units of a stream, and so many hits."""

MARGIN_BITS: Final = 3.0
"""A pair, and a stream of a group, must beat log2 of the channel's streams by so much."""

PAIRS: Final = 20_000_000
"""About so many coincidences are counted at most: the more rows, the fewer neighbours each is held against."""

THIN: Final = 15 * 60
"""Of a stream's probes within so many seconds one is counted."""


def _pairs(streams: Streams, window: int) -> tuple[Ints, Ints]:
    """Step 2: pairs of streams that coincide, as (lesser, greater)."""
    count = len(streams.actor)
    number = np.repeat(np.arange(count, dtype=np.int32), np.diff(streams.targets))
    by_target = np.argsort(streams.target, kind="stable")
    neighbours = int(np.clip(PAIRS // max(2 * len(number), 1), 1, 40))
    keys = _coincidences(
        streams.probe,
        number,
        streams.anchor,
        streams.back,
        streams.ahead,
        window,
        streams.target[by_target],
        number[by_target],
        neighbours,
    )
    keys.sort()
    start = runs(keys)
    # Each coincidence is seen from both sides, as far as the neighbours reach.
    chosen = keys[start[:-1][np.diff(start) >= 2 * AGAIN - 1]]
    return chosen // count, chosen % count


@kernel
def _bounds(values, begin, end):  # type: ignore[no-untyped-def]
    """The least and the greatest of values[begin:end]: searches between them stay in near memory."""
    least = most = values[begin]
    for at in range(begin + 1, end):
        least, most = min(least, values[at]), max(most, values[at])
    return least, most


@kernel
def _coincidences(probe, number, anchor, back, ahead, window, all_targets, all_owners, neighbours):  # type: ignore[no-untyped-def]
    count = number[-1] + 1 if len(number) else 1
    size = 1024
    keys = np.empty(size, np.int64)
    filled = 0
    counted = -(2**62)
    target, owner = all_targets, all_owners
    for at in range(len(probe)):
        if at == 0 or number[at] != number[at - 1]:
            end = at + 1
            while end < len(probe) and number[end] == number[at]:
                end += 1
            least, most = _bounds(probe, at, end)
            base = np.searchsorted(all_targets, least - HOUR)
            beyond = np.searchsorted(all_targets, most + HOUR)
            target, owner = all_targets[base:beyond], all_owners[base:beyond]
        if at > 0 and number[at] == number[at - 1] and 0 < anchor[at] - counted < THIN:
            continue
        counted = anchor[at]
        middle = np.searchsorted(target, probe[at])
        for side in range(2):
            step = middle if side else middle - 1
            seen = 0
            while 0 <= step < len(target) and seen < neighbours:
                if target[step] < probe[at] - back[at] * window or target[step] > probe[at] + ahead[at] * window:
                    break
                seen += 1
                if owner[step] != number[at]:
                    if filled == size:
                        size *= 2
                        keys = grown(keys, size)
                    keys[filled] = min(owner[step], number[at]) * count + max(owner[step], number[at])
                    filled += 1
                step += 1 if side else -1
    return keys[:filled].copy()


@kernel
def _pair_bits(  # type: ignore[no-untyped-def]
    one, two, least, units, probes, probe, back, ahead, windows, targets, target, thetas
):
    """Step 3: log2 E of each pair for each of the (rising) windows, if targets lay evenly within half an hour of each
    probe; 0 where it cannot reach `least`.

    A hit is worth -log2 of its chance at most, and that is at least the window's part of the hour.
    """
    out = np.zeros((len(windows), len(one)))
    longest = np.max(units[1:] - units[:-1]) if len(units) > 1 else 0
    hits, chances = np.zeros((len(windows), longest)), np.zeros((len(windows), longest))
    most = np.zeros(len(windows))
    for x in range(len(one)):
        a, b = one[x], two[x]
        if units[a + 1] - units[a] > units[b + 1] - units[b]:
            a, b = b, a
        begin, end, base, n = targets[b], targets[b + 1], units[a], units[a + 1] - units[a]
        most[:] = 0.0
        hint = begin
        for u in range(n):
            hits[:, u] = 0.0
            for at in range(probes[base + u], probes[base + u + 1]):
                if hits[0, u] > 0.0:
                    break
                place = hint = lower(target, begin, end, probe[at] - back[at] * windows[-1], hint)
                # What the wider window does not reach the narrower one does not either.
                for w in range(len(windows) - 1, -1, -1):
                    while place < end and target[place] < probe[at] - back[at] * windows[w]:
                        place += 1
                    if place == end or target[place] > probe[at] + ahead[at] * windows[w]:
                        break
                    if hits[w, u] == 0.0:
                        hits[w, u] = 1.0
                        most[w] -= np.log2((back[at] + ahead[at]) * windows[w] / HOUR)
        if (most < least[x]).all():
            continue
        low = high = begin
        for u in range(n):
            chances[:, u] = 1.0
            for at in range(probes[base + u], probes[base + u + 1]):
                low = lower(target, begin, end, probe[at] - HOUR // 2, low)
                high = lower(target, begin, end, probe[at] + HOUR // 2, high)
                if high > low:
                    for w in range(len(windows)):
                        chances[w, u] *= (1.0 - (back[at] + ahead[at]) * windows[w] / HOUR) ** (high - low)
        for w in range(len(windows)):
            out[w, x] = mixture(e_value(hits[w, :n], 1.0 - chances[w, :n], thetas))
    return out


def ties(streams: Streams, windows: tuple[int, ...], pool: ThreadPoolExecutor) -> list[tuple[Ints, Ints]]:
    """Steps 2 and 3: for each window, the pairs of streams that coincide beyond chance."""
    one, two = _pairs(streams, max(windows))
    least_bits = np.log2(fellows(streams)[one]) + MARGIN_BITS

    def bits(some: slice) -> NDArray[np.float64]:
        found: NDArray[np.float64] = _pair_bits(
            one[some],
            two[some],
            least_bits[some],
            streams.units,
            streams.probes,
            streams.probe,
            streams.back,
            streams.ahead,
            np.array(windows),
            streams.targets,
            streams.target,
            THETAS,
        )
        return found

    half = len(one) // 2
    tied = np.concatenate(list(pool.map(bits, (slice(half), slice(half, None)))), axis=1) >= least_bits
    return [(one[chosen], two[chosen]) for chosen in tied]


def fellows(streams: Streams) -> Ints:
    """int64[S], how many streams the channel of each has."""
    sizes = np.diff(runs(streams.channel))
    return np.repeat(sizes, sizes)


def outstanding(streams: Streams, window: int) -> list[Ints]:
    """Step 3: for each work, the streams that coincide with all others together more than even traffic would."""
    if not len(streams.actor) or streams.channel[0] < 0:
        return []
    number = np.repeat(np.arange(len(streams.actor), dtype=np.int32), np.diff(streams.targets))
    by_target = np.argsort(streams.target, kind="stable")
    bits = _stream_bits(
        streams.units,
        streams.probes,
        streams.probe,
        streams.back,
        streams.ahead,
        window,
        streams.targets,
        streams.target,
        streams.target[by_target],
        number[by_target],
        THETAS,
    )
    chosen = np.flatnonzero(bits >= np.log2(fellows(streams)) + MARGIN_BITS)
    start = runs(streams.channel[chosen])
    return np.split(chosen, start[1:-1])


@kernel
def _stream_bits(  # type: ignore[no-untyped-def]
    units, probes, probe, back, ahead, window, targets, own, target, owner, thetas
):
    out = np.zeros(len(units) - 1)
    longest = np.max(units[1:] - units[:-1]) if len(units) > 1 else 0
    hits, chances = np.zeros(longest), np.zeros(longest)
    for s in range(len(out)):
        n, base = units[s + 1] - units[s], units[s]
        begin = np.searchsorted(target, probe[probes[base]] - HOUR)
        low = high = place = begin
        mine, end = targets[s], targets[s + 1]
        own_low = own_high = mine
        for u in range(n):
            near, width, hits[u] = 0, 0, 0.0
            for at in range(probes[base + u], probes[base + u + 1]):
                low = lower(target, 0, len(target), probe[at] - HOUR // 2, low)
                high = lower(target, 0, len(target), probe[at] + HOUR // 2, high)
                own_low = lower(own, mine, end, probe[at] - HOUR // 2, own_low)
                own_high = lower(own, mine, end, probe[at] + HOUR // 2, own_high)
                near += (high - low) - (own_high - own_low)
                width = (back[at] + ahead[at]) * window
                place = lower(target, 0, len(target), probe[at] - back[at] * window, place)
                for step in range(place, min(place + 100, len(target))):
                    if hits[u] > 0.0 or target[step] > probe[at] + ahead[at] * window:
                        break
                    if owner[step] != s:
                        hits[u] = 1.0
            chances[u] = 1.0 - (1.0 - width / HOUR) ** near
        out[s] = mixture(e_value(hits[:n], chances[:n], thetas))
    return out
