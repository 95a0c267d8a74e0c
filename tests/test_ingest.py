"""Exports of every format and kind of dirt, into the case."""

import csv
import gzip
import io
import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage import store
from linkage.errors import InputError, NotFoundError, UsageError
from linkage.ingest import FileReport, IngestReport, export_rejects, ingest, rejects, stage
from linkage.ingest.card_numbers import is_card_number
from linkage.ingest.find import Told, find
from linkage.ingest.merge import merge
from linkage.ingest.normalise import stored_value
from linkage.secret import load_or_make_key


def rows(case: Path, sql: str) -> list[tuple[Any, ...]]:
    with store.reading(case) as con:
        return con.execute(sql).fetchall()


def put(folder: Path, name: str, content: str | bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def one(report: IngestReport) -> FileReport:
    (file,) = report.files
    return file


LOGINS = "account_id,ip,device_id,user_agent,at\na,8.8.8.8,d1,ua,2026-02-01T10:00:00Z\nb,8.8.4.4,,,2026-02-02\n"
WANTED = [("a", "8.8.8.8", "d1", "ua", "2026-02-01 10:00:00"), ("b", "8.8.4.4", None, None, "2026-02-02 00:00:00")]
READ = 'SELECT account_id, ip, device_id, user_agent, "at"::VARCHAR FROM logins ORDER BY 1'


def _jsonl(text: str) -> str:
    return "".join(
        json.dumps({k: v or None for k, v in row.items()}) + "\n" for row in csv.DictReader(io.StringIO(text))
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("logins.csv", LOGINS),
        ("LOGINS-2026.CSV", LOGINS),
        ("logins.csv", "\ufeff" + LOGINS.replace("\n", "\r\n")),
        ("logins.csv", LOGINS.replace("account_id", "Account_ID").replace("ip,", "IP,", 1)),
        ("logins.csv", LOGINS.replace(",", ";")),
        ("logins.csv", LOGINS.rstrip("\n")),
        ("logins.csv", LOGINS.replace("\nb", "\n\nb")),
        ("logins.tsv", LOGINS.replace(",", "\t")),
        ("logins.csv.gz", gzip.compress(LOGINS.encode(), mtime=0)),
        ("logins.csv.zst", zstandard.compress(LOGINS.encode())),
        ("logins.jsonl", _jsonl(LOGINS)),
        ("logins.jsonl", _jsonl(LOGINS).replace('"ip"', '"IP"', 1)),
        ("logins.ndjson.gz", gzip.compress(_jsonl(LOGINS).encode(), mtime=0)),
        ("logins.jsonl.zst", zstandard.compress(_jsonl(LOGINS).replace("device_id", "Device_Id").encode())),
    ],
)
def test_every_text_format_gives_the_same_rows(tmp_path: Path, name: str, content: str | bytes) -> None:
    report = ingest([put(tmp_path, name, content)], tmp_path / "c.duckdb")
    assert rows(tmp_path / "c.duckdb", READ) == WANTED
    assert (one(report).rows, one(report).added, one(report).rejected) == (2, 2, 0)


def test_parquet_takes_native_types(tmp_path: Path) -> None:
    path = tmp_path / "exchanges-1.parquet"
    with duckdb.connect() as con:
        con.execute(
            f"""COPY (SELECT 7 AS account_id, TIMESTAMP '2026-02-01 10:00:00' AS "At", '::ffff:8.8.8.8' AS ip,
            12 AS input_tokens, 'x' AS "extra") TO '{path}' (FORMAT parquet)"""
        )
    report = ingest([path], tmp_path / "c.duckdb")
    assert one(report).ignored_columns == ("extra",)
    assert rows(tmp_path / "c.duckdb", 'SELECT account_id, "at"::VARCHAR, ip, input_tokens FROM exchanges') == [
        ("7", "2026-02-01 10:00:00", "8.8.8.8", 12)
    ]


def test_all_tables_of_a_folder_go_in_and_other_files_are_listed_once(tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    put(folder, "accounts.csv", "account_id,email,phone,org_verified\na,Sam.Lee+x@GMail.com,(0044) 20 7946 0000,yes\n")
    put(folder / "more", "payments.csv", "account_id,payment_id,method\na,fp_1,Card\n")
    put(folder, "identifiers.jsonl", '{"account_id":"a","kind":"API_Key","value":"k1"}\n')
    put(folder, "links.csv", "account_id,other_account_id,kind\na,b,Referral\na,c,\n")
    put(folder, "notes.txt", "x")
    put(folder, ".hidden.csv", "x")
    report = ingest([folder], tmp_path / "c.duckdb")
    assert [path.name for path in report.passed_over] == ["notes.txt"]
    case = tmp_path / "c.duckdb"
    ((email, label, domain, phone, phone_label, verified),) = rows(
        case, "SELECT email, email_label, email_domain, phone, phone_label, org_verified FROM accounts"
    )
    assert (label, domain, phone_label, verified) == ("s***@gmail.com", "gmail.com", "+44***00", True)
    assert len(email) == len(phone) == 32
    assert rows(case, "SELECT payment_id, method FROM payments") == [("fp_1", "card")]
    assert rows(case, "SELECT kind, value FROM identifiers") == [("api_key", "k1")]
    assert rows(case, "SELECT other_account_id, kind FROM links ORDER BY 1") == [("b", "referral"), ("c", "link")]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-02-01", "2026-02-01 00:00:00"),
        ("2026-02-01T10:00:00.250Z", "2026-02-01 10:00:00.25"),
        ("2026-02-01T10:00:00+02:00", "2026-02-01 08:00:00"),
        ("2026-02-01 10:00:00 -0530", "2026-02-01 15:30:00"),
        ("20260201T100000Z", "2026-02-01 10:00:00"),
        ("1769940000", "2026-02-01 10:00:00"),
        ("1769940000000", "2026-02-01 10:00:00"),
        ("1769940000000000", "2026-02-01 10:00:00"),
        ("1769940000.5", "2026-02-01 10:00:00.5"),
        ("1.76994e9", "2026-02-01 10:00:00"),
        ("yesterday", None),
        ("infinity", None),
        ("20260201", None),
        ("0001-01-01", None),
    ],
)
def test_times(tmp_path: Path, text: str, wanted: str | None) -> None:
    path = put(tmp_path, "exchanges.csv", f'account_id,at\na,"{text}"\nb,2026-01-01\n')
    report = ingest([path], tmp_path / "c.duckdb")
    found = rows(tmp_path / "c.duckdb", "SELECT \"at\"::VARCHAR FROM exchanges WHERE account_id = 'a'")
    assert found == ([(wanted,)] if wanted else [])
    assert dict(one(report).reasons) == ({} if wanted else {"at is no time": 1})


def test_what_means_nothing_is_nobodys_identifier(tmp_path: Path) -> None:
    zeros = "00000000-0000-0000-0000-000000000000"
    content = f"account_id,ip,device_id\na,0.0.0.0,unknown\nb,::,N/A\nc, ,null\nd,8.8.8.8,{zeros}\n"
    report = ingest([put(tmp_path, "logins.csv", content)], tmp_path / "c.duckdb")
    assert one(report).placeholders == 6
    assert one(report).rejected == 0
    assert rows(tmp_path / "c.duckdb", "SELECT ip, device_id FROM logins ORDER BY account_id") == [
        *[(None, None)] * 3,
        ("8.8.8.8", None),
    ]


def test_broken_rows_are_set_aside_with_line_column_reason_and_a_harmless_excerpt(tmp_path: Path) -> None:
    content = (
        "account_id,created_at,email,org_verified\n"
        'a,2026-01-01,"two\nlines@x.com",yes\n'
        "\n"
        ",2026-01-01,,\n"
        "c,never,,\n"
        "d,2026-01-01,,,too,many\n"
        "e\n"
        "f,2026-01-01,secret at home,\n"
        "g,2026-01-01,,perhaps\n"
        "h,2026-01-01,h@x.com,no\n"
    )
    case = tmp_path / "c.duckdb"
    report = ingest([put(tmp_path, "accounts.csv", content)], case)
    found = [(r.line, r.column, r.reason, r.excerpt) for r in rejects(case)]
    assert found == [
        (2, "email", "email is no e-mail address", "***"),
        (5, "account_id", "account_id is missing", None),
        (6, "created_at", "created_at is no time", "never"),
        (7, "", "the row has too many columns", None),
        (8, "", "the row has too few columns", None),
        (9, "email", "email is no e-mail address", "***"),
        (10, "org_verified", "org_verified is neither true nor false", "perhaps"),
    ]
    assert (one(report).rows, one(report).added, one(report).rejected) == (8, 1, 7)
    export_rejects(rejects(case), tmp_path / "out.csv")
    with (tmp_path / "out.csv").open() as file:
        assert [row["line"] for row in csv.DictReader(file)] == ["2", "5", "6", "7", "8", "9", "10"]
    export_rejects(rejects(case, reason="too many"), tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text())["line"] == 7


def test_broken_json_lines_are_told_from_rows_without_an_account(tmp_path: Path) -> None:
    content = '{"account_id":"a","at":"2026-01-01"}\nnot json\n\n[1]\n{"at":"2026-01-01"}\n{"account_id":"b"\n'
    case = tmp_path / "c.duckdb"
    ingest([put(tmp_path, "exchanges.jsonl", content)], case)
    assert [(r.line, r.reason) for r in rejects(case)] == [
        (2, "the line is no JSON object"),
        (4, "the line is no JSON object"),
        (5, "account_id is missing"),
        (6, "the line is no JSON object"),
    ]


@given(st.lists(st.tuples(st.booleans(), st.text("ab\n,\"'\r é", max_size=6)), min_size=1, max_size=12), st.booleans())
@settings(deadline=None, max_examples=25)
def test_the_line_of_a_reject_is_where_its_record_starts(
    tmp_path_factory: pytest.TempPathFactory, records: list[tuple[bool, str]], crlf: bool
) -> None:
    folder = tmp_path_factory.mktemp("lines")
    end = "\r\n" if crlf else "\n"
    content, line, wanted = f"account_id,user_agent,at{end}", 2, []
    for broken, text in [*records, (False, "good")]:
        quoted = text.replace('"', '""')
        content += f'a,"{quoted}",{"never" if broken else "2026-01-01"}{end}'
        if broken:
            wanted.append(line)
        line += quoted.count("\n") + 1
    ingest([put(folder, "logins.csv", content)], folder / "c.duckdb")
    assert [r.line for r in rejects(folder / "c.duckdb")] == wanted


def test_full_card_numbers_are_refused_and_reach_no_file(tmp_path: Path) -> None:
    number = "4111 1111 1111 1111"
    content = f"account_id,payment_id\na,{number}\nb,fp_2\nc,4111111111111112\n"
    case = tmp_path / "c.duckdb"
    report = ingest([put(tmp_path / "in", "payments.csv", content)], case)
    assert dict(one(report).reasons) == {"payment_id is a full card number: never export those": 1}
    assert rows(case, "SELECT payment_id FROM payments ORDER BY 1") == [("4111111111111112",), ("fp_2",)]
    assert number.encode() not in case.read_bytes()
    assert [r.excerpt for r in rejects(case)] == ["***"]
    assert is_card_number("5500-0000-0000-0004")


def test_raw_private_text_reaches_no_file(tmp_path: Path) -> None:
    secrets = ("zebra-crossing prompt", "zebra@stripes.example", "+442079460123")
    folder = tmp_path / "in"
    put(folder, "accounts.csv", f"account_id,email,phone\na,{secrets[1]},{secrets[2]}\nb,zebra at nowhere,zebra\n")
    put(folder, "exchanges.csv", f'account_id,at,prompt\na,2026-01-01,"{secrets[0]}"\nb,never,"{secrets[0]}"\n')
    put(folder, "identifiers.csv", f"account_id,kind,value\na,email,{secrets[1]}\na,prompt,{secrets[0]}\n")
    case = tmp_path / "case" / "c.duckdb"
    case.parent.mkdir()
    ingest([folder], case)
    for path in case.parent.rglob("*"):
        content = path.read_bytes().lower()
        assert b"zebra" not in content, path
        assert b"2079460123" not in content, path
    assert sorted(path.name for path in case.parent.iterdir()) == [
        "c.duckdb", "c.duckdb.audit.jsonl", "c.duckdb.key",
    ]  # fmt: skip
    assert (case.parent / "c.duckdb.key").stat().st_mode & 0o777 == 0o600
    ((value,),) = rows(case, "SELECT 'exact:' || format('{:016x}', prompt) FROM exchanges")
    key = load_or_make_key(case)
    assert value == stored_value("prompt", "  Zebra-Crossing\n PROMPT ", key)
    assert rows(case, "SELECT count(DISTINCT email) FROM (SELECT email FROM accounts WHERE email IS NOT NULL "
                "UNION ALL SELECT value FROM identifiers WHERE kind = 'email')") == [(1,)]  # fmt: skip


def test_another_key_is_refused_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, case = put(tmp_path, "logins.csv", LOGINS), tmp_path / "c.duckdb"
    monkeypatch.setenv("LINKAGE_PEPPER", "one")
    ingest([path], case)
    assert not (tmp_path / "c.duckdb.key").exists()
    monkeypatch.setenv("LINKAGE_PEPPER", "two")
    with pytest.raises(InputError, match="another key"):
        ingest([put(tmp_path, "logins2.csv", LOGINS)], case)
    monkeypatch.setenv("LINKAGE_PEPPER", " ")
    with pytest.raises(InputError, match="empty"):
        ingest([path], case)


def test_hashed_kinds_keep_their_network_and_cannot_change(tmp_path: Path) -> None:
    path, case = put(tmp_path, "logins.csv", LOGINS), tmp_path / "c.duckdb"
    ingest([path], case, hash_kinds=["ip", "device"])
    found = rows(case, "SELECT ip, ip_net, device_id FROM logins ORDER BY account_id")
    assert [net for _, net, _ in found] == ["8.8.8.0/24", "8.8.4.0/24"]
    assert all(len(ip) == 32 and "." not in ip for ip, _, _ in found)
    assert len(found[0][2]) == 32
    more = put(tmp_path, "logins-2.csv", LOGINS.replace("a,", "z,"))
    with pytest.raises(InputError, match="cannot change"):
        ingest([more], case, hash_kinds=["payment"])
    ingest([more], case)
    assert rows(case, "SELECT count(DISTINCT ip) FROM logins") == [(2,)]


def test_private_addresses_are_counted_and_warned_of(tmp_path: Path) -> None:
    content = "account_id,ip\na,10.0.0.1\nb,8.8.8.8\nc,fd00::1\nd,192.0.2.1\n"
    report = ingest([put(tmp_path, "logins.csv", content)], tmp_path / "c.duckdb", keep_private_ips=True)
    assert (one(report).ips, one(report).private_ips, one(report).too_private) == (4, 2, True)
    with store.reading(tmp_path / "c.duckdb") as con:
        assert store.meta(con, "keep_private_ips") == "1"


def test_identifiers_of_derived_kinds_and_odd_names_are_set_aside(tmp_path: Path) -> None:
    content = (
        "account_id,kind,value\na,ip_net,8.8.8.0/24\na,tax id!,1\na,ip,nowhere\na,IP,8.8.8.8\n"
        "a,device,4111111111111111\na,device,990000862471854\n"
    )
    case = tmp_path / "c.duckdb"
    ingest([put(tmp_path, "identifiers.csv", content)], case)
    assert [r.reason for r in rejects(case)] == [
        "kind is worked out by linkage and cannot be given",
        "kind is no plain name",
        "value is none of its kind",
        "value is a full card number: never export those",
    ]
    # Luhn's test is passed by every IMEI, too.
    assert rows(case, "SELECT kind, value FROM identifiers ORDER BY 1") == [
        ("device", "990000862471854"),
        ("ip", "8.8.8.8"),
    ]


# Again and again.


def dump(case: Path) -> list[list[tuple[Any, ...]]]:
    """All that the case says, but not where it was read."""
    tables = ("payments", "logins", "identifiers", "links", "accounts")
    said = ["* EXCLUDE (file, line)"] * 4 + ["*", "* EXCLUDE (command, file, line)"]
    named = zip(said, (*tables, "exchanges"), strict=True)
    return [rows(case, f"SELECT {columns} FROM {table} ORDER BY ALL") for columns, table in named]


def test_the_same_file_again_changes_nothing_and_says_so(tmp_path: Path) -> None:
    path, case = put(tmp_path, "logins.csv", LOGINS), tmp_path / "c.duckdb"
    ingest([path], case)
    before = case.read_bytes()
    assert one(ingest([path], case)).already
    assert one(ingest([put(tmp_path, "logins-copy.csv", LOGINS)], case)).already
    assert case.read_bytes() == before


def test_equal_events_count_once_between_files_and_each_within_one(tmp_path: Path) -> None:
    line = "a,8.8.8.8,,,2026-02-01\n"
    head = "account_id,ip,device_id,user_agent,at\n"
    case = tmp_path / "c.duckdb"
    ingest([put(tmp_path, "logins-1.csv", head + line * 2)], case)
    ingest([put(tmp_path, "logins-2.csv", head + line * 3 + "b,9.9.9.9,,,\n")], case)
    ingest([put(tmp_path, "logins-3.csv", head + line + "b,9.9.9.9,,,\n" * 2)], case)
    assert rows(case, "SELECT account_id, count(*) FROM logins GROUP BY 1 ORDER BY 1") == [("a", 3), ("b", 2)]


def test_an_exchange_id_is_one_exchange_and_the_later_command_wins(tmp_path: Path) -> None:
    head = "account_id,at,exchange_id,output_tokens\n"
    case = tmp_path / "c.duckdb"
    ingest([put(tmp_path, "exchanges-1.csv", head + "a,2026-02-01,x1,5\na,2026-02-01,x1,7\na,2026-02-01,x2,1\n")], case)
    read = "SELECT exchange_id, output_tokens FROM exchanges ORDER BY 1"
    assert rows(case, read) == [("x1", 7), ("x2", 1)]
    report = ingest(
        [put(tmp_path, "exchanges-2.csv", head + "a,2026-02-01,x1,6\na,2026-02-01,x2,1\nb,2026-02-02,x3,2\n")], case
    )
    assert rows(case, read) == [("x1", 6), ("x2", 1), ("x3", 2)]
    assert one(report).added == 2


def test_a_later_commands_non_empty_value_wins(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    ingest([put(tmp_path, "accounts-1.csv", "account_id,plan,country,email\na,pro,GB,x@x.com\n")], case)
    ingest([put(tmp_path, "accounts-2.csv", "account_id,plan,country\na,free,\n")], case)
    read = "SELECT plan, country, email_label FROM accounts"
    assert rows(case, read) == [("free", "GB", "x***@x.com")]
    ingest([put(tmp_path, "accounts-3.csv", "account_id,plan,country\na,alpha,NL\n")], case)
    assert rows(case, read) == [("alpha", "NL", "x***@x.com")]
    assert rows(case, "SELECT count(*) FROM account_rows") == [(2,)]


event = st.tuples(
    st.sampled_from("ab"), st.sampled_from(["8.8.8.8", "9.9.9.9", ""]), st.sampled_from(["2026-02-01", ""])
)
exchange = st.tuples(st.sampled_from("ab"), st.sampled_from(["x1", "x2", ""]), st.sampled_from("123"))
account = st.tuples(
    st.sampled_from("ab"), st.sampled_from(["pro", "free", ""]), st.sampled_from(["s@x.com", "t@x.com", ""])
)


@given(
    st.lists(st.lists(event, min_size=1, max_size=4), min_size=1, max_size=3),
    st.lists(st.lists(exchange, min_size=1, max_size=4), min_size=1, max_size=3),
    st.lists(st.lists(account, min_size=1, max_size=3), min_size=1, max_size=3),
)
@settings(deadline=None, max_examples=12)
def test_within_a_command_no_order_of_files_or_rows_matters(
    tmp_path_factory: pytest.TempPathFactory, events: Any, exchanges: Any, accounts: Any
) -> None:
    def written(folder: Path, turn: int) -> Path:
        for name, head, files, line in (
            ("logins", "account_id,ip,at", events, "{},{},{}"),
            ("exchanges", "account_id,exchange_id,output_tokens,at", exchanges, "{},{},{},2026-02-01"),
            ("accounts", "account_id,plan,email", accounts, "{},{},{}"),
        ):
            for at, content in enumerate(files[::turn]):
                text = "".join(line.format(*row) + "\n" for row in content[::turn])
                put(folder, f"{name}-{at}.csv", f"{head}\n{text}")
        return folder

    base = tmp_path_factory.mktemp("order")
    dumps = []
    for turn in (1, -1):
        case = base / f"{turn}.duckdb"
        (base / f"{turn}.duckdb.key").write_text("same key")
        ingest([written(base / str(turn), turn)], case)
        dumps.append(dump(case))
    assert dumps[0] == dumps[1]


def test_a_full_export_every_day_gives_what_the_last_one_gives(tmp_path: Path) -> None:
    days = [
        LOGINS + "".join(f"u{n},8.8.{day}.{n},,,2026-02-0{day + 1}\n" for day in range(upto) for n in range(3))
        for upto in range(5)
    ]
    weekly, once = tmp_path / "weekly.duckdb", tmp_path / "once.duckdb"
    for name in ("weekly", "once"):
        (tmp_path / f"{name}.duckdb.key").write_text("same key")
    for number, content in enumerate(days):
        ingest([put(tmp_path / str(number), "logins.csv", content)], weekly)
    ingest([put(tmp_path / "last", "logins.csv", days[-1])], once)
    assert dump(weekly) == dump(once)


def test_an_interrupted_command_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "in"
    for number, plan in enumerate(("zeta", "alpha")):
        put(folder, f"accounts-{number}.csv", f"account_id,plan\na,{plan}\n")
    whole, broken = tmp_path / "whole.duckdb", tmp_path / "broken.duckdb"
    ingest([folder], whole)
    calls = []

    def fails_the_second_time(con: Any, table: str, *rest: Any) -> int:
        calls.append(table)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return merge(con, table, *rest)

    monkeypatch.setattr("linkage.ingest.load.merge", fails_the_second_time)
    with pytest.raises(KeyboardInterrupt):
        ingest([folder], broken)
    assert rows(broken, "SELECT name FROM files") == [("accounts-0.csv",)]
    monkeypatch.undo()
    report = ingest([folder], broken)
    assert [file.already for file in report.files] == [True, False]
    assert dump(whole) == dump(broken)
    assert rows(broken, "SELECT count(*), count(finished_at) FROM commands") == [(1, 1)]


# Input that cannot be used at all.


def test_what_cannot_be_ingested_is_told_in_a_sentence_and_leaves_nothing_behind(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    packed = gzip.compress(LOGINS.encode() * 5_000)
    wrong = tmp_path / "payments.parquet"
    with duckdb.connect() as con:
        con.execute(f"COPY (SELECT ['x'] AS account_id, 'p' AS payment_id) TO '{wrong}' (FORMAT parquet)")
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 4
    put(tmp_path / "pngs", "cat.png", png)
    (tmp_path / "empty").mkdir()
    for path, message in (
        (put(tmp_path, "logins.csv.gz", packed[: len(packed) // 2]), "cut off"),
        (
            put(tmp_path, "logins-3.csv.zst", zstandard.compress(LOGINS.encode() * 5_000)[:-10]),
            "cut off|cannot be read",
        ),
        (put(tmp_path, "logins-2.csv.gz", b"not gzip at all"), "cannot be read as CSV packed with gzip"),
        (put(tmp_path, "logins.csv", ""), "empty|no header"),
        (put(tmp_path, "logins-png.csv", png), "no UTF-8 text|no header"),
        (put(tmp_path, "logins.parquet", b"PAR1 not really"), "cannot be read as Parquet"),
        (wrong, "account_id holds varchar\\[\\] values"),
        (put(tmp_path, "payments.csv", "account_id,card\na,b\n"), "lacks the column payment_id"),
        (put(tmp_path, "payments-2.csv", "account_id,payment_id,PAYMENT_ID\na,b,c\n"), "payment_id twice"),
        (put(tmp_path, "exchanges.csv", "account_id,at\na,never\nb,never\n"), "not one of its 2 rows"),
        (put(tmp_path, "mystery.csv", LOGINS), "named after no table"),
        (put(tmp_path, "logins.xlsx", "x"), "no format that linkage reads"),
        (tmp_path / "pngs", "No export in"),
        (tmp_path / "empty", "No export in"),
    ):
        try:
            ingest([path], case)
        except InputError as error:
            assert re.search(message, error.message), (path, error.message)
        else:
            pytest.fail(f"{path} was ingested")
        assert not case.exists(), path
    with pytest.raises(NotFoundError):
        ingest([tmp_path / "missing.csv"], case)
    with pytest.raises(UsageError):
        find([tmp_path], Told("no_table"))
    assert not list(tmp_path.glob("c.duckdb*"))
    assert not list(tmp_path.glob(".c.duckdb*"))


def test_a_bad_file_among_good_ones_is_refused_alone(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    put(folder, "logins.csv", LOGINS)
    put(folder, "payments.csv", "account_id,card\na,b\n")
    report = ingest([folder], tmp_path / "c.duckdb")
    assert [file.table for file in report.refused] == ["payments"]
    assert rows(tmp_path / "c.duckdb", READ) == WANTED


def test_a_dry_run_reads_everything_and_writes_nothing(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    path = put(tmp_path, "logins.csv", LOGINS)
    ingest([put(tmp_path, "accounts.csv", "account_id\na\n")], case)
    before = case.read_bytes()
    assert one(ingest([path], case, dry_run=True)).rows == 2
    assert case.read_bytes() == before


def test_a_table_can_be_named_for_files_that_are_not(tmp_path: Path) -> None:
    ingest([put(tmp_path, "dump.csv", LOGINS)], tmp_path / "c.duckdb", table="logins")
    assert rows(tmp_path / "c.duckdb", READ) == WANTED


def test_the_short_way_into_a_new_case_gives_what_the_long_way_gives(tmp_path: Path) -> None:
    logins = put(tmp_path, "logins.csv", LOGINS + 'c," ",N/A,,\nd,10.0.0.1,unknown, x ,\n')
    exchanges = put(
        tmp_path, "exchanges.csv", "account_id,at,exchange_id,ip\na,2026-02-01,x1,8.8.8.8\nb,2026-02-01,,\n"
    )
    short, long = tmp_path / "short.duckdb", tmp_path / "long.duckdb"
    for case in (short, long):
        case.with_name(case.name + ".key").write_text("same key")
    ingest([put(tmp_path / "first", "links.csv", "account_id,other_account_id\na,b\n")], long)
    quick, slow = ingest([logins, exchanges], short), ingest([logins, exchanges], long)
    assert dump(short)[:2] + dump(short)[4:] == dump(long)[:2] + dump(long)[4:]
    for one, other in zip(quick.files, slow.files, strict=True):
        assert (one.rows, one.added, one.placeholders, one.ips, one.private_ips) == (
            other.rows, other.added, other.placeholders, other.ips, other.private_ips
        )  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "parquet with such a column"])
@pytest.mark.parametrize("twice", [False, True])
def test_little_memory_changes_neither_rows_nor_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, twice: bool
) -> None:
    ids = [f"x{number}" for number in range(300)] + ["x7"] * twice
    lines = [f'a{at % 9},{x},"ua\n{at}",2026-02-01T10:00:00Z' for at, x in enumerate(ids)]
    text = "account_id,exchange_id,user_agent,at\n" + "\n".join(lines) + "\n"
    path = put(tmp_path, "exchanges.csv", text)
    if form == "jsonl":
        path = put(tmp_path / "as", "exchanges.jsonl", _jsonl(text))
    elif form.startswith("parquet"):
        path = tmp_path / "exchanges.parquet"
        more = ", 7 AS file_row_number" if "such" in form else ""
        with duckdb.connect() as con:
            con.execute(
                f"COPY (SELECT *{more} FROM read_csv(?, all_varchar = true)) TO '{path}'",
                [str(tmp_path / "exchanges.csv")],
            )
    found = []
    for name, needed in (("much", 1), ("little", 10**9)):
        monkeypatch.setattr(stage, "_UPDATED", needed)
        monkeypatch.setattr(stage, "_GROUPED", needed)
        case = tmp_path / f"{name}.duckdb"
        report = one(ingest([path], case))
        found.append(rows(case, "SELECT exchange_id, user_agent, line FROM exchanges ORDER BY ALL"))
        assert report.rows == 300 + twice
    assert found[0] == found[1]
    first = {"csv": 2, "jsonl": 1}.get(form, 1)
    step = 2 if form == "csv" else 1
    assert sorted(line for _, _, line in found[0])[:3] == [first, first + step, first + 2 * step]
    assert len(found[0]) == 300
