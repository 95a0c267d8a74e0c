"""A real Neo4j for tests. Modules that use it are marked `pytest.mark.xdist_group("neo4j")`: one server for all."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from linkage import server
from linkage.errors import Neo4jError
from linkage.server import places

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


@pytest.fixture(scope="session")
def neo4j_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Server]:
    """A running server for the whole session. Tests that write into it clean up behind them."""
    home = tmp_path_factory.mktemp("neo4j") / "home"
    with pytest.MonkeyPatch.context() as patch, guarded(home):
        patch.setenv(places.CACHE, str(CACHE))
        need_jars()
        yield server.up(home)
