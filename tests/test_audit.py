"""The audit: every deed leaves an entry, and whatever happens to the entries is found."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from linkage import audit, audit_check, store
from linkage.allow import allow
from linkage.audit import beside
from linkage.context import tables
from linkage.decisions import Decision
from linkage.errors import InputError, LinkageError
from linkage.export import export
from linkage.posix import user_name
from linkage.review import decide
from tests.cases import Output, copied


@pytest.fixture(scope="module")
def decided(sample_case: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample's case, with decisions and an allowance of one's own."""
    found = copied(sample_case, tmp_path_factory.mktemp("decided"))
    with store.writing(found) as con:
        con.execute("DELETE FROM audit WHERE entry > 7")
    beside(found).write_text("".join(lines(found)[:7]))
    decide(found, "1", "watch", note="seen before", by="ann")
    allow(found, "ip", "203.0.113.7", reason="our office", unseen=True)
    decide(found, "2", "confirm", by="ann")
    return found


@pytest.fixture
def case(decided: Path, tmp_path: Path) -> Path:
    return copied(decided, tmp_path)


def tamper(case: Path, *statements: str) -> None:
    with store.writing(case) as con:
        for statement in statements:
            con.execute(statement)


def lines(case: Path) -> list[str]:
    return beside(case).read_text().splitlines(keepends=True)


def test_every_deed_leaves_an_entry_and_none_names_an_account(
    case: Path, tmp_path: Path, linkage: Callable[..., Output]
) -> None:
    ranges = tmp_path / "ranges.csv"
    ranges.write_text("203.0.113.0/24\n")
    tables.add(case, "vpn", [ranges])
    tables.remove(case, "vpn")
    export(case, tmp_path / "out")
    assert linkage("report", "-o", tmp_path / "r.html", "--case", case)[0] == 0
    assert linkage("ring", "1", "--packet", tmp_path / "packet", "--case", case)[0] == 0
    deeds = [entry.deed for entry in audit.entries(case)]
    ingested = deeds.index("detect")
    assert deeds[:ingested] == ["ingest"] * 6
    assert deeds[-8:] == ["review", "allow", "review", "context", "context", "export", "report", "packet"]
    assert {entry.by for entry in audit.entries(case)} == {user_name()}
    with store.reading(case) as con:
        accounts = [str(row[0]) for row in con.execute("SELECT account_id FROM accounts").fetchall()]
    said = beside(case).read_text()
    assert not any(account in said for account in accounts)
    assert "203.0.113.7" not in said
    code, out, err = linkage("audit", "--case", case, "--limit", 2)
    assert (code, "report" in out, "packet" in out, "export" in out) == (0, True, True, False)
    assert audit.entries(case)[-1].head in err
    rows = json.loads(linkage("audit", "--case", case, "--json")[1])["rows"]
    assert rows[-1]["facts"] == {"ring": rows[-1]["facts"]["ring"]}
    code, out, _ = linkage("audit", "verify", "--case", case)
    assert (code, f"{len(deeds)} entries, head {len(deeds)}:" in out) == (0, True)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE audit SET \"by\" = 'eve' WHERE entry = 3", "entry 3 was changed"),
        ("UPDATE audit SET facts = replace(facts, 'rows', 'Rows') WHERE entry = 1", "entry 1 was changed"),
        ("UPDATE audit SET \"at\" = \"at\" + INTERVAL 1 SECOND WHERE entry = 4", "entry 4 was changed"),
        ("UPDATE audit SET code = (SELECT code FROM audit WHERE entry = 1) WHERE entry = 2", "entry 2 was changed"),
        ("DELETE FROM audit WHERE entry = 2", "entry 2 is missing"),
        ("DELETE FROM audit WHERE entry >= 9", "lacks entries 9 to 10"),
        (
            "UPDATE audit SET entry = -entry WHERE entry IN (4, 5); UPDATE audit SET entry = 9 + entry WHERE entry < 0",
            "entry 4 was changed",
        ),
        ("INSERT INTO audit SELECT 11, * EXCLUDE (entry) FROM audit WHERE entry = 1", "entry 11"),
        ("UPDATE meta SET value = 'another' WHERE key = 'case_id'", "entry 1 was changed"),
        ("UPDATE decisions SET verdict = 'dismiss' WHERE decision = 1", "The decision 1 was changed"),
        ("DELETE FROM decisions WHERE decision = 2", "The decision 2 was removed"),
        (
            "INSERT INTO decisions SELECT 3, * EXCLUDE (decision) FROM decisions WHERE decision = 1",
            "The decision 3 was added",
        ),
        ("UPDATE allowances SET value = '198.51.100.9'", "The allowance 1 was changed"),
    ],
)  # fmt: skip
def test_a_change_in_the_case_is_found(case: Path, statement: str, said: str) -> None:
    tamper(case, statement)
    assert said in " ".join(audit_check.check(case).findings)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda kept: kept[1:], "entry 1 is missing"),
        (lambda kept: kept[:3] + kept[4:], "entry 4 is missing"),
        (lambda kept: kept[:-1], "lacks entries 10 to 10"),
        (lambda kept: [kept[1], kept[0], *kept[2:]], "entry 1 is missing, or out of its place"),
        (lambda kept: [*kept[:4], kept[4].replace('"rows"', '"Rows"'), *kept[5:]], "entry 5 was changed"),
        (lambda kept: [*kept[:4], kept[4].replace('"entry": 5', '"entry":  5'), *kept[5:]], "Line 5"),
        (lambda kept: [*kept, "{}\n"], "Line 11"),
        (lambda kept: [*kept, "[" * 100_000 + "\n"], "Line 11"),
        (lambda kept: [], "lacks entries 1 to 10"),
    ],
)
def test_a_change_in_the_file_beside_it_is_found(
    case: Path, change: Callable[[list[str]], list[str]], said: str, linkage: Callable[..., Output]
) -> None:
    beside(case).write_text("".join(change(lines(case))))
    code, _, err = linkage("audit", "verify", "--case", case)
    assert (code, said in err) == (6, True), err


def test_an_end_that_both_lost_is_found_by_the_head_alone(case: Path) -> None:
    head = audit_check.check(case).head
    decide(case, "3", "confirm")
    assert audit_check.check(case, head).findings == ()
    beside(case).write_text("".join(lines(case)[:8]))
    tamper(case, "DELETE FROM audit WHERE entry > 8", "DELETE FROM decisions WHERE decision > 1")
    assert audit_check.check(case).findings == ()
    assert "the head that was noted" in audit_check.check(case, head).findings[0]
    with pytest.raises(LinkageError, match="no head"):
        audit_check.check(case, "12")


def test_who_has_not_the_key_can_neither_write_nor_check(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = audit.entries(case)
    monkeypatch.setenv("LINKAGE_PEPPER", "another")
    for deed in (lambda: decide(case, "3", "confirm"), lambda: audit_check.check(case)):
        with pytest.raises(InputError, match="another key"):
            deed()
    assert audit.entries(case) == before


def test_no_deed_without_its_entry(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError

    with store.reading(case) as con:
        before = con.execute("SELECT count(*) FROM decisions").fetchall()
    monkeypatch.setattr(audit, "extend", refuse)
    with pytest.raises(RuntimeError):
        decide(case, "3", "confirm")
    with store.reading(case) as con:
        assert con.execute("SELECT count(*) FROM decisions").fetchall() == before


def test_what_an_interrupted_command_did_not_copy_the_next_one_does(
    case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(audit, "copy", lambda _: None)
        decide(case, "3", "confirm")
    assert "lacks entries 11 to 11" in audit_check.check(case).findings[0]
    decide(case, "3", "watch")
    assert audit_check.check(case).findings == ()


def test_a_case_that_may_only_be_read_is_exported_without_an_entry(
    case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode, **_: not mode & 2)
    before = audit.entries(case)
    export(case, tmp_path / "out")
    assert audit.entries(case) == before


def test_a_decision_says_all_that_its_entry_vouches_for() -> None:
    assert set(Decision.__dataclass_fields__) == {
        "ring_id", "verdict", "note", "tags", "by", "at", "source", "run", "number", "members", "until",
    }  # fmt: skip


def test_a_case_of_before_the_audit_begins_it(case: Path) -> None:
    tamper(case, "DELETE FROM audit")
    beside(case).unlink()
    assert audit_check.check(case) == audit_check.Checked(0, "", ())
    decide(case, "2", "watch")
    assert audit_check.check(case).entries == 1
    assert audit_check.check(case).findings == ()
