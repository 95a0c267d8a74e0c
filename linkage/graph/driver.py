"""Talk to Neo4j: where it is and how to reach it. With `refusals` the only importer of the `neo4j` driver."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any, Final

import neo4j
from neo4j import exceptions

from linkage import __version__, server
from linkage.errors import Neo4jError, UsageError, translate
from linkage.graph.refusals import mapped

OLDEST: Final = (5, 26)
"""The oldest server whose Cypher has all that is used here: 5.26, the long-term support release."""

CONNECT_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 60.0
"""For so long a batch is tried again after its connection broke: a server that restarts is back by then."""

SCHEMES: Final = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")


@dataclass(frozen=True)
class Target:
    """A Neo4j server and how to log in.

    Attributes:
        uri: e.g. `bolt://127.0.0.1:7687`.
        user: the user's name.
        password: never shown.
        database: its name, or None for the user's home database.
        source: where the address came from, for messages.
        browser: address of the server's own web pages, if it is known.
        web: folder that the managed server serves under `browser`, else None.
    """

    uri: str
    user: str = "neo4j"
    password: str = field(default="", repr=False)
    database: str | None = None
    source: str = "LINKAGE_NEO4J_URI"
    browser: str = ""
    web: Path | None = None


def target(database: str | None = None) -> Target | None:
    """The server that the environment names, else the managed one if it is up, else None.

    Raises:
        UsageError: `LINKAGE_NEO4J_URI` is no address, or holds a password.
        LinkageError: `LINKAGE_NEO4J_PASSWORD_FILE` cannot be read.
    """
    uri = os.environ.get("LINKAGE_NEO4J_URI", "").strip()
    if uri:
        scheme, found, rest = uri.partition("://")
        if not found or scheme not in SCHEMES or not rest:
            raise UsageError(
                f"LINKAGE_NEO4J_URI is no Neo4j address: {uri.rpartition('@')[2]}.",
                "Write it as bolt://host:7687 or neo4j://host:7687.",
            )
        if "@" in rest:
            raise UsageError(
                "LINKAGE_NEO4J_URI holds a user or a password.",
                "Set LINKAGE_NEO4J_USER and LINKAGE_NEO4J_PASSWORD or LINKAGE_NEO4J_PASSWORD_FILE instead.",
            )
        return Target(uri, os.environ.get("LINKAGE_NEO4J_USER", "neo4j"), _password(), database)
    found_server = server.running()
    if found_server is None:
        return None
    return Target(
        found_server.bolt_url,
        found_server.user,
        found_server.password,
        database,
        source="the local server",
        browser=found_server.http_url,
        web=found_server.web,
    )


def required(database: str | None = None) -> Target:
    """As `target`, but there must be one.

    Raises:
        Neo4jError: none is known.
    """
    found = target(database)
    if found is None:
        raise Neo4jError("No Neo4j is known.", "Start one: linkage neo4j up. Or set LINKAGE_NEO4J_URI.")
    return found


def _password() -> str:
    path = os.environ.get("LINKAGE_NEO4J_PASSWORD_FILE")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as exc:
            raise translate(exc, "reading LINKAGE_NEO4J_PASSWORD_FILE") from None
    return os.environ.get("LINKAGE_NEO4J_PASSWORD", "")


@dataclass(frozen=True)
class Node:
    """A node of a drawing."""

    id: str
    labels: tuple[str, ...]
    properties: dict[str, Any]


@dataclass(frozen=True)
class Relationship:
    """A relationship of a drawing; `start` and `end` are ids of nodes."""

    id: str
    type: str
    start: str
    end: str
    properties: dict[str, Any]


@dataclass(frozen=True)
class Drawing:
    """The nodes and relationships of an answer, each once."""

    nodes: tuple[Node, ...]
    relationships: tuple[Relationship, ...]


class Graph:
    """An open connection to one database."""

    def __init__(self, driver: neo4j.Driver, where: Target, retry_seconds: float) -> None:
        self._driver = driver
        self._retry_seconds = retry_seconds
        self.target = where
        self.version = ""

    def rows(self, cypher: str, *, writer: bool = False, **parameters: Any) -> Iterator[tuple[Any, ...]]:
        """Stream the rows of a read query.

        Args:
            cypher: the query.
            writer: ask the member of a cluster that takes writes: what one query leaves in a server's memory, only
                that server has for the next.
            parameters: of the query.
        """
        with (
            mapped(self.target),
            self._session(neo4j.WRITE_ACCESS if writer else neo4j.READ_ACCESS, fetch_size=2_000) as session,
            session.begin_transaction() as transaction,
        ):
            for record in transaction.run(cypher, parameters):
                yield tuple(record.values())

    def table(
        self, cypher: str, parameters: Mapping[str, Any], *, seconds: float | None = None
    ) -> tuple[list[str], list[dict[str, Any]]]:
        """Column names and rows of a query that is only allowed to read."""
        with self._asked(cypher, parameters, seconds) as result:
            columns = list(result.keys())
            return columns, [{key: plain(record[key]) for key in columns} for record in result]

    def drawing(
        self, cypher: str, parameters: Mapping[str, Any], *, seconds: float | None = None
    ) -> tuple[list[str], Drawing]:
        """Column names of a query that is only allowed to read, and the nodes and relationships that it returns."""
        with self._asked(cypher, parameters, seconds) as result:
            columns = list(result.keys())
            found = result.graph()
            nodes = tuple(Node(n.element_id, tuple(sorted(n.labels)), plain(n)) for n in found.nodes)
            ties = []
            for tie in found.relationships:
                start, end = tie.nodes
                if start is not None and end is not None:
                    ties.append(Relationship(tie.element_id, tie.type, start.element_id, end.element_id, plain(tie)))
            return columns, Drawing(nodes, tuple(ties))

    @contextmanager
    def _asked(self, cypher: str, parameters: Mapping[str, Any], seconds: float | None) -> Iterator[neo4j.Result]:
        with (
            mapped(self.target),
            self._session(neo4j.READ_ACCESS) as session,
            session.begin_transaction(timeout=seconds) as transaction,
        ):
            yield transaction.run(cypher, dict(parameters))

    def one(self, cypher: str, *, writer: bool = False, **parameters: Any) -> tuple[Any, ...]:
        """The first row of a read query, or (); arguments as in `rows`."""
        found: tuple[Any, ...] = ()
        for row in self.rows(cypher, writer=writer, **parameters):
            found = found or row
        return found

    def write(self, cypher: str, again: str | None = None, **parameters: Any) -> tuple[Any, ...]:
        """Run one statement in a transaction of its own, tried again when the connection breaks.

        Args:
            cypher: the statement; at most its first row is returned.
            again: what to run instead from the second attempt on: after a lost connection nobody knows whether the
                first was committed, so this one must give the same when it was.
            parameters: of the statement.
        """
        attempts = 0
        end = time.monotonic() + self._retry_seconds

        def work(transaction: neo4j.ManagedTransaction) -> tuple[Any, ...]:
            nonlocal attempts
            attempts += 1
            statement = cypher if attempts == 1 or again is None else again
            result = transaction.run(statement, parameters)
            record = result.peek()
            result.consume()
            return tuple(record.values()) if record else ()

        with mapped(self.target):
            while True:
                try:
                    with self._session(neo4j.WRITE_ACCESS) as session:
                        return session.execute_write(work)
                except exceptions.IncompleteCommit:
                    # The driver tries everything again but this: it cannot know that a repetition does no harm.
                    if time.monotonic() > end:
                        raise

    def schema(self, cypher: str) -> None:
        """Run one statement that changes constraints or indexes: they need a transaction without data."""
        with mapped(self.target), self._session(neo4j.WRITE_ACCESS) as session:
            session.run(cypher).consume()

    def _session(self, mode: str, **config: Any) -> neo4j.Session:
        return self._driver.session(database=self.target.database, default_access_mode=mode, **config)


@contextmanager
def connect(
    where: Target, *, retry_seconds: float | None = None, connect_seconds: float | None = None
) -> Iterator[Graph]:
    """Open a connection, and see that the server is one that this version can use.

    Args:
        where: the server.
        retry_seconds: for so long a write is tried again after its connection broke; else `RETRY_SECONDS`.
        connect_seconds: for so long a connection is waited for; else `CONNECT_SECONDS`.

    Raises:
        Neo4jError: it does not answer, refuses, or is too old.
    """
    retry = RETRY_SECONDS if retry_seconds is None else retry_seconds
    patience = CONNECT_SECONDS if connect_seconds is None else connect_seconds
    with mapped(where):
        driver = neo4j.GraphDatabase.driver(
            where.uri,
            auth=(where.user, where.password) if where.password else None,
            connection_timeout=patience,
            connection_acquisition_timeout=patience * 2,
            max_transaction_retry_time=retry,
            notifications_min_severity="OFF",
            user_agent=f"linkage/{__version__}",
        )
    with driver:
        graph = Graph(driver, where, retry)
        versions = graph.one("CALL dbms.components() YIELD versions RETURN versions[0]")
        graph.version = str(versions[0]) if versions else "of unknown version"
        check_version(graph.version)
        yield graph


def check_version(version: str) -> None:
    """Refuse servers that are too old.

    >>> check_version("5.26.12"); check_version("2025.10.1")
    >>> check_version("4.4.9")
    Traceback (most recent call last):
    linkage.errors.Neo4jError: Neo4j 4.4.9 is too old.
    """
    numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:2] if part.isdigit())
    if numbers < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise Neo4jError(
            f"Neo4j {version} is too old.", f"Use {oldest} or newer, or the local server: linkage neo4j up"
        )


def plain(value: Any) -> Any:
    """A value as Python and JSON have it: times become datetimes, nodes and relationships their properties."""
    if isinstance(value, neo4j.time.DateTime):
        try:
            return value.to_native().astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value.to_native()
        except OverflowError:
            # In the first or last hours of all years UTC has no such time.
            return value.iso_format()
    if isinstance(value, (neo4j.time.Date, neo4j.time.Time, neo4j.time.Duration)):
        return value.iso_format()
    if isinstance(value, (neo4j.graph.Node, neo4j.graph.Relationship)):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, neo4j.graph.Path):
        return [plain(node) for node in value.nodes]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [plain(item) for item in value]
    return value
