"""How files would be read, shown before anything is written: each column, where it comes from, and the first rows."""

import secrets
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from linkage.errors import InputError
from linkage.ingest import mapped, normalise
from linkage.ingest.find import Told, find
from linkage.ingest.normalise import Rules
from linkage.ingest.projection import checks
from linkage.ingest.sources import Source
from linkage.ingest.stage import plan
from linkage.ingest.unreadable import reading_errors
from linkage.model import TABLES
from linkage.secret import Key

ROWS: Final = 3
"""Rows that are shown."""


@dataclass(frozen=True)
class Line:
    """How one column would be read.

    Attributes:
        column: of the contract.
        source: where its value comes from; "" if the file has nothing for it.
        values: of the first rows, as the case would keep them; private ones masked.
    """

    column: str
    source: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Explained:
    """How a file would be read as one table.

    Attributes:
        path, table: the file, and the contract table.
        preset, why: the source that it was recognised as, and by what; "" where its columns are the contract's.
        lines: the columns that it fills, in the contract's order.
        faults: of the first rows, why each would be set aside, or "".
        ignored: its columns that are not read.
        error: why it would be refused whole, or "".
    """

    path: Path
    table: str
    preset: str = ""
    why: str = ""
    lines: tuple[Line, ...] = ()
    faults: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    error: str = ""


def explain(
    paths: Sequence[Path | str], *, table: str | None = None, preset: str | None = None, maps: Sequence[str] = ()
) -> tuple[Explained, ...]:
    """How `paths` would be read; options as in `ingest`. Nothing is written, and no key is made.

    Raises:
        InputError: nothing to read.
        NotFoundError: a path that does not exist.
        UsageError: what is told is no table, preset or mapping.
    """
    with closing(find(paths, Told(table, preset, tuple(maps)))) as found:
        shown = [_one(source) for source in found.sources]
    shown += [Explained(refused.path, "", error=_sentence(refused.error)) for refused in found.refused]
    return tuple(sorted(shown, key=lambda one: str(one.path)))


def _one(source: Source) -> Explained:
    title = source.preset.title if source.preset else ""
    try:
        with duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False}) as con:
            con.execute("SET temp_directory = ''; SET TimeZone = 'UTC'")
            # What stands for a private value is shown nowhere, so any key will do.
            normalise.prepare(con, Key(secrets.token_bytes(32)))
            mapped.prepare(con)
            how = plan(con, source, Rules())
            with reading_errors(source):
                cursor = con.execute(f"SELECT * FROM ({how.select}) LIMIT {ROWS}", how.parameters)
                names = [column[0] for column in cursor.description or ()]
                rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except InputError as exc:
        return Explained(source.path, source.table, title, source.why, error=_sentence(exc))
    lines = tuple(
        Line(column.name, _from(source, column.name), tuple(_shown(source.table, column.name, row) for row in rows))
        for column in TABLES[source.table]
        if column.name in how.columns
    )
    tests = checks(source.table)
    faults = tuple("" if row["broken"] is None else tests[row["broken"]].reason for row in rows)
    return Explained(source.path, source.table, title, source.why, lines, faults, how.ignored)


def _sentence(error: InputError) -> str:
    return f"{error.message} {error.hint}".strip()


def _from(source: Source, column: str) -> str:
    if source.reading is None:
        return column
    values = [str(row.columns[column]) for row in source.reading.rows if column in row.columns]
    return "; ".join(dict.fromkeys(values))


def _shown(table: str, column: str, row: dict[str, Any]) -> str:
    """What the case would keep of a value, or the mask that it shows of a private one."""
    if row["broken"] is not None:
        return ""
    if column == "prompt":
        return "***" if row["prompt"] is not None else ""
    value = row.get(f"{column}_label", row.get(column))
    if table == "identifiers" and column == "value":
        value = row["label"] or row["value"]
    return "" if value is None else str(value)
