"""Who is tied to accounts that are known to be bad."""

import json
import os
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import linkage as package
from linkage import store
from linkage.detect import detect
from linkage.errors import ExitCode, InputError, NotFoundError, UsageError
from linkage.evidence import HUB_DEGREE, Likeness, learn_likeness, weigh
from linkage.expand import OWNER, Expansion, expand, seeds_of
from linkage.identify import BEHAVIOURS
from linkage.results import rings
from linkage.seeds import read_accounts
from linkage.spread import FAR, breadth, spread
from linkage.ties import read_ties
from tests.cases import Output, make_case, sightings

START = datetime(2026, 2, 1)
NEIGHBOURS = [f"n{at:02}" for at in range(20)]

Pair = tuple[str, str]


def paid(pairs: Iterable[Pair], at: datetime | None = None) -> list[dict[str, Any]]:
    return [{"account_id": account, "payment_id": card, "added_at": at} for account, card in pairs]


def seen(pairs: Iterable[Pair], column: str) -> list[dict[str, Any]]:
    return [{"account_id": account, column: value, "at": START} for account, value in pairs]


def made(path: Path, **tables: Iterable[Any]) -> Path:
    """A case with a run; who appears in `payments` or `logins` needs no row of `accounts`."""
    case = make_case(path / "c.duckdb", **tables)
    detect(case)
    return case


def ranked(found: Expansion) -> list[str]:
    return [row.account_id for row in found.accounts]


def test_a_direct_tie_is_named_with_its_evidence(tmp_path: Path) -> None:
    case = made(
        tmp_path,
        accounts=[{"account_id": "b", "status": "banned", "banned_at": START}, {"account_id": "d", "status": "active"}],
        payments=paid([("a", "card"), ("b", "card"), ("c", "other"), ("d", "other")]),
        logins=seen([("a", "phone"), ("b", "phone"), ("x", "phone")], "device_id"),
    )
    found = expand(case, ["a"])
    assert ranked(found) == ["b", "x"]
    first = found.accounts[0]
    assert (first.rank, first.hops, first.banned, first.status, first.path) == (1, 1, True, "banned", ())
    assert [(v.kind, v.value, v.seeds, v.others) for v in first.shared] == [
        ("payment", "card", 1, 0),
        ("device", "phone", 1, 1),
    ]
    assert first.score > 0.99 > found.accounts[1].score > 0.5
    assert first.score == pytest.approx(1 / (1 + 2**-first.bits), abs=1e-4)
    assert (found.seeds, found.unknown, found.untied, found.ring_id) == (1, (), 0, None)


def test_the_bits_of_the_shared_values_and_the_prior_add_up(tmp_path: Path) -> None:
    case = made(
        tmp_path, payments=paid([("a", "card"), ("b", "card")]), logins=seen([("a", "d"), ("b", "d")], "device_id")
    )
    (row,) = expand(case, ["a"]).accounts
    prior = np.log2(10_000 / 51)
    # The card and the device have one other holder each, a seed: log2(m N / s), with s = 1.
    assert [value.bits for value in row.shared] == pytest.approx([np.log2(8_000), np.log2(4_000)], abs=1e-3)
    assert row.bits == pytest.approx(np.log2(8_000) + np.log2(4_000) - prior, abs=1e-3)


def test_a_chain_is_followed_and_its_path_is_shown(tmp_path: Path) -> None:
    links = [(f"c{n + step}", f"card{n}") for n in range(4) for step in (0, 1)]
    case = made(tmp_path, payments=paid(links))
    found = expand(case, ["c0"])
    assert ranked(found) == ["c1", "c2", "c3", "c4"]
    assert [row.hops for row in found.accounts] == [1, 2, 3, 4]
    assert found.accounts[2].path == (
        "c3", "payment card2", "c2", "payment card1", "c1", "payment card0", "c0",
    )  # fmt: skip
    scores = [row.score for row in found.accounts]
    assert scores == sorted(scores, reverse=True)
    assert ranked(expand(case, ["c0"], hops=2, kinds=["payment"])) == ["c1", "c2"]
    # The run put the whole chain into one group: that is a single step.
    assert ranked(expand(case, ["c0"], hops=2)) == ["c1", "c2", "c3", "c4"]


def test_two_accounts_never_confirm_one_another(tmp_path: Path) -> None:
    """b is weakly tied to the seed a; that b and c share everything makes neither surer that a's hand runs b."""
    thing = [("b", "x"), ("c", "x")]
    alone = made(tmp_path, payments=paid([(name, "card") for name in ("a", "b", "p", "q", "r")]))
    (tmp_path / "two").mkdir()
    both = made(
        tmp_path / "two",
        payments=paid([*((name, "card") for name in ("a", "b", "p", "q", "r")), *thing]),
        logins=seen(thing, "device_id"),
    )
    before = {row.account_id: row.bits for row in expand(alone, ["a"]).accounts}
    after = {row.account_id: row.bits for row in expand(both, ["a"]).accounts}
    assert after["b"] <= before["b"] + 1e-3
    assert after["c"] <= after["b"]


def test_a_hub_does_not_rank_its_thousands(tmp_path: Path) -> None:
    crowd = [f"u{n:04}" for n in range(3000)]
    case = made(
        tmp_path,
        payments=paid([("a", "card"), ("b", "card")]),
        logins=seen([(name, "203.0.113.9") for name in ["a", "b", *crowd]], "ip"),
    )
    assert ranked(expand(case, ["a"])) == ["b"]
    everybody = expand(case, ["a"], least=0.0)
    assert ranked(everybody)[0] == "b"
    assert all(row.score < 0.05 for row in everybody.accounts[1:])


def test_what_anyone_can_fake_ranks_nobody_by_itself(tmp_path: Path) -> None:
    names = [f"u{n}" for n in range(4)]
    case = made(
        tmp_path,
        accounts=[{"account_id": name, "email": "hash-of-mail", "org_id": "org"} for name in ("a", *names)],
        exchanges=[
            {"account_id": name, "at": START, "prompt_fingerprint": "fp", "user_agent": "homemade/0.1"}
            for name in ("a", *names)
        ],
        payments=paid([("a", "card"), ("hard", "card")]),
    )
    assert ranked(expand(case, ["a"], least=0.0)) == ["hard"]


def test_a_possible_owner_of_a_stolen_card_comes_after_the_ring(tmp_path: Path) -> None:
    ring = ["r1", "r2", "r3", "r4"]
    case = made(
        tmp_path,
        payments=[
            *paid([(name, "card") for name in ring], START),
            *paid([("victim", "card")], START - timedelta(days=300)),
        ],
    )
    found = expand(case, ring[:2])
    assert ranked(found) == ["r3", "r4", "victim"]
    assert [row.doubt for row in found.accounts] == ["", "", OWNER]
    assert found.accounts[2].bits < found.accounts[1].bits - 3


def test_unknown_and_untied_seeds_are_counted(tmp_path: Path) -> None:
    case = made(
        tmp_path,
        accounts=[{"account_id": "loner"}],
        payments=paid([("a", "card"), ("b", "card")]),
        links=[{"account_id": "a", "other_account_id": "far", "kind": "referral"}],
    )
    found = expand(case, ["zz", "a", "loner", "far", "a", "nobody"])
    assert (found.seeds, found.unknown, found.untied) == (3, ("nobody", "zz"), 1)
    assert ranked(found) == ["b"]
    with pytest.raises(NotFoundError, match="none of the 2 accounts"):
        expand(case, ["zz", "nobody"])
    with pytest.raises(NotFoundError, match="no accounts given"):
        expand(case, [])


def test_kinds_restrict_what_counts(tmp_path: Path) -> None:
    case = made(
        tmp_path,
        payments=paid([("a", "card"), ("b", "card")]),
        logins=seen([("a", "d"), ("c", "d")], "device_id"),
    )
    assert ranked(expand(case, ["a"])) == ["b", "c"]
    assert ranked(expand(case, ["a"], kinds=["device"])) == ["c"]
    assert ranked(expand(case, ["a"], kinds=["device", "payment"])) == ["b", "c"]
    with pytest.raises(NotFoundError, match="kind 'phone'"):
        expand(case, ["a"], kinds=["phone"])


def test_arguments_out_of_range_and_cases_without_a_run(tmp_path: Path) -> None:
    case = make_case(tmp_path / "new.duckdb", accounts=[{"account_id": "a"}])
    with pytest.raises(NotFoundError, match="no run yet"):
        expand(case, ["a"])
    with pytest.raises(UsageError):
        expand(case, ["a"], hops=0)
    with pytest.raises(UsageError):
        expand(case, ["a"], least=1.5)


def test_the_case_of_a_single_account_ranks_nobody(tmp_path: Path) -> None:
    case = made(tmp_path, accounts=[{"account_id": "a"}])
    found = expand(case, ["a"])
    assert (found.accounts, found.seeds, found.untied) == ((), 1, 1)


@pytest.fixture(scope="module")
def ring_case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve accounts of one card and one device, neighbours who share an address with one, and strangers."""
    names = [f"r{n:02}" for n in range(12)]
    return made(
        tmp_path_factory.mktemp("ring"),
        payments=paid([*((name, "card") for name in names), ("s1", "own"), ("s2", "own")]),
        logins=[
            *seen([(name, "farm") for name in names], "device_id"),
            *seen([(name, "198.51.100.7") for name in ("r00", *NEIGHBOURS)], "ip"),
        ],
    )


def test_a_ring_can_be_the_seeds(ring_case: Path) -> None:
    (ring,) = rings(ring_case)
    for name in (ring.ring_id, ring.ring_id[:5], "1", "#1"):
        seeds, ring_id = seeds_of(ring_case, name)
        assert (len(seeds), ring_id) == (12, ring.ring_id)
    found = expand(ring_case, seeds, ring_id=ring_id, least=0.0)
    assert ranked(found) == NEIGHBOURS
    part = expand(ring_case, seeds[:3])
    assert sorted(ranked(part)[:9]) == [f"r{n:02}" for n in range(3, 12)]
    assert {row.ring_id for row in part.accounts[:9]} == {ring.ring_id}


def test_neither_file_nor_ring_is_told(ring_case: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no ring 'nothing'.*Nor is there a file"):
        seeds_of(ring_case, "nothing")
    for name in (str(tmp_path / "bans"), "bans.csv"):
        with pytest.raises(NotFoundError, match="There is no file"):
            seeds_of(ring_case, name)
    for name in ("a\0b", "x" * 5000, ""):
        with pytest.raises((NotFoundError, InputError)):
            seeds_of(ring_case, name)


def test_who_lives_on_many_values_is_less_tied_by_one_of_them() -> None:
    few = [("a", "ip", "1"), ("b", "ip", "1")]
    many = [*few, *((name, "ip", f"x{n}") for n in range(15) for name in ("b", f"other{n}"))]
    assert breadth(weigh(sightings(few))).tolist() == [0.0, 0.0]
    assert breadth(weigh(sightings(many))).max() == pytest.approx(4.0)
    one, sixteen = (spread(weigh(sightings(rows)), np.array([0])) for rows in (few, many))
    # Half of log2(16) bits. Account 1 is b in both: the names are sorted.
    assert one.net[1] - sixteen.net[1] == pytest.approx(2.0, abs=1e-6)


@pytest.fixture(scope="module")
def rotten(sample_case: Path) -> tuple[Path, list[str]]:
    """The sample, and the accounts of its first ring, which is tied by many values and lives alike."""
    return sample_case, seeds_of(sample_case, "1")[0]


def test_what_the_run_learnt_of_likeness_is_read_back_as_it_was(rotten: tuple[Path, list[str]]) -> None:
    case, ring = rotten
    with store.reading(case) as con:
        (columns,) = (list(con.execute("SELECT * EXCLUDE (account_id) FROM lives LIMIT 0").fetchnumpy()),)
        ties = read_ties(con, case, ())
        again = learn_likeness(ties.weighed, HUB_DEGREE).likeness
        assert con.execute("SELECT count(DISTINCT account_id) = count(*) FROM lives").fetchall() == [(True,)]
    kept = ties.weighed.likeness
    assert columns == list(BEHAVIOURS)
    assert kept.learnt and 0 < kept.damp <= 1
    # The stored bits are rounded, and hubs of no bits are not read: what is learnt anew is near, not the same.
    assert kept.ratio == pytest.approx(again.ratio, rel=0.05)
    at = ties.index(ring)
    weight = np.zeros(len(ties.accounts))
    weight[at[::2]] = 1.0
    towards = kept.bits_towards(weight).sum(axis=1)
    rest = np.setdiff1d(np.arange(len(ties.accounts)), at)
    assert np.median(towards[at[1::2]]) > 2 > np.median(towards[rest])


def test_likeness_to_a_group_is_what_the_formula_says() -> None:
    ratio = np.array([[6.0, 6.0, 3.0, 2.0, 1.5, 1.0, 0.5]])
    likeness = Likeness(np.array([[0.1], [0.12], [0.9], [np.nan]]), ratio, 0.5)
    found = likeness.bits_towards(np.array([1.0, 0.0, 0.0, 1.0]))
    # Differences of 0.02 and 0.8; the member whose behaviour is unknown is no part of the group.
    assert found[:, 0] == pytest.approx([0.0, 0.5 * np.log2((2 + 3) / 3), 0.5 * np.log2((2 + 0.5) / 3), 0.0])
    assert likeness.bits_towards(np.zeros(4)).tolist() == [[0.0]] * 4


def alike(*ranks: float) -> Likeness:
    return Likeness(np.array(ranks)[:, None], np.array([[8.0, 8.0, 4.0, 2.0, 1.0, 0.5, 0.25]]), 1.0)


def test_living_alike_helps_a_tie_differently_harms_and_alone_ranks_nobody() -> None:
    rows = [(name, "payment", "card") for name in "abc"] + [("d", "device", "x"), ("e", "device", "x")]
    plain = weigh(sightings(rows))
    known = spread(replace(plain, likeness=alike(0.5, 0.5, 0.99, 0.5, 0.1)), np.array([0]), 1)
    bare = spread(plain, np.array([0]), 1)
    assert known.alike[1] == pytest.approx(np.log2(10 / 3))
    assert known.alike[2] == pytest.approx(np.log2(2.25 / 3))
    assert known.net[[1, 2]] - bare.net[[1, 2]] == pytest.approx(known.alike[[1, 2]])
    assert np.isneginf(known.net[[3, 4]]).all()


def test_likeness_and_what_can_be_faked_together_count_at_most_as_much_as_the_rest() -> None:
    rows = [("a", "ip", "1"), ("b", "ip", "1"), ("c", "ip", "1"), ("a", "prompt", "p"),
            ("b", "prompt", "p")]  # fmt: skip
    weighed = weigh(sightings(rows))
    ranks = np.full((3, 9), 0.5)
    found = spread(replace(weighed, likeness=Likeness(ranks, np.full((9, 7), 60.0), 1.0)), np.array([0]), 1)
    hard = found.credit[found.credit > 0].max()
    prior = np.log2(10_000 / 51)
    assert found.alike[1] == pytest.approx(hard)
    assert found.net[1] == pytest.approx(2 * hard - prior)


def test_the_groups_of_a_run_lift_and_lower() -> None:
    rows = [(name, "ip", "1") for name in "abcdef"] + [("b", "ip", "2"), ("c", "ip", "2")]
    weighed = weigh(sightings(rows))
    bare = spread(weighed, np.array([0]), 1)
    none = spread(weighed, np.array([0]), 1, groups=np.full(6, -1))
    assert none.net.tolist() == bare.net.tolist()
    found = spread(weighed, np.array([0]), 1, groups=np.array([0, 0, 0, 1, 1, -1]))
    fact = np.log2(0.8 * 1 / 2 * 10_000)
    assert found.group[[1, 2]] == pytest.approx([fact, fact])
    assert found.net[1] == pytest.approx(fact - np.log2(10_000 / 51))
    # A group of two says nothing, one of five does: log2(6 / 4).
    assert found.net[3] == pytest.approx(bare.net[3])
    apart = spread(weighed, np.array([0]), 1, groups=np.array([-1, 0, 0, 0, 0, 0]))
    assert bare.net[1:] - apart.net[1:] == pytest.approx(np.full(5, np.log2(1.5)))
    assert (apart.group == 0).all()


def test_the_rest_of_a_ring_is_found_by_how_it_lives_too(rotten: tuple[Path, list[str]]) -> None:
    case, ring = rotten
    found = expand(case, ring[::5])
    assert set(ranked(found)[: len(ring) - len(ring[::5])]) == set(ring) - set(ring[::5])
    assert all(row.alike > 0 for row in found.accounts[:20])
    only = expand(case, ring[::5], kinds=["payment"])
    assert {(row.alike, row.group_bits) for row in only.accounts} == {(0.0, 0.0)}


def test_the_table_says_how_an_account_lives(linkage: Callable[..., Output], rotten: tuple[Path, list[str]],
                                              tmp_path: Path) -> None:  # fmt: skip
    case, ring = rotten
    bans = tmp_path / "bans"
    bans.write_text("\n".join(ring[::5]))
    code, out, _ = linkage("expand", bans, "--case", case, "--limit", 3)
    assert code == 0
    assert "lives alike (+" in " ".join(out.split())
    first = json.loads(linkage("expand", bans, "--case", case, "--limit", 1, "--json")[1])["accounts"][0]
    assert {"alike", "group_bits"} <= set(first)


def test_a_run_that_kept_no_lives_ranks_without_them(rotten: tuple[Path, list[str]], tmp_path: Path) -> None:
    older = tmp_path / "older.duckdb"
    older.write_bytes(rotten[0].read_bytes())
    with store.writing(older) as con:
        con.execute("DELETE FROM lives; DELETE FROM likeness")
    found = expand(older, rotten[1][::5])
    assert found.accounts
    assert {row.alike for row in found.accounts} == {0.0}


# Lists of accounts.


@pytest.mark.parametrize(
    ("content", "accounts"),
    [
        (b"a\nb\n\n a \r\nc", ["a", "b", "c"]),
        (b"\xef\xbb\xbfa\n", ["a"]),
        (b"account_id\na\nb\n", ["a", "b"]),
        (b"Ring, Account_ID \nx,a\ny,b\nz\n", ["a", "b"]),
        (b"why;account_id\n;a\n", ["a"]),
        (b"why\taccount_id\r\nx\ta\r\n", ["a"]),
        (b'note,account_id\n"two\nlines, one cell",a\n', ["a"]),
        (b"a,b\nc\n", ["a,b", "c"]),
        ("é\n名\n".encode(), ["é", "名"]),
    ],
)
def test_lists_are_read_as_text_or_csv(content: bytes, accounts: list[str], tmp_path: Path) -> None:
    path = tmp_path / "bans"
    path.write_bytes(content)
    assert read_accounts(path) == accounts


@pytest.mark.parametrize("content", [b"", b"\n \n", b"account_id\n", b"\xff\xfe\x00", b"a\0b\n", b"\x89PNG\r\n\x1a\n"])
def test_lists_that_name_nobody_or_are_no_text(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bans"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_accounts(path)
    with pytest.raises(InputError, match="folder"):
        read_accounts(tmp_path)
    with pytest.raises(NotFoundError):
        read_accounts(tmp_path / "missing")


# Properties.


def random_rows(seed: int) -> list[tuple[str, str, str]]:
    draw = random.Random(seed)
    kinds = ("payment", "device", "ip", "prompt", "email")
    return sorted(
        {(f"a{draw.randrange(40):02}", draw.choice(kinds), f"v{int(draw.paretovariate(0.7)) % 60}") for _ in range(200)}
    )


@pytest.mark.parametrize("seed", range(5))
def test_scores_do_not_depend_on_names_or_order(seed: int) -> None:
    rows = random_rows(seed)
    names = sorted({row[0] for row in rows})
    fresh = dict(
        zip(names, random.Random(seed).sample([f"z{n:03}" for n in range(len(names))], len(names)), strict=True)
    )

    def scores(lines: Sequence[tuple[str, str, str]], known: Sequence[str]) -> dict[str, float]:
        order = sorted({line[0] for line in lines})
        found = spread(weigh(sightings(lines)), np.array([order.index(name) for name in known]))
        return dict(zip(order, found.net.tolist(), strict=True))

    plain = scores(rows, names[:3])
    renamed = scores([(fresh[a], kind, value) for a, kind, value in rows], [fresh[name] for name in names[:3]])
    for name in names:
        assert renamed[fresh[name]] == pytest.approx(plain[name], abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_seeds_are_not_ranked_and_hops_lead_to_them(seed: int) -> None:
    rows = random_rows(seed)
    found = spread(weigh(sightings(rows)), np.array([0, 1]))
    assert found.hops[[0, 1]].tolist() == [0, 0]
    assert np.isneginf(found.net[[0, 1]]).all()
    tied = found.net > -np.inf
    assert (found.hops[tied] < FAR).all()
    assert (found.hops[~tied][2:] == FAR).all()
    for hop in range(2, int(found.hops[tied].max(initial=1)) + 1):
        assert (found.hops[tied] == hop - 1).any() or not (found.hops[tied] == hop).any()


@pytest.mark.parametrize("kind", ["payment", "device"])
def test_one_more_shared_value_never_lowers_a_score(kind: str) -> None:
    rows = [("a", "payment", "p"), ("b", "payment", "p"), ("c", "payment", "p")]
    more = [*rows, ("a", kind, "q"), ("b", kind, "q")]
    before = spread(weigh(sightings(rows)), np.array([0])).net[1]
    assert spread(weigh(sightings(more)), np.array([0])).net[1] > before


# The command line.


def test_the_command(linkage: Callable[..., Output], ring_case: Path, tmp_path: Path) -> None:
    bans = tmp_path / "bans.csv"
    bans.write_text("account_id\nr00\nr01\nghost\n")
    at = ("--case", ring_case)
    code, out, err = linkage("expand", bans, *at)
    assert code == 0
    assert "r02" in out
    assert "payment card (2 known, 9 others" in out
    assert "does not know 1 of the accounts: ghost" in err
    document = json.loads(linkage("expand", bans, *at, "--json")[1])
    assert document["schema"] == "linkage.expansion/1"
    assert (document["seeds"], document["unknown"]) == (2, ["ghost"])
    assert document["found"] == len(document["accounts"]) >= 10
    assert {"rank", "account_id", "score", "hops", "ring_id", "status", "banned", "shared", "path"} <= set(
        document["accounts"][0]
    )
    lines = linkage("expand", bans, *at, "--jsonl", "--limit", 2)[1].splitlines()
    assert [json.loads(line) for line in lines] == document["accounts"][:2]
    code, out, err = linkage("expand", bans, *at, "--limit", 2)
    assert (code, "There are more" in err) == (0, True)
    code, out, _ = linkage("expand", "1", *at, "--min-score", 1)
    assert (code, "Nobody else is tied" in out) == (0, True)


def test_the_command_tells_what_is_wrong(linkage: Callable[..., Output], ring_case: Path, tmp_path: Path) -> None:
    at = ("--case", ring_case)
    empty, picture = tmp_path / "empty", tmp_path / "picture.png"
    empty.write_bytes(b"")
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\0")
    strangers = tmp_path / "strangers"
    strangers.write_text("nobody\n")
    for words, code in (
        ((empty,), ExitCode.INPUT),
        ((picture,), ExitCode.INPUT),
        ((tmp_path,), ExitCode.INPUT),
        ((strangers,), ExitCode.NOT_FOUND),
        ((tmp_path / "missing",), ExitCode.NOT_FOUND),
        (("99",), ExitCode.NOT_FOUND),
        (("1", "--kind", "nothing"), ExitCode.NOT_FOUND),
        (("1", "--hops", 0), ExitCode.USAGE),
        (("1", "--min-score", 2), ExitCode.USAGE),
    ):
        got, out, err = linkage("expand", *words, *at)
        assert (got, out) == (code, ""), words
        assert "rror" in err


@pytest.mark.parametrize("name", ["a b.txt", "'; DROP TABLE runs; --", "$(id)", "-n", "\x1b[31mred", "*", "名", "1"])
def test_hostile_file_names_and_ids(
    linkage: Callable[..., Output], ring_case: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("r00\n'; DROP TABLE sightings; --\n\x1b[31m\n")
    code, out, err = linkage("expand", "--case", ring_case, "--", name)
    assert code == 0
    assert "r01" in out
    assert "\x1b" not in out + err
    assert "DROP TABLE sightings" in err


def test_a_file_that_may_not_be_read(linkage: Callable[..., Output], ring_case: Path, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("r00\n")
    path.chmod(0)
    code = linkage("expand", path, "--case", ring_case)[0]
    assert code == (ExitCode.DONE if os.access(path, os.R_OK) else ExitCode.MACHINE)


def test_the_same_bytes_for_any_order_and_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linkage: Callable[..., Output]
) -> None:
    draw = random.Random(1)
    rows = paid({(f"a{draw.randrange(300):03}", f"card{draw.randrange(200)}") for _ in range(500)})
    bans = tmp_path / "bans"
    bans.write_text("a001\na002\na003\n")
    said = set()
    for turn, threads in enumerate(("1", "4")):
        monkeypatch.setenv("LINKAGE_THREADS", threads)
        random.Random(turn).shuffle(rows)
        (tmp_path / threads).mkdir()
        case = made(tmp_path / threads, payments=rows)
        code, out, _ = linkage("expand", bans, "--case", case, "--json", "--min-score", 0)
        assert code == 0
        said.add(out)
    assert len(said) == 1
    assert len(json.loads(out)["accounts"]) > 3


def test_from_python(ring_case: Path, tmp_path: Path) -> None:
    case = package.Case(ring_case)
    frame = case.expand(["r00", "r01", "ghost"])
    assert list(frame["rank"]) == list(range(1, len(frame) + 1))
    assert frame.attrs["unknown"] == ("ghost",)
    bans = tmp_path / "bans"
    bans.write_text("r00\nr01\n")
    assert list(case.expand(bans).account_id) == list(frame.account_id)
    of_ring = case.expand("1", least=0.0)
    assert of_ring.attrs["ring_id"] == case.rings().ring_id[0]
    assert list(case.expand(["r00"], limit=2)["rank"]) == [1, 2]
