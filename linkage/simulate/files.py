"""Rows to files: CSV, plain or gzipped, and Parquet; repeatable to the byte."""

import csv
import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from linkage import store
from linkage.errors import translate
from linkage.model import TABLES, ColumnType

_SQL_TYPES: Final[dict[ColumnType, str]] = {
    "text": "VARCHAR", "time": "TIMESTAMP", "bool": "BOOLEAN", "integer": "BIGINT",
}  # fmt: skip
_PART: Final = 2**20
"""Characters of CSV that are held before they are written."""


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds") + "Z"
    if isinstance(value, bool):
        return str(value).lower()
    return value


def _parts(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """CSV in parts of about `_PART` characters: a large table is never held as text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
        if out.tell() > _PART:
            yield out.getvalue().encode()
            out.seek(0)
            out.truncate()
    yield out.getvalue().encode()


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    """Write rows as CSV, compressed if `path` ends in `.gz`: the same rows give the same bytes.

    Values are text, numbers, booleans, times (UTC without a zone) or None; a key that is missing is None.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("wb") as file:
        if path.suffix != ".gz":
            file.writelines(_parts(columns, rows))
            return
        # Not the gzip module: what it writes into the header (a name, a time, a system) depends on Python's version.
        packer = zlib.compressobj(level=9, wbits=31)
        file.writelines(packer.compress(part) for part in _parts(columns, rows))
        file.write(packer.flush())


def write_parquet(path: Path, table: str, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    """Write rows of a contract table as Parquet, each column with the type that the contract gives it.

    The same rows give the same bytes with the same version of DuckDB.

    Raises:
        LinkageError: the file cannot be written.
    """
    types = {column.name: _SQL_TYPES[column.type] for column in TABLES[table] if column.name in columns}
    plain = path.with_suffix(".csv.part")
    try:
        write_csv(plain, columns, rows)
        con = store.connect(":memory:")
        try:
            # The order of rows in the file is that of the threads otherwise.
            con.execute("SET threads = 1")
            con.read_csv(str(plain), header=True, columns=types).write_parquet(str(path), compression="zstd")
        finally:
            con.close()
    except Exception as exc:
        path.unlink(missing_ok=True)
        raise translate(exc, f"writing {path}") from None
    finally:
        plain.unlink(missing_ok=True)
