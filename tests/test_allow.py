"""Allowed identifiers link nobody, and decisions on members bind later runs, on real cases through the commands."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from linkage import allow as allowing
from linkage import allowances, decisions, results, store
from linkage.allow import allow, allowed, take_back
from linkage.detect import detect
from linkage.errors import InputError, NotFoundError, UsageError
from linkage.ingest import ingest
from linkage.review import conflicts, decide, queue
from linkage.until import utc_now
from linkage.why import why
from tests.cases import Output, make_case
from tests.test_detect import accounts, everything
from tests.test_review import join


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """Two rings, on a card, a device and a key each, found once."""
    made = make_case(tmp_path / "case.duckdb", accounts=[*accounts("x", 8), *accounts("y", 7), *accounts("z", 40)])
    for name, count in (("x", 8), ("y", 7)):
        join(made, name, range(count))
    detect(made, nulls=0)
    return made


def groups(case: Path) -> set[frozenset[str]]:
    return {frozenset(names) for _, names in results.judged(case)}


def names(prefix: str, *numbers: int) -> list[str]:
    return [f"{prefix}{at:03}" for at in numbers]


def test_decisions_on_members_bind_later_runs_and_taking_them_back_restores(case: Path) -> None:
    first, second = (ring.ring_id for ring in results.rings(case))
    before = groups(case)
    decide(case, first, "dismiss", members=names("x", 0, 1), by="ada", note="the owner's family")
    decide(case, second, "split", members=names("y", 0, 1, 3))
    report = detect(case, nulls=0)
    assert report.bound == {"decisions": 2, "joined": 0, "left": 5}
    assert groups(case) == {
        frozenset(names("x", *range(2, 8))),
        frozenset(names("y", 0, 1, 3)),
        frozenset(names("y", 2, 4, 5, 6)),
    }
    (run, *_) = results.runs(case)
    assert run.parameters["bound"] == report.bound
    gone = results.ring(case, first)
    assert [(row.account_id, row.joined, row.decision, row.by) for row in gone.bound] == [
        ("x000", False, 1, "ada"),
        ("x001", False, 1, "ada"),
    ]
    # Who was taken out can still be decided on: by taking it back.
    decide(case, first, "open", members=names("x", 0, 1))
    decide(case, second, "open", members=names("y", 0, 1, 3))
    assert detect(case, nulls=0).bound is None
    assert groups(case) == before


def test_a_confirmed_ring_stays_together_when_its_evidence_goes(case: Path) -> None:
    first = results.rings(case)[0].ring_id
    decide(case, first, "confirm")
    decide(case, first, "dismiss", members=["x007"])
    with store.writing(case) as con:
        for table in ("payments", "logins", "identifiers"):
            con.execute(f"DELETE FROM {table} WHERE account_id IN ('x005', 'x006')")
    detect(case, nulls=0)
    ring = results.ring(case, first)
    assert {member.account_id for member in ring.members} == set(names("x", *range(7)))
    assert {m.account_id: m.decision for m in ring.members if m.decision} == {"x005": 1, "x006": 1}
    assert ring.ring.status == "confirmed"
    assert all(0 <= member.confidence <= 1 for member in ring.members)


def test_a_ring_that_a_dismissal_dissolved_can_be_had_back(case: Path, linkage: Callable[..., Output]) -> None:
    second = results.rings(case)[1].ring_id
    everybody = names("y", *range(7))
    for out in everybody[:5]:
        decide(case, second, "dismiss", members=[out])
    detect(case, nulls=0)
    assert frozenset(everybody) not in groups(case)
    code, said, _ = linkage("review", second, "--case", case)
    assert code == 0
    assert said.count("dismiss") == 5
    decide(case, second[:6], "open", members=everybody[:5])
    detect(case, nulls=0)
    assert frozenset(everybody) in groups(case)


def test_decisions_end_and_those_before_count_again(case: Path) -> None:
    first, second = (ring.ring_id for ring in results.rings(case))
    now = utc_now()
    decide(case, first, "confirm", now=now - timedelta(days=2))
    decide(case, first, "dismiss", until="1d", now=now - timedelta(days=1, hours=12), by="ada")
    decide(case, second, "dismiss", until="12h", now=now - timedelta(days=1))
    assert [ring.status for ring in results.rings(case)] == ["confirmed", "open"]
    with store.reading(case) as con:
        rings = results.rings_in(con, case, now - timedelta(days=1))
        assert [ring.status for ring in rings] == ["dismissed", "dismissed"]
        assert decisions.confirmed(con, now) == {first: True}
        assert decisions.confirmed(con, now - timedelta(days=1)) == {first: False, second: False}
    over = now - timedelta(hours=12)
    (due,) = queue(case, now)
    assert (due.ring.ring_id, due.reason) == (second, f"dismissed until {over:%Y-%m-%d}, which is over")
    assert queue(case, now - timedelta(days=1)) == []
    assert conflicts(case) == []
    lines = [json.loads(line) for line in decisions.beside(case).read_text().splitlines()]
    assert lines[0]["until"] is None
    assert lines[1]["until"].endswith("Z")


def test_wrong_decisions_are_refused_and_add_nothing(case: Path) -> None:
    first = results.rings(case)[0].ring_id
    with pytest.raises(NotFoundError, match=r"No members of ring \w+ in the newest run: y000, z001"):
        decide(case, first, "dismiss", members=["x001", "y000", "z001"])
    for members in ((), names("x", *range(8))):
        with pytest.raises(UsageError, match="A split names some"):
            decide(case, first, "split", members=members)
    for end in ("2020-01-01", "never", "0d", "9" * 30 + "d"):
        with pytest.raises(UsageError):
            decide(case, first, "dismiss", until=end)
    with pytest.raises(InputError, match="no UTF-8 text"):
        decide(case, first, "dismiss", note="\udcff")
    with pytest.raises(InputError, match="no verdict"):
        decide(case, first, "maybe", members=["x001"])
    assert decisions.history(case) == []
    assert decide(case, first, "watch", members=["x001", "x001"], note="n", by="b") is not None
    assert decide(case, first, "watch", members=["x001"], note="n", by="b") is None


def test_an_allowed_identifier_brings_nothing_and_is_told(case: Path, linkage: Callable[..., Output]) -> None:
    before = everything(case)[1:7]
    first = results.rings(case)[0].ring_id
    at = ("--case", case)
    code, said, err = linkage("allow", "payment", "x-card", "--reason", "paid by a school\x1b[31m", "--by", "ada", *at)
    assert (code, "allowed by ada" in said, "linkage detect" in err, "\x1b" in said) == (0, True, True, False)
    assert (
        "nothing was added"
        in linkage("allow", "payment", "x-card", "--reason", "paid by a school\x1b[31m", "--by", "ada", *at)[2]
    )
    assert detect(case, nulls=1).allowed == 1
    ring = results.ring(case, first)
    assert {row.kind for row in ring.evidence} == {"device", "tax_id"}
    (left_out,) = ring.allowed
    assert (left_out.kind, left_out.value, left_out.accounts, left_out.by) == ("payment", "x-card", 8, "ada")
    (hub,) = results.hubs(case)
    assert (hub.kind, hub.accounts, hub.reason.partition(":")[0]) == ("payment", 8, "allowed by ada")
    ties = why(case, "x000", "x001")
    assert [(tie.bits, tie.counted) for tie in ties.ties if tie.kind == "payment"] == [(0.0, 0.0)]
    assert "does not count" in ties.verdict
    shown = linkage("ring", first, *at)[1]
    assert "Not counted, since ada allowed it" in shown
    assert "\x1b" not in shown
    document = json.loads(linkage("ring", first, *at, "--json")[1])
    assert document["allowed"][0]["value"] == "x-card"
    assert "x-card: allowed by ada" in linkage("allow", *at)[1]
    assert linkage("allow", "payment", "x-card", "--take-back", *at)[0] == 0
    assert linkage("allow", "payment", "x-card", "--take-back", *at)[0] == 4
    assert linkage("allow", *at)[1] == ""
    assert "taken back" in linkage("allow", "--all", *at)[1]
    detect(case, nulls=0)
    assert everything(case)[1:7] == before
    lines = allowances.beside(case).read_text().splitlines()
    assert [json.loads(line)["allowed"] for line in lines] == [True, False]
    # A line that a crash left out is written by the same command again.
    again = ("allow", "payment", "x-card", "--reason", "ours", "--by", "ada", *at)
    assert linkage(*again)[0] == 0
    whole = allowances.beside(case).read_bytes()
    allowances.beside(case).write_bytes(whole[:-5])
    assert "nothing was added" in linkage(*again)[2]
    assert allowances.beside(case).read_bytes() == whole


def test_values_are_brought_to_one_spelling_and_unseen_ones_are_refused(tmp_path: Path) -> None:
    export = tmp_path / "in"
    export.mkdir()
    rows = "\n".join(f"a{at},A.da+{at}@Googlemail.com,2026-01-0{at + 1}" for at in range(4))
    (export / "accounts.csv").write_text(f"account_id,email,created_at\n{rows}\n")
    (export / "logins.csv").write_text("account_id,ip,at\n" + "".join(f"a{at},8.8.4.{at},\n" for at in range(4)))
    (export / "links.csv").write_text("account_id,other_account_id,kind\na0,a1,Referral\n")
    case = tmp_path / "case.duckdb"
    ingest([export], case)
    made = allow(case, "email", "ada@gmail.com", reason="r")
    assert made is not None
    assert len(made.value) == 32
    for kind, typed, kept in (
        ("EMAIL_DOMAIN", "@Gmail.com", "gmail.com"),
        ("ip_net", "8.8.4.0/24", "8.8.4.0/24"),
        ("ip_net", "8.8.4.3", "8.8.4.0/24"),
        ("ip", "::ffff:8.8.4.3", "8.8.4.3"),
        ("link:referral", "a1", "a1"),
        ("email", made.value, made.value),
    ):
        again = allow(case, kind, typed, reason="r2", end="90d")
        assert again is not None
        assert again.value == kept
    for kind, typed, error in (
        ("ip", "9.9.9.9", NotFoundError),
        ("payment", "nobody's", NotFoundError),
        ("ip_net", "8.8.4.1/24", InputError),
        ("ip", "no address", InputError),
        ("burst", "x", UsageError),
        ("", "x", UsageError),
        ("payment", "4111 1111 1111 1111", InputError),
        ("payment", "\udcff", InputError),
    ):
        with pytest.raises(error):
            allow(case, kind, typed, reason="r")
    with pytest.raises(InputError, match="no UTF-8 text"):
        allow(case, "ip", "8.8.4.3", reason="\udcff")
    with pytest.raises(UsageError, match="reason"):
        allow(case, "ip", "8.8.4.3", reason=" ")
    assert allow(case, "ip", "9.9.9.9", reason="r", unseen=True) is not None
    take_back(case, "ip", "9.9.9.9")
    later = utc_now() + timedelta(days=91)
    # What had an end is over; of the e-mail what was said before counts again.
    assert [(one.kind, one.reason) for one in allowed(case, now=later)] == [("email", "r")]


def test_an_address_does_not_allow_its_network_nor_a_template_other_prompts(tmp_path: Path) -> None:
    times = [datetime(2026, 1, 1 + day, 1 + day * 7 % 23, day * 17 % 60) for day in range(28)]
    logins = [{"account_id": f"a{n:03}", "ip": "8.8.4.4", "at": times[0]} for n in range(4)]
    sent = [
        {"account_id": f"a{n:03}", "at": at, "prompt_fingerprint": name}
        for n in range(4)
        for at in times
        for name in ("bench", "own")
    ]
    case = make_case(tmp_path / "c.duckdb", accounts=accounts("a", 4), logins=logins, exchanges=sent)
    detect(case, nulls=0)

    def shared() -> set[tuple[str, str]]:
        with store.reading(case) as con:
            return set(con.execute("SELECT kind, value FROM shared").fetchall())

    before = shared()
    found = {kind for kind, _ in before} & {"burst", "handoff", "balance"}
    assert {("ip", "8.8.4.4"), ("ip_net", "8.8.4.0/24"), ("prompt", "bench"), ("prompt", "own")} <= before
    allow(case, "ip", "8.8.4.4", reason="office")
    allow(case, "prompt", "bench", reason="a benchmark")
    detect(case, nulls=0)
    after = shared()
    assert {("ip_net", "8.8.4.0/24"), ("prompt", "own")} <= after
    assert not {("ip", "8.8.4.4"), ("prompt", "bench")} & after
    # What moves together still does by the other prompt, and by nothing once that is allowed too.
    assert found
    allow(case, "prompt", "own", reason="a benchmark")
    detect(case, nulls=0)
    assert not {kind for kind, _ in shared()} & {"prompt", "burst", "handoff", "balance"}


def test_the_module_knows_every_kind_of_column() -> None:
    assert {"payment", "ip", "device", "user_agent", "email", "phone", "org", "prompt"} <= set(allowing._SEEN)
