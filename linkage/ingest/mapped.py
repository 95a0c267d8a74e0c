"""How a file of other columns is read: what its mapping says, as SQL with the contract's columns.

records     what the file holds, numbered in its order
values      the text of each value that the mapping names
rows        of each record those contract rows that say anything
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import duckdb
from duckdb.func import FunctionNullHandling, PythonUDFType

from linkage.errors import InputError
from linkage.ingest import cards
from linkage.ingest import normalise as n
from linkage.ingest.layout import Layout, read_csv
from linkage.ingest.locate import Cells, has, steps
from linkage.ingest.mapping import Preset, Row, Value
from linkage.ingest.messages import prompts_of
from linkage.ingest.shape import Header, Shape, csv_header, inside, look
from linkage.ingest.sources import MAX_LINE, Source
from linkage.ingest.sql import literal
from linkage.model import TABLES

RELATION: Final = "relation"
"""The view that stands for a table of a database: its rows as JSON, in a column of that name."""

_NAMES: Final = frozenset({"account_id", "other_account_id"})
# Of these a row without the one value that matters says nothing; of the others, one with an account and a time alone.
_OPEN: Final = frozenset({"accounts", "logins"})


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Give `con` the functions that the expressions use, beside those of `normalise.prepare`."""
    con.create_function(
        "prompt_of", prompts_of, ["VARCHAR"], "VARCHAR", type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )  # fmt: skip
    cards.prepare(con)


def start(source: Source, preset: Preset | None) -> Shape:
    """The start of a file as `preset` reads it: the records in its document, the groups in its lines.

    Raises:
        InputError: it is not what its name says.
    """
    shape = look(source)
    if source.format == "log":
        pattern = re.compile(preset.line if preset and preset.line else "(?P<line>.*)")
        matches = [match for record in shape.records if (match := pattern.fullmatch(record[""]))]
        return Shape(tuple(pattern.groupindex), tuple(match.groupdict() for match in matches))
    if shape.document and preset and preset.records:
        within = inside(shape, preset.records)
        return replace(within, path=preset.records) if within.records else shape
    return shape


def mapped(source: Source) -> Layout:
    """How `source` is read through its mapping.

    Raises:
        InputError: it is not what its name says, or nothing in it names the account.
    """
    reading = source.reading
    assert reading is not None
    shape = start(source, source.preset)
    read, parameters, names = _records(source, shape)
    cells = Cells(shape, names)
    values: dict[Value, str] = {}
    rows = [_row(source, cells, row, values) for row in reading.rows]
    columns = list(dict.fromkeys(column for row in rows for column in row if column != "told"))
    structs = ", ".join(_struct([*columns, "told"], row) for row in rows)
    looked = {str(name).strip(): f"c{at}" for at, name in enumerate(names or ())} or {
        value.paths[0]: sql for value, sql in values.items()
    }
    inner = f"(SELECT {cells.inner} FROM {read})"
    listed = ", ".join(f"{sql} AS v{at}" for at, sql in enumerate(values.values())) or "NULL AS nothing"
    select = "*"
    if reading.listed:
        select = f"* REPLACE (unnest({_items(reading.listed)}) AS {reading.listed})"
    query = (
        f"(SELECT {select} FROM (SELECT record, unnest([{structs}], recursive := true) FROM "
        f"(SELECT record, {listed} FROM (SELECT row_number() OVER () - 1 AS record, {cells.outer} FROM {inner}))) "
        "WHERE told)"
    )
    found = {name: f'"{name}"' for name in columns}
    _refuse_lacking(source, found)
    counting = cards.counting(looked, f"(SELECT {cells.outer} FROM {inner})" if names is None else inner)
    return Layout(query, parameters, found, _ignored(source, shape), counting, numbered=True)


def _records(source: Source, shape: Shape) -> tuple[str, list[Any], tuple[str, ...] | None]:
    """What stands behind FROM, its parameters, and the names of columns c0, c1, …; None where a record is in `json`."""
    if source.format in ("csv", "tsv"):
        header = csv_header(source)
        return (*read_csv(source, header), header.names)
    if source.format == "log":
        assert source.preset is not None
        read, parameters = read_csv(source, Header(("line",), "\1", 0))
        groups = ", ".join(map(literal, shape.names))
        columns = ", ".join(f'j."{name}" AS c{at}' for at, name in enumerate(shape.names))
        split = f"SELECT regexp_extract(c0, {literal(source.preset.line)}, [{groups}]) AS j FROM {read}"
        return f"(SELECT {columns} FROM ({split}))", parameters, shape.names
    if source.relation:
        return RELATION, [], None
    if source.format == "parquet":
        read = "read_parquet(?, binary_as_string = true, hive_partitioning = false)"
        return f"(SELECT to_json(t) AS json FROM {read} t)", [source.pattern], None
    form = {"lines": "newline_delimited", "array": "array", "object": "unstructured"}[shape.document or "lines"]
    # One object around all records is as long as the file.
    largest = MAX_LINE if shape.document != "object" else 1 << 26
    errors = "ignore_errors = true, " if form == "newline_delimited" else ""
    read = (
        f"read_json_objects(?, format = '{form}', {errors}compression = ?, maximum_object_size = {largest}, "
        "hive_partitioning = false)"
    )
    if shape.path:
        read = f"(SELECT unnest(json_extract(json, {literal('$.' + shape.path)})) AS json FROM {read})"
    return read, [source.pattern, source.compression], None


def _row(source: Source, cells: Cells, row: Row, values: dict[Value, str]) -> dict[str, str]:
    """SQL of each contract column that the file fills, by the values v0, v1, …, and of `told`: it says anything."""
    assert source.reading is not None
    found: dict[str, str] = {}
    for column in TABLES[source.table]:
        value = row.columns.get(column.name)
        if value is None:
            continue
        if not value.paths:
            found[column.name] = literal(value.text)
            continue
        at = _value(source, cells, value, values)
        if at:
            found[column.name] = _named(source, value, at) if column.name in _NAMES else at
    conditions = []
    for path, allowed in row.only:
        at = _value(source, cells, Value((path,)), values)
        if not at:
            continue
        conditions.append(f"coalesce(lower({at}) IN ({', '.join(literal(word.lower()) for word in allowed)}), false)")
    if source.preset or not source.reading.first:
        given = {name: n.no_placeholder(sql) for name, sql in found.items() if not sql.startswith("'")}
        needed = [c.name for c in TABLES[source.table] if c.required and c.name not in ("account_id", "at")]
        if not source.reading.first:
            needed.append("account_id")
        conditions += [f"{given[name]} IS NOT NULL" for name in needed if name in given]
        if source.table in _OPEN:
            others = [sql for name, sql in given.items() if name not in ("account_id", "at")]
            conditions.append(f"coalesce({', '.join([*others, 'NULL'])}) IS NOT NULL")
        if any(name not in found for name in needed):
            conditions.append("false")
    return {**found, "told": " AND ".join(conditions) or "true"}


def _items(sql: str) -> str:
    """The values in a text that holds several: as JSON, or with a semicolon or bar between them."""
    items = (
        f"CASE WHEN {sql} LIKE '[%' AND json_valid({sql}) THEN json_extract_string({sql}, '$[*]') "
        f"WHEN {sql} LIKE '{{%' AND json_valid({sql}) THEN json_extract_string({sql}, '$.*') "
        f"ELSE regexp_split_to_array({sql}, '[;|]') END"
    )
    return f"list_filter({items}, lambda x: trim(x) <> '')"


def _value(source: Source, cells: Cells, value: Value, values: dict[Value, str]) -> str:
    """The name of the value's text; "" if the file has nothing for it."""
    if value not in values:
        paths = [place for path in value.paths for place in (source.preset.places(path) if source.preset else (path,))]
        texts = [_read(value.reader, n.text(sql)) for sql in dict.fromkeys(map(cells.sql, paths)) if sql]
        if not texts:
            return ""
        # Of several, the first that says anything: logs write a dash for nothing.
        said = ", ".join(f"nullif({text}, '-')" for text in texts)
        values[value] = f"coalesce({said})" if texts[1:] else texts[0]
    return f"v{list(values).index(value)}"


def _read(reader: str, sql: str) -> str:
    if reader == "address":
        # Proxies append to a list; a port may follow; where a service itself called, its name stands there.
        first = f"trim(split_part({sql}, ',', 1))"
        bare = rf"regexp_replace(regexp_replace({first}, '^\[(.*)\](:[0-9]+)?$', '\1'), '^([0-9.]+):[0-9]+$', '\1')"
        return f"CASE WHEN NOT regexp_full_match({first}, '[A-Za-z][A-Za-z0-9 .-]*') THEN {bare} END"
    if reader == "e-mail":
        return f"CASE WHEN {n.is_email(sql)} THEN {sql} END"
    if reader == "log time":
        read = f"try_strptime({sql}, '%d/%b/%Y:%H:%M:%S %z')"
        return f"coalesce(strftime({read}, '%Y-%m-%dT%H:%M:%SZ'), {sql})"
    if reader == "nanoseconds":
        micros = f"(TRY_CAST({sql} AS HUGEINT) // 1000)::VARCHAR"
        return f"CASE WHEN regexp_full_match({sql}, '[0-9]{{16,20}}') THEN {micros} ELSE {sql} END"
    return f"prompt_of({sql})" if reader == "prompt" else sql


def _named(source: Source, value: Value, sql: str) -> str:
    """An account's name: never an e-mail in the open; the header's own, where the header stands in the rows again."""
    name = n.account_name(sql)
    if source.format not in ("csv", "tsv"):
        return name
    again = ", ".join(literal(path.lower()) for path in value.paths)
    return f"CASE WHEN lower({sql}) IN ({again}) THEN 'account_id' ELSE {name} END"


def _struct(columns: Sequence[str], row: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"'{name}': {row.get(name, 'NULL::VARCHAR')}" for name in columns) + "}"


def _refuse_lacking(source: Source, found: Mapping[str, str]) -> None:
    missing = [c.name for c in TABLES[source.table] if c.required and c.name not in found]
    if not missing:
        return
    what = source.preset.title if source.preset else source.table
    hint = source.preset.lacking if source.preset else ""
    raise InputError(
        f"{source.path}, read as {what}, has no column for {' and '.join(missing)}.",
        hint or f"Say which column it is: --map {missing[0]}=COLUMN.",
    )


def needed(source: Source) -> tuple[str, ...]:
    """The columns that the mapping of `source` reads."""
    assert source.reading is not None
    shape = look(source)
    paths = {path for row in source.reading.rows for value in row.columns.values() for path in value.paths}
    paths |= {path for row in source.reading.rows for path, _ in row.only}
    if source.preset:
        paths = {place for path in paths for place in source.preset.places(path)}
    ways = [way for path in sorted(paths) if (way := steps(shape, path))]
    return tuple(dict.fromkeys(name for ((_, name), *_) in ways))


def _ignored(source: Source, shape: Shape) -> tuple[str, ...]:
    """Columns that the mapping does not know."""
    if source.reading is None or not source.reading.first or source.format == "log":
        return ()
    used = {path for row in source.reading.rows for value in row.columns.values() for path in value.paths}
    if source.preset:
        for reading in source.preset.readings:
            used |= {path for row in reading.rows for value in row.columns.values() for path in value.paths}
        used |= {*source.preset.signs, *source.preset.columns}
    known = {path.lower() for path in used} | {path.partition(".")[0].lower() for path in used}
    return tuple(name.strip() for name in shape.names if name.strip() and name.strip().lower() not in known)


__all__ = ["RELATION", "has", "mapped", "needed", "prepare", "start"]
