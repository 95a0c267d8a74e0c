"""Near-duplicate clusters of prompts, from bottom-k sketches of their shingles.

A sketch is the `SKETCH` smallest 32-bit hashes of a prompt's shingles (Broder 1997, doi:10.1109/SEQUEN.1997.666900;
Cohen and Kaplan 2007, doi:10.1145/1281100.1281133), sorted and distinct; a shorter sketch is the prompt's whole set.
Two prompts are tied if

- they share a band key: MinHash signatures of the sketch's values, `BANDS` bands of `ROWS` rows (Leskovec, Rajaraman
  and Ullman, Mining of Massive Datasets, chapter 3, doi:10.1017/9781139924801), and
- the Jaccard index that their sketches estimate is at least `SIMILAR`.

Both depend on the two sketches alone. The clusters are the connected components of the ties, so neither order, nor a
split over calls, nor the machine changes them, within the bound of step 3.

1. Equal sketches become one, and these are put in an order that depends on their content alone.
2. The keys of `PASS` bands are made in one reading, and grouped one band at a time, however many bands there are.
3. In each bucket (the sketches of one key) the pairs that are not yet in one component are compared: all of them up to
   `BUCKET` sketches, and beyond it each sketch with its next `NEIGHBOURS` in order of content and with `SAMPLES`
   spread evenly over that order. Which pairs these are does not depend on what was tied before.
4. A cluster is named by the smallest id in it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.kernel import kernel, root_of
from linkage.prompts.keys import BANDS, PASS, SEEDS, band_keys, group

SKETCH: Final = 32
"""k: the values of a full sketch. The estimate's standard error is sqrt(J (1 - J) / k)."""

SIMILAR: Final = 0.25
"""The least estimated Jaccard index of a tie. Lower joins more, and more that only share phrases.

The estimate errs: pairs at .18 pass in about one of five cases, at .11 in one of fifty. Where very many prompts share
a preamble as large as that, such ties can chain them into one cluster.
"""

BUCKET: Final = 4096
"""Up to so many distinct sketches of one key all pairs are compared. Raising it finds more ties of sketches that are
similar to few of their bucket, and costs up to BUCKET / 2 comparisons a sketch where none are similar."""

NEIGHBOURS: Final = 16
SAMPLES: Final = 32
"""Comparisons of a sketch in a greater bucket. More of either finds more small clusters behind a key that many share;
a sketch costs up to NEIGHBOURS + SAMPLES in each such bucket, however many it holds."""

Ids = NDArray[np.uint64]
Values = NDArray[np.uint32]
Starts = NDArray[np.int64]


def near_duplicates(ids: Ids, values: Values, start: Starts, known: Ids | None = None) -> Ids:
    """The cluster of each prompt, named by the smallest id of its members.

    Guaranteed in every case: prompts with equal sketches are together (but empty sketches say nothing, each is a
    cluster of its own); two prompts are only ever together through a chain of ties or known clusters; the result is a
    function of the set of prompts and of `known`, not of their order. As long as no key is shared by more than
    `BUCKET` distinct sketches, every tie counts, so prompts that come in several calls (each with all earlier prompts
    and the clusters they got) end in the clusters of a single call. In a greater bucket a tie may be missed when
    neither sketch is among the other's next `NEIGHBOURS` or among the bucket's `SAMPLES`, in this and in every other
    band, and no chain leads round it; then a split over calls may leave clusters apart that one call joins, or join
    what it leaves apart.

    Args:
        ids: uint64[P], distinct, not 0.
        values: uint32[V], the sketches one after the other, each strictly ascending. May be a memory map: it is read
            in order BANDS / PASS times, and here and there for comparisons.
        start: int64[P + 1], where each sketch starts; at most `SKETCH` values each, also none.
        known: uint64[P], the cluster that an earlier call gave a prompt, 0 for a prompt that is new. Prompts of one
            known cluster stay together, and two prompts that both have one are not compared.

    Returns:
        uint64[P]. About 60 bytes of memory a prompt are used beside the arguments.

    Raises:
        ValueError: the arrays do not fit together, an id is 0 or stands twice, or a sketch is none.
    """
    clusters, _ = clustered(ids, values, start, known)
    return clusters


def clustered(ids: Ids, values: Values, start: Starts, known: Ids | None = None) -> tuple[Ids, int]:
    """As `near_duplicates`, and how many pairs of sketches were compared."""
    values = np.asarray(values)  # a plain view, which kernels take
    known = np.zeros(len(ids), np.uint64) if known is None else known
    _check(ids, values, start, known)
    # Step 1.
    member, place, filled = _distinct(ids, values, start)
    settled = np.zeros(len(place), np.bool_)
    settled[member[known != 0]] = True
    parent = np.arange(len(place), dtype=np.int32)
    _keep_known(known, member, parent)
    compared = 0
    first = np.sort(place[:filled])  # reads the values in order
    number = member[first]
    fresh = ~settled[number]
    some_known = not fresh.all()
    keys, packed = np.empty((PASS, filled), np.uint32), np.empty(filled, np.uint64)
    scratch = np.empty(SKETCH, np.uint32)
    for band in range(0, BANDS, PASS):
        # Steps 2 and 3.
        band_keys(values, start, first, SEEDS[band : band + PASS], scratch, keys)
        for of_band in keys:
            met = of_band, number
            if some_known:
                here = _meets(of_band, fresh)
                met = of_band[here], number[here]
            part = packed[: len(met[0])]
            group(*met, part)
            compared += _ties(part, values, start, place, settled, parent)
    # Step 4.
    return _names(ids, known, member, parent), compared


class Seen:
    """Values of some sketches, to tell which other sketches can be tied to one of them.

    A tie takes a share of `SIMILAR` of all values of the smaller sketch at least (of two full ones: of `SKETCH`), so a
    sketch with fewer values among all of theirs is tied to none. Values are told apart by their last `_SEEN` bits, in
    8 MB: a few sketches more are let through, none is missed.
    """

    def __init__(self) -> None:
        self._bits = np.zeros(2**_SEEN // 64, np.uint64)

    def add(self, values: Values) -> None:
        """Add the values of sketches."""
        _mark(values, self._bits)

    def resembled(self, values: Values, start: Starts) -> NDArray[np.bool_]:
        """Which of the sketches (as in `near_duplicates`) can be tied to one whose values were added."""
        found: NDArray[np.bool_] = _marked(values, start, self._bits)
        return found


def _check(ids: Ids, values: Values, start: Starts, known: Ids) -> None:
    if len(start) != len(ids) + 1 or len(known) != len(ids):
        raise ValueError(f"{len(ids)} ids need {len(ids) + 1} starts and as many known clusters as ids.")
    if start[0] != 0 or start[-1] != len(values):
        raise ValueError(f"starts go from 0 to the {len(values)} values, not from {start[0]} to {start[-1]}.")
    ordered = np.sort(ids)
    if len(ids) and (ordered[0] == 0 or (ordered[1:] == ordered[:-1]).any()):
        raise ValueError("an id is 0 or stands twice.")
    bad = _first_bad(values, start)
    if bad >= 0:
        raise ValueError(f"sketch {bad} is not up to {SKETCH} strictly ascending values.")


def _distinct(ids: Ids, values: Values, start: Starts) -> tuple[NDArray[np.int32], NDArray[np.int32], int]:
    """Number the distinct sketches in order of content.

    Returns:
        member (int32[P], the number of each prompt's sketch), place (int32[D], the prompt of smallest id that has the
        sketch), and how many sketches are not empty: these come first, each empty one has a number of its own.
    """
    sizes = np.diff(start)
    at = np.flatnonzero(sizes).astype(np.int32)
    content = _content(values, start, at)
    order = np.argsort(content)
    content, at = content[order], at[order]
    del order
    member = np.empty(len(ids), np.int32)
    place = np.empty(len(ids), np.int32)
    filled = _collapse(content, at, ids, values, start, member, place)
    empty = np.flatnonzero(sizes == 0)
    total = filled + len(empty)
    member[empty] = np.arange(filled, total)
    place[filled:total] = empty
    return member, place[:total], filled


def _meets(keys: NDArray[np.uint32], fresh: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Where keys stand that some new sketch has, and a few others: known ones are not compared with each other."""
    table = np.zeros(1 << 22, np.bool_)
    slot = keys & np.uint32(len(table) - 1)
    table[slot[fresh]] = True
    return np.flatnonzero(table[slot])


def _keep_known(known: Ids, member: NDArray[np.int32], parent: NDArray[np.int32]) -> None:
    at = np.flatnonzero(known)
    at = at[np.argsort(known[at])]
    _join_equal(known[at], member[at], parent)


_A, _B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


_SEEN: Final = 26
_PLACE, _WORD, _BIT, _ONE = np.uint64(2**_SEEN - 1), np.uint64(6), np.uint64(63), np.uint64(1)


@kernel
def _mark(values, bits):  # type: ignore[no-untyped-def]
    for value in values:
        place = np.uint64(value) & _PLACE
        bits[place >> _WORD] |= _ONE << (place & _BIT)


@kernel
def _marked(values, start, bits):  # type: ignore[no-untyped-def]
    found = np.zeros(len(start) - 1, np.bool_)
    for p in range(len(found)):
        size = start[p + 1] - start[p]
        shared = np.int64(0)
        for x in range(start[p], start[p + 1]):
            place = np.uint64(values[x]) & _PLACE
            shared += np.int64(bits[place >> _WORD] >> (place & _BIT) & _ONE)
        found[p] = shared >= SIMILAR * size
    return found


@kernel
def _first_bad(values, start):  # type: ignore[no-untyped-def]
    for p in range(len(start) - 1):
        if not 0 <= start[p + 1] - start[p] <= SKETCH or start[p + 1] > len(values):
            return p
        for x in range(start[p] + 1, start[p + 1]):
            if values[x - 1] >= values[x]:
                return p
    return -1


@kernel
def _content(values, start, at):  # type: ignore[no-untyped-def]
    """The least value above 32 bits that stand for all: equal sketches meet, and similar ones are often near."""
    content = np.empty(len(at), np.uint64)
    for n in range(len(at)):
        h = np.uint64(0)
        for x in range(start[at[n]], start[at[n] + 1]):
            h = (h ^ np.uint64(values[x])) * _A
            h ^= h >> _HALF
        content[n] = np.uint64(values[start[at[n]]]) << _HALF | (h * _B) >> _HALF
    return content


@kernel
def _collapse(content, at, ids, values, start, member, place):  # type: ignore[no-untyped-def]
    numbered = low = 0
    while low < len(content):
        high = low + 1
        while high < len(content) and content[high] == content[low]:
            high += 1
        # Nearly always all are equal; each round takes those that equal the one of smallest id.
        while low < high:
            least = low
            for x in range(low + 1, high):
                if ids[at[x]] < ids[at[least]]:
                    least = x
            chosen = at[least]
            place[numbered] = chosen
            for x in range(low, high):
                if _equal(values, start[chosen], start[chosen + 1], start[at[x]], start[at[x] + 1]):
                    member[at[x]] = numbered
                    at[x] = at[low]
                    low += 1
            numbered += 1
    return numbered


@kernel
def _equal(values, a, a_end, b, b_end):  # type: ignore[no-untyped-def]
    if a_end - a != b_end - b:
        return False
    for x in range(a_end - a):  # noqa: SIM110
        if values[a + x] != values[b + x]:
            return False
    return True


@kernel
def _ties(packed, values, start, place, settled, parent):  # type: ignore[no-untyped-def]
    """Join what is tied in one band."""
    for x in range(len(parent)):
        parent[x] = parent[parent[x]]  # a parent is before its child: this is the root
    compared = low = 0
    while low < len(packed):
        key = packed[low] >> _HALF
        high = low + 1
        while high < len(packed) and packed[high] >> _HALF == key:
            high += 1
        if high - low > 1 and not _joined(packed, low, high, parent):
            bucket = packed[low:high]
            bucket.sort()  # in order of content
            compared += _compare(bucket, values, start, place, settled, parent)
        low = high
    return compared


@kernel
def _joined(packed, low, high, parent):  # type: ignore[no-untyped-def]
    root = root_of(parent, np.int64(packed[low] & _LOW))
    for x in range(low + 1, high):  # noqa: SIM110
        if root_of(parent, np.int64(packed[x] & _LOW)) != root:
            return False
    return True


@kernel
def _compare(bucket, values, start, place, settled, parent):  # type: ignore[no-untyped-def]
    """Join what is tied in one bucket, which is in order of content."""
    size = len(bucket)
    # Those of one component at the outset are skipped without a look at each pair: a giant template costs O(n).
    root = np.empty(size, np.int64)
    for x in range(size):
        root[x] = root_of(parent, np.int64(bucket[x] & _LOW))
    sampled = root[0]
    for sample in range(SAMPLES):
        if root[sample * size // SAMPLES] != sampled:
            sampled = -1
    compared = streak = 0
    for x in range(1, size):
        if root[x] != root[x - 1]:
            streak = x
        back = 0 if size <= BUCKET else max(0, x - NEIGHBOURS)
        # Neighbours from the nearest: they are the likeliest to be similar.
        for y in range(streak - 1, back - 1, -1):
            if root[y] != root[x]:
                compared += _tie(bucket[x], bucket[y], values, start, place, settled, parent)
    if size > BUCKET:
        for x in range(size):
            if root[x] != sampled:
                for sample in range(SAMPLES):
                    y = sample * size // SAMPLES
                    compared += _tie(bucket[x], bucket[y], values, start, place, settled, parent)
    return compared


@kernel
def _tie(one, other, values, start, place, settled, parent):  # type: ignore[no-untyped-def]
    """Join two sketches if they are similar: 1 if that took a comparison."""
    a, b = np.int64(one & _LOW), np.int64(other & _LOW)
    if settled[a] and settled[b]:
        return 0
    x, y = root_of(parent, a), root_of(parent, b)
    if x == y:
        return 0
    p, q = place[a], place[b]
    if _similar(values, start[p], start[p + 1], start[q], start[q + 1]):
        parent[max(x, y)] = min(x, y)
    return 1


@kernel
def _similar(values, a, a_end, b, b_end):  # type: ignore[no-untyped-def]
    """Whether the k smallest of the union are shared enough. Two sketches that are whole sets have no k."""
    whole = a_end - a < SKETCH and b_end - b < SKETCH
    limit = a_end - a + b_end - b if whole else SKETCH
    union = shared = 0
    while union < limit and a < a_end and b < b_end:
        v, w = values[a], values[b]
        union += 1
        shared += v == w
        a += v <= w
        b += w <= v
    union += min(limit - union, a_end - a + b_end - b)
    return shared >= SIMILAR * union


@kernel
def _join_equal(known, member, parent):  # type: ignore[no-untyped-def]
    for n in range(1, len(known)):
        if known[n] == known[n - 1]:
            x, y = root_of(parent, member[n - 1]), root_of(parent, member[n])
            parent[max(x, y)] = min(x, y)


@kernel
def _names(ids, known, member, parent):  # type: ignore[no-untyped-def]
    name = np.full(len(parent), np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64)
    for p in range(len(ids)):
        x = root_of(parent, member[p])
        name[x] = min(name[x], ids[p])
        if known[p]:
            name[x] = min(name[x], known[p])
    named = np.empty(len(ids), np.uint64)
    for p in range(len(ids)):
        named[p] = name[root_of(parent, member[p])]
    return named
