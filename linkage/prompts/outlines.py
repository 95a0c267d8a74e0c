"""Outlines: the words that an account's prompts of one kind have in common.

Near-duplicates of single prompts (`near`) are lost when a template is short beside what fills it, or when its words are
replaced from account to account or from prompt to prompt. Its words still come back, prompt after prompt, in the same
order. So the fixed text is read off many prompts of one account, and accounts are compared by that.

1. Of each account a sample of its distinct prompts (`SAMPLE`, those with the smallest ids).
2. Prompts of one near-duplicate template that the account uses often are one outline.
3. Of the rest, outlines are peeled off: start from the word that recurs most, weighed by its rarity among accounts;
   take the prompts that have it, the words that those have in common (`RECURS`), the prompts that have enough of these
   words (`FOLLOWS`), and so on with what is left.

Which outlines of different accounts are one template is for `alike` to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.kernel import grown, kernel

SAMPLE: Final = 128
"""Distinct prompts of an account that its outlines are read off. More finds templates that are a small part of its
work, and costs in proportion."""

OUTLINE: Final = 128
"""The most words of an outline."""

MOST: Final = 6
"""The most outlines of an account."""

TRIES: Final = 24
"""Words of an account that are tried for a start."""

LEAST_PROMPTS: Final = 5
"""Fewer prompts tell no template from a coincidence."""

LEAST_WORDS: Final = 5

FEW: Final = 48
LEAST_ACCOUNTS: Final = 1_000
"""A word that so few accounts repeat is as rare as among so many accounts at least. More finds rings that are most of a
small case, and takes words of the language for theirs where a case has few accounts."""

SAYS: Final = 2.5
"""Bits of rarity below which a word says nothing: more than about one account in six repeats it."""

RECURS: Final = 0.35
"""A word is part of an outline if at least this part of its prompts have it. Lower takes in more of what fills slots;
above .55 a template whose every prompt has four words in ten replaced falls apart."""

STEADY: Final = 50.0
"""Standard deviation of the place, of 255, up to which a word has a place of its own. What fills slots moves it, but
words of a topic are anywhere: 74."""

STEADY_SHARE: Final = 0.6
"""If fewer of the words in common have a place of their own, they are a topic and no template."""

FOLLOWS: Final = 0.3
"""A prompt follows an outline if it has at least this part of its words."""


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
    """Outlines of accounts, by account.

    Attributes:
        account: int32[O], rising.
        words: uint32[V], sorted within each outline.
        places: float64[V], the mean place of each word, 0 to 255.
        rarity: float64[V], bits: log2 of accounts over those whose prompts repeat the word.
        start: int64[O + 1], where each outline's words begin.
    """

    account: NDArray[np.int32]
    words: NDArray[np.uint32]
    places: NDArray[np.float64]
    rarity: NDArray[np.float64]
    start: NDArray[np.int64]

    @classmethod
    def together(cls, parts: "Sequence[Outlines]") -> "Outlines":
        """One after the other."""
        sizes = np.concatenate([np.zeros(1, np.int64), *(np.diff(part.start) for part in parts)])
        return cls(
            np.concatenate([np.zeros(0, np.int32), *(part.account for part in parts)]),
            np.concatenate([np.zeros(0, np.uint32), *(part.words for part in parts)]),
            np.concatenate([np.zeros(0, np.float64), *(part.places for part in parts)]),
            np.concatenate([np.zeros(0, np.float64), *(part.rarity for part in parts)]),
            np.cumsum(sizes),
        )

    def only(self, kept: NDArray[np.bool_]) -> "Outlines":
        """Those of the bool[O] `kept`."""
        sizes = np.diff(self.start)
        inside = np.repeat(kept, sizes)
        start = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes[kept])))
        return Outlines(self.account[kept], self.words[inside], self.places[inside], self.rarity[inside], start)


def recurring(sent: Sent) -> NDArray[np.uint32]:
    """The words that each account's prompts repeat, one account after the other."""
    found: NDArray[np.uint32] = _recurring(sent.words, sent.start, _firsts(sent.account))
    return found


def rarities(repeated: NDArray[np.uint32], accounts: int) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
    """Vocabulary and rarity in bits of all words that some account repeats.

    Args:
        repeated: `recurring` of all accounts.
        accounts: how many there are.
    """
    vocabulary, holders = np.unique(repeated, return_counts=True)
    # In a small case a ring is a large part of all accounts: what few have is rare nevertheless.
    everybody = np.where(holders <= FEW, max(accounts, LEAST_ACCOUNTS), max(accounts, 2))
    return vocabulary, np.log2(everybody / holders)


def outlines(
    sent: Sent, vocabulary: NDArray[np.uint32], rarity: NDArray[np.float64], least_uses: int
) -> tuple[Outlines, NDArray[np.int64]]:
    """Steps 2 and 3, for a sample of at most `SAMPLE` prompts an account.

    Args:
        sent: the sample.
        vocabulary, rarity: of `rarities`.
        least_uses: a near-duplicate template that an account used so often is an outline of its own.

    Returns:
        the outlines, and int64[P] the outline of each prompt, -1 for none.
    """
    first = _firsts(sent.account)
    owner, words, places, bits, ends, prompt = _peel(
        sent.words, sent.places, sent.start, first, sent.uses, sent.near, vocabulary, rarity, np.int64(least_uses)
    )
    start = np.concatenate((np.zeros(1, np.int64), ends))
    return Outlines(sent.account[first[owner]], words, places, bits, start), prompt


def follow(sent: Sent, found: Outlines) -> NDArray[np.int64]:
    """The outline that each prompt follows, of those of its account: int64[P], -1 for none."""
    begin = np.searchsorted(found.account, sent.account, side="left").astype(np.int64)
    end = np.searchsorted(found.account, sent.account, side="right").astype(np.int64)
    chosen: NDArray[np.int64] = _follow(sent.words, sent.start, begin, end, found.words, found.start)
    return chosen


def _firsts(account: NDArray[np.int32]) -> NDArray[np.int64]:
    """Where each account's prompts begin, and where the last one's end."""
    return np.flatnonzero(np.concatenate(([True], account[1:] != account[:-1], [True])))


@kernel
def _recurring(words, start, first):  # type: ignore[no-untyped-def]
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
                    out = grown(out, size)
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
    prompt = np.full(len(near), -1, np.int64)
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
        count, total, squares = np.zeros(d, np.int64), np.zeros(d), np.zeros(d)
        tried = np.zeros(d, np.bool_)
        tries = 0
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
                    if count[x] >= LEAST_PROMPTS - 2 and not tried[x] and bits[x] >= SAYS and count[x] * bits[x] > best:
                        seed, best = x, count[x] * bits[x]
                if seed < 0 or tries == TRIES:
                    break
                tried[seed] = True
                tries += 1
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
                squares[:] = 0.0
                have = 0
                for r in range(n):
                    if members[r]:
                        have += 1
                        for x in range(start[low + r] - base, start[low + r + 1] - base):
                            count[index[x]] += 1
                            place = float(places[base + x])
                            total[index[x]] += place
                            squares[index[x]] += place * place
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
            steady = 0
            for x in range(d):
                if inside[x]:
                    mean = total[x] / count[x]
                    inside[x] = squares[x] / count[x] - mean * mean <= STEADY * STEADY
                    steady += inside[x]
            if steady < max(float(LEAST_WORDS), STEADY_SHARE * width):
                continue
            width = steady
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
                out_words, out_places, out_bits = grown(out_words, size), grown(out_places, size), grown(out_bits, size)
            for c in chosen:
                out_words[filled], out_places[filled], out_bits[filled] = distinct[c], total[c] / count[c], bits[c]
                filled += 1
            for r in range(n):
                if members[r]:
                    free[r] = False
                    prompt[low + r] = n_out
            owner[n_out], ends[n_out] = a, filled
            n_out += 1
            outline += 1
    return (
        owner[:n_out].copy(), out_words[:filled].copy(), out_places[:filled].copy(), out_bits[:filled].copy(),
        ends[:n_out].copy(), prompt,
    )  # fmt: skip


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
