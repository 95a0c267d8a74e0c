"""A table of a PostgreSQL, read like a file of JSON records: its columns, its first rows, its digest, its rows.

1. `relations` lists what there is to read by name; no row is looked at for that.
2. `shape` looks at the first rows of one that is called like something known.
3. `digest` says whether all of it was read before: the server adds up hashes of its rows, none of which is sent.
4. `stream` sends the rows, in parts of bounded size, as JSON of the columns that are needed and no others.

All happens in one transaction of one snapshot, so that each of them sees the same rows. Raw text goes from the socket
to DuckDB's memory and stands in no file.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import groupby
from typing import Any, Final

import pyarrow as pa

from linkage.errors import LinkageError, MachineError
from linkage.ingest.postgres import Database
from linkage.ingest.shape import SAMPLE, Shape
from linkage.ingest.sources import MAX_LINE
from linkage.ingest.sql import identifier
from linkage.text import safe

_SCHEMA: Final = pa.schema([("json", pa.string())])
_PART: Final = 4 << 20
_MOST: Final = 256 << 20
_SAMPLED: Final = 1 << 20
"""Bytes: of a usual part, of the largest, of the longest row that is looked at beforehand."""

# Parts of a table are read with the table, once.
_COLUMNS: Final = """
SELECT n.nspname, c.relname, a.attname, has_column_privilege(c.oid, a.attnum, 'SELECT')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
    AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND has_schema_privilege(n.oid, 'USAGE')
    AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
ORDER BY 1, 2, a.attnum
"""


class Relation:
    """A table, view or foreign table.

    Attributes:
        name: its own, without the schema.
        columns: its columns, in their order.
        needed: those of them that anything is made of; a digest is of these.
        long: rows of the last stream that were too long to be sent.
    """

    def __init__(self, database: Database, schema: str, name: str, columns: dict[str, bool]) -> None:
        """`columns` says of each whether it may be read."""
        self.columns = tuple(columns)
        self.needed: set[str] = set()
        self.long = 0
        self._database, self._schema, self.name = database, schema, name
        self._readable = {column for column, readable in columns.items() if readable}
        self._counts: tuple[int, int, int] | None = None
        self._sent = 0

    @property
    def label(self) -> str:
        """For people and for the case: the table, with its schema where that is not `public`; never the address."""
        name = self.name if self._schema == "public" else f"{self._schema}.{self.name}"
        return name.replace("/", "_").replace("\0", "")

    @property
    def database(self) -> Database:
        """Where it is."""
        return self._database

    @property
    def size(self) -> int:
        """Bytes of its rows as they are sent; 0 before there is a digest."""
        return self._counts[1] if self._counts else 0

    @property
    def percent(self) -> float:
        """How much of it the last stream has sent."""
        return 100 * self._sent / self._counts[0] if self._counts and self._counts[0] else 0.0

    @cached_property
    def shape(self) -> Shape:
        """Its columns and first records.

        Raises:
            MachineError: the connection broke.
        """
        readable = [name for name in self.columns if name in self._readable]
        self._database.declare(f"{self._select(readable, _SAMPLED)} LIMIT {SAMPLE}")
        records = [json.loads(row[0]) for row in self._database.fetch(SAMPLE) if row[0] is not None]
        return Shape(self.columns, tuple(records))

    def digest(self) -> str:
        """SHA-256 over the sums of its rows' hashes, whatever their order: equal rows, equal digest.

        Raises:
            MachineError: the connection broke, or a column that is needed may not be read.
        """
        columns = sorted(self.needed)
        parts = ", ".join(
            f"sum(('x' || substr(h, {start}, 16))::bit(64)::bigint::numeric)::text" for start in (1, 17, 33)
        )
        hashed = "encode(sha256(textsend(json)), 'hex')"
        ((count, size, longest, *sums),) = self._database.rows(
            f"SELECT count(*), coalesce(sum(n), 0)::bigint, coalesce(max(n), 0)::bigint, {parts} FROM "
            f"(SELECT {hashed} AS h, octet_length(json) AS n FROM ({self._select(columns)}) j) hashed"
        )
        self._counts = (int(count), int(size), min(int(longest), MAX_LINE))
        return hashlib.sha256(json.dumps([columns, count, sums]).encode()).hexdigest()

    def stream(self, columns: Iterable[str]) -> "Stream":
        """Its rows, for DuckDB, as often as it asks for them."""
        return Stream(self, [name for name in self.columns if name in set(columns)])

    def parts(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """The rows from the first on."""
        database = self._database
        self.long = self._sent = 0
        largest = self._counts[2] if self._counts else MAX_LINE
        most, rows = max(_MOST // max(largest, 1), 1), 16
        try:
            database.declare(self._select(columns, MAX_LINE))
            while fetched := database.fetch(min(rows, most)):
                texts = [row[0] for row in fetched if row[0] is not None]
                self._sent += len(fetched)
                self.long += len(fetched) - len(texts)
                rows = max(_PART * len(texts) // (1 + sum(map(len, texts))), 1)
                yield pa.record_batch({"json": pa.array(texts, pa.string())})
        except LinkageError as exc:
            # DuckDB tells its caller only that Python raised something.
            database.failed = exc
            raise

    def _select(self, columns: Iterable[str], most: int = 0) -> str:
        """SQL of each row as one JSON text, `json`; NULL where it is longer than `most` bytes."""
        columns = list(columns)
        hidden = [name for name in columns if name not in self._readable]
        if hidden:
            raise MachineError(
                f"{safe(self.label)} has columns that {safe(self._database.address.user)} may not read: "
                f"{', '.join(map(safe, hidden))}.",
                f"GRANT SELECT ON {safe(self.label)} TO {safe(self._database.address.user)}.",
            )
        listed = ", ".join(map(identifier, columns)) or "NULL AS nothing"
        rows = f"SELECT {listed} FROM {identifier(self._schema)}.{identifier(self.name)}"
        text = f"SELECT to_json(r)::text AS json FROM ({rows}) r"
        if not most:
            return text
        return f"SELECT CASE WHEN octet_length(json) <= {most} THEN json END AS json FROM ({text}) t"


class Stream:
    """What DuckDB scans: each scan begins a fresh reading of the rows."""

    def __init__(self, relation: Relation, columns: list[str]) -> None:
        """`columns` are those that are sent."""
        self._relation, self._columns = relation, columns

    def __arrow_c_schema__(self) -> object:
        """The columns, without reading a row."""
        return _SCHEMA.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows, read as they are asked for."""
        reader = pa.RecordBatchReader.from_batches(_SCHEMA, self._relation.parts(self._columns))
        return reader.__arrow_c_stream__(requested_schema)


def relations(database: Database) -> list[Relation]:
    """All tables that the address means, by schema and name.

    Raises:
        MachineError: the connection broke.
    """
    address = database.address
    found: list[Relation] = []
    for (schema, name), rows in groupby(_listed(database), key=lambda row: (str(row[0]), str(row[1]))):
        if address.schema in ("", schema) and address.table in ("", name, f"{schema}.{name}"):
            found.append(Relation(database, schema, name, {str(row[2]): bool(row[3]) for row in rows}))
    return found


def _listed(database: Database) -> list[list[Any]]:
    return database.rows(_COLUMNS)


__all__ = ["Relation", "Stream", "relations"]
