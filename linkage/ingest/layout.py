"""How a file of the contract's own columns is read: what stands behind FROM, and the SQL of each column."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from linkage.errors import InputError
from linkage.ingest.shape import Header, csv_header
from linkage.ingest.sources import MAX_LINE, Source
from linkage.ingest.sql import identifier, json_path, literal
from linkage.model import TABLES

_SNIFFED: Final = 1_000


@dataclass(frozen=True)
class Layout:
    """How to read a file.

    Attributes:
        source: what stands behind FROM; if `numbered`, with a column `record`, the record's number from 0.
        parameters: of it.
        columns: SQL of each contract column.
        ignored: columns that the contract does not name, as the file spells them.
        counting: where it is `mapped`, SQL that counts the records and gives what `cards` looks at.
        numbered: whether the reader tells the number of each record.
    """

    source: str
    parameters: list[Any]
    columns: dict[str, str]
    ignored: tuple[str, ...]
    counting: str = ""
    numbered: bool = False

    @property
    def mapped(self) -> bool:
        """Whether rows are not records: a record may give none, or several."""
        return bool(self.counting)


def layout(con: duckdb.DuckDBPyConnection, source: Source) -> Layout:
    """How `source` is read where its columns have the contract's names.

    Raises:
        InputError: it is not what its name says, or lacks a required column.
    """
    found = {"csv": _csv, "tsv": _csv, "jsonl": _jsonl, "parquet": _parquet}[source.format](con, source)
    _check_columns(source, found)
    return found


def read_csv(source: Source, header: Header) -> tuple[str, list[Any]]:
    """What stands behind FROM to read a CSV file as c0, c1, …, all text, and its parameters."""
    columns = ", ".join(f"'c{at}': 'VARCHAR'" for at in range(len(header.names)))
    read = (
        f"read_csv(?, auto_detect = false, header = false, skip = {header.lines}, delim = ?, quote = '\"', "
        f"escape = '\"', columns = {{{columns}}}, compression = ?, store_rejects = true, rejects_limit = 0, "
        f"max_line_size = {MAX_LINE}, buffer_size = {2 * MAX_LINE}, hive_partitioning = false)"
    )
    return read, [source.pattern, header.delimiter, source.compression]


def _check_columns(source: Source, layout: Layout) -> None:
    missing = [c.name for c in TABLES[source.table] if c.required and c.name not in layout.columns]
    if missing and source.format != "jsonl":
        found = ", ".join([*layout.columns, *layout.ignored]) or "none"
        raise InputError(
            f"{source.path} lacks the column {' and '.join(missing)} of {source.table}; it has: {found}.",
            "Rename the column, or say which table it is with --table.",
        )


def _match(source: Source, names: Sequence[str]) -> tuple[dict[str, list[int]], tuple[str, ...]]:
    """Contract column to the places where `names` has it, in any case; and the names that the contract lacks."""
    contract = {column.name for column in TABLES[source.table]}
    places: dict[str, list[int]] = {}
    ignored = []
    for at, name in enumerate(names):
        plain = name.strip().lower()
        if plain in contract:
            places.setdefault(plain, []).append(at)
        elif plain and (source.table, plain) != ("accounts", "aliases"):
            # Aliases are a table of their own: see `find`.
            ignored.append(name.strip())
    return places, tuple(ignored)


def _csv(_con: duckdb.DuckDBPyConnection, source: Source) -> Layout:
    header = csv_header(source)
    places, ignored = _match(source, header.names)
    twice = [name for name, found in places.items() if len(found) > 1]
    if twice:
        raise InputError(f"{source.path} has the column {twice[0]} twice.", "Leave one of them out.")
    read, parameters = read_csv(source, header)
    return Layout(
        read,
        parameters,
        {name: f"c{found[0]}" for name, found in places.items()},
        ignored,
    )


def _jsonl(_con: duckdb.DuckDBPyConnection, source: Source) -> Layout:
    names: dict[str, None] = {}
    with source.open() as file:
        for _ in range(_SNIFFED):
            line = file.readline(MAX_LINE)
            if not line:
                break
            try:
                record = json.loads(line.decode("utf-8-sig"))
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict):
                names.update(dict.fromkeys(map(str, record)))
    places, ignored = _match(source, list(names))
    spelled = list(names)
    # Later lines may have columns that the first ones lack: the contract's own spelling stands for them.
    spellings = {
        column.name: [spelled[at] for at in places.get(column.name, [])] or [column.name]
        for column in TABLES[source.table]
    }
    common = f"ignore_errors = true, compression = ?, maximum_object_size = {MAX_LINE}, hive_partitioning = false"
    if any(len(found) > 1 for found in spellings.values()):
        # DuckDB takes no two names that differ in case only: look each up in the whole object instead.
        columns = {
            name: f"coalesce({', '.join(f'json ->> {literal(json_path([key]))}' for key in found)})"
            for name, found in spellings.items()
        }
        return Layout(f"read_ndjson_objects(?, {common})", [source.pattern, source.compression], columns, ignored)
    listed = ", ".join(f"{literal(found[0])}: 'VARCHAR'" for found in spellings.values())
    columns = {name: identifier(found[0]) for name, found in spellings.items()}
    read = f"read_ndjson(?, columns = {{{listed}}}, {common})"
    return Layout(read, [source.pattern, source.compression], columns, ignored)


def _parquet(con: duckdb.DuckDBPyConnection, source: Source) -> Layout:
    # A folder named `key=value` would become a column, in place of the file's own.
    read = "read_parquet(?, binary_as_string = true, hive_partitioning = false)"
    described = con.execute(
        f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {read})", [source.pattern]
    ).fetchall()
    names = [str(row[0]) for row in described]
    places, ignored = _match(source, names)
    columns = {}
    for name, found in places.items():
        kind = str(described[found[0]][1])
        if len(found) > 1:
            raise InputError(f"{source.path} has the column {name} twice.", "Leave one of them out.")
        if kind.endswith("]") or kind.partition("(")[0] in ("STRUCT", "MAP", "UNION", "BLOB"):
            raise InputError(
                f"{source.path}: the column {name} holds {kind.partition('(')[0].lower()} values, not plain ones.",
                "Write it as text, a number or a time.",
            )
        columns[name] = f"{identifier(names[found[0]])}::VARCHAR"
    # A column of the file's own would hide the reader's.
    numbered = not {"record", "file_row_number"} & {name.lower() for name in names}
    rows = f"(SELECT *, file_row_number AS record FROM {read})" if numbered else read
    return Layout(rows, [source.pattern], columns, ignored, numbered=numbered)
