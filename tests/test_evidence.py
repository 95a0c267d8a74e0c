"""The formulas of `linkage.evidence`, against oracles and as properties."""

import math
from collections import Counter
from dataclasses import replace
from itertools import combinations, pairwise
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from linkage.evidence import (
    PARTNERS,
    SCEPTIC,
    Likeness,
    group_evidence,
    group_ties,
    hubs,
    pair_edges,
    pair_prior,
    saturate,
    weigh,
    weights,
)
from linkage.evidence.condense import condense
from linkage.evidence.likeness import CELLS
from linkage.evidence.pairs import Edges
from linkage.evidence.weights import POPULATION_FLOOR, Weighed, nearness
from linkage.identify import Sightings
from linkage.model import kind_of
from linkage.why import add_up
from tests.cases import sightings

KINDS = ("payment", "device", "ip", "ip_net", "prompt", "user_agent", "tax_id")

rows = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(KINDS), st.sampled_from(["1", "2", "3"])),
    min_size=1,
    max_size=40,
    unique=True,
)


def pair_bits(found: Edges) -> dict[tuple[int, int], float]:
    return {(int(a), int(b)): float(w) for a, b, w in zip(*found, strict=True)}


@given(rows)
def test_sightings_are_sorted_by_account_family_kind_and_identifier(seen: list[tuple[str, str, str]]) -> None:
    weighed = weigh(sightings(seen))
    s = weighed.sightings
    kind = s.kind[s.identifier]
    order = np.lexsort((s.identifier, kind, weighed.kind_family[kind], s.account))
    assert weighed.account_order.tolist() == order.tolist()
    assert weighed.by_account.tolist() == np.searchsorted(s.account[order], np.arange(s.accounts + 1)).tolist()


@given(rows, st.lists(st.integers(1, 9), min_size=40, max_size=40), st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_a_group_is_seen_with_a_value_as_often_as_its_members(
    seen: list[tuple[str, str, str]], counts: list[int], groups: list[int]
) -> None:
    weighed = weigh(sightings(seen, counts[: len(seen)]))
    s = weighed.sightings
    labels = np.unique(groups[: s.accounts], return_inverse=True)[1].astype(np.int64)
    nodes = int(labels.max()) + 1
    made = condense(weighed, labels, np.ones(nodes, np.bool_), most=3).sightings
    uses: dict[tuple[int, int], list[int]] = {}
    for at in range(len(s.account)):
        uses.setdefault((int(s.identifier[at]), int(labels[s.account[at]])), []).append(at)
    holders = Counter(identifier for identifier, _ in uses)
    kept = sorted(identifier for identifier, held in holders.items() if 1 < held <= 3)
    wanted = [(kept.index(i), node, ats) for (i, node), ats in sorted(uses.items()) if i in kept]
    assert list(zip(made.identifier.tolist(), made.account.tolist(), strict=True)) == [row[:2] for row in wanted]
    for name, put_together in (("count", sum), ("most", sum), ("first", min), ("last", max)):
        of_row = getattr(s, name)
        assert getattr(made, name).tolist() == [put_together(of_row[row[2]].tolist()) for row in wanted]


def test_sharing_one_value_is_worth_the_prior_at_reliability_times_partners_accounts() -> None:
    partners = int(kind_of("device").reliability * PARTNERS)
    weighed = weigh(sightings([(f"a{n:03}", "device", "d") for n in range(partners)]))
    assert weighed.bits[0] == pytest.approx(pair_prior(weighed.population))


@given(rows, st.lists(st.integers(1, 1000), min_size=40, max_size=40))
@settings(deadline=None, max_examples=60)
def test_the_pair_kernel_agrees_with_the_plain_sum_that_why_shows(
    seen: list[tuple[str, str, str]], counts: list[int]
) -> None:
    s = sightings(seen, counts[: len(seen)])
    weighed = weigh(s)
    kernel = pair_bits(pair_edges(weighed, hub_degree=100))
    worth = {
        (int(a), int(i)): float(weighed.bits[i] * h)
        for a, i, h in zip(s.account, s.identifier, weighed.habit, strict=True)
    }
    for a, b in combinations(range(s.accounts), 2):
        shared: list[tuple[str, str, str | None, int, float]] = [
            (s.kinds[s.kind[i]], str(i), None, 2, min(worth[a, i], worth[b, i]))
            for i in range(len(s.kind))
            if (a, i) in worth and (b, i) in worth
        ]
        assert kernel.get((a, b), 0.0) == pytest.approx(add_up(shared)[1])


@given(st.lists(st.floats(0.01, 40), min_size=1, max_size=8), st.floats(0.01, 40))
def test_one_more_value_of_a_kind_never_lowers_and_never_doubles(bits: list[float], more: float) -> None:
    before, after = (saturate(max(values), sum(values)) for values in (bits, [*bits, more]))
    assert after >= before - 1e-9
    assert max(bits) - 1e-9 <= before <= 2 * max(bits)


@given(
    st.lists(
        st.tuples(st.sampled_from(KINDS), st.sampled_from(["x", "y"]), st.just(None), st.just(2), st.floats(0, 30)),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(KINDS),
    st.floats(0, 30),
)
def test_one_more_shared_identifier_never_lowers_a_pairs_bits(
    shared: list[tuple[str, str, str | None, int, float]], kind: str, bits: float
) -> None:
    assert add_up([*shared, (kind, "z", None, 2, bits)])[1] >= add_up(list(shared))[1] - 1e-9


def test_what_anyone_can_fake_links_nobody_by_itself_and_at_most_doubles_the_rest() -> None:
    faked = [("a", "prompt", "p"), ("b", "prompt", "p"), ("a", "user_agent", "u"), ("b", "user_agent", "u")]
    assert pair_bits(pair_edges(weigh(sightings(faked)), 100)) == {}
    firm = [("a", "ip", "1"), ("b", "ip", "1")]
    alone = pair_bits(pair_edges(weigh(sightings(firm)), 100))[0, 1]
    both = pair_bits(pair_edges(weigh(sightings(faked + firm)), 100))[0, 1]
    assert alone < both <= 2 * alone


def test_a_network_never_adds_to_its_own_address() -> None:
    address = [("a", "ip", "8.8.8.8"), ("b", "ip", "8.8.8.8")]
    network = [("a", "ip_net", "8.8.8.0/24"), ("b", "ip_net", "8.8.8.0/24")]
    with_network = pair_bits(pair_edges(weigh(sightings(address + network)), 100))
    assert with_network == pair_bits(pair_edges(weigh(sightings(address)), 100))
    # Neighbours are not partners: a network alone ties nobody.
    assert not pair_bits(pair_edges(weigh(sightings(network)), 100))


def test_a_brush_carries_less_than_a_habit() -> None:
    seen = [("a", "ip", "1"), ("b", "ip", "1"), ("a", "ip", "2"), ("c", "ip", "2")]
    weighed = weigh(sightings(seen, [10_000, 5, 1, 5]))
    edges = pair_bits(pair_edges(weighed, 100))
    assert edges[0, 2] < 0.1 * edges[0, 1]


def test_the_same_address_an_hour_apart_is_evidence_and_years_apart_is_not() -> None:
    seen = sightings([("a", "ip", "1"), ("b", "ip", "1"), ("a", "ip", "2"), ("c", "ip", "2"), ("d", "ip", "2")])
    hour, year = 3_600_000_000, 365 * 86_400_000_000
    times = np.array([0, hour, 0, 3 * year, 3 * year + hour], dtype=np.int64)
    edges = pair_bits(pair_edges(weigh(replace(seen, first=times, last=times)), 100))
    plain = pair_bits(pair_edges(weigh(seen), 100))
    assert edges[0, 1] == plain[0, 1]
    assert plain[0, 2] > 0
    assert (0, 2) not in edges
    assert (0, 3) not in edges
    assert edges[2, 3] == plain[2, 3]


def test_accounts_that_share_nothing_change_no_weight() -> None:
    ring = [(f"a{n}", "payment", "card") for n in range(4)]
    loners = [(f"z{n}", "device", f"own{n}") for n in range(500)]
    few, many = weigh(sightings(ring)), weigh(sightings(ring + loners))
    assert few.population == many.population == POPULATION_FLOOR
    assert pair_bits(pair_edges(few, 100)) == pair_bits(pair_edges(many, 100))


def test_a_hub_forms_no_clique_but_ties_its_holders_loosely_and_stands_in_the_ledger() -> None:
    weighed = weigh(sightings([(f"a{n:04}", "ip", "nat") for n in range(500)]))
    edges = pair_bits(pair_edges(weighed, hub_degree=100))
    assert 0 < len(edges) <= 500 * 6
    (line,) = hubs(weighed, 100)
    assert (line.accounts, line.pairs_spared) == (500, 500 * 499 // 2)
    assert line.bits_alone < 0
    assert hubs(weighed, 500) == []


@pytest.mark.parametrize("holders", [3, 4, 5, 7, 12, 13, 40])
def test_a_hub_ties_no_account_to_itself_and_no_pair_twice(holders: int) -> None:
    u, v, _ = pair_edges(weigh(sightings([(f"a{n:04}", "payment", "card") for n in range(holders)])), hub_degree=2)
    pairs = list(zip(u.tolist(), v.tolist(), strict=True))
    assert pairs
    assert all(a < b for a, b in pairs)
    assert len(set(pairs)) == len(pairs)


@given(
    rows,
    st.lists(st.integers(-1, 2), min_size=8, max_size=8),
    st.lists(st.integers(1, 50), min_size=40, max_size=40),
    st.sampled_from([2, 3, 5, 100]),
)
@settings(deadline=None, max_examples=100)
def test_group_evidence_agrees_with_the_formula_written_out(
    seen: list[tuple[str, str, str]], groups: list[int], counts: list[int], crowd: int
) -> None:
    with patch.object(weights, "CROWD", crowd):
        _agrees(sightings(seen, counts[: len(seen)]), groups)


def _agrees(s: Sightings, groups: list[int]) -> None:
    weighed = weigh(s)
    labels = np.array(groups[: s.accounts], dtype=np.int64)
    found = group_evidence(weighed, labels)
    net, explained = group_ties(weighed, labels)
    assert net.tolist() == found.net.tolist()
    assert explained.tolist() == found.explained.tolist()
    for account in range(s.accounts):
        assert found.net[account] == pytest.approx(_net(weighed, labels, account))
    inside = labels >= 0
    credits = np.bincount(s.account, found.credit, minlength=s.accounts) if len(s.account) else np.zeros(s.accounts)
    sizes = np.bincount(labels[inside], minlength=3) if inside.any() else np.zeros(3)
    for account in np.flatnonzero(inside).tolist():
        priors = [math.log2(weighed.population / (PARTNERS + size)) for size in (0, sizes[labels[account]])]
        assert any(credits[account] == pytest.approx(found.net[account] + prior) for prior in priors)


def _net(weighed: Weighed, labels: NDArray[np.int64], account: int) -> float:
    s = weighed.sightings
    if labels[account] < 0:
        return 0.0
    members = set(np.flatnonzero(labels == labels[account]).tolist())
    holders: dict[int, set[int]] = {}
    for a, i in zip(s.account.tolist(), s.identifier.tolist(), strict=True):
        holders.setdefault(i, set()).add(a)
    return max(_by_one_way(weighed, account, members, holders, pairwise=pairwise) for pairwise in (False, True))


def _by_one_way(
    weighed: Weighed, account: int, members: set[int], holders: dict[int, set[int]], *, pairwise: bool
) -> float:
    s = weighed.sightings
    # Of each kind: all sightings of what a crowd has, and the group's where others are at least as many.
    crowds: Counter[str] = Counter()
    met: Counter[str] = Counter()
    for i, those in holders.items():
        if len(those) > weights.CROWD:
            crowds[s.kinds[s.kind[i]]] += len(those)
            met[s.kinds[s.kind[i]]] += len(those & members) if _of_a_crowd(those, members) else 0
    facts: dict[str, list[float]] = {}
    for at, (a, i) in enumerate(zip(s.account.tolist(), s.identifier.tolist(), strict=True)):
        others = len(holders[i] & members) - 1
        if a != account or others < 1:
            continue
        kind = s.kinds[s.kind[i]]
        expected = len(members) / weighed.population
        if _of_a_crowd(holders[i], members):
            expected = max(expected, met[kind] / crowds[kind])
        ratio = weighed.population / len(holders[i]) if pairwise else others / (len(holders[i]) - 1) / expected
        fact = weighed.habit[at] * math.log2(kind_of(kind).reliability * ratio)
        if fact > (math.log2(weighed.population / PARTNERS) if pairwise else 0):
            facts.setdefault(kind, []).append(fact)
    worth = {kind: saturate(max(values), sum(values)) for kind, values in facts.items()}
    hard = soft = 0.0
    for family in {kind_of(kind).family for kind in worth}:
        firm = [w for k, w in worth.items() if kind_of(k).family == family and not kind_of(k).fakeable]
        faked = [w for k, w in worth.items() if kind_of(k).family == family and kind_of(k).fakeable]
        hard += max(firm, default=0.0)
        soft += max(0.0, max(faked, default=0.0) - max(firm, default=0.0))
    return hard + min(hard, soft) - math.log2(weighed.population / (PARTNERS + (0 if pairwise else len(members))))


def _of_a_crowd(holders: set[int], members: set[int]) -> bool:
    return len(holders) > weights.CROWD and 1 < len(holders & members) <= len(holders) // 2


def test_busy_accounts_are_not_tied_by_meeting_in_every_crowd_alike() -> None:
    # 6,000 accounts have one of 30 phones of a farm each, 12 busy ones have all of them.
    busy = [f"b{n:02}" for n in range(12)]
    phones = [(f"c{n:04}", "device", f"phone{n % 30}") for n in range(6_000)]
    met = weigh(sightings(phones + [(a, "device", f"phone{x}") for a in busy for x in range(30)]))
    labels = np.where(np.arange(met.sightings.accounts) < len(busy), 0, -1).astype(np.int64)
    everywhere = group_evidence(met, labels)
    assert everywhere.net[: len(busy)].max() < -math.log2(met.population / (PARTNERS + 12)) + 1e-9
    # Where they meet in four of the phones alone, they are a greater part of those crowds than of others.
    some = weigh(sightings(phones + [(a, "device", f"phone{x}") for a in busy for x in range(4)]))
    assert group_evidence(some, labels).net[: len(busy)].min() > everywhere.net[: len(busy)].max() + 2.0
    # And what most of the holders share is theirs, whatever else they pass through.
    own = [(a, "device", "own") for a in busy] + [(f"c{n:04}", "device", "own") for n in range(4)]
    theirs = weigh(sightings(phones + [(a, "device", f"phone{x}") for a in busy for x in range(30)] + own))
    assert group_evidence(theirs, labels).net[: len(busy)].min() > 0.0


def test_likeness_to_a_group_is_that_to_each_of_its_members() -> None:
    # Small groups are compared one by one, larger ones by cells: 40 takes the second way, 10 the first.
    rng = np.random.default_rng(5)
    rank = rng.random((50, 3))
    rank[rng.random(rank.shape) < 0.1] = np.nan
    ratio = np.sort(rng.uniform(0.2, 6.0, (3, 7)), axis=1)[:, ::-1]
    likeness = Likeness(rank, ratio, 1.0)
    start = np.array([0, 10, 50])
    found = likeness.group_bits(start, np.arange(50))
    cells = np.minimum(np.nan_to_num(rank) * CELLS, CELLS - 1).astype(int)
    for low, high in pairwise(start.tolist()):
        for at in range(3):
            known = [x for x in range(low, high) if not np.isnan(rank[x, at])]
            for x in range(low, high):
                total = sum(likeness.kernel[at, abs(cells[x, at] - cells[y, at])] for y in known if y != x)
                expected = math.log2((SCEPTIC + total) / (SCEPTIC + len(known) - 1)) if x in known else 0.0
                assert found[x, at] == pytest.approx(expected)


def test_a_gap_is_to_the_nearest_other_use_wherever_the_value_stands() -> None:
    # Values do not touch each other: the last of many is told as exactly as the first.
    day = 86_400_000_000
    use = np.array([0, 3 * day, 10 * day + 1], dtype=np.int64) + 1_700_000_000_000_000
    one = nearness(np.zeros(3, np.int32), use, use + 5, np.full(3, 1.0))
    many = nearness(
        np.repeat(np.arange(5_000, dtype=np.int32), 3),
        np.tile(use, 5_000),
        np.tile(use + 5, 5_000),
        np.full(15_000, 1.0),
    )
    assert many.reshape(-1, 3).tolist() == [one.tolist()] * 5_000
    assert one.tolist() == pytest.approx([1 - math.log(d) / math.log(100) for d in (3, 3, 7)], abs=1e-6)
