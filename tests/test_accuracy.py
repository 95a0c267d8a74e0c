"""The benchmark of accuracy: its baselines against plain counting and others' code, and one world from end to end."""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve

from benchmarks import accuracy
from benchmarks.accuracy_baselines import baselines, capped_components, naive_louvain
from benchmarks.accuracy_fraudar import densest, fraudar
from benchmarks.accuracy_measures import b_cubed_of_fraud, best_features, hard
from benchmarks.accuracy_oracle import oracle, rings_of, weigh
from benchmarks.accuracy_report import BEGIN, END, filled, report
from benchmarks.accuracy_tables import Shared, pairs, projected, read
from benchmarks.accuracy_worlds import make, parse, same_exchanges, true_templates
from linkage import store

edges = st.sets(st.tuples(st.integers(0, 7), st.integers(0, 5)), max_size=30)


def shared_of(held: set[tuple[int, int]], accounts: int, kinds: tuple[str, ...] = ("payment",)) -> Shared:
    """From pairs of account and value; value v is of kind v modulo their number. What one account alone has goes."""
    holders = Counter(value for _, value in held)
    values = sorted(value for value, count in holders.items() if count > 1)
    rows = sorted((values.index(value), account) for account, value in held if holders[value] > 1)
    identifier, account = np.array(rows, np.int64).reshape(-1, 2).T
    return Shared(
        names=[f"a{at:03d}" for at in range(accounts)],
        account=account.copy(),
        identifier=identifier.copy(),
        uses=np.ones(len(rows), np.int64),
        kind=np.array([value % len(kinds) for value in values], np.int64),
        kinds=kinds,
    )


def of_groups(*groups: range, each: int = 3) -> set[tuple[int, int]]:
    """Each group shares so many values of its own."""
    return {
        (account, each * at + extra) for at, group in enumerate(groups) for account in group for extra in range(each)
    }


def named(*groups: Iterable[int]) -> list[list[str]]:
    return [[f"a{at:03d}" for at in group] for group in groups]


@given(edges, st.integers(2, 8))
def test_a_projection_is_that_of_plain_counting(held: set[tuple[int, int]], cap: int) -> None:
    by_value = defaultdict(set)
    for account, value in held:
        by_value[value].add(account)
    counted = Counter(
        pair for members in by_value.values() if len(members) <= cap for pair in combinations(sorted(members), 2)
    )
    shared = shared_of(held, 8)
    a, b, weight = projected(shared, cap)
    assert {(x, y): w for x, y, w in zip(a.tolist(), b.tolist(), weight.tolist(), strict=True)} == counted
    assert len(pairs(shared, cap)[0]) == sum(counted.values())


@given(edges)
def test_components_are_those_of_networkx(held: set[tuple[int, int]]) -> None:
    shared = shared_of(held, 8)
    graph: nx.Graph[Any] = nx.Graph(("a", account, value)[1:] for account, value in [(f"a{a:03d}", v) for a, v in held])
    expected = [sorted(node for node in part if isinstance(node, str)) for part in nx.connected_components(graph)]
    assert sorted(capped_components(shared)) == sorted(group for group in expected if len(group) >= 3)


def test_components_and_louvain_leave_popular_values_out() -> None:
    crowd = {(at, 999) for at in range(60)}
    shared = shared_of(of_groups(range(6), range(10, 15), range(20, 24)) | crowd, 60)
    assert sorted(capped_components(shared)) == named(range(6), range(10, 15), range(20, 24))
    # A community of four is too small to be flagged.
    assert sorted(naive_louvain(shared)) == named(range(6), range(10, 15))


def test_every_baseline_finds_what_is_plain_and_nothing_where_nothing_is_shared() -> None:
    plain, empty = shared_of(of_groups(range(8), range(10, 17)), 40), shared_of(set(), 5)
    for name, method in baselines():
        # Blocks of FRAUDAR may hold several groups; all others tell them apart.
        found = sorted(method(plain))
        expected = named([*range(8), *range(10, 17)]) if name == "FRAUDAR" else named(range(8), range(10, 17))
        assert found == expected, name
        assert method(empty) == [], name


@given(edges.filter(bool))
@settings(deadline=None, max_examples=60)
def test_a_block_of_fraudar_has_half_of_the_greatest_density_at_least(held: set[tuple[int, int]]) -> None:
    account, identifier = (np.array(column) for column in zip(*sorted(held), strict=True))
    degree = Counter(value for _, value in held)
    weight = {value: 1 / np.log(count + 5) for value, count in degree.items()}
    nodes = sorted({("a", a) for a, _ in held} | {("v", v) for _, v in held})

    def density(block: set[tuple[str, int]]) -> float:
        return float(sum(weight[v] for a, v in held if ("a", a) in block and ("v", v) in block) / len(block))

    every = chain.from_iterable(combinations(nodes, size) for size in range(1, len(nodes) + 1))
    greatest = max(density(set(block)) for block in every)
    accounts, identifiers, found = densest(account, identifier)
    block = {("a", int(a)) for a in accounts} | {("v", int(v)) for v in identifiers}
    assert found == pytest.approx(density(block))
    assert greatest / 2 - 1e-9 <= found <= greatest + 1e-9


def test_fraudar_finds_a_block_behind_camouflage() -> None:
    rng = np.random.default_rng(1)
    noise = {(int(a), 100 + int(v)) for a, v in zip(rng.integers(0, 300, 500), rng.integers(0, 80, 500), strict=True)}
    ring = {(at, value) for at in range(20) for value in range(12)}
    # Each member also has what everybody has.
    hub = {(at, 999) for at in range(300)}
    shared = shared_of(noise | ring | hub, 300)
    found = fraudar(shared, blocks=5)
    assert found[0] == named(range(20))[0]
    flat = [account for group in found for account in group]
    assert len(flat) == len(set(flat))


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=20))
def test_the_best_threshold_is_that_of_scikit_learn(rows: list[tuple[int, bool]]) -> None:
    values, fraud = np.array([value for value, _ in rows], float), np.array([bad for _, bad in rows])
    found = best_features(pd.DataFrame({"x": values, "unknown": np.nan}), fraud)
    if not fraud.any():
        assert found == []
        return
    expected = []
    for sign in (1, -1):
        precision, recall, _ = precision_recall_curve(fraud, sign * values)
        expected.append(max(precision[:-1][recall[:-1] >= 0.5]))
    assert [feature.precision for feature in found] == pytest.approx(sorted(expected, reverse=True))
    best = found[0]
    flagged = values >= best.threshold if best.above else values <= best.threshold
    assert best.recall == fraud[flagged].sum() / fraud.sum() >= 0.5
    assert best.precision == pytest.approx(fraud[flagged].mean())


def test_b_cubed_of_fraud_accounts_worked_by_hand() -> None:
    truth = {"a": "x", "b": "x", "c": "x", "d": "x", "e": "y", "f": "y", "g": "", "h": ""}
    # Precision of a, b, c: 3/4 (g is among them); of d, e, f: 1, being alone. Recall: 3/4, 3/4, 3/4, 1/4, 1/2, 1/2.
    p, r = (3 * 3 / 4 + 3) / 6, (3 * 3 / 4 + 1 / 4 + 1) / 6
    rings = [["a", "b", "c", "g"]]
    assert b_cubed_of_fraud(truth, rings) == pytest.approx(2 * p * r / (p + r))
    # Flagging the innocent elsewhere neither helps nor hurts here: precision of accounts tells it.
    assert b_cubed_of_fraud(truth, [*rings, ["h", "z"]]) == b_cubed_of_fraud(truth, rings)
    assert b_cubed_of_fraud(truth, [["a", "b", "c", "d"], ["e", "f"]]) == 1
    assert b_cubed_of_fraud({"a": ""}, [["a"]]) is None


def test_the_gate() -> None:
    methods: dict[str, dict[str, float | None]] = {"naive Louvain": {"f1": 0.25}, "capped components": {"f1": 0.30}}
    assert hard(methods, {"precision": 0.79})
    assert not hard(methods, {"precision": 0.8})
    assert not hard(methods | {"naive Louvain": {"f1": 0.26}}, None)
    assert hard(methods | {"capped components": {"f1": None}}, None)


@given(edges, st.lists(st.integers(-1, 2), min_size=8, max_size=8))
def test_the_oracle_weighs_pairs_by_the_frequencies_of_the_truth(held: set[tuple[int, int]], rings: list[int]) -> None:
    shared = shared_of(held, 8, kinds=("payment", "ip"))
    ring = np.array(rings, np.int64)
    weights = weigh(shared, ring)
    values = defaultdict(set)
    for at, identifier in zip(shared.account.tolist(), shared.identifier.tolist(), strict=True):
        values[int(shared.kind[identifier]), identifier].add(at)

    def level(kind: int, a: int, b: int) -> int | None:
        both = [len(holders) for (of, _), holders in values.items() if of == kind and {a, b} <= holders]
        return int(np.log2(min(both))) if both else None

    every = list(combinations(range(8), 2))
    same = {(a, b): rings[a] >= 0 and rings[a] == rings[b] for a, b in every}
    sizes = Counter(number for number in rings if number >= 0)
    true, others = sum(same.values()), len(every) - sum(same.values())
    total = sum(size for size in sizes.values() if size > 1) / 2
    expected = {pair: np.log2(max(true, 0.5) / max(others, 0.5)) for pair in every}
    for kind in (0, 1):
        levels = {pair: level(kind, *pair) for pair in every}
        used = [found for found in levels.values() if found is not None]
        if not used:
            continue
        m = dict.fromkeys(range(max(used) + 1), 0.5 / len(used))
        u = dict.fromkeys(range(max(used) + 1), 0.5)
        for pair, at in levels.items():
            if at is not None:
                m[at] += 1 / (sizes[rings[pair[0]]] - 1) if same[pair] else 0
                u[at] += not same[pair]
        # Levels come in threes, by use; all uses here are single ones, so two of three hold nothing but the half pair.
        spare = 2 * (max(used) + 1)
        m_all = (sum(m.values()) + spare * 0.5 / len(used)) / max(total, 1)
        u_all = (sum(u.values()) + spare * 0.5) / max(others, 1)
        for pair, at in levels.items():
            none = np.log2(max(1 - m_all, 1e-6) / max(1 - u_all, 1e-6))
            expected[pair] += none if at is None else np.log2(m[at] / max(total, 1) / (u[at] / max(others, 1)))
    found = zip(weights.a.tolist(), weights.b.tolist(), weights.bits.tolist(), strict=True)
    for a, b, bits in found:
        assert bits == pytest.approx(expected[a, b])
    assert len(weights.a) == len({pair for pair in every if any(level(kind, *pair) is not None for kind in (0, 1))})


def test_rings_are_numbered_and_the_budget_takes_the_rarest_values_first() -> None:
    assert rings_of(["a", "b", "c", "d"], {"a": "y", "b": "", "c": "x", "z": "w"}).tolist() == [1, -1, 0, -1]
    shared = shared_of(of_groups(range(3), range(10, 16), each=1), 20)
    ring = np.full(20, -1)
    assert len(weigh(shared, ring).a) == 3 + 15
    assert len(weigh(shared, ring, budget=17).a) == 3
    assert len(weigh(shared, ring, budget=2).a) == 0


def test_tables_are_those_of_the_export(sample_case: Path) -> None:
    shared, features = read(sample_case)
    with store.reading(sample_case) as con:
        cards = con.execute("SELECT DISTINCT account_id, payment_id FROM payments").fetchall()
        night = con.execute(
            """SELECT account_id FROM exchanges GROUP BY ALL HAVING count(*) = count(*) FILTER (hour("at") < 6)"""
        ).fetchall()
    holders = Counter(payment for _, payment in cards)
    assert shared.names == sorted(shared.names)
    payments = shared.kind == shared.kinds.index("payment")
    assert sorted(shared.holders[payments].tolist()) == sorted(count for count in holders.values() if count > 1)
    most: dict[str, int] = defaultdict(int)
    for account, payment in cards:
        most[account] = max(most[account], holders[payment])
    told = features["most holders of a payment"]
    assert {name: value for name, value in zip(shared.names, told, strict=True) if value == value} == most
    always = np.flatnonzero(features["share of night hours"] == 1)
    assert {shared.names[at] for at in always} == {row[0] for row in night}


def test_an_oracle_sees_rings_that_share_what_nobody_else_has(sample_case: Path) -> None:
    from linkage.evaluate import read_truth
    from linkage.sample import FOLDER

    truth = read_truth(FOLDER / "truth.csv")
    found = oracle(sample_case, truth)
    assert found["judged"]["precision"] > 0.9
    assert found["judged"]["precision"] >= found["linked"]["precision"]
    assert found["judged"]["b_cubed_fraud"] > 0.5


def test_worlds_are_named_with_their_options() -> None:
    assert str(parse("mix:prompts=fingerprint:evasion=.60")) == "mix:evasion=0.6:prompts=fingerprint"
    with pytest.raises(SystemExit, match="no option 'hue'"):
        parse("mix:hue=3")


def test_the_true_templates_are_those_of_the_same_exchanges(tmp_path: Path) -> None:
    world = parse("mix:evasion=0.9")
    make(tmp_path / "export", world, 3_000, 1)
    path = true_templates(tmp_path / "templates", world, 3_000, 1)
    assert path
    assert same_exchanges(tmp_path / "export" / "exchanges.parquet", path)
    assert true_templates(tmp_path / "none", parse("sample"), 3_000, 1) is None
    make(tmp_path / "other", world, 3_000, 2)
    assert not same_exchanges(tmp_path / "other" / "exchanges.parquet", path)
    con = store.connect(":memory:")
    # With nine words in twenty replaced hardly two prompts of a ring are alike; their templates are.
    con.execute("CREATE TABLE t AS SELECT account_id, prompt_fingerprint FROM read_parquet(?)", [str(path)])
    crowds = con.execute(
        """SELECT count(*) FROM (SELECT prompt_fingerprint FROM t JOIN read_csv(?) USING (account_id)
        WHERE ring IS NOT NULL GROUP BY prompt_fingerprint, ring HAVING count(DISTINCT account_id) >= 3)""",
        [str(tmp_path / "export" / "truth.csv")],
    ).fetchone()
    con.close()
    assert crowds
    assert crowds[0] > 0


def test_tables_show_the_mean_over_seeds_and_name_the_worst() -> None:
    def result(seed: int, f1: float, hit: int) -> dict[str, Any]:
        tactic = {"structure": "chain", "rings": 2, "rings_found": 1, "accounts": 8, "flagged": 4, "recall": 0.5,
                  "ring_recall": 0.5}  # fmt: skip
        home = {"structure": "household", "instances": 5, "accounts": 20, "flagged": hit, "share": hit / 20,
                "instances_hit": hit, "instances_half": 0}  # fmt: skip
        methods = {name: {"f1": f1, "false_first": seed} for name in ("linkage", "naive Louvain", "capped components")}
        return {
            "world": "mix", "seed": seed, "accounts": 3000, "hard": f1 < 0.25, "feature": None, "calibration": 0.1,
            "truth": {"fraudulent": 8, "true_rings": 2}, "methods": methods,
            "structures": {"tactics": [tactic], "innocent": [home, {**home, "structure": "campus", "flagged": 0}]},
        }  # fmt: skip

    noise = {**result(1, 0.0, 0), "world": "noise", "hard": None, "structures": None, "calibration": None}
    noise["truth"] = {"fraudulent": 0, "true_rings": 0}
    lines = report([result(1, 0.2, 1), result(2, 0.3, 4), noise]).splitlines()
    (row,) = [line for line in lines if line.startswith("| mix | **linkage**")]
    assert "| 0.250 (0.200–0.300) |" in row
    assert row.endswith("| 1.5 (1–2) | 1 of 2 |")
    assert any(line.endswith("| 0.300 | 0.300 | – | **no** |") for line in lines)
    assert any(line.startswith("| noise | 1 | 0 | 0 |") and line.endswith("| – |") for line in lines)
    assert any("chain: 0.500 of accounts found | household: 0.1250 of accounts flagged" in line for line in lines)
    assert "| household | 10 | 5 | 0 | 40 | 5 | 0.1250 |" in lines


def test_a_world_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nfigures of last year\n{END}\nafter\n")
    work = tmp_path / "work"
    arguments = ["accuracy", "--worlds", "mix", "--seeds", "3", "--accounts", "3000", "--work", str(work)]
    monkeypatch.setattr(sys, "argv", [*arguments, "--out", str(page)])
    accuracy.main()
    (kept,) = work.iterdir()
    result = json.loads(kept.read_text())
    assert (result["world"], result["seed"], result["accounts"]) == ("mix", 3, 3000)
    assert result["methods"].keys() >= {"linkage", "naive Louvain", "capped components", "FRAUDAR", "oracle, judged"}
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "last year" not in text
    for wanted in ("| mix | **linkage** |", "naive Louvain, account F1 ≤ 0.25", "background", "calibration error"):
        assert wanted in text
    # What was measured is not measured again; what is lost is, and gives the same.
    before = kept.stat().st_mtime_ns
    accuracy.main()
    assert (kept.stat().st_mtime_ns, page.read_text()) == (before, text)
    with pytest.raises(ValueError, match="lacks the line"):
        filled("no marks", [result])
