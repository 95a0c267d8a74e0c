"""The words of prompts as keyed hashes, and the text of those that several accounts use.

A skeleton shows a template's fixed text. To show it and nothing else, two passes are made over a file:

1. `WordCounts.sequences` gives each prompt's words as keyed hashes, and counts for each word the accounts that use it,
   up to `SKELETON_ACCOUNTS`. No text is held.
2. `Texts.note` looks up the text of the words that reached that number. Every other word stays a hash.

Memory is bounded: at most `MOST_WORDS` words are counted at a time (about 130 MiB). When there are more, those that
fewest accounts use are forgotten; should they come up again, they begin anew, so that less is shown, never more.
"""

import threading
from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from linkage.kernel import kernel
from linkage.prompts.sketch import HTTP, WWW, SketchKey, buffers, spelled, whole
from linkage.prompts.tokens import siphash, tokenise

SKELETON_ACCOUNTS: Final = 5
"""A word's text is kept once it was seen in prompts of so many accounts. Raising it shows less."""

TOKENS: Final = 400
"""Words of a prompt that a skeleton is made from; what follows is not counted either."""

LONGEST_WORD: Final = 40
"""Characters; a longer word is more likely a secret than language, and never shows."""

MOST_WORDS: Final = 2_000_000
_SMALLEST: Final = 1 << 16
_LARGEST: Final = 1 << 22

Words = NDArray[np.uint64]


class WordCounts:
    """For each word the first `SKELETON_ACCOUNTS` accounts that used it, as hashes.

    Args:
        key: of the case.
        most: words that are counted at a time.
    """

    def __init__(self, key: SketchKey, most: int = MOST_WORDS) -> None:
        self._key, self._most = key, most
        self._lock = threading.Lock()
        self._make(_SMALLEST)

    def _make(self, size: int) -> None:
        self._words = np.zeros(size, np.uint64)
        self._accounts = np.zeros((size, SKELETON_ACCOUNTS), np.uint32)
        self._held = np.zeros(size, np.uint8)
        self._filled = 0

    def load(self, enough: Words, words: Words, accounts: NDArray[np.uint32]) -> None:
        """Begin with what earlier files gave.

        Args:
            enough: uint64[W], words that need no more accounts.
            words, accounts: uint64[P] and uint32[P], a pair for each account that a word was seen with.
        """
        with self._lock:
            self._make(_SMALLEST)
            for number in range(SKELETON_ACCOUNTS):
                self._add(enough, np.full(len(enough), number, np.uint32))
            self._add(words, accounts)

    def sequences(self, texts: pa.Array | pa.ChunkedArray, accounts: pa.Array | pa.ChunkedArray) -> pa.Array:
        """The words of each text, whose words are counted for its account.

        Args:
            texts, accounts: strings; a text without an account is not counted.

        Returns:
            list<uint64> of the same length, null where the text is; at most `TOKENS` words each, slots as the numbers
            that `tokens` gives them.
        """
        plain, owners = whole(texts), whole(accounts)
        if not len(plain):
            return pa.array([], pa.list_(pa.uint64()))
        data, offsets = buffers(spelled(plain))
        longest = int(np.diff(offsets).max()) + 1
        flat = np.empty(int(np.minimum(np.diff(offsets) + 1, TOKENS).sum()), np.uint64)
        counts = np.empty(len(flat), np.bool_)
        ends = np.zeros(len(plain) + 1, np.int32)
        _sequences(
            data, offsets, *self._key.words, HTTP, WWW, np.empty(longest, np.uint64), np.empty(longest, np.int32),
            np.empty(longest, np.uint8), np.empty((longest, 2), np.int64), flat, counts, ends,
        )  # fmt: skip
        flat, counts = flat[: ends[-1]], counts[: ends[-1]]
        names = _account_hashes(*buffers(owners), *self._key.prompts)
        known = np.asarray(owners.is_valid()) & np.asarray(plain.is_valid())
        counts &= np.repeat(known, np.diff(ends))
        with self._lock:
            self._add(flat[counts], np.repeat(names, np.diff(ends))[counts])
        valid = plain.is_valid().buffers()[1] if plain.null_count else None
        values = pa.array(flat, pa.uint64())
        kind = pa.list_(pa.uint64())
        return pa.Array.from_buffers(kind, len(plain), [valid, pa.py_buffer(ends)], plain.null_count, 0, [values])

    def enough(self) -> Words:
        """The words that enough accounts used, ascending."""
        return np.sort(self._words[self._held == SKELETON_ACCOUNTS])

    def pairs(self) -> tuple[Words, NDArray[np.uint32]]:
        """Word and account of those that too few used so far, in order."""
        at = np.flatnonzero((self._held > 0) & (self._held < SKELETON_ACCOUNTS))
        inside = np.arange(SKELETON_ACCOUNTS) < self._held[at][:, None]
        words = np.repeat(self._words[at], self._held[at])
        accounts = self._accounts[at][inside]
        order = np.lexsort((accounts, words))
        return words[order], accounts[order]

    def _add(self, words: Words, accounts: NDArray[np.uint32]) -> None:
        at = 0
        while at < len(words):
            room = min(len(self._words) // 2, self._most)
            at, self._filled = _count(
                self._words, self._accounts, self._held, self._filled, room, words, accounts, at
            )  # fmt: skip
            if at < len(words):
                self._make_room()

    def _make_room(self) -> None:
        """Twice the space, or without the words of fewest accounts."""
        words, accounts, held = self._words, self._accounts, self._held
        at = np.flatnonzero(held)
        size = len(words)
        if size // 2 < self._most and size < _LARGEST:
            size *= 2
        else:
            at = at[np.lexsort((words[at], -held[at].astype(np.int8)))][: self._most // 2]
        self._make(size)
        owners = accounts[at]
        inside = np.arange(SKELETON_ACCOUNTS) < held[at][:, None]
        _, self._filled = _count(
            self._words, self._accounts, self._held, 0, size, np.repeat(words[at], held[at]), owners[inside], 0
        )  # fmt: skip


class Texts:
    """Looks up the text of words.

    Args:
        key: of the case.
        wanted: uint64[W], ascending.
    """

    def __init__(self, key: SketchKey, wanted: Words) -> None:
        self._key, self._wanted = key, wanted
        self._seen = np.zeros(len(wanted), np.bool_)
        self._lock = threading.Lock()
        self.found: dict[int, str] = {}

    def note(self, texts: pa.Array | pa.ChunkedArray) -> pa.Array:
        """Read wanted words off the texts; returns how many each added."""
        plain = whole(texts)
        added = np.zeros(len(plain), np.int64)
        if len(plain) and len(self.found) < len(self._wanted):
            data, offsets = buffers(spelled(plain))
            longest = int(np.diff(offsets).max()) + 1
            with self._lock:
                places = _look_up(
                    data, offsets, *self._key.words, HTTP, WWW, np.empty(longest, np.uint64),
                    np.empty(longest, np.int32), np.empty(longest, np.uint8), np.empty((longest, 2), np.int64),
                    self._wanted, self._seen, added,
                )  # fmt: skip
                for at, start, end in places.tolist():
                    self.found[int(self._wanted[at])] = bytes(data[start:end]).decode(errors="replace").lower()
        return pa.array(added)


def account_hashes(accounts: Sequence[str], key: SketchKey) -> NDArray[np.uint32]:
    """What `WordCounts` knows accounts by."""
    if not accounts:
        return np.zeros(0, np.uint32)
    found: NDArray[np.uint32] = _account_hashes(*buffers(pa.array(accounts, pa.large_string())), *key.prompts)
    return found


@kernel
def _is_plain(text, start, end):  # type: ignore[no-untyped-def]
    """Whether a word has at most `LONGEST_WORD` characters."""
    characters = 0
    for at in range(start, end):
        # Bytes that go on with a character do not count.
        characters += (text[at] & 0xC0) != 0x80
    return characters <= LONGEST_WORD


@kernel
def _sequences(data, offsets, k0, k1, http, www, words, lengths, breaks, spans, flat, counts, ends):  # type: ignore[no-untyped-def]
    filled = 0
    for r in range(len(offsets) - 1):
        n = tokenise(data, offsets[r], offsets[r + 1], k0, k1, http, www, words, lengths, breaks, spans)
        for x in range(min(n, TOKENS)):
            flat[filled] = words[x]
            counts[filled] = lengths[x] > 0 and _is_plain(data, spans[x, 0], spans[x, 1])
            filled += 1
        ends[r + 1] = filled


@kernel
def _account_hashes(data, offsets, k0, k1):  # type: ignore[no-untyped-def]
    names = np.empty(len(offsets) - 1, np.uint32)
    for r in range(len(offsets) - 1):
        names[r] = np.uint32(siphash(data, offsets[r], offsets[r + 1], k0, k1) & np.uint64(0xFFFFFFFF))
    return names


@kernel
def _count(keys, accounts, held, filled, room, words, owners, at):  # type: ignore[no-untyped-def]
    """Add pairs from place `at` on, until `room` words are in; returns the place, and how many words there are."""
    mask = len(keys) - 1
    while at < len(words):
        slot = np.int64(words[at] & np.uint64(mask))
        while held[slot] and keys[slot] != words[at]:
            slot = (slot + 1) & mask
        if held[slot] == 0:
            if filled >= room:
                return at, filled
            keys[slot] = words[at]
            filled += 1
        known = held[slot] == SKELETON_ACCOUNTS
        for x in range(held[slot]):
            known = known or accounts[slot, x] == owners[at]
        if not known:
            accounts[slot, held[slot]] = owners[at]
            held[slot] += 1
        at += 1
    return at, filled


@kernel
def _look_up(data, offsets, k0, k1, http, www, words, lengths, breaks, spans, wanted, seen, added):  # type: ignore[no-untyped-def]
    places = np.empty((64, 3), np.int64)
    filled = 0
    for r in range(len(offsets) - 1):
        n = tokenise(data, offsets[r], offsets[r + 1], k0, k1, http, www, words, lengths, breaks, spans)
        for x in range(n):
            if lengths[x] == 0:
                continue
            at = np.searchsorted(wanted, words[x])
            if at == len(wanted) or wanted[at] != words[x] or seen[at]:
                continue
            seen[at] = True
            added[r] += 1
            if filled == len(places):
                larger = np.empty((2 * filled, 3), np.int64)
                larger[:filled] = places
                places = larger
            places[filled, 0], places[filled, 1], places[filled, 2] = at, spans[x, 0], spans[x, 1]
            filled += 1
    return places[:filled].copy()
