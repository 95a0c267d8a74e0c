"""From rows of traffic to streams, and from streams to groups that coincide.

1. A channel is a work, with the streams of the actors that repeat it. Works that an actor repeats rarely (a new prompt
   each time) go together into one more channel, where two actors still coincide on the same work only.
2. Pairs of streams that coincide several times are counted along the common axis, each probe against its nearest
   targets only: linear in the rows, however popular a work is.
3. A pair is tied when its coincidences beat what even traffic within half an hour would give by more than the number
   of streams of the channel, so that chance ties hardly anybody: connected components stay small. Where partners change
   all the time, no pair may stand out: the streams of a work that beat it against all others together are a candidate
   too. Steps 2 and 3 are in `pairs`.
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

from linkage.timing.pairs import AGAIN, MARGIN_BITS, fellows, outstanding, ties
from linkage.timing.permute import Flags, Streams, Tested, against_chance, choices, loops
from linkage.timing.work import LEAST_BITS, Ids, Ints, runs

RARE: Final = 2 * AGAIN
"""A stream of fewer units goes into the channel of rarely repeated works (too)."""


@dataclass(frozen=True)
class Rows:
    """One probe and one target each, sorted by (work, actor, anchor).

    Attributes:
        work, actor: int32[R].
        unit: int64[R], rising within a stream of one work, and comparable over the works of an actor: an hour, or the
            start or end of a series.
        probe, anchor, back, ahead, target: as in `permute.Streams`.
    """

    work: Ids
    actor: Ids
    unit: Ints
    probe: Ints
    anchor: Ints
    back: Flags
    ahead: Flags
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
        actor: int32[g].
        window: seconds.
        tested: against the null model.
        bits: of the whole group, all corrections made.
    """

    work: int
    actor: Ids
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
    del rows  # Streams have all that is wanted of them, and are as large.
    channels = len(np.unique(repeated.channel)) + bool(len(rare.actor))

    def tested(job: tuple[Streams, tuple[Ints, Ints], int]) -> list[Group]:
        return _groups(*job, least, apart)

    with ThreadPoolExecutor(max_workers=2) as pool:
        jobs = [
            (streams, tied, window)
            for streams in (repeated, rare)
            for window, tied in zip(windows, ties(streams, windows, pool), strict=True)
        ]
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
    return _streams(some, np.full(len(some.work), -1, np.int32))


def _units_of_streams(rows: Rows) -> tuple[Ints, Ints]:
    stream = runs(rows.work, rows.actor)
    return stream, np.diff(np.searchsorted(runs(rows.work, rows.actor, rows.unit), stream))


def _streams(rows: Rows, channel: Ids) -> Streams:
    """Streams of rows that are sorted by (channel, actor, unit, anchor)."""
    stream = runs(channel, rows.actor)
    unit = runs(channel, rows.actor, rows.unit)
    number = np.repeat(np.arange(len(stream) - 1, dtype=np.int32), np.diff(stream))
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


def _groups(streams: Streams, tied: tuple[Ints, Ints], window: int, least: int, apart: int) -> list[Group]:
    """Step 4: the groups that hold against the null model."""
    one, two = tied
    sizes = fellows(streams)
    found = []
    waiting = [(group, True) for group in _components(one, two, np.unique(np.concatenate((one, two))))]
    waiting += [(group, False) for group in outstanding(streams, window)]
    while waiting:
        group, by_ties = waiting.pop()
        if len(group) < least:
            continue
        n = int(sizes[group[0]])
        inside, result = _holding(streams, group, window, float(np.log2(n)) + MARGIN_BITS, apart)
        parts = _components(one, two, inside) if by_ties else [inside]
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
