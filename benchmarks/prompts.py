"""Prompt fingerprints: which pairs of accounts that send one template are linked, and which others wrongly.

    python benchmarks/prompts.py [--scale 1.0] [--seed 1] [--data templated.parquet]

A generated world (`prompt_worlds`) is ingested and detected as a user does it. Two accounts are linked when the
identifiers of kind `prompt` that they share are worth more than the pair prior: of each the lesser of the two accounts'
bits, several saturated. Printed are recall by way of writing, false links by kind of negative, precision at equal
numbers, and popular prompts, with Wilson 95 % intervals; and then pairs of prompts by their Jaccard index.
Beside it stands the baseline in the same run: an exact 6-word shingle that at most 50 accounts have.

`--data` measures real templated instructions instead: a file with the columns template and prompt. The prompts of each
template go to two accounts, among ordinary accounts of a generated world.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import shingle_baseline  # noqa: E402
from benchmarks.prompt_templates import PromptPair, prompt_pairs  # noqa: E402
from benchmarks.prompt_worlds import Pair, World, build, ordinary, summary, write  # noqa: E402
from linkage import store  # noqa: E402
from linkage.detect import detect  # noqa: E402
from linkage.evidence import pair_prior, saturate  # noqa: E402
from linkage.ingest import ingest  # noqa: E402
from linkage.model import WORKED_PROMPT  # noqa: E402
from linkage.prompts import near_duplicates  # noqa: E402
from linkage.prompts.sketch import SketchKey, sketches, values  # noqa: E402

Links = set[tuple[str, str]]
"""Pairs of account ids, the smaller first."""

SameTemplate = Callable[[list[str]], list[int]]
"""From prompts to a cluster label for each; equal labels say that two prompts are of one template."""


def near_duplicate_labels(texts: list[str]) -> list[int]:
    """The near-duplicate template of each text, as ingest places it."""
    found = sketches(pa.array(texts, pa.large_string()), SketchKey.of(b"benchmark"))
    ids = np.frombuffer(b"".join(sketch[:8] for sketch in found.to_pylist()), "<u8").astype(np.uint64)
    distinct, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    labels = near_duplicates(distinct, *values(found.take(pa.array(first)), "body"))
    return [int(label) for label in np.unique(labels, return_inverse=True)[1][inverse]]


PROMPT_METHODS: list[tuple[str, SameTemplate]] = [
    ("linkage", near_duplicate_labels),
    ("6-word shingle", shingle_baseline.clusters),
]

_METHODS = ("linkage", "baseline")
_TWO_WORDS = ("wiki", "glue")
"""Sets of `--data` whose names have two words; the others are known by their first."""

_TWINS = (("adversarial_qa_dbert_", "adversarial_qa_dbidaf_", "adversarial_qa_droberta_"),
    ("duorc_ParaphraseRC_", "duorc_SelfRC_"), ("imdb_", "rotten_tomatoes_"))  # fmt: skip
"""Prefixes of sets that were written with the same templates: what follows is the template."""


def main() -> None:
    """Build a world, run the product, print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="1 is about 340,000 prompts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, help="a Parquet file with the columns template and prompt")
    options = parser.parse_args()
    if options.data:
        measure_data(options.data, options.seed, options.scale)
        return
    measure_worlds(options.seed, options.scale)
    measure_prompt_pairs(options.seed, max(1_000, round(4_000 * options.scale)))


def measure_worlds(seed: int, scale: float) -> None:
    """The tables of a generated world."""
    world = build(seed, scale)
    print("; ".join(f"{count:,} {name}" for name, count in summary(world).items()))
    methods, groups = run(world)
    _print_recall(world.pairs, methods)
    _print_negatives(world.pairs, methods)
    _print_precision(world.pairs, methods)
    _print_others(world, methods)
    _print_crowds(world, methods, groups)


def run(world: World) -> tuple[list[Links], dict[str, str]]:
    """Links of the product and of the baseline, and the group of each account that is in one."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, case = write(world, Path(scratch) / "export"), Path(scratch) / "case.duckdb"
        started = time.perf_counter()
        ingest([folder], case)
        ingested = time.perf_counter()
        report = detect(case)
        detected = time.perf_counter()
        product, groups = linked_pairs(case), _groups(case)
        print(
            f"ingest {ingested - started:.1f} s, detect {detected - ingested:.1f} s; {report.identifiers:,} shared "
            f"identifiers, {report.listed:,} rings listed"
        )
    started = time.perf_counter()
    found = shingle_baseline.linked(world.prompts, world.owners)
    print(f"baseline {time.perf_counter() - started:.1f} s\n", flush=True)
    baseline = {_pair(world.accounts[a], world.accounts[b]) for a, b in found}
    return [product, baseline], groups


def linked_pairs(case: Path) -> Links:
    """Pairs of accounts that are tied by prompts alone, beyond the pair prior, in the newest run.

    Only what accounts work with counts (`model.WORKED_PROMPT`): anything else of a prompt can be had at no cost, and
    ties nobody by itself (`evidence.pairs`).
    """
    with store.reading(case) as con:
        newest = con.execute("SELECT parameters FROM runs ORDER BY run DESC LIMIT 1").fetchone()
        assert newest, "no run yet"
        prior = pair_prior(float(json.loads(newest[0])["population"]))
        # 2 max - max^2 / sum < 2 max: without one identifier worth half the prior nobody gets there.
        rows = con.execute(
            """WITH seen AS (SELECT account_id, value, s.bits FROM sightings s JOIN shared USING (kind, value)
                WHERE trust = $2 AND s.bits > 0),
            near AS (SELECT DISTINCT a.account_id AS one, b.account_id AS two FROM seen a JOIN seen b USING (value)
                WHERE a.account_id < b.account_id AND least(a.bits, b.bits) > $1 / 2)
            SELECT one, two, max(least(a.bits, b.bits)), sum(least(a.bits, b.bits)) FROM near
            JOIN seen a ON a.account_id = one JOIN seen b ON b.account_id = two AND b.value = a.value
            GROUP BY one, two""",
            [prior, WORKED_PROMPT],
        ).fetchall()
    return {_pair(one, two) for one, two, greatest, total in rows if saturate(greatest, total) > prior}


def _groups(case: Path) -> dict[str, str]:
    """The candidate group of each account, listed or not."""
    with store.reading(case) as con:
        return dict(con.execute("SELECT account_id, ring_id FROM members").fetchall())


def wilson(found: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share.

    Wilson (1927), doi:10.1080/01621459.1927.10502953.

    >>> [round(end, 3) for end in wilson(99, 100)]
    [0.946, 0.998]
    """
    if not of:
        return 0.0, 1.0
    z, p = 1.959964, found / of
    middle, half = p + z * z / (2 * of), z * np.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return max(0.0, float((middle - half) / (1 + z * z / of))), min(1.0, float((middle + half) / (1 + z * z / of)))


def _pair(one: str, two: str) -> tuple[str, str]:
    return (one, two) if one < two else (two, one)


def _share(found: int, of: int, digits: int = 3) -> str:
    low, high = wilson(found, of)
    value = f"{found / of:.{digits}f}" if of else "-"
    return f"{value} ({low:.{digits}f} to {high:.{digits}f})"


def _print_table(title: str, names: Sequence[str], columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    print(title)
    print(f"{names[0]:<34} {names[1]:>10}" + "".join(f" {name:>26}" for name in columns))
    for first, second, *cells in rows:
        print(f"{first:<34} {second:>10}" + "".join(f" {cell:>26}" for cell in cells))
    print(flush=True)


def _rows(pairs: Iterable[tuple[str, Pair]], methods: Sequence[Links]) -> list[list[str]]:
    """A row for each label, in the order of their first pair: its pairs, and the share that each method links."""
    count: Counter[str] = Counter()
    hits: list[Counter[str]] = [Counter() for _ in methods]
    for label, pair in pairs:
        count[label] += 1
        for found, links in zip(hits, methods, strict=True):
            found[label] += _pair(pair.left, pair.right) in links
    return [[label, f"{of:,}", *(_share(found[label], of) for found in hits)] for label, of in count.items()]


def _print_recall(pairs: Sequence[Pair], methods: Sequence[Links]) -> None:
    positive = [pair for pair in pairs if pair.linked]
    in_order = sorted(positive, key=lambda pair: (pair.writing.mode, pair.writing.rate))
    for title, rotates in (("recall, preamble kept", False), ("recall, preamble rotates", True)):
        chosen = [pair for pair in in_order if (pair.writing.rotation != "fixed") == rotates]
        labelled = [(f"{pair.writing.mode} {pair.writing.rate:.1f}", pair) for pair in chosen]
        _print_table(title, ("paraphrase", "pairs"), _METHODS, _rows(labelled, methods))
    by_rotation = sorted(positive, key=lambda pair: pair.writing.rotation)
    labelled = [(f"preamble {pair.writing.rotation}", pair) for pair in by_rotation]
    labelled += [(f"beside another task: {pair.relation}", pair) for pair in positive]
    _print_table("recall, all rates", ("family", "pairs"), _METHODS, _rows(labelled, methods))


def _print_negatives(pairs: Sequence[Pair], methods: Sequence[Links]) -> None:
    negative = sorted((pair for pair in pairs if not pair.linked), key=lambda p: (p.writing.mode, p.writing.rate))
    labelled = [(f"same {pair.relation}", pair) for pair in negative]
    labelled += [(f"paraphrase {pair.writing.mode} {pair.writing.rate:.1f}", pair) for pair in negative]
    _print_table("hard negatives that are linked", ("kind", "pairs"), _METHODS, _rows(labelled, methods))


def _print_precision(pairs: Sequence[Pair], methods: Sequence[Links]) -> None:
    def row(label: str, chosen: Sequence[Pair]) -> list[str]:
        cells = []
        for links in methods:
            hits = Counter(pair.linked for pair in chosen if _pair(pair.left, pair.right) in links)
            cells.append(_share(hits[True], hits.total(), 4))
        return [label, f"{len(chosen):,}", *cells]

    rates = sorted({pair.writing.rate for pair in pairs})
    rows = [row(f"rate {rate:.1f}", [pair for pair in pairs if pair.writing.rate == rate]) for rate in rates]
    _print_table("precision, as many hard negatives as positives", ("", "pairs"), _METHODS, [*rows, row("all", pairs)])


def _print_others(world: World, methods: Sequence[Links]) -> None:
    """All the links of the world: what is not of one template is wrong."""
    truth = dict(zip(world.accounts, world.truth, strict=True))
    families = Counter(truth.values())
    same = sum(count * (count - 1) // 2 for template, count in families.items() if template)
    others = len(truth) * (len(truth) - 1) // 2 - same
    rows = []
    for name, links in zip(_METHODS, methods, strict=True):
        right = sum(truth[a] == truth[b] != "" for a, b in links)
        wrong = len(links) - right
        rows.append([name, f"{len(links):,}", f"{right:,} of {same:,}", f"{wrong:,} ({wrong / others:.1e})"])
    _print_table("all pairs of accounts", ("", "linked"), ("one template", "others, wrongly"), rows)


def _print_crowds(world: World, methods: Sequence[Links], groups: dict[str, str]) -> None:
    """Links within each crowd, of those that must not be linked only between accounts of different templates.

    A pair of several crowds counts in the smallest, whose prompts are the rarest.
    """
    truth = dict(zip(world.accounts, world.truth, strict=True))
    rows, told = [], [set[tuple[str, str]]() for _ in methods]
    for crowd in sorted(world.crowds, key=lambda crowd: len(crowd.accounts)):
        who = set(crowd.accounts)
        cells = []
        for links, before in zip(methods, told, strict=True):
            inside = {pair for pair in links if pair[0] in who and pair[1] in who} - before
            before |= inside
            found = len(inside) if crowd.linked else sum(truth[a] != truth[b] or not truth[a] for a, b in inside)
            of = len(who) * (len(who) - 1) // 2
            cells.append(f"{found:,} ({found / max(of, 1):.1e})")
        together = Counter(groups[account] for account in who if account in groups)
        wanted = "must" if crowd.linked else "must not"
        largest = f"{max(together.values(), default=0):,} of {len(who):,}"
        rows.append([f"{crowd.name} ({wanted})", f"{len(who):,}", *cells, largest])
    names = (*(f"pairs, {name}" for name in _METHODS), "most in one group")
    _print_table("popular prompts and pools: linked pairs", ("crowd", "accounts"), names, rows)


def measure_prompt_pairs(seed: int, count: int, methods: Sequence[tuple[str, SameTemplate]] | None = None) -> None:
    """The table of pairs of prompts by Jaccard index, each method on the same prompts among ordinary ones."""
    chosen = PROMPT_METHODS if methods is None else methods
    pairs = prompt_pairs(seed, count)
    rng = np.random.default_rng((seed, 2))
    texts = [text for pair in pairs for text in (pair.left, pair.right)]
    texts += [text for _ in range(count // 10) for text in ordinary(rng, rng.integers(0, 70, 2).tolist(), 10)]
    order = rng.permutation(len(texts))
    found = []
    for _, method in chosen:
        labels = np.empty(len(texts), np.int64)
        labels[order] = method([texts[at] for at in order.tolist()])
        found.append(labels[0 : 2 * count : 2] == labels[1 : 2 * count : 2])

    def rows(label: Callable[[PromptPair], str], same: bool) -> list[list[str]]:
        places: defaultdict[str, list[int]] = defaultdict(list)
        for at, pair in enumerate(pairs):
            if pair.same == same and label(pair):
                places[label(pair)].append(at)
        return [
            [name, f"{len(at):,}", *(_share(int(hit[at].sum()), len(at)) for hit in found)]
            for name, at in sorted(places.items())
        ]

    def by_bin(pair: PromptPair) -> str:
        low = min(int(pair.jaccard * 10), 9) / 10
        return f"Jaccard {low:.1f} to {low + 0.1:.1f}"

    names = [name for name, _ in chosen]
    recall = rows(by_bin, True) + rows(lambda pair: "" if pair.rate else "without paraphrase", True)
    _print_table("pairs of prompts: recall", ("one template", "pairs"), names, recall)
    wrong = rows(by_bin, False) + rows(lambda pair: f"same {pair.relation}", False)
    _print_table("pairs of prompts: wrongly together", ("two templates", "pairs"), names, wrong)


def measure_data(path: Path, seed: int, scale: float) -> None:
    """Real templated instructions: two accounts for each template, among ordinary ones."""
    world = build(seed, 0.3 * scale, families=False)
    templates = _read_templates(path)
    rng = np.random.default_rng((seed, 3))
    owner_of: dict[str, str] = {}
    owners = world.owners.tolist()
    for name, prompts in templates.items():
        for side, chosen in enumerate(np.array_split(rng.permutation(len(prompts)), 2)):
            account = f"data_{len(owner_of):04}_{side}"
            owner_of[account] = name
            owners += [len(world.accounts)] * len(chosen)
            world.accounts.append(account)
            world.truth.append(name)
            world.prompts += [prompts[at] for at in chosen.tolist()]
    world.owners = np.array(owners, np.int64)
    print(f"{len(templates):,} templates; {len(world.accounts):,} accounts, {len(world.prompts):,} prompts")
    methods, _ = run(world)
    _print_data(owner_of, methods)
    _print_sets(owner_of, methods)
    _print_others(world, methods)


def _read_templates(path: Path) -> dict[str, list[str]]:
    con = store.connect(":memory:")
    try:
        rows = con.execute(
            """SELECT template, list(prompt ORDER BY prompt) FROM read_parquet(?)
            GROUP BY template HAVING count(*) >= 2 ORDER BY template""",
            [str(path)],
        ).fetchall()
    finally:
        con.close()
    return dict(rows)


def data_set(template: str) -> str:
    """The set that a template was written for.

    >>> data_set("wiki_qa_exercise"), data_set("ag_news_classify"), data_set("glue_mrpc_replace")
    ('wiki_qa', 'ag', 'glue_mrpc')
    """
    words = template.split("_")
    return "_".join(words[: 2 if words[0] in _TWO_WORDS else 1])


def twin(template: str) -> str:
    """The template's name without the sets that it was written for several times.

    >>> twin("imdb_Reviewer_Enjoyment") == twin("rotten_tomatoes_Reviewer_Enjoyment")
    True
    """
    for prefixes in _TWINS:
        for prefix in prefixes:
            if template.startswith(prefix):
                return f"{prefixes[0]}{template.removeprefix(prefix)}"
    return template


def _kind(one: str, two: str) -> str:
    if one == two:
        return "one template"
    if twin(one) == twin(two):
        return "one wording in two sets"
    return "two templates of one set" if data_set(one) == data_set(two) else "templates of two sets"


def _print_data(owner_of: dict[str, str], methods: Sequence[Links]) -> None:
    of = Counter(_kind(owner_of[a], owner_of[b]) for a, b in combinations(owner_of, 2))
    hits = [_hits(owner_of, links) for links in methods]
    rows = [[kind, f"{of[kind]:,}", *(f"{found[kind]:,}  {found[kind] / of[kind]:.4f}" for found in hits)] for kind in
        ("one template", "one wording in two sets", "two templates of one set", "templates of two sets")]  # fmt: skip
    _print_table("real templates: linked pairs of accounts", ("pair", "pairs"), _METHODS, rows)
    wrong = ("two templates of one set", "templates of two sets")
    cells = [_share(found["one template"], found["one template"] + sum(found[w] for w in wrong), 4) for found in hits]
    _print_table("one wording in two sets left out", ("", ""), _METHODS, [["precision", "", *cells]])


def _hits(owner_of: dict[str, str], links: Links) -> Counter[str]:
    return Counter(_kind(owner_of[a], owner_of[b]) for a, b in links if a in owner_of and b in owner_of)


def _print_sets(owner_of: dict[str, str], methods: Sequence[Links]) -> None:
    """For each set the found pairs of one template, and the wrong ones between its templates."""
    members: defaultdict[str, set[str]] = defaultdict(set)
    for account, template in owner_of.items():
        members[data_set(template)].add(account)
    rows = []
    for name, accounts in sorted(members.items()):
        inside = {account: owner_of[account] for account in accounts}
        cells = []
        for links in methods:
            found = _hits(inside, links)
            cells.append(f"{found['one template']:,} right, {found['two templates of one set']:,} wrong")
        of = Counter(_kind(inside[a], inside[b]) for a, b in combinations(sorted(accounts), 2))
        pairs = f"{of['one template']:,}/{of['two templates of one set']:,}"
        rows.append([name, pairs, *cells])
    _print_table("within each set", ("set", "right/wrong"), _METHODS, rows)


if __name__ == "__main__":
    main()
