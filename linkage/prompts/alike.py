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

from linkage.kernel import grown, kernel
from linkage.prompts.outlines import OUTLINE, Outlines

SAME_TEXT: Final = 13.0
"""How much likelier, in nats, what is shared must be if the outlines are one template than if chance and a common topic
brought it about. Lower links more, and more strangers: every outline is compared with many."""

SAME_SPREAD: Final = 2.0
"""The same, than if the two had an opening or an ending in common and nothing else. Raising it loses pairs that rewrite
much; lowering it links work that only has its preamble in common."""

DISORDER: Final = 0.35
"""A pair of shared words of one template stands in another order so many times as often as in the same."""

RATES: Final = np.array([0.25, 0.4, 0.55, 0.7, 0.85, 0.97])
"""Parts of the words that two accounts may have kept of one template; the likeliest counts."""

TOPIC: Final = 4.0
"""So many times as often as at random do two texts on one topic share a word."""

LEAD: Final = 0.45
"""A preamble that changes may be this part of the words that are compared."""

OPENING, ENDING = 0.65, 0.65
"""A shared opening is at most the first part, a shared ending begins at the second; beside both, `BETWEEN` is free."""

BETWEEN = 0.4

LEAST_SHARED: Final = 4

BLUR: Final = 8.0
"""Places so near to each other are one place: what fills slots moves them."""

PAIR_WEIGHT: Final = 0.3
"""How much a pair of words counts for where a template is shared: it is kept where its words are."""

RARE: Final = 64
"""Words of so many outlines at most bring all of them together to be compared; of commoner ones only neighbours."""

KEYS: Final = 16
"""An outline is found by so many of its rarest words, and of its rarest pairs of words."""

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
    # The rarest words of each outline, and its rarest pairs of words.
    single = found.words & 1
    order = shared[np.lexsort((found.words[shared], held[shared], single[shared], outline[shared]))]
    group = outline[order] * 2 + single[order]
    place = np.arange(len(order)) - np.searchsorted(group, group)
    keys = order[place < KEYS]
    keys = keys[np.lexsort((outline[keys], word[keys]))]
    pairs: NDArray[np.int64] = _pairs(word[keys], outline[keys].astype(np.int64), found.account, RARE, NEIGHBOURS)
    return np.unique(pairs, axis=0)


@kernel
def _pairs(word, outline, account, rare, neighbours):  # type: ignore[no-untyped-def]
    size = 1024
    left, right = np.empty(size, np.int64), np.empty(size, np.int64)
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
                    left, right = grown(left, size), grown(right, size)
                left[filled], right[filled] = outline[i], outline[j]
                filled += 1
        x = y
    return np.column_stack((left[:filled], right[:filled]))


@kernel
def _verify(words, places, rarity, start, pairs):  # type: ignore[no-untyped-def]
    kept = np.zeros(len(pairs), np.bool_)
    mine, theirs = np.empty(OUTLINE), np.empty(OUTLINE)
    hit_a, hit_b = np.empty(OUTLINE, np.int64), np.empty(OUTLINE, np.int64)
    rank, chance, single = _ranks(words, places, rarity, start)
    for row in range(len(pairs)):
        a, b = pairs[row, 0], pairs[row, 1]
        x, y = start[a], start[b]
        n = 0
        hit_a[: start[a + 1] - x] = 0
        hit_b[: start[b + 1] - y] = 0
        while x < start[a + 1] and y < start[b + 1]:
            if words[x] < words[y]:
                x += 1
            elif words[x] > words[y]:
                y += 1
            else:
                hit_a[rank[x]] = 1
                hit_b[rank[y]] = 1
                if words[x] & 1:
                    mine[n], theirs[n] = places[x], places[y]
                    n += 1
                x += 1
                y += 1
        if n < LEAST_SHARED:
            continue
        text_a, spread_a = _likelier(hit_a, chance[start[a] : start[a + 1]], single[start[a] : start[a + 1]])
        text_b, spread_b = _likelier(hit_b, chance[start[b] : start[b + 1]], single[start[b] : start[b + 1]])
        text = (text_a + text_b) / 2.0 + _order(mine[:n], theirs[:n])
        kept[row] = text >= SAME_TEXT and spread_a + spread_b >= 2.0 * SAME_SPREAD
    return kept


@kernel
def _ranks(words, places, rarity, start):  # type: ignore[no-untyped-def]
    """The rank of each word in its outline, by place; and by rank, the chance that another outline has the word."""
    rank = np.empty(len(places), np.int64)
    chance = np.empty(len(places))
    single = np.empty(len(places), np.int64)
    for o in range(len(start) - 1):
        first = start[o]
        for at, x in enumerate(np.argsort(places[first : start[o + 1]], kind="mergesort")):
            rank[first + x] = at
            single[first + at] = words[first + x] & 1
            chance[first + at] = min(0.5, TOPIC * 2.0 ** -rarity[first + x])
    return rank, chance, single


@kernel
def _order(mine, theirs):  # type: ignore[no-untyped-def]
    """Log-likelihood ratio of the order of shared words: Mallows' model against any order being as likely.

    Mallows 1957, doi:10.1093/biomet/44.1-2.114, with `DISORDER` for each pair that stands in different order.
    """
    n = len(mine)
    disordered = compared = 0
    for i in range(n):
        for j in range(i + 1, n):
            left, right = mine[i] - mine[j], theirs[i] - theirs[j]
            if abs(left) > BLUR and abs(right) > BLUR:
                compared += 1
                disordered += (left > 0.0) != (right > 0.0)
    ratio = 0.0
    power = 1.0
    for size in range(1, n + 1):
        power *= DISORDER
        ratio += np.log(size) - np.log((1.0 - power) / (1.0 - DISORDER))
    # Words that stand close together tell no order.
    return ratio * compared / max(n * (n - 1) / 2, 1) + disordered * np.log(DISORDER)


@kernel
def _likelier(hit, chance, single):  # type: ignore[no-untyped-def]
    """Log-likelihood ratios of "one template" against chance, and against a shared opening or ending only.

    One template shares its words throughout, at one of `RATES`, but for a leading part. Where something begins or ends
    costs log(n), as it could anywhere.

    Args:
        hit: 1 for each word or pair of words that is shared, in the order of the text.
        chance: of each, in the same order.
        single: 1 for a word. Pairs of words are kept at the square of the rate.
    """
    n = len(chance)
    # Log-likelihood of the first words, at each rate and by chance.
    passed = np.zeros((n + 1, len(RATES) + 1))
    whole = np.zeros(len(RATES))
    for at in range(n):
        passed[at + 1] = passed[at]
        by_chance = np.log(chance[at] if hit[at] else 1.0 - chance[at])
        for rate in range(len(RATES)):
            kept = RATES[rate] if single[at] else RATES[rate] ** 2
            here = kept + (1.0 - kept) * chance[at]
            likely = np.log(here if hit[at] else 1.0 - here)
            weight = 1.0 if single[at] else PAIR_WEIGHT
            passed[at + 1, rate] += weight * likely
            whole[rate] += likely - by_chance
        passed[at + 1, -1] += weight * by_chance
    opening, ending = np.zeros(n + 1), np.zeros(n + 1)
    for at in range(n + 1):
        opening[at] = passed[at, :-1].max()
        ending[at] = (passed[n, :-1] - passed[at, :-1]).max()
    cut = np.log(n)
    throughout = edges = -1e9
    for first in range(n + 1):
        if first <= LEAD * n:
            throughout = max(throughout, passed[first, -1] + ending[first] - (cut if first else 0.0))
        if first > OPENING * n:
            break
        for last in range(max(first, int(ENDING * n)), n + 1):
            if first > 0 and last < n and last - first < BETWEEN * n:
                continue
            middle = passed[last, -1] - passed[first, -1]
            edge = opening[first] + middle + ending[last]
            edges = max(edges, edge - (cut if first else 0.0) - (cut if last < n else 0.0))
    return max(whole.max(), throughout - passed[n, -1]), throughout - edges
