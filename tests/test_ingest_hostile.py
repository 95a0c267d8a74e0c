"""Exports that mislead: odd names, shifted columns, strange times, and two commands at once."""

import gzip
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage import store
from linkage.errors import InputError, LinkageError, MachineError
from linkage.ingest import ingest, load, merge, normalise, rejects, stage
from linkage.ingest.normalise import Rules
from linkage.ingest.sources import Source


def rows(case: Path, sql: str) -> list[tuple[Any, ...]]:
    with store.reading(case) as con:
        return con.execute(sql).fetchall()


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# Which file is read.


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_files_name_is_no_pattern(tmp_path: Path, form: str) -> None:
    folder, case = tmp_path / "in", tmp_path / "c.duckdb"
    names = ["logins1", "logins2", "logins[1]", "logins*", "logins?", "logins{1,2}", "logins (1)", "logins'1"]
    for number, name in enumerate(names):
        if form == "csv":
            put(folder, f"{name}.csv", f"account_id,ip\n{number},8.8.8.8\n")
        elif form == "jsonl":
            put(folder, f"{name}.jsonl", f'{{"account_id":"{number}","ip":"8.8.8.8"}}\n')
        else:
            plain = put(tmp_path, "plain.parquet", "")
            with duckdb.connect() as con:
                con.execute(f"COPY (SELECT '{number}' AS account_id, '8.8.8.8' AS ip) TO '{plain}'")
            plain.rename(put(folder, f"{name}.parquet", ""))
    report = ingest([folder], case)
    assert [file.rows for file in report.files] == [1] * len(names)
    assert rows(case, "SELECT account_id FROM logins ORDER BY 1") == [(str(n),) for n in range(len(names))]


def test_a_folders_name_is_no_column(tmp_path: Path) -> None:
    path = put(tmp_path / "account_id=7", "logins.parquet", "")
    with duckdb.connect() as con:
        con.execute(f"COPY (SELECT 'a' AS account_id, 'x' AS device_id) TO '{path}'")
    ingest([tmp_path / "account_id=7"], tmp_path / "c.duckdb")
    assert rows(tmp_path / "c.duckdb", "SELECT account_id FROM logins") == [("a",)]


def test_a_pipe_is_refused_before_it_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "logins.csv")
    with pytest.raises(InputError, match="pipe"):
        ingest([tmp_path / "logins.csv"], tmp_path / "c.duckdb")


def test_a_folder_that_cannot_be_looked_into_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "in", "logins.csv", "account_id\na\n")
    hidden = put(tmp_path / "in" / "closed", "payments.csv", "account_id,payment_id\na,p\n").parent
    real = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path) == hidden:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(MachineError, match="Permission denied"):
        ingest([tmp_path / "in"], tmp_path / "c.duckdb")


@pytest.mark.parametrize(
    "header", ["account_id,ip\ra,8.8.8.8\r", '"account_id","a\nb"\na,b\n', '"account_id" x,"y\na,b\n']
)
def test_a_header_that_cannot_be_told_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(InputError, match="header"):
        ingest([put(tmp_path, "logins.csv", header)], tmp_path / "c.duckdb")


# Which line a reject stands on.


@pytest.mark.parametrize("name", ["logins.csv", "logins.csv.gz"])
def test_lines_are_right_in_files_that_are_read_by_several_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(stage, "MAX_LINE", 1 << 18)  # DuckDB shares out the work by buffers of twice this size
    monkeypatch.setenv("LINKAGE_THREADS", "4")
    lines, wanted = ["account_id,device_id,at"], []
    for line in range(2, 40_000):
        torn, broken = line % 3_001 == 0, line % 2_003 == 0
        lines.append(f"a{line},b,c,d" if torn else f"a{line},{'x' * 80},{'never' if broken else '2026-01-01'}")
        if torn or broken:
            wanted.append(line)
    data = ("\n".join(lines) + "\n").encode()
    case = tmp_path / "c.duckdb"
    ingest([put(tmp_path, name, gzip.compress(data, 1) if name.endswith("gz") else data)], case)
    assert [reject.line for reject in rejects(case)] == wanted


def test_a_torn_row_has_its_line_where_quotes_do_not_pair_up(tmp_path: Path) -> None:
    content = 'account_id,device_id\na,5" disk\nb,"ok"\n\nc,d\ne,x,y\n'
    ingest([put(tmp_path, "logins.csv", content)], tmp_path / "c.duckdb")
    assert [(r.line, r.reason) for r in rejects(tmp_path / "c.duckdb")] == [(6, "the row has too many columns")]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_of_a_file_of_one_column_have_lines_too(tmp_path: Path, end: str) -> None:
    ingest([put(tmp_path, "accounts.csv", end.join(["account_id", "a", "", "b", "", "", "c", ""]))], tmp_path / "c.db")
    assert [reject.line for reject in rejects(tmp_path / "c.db")] == [3, 5, 6]


# What is kept.


def test_private_text_in_the_wrong_column_is_masked_in_rejects(tmp_path: Path) -> None:
    folder, case = tmp_path / "in", tmp_path / "case" / "c.duckdb"
    case.parent.mkdir()
    put(
        folder,
        "accounts.csv",
        "account_id,created_at,email\na,zebra@stripes.example,2026-01-01\nb,+44 20 7946 0123,b@x.com\n"
        "d,2026-13-01,\ne,2026-01-01,e@x.com\n",
    )
    put(
        folder,
        "exchanges.csv",
        'account_id,at,ip,prompt\na,"How do I tame a zebra that will not be ridden by me?",,x\n'
        "b,2026-01-01,8.8.8.8.8,\nc,2026-01-01,,\n",
    )
    put(folder, "identifiers.csv", "account_id,kind,value\na,zebra@stripes.example,x\nb,tax_id,1\n")
    ingest([folder], case)
    assert [reject.excerpt for reject in rejects(case)] == [
        "***", "***", "2026-13-01", "***", "8.8.8.8.8", "***",
    ]  # fmt: skip
    for path in case.parent.iterdir():
        assert b"zebra" not in path.read_bytes().lower()
        # Four digits alone stand now and then in a key or a hash.
        assert not re.search(rb"7946 ?0123", path.read_bytes())


def test_an_email_under_a_kind_of_the_users_own_is_hashed(tmp_path: Path) -> None:
    folder, case = tmp_path / "in", tmp_path / "c.duckdb"
    put(
        folder,
        "identifiers.csv",
        "account_id,kind,value\na,recovery_email,Zebra+1@Stripes.example\nb,recovery_email,zebra@stripes.example\n"
        "c,tax_id,12-34\n",
    )
    ingest([folder], case)
    found = rows(case, "SELECT value, label FROM identifiers ORDER BY account_id")
    assert found[0] == found[1]
    assert found[0][1] == "z***@stripes.example"
    assert found[2] == ("12-34", None)
    assert b"zebra" not in case.read_bytes().lower()


def test_every_spelling_of_nothing_is_nobodys(tmp_path: Path) -> None:
    folder, case = tmp_path / "in", tmp_path / "c.duckdb"
    put(folder, "logins.csv", "account_id,ip\na,::ffff:0.0.0.0\nb,0:0:0:0:0:0:0:0\nc,::FFFF:8.8.8.8\n")
    zeros = "00000000-0000-0000-0000-000000000000"
    put(
        folder,
        "identifiers.csv",
        f"account_id,kind,value\na,EMAIL,None@none.com\nb,device,{zeros}\nc,ip,::ffff:0.0.0.0\nd,api_key,k\n",
    )
    report = ingest([folder], case)
    assert rows(case, "SELECT ip FROM logins ORDER BY account_id") == [(None,), (None,), ("8.8.8.8",)]
    assert rows(case, "SELECT kind, value FROM identifiers") == [("api_key", "k")]
    assert [file.placeholders for file in report.files] == [3, 2]


@pytest.mark.parametrize("text", ["...@gmail.com", "@x.com", "a@.", "a@", "a@b@c", "a b@c"])
def test_what_only_looks_like_an_email_is_set_aside(tmp_path: Path, text: str) -> None:
    case = tmp_path / "c.duckdb"
    ingest([put(tmp_path, "accounts.csv", f"account_id,email\na,{text}\nb,b@x.com\n")], case)
    assert [reject.reason for reject in rejects(case)] == ["email is no e-mail address"]


def test_named_time_zones_count_and_unknown_ones_are_set_aside(tmp_path: Path) -> None:
    times = {
        "2026-02-01 10:00:00 America/New_York": "2026-02-01 15:00:00",
        "2026-02-01 10:00 EST": "2026-02-01 15:00:00",
        "2026-02-01 10:00:00 Etc/GMT+5": "2026-02-01 15:00:00",
        "2026-02-01 10:00:00 UTC": "2026-02-01 10:00:00",
        "2026-2-1 1:00+02": "2026-01-31 23:00:00",
        "2026-02-01 10:00:00 Nowhere": None,
        "2026-02-01T10:00:00+02:00Z": None,
    }
    case = tmp_path / "c.duckdb"
    ingest([put(tmp_path, "exchanges.csv", "account_id,at\n" + "".join(f"{t},{t}\n" for t in times))], case)
    found = dict(rows(case, 'SELECT account_id, "at"::VARCHAR FROM exchanges'))
    assert {text: found.get(text) for text in times} == times


@given(
    st.lists(
        st.tuples(
            st.datetimes(datetime(1990, 1, 3), datetime(2099, 12, 29)),
            st.integers(-56, 56).map(lambda quarters: timedelta(minutes=15 * quarters)),
            st.sampled_from(["T", " "]),
            st.sampled_from(["auto", "seconds", "minutes"]),
            st.sampled_from(["offset", "compact", "spaced", "none", "Z"]),
        ),
        min_size=1,
        max_size=60,
    )
)
@settings(deadline=None, max_examples=15)
def test_times_agree_with_pythons_own_reading(times: list[tuple[datetime, timedelta, str, str, str]]) -> None:
    with store.connect(":memory:") as con:
        for when, shift, separator, precision, style in times:
            zone = timezone(shift) if style not in ("none", "Z") else UTC
            aware = when.replace(tzinfo=zone)
            text = aware.isoformat(separator, precision)
            wanted = datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
            body, offset = text[:-6], text[-6:]
            text = {
                "offset": text, "compact": body + offset.replace(":", ""), "spaced": f"{body} {offset}", "none": body,
                "Z": f"{body}Z",
            }[style]  # fmt: skip
            found = con.execute(f"SELECT {normalise.time('t')} FROM (SELECT ? AS t)", [text]).fetchall()
            assert found == [(wanted,)], text


@pytest.mark.parametrize("kind", ["ip_net", "email_domain", "burst"])
def test_derived_kinds_cannot_be_hashed(tmp_path: Path, kind: str) -> None:
    with pytest.raises(InputError, match="worked out"):
        ingest([put(tmp_path, "logins.csv", "account_id\na\n")], tmp_path / "c.duckdb", hash_kinds=[kind])


# What is left of a case.


def test_a_dry_run_into_no_case_leaves_none(tmp_path: Path) -> None:
    report = ingest([put(tmp_path / "in", "logins.csv", "account_id\na\n")], tmp_path / "c.duckdb", dry_run=True)
    assert report.rows == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_command_that_another_one_overtook_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, real = tmp_path / "c.duckdb", stage.plan
    slow = [put(tmp_path, f"accounts-{n}.csv", f"account_id,plan\n{account},free\n") for n, account in enumerate("za")]
    quick = put(tmp_path, "accounts-9.csv", "account_id,plan,country\na,pro,GB\n")
    script = (
        "import sys; from pathlib import Path; from linkage.ingest import ingest; "
        "ingest([Path(sys.argv[1])], Path(sys.argv[2]))"
    )

    def plan(con: duckdb.DuckDBPyConnection, source: Source, rules: Rules) -> stage.Plan:
        if source.path == slow[1]:
            subprocess.run([sys.executable, "-c", script, str(quick), str(case)], check=True)
        return real(con, source, rules)

    monkeypatch.setattr(load, "plan", plan)
    ingest(slow, case)
    found = rows(case, "SELECT account_id, plan, country FROM accounts ORDER BY 1")
    assert found == [("a", "pro", "GB"), ("z", "free", None)]


export = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["x1", "x2", "x3", ""]), st.sampled_from("123")),
    min_size=1,
    max_size=8,
)


@given(st.lists(export, min_size=2, max_size=2))
@settings(deadline=None, max_examples=6)
def test_merging_in_parts_gives_what_merging_at_once_gives(
    tmp_path_factory: pytest.TempPathFactory, exports: list[list[tuple[str, str, str]]]
) -> None:
    base = tmp_path_factory.mktemp("parts")
    found = []
    for size in (4, 1_000):
        case = base / f"{size}.duckdb"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(merge, "PART_ROWS", size)
            patch.setattr(merge, "PART_IDS", size + 1)
            for number, events in enumerate(exports):
                lines = "".join(f"{account},{x},{n},2026-02-01\n" for account, x, n in events)
                head = "account_id,exchange_id,output_tokens,at\n"
                plans = "".join(f"{account}{x},{n}\n" for account, x, n in events)
                files = [
                    put(base / f"{size}-{number}", "exchanges.csv", head + lines),
                    put(base / f"{size}-{number}", "accounts.csv", "account_id,plan\n" + plans),
                ]
                ingest(files, case)
        tables = ("exchanges", "account_rows")
        found.append([rows(case, f"SELECT * FROM {table} ORDER BY ALL") for table in tables])
    assert found[0] == found[1]


def test_no_error_of_the_engine_gets_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise duckdb.OutOfMemoryException("Out of Memory Error: could not allocate block")

    monkeypatch.setattr(load, "merge", full)
    with pytest.raises(LinkageError) as caught:
        ingest([put(tmp_path, "accounts.csv", "account_id\na\n")], tmp_path / "c.duckdb")
    assert isinstance(caught.value, MachineError)
    assert not (tmp_path / "c.duckdb").exists()
