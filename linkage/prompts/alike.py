"""Which outlines are one template: the same words, in the same order, throughout the text.

Where each account rewrites a template in its own words, a part of them is left, spread over the text. A shared preamble
or a shared ending leaves whole sentences, and between them nothing but what chance and a common topic give. The two are
told apart by their likelihood.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from linkage.kernel import kernel
from linkage.prompts.outlines import LEAST_WORDS, OUTLINE, Outlines

SAME_SHARE: Final = 0.08
"""Part of the rarity of the poorer outline's words that must be shared. Where each account rewrites four words in ten
on its own, .36 are left on average."""

SAME_BITS: Final = 22.0
"""Rarity of all shared words, in bits."""

SAME_ORDER: Final = 0.8
"""Part of the pairs of shared words that must stand in the same order; chance gives half."""

SAME_TEXT: Final = -2.0
"""How much likelier, in nats, it must be that what is shared is spread over the text than that it is a shared opening
or ending with nothing but chance between. Raising it loses pairs that rewrite much; lowering it links work that only
has its preamble in common."""

CHANCE: Final = 0.05
"""Part of the words that two texts on one topic share by chance."""

LEAD: Final = 0.45
"""A preamble that changes may be this part of the words that are compared."""

OPENING, ENDING = 0.65, 0.65
"""A shared opening is at most the first part, a shared ending begins at the second; beside both, `BETWEEN` is free."""

BETWEEN = 0.4

RARE: Final = 64
"""Words of so many outlines at most bring all of them together to be compared; of commoner ones only neighbours."""

KEYS: Final = 24
"""An outline is found by so many of its rarest words."""

NEIGHBOURS: Final = 4


def same(found: Outlines) -> NDArray[np.int64]:
    """A number for the template of each outline, int64[O]; outlines of one template have the same."""
    count = len(found.account)
    if count == 0:
        return np.zeros(0, np.int64)
    pairs = _candidates(found)
    kept = _verify(found.words, found.places, found.rarity, found.start, pairs)
    tied = pairs[kept]
    graph = coo_array((np.ones(len(tied), np.bool_), (tied[:, 0], tied[:, 1])), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    labels: NDArray[np.int64] = component.astype(np.int64)
    return labels


def _candidates(found: Outlines) -> NDArray[np.int64]:
    """int64[C, 2]: pairs of outlines of different accounts that share a word which is rare among outlines."""
    outline = np.repeat(np.arange(len(found.account)), np.diff(found.start))
    _, word, held = np.unique(found.words, return_inverse=True, return_counts=True)
    held = held[word]
    shared = np.flatnonzero(held > 1)
    # The rarest words of each outline.
    order = shared[np.lexsort((found.words[shared], held[shared], outline[shared]))]
    place = np.arange(len(order)) - np.searchsorted(outline[order], outline[order])
    keys = order[place < KEYS]
    keys = keys[np.lexsort((outline[keys], word[keys]))]
    pairs: NDArray[np.int64] = _pairs(word[keys], outline[keys].astype(np.int64), found.account, RARE, NEIGHBOURS)
    return np.unique(pairs, axis=0)


@kernel
def _pairs(word, outline, account, rare, neighbours):  # type: ignore[no-untyped-def]
    size = 1024
    out = np.empty((size, 2), np.int64)
    filled = 0
    x = 0
    while x < len(word):
        y = x
        while y < len(word) and word[y] == word[x]:
            y += 1
        reach = y - x if y - x <= rare else neighbours
        for i in range(x, y):
            for j in range(i + 1, min(y, i + 1 + reach)):
                if account[outline[i]] == account[outline[j]]:
                    continue
                if filled == size:
                    size *= 2
                    larger = np.empty((size, 2), np.int64)
                    larger[:filled] = out
                    out = larger
                out[filled, 0], out[filled, 1] = outline[i], outline[j]
                filled += 1
        x = y
    return out[:filled].copy()


@kernel
def _verify(words, places, rarity, start, pairs):  # type: ignore[no-untyped-def]
    kept = np.zeros(len(pairs), np.bool_)
    mine, theirs = np.empty(OUTLINE), np.empty(OUTLINE)
    hit_a, hit_b = np.empty(OUTLINE, np.int64), np.empty(OUTLINE, np.int64)
    rank, whole = _ranks(places, rarity, start)
    for row in range(len(pairs)):
        a, b = pairs[row, 0], pairs[row, 1]
        x, y = start[a], start[b]
        n, bits = 0, 0.0
        hit_a[: start[a + 1] - x] = 0
        hit_b[: start[b + 1] - y] = 0
        while x < start[a + 1] and y < start[b + 1]:
            if words[x] < words[y]:
                x += 1
            elif words[x] > words[y]:
                y += 1
            else:
                mine[n], theirs[n] = places[x], places[y]
                bits += rarity[x]
                hit_a[rank[x]] = 1
                hit_b[rank[y]] = 1
                n += 1
                x += 1
                y += 1
        if n < LEAST_WORDS or bits < SAME_BITS:
            continue
        if bits < SAME_SHARE * min(whole[a], whole[b]):
            continue
        ordered = compared = 0
        for i in range(n):
            for j in range(i + 1, n):
                left, right = mine[i] - mine[j], theirs[i] - theirs[j]
                if abs(left) > 8.0 and abs(right) > 8.0:
                    compared += 1
                    ordered += (left > 0.0) == (right > 0.0)
        if compared == 0 or ordered < SAME_ORDER * compared:
            continue
        spread = _spread(hit_a, start[a + 1] - start[a])
        spread += _spread(hit_b, start[b + 1] - start[b])
        kept[row] = spread >= 2.0 * SAME_TEXT
    return kept


@kernel
def _ranks(places, rarity, start):  # type: ignore[no-untyped-def]
    """The rank of each word in its outline, by place, and the rarity of each outline."""
    rank = np.empty(len(places), np.int64)
    whole = np.zeros(len(start) - 1)
    for o in range(len(start) - 1):
        first = start[o]
        for at, x in enumerate(np.argsort(places[first : start[o + 1]], kind="mergesort")):
            rank[first + x] = at
            whole[o] += rarity[first + x]
    return rank, whole


@kernel
def _likely(hits, of):  # type: ignore[no-untyped-def]
    """Log-likelihood of so many shared words at the rate that fits best."""
    if hits == 0 or hits == of:
        return 0.0
    return hits * np.log(hits / of) + (of - hits) * np.log(1.0 - hits / of)


@kernel
def _spread(hit, n):  # type: ignore[no-untyped-def]
    """Log-likelihood ratio: shared throughout (but for a leading part) against a shared opening or ending only.

    Args:
        hit: 1 for each word that is shared, in the order of the text; the first n count.
    """
    yes, no = np.log(CHANCE), np.log(1.0 - CHANCE)
    passed = np.zeros(n + 1, np.int64)
    for at in range(n):
        passed[at + 1] = passed[at] + hit[at]
    total = passed[n]
    throughout = edges = -1e9
    for first in range(n + 1):
        if first <= LEAD * n:
            before = passed[first]
            lead = before * yes + (first - before) * no
            throughout = max(throughout, lead + _likely(total - before, n - first))
        if first > OPENING * n:
            break
        opening = _likely(passed[first], first)
        for last in range(max(first, int(ENDING * n)), n + 1):
            if first > 0 and last < n and last - first < BETWEEN * n:
                continue
            free = passed[last] - passed[first]
            middle = free * yes + (last - first - free) * no
            edges = max(edges, opening + middle + _likely(total - passed[last], n - last))
    return throughout - edges
