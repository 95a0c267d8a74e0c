"""The start of a file: how it is laid out, what its columns are called, and what its first records say."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from linkage.errors import InputError
from linkage.ingest.sources import MAX_LINE, Format, Source

Document = Literal["", "lines", "array", "object"]

SAMPLE: Final = 100
"""Records that are looked at."""

_LARGEST_DOCUMENT: Final = 64 << 20
_DELIMITERS: Final = ",;|\t"


@dataclass(frozen=True)
class Header:
    """The header of a CSV file.

    Attributes:
        names: the columns as the file spells them.
        delimiter: what stands between them.
        lines: up to and with the header.
    """

    names: tuple[str, ...]
    delimiter: str
    lines: int


@dataclass(frozen=True)
class Shape:
    """What the start of a file shows.

    Attributes:
        names: of columns, or the keys of records; empty in a text log.
        records: the first ones, by column; in a text log a line each, under "".
        document: of JSON, how the objects stand in it.
        path: of JSON, where the records lie in these objects, e.g. `Records[*]`; "" if they are the records.
    """

    names: tuple[str, ...]
    records: tuple[Mapping[str, Any], ...]
    document: Document = ""
    path: str = ""

    @cached_property
    def spelled(self) -> Mapping[str, str]:
        """Each name in lower case to how the file spells it first."""
        return {name.strip().lower(): name for name in reversed(self.names)}


def csv_header(source: Source) -> Header:
    """The header of a CSV or TSV file; a line `sep=;` before it, as Excel writes, says the delimiter.

    Raises:
        InputError: there is none that can be told.
    """
    with source.open() as file:
        first = file.readline(MAX_LINE)
        told = re.fullmatch(rb'(?:\xef\xbb\xbf)?"?sep=([,;|\t])"?\r?\n', first)
        if told:
            first = file.readline(MAX_LINE)
    try:
        header = first.decode("utf-8-sig").rstrip("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise InputError(f"{source.path} is no UTF-8 text.", "Export it as UTF-8.") from None
    names, delimiter = header_names(str(source.path), source.format, header, told[1].decode() if told else "")
    return Header(names, delimiter, 2 if told else 1)


def header_names(what: str, form: Format, header: str, delimiter: str = "") -> tuple[tuple[str, ...], str]:
    """The names in the first line of a CSV or TSV file, and what stands between them: `delimiter` where it is told.

    Raises:
        InputError: there are none that can be told.
    """
    if not header.strip() or "\0" in header:
        raise InputError(f"{what} has no header line.", "Export it with column names in the first line.")
    unquoted = re.sub('"[^"]*"', "", header)
    if "\r" in header or '"' in unquoted:
        raise InputError(
            f"{what} has a line break inside its header, or lines that end in a carriage return alone.",
            "Export it with one line for the header, and line feeds.",
        )
    delimiter = delimiter or ("\t" if form == "tsv" else max(_DELIMITERS, key=unquoted.count))
    try:
        return tuple(next(csv.reader(io.StringIO(header), delimiter=delimiter))), delimiter
    except csv.Error:
        raise InputError(f"{what} has no header line.", "Is it what its name says?") from None


def look(source: Source) -> Shape:
    """The start of `source`.

    Raises:
        InputError: it is not what its name says.
    """
    if source.relation:
        return source.relation.shape
    if source.format in ("csv", "tsv"):
        return _csv(source)
    if source.format == "parquet":
        return _parquet(source)
    if source.format == "log":
        return Shape((), tuple({"": line} for line in _lines(source)))
    return _json(source)


def _lines(source: Source, skip: int = 0) -> Iterator[str]:
    """The first `SAMPLE` lines, as far as they fit into the longest that one may be."""
    left = MAX_LINE
    with source.open() as file:
        for at in range(SAMPLE + skip):
            line = file.readline(left)
            if not line:
                return
            left -= len(line)
            if at >= skip:
                yield line.decode("utf-8-sig", "replace").rstrip("\r\n")


def _csv(source: Source) -> Shape:
    header = csv_header(source)
    records = []
    try:
        for row in csv.reader(_lines(source, header.lines), delimiter=header.delimiter):
            if row:
                records.append(dict(zip(header.names, row, strict=False)))
    except csv.Error:
        # What breaks it further on is told line by line when all of it is read.
        pass
    return Shape(header.names, tuple(records))


def _parquet(source: Source) -> Shape:
    try:
        with pq.ParquetFile(source.path) as file:
            names = tuple(file.schema_arrow.names)
            batch = next(file.iter_batches(batch_size=SAMPLE), None)
    except (pa.ArrowException, OSError, ValueError):
        raise InputError(f"{source.path} cannot be read as Parquet.", "Is it what its name says?") from None
    return Shape(names, tuple(batch.to_pylist()) if batch is not None else ())


def _json(source: Source) -> Shape:
    """Records of JSON Lines, of an array, or one object that holds them, whatever the file's ending says."""
    parsed = []
    for line in _lines(source):
        try:
            parsed.append(json.loads(line))
        except (ValueError, RecursionError):
            parsed.append(None)
    records = [record for record in parsed if isinstance(record, dict)]
    if source.format == "jsonl" or (records and (len(parsed) > 1 or not _holds_records(records[0]))):
        return _of(records, "lines")
    with source.open() as file:
        text = file.read(_LARGEST_DOCUMENT + 1)
    if len(text) > _LARGEST_DOCUMENT:
        raise InputError(
            f"{source.path} is one JSON document of more than {_LARGEST_DOCUMENT >> 20} MiB.",
            "Write it as JSON Lines, e.g. by jq -c '.[]'.",
        )
    try:
        whole = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise InputError(f"{source.path} cannot be read as JSON.", "Is it cut off? Export it again.") from None
    if isinstance(whole, list):
        return _of([record for record in whole[:SAMPLE] if isinstance(record, dict)], "array")
    return _of([whole] if isinstance(whole, dict) else [], "object")


def _holds_records(record: Mapping[str, Any]) -> bool:
    """Whether it is an object around records, such as `{"Records": [{…}, …]}`, and no record itself."""
    values = [value for value in record.values() if isinstance(value, list)]
    return any(value and isinstance(value[0], dict) for value in values)


def _of(records: Sequence[Mapping[str, Any]], document: Document) -> Shape:
    return Shape(tuple(dict.fromkeys(name for record in records for name in record)), tuple(records), document)


def inside(shape: Shape, records: str) -> Shape:
    """The records that lie under a path such as `Records[*]` in those of `shape`; nothing if there are none."""
    found: list[Any] = list(shape.records)
    for part in records.split("."):
        key = part.removesuffix("[*]")
        found = [value.get(key) for value in found if isinstance(value, dict)]
        found = [item for value in found if isinstance(value, list) for item in value]
    return _of([record for record in found if isinstance(record, dict)][:SAMPLE], shape.document)
