"""How many other accounts send a template now and then: what makes a framework's default popular."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.kernel import grown, kernel
from linkage.prompts.outlines import Outlines, Sent
from linkage.prompts.sketch import WORD_BITS

SPEAKERS: Final = 4
"""So many outlines of a template stand for it, those with the most words."""

TAKES_PART: Final = 0.5
"""A stranger's prompt follows a template if it has at least this part of the words of one of its outlines. An account
that works with a template needs less (`outlines.FOLLOWS`), as its own prompts have shown what it sends."""


def speakers(found: Outlines, template: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool[O]: the outlines that stand for their template, those with the most words."""
    size = np.diff(found.start)
    order = np.lexsort((np.arange(len(size)), -size, template))
    place = np.arange(len(order)) - np.searchsorted(template[order], template[order])
    chosen = np.zeros(len(size), np.bool_)
    chosen[order[place < SPEAKERS]] = True
    return chosen


def takes_part(sent: Sent, found: Outlines, template: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which prompts follow which templates.

    Args:
        sent: prompts of any accounts.
        found: outlines that stand for templates; template: int64[O], the template of each.

    Returns:
        int64[M] rows of `sent` and int64[M] templates; no pair stands twice.
    """
    order = np.argsort(found.words, kind="stable")
    outline = np.repeat(np.arange(len(found.account)), np.diff(found.start))[order]
    vocabulary, start = np.unique(found.words[order], return_index=True)
    # Words are hashes of few bits: where each one's outlines begin is looked up in one step.
    at = np.full(1 << WORD_BITS, -1, np.int32)
    at[vocabulary] = np.arange(len(vocabulary), dtype=np.int32)
    row, hit = _hits(sent.words, sent.start, at, np.append(start, len(order)), outline, np.diff(found.start))
    pairs = np.unique(np.stack((row, template[hit]), axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


@kernel
def _hits(words, start, at, begin, outline, size):  # type: ignore[no-untyped-def]
    count = np.zeros(len(size), np.int64)
    touched = np.empty(len(size), np.int64)
    room = 1024
    rows, hits = np.empty(room, np.int64), np.empty(room, np.int64)
    filled = 0
    for r in range(len(start) - 1):
        n = 0
        for x in range(start[r], start[r + 1]):
            word = at[words[x]]
            if word < 0:
                continue
            for y in range(begin[word], begin[word + 1]):
                if count[outline[y]] == 0:
                    touched[n] = outline[y]
                    n += 1
                count[outline[y]] += 1
        for x in range(n):
            o = touched[x]
            if count[o] >= TAKES_PART * size[o]:
                if filled == room:
                    room *= 2
                    rows, hits = grown(rows, room), grown(hits, room)
                rows[filled], hits[filled] = r, o
                filled += 1
            count[o] = 0
    return rows[:filled].copy(), hits[:filled].copy()
