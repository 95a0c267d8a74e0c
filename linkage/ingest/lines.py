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
    starts, numbers = _starts(source)
    if source.format in ("csv", "tsv"):
        starts, numbers = starts[1:], numbers[1:]  # the header
    place = np.minimum(np.searchsorted(starts, np.asarray(torn, dtype=np.int64)), max(len(starts) - 1, 0))
    offsets = {offset: int(numbers[at]) for offset, at in zip(torn, place.tolist(), strict=True)} if len(starts) else {}
    if len(starts) != total:
        return Lines({}, offsets)
    read = np.delete(numbers, place) if len(torn) else numbers
    return Lines({record: int(read[record]) for record in records if record < len(read)}, offsets)


def _starts(source: Source) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Byte offset and line number of every record that is not blank. A line break inside quotes ends no record."""
    quoted = source.format != "jsonl"
    offset, line, parity = 0, 1, 0
    previous = _NEWLINE  # a record starts after a line break that no quote holds
    open_before = False
    starts: list[NDArray[np.int64]] = []
    numbers: list[NDArray[np.int64]] = []
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
            blank = breaks | (data == _RETURN)
            found = np.flatnonzero(begins & ~blank)
            # A carriage return alone at the start of a line is a blank line of a CRLF file.
            number = line + np.cumsum(breaks) - breaks
            starts.append(found + offset)
            numbers.append(number[found])
            line += int(breaks.sum())
            previous, open_before = int(data[-1]), bool(inside[-1])
            offset += len(data)
    if not starts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate(starts), np.concatenate(numbers).astype(np.int64)
