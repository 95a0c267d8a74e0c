"""First loads too big for Bolt: files for `neo4j-admin database import`, and the command that takes them.

The import makes the database anew from these files. A publish afterwards finds everything in place and makes the
constraints and indexes.
"""

import json
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb

from linkage import audit, store
from linkage.errors import MachineError, NotFoundError, UsageError, translate
from linkage.graph.layers import CASE, LABELS, LAYERS, Layer, Nodes, Property
from linkage.graph.wanted import Scope, Wanted, build

_HEADER_TYPES: Final = {
    "text": "string",
    "integer": "long",
    "float": "double",
    "bool": "boolean",
    "time": "datetime",
}

Part = tuple[str, str, str]
"""`nodes` or `relationships`, labels or type, file name."""

PARTS: Final = "import.json"
"""The file that lists the others."""


@dataclass(frozen=True)
class OfflineReport:
    """What was written.

    Attributes:
        folder: where.
        files: names of the files.
        nodes, relationships: how many they hold.
        arguments: arguments of `neo4j-admin database import full`.
    """

    folder: Path
    files: tuple[str, ...]
    nodes: int
    relationships: int
    arguments: tuple[str, ...]

    @property
    def command(self) -> str:
        """What to type on the server's machine while the server is stopped."""
        return shlex.join(["neo4j-admin", *self.arguments])


def write(case: Path, folder: Path, *, scope: Scope = "all", database: str = "neo4j") -> OfflineReport:
    """Write the case at `case` as Parquet files into the empty or new folder `folder`.

    Raises:
        UsageError: the folder holds something already.
        MachineError: the folder cannot be written.
        LinkageError: as `store.reading`.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} holds something already.", "Name a new or empty folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with store.scratch(case) as con:
            wanted = build(con, case, scope)
            facts = {"run": wanted.run, "scope": wanted.scope, "to": audit.FILES}
            audit.note(case, "publish", facts | {"nodes": wanted.nodes, "relationships": wanted.relationships})
            parts = [part for layer in LAYERS for part in _layer(con, layer, folder)] + [_case(con, wanted, folder)]
        # Last, so that a folder that was not finished is none to import.
        (folder / PARTS).write_text(json.dumps(parts, indent=1) + "\n", encoding="utf-8")
    except (OSError, duckdb.Error) as exc:
        shutil.rmtree(folder, ignore_errors=True)
        raise translate(exc, f"writing {folder}") from None
    names = tuple(name for _, _, name in parts)
    return OfflineReport(folder, names, wanted.nodes, wanted.relationships, _arguments(folder, parts, database))


def arguments(folder: Path, database: str = "neo4j") -> tuple[str, ...]:
    """The arguments of `neo4j-admin` that import what `write` left in `folder`.

    Raises:
        NotFoundError: it left nothing there.
    """
    try:
        parts = json.loads((folder / PARTS).read_text(encoding="utf-8"))
        return _arguments(folder, [(str(kind), str(labels), str(name)) for kind, labels, name in parts], database)
    except (OSError, ValueError, TypeError):
        raise NotFoundError(
            f"{folder} holds no files for an import.", "Write them: linkage neo4j publish --offline DIR"
        ) from None


def _arguments(folder: Path, parts: list[Part], database: str) -> tuple[str, ...]:
    options = [f"--{kind}={labels}={(folder / name).resolve()}" for kind, labels, name in parts]
    return ("database", "import", "full", database, "--overwrite-destination=true", "--input-type=parquet", *options)


def _layer(con: duckdb.DuckDBPyConnection, layer: Layer, folder: Path) -> list[Part]:
    if not isinstance(layer, Nodes):
        starts = _id([p.name for p in layer.starts])
        ends = _id([p.name for p in layer.ends])
        columns = [f'{starts} AS ":START_ID({layer.start.name})"', f'{ends} AS ":END_ID({layer.end.name})"']
        columns += [_column(p) for p in _importable(layer.key + layer.properties)]
        return _copy(con, layer.name, columns, "true", folder, "relationships", layer.type)
    columns = [f'{_id([p.name for p in layer.key])} AS ":ID({layer.name})"', *map(_column, _importable(layer.columns))]
    if not layer.sublabels:
        return _copy(con, layer.name, columns, "true", folder, "nodes", layer.label)
    first = layer.key[0].name
    parts = []
    for value, label in layer.sublabels:
        parts += _copy(
            con, layer.name, columns, f"{first} = '{value}'", folder, "nodes", f"{layer.label}:{label}", value
        )
    others = " AND ".join(f"{first} <> '{value}'" for value in LABELS)
    return parts + _copy(con, layer.name, columns, others, folder, "nodes", layer.label, "other")


def _id(names: list[str]) -> str:
    """One text for the import's own bookkeeping; the length in front keeps two parts apart."""
    if len(names) == 1:
        return f'"{names[0]}"'
    return f'length("{names[0]}") || \':\' || "{names[0]}" || "{names[1]}"'


def _importable(properties: Sequence[Property]) -> list[Property]:
    """What the import takes: no list of texts, from Parquet. The publish that comes after it writes those."""
    return [p for p in properties if p.type != "texts"]


def _column(p: Property) -> str:
    source = f'"{p.name}"'
    if p.type == "time":
        # The import reads times as text only.
        source = f"strftime(make_timestamp({source} * 1000), '%Y-%m-%dT%H:%M:%S.%g') || 'Z'"
    return f'{source} AS "{p.name}:{_HEADER_TYPES[p.type]}"'


def _copy(
    con: duckdb.DuckDBPyConnection,
    table: str,
    columns: list[str],
    where: str,
    folder: Path,
    kind: str,
    labels: str,
    suffix: str = "",
) -> list[Part]:
    if not con.execute(f"SELECT 1 FROM want_{table} WHERE {where} LIMIT 1").fetchall():
        return []
    name = f"{kind}-{table}{'-' + suffix if suffix else ''}.parquet"
    picks = ", ".join([*columns, 'true AS "mirrored:boolean"'])
    _write(con, f"SELECT {picks} FROM want_{table} WHERE {where}", folder / name)
    return [(kind, labels, name)]


def _write(con: duckdb.DuckDBPyConnection, select: str, path: Path) -> None:
    quoted = str(path).replace("'", "''")
    con.execute(f"COPY ({select}) TO '{quoted}' (FORMAT parquet, COMPRESSION zstd)")
    if not path.exists():
        raise MachineError(f"{path} was not written.", "Choose a place that you may write to.")


def _case(con: duckdb.DuckDBPyConnection, wanted: Wanted, folder: Path) -> Part:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    _write(
        con,
        f"""SELECT '{wanted.case_id}' AS ":ID(case)", '{wanted.case_id}' AS "id:string", {wanted.run} AS "run:long",
        {wanted.command} AS "command:long", {wanted.decision} AS "decisions:long",
        '{wanted.scope}' AS "scope:string", {wanted.nodes} AS "nodes:long",
        {wanted.relationships} AS "relationships:long", false AS "complete:boolean",
        '{now}' AS "published_at:datetime" """,
        folder / "nodes-case.parquet",
    )
    return "nodes", CASE, "nodes-case.parquet"
