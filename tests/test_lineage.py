"""Rings keep their ids, and what became of each is told."""

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from linkage import record, store
from linkage.changes import changes, new_rings
from linkage.commands import cli
from linkage.detect import detect
from linkage.errors import AlertError, ExitCode, NotFoundError
from linkage.rings.lineage import GONE, OVERLAP, Earlier, Lineage, lineage
from linkage.until import utc_now
from tests.cases import add_rows, make_case
from tests.test_detect import accounts, payments, rings

NAMES = [f"a{at}" for at in range(20)]
NOBODY = np.zeros(20, np.bool_)
NOTHING: dict[str, NDArray[Any]] = {
    "group": np.zeros(0, np.int64),
    "identifier": np.zeros(0, np.int64),
    "bits": np.zeros(0),
}

partitions = st.lists(st.integers(-1, 4), min_size=20, max_size=20).map(lambda given: numbered(np.array(given)))


def numbered(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Groups numbered from 0 by their first member."""
    seen: dict[int, int] = {}
    return np.array([-1 if x < 0 else seen.setdefault(x, len(seen)) for x in labels.tolist()], np.int64)


def after(
    told: Lineage, labels: NDArray[np.int64], banned: NDArray[np.bool_] = NOBODY, there: bool = True
) -> Earlier:  # fmt: skip
    """What the next run finds behind it."""
    order = np.argsort(told.ids)
    place = np.argsort(order)
    member = np.flatnonzero(labels >= 0)
    return Earlier(
        ids=[str(name) for name in told.ids[order]],
        there=np.full(len(order), there),
        member_ring=place[labels[member]] if len(order) else labels[member],
        member=member,
        member_banned=banned[member],
        value_ring=NOTHING["group"],
        value=NOTHING["identifier"],
        value_bits=NOTHING["bits"],
    )


def next_run(labels: NDArray[np.int64], earlier: Earlier, run: int = 2, banned: NDArray[np.bool_] = NOBODY) -> Lineage:
    return lineage(labels, NAMES, banned, NOTHING, earlier, run)


def event(told: Lineage, ring_id: str) -> tuple[str, str | None, int, int, int]:
    """What became of a ring: event, other, joined, left, banned."""
    at = told.columns["ring_id"].tolist().index(ring_id)
    row = tuple(told.columns[name][at] for name in ("event", "other", "joined", "left", "banned"))
    return (str(row[0]), row[1], int(row[2]), int(row[3]), int(row[4]))


def groups(*sizes: int) -> NDArray[np.int64]:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return np.concatenate((labels, np.full(20 - len(labels), -1)))


@given(partitions, partitions)
def test_ids_are_unique_repeatable_and_inherited_by_the_best_assignment(
    before: NDArray[np.int64], now: NDArray[np.int64]
) -> None:
    first = next_run(before, Earlier.none(), 1)
    earlier = after(first, before)
    second = next_run(now, earlier)
    assert second.ids.tolist() == next_run(now, earlier).ids.tolist()
    assert len(set(second.ids)) == len(second.ids)
    had = {name: set(np.flatnonzero(before == at)) for at, name in enumerate(first.ids)}
    has = [set(np.flatnonzero(now == at)) for at in range(len(second.ids))]

    def worth(name: str, at: int) -> int:
        common = len(had[name] & has[at])
        return common if common >= OVERLAP * min(len(had[name]), len(has[at])) else 0

    kept = sum(worth(name, at) for at, name in enumerate(second.ids) if name in had)
    assert all(worth(name, at) for at, name in enumerate(second.ids) if name in had)
    wider, narrower = sorted((list(had), list(range(len(has)))), key=len, reverse=True)
    pairs = [list(zip(some, narrower, strict=True)) for some in permutations(wider, len(narrower))]
    best = max(
        (sum(worth(a, b) if isinstance(a, str) else worth(b, a) for a, b in pairing) for pairing in pairs), default=0
    )
    assert kept == best
    # Every ring of either run is accounted for, once.
    assert sorted(second.columns["ring_id"]) == sorted(set(second.ids) | set(first.ids))


def test_the_same_accounts_in_another_run_get_another_id_when_nothing_is_inherited() -> None:
    one = groups(2)
    assert next_run(one, Earlier.none(), 1).ids.tolist() != next_run(one, Earlier.none(), 2).ids.tolist()
    merged = lineage(groups(2), ["ab", "c", *NAMES[2:]], NOBODY, NOTHING, Earlier.none(), 1)
    apart = lineage(groups(2), ["a", "bc", *NAMES[2:]], NOBODY, NOTHING, Earlier.none(), 1)
    assert merged.ids.tolist() != apart.ids.tolist()


def test_born_grew_shrank_and_gone() -> None:
    before = next_run(groups(5, 5, 5), Earlier.none(), 1)
    a, b, c = before.ids
    assert event(before, a) == ("born", None, 5, 0, 0)
    now = np.array([0] * 5 + [1] * 3 + [-1] * 7 + [0, 0, 2, 2, 2])
    told = next_run(now, after(before, groups(5, 5, 5)))
    assert told.ids[:2].tolist() == [a, b]
    assert event(told, a) == ("grew", None, 2, 0, 0)
    assert event(told, b) == ("shrank", None, 0, 2, 0)
    assert event(told, c) == ("gone", None, 0, 5, 0)
    assert event(told, told.ids[2]) == ("born", None, 3, 0, 0)


def test_banned_members_count_as_lost() -> None:
    before = next_run(groups(6, 6), Earlier.none(), 1)
    a, b = before.ids
    banned = np.isin(np.arange(20), (0, 1, 6, 7))
    now = np.array([0] * 6 + [1] * 6 + [1, 1] + [-1] * 6)
    told = next_run(now, after(before, groups(6, 6)), banned=banned)
    assert event(told, a) == ("shrank", None, 0, 0, 2)
    assert event(told, b) == ("replaced", None, 2, 0, 2)
    # Who was banned before is not banned again.
    third = next_run(now, after(told, now, banned), 3, banned)
    assert event(third, a) == ("same", None, 0, 0, 0)


def test_split_and_merged() -> None:
    before = next_run(groups(9, 5, 4), Earlier.none(), 1)
    a, b, c = before.ids
    now = np.array([0] * 5 + [1] * 4 + [2] * 9 + [-1] * 2)
    told = next_run(now, after(before, groups(9, 5, 4)))
    assert told.ids[0] == a
    assert event(told, a) == ("shrank", None, 0, 4, 0)
    assert event(told, told.ids[1]) == ("split_from", a, 0, 0, 0)
    assert told.ids[2] == b
    assert event(told, b) == ("grew", None, 4, 0, 0)
    assert event(told, c) == ("merged_into", b, 0, 4, 0)


def test_who_inherits_is_not_chosen_greedily() -> None:
    # The greatest overlap, of the first ring with the first group, would leave the second ring without an heir.
    earlier = after(next_run(groups(8, 4), Earlier.none(), 1), groups(8, 4))
    now = np.array([0] * 4 + [1] * 4 + [0] * 4 + [-1] * 8)
    told = next_run(now, earlier)
    assert set(told.ids) == set(earlier.ids)


def test_a_ring_returns_under_its_id_but_one_that_is_there_comes_first() -> None:
    before = next_run(groups(6), Earlier.none(), 1)
    told = next_run(groups(7), after(before, groups(6), there=False), 3)
    assert event(told, before.ids[0]) == ("returned", None, 1, 0, 0)
    both = Earlier(
        ids=["gone", "here"], there=np.array([False, True]), member_ring=np.array([0] * 6 + [1] * 5),
        member=np.array([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4]), member_banned=np.zeros(11, np.bool_),
        value_ring=NOTHING["group"], value=NOTHING["identifier"], value_bits=NOTHING["bits"],
    )  # fmt: skip
    assert 6 * GONE < 5
    assert next_run(groups(6), both, 3).ids.tolist() == ["here"]


def test_a_ring_all_of_whose_accounts_were_replaced_is_known_by_what_ties_it() -> None:
    earlier = Earlier(
        ids=["R"], there=np.array([True]), member_ring=np.zeros(4, np.int64), member=np.arange(4),
        member_banned=np.zeros(4, np.bool_), value_ring=np.zeros(3, np.int64), value=np.array([7, 8, 9]),
        value_bits=np.array([6.0, 4.0, 2.0]),
    )  # fmt: skip
    now = np.array([-1] * 10 + [0] * 4 + [1] * 4 + [-1] * 2)
    values = {"group": np.array([0, 1, 1]), "identifier": np.array([9, 7, 5]), "bits": np.array([8.0, 6.0, 3.0])}
    told = lineage(now, NAMES, NOBODY, values, earlier, 2)
    # The first group has a sixth of the bits, the second two thirds.
    assert told.ids[1] == "R"
    assert event(told, "R") == ("changed", None, 4, 4, 0)
    assert told.ids[0] != "R"


def test_strangers_at_its_address_do_not_inherit_a_ring_whose_members_are_still_in_rings() -> None:
    earlier = Earlier(
        ids=["R"], there=np.array([True]), member_ring=np.zeros(8, np.int64), member=np.arange(8),
        member_banned=np.zeros(8, np.bool_), value_ring=np.zeros(2, np.int64), value=np.array([7, 8]),
        value_bits=np.array([6.0, 4.0]),
    )  # fmt: skip
    # The halves of the ring, and a crowd that has all that tied it.
    now = np.array([0] * 5 + [1] * 3 + [2] * 12)
    values = {"group": np.array([2, 2]), "identifier": np.array([7, 8]), "bits": np.array([6.0, 4.0])}
    told = lineage(now, NAMES, NOBODY, values, earlier, 2)
    assert event(told, "R") == ("shrank", None, 0, 3, 0)
    assert told.ids[0] == "R"
    assert event(told, told.ids[1])[:2] == ("split_from", "R")
    assert event(told, told.ids[2])[:2] == ("born", None)
    # Of equal halves the one that kept what tied the ring is it.
    now = np.array([0] * 4 + [1] * 4 + [-1] * 12)
    values["group"] = np.array([1, 1])
    assert lineage(now, NAMES, NOBODY, values, earlier, 2).ids[1] == "R"


def test_what_very_many_rings_share_says_of_none_which_it_is() -> None:
    many = 21
    names = [f"a{at}" for at in range(3 * many)]
    labels = np.repeat(np.arange(many), 3)
    values = {"group": np.arange(many), "identifier": np.zeros(many, np.int64), "bits": np.full(many, 9.0)}
    earlier = Earlier(
        ids=["R"], there=np.array([True]), member_ring=np.zeros(0, np.int64), member=np.zeros(0, np.int64),
        member_banned=NOBODY[:0], value_ring=np.zeros(1, np.int64), value=np.zeros(1, np.int64),
        value_bits=np.array([9.0]),
    )  # fmt: skip
    told = lineage(labels, names, np.zeros(3 * many, np.bool_), values, earlier, 2)
    assert "R" not in told.ids.tolist()
    assert event(told, "R") == ("gone", None, 0, 0, 0)


def test_days_of_one_case(tmp_path: Path) -> None:
    case = make_case(
        tmp_path / "case.duckdb",
        accounts=[*accounts("x", 8), *accounts("y", 6), *accounts("other", 200)],
        payments=[*payments("x", 8, "c1"), *payments("y", 6, "c2")],
        logins=[{"account_id": f"x{n:03}", "device_id": "d1"} for n in range(8)]
        + [{"account_id": f"y{n:03}", "device_id": "d2"} for n in range(6)],
    )
    with pytest.raises(NotFoundError, match="no run yet"):
        changes(case)
    detect(case, nulls=0)
    day_1 = {ring["ring_id"]: ring["members"] for ring in rings(case)}
    x = next(ring_id for ring_id, members in day_1.items() if "x000" in members)
    y = next(ring_id for ring_id, members in day_1.items() if "y000" in members)
    assert {(c.ring_id, c.event) for c in changes(case, unlisted=True).changes} == {(x, "born"), (y, "born")}
    # Day 2: two of the first ring are banned and replaced, the second grows.
    late = (("x100", "c1", "d1"), ("x101", "c1", "d1"), ("y100", "c2", "d2"))
    add_rows(
        case,
        accounts=[{"account_id": f"x{n:03}", "status": "banned"} for n in range(2)],
        payments=[{"account_id": name, "payment_id": card} for name, card, _ in late],
        logins=[{"account_id": name, "device_id": device} for name, _, device in late],
    )
    detect(case, nulls=0)
    told = {c.ring_id: c for c in changes(case, unlisted=True).changes}
    assert (told[x].event, told[x].joined, told[x].banned) == ("replaced", 2, 2)
    assert (told[y].event, told[y].joined, told[y].accounts) == ("grew", 1, 7)
    # Day 3: they turn out to be one.
    add_rows(
        case,
        payments=[{"account_id": f"{name}{n:03}", "payment_id": "c3"} for name in "xy" for n in range(6)],
        logins=[{"account_id": f"{name}{n:03}", "device_id": "d3"} for name in "xy" for n in range(6)],
    )
    detect(case, nulls=0)
    told = {c.ring_id: c for c in changes(case, unlisted=True).changes}
    assert (told[x].event, told[y].event, told[y].other) == ("grew", "merged_into", x)
    # Nothing new: nothing is told, and nothing is changed.
    detect(case, nulls=0)
    assert changes(case, unlisted=True).changes == ()
    assert [c.run for c in changes(case, since=0, unlisted=True).changes] == [1, 1, 2, 2, 3, 3]
    with pytest.raises(NotFoundError, match="no run 9"):
        changes(case, since=9)
    with store.scratch(case) as con:
        con.execute("CREATE TABLE ids AS SELECT 0::INTEGER AS account, 'x000' AS account_id")
        con.execute("CREATE TABLE shared AS SELECT 0::INTEGER AS identifier, 'payment' AS kind, 'c1' AS value")
        past = record.history(con, case, utc_now())
    assert past.run == 4
    assert dict(zip(past.rings.ids, past.rings.there.tolist(), strict=True)) == {x: True, y: False}


def test_the_command_and_its_alert(sample_case: Path) -> None:
    listed = [ring["ring_id"] for ring in rings(sample_case) if ring["listed"] and ring["status"] == "open"]
    done = CliRunner().invoke(cli, ["changes", "--case", str(sample_case)])
    assert done.exit_code == 0
    assert "born" in done.stdout and listed[0] in done.stdout
    assert new_rings(sample_case, 0.5) == listed
    assert new_rings(sample_case, 0.5, since=1) == []
    done = CliRunner().invoke(cli, ["changes", "--alert-exit", "0.5", "--case", str(sample_case)])
    assert isinstance(done.exception, AlertError)
    assert done.exception.exit_code == ExitCode.ALERT
    assert listed[0] in done.exception.message
    quiet = CliRunner().invoke(cli, ["changes", "--since", "1", "--alert-exit", "0.5", "--case", str(sample_case)])
    assert (quiet.exit_code, quiet.stdout) == (0, "")
    assert "Nothing changed" in quiet.stderr
