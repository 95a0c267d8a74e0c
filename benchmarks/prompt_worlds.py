"""Worlds with known truth for prompt fingerprints: who sends one template, and who only seems to.

Four accounts make a family of two related templates, two accounts for each. That gives two pairs that must be linked
(one template) and two hard negatives (two tasks that share a topic, a preamble, an ending or what fills the slots):
as many of one as of the other, under the same paraphrase. Half of the accounts send ordinary traffic beside it, and
some of that is popular. Around them live ordinary accounts, popular prompts and two pools of forty.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from benchmarks.prompt_templates import (
    LEAST,
    MOST,
    RELATIONS,
    Mode,
    Rotation,
    Values,
    Writing,
    fill,
    make_template,
    make_values,
    related,
)
from benchmarks.prompt_text import TOPICS, Ids, language
from linkage import store

FAMILIES: Final = 315
"""At scale 1: so many times four accounts; each way of writing has 35 of them, 70 pairs of either label."""

ACCOUNTS: Final = 7_500
"""Ordinary accounts at scale 1."""

WRITINGS: Final[tuple[tuple[Mode, float], ...]] = (
    ("none", 0.0),
    *(("per-account", rate) for rate in (0.1, 0.2, 0.3, 0.4)),
    *(("per-prompt", rate) for rate in (0.1, 0.2, 0.3, 0.4)),
)
_ROTATIONS: Final[tuple[Rotation, ...]] = ("per-account", "fixed", "fixed", "per-prompt")
_POOL: Final = 40
_POOL_PROMPTS: Final = 100
_DAYS: Final = 30
_START: Final = np.datetime64("2026-01-05T00:00:00", "s")


@dataclass(frozen=True)
class Pair:
    """Two accounts and the truth about them.

    Attributes:
        left, right: account ids.
        linked: they send one template.
        relation: of the family's two templates; for a negative, what the two have in common.
        writing: paraphrase and rotation, the same on both sides.
    """

    left: str
    right: str
    linked: bool
    relation: str
    writing: Writing


@dataclass(frozen=True)
class Crowd:
    """Accounts with something in common: a popular prompt, or (`linked`) the template of a pool."""

    name: str
    accounts: tuple[str, ...]
    linked: bool


@dataclass
class World:
    """An export in memory.

    Attributes:
        prompts: of all exchanges.
        owners: int64, the account of each prompt.
        accounts: the id of each account.
        truth: the template that an account was given, "" for none: two accounts with the same one must be linked, and
            any others must not.
        pairs: the designated ones.
        crowds: popular prompts and pools.
        seed: of it all.
    """

    prompts: list[str]
    owners: Ids
    accounts: list[str]
    truth: list[str]
    pairs: list[Pair]
    crowds: list[Crowd]
    seed: int


@dataclass
class _Builder:
    rng: np.random.Generator
    seed: int
    prompts: list[str] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    truth: list[str] = field(default_factory=list)
    pairs: list[tuple[int, int, bool, str, Writing]] = field(default_factory=list)
    crowds: list[tuple[str, list[int], bool]] = field(default_factory=list)

    def account(self, template: str = "") -> int:
        """A new account."""
        self.truth.append(template)
        return len(self.truth) - 1

    def send(self, account: int, prompts: Iterable[str]) -> None:
        """An account sends prompts."""
        before = len(self.prompts)
        self.prompts += prompts
        self.owners += [account] * (len(self.prompts) - before)

    def finish(self) -> World:
        # Neither an account's id nor its place tells what it is.
        names = [f"acct_{at:07x}" for at in self.rng.permutation(len(self.truth)).tolist()]
        return World(
            self.prompts,
            np.array(self.owners, np.int64),
            names,
            self.truth,
            [Pair(names[a], names[b], linked, relation, how) for a, b, linked, relation, how in self.pairs],
            [Crowd(name, tuple(names[at] for at in who), linked) for name, who, linked in self.crowds],
            self.seed,
        )


def build(seed: int, scale: float = 1.0, *, families: bool = True) -> World:
    """The world of a seed: about 340,000 prompts of some 8,800 accounts at scale 1.

    Args:
        seed: the same seed and scale give the same world.
        scale: all numbers of accounts grow with it, but pools: they are two of 40 accounts always.
        families: with pairs and pools; without, only ordinary accounts and popular prompts.
    """
    made = _Builder(np.random.default_rng(seed), seed)
    if families:
        for at in range(max(45, round(FAMILIES * scale))):
            _family(made, at)
        for name, writing in (("pool", Writing()), ("pool, 20 % per-prompt", Writing("per-prompt", 0.2))):
            _pool(made, name, writing)
    actors = len(made.truth)
    for _ in range(round(ACCOUNTS * scale)):
        _ordinary_account(made)
    # Popular prompts come from ordinary accounts, and from the others as part of their ordinary traffic.
    _framework(made, round(3_000 * scale))
    _viral(made, round(5_000 * scale))
    _course(made, round(300 * scale), actors)
    _benchmark(made, round(500 * scale), actors)
    return made.finish()


def write(world: World, folder: Path) -> Path:
    """Write the world as an export: `exchanges.parquet` (account_id, at, exchange_id, prompt) and `accounts.csv`.

    Accounts are active for 8 to 30 of 30 days; rows are shuffled.

    Returns:
        `folder`, which is made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng((world.seed, 1))
    first = rng.uniform(0, _DAYS - 8, len(world.accounts))
    length = rng.uniform(8, _DAYS - first)
    days = first[world.owners] + length[world.owners] * rng.random(len(world.owners))
    order = rng.permutation(len(world.owners))
    accounts = pd.DataFrame(
        {
            "account_id": world.accounts,
            "created_at": _START + ((first - rng.uniform(0.01, 600, len(first))) * 86_400).astype("timedelta64[s]"),
            "status": "active",
        }
    )
    exchanges = pd.DataFrame(
        {
            "account_id": pd.Series(world.accounts, dtype=object).to_numpy()[world.owners][order],
            "at": (_START + (days * 86_400).astype("timedelta64[s]"))[order],
            "exchange_id": [f"x-{at:08x}" for at in range(len(order))],
            "prompt": pd.Series(world.prompts, dtype=object).to_numpy()[order],
        }
    )
    con = store.connect(":memory:")
    try:
        con.register("made_accounts", accounts)
        con.register("made_exchanges", exchanges)
        con.execute(f"COPY (SELECT * FROM made_accounts ORDER BY account_id) TO '{folder / 'accounts.csv'}' (HEADER)")
        con.execute(f"COPY made_exchanges TO '{folder / 'exchanges.parquet'}' (FORMAT parquet, COMPRESSION zstd)")
    finally:
        con.close()
    return folder


def ordinary(rng: np.random.Generator, topics: Sequence[int], count: int) -> list[str]:
    """Prompts of an ordinary account with these interests: one or two instructions, then what they are about.

    A third ends with pasted text in a paragraph of its own, one in ten holds an address, one in ten a line of code.
    """
    words = language()
    length = np.clip(rng.lognormal(6.1, 0.5, count), 240, 1_350)
    sentences = (length // 55).astype(np.int64) + 3
    topic = np.array(topics)[rng.integers(0, len(topics), count)]
    place = np.arange(int(sentences.sum())) - np.repeat(np.cumsum(sentences) - sentences, sentences)
    asks = (place == 0) | ((place < 3) & (rng.random(len(place)) < 0.5)) | (rng.random(len(place)) < 0.1)
    texts = words.render_sentences(words.sentences(rng, np.repeat(topic, sentences), asks))
    extras = {
        "url": words.values(rng, "url", int(topic[0]), count) if count else [],
        "code": words.values(rng, "code", int(topic[0]), count) if count else [],
    }
    style = rng.random((count, 2)).tolist()
    out, start = [], 0
    for at, (wanted, size) in enumerate(zip(length.tolist(), sentences.tolist(), strict=True)):
        mine = texts[start : start + size]
        start += size
        kept, characters = 0, 0
        while kept < size and characters < wanted:
            characters += len(mine[kept]) + 1
            kept += 1
        lead = min(kept, 1 + at % 3)
        extra = "\n" + extras["url"][at] if style[at][1] < 0.1 else ""
        extra = "\n" + extras["code"][at] if style[at][1] > 0.9 else extra
        gap = "\n\n" if style[at][0] < 0.33 else " "
        text = f"{' '.join(mine[:lead])}{gap}{' '.join(mine[lead:kept])}".strip()
        out.append(f"{text[: MOST - 60]}{extra}")
    return out


def _interests(rng: np.random.Generator) -> list[int]:
    return [int(topic) for topic in rng.integers(0, TOPICS, int(rng.integers(1, 4)))]


def _send_ordinary(made: _Builder, account: int, count: int) -> None:
    """Ordinary traffic; one account in six has an instruction of its own that it uses again and again."""
    rng = made.rng
    again = count // 2 if count >= 10 and rng.random() < 0.17 else 0
    if again:
        own = make_template(rng, int(rng.integers(TOPICS)))
        made.send(account, fill(rng, own, make_values(rng, own, again), np.arange(again)))
    made.send(account, ordinary(rng, _interests(rng), count - again))


def _ordinary_account(made: _Builder) -> None:
    _send_ordinary(made, made.account(), int(np.clip(made.rng.lognormal(1.9, 0.9), 2, 120)))


def _send_template(made: _Builder, account: int, prompts: list[str]) -> None:
    """Prompts of a template and, for half of the accounts, 1 to 5 times as many ordinary ones, most often few."""
    made.send(account, prompts)
    if made.rng.random() < 0.5:
        _send_ordinary(made, account, int(len(prompts) * np.exp(made.rng.uniform(0, np.log(5)))))


def _count(rng: np.random.Generator) -> int:
    """50 to 200, most often near 50."""
    return int(min(50 + rng.exponential(28), 200))


def _family(made: _Builder, at: int) -> None:
    """Two templates, two accounts for each."""
    rng = made.rng
    mode, rate = WRITINGS[at % 9]
    relation = RELATIONS[at // 9 % 5]
    rotation = "fixed" if relation in ("preamble", "long preamble") else _ROTATIONS[at // 9 % 4]
    writing = Writing(mode, rate, rotation)
    templates = related(rng, relation, rotation)
    low, high = sorted(template.fixed for template in templates)
    accounts: list[list[int]] = [[], []]
    shared: dict[int, Values] = {}
    for which, template in enumerate(templates):
        for side in range(2):
            account = made.account(f"family {at}, {which}")
            accounts[which].append(account)
            count = _count(rng)
            if relation != "slots":
                rows, values = np.arange(count), make_values(rng, template, count)
            else:
                # An account of one template and one of the other fill them with the same passages and values.
                if side not in shared:
                    shared[side] = make_values(rng, template, 200, low, high)
                rows, values = rng.permutation(200)[:count], shared[side]
            _send_template(made, account, fill(rng, template, values, rows, writing))
    for which in range(2):
        made.pairs.append((accounts[which][0], accounts[which][1], True, relation, writing))
    for side in range(2):
        made.pairs.append((accounts[0][side], accounts[1][side], False, relation, writing))


def _pool(made: _Builder, name: str, writing: Writing) -> None:
    """Forty accounts that send one template thousands of times."""
    rng = made.rng
    template = make_template(rng, int(rng.integers(TOPICS)))
    who = []
    for _ in range(_POOL):
        account = made.account(name)
        who.append(account)
        values = make_values(rng, template, _POOL_PROMPTS)
        _send_template(made, account, fill(rng, template, values, np.arange(_POOL_PROMPTS), writing))
    made.crowds.append((name, who, True))


def _some(made: _Builder, count: int, first: int = 0) -> list[int]:
    count = min(count, len(made.truth) - first)
    return sorted((made.rng.permutation(len(made.truth) - first)[:count] + first).tolist())


def _text(made: _Builder, topic: int, sentences: int, *, asks: bool = True) -> str:
    words, chance = language(), made.rng.random(sentences)
    texts = words.render_sentences(words.sentences(made.rng, np.full(sentences, topic), (chance < 0.6) & asks))
    return " ".join(texts)


def _framework(made: _Builder, count: int) -> None:
    """A framework's default: alone, or with a question behind it, one to four times."""
    default = f"You are a helpful assistant. {_text(made, 0, 7)}"[: MOST - 400].rstrip()
    who = _some(made, count)
    for account in who:
        times = int(made.rng.integers(1, 5))
        asked = ordinary(made.rng, _interests(made.rng), times)
        alone = made.rng.random(times) < 0.4
        made.send(account, [default if a else f"{default}\n\n{q}"[:MOST] for q, a in zip(asked, alone, strict=True)])
    made.crowds.append(("framework default", who, False))


def _viral(made: _Builder, count: int) -> None:
    """A prompt that is going round: once each, a third with a detail changed."""
    before, after = _text(made, 1, 3), _text(made, 1, 2)
    who = _some(made, count)
    names = language().values(made.rng, "name", 1, len(who))
    for account, name, changed in zip(who, names, (made.rng.random(len(who)) < 0.33).tolist(), strict=True):
        made.send(account, [f"{before} {name if changed else 'Jane Doe'}. {after}"[:MOST]])
    made.crowds.append(("viral prompt", who, False))


def _course(made: _Builder, count: int, first: int) -> None:
    """An assignment, two to five times each, in the student's own words around it."""
    assignment = "\n".join(f"{at}. {_text(made, 2, 2)}" for at in range(1, 4))
    who = _some(made, count, first)
    for account in who:
        times = int(made.rng.integers(2, 6))
        own = [_text(made, 2, int(made.rng.integers(1, 4))) for _ in range(times)]
        ends = (made.rng.random(times) < 0.5).tolist()
        texts = [f"{assignment}\n\n{t}" if end else f"{t}\n\n{assignment}" for t, end in zip(own, ends, strict=True)]
        made.send(account, [text[:MOST] for text in texts])
    made.crowds.append(("course assignment", who, False))


def _benchmark(made: _Builder, count: int, first: int) -> None:
    """Questions of three public sets, one set an account: four to twenty questions, once or twice each.

    Word problems (GSM8K), four choices (MMLU) and code to complete (HumanEval); half of the accounts put them into the
    frame that everybody copies for that set, the others send them bare.
    """
    rng, words = made.rng, language()
    # The sets grow with the world, so that a question is sent by about as many accounts at every scale.
    size = max(24, round(60 * count / 500))
    sets: list[list[str]] = []
    for style in range(3):
        questions = []
        for at in range(size):
            topic = int(rng.integers(TOPICS))
            text = _text(made, topic, 5, asks=False)
            if style == 0:
                numbers = words.values(rng, "number", topic, 3)
                text += f" {numbers[0]} of them cost ${numbers[1]}, and {numbers[2]} are left. How many were there?"
            elif style == 1:
                choices = words.passages(rng, np.full(4, topic), np.full(4, 40))
                text += "".join(f"\n{letter}. {choice}" for letter, choice in zip("ABCD", choices, strict=True))
            else:
                name = words.values(rng, "code", topic, 1)[0].partition("(")[0]
                text = f'def {name}_{at}(values: list[int]) -> int:\n    """{text}"""'
            questions.append(text)
        sets.append(questions)
    frames = (
        ("Solve the problem and give the number at the end. Question: ", "\nAnswer: let us think step by step."),
        ("The following is a multiple choice question. Reply with the letter only.\n\n", "\nAnswer:"),
        ("Complete the function below and return only the code.\n\n", "\n"),
    )
    who = _some(made, count, first)
    for account in who:
        style = int(rng.integers(3))
        before, after = frames[style] if rng.random() < 0.5 else ("", "")
        chosen = rng.permutation(size)[: int(rng.integers(4, 21))].tolist()
        sent = [f"{before}{sets[style][at]}{after}".strip() for at in chosen]
        made.send(account, [text for text in sent for _ in range(int(rng.integers(1, 3)))])
    made.crowds.append(("public benchmark", who, False))


def summary(world: World) -> dict[str, int]:
    """Counts of a world: accounts, prompts, those out of bounds, and pairs of either label."""
    lengths = np.array([len(prompt) for prompt in world.prompts])
    labels = Counter(pair.linked for pair in world.pairs)
    return {
        "accounts": len(world.accounts),
        "prompts": len(world.prompts),
        "out of bounds": int(((lengths < LEAST) | (lengths > MOST)).sum()),
        "positive pairs": labels[True],
        "negative pairs": labels[False],
    }
