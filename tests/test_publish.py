"""The mirror in a real Neo4j: the graph is what the case says, only the difference travels, others' things stay."""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from linkage import Case, decisions, results, server, store
from linkage.commands import run
from linkage.context.tables import add
from linkage.detect import detect
from linkage.errors import CaseBusyError, CheckFailedError, ExitCode, Neo4jError, NotFoundError, UsageError
from linkage.graph import Graph, Target, connect, offline, publish, route, schema, wanted
from linkage.graph.binding import bind
from linkage.graph.driver import target
from linkage.graph.publish import PublishReport
from linkage.graph.pull import pull
from linkage.graph.questions import ask, question
from linkage.ingest import ingest
from linkage.secret import key_file
from linkage.server import Server
from linkage.server.process import look
from tests.cases import add_rows, make_case
from tests.graphs import clear, emptied, snapshot, target_of
from tests.neo4j_server import guarded

pytestmark = pytest.mark.xdist_group("neo4j")


@pytest.fixture
def graph(neo4j_server: Server) -> Iterator[Graph]:
    with emptied(neo4j_server) as found:
        yield found


@pytest.fixture
def where(neo4j_server: Server) -> Target:
    return target_of(neo4j_server)


@pytest.fixture
def sample(sample_case: Path, tmp_path: Path) -> Path:
    """A copy of the sample case that may be changed."""
    case = tmp_path / "sample.duckdb"
    shutil.copy(sample_case, case)
    shutil.copy(key_file(sample_case), key_file(case))
    return case


def ring_of(accounts: int = 6, prefix: str = "a") -> dict[str, list[dict[str, Any]]]:
    """Rows of a ring that shares a card and a device, among others that share nothing."""
    members = [f"{prefix}{at}" for at in range(accounts)]
    return {
        "accounts": [
            {"account_id": name, "created_at": "2026-01-02", "status": "active"}
            for name in [*members, *(f"other{at}" for at in range(200))]
        ],
        "payments": [
            {"account_id": name, "payment_id": f"card-{prefix}", "added_at": "2026-01-02"} for name in members
        ],
        "logins": [
            {"account_id": name, "ip": "198.51.100.7", "device_id": f"dev-{prefix}", "at": "2026-01-03 10:00:00"}
            for name in members
        ],
        "identifiers": [{"account_id": name, "kind": "tax_id", "value": f"tax-{prefix}"} for name in members],
    }


def give_lists(case: Path, folder: Path) -> None:
    """Say whose network the address of `ring_of` is of."""
    for source, text in (("asn", "198.51.100.0/22,64500,Example\n"), ("vpn", "198.51.100.7\n")):
        (folder / source).write_text(text)
        add(case, source, [folder / source])


@pytest.mark.parametrize("scope", ["all", "rings"])
def test_an_address_is_in_the_network_that_lists_name(
    graph: Graph, where: Target, tmp_path: Path, scope: wanted.Scope
) -> None:
    case = make_case(tmp_path / "c.duckdb", **ring_of())
    detect(case, nulls=0)
    publish(case, where, scope=scope)
    assert graph.one("MATCH (i:Identifier) WHERE i.asn IS NOT NULL OR i.type IS NOT NULL RETURN count(*)") == (0,)
    give_lists(case, tmp_path)
    detect(case, nulls=0)
    publish(case, where, scope=scope)
    there = "MATCH (i:IP)-[:IN]->(n:Network) RETURN i.key, i.asn, i.name, i.type, n.key, n.asn, n.name, n.type"
    assert list(graph.rows(there)) == [
        ("198.51.100.7", 64500, "Example", "vpn", "198.51.100.0/24", 64500, "Example", None)
    ]  # fmt: skip
    asked = question("networks")
    (row,) = ask(graph, asked, bind(asked, {}, graph=graph)).rows
    assert (row["type"], row["asn"], row["rings"], row["addresses"]) == ("vpn", 64500, 1, 1)
    assert not publish(case, where, scope=scope).changed
    # What came in after the run is looked up, too.
    add_rows(case, logins=[{"account_id": name, "ip": "198.51.100.9", "at": "2026-01-04"} for name in ("a0", "a1")])
    with store.writing(case) as con:
        con.execute("INSERT INTO commands VALUES (1, now(), now(), [])")
    publish(case, where, scope="all")
    assert graph.one("MATCH (i:IP {key: '198.51.100.9'}) RETURN i.asn, i.type") == (64500, None)


def test_the_graph_is_what_the_case_says(graph: Graph, where: Target, sample_case: Path) -> None:
    report = publish(sample_case, where)
    assert report.changed
    assert report.created == report.nodes + report.relationships
    assert report.scope == "all"
    assert graph.one("MATCH (n) WHERE n.mirrored RETURN count(n)") == (report.nodes,)
    assert graph.one("MATCH ()-[x]->() WHERE x.mirrored RETURN count(x)") == (report.relationships,)
    for row in results.rings(sample_case):
        there = graph.one(
            "MATCH (r:Ring {ring_id: $id}) OPTIONAL MATCH (a:Account)-[m:MEMBER_OF]->(r) "
            "RETURN r.score, r.status, r.why, r.first_seen.epochMillis, collect([a.account_id, m.tier, m.confidence])",
            id=row.ring_id,
        )
        assert there[:3] == (round(row.score, 4), row.status, row.why)
        assert row.first_seen is not None
        assert abs(there[3] - row.first_seen.timestamp() * 1000) % 3_600_000 < 1
        members = results.ring(sample_case, row.ring_id).members
        assert sorted(map(tuple, there[4])) == sorted((m.account_id, m.tier, round(m.confidence, 4)) for m in members)
        held = graph.rows(
            "MATCH (:Ring {ring_id: $id})-[:TIED_BY]->(b)-[h:HOLDS]->(i) RETURN i.kind, i.key, h.accounts, b.kind",
            id=row.ring_id,
        )
        evidence = {(e.kind, e.value, e.accounts, e.kind) for e in results.ring(sample_case, row.ring_id).evidence}
        assert set(held) == {e for e in evidence if not e[0].startswith("link:")}
    # Each kind has its label and its relationship, and an address is in its network.
    found = set(graph.rows("MATCH (:Account)-[s]->(i:Identifier) RETURN DISTINCT i.kind, labels(i)[1], type(s)"))
    assert {("payment", "PaymentMethod", "PAID_WITH"), ("ip", "IP", "SEEN_AT"), ("prompt", "PromptFingerprint", "SENT"),
            ("device", "Device", "USED_DEVICE"), ("api_key", None, "HAS_IDENTIFIER")} <= found  # fmt: skip
    assert graph.one("MATCH (i:IP)-[:IN]->(n:Network) RETURN count(*) > 0") == (True,)
    assert graph.one("MATCH (:Account)-[l:LINKED]->(:Account) RETURN count(l)") == (19,)
    hubs = set(graph.rows("MATCH (i:Identifier {hub: true}) RETURN i.kind, i.key"))
    assert hubs == {(hub.kind, hub.value) for hub in results.hubs(sample_case)}


def test_a_second_publish_changes_nothing_and_says_so(graph: Graph, where: Target, sample_case: Path) -> None:
    publish(sample_case, where)
    before = graph.one("MATCH (c:LinkageCase) RETURN c.published_at, c.complete, c.run")
    again = publish(sample_case, where)
    assert not again.changed
    assert again.by_layer == {}
    assert graph.one("MATCH (c:LinkageCase) RETURN c.published_at, c.complete, c.run") == before
    assert before[1:] == (True, 1)


def test_only_the_difference_travels(graph: Graph, where: Target, tmp_path: Path) -> None:
    case = make_case(tmp_path / "case.duckdb", **ring_of())
    detect(case)
    first = publish(case, where)
    add_rows(case, accounts=[{"account_id": "late"}], payments=[{"account_id": "late", "payment_id": "card-a"}])
    detect(case)
    second = publish(case, where)
    assert 0 < second.created < 8
    assert second.created + second.updated < first.created / 4
    grown = snapshot(graph)
    clear(graph)
    publish(case, where)
    assert snapshot(graph)[1] == grown[1]
    assert {n for n in snapshot(graph)[0] if "Account" in str(n)} == {n for n in grown[0] if "Account" in str(n)}


def test_before_any_run_accounts_and_what_they_share_are_there(graph: Graph, where: Target, tmp_path: Path) -> None:
    case = make_case(tmp_path / "case.duckdb", **ring_of())
    report = publish(case, where)
    assert report.run == 0
    assert graph.one(
        "MATCH (:Account)-[s:PAID_WITH]->(:PaymentMethod {key: 'card-a'}) RETURN count(s), max(s.bits)"
    ) == (
        6,
        None,
    )
    detect(case)
    assert publish(case, where).updated >= 6
    assert graph.one("MATCH (:Account)-[s:PAID_WITH]->(:PaymentMethod {key: 'card-a'}) RETURN min(s.bits) > 0") == (
        True,
    )


def test_what_others_added_is_never_touched(graph: Graph, where: Target, tmp_path: Path) -> None:
    case = make_case(tmp_path / "case.duckdb", **ring_of())
    detect(case, nulls=0)
    publish(case, where)
    (ring,) = results.rings(case)
    graph.write(
        "MATCH (a:Account {account_id: 'a0'}), (b:Account {account_id: 'a1'}), (o:Account {account_id: 'other1'}), "
        "(r:Ring {ring_id: $ring}) SET a.ticket = 7, b:Suspect, r.review_note = 'look', r.tag = 'mine' "
        "CREATE (a)-[:KNOWS {since: 2}]->(b), (a)-[:LINKED {kind: 'mine'}]->(b), (o)-[:MEMBER_OF {mine: true}]->(r), "
        "(:Account {account_id: 'theirs'})-[:PAID_WITH]->(:Wallet {n: 1})",
        ring=ring.ring_id,
    )
    mine = "MATCH (n) WHERE n.mirrored IS NULL OR n.ticket = 7 OR n:Suspect OR n.tag = 'mine' RETURN n {.*}, labels(n)"
    before = sorted(map(str, graph.rows(mine)))
    ties = sorted(map(str, graph.rows("MATCH ()-[x]->() WHERE x.mirrored IS NULL RETURN type(x), x {.*}")))
    assert not publish(case, where).changed
    add_rows(case, payments=[{"account_id": "other2", "payment_id": "card-a"}])
    detect(case, nulls=0)
    publish(case, where)
    after = sorted(map(str, graph.rows(mine)))
    assert [row for row in after if "Ring" not in row and "Linkage" not in row] == [
        row for row in before if "Ring" not in row and "Linkage" not in row
    ]
    assert graph.one("MATCH (r:Ring {tag: 'mine'}) RETURN r.review_note, r.accounts") == ("look", 7)
    assert sorted(map(str, graph.rows("MATCH ()-[x]->() WHERE x.mirrored IS NULL RETURN type(x), x {.*}"))) == ties


def test_what_left_the_case_goes_unless_somebody_attached_something(
    graph: Graph, where: Target, tmp_path: Path
) -> None:
    case = make_case(tmp_path / "case.duckdb", **ring_of())
    detect(case)
    publish(case, where)
    graph.write(
        "MATCH (a:Account {account_id: 'a0'})-[p:PAID_WITH]->() SET a.note = 'keep' SET p.seen_by = 'ada' "
        "WITH DISTINCT a MATCH (b:Account {account_id: 'a1'}) CREATE (b)-[:SAME_AS]->(a)"
    )
    with store.writing(case) as con:
        for table in ("account_rows", "payments", "logins", "identifiers"):
            con.execute(f"DELETE FROM {table} WHERE account_id LIKE 'a%'")
    detect(case)
    report = publish(case, where)
    # a0 has a note, a1 a relationship, the card and its ring hang on what a0 keeps.
    assert report.kept >= 3
    accounts = set(graph.rows("MATCH (a:Account) WHERE a.account_id STARTS WITH 'a' RETURN a.account_id, a.gone"))
    assert accounts == {("a0", True), ("a1", True)}
    assert graph.one("MATCH (:Account {account_id: 'a0'})-[p:PAID_WITH]->(i) RETURN p.gone, p.seen_by, i.gone") == (
        True,
        "ada",
        True,
    )
    assert graph.one("MATCH (r:Ring) RETURN count(r)") == (0,)
    assert not publish(case, where).changed
    # The account comes back to life when the case names it again.
    add_rows(case, accounts=[{"account_id": "a0", "status": "active"}])
    assert publish(case, where).updated == 1
    assert graph.one("MATCH (a:Account {account_id: 'a0'}) RETURN a.gone, a.note") == (None, "keep")


def test_damage_is_mended(graph: Graph, where: Target, sample_case: Path) -> None:
    publish(sample_case, where, scope="rings")
    whole = snapshot(graph)
    graph.write("MATCH (a:Account) WITH a ORDER BY a.account_id LIMIT 40 DETACH DELETE a")
    graph.write("MATCH (i:IP) WITH i LIMIT 5 SET i.label = 3, i.bits = 'x', i.accounts = null")
    graph.write(
        "MATCH (a)-[s:USED_DEVICE]->(i) WITH a, s, i LIMIT 9 CREATE (a)-[t:USED_DEVICE]->(i) SET t = properties(s)"
    )
    graph.write("MATCH ()-[m:MEMBER_OF]->() WITH m LIMIT 3 SET m.confidence = 0.0")
    graph.write("MATCH ()-[h:HOLDS]->() WITH h LIMIT 3 DELETE h")
    report = publish(sample_case, where, scope="rings")
    assert report.changed
    assert snapshot(graph) == whole
    assert not publish(sample_case, where, scope="rings").changed


def test_what_is_written_meanwhile_is_noticed(graph: Graph, where: Target, sample_case: Path) -> None:
    def meddle(step: str, _done: int, _total: int) -> None:
        if step == "checking":
            graph.write("MATCH (:Account)-[s:SEEN_AT]->() WITH s LIMIT 2 DELETE s")

    with pytest.raises(CheckFailedError, match=r"of .* :SEEN_AT") as failed:
        publish(sample_case, where, progress=meddle)
    assert failed.value.exit_code is ExitCode.CHECK_FAILED
    assert graph.one("MATCH (c:LinkageCase) RETURN c.complete") == (False,)
    assert publish(sample_case, where).created == 2


HOSTILE = (
    "it's", 'say "hi"', "back`tick", "new\nline", "tab\tand\r", "emoji 🕵️‍♀️", "nul\x00inside", "}) DETACH DELETE n //",
    "$rows", "\\u0041 \\", "'; MATCH (n) DETACH DELETE n", "<script>alert(1)</script>", "\u202eright to left", "ﬁ ﬀ",
    "a" * 5_000, "é" * 3_000, " leading and trailing ", "null", "-1", "=1+1",
)  # fmt: skip


def test_hostile_text_arrives_as_it_is(graph: Graph, where: Target, tmp_path: Path) -> None:
    case = tmp_path / 'it\'s a "case".duckdb'
    rows: dict[str, list[dict[str, Any]]] = {
        "accounts": [{"account_id": text, "status": text, "plan": text, "country": text} for text in HOSTILE],
        "payments": [{"account_id": text, "payment_id": value} for text in HOSTILE for value in HOSTILE[:4]],
        "identifiers": [
            {"account_id": text, "kind": kind, "value": value, "label": value}
            for text in HOSTILE[:6]
            for kind, value in zip(HOSTILE, HOSTILE, strict=True)
        ],
        "links": [{"account_id": HOSTILE[0], "other_account_id": text, "kind": text} for text in HOSTILE[1:]],
    }
    make_case(case, **rows)
    detect(case)
    publish(case, where)
    assert not publish(case, where).changed
    short = [text for text in HOSTILE if len(text.encode()) <= wanted.LONGEST_KEY]
    there = {row[0]: row[1:] for row in graph.rows("MATCH (a:Account) RETURN a.account_id, a.status, a.plan")}
    assert len(there) == len(HOSTILE)
    for text in short:
        assert there[text] == (text, text)
    for text in set(HOSTILE) - set(short):
        (key,) = [key for key in there if key.startswith(text[:200] + "… sha256:")]
        assert there[key] == (text, text)
    kinds = {
        row[0] for row in graph.rows("MATCH (i:Identifier) WHERE labels(i) = ['Identifier'] RETURN DISTINCT i.kind")
    }
    assert set(short) - {"payment"} <= kinds
    assert set(graph.rows("MATCH (i:PaymentMethod) RETURN i.key")) == {(value,) for value in HOSTILE[:4]}
    assert graph.one("MATCH ()-[l:LINKED]->() RETURN count(DISTINCT l.kind)") == (len(HOSTILE) - 1,)


def test_another_cases_graph_is_refused(graph: Graph, where: Target, tmp_path: Path) -> None:
    one = make_case(tmp_path / "one.duckdb", **ring_of())
    two = make_case(tmp_path / "two.duckdb", **ring_of(prefix="b"))
    publish(one, where)
    graph.write("MATCH (a:Account {account_id: 'a3'}) SET a.note = 'mine'")
    before = snapshot(graph)
    with pytest.raises(Neo4jError, match="belongs to another case"):
        publish(two, where)
    with pytest.raises(Neo4jError, match="belongs to another case"):
        pull(two, where)
    assert snapshot(graph) == before
    publish(two, where, replace=True)
    assert {row[0] for row in graph.rows("MATCH (a:Account) WHERE a.gone IS NULL RETURN a.account_id")} == {
        *(f"b{at}" for at in range(6)),
        *(f"other{at}" for at in range(200)),
    }
    assert set(graph.rows("MATCH (a:Account {gone: true}) RETURN a.account_id, a.note")) == {("a3", "mine")}
    with pytest.raises(Neo4jError, match="belongs to another case"):
        publish(one, where)


def test_the_scope_of_rings(graph: Graph, where: Target, sample_case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = publish(sample_case, where)
    part = publish(sample_case, where, scope="rings")
    assert part.scope == "rings"
    assert part.nodes < whole.nodes / 2
    members = {row[0] for row in graph.rows("MATCH (a:Account)-[:MEMBER_OF]->(:Ring) RETURN a.account_id")}
    assert members == {m.account_id for m in results.members(sample_case)}
    outside = graph.rows(
        "MATCH (i:Identifier)<--(a:Account) WHERE NOT (a)-[:MEMBER_OF]->() AND NOT (a)-[:BYSTANDER_OF]->() "
        "RETURN i.key, count(DISTINCT a)"
    )
    assert max((row[1] for row in outside), default=0) <= 20 * 3
    loose = "MATCH (i:Identifier) WHERE NOT (i)<-[:HOLDS]-() AND NOT (i)<-[:IN]-() RETURN count(i)"
    assert graph.one(loose) == (0,)
    monkeypatch.setattr(wanted, "LARGEST_ALL", 1_000)
    assert publish(sample_case, where).scope == "rings"


def test_a_dry_run_writes_nothing(graph: Graph, where: Target, sample_case: Path) -> None:
    report = publish(sample_case, where, dry_run=True)
    assert report.created == report.nodes + report.relationships > 0
    assert graph.one("MATCH (n) RETURN count(n)") == (0,)


def test_two_publishes_of_a_case_at_once(graph: Graph, where: Target, sample: Path) -> None:
    said: list[str] = []

    def second(step: str, _done: int, _total: int) -> None:
        if step == "checking":
            with pytest.raises(CaseBusyError, match="Another publish"):
                publish(sample, where)
            said.append(step)

    publish(sample, where, progress=second)
    assert said == ["checking"]


def test_an_offline_import_gives_the_same_graph(
    graph: Graph, where: Target, tmp_path: Path, neo4j_cache: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    rows = ring_of()
    rows["accounts"] += [{"account_id": text, "plan": text, "org_verified": True} for text in HOSTILE]
    rows["payments"] += [{"account_id": text, "payment_id": value} for text in HOSTILE for value in HOSTILE[:6]]
    rows["identifiers"] += [{"account_id": text, "kind": text, "value": "x"} for text in HOSTILE for _ in range(2)]
    rows["links"] = [{"account_id": HOSTILE[0], "other_account_id": text, "kind": text} for text in HOSTILE[1:]]
    case, _, _ = joined_templates(tmp_path)
    add_rows(case, **rows)
    give_lists(case, tmp_path)
    detect(case)
    publish(case, where)
    whole = snapshot(graph)
    folder, home = tmp_path / "off line's", tmp_path / "home"
    report = offline.write(case, folder, scope="all")
    assert report.command.startswith("neo4j-admin database import full neo4j --overwrite-destination=true")
    assert offline.arguments(folder) == report.arguments
    with pytest.raises(UsageError, match="holds something already"):
        offline.write(case, folder)
    with pytest.raises(NotFoundError, match="no files for an import"):
        offline.arguments(tmp_path)
    monkeypatch.setenv("LINKAGE_NEO4J_HOME", str(home))
    with guarded(home):
        first = server.up(home, heap="600m")
        assert run(["neo4j", "publish", "--case", str(case), "--how", "offline", "--scope", "all"]) == 0
        said = capsys.readouterr()
        assert "Goes by an offline import" in said.err and "imported, and found to be" in said.out
        up = server.running(home)
        assert up is not None and up.pid != first.pid
        assert (up.bolt_url, up.http_url, up.password) == (first.bolt_url, first.http_url, first.password)
        process = look(up.pid)
        assert process is not None and " -Xmx600m " in process.command
        assert not list(home.glob("linkage-import.*"))
        assert run(["neo4j", "publish", "--case", str(case), "--dry-run"]) == 0
        said = capsys.readouterr()
        assert "Would go over Bolt: the graph holds something already" in said.err and "nothing changed" in said.out
        with connect(target_of(up)) as loaded:
            assert snapshot(loaded) == whole
        assert run(["neo4j", "load", str(folder), "--replace"]) == ExitCode.USAGE
        assert "only be loaded while it is down" in capsys.readouterr().err
        server.down(home)
    # A home that was never started, by hand.
    monkeypatch.setenv("LINKAGE_NEO4J_HOME", str(tmp_path / "another"))
    assert run(["neo4j", "load", str(folder)]) == 0
    assert server.stored_password()
    capsys.readouterr()
    assert run(["neo4j", "load", str(folder)]) == ExitCode.USAGE
    assert "also what people added there" in capsys.readouterr().err


def test_a_server_of_others_is_never_imported_into(sample_case: Path) -> None:
    foreign = Target("bolt://elsewhere.example:7687")
    assert route.choose(sample_case, foreign).how == "bolt"
    with pytest.raises(UsageError, match="not the local server"):
        route.choose(sample_case, foreign, how="offline")


def test_what_people_made_is_never_imported_over(
    graph: Graph, where: Target, neo4j_server: Server, sample_case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINKAGE_NEO4J_HOME", str(neo4j_server.home))
    monkeypatch.setattr(route, "ROWS", 100)
    for (name,) in list(graph.rows("SHOW CONSTRAINTS YIELD name RETURN name")):
        graph.schema(f"DROP CONSTRAINT {name}")
    for (name,) in list(graph.rows("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name")):
        graph.schema(f"DROP INDEX {name}")
    chosen = route.choose(sample_case, where)
    assert (chosen.how, chosen.database) == ("offline", "neo4j")
    assert route.choose(sample_case, where, how="bolt").how == "bolt"
    monkeypatch.setattr(route, "ROWS", 10**9)
    assert "too few" in route.choose(sample_case, where).why
    assert route.choose(sample_case, where, how="offline").how == "offline"
    graph.schema("CREATE INDEX mine FOR (n:Mine) ON (n.x)")
    assert "holds something already" in route.choose(sample_case, where).why
    with pytest.raises(UsageError, match="holds something already"):
        route.choose(sample_case, where, how="offline")
    graph.schema("DROP INDEX mine")

    def meanwhile(*words: Any, **options: Any) -> offline.OfflineReport:
        graph.write("CREATE (:Mine)")
        return written(*words, **options)

    written = offline.write
    monkeypatch.setattr(offline, "write", meanwhile)
    with pytest.raises(Neo4jError, match="Somebody wrote"):
        route.load(sample_case, where, chosen, progress=lambda _: None)
    assert server.running(neo4j_server.home) == neo4j_server
    assert graph.one("MATCH (n:Mine) RETURN count(n)") == (1,)
    assert not list(neo4j_server.home.glob("linkage-import.*"))


def test_schema_is_applied_once_and_drift_is_found(graph: Graph, tmp_path: Path) -> None:
    for name in {row[0] for row in graph.rows("SHOW CONSTRAINTS YIELD name RETURN name")}:
        graph.schema(f"DROP CONSTRAINT {name}")
    assert "was not applied" in {finding.problem for finding in schema.validate(graph)}
    assert schema.apply(graph) == ["V001 keys", "V002 lookups"]
    assert schema.apply(graph) == []
    assert schema.validate(graph) == []
    graph.schema("DROP CONSTRAINT linkage_ring")
    graph.write("MATCH (s:LinkageSchema {number: 2}) SET s.checksum = 'other'")
    graph.write("CREATE (:LinkageSchema {number: 9, name: 'later', checksum: 'x'})")
    problems = {(finding.step, finding.problem) for finding in schema.validate(graph)}
    assert problems == {
        ("V001 keys", "linkage_ring is missing"),
        ("V002 lookups", "was applied with other contents"),
        ("V009", "was applied by a newer linkage"),
    }
    assert schema.apply(graph) == ["V001 keys", "V002 lookups"]
    with pytest.raises(Exception, match="does not fit"):
        (tmp_path / "keys.cypher").write_text("RETURN 1;")
        schema.steps(tmp_path)


# Decisions.


def test_decisions_come_back_and_are_remembered(graph: Graph, where: Target, sample: Path) -> None:
    publish(sample, where)
    assert pull(sample, where).added == ()
    one, two, three, four = (ring.ring_id for ring in results.rings(sample)[:4])
    graph.write(
        "MATCH (r:Ring {ring_id: $id}) SET r.review = 'confirm', r.review_by = 'ada', r.review_note = 'one BIN', "
        "r.review_tags = ['cards', 'q1'], r.review_at = datetime('2026-03-01T10:00:00+02:00')",
        id=one,
    )
    graph.write("MATCH (r:Ring {ring_id: $id}) SET r.review = 'Dismissed'", id=two)
    graph.write("MATCH (r:Ring {ring_id: $id}) SET r.review = 'perhaps'", id=three)
    graph.write("MATCH (r:Ring {ring_id: $id}) SET r.review = 'watch', r.review_at = 12", id=four)
    graph.write("CREATE (:Ring {ring_id: 'Rmadeup', review: 'confirm', mirrored: true})")
    report = pull(sample, where)
    assert [(d.ring_id, d.verdict, d.by, d.note, d.tags) for d in report.added] == [
        (one, "confirm", "ada", "one BIN", ("cards", "q1")),
        (two, "dismiss", "neo4j", "", ()),
    ]
    assert report.added[0].at.isoformat() == "2026-03-01T08:00:00"
    assert {(refused.ring_id, refused.reason.split()[0]) for refused in report.refused} == {
        (three, "review"),
        (four, "review_at"),
        ("Rmadeup", "the"),
    }
    again = pull(sample, where)
    assert again.added == ()
    assert again.found == 5
    status = {ring.ring_id: ring.status for ring in results.rings(sample)}
    assert (status[one], status[two], status[three]) == ("confirmed", "dismissed", "open")
    # Later runs remember it, the graph shows it, and what was decided stays beside the ring.
    detect(sample, seed=2)
    assert {ring.ring_id: ring.status for ring in results.rings(sample)}[one] == "confirmed"
    publish(sample, where)
    assert graph.one("MATCH (r:Ring {ring_id: $id}) RETURN r.status, r.review, r.review_by", id=one) == (
        "confirmed",
        "confirm",
        "ada",
    )
    graph.write("MATCH (r:Ring {ring_id: $id}) SET r.review = 'open'", id=one)
    assert [d.verdict for d in pull(sample, where).added] == ["open"]
    found = results.ring(sample, one)
    assert found.ring.status == "open"
    assert [d.verdict for d in found.decisions] == ["confirm", "open"]
    lines = [json.loads(line) for line in decisions.beside(sample).read_text().splitlines()]
    assert [line["verdict"] for line in lines] == ["confirm", "dismiss", "open"]


def test_decisions_beside_the_case_are_mended(graph: Graph, where: Target, sample: Path) -> None:
    publish(sample, where)
    one, two = (ring.ring_id for ring in results.rings(sample)[:2])
    graph.write("MATCH (r:Ring {ring_id: $id}) SET r.review = 'watch'", id=one)
    pull(sample, where)
    path = decisions.beside(sample)
    path.write_bytes(path.read_bytes()[:-20])
    graph.write("MATCH (r:Ring {ring_id: $id}) SET r.review = 'watch'", id=two)
    pull(sample, where)
    assert [json.loads(line)["ring_id"] for line in path.read_text().splitlines()] == [one, two]
    assert path.stat().st_mode & 0o777 == 0o600


# As a person types it.


@pytest.fixture
def linkage(
    neo4j_server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Run a command that finds the test server by the environment."""
    monkeypatch.setenv("LINKAGE_NEO4J_URI", neo4j_server.bolt_url)
    secret = tmp_path / "password"
    secret.write_text(neo4j_server.password + "\n")
    monkeypatch.setenv("LINKAGE_NEO4J_PASSWORD_FILE", str(secret))

    def call(*words: object) -> tuple[int, str, str]:
        code = run([str(word) for word in words])
        out, err = capsys.readouterr()
        assert neo4j_server.password not in out + err
        return code, out, err

    return call


def test_publish_as_typed(graph: Graph, linkage: Callable[..., tuple[int, str, str]], sample: Path) -> None:
    code, out, err = linkage("neo4j", "publish", "--case", sample)
    assert code == 0
    assert "created, 0 updated, 0 removed" in out
    assert "publish: checking" in err
    code, out, _ = linkage("neo4j", "publish", "--case", sample, "-q")
    assert out.strip().endswith("nothing changed")
    code, out, _ = linkage("neo4j", "publish", "--case", sample, "--json")
    document = json.loads(out)
    assert (document["schema"], document["created"], document["scope"]) == ("linkage.publish/1", 0, "all")
    ring = results.rings(sample)[0].ring_id
    graph.write("MATCH (r:Ring {ring_id: $id}) SET r.review = 'confirm', r.review_note = 'sure \x1b[31m'", id=ring)
    code, out, err = linkage("neo4j", "pull", "--case", sample)
    assert (code, out.splitlines()[0]) == (0, f"{ring}: confirm by neo4j: sure \\x1b[31m")
    code, out, _ = linkage("ring", ring, "--case", sample)
    assert "Decided: confirm by neo4j" in out
    assert linkage("neo4j", "schema", "validate")[0] == 0
    graph.schema("DROP INDEX linkage_ring_rank")
    code, out, err = linkage("neo4j", "schema", "validate")
    assert (code, out.strip()) == (6, "V002 lookups: linkage_ring_rank is missing")
    assert linkage("neo4j", "schema", "apply") == (0, "applied V002 lookups\n", "")
    code, _, err = linkage("neo4j", "publish", "--case", sample.with_name("none.duckdb"))
    assert (code, "There is no case file" in err) == (4, True)


def test_ingest_and_detect_publish_by_themselves(
    graph: Graph, linkage: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = tmp_path / "case.duckdb"
    (tmp_path / "payments.csv").write_text("account_id,payment_id\n" + "".join(f"a{n},card\n" for n in range(5)))
    code, out, err = linkage("ingest", tmp_path / "payments.csv", "--case", case, "--dry-run")
    assert graph.one("MATCH (n) RETURN count(n)") == (0,)
    code, out, err = linkage("ingest", tmp_path / "payments.csv", "--case", case, "--no-publish")
    assert (code, graph.one("MATCH (n) RETURN count(n)")) == (0, (0,))
    assert linkage("ingest", tmp_path / "payments.csv", "--case", case)[0] == 0
    assert graph.one("MATCH (:Account)-[s:PAID_WITH]->() RETURN count(s)") == (5,)
    code, out, err = linkage("detect", "--case", case, "--json")
    assert (code, json.loads(out)["run"]) == (0, 1)
    assert graph.one("MATCH (c:LinkageCase) RETURN c.run") == (1,)
    # What fails there is a warning; the command's own exit code stays.
    monkeypatch.setenv("LINKAGE_NEO4J_URI", "bolt://127.0.0.1:9")
    code, out, err = linkage("detect", "--case", case)
    assert code == 0
    assert "Warning: the graph in Neo4j was not brought up to date. Neo4j at bolt://127.0.0.1:9 does not answer." in err
    assert f"linkage neo4j publish --case {case}" in err
    monkeypatch.setenv("LINKAGE_NEO4J_URI", "http://127.0.0.1:7474")
    code, out, err = linkage("detect", "--case", case)
    assert (code, "is no Neo4j address" in err) == (0, True)


def test_where_neo4j_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LINKAGE_NEO4J_HOME", str(tmp_path / "home"))
    assert target() is None
    monkeypatch.setenv("LINKAGE_NEO4J_URI", "neo4j+s://graph.example.com")
    monkeypatch.setenv("LINKAGE_NEO4J_USER", "ada")
    monkeypatch.setenv("LINKAGE_NEO4J_PASSWORD", "secret")
    found = target("cases")
    assert found == Target("neo4j+s://graph.example.com", "ada", "secret", "cases")
    assert "secret" not in repr(found)
    for uri in ("graph.example.com", "http://graph.example.com", "bolt://"):
        monkeypatch.setenv("LINKAGE_NEO4J_URI", uri)
        with pytest.raises(UsageError, match="no Neo4j address"):
            target()
    monkeypatch.setenv("LINKAGE_NEO4J_URI", "bolt://ada:secret@graph.example.com")
    with pytest.raises(UsageError) as refused:
        target()
    assert "secret" not in str(refused.value) + refused.value.hint
    monkeypatch.setenv("LINKAGE_NEO4J_URI", "bolt://graph.example.com")
    monkeypatch.setenv("LINKAGE_NEO4J_PASSWORD_FILE", str(tmp_path / "none"))
    with pytest.raises(NotFoundError):
        target()


def test_a_report_without_a_change() -> None:
    assert not PublishReport("bolt://x", "id", 1, "all").changed


def test_from_python(graph: Graph, where: Target, sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKAGE_NEO4J_URI", where.uri)
    monkeypatch.setenv("LINKAGE_NEO4J_PASSWORD", where.password)
    case = Case(sample)
    assert case.publish(scope="rings").created > 0
    graph.write("MATCH (r:Ring {rank: 1}) SET r.review = 'watch'")
    assert [decision.verdict for decision in case.pull().added] == ["watch"]
    assert case.rings().status[0] == "watch"


def joined_templates(folder: Path) -> tuple[Path, str, list[str]]:
    """A case where later prompts joined two templates: it, the name of today, and the former ones."""
    words = [f"word{chr(97 + at % 15)}{chr(97 + at // 15)}" for at in range(40)]

    def put(name: str, starts: Iterable[int], accounts: str) -> Path:
        path = folder / name
        rows = [
            {"account_id": account, "at": "2026-02-01T10:00:00Z", "prompt": " ".join(words[start : start + 20])}
            for start in starts
            for account in accounts
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    case = folder / "joined.duckdb"
    ingest([put("exchanges-1.jsonl", [0, 20], "ab")], case)
    ingest([put("exchanges-2.jsonl", range(4, 20, 4), "cd")], case)
    with store.reading(case) as con:
        rows = con.execute(
            """SELECT format('template:{:016x}', alias), format('template:{:016x}', template) FROM template_aliases
            WHERE part = 'body' ORDER BY alias"""
        ).fetchall()
    return case, str(rows[0][1]), [str(alias) for alias, _ in rows]


def test_former_names_of_templates_travel(graph: Graph, where: Target, tmp_path: Path) -> None:
    case, name, aliases = joined_templates(tmp_path)
    with store.writing(case) as con:
        con.execute(
            """INSERT INTO exchanges (command, account_id, "at", prompt_fingerprint)
            SELECT 1, account_id, TIMESTAMP '2026-02-02', 'fp-1' FROM (VALUES ('a'), ('b')) t(account_id)"""
        )
    publish(case, where)
    found = list(
        graph.rows(
            """MATCH (i:PromptFingerprint) WHERE i.level <> 'exact'
            RETURN i.key, i.level, i.aliases ORDER BY i.key"""
        )
    )
    assert found == [("fp-1", "given", None), (name, "template", aliases)]
    # Unchanged, they do not travel again; damaged, they are mended.
    assert not publish(case, where).changed
    for damage in ("'text'", "['x']", "[]", "[1, 2]", "NULL"):
        graph.write(f"MATCH (i:PromptFingerprint {{level: 'template'}}) SET i.aliases = {damage}")
        assert publish(case, where).changed
        assert graph.one("MATCH (i:PromptFingerprint {level: 'template'}) RETURN i.aliases") == (aliases,)
    asked = question("template")
    former = aliases[0]
    for typed in (name, *aliases, former.partition(":")[2], former.replace("template", "exact")):
        rows = ask(graph, asked, bind(asked, {"value": typed}, graph=graph)).rows
        # A former name is also that of a prompt, which answers beside its template.
        assert {(row["template"], row["account"], row["level"]) for row in rows if row["level"] != "exact"} == {
            (name, account, "template") for account in "abcd"
        }
    assert [row["account"] for row in ask(graph, asked, bind(asked, {"value": "fp-1"}, graph=graph)).rows] == ["a", "b"]
    assert not ask(graph, asked, bind(asked, {"value": "template:ffffffffffffffff"}, graph=graph)).rows
