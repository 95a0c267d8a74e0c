"""What fuzzing found (`tests/fuzz`), and files and texts that were made to break readers or the people who look."""

import csv
import gzip
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import neo4j.time
import pytest

from linkage import store
from linkage.commands import run
from linkage.commands.settings import _read as read_settings
from linkage.errors import InputError, UsageError
from linkage.export import export
from linkage.graph.driver import plain
from linkage.graph.pull import Refused, _decision
from linkage.ingest import ingest, layout, lines, rejects, shape, stage
from linkage.ingest.messages import prompt_of
from linkage.ingest.sources import Source
from linkage.text import inert
from linkage.until import until
from tests.cases import Output

# Found by fuzzing.


@pytest.mark.parametrize("typed", ["9999-12-31T23:59-14:00", "9999-12-31T23:59:59.999999-00:01"])
def test_the_end_of_all_time_elsewhere_is_no_date_here(typed: str) -> None:
    with pytest.raises(UsageError, match="neither a date nor a span"):
        until(typed, datetime(2026, 1, 1))
    with pytest.raises(UsageError, match="neither a date nor a span"):
        until(datetime.max.replace(tzinfo=timezone(-timedelta(hours=14))), datetime(2026, 1, 1))


def test_a_review_at_the_start_of_all_time_is_refused() -> None:
    row: tuple[object, ...] = ("R1", "confirm", "", [], "ada", "0001-01-01T00:00:00+14:00")
    assert _decision(row, "neo4j", {"R1"}) == Refused("R1", "review_at is no datetime")
    first = neo4j.time.DateTime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    assert _decision((*row[:5], first), "neo4j", {"R1"}) == Refused("R1", "review_at is no datetime")
    assert plain(neo4j.time.DateTime(2026, 1, 1, tzinfo=UTC)) == datetime(2026, 1, 1)


@pytest.mark.parametrize("text", ["a = " + "[" * 5_000, "a = " + "9" * 5_000, "a = \xff"])
def test_settings_that_no_parser_takes_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "linkage.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=r"nested too deep|is no TOML"):
        read_settings(path)


def test_a_log_of_no_known_source_is_refused_and_the_rest_goes_in(tmp_path: Path) -> None:
    (tmp_path / "logins.log").write_text("hello\n")
    (tmp_path / "logins.csv").write_text("account_id\na\n")
    report = ingest([tmp_path], tmp_path / "c.duckdb", dry_run=True)
    assert {file.path.name: (file.rows, "no known source" in file.error) for file in report.files} == {
        "logins.csv": (1, False), "logins.log": (0, True),
    }  # fmt: skip
    with pytest.raises(InputError, match="no known source"):
        ingest([tmp_path / "logins.log"], tmp_path / "c.duckdb", table="logins")


@pytest.mark.parametrize("depth", [100, 400, 700, 950, 10_000])
def test_a_request_that_is_nested_deep_is_a_text(depth: int) -> None:
    deep = "[" * depth + '"hi"' + "]" * depth
    assert prompt_of(deep) in ("hi", deep)


def test_json_nested_ten_thousand_deep_is_a_value_or_a_reject(tmp_path: Path) -> None:
    deep = "[" * 10_000 + "]" * 10_000
    (tmp_path / "logins.jsonl").write_text(
        f'{{"account_id":"a","user_agent":{deep}}}\n{{"x":{deep}}}\n{{"account_id":"b"}}\n'
    )
    case = tmp_path / "c.duckdb"
    assert ingest([tmp_path / "logins.jsonl"], case).rows == 3
    with store.reading(case) as con:
        found = con.execute("SELECT account_id FROM logins ORDER BY 1").fetchall()
    assert ("b",) in found
    assert {reject.reason for reject in rejects(case)} <= {"the line is nested too deep", "account_id is missing"}
    (tmp_path / "logins.json").write_text(deep)
    with pytest.raises(InputError, match="cannot be read"):
        ingest([tmp_path / "logins.json"], tmp_path / "d.duckdb")


# Sizes. Those that take long are in tests/fuzz/test_giants.py.


def test_ten_thousand_columns_are_read(tmp_path: Path) -> None:
    names = ["account_id", *(f"column_{at}" for at in range(10_000))]
    path = tmp_path / "logins.csv"
    path.write_text(",".join(names) + "\n" + ",".join(f"v{at}" for at in range(10_001)) + "\n")
    (report,) = ingest([path], tmp_path / "c.duckdb").files
    assert (report.rows, report.rejected, len(report.ignored_columns)) == (1, 0, 10_000)


def test_what_is_looked_at_of_a_file_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shape, "MAX_LINE", 1_000)
    monkeypatch.setattr(lines, "MAX_LINE", 1_000)
    path = tmp_path / "x.log.gz"
    path.write_bytes(gzip.compress(b"short\n" + b"x" * 1_000_000 + b"\nend\n"))
    source = Source(path, "", "log", "gzip")
    assert sum(len(record[""]) for record in shape.look(source).records) < 1_000
    with source.open() as file:
        assert [len(line) for line in lines.bounded(file)] == [6, 1_000, 4]


@pytest.mark.parametrize("end", [b"", b"\n", b"\nc,8.8.8.8\n"])
def test_a_row_longer_than_the_engines_buffer_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    for module in (layout, stage):
        monkeypatch.setattr(module, "MAX_LINE", 1 << 18)
    monkeypatch.setattr(lines, "_CHUNK", 1 << 18)
    path = tmp_path / "logins.csv"
    path.write_bytes(b"account_id,ip\na,8.8.8.8\nb," + b"x" * (2 << 20) + end)
    with pytest.raises(InputError, match="has a line longer than"):
        ingest([path], tmp_path / "c.duckdb")


# Texts.

ESCAPE, TURNED = "\x1b[2J\x1b]0;owned\x07", "\u202egnp.exe"
HOSTILE = {
    "formula": "=HYPERLINK(\"http://evil.example\";\"x\")", "at": "@SUM(1)|cmd", "html": "<img src=x onerror=alert(1)>",
    "close": "</script><script>alert(1)</script>", "ansi": ESCAPE, "bidi": TURNED, "sql": "x'); DROP TABLE rings; --",
    "cypher": "'}) DETACH DELETE n //", "path": "../../../../tmp/linkage-escaped", "jinja": "{{ 7*7 }}{% raw %}",
    "latin": "acme", "cyrillic": "\u0430cme", "wide": "ac\u200bme",
}  # fmt: skip


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirteen accounts of one hand, each with a hostile text in every text column that the contract has."""
    folder = tmp_path_factory.mktemp("hostile")
    tables: dict[str, list[dict[str, str]]] = {}
    for name, text in HOSTILE.items():
        at = "2026-02-01T10:00:00Z"
        event = {"account_id": text, "ip": "8.8.8.8", "device_id": HOSTILE["html"], "user_agent": text, "at": at}
        rows = {
            "accounts": {"account_id": text, "org_id": text, "status": text, "country": text, "plan": text,
                         "created_at": at},
            "payments": {"account_id": text, "payment_id": HOSTILE["formula"], "method": text},
            "logins": event,
            "exchanges": {**event, "model": text, "exchange_id": f"{text}-1", "prompt": f"sort {text} {name}"},
            "identifiers": {"account_id": text, "kind": "tax_id", "value": HOSTILE["ansi"]},
            "links": {"account_id": text, "other_account_id": HOSTILE["sql"], "kind": "referral"},
        }  # fmt: skip
        for table, row in rows.items():
            tables.setdefault(table, []).append(row)
        tables["identifiers"].append({"account_id": text, "kind": text, "value": HOSTILE["bidi"]})
    (folder / "in").mkdir()
    for table, found in tables.items():
        with (folder / "in" / f"{table}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(found[0]))
            writer.writeheader()
            writer.writerows(found)
    made = folder / "c.duckdb"
    assert run(["ingest", str(folder / "in"), "--case", str(made), "--quiet"]) == 0
    assert run(["detect", "--nulls", "0", "--no-publish", "--case", str(made), "--quiet"]) == 0
    with store.writing(made) as con:
        con.execute("UPDATE rings SET listed = true")
    return made


def test_accounts_that_look_alike_stay_apart(case: Path) -> None:
    with store.reading(case) as con:
        found = {row[0] for row in con.execute("SELECT account_id FROM accounts").fetchall()}
    # A formula as an account's id is what a spreadsheet made of it: such a row is set aside.
    assert set(HOSTILE.values()) - found <= {HOSTILE["formula"]}
    assert {"acme", "\u0430cme", "ac\u200bme"} <= found


def test_no_command_shows_what_moves_a_terminal(case: Path, linkage: Callable[..., Output]) -> None:
    asked = [
        ("rings", "--all"), ("ring", "1"), ("ring", "1", "--sources"), ("hubs",), ("templates",),
        ("rejects",), ("runs",),
        ("why", "acme", HOSTILE["wide"]), ("why", HOSTILE["ansi"], HOSTILE["bidi"]),
        ("why", HOSTILE["sql"], "nobody\x1b"),
        ("ring", HOSTILE["path"]), ("review", "1"), ("aliases",), ("audit",),
    ]  # fmt: skip
    seen = ""
    for words in asked:
        code, out, err = linkage(*words, "--case", case)
        assert code in (0, 3, 4), (words, err)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u200b\u202e]", out + err), words
        seen += out
    assert "\\x1b[2J" in seen and "\\u202egnp" in seen and "ac\\u200bme" in seen


def test_the_report_shows_them_as_text(case: Path, linkage: Callable[..., Output], tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    code, _, err = linkage("report", "1", "-o", page, "--case", case)
    assert code == 0, err
    text = page.read_text(encoding="utf-8")
    assert "<img src=x" not in text and "<script>alert" not in text and "\x1b" not in text and "\u202e" not in text
    assert "{{ 7*7 }}" in text or "7*7" in text
    assert "onerror=alert(1)" in text


def test_exported_cells_run_nowhere_and_leave_the_folder_nowhere(case: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "out"
    folder.parent.mkdir()
    export(case, folder)
    members = 0
    for path in folder.rglob("*.csv"):
        for row in csv.reader(io.StringIO(path.read_bytes().decode(), newline="")):
            for cell in row:
                assert cell == "" or not inert(cell).startswith("'") or cell.startswith("'"), (path.name, cell)
            members += path.name == "members.csv"
    assert members >= len(HOSTILE)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert not Path("/tmp/linkage-escaped").exists()
