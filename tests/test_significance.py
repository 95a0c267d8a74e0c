"""Null models against enumeration, q-values against numbers made by hand, and noise that must stay noise."""

import os
import signal
import sys
from collections import Counter
from dataclasses import fields, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from linkage import results, store
from linkage.allow import allow
from linkage.detect import detect
from linkage.errors import UsageError
from linkage.identify import Alone, Sightings, identify
from linkage.ingest import ingest
from linkage.sample import FOLDER
from linkage.significance import (
    LISTED_Q,
    Found,
    by_chance,
    how_many,
    how_many_more,
    q_values,
    rewired,
    search_nulls,
    significance,
)
from linkage.significance import rewire as rewiring
from linkage.simulate import simulate
from tests.cases import make_case, sightings
from tests.noise import judged, noise, search, strangers
from tests.test_detect import START, accounts, everything, logins, payments

# Null models.

ties = st.sets(
    st.tuples(
        st.sampled_from([f"a{at}" for at in range(8)]),
        st.sampled_from(["ip", "device", "payment"]),
        st.sampled_from([f"v{at}" for at in range(5)]),
    ),
    min_size=1,
    max_size=80,
)


def with_alone(shared: Sightings, alone: list[tuple[int, int]]) -> Sightings:
    rows = np.array(sorted((a, k) for a, k in alone if k < len(shared.kinds)), dtype=np.int64).reshape(-1, 2)
    number = np.arange(len(rows), dtype=np.int64) + 1_000
    return replace(
        shared,
        count=np.arange(len(shared.account), dtype=np.int64),
        alone=Alone(rows[:, 0].astype(np.int32), rows[:, 1].astype(np.int16), number, number, number, number),
    )


def degrees(s: Sightings) -> tuple[list[int], list[list[int]]]:
    """Of each identifier, and of each account in each kind."""
    kind = s.kind[s.identifier]
    return s.degree.tolist(), [
        np.bincount(s.account[kind == at], minlength=s.accounts).tolist() for at in range(len(s.kinds))
    ]


def assert_sorted_without_doubles(s: Sightings) -> None:
    assert (np.diff(s.identifier.astype(np.int64) * s.accounts + s.account) > 0).all()


@settings(deadline=None)
@given(ties, st.integers(0, 2**32))
def test_rewiring_keeps_all_degrees_and_makes_no_double_ties(rows: set[tuple[str, str, str]], seed: int) -> None:
    s = sightings(sorted(rows))
    drawn = rewired(s, seed)
    assert degrees(drawn) == degrees(s)
    assert_sorted_without_doubles(drawn)
    for name in ("kind", "kinds", "accounts", "ceiling", "rivals"):
        assert np.array_equal(getattr(drawn, name), getattr(s, name))


@settings(deadline=None)
@given(ties, st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=20), st.integers(0, 2**32))
def test_who_has_values_alone_takes_part_and_what_belongs_to_an_account_stays_with_it(
    rows: set[tuple[str, str, str]], alone: list[tuple[int, int]], seed: int
) -> None:
    s = with_alone(sightings(sorted(rows)), alone)
    drawn = rewired(s, seed)
    assert drawn.degree.tolist() == s.degree.tolist()
    assert_sorted_without_doubles(drawn)
    assert len(drawn.alone.account) == 0
    before, own = s.kind[s.identifier], s.alone
    ends = {
        *zip(s.account.tolist(), before.tolist(), s.count.tolist(), strict=True),
        *zip(own.account.tolist(), own.kind.tolist(), own.count.tolist(), strict=True),
    }
    after = list(zip(drawn.account.tolist(), drawn.kind[drawn.identifier].tolist(), drawn.count.tolist(), strict=True))
    assert set(after) <= ends
    assert len(set(after)) == len(after)


@settings(deadline=None)
@given(ties, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_null_model(rows: set[tuple[str, str, str]], shuffle: Any) -> None:
    s = with_alone(sightings(sorted(rows)), [(0, 0), (1, 0)])
    order = list(range(len(s.account)))
    shuffle.shuffle(order)
    columns: dict[str, Any] = {
        name: getattr(s, name)[order] for name in ("account", "identifier", "count", "most", "first", "last")
    }
    one, two = rewired(s, 3), rewired(replace(s, **columns), 3)
    for field in fields(Sightings):
        if field.name != "alone":
            known = field.name == "behaviour"
            assert np.array_equal(getattr(one, field.name), getattr(two, field.name), equal_nan=known), field.name


def graphs(rows: list[int], columns: list[int]) -> list[tuple[tuple[int, ...], ...]]:
    """All 0-1 matrices with these sums, by trying all."""
    lines = list(product((0, 1), repeat=len(columns)))
    return [
        matrix
        for matrix in product(lines, repeat=len(rows))
        if [sum(line) for line in matrix] == rows and [sum(column) for column in zip(*matrix, strict=True)] == columns
    ]


@pytest.mark.parametrize("tries", [rewiring.TRIES, 0])
@pytest.mark.parametrize(
    "matrix",
    [
        ((1, 1, 1, 0), (1, 1, 0, 0), (1, 0, 0, 1), (0, 1, 1, 1)),
        ((1, 1, 1), (1, 1, 0), (0, 0, 1), (0, 1, 1), (1, 0, 0)),
    ],
)
def test_every_graph_with_these_degrees_is_drawn_equally_often(
    matrix: tuple[tuple[int, ...], ...], tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a try, double ties cannot be mended, and the real ties are mixed by swaps alone.
    monkeypatch.setattr(rewiring, "TRIES", tries)
    s = sightings([(f"a{a}", "ip", f"v{v}") for a, line in enumerate(matrix) for v, tied in enumerate(line) if tied])
    possible = graphs([sum(line) for line in matrix], [sum(column) for column in zip(*matrix, strict=True)])
    assert len(possible) > 10
    drawn: Counter[tuple[tuple[int, ...], ...]] = Counter()
    for seed in range(100 * len(possible)):
        r = rewired(s, seed)
        table = np.zeros((len(matrix), len(matrix[0])), np.int64)
        table[r.account, r.identifier] = 1
        drawn[tuple(tuple(int(tied) for tied in line) for line in table)] += 1
    assert set(drawn) == set(possible)
    assert stats.chisquare([drawn[graph] for graph in possible]).pvalue > 0.001


def test_a_kind_that_nearly_everybody_has_whole_keeps_its_degrees() -> None:
    rows = [(f"a{a:02}", "ip", f"v{v:02}") for a in range(40) for v in range(30) if (a * 7 + v) % 37 > 1]
    s = sightings(rows)
    drawn = rewired(s, 5)
    assert degrees(drawn) == degrees(s)
    assert_sorted_without_doubles(drawn)
    assert not np.array_equal(drawn.account, s.account)


def test_what_a_test_has_found_is_left_out_of_null_models() -> None:
    rows = [(f"a{at}", kind, "v") for at in range(4) for kind in ("burst", "device", "payment")]
    s = sightings(rows)
    s = replace(s, ceiling=np.where(s.kind == s.kinds.index("burst"), 12.0, np.inf))
    left = by_chance(s)
    assert [left.kinds[kind] for kind in left.kind] == ["device", "payment"]
    assert left.degree.tolist() == [4, 4]
    assert by_chance(left) is left


# q-values.


def test_q_values_by_hand() -> None:
    observed = np.array([1.0, 9.0, 7.0, 3.0, 8.0])
    # Of 4 null models: none at 9 or 8, one at 7 or more, two at 3 or more, six at 1 or more.
    nulls = [np.array([7.5, 1.5]), np.array([3.0]), np.array([1.0, 2.0]), np.array([0.5, 2.5])]
    raw = {9.0: 1 / 5, 8.0: 1 / 10, 7.0: 2 / 15, 3.0: 3 / 20, 1.0: 7 / 25}
    monotone = {9.0: 0.1, 8.0: 0.1, 7.0: raw[7.0], 3.0: raw[3.0], 1.0: raw[1.0]}
    assert q_values(observed, nulls) == pytest.approx([monotone[s] for s in observed], abs=1e-6)
    assert q_values(np.array([1.0]), [np.array([5.0, 5.0, 5.0])]).tolist() == [1.0]
    assert q_values(np.array([2.0, 2.0]), [np.zeros(0)]).tolist() == [0.25, 0.25]
    assert q_values(np.zeros(0), [np.ones(3)]).tolist() == []


@settings(deadline=None)
@given(st.lists(st.floats(-9, 9), min_size=1), st.lists(st.lists(st.floats(-9, 9)), min_size=1, max_size=5))
def test_a_stronger_ring_never_has_a_greater_q_value(observed: list[float], nulls: list[list[float]]) -> None:
    strength = np.array(observed)
    q = q_values(strength, [np.array(null) for null in nulls])
    assert (np.diff(q[np.argsort(strength)]) <= 0).all()
    assert ((q > 0) & (q <= 1)).all()


def test_the_floor_and_what_chance_would_list() -> None:
    strength, score = np.array([9.0, 8.0, 7.0, -1.0]), np.array([0.99, 0.98, 0.97, 0.3])
    nulls = [(np.array([7.5, -2.0]), np.array([0.97, 0.2])), *[(np.array([-1.5]), np.array([0.3]))] * 19]
    found = significance(strength, score, nulls)
    assert found.q.tolist() == pytest.approx([1 / 42] * 4, abs=1e-6)
    assert found.nulls == 20
    assert found.floor == pytest.approx(1 / (21 * 3), abs=1e-6)
    # One null model has one ring as strong as the weakest that is listed.
    assert found.by_chance == 1 / 20
    assert found.passes.all()
    none = significance(strength, score, [])
    assert (none.nulls, none.floor, none.by_chance) == (0, 1.0, 0.0)
    assert np.isnan(none.q).all()
    assert none.passes.all()


@pytest.mark.parametrize(("listed", "size"), [(0, 10), (1, 10), (7, 10**6), (10**4, 10), (1, 10**9)])
def test_how_many_null_models_keeps_its_bounds(listed: int, size: int) -> None:
    found = how_many(listed, size)
    assert 3 <= found <= 39
    # What is listed by score can be listed at all.
    assert not listed or 1 / ((1 + found) * listed) <= LISTED_Q
    if listed and found < 39 and size < 10**6:
        assert 1 / ((1 + found) * listed) <= 0.01


# Searching null models.


def test_threads_change_no_null_model_and_a_failure_comes_through() -> None:
    s, people = noise(2, 800), strangers(2, 800)
    one, two = (search_nulls(s, partial(search, people), nulls=4, seed=9, threads=threads) for threads in (1, 3))
    for (strength, score), (other, others) in zip(one, two, strict=True):
        assert np.array_equal(strength, other)
        assert np.array_equal(score, others)
    assert len({tuple(strength.tolist()) for strength, _ in one}) > 1

    def fails(sightings: Sightings, lives: NDArray[np.int64]) -> Found:
        raise ValueError("no search")

    with pytest.raises(ValueError, match="no search"):
        search_nulls(s, fails, nulls=4, seed=9, threads=2)
    assert search_nulls(s, fails, nulls=0, seed=9) == []


def test_later_null_models_of_a_seed_are_those_of_a_longer_search() -> None:
    s, people = noise(2, 500), strangers(2, 500)
    whole = search_nulls(s, partial(search, people), nulls=3, seed=9)
    parts = search_nulls(s, partial(search, people), nulls=2, seed=9)
    parts += search_nulls(s, partial(search, people), nulls=1, seed=9, after=2)
    for (strength, _), (other, _) in zip(whole, parts, strict=True):
        assert np.array_equal(strength, other)


def test_few_rings_beyond_chance_among_many_get_the_null_models_that_they_need() -> None:
    strength = np.array([20.0, 19.0, 18.0, *np.linspace(0.0, 5.0, 25)])
    null = (np.array([6.0, 2.0]), np.array([0.98, 0.8]))
    score = 1.0 / (1.0 + np.exp2(-strength))
    more = how_many_more(strength, score, [null] * 3)
    assert more == 3
    assert significance(strength, score, [null] * 3).q[:3].min() > LISTED_Q
    assert significance(strength, score, [null] * (3 + more)).q[:3].max() <= LISTED_Q
    # Nothing is beyond chance, or there are enough already.
    assert how_many_more(np.zeros(4), np.full(4, 0.5), [null] * 3) == 0
    assert how_many_more(strength, score, [null] * 19) == 0


def test_an_interrupt_ends_the_search_before_the_next_null_model() -> None:
    calls = []

    def interrupted(sightings: Sightings, lives: NDArray[np.int64]) -> Found:
        calls.append(1)
        # Once: a second one, from a null model that was on its way, could come after the test.
        if len(calls) == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return np.zeros(0), np.zeros(0)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            search_nulls(noise(2, 300), interrupted, nulls=200, seed=9)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(calls) < 200


# Worlds.


def planted(s: Sightings, ring: NDArray[np.int64], kinds: tuple[str, ...]) -> Sightings:
    """The world with one more identifier of each of these kinds, which the accounts of the ring share."""
    new = len(kinds) * len(ring)
    identifier = np.concatenate((s.identifier, len(s.kind) + np.repeat(np.arange(len(kinds)), len(ring))))
    account = np.concatenate((s.account, np.tile(ring, len(kinds))))
    order = np.lexsort((account, identifier))
    times = {"count": 50, "most": 50, "first": 0, "last": 0}
    columns: dict[str, Any] = {
        name: np.concatenate((getattr(s, name), np.full(new, value, np.int64)))[order] for name, value in times.items()
    }
    return replace(
        s,
        account=account[order].astype(np.int32),
        identifier=identifier[order].astype(np.int32),
        kind=np.concatenate((s.kind, [s.kinds.index(kind) for kind in kinds])).astype(np.int16),
        ceiling=np.append(s.ceiling, [np.inf] * len(kinds)),
        rivals=np.append(s.rivals, [0] * len(kinds)),
        **columns,
    )


def test_a_planted_ring_is_no_chance() -> None:
    s, people = noise(3, density=0.05), strangers(3)
    ring = np.arange(100, 115)
    people.created[ring] = people.created[ring[0]]
    people.rhythm[ring] = 0.0
    # They live alike: nine ranks next to each other.
    s.behaviour[ring] = s.behaviour[ring[0]] * (1 + np.arange(len(ring))[:, None] / 1_000)
    found = judged(planted(s, ring, ("device", "ip", "payment", "prompt:worked")), people, nulls=19)
    assert found.q.min() <= 0.05
    assert found.by_chance <= 0.5
    assert judged(noise(3, density=0.05), strangers(3), nulls=19).q.min() > 0.05


def test_noise_shows_no_rings_beyond_chance() -> None:
    # `make test-deep` looks at a hundred. Whatever their score: each may err in one of twenty.
    worlds = range(10)
    shown = [seed for seed in worlds if (judged(noise(seed), strangers(seed), nulls=19).q <= 0.05).any()]
    assert len(shown) <= 2, shown


# The command's way.


def small(path: Path) -> Path:
    own: list[dict[str, Any]] = [{"account_id": f"other{n:03}", "payment_id": f"own{n}"} for n in range(200)]
    devices = [{"account_id": f"other{n:03}", "device_id": f"d{n}", "at": START} for n in range(200)]
    return make_case(
        path,
        accounts=[*accounts("ring", 8), *accounts("other", 200)],
        payments=[*payments("ring", 8, "card"), *own],
        logins=[*logins("ring", 8, device_id="phone"), *devices],
    )


def test_detect_keeps_q_values_and_what_they_rest_on(tmp_path: Path) -> None:
    case = small(tmp_path / "c.duckdb")
    report = detect(case, nulls=24)
    (ring,) = results.rings(case)
    assert ring.q_value == 0.04
    (run,) = results.runs(case)
    kept = {name: run.parameters[name] for name in ("nulls", "q_floor", "by_chance")}
    assert kept == {"nulls": 24, "q_floor": 0.04, "by_chance": 0.0}
    assert (report.nulls, report.q_floor, report.by_chance, report.unsure) == (24, 0.04, 0.0, 0)
    # With three null models one ring alone can never be told from chance.
    assert detect(case, nulls=3).unsure == 1
    (ring,) = results.rings(case, unlisted=True)
    assert (ring.listed, ring.q_value, ring.score >= 0.5) == (False, 0.25, True)
    detect(case, nulls=0)
    (ring,) = results.rings(case)
    assert (ring.listed, ring.q_value) == (True, None)
    with pytest.raises(UsageError, match="null models"):
        detect(case, nulls=-1)


def test_threads_and_row_order_change_no_q_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for threads in ("1", "2"):
        monkeypatch.setenv("LINKAGE_THREADS", threads)
        case = tmp_path / f"{threads}.duckdb"
        # Null models follow the order of identifiers, which follows the key where values are hashed.
        (tmp_path / f"{threads}.duckdb.key").write_text("same key")
        files = sorted(path for path in FOLDER.iterdir() if path.name not in ("truth.csv", "world.json"))
        ingest(files if threads == "1" else files[::-1], case)
        detect(case, nulls=4)
        found.append(everything(case))
    assert found[0] == found[1]
    assert all(row[3] is not None for row in found[0][0])


@pytest.fixture(scope="module")
def fingerprint_case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world whose prompts are fingerprints, one of which is allowed that one account sends, and most often."""
    base = tmp_path_factory.mktemp("fingerprints")
    simulate(base / "world", world="mix", accounts=3_000, seed=7, prompts="fingerprint", format="parquet")
    case = base / "c.duckdb"
    ingest([base / "world"], case)
    with store.reading(case) as con:
        ((account, value),) = con.execute(
            """SELECT any_value(account_id), prompt_fingerprint FROM exchanges GROUP BY prompt_fingerprint
            HAVING count(DISTINCT account_id) = 1 ORDER BY count(*) DESC, 2 LIMIT 1"""
        ).fetchall()
        ((often,),) = con.execute(
            """SELECT max(n) FROM (SELECT count(*) AS n FROM exchanges WHERE account_id = ?
            GROUP BY prompt_fingerprint)""",
            [account],
        ).fetchall()
    with store.writing(case) as con:
        con.execute(
            """INSERT INTO exchanges (command, account_id, "at", prompt_fingerprint)
            SELECT 1, ?, TIMESTAMP '2026-01-20', ? FROM range(?)""",
            [account, value, often],
        )
    allow(case, "prompt", value, reason="ours", by="ann")
    return case


@pytest.mark.parametrize("name", ["sample_case", "fingerprint_case"])
def test_neither_parts_nor_what_is_left_out_without_null_models_change_the_sightings(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    case: Path = request.getfixturevalue(name)
    found, activity = [], []
    for alone, grouped in product((True, False), (1, 10**6)):
        monkeypatch.setattr(sys.modules["linkage.identify"], "GROUPED", grouped)
        with store.scratch(case, in_memory=True) as con:
            found.append(identify(con, case, alone=alone))
            tables = {table for (table,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
            activity.append(con.execute("SELECT * FROM activity ORDER BY account_id").fetchall())
        assert ("alone" in tables) is alone
        assert ("lone" in tables) is (not alone and name == "fingerprint_case")
        assert {"shared", "sightings"} <= tables
    assert len(found[0].alone.account) > len(found[-1].alone.account) == 0
    for field in fields(Sightings):
        for at, other in enumerate(found[1:], start=1):
            if field.name != "alone":
                same = getattr(found[0], field.name), getattr(other, field.name)
                assert np.array_equal(*same, equal_nan=field.name == "behaviour"), (field.name, at)
    assert activity[1:] == activity[:1] * 3
