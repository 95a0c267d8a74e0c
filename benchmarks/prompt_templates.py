"""Prompt templates: fixed text with slots, filled and rewritten; pairs of prompts, and prompts in bulk.

A template is a preamble, task sentences with short slots in them, an ending, and a passage slot. Fixed text is all that
is not in a slot, 50 to 90 % of a prompt's characters. A prompt has 200 to 1,500 characters.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from benchmarks.prompt_text import SHORT_KINDS, TOPICS, Ids, language

if TYPE_CHECKING:
    import pyarrow as pa

Mode = Literal["none", "per-account", "per-prompt"]
"""Who rewrites: nobody, each account its template once, or each prompt anew."""

Rotation = Literal["fixed", "per-account", "per-prompt"]
"""How often the preamble is another one."""

Relation = Literal["topic", "preamble", "long preamble", "ending", "slots"]
"""What two templates with different tasks have in common; the topic is always the same."""

RELATIONS: Final[tuple[Relation, ...]] = ("topic", "preamble", "long preamble", "ending", "slots")
LEAST, MOST = 200, 1_500
"""Characters of a prompt."""

_TASK_SHINGLE: Final = 6
"""Different tasks have no so many words in a row in common."""

_LABELS: Final = ("text :", "passage :", "input :", "context :", "document :", "here is the text :", "question :")
_ROLES: Final = ("you are an expert in", "you are a helpful assistant for", "you are an assistant to")
_EMPTY: Final[Ids] = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Template:
    """A template.

    Attributes:
        topic: 0 to TOPICS - 1.
        preamble, ending, label: tokens, each may be empty; the label introduces the passage.
        task: tokens of the parts of the task; between two parts is a short slot.
        slots: kinds of the short slots, one fewer than there are parts.
        gap: what stands between preamble, task and ending: a blank or line breaks.
        inside: the passage stands before the ending instead of at the end.
        share: the fixed text's part of a prompt's characters, on average.
        fixed: its characters, before it is rewritten.
    """

    topic: int
    preamble: Ids
    task: tuple[Ids, ...]
    ending: Ids
    label: Ids
    slots: tuple[str, ...]
    gap: str
    inside: bool
    share: float
    fixed: int


@dataclass(frozen=True)
class Values:
    """What fills the slots of some prompts: for each short slot its values, and the passages; a row is a prompt."""

    short: tuple[list[str], ...]
    passages: list[str]


@dataclass(frozen=True)
class Writing:
    """How an account writes its template: paraphrase `mode` and `rate`, and `rotation` of the preamble."""

    mode: Mode = "none"
    rate: float = 0.0
    rotation: Rotation = "fixed"


@dataclass(frozen=True)
class PromptPair:
    """Two prompts: of one template, or of two that are related.

    Attributes:
        left, right: the prompts.
        same: of one template.
        relation: of the two templates, "" where there is one.
        rate: words replaced, on both sides.
        jaccard: of their sets of word 2-shingles.
    """

    left: str
    right: str
    same: bool
    relation: str
    rate: float
    jaccard: float


def make_template(
    rng: np.random.Generator,
    topic: int,
    *,
    share: float | None = None,
    total: float | None = None,
    preamble_share: float | None = None,
    ending_share: float | None = None,
    like: Template | None = None,
    keep: Relation = "topic",
) -> Template:
    """A new template.

    Args:
        rng: chance.
        topic: its topic.
        share: the fixed text's part of a prompt's characters; 0.53 to 0.87 if None.
        total: characters of a prompt on average.
        preamble_share, ending_share: parts of the fixed text; 0 to 0.35 and 0.05 to 0.25 if None.
        like: another template, of which `keep` is taken over: preamble, ending or slots.
        keep: "topic" takes over nothing.
    """
    share = float(rng.uniform(0.53, 0.87)) if share is None else share
    total = float(np.clip(rng.lognormal(6.35, 0.45), 290, 1_250)) if total is None else total
    if preamble_share is None:
        preamble_share = 0.0 if rng.random() < 0.25 else float(rng.uniform(0.05, 0.35))
    ending_share = float(rng.uniform(0.05, 0.25)) if ending_share is None else ending_share
    fixed = share * total
    preamble = _preamble(rng, topic, preamble_share * fixed)
    ending = _sentences(rng, topic, ending_share * fixed)
    if rng.random() < 0.3:
        ending = np.concatenate((ending, _json_ending(rng, topic)))
    slots = tuple(SHORT_KINDS[int(at)] for at in rng.integers(0, len(SHORT_KINDS), int(rng.integers(1, 4))))
    gap, inside = (" ", "\n", "\n\n")[int(rng.integers(3))], bool(rng.random() < 0.4)
    if like is not None:
        gap, inside = like.gap, like.inside
        preamble = like.preamble if keep in ("preamble", "long preamble") else preamble
        ending = like.ending if keep == "ending" else ending
        slots = like.slots if keep == "slots" else slots
    label = language().words(_LABELS[int(rng.integers(len(_LABELS)))]) if rng.random() < 0.8 else _EMPTY
    least = 110 if keep == "topic" else 80
    task = _task(rng, topic, max(least, fixed - sum(map(_length, (preamble, ending, label)))), slots)
    characters = sum(map(_length, (preamble, *task, ending, label)))
    return Template(topic, preamble, task, ending, label, slots, gap, inside, share, characters)


def related(rng: np.random.Generator, relation: Relation, rotation: Rotation = "fixed") -> tuple[Template, Template]:
    """Two templates with different tasks, of one topic, and what `relation` says in common.

    With `rotation` the preamble is at most 40 % of the fixed text, and the rest at least half of a prompt.
    """
    while True:
        # Sentences are whole, so that lengths are only met about: what is out of bounds is drawn anew.
        first, second = _related(rng, relation, rotation)
        if all(_allowed(made, relation, rotation) for made in (first, second)) and not shared_task(first, second):
            return first, second


def _related(rng: np.random.Generator, relation: Relation, rotation: Rotation) -> tuple[Template, Template]:
    topic = int(rng.integers(TOPICS))
    total = float(np.clip(rng.lognormal(6.45, 0.4), 340, 1_250))
    share, preamble_share, ending_share = None, None, None
    if relation == "preamble":
        preamble_share = float(rng.uniform(0.15, 0.38))
    elif relation == "long preamble":
        preamble_share, ending_share, total = float(rng.uniform(0.5, 0.6)), 0.08, max(total, 600.0)
    elif relation == "ending":
        ending_share = float(rng.uniform(0.15, 0.3))
    elif relation == "slots":
        share = float(rng.uniform(0.55, 0.75))
    if rotation != "fixed":
        preamble_share = float(rng.uniform(0.1, 0.3))
        share = float(rng.uniform(0.56 / (1 - preamble_share), 0.87))

    def make(like: Template | None) -> Template:
        return make_template(
            rng, topic, share=share, total=total, preamble_share=preamble_share, ending_share=ending_share,
            like=like, keep=relation,
        )  # fmt: skip

    first = make(None)
    return first, make(first)


def shared_task(first: Template, second: Template, size: int = _TASK_SHINGLE) -> set[tuple[int, ...]]:
    """Runs of `size` words that both tasks hold, marks and capitals aside."""
    one, two = (set(_shingles(template, size)) for template in (first, second))
    return one & two


def make_values(
    rng: np.random.Generator, template: Template, count: int, smallest: int | None = None, largest: int | None = None
) -> Values:
    """What fills `count` prompts of a template: passages of its topic or, two in five, of any other.

    Args:
        rng: chance.
        template: the template.
        count: of prompts.
        smallest, largest: the fixed characters that the bounds of the fixed share are kept for, if not the template's.
    """
    words = language()
    low, high = smallest or template.fixed, largest or template.fixed
    short = tuple(words.values(rng, kind, template.topic, count) for kind in template.slots)
    filled = np.array([[len(value) for value in values] for values in short], np.int64).sum(axis=0)
    budget = template.fixed * (1 - template.share) / template.share * rng.uniform(0.75, 1.25, count)
    budget = np.clip(budget, high * 0.15 + 14, min(low * 0.93, 1_430.0 - high * 1.06))
    topics = np.where(rng.random(count) < 0.6, template.topic, rng.integers(0, TOPICS, count))
    # A passage of its topic in each prompt, however short: two prompts hardly ever have all values in common.
    return Values(short, words.passages(rng, topics, np.maximum(budget - filled, 14).astype(np.int64)))


def fill(
    rng: np.random.Generator, template: Template, values: Values, rows: Ids, writing: Writing = Writing()
) -> list[str]:
    """The prompts of one account, one for each of `rows` of `values`."""
    words, count = language(), len(rows)

    def written(ids: Ids) -> list[str]:
        if not len(ids):
            return [""] * count
        if writing.mode == "per-prompt" and writing.rate:
            return words.render_rows(words.paraphrase(rng, np.tile(ids, (count, 1)), writing.rate))
        return [words.render(words.paraphrase(rng, ids, writing.rate))] * count

    if writing.rotation == "per-prompt":
        # Fresh for each prompt: to rewrite it as well would change nothing.
        preambles = [words.render(ids) for ids in _preambles(rng, template, count)]
    elif writing.rotation == "per-account":
        preambles = written(next(_preambles(rng, template, 1)))
    else:
        preambles = written(template.preamble)
    picked = rows.tolist()
    columns = [written(template.task[0])]
    for part, filler in zip(template.task[1:], values.short, strict=True):
        columns += [[f" {filler[row]}" for row in picked], [_joined(text) for text in written(part)]]
    tasks = ["".join(parts) for parts in zip(*columns, strict=True)]
    labels, endings = written(template.label), written(template.ending)
    breaks = "\n\n" if "\n" in template.gap else "\n"
    prompts = []
    for preamble, task, label, row, ending in zip(preambles, tasks, labels, picked, endings, strict=True):
        passage = f"{label}{' ' if template.gap == ' ' else breaks[:1]}{values.passages[row]}".strip()
        rest = [passage, ending] if template.inside else [ending, passage]
        head = template.gap.join(part for part in (preamble, task) if part)
        prompts.append(breaks.join([head, *(part for part in rest if part)]))
    return prompts


def prompt_pairs(seed: int, count: int = 4_000, paraphrase: float = 0.45) -> list[PromptPair]:
    """Labelled pairs of prompts, half of them of one template, half of two related ones.

    A quarter of the pairs is not rewritten; the others are at a rate of 0 to `paraphrase`, on both sides anew.
    """
    rng = np.random.default_rng(seed)
    pairs: list[PromptPair] = []
    while len(pairs) < count:
        relation = RELATIONS[len(pairs) // 4 % len(RELATIONS)]
        first, second = related(rng, relation)
        rate = 0.0 if len(pairs) % 16 == 0 else float(rng.uniform(0, paraphrase))
        writing = Writing("per-prompt" if rate else "none", rate)
        low, high = sorted((first.fixed, second.fixed))
        one = fill(rng, first, make_values(rng, first, 3, low, high), np.arange(3), writing)
        values = make_values(rng, second, 3, low, high)
        two = fill(rng, second, values, np.arange(3), writing)
        if relation == "slots":
            crossed = fill(rng, first, values, np.arange(3), writing)
        pairs += [_pair(one[0], one[1], "", rate), _pair(two[0], two[1], "", rate)]
        if relation == "slots":
            pairs += [_pair(crossed[0], two[0], relation, rate), _pair(crossed[1], two[1], relation, rate)]
        else:
            pairs += [_pair(one[0], two[0], relation, rate), _pair(one[1], two[1], relation, rate)]
    return pairs[:count]


def word_shingles(text: str, size: int = 2) -> set[tuple[str, ...]]:
    """The set of runs of `size` words, lower case, without marks around them."""
    words = [word.strip(".,?;:\"'()").lower() for word in text.split()]
    return set(zip(*(words[at:] for at in range(size)), strict=False))


def throughput_prompts(count: int, seed: int, templates: int = 200) -> "pa.Array":
    """`count` prompts, each a different one, of 200 to 1,500 characters, as strings of Arrow: some 10**5.5 a second.

    Each is of one of `templates`: its fixed text in two halves, a number of its own and one of 20,000 passages.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    rng, words = np.random.default_rng(seed), language()
    halves: tuple[list[str], list[str]] = [], []
    for _ in range(templates):
        made = make_template(rng, int(rng.integers(TOPICS)), total=float(rng.uniform(330, 1_150)), share=0.65)
        halves[0].append(words.render(np.concatenate((made.preamble, *made.task))))
        halves[1].append(words.render(np.concatenate((made.ending, made.label))))
    sizes = rng.integers(40, 380, 20_000)
    passages = words.passages(rng, rng.integers(0, TOPICS, len(sizes)), sizes)
    which = rng.integers(0, templates, count)
    columns = [
        pa.array(halves[0], pa.large_string()).take(pa.array(which)),
        pc.cast(pa.array(rng.permutation(count)), pa.large_string()),
        pa.array(halves[1], pa.large_string()).take(pa.array(which)),
        pa.array(passages, pa.large_string()).take(pa.array(rng.integers(0, len(passages), count))),
    ]
    return pc.binary_join_element_wise(*columns, pa.scalar(" ", pa.large_string()))


def _pair(left: str, right: str, relation: str, rate: float) -> PromptPair:
    one, two = word_shingles(left), word_shingles(right)
    return PromptPair(left, right, not relation, relation, rate, len(one & two) / len(one | two))


def _length(ids: Ids) -> int:
    return len(language().render(ids)) if len(ids) else 0


def _joined(text: str) -> str:
    """The part of a task after a slot: a mark stands close, a word apart."""
    return text if text[:1] in ".,?;:" else f" {text}"


def _sentences(rng: np.random.Generator, topic: int, characters: float, *, asks: float = 0.7) -> Ids:
    """Whole sentences, as many as come nearest to so many characters; none if that is nearest."""
    words = language()
    count = int(characters // 20) + 2
    made = words.sentences(rng, np.full(count, topic), rng.random(count) < asks).parts()
    lengths = np.cumsum([0, *(_length(ids) + 1 for ids in made)])
    kept = int(np.argmin(np.abs(lengths - characters)))
    return np.concatenate(made[:kept]) if kept else _EMPTY


def _preamble(rng: np.random.Generator, topic: int, characters: float) -> Ids:
    """`You are …` and sentences; empty for less than half a sentence."""
    if characters < 25:
        return _EMPTY
    words = language()
    made = words.sentences(rng, np.full(1, topic), np.zeros(1, np.bool_)).ids
    role = words.words(_ROLES[int(rng.integers(len(_ROLES)))])
    opening = np.concatenate((role, made[1:4], made[-1:]))
    rest = characters - _length(opening)
    return np.concatenate((opening, _sentences(rng, topic, rest, asks=0.5))) if rest > 20 else opening


def _preambles(rng: np.random.Generator, template: Template, count: int) -> Iterator[Ids]:
    for _ in range(count):
        yield _preamble(rng, template.topic, max(40, _length(template.preamble)))


def _json_ending(rng: np.random.Generator, topic: int) -> Ids:
    """`Answer in JSON with the keys "…", "…".`"""
    words = language()
    keys = words.sentences(rng, np.full(3, topic), np.zeros(3, np.bool_)).ids
    keys = keys[keys < words.size][: int(rng.integers(2, 5))] + 2 * words.size
    commas = np.full(len(keys), words.words(",")[0])
    listed = np.stack((keys, commas), axis=1).ravel()[:-1]
    return np.concatenate((words.words("answer in JSON with the keys"), listed, words.words(".")))


def _task(rng: np.random.Generator, topic: int, characters: float, slots: tuple[str, ...]) -> tuple[Ids, ...]:
    """Task sentences with places for short slots between words."""
    whole = _sentences(rng, topic, characters)
    while len(whole) < 4 * (len(slots) + 1):
        whole = np.concatenate((whole, _sentences(rng, topic, 80)))
    places = np.sort(rng.choice(np.arange(2, len(whole) - 1), len(slots), replace=False))
    return tuple(np.split(whole, places))


def _shingles(template: Template, size: int) -> Iterator[tuple[int, ...]]:
    words = language()
    ids = np.concatenate(template.task)
    flat = (ids[ids < 3 * words.size] % words.size).tolist()
    return zip(*(flat[at:] for at in range(size)), strict=False)


def _allowed(template: Template, relation: Relation, rotation: Rotation) -> bool:
    """Whether the lengths came out as meant."""
    preamble = _length(template.preamble)
    if relation == "ending" and _length(template.ending) < 0.12 * template.fixed:
        return False
    low, high = (0.5, 0.6) if relation == "long preamble" else (0.1, 0.4) if relation == "preamble" else (0.0, 0.4)
    if rotation != "fixed":
        low, rest = 0.08, (template.fixed - preamble) / (template.fixed / template.share)
        if rest < 0.52:
            return False
    return low <= preamble / template.fixed <= high and template.fixed <= 1_150
