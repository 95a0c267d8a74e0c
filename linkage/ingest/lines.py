"""Which line of a file each record stands on."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Final

import duckdb
import numpy as np
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType
from numpy.typing import NDArray

from linkage.errors import InputError
from linkage.ingest.shape import csv_header
from linkage.ingest.sources import MAX_LINE, Source
from linkage.kernel import kernel

_CHUNK = 1 << 24
_NUMBERS = itertools.count()
_NEWLINE: Final = 10
_RETURN: Final = 13
_QUOTE: Final = 34


@dataclass(frozen=True)
class Lines:
    """Lines, from 1; in Parquet, rows, and in a JSON document, records.

    Attributes:
        first: the line of the first record, where each record stands on the line after the one before; else None.
        each: int64[R], the line of each record, where there is no `first`. Records beyond its end cannot be placed.
        offsets: of rows that could not be split, by their byte offset.
    """

    first: int | None
    each: NDArray[np.int64]
    offsets: dict[int, int]

    def of(self, record: int) -> int | None:
        """The line of a record by its number from 0 among those that were read; None if it cannot be told."""
        if self.first is not None:
            return self.first + record
        return int(self.each[record]) if record < len(self.each) else None

    def sql(self, con: duckdb.DuckDBPyConnection, record: str) -> str:
        """SQL for the line of `record`, the SQL of a record's number, on `con`, until this is asked for other lines."""
        if self.first is not None:
            return f"({record} + {self.first})"
        if not len(self.each):
            return "NULL::BIGINT"
        known = "SELECT function_name FROM duckdb_functions() WHERE starts_with(function_name, 'line_of_')"
        for (stale,) in con.execute(known).fetchall():
            con.remove_function(stale)
        # A name of its own: one that a transaction made which was rolled back can neither be made again nor removed.
        name = f"line_of_{next(_NUMBERS)}"
        con.create_function(
            name, _looking_up(self.each), ["BIGINT"], "BIGINT", type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL,
        )  # fmt: skip
        return f"{name}({record})"


def _looking_up(each: NDArray[np.int64]) -> Callable[[pa.ChunkedArray], pa.Array]:
    def look_up(records: pa.ChunkedArray) -> pa.Array:
        at = records.to_numpy()
        known = at < len(each)
        return pa.array(each[np.where(known, at, 0)], mask=~known)

    return look_up


def of_records(source: Source, torn: Sequence[int], total: int) -> Lines:
    """The lines of all records of a file.

    Args:
        source: the file.
        torn: byte offsets of the rows that DuckDB could not split, rising; blank lines may stand between offset and
            row.
        total: rows in all, torn ones included.

    Records that cannot be placed (an unclosed quote makes what follows ambiguous) are left out.
    """
    nowhere = np.zeros(0, np.int64)
    if source.relation:
        # The rows of a table have no order.
        return Lines(None, nowhere, {})
    if source.format in ("parquet", "json"):
        return Lines(1, nowhere, {})
    header = csv_header(source).lines if source.format in ("csv", "tsv") else 0
    # A record takes a line or more: where there are no more lines than records, each takes one, and none is blank.
    count = _count(source)
    if not torn and count == header + total:
        return Lines(header + 1, nowhere, {})
    offsets: dict[int, int] = {}
    if torn:
        # Where a row was torn, quotes do not pair up: its line is told by line breaks alone.
        physical = _starts(source, quoted=False).without_blank()
        places = np.searchsorted(physical.offsets, np.asarray(torn, dtype=np.int64))
        offsets = {
            offset: int(physical.lines[place])
            for offset, place in zip(torn, places.tolist(), strict=True)
            if place < len(physical.offsets)
        }
    every = _starts(source, quoted=source.format in ("csv", "tsv"))
    # In a file of one column, DuckDB takes a blank line for a record.
    fitting = [starts for starts in (every.without_blank(), every) if len(starts.offsets) - header == total]
    if not fitting:
        return Lines(None, nowhere, offsets)
    starts = fitting[0]
    places = np.searchsorted(starts.offsets, np.asarray(torn, dtype=np.int64))
    return Lines(None, np.delete(starts.lines, places[places < len(starts.lines)])[header:], offsets)


def bounded(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file, of each no more than `MAX_LINE` bytes: a line may be as long as the machine's memory."""
    while line := file.readline(MAX_LINE):
        yield line
        while len(line) == MAX_LINE and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE)


def _count(source: Source) -> int:
    """Lines of a file; the last one may lack its line break.

    Raises:
        InputError: a CSV file has a line that fills a whole piece: DuckDB passes over a row longer than its buffer, and
            tells nobody.
    """
    breaks, last = 0, _NEWLINE
    with source.open() as file:
        while chunk := file.read(_CHUNK):
            found = int(np.count_nonzero(np.frombuffer(chunk, dtype=np.uint8) == _NEWLINE))
            if not found and len(chunk) == _CHUNK and source.format in ("csv", "tsv"):
                raise InputError(f"{source.path} has a line longer than {_CHUNK >> 20} MiB.", "Leave it out.")
            breaks += found
            last = chunk[-1]
    return breaks + int(last != _NEWLINE)


@dataclass(frozen=True)
class _Starts:
    """Where records start: byte offsets, line numbers from 1, and whether nothing stands there."""

    offsets: NDArray[np.int64]
    lines: NDArray[np.int64]
    blank: NDArray[np.bool_]

    def without_blank(self) -> "_Starts":
        keep = ~self.blank
        return _Starts(self.offsets[keep], self.lines[keep], self.blank[keep])


def _starts(source: Source, *, quoted: bool) -> _Starts:
    """The starts of all records; if `quoted`, a line break inside quotes ends none."""
    offset, line = 0, 1
    begins, inside = True, False
    parts: list[_Starts] = []
    with source.open() as file:
        while chunk := file.read(_CHUNK):
            data = np.frombuffer(chunk, dtype=np.uint8)
            found, lines, blank, line, begins, inside = _scan(data, line, begins, inside, quoted)
            parts.append(_Starts(found + offset, lines, blank))
            offset += len(data)
    if not parts:
        return _Starts(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.bool_))
    return _Starts(
        np.concatenate([part.offsets for part in parts]),
        np.concatenate([part.lines for part in parts]),
        np.concatenate([part.blank for part in parts]),
    )


@kernel
def _scan(data, line, begins, inside, quoted):  # type: ignore[no-untyped-def]
    """The starts in a piece of a file, and the state at its end: line, whether a record begins, whether in quotes."""
    most = 1
    for at in range(len(data)):
        most += data[at] == _NEWLINE
    offsets, lines = np.empty(most, np.int64), np.empty(most, np.int64)
    blank = np.empty(most, np.bool_)
    filled = 0
    for at in range(len(data)):
        byte = data[at]
        if begins:
            offsets[filled], lines[filled] = at, line
            # A carriage return alone at the start of a line is a blank line of a CRLF file.
            blank[filled] = byte in (_NEWLINE, _RETURN)
            filled += 1
            begins = False
        if byte == _NEWLINE:
            line += 1
            begins = not inside
        elif quoted and byte == _QUOTE:
            inside = not inside
    return offsets[:filled].copy(), lines[:filled].copy(), blank[:filled].copy(), line, begins, inside
