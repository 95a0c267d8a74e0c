"""A graph in the test server for one test, and what it holds as plain rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from linkage.graph import Target, connect
from linkage.graph.driver import Graph
from linkage.server import Server


def target_of(server: Server) -> Target:
    """How to reach a managed server without asking the environment."""
    return Target(server.bolt_url, server.user, server.password, browser=server.http_url, web=server.web)


@contextmanager
def emptied(server: Server) -> Iterator[Graph]:
    """An open connection to the server's database, which is emptied before."""
    with connect(target_of(server)) as graph:
        clear(graph)
        yield graph


def clear(graph: Graph) -> None:
    """Delete all nodes and relationships; constraints stay."""
    graph.schema("MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS")


def snapshot(graph: Graph) -> tuple[set[Any], set[Any]]:
    """Every node (labels, properties) and relationship (ends, type, properties), to compare two graphs whole."""
    node = "[l IN labels({0}) | l], properties({0})"
    nodes = graph.rows(f"MATCH (n) WHERE n.mirrored RETURN {node.format('n')}")
    ties = graph.rows(
        f"MATCH (a)-[x]->(b) WHERE x.mirrored RETURN {node.format('a')}, type(x), properties(x), {node.format('b')}"
    )
    return {_frozen(row) for row in nodes}, {_frozen(row) for row in ties}


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(sorted((key, _frozen(item)) for key, item in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(sorted(value)) if all(isinstance(v, str) for v in value) else tuple(map(_frozen, value))
    return str(value)
