"""English-like text from a made vocabulary: words, sentences, paraphrase and what fills slots.

The language is the same for every seed: some 6,000 words in classes (nouns, verbs, adjectives, adverbs and five classes
of real function words), each class with Zipf frequencies; 70 topics with words of their own, each of which a few topics
share; sentence patterns over the classes, a fifth of them with a common phrase ("in your own words"); and sentences
that people copy from each other ("Do not add any comment."), again with Zipf frequencies. Function words and common
phrases are shared by everything, topic words by a topic.

Text is held as tokens, int64: a word, its capitalised and its quoted form, or a mark. `Language.render` makes a string.
"""

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

TOPICS: Final = 70
_TOPIC_WORDS: Final = {"N": 60, "V": 22, "A": 22}
_OWN: Final = {"N": 1_800, "V": 700, "A": 700}
"""Words that belong to topics, by class: each topic has some of them."""

_GENERAL: Final = {"N": 1_300, "V": 600, "A": 600, "R": 150}
_TOPICAL: Final = 0.55
"""The part of nouns, verbs and adjectives that comes from the topic."""

_COPIED: Final = 0.15
"""The part of instructions that is a copied sentence."""

SUBSTITUTES: Final = 6
"""Each word has so many others that may replace it: of its class, about as frequent."""

_FUNCTION: Final = {
    "D": "the a this that each every any some its your their our one another no these those all such",
    "P": "of in to for with on from by at about into between after before under over through during without against",
    "C": "and or but so because while if when although unless since as whereas",
    "Q": "it you they we he she who someone everybody nobody which",
    "X": "is are was were will can should must may would could has have had does did might",
}
_SAY: Final = (
    "D A N P D N X V D N .", "D N X A , C D N V D A N P D N .", "Q X V D N P D A N .", "D N Q V X P D A N C D N .",
    "P D N , D A N X R V P D N .", "D N P N C N X V P D N .", "Q X R A C D N X V .", "N C N X V D N P N .",
    "C D N X V , Q X V D A N .", "R , D N X V P D A N , C Q X R A .", "D A A N V D N P D N P D N .",
    "N X D N P D N , R D A C A N .", "P N , N C N X V D N ; Q X V R .", "D N P D N V .", "Q V D A N , R C Q V D N .",
    "D N X R V P D N P D A N , Q X D N .",
)  # fmt: skip
_ASK: Final = (
    "V D N P D A N .", "V D A N C V D N P N .", "C Q V D N , V D A N P D N .", "R V D N P D N C D A N .",
    "V , P D N , D A N P Q N .", "Q X V D N C V P D A N .", "X D N V D N P D A N ?", "V D N R , C V D N P D N .",
    "P D N , V D A N C D N .", "D N X V D A N , R D N .", "V D N , D N C D A N .", "V C D N X A C A .",
    "Q X R V D N P D N ; V D A N .", "V P D A N Q X V D N .", "V D N P N , N , C N .",
)  # fmt: skip
_PHRASES: Final = (
    "in your own words", "step by step", "as far as possible", "in the following text", "based on the text above",
    "at the same time", "in other words", "on the other hand", "for the most part", "as short as possible",
    "from the given context", "in plain English", "for a general reader", "one after the other", "with an example",
    "in a few words", "to the best of your knowledge", "without further explanation", "as soon as possible",
    "in the order given", "with respect to the question", "in a friendly tone", "for each of them", "in the end",
    "at least once", "in more detail", "no matter what", "in most cases", "so that it is easy to read", "in that case",
    "as a list", "in the first place", "by and large", "from time to time", "in the long run", "as in the example",
    "like a native speaker", "for the sake of clarity", "if there is one", "as the case may be",
)  # fmt: skip
_COPIES: Final = (
    ("do not", "add|include|give|repeat|invent", "any", "explanation|comment|introduction|facts|notes", "."),
    ("think", "step by step|carefully|out loud", "before you", "answer|decide|reply", "."),
    ("if you are not sure ,", "say so|say that you do not know|give your best guess", "."),
    ("return|answer with", "only", "the result|the final answer|one word|valid JSON", "."),
    ("be", "brief|concise|polite|precise|thorough", "and", "clear|factual|helpful", "."),
    ("use", "simple|formal|neutral", "language|words", "."),
    ("write at most", "one|two|three|five", "sentences|paragraphs", "."),
    ("give", "a reason|an example|a short summary", "for each", "answer|point|step", "."),
    ("here is", "the text|the input|my question|what I have so far", "."),
    ("please", "help me with this|check this for me|explain this to me", "."),
)
"""Copied sentences: one alternative of each part."""

_LITERALS: Final = (
    "text passage input question answer context document example task output result response JSON key keys value list "
    "table format label score reason summary title are expert assistant helpful follow respond reply step steps"
)
_MARKS: Final = (".", ",", "?", ";", ":")
_ONSETS: Final = "b c d f g h l m n p r s t v w br cl cr dr fl gr pl pr sp st str th tr sh ch"
_NUCLEI: Final = "a e i o u ea ai ou oa ee"
_CODAS: Final = ("", "", "n", "r", "l", "t", "s", "m", "nd", "st", "ck", "rt", "nt", "p")
_SUFFIXES: Final = {
    "N": ("", "", "er", "tion", "ment", "ness", "ity", "age", "s"), "V": ("", "", "ate", "ise", "ify", "en"),
    "A": ("", "al", "ous", "ive", "ful", "y", "ic"), "R": ("ly",),
}  # fmt: skip


@dataclass(frozen=True)
class Sentences:
    """Sentences of one text after another.

    Attributes:
        ids: the tokens of all of them.
        ends: int64[n], where each ends in `ids`.
    """

    ids: Ids
    ends: Ids

    def parts(self) -> list[Ids]:
        """Each sentence."""
        return np.split(self.ids, self.ends[:-1])


@dataclass(frozen=True)
class _Class:
    """A class of words: those of everybody, by falling frequency, and those of each topic."""

    words: Ids
    cumulative: Floats
    topic: Ids | None
    topic_cumulative: Floats


@dataclass(frozen=True)
class _Patterns:
    """Sentence patterns one after another: a token, or -1 - the class's place."""

    codes: Ids
    starts: Ids
    lengths: Ids
    cumulative: Floats


class Language:
    """The words, the sentences and the substitutes; `language()` makes the only one.

    Attributes:
        size: number of words; token `form * size + word` is a form of a word (0 plain, 1 capitalised, 2 quoted), and
            tokens from `3 * size` on are marks.
        substitutes: int64[size, SUBSTITUTES].
    """

    def __init__(self) -> None:
        rng = np.random.default_rng(20_260_105)
        self._words: list[str] = []
        self._place: dict[str, int] = {}
        classes = {code: self._learn(words.split()) for code, words in _FUNCTION.items()}
        common = self._learn(_LITERALS.split())
        texts = (*_PHRASES, *(part.replace("|", " ") for parts in _COPIES for part in parts))
        common += self._learn([word for text in texts for word in text.split() if word not in _MARKS])
        general = {code: self._learn(self._make(rng, code, count)) for code, count in _GENERAL.items()}
        own = {code: self._learn(self._make(rng, code, count)) for code, count in _OWN.items()}
        self.size = len(self._words)
        self._table = np.array(
            [f" {word}" for word in self._words]
            + [f" {word[:1].upper()}{word[1:]}" for word in self._words]
            + [f' "{word}"' for word in self._words]
            + list(_MARKS),
            dtype=object,
        )
        self._classes = [
            _Class(np.array(words), _zipf(len(words)), *self._topics(rng, code, own))
            for code, words in (classes | general).items()
        ]
        self._code = {code: -1 - at for at, code in enumerate(classes | general)}
        self.substitutes = self._substitutes(rng, [*classes.values(), common, *general.values(), *own.values()])
        copied = [self._literal(text) for text in _copied()]
        self.copied: Final = tuple(copied[int(at)] for at in rng.permutation(len(copied)))
        self._say = self._patterns(rng, _SAY, ())
        self._ask = self._patterns(rng, _ASK, self.copied)

    def _learn(self, words: list[str]) -> list[int]:
        learned = []
        for word in words:
            if word not in self._place:
                self._place[word] = len(self._words)
                self._words.append(word)
                learned.append(self._place[word])
        return learned

    def _make(self, rng: np.random.Generator, code: str, count: int) -> list[str]:
        """New words; the shorter ones come first, since frequent words are short."""
        made: set[str] = set()
        onsets, nuclei = _ONSETS.split(), _NUCLEI.split()
        while len(made) < count:
            syllables = [
                onsets[rng.integers(len(onsets))]
                + nuclei[rng.integers(len(nuclei))]
                + _CODAS[rng.integers(len(_CODAS))]
                for _ in range(int(rng.integers(1, 3)))
            ]
            word = "".join(syllables) + _SUFFIXES[code][rng.integers(len(_SUFFIXES[code]))]
            if len(word) > 2 and word not in self._place:
                made.add(word)
        ordered = sorted(made)
        noise = rng.normal(0, 2, count)
        return [ordered[at] for at in np.argsort(np.array([len(word) for word in ordered]) + noise, kind="stable")]

    @staticmethod
    def _topics(rng: np.random.Generator, code: str, own: dict[str, list[int]]) -> tuple[Ids | None, Floats]:
        if code not in own:
            return None, np.ones(1)
        count = _TOPIC_WORDS[code]
        return np.stack([rng.permutation(np.array(own[code]))[:count] for _ in range(TOPICS)]), _zipf(count)

    def _substitutes(self, rng: np.random.Generator, lists: list[list[int]]) -> Ids:
        found = np.zeros((self.size, SUBSTITUTES), np.int64)
        for words in lists:
            for rank, word in enumerate(words):
                first = max(0, min(rank // 2, len(words) - SUBSTITUTES - 1))
                near = [other for other in words[first : 2 * rank + 2 * SUBSTITUTES] if other != word]
                found[word] = rng.choice(near, SUBSTITUTES, replace=False)
        return found

    def _literal(self, text: str) -> Ids:
        """Tokens of words and marks that are known, parted by spaces; a word in double quotes is its quoted form."""
        ids = []
        for word in text.split():
            if word in _MARKS:
                ids.append(3 * self.size + _MARKS.index(word))
            else:
                ids.append(self._place[word.strip('"')] + (2 * self.size if word[0] == '"' else 0))
        return np.array(ids, np.int64)

    def _patterns(self, rng: np.random.Generator, shapes: tuple[str, ...], copied: tuple[Ids, ...]) -> _Patterns:
        made = []
        for shape in shapes:
            codes = [self._code[code] if code in self._code else int(self._literal(code)[0]) for code in shape.split()]
            phrases = rng.permutation(len(_PHRASES))
            # A tenth of the patterns of a shape begin and a tenth end with a common phrase.
            for at, phrase in enumerate(phrases):
                words = self._literal(_PHRASES[phrase]).tolist()
                comma = int(self._literal(",")[0])
                if at % 10 == 0:
                    made.append([*words, comma, *codes])
                else:
                    made.append([*codes[:-1], *words, codes[-1]] if at % 10 == 1 else codes)
        weights = np.full(len(made), 1 / len(made))
        if copied:
            weights = np.concatenate((weights * (1 - _COPIED), np.diff(_zipf(len(copied)), prepend=0) * _COPIED))
        flat = [*(np.array(codes, np.int64) for codes in made), *copied]
        lengths = np.array([len(codes) for codes in flat])
        return _Patterns(np.concatenate(flat), np.cumsum(lengths) - lengths, lengths, np.cumsum(weights))

    def words(self, text: str) -> Ids:
        """Tokens of a literal text, the first one capitalised; see `_literal`."""
        ids = self._literal(text)
        ids[0] += self.size if ids[0] < self.size else 0
        return ids

    def sentences(self, rng: np.random.Generator, topics: Ids, asks: NDArray[np.bool_]) -> Sentences:
        """A sentence for each of `topics` (int64[n], below TOPICS): an instruction where `asks`, else a statement."""
        starts, lengths = np.zeros(len(topics), np.int64), np.zeros(len(topics), np.int64)
        source = np.concatenate((self._say.codes, self._ask.codes))
        for patterns, chosen, offset in ((self._say, ~asks, 0), (self._ask, asks, len(self._say.codes))):
            which = np.searchsorted(patterns.cumulative, rng.random(int(chosen.sum())) * patterns.cumulative[-1])
            starts[chosen] = patterns.starts[which] + offset
            lengths[chosen] = patterns.lengths[which]
        ends = np.cumsum(lengths)
        ids = source[np.arange(int(lengths.sum())) + np.repeat(starts - ends + lengths, lengths)]
        topic = np.repeat(topics, lengths)
        for at, words in enumerate(self._classes):
            here = np.flatnonzero(ids == -1 - at)
            ids[here] = words.words[np.searchsorted(words.cumulative, rng.random(len(here)))]
            if words.topic is not None:
                here = here[rng.random(len(here)) < _TOPICAL]
                rank = np.searchsorted(words.topic_cumulative, rng.random(len(here)))
                ids[here] = words.topic[topic[here], rank]
        first = ends - lengths
        ids[first] += np.where(ids[first] < self.size, self.size, 0)
        return Sentences(ids, ends)

    def paraphrase(self, rng: np.random.Generator, ids: Ids, rate: float) -> Ids:
        """Replace each word with probability `rate` by one of its substitutes, which is never the word itself.

        Marks stay, and a word keeps its form. Works on tokens of any shape.
        """
        if not rate:
            return ids
        replaced = (rng.random(ids.shape) < rate) & (ids < 3 * self.size)
        word = ids[replaced] % self.size
        out = ids.copy()
        out[replaced] += self.substitutes[word, rng.integers(0, SUBSTITUTES, len(word))] - word
        return out

    def render(self, ids: Ids) -> str:
        """The string of some tokens."""
        return "".join(self._table[ids]).lstrip()

    def render_rows(self, ids: Ids) -> list[str]:
        """The strings of the rows of tokens in two dimensions."""
        return ["".join(row).lstrip() for row in self._table[ids]]

    def render_sentences(self, sentences: Sentences) -> list[str]:
        """The string of each sentence."""
        parts, start, out = self._table[sentences.ids].tolist(), 0, []
        for end in sentences.ends.tolist():
            out.append("".join(parts[start:end]).lstrip())
            start = end
        return out

    def passages(self, rng: np.random.Generator, topics: Ids, characters: Ids) -> list[str]:
        """A pasted passage for each of `characters`: at most so long, and at most one long word shorter.

        Args:
            topics: int64[n], of each passage.
            characters: int64[n], at least 12; long passages begin with a sentence, short ones are some words.
        """
        count = characters // 28 + 3
        made = self.sentences(rng, np.repeat(topics, count), np.zeros(int(count.sum()), np.bool_))
        texts, out, start = self.render_sentences(made), [], 0
        for length, size in zip(characters.tolist(), count.tolist(), strict=True):
            text = " ".join(texts[start : start + size])
            cut = text.rfind(" ", 0, length + 1)
            out.append(text[: cut if cut > 0 else length].rstrip(",;: "))
            start += size
        return out

    def values(self, rng: np.random.Generator, kind: str, topic: int, count: int) -> list[str]:
        """What fills a short slot: `count` values of a kind of `SHORT_KINDS`, at most 40 characters each."""
        numbers = rng.integers(0, 1_000_000, (count, 3)).tolist()
        nouns = self._classes[list(self._code).index("N")]
        assert nouns.topic is not None
        near = nouns.topic[topic, np.searchsorted(nouns.topic_cumulative, rng.random(count))]
        far = nouns.words[np.searchsorted(nouns.cumulative, rng.random(count))]
        out = []
        for (a, b, c), word, other in zip(numbers, near.tolist(), far.tolist(), strict=True):
            one, two = self._words[word], self._words[other]
            if kind == "number":
                out.append(f"{a % 9_973 + 2}")
            elif kind == "money":
                out.append(f"${a % 5_000}.{b % 100:02}")
            elif kind == "date":
                out.append(f"{1990 + a % 40}-{1 + b % 12:02}-{1 + c % 28:02}")
            elif kind == "name":
                out.append(f"{one.capitalize()[:12]} {two.capitalize()[:12]}")
            elif kind == "code":
                out.append(f"{one[:10]}_{two[:10]}({a % 90}, {b % 90})")
            elif kind == "url":
                out.append(f"https://{two[:10]}.example/{one[:8]}/{c:x}")
            else:
                out.append(f"{one} {two}")
        return out


SHORT_KINDS: Final = ("number", "money", "date", "name", "code", "url", "phrase")


@cache
def language() -> Language:
    """The language, made once."""
    return Language()


def _zipf(count: int) -> Floats:
    """Cumulative frequencies 1 / (rank + 2.7), after Mandelbrot (1953); the last is 1."""
    weights = 1.0 / (np.arange(count) + 2.7)
    cumulative: Floats = np.cumsum(weights) / weights.sum()
    cumulative[-1] = 1.0
    return cumulative


def _copied() -> list[str]:
    return [" ".join(parts) for copy in _COPIES for parts in product(*(part.split("|") for part in copy))]
