"""Accounts that were erased from a case, and the graphs that were made of it.

The local server's store is made anew: a node that is deleted stays on its disk, in free records and in transaction
logs. So decisions are pulled first, then the store is overwritten and removed, and the case is published again. What
people wrote into the graph beside decisions is lost. A server that somebody else looks after gets the difference alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from linkage import server, store
from linkage.graph.driver import Target, connect, target
from linkage.graph.layers import CASE
from linkage.graph.publish import Progress, publish
from linkage.graph.pull import pull
from linkage.server import wipe


@dataclass(frozen=True)
class Held:
    """The graph of the local server, which is that of the case.

    Attributes:
        scope: in which it was published.
        started: the server was started to look, and is to be stopped again.
        home: the server's folder.
    """

    scope: str
    started: bool
    home: Path


def local(case: Path, *, progress: Callable[[server.Progress], None]) -> Held | None:
    """Look whether the local server holds the graph of the case, and pull what was decided there.

    Raises:
        Neo4jError: the server does not start, or refuses.
        LinkageError: as `pull.pull`.
    """
    there = server.status()
    if not there.has_data:
        return None
    found = there.server or server.up(there.home, progress=progress)
    started = there.server is None
    held = None
    try:
        where = _at(found)
        with store.reading(case) as con:
            case_id = store.meta(con, "case_id")
        with connect(where) as graph:
            rows = list(graph.rows(f"MATCH (c:{CASE} {{id: $id}}) RETURN c.scope", id=case_id))
        if rows:
            pull(case, where)
            held = Held(str(rows[0][0] or "auto"), started, there.home)
    finally:
        if started and held is None:
            server.down(there.home)
    return held


def remake(case: Path, held: Held, *, progress: Callable[[server.Progress], None], step: Progress | None = None) -> int:
    """Make the local server's store anew, from the case as it is now.

    Returns:
        how many bytes of the old one were erased.

    Raises:
        Neo4jError: the server does not start again.
        LinkageError: as `publish`.
    """
    with server.paused(held.home, progress=progress):
        erased = wipe.wipe(held.home, progress=progress)
    found = server.running(held.home)
    assert found is not None
    try:
        publish(case, _at(found), scope=held.scope, progress=step)  # type: ignore[arg-type]
    finally:
        if held.started:
            server.down(held.home)
    return erased


def elsewhere(database: str | None = None) -> Target | None:
    """The server that the environment names, if it is not the local one.

    Raises: as `driver.target`.
    """
    where = target(database)
    return where if where is not None and where.web is None else None


def _at(found: server.Server) -> Target:
    return Target(found.bolt_url, found.user, found.password, None, source="the local server", web=found.web)
