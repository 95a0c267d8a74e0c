"""Erasure: nothing of an account stays, whatever happens meanwhile, and all else does."""

import io
import os
import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from linkage import audit, audit_check, decisions, erasing, store
from linkage.allow import allow
from linkage.errors import CaseBusyError, InputError, NotFoundError, UsageError
from linkage.forget import forget, look
from linkage.ingest import ingest
from linkage.review import decide
from linkage.rewrite import MASK
from linkage.until import utc_now
from tests.cases import Output, copied, tables_of

MEMBER, OTHER = "acct_58f058ce", "acct_7a8a6497"


def names(case: Path, name: str) -> dict[str, int]:
    """In how many rows of each table the name stands, and in which files beside the case."""
    found = {table: sum(name in str(row) for row in rows) for table, rows in tables_of(case).items()}
    found |= {path.name: path.read_bytes().count(name.encode()) for path in case.parent.iterdir()}
    return {place: count for place, count in found.items() if count}


@pytest.fixture(scope="module")
def decided(sample_case: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample's case, where the account stands wherever one can."""
    case = copied(sample_case, tmp_path_factory.mktemp("decided"))
    decide(case, "1", "confirm", note=f"{MEMBER} pays for ({OTHER}), see {MEMBER}.", tags=[MEMBER, "pool"], by="ann")
    decide(case, "1", "confirm", members=[MEMBER, OTHER])
    decide(case, "1", "watch", members=[MEMBER])
    allow(case, "link:referral", MEMBER, reason=f"{MEMBER} invites everybody", unseen=True)
    with store.writing(case) as con:
        ((own,),) = con.execute("SELECT any_value(email) FROM accounts WHERE account_id = ?", [MEMBER]).fetchall()
        con.execute("INSERT INTO aliases VALUES (?, 'customer', 'cus_77', NULL, NULL)", [MEMBER])
        con.execute("INSERT INTO links VALUES (?, ?, 'referral', NULL, NULL, NULL)", [OTHER, MEMBER])
        con.execute("INSERT INTO sightings VALUES (?, 'link:referral', ?, 1, NULL, NULL, 1.0)", [OTHER, MEMBER])
        con.execute("INSERT INTO shared VALUES ('link:referral', ?, NULL, 2, 1.0, NULL)", [MEMBER])
        con.execute("INSERT INTO bystanders VALUES ('R0', ?, 1.0, ?)", [OTHER, f"shares link:referral {MEMBER}"])
        con.execute("INSERT INTO rejects VALUES (1, 7, 'ip', 'ip is no IP address', 'her address')")
    allow(case, "email", own, reason="hers")
    return case


@pytest.fixture
def case(decided: Path, tmp_path: Path) -> Path:
    return copied(decided, tmp_path)


def test_nothing_of_it_stays_and_all_else_does(case: Path) -> None:
    before = tables_of(case)
    assert {"exchanges", "members", "decisions", "allowances", "links", "aliases"} <= set(names(case, MEMBER))
    shutil.copy(case, store.backup(case, 3))
    done = forget(case, [MEMBER])
    assert store.backups(case) == []
    assert done.accounts == (MEMBER,)
    assert done.names == (MEMBER, "cus_77")
    assert names(case, MEMBER) == names(case, "cus_77") == names(case, "her address") == {}
    after = tables_of(case)
    for table in ("account_rows", "payments", "logins", "exchanges", "identifiers", "links", "lives", "memberships"):
        assert after[table] == [row for row in before[table] if MEMBER not in row], table
    for table in ("runs", "commands", "null_models", "likeness", "lineage"):
        assert after[table] == before[table], table
    with store.reading(case) as con:
        # What is counted is what is there.
        in_ring = (
            "SELECT ring_id, kind, value, count(*) AS n FROM members JOIN sightings USING (account_id) GROUP BY ALL"
        )
        for holders, table, keys in (
            ("SELECT kind, value, count(*) AS n FROM sightings GROUP BY ALL", "shared", "kind, value"),
            (in_ring, "evidence", "ring_id, kind, value"),
        ):
            wrong = con.execute(f"SELECT * FROM {table} JOIN ({holders}) USING ({keys}) WHERE accounts <> n")
            assert wrong.fetchall() == []
        lost = con.execute("SELECT prompt FROM prompts ANTI JOIN exchanges USING (prompt)")
        assert lost.fetchall() == []
        rings = con.execute("SELECT ring_id, accounts, exchanges FROM rings ORDER BY 1").fetchall()
        counted = "SELECT ring_id, count(*), sum(exchanges)::BIGINT FROM members GROUP BY ring_id ORDER BY 1"
        assert rings == con.execute(counted).fetchall()
    assert len(after["members"]) == len(before["members"]) - 1
    notes = decisions.history(case)
    assert notes[0].note == f"{MASK} pays for ({OTHER}), see {MASK}."
    assert notes[0].tags == (MASK, "pool")
    # One on a member does not become one on the ring.
    assert [set(one.members) for one in notes] == [set(), {MASK, OTHER}, {MASK}]
    assert [row[2] for row in after["allowances"]] == [MASK, MASK]
    assert decisions.beside(case).read_bytes() == b"".join(decisions.lines(case))


def test_the_audit_knows_a_keyed_hash_alone_and_is_whole(case: Path) -> None:
    forget(case, [MEMBER])
    entry = audit.entries(case)[-1]
    assert entry.deed == "forget"
    assert audit.key_of(case).hash("account", MEMBER) in entry.facts
    assert audit_check.check(case).findings == ()


def test_the_old_file_and_its_log_are_overwritten(case: Path) -> None:
    log = case.with_name(f"{case.name}.wal")
    other = case.with_name("other.duckdb")
    shutil.copy(case, other)
    con = duckdb.connect(str(other))
    con.execute("PRAGMA disable_checkpoint_on_shutdown")
    con.execute("INSERT INTO payments VALUES (?, 'only in the log', NULL, NULL, NULL, NULL)", [MEMBER])
    con.close()
    other.replace(case)
    other.with_name(f"{other.name}.wal").replace(log)
    assert b"only in the log" in log.read_bytes()
    with case.open("rb") as old, log.open("rb") as old_log:
        size, log_size = case.stat().st_size, log.stat().st_size
        forget(case, [MEMBER])
        assert old.read() == bytes(size)
        left = old_log.read()
        assert (left.strip(b"\0"), len(left) >= log_size) == (b"", True)
    assert not log.exists()
    assert sorted(path.name for path in case.parent.iterdir()) == sorted(
        f"{case.name}{end}" for end in ("", ".key", ".audit.jsonl", ".decisions.jsonl", ".allowances.jsonl")
    )
    assert case.stat().st_mode & 0o777 == 0o644


def killed(step: int, work: Callable[[], object]) -> bool:
    """Do the work in a process that dies before its n-th change of the disk; whether it came so far."""
    child = os.fork()
    if child == 0:
        left = [step]

        def dying(call: Callable[..., Any]) -> Callable[..., Any]:
            def one(*args: Any, **kwargs: Any) -> Any:
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)
                return call(*args, **kwargs)

            return one

        os.link, os.write, os.fsync = dying(os.link), dying(os.write), dying(os.fsync)
        for name in ("unlink", "replace", "chmod"):
            setattr(Path, name, dying(getattr(Path, name)))
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, 9)
    return os.waitstatus_to_exitcode(status) == 9


def test_a_crash_at_any_instant_leaves_the_old_case_or_the_new_one(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    case = ingested(tmp_path / "in", FIRST)
    decisions.record(case, [decisions.Decision("R1", "confirm", "zoe77 is it", (), "", utc_now(), "linkage")])
    whole = tables_of(case)
    forget(copied(case, fresh(tmp_path / "done")), ["zoe77"])
    wanted = tables_of(tmp_path / "done" / case.name)
    # A third of the instants, others in each run: there are two dozen, and each takes two erasures.
    step = random.randrange(3)
    while True:
        at = copied(case, fresh(tmp_path / "at"))
        died = killed(step, partial(forget, at, ["zoe77"]))
        found = tables_of(at)
        assert contents(found) in (contents(whole), contents(wanted)), step
        if not died:
            break
        forget(at, ["zoe77"])
        assert contents(tables_of(at)) == contents(wanted), step
        assert not any(b"zoe77" in path.read_bytes() for path in at.parent.iterdir()), step
        assert len(list(at.parent.iterdir())) == 4, (step, list(at.parent.iterdir()))
        assert audit_check.check(at).findings == ()
        step += 3
    assert step > 12


def contents(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Without what the clock says."""
    return {table: rows[table] for table in rows if table != "audit"} | {"audit": [row[0] for row in rows["audit"]]}


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


FIRST = {
    "accounts.csv": "account_id,email,aliases\nzoe77,zoe@example.com,cus_9\nbob,bob@example.com,\n",
    "exchanges.csv": 'account_id,at,ip,prompt\nzoe77,2026-01-01,8.8.8.8,"what one alone asks of it, word for word"\n'
    'zoe77,2026-01-02,8.8.4.4,"what both of them ask of it, word for word"\n'
    'bob,2026-01-02,8.8.4.4,"what both of them ask of it, word for word"\n',
    "links.csv": "account_id,other_account_id\nbob,zoe77\nbob,eve\n",
    "identifiers.csv": "account_id,kind,value\nzoe77,tax_id,t1\nbob,tax_id,t2\n",
}


def ingested(folder: Path, tables: dict[str, str], case: Path | None = None) -> Path:
    for name, text in tables.items():
        (folder / name).write_text(text)
    case = case or folder / "c.duckdb"
    ingest([folder / name for name in tables], case)
    for name in tables:
        (folder / name).unlink()
    return case


def without(text: str, name: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if name not in line)


def test_what_stays_is_what_a_case_holds_that_never_knew_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKAGE_PEPPER", "the same for both")
    never = {name: without(text, "zoe77").replace(",aliases\n", "\n").replace(".com,\n", ".com\n")
             for name, text in FIRST.items()}  # fmt: skip
    a, b = ingested(fresh(tmp_path / "a"), FIRST), ingested(fresh(tmp_path / "b"), never)
    forget(a, ["zoe77"])
    found, wanted = tables_of(a), tables_of(b)
    for table in ("prompts", "exchanges", "links", "identifiers", "payments", "aliases"):
        plain = [[row[:-2] if table != "prompts" else row for row in rows[table]]
                 for rows in (found, wanted)]  # fmt: skip
        assert plain[0] == plain[1], table


def test_later_exports_leave_it_out_under_any_of_its_names(tmp_path: Path, linkage: Callable[..., Output]) -> None:
    case = ingested(fresh(tmp_path / "in"), FIRST)
    forget(case, ["zoe77"])
    again = {name: text.replace("2026-01-01", "2026-03-01") for name, text in FIRST.items()}
    again["exchanges.csv"] += (
        "cus_9,2026-03-02,8.8.4.4,hello\nzoe77,2026-03-03,no address,hello\nbob,2026-03-04,,hello\n"
    )
    again["logins.csv"] = "account_id,ip\nzoe77,8.8.8.8\nbob,8.8.8.8\nbob,\n"
    folder = fresh(tmp_path / "again")
    for name, text in again.items():
        (folder / name).write_text(text)
    code, out, err = linkage("ingest", folder, "--case", case)
    assert (code, "Left out 5 rows of accounts that were erased" in err) == (0, True), out + err
    kept = names(case, "zoe77")
    assert kept == {}
    assert names(case, "cus_9") == names(case, "no address") == {}
    with store.reading(case) as con:
        assert con.execute("SELECT count(*) FROM logins").fetchall() == [(2,)]
        assert con.execute("SELECT count(*) FROM exchanges WHERE account_id = 'bob'").fetchall() == [(2,)]


def test_it_asks_and_says_what_it_does_not_know(
    case: Path, linkage: Callable[..., Output], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = ("--case", case)
    before = tables_of(case)
    code, _, err = linkage("forget", MEMBER, "nobody", "--dry-run", *at)
    assert (code, "Not in the case: nobody" in err, "30 exchanges" in err) == (4, True, True)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert linkage("forget", MEMBER, *at)[0] == 130
    assert tables_of(case) == before
    code, out, err = linkage("forget", MEMBER, "--yes", *at)
    assert (code, "erased account acct_58f058ce" in out, "Exports, reports and packets" in err) == (0, True, True)
    code, out, err = linkage("forget", MEMBER, "--yes", "--json", *at)
    assert (code, f"Erased before: {MEMBER}" in err) == (0, True)
    for words, wanted in ((["nobody"], NotFoundError), ([], UsageError), (["\udcff"], InputError)):
        with pytest.raises(wanted):
            look(case, words)
    (case.parent / f"{case.name}.rejects.parquet").write_bytes(b"x")
    assert [path.name for path in look(case, [OTHER]).others] == [f"{case.name}.rejects.parquet"]


def test_nobody_may_hold_the_case_meanwhile(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "WAIT_SECONDS", 0.2)
    ready, hold = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        with store.reading(case):
            os.write(ready[1], b"x")
            os.close(hold[1])
            os.read(hold[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    with pytest.raises(CaseBusyError, match=f"process {child}"):
        forget(case, [MEMBER])
    os.close(hold[1])
    os.waitpid(child, 0)
    assert names(case, MEMBER)
    forget(case, [MEMBER])
    assert names(case, MEMBER) == {}


def test_a_swap_that_was_cut_off_is_told_from_the_file_itself(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("now")
    os.link(path, tmp_path / ".f.aaaa.old")
    (tmp_path / ".f.bbbb.old").write_text("before")
    (tmp_path / ".f.cccc.rewritten").write_text("half")
    erasing.clear(path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("f", "now")]
