"""What a block would hit: the choice against an exact oracle, the counts by hand, the command."""

import ctypes
import itertools
import json
import math
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from linkage import results, store
from linkage.commands import run
from linkage.cover import Hits, Ints, Problem, Stops, approximate, cover, exact, ordered
from linkage.cover.exact import stdout_kept
from linkage.errors import ExitCode, MachineError, NotFoundError, UsageError
from linkage.impact import Impact, impact
from linkage.impact_plot import draw
from linkage.reach import INNOCENT, read
from tests.cases import add_rows, make_case

START = datetime(2026, 1, 1)


def random_ring(seed: int, values: int = 50, targets: int = 60, innocents: int = 150) -> Problem:
    """A small ring: few values that many have, many that few have; of a third one is enough, others do a part."""
    random = np.random.default_rng(seed)
    v, t, i = (int(random.integers(most // 4, most)) for most in (values, targets, innocents))
    popular = random.pareto(1.2, v) + 0.1
    stops = [
        (a, b) for b in range(t) for a in random.choice(v, int(random.integers(1, 5)), False, popular / popular.sum())
    ]
    hits = [(a, b) for b in range(i) for a in random.choice(v, int(random.integers(1, 4)), False)]
    value, target = np.array(stops, np.int64).T
    need = random.integers(1, 20, t)[target]
    amount = np.where(value % 3 == 0, need, random.integers(1, 20, len(value)))
    reached, innocent = np.array(hits, np.int64).T
    return Problem(v, Stops.of(v, value, target, value % 3, amount, need), Hits.of(v, reached, innocent))


def test_the_choice_is_within_a_tenth_of_the_optimum_on_fifty_small_rings() -> None:
    worst = []
    for seed in range(50):
        problem = random_ring(seed)
        need = math.ceil(0.9 * problem.reachable)
        found = approximate(problem, need)
        assert problem.stops.total(found) >= need
        best, bound, optimal = exact(problem, need, 60)
        assert optimal and best is not None
        assert bound <= problem.cost(best) + 1e-6
        worst.append(problem.cost(found) / problem.cost(best))
        assert worst[-1] > 1 - 1e-9
    assert max(worst) <= 1.1
    assert np.mean(worst) <= 1.01


def test_the_exact_choice_is_that_of_trying_all_subsets() -> None:
    """An oracle that knows nothing of ways, weights or increments."""
    values, targets = 8, 7

    def stopped(chosen: tuple[int, ...], amount: Ints, need: Ints) -> int:
        over = [[sum(amount[v, t] for v in chosen if v % 2 == c) for c in (0, 1)] for t in range(targets)]
        return sum(max(both) >= n for both, n in zip(over, need, strict=True))

    for seed in range(12):
        random = np.random.default_rng(seed)
        amount = random.integers(0, 4, (values, targets)) * (random.random((values, targets)) < 0.6)
        need = random.integers(1, 6, targets)
        hit = random.random((values, 9)) < 0.3
        at, of = np.nonzero(amount)
        reached, innocent = np.nonzero(hit)
        problem = Problem(
            values,
            Stops.of(values, at, of, at % 2, amount[at, of], need[of]),
            Hits.of(values, reached, innocent),
        )

        choices = [c for n in range(values + 1) for c in itertools.combinations(range(values), n)]
        costs = {c: int(hit[list(c)].any(axis=0).sum()) + len(c) / (values + 1) for c in choices}
        assert problem.reachable == stopped(tuple(range(values)), amount, need)
        for wanted in range(problem.reachable + 1):
            found = cover(problem, wanted, 30)
            least = min(cost for c, cost in costs.items() if stopped(c, amount, need) >= wanted)
            assert found.optimal
            assert found.cost == pytest.approx(least)
            chosen = tuple(np.flatnonzero(found.chosen).tolist())
            assert stopped(chosen, amount, need) == problem.stops.total(found.chosen) >= wanted
            assert costs[chosen] == pytest.approx(found.cost)
            rows = list(ordered(problem, found.chosen))
            assert sorted(v for v, _, _ in rows) == list(chosen)
            assert sum(more for _, more, _ in rows) == stopped(chosen, amount, need)
            assert sum(harm for _, _, harm in rows) == problem.hits.total(found.chosen)


def test_a_choice_that_cannot_be_made_is_refused_and_time_may_run_out() -> None:
    problem = random_ring(1)
    with pytest.raises(UsageError, match="cannot be stopped"):
        cover(problem, problem.reachable + 1)
    assert cover(problem, 0).cost == 0
    hurried = cover(problem, problem.reachable, 1e-9)
    assert problem.stops.total(hurried.chosen) == problem.reachable
    assert hurried.bound is not None and hurried.bound <= hurried.cost
    again = cover(problem, problem.reachable, 1e-9)
    assert (again.chosen == hurried.chosen).all()


def test_what_native_code_prints_stays_out_of_the_result(capfd: pytest.CaptureFixture[str]) -> None:
    libc = ctypes.CDLL(None)
    with stdout_kept():
        libc.puts(b"noise")
    libc.puts(b"result")
    libc.fflush(None)
    assert capfd.readouterr() == ("result\n", "noise\n")


# The case.


def sent(account: str, n: int, **columns: object) -> list[dict[str, object]]:
    return [{"account_id": account, "at": START + timedelta(hours=h), **columns} for h in range(n)]


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """Ring m0 … m3, ring x0 x1, an explained group e0, innocents i0, i1: written by hand, so that counts are."""
    exchanges = [
        *sent("m0", 8, ip="198.51.100.1", device_id="d0"), *sent("m0", 2, ip="203.0.113.1", device_id="d0"),
        *sent("m1", 4, ip="198.51.100.1"), *sent("m1", 6, ip="203.0.113.1"),
        *sent("m2", 3, ip="203.0.113.1"), *sent("m2", 3, ip="192.168.0.9"), *sent("m2", 4, ip="203.0.114.7"),
        *sent("i0", 1, ip="198.51.100.1"), *sent("i0", 9, ip="192.0.2.9"),
        *sent("i1", 5, ip="203.0.113.1"), *sent("e0", 5, ip="203.0.113.1"), *sent("gone", 2, ip="203.0.113.1"),
        *sent("x0", 7, ip="203.0.113.1"),
        *sent("m3", 5),
    ]  # fmt: skip
    case = make_case(
        tmp_path / "town.duckdb",
        accounts=[{"account_id": "gone", "status": "banned"}, {"account_id": "m0", "banned_at": START},
                  {"account_id": "m2", "email": "5f00", "email_label": "a***@example.com"}],
        exchanges=exchanges,
        payments=[{"account_id": a, "payment_id": p} for a, p in
                  [("m0", "card"), ("m1", "card"), ("x0", "card"), ("m3", "own"), ("i1", "else")]],
        logins=[{"account_id": "m3", "ip": "203.0.113.1"}, {"account_id": "m1", "ip": "192.0.2.77", "at": START}],
        links=[{"account_id": "m0", "other_account_id": "m1", "kind": "referral"}],
        identifiers=[{"account_id": "m2", "kind": "tax_id", "value": "T1"},
                     {"account_id": "i0", "kind": "tax_id", "value": "T1"}],
    )  # fmt: skip
    with store.writing(case) as con:
        con.execute("INSERT INTO runs VALUES (1, now()::TIMESTAMP, 1, '{}', '{}', '{}', '{}')")
        for rank, (ring, status, members) in enumerate(
            [("Rm", "open", ("m0", "m1", "m2", "m3")), ("Rx", "watch", ("x0", "x1")), ("Re", "explained", ("e0",))], 1
        ):
            con.execute("INSERT INTO rings VALUES (?, ?, .9, .01, ?, true, ?, 0, NULL, NULL, '', '', 1, '{}')",
                        [ring, rank, status, len(members)])  # fmt: skip
            for member in members:
                con.execute("INSERT INTO members VALUES (?, ?, 'core', 1, 1, 0, NULL, NULL)", [ring, member])
    return case


MEMBERS = ["m0", "m1", "m2", "m3"]


def by_kind(found: Impact) -> dict[str, tuple[int, ...]]:
    return {
        kind: (h.values, h.stopped, h.innocents, h.in_rings, h.banned, h.exchanges, h.exchanges_innocents,
               h.exchanges_in_rings)
        for kind, h in found.kinds
    }  # fmt: skip


def test_what_a_block_hits_counted_by_hand(town: Path) -> None:
    found = impact(town, MEMBERS, ring_id="Rm")
    assert (found.accounts, found.banned, found.exchanges, found.unknown) == (4, 1, 35, ())
    hits = by_kind(found)
    # Private addresses are nobody's, ties are nothing to block.
    assert set(hits) == {"payment", "ip", "ip_net", "device", "email", "tax_id"}
    # m0 and m1 by all their addresses; m2 by 7 of 10 exchanges; m3 by the login, as its exchanges name no address.
    # i0, i1 and e0, whose group is explained, are innocents; the exchange of i0 counts, not its other nine.
    assert hits["ip"] == (4, 4, 3, 1, 1, 10 + 10 + 7 + 5, 1 + 5 + 5, 7)
    assert hits["payment"] == (2, 3, 0, 1, 0, 25, 0, 7)
    assert hits["device"] == (1, 1, 0, 0, 0, 10, 0, 0)
    assert hits["tax_id"] == (1, 1, 1, 0, 0, 10, 10, 0)
    assert hits["email"] == (1, 1, 0, 0, 0, 10, 0, 0)


def test_the_choice_spares_innocents_then_values(town: Path) -> None:
    found = impact(town, MEMBERS, share=0.75)
    assert len(found.blocked) == 2
    # The card stops two; for the third there are several values that hit nobody.
    assert (found.blocked[0].kind, found.blocked[0].value) == ("payment", "card")
    assert found.asked.optimal and found.asked.fewest == 0
    first = found.blocked[0]
    assert (first.stops_more, first.hits_more, first.alone.stopped, first.alone.in_rings, first.cheap) == (
        2, 0, 2, 1, False,
    )  # fmt: skip
    whole = impact(town, MEMBERS, share=1.0)
    assert [b.label for b in whole.blocked if b.kind == "email"] == ["a***@example.com"]
    assert (whole.asked.hit.stopped, whole.asked.hit.innocents, whole.asked.hit.values) == (4, 0, 3)


def test_addresses_stop_an_account_together_and_half_of_its_exchanges_by_default(town: Path) -> None:
    """m2 sends 3 of 10 over 203.0.113.1, 3 over a private address and 4 over 203.0.114.7: it takes both."""
    found = impact(town, ["m2"], kinds=["ip"], share=1.0)
    assert sorted(b.value for b in found.blocked) == ["203.0.113.1", "203.0.114.7"]
    assert found.asked.hit.exchanges == 7
    assert [b.alone.stopped for b in found.blocked] == [0, 0]
    little = impact(town, ["m2"], kinds=["ip"], share=1.0, use=0.4)
    assert [b.value for b in little.blocked] == ["203.0.114.7"]
    never = impact(town, ["m2"], kinds=["ip"], share=1.0, use=0.8)
    assert (never.reachable, never.blocked, never.asked.hit.values) == (0, (), 0)
    any_use = impact(town, ["m2", "m0"], kinds=["ip"], share=1.0, use=0.0)
    # One address would do, but hits two innocents; these two hit one.
    assert {(b.value, b.alone.stopped) for b in any_use.blocked} == {("203.0.114.7", 1), ("198.51.100.1", 1)}
    assert any_use.asked.hit.innocents == 1


def test_what_came_after_the_run_and_what_one_account_has_alone_counts(town: Path) -> None:
    before = by_kind(impact(town, ["m3"]))
    add_rows(town, payments=[{"account_id": "new", "payment_id": "own"}])
    after = by_kind(impact(town, ["m3"]))
    assert (before["payment"][:3], after["payment"][:3]) == ((1, 1, 0), (1, 1, 1))


def test_lists_and_arguments_that_do_not_fit(town: Path, tmp_path: Path) -> None:
    assert impact(town, ["m0", "nobody", "m0"]).unknown == ("nobody",)
    for accounts, said in ((["nobody"], "knows none of the 1"), ([], "no accounts given")):
        with pytest.raises(NotFoundError, match=said):
            impact(town, accounts)
    for kind in ("burst", "balance", "link:referral"):
        with pytest.raises(UsageError, match="nothing that can be blocked"):
            impact(town, MEMBERS, kinds=[kind])
    with pytest.raises(NotFoundError, match="no run yet"):
        impact(make_case(tmp_path / "c.duckdb", accounts=[{"account_id": "a"}]), ["a"])
    with pytest.raises(NotFoundError, match="value of kind 'phone'") as error:
        impact(town, MEMBERS, kinds=["ip", "phone"])
    assert "tax_id" in error.value.hint
    add_rows(town, accounts=[{"account_id": "bare"}])
    with pytest.raises(NotFoundError, match="has a value that could be blocked"):
        impact(town, ["bare"])
    for share, use in ((0.0, 0.5), (1.1, 0.5), (math.nan, 0.5), (0.9, -0.1), (0.9, 1.1), (0.9, math.nan)):
        with pytest.raises(UsageError):
            impact(town, MEMBERS, share=share, use=use)


def test_the_rows_agree_with_what_the_run_saw(sample_case: Path) -> None:
    """Who uses a shared value is read from the exports again; the run's sightings are the oracle."""
    with store.reading(sample_case) as con:
        members = [m.account_id for m in results.ring_in(con, sample_case, "1").members]
        found = read(con, members, [])
        names = [str(row[0]) for row in con.execute("SELECT account_id FROM touched ORDER BY account").fetchall()]
        seen = con.execute("SELECT kind, value, account_id, count FROM sightings").fetchall()
        totals = con.execute("SELECT count(*) FROM exchanges SEMI JOIN targets USING (account_id)").fetchall()
    uses: dict[tuple[str, str], set[str]] = {}
    over: dict[tuple[str, str, str], int] = {}
    for a, i, n in zip(found.account.tolist(), found.id.tolist(), found.over.tolist(), strict=True):
        uses.setdefault((found.kind[i], found.value[i]), set()).add(names[a])
        over[found.kind[i], found.value[i], names[a]] = n
    there: dict[tuple[str, str], set[str]] = {}
    for kind, value, account, _ in seen:
        there.setdefault((kind, value), set()).add(account)
    shared = [name for name in uses if name in there]
    assert {kind for kind, _ in shared} >= {"payment", "ip", "ip_net", "user_agent", "email_domain", "prompt"}
    for name in shared:
        # Sightings leave out who sends a prompt too seldom to say anything; a block does not.
        assert uses[name] == there[name] if name[0] != "prompt" else uses[name] >= there[name], name
    assert all(over[k, v, a] == n for k, v, a, n in seen if k == "prompt" and (k, v, a) in over)
    assert int(found.exchanges[found.role == 0].sum()) == totals[0][0]
    assert (found.role == INNOCENT).sum() > 1000


def test_the_trade_off_rises_and_is_the_same_again(sample_case: Path) -> None:
    members = [m.account_id for m in results.ring(sample_case, "2").members]
    found = impact(sample_case, members, share=0.85)
    assert [step.share for step in found.steps] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 1.0]
    assert all(step.hit.stopped >= step.need for step in found.steps)
    costs = [(step.hit.innocents, step.hit.values) for step in found.steps]
    assert costs == sorted(costs)
    assert found.asked in found.steps
    assert sum(b.stops_more for b in found.blocked) <= found.asked.hit.stopped
    assert impact(sample_case, members, share=0.85) == found


# The command.


def test_the_command_shows_draws_and_prints(
    sample_case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["impact", "2", "--case", str(sample_case), "--block", "api_key", "--block", "payment"]
    drawn = [tmp_path / "a.svg", tmp_path / "b.svg", tmp_path / "c.PNG"]
    for path in drawn:
        assert run([*words, "--plot", str(path)]) == 0
    out, err = capsys.readouterr()
    assert "If all that they have of a kind were blocked" in out
    assert "api_key" in out
    assert "The trade-off" in out
    assert "tomorrow is not known" in " ".join(out.split())
    assert "Drawn: " in err
    assert drawn[0].read_bytes() == drawn[1].read_bytes()
    assert drawn[0].read_text().startswith("<?xml")
    assert drawn[2].read_bytes().startswith(b"\x89PNG")
    assert run([*words, "--json", "--share", "0.5"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "linkage.impact/1"
    assert document["asked"]["need"] == math.ceil(document["accounts"] / 2)
    assert {row[0] for row in document["kinds"]} == {"api_key", "payment"}
    assert {row["kind"] for row in document["blocked"]} <= {"api_key", "payment"}


def test_the_command_takes_a_list_and_says_what_is_wrong(
    town: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "bans.csv"
    listed.write_text("account_id\nm0\nm1\nno\x1b[31mbody\n")
    assert run(["impact", str(listed), "--case", str(town), "--all"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("The list: 2 accounts, 1 of them banned already, 20 exchanges.")
    assert "does not know 1 of the accounts: no\\x1b[31mbody" in err
    for words, code, said in (
        (["impact", "Rm", "--block", "handoff"], ExitCode.USAGE, "nothing that can be blocked"),
        (["impact", "Rm", "--block", "ipp"], ExitCode.NOT_FOUND, "Kinds of which they have values"),
        (["impact", "Rm", "--share", "0"], ExitCode.USAGE, "share"),
        (["impact", "Rm", "--plot", str(tmp_path / "a.pdf")], ExitCode.USAGE, "neither an .svg nor a .png"),
        (["impact", "Rm", "--plot", str(tmp_path / "no" / "a.svg")], ExitCode.NOT_FOUND, "No such file or folder"),
        (["impact", "R7"], ExitCode.NOT_FOUND, "no ring 'R7'"),
        (["impact", "missing.csv"], ExitCode.NOT_FOUND, "no file missing.csv"),
        (["impact", str(tmp_path)], ExitCode.INPUT, "is a folder"),
    ):
        assert run([*words, "--case", str(town)]) == code, words
        assert said in capsys.readouterr().err, words
    assert not list(tmp_path.glob("a.*"))


def test_plots_need_their_extra_and_nothing_else_does(
    town: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = impact(town, MEMBERS)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MachineError, match="matplotlib") as error:
        draw(found, tmp_path / "a.svg")
    assert "account-linkage[plots]" in error.value.hint
    code = "import sys; import linkage.impact, linkage.impact_plot; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
