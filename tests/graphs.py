"""Graphs in the test server: emptied for one test, read whole, or drawn by hand as a publish would."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from linkage.graph import Graph, Target, connect
from linkage.graph.layers import LABELS, OTHER_TYPE, TYPES
from linkage.server import Server

BATCH = 10_000
Value = tuple[str, str]
Content = tuple[set[Any], set[Any], tuple[Any, ...]]


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


def forgive(server: Server) -> None:
    """Log in rightly: after three wrong passwords in a row, of any tests, the server lets nobody in for a while."""
    with connect(target_of(server)):
        pass


def snapshot(graph: Graph) -> tuple[set[Any], set[Any]]:
    """Every node (labels, properties) and relationship (ends, type, properties), to compare two graphs whole."""
    node = "[l IN labels({0}) | l], properties({0})"
    nodes = graph.rows(f"MATCH (n) WHERE n.mirrored RETURN {node.format('n')}")
    ties = graph.rows(
        f"MATCH (a)-[x]->(b) WHERE x.mirrored RETURN {node.format('a')}, type(x), properties(x), {node.format('b')}"
    )
    return {_frozen(row) for row in nodes}, {_frozen(row) for row in ties}


def content(graph: Graph) -> Content:
    """The whole graph, and how many relationships, since a set does not tell doubled ones."""
    return *snapshot(graph), graph.one("MATCH ()-[x]->() RETURN count(x)")


def now(server: Server) -> Content:
    """The whole graph of a server."""
    with connect(target_of(server)) as graph:
        return content(graph)


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(sorted((key, _frozen(item)) for key, item in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(sorted(value)) if all(isinstance(v, str) for v in value) else tuple(map(_frozen, value))
    return str(value)


def draw(
    graph: Graph,
    sightings: Iterable[tuple[str, str, str]] = (),
    *,
    accounts: Mapping[str, Mapping[str, Any]] | None = None,
    rings: Mapping[str, Sequence[str]] | None = None,
    hubs: Iterable[tuple[str, str]] = (),
    bystanders: Iterable[tuple[str, str]] = (),
    links: Iterable[tuple[str, str]] = (),
) -> None:
    """Draw a graph as a publish would.

    Args:
        graph: an open connection.
        sightings: (account, kind, value); an identifier of one account only is left out.
        accounts: properties of accounts, those of `sightings` need none; times as ISO 8601.
        rings: members by ring; identifiers of two members or more that are no hub become its evidence.
        hubs: (kind, value) of damped identifiers.
        bystanders: (account, ring).
        links: (account, other account).
    """
    given, rings, hubs, links = accounts or {}, rings or {}, set(hubs), list(links)
    holders: dict[tuple[str, str], set[str]] = defaultdict(set)
    for account, kind, value in sightings:
        holders[kind, value].add(account)
    shared = {key: who for key, who in sorted(holders.items()) if len(who) > 1}
    names = {name for who in holders.values() for name in who} | set(given) | {n for pair in links for n in pair}
    names |= {name for members in rings.values() for name in members} | {name for name, _ in bystanders}
    _accounts(graph, [{"account_id": name, **given.get(name, {})} for name in sorted(names)])
    _identifiers(graph, shared, hubs)
    for rank, (ring, members) in enumerate(rings.items(), 1):
        _ring(graph, rank, ring, members, {key: who for key, who in shared.items() if key not in hubs})
    _put(
        graph,
        "MATCH (a:Account {account_id: row[0]}), (r:Ring {ring_id: row[1]}) "
        "CREATE (a)-[:BYSTANDER_OF {bits: 3.0, reason: 'shares one value', mirrored: true}]->(r)",
        list(bystanders),
    )
    _put(
        graph,
        "MATCH (a:Account {account_id: row[0]}), (b:Account {account_id: row[1]}) "
        "CREATE (a)-[:LINKED {kind: 'referral', count: 1, mirrored: true}]->(b)",
        links,
    )
    graph.write("CREATE (:LinkageCase {id: 'test', run: 1, complete: true, mirrored: true})")


def _accounts(graph: Graph, rows: list[dict[str, Any]]) -> None:
    dated = ("created_at", "banned_at", "first_seen", "last_seen")
    times = ", ".join(f"a.{name} = datetime(row.{name})" for name in dated)
    _put(graph, f"CREATE (a:Account {{mirrored: true}}) SET a += row SET {times}", rows)


def _identifiers(graph: Graph, shared: Mapping[Value, set[str]], hubs: set[Value]) -> None:
    for kind in sorted({kind for kind, _ in shared}):
        own = {value: who for (its, value), who in shared.items() if its == kind}
        _put(
            graph,
            f"CREATE (:Identifier{':' + LABELS[kind] if kind in LABELS else ''} {{kind: $kind, key: row[0], "
            "label: row[0], accounts: row[1], bits: 5.0, hub: row[2], "
            "damped: CASE WHEN row[2] THEN 'too wide' END, mirrored: true})",
            [[value, len(who), True if (kind, value) in hubs else None] for value, who in own.items()],
            kind=kind,
        )
        _put(
            graph,
            "MATCH (a:Account {account_id: row[0]}), (i:Identifier {kind: $kind, key: row[1]}) "
            f"CREATE (a)-[:{TYPES.get(kind, OTHER_TYPE)} {{bits: 5.0, count: 1, mirrored: true}}]->(i)",
            [[name, value] for value, who in own.items() for name in sorted(who)],
            kind=kind,
        )


def _ring(graph: Graph, rank: int, ring: str, members: Sequence[str], shared: Mapping[Value, set[str]]) -> None:
    inside = set(members)
    graph.write(
        "CREATE (:Ring {ring_id: $ring, rank: $rank, score: 0.9, status: 'open', accounts: $size, why: 'because', "
        "mirrored: true})",
        ring=ring, rank=rank, size=len(members),
    )  # fmt: skip
    _put(
        graph,
        "MATCH (a:Account {account_id: row[0]}), (r:Ring {ring_id: $ring}) "
        "CREATE (a)-[:MEMBER_OF {tier: 'core', confidence: row[1], bits: 5.0, mirrored: true}]->(r)",
        [[name, 1 - at / (2 * len(members))] for at, name in enumerate(members)],
        ring=ring,
    )
    held = [
        (kind, value, len(who & inside), len(who - inside))
        for (kind, value), who in shared.items()
        if len(who & inside) > 1
    ]
    for kind in sorted({row[0] for row in held}):
        rows = [row for row in held if row[0] == kind]
        graph.write(
            "MATCH (r:Ring {ring_id: $ring}) CREATE (r)-[:TIED_BY {bits: 5.0, mirrored: true}]->(:Bundle {bundle_id: "
            "$ring + '/' + $kind, ring_id: $ring, kind: $kind, label: $kind, identifiers: $many, bits: 5.0, "
            "mirrored: true})",
            ring=ring, kind=kind, many=len(rows),
        )  # fmt: skip
        _put(
            graph,
            "MATCH (b:Bundle {bundle_id: $ring + '/' + row[0]}), (i:Identifier {kind: row[0], key: row[1]}) "
            "CREATE (b)-[:HOLDS {accounts: row[2], outsiders: row[3], bits: 5.0, mirrored: true}]->(i)",
            rows,
            ring=ring,
        )


def _put(graph: Graph, cypher: str, rows: Sequence[Any], **parameters: Any) -> None:
    for at in range(0, len(rows), BATCH):
        graph.write(f"UNWIND $rows AS row {cypher}", rows=list(rows[at : at + BATCH]), **parameters)
