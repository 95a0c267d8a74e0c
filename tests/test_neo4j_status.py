"""`linkage neo4j status`: where Neo4j is, whose graph it holds, and whether that is behind the case."""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from linkage import store
from linkage.commands import run
from linkage.detect import detect
from linkage.errors import ExitCode
from linkage.graph import Target, publish
from linkage.graph.held import look
from linkage.server import VERSION, Server
from tests.cases import add_rows, make_case
from tests.graphs import emptied, forgive, target_of
from tests.relay import listening

pytestmark = pytest.mark.xdist_group("neo4j")

Status = Callable[..., tuple[list[str], str]]


@pytest.fixture
def status(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Status:
    """Type the command, which always exits 0; returns its lines and what it says beside them."""
    monkeypatch.setenv("LINKAGE_NEO4J_HOME", str(tmp_path / "nothing here"))

    def call(*words: object) -> tuple[list[str], str]:
        assert run(["neo4j", "status", *map(str, words)]) == 0
        out, err = capsys.readouterr()
        return out.splitlines(), err

    return call


@pytest.fixture
def known(neo4j_server: Server, status: Status, monkeypatch: pytest.MonkeyPatch) -> Status:
    """With a server in the environment, and no local one."""
    monkeypatch.setenv("LINKAGE_NEO4J_URI", neo4j_server.bolt_url)
    monkeypatch.setenv("LINKAGE_NEO4J_PASSWORD", neo4j_server.password)
    return status


def case_at(path: Path, card: str = "card") -> Path:
    return make_case(path, payments=[{"account_id": f"a{at}", "payment_id": card} for at in range(5)])


def test_doctor_looks_at_the_server_and_its_browser(
    neo4j_server: Server, known: Status, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    mine, other = case_at(tmp_path / "mine.duckdb"), case_at(tmp_path / "other.duckdb", "another")

    def neo4j(case: Path) -> tuple[str, str, str]:
        assert run(["doctor", "--json", "--case", str(case)]) == 0
        found = {one["name"]: one for one in json.loads(capsys.readouterr().out)["checks"]}
        return found["neo4j"]["state"], found["neo4j"]["advice"], found["browser"]["state"]

    monkeypatch.setenv("LINKAGE_NEO4J_BROWSER", neo4j_server.http_url)
    with emptied(neo4j_server):
        assert neo4j(mine) == ("ok", "Mirror one: linkage neo4j publish", "ok")
        publish(mine, target_of(neo4j_server))
        assert neo4j(mine) == ("ok", "", "ok")
        assert neo4j(other) == ("warn", "See: linkage neo4j status", "ok")
        with store.writing(mine) as con:
            con.execute("INSERT INTO commands VALUES (7, now(), now(), [])")
        assert neo4j(mine)[:2] == ("warn", "Bring it up to date: linkage neo4j publish")
    monkeypatch.setenv("LINKAGE_NEO4J_PASSWORD", "wrong")
    assert run(["doctor", "--case", str(mine)]) == ExitCode.CHECK_FAILED
    assert "user and password" in " ".join(capsys.readouterr().out.split())
    forgive(neo4j_server)


def test_whose_graph_it_is(neo4j_server: Server, known: Status, tmp_path: Path) -> None:
    mine, other = case_at(tmp_path / "mine.duckdb"), case_at(tmp_path / "other.duckdb", "another")
    missing = tmp_path / "none.duckdb"
    at = f"graph      at {neo4j_server.bolt_url} (LINKAGE_NEO4J_URI), Neo4j {VERSION}"
    with emptied(neo4j_server) as graph:
        lines, _ = known("--case", missing)
        assert lines[0] == "not running"
        assert lines[-2:] == [at, "holds      no case"]
        assert known("--case", mine)[0][-1] == f"case       {mine} was not published"

        publish(mine, target_of(neo4j_server))
        (case_id,) = graph.one("MATCH (c:LinkageCase) RETURN c.id")
        lines, said = known("--case", mine)
        assert lines[-4] == at
        assert lines[-3] == f"holds      case {case_id}, run 0, scope all: 6 nodes and 5 relationships"
        assert lines[-2].startswith("published  20")
        assert lines[-2].endswith(" UTC")
        assert (lines[-1], said) == (f"case       {mine} is that case, and the graph is up to date", "")
        assert known("--case", missing)[0] == lines[:-1]
        assert known("--case", other)[0][-1].startswith(f"case       {other} is another one: ")

        add_rows(mine, payments=[{"account_id": "late", "payment_id": "card"}])
        detect(mine)
        lines, said = known("--case", mine)
        assert lines[-1] == f"case       {mine} is that case, and the graph is behind it"
        assert said == "Bring it up to date: linkage neo4j publish\n"
        publish(mine, target_of(neo4j_server))
        assert known("--case", mine)[0][-1].endswith("up to date")

        # As a publish leaves it that was cut off, a later one and the first.
        graph.write("MATCH (c:LinkageCase) SET c.complete = false")
        lines, _ = known("--case", mine)
        assert lines[-2].endswith(" UTC; a publish since then is under way or broke off")
        assert lines[-1].endswith("is behind it")
        graph.write("MATCH (c:LinkageCase) SET c = {id: c.id, complete: false}")
        assert known()[0][-1] == f"holds      case {case_id}, never completely published"


def test_as_json(neo4j_server: Server, known: Status, tmp_path: Path) -> None:
    case = case_at(tmp_path / "case.duckdb")
    with emptied(neo4j_server):
        publish(case, target_of(neo4j_server))
        document: dict[str, Any] = json.loads("\n".join(known("--case", case, "--json")[0]))
    assert (document["schema"], document["state"]) == ("linkage.neo4j-server/1", "stopped")
    graph = document["graph"]
    assert graph["published_at"].endswith("Z")
    assert graph["case"] == {
        "path": str(case), "case_id": graph["case_id"], "same": True, "behind": False, "problem": ""
    }  # fmt: skip
    assert {key: graph[key] for key in ("uri", "source", "reachable", "problem", "version", "complete")} == {
        "uri": neo4j_server.bolt_url, "source": "LINKAGE_NEO4J_URI", "reachable": True, "problem": "",
        "version": VERSION, "complete": True,
    }  # fmt: skip
    assert [graph[key] for key in ("run", "scope", "nodes", "relationships")] == [0, "all", 6, 5]
    assert neo4j_server.password not in str(document)


def test_a_case_that_cannot_be_read(neo4j_server: Server, known: Status, tmp_path: Path) -> None:
    broken = tmp_path / "broken.duckdb"
    broken.write_text("no case")
    assert known("--case", broken)[0][-1].startswith(f"case       {broken} cannot be compared: ")


def test_a_server_that_does_not_answer(status: Status, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "graph" not in "".join(status()[0])
    assert json.loads("\n".join(status("--json")[0]))["graph"] is None
    monkeypatch.setenv("LINKAGE_NEO4J_URI", "bolt://127.0.0.1:9")
    lines, _ = status()
    assert lines[-1] == "graph      unknown: Neo4j at bolt://127.0.0.1:9 does not answer."
    graph = json.loads("\n".join(status("--json")[0]))["graph"]
    assert (graph["reachable"], graph["problem"]) == (False, "Neo4j at bolt://127.0.0.1:9 does not answer.")


def test_it_does_not_wait_long() -> None:
    def silent(client: socket.socket) -> None:
        while client.recv(1000):
            pass

    with listening(silent) as port:
        begun = time.monotonic()
        held = look(Target(f"bolt://127.0.0.1:{port}"))
        assert (held.reachable, held.version) == (False, None)
        # Four seconds where the machine is idle, and twenty with the patience that a publish has.
        assert time.monotonic() - begun < 15
