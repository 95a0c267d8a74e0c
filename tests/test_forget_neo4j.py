"""Erasure reaches the local Neo4j's store, which holds nothing private, and is for its owner and this machine alone."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import neo4j
import pytest

from linkage import decisions, server
from linkage.detect import detect
from linkage.graph import connect, publish
from linkage.graph.driver import plain
from linkage.ingest import ingest
from linkage.server import Server
from tests import leaks
from tests.cases import Output
from tests.graphs import emptied, forgive, target_of
from tests.leaks import on_disk, plant, search

pytestmark = pytest.mark.xdist_group("neo4j")


@pytest.fixture
def published(neo4j_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A case with planted values in its exports, mirrored into the local server."""
    monkeypatch.setenv("LINKAGE_PEPPER", leaks.PEPPER)
    monkeypatch.setenv("LINKAGE_NEO4J_HOME", str(neo4j_server.home))
    monkeypatch.setenv("LINKAGE_NEO4J_CACHE", str(server.status().cache))
    case = tmp_path / "work" / "c.duckdb"
    case.parent.mkdir()
    ingest(plant(tmp_path / "exports"), case)
    detect(case, nulls=0)
    with emptied(neo4j_server):
        publish(case, target_of(neo4j_server))
        yield case
        found = server.running(neo4j_server.home)
        assert found is not None
        # The next test finds the server as the fixture gave it.
        assert (found.bolt_url, found.http_url, found.password) == (
            neo4j_server.bolt_url, neo4j_server.http_url, neo4j_server.password,
        )  # fmt: skip


def kept(home: Path) -> list[Path]:
    return [home / name for name in ("data", "logs", "conf", "run")]


def test_the_store_holds_nothing_private_and_forgets(
    published: Path, neo4j_server: Server, linkage: Callable[..., Output]
) -> None:
    home = neo4j_server.home
    with connect(target_of(neo4j_server)) as graph:
        ((ring,),) = graph.rows("MATCH (r:Ring)<-[:MEMBER_OF]-(:Account {account_id: 'c1'}) RETURN r.ring_id")
        graph.write("MATCH (r:Ring {ring_id: $ring}) SET r.review = 'watch', r.review_note = 'by hand'", ring=ring)
    searched, found = search(on_disk(*kept(home), published.parent))
    assert found == set()
    assert any(b"accounts share" in data for _, data in on_disk(home / "data"))
    leaks.reported(searched)
    code, out, err = linkage("forget", "c1", "--yes", "--case", published)
    assert (code, "The local Neo4j was made anew" in err) == (0, True), out + err
    # What was decided there came back first, and the rest of the graph is there again.
    assert [one.note for one in decisions.history(published)] == ["by hand"]
    with connect(target_of(neo4j_server)) as graph:
        rows = graph.rows("MATCH (a:Account) WHERE a.account_id STARTS WITH 'c' RETURN a.account_id ORDER BY 1")
        assert [plain(row[0]) for row in rows] == ["c0", "c2", "c3", "c4", "c5"]
    code, _, err = linkage("forget", "c1", "--yes", "--case", published)
    assert (code, "Erased before: c1" in err, "made anew" in err) == (0, True, False)


def test_it_is_for_its_owner_and_this_machine_alone(neo4j_server: Server) -> None:
    home = neo4j_server.home
    paths = [home, *(path for folder in kept(home) for path in (folder, *folder.rglob("*")))]
    assert [path for path in paths if for_others(path)] == []
    listening = set(sockets(server.running(home).pid))  # type: ignore[union-attr]
    assert {address.rpartition(":")[0] for address in listening} <= {LOOPBACK_4, LOOPBACK_6, MAPPED}
    assert len(listening) == 2
    for auth in (None, ("neo4j", "neo4j"), ("neo4j", ""), ("neo4j", "password")):
        with pytest.raises(neo4j.exceptions.ClientError), neo4j.GraphDatabase.driver(
            neo4j_server.bolt_url, auth=auth
        ) as driver:  # fmt: skip
            driver.verify_connectivity()
        forgive(neo4j_server)
    with connect(target_of(neo4j_server)) as graph:
        said = {
            str(name): str(value) for name, value in graph.rows("SHOW SETTINGS YIELD name, value RETURN name, value")
        }
    assert said["dbms.security.auth_enabled"] == "true"
    assert said["dbms.usage_report.enabled"] == said["client.allow_telemetry"] == "false"


def for_others(path: Path) -> bool:
    """Whether others than its owner may use it. The server removes files while it runs."""
    try:
        return bool(path.stat().st_mode & 0o077)
    except FileNotFoundError:
        return False


LOOPBACK_4, LOOPBACK_6, MAPPED = "0100007F", "0" * 24 + "01000000", "0000000000000000FFFF00000100007F"


def sockets(pid: int) -> Iterator[str]:
    """The addresses that a process listens on, as Linux writes them."""
    own = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        # What is not listened on may be closed meanwhile.
        with suppress(FileNotFoundError):
            own.add(str(path.readlink()))
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in own:
                yield words[1]
