"""Which exports Spark reads, from any path that it reads (a folder, `s3a://…`, `hdfs://…`), and what is in them.

A file's table comes from its name, as for `linkage ingest`; where the name says nothing, as with the parts that Spark
itself writes (`exchanges/part-00000-….parquet`), from the nearest folder that is named after a table.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from pyspark.sql import SparkSession

from linkage.errors import InputError, NotFoundError
from linkage.ingest.find import format_of, table_of
from linkage.ingest.shape import header_names
from linkage.ingest.sources import Format
from linkage.model import TABLES

_READ: Final = ("csv", "tsv", "jsonl", "parquet")

_AT_ONCE: Final = 32
"""Headers that are read at a time: a store far away answers each in its own time."""


@dataclass(frozen=True)
class Export:
    """Files of one table that are read alike.

    Attributes:
        table: the contract table.
        format: how to read them.
        delimiter: between columns; for `csv` and `tsv`.
        names: the columns in their order, as the files spell them; for `csv` and `tsv`.
        paths: of the files.
    """

    table: str
    format: Format
    delimiter: str
    names: tuple[str, ...]
    paths: tuple[str, ...]


def find(spark: SparkSession, paths: Sequence[str]) -> tuple[list[Export], list[str]]:
    """The exports below `paths`, and the files that no table's name fits.

    Raises:
        NotFoundError: a path that does not exist.
        InputError: nothing to read, a file without a header, one that lacks a required column, or aliases.
    """
    files: dict[tuple[str, Format], list[str]] = {}
    passed_over: list[str] = []
    for path in sorted({found for given in paths for found in _below(spark, given)}):
        parts = PurePosixPath(path).parts
        form, _ = format_of(parts[-1])
        table = table_of(parts[-1]) or next((t for part in reversed(parts[:-1]) if (t := table_of(part))), None)
        if form in _READ and table:
            files.setdefault((table, form), []).append(path)
        else:
            passed_over.append(path)
    if not files:
        raise InputError(
            f"No export in {', '.join(paths)}: no file is named after a table ({', '.join(TABLES)}), nor its folder.",
            "Name the files after their tables; .csv, .tsv, .jsonl and .parquet are read.",
        )
    exports: list[Export] = []
    for (table, form), found in sorted(files.items()):
        if table == "aliases":
            raise _no_joins(found[0])
        if form in ("csv", "tsv"):
            exports += _by_header(spark, table, form, found)
        else:
            exports.append(Export(table, form, "", (), tuple(found)))
    return exports, passed_over


def columns(export: Export, names: Sequence[str]) -> dict[str, str]:
    """Contract column to the name that the files give it.

    Raises:
        InputError: a required column is missing, one stands twice, or accounts have aliases.
    """
    contract = {column.name for column in TABLES[export.table]}
    found: dict[str, str] = {}
    for name in names:
        plain = name.strip().lower()
        if (export.table, plain) == ("accounts", "aliases"):
            raise _no_joins(export.paths[0])
        if plain in found:
            raise InputError(f"{export.paths[0]} has the column {plain} twice.", "Leave one of them out.")
        if plain in contract:
            found[plain] = name
    missing = [c.name for c in TABLES[export.table] if c.required and c.name not in found]
    if missing:
        raise InputError(
            f"{export.paths[0]} lacks the column {' and '.join(missing)} of {export.table}; it has: "
            f"{', '.join(names) or 'none'}.",
            "Rename the column, or name the file after the table that it holds.",
        )
    return found


def _no_joins(path: str) -> InputError:
    """Names that only one source gives would be accounts of their own, and nobody would know."""
    return InputError(
        f"{path} has aliases of accounts, and Spark joins none.",
        "Name accounts alike in all exports, or use linkage ingest and the engine linkage.",
    )


def _below(spark: SparkSession, path: str) -> list[str]:
    """The files at or below a path; hidden ones, and what Spark writes beside its parts, are left out."""
    jvm: Any = spark._jvm
    where = jvm.org.apache.hadoop.fs.Path(path)
    system = where.getFileSystem(spark._jsc.hadoopConfiguration())
    if not system.exists(where):
        raise NotFoundError(f"No such file or folder: {path}.")
    base = system.getFileStatus(where)
    if base.isFile():
        return [base.getPath().toString()]
    top = base.getPath().toString().rstrip("/")
    found = []
    files = system.listFiles(where, True)
    while files.hasNext():
        status = files.next()
        name = status.getPath().toString()
        if not any(part.startswith((".", "_")) for part in PurePosixPath(name.removeprefix(top)).parts):
            found.append(name)
    return found


def _by_header(spark: SparkSession, table: str, form: Format, paths: list[str]) -> list[Export]:
    """Spark maps columns by their place: files of one header go together."""
    alike: dict[tuple[tuple[str, ...], str], list[str]] = {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for path, header in zip(paths, pool.map(lambda path: _first_line(spark, path), paths), strict=True):
            alike.setdefault(header_names(path, form, header), []).append(path)
    return [Export(table, form, delimiter, names, tuple(found)) for (names, delimiter), found in alike.items()]


def _first_line(spark: SparkSession, path: str) -> str:
    """The first line of a text file, unpacked by its name's ending."""
    jvm: Any = spark._jvm
    conf = spark._jsc.hadoopConfiguration()
    where = jvm.org.apache.hadoop.fs.Path(path)
    stream = where.getFileSystem(conf).open(where)
    try:
        codec = jvm.org.apache.hadoop.io.compress.CompressionCodecFactory(conf).getCodec(where)
        plain = codec.createInputStream(stream) if codec else stream
        reader = jvm.java.io.BufferedReader(jvm.java.io.InputStreamReader(plain, "UTF-8"))
        return str(reader.readLine() or "").removeprefix("\ufeff")
    finally:
        stream.close()
