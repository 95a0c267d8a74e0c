"""Prompts: what people and programs say, as numbers of words, and those as text.

A prompt is a template, a seed and a topic. Template 0 is free speech: nothing is fixed. In every other template some
words are fixed, and slots between them are filled with words of the seed and the topic: the same three numbers
always give the same text. Words come from a vocabulary of 40,000, made of syllables, and are drawn by Zipf's law.
"""

from functools import cache
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from linkage.simulate.hashing import Flags, Ints, Words, mix, unit

VOCABULARY: Final = 40_000
WIDTH: Final = 72
"""Most words of a prompt."""

FREE: Final = 0
"""The template of free speech."""


def _listed(words: str) -> list[str]:
    return words.split()


_SLOT: Final = -1
_END: Final = -2
_COMMON: Final = _listed("""
    the of and to a in is it you that for on with as are this be at by not or what how can from my have an if about
    which do we me please when your some would there all will more so into time has make them then than who out write
    explain list give use should just only over also new two between because want need find first get like work
""")
_HEADS: Final = _listed("""
    Document: Text: Question: Answer: Context: Task: Input: Output: Instructions: Rules: Code: Reference: Case: User:
    System: Passage: Criteria: Notes: Format: Step: Source: Data: Query: Response:
""")
_ONSETS: Final = _listed("b bl br c ch cl cr d dr f fl g gl gr h j k l m n p pl pr qu r s sh sl sp st t th tr v w z")
_VOWELS: Final = _listed("a e i o u ai ea io ou")
_CODAS: Final = ("", "", "", "n", "r", "s", "t", "l", "m", "nd", "ck", "st")
_SYNONYMS: Final = 6
_TOPIC: Final = 40
"""Words that a topic is about."""


@cache
def vocabulary() -> Any:
    """All words as Arrow text: `VOCABULARY` of them, the same ones mistyped, and headings of templates."""
    rng = np.random.default_rng(20_260_105)
    syllables = [f"{onset}{vowel}{coda}" for onset in _ONSETS for vowel in _VOWELS for coda in _CODAS]
    drawn = rng.integers(0, len(syllables), (2 * VOCABULARY, 4)).tolist()
    counts = rng.choice([1, 2, 3, 4], 2 * VOCABULARY, p=[0.08, 0.47, 0.35, 0.1]).tolist()
    made = ("".join(syllables[at] for at in row[:count]) for row, count in zip(drawn, counts, strict=True))
    words = list(dict.fromkeys([*_COMMON, *made]))[:VOCABULARY]
    # Common words are short, by and large.
    length = [0.0] * len(_COMMON) + [len(word) + rng.normal(0, 2) for word in words[len(_COMMON) :]]
    words = [words[at] for at in np.argsort(length, kind="stable")]
    return pa.array([*words, *(_mistyped(word) for word in words), *_HEADS])


def _mistyped(word: str) -> str:
    middle = len(word) // 2
    return word[:middle] + word[middle + 1 :] if len(word) > 5 else word + word[-1]


class Templates:
    """The templates of a world; they are told by their number. New ones are made of the words that people use too.

    Args:
        rng: chance for the templates only.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._words = np.full((1024, WIDTH), _END, dtype=np.int32)
        self._places = np.zeros((1024, WIDTH), dtype=np.int8)
        self._words[FREE] = _SLOT
        self._places[FREE] = np.arange(WIDTH)
        self._count = 1

    def __len__(self) -> int:
        return self._count

    def new(self, count: int, *, fixed: tuple[int, int] = (14, 40), slots: tuple[int, int] = (1, 3)) -> Ints:
        """New templates, with so many fixed words and slots: from the first to the last number."""
        while self._count + count > len(self._words):
            self._words = np.concatenate([self._words, np.full_like(self._words, _END)])
            self._places = np.concatenate([self._places, np.zeros_like(self._places)])
        for at in range(self._count, self._count + count):
            self._fill(
                at, int(self._rng.integers(*fixed, endpoint=True)), int(self._rng.integers(*slots, endpoint=True))
            )
        self._count += count
        return np.arange(self._count - count, self._count)

    def _fill(self, at: int, fixed: int, slots: int) -> None:
        rng = self._rng
        said = np.concatenate([_zipf(rng.random(fixed // 2)), VOCABULARY ** rng.uniform(0.5, 1, fixed - fixed // 2)])
        said = np.minimum(rng.permutation(said), VOCABULARY - 1).astype(np.int64)
        # A slot stands behind a heading, anywhere after the first third of the fixed words.
        cuts = [0, *np.sort(rng.integers(fixed // 3, fixed + 1, slots)).tolist(), fixed]
        room = min((WIDTH - fixed - slots) // max(slots, 1), 20)
        row: list[int] = []
        places: list[int] = []
        for number, (start, stop) in enumerate(pairwise(cuts)):
            row += said[start:stop].tolist()
            places += [0] * (stop - start)
            if number < slots:
                row += [2 * VOCABULARY + int(rng.integers(len(_HEADS))), *[_SLOT] * room]
                places += [0, *range(room)]
        self._words[at, : len(row)] = row
        self._places[at, : len(row)] = places

    def speak(self, template: Ints, seed: Words, topic: Words) -> tuple[Ints, Ints]:
        """The words of all prompts, one after the other, and the row of each word."""
        words = self._words[template]
        length = _lengths(template, seed)
        kept = (words >= 0) | ((words == _SLOT) & (self._places[template] < length[:, None]))
        row, column = np.nonzero(kept)
        said = words[row, column].astype(np.int64)
        open_ = said == _SLOT
        said[open_] = _content(seed[row[open_]], topic[row[open_]], column[open_])
        return said, row


def _lengths(template: Ints, seed: Words) -> Ints:
    """How many words of free speech a seed has, or how many go into each slot."""
    chance = unit(mix(seed, 11))
    free = np.minimum(5 + 9 * -np.log1p(-chance), WIDTH)
    length: Ints = np.where(template == FREE, free, 3 + chance * 16).astype(np.int64)
    return length


def _zipf(chance: Any) -> Any:
    return VOCABULARY**chance - 1


def _content(seed: Words, topic: Words, place: Ints) -> Ints:
    drawn = mix(seed, place)
    about = mix(topic, (drawn >> np.uint64(10)) % np.uint64(_TOPIC))
    common = (drawn & np.uint64(1023)) < np.uint64(560)
    word = np.where(common, _zipf(unit(drawn)), VOCABULARY ** (0.4 + 0.6 * unit(about))).astype(np.int64)
    mistyped = ((drawn >> np.uint64(3)) % np.uint64(90)) == 0
    said: Ints = np.minimum(word, VOCABULARY - 1) + VOCABULARY * mistyped
    return said


def reword(said: Ints, row: Ints, rows: int, share: float, rng: np.random.Generator) -> tuple[Ints, Flags]:
    """Replace a share of the words of each prompt by other ones.

    Of a prompt with n words n · share are replaced; a fraction of a word is one more with that chance.

    Returns:
        The words, and for each whether it was replaced.
    """
    counts = np.bincount(row, minlength=rows)
    wanted = np.floor(counts * share + rng.random(rows)).astype(np.int64)
    order = np.lexsort((rng.random(len(said)), row))
    rank = np.arange(len(said)) - np.repeat(np.cumsum(counts) - counts, counts)
    replaced = np.zeros(len(said), dtype=np.bool_)
    replaced[order] = rank < wanted[row[order]]
    other = (said + 7_919 * rng.integers(1, _SYNONYMS + 1, len(said))) % VOCABULARY
    return np.where(replaced, other, said), replaced


def text(said: Ints, row: Ints, rows: int) -> Any:
    """Prompts as Arrow text, one a row."""
    ends = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows))]).astype(np.int32)
    words = vocabulary().take(pa.array(said))
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(ends), words), " ")


def fingerprints(template: Ints, seed: Words, topic: Words, reworded: Flags, rows: Words) -> Words:
    """What a provider's fingerprint tells apart: templates, whatever fills them, and free speech by all its words.

    A prompt that was reworded is like no other one.
    """
    made: Words = np.where(template == FREE, mix(seed, topic), mix(template, 5))
    return np.where(reworded, mix(rows, 6), made)
