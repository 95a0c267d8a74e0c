"""Ring ids, scores and sentences."""

from dataclasses import fields, replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.candidates import Candidates
from linkage.evidence import group_evidence, weigh
from linkage.identify import BEHAVIOURS
from linkage.rings.explain import Facts, Shared, doubts, why
from linkage.rings.features import Features
from linkage.rings.members import bridges
from linkage.rings.profile import daily_rhythm
from linkage.rings.score import BASE, FACTORS, KNOWN_LIVES, score
from tests.cases import sightings


def features(*, lives: float = 0.0, **known: float) -> Features:
    """One group of 10 accounts about which nothing is known but `known`; `place_…` and `alike_…` by behaviour.

    Args:
        lives: how far it is known of all accounts how they live.
        known: features by name.
    """
    values: dict[str, object] = {}
    for field in fields(Features):
        zero = ("net", "second", "costly", "work", "burst", "handoff", "balance", "verified", "banned")
        empty = 0.0 if field.name in zero else np.nan
        values[field.name] = np.array([known.get(field.name, empty)])
    for name, empty in (("place", np.nan), ("alike", 0.0)):
        values[name] = {at: np.array([known.get(f"{name}_{at}", empty)]) for at in BEHAVIOURS}
    values["size"] = np.array([known.get("size", 10.0)])
    values["created_spread_all"] = known.get("created_spread_all", 200.0)
    values["banned_all"] = known.get("banned_all", 0.01)
    values["lives_all"] = lives
    return Features(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(("lives", "base"), [(0.0, BASE), (1.0, BASE + KNOWN_LIVES)])
def test_a_group_about_which_nothing_is_known_scores_below_the_line(lives: float, base: float) -> None:
    scores = score(features(lives=lives))
    assert scores.factors["base"][0] == base
    assert scores.score[0] < 0.5


@pytest.mark.parametrize(
    ("factor", "more"),
    [
        ("ties", {"net": 8.0}),
        ("kinds", {"second": 6.0}),
        ("costly", {"costly": 1.0, "reach": 10.0}),
        ("size", {"size": 40.0}),
        ("prompts", {"own_prompts": 0.4}),
        ("work", {"work": 2.0}),
        ("bursts", {"burst": 0.7}),
        ("handoffs", {"handoff": 0.7}),
        ("balance", {"balance": 0.7}),
        ("sign_ups", {"alike_signed_up": 3.0}),
        ("alike", {"alike_volume": 1.0, "alike_adopted": 1.0}),
        ("banned", {"banned": 0.5}),
        ("round_the_clock", {"place_rhythm": -0.4}),
        ("new_model", {"place_adopted": -0.3, "place_switched": 0.3}),
        ("volume", {"place_volume": 0.3}),
        ("young", {"place_signed_up": 0.3}),
    ],
)
def test_what_speaks_for_a_ring_raises_its_score(factor: str, more: dict[str, float]) -> None:
    scores = score(features(**more))
    assert scores.factors[factor][0] > 0
    assert scores.score[0] > score(features()).score[0]


@pytest.mark.parametrize(
    ("factor", "more"),
    [
        ("network_only", {"beyond_network": 0.0}),
        ("daily_rhythm", {"place_rhythm": 0.2}),
        ("slow_to_change", {"place_adopted": 0.2, "place_switched": -0.2}),
        ("own_words", {"own_prompts": 0.0}),
        ("tenure", {"place_signed_up": -0.3}),
        ("household", {"size": 4.0, "same_network": 1.0}),
        ("organisation", {"verified": 0.9}),
    ],
)
def test_what_speaks_against_a_ring_lowers_its_score(factor: str, more: dict[str, float]) -> None:
    scores = score(features(**more))
    assert scores.factors[factor][0] < 0
    assert scores.score[0] < score(features(size=more.get("size", 10.0))).score[0]


@pytest.mark.parametrize("factor", ["kinds", "costly", "own_words"])
def test_where_lives_are_known_what_is_shared_says_nothing_of_why(factor: str) -> None:
    more = {"second": 6.0, "costly": 1.0, "reach": 10.0, "own_prompts": 0.0}
    assert score(features(**more)).factors[factor][0] != 0
    assert score(features(lives=1.0, **more)).factors[factor][0] == 0


def test_what_an_innocent_reason_outweighs_is_explained_and_no_longer_below_the_line() -> None:
    ring = {"net": 8.0, "second": 6.0, "costly": 1.0, "reach": 10.0, "own_prompts": 0.1}
    assert not score(features(**ring)).explained[0]
    verified = score(features(verified=1.0, **ring))
    assert verified.explained[0]
    assert verified.linked[0] >= 0.5
    assert verified.score[0] < score(features(**ring)).score[0]
    # Too weak to be a ring without the reason: it is explained by nothing, since there is nothing to explain.
    assert not score(features(verified=1.0)).explained[0]


def test_every_factor_is_bounded_and_named_once() -> None:
    names = [factor.name for factor in FACTORS]
    assert len(set(names)) == len(names)
    for extreme in (-1e9, 0.0, 1e9):
        shares = {"costly", "burst", "handoff", "balance", "banned", "verified", "own_prompts", "rhythm"}
        known = {f.name: float(np.clip(extreme, 0, 1)) if f.name in shares else extreme for f in fields(Features)}
        known |= {f"place_{at}": float(np.clip(extreme, -0.5, 0.5)) for at in BEHAVIOURS}
        known |= {f"alike_{at}": extreme for at in BEHAVIOURS}
        for lives in (0.0, 1.0):
            for factor in FACTORS:
                with np.errstate(all="ignore"):
                    bits = factor.bits(features(lives=lives, **known))[0]
                assert abs(bits) <= 5
                assert bits <= 0 or not factor.innocent


@given(st.lists(st.integers(0, 50), min_size=8, max_size=8), st.integers(0, 7))
def test_turning_the_clock_changes_no_rhythm(counts: list[int], hours: int) -> None:
    plain = np.array([counts], dtype=np.float64)
    assert daily_rhythm(np.roll(plain, hours, axis=1)) == pytest.approx(daily_rhythm(plain), nan_ok=True)


def facts(**known: object) -> Facts:
    base: dict[str, object] = {
        "size": 7, "own_prompts": None, "uses": 20.0, "burst": 0.0, "handoff": 0.0, "balance": 0.0,
        "created_spread": None, "banned": 0, "rhythm": None, "age": None, "verified": 0.0,
    }  # fmt: skip
    return Facts(**{**base, **known})  # type: ignore[arg-type]


def test_why_reads_like_a_sentence_and_starts_with_the_strongest_tie() -> None:
    shared = [Shared("device", 1, 7, 0, 4.0), Shared("payment", 3, 5, 2, 9.0), Shared("ip_net", 2, 3, 0, 0.01)]
    text = why(facts(own_prompts=0.62, banned=2), shared, {"prompts": 3.0, "banned": 1.0}, explained=False)
    assert text == (
        "7 accounts share 3 payment methods (one at 5 of them) and one device (7 of them). "
        "62% of their prompts are shared among them and rare elsewhere and 2 of them are banned or suspended already."
    )


def test_doubts_are_empty_when_nothing_speaks_for_innocence() -> None:
    assert doubts(facts(), [Shared("payment", 3, 5, 2, 9.0)], {"kinds": 1.0}) == ""
    text = doubts(facts(), [Shared("ip", 1, 5, 60, 9.0)], {"network_only": -4.0, "daily_rhythm": -1.0})
    assert text.startswith("They share nothing but addresses")
    assert "daily rhythm" in text
    assert "outside" in text


@pytest.mark.parametrize("seed", range(12))
def test_bridges_are_those_of_networkx(seed: int) -> None:
    rng = np.random.default_rng(seed)
    accounts = int(rng.integers(8, 60))
    seen = {
        (f"a{a:02}", "payment", f"v{v}") for a, v in zip(*rng.integers(0, accounts, (2, 2 * accounts)), strict=True)
    }
    s = sightings(sorted(seen))
    weighed, labels = weigh(s), rng.integers(-1, 2, s.accounts)
    # Whether a sighting counts for anything is drawn: ties of a group need not hold it together.
    credit = np.where(labels[s.account] >= 0, rng.random(len(s.account)) < 0.8, 0).astype(np.float64)
    evidence = replace(group_evidence(weighed, labels), credit=credit)
    found = bridges(weighed, Candidates(labels, evidence, np.ones(s.accounts), 0, 0))
    expected = np.zeros(s.accounts, np.bool_)
    for group in range(2):
        rows = np.flatnonzero((credit > 0) & (labels[s.account] == group))
        if (labels == group).sum() < 4:
            continue
        ties = nx.Graph(
            [(("a", int(a)), ("v", int(v))) for a, v in zip(s.account[rows], s.identifier[rows], strict=True)]
        )
        for kind, account in nx.articulation_points(ties):
            rest = nx.restricted_view(ties, [(kind, account)], [])
            sizes = [sum(node[0] == "a" for node in part) for part in nx.connected_components(rest)]
            if kind == "a" and sum(size > 1 for size in sizes) > 1:
                expected[account] = True
    assert found.tolist() == expected.tolist()
