"""The Cypher that reads and writes each layer. Only our own names are put into its text; values are parameters.

Rows travel as lists, not maps, and times as milliseconds: the server unpacks both several times as fast. Relationships
are grouped by their end, which is then looked up once a group.
"""

from collections.abc import Sequence
from typing import Final

from linkage.graph.layers import Nodes, Property, Relationships

MARK: Final = "mirrored"
GONE: Final = "gone"


def _value(p: Property, source: str) -> str:
    if p.type == "time":
        return f"CASE WHEN {source} IS NULL THEN NULL ELSE datetime({{epochMillis: {source}}}) END"
    # split() of nothing is nothing.
    return f"split({source}, ' ')" if p.type == "texts" else source


def _read(p: Property, node: str) -> str:
    name = f"{node}.{p.name}"
    if p.type == "texts":
        return _joined(name)
    return f"{name}.epochMillis" if p.type == "time" else name


def _joined(name: str) -> str:
    """A list of texts as one text; what somebody put in its place reads as nothing, and so is written again."""
    return (
        f"CASE WHEN valueType({name}) STARTS WITH 'LIST<STRING' "
        f"THEN substring(reduce(t = '', x IN {name} | t + ' ' + x), 1) END"
    )


def _map(properties: Sequence[Property], sources: Sequence[str], *more: str) -> str:
    parts = [f"{p.name}: {_value(p, source)}" for p, source in zip(properties, sources, strict=True)]
    return "{" + ", ".join([*parts, *more]) + "}"


def _match(layer: Nodes, name: str, sources: Sequence[str]) -> str:
    pairs = ", ".join(f"{p.name}: {source}" for p, source in zip(layer.key, sources, strict=True))
    return f"({name}:{layer.label} {{{pairs}}})"


# Nodes. A row is [key…, property…].


def _cells(count: int, row: str = "r", start: int = 0) -> list[str]:
    return [f"{row}[{at}]" for at in range(start, start + count)]


def create_nodes(layer: Nodes, sublabel: str) -> str:
    """CREATE nodes that are known to be missing."""
    labels = f"{layer.label}:{sublabel}" if sublabel else layer.label
    properties = _map(layer.columns, _cells(len(layer.columns)), f"{MARK}: true")
    return f"UNWIND $rows AS r CREATE (:{labels} {properties})"


def merge_nodes(layer: Nodes, sublabel: str) -> str:
    """Write nodes whether they are there or not; what others added to one stays."""
    keys = len(layer.key)
    properties = _map(layer.properties, _cells(len(layer.properties), start=keys), f"{MARK}: true", f"{GONE}: NULL")
    label = f", n:{sublabel}" if sublabel else ""
    return f"UNWIND $rows AS r MERGE {_match(layer, 'n', _cells(keys))} SET n += {properties}{label}"


def remove_nodes(layer: Nodes) -> str:
    """Delete nodes, or mark as gone those that somebody attached anything to. Returns how many of each."""
    ours = [p.name for p in layer.columns] + [MARK, GONE]
    labels = [layer.label] + [label for _, label in layer.sublabels]
    return (
        f"UNWIND $rows AS r MATCH {_match(layer, 'n', _cells(len(layer.key)))} WHERE n.{MARK} "
        f"WITH n, EXISTS {{ (n)--() }} OR any(k IN keys(n) WHERE NOT k IN {_list(ours)}) "
        f"OR any(l IN labels(n) WHERE NOT l IN {_list(labels)}) AS attached "
        f"FOREACH (_ IN CASE WHEN attached THEN [1] ELSE [] END | SET n.{GONE} = true) "
        "FOREACH (_ IN CASE WHEN attached THEN [] ELSE [1] END | DELETE n) "
        "RETURN sum(CASE WHEN attached THEN 0 ELSE 1 END), sum(CASE WHEN attached THEN 1 ELSE 0 END)"
    )


def _list(names: Sequence[str]) -> str:
    return "[" + ", ".join(f"'{name}'" for name in names) + "]"


def read_nodes(layer: Nodes) -> str:
    """One page of nodes in the order of their keys, a column a list. Others' nodes with our key are read as well."""
    first, last = layer.key[0].name, layer.key[-1].name
    after = f"n.{last} > $after" if first == last else f"n.{first} = $first AND n.{last} > $after"
    columns = ", ".join(
        f"collect(coalesce({_read(p, 'n')}, {_NOTHING[p.type]})) AS c{at}" for at, p in enumerate(layer.columns)
    )
    return (
        f"MATCH (n:{layer.label}) WHERE {after} WITH n ORDER BY n.{first}, n.{last} LIMIT $size "
        f"RETURN {columns}, collect(coalesce(n.{MARK}, false)), collect(coalesce(n.{GONE}, false))"
    )


# collect() leaves nulls out, which would shift a column: so each type has a value that stands for nothing.
NOTHING_INTEGER: Final = -(2**62)
NOTHING_TEXT: Final = "\x00linkage: nothing"
_NOTHING: Final = {
    "text": "'\\u0000linkage: nothing'",
    "texts": "'\\u0000linkage: nothing'",
    "integer": str(NOTHING_INTEGER),
    "time": str(NOTHING_INTEGER),
    "float": "(0.0 / 0.0)",
    "bool": "-1",
}


# Relationships. A row is [end key…, [start key]…, [key]…, [property]…]: the lists of a group are of one length.


def _group(layer: Relationships) -> str:
    ends, starts = len(layer.ends), len(layer.starts)
    end = _match(layer.end, "e", _cells(ends, "g"))
    start = _match(layer.start, "s", [f"g[{at}][k]" for at in range(ends, ends + starts)])
    return f"UNWIND $rows AS g MATCH {end} UNWIND range(0, size(g[{ends}]) - 1) AS k MATCH {start}"


def _items(layer: Relationships, count: int, start: int) -> list[str]:
    first = len(layer.ends) + len(layer.starts) + start
    return [f"g[{at}][k]" for at in range(first, first + count)]


def create_relationships(layer: Relationships) -> str:
    """CREATE relationships that are known to be missing."""
    own = layer.key + layer.properties
    properties = _map(own, _items(layer, len(own), 0), f"{MARK}: true")
    return f"{_group(layer)} CREATE (s)-[:{layer.type} {properties}]->(e)"


def merge_relationships(layer: Relationships) -> str:
    """Write relationships whether they are there or not; others' of the same type are left alone."""
    key = _map(layer.key, _items(layer, len(layer.key), 0), f"{MARK}: true")
    properties = _map(layer.properties, _items(layer, len(layer.properties), len(layer.key)), f"{GONE}: NULL")
    return f"{_group(layer)} MERGE (s)-[x:{layer.type} {key}]->(e) SET x += {properties}"


def remove_relationships(layer: Relationships) -> str:
    """Delete relationships, or mark as gone those that somebody wrote on. Returns how many of each."""
    ours = [p.name for p in layer.key + layer.properties] + [MARK, GONE]
    key = _map(layer.key, _items(layer, len(layer.key), 0), f"{MARK}: true")
    return (
        f"{_group(layer)} MATCH (s)-[x:{layer.type} {key}]->(e) "
        f"WITH x, any(k IN keys(x) WHERE NOT k IN {_list(ours)}) AS attached "
        f"FOREACH (_ IN CASE WHEN attached THEN [1] ELSE [] END | SET x.{GONE} = true) "
        "FOREACH (_ IN CASE WHEN attached THEN [] ELSE [1] END | DELETE x) "
        "RETURN sum(CASE WHEN attached THEN 0 ELSE 1 END), sum(CASE WHEN attached THEN 1 ELSE 0 END)"
    )


def remove_doubles(layer: Relationships) -> str:
    """Of relationships that are there more than once all but one go."""
    key = _map(layer.key, _items(layer, len(layer.key), 0), f"{MARK}: true")
    return (
        f"{_group(layer)} MATCH (s)-[x:{layer.type} {key}]->(e) WITH s, e, k, collect(x) AS same "
        "FOREACH (x IN same[1..] | DELETE x) RETURN sum(size(same) - 1), 0"
    )


def read_relationships(layer: Relationships) -> str:
    """All mirrored relationships of a layer, a row for each end: its key, then a list a column, then `gone`."""
    ends = ", ".join(f"e.{p.name}" for p in layer.end.key)
    columns = [(f"s.{p.name}", p.type) for p in layer.start.key]
    columns += [(_read(p, "x"), p.type) for p in layer.key + layer.properties]
    collected = ", ".join(
        f"collect(coalesce({source}, {_NOTHING[type]})) AS c{at}" for at, (source, type) in enumerate(columns)
    )
    names = ", ".join(f"c{at}" for at in range(len(columns)))
    return (
        f"MATCH (e:{layer.end.label}) CALL (e) {{ MATCH (e)<-[x:{layer.type}]-(s:{layer.start.label}) WHERE x.{MARK} "
        f"RETURN {collected}, collect(coalesce(x.{GONE}, false)) AS lost }} "
        f"WITH e, {names}, lost WHERE size(lost) > 0 RETURN {ends}, {names}, lost"
    )


# Checksums: how many, and sums over every column. Computed by the server, compared with the same sums of the case.


def sums(layer: Nodes | Relationships) -> str:
    """One row: the count, then for each column a sum that a lost, doubled or mangled row would change."""
    if isinstance(layer, Nodes):
        source = f"MATCH (n:{layer.label}) WHERE n.{MARK} AND n.{GONE} IS NULL"
        columns = [(f"n.{p.name}", p.type) for p in layer.columns]
    else:
        source = (
            f"MATCH (s:{layer.start.label})-[x:{layer.type}]->(e:{layer.end.label}) WHERE x.{MARK} AND x.{GONE} IS NULL"
        )
        columns = [(f"e.{p.name}", p.type) for p in layer.end.key] + [(f"s.{p.name}", p.type) for p in layer.start.key]
        columns += [(f"x.{p.name}", p.type) for p in layer.key + layer.properties]
    return f"{source} RETURN count(*), " + ", ".join(_sum(name, type) for name, type in columns)


def _sum(name: str, type: str) -> str:
    # Sums of floats depend on their order; of ten-thousandths they do not.
    inner = {
        "text": f"size({name})",
        "texts": f"size({_joined(name)})",
        "integer": name,
        "float": f"toInteger(round({name} * 10000))",
        "bool": f"CASE WHEN {name} THEN 1 ELSE 0 END",
        "time": f"{name}.epochMillis",
    }[type]
    return f"coalesce(sum({inner}), 0)"


def wanted_sums(layer: Nodes | Relationships) -> str:
    """The same row in the case's SQL."""
    parts = []
    for p in layer.columns:
        inner = {
            "text": f"length({p.name})",
            "texts": f"length({p.name})",
            "integer": p.name,
            "float": f"round({p.name} * 10000)::HUGEINT",
            "bool": f"CASE WHEN {p.name} THEN 1 ELSE 0 END",
            "time": p.name,
        }[p.type]
        parts.append(f"coalesce(sum({inner}), 0)::HUGEINT")
    return f"SELECT count(*), {', '.join(parts)} FROM want_{layer.name}"
