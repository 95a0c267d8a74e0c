"""What can go wrong with a Neo4j, done to a real one: it dies, hangs, refuses, fills its disk, loses an answer.

Each time the command ends within a bounded time with exit code 5 and one sentence, the case file stays as it is, and
the next publish makes the graph what the case says.
"""

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import neo4j
import pytest

from linkage import audit, decisions, results, server
from linkage.commands import run
from linkage.detect import detect
from linkage.errors import ExitCode
from linkage.graph import connect, driver, publish
from linkage.graph import publish as publishing
from linkage.server import Server
from tests.cases import make_case, tables_of
from tests.graphs import Content, clear, content, now, target_of
from tests.neo4j_server import OWN, begin, home, kill
from tests.relay import listening, relay

__all__ = ["home"]

pytestmark = pytest.mark.xdist_group("neo4j")

RINGS = 4


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case with some rings, for reading only."""
    members = [[f"{ring}{at}" for at in range(8)] for ring in "abcd"[:RINGS]]
    pairs = [(name, group[0][0]) for group in members for name in group]
    path = make_case(
        tmp_path_factory.mktemp("case") / "case.duckdb",
        accounts=[
            {"account_id": name, "status": "active"}
            for name in [name for name, _ in pairs] + [f"other{at}" for at in range(200)]
        ],
        payments=[{"account_id": name, "payment_id": f"card-{ring}"} for name, ring in pairs],
        logins=[
            {"account_id": name, "ip": "198.51.100.7", "device_id": f"device-{ring}", "at": "2026-01-03 10:00:00"}
            for name, ring in pairs
        ],
        identifiers=[{"account_id": name, "kind": "tax_id", "value": f"tax-{ring}"} for name, ring in pairs],
    )
    detect(path)
    return path


@pytest.fixture
def own(home: Path, neo4j_cache: Path) -> Server:
    return begin(home)


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many transactions, little patience."""
    monkeypatch.setattr(sys.modules[publishing.__module__], "BATCH", 30)
    monkeypatch.setattr(driver, "RETRY_SECONDS", 2.0)
    monkeypatch.setattr(driver, "CONNECT_SECONDS", 3.0)


@pytest.fixture(scope="module")
def known() -> list[Content]:
    """Filled by `whole` once for all tests."""
    return []


@pytest.fixture
def whole(own: Server, case: Path, known: list[Content]) -> Iterator[Content]:
    """What an undisturbed publish makes. Before the test, the graph is emptied."""
    with connect(target_of(own)) as graph:
        if not known:
            clear(graph)
            publish(case, target_of(own))
            known.append(content(graph))
        clear(graph)
    assert len(known[0][1]) > 100
    yield known[0]


@dataclass
class Typed:
    """Types commands as a person would, with the server in the environment, and sees that they fail as they should."""

    case: Path
    secret: str
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *words: object, url: str) -> tuple[int, str, str]:
        self.monkeypatch.setenv("LINKAGE_NEO4J_URI", url)
        self.monkeypatch.setenv("LINKAGE_NEO4J_PASSWORD", self.secret)
        before, beside = self._state()
        code = run([*map(str, words), "--case", str(self.case)])
        out, err = self.capsys.readouterr()
        assert self.secret not in out + err
        assert "Traceback" not in err
        assert self._state() == (before, beside)
        return code, out, err

    def _state(self) -> tuple[dict[str, list[tuple[Any, ...]]], list[Path]]:
        """What the case holds and what lies beside it, but for the audit: that says that somebody tried."""
        held = {table: rows for table, rows in tables_of(self.case).items() if table not in ("audit", "meta")}
        return held, sorted(path for path in self.case.parent.iterdir() if path != audit.beside(self.case))

    def works(self, *words: object, url: str) -> str:
        """Run what must exit 0; returns its result."""
        code, out, err = self(*words or ("neo4j", "publish"), url=url)
        assert (code, "Error" in err) == (0, False), err
        return out

    def fails(self, *words: object, url: str) -> str:
        """Run what must exit 5 soon: without `_small_steps` a minute goes by; returns its error."""
        begun = time.monotonic()
        code, out, err = self(*words or ("neo4j", "publish"), url=url)
        assert time.monotonic() - begun < 45
        assert (code, out) == (ExitCode.NEO4J, "")
        (error,) = [line for line in err.splitlines() if line.startswith("Error: ")]
        (hint,) = [line for line in err.splitlines() if line.startswith("Hint: ")]
        assert error.endswith(".")
        assert [line for line in err.splitlines() if not line.startswith("publish: ")] == [error, hint]
        return error.removeprefix("Error: ")

    def disturbed(self, at: str, fault: Callable[[], None]) -> None:
        """Let `fault` happen during the next publish, once after the first batch of the step `at`."""
        left = [fault]

        def tell(step: str, _done: int, _total: int) -> None:
            if step == at and left:
                left.pop()()

        self.monkeypatch.setattr("linkage.commands.neo4j.publish.progress", lambda _label: nullcontext(tell))


@pytest.fixture
def typed(case: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    return Typed(case, "not-the-password", monkeypatch, capsys)


@pytest.fixture
def admitted(typed: Typed, own: Server) -> Typed:
    """With the password of the server."""
    typed.secret = own.password
    return typed


# It dies.


def test_a_server_that_dies_and_comes_back_read_only(own: Server, whole: Content, admitted: Typed, home: Path) -> None:
    admitted.disturbed("creating :PAID_WITH", lambda: kill(own))
    assert "does not answer" in admitted.fails(url=own.bolt_url)
    # A read-only database cannot recover from a crash, which writes: so it has to have done that before.
    there = now(begin(home))
    assert 0 < len(there[1]) < len(whole[1])
    server.down(home)
    shut = begin(home, OWN + "server.databases.default_to_read_only=true\nserver.memory.pagecache.size=64m\n")
    assert "is read-only" in admitted.fails(url=shut.bolt_url)
    with connect(target_of(shut)) as graph:
        # One that we set too, so it must have been replaced.
        shown = "SHOW SETTINGS YIELD name, value WHERE name = 'server.memory.pagecache.size' RETURN value"
        assert graph.one(shown) == ("64.00MiB",)
        assert content(graph) == there
    server.down(home)
    again = begin(home)
    admitted.works(url=again.bolt_url)
    assert now(again) == whole


def test_a_server_that_comes_back_in_time(own: Server, whole: Content, case: Path, home: Path) -> None:
    back: list[Server] = []
    numbers = [int(url.rpartition(":")[2]) for url in (own.bolt_url, own.http_url)]
    starter = threading.Thread(target=lambda: back.append(server.up(home, bolt_port=numbers[0], http_port=numbers[1])))

    def fault(step: str, _done: int, _total: int) -> None:
        if step == "creating :USED_DEVICE" and not starter.ident:
            kill(own)
            starter.start()

    try:
        report = publish(case, target_of(own), progress=fault, retry_seconds=120)
    finally:
        starter.join()
    assert back[0].pid != own.pid
    assert report.created == report.nodes + report.relationships
    assert now(back[0]) == whole
    assert not publish(case, target_of(own)).changed


def test_commits_whose_answer_is_lost(own: Server, whole: Content, case: Path) -> None:
    """The server has committed, and we cannot know: what is written again must not be there twice."""
    lost: list[str] = []
    armed, waiting = threading.Event(), threading.Event()

    def sent(data: bytes) -> bytes:
        # A Bolt message of two bytes: a structure without fields, with the number of COMMIT.
        if armed.is_set() and b"\x00\x02\xb0\x12\x00\x00" in data:
            armed.clear()
            waiting.set()
        return data

    def answered(data: bytes) -> bytes:
        if waiting.is_set():
            waiting.clear()
            return b""
        return data

    def tell(step: str, _done: int, _total: int) -> None:
        if step.startswith("creating") and step not in lost:
            lost.append(step)
            armed.set()
        elif step == "checking":
            # Reads are not tried again.
            armed.clear()

    where = target_of(own)
    with relay(own.bolt_url, sent=sent, answered=answered) as url:
        publish(case, driver.Target(url, where.user, where.password), progress=tell)
    assert len(lost) > 8
    assert now(own) == whole


# It hangs.


def test_a_server_that_hangs(own: Server, whole: Content, admitted: Typed) -> None:
    admitted.disturbed("creating :Account", lambda: os.kill(own.pid, signal.SIGSTOP))
    try:
        assert "does not answer" in admitted.fails(url=own.bolt_url)
        assert "graph      unknown: " in admitted.works("neo4j", "status", url=own.bolt_url)
    finally:
        os.kill(own.pid, signal.SIGCONT)
    admitted.works(url=own.bolt_url)
    assert now(own) == whole


def test_a_long_query_is_no_hanging_server(own: Server, whole: Content) -> None:
    """One that says nothing for longer than a hung server is waited for, since it waits for another one."""
    address, login = own.bolt_url, (own.user, own.password)
    with (
        connect(target_of(own)) as graph,
        neo4j.GraphDatabase.driver(address, auth=login) as other,
        other.session() as session,
        ThreadPoolExecutor(1) as pool,
    ):
        graph.write("CREATE (:Waiting)")
        with session.begin_transaction() as holding:
            holding.run("MATCH (n:Waiting) SET n.first = true").consume()
            # Not by `write`, which would try again.
            waiting = pool.submit(graph.schema, "MATCH (n:Waiting) SET n.second = true")
            time.sleep(6)
            assert not waiting.done()
            holding.commit()
        waiting.result()
        assert graph.one("MATCH (n:Waiting) RETURN n.second") == (True,)


# It is not there, or something else is.


def http(client: socket.socket) -> None:
    client.recv(1000)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")


def silent(client: socket.socket) -> None:
    while client.recv(1000):
        pass


def old(client: socket.socket) -> None:
    """As a Bolt server that knows none of the versions it was offered."""
    client.recv(1000)
    client.sendall(bytes(4))


def garbled(client: socket.socket) -> None:
    client.recv(1000)
    client.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


@pytest.mark.parametrize(
    ("answer", "says"),
    [(http, "speaks HTTP"), (silent, "does not answer"), (old, "too old"), (garbled, "is no Neo4j")],
)
@pytest.mark.parametrize("scheme", ["bolt", "neo4j"])
def test_something_else_listens(
    typed: Typed, answer: Callable[[socket.socket], None], says: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where an answer comes, it may take a busy machine more than half a second to give it.
    monkeypatch.setattr(driver, "CONNECT_SECONDS", 0.5 if answer is silent else 20.0)
    with listening(answer) as port:
        assert says in typed.fails(url=f"{scheme}://127.0.0.1:{port}")
        assert says in typed.fails("neo4j", "pull", url=f"{scheme}://127.0.0.1:{port}")


@pytest.mark.parametrize("scheme", ["bolt", "neo4j", "bolt+s"])
def test_nothing_is_there(typed: Typed, scheme: str) -> None:
    assert "does not answer" in typed.fails(url=f"{scheme}://127.0.0.1:9")
    assert "The host of" in typed.fails(url=f"{scheme}://no-such-host.invalid:7687")
    assert "does not answer" in typed.works("neo4j", "status", url=f"{scheme}://127.0.0.1:9")


def test_the_driver_says_nothing_by_itself(case: Path) -> None:
    """It logs what goes wrong, and Python prints that where nobody has set up logging: pytest has."""
    environment = {**os.environ, "LINKAGE_NEO4J_URI": "neo4j://127.0.0.1:9"}
    words = [sys.executable, "-W", "error", "-m", "linkage", "neo4j", "publish", "--case", str(case)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert (done.returncode, [line.split()[0] for line in done.stderr.splitlines()]) == (5, ["Error:", "Hint:"])


# It refuses.


def test_a_wrong_password(typed: Typed, own: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "refused the user or the password" in typed.fails(url=own.bolt_url)
    # After the third time the server would shut the right user out for some seconds.
    monkeypatch.setenv("LINKAGE_NEO4J_USER", "nobody")
    assert "refused the user or the password" in typed.fails("neo4j", "pull", url=own.bolt_url)
    assert "refused the user or the password" in typed.works("neo4j", "status", url=own.bolt_url)


def test_too_old_a_server(admitted: Typed, own: Server) -> None:
    older = server.VERSION.replace("5.26", "5.20").encode()
    with relay(own.bolt_url, answered=lambda data: data.replace(server.VERSION.encode(), older)) as url:
        assert admitted.fails(url=url) == "Neo4j 5.20.12 is too old."


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits another process")
def test_a_full_disk_at_the_server(own: Server, whole: Content, admitted: Typed, home: Path) -> None:
    logs = (home / "data" / "transactions" / "neo4j").glob("neostore.transaction.db.*")
    room = max(log.stat().st_size for log in logs) + 20_000
    before = resource.prlimit(own.pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        said = admitted.fails(url=own.bolt_url)
        assert "on its side" in said or "not available" in said
    finally:
        resource.prlimit(own.pid, resource.RLIMIT_FSIZE, before)
    server.down(home)
    again = begin(home)
    admitted.works(url=again.bolt_url)
    assert now(again) == whole


# It is cut off while we read.


def test_a_pull_that_is_cut_believes_nothing(own: Server, whole: Content, admitted: Typed) -> None:
    admitted.works(url=own.bolt_url)
    rings = sorted(ring.ring_id for ring in results.rings(admitted.case))
    assert len(rings) == RINGS
    with connect(target_of(own)) as graph:
        graph.write("MATCH (r:Ring) SET r.review = 'confirm', r.review_note = $note", note="x" * 500)
    cut: list[bytes] = []

    def answered(data: bytes) -> bytes:
        if cut:
            return b""
        if rings[-1].encode() in data:
            cut.append(data[: data.index(rings[-1].encode())])
            return cut[0]
        return data

    with relay(own.bolt_url, answered=answered) as url:
        assert "does not answer" in admitted.fails("neo4j", "pull", url=url)
    assert rings[0].encode() in cut[0]
    assert not decisions.beside(admitted.case).exists()
    with connect(target_of(own)) as graph:
        graph.write("MATCH (r:Ring) REMOVE r.review, r.review_note")
    assert admitted.works("neo4j", "pull", url=own.bolt_url).startswith("0 decisions")
