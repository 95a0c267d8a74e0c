"""Decisions bind groups: whatever was decided, groups stay a partition that obeys it, and taking back restores."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.rings import Bond, bind

ACCOUNTS = 12


def bond(number: int, verdict: str, accounts: list[int], others: list[int]) -> Bond:
    return Bond(number, verdict, np.array(sorted(accounts), np.int64), np.array(sorted(others), np.int64))


@st.composite
def bonds(draw: st.DrawFn) -> list[Bond]:
    """Decisions on rings of any members, as the evidence of any run may have given them."""
    made = []
    for number in range(1, draw(st.integers(0, 6)) + 1):
        ring = sorted(draw(st.sets(st.integers(0, ACCOUNTS - 1), min_size=2, max_size=8)))
        verdict = draw(st.sampled_from(["ring", "confirm", "dismiss", "split"]))
        if verdict == "ring":
            made.append(bond(number, "confirm", ring, []))
        else:
            named = draw(st.sets(st.sampled_from(ring), min_size=1, max_size=len(ring) - 1))
            made.append(bond(number, verdict, list(named), [a for a in ring if a not in named]))
    return made


def numbered(groups: list[int], least: int = 2) -> np.ndarray:
    """Labels from 0 on by smallest member; groups of fewer accounts than `least`, and group 0, are none."""
    seen: dict[int, int] = {}
    kept = [g if g and groups.count(g) >= least else -1 for g in groups]
    return np.array([-1 if g < 0 else seen.setdefault(g, len(seen)) for g in kept], np.int64)


groups = st.lists(st.integers(0, 4), min_size=ACCOUNTS, max_size=ACCOUNTS)
labels = groups.map(numbered)


def apart(made: list[Bond]) -> set[tuple[int, int]]:
    """Pairs that must be apart, by the words of `bind`: named beside others, and put together by nobody later."""
    latest = {a: at for at, one in enumerate(made) for a in one.accounts.tolist()}

    def together(one: int, two: int, after: int) -> bool:
        at = latest[one]
        beside = made[at]
        if at <= after or beside.verdict == "dismiss":
            return False
        if beside.is_block:
            return latest.get(two) == at
        return two in beside.others

    return {
        (a, b)
        for at, one in enumerate(made)
        if one.verdict != "confirm"
        for a in one.accounts.tolist()
        for b in one.others.tolist()
        if not together(a, b, at) and not (b in latest and together(b, a, at))
    }


@settings(deadline=None, max_examples=200)
@given(groups, bonds(), st.integers(2, 4))
def test_whatever_was_decided_is_obeyed(ties: list[int], made: list[Bond], least: int) -> None:
    before = numbered(ties, least)
    bound = bind(before, made, least)
    after = bound.labels
    # An account has one label, so that it is in one group at most; groups are numbered, and none is too small.
    sizes = np.bincount(after[after >= 0])
    assert (sizes >= least).all()
    firsts = [int(np.flatnonzero(after == group)[0]) for group in range(len(sizes))]
    assert firsts == sorted(firsts)
    for a, b in apart(made):
        assert after[a] < 0 or after[a] != after[b], (a, b)
    latest = {a: at for at, one in enumerate(made) for a in one.accounts.tolist()}
    for at, one in enumerate(made):
        if one.is_block:
            assert len({int(after[a]) for a in one.accounts.tolist() if latest[a] == at}) <= 1
    # Nobody moves but by a decision that names somebody of the group, and who came in is in by one that names it.
    for account in np.flatnonzero(bound.joined).tolist():
        assert account in made[int(bound.joined[account]) - 1].accounts
    named = {a for one in made for a in (*one.accounts.tolist(), *one.others.tolist())}
    touched = {int(before[a]) for a in named} - {-1}
    for group in set(before.tolist()) - touched - {-1}:
        mine = np.flatnonzero(before == group)
        assert len(set(after[mine].tolist())) == 1 and after[mine[0]] >= 0


@given(labels)
def test_without_decisions_nothing_changes(before: np.ndarray) -> None:
    bound = bind(before, [], 2)
    assert bound.labels is before
    assert not bound.kept.any() and not bound.joined.any() and not bound.left.any()


@given(labels, bonds())
def test_names_of_accounts_change_nothing(before: np.ndarray, made: list[Bond]) -> None:
    """Renamed in the same order of groups, accounts are bound alike: here, with strangers in front of them."""
    shifted = [Bond(one.decision, one.verdict, one.accounts + 3, one.others + 3) for one in made]
    moved = bind(np.concatenate((np.full(3, -1, np.int64), before)), shifted, 2)
    assert (moved.labels[3:] == bind(before, made, 2).labels).all()
    assert (moved.labels[:3] == -1).all()


@pytest.mark.parametrize("least", [2, 3])
def test_a_dismissed_member_leaves_and_a_later_confirmation_brings_it_back(least: int) -> None:
    ring = np.zeros(6, np.int64)
    out = bond(1, "dismiss", [0, 1], [2, 3, 4, 5])
    left = bind(ring, [out], least)
    assert left.labels.tolist() == ([0, 0, 1, 1, 1, 1] if least == 2 else [-1, -1, 0, 0, 0, 0])
    assert left.left.tolist() == [1, 1, 0, 0, 0, 0]
    assert left.left_from[:2].tolist() == ([1, 1] if least == 2 else [0, 0])
    back = bind(ring, [out, bond(2, "confirm", [0], [1, 2, 3, 4, 5])], least)
    assert back.labels.tolist() == ([0, -1, 0, 0, 0, 0])


def test_a_confirmed_ring_takes_its_members_and_no_strangers() -> None:
    #     ring: 0 1 2 3 4, of which 0 1 2 are with a stranger (5), 3 with strangers (6 7 8), and 4 in no group
    before = np.array([0, 0, 0, 1, -1, 0, 1, 1, 1], np.int64)
    bound = bind(before, [bond(7, "confirm", [0, 1, 2, 3, 4], [])], 3)
    assert bound.labels.tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 1]
    assert bound.joined.tolist() == [0, 0, 0, 7, 7, 0, 0, 0, 0]
    for a, b in combinations(range(5), 2):
        assert bound.labels[a] == bound.labels[b]


def test_blocks_that_hold_both_sides_of_a_cut_are_still_divided() -> None:
    # Later blocks {0, 3} and {1, 2} each hold one of the named (0, 1) and one of the others (2, 3).
    made = [bond(1, "split", [0, 1], [2, 3]), bond(2, "confirm", [0, 3], []), bond(3, "confirm", [1, 2], [])]
    assert bind(np.zeros(4, np.int64), made, 2).labels.tolist() == [0, 1, 1, 0]
