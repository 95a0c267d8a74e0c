"""Where the rows behind a ring stand: the named line of the named file shows the value."""

import csv
import gzip
import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
import zstandard
from click.testing import CliRunner

from linkage import Case, results, sources, store
from linkage.commands import cli
from linkage.detect import detect
from linkage.errors import NotFoundError, UsageError
from linkage.ingest import ingest
from linkage.results import rings
from linkage.sources import BEFORE, SEVERAL, UNTOLD
from tests.cases import forget_places, make_case

HEAD = "account_id,ip,device_id,user_agent,at\n"
PLACES = "SELECT device_id, f.name, line FROM logins JOIN files f USING (file) ORDER BY ALL"


def rows(case: Path, sql: str) -> list[tuple[Any, ...]]:
    with store.reading(case) as con:
        return con.execute(sql).fetchall()


def put(path: Path, text: str | bytes) -> Path:
    data = text.encode() if isinstance(text, str) else text
    packed = {".gz": lambda: gzip.compress(data, mtime=0), ".zst": lambda: zstandard.compress(data)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed.get(path.suffix, lambda: data)())
    return path


def line_of(path: Path, line: int) -> str:
    """The line of a text file, unpacked."""
    return lines_of(path)[line - 1]


def lines_of(path: Path) -> list[str]:
    """All lines of a text file, unpacked."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    elif path.suffix == ".zst":
        data = zstandard.decompress(data)
    return data.decode().split("\n")


def stand_where_they_say(case: Path, path: Path, count: int) -> None:
    found = rows(case, PLACES)
    assert len(found) == count
    for device, name, line in found:
        assert name == path.name
        assert device in line_of(path, line), (device, line)


PLAIN = HEAD + "".join(f"a{n},8.8.8.8,d{n:04},ua,2026-02-01\n" for n in range(50))
QUOTED = HEAD + "".join(
    f'a{n},8.8.8.8,d{n:04},"one\n\n{"two" * n}",2026-02-01\n' + "\n" * (n % 3 == 0) for n in range(50)
)
REJECTED = HEAD + "".join(
    f"a{n},8.8.8.8,d{n:04},ua,{'never' if n % 7 == 0 else '2026-02-01'}{',too many' * (n % 11 == 1)}\n"
    for n in range(50)
)
JSONL = "".join(
    json.dumps({"account_id": f"a{n}", "device_id": f"d{n:04}"}) + "\n" + "{broken\n" * (n % 5 == 0) for n in range(50)
)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("name", "text", "count"),
    [
        ("logins.csv", PLAIN, 50),
        ("logins.csv", PLAIN.rstrip("\n"), 50),
        ("logins.csv", PLAIN.replace("\n", "\r\n"), 50),
        ("logins.csv", "\ufeff" + QUOTED, 50),
        ("logins.csv.gz", QUOTED, 50),
        ("logins.csv.zst", QUOTED.replace("\n", "\r\n"), 50),
        ("logins.tsv.gz", PLAIN.replace(",", "\t"), 50),
        ("logins.csv", REJECTED, 37),
        ("logins.csv.zst", REJECTED, 37),
        ("logins.jsonl", JSONL, 50),
        ("logins.jsonl.gz", JSONL.replace("\n", "\n\n"), 50),
    ],
    ids=[
        "plain",
        "open-end",
        "crlf",
        "quoted",
        "quoted-gz",
        "quoted-crlf-zst",
        "tsv-gz",
        "rejects",
        "rejects-zst",
        "jsonl",
        "jsonl-blank-gz",
    ],
)
def test_the_named_line_shows_the_value(tmp_path: Path, name: str, text: str, count: int, first: bool) -> None:
    case = tmp_path / "c.duckdb"
    path = put(tmp_path / "in" / name, text)
    if not first:  # then it goes the long way
        ingest([put(tmp_path / "payments.csv", "account_id,payment_id\na,p\n")], case)
    ingest([path], case)
    stand_where_they_say(case, path, count)


def test_lines_are_right_where_several_threads_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linkage.ingest.stage.MAX_LINE", 1 << 18)
    monkeypatch.setenv("LINKAGE_THREADS", "4")
    for number, agent in enumerate(("ua", '"u\na"')):
        case = tmp_path / f"{number}.duckdb"
        ingest([put(tmp_path / str(number) / "logins.csv", HEAD + "".join(
            f"a,8.8.8.8,d{n:06}{'x' * 50},{agent},2026-02-01\n" for n in range(60_000)))], case)  # fmt: skip
        step = 2 + number
        wrong = f"count(*) FILTER (substr(device_id, 2, 6)::BIGINT * {step - 1} + 2 IS DISTINCT FROM line)"
        assert rows(case, f"SELECT count(*), {wrong} FROM logins") == [(60_000, 0)]


def test_parquet_counts_rows(tmp_path: Path) -> None:
    for table, column in (("logins", "device_id"), ("identifiers", "value")):
        path, case = tmp_path / f"{table}.parquet", tmp_path / f"{table}.duckdb"
        with duckdb.connect() as con:
            con.execute(
                f"""COPY (SELECT 'a' AS account_id, 'k' AS kind, CASE WHEN i = 3 THEN '' ELSE 'v' || i END AS {column},
                CASE WHEN i = 2 THEN 'never' ELSE '2026-02-01' END AS at FROM range(10) t(i))
                TO '{path}' (FORMAT parquet)"""
            )
        ingest([path], case)
        for value, line in rows(case, f"SELECT {column}, line FROM {table} WHERE {column} IS NOT NULL"):
            with duckdb.connect() as con:
                stands = con.execute(f"SELECT {column} FROM '{path}' LIMIT 1 OFFSET {line - 1}").fetchone()
            assert stands == (value,)


def test_of_equal_rows_the_first_stays_within_and_between_commands(tmp_path: Path) -> None:
    case, line = tmp_path / "c.duckdb", "a,8.8.8.8,d,,2026-02-01\n"
    one = put(tmp_path / "logins-1.csv", HEAD + line * 2)
    two = put(tmp_path / "logins-2.csv", HEAD + "b,,e,,2026-02-01\n" + line)
    three = put(tmp_path / "logins-3.csv", HEAD + line * 2 + "c,,f,,2026-02-01\n" + line)
    ingest([one, two], case)
    ingest([three], case)
    assert rows(case, PLACES) == [
        ("d", "logins-1.csv", 2), ("d", "logins-1.csv", 3), ("d", "logins-3.csv", 5), ("e", "logins-2.csv", 2),
        ("f", "logins-3.csv", 4),
    ]  # fmt: skip


def test_the_row_of_an_exchange_that_won_is_its_place(tmp_path: Path) -> None:
    case, head = tmp_path / "c.duckdb", "account_id,at,exchange_id,output_tokens\n"
    one = put(tmp_path / "exchanges-1.csv", head + "a,2026-02-01,x1,5\na,2026-02-01,x1,7\na,2026-02-01,x1,7\n")
    ingest([one], case)
    read = "SELECT output_tokens, f.name, line FROM exchanges JOIN files f USING (file) ORDER BY 1"
    assert rows(case, read) == [(7, "exchanges-1.csv", 3)]
    ingest([put(tmp_path / "exchanges-2.csv", head + "z,2026-02-01,x2,9\na,2026-02-01,x1,6\n")], case)
    assert rows(case, read) == [(6, "exchanges-2.csv", 3), (9, "exchanges-2.csv", 2)]


def test_an_unclosed_quote_leaves_the_line_open(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    text = HEAD + 'a,8.8.8.8,d1,ua,2026-02-01\nb,,d2,"x,2026-02-01\nc,,d3,,2026-02-01\n'
    ingest([put(tmp_path / "logins.csv", text)], case)
    for device, _, line in rows(case, PLACES):
        assert line is None or device in line_of(tmp_path / "logins.csv", line)


def test_a_killed_ingest_leaves_places_of_whole_files(tmp_path: Path) -> None:
    folder, case = tmp_path / "in", tmp_path / "c.duckdb"
    for number in range(3):
        put(folder / f"logins-{number}.csv", HEAD + f"a{number},,d{number},,2026-02-0{number + 1}\n" * 3)
    code = (
        "import os, sys; from pathlib import Path; from linkage.ingest import ingest, load\n"
        "merge = load.merge\n"
        "def kills(con, table, command, file, line):\n"
        "    added = merge(con, table, command, file, line)\n"
        "    if file == 3: os._exit(9)\n"
        "    return added\n"
        "load.merge = kills; ingest([Path(sys.argv[1])], Path(sys.argv[2]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder), str(case)], check=False, capture_output=True)
    assert done.returncode == 9
    assert {name for _, name, _ in rows(case, PLACES)} == {"logins-0.csv", "logins-1.csv"}
    ingest([folder], case)
    assert rows(case, PLACES) == [(f"d{n}", f"logins-{n}.csv", line) for n in range(3) for line in (2, 3, 4)]


# A ring.

SECRETS = ("secret.name@example.com", "4420794600", "planted secret words", "+442079460000")


def exports(folder: Path) -> None:
    """Six accounts of one hand: a card, a device, two addresses of a network, a prompt in bursts, a phone, a tie."""
    start = datetime(2026, 1, 5)
    members = [f"m{n}" for n in range(6)]
    put(folder / "accounts.csv", "account_id,created_at,email,phone,org_id,status,banned_at\n" + "".join(
        f"{m},2026-01-0{n + 1},secret.name@example.com,+442079460000,org{n},{'banned' if n == 0 else 'active'},"
        f"{'2026-02-01' if n == 0 else ''}\n" for n, m in enumerate(members)))  # fmt: skip
    put(folder / "payments.csv.gz", "account_id,payment_id,added_at\n" + "".join(
        f"{m},card_1,2026-01-02\nx{n},card_x{n},2026-01-02\n" for n, m in enumerate(members)))  # fmt: skip
    put(folder / "logins.jsonl", "".join(
        json.dumps({"account_id": m, "ip": f"81.2.69.{7 + n % 2}", "device_id": "dev_1", "at": "2026-01-03"}) + "\n"
        for n, m in enumerate(members)))  # fmt: skip
    put(
        folder / "identifiers.csv",
        "account_id,kind,value,at\n"
        + "".join(
            f"{m},tax_id,T-1,2026-01-02\n{m},recovery_email,secret.name@example.com,2026-01-02\n" for m in members
        ),
    )
    put(folder / "links.csv", "account_id,other_account_id,kind,at\n" + "".join(
        f"{m},m0,referral,2026-01-02\n" for m in members[1:]))  # fmt: skip
    text = ["account_id,at,prompt\n"]
    chance = Random(7)
    for turn in range(30):
        minutes = 420 * turn + chance.randrange(400)
        for m in members:
            at = start + timedelta(minutes=minutes, seconds=chance.randrange(40))
            text.append(f'{m},{at},"planted secret words, number {turn}:\nsummarise this, and compare the report to '
                        f'last year in a table with three columns"\n')  # fmt: skip
    put(folder / "exchanges.csv.zst", "".join(text))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("sources")
    exports(folder / "in")
    case = folder / "c.duckdb"
    ingest([folder / "in"], case)
    detect(case)
    with store.writing(case) as con:
        # Of correlated kinds only the strongest is evidence; here all that members share is asked for.
        con.execute(
            """INSERT INTO evidence SELECT (SELECT ring_id FROM rings WHERE rank = 1), kind, value, label, accounts,
            0, 0, NULL, NULL FROM shared ANTI JOIN evidence USING (kind, value)"""
        )
    return folder / "in", case


def test_every_value_of_a_ring_has_its_rows(made: tuple[Path, Path]) -> None:
    folder, case = made
    found = sources.sources(case, "1", limit=None)
    evidence = Case(case).evidence("1")
    members = set(Case(case).members("1").account_id)
    assert len(members) == 6
    assert {row.account_id for row in found} == members
    of: dict[tuple[str, str], list[sources.SourceRow]] = {}
    for row in found:
        of.setdefault((row.kind, row.value), []).append(row)
    for kind, value, accounts in zip(evidence.kind, evidence.value, evidence.accounts, strict=True):
        assert len({row.account_id for row in of[kind, value]}) == accounts, (kind, value)
    kinds = {row.kind for row in found}
    assert {"payment", "ip", "ip_net", "device", "email", "phone", "tax_id", "recovery_email", "prompt", "burst",
            "link:referral", "sign_up", "status", "org"} <= kinds  # fmt: skip
    shown = {"payment": "card_1", "tax_id": "T-1", "device": "dev_1", "email": "secret.name@", "phone": "+4420",
             "recovery_email": "secret.name@", "ip_net": "81.2.69.", "prompt": "planted",
             "burst": "planted"}  # fmt: skip
    for row in found:
        assert row.file and row.line and not row.note
        path = folder / row.file
        assert row.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        line = line_of(path, row.line)
        assert row.account_id in line
        assert shown.get(row.kind, "") in line
        if row.kind in ("ip", "org"):
            assert row.value in line
    assert {(row.account_id, row.value) for row in of["status", "banned 2026-02-01 00:00:00"]} == {
        ("m0", "banned 2026-02-01 00:00:00")
    }


def test_a_burst_has_the_exchanges_of_its_prompt(made: tuple[Path, Path]) -> None:
    found = [row for row in sources.sources(made[1], "1", limit=None) if row.kind == "burst"]
    assert {row.table for row in found} == {"exchanges"}
    for account, first, last in rows(made[1], "SELECT account_id, first_seen, last_seen FROM sightings "
                                              "WHERE kind = 'burst'"):  # fmt: skip
        times = [row.at for row in found if row.account_id == account and row.at]
        assert first <= min(times) and max(times) < last + timedelta(seconds=1)


def test_limits_keep_the_total(made: tuple[Path, Path]) -> None:
    every, some = sources.sources(made[1], "1", limit=None), sources.sources(made[1], "1", limit=2)
    groups: dict[tuple[str, str, str], list[sources.SourceRow]] = {}
    for row in every:
        groups.setdefault((row.kind, row.value, row.account_id), []).append(row)
    assert some == [row for group in groups.values() for row in group[:2]]
    assert all(row.total == len(group) for group in groups.values() for row in group)
    assert max(row.total for row in some) >= 30
    assert len(Case(made[1]).sources("1")) == len(sources.sources(made[1], "1"))
    with pytest.raises(UsageError):
        sources.sources(made[1], "1", limit=0)
    with pytest.raises(NotFoundError):
        sources.sources(made[1], "no such ring")


@pytest.mark.parametrize("options", [[], ["--all"], ["--limit", "100", "--all"], ["--json"]])
def test_the_command_names_rows_and_no_secret(made: tuple[Path, Path], options: list[str]) -> None:
    done = CliRunner().invoke(cli, ["ring", "1", "--sources", "--case", str(made[1]), *options])
    assert done.exit_code == 0, done.output
    assert not [secret for secret in SECRETS if secret in done.output]
    if "--json" in options:
        listed = json.loads(done.stdout)["rows"]
        assert len(listed) == len(sources.sources(made[1], "1"))
        assert {row["file"] for row in listed} == {path.name for path in made[0].iterdir()}
    elif "--all" in options:
        hashed = [value for (value,) in rows(made[1], "SELECT DISTINCT email FROM accounts UNION SELECT phone FROM "
                                                       "accounts")]  # fmt: skip
        assert "s***@example.com" in done.output and not [value for value in hashed if value in done.output]
        assert "payments.csv.gz" in done.output and "card_1: 6 rows of 6 accounts" in done.output


def test_limit_goes_with_sources(made: tuple[Path, Path]) -> None:
    done = CliRunner().invoke(cli, ["ring", "1", "--limit", "3", "--case", str(made[1])])
    assert done.exit_code == 2


def test_the_order_of_files_changes_no_value(made: tuple[Path, Path], tmp_path: Path) -> None:
    folder, case = tmp_path / "in", tmp_path / "c.duckdb"
    folder.mkdir()
    for path in made[0].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (tmp_path / "c.duckdb.key").write_bytes((made[1].parent / "c.duckdb.key").read_bytes())
    for path in sorted(folder.iterdir(), reverse=True):
        ingest([path], case)
    detect(case)
    counted = {(row.kind, row.value) for row in results.ring(case, "1").evidence}
    assert sources.sources(case, "1") == [
        row for row in sources.sources(made[1], "1") if (row.kind, row.value) in counted or row.kind in sources.FACTS
    ]


def test_an_account_of_several_rows_has_a_place_where_one_says_it_all(tmp_path: Path) -> None:
    case, head = tmp_path / "c.duckdb", "account_id,created_at,email,plan\n"
    one = put(tmp_path / "accounts-1.csv", head + "a,2026-01-01,,pro\nb,2026-01-01,,\nb,2026-01-01,x@y.com,pro\n"
              "c,2026-01-01,,pro\nc,,x@y.com,\n")  # fmt: skip
    ingest([one], case)
    read = "SELECT account_id, f.name, line FROM account_rows LEFT JOIN files f USING (file) ORDER BY ALL"
    assert rows(case, read) == [("a", one.name, 2), ("b", one.name, 4), ("c", None, None)]
    two = put(tmp_path / "accounts-2.csv", head + "a,2026-01-01,,team\nb,,,team\n")
    three = put(tmp_path / "accounts-3.csv", head + "a,2026-01-01,,free\n")
    ingest([two], case)
    ingest([three], case)
    assert rows(case, read) == [("a", two.name, 2), ("a", three.name, 2), ("b", one.name, 4), ("b", two.name, 3),
                                ("c", None, None)]  # fmt: skip


def test_rows_of_an_older_case_say_that_they_have_no_place(made: tuple[Path, Path], tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    for name in ("c.duckdb", "c.duckdb.key"):
        (tmp_path / name).write_bytes((made[1].parent / name).read_bytes())
    with store.writing(case) as con:
        for (view,) in con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall():
            assert view in ("accounts", "template_aliases", "exchange_templates")
        forget_places(con)
        con.execute("DROP TABLE ring_kinds; DROP TABLE ring_strongest; DROP TABLE lives; DROP TABLE likeness")
        store.set_meta(con, "schema_version", "3")
    before = sources.sources(made[1], "1", limit=None)
    after = sources.sources(case, "1", limit=None)
    assert {row.note for row in after} == {BEFORE}
    bare = [replace(row, file=None, sha256=None, line=None, note=BEFORE) for row in before]
    assert sorted(map(repr, after)) == sorted(map(repr, bare))
    done = CliRunner().invoke(cli, ["ring", "1", "--sources", "--case", str(case)])
    assert done.exit_code == 0 and BEFORE in done.output
    # What comes later has a place.
    put(tmp_path / "payments-2.csv", "account_id,payment_id,added_at\nm0,card_1,2026-03-02\n")
    ingest([tmp_path / "payments-2.csv"], case)
    placed = [row for row in sources.sources(case, "1", limit=None) if not row.note]
    assert [(row.account_id, row.value, row.file, row.line) for row in placed] == [
        ("m0", "card_1", "payments-2.csv", 2)
    ]


def test_each_reason_is_told(tmp_path: Path) -> None:
    case = make_case(
        tmp_path / "c.duckdb",
        accounts=[{"account_id": f"a{n}", "created_at": datetime(2026, 1, 1), "status": "active"} for n in range(4)],
        payments=[{"account_id": f"a{n}", "payment_id": p, "file": 1, "line": None} for n in range(4) for p in "pq"],
        logins=[{"account_id": f"a{n}", "device_id": "d"} for n in range(4)],
        files=[{"file": 1, "command": 1, "name": "payments.csv", "table": "payments", "sha256": "00", "bytes": 1,
                "rows": 1, "added": 1, "rejected": 0, "ingested_at": datetime(2026, 1, 1)}],
    )  # fmt: skip
    detect(case)
    ring = rings(case, unlisted=True)[0].ring_id
    notes = {(row.kind, row.note) for row in sources.sources(case, ring)}
    assert notes == {("payment", UNTOLD), ("device", BEFORE), ("sign_up", SEVERAL), ("status", SEVERAL)}


def test_the_sample_backs_all_of_its_evidence(tmp_path: Path) -> None:
    from linkage.sample import copy_to

    copy_to(tmp_path / "in")
    case = tmp_path / "c.duckdb"
    ingest([tmp_path / "in"], case)
    detect(case, nulls=0)
    lines = {path.name: lines_of(path) for path in (tmp_path / "in").rglob("*") if path.is_file()}
    for ring in rings(case):
        found = sources.sources(case, ring.ring_id, limit=1)
        backed = {(row.kind, row.value, row.account_id) for row in found}
        for kind, value, accounts in rows(case, "SELECT kind, value, accounts FROM evidence "
                                                f"WHERE ring_id = '{ring.ring_id}'"):  # fmt: skip
            assert sum(key[:2] == (kind, value) for key in backed) >= accounts, (ring.ring_id, kind, value)
        for row in found:
            assert row.file and row.line
            assert row.account_id in next(csv.reader([lines[row.file][row.line - 1]]))
