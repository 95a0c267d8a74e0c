"""From rows of traffic to streams, and from streams to groups that coincide.

1. A channel is a work, with the streams of the actors that repeat it. Works that an actor repeats rarely (a new prompt
   each time) go together into one more channel, where two actors still coincide on the same work only.
2. Pairs of streams that coincide several times are counted along the common axis, each probe against its nearest
   targets only: linear in the rows, however popular a work is.
3. A pair is tied when its coincidences beat what even traffic within half an hour would give by more than the number
   of streams of the channel, so that chance ties hardly anybody: connected components stay small. Where partners change
   all the time, no pair may stand out: the streams of a work that beat it against all others together are a candidate
   too.
4. Each candidate is tested against the null model (`permute`); streams that do not hold against the others leave, until
   all do.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from linkage.kernel import grown, kernel
from linkage.timing.permute import THETAS, Streams, Tested, against_chance, choices, loops
from linkage.timing.work import HOUR, LEAST_BITS, Ints, runs

AGAIN: Final = 3
"""Again and again: at least so many units of a stream, and so many hits."""

RARE: Final = 2 * AGAIN
"""A stream of fewer units goes into the channel of rarely repeated works (too)."""

MARGIN_BITS: Final = 3.0
"""A pair, and a stream of a group, must beat log2 of the channel's streams by so much."""

PAIRS: Final = 20_000_000
"""About so many coincidences are counted at most: the more rows, the fewer neighbours each is held against."""

THIN: Final = 15 * 60
"""Of a stream's probes within so many seconds one is counted."""


@dataclass(frozen=True)
class Rows:
    """One probe and one target each, sorted by (work, actor, anchor).

    Attributes:
        work, actor: int64[R].
        unit: int64[R], rising within a stream of one work, and comparable over the works of an actor: an hour, or the
            start or end of a series.
        probe, anchor, back, ahead, target: as in `permute.Streams`.
    """

    work: Ints
    actor: Ints
    unit: Ints
    probe: Ints
    anchor: Ints
    back: Ints
    ahead: Ints
    target: Ints

    def only(self, chosen: NDArray[np.generic]) -> "Rows":
        """These rows, in this order."""
        columns = vars(self).items()
        return Rows(**{name: column[chosen] for name, column in columns})


@dataclass(frozen=True)
class Group:
    """Streams that coincide beyond chance.

    Attributes:
        work: the channel's, -1 for several.
        actor: int64[g].
        window: seconds.
        tested: against the null model.
        bits: of the whole group, all corrections made.
    """

    work: int
    actor: Ints
    window: int
    tested: Tested
    bits: float


def coinciding(rows: Rows, windows: tuple[int, ...], least: int, apart: int) -> list[Group]:
    """Groups of at least `least` actors that coincide within one of the `windows` (seconds).

    Each actor's first and last hit lie at least `apart` seconds apart.
    """
    if not len(rows.work):
        return []
    found: list[Group] = []
    repeated, rare = _repeated(rows, least), _rare(rows)
    channels = len(np.unique(repeated.channel)) + bool(len(rare.actor))
    jobs = [
        (streams, pairs, window)
        for streams, pairs in [(streams, _pairs(streams, max(windows))) for streams in (repeated, rare)]
        for window in windows
    ]

    def tested(job: tuple[Streams, tuple[Ints, Ints], int]) -> list[Group]:
        return _groups(*job, least, apart)

    with ThreadPoolExecutor(max_workers=2) as pool:
        for groups in pool.map(tested, jobs):
            for group in groups:
                bits = group.bits - float(np.log2(max(channels, 1))) - float(np.log2(len(windows)))
                if bits >= LEAST_BITS:
                    found.append(replace(group, bits=bits))
    # The same accounts in a second window are the same finding.
    found.sort(key=lambda group: (-group.bits, group.work, group.window, group.actor.tolist()))
    kept: dict[int, list[Group]] = {}
    for group in found:
        same = kept.setdefault(group.work, [])
        if all(2 * len(np.intersect1d(group.actor, other.actor)) < len(group.actor) for other in same):
            same.append(group)
    return [group for same in kept.values() for group in same]


def _repeated(rows: Rows, least: int) -> Streams:
    """Step 1: streams of works that `least` actors repeat."""
    stream, units = _units_of_streams(rows)
    enough = units >= AGAIN
    work = rows.work[stream[:-1]]
    fellows = np.bincount(work[enough], minlength=int(work.max()) + 1)
    chosen = np.repeat(enough & (fellows[work] >= least), np.diff(stream))
    return _streams(rows.only(chosen), rows.work[chosen])


def _rare(rows: Rows) -> Streams:
    """Step 1: all that is left, one stream an actor."""
    stream, units = _units_of_streams(rows)
    some = rows.only(np.repeat(units < RARE, np.diff(stream)))
    some = some.only(np.lexsort((some.probe, some.anchor, some.unit, some.actor)))
    by_actor = runs(some.actor)
    by_unit = runs(some.actor, some.unit)
    units = np.diff(np.searchsorted(by_unit, by_actor))
    some = some.only(np.repeat(units >= AGAIN, np.diff(by_actor)))
    return _streams(some, np.full(len(some.work), -1, np.int64))


def _units_of_streams(rows: Rows) -> tuple[Ints, Ints]:
    stream = runs(rows.work, rows.actor)
    return stream, np.diff(np.searchsorted(runs(rows.work, rows.actor, rows.unit), stream))


def _streams(rows: Rows, channel: Ints) -> Streams:
    """Streams of rows that are sorted by (channel, actor, unit, anchor)."""
    stream = runs(channel, rows.actor)
    unit = runs(channel, rows.actor, rows.unit)
    number = np.repeat(np.arange(len(stream) - 1), np.diff(stream))
    # Acts of one second count once.
    acts = runs(number, rows.anchor)
    loop = loops(np.searchsorted(acts, stream), rows.anchor[acts[:-1]], AGAIN + 1)
    return Streams(
        channel=channel[stream[:-1]],
        actor=rows.actor[stream[:-1]],
        units=np.searchsorted(unit, stream).astype(np.int64),
        probes=unit,
        probe=rows.probe,
        anchor=rows.anchor,
        back=rows.back,
        ahead=rows.ahead,
        targets=stream,
        target=rows.target[np.lexsort((rows.target, number))],
        loop=loop,
    )


def _pairs(streams: Streams, window: int) -> tuple[Ints, Ints]:
    """Step 2: pairs of streams that coincide, as (lesser, greater)."""
    count = len(streams.actor)
    number = np.repeat(np.arange(count), np.diff(streams.targets))
    by_target = np.argsort(streams.target, kind="stable")
    neighbours = int(np.clip(PAIRS // max(2 * len(number), 1), 1, 40))
    keys = _coincidences(
        streams.probe,
        number,
        streams.anchor,
        streams.back * window,
        streams.ahead * window,
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
def _coincidences(probe, number, anchor, back, ahead, all_targets, all_owners, neighbours):  # type: ignore[no-untyped-def]
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
                if target[step] < probe[at] - back[at] or target[step] > probe[at] + ahead[at]:
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
def _pair_bits(one, two, units, probes, probe, back, ahead, targets, target, thetas):  # type: ignore[no-untyped-def]
    """Step 3: log2 E of each pair, if targets lay evenly within half an hour of each probe."""
    out = np.zeros(len(one))
    for x in range(len(one)):
        a, b = one[x], two[x]
        if units[a + 1] - units[a] > units[b + 1] - units[b]:
            a, b = b, a
        theirs = target[targets[b] : targets[b + 1]]
        logs = np.zeros(len(thetas))
        for u in range(units[a], units[a + 1]):
            miss, hit = 1.0, False
            for at in range(probes[u], probes[u + 1]):
                near = np.searchsorted(theirs, probe[at] + HOUR // 2) - np.searchsorted(theirs, probe[at] - HOUR // 2)
                if near > 0:
                    miss *= (1.0 - (back[at] + ahead[at]) / HOUR) ** near
                    place = np.searchsorted(theirs, probe[at] - back[at])
                    hit |= place < len(theirs) and theirs[place] <= probe[at] + ahead[at]
            if miss < 1.0:
                p = 1.0 - miss
                for t in range(len(thetas)):
                    logs[t] += thetas[t] * hit - np.log(1.0 - p + p * np.exp(thetas[t]))
        highest = logs.max()
        out[x] = (highest + np.log(np.mean(np.exp(logs - highest)))) / np.log(2.0)
    return out


def _groups(streams: Streams, pairs: tuple[Ints, Ints], window: int, least: int, apart: int) -> list[Group]:
    one, two = pairs
    bits = _pair_bits(
        one,
        two,
        streams.units,
        streams.probes,
        streams.probe,
        streams.back * window,
        streams.ahead * window,
        streams.targets,
        streams.target,
        THETAS,
    )
    fellows = np.repeat(np.diff(runs(streams.channel)), np.diff(runs(streams.channel)))
    tied = bits >= np.log2(fellows[one]) + MARGIN_BITS
    one, two = one[tied], two[tied]
    found = []
    waiting = [(group, True) for group in _components(one, two, np.unique(np.concatenate((one, two))))]
    waiting += [(group, False) for group in _outstanding(streams, fellows, window)]
    while waiting:
        group, by_pairs = waiting.pop()
        if len(group) < least:
            continue
        n = int(fellows[group[0]])
        inside, result = _holding(streams, group, window, float(np.log2(n)) + MARGIN_BITS, apart)
        parts = _components(one, two, inside) if by_pairs else [inside]
        if len(parts) > 1:
            waiting += [(part, True) for part in parts]
        elif parts and len(parts[0]) >= least:
            found.append(
                Group(
                    int(streams.channel[inside[0]]),
                    streams.actor[inside],
                    window,
                    result,
                    result.chain - choices(n, len(inside)),
                )
            )
    return found


def _outstanding(streams: Streams, fellows: Ints, window: int) -> list[Ints]:
    """Step 3: for each work, the streams that coincide with all others together more than even traffic would."""
    if not len(streams.actor) or streams.channel[0] < 0:
        return []
    number = np.repeat(np.arange(len(streams.actor)), np.diff(streams.targets))
    by_target = np.argsort(streams.target, kind="stable")
    bits = _stream_bits(
        streams.units,
        streams.probes,
        streams.probe,
        streams.back * window,
        streams.ahead * window,
        streams.targets,
        streams.target,
        streams.target[by_target],
        number[by_target],
        THETAS,
    )
    chosen = np.flatnonzero(bits >= np.log2(fellows) + MARGIN_BITS)
    start = runs(streams.channel[chosen])
    return np.split(chosen, start[1:-1])


@kernel
def _stream_bits(units, probes, probe, back, ahead, targets, own, all_targets, all_owners, thetas):  # type: ignore[no-untyped-def]
    out = np.zeros(len(units) - 1)
    for s in range(len(out)):
        mine = own[targets[s] : targets[s + 1]]
        logs = np.zeros(len(thetas))
        least, most = _bounds(probe, probes[units[s]], probes[units[s + 1]])
        base = np.searchsorted(all_targets, least - HOUR)
        beyond = np.searchsorted(all_targets, most + HOUR)
        target, owner = all_targets[base:beyond], all_owners[base:beyond]
        for u in range(units[s], units[s + 1]):
            near, hit, width = 0, False, 0
            for at in range(probes[u], probes[u + 1]):
                low, high = probe[at] - HOUR // 2, probe[at] + HOUR // 2
                near += np.searchsorted(target, high) - np.searchsorted(target, low)
                near -= np.searchsorted(mine, high) - np.searchsorted(mine, low)
                width = back[at] + ahead[at]
                place = np.searchsorted(target, probe[at] - back[at])
                steps = 0
                while not hit and place < len(target) and target[place] <= probe[at] + ahead[at] and steps < 100:
                    hit = owner[place] != s
                    place += 1
                    steps += 1
            if near > 0:
                p = 1.0 - (1.0 - width / HOUR) ** near
                for t in range(len(thetas)):
                    logs[t] += thetas[t] * hit - np.log(1.0 - p + p * np.exp(thetas[t]))
        highest = logs.max()
        out[s] = (highest + np.log(np.mean(np.exp(logs - highest)))) / np.log(2.0)
    return out


def _components(one: Ints, two: Ints, nodes: Ints) -> list[Ints]:
    """Step 4: the components of the ties among `nodes` (rising), each rising."""
    inside = np.isin(one, nodes) & np.isin(two, nodes)
    a, b = np.searchsorted(nodes, one[inside]), np.searchsorted(nodes, two[inside])
    if not len(a):
        return []
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(len(nodes), len(nodes)))
    _, label = connected_components(graph, directed=False)
    order = np.argsort(label, kind="stable")
    return np.split(nodes[order], np.flatnonzero(np.diff(label[order])) + 1)


def _holding(streams: Streams, group: Ints, window: int, least_bits: float, apart: int) -> tuple[Ints, Tested]:
    """Step 4: let the weaker half of those that do not hold leave, until all do."""
    while True:
        result = against_chance(streams, group, window)
        # A loop is one unit: whether enough of them agree is for the group to say.
        loop = streams.loop[group]
        weak = (result.hits < AGAIN) | (result.last - result.first < apart)
        weak |= np.where(loop, 2 * result.hits <= result.units, result.bits < least_bits)
        if not weak.any() or len(group) < 2:
            return group, result
        worst = np.lexsort((group, result.bits))
        worst = worst[weak[worst]]
        group = np.delete(group, worst[: (len(worst) + 1) // 2])
        if not len(group):
            return group, result
