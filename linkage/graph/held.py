"""Whose graph a server holds, and whether it is behind a case."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from linkage.errors import LinkageError, Neo4jError
from linkage.graph.browser import expected, state
from linkage.graph.driver import Graph, Target, connect, plain
from linkage.graph.layers import CASE

PATIENCE: Final = 2.0
"""Seconds for a connection; one that was accepted and is not answered takes twice as long."""

_FACTS: Final = ("case_id", "run", "scope", "nodes", "relationships", "published_at", "complete")


@dataclass(frozen=True)
class Beside:
    """A case file beside the graph.

    Attributes:
        path: the case file.
        case_id: its id; empty if it could not be read.
        same: whether the graph is of this case.
        behind: whether the graph lacks what the case holds; None if it is of another case.
        problem: why it could not be read, or empty.
    """

    path: Path
    case_id: str = ""
    same: bool = False
    behind: bool | None = None
    problem: str = ""


@dataclass(frozen=True)
class Held:
    """A server, and what it holds.

    Attributes:
        uri, source: where it is, and where that is known from.
        reachable: whether it answers and lets us in.
        problem: why not, in a sentence.
        version: of Neo4j.
        case_id: whose graph it holds; None: no case's.
        run, scope, nodes, relationships, published_at: of that graph, as the last publish left it; UTC.
        complete: False while a publish is under way, or after one that broke off.
        case: the case file beside it, if there is one.
    """

    uri: str
    source: str
    reachable: bool = False
    problem: str = ""
    version: str | None = None
    case_id: str | None = None
    run: int | None = None
    scope: str | None = None
    nodes: int | None = None
    relationships: int | None = None
    published_at: datetime | None = None
    complete: bool | None = None
    case: Beside | None = None


def look(where: Target, case: Path | None = None) -> Held:
    """What the server at `where` holds; one that does not answer is an answer too.

    Args:
        where: the server.
        case: a case file to compare with.
    """
    try:
        with connect(where, connect_seconds=PATIENCE) as graph:
            row = graph.one(f"MATCH (c:{CASE}) RETURN c.id, {', '.join(f'c.{name}' for name in _FACTS[1:])}")
            beside = _beside(graph, case) if case is not None else None
            version = graph.version
    except Neo4jError as exc:
        return Held(where.uri, where.source, problem=exc.message)
    facts = dict(zip(_FACTS, (plain(value) for value in row), strict=bool(row)))
    return Held(where.uri, where.source, reachable=True, version=version, case=beside, **facts)


def _beside(graph: Graph, case: Path) -> Beside:
    try:
        wanted = expected(case)
    except LinkageError as exc:
        return Beside(case, problem=exc.message)
    there = state(graph)
    same = there is not None and there[0] == wanted[0]
    return Beside(case, wanted[0], same, there != wanted if same else None)
