"""Which way a case goes into a graph: over Bolt, or by an import while the local server is down.

An import makes the database anew, and takes a stop and a start of the server. So it is for first loads of some size
into the local server alone: only a database that holds nothing at all is ever replaced here, and a server that somebody
else looks after is always written over Bolt.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from linkage import server, store
from linkage.errors import Neo4jError, UsageError, translate
from linkage.files import private_folder
from linkage.graph import offline
from linkage.graph.driver import Target, connect
from linkage.graph.wanted import Scope, build

How = Literal["auto", "bolt", "offline"]

ROWS: Final = 400_000
"""Nodes and relationships from which on `auto` imports: where every measurement found the import quicker
(docs/neo4j.md)."""


@dataclass(frozen=True)
class Route:
    """The way that was chosen.

    Attributes:
        how: `bolt` or `offline`.
        why: in a sentence without its end; nothing where there was no choice, with a server of others.
        database: the database that is imported into.
    """

    how: Literal["bolt", "offline"]
    why: str
    database: str = ""


def choose(case: Path, where: Target, *, scope: Scope = "auto", how: How = "auto") -> Route:
    """Choose how the case at `case` goes into the graph at `where`; nothing is written.

    Args:
        case: the case file; read only if the graph could be imported into.
        where: the server.
        scope: see `wanted.build`.
        how: the way, or `auto` for the quicker one.

    Raises:
        UsageError: `how` is `offline`, and the server is not the local one or its database holds something.
        Neo4jError: the server cannot be reached.
        LinkageError: as `store.reading`.
    """
    if how == "bolt":
        return Route("bolt", "as asked for")
    if not _is_local(where):
        if how == "offline":
            raise UsageError(
                f"{where.uri} is not the local server, which alone is stopped and imported into.",
                "Write files for the one who looks after it: linkage neo4j publish --offline DIR",
            )
        return Route("bolt", "")
    database = _pristine(where)
    if not database:
        if how == "offline":
            raise UsageError(
                "The database of the local server holds something already, which an import would replace.",
                "Mirror the difference: linkage neo4j publish. Or replace it, also what people added: "
                "linkage neo4j publish --offline DIR, then linkage neo4j load DIR --replace",
            )
        return Route("bolt", "the graph holds something already")
    if how == "offline":
        return Route("offline", "as asked for", database)
    with store.scratch(case) as con:
        wanted = build(con, case, scope)
    rows = wanted.nodes + wanted.relationships
    said = f"{rows:,} nodes and relationships into an empty graph"
    if rows < ROWS:
        return Route("bolt", f"{said} are too few for an import, which pays from {ROWS:,} on")
    return Route("offline", f"{said} are quicker by an import, for which the local server stops and starts", database)


def load(
    case: Path, where: Target, route: Route, *, scope: Scope = "auto", progress: Callable[[server.Progress], None]
) -> None:
    """Import the case into the empty database of the local server, which is down meanwhile and up again afterwards.

    What the import does not take, and the constraints, are left to the `publish` that must follow.

    Args:
        case: the case file.
        where: the local server.
        route: from `choose`.
        scope: see `wanted.build`.
        progress: is told each step.

    Raises:
        Neo4jError: the database is not empty any more, or the import failed.
        MachineError: the disk refuses.
        LinkageError: as `store.reading`.
    """
    found = server.running()
    if found is None:
        raise Neo4jError("The local server is not up.", "Start it: linkage neo4j up")
    try:
        # Beside the store, where there is room for it or none for the graph either.
        with private_folder(found.home / "import", ".files") as name:
            progress(server.Progress("Writing the files of the import"))
            files = offline.write(case, name / "files", scope=scope, database=route.database)
            # Somebody may have written meanwhile; between here and the stop there is as good as no time.
            if _pristine(where) != route.database:
                raise Neo4jError(
                    "Somebody wrote to the graph while the import was made ready; nothing was imported.",
                    "Run again: linkage neo4j publish",
                )
            with server.paused(found.home, progress=progress):
                server.admin(files.arguments, found.home, progress=progress)
    except OSError as exc:
        raise translate(exc, f"writing to {found.home}") from None


def _is_local(where: Target) -> bool:
    found = server.running()
    return found is not None and where.web == found.web and where.uri == found.bolt_url


def _pristine(where: Target) -> str:
    """The name of the database if it holds neither nodes nor indexes nor constraints, else nothing."""
    with connect(where) as graph:
        nodes = graph.one("MATCH (n) RETURN count(n)")[0]
        # Every database has the two look-up indexes of labels and types.
        indexes = graph.one("SHOW INDEXES YIELD type WHERE type <> 'LOOKUP' RETURN type")
        constraints = graph.one("SHOW CONSTRAINTS YIELD name RETURN name")
        name = graph.one("CALL db.info() YIELD name RETURN name")[0]
    return "" if nodes or indexes or constraints else str(name)
