"""Which line of a file a record stands on, for the few records that were rejected."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linkage.ingest.sources import Source

_CHUNK = 1 << 24
_NEWLINE, _RETURN, _QUOTE = 10, 13, 34


@dataclass(frozen=True)
class Lines:
    """Lines, from 1.

    Attributes:
        records: of records by their number among those that were read.
        offsets: of rows that could not be split, by their byte offset.
    """

    records: dict[int, int]
    offsets: dict[int, int]


def of_records(source: Source, records: Sequence[int], torn: Sequence[int], total: int) -> Lines:
    """The lines of some records.

    Args:
        source: the file.
        records: numbers from 0 among the records that DuckDB read, rising.
        torn: byte offsets of the rows that it could not split, rising; blank lines may stand between offset and row.
        total: rows in all, torn ones included.

    Records that cannot be placed (an unclosed quote makes what follows ambiguous) are left out.
    """
    if not records and not torn:
        return Lines({}, {})
    if source.format == "parquet":
        return Lines({record: record + 1 for record in records}, {})
    # Where a row was torn, quotes do not pair up: its line is told by line breaks alone.
    physical = _starts(source, quoted=False).without_blank()
    places = np.searchsorted(physical.offsets, np.asarray(torn, dtype=np.int64))
    offsets = {
        offset: int(physical.lines[place])
        for offset, place in zip(torn, places.tolist(), strict=True)
        if place < len(physical.offsets)
    }
    header = int(source.format in ("csv", "tsv"))
    every = _starts(source, quoted=source.format != "jsonl") if records else physical
    # In a file of one column, DuckDB takes a blank line for a record.
    fitting = [starts for starts in (every.without_blank(), every) if len(starts.offsets) - header == total]
    if not fitting:
        return Lines({}, offsets)
    starts = fitting[0]
    places = np.searchsorted(starts.offsets, np.asarray(torn, dtype=np.int64))
    read = np.delete(starts.lines, places[places < len(starts.lines)])[header:]
    return Lines({record: int(read[record]) for record in records if record < len(read)}, offsets)


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
    offset, line, parity = 0, 1, 0
    previous = _NEWLINE  # a record starts after a line break that no quote holds
    open_before = False
    parts: list[_Starts] = []
    with source.open() as file:
        while chunk := file.read(_CHUNK):
            data = np.frombuffer(chunk, dtype=np.uint8)
            breaks = data == _NEWLINE
            inside = np.zeros(len(data), np.bool_)
            if quoted:
                counts = np.cumsum(data == _QUOTE) + parity
                inside = counts % 2 == 1
                parity = int(counts[-1] % 2)
            ends = breaks & ~inside
            begins = np.empty(len(data), np.bool_)
            begins[0] = previous == _NEWLINE and not open_before
            begins[1:] = ends[:-1]
            found = np.flatnonzero(begins)
            number = line + np.cumsum(breaks) - breaks
            # A carriage return alone at the start of a line is a blank line of a CRLF file.
            blank = breaks[found] | (data[found] == _RETURN)
            parts.append(_Starts(found + offset, number[found].astype(np.int64), blank))
            line += int(breaks.sum())
            previous, open_before = int(data[-1]), bool(inside[-1])
            offset += len(data)
    if not parts:
        return _Starts(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.bool_))
    return _Starts(
        np.concatenate([part.offsets for part in parts]),
        np.concatenate([part.lines for part in parts]),
        np.concatenate([part.blank for part in parts]),
    )
