"""A real Neo4j for tests. Modules that use it are marked `pytest.mark.xdist_group("neo4j")`: one server for all."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from linkage import server
from linkage.errors import Neo4jError
from linkage.server import Server, jars, java, places, process

# Read now: each test has its LINKAGE_ settings taken away. The jars are fetched once for all tests of this machine.
CACHE: Final = places.cache()

_GUARD: Final = """
import sys, pathlib
sys.stdin.read()
from linkage import server
server.down(pathlib.Path(sys.argv[1]))
"""


@contextmanager
def guarded(home: Path) -> Iterator[None]:
    """End the server of `home` after the block, even if this process is killed within it.

    Another process waits for the end of a pipe that only this one holds open.
    """
    guard = subprocess.Popen([sys.executable, "-c", _GUARD, home], stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        guard.communicate()
        assert guard.returncode == 0


def need_jars() -> None:
    """Fetch the jars of the server; skip where that does not work, unless this is CI.

    `LINKAGE_NEO4J_CACHE` must be set to `CACHE`.
    """
    try:
        server.jars.fetch()
    except Neo4jError as exc:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no Neo4j to test with: {exc.message}")


@pytest.fixture
def neo4j_cache(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shared cache, filled, and set for this test and the processes it starts."""
    monkeypatch.setenv(places.CACHE, str(CACHE))
    need_jars()
    return CACHE


OWN: Final = """# A hung server is noticed after 4 seconds.
server.bolt.connection_keep_alive=1s
server.bolt.connection_keep_alive_streaming_scheduling_interval=1s
server.bolt.connection_keep_alive_probes=4
"""
"""Settings of a server that faults are done to."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose server is started when it is needed, and stopped at the end whatever was done to it."""
    folder = tmp_path_factory.mktemp("faults") / "home"
    flags = java.Java.flags
    bare = tuple(jar for jar in jars.pinned() if jar.group != "org.neo4j.gds" and not jar.artifact.startswith("apoc"))
    with pytest.MonkeyPatch.context() as patch, guarded(folder):
        patch.setenv(places.CACHE, str(CACHE))
        need_jars()
        # It starts in less than half the time so, and it starts often.
        patch.setattr(jars, "pinned", lambda: bare)
        patch.setattr(java.Java, "flags", lambda own: [*flags(own), "-XX:TieredStopAtLevel=1"])
        yield folder


def begin(home: Path, settings: str = OWN) -> Server:
    """The server of `home` with these settings, after whatever the test before did to it."""
    conf = places.Layout(home).own
    if not conf.exists() or conf.read_text() != settings:
        server.down(home)
        home.mkdir(exist_ok=True)
        conf.write_text(settings)
    return server.up(home)


def kill(own: Server) -> None:
    found = process.look(own.pid)
    assert found
    os.kill(own.pid, signal.SIGKILL)
    while process.same(found):
        time.sleep(0.01)


@pytest.fixture(scope="session")
def neo4j_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a server that runs for the whole session."""
    home = tmp_path_factory.mktemp("neo4j") / "home"
    with pytest.MonkeyPatch.context() as patch, guarded(home):
        patch.setenv(places.CACHE, str(CACHE))
        need_jars()
        server.up(home)
        yield home


@pytest.fixture
def neo4j_server(neo4j_home: Path) -> Server:
    """The session's server as it runs now: an erasure starts it anew. Tests that write into it clean up behind them."""
    found = server.running(neo4j_home)
    assert found, "A test before left it down."
    return found
