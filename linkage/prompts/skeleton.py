"""The skeleton of a template: the words that most of its prompts have in common, in their order.

1. Of the prompts, the one that holds most of the words that most prompts hold is the reference.
2. Every other prompt is aligned with it (Ratcliff and Obershelp's matching blocks, as difflib has them).
3. A word of the reference is fixed if at least `FIXED` of the prompts match it. Between two fixed words that do not
   stand side by side in most prompts, the text varies.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Final

from linkage.prompts.tokens import FIRST_SLOT, SLOTS

PROMPTS: Final = 32
"""A skeleton is read off so many prompts at most."""

FIXED: Final = 0.6
"""The share of prompts that must match a word. Higher shows less of templates that are filled in many ways."""

UNKNOWN: Final = "…"
VARIES: Final = "[…]"


def skeleton(sequences: Sequence[Sequence[int]], texts: Mapping[int, str]) -> str:
    """Fixed words in order.

    Args:
        sequences: the words of each prompt, as `words.WordCounts.sequences` gives them; one at least.
        texts: the text of words whose text is known.

    Returns:
        fixed words, `UNKNOWN` for fixed words without a text, slots such as `<number>`, and `VARIES` where the text
        varies.

    >>> skeleton([[1, 2, 9, 3], [1, 2, 8, 7, 3], [1, 2, 3]], {1: "dear", 2: "reader"})
    'dear reader […] …'
    """
    reference = _reference(sequences)
    matched = [0] * len(reference)
    adjoining = [0] * (len(reference) + 1)
    reach = len(reference)
    aligned = [_alignment(reference, sequence) for sequence in sequences]
    for places in aligned:
        for at, place in enumerate(places):
            matched[at] += place is not None
    fixed = [at for at in range(reach) if matched[at] >= FIXED * len(sequences)]
    # How often two neighbours among the fixed words stand side by side; the ends of the text are neighbours too.
    for places, sequence in zip(aligned, sequences, strict=True):
        for step, (left, right) in enumerate(zip([-1, *fixed], [*fixed, reach], strict=True)):
            before = -1 if left < 0 else places[left]
            after = len(sequence) if right == reach else places[right]
            adjoining[step] += before is not None and after is not None and after == before + 1
    parts: list[str] = []
    for step, at in enumerate([*fixed, reach]):
        if adjoining[step] < FIXED * len(sequences):
            parts.append(VARIES)
        if at < reach:
            word = _shown(reference[at], texts)
            if word != UNKNOWN or parts[-1:] != [UNKNOWN]:
                parts.append(word)
    return " ".join(parts)


def _reference(sequences: Sequence[Sequence[int]]) -> Sequence[int]:
    held = Counter(word for sequence in sequences for word in set(sequence))
    common = {word for word, count in held.items() if count >= FIXED * len(sequences)}
    # Of equal ones the first, so that the same prompts give the same skeleton.
    return max(sequences, key=lambda sequence: (len(common.intersection(sequence)), -len(sequence)))


def _alignment(reference: Sequence[int], sequence: Sequence[int]) -> list[int | None]:
    """Where each word of the reference stands in the sequence."""
    places: list[int | None] = [None] * len(reference)
    for block in SequenceMatcher(None, reference, sequence, autojunk=False).get_matching_blocks():
        for step in range(block.size):
            places[block.a + step] = block.b + step
    return places


def _shown(word: int, texts: Mapping[int, str]) -> str:
    slot = word - FIRST_SLOT
    return SLOTS[slot] if 0 <= slot < len(SLOTS) else texts.get(word, UNKNOWN)
