"""What the graph holds, read back into tables `have_<layer>`, and how it differs from the tables `want_<layer>`."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

import duckdb
import numpy as np

from linkage.graph import statements
from linkage.graph.driver import Graph
from linkage.graph.layers import Layer, Nodes, Property, Relationships

PAGE: Final = 10_000
"""Nodes read at a time."""

CHUNK: Final = 200_000
"""Relationships gathered before they go into the scratch database."""

VERBS: Final = ("create", "update", "remove", "double")
"""What may have to be done with a row of the graph."""

_SQL_TYPES: Final = {
    "text": "VARCHAR",
    "texts": "VARCHAR",
    "integer": "BIGINT",
    "time": "BIGINT",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
}


def read(con: duckdb.DuckDBPyConnection, graph: Graph, layer: Layer) -> int:
    """Fill `have_<layer>` with what the graph holds; returns how many rows."""
    columns = ", ".join(f'"{p.name}" {_SQL_TYPES[p.type]}' for p in layer.columns)
    con.execute(f"CREATE OR REPLACE TABLE have_{layer.name} ({columns}, mirrored BOOLEAN, gone BOOLEAN)")
    total = 0
    for batch in _nodes(graph, layer) if isinstance(layer, Nodes) else _relationships(graph, layer):
        _insert(con, layer, batch)
        total += len(batch[0])
    return total


def _nodes(graph: Graph, layer: Nodes) -> Iterator[list[list[Any]]]:
    if len(layer.key) == 1:
        firsts: list[Any] = [None]
    else:
        kind = layer.key[0].name
        found = graph.rows(f"MATCH (n:{layer.label}) WHERE n.{kind} IS NOT NULL RETURN DISTINCT n.{kind}")
        firsts = sorted(row[0] for row in found)
    cypher = statements.read_nodes(layer)
    last = len(layer.key) - 1
    for first in firsts:
        after = ""
        while True:
            page = [list(column) for column in graph.one(cypher, first=first, after=after, size=PAGE)]
            if not page or not page[0]:
                break
            yield page
            after = page[last][-1]


def _relationships(graph: Graph, layer: Relationships) -> Iterator[list[list[Any]]]:
    ends = len(layer.ends)
    width = len(layer.columns) + 2
    batch: list[list[Any]] = [[] for _ in range(width)]
    for row in graph.rows(statements.read_relationships(layer)):
        length = len(row[-1])
        for at in range(ends):
            batch[at] += [row[at]] * length
        for at in range(ends, width - 2):
            batch[at] += row[at]
        batch[-2] += [True] * length
        batch[-1] += row[-1]
        if len(batch[0]) >= CHUNK:
            yield batch
            batch = [[] for _ in range(width)]
    if batch[0]:
        yield batch


def _insert(con: duckdb.DuckDBPyConnection, layer: Layer, batch: Sequence[list[Any]]) -> None:
    columns: dict[str, Any] = {f"c{at}": _array(p, batch[at]) for at, p in enumerate(layer.columns)}
    columns["mirrored"] = np.array(batch[-2], dtype=np.bool_)
    columns["gone"] = np.array(batch[-1], dtype=np.bool_)
    picks = ", ".join(_cleaned(p, f"c{at}") for at, p in enumerate(layer.columns))
    con.register("batch", columns)
    con.execute(f"INSERT INTO have_{layer.name} SELECT {picks}, mirrored, gone FROM batch")
    con.unregister("batch")


def _array(p: Property, values: list[Any]) -> Any:
    """A column; a value of another type than ours (somebody overwrote it) reads as nothing and so is written again."""
    if p.type in ("text", "texts"):
        return np.array([v if isinstance(v, str) else statements.NOTHING_TEXT for v in values], dtype=object)
    if p.type == "float":
        return np.array([float(v) if isinstance(v, (int, float)) else math.nan for v in values], dtype=np.float64)
    if p.type == "bool":
        return np.array([int(v) if isinstance(v, bool) else -1 for v in values], dtype=np.int8)
    fits = [v if isinstance(v, int) and -(2**63) <= v < 2**63 else statements.NOTHING_INTEGER for v in values]
    return np.array(fits, dtype=np.int64)


def _cleaned(p: Property, name: str) -> str:
    if p.type in ("text", "texts"):
        return f"nullif({name}, chr(0) || 'linkage: nothing')"
    if p.type == "float":
        return f"CASE WHEN isnan({name}) THEN NULL ELSE {name} END"
    if p.type == "bool":
        return f"CASE {name} WHEN 1 THEN true WHEN 0 THEN false END"
    return f"nullif({name}, {statements.NOTHING_INTEGER})"


def compare(con: duckdb.DuckDBPyConnection, layer: Layer) -> dict[str, int]:
    """Make `create_`, `update_`, `remove_` and, for relationships, `double_<layer>`; returns how many rows of each."""
    identity = ", ".join(f'"{p.name}"' for p in layer.identity)
    own = [p.name for p in layer.columns if p not in layer.identity]
    differs = " OR ".join([f'w."{name}" IS DISTINCT FROM h."{name}"' for name in own] + ["h.gone", "NOT h.mirrored"])
    once = f"(SELECT DISTINCT ON ({identity}) * FROM have_{layer.name})"
    con.execute(
        f"""CREATE OR REPLACE TABLE create_{layer.name} AS
            SELECT * FROM want_{layer.name} ANTI JOIN have_{layer.name} USING ({identity});
        CREATE OR REPLACE TABLE update_{layer.name} AS
            SELECT w.* FROM want_{layer.name} w JOIN {once} h USING ({identity}) WHERE {differs};
        CREATE OR REPLACE TABLE remove_{layer.name} AS
            SELECT * EXCLUDE (mirrored, gone) FROM {once} h ANTI JOIN want_{layer.name} USING ({identity})
            WHERE mirrored AND NOT gone;
        CREATE OR REPLACE TABLE double_{layer.name} AS
            SELECT DISTINCT ON ({identity}) w.* FROM want_{layer.name} w JOIN (SELECT {identity}
            FROM have_{layer.name} GROUP BY ALL HAVING count(*) > 1) USING ({identity});"""
    )
    return {verb: int(con.execute(f"SELECT count(*) FROM {verb}_{layer.name}").fetchall()[0][0]) for verb in VERBS}
