"""The generators behind `benchmarks/prompts.py`: what they promise about words, shares, lengths and truth."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pytest

from benchmarks import prompt_templates as templates
from benchmarks import prompt_worlds as worlds
from benchmarks import prompts, shingle_baseline
from benchmarks.prompt_templates import RELATIONS, Relation, Rotation, Writing
from benchmarks.prompt_text import TOPICS, language


@pytest.fixture(scope="module")
def world() -> worlds.World:
    return worlds.build(7, 0.05)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_language_is_zipfian_and_topics_have_words_of_their_own() -> None:
    words = language()
    assert words.size > 5_000
    counts = []
    for topic in range(2):
        ids = words.sentences(rng(topic), np.full(4_000, topic), np.zeros(4_000, np.bool_)).ids
        counts.append(np.bincount(ids[ids < 3 * words.size] % words.size, minlength=words.size))
    # The ten most frequent words are a good part of the text; most are function words, as frequent in another topic.
    often = np.argsort(-counts[0])[:10]
    assert 0.15 < counts[0][often].sum() / counts[0].sum() < 0.5
    assert np.isclose(counts[0][often], counts[1][often], rtol=0.25).sum() >= 7
    only = (counts[0] >= 40) & (counts[1] == 0)
    assert only.sum() > 30


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.4])
def test_paraphrase_replaces_as_many_words_as_it_says(rate: float) -> None:
    words = language()
    ids = words.sentences(rng(), np.zeros(5_000, np.int64), np.ones(5_000, np.bool_)).ids
    one, two = words.paraphrase(rng(2), ids, rate), words.paraphrase(rng(3), ids, rate)
    word = ids < 3 * words.size
    assert (one[word] != ids[word]).mean() == pytest.approx(rate, abs=0.01)
    assert np.array_equal(one[~word], ids[~word])
    assert np.array_equal(one // words.size, ids // words.size)
    # Both sides are independent: what neither replaced stays the same.
    same = (one[word] == two[word]).mean()
    assert (1 - rate) ** 2 - 0.01 <= same <= (1 - rate) ** 2 + rate**2 / 4 + 0.01
    assert not (words.substitutes == np.arange(words.size)[:, None]).any()


@pytest.mark.parametrize("relation", RELATIONS)
def test_related_templates_share_what_they_say_and_no_task(relation: Relation) -> None:
    chance, words = rng(4), language()
    for _ in range(12):
        first, second = templates.related(chance, relation)
        assert not templates.shared_task(first, second)
        preambles = [words.render(template.preamble) for template in (first, second)]
        share = [len(text) / template.fixed for text, template in zip(preambles, (first, second), strict=True)]
        assert first.topic == second.topic
        assert (preambles[0] == preambles[1] != "") == (relation in ("preamble", "long preamble"))
        same_ending = len(first.ending) > 0 and np.array_equal(first.ending, second.ending)
        assert same_ending == (relation == "ending")
        assert relation != "slots" or first.slots == second.slots
        assert all((0.5 <= part <= 0.6) if relation == "long preamble" else part <= 0.4 for part in share)


@pytest.mark.parametrize("rotation", ["fixed", "per-account", "per-prompt"])
def test_prompts_are_in_bounds_and_half_fixed(rotation: Rotation) -> None:
    chance, rows = rng(5), np.arange(40)
    shares = []
    for _ in range(25):
        template, _ = templates.related(chance, "topic", rotation)
        values = templates.make_values(chance, template, len(rows))
        slots = [len(values.passages[row]) + sum(len(short[row]) for short in values.short) for row in rows]
        for rate in (0.0, 0.4):
            texts = templates.fill(chance, template, values, rows, Writing("per-prompt", rate, rotation))
            assert all(templates.LEAST <= len(text) <= templates.MOST for text in texts)
            assert len(set(texts)) == len(texts)
            if rate == 0.0:
                shares += [1 - filled / len(text) for filled, text in zip(slots, texts, strict=True)]
    assert min(shares) >= 0.5 and max(shares) <= 0.9
    assert np.ptp(shares) > 0.15


def test_modes_rewrite_once_or_each_time_and_preambles_rotate() -> None:
    chance = rng(6)
    template, _ = templates.related(chance, "topic", "per-prompt")
    values, rows = templates.make_values(chance, template, 30), np.arange(30)

    def heads(writing: Writing) -> set[str]:
        return {text[:12] for text in templates.fill(chance, template, values, rows, writing)}

    start = language().render(template.preamble)[:12]
    assert heads(Writing()) == {start}
    assert len(heads(Writing("per-account", 0.4))) == 1
    assert len(heads(Writing("per-prompt", 0.4))) > 5
    assert len(templates.fill(chance, template, values, rows, Writing(rotation="per-prompt"))) == 30
    whole = [templates.fill(chance, template, values, rows, Writing(rotation="per-account")) for _ in range(2)]
    assert whole[0][0][:60] != whole[1][0][:60] and whole[0][0][:60] == whole[0][1][:60]


def test_a_world_keeps_its_bounds_and_its_truth(world: worlds.World) -> None:
    facts = worlds.summary(world)
    assert facts["out of bounds"] == 0
    assert facts["positive pairs"] == facts["negative pairs"] == 90
    truth = dict(zip(world.accounts, world.truth, strict=True))
    for pair in world.pairs:
        assert (truth[pair.left] == truth[pair.right] != "") == pair.linked
    assert {(p.writing.mode, p.writing.rate) for p in world.pairs} == set(worlds.WRITINGS)
    assert {p.writing.rotation for p in world.pairs} == {"fixed", "per-account", "per-prompt"}
    sent = Counter(world.owners.tolist())
    place = {account: at for at, account in enumerate(world.accounts)}
    for pair in world.pairs:
        assert 50 <= sent[place[pair.left]] <= 1_250
    pools = [crowd for crowd in world.crowds if crowd.linked]
    assert [len(pool.accounts) for pool in pools] == [40, 40]
    assert all(len({truth[account] for account in pool.accounts}) == 1 for pool in pools)


def test_popular_prompts_are_popular(world: worlds.World) -> None:
    crowds = {crowd.name: crowd for crowd in world.crowds if not crowd.linked}
    assert set(crowds) == {"framework default", "viral prompt", "course assignment", "public benchmark"}
    copies = Counter(world.prompts).most_common(2)
    assert copies[0][1] > 0.5 * len(crowds["viral prompt"].accounts)
    assert copies[1][1] > 0.5 * len(crowds["framework default"].accounts)


def test_the_same_seed_gives_the_same_export(world: worlds.World, tmp_path: Path) -> None:
    again = worlds.build(7, 0.05)
    assert again.prompts == world.prompts and again.accounts == world.accounts and again.pairs == world.pairs
    alone = worlds.build(7, 0.05, families=False)
    assert worlds.build(8, 0.05, families=False).prompts != alone.prompts
    sums = []
    for at, made in enumerate((world, again)):
        folder = worlds.write(made, tmp_path / str(at))
        assert sorted(path.name for path in folder.iterdir()) == ["accounts.csv", "exchanges.parquet"]
        with duckdb.connect() as con:
            sums.append(
                con.execute(
                    f"""SELECT count(*), count(DISTINCT account_id), count(DISTINCT exchange_id), sum(hash(e)::HUGEINT)
                    FROM '{folder / "exchanges.parquet"}' e"""
                ).fetchone()
            )
    assert sums[0] == sums[1]
    assert sums[0] and sums[0][:3] == (len(world.prompts), len(set(world.owners.tolist())), len(world.prompts))


def test_pairs_of_prompts_tell_their_jaccard() -> None:
    pairs = templates.prompt_pairs(3, 400)
    assert pairs == templates.prompt_pairs(3, 400)
    assert Counter(pair.same for pair in pairs) == {True: 200, False: 200}
    assert {pair.relation for pair in pairs if not pair.same} == set(RELATIONS)
    shingles = set(pairwise(["one", "two", "three", "one", "two"]))
    assert templates.word_shingles("One two, three. One two") == shingles
    positive = [pair for pair in pairs if pair.same]
    assert np.corrcoef([p.rate for p in positive], [p.jaccard for p in positive])[0, 1] < -0.5
    assert {int(pair.jaccard * 10) for pair in positive} >= {0, 1, 2, 3, 4, 5}


def test_prompts_in_bulk_are_distinct() -> None:
    pytest.importorskip("pyarrow")
    made = templates.throughput_prompts(5_000, 2).to_pylist()
    assert len(set(made)) == 5_000
    assert all(templates.LEAST <= len(text) <= templates.MOST for text in made)
    assert made == templates.throughput_prompts(5_000, 2).to_pylist()


def test_ordinary_prompts_stay_within_their_topics() -> None:
    texts = worlds.ordinary(rng(9), [3], 200)
    assert all(templates.LEAST <= len(text) <= templates.MOST for text in texts)
    assert len(set(texts)) == len(texts) and TOPICS > 3


def test_the_baseline_links_what_shares_a_rare_shingle() -> None:
    texts = ["a b c d e f g", "x. A b, c d e f", "a b c d e x", "h i j k l m"]
    assert shingle_baseline.linked(texts, np.array([0, 1, 2, 3])) == {(0, 1)}
    assert shingle_baseline.linked(texts, np.array([0, 0, 2, 3])) == set()
    assert shingle_baseline.clusters(texts)[0] == shingle_baseline.clusters(texts)[1]
    many = ["a b c d e f"] * (shingle_baseline.MOST_ACCOUNTS + 1)
    assert shingle_baseline.linked(many, np.arange(len(many))) == set()


def test_intervals_and_sets() -> None:
    assert [round(end, 3) for end in prompts.wilson(99, 100)] == [0.946, 0.998]
    assert prompts.wilson(0, 0) == (0.0, 1.0)
    assert prompts.data_set("wiki_qa_exercise") == "wiki_qa"
    assert prompts.twin("duorc_SelfRC_title_generation") == prompts.twin("duorc_ParaphraseRC_title_generation")
