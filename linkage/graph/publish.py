"""Publish: make the graph in Neo4j what the case says. It reads like the list of its steps.

1. Work out what the graph should hold, in a scratch database (`wanted`).
2. Refuse a graph of another case; see to constraints and indexes (`schema`).
3. Read back what the graph holds and compare (`difference`).
4. Let only the difference travel: relationships that left, nodes, relationships, nodes that left.
5. Compare counts and checksums of every layer.

Every batch is a transaction of its own that can be repeated, so a publish that was cut off goes on where it was when it
is run again. What other people added is never touched (`statements`).
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb

from linkage import audit, store
from linkage.errors import CaseBusyError, CheckFailedError, Neo4jError, translate
from linkage.files import hold
from linkage.graph import difference, schema, statements
from linkage.graph.driver import Graph, Target, connect
from linkage.graph.layers import CASE, LAYERS, NODES, RELATIONSHIPS, Layer, Nodes, Relationships
from linkage.graph.wanted import Scope, Wanted, build

BATCH: Final = 10_000
"""Rows of one transaction."""

GROUP: Final = 5_000
"""Relationships of one end in one row: a hub's are spread over several."""

Progress = Callable[[str, int, int], None]
"""Called with the step, the rows done and the rows in all."""


@dataclass
class PublishReport:
    """What a publish did.

    Attributes:
        uri: where the graph is.
        case_id, run, scope: what was mirrored.
        nodes, relationships: how many the graph holds of this case now.
        created, updated, removed: rows that travelled.
        kept: nodes and relationships that left the case but were marked `gone`, because somebody attached something.
        by_layer: the same by layer, for layers where anything changed.
    """

    uri: str
    case_id: str
    run: int
    scope: str
    nodes: int = 0
    relationships: int = 0
    created: int = 0
    updated: int = 0
    removed: int = 0
    kept: int = 0
    by_layer: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether anything travelled."""
        return bool(self.created or self.updated or self.removed or self.kept)


def publish(
    case: Path,
    where: Target,
    *,
    scope: Scope = "auto",
    replace: bool = False,
    dry_run: bool = False,
    imported: bool = False,
    progress: Progress | None = None,
    retry_seconds: float | None = None,
) -> PublishReport:
    """Mirror the case at `case` into Neo4j.

    Args:
        case: the case file; held only while it is read.
        where: the server.
        scope: see `wanted.build`.
        replace: take the graph over from another case, whose nodes go unless somebody attached anything to them.
        dry_run: only say what would travel.
        imported: the graph was imported from this case just now, so what the import takes is not read back, which
            takes as long as writing it; the sums of step 5 are compared as ever.
        progress: called as rows are written.
        retry_seconds: for so long a batch is tried again after its connection broke; else `driver.RETRY_SECONDS`.

    Raises:
        Neo4jError: the server cannot be reached, refuses, or holds another case's graph.
        CheckFailedError: afterwards the graph is not what the case says.
        LinkageError: as `store.reading`.
    """
    with _alone(case), store.scratch(case) as con, connect(where, retry_seconds=retry_seconds) as graph:
        tell = progress or (lambda _step, _done, _total: None)
        tell("reading the case", 0, 0)
        wanted = build(con, case, scope)
        report = PublishReport(where.uri, wanted.case_id, wanted.run, wanted.scope)
        _claim(graph, wanted, replace=replace, dry_run=dry_run)
        if not dry_run:
            schema.apply(graph)
        plan = {}
        for layer in LAYERS:
            if imported and all(p.type != "texts" for p in layer.columns):
                plan[layer.name] = dict.fromkeys(difference.VERBS, 0)
                continue
            tell("comparing", 0, 0)
            difference.read(con, graph, layer)
            plan[layer.name] = difference.compare(con, layer)
        _sum_up(report, plan)
        report.nodes, report.relationships = wanted.nodes, wanted.relationships
        if dry_run:
            return report
        if report.changed:
            facts = {"run": wanted.run, "scope": wanted.scope, "to": audit.LOCAL if where.web else where.uri}
            audit.note(case, "publish", facts | {"nodes": wanted.nodes, "relationships": wanted.relationships})
        _write(con, graph, plan, report, tell)
        tell("checking", 0, 0)
        _verify(con, graph)
        _finish(graph, wanted, changed=report.changed)
        return report


@contextmanager
def _alone(case: Path) -> Iterator[None]:
    """One publish of a case at a time on this machine: two would each create what the other is creating."""
    path = case.with_name(f".{case.name}.publish.lock")
    if not case.exists():
        yield
        return
    try:
        with path.open("w") as lock:
            if not hold(lock.fileno(), path):
                raise CaseBusyError(f"Another publish of {case} is running.", "Wait until it has finished.")
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
    except OSError as exc:
        raise translate(exc, f"locking {path}") from None


def _claim(graph: Graph, wanted: Wanted, *, replace: bool, dry_run: bool) -> None:
    others = [row[0] for row in graph.rows(f"MATCH (c:{CASE}) WHERE c.id <> $id RETURN c.id", id=wanted.case_id)]
    if others and not replace:
        raise Neo4jError(
            f"The graph at {graph.target.uri} belongs to another case ({others[0]}; this one is {wanted.case_id}).",
            "Publish that one, use another server, or take the graph over: linkage neo4j publish --replace",
        )
    if dry_run:
        return
    graph.write(
        f"MERGE (c:{CASE} {{id: $id}}) ON CREATE SET c.complete = false WITH c "
        f"OPTIONAL MATCH (o:{CASE}) WHERE o.id <> $id DELETE o",
        id=wanted.case_id,
    )


def _sum_up(report: PublishReport, plan: dict[str, dict[str, int]]) -> None:
    report.created = sum(counts["create"] for counts in plan.values())
    report.updated = sum(counts["update"] for counts in plan.values())
    report.removed = sum(counts["remove"] + counts["double"] for counts in plan.values())
    report.by_layer = {name: counts for name, counts in plan.items() if any(counts.values())}


def _write(
    con: duckdb.DuckDBPyConnection,
    graph: Graph,
    plan: dict[str, dict[str, int]],
    report: PublishReport,
    tell: Progress,
) -> None:
    """Step 4. What leaves goes first where it would be in the way, last where something may still hang on it."""
    total = report.created + report.updated + report.removed
    done = 0
    if total:
        graph.write(f"MATCH (c:{CASE} {{id: $id}}) SET c.complete = false", id=report.case_id)

    def step(layer: Layer, verb: str) -> None:
        nonlocal done
        if not plan[layer.name][verb]:
            return
        for first, again, rows, size in _batches(con, layer, verb):
            result = graph.write(first, again, rows=rows)
            if verb == "remove" and len(result) == 2:
                report.removed -= result[1]
                report.kept += result[1]
            done += size
            tell(f"{_VERBS[verb]} {_noun(layer)}", done, total)

    for layer in RELATIONSHIPS:
        step(layer, "remove")
        step(layer, "double")
    for node_layer in NODES:
        step(node_layer, "create")
        step(node_layer, "update")
    for layer in RELATIONSHIPS:
        step(layer, "create")
        step(layer, "update")
    for node_layer in reversed(NODES):
        step(node_layer, "remove")


_VERBS: Final = {"create": "creating", "update": "updating", "remove": "removing", "double": "removing"}


def _noun(layer: Layer) -> str:
    return f":{layer.label}" if isinstance(layer, Nodes) else f":{layer.type}"


Batch = tuple[str, str | None, list[Any], int]


def _batches(con: duckdb.DuckDBPyConnection, layer: Layer, verb: str) -> Iterator[Batch]:
    """Statements with the rows that each takes."""
    if isinstance(layer, Nodes):
        yield from _node_batches(con, layer, verb)
    else:
        yield from _relationship_batches(con, layer, verb)


def _node_batches(con: duckdb.DuckDBPyConnection, layer: Nodes, verb: str) -> Iterator[Batch]:
    order = ", ".join(f'"{p.name}"' for p in layer.key)
    # A second cursor would see nothing of this connection's tables that are not committed; there is no transaction.
    cursor = con.cursor()
    try:
        found = cursor.execute(f"SELECT * FROM {verb}_{layer.name} ORDER BY {order}")
        sublabels = dict(layer.sublabels)
        while rows := found.fetchmany(BATCH):
            for sublabel, group in itertools.groupby(rows, key=lambda row: sublabels.get(row[0], "")):
                part = [list(row) for row in group]
                merge = statements.merge_nodes(layer, sublabel)
                if verb == "create":
                    yield statements.create_nodes(layer, sublabel), merge, part, len(part)
                elif verb == "update":
                    yield merge, None, part, len(part)
                else:
                    yield statements.remove_nodes(layer), None, part, len(part)
    finally:
        cursor.close()


def _relationship_batches(con: duckdb.DuckDBPyConnection, layer: Relationships, verb: str) -> Iterator[Batch]:
    ends = ", ".join(f'"{p.name}"' for p in layer.ends)
    inner = [p.name for p in layer.columns[len(layer.ends) :]]
    order = ", ".join(f'"{p.name}"' for p in layer.starts + layer.key)
    lists = ", ".join(f'list("{name}" ORDER BY {order})' for name in inner)
    create, merge = statements.create_relationships(layer), statements.merge_relationships(layer)
    first, again = {
        "create": (create, merge),
        "update": (merge, None),
        "remove": (statements.remove_relationships(layer), None),
        "double": (statements.remove_doubles(layer), None),
    }[verb]
    cursor = con.cursor()
    try:
        found = cursor.execute(
            f"""WITH numbered AS (SELECT *, (row_number() OVER (PARTITION BY {ends} ORDER BY {order}) - 1) // {GROUP}
                AS chunk FROM {verb}_{layer.name})
            SELECT {ends}, {lists} FROM numbered GROUP BY {ends}, chunk ORDER BY {ends}, chunk"""
        )
        batch: list[Any] = []
        size = 0
        while rows := found.fetchmany(1_000):
            for row in rows:
                batch.append(list(row))
                size += len(row[-1])
                if size >= BATCH:
                    yield first, again, batch, size
                    batch, size = [], 0
        if batch:
            yield first, again, batch, size
    finally:
        cursor.close()


def _verify(con: duckdb.DuckDBPyConnection, graph: Graph) -> None:
    """Step 5."""
    wrong = []
    for layer in LAYERS:
        there = [int(value) for value in graph.one(statements.sums(layer))]
        here = [int(value) for value in con.execute(statements.wanted_sums(layer)).fetchall()[0]]
        if there != here:
            wrong.append(
                f"{there[0]:,} of {here[0]:,} {_noun(layer)}" + (" with other contents" * (there[0] == here[0]))
            )
    if wrong:
        raise CheckFailedError(
            f"The graph at {graph.target.uri} is not what the case says: {'; '.join(wrong)}.",
            "Somebody may have written to it meanwhile. Run again: linkage neo4j publish",
        )


def _finish(graph: Graph, wanted: Wanted, *, changed: bool) -> None:
    facts = {
        "run": wanted.run,
        "command": wanted.command,
        "decisions": wanted.decision,
        "scope": wanted.scope,
        "nodes": wanted.nodes,
        "relationships": wanted.relationships,
        "complete": True,
    }
    graph.write(
        f"MATCH (c:{CASE} {{id: $id}}) "
        "FOREACH (_ IN CASE WHEN $changed OR c.published_at IS NULL THEN [1] ELSE [] END | "
        "SET c.published_at = datetime()) SET c += $facts",
        id=wanted.case_id,
        changed=changed,
        facts=facts,
    )
