"""Outlines: the words that an account's prompts of one kind have in common, and which outlines are one template.

Near-duplicates of single prompts (`near`) are lost when a template is short beside what fills it, or when its words are
replaced from account to account or from prompt to prompt. Its words still come back, prompt after prompt, in the same
order. So the fixed text is read off many prompts of one account, and accounts are compared by that.

1. Of each account a sample of its distinct prompts (`SAMPLE`, those with the smallest ids).
2. Prompts of one near-duplicate template that the account uses often are one outline.
3. Of the rest, outlines are peeled off: start from the word that recurs most, weighed by its rarity among accounts;
   take the prompts that have it, the words that those have in common (`RECURS`), the prompts that have enough of these
   words (`FOLLOWS`), and so on with what is left.
4. Outlines of two accounts are one template if enough of their words are the same (`SAME_SHARE`, `SAME_BITS`), in the
   same order (`SAME_ORDER`), and spread over the text (`SAME_TEXT`): a shared preamble or a shared ending alone is not
   enough, while work under a preamble that changes is.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from linkage.kernel import kernel

SAMPLE: Final = 128
"""Distinct prompts of an account that its outlines are read off. More finds templates that are a small part of its
work, and costs in proportion."""

OUTLINE: Final = 100
"""The most words of an outline."""

MOST: Final = 6
"""The most outlines of an account."""

LEAST_PROMPTS: Final = 5
"""Fewer prompts tell no template from a coincidence."""

LEAST_WORDS: Final = 5

SAYS: Final = 2.5
"""Bits of rarity below which a word says nothing: more than one account in eight repeats it."""

RECURS: Final = 0.35
"""A word is part of an outline if at least this part of its prompts have it. Lower takes in more of what fills slots;
above .55 a template whose every prompt has four words in ten replaced falls apart."""

FOLLOWS: Final = 0.3
"""A prompt follows an outline if it has at least this part of its words."""

SAME_SHARE: Final = 0.08
"""Part of the rarity of the poorer outline's words that must be shared. Where each account rewrites four words in ten
on its own, .36 are left on average."""

SAME_BITS: Final = 22.0
"""Rarity of all shared words, in bits."""

SAME_ORDER: Final = 0.8
"""Part of the pairs of shared words that must stand in the same order; chance gives half."""

SAME_TEXT: Final = -2.0
"""How much likelier, in nats, it must be that what is shared is spread over the text than that it is a shared opening or
ending with nothing but chance between. Raising it loses pairs that rewrite much; lowering it links work that only has
its preamble in common."""

KEPT: Final = np.array([0.2, 0.35, 0.5, 0.65, 0.8, 0.95])
"""Rates, of which the likeliest is taken, at which single words of one template are shared; pairs of neighbouring words
are at their square."""

CHANCE, PAIR_CHANCE = 0.05, 0.005
"""Part of the words, and of the pairs of words, that two texts on one topic share by chance."""

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


@dataclass(frozen=True)
class Sent:
    """Distinct prompts of accounts, by account.

    Attributes:
        account: int32[P], rising.
        uses: int64[P], how often the account sent the prompt.
        near: int64[P], a number for the near-duplicate template of the prompt's body.
        words: uint32[W], hashes of words, sorted within each prompt.
        places: uint8[W], where in the prompt each stands.
        start: int64[P + 1], where each prompt's words begin.
    """

    account: NDArray[np.int32]
    uses: NDArray[np.int64]
    near: NDArray[np.int64]
    words: NDArray[np.uint32]
    places: NDArray[np.uint8]
    start: NDArray[np.int64]


@dataclass(frozen=True)
class Outlines:
    """Attributes:
    account: int32[O].
    words: uint32[V], sorted within each outline; places: float64[V], their mean place, 0 to 255.
    start: int64[O + 1], where each outline's words begin.
    prompt: int16[P], the outline of each prompt of the sample among those of its account; -1 for none.
    rarity: of each word in `words`, float64[V] bits: log2 of accounts over those whose prompts repeat the word.
    """

    account: NDArray[np.int32]
    words: NDArray[np.uint32]
    places: NDArray[np.float64]
    rarity: NDArray[np.float64]
    start: NDArray[np.int64]
    prompt: NDArray[np.int16]


def outlines(sent: Sent, least_uses: int) -> Outlines:
    """Steps 2 and 3, for a sample of at most `SAMPLE` prompts an account.

    Args:
        sent: the sample.
        least_uses: a near-duplicate template that an account used so often is an outline of its own.
    """
    first = np.flatnonzero(np.concatenate(([True], sent.account[1:] != sent.account[:-1], [True])))
    recurring = _recurring(sent.words, sent.start, first, sent.uses)
    vocabulary, accounts = np.unique(recurring, return_counts=True)
    rarity = np.log2(max(len(first) - 1, 2) / accounts)
    found = _peel(
        sent.words, sent.places, sent.start, first, sent.uses, sent.near, vocabulary, rarity, np.int64(least_uses)
    )
    owner, words, places, bits, ends, prompt = found
    return Outlines(
        sent.account[first[owner]] if len(owner) else np.zeros(0, np.int32),
        words,
        places,
        bits,
        np.concatenate((np.zeros(1, np.int64), ends)),
        prompt,
    )


def same(found: Outlines) -> NDArray[np.int64]:
    """Step 4: a number for the template of each outline, int64[O]; outlines of one template have the same."""
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


def follow(
    words: NDArray[np.uint32], start: NDArray[np.int64], account: NDArray[np.int32], found: Outlines
) -> NDArray[np.int64]:
    """The outline that each prompt follows, of those of its account; -1 for none.

    Args:
        words, start: as in `Sent`, of any prompts.
        account: int32[P], rising; `found.account` is rising too.
    """
    begin = np.searchsorted(found.account, account, side="left").astype(np.int64)
    end = np.searchsorted(found.account, account, side="right").astype(np.int64)
    chosen: NDArray[np.int64] = _follow(words, start, begin, end, found.words, found.start)
    return chosen


@kernel
def _recurring(words, start, first, uses):  # type: ignore[no-untyped-def]
    """The words that each account's prompts repeat, one account after the other."""
    size = 1024
    out = np.empty(size, np.uint32)
    filled = 0
    for a in range(len(first) - 1):
        low, high = start[first[a]], start[first[a + 1]]
        mine = np.sort(words[low:high])
        # One prompt that is sent again and again repeats its words too.
        single = first[a + 1] - first[a] < 3
        x = 0
        while x < len(mine):
            y = x
            while y < len(mine) and mine[y] == mine[x]:
                y += 1
            if y - x >= 3 or single:
                if filled == size:
                    size *= 2
                    larger = np.empty(size, np.uint32)
                    larger[:filled] = out
                    out = larger
                out[filled] = mine[x]
                filled += 1
            x = y
    return out[:filled].copy()


@kernel
def _peel(words, places, start, first, uses, near, vocabulary, rarity, least_uses):  # type: ignore[no-untyped-def]
    accounts = len(first) - 1
    owner = np.empty(accounts * MOST, np.int64)
    ends = np.empty(accounts * MOST, np.int64)
    size = 4096
    out_words, out_places, out_bits = np.empty(size, np.uint32), np.empty(size, np.float64), np.empty(size, np.float64)
    prompt = np.full(len(near), -1, np.int16)
    n_out = filled = 0
    for a in range(accounts):
        low, high = first[a], first[a + 1]
        base = start[low]
        flat = words[base : start[high]]
        distinct = np.unique(flat)
        n, d = high - low, len(distinct)
        if d == 0:
            continue
        index = np.searchsorted(distinct, flat)
        at = np.searchsorted(vocabulary, distinct)
        bits = np.zeros(d)
        for x in range(d):
            if at[x] < len(vocabulary) and vocabulary[at[x]] == distinct[x]:
                bits[x] = rarity[at[x]]
        free = np.ones(n, np.bool_)
        count, total = np.zeros(d, np.int64), np.zeros(d)
        tried = np.zeros(d, np.bool_)
        members = np.zeros(n, np.bool_)
        inside = np.zeros(d, np.bool_)
        outline = 0
        # Step 2, the most used near-duplicate templates first.
        order = np.argsort(near[low:high], kind="mergesort")
        groups = np.empty(n, np.int64)
        weight = np.empty(n, np.int64)
        n_groups = 0
        x = 0
        while x < n:
            y = x
            used = 0
            while y < n and near[low + order[y]] == near[low + order[x]]:
                used += uses[low + order[y]]
                y += 1
            if used >= least_uses:
                groups[n_groups], weight[n_groups] = near[low + order[x]], -used
                n_groups += 1
            x = y
        ranked = np.argsort(weight[:n_groups], kind="mergesort")
        turn = 0
        while outline < MOST:
            if turn < n_groups:
                members[:] = free & (near[low:high] == groups[ranked[turn]])
                turn += 1
                peeled = False
            else:
                # Step 3: the word that recurs most, weighed by rarity.
                count[:] = 0
                for r in range(n):
                    if free[r]:
                        for x in range(start[low + r] - base, start[low + r + 1] - base):
                            count[index[x]] += 1
                seed, best = -1, 0.0
                for x in range(d):
                    if count[x] >= LEAST_PROMPTS - 2 and not tried[x] and count[x] * bits[x] > best:
                        seed, best = x, count[x] * bits[x]
                if seed < 0:
                    break
                tried[seed] = True
                members[:] = False
                for r in range(n):
                    if free[r]:
                        for x in range(start[low + r] - base, start[low + r + 1] - base):
                            if index[x] == seed:
                                members[r] = True
                peeled = True
            # The words that the prompts have in common, the prompts that have these words, and again.
            for step in range(3):
                count[:] = 0
                total[:] = 0.0
                have = 0
                for r in range(n):
                    if members[r]:
                        have += 1
                        for x in range(start[low + r] - base, start[low + r + 1] - base):
                            count[index[x]] += 1
                            total[index[x]] += places[base + x]
                width = 0
                for x in range(d):
                    inside[x] = have > 0 and count[x] >= RECURS * have and bits[x] >= SAYS
                    inside[x] = inside[x] and (not peeled or count[x] >= 3)
                    width += inside[x]
                if step == 2 or not peeled or width < LEAST_WORDS:
                    break
                for r in range(n):
                    hits = 0
                    for x in range(start[low + r] - base, start[low + r + 1] - base):
                        hits += inside[index[x]]
                    members[r] = free[r] and hits >= max(3.0, FOLLOWS * width)
            if width < LEAST_WORDS or (peeled and have < LEAST_PROMPTS):
                continue
            # The words that say most: those that recur, and are rare.
            say = np.empty(width)
            chosen = np.empty(width, np.int64)
            k = 0
            for x in range(d):
                if inside[x]:
                    chosen[k] = x
                    say[k] = -bits[x] * count[x]
                    k += 1
            if width > OUTLINE:
                chosen = np.sort(chosen[np.argsort(say, kind="mergesort")[:OUTLINE]])
            while filled + len(chosen) > size:
                size *= 2
                w, p, b = np.empty(size, np.uint32), np.empty(size, np.float64), np.empty(size, np.float64)
                w[:filled], p[:filled], b[:filled] = out_words[:filled], out_places[:filled], out_bits[:filled]
                out_words, out_places, out_bits = w, p, b
            for x in chosen:
                out_words[filled], out_places[filled], out_bits[filled] = distinct[x], total[x] / count[x], bits[x]
                filled += 1
            for r in range(n):
                if members[r]:
                    free[r] = False
                    prompt[low + r] = outline
            owner[n_out], ends[n_out] = a, filled
            n_out += 1
            outline += 1
    return (
        owner[:n_out].copy(), out_words[:filled].copy(), out_places[:filled].copy(), out_bits[:filled].copy(),
        ends[:n_out].copy(), prompt,
    )  # fmt: skip


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
    rank, single, whole = _ranks(words, places, rarity, start)
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
        spread = _spread(hit_a, single[start[a] : start[a + 1]], start[a + 1] - start[a])
        spread += _spread(hit_b, single[start[b] : start[b + 1]], start[b + 1] - start[b])
        kept[row] = spread >= 2.0 * SAME_TEXT
    return kept


@kernel
def _ranks(words, places, rarity, start):  # type: ignore[no-untyped-def]
    """The rank of each word in its outline, by place; which are single words, by rank; the rarity of each outline."""
    rank, single = np.empty(len(places), np.int64), np.empty(len(places), np.int64)
    whole = np.zeros(len(start) - 1)
    for o in range(len(start) - 1):
        first = start[o]
        for at, x in enumerate(np.argsort(places[first : start[o + 1]], kind="mergesort")):
            rank[first + x] = at
            single[first + at] = 1
            whole[o] += rarity[first + x]
    return rank, single, whole


@kernel
def _likely(hits, words, pair_hits, pairs):  # type: ignore[no-untyped-def]
    """Log-likelihood of so many shared words and pairs of words, at the rate that fits best."""
    best = -1e9
    for rate in KEPT:
        two = rate * rate
        here = hits * np.log(rate) + (words - hits) * np.log(1.0 - rate)
        best = max(best, here + pair_hits * np.log(two) + (pairs - pair_hits) * np.log(1.0 - two))
    return best if words + pairs else 0.0


@kernel
def _by_chance(hits, words, pair_hits, pairs):  # type: ignore[no-untyped-def]
    """The same of texts that have nothing to do with each other."""
    here = hits * np.log(CHANCE) + (words - hits) * np.log(1.0 - CHANCE)
    return here + pair_hits * np.log(PAIR_CHANCE) + (pairs - pair_hits) * np.log(1.0 - PAIR_CHANCE)


@kernel
def _spread(hit, single, n):  # type: ignore[no-untyped-def]
    """Log-likelihood ratio: shared throughout (but for a leading part) against a shared opening or ending only.

    Args:
        hit: 1 for each word or pair that is shared, in the order of the text; the first n count.
        single: 1 for each single word.
    """
    sums = np.zeros((n + 1, 4), np.int64)
    for at in range(n):
        sums[at + 1] = sums[at]
        sums[at + 1, 0 if single[at] else 2] += hit[at]
        sums[at + 1, 1 if single[at] else 3] += 1
    throughout = edges = -1e9
    endings = np.zeros(n + 1)
    for first in range(n + 1):
        s = sums[n] - sums[first]
        endings[first] = _likely(s[0], s[1], s[2], s[3])
    for first in range(n + 1):
        s = sums[first]
        if first <= LEAD * n:
            throughout = max(throughout, _by_chance(s[0], s[1], s[2], s[3]) + endings[first])
        if first > OPENING * n:
            break
        opening = _likely(s[0], s[1], s[2], s[3])
        for last in range(max(first, int(ENDING * n)), n + 1):
            if first > 0 and last < n and last - first < BETWEEN * n:
                continue
            m = sums[last] - s
            edges = max(edges, opening + _by_chance(m[0], m[1], m[2], m[3]) + endings[last])
    return throughout - edges


@kernel
def _follow(words, start, begin, end, outline_words, outline_start):  # type: ignore[no-untyped-def]
    chosen = np.full(len(start) - 1, -1, np.int64)
    for r in range(len(start) - 1):
        best = 0.0
        for o in range(begin[r], end[r]):
            x, y, hits = start[r], outline_start[o], 0
            while x < start[r + 1] and y < outline_start[o + 1]:
                if words[x] < outline_words[y]:
                    x += 1
                elif words[x] > outline_words[y]:
                    y += 1
                else:
                    hits += 1
                    x += 1
                    y += 1
            part = hits / (outline_start[o + 1] - outline_start[o])
            if hits >= 3 and part >= FOLLOWS and part > best:
                best = part
                chosen[r] = o
    return chosen
