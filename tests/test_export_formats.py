"""Graphs for Gephi, lines for tickets, cells that no spreadsheet runs."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from linkage import results, store
from linkage.commands import run
from linkage.detect import detect
from linkage.errors import ExitCode
from linkage.export import FORMATS, Format, export
from linkage.text import inert, original
from linkage.tickets import STRONGEST
from tests.cases import make_case

DOCS = Path(__file__).resolve().parent.parent / "docs" / "export.md"

# Two of them look the same once their control characters are shown as escapes.
HOSTILE = (
    "a\x1b[31m", "a\\x1b[31m", "=cmd|' /C calc'!A0", ' "＝1+1', "x;@SUM(1)", "'quoted'", "<node id='x'/>",
    "é\u202eb\ufffe", "]]>&", "\x00\x01",
)  # fmt: skip


@pytest.fixture(scope="module")
def hostile_case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One ring of accounts whose ids, card and own kind's value are hostile."""
    case = make_case(
        tmp_path_factory.mktemp("hostile") / "c.duckdb",
        accounts=[{"account_id": name} for name in HOSTILE],
        payments=[{"account_id": name, "payment_id": "\t=1+1\x02"} for name in HOSTILE],
        identifiers=[{"account_id": name, "kind": "account", "value": HOSTILE[0]} for name in HOSTILE],
    )
    detect(case, nulls=0)
    with store.writing(case) as con:
        con.execute("UPDATE rings SET listed = true")
    yield case


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


# Cells.


@pytest.mark.parametrize(
    "text",
    ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "\u200b=1", "\ufeff=1", '"=1', "'=1", "”=1",
     "`=1", "＝1", "＋1", "－1", "＠x", "\u22121", "\ufe661", "\x01=1", "a;=1", "a\t=1", 'a;"=1', "a\n-1", "a|@x",
     "\tx", "\rx"],
)  # fmt: skip
def test_what_a_spreadsheet_would_run_is_inert(text: str) -> None:
    cell = inert(text)
    assert cell != text
    assert original(cell) == text
    # However it is cut into cells, each that would be a formula begins with an apostrophe.
    for part in re.split("[;|\t\r\n]", cell):
        assert not part.lstrip(' \u00a0\u200b\ufeff"”`\x01').startswith(tuple("=+-@＝＋－＠\u2212\ufe66"))


@given(st.text("'=+-@;\t\n\r| \"aé＝", max_size=12))
@example("Mozilla/5.0 (X11; Linux x86_64)")
@example("2026-01-01 a-b c@d e=f")
def test_cells_can_be_turned_back(text: str) -> None:
    assert original(inert(text)) == text
    assert inert(original(inert(text))) == inert(text)


def test_ordinary_text_stays_as_it_is() -> None:
    for text in ("", "acct_1", "Mozilla/5.0 (X11; Linux x86_64)", "a-b;c", "10.0.0.1", "it's"):
        assert inert(text) == text


def test_a_csv_gives_back_what_the_case_holds(hostile_case: Path, tmp_path: Path) -> None:
    export(hostile_case, tmp_path)
    path = tmp_path / "members.csv"
    assert {original(row["account_id"]) for row in table(path)} == set(HOSTILE)
    # Also where semicolons end cells and quotes mean nothing, as in a spreadsheet of another locale.
    assert not re.search('(^|[;\t\r\n|])[ "]*[=+@＝]', path.read_bytes().decode())


# Graphs.


def parsed(path: Path) -> "nx.Graph[str]":
    graph: nx.Graph[str] = nx.read_graphml(path) if path.suffix == ".graphml" else nx.read_gexf(path)
    return graph


@pytest.mark.parametrize("format", ["graphml", "gexf"])
def test_a_graph_holds_the_ring(sample_case: Path, tmp_path: Path, format: Format) -> None:
    report = export(sample_case, tmp_path, format=format)
    listed = results.rings(sample_case)
    assert [path.name for path in report.files] == [f"{row.ring_id}.{format}" for row in listed]
    assert report.rows == {row.ring_id: row.accounts for row in listed}
    assert not export(sample_case, tmp_path, format=format, rings=[listed[-1].ring_id]).changed
    found = results.ring(sample_case, listed[1].ring_id)
    graph = parsed(report.files[1])
    assert type(graph) is nx.Graph
    nodes: dict[str, dict[str, Any]] = {name: graph.nodes[name] for name in graph}
    accounts = {node["account_id"]: node for node in nodes.values() if node["type"] == "account"}
    assert set(accounts) == {member.account_id for member in found.members}
    for member in found.members:
        node = accounts[member.account_id]
        told = (node["label"], node["tier"], node["confidence"], node["bits"], node["exchanges"])
        assert told == (member.account_id, member.tier, member.confidence, member.bits, member.exchanges)
        assert node["last_seen"] == f"{member.last_seen:%Y-%m-%dT%H:%M:%SZ}"
    values = {(node["kind"], node["value"]): node for node in nodes.values() if node["type"] == "identifier"}
    assert set(values) == {(line.kind, line.value) for line in found.evidence}
    for line in found.evidence:
        node = values[line.kind, line.value]
        assert (node["accounts"], node["outsiders"], node["bits"]) == (line.accounts, line.outsiders, line.bits)
    with store.reading(sample_case) as con:
        ties = con.execute(
            """SELECT s.account_id, s.kind, s.value, s.count, s.bits FROM sightings s JOIN members m USING (account_id)
            SEMI JOIN evidence e ON e.ring_id = m.ring_id AND e.kind = s.kind AND e.value = s.value
            WHERE m.ring_id = ?""",
            [found.ring.ring_id],
        ).fetchall()
    drawn = set()
    for one, other, edge in graph.edges(data=True):
        a, b = sorted((nodes[one], nodes[other]), key=lambda node: node["type"])
        drawn.add((a["account_id"], b["kind"], b["value"], edge["count"], edge["bits"]))
        assert edge["weight"] > 0
    assert drawn == set(ties)
    assert ties


def test_each_attribute_has_one_type_and_the_date_is_the_runs(sample_case: Path, tmp_path: Path) -> None:
    for format in ("graphml", "gexf"):
        export(sample_case, tmp_path, format=format, rings=["2"])
    (path,) = tmp_path.glob("*.graphml")
    keys = ElementTree.parse(path).findall("{*}key")
    names = [(key.get("for"), key.get("attr.name")) for key in keys]
    assert len(names) == len(set(names)) > 15
    assert {key.get("attr.type") for key in keys} == {"string", "double", "long"}
    (path,) = tmp_path.glob("*.gexf")
    meta = ElementTree.parse(path).find("{*}meta")
    with store.reading(sample_case) as con:
        _, newest = results.started(con)
    assert meta is not None
    assert meta.get("lastmodifieddate") == f"{newest:%Y-%m-%d}"
    text = path.read_text() + next(tmp_path.glob("*.graphml")).read_text()
    assert "None" not in text
    attributes = ElementTree.parse(path).findall("{*}graph/{*}attributes/{*}attribute")
    assert {attribute.get("type") for attribute in attributes} == {"string", "double", "long"}
    # Nodes of both formats have the same ids, so that files can be joined.
    one, other = (set(parsed(path)) for path in sorted(tmp_path.iterdir()))
    assert one == other


@pytest.mark.parametrize("format", ["graphml", "gexf"])
def test_hostile_text_is_shown_and_nobody_is_mixed_up(hostile_case: Path, tmp_path: Path, format: Format) -> None:
    (path,) = export(hostile_case, tmp_path, format=format).files
    # A parser that keeps the standard refuses control characters, also as references.
    graph = parsed(path)
    assert len(graph) == len(HOSTILE) + 2
    assert graph.number_of_edges() == 2 * len(HOSTILE)
    labels = sorted(node["label"] for _, node in graph.nodes(data=True) if node["type"] == "account")
    assert labels.count("a\\x1b[31m") == 2
    assert "<node id='x'/>" in labels
    assert "é\\u202eb\\ufffe" in labels
    text = path.read_text()
    assert all(char.isprintable() or char == "\n" for char in text)


def test_a_ring_of_20_000_accounts_is_written_whole(tmp_path: Path) -> None:
    case = make_case(tmp_path / "large.duckdb")
    with store.writing(case) as con:
        con.execute(
            """INSERT INTO runs VALUES (1, TIMESTAMP '2026-01-01', 1, '{}', '{}', '{}', '{}');
            INSERT INTO rings VALUES ('Rlarge', 1, 1, NULL, 'open', true, 20000, 0, NULL, NULL, '', '', 9, '{}');
            INSERT INTO members SELECT 'Rlarge', 'acct' || i, 'core', 1, 9, 0, NULL, NULL FROM range(20000) t(i);
            INSERT INTO evidence SELECT 'Rlarge', 'payment', 'card' || i, NULL, 20, 0, 1, NULL, NULL
                FROM range(1000) t(i);
            INSERT INTO sightings SELECT 'acct' || i, 'payment', 'card' || i // 20, 1, NULL, NULL, 9
                FROM range(20000) t(i);"""
        )
    (path,) = export(case, tmp_path / "out", format="gexf").files
    content = path.read_bytes()
    assert (content.count(b"<node "), content.count(b"<edge ")) == (21_000, 20_000)
    assert ElementTree.fromstring(content).tag.endswith("gexf")


# Lines for tickets.


def test_a_line_a_ring_for_a_ticket_system(sample_case: Path, tmp_path: Path) -> None:
    report = export(sample_case, tmp_path, format="jsonl")
    (path,) = report.files
    assert path.name == "rings.jsonl"
    tickets = [json.loads(line) for line in path.read_text().splitlines()]
    listed = results.rings(sample_case)
    assert [t["ring_id"] for t in tickets] == [row.ring_id for row in listed]
    assert report.rows == {"rings": len(listed)}
    documented = re.findall(r"^\| `(\w+)`", DOCS.read_text().partition("## Tickets")[2].partition("## ")[0], re.M)
    for told, row in zip(tickets, listed, strict=True):
        assert list(told) == documented
        assert told["schema"] == "linkage.ticket/1"
        for name in ("rank", "score", "q_value", "status", "accounts", "exchanges", "why", "doubts"):
            assert told[name] == getattr(row, name)
        found = results.ring(sample_case, row.ring_id)
        assert [m["account_id"] for m in told["members"]] == [m.account_id for m in found.members]
        assert told["summary"].startswith(f"Ring {row.ring_id}: {row.accounts:,} accounts")
        assert [(v["kind"], v["bits"]) for v in told["values"]] == [
            (e.kind, e.bits) for e in found.evidence[:STRONGEST]
        ]
    values = [value for told in tickets for value in told["values"]]
    # A key of an API may open something: a ticket does not name it.
    assert {value["value"] for value in values if value["kind"] == "api_key"} == {None}
    assert all(value["value"] for value in values if value["kind"] != "api_key")


# What is chosen, and what is refused.


def test_chosen_rings_alone(sample_case: Path, tmp_path: Path) -> None:
    everything = results.rings(sample_case, unlisted=True)
    unlisted = next(row for row in everything if not row.listed)
    report = export(sample_case, tmp_path, rings=[unlisted.ring_id, "#1", everything[0].ring_id])
    ids = {path.stem: [row["ring_id"] for row in table(path)] for path in report.files}
    chosen = [everything[0].ring_id, unlisted.ring_id]
    assert ids["rings"] == chosen
    assert report.rows["members"] == len(ids["members"]) == everything[0].accounts + unlisted.accounts
    assert set(ids["evidence"]) == set(ids["members"]) == set(chosen)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_documented_and_refuses_the_same(
    sample_case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], format: Format
) -> None:
    assert f"`{format}`" in DOCS.read_text()
    at = ["export", "--case", str(sample_case), "--format", format]
    key = ["--key", str(tmp_path / "key")] if format == "stix" else []
    run(["indicators", "key", str(tmp_path / "key")])
    capsys.readouterr()
    taken = tmp_path / "file"
    taken.write_text("mine")
    for words, code, said in (
        ([*at, *key, str(taken)], ExitCode.MACHINE, "is a file"),
        ([*at, *key, str(tmp_path / "out"), "--ring", "nobody"], ExitCode.NOT_FOUND, "no ring 'nobody'"),
        ([*at, *([] if key else ["--key", "x"]), str(tmp_path / "out")], ExitCode.USAGE, "needs the key"),
    ):
        assert run(words) == code
        assert said in capsys.readouterr().err
    assert taken.read_text() == "mine"
    assert not (tmp_path / "out").exists()
