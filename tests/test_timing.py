"""Bursts, hand-offs and balanced loads: planted pools, innocent twins, and what the null model promises."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from linkage import store
from linkage.detect import detect
from linkage.evidence import weigh
from linkage.timing import Events, Finding, find
from linkage.timing.channels import Rows, _repeated
from linkage.timing.permute import against_chance, choices
from linkage.timing.work import HOUR, traffic
from tests.cases import make_case, sightings

ROOT = Path(__file__).resolve().parent.parent
SEEDS = 6


def _worlds() -> ModuleType:
    spec = importlib.util.spec_from_file_location("timing_worlds", ROOT / "benchmarks" / "timing.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["timing_worlds"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


worlds = _worlds()


def content(findings: list[Finding], events: Events) -> list[tuple[Any, ...]]:
    """What is said of each finding, by name, so that numbering does not matter."""
    return sorted(
        (f.kind, f.value, f.sentence, round(f.bits, 6), *sorted(zip((events.accounts[a] for a in f.account),
        f.count.tolist(), f.first.tolist(), f.last.tolist(), strict=True)))
        for f in findings
    )  # fmt: skip


@pytest.mark.parametrize("name", list(worlds.POOLS))
def test_planted_pools_are_found(name: str) -> None:
    kind, plant, _ = worlds.POOLS[name]
    hits = 0
    for seed in range(SEEDS):
        world, events = worlds.made(plant, seed)
        findings = find(events)
        hits += worlds.found(findings, kind, world.pool)
        for finding in findings:
            assert set(finding.account.tolist()) & set(world.pool)
            assert finding.p_value == pytest.approx(2.0**-finding.bits)
            assert finding.bits >= 10
            assert (finding.first <= finding.last).all()
            assert (finding.count >= 3).all()
    assert hits >= SEEDS - 1


@pytest.mark.parametrize("name", list(worlds.TWINS))
def test_innocent_twins_are_left_alone(name: str) -> None:
    for seed in range(SEEDS):
        assert find(worlds.made(worlds.TWINS[name], seed)[1]) == []


@pytest.mark.parametrize("name", list(worlds.POOLS))
def test_row_order_and_the_numbering_of_works_change_nothing(name: str) -> None:
    _, events = worlds.made(worlds.POOLS[name][1], 3)
    before = find(events)
    assert before
    rng = np.random.default_rng(5)
    order, deal = rng.permutation(len(events.at)), rng.permutation(len(events.works))
    names = [""] * len(deal)
    for old, new in enumerate(deal):
        names[new] = events.works[old]
    shuffled = replace(
        events,
        account=events.account[order],
        work=deal[events.work[order]].astype(np.int32),
        at=events.at[order],
        works=names,
    )
    after = find(shuffled)
    assert [(f.kind, f.account.tolist(), f.count.tolist()) for f in sorted(after, key=lambda f: f.kind)] == [
        (f.kind, f.account.tolist(), f.count.tolist()) for f in sorted(before, key=lambda f: f.kind)
    ]
    again = replace(events, account=events.account[order], work=events.work[order], at=events.at[order])
    assert content(find(again), events) == content(before, events)


def pool(size: int, times: int, *, seed: int = 1) -> tuple[list[tuple[int, float]], np.random.Generator]:
    """(account, second) of a pool that fires together at irregular times within three weeks."""
    rng = np.random.default_rng(seed)
    moments = np.sort(rng.uniform(0, 21 * 86_400, times))
    return [(who, m + rng.uniform(0, 40)) for m in moments for who in range(size)], rng


def events_of(rows: list[tuple[int, float]], accounts: int, org: list[int] | None = None) -> Events:
    return Events(
        account=np.array([who for who, _ in rows], np.int32),
        work=np.zeros(len(rows), np.int32),
        at=np.array([int((1.7e9 + at) * 1e6) for _, at in rows], np.int64),
        org=np.array(org or [-1] * accounts, np.int64),
        accounts=[f"a{n:03}" for n in range(accounts)],
        works=["template"],
    )


def test_who_took_part_once_is_not_in_the_burst() -> None:
    rows, rng = pool(6, 20)
    rows += [(6, rows[0][1] + 5)]
    rows += [(who, at) for who in range(6, 40) for at in rng.uniform(0, 21 * 86_400, 8)]
    (finding,) = find(events_of(rows, 40))
    assert (finding.kind, finding.account.tolist()) == ("burst", [0, 1, 2, 3, 4, 5])
    assert finding.count.tolist() == [20] * 6
    assert finding.sentence.startswith("6 accounts sent the same template within a minute of each other 120 times;")


def test_accounts_of_one_verified_organisation_are_no_evidence_against_each_other() -> None:
    rows, _ = pool(6, 20)
    assert len(find(events_of(rows, 6))) == 1
    assert find(events_of(rows, 6, [4] * 6)) == []
    # Of two organisations and three others, the others stay; an organisation of one account is an account.
    (mixed,) = find(events_of(rows, 6, [4, 4, -1, -1, -1, 5]))
    assert mixed.account.tolist() == [2, 3, 4, 5]


def test_a_pool_at_the_same_minute_of_every_day_is_explained_by_the_clock() -> None:
    rows = [(who, day * 86_400.0 + 9 * 3600 + who) for day in range(21) for who in range(8)]
    assert find(events_of(rows, 8)) == []


def test_a_day_together_is_no_burst() -> None:
    rng = np.random.default_rng(2)
    moments = 9 * 3600 + np.sort(rng.uniform(0, 8 * 3600, 12))
    assert find(events_of([(who, m + rng.uniform(0, 40)) for m in moments for who in range(20)], 20)) == []


def test_chance_reaches_b_bits_in_at_most_one_of_2_to_the_b_worlds() -> None:
    # Markov's inequality holds for each window length and each group: here for three streams that are all there is.
    rng = np.random.default_rng(7)
    reached = []
    for _ in range(300):
        rows = [(who, at) for who in range(3) for at in rng.uniform(0, 5 * 86_400, 40)]
        ready = traffic(events_of(rows, 3))
        one = np.ones(len(ready.second), np.int8)
        streams = _repeated(
            Rows(ready.work, ready.actor, ready.second // HOUR, ready.position, ready.second, one, one, ready.position),
            3,
        )
        assert len(streams.actor) == 3
        reached.append(against_chance(streams, np.arange(3), 300).chain)
    for bits in (1, 2, 4):
        assert np.mean(np.array(reached) >= bits) <= 2.0**-bits
    assert np.std(reached) > 0


def test_choosing_some_of_many_costs_bits() -> None:
    assert choices(300, 3) == pytest.approx(np.log2(300 * 299 * 298 / 6))


def test_empty_and_lonely_traffic_has_no_findings() -> None:
    assert find(events_of([], 3)) == []
    assert find(events_of([(0, float(at)) for at in range(0, 90_000, 60)], 1)) == []


def test_an_identifier_is_worth_no_more_than_its_own_test_bears() -> None:
    seen = sightings([(f"a{n}", "burst", "b") for n in range(4)])
    free = weigh(seen)
    capped = weigh(replace(seen, ceiling=np.array([3.0])))
    assert free.bits[0] > 10
    assert (free.bits[0] * free.habit).tolist() == pytest.approx([free.bits[0]] * 4)
    assert (capped.bits[0] * capped.habit).tolist() == pytest.approx([3.0] * 4)


@pytest.mark.parametrize("name", ["handoff", "balance"])
def test_a_pool_reaches_the_rings_with_its_sentence(name: str, tmp_path: Path) -> None:
    kind, plant, _ = worlds.POOLS[name]
    world, events = worlds.made(plant, 8)
    case = make_case(tmp_path / "c.duckdb", accounts=[{"account_id": name} for name in events.accounts])
    rows = {
        "account_id": np.array(events.accounts, dtype=object)[events.account],
        "at": events.at,
        "prompt": np.array(events.works, dtype=object)[events.work],
    }
    with store.writing(case) as con:
        con.register("rows", rows)
        con.execute(
            """INSERT INTO exchanges (command, account_id, "at", prompt_fingerprint)
            SELECT 1, account_id, make_timestamp("at"), prompt FROM rows"""
        )
    detect(case)
    with store.reading(case) as con:
        shared = con.execute("SELECT value, label, accounts FROM shared WHERE kind = ?", [kind]).fetchall()
        members = con.execute("SELECT account_id, ring_id FROM members").fetchall()
        why = dict(con.execute("SELECT ring_id, why FROM rings").fetchall())
    assert any("accounts" in label for _, label, _ in shared)
    planted = {events.accounts[who] for who in world.pool}
    inside = {account: ring for account, ring in members if account in planted}
    assert len(inside) >= len(planted) / 2
    phrase = {"handoff": "job that stopped on another", "balance": "carry one load"}[name]
    assert any(phrase in why[ring] for ring in inside.values())
