"""The baseline for prompt fingerprints: two accounts are linked by an exact 6-word shingle that few accounts have."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage import store

SIZE: Final = 6
MOST_ACCOUNTS: Final = 50
_WORD: Final = re.compile(r"\w+")


def shingles(prompts: Sequence[str], owners: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Different (shingle, owner) pairs, sorted; a shingle is a 64-bit hash of six words, lower case, in one prompt.

    Args:
        prompts: texts.
        owners: int64[n], 0 and up: whose each is.
    """
    place: dict[str, int] = {}
    order = np.argsort(owners, kind="stable")
    parts: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] = []
    # In parts, so that the repeats within an account are gone before there are too many.
    for chunk in np.array_split(order, max(1, len(order) // 20_000)):
        texts = [_WORD.findall(prompts[at].lower()) for at in chunk.tolist()]
        words = np.array([place.setdefault(word, len(place)) for text in texts for word in text], np.uint64)
        prompt = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
        count = max(len(words) - SIZE + 1, 0)
        value = np.zeros(count, np.uint64)
        for at in range(SIZE):
            value = (value ^ (words[at : at + count] + np.uint64(1))) * np.uint64(0x9E3779B97F4A7C15)
            value ^= value >> np.uint64(29)
        inside = prompt[:count] == prompt[len(prompt) - count :]
        parts.append(_different(value[inside], owners[chunk][prompt[:count][inside]]))
    return _different(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))


def linked(prompts: Sequence[str], owners: NDArray[np.int64]) -> set[tuple[int, int]]:
    """Pairs of owners (the smaller first) that share a shingle which at most `MOST_ACCOUNTS` owners have."""
    value, owner = shingles(prompts, owners)
    new = np.flatnonzero(np.concatenate(([True], value[1:] != value[:-1])))
    count = np.diff(np.append(new, len(value)))
    kept = np.repeat((count > 1) & (count <= MOST_ACCOUNTS), count)
    con = store.connect(":memory:")
    try:
        group, holder = np.repeat(np.arange(len(count)), count)[kept], owner[kept]
        con.register("held", {"shingle": group, "owner": holder})
        # Shingles with the same holders say the same once.
        found = con.execute(
            """WITH holders AS (SELECT DISTINCT list(owner ORDER BY owner) AS who FROM held GROUP BY shingle),
            one AS (SELECT row_number() OVER () AS n, unnest(who) AS owner FROM holders)
            SELECT DISTINCT a.owner, b.owner FROM one a JOIN one b ON a.n = b.n AND a.owner < b.owner"""
        ).fetchnumpy()
    finally:
        con.close()
    left, right = (np.asarray(column).tolist() for column in found.values())
    return set(zip(left, right, strict=True))


def clusters(prompts: Iterable[str]) -> list[int]:
    """Labels of prompts: connected components over shared shingles that at most `MOST_ACCOUNTS` prompts have."""
    texts = list(prompts)
    parent = list(range(len(texts)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    for left, right in sorted(linked(texts, np.arange(len(texts)))):
        parent[root(right)] = root(left)
    return [root(at) for at in range(len(texts))]


def _different(value: NDArray[np.uint64], owner: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    order = np.lexsort((owner, value))
    value, owner = value[order], owner[order]
    new = np.concatenate(([True], (value[1:] != value[:-1]) | (owner[1:] != owner[:-1])))[: len(value)]
    return value[new], owner[new]
