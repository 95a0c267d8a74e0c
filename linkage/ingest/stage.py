"""Read one file into the table `stage` of a scratch database: normalised rows in file order, broken ones marked.

DuckDB does the reading. The row's place in `stage` is its record's number in the file, from which `lines` finds the
line of a reject. DuckDB's own reject tables hold raw lines: they live in memory, and the scratch connection has no
temporary folder to spill them to.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from linkage.errors import InputError, MachineError, translate
from linkage.ingest import lines
from linkage.ingest.normalise import Rules, text
from linkage.ingest.projection import STORED, checks, projection
from linkage.ingest.sources import Source, check_whole
from linkage.model import TABLES

MAX_LINE: Final = 16 << 20
"""The longest line that is read, in bytes; longer ones are rejected."""

_SNIFFED_LINES: Final = 1_000
_DELIMITERS: Final = ",;|\t"


@dataclass(frozen=True)
class Reject:
    """A row that was set aside.

    Attributes:
        line: its line in the file, from 1 (in Parquet: its row); None if it cannot be told.
        column: the offending column, "" if the row itself is broken.
        reason: why.
        excerpt: the offending column's text, `***` where it is private.
    """

    line: int | None
    column: str
    reason: str
    excerpt: str | None


@dataclass(frozen=True)
class Staged:
    """What reading a file gave; the rows themselves are in the table `stage`.

    Attributes:
        rows: records in the file, broken ones included.
        rejects: the broken ones, by line.
        placeholders: values that stand for "nothing" and were left out.
        ignored: columns that the contract does not name, as the file spells them.
        place: the lines of the records.
    """

    rows: int
    rejects: tuple[Reject, ...]
    placeholders: int
    ignored: tuple[str, ...]
    place: lines.Lines


@dataclass(frozen=True)
class _Layout:
    """How to read a file: FROM clause and its parameters, SQL of each contract column, ignored columns."""

    source: str
    parameters: list[Any]
    columns: dict[str, str]
    ignored: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """How to read a file.

    Attributes:
        source: the file.
        select: the SELECT of `projection`.
        counting: one that counts rows, and the values of the columns `counted`, as they are.
        counted: identifier columns that go in one to one: what is missing of them was a placeholder.
        parameters: of both.
        ignored: columns that the contract does not name.
        prompts: the file has raw prompts, whose sketches go into a table of their own.
        noting: a SELECT that gives `note_words` all of them; empty where no skeletons are kept.
    """

    source: Source
    select: str
    counting: str
    counted: tuple[str, ...]
    parameters: list[Any]
    ignored: tuple[str, ...]
    prompts: bool
    noting: str


def plan(con: duckdb.DuckDBPyConnection, source: Source, rules: Rules) -> Plan:
    """Look at `source` and say how to read it on `con`, which `normalise.prepare` has prepared.

    Raises:
        InputError: the file cannot be read as what its name says, or lacks a required column.
    """
    layouts = {"csv": _csv_layout, "tsv": _csv_layout, "jsonl": _jsonl_layout, "parquet": _parquet_layout}
    with _telling(source):
        check_whole(source)
        layout = layouts[source.format](con, source)
        _check_columns(source, layout)
    select = projection(source.table, layout.columns, layout.source, rules)
    counted = tuple(c.name for c in TABLES[source.table] if c.kind not in ("", "prompt") and c.name in layout.columns)
    values = "".join(f", count(nullif(trim({layout.columns[name]}), ''))" for name in counted)
    counting = f"SELECT count(*){values} FROM {layout.source}"
    raw_prompts = source.table == "exchanges" and "prompt" in layout.columns
    noting = ""
    if raw_prompts and rules.skeletons:
        noting = f"SELECT sum(note_words({text(layout.columns['prompt'])})) FROM {layout.source}"
    return Plan(source, select, counting, counted, layout.parameters, layout.ignored, raw_prompts, noting)


def stage(con: duckdb.DuckDBPyConnection, how: Plan) -> Staged:
    """Read a file into the table `stage` of `con`.

    Raises:
        InputError: the file cannot be read as what its name says, or has no usable row.
        MachineError: the disk is full.
    """
    _forget_rejects(con)
    con.execute("DROP TABLE IF EXISTS stage")
    # The table is read once more and dropped: to compress it would take longer than all the rest.
    con.execute("SET force_compression = 'uncompressed'")
    # A row's place is its record's number, from which `lines` finds its line.
    con.execute("SET preserve_insertion_order = true")
    with _telling(how.source):
        con.execute(f"CREATE TABLE stage AS {how.select}", how.parameters)
    return _collect(con, how)


def append(con: duckdb.DuckDBPyConnection, how: Plan, command: int, file: int) -> Staged | None:
    """Read a file straight into its table of the attached case, which is empty: half the work of `stage` and `merge`.

    Returns:
        what was read; None where rows are broken or an exchange id stands twice. Then the transaction must be rolled
        back, and the file goes by `stage` and `merge`, which give the same where both can.
    """
    _forget_rejects(con)
    table = how.source.table
    columns = ", ".join(f'"{name}"' for name in STORED[table])
    prefix = f"{command} AS command, " if table == "exchanges" else ""
    con.execute("SET preserve_insertion_order = true")
    sample = f"SELECT count(broken) FROM (SELECT broken FROM ({how.select}) LIMIT 100000)"
    with _telling(how.source):
        if con.execute(sample, how.parameters).fetchall() != [(0,)]:
            return None
        counted = con.execute(how.counting, how.parameters).fetchall()
        _forget_rejects(con)
        kept = con.execute(
            f"INSERT INTO kase.{table} SELECT {prefix}{columns}, {file}, NULL FROM ({how.select}) WHERE broken IS NULL",
            how.parameters,
        ).fetchall()
    rows = int(counted[0][0])
    if not rows or kept != [(rows,)] or (how.source.format in ("csv", "tsv") and _torn_rows(con)):
        return None
    if table == "exchanges":
        # Hashes take a tenth of the memory; the rare two that collide only cost the longer way.
        ids = con.execute(
            """SELECT count(*) FROM (SELECT hash(exchange_id) AS id FROM kase.exchanges WHERE exchange_id IS NOT NULL
            GROUP BY id HAVING count(*) > 1)"""
        ).fetchall()
        if ids != [(0,)]:
            return None
    filled = con.execute(f"SELECT {_counts(how.counted)} FROM kase.{table}").fetchall()
    place = lines.of_records(how.source, (), rows)
    line = place.sql(con, f"(rowid - (SELECT min(rowid) FROM kase.{table}))")
    con.execute(f"UPDATE kase.{table} SET line = {line}")
    return Staged(rows, (), sum(counted[0][1:]) - sum(filled[0]), how.ignored, place)


def _counts(columns: tuple[str, ...]) -> str:
    return ", ".join(f'count("{name}")' for name in columns) or "0"


def _forget_rejects(con: duckdb.DuckDBPyConnection) -> None:
    """DuckDB adds to the rejects of the statement before."""
    con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")


@contextmanager
def _telling(source: Source) -> Iterator[None]:
    """Turn what the readers of the block raise into a sentence about the file."""
    try:
        yield
    except (duckdb.Error, OSError, EOFError, UnicodeDecodeError) as exc:
        raise _unreadable(source, exc) from None
    except Exception as exc:
        if type(exc).__module__.partition(".")[0] in ("zlib", "zstandard"):
            raise _unreadable(source, exc) from None
        raise


def _collect(con: duckdb.DuckDBPyConnection, how: Plan) -> Staged:
    source = how.source
    broken = con.execute("SELECT rowid, broken, excerpt FROM stage WHERE broken IS NOT NULL ORDER BY rowid").fetchall()
    counted = con.execute("SELECT count(*), coalesce(sum(placeholders), 0) FROM stage").fetchone() or (0, 0)
    torn = _torn_rows(con) if source.format in ("csv", "tsv") else {}
    total = int(counted[0]) + len(torn)
    place = lines.of_records(source, sorted(torn), total)
    failed = checks(source.table)
    rejects = [
        Reject(place.of(int(row)), failed[check].column, failed[check].reason, excerpt)
        for row, check, excerpt in broken
    ]
    rejects += [Reject(place.offsets.get(offset), "", reason, None) for offset, reason in torn.items()]
    if source.format == "jsonl":
        rejects = _tell_bad_json(source, rejects)
    rejects.sort(key=lambda reject: (reject.line or 0, reject.column))
    if total and len(rejects) == total:
        reasons = Counter(reject.reason for reject in rejects).most_common(1)[0][0]
        raise InputError(
            f"{source.path}: not one of its {total:,} rows can be used as {source.table}; most often, {reasons}.",
            f"Is it the right table? --table says which. Line {rejects[0].line}: {rejects[0].reason}.",
        )
    return Staged(total, tuple(rejects), int(counted[1]), how.ignored, place)


def _torn_rows(con: duckdb.DuckDBPyConnection) -> dict[int, str]:
    """Rows that DuckDB could not split: byte offset to reason. It logs one error for each missing column."""
    rows = con.execute(
        """SELECT line_byte_position - 1, any_value(error_type), any_value(error_message) FROM reject_errors
        GROUP BY line_byte_position ORDER BY 1"""
    ).fetchall()
    words = {
        "TOO MANY COLUMNS": "the row has too many columns",
        "MISSING COLUMNS": "the row has too few columns",
        "UNQUOTED VALUE": "a quote is not closed, or text follows it",
        "INVALID ENCODING": "the row is not UTF-8",
        "LINE SIZE OVER MAXIMUM": f"the row is longer than {MAX_LINE >> 20} MiB",
    }
    return {int(offset): words.get(str(kind), "the row cannot be split into columns") for offset, kind, _ in rows}


def _check_columns(source: Source, layout: _Layout) -> None:
    missing = [c.name for c in TABLES[source.table] if c.required and c.name not in layout.columns]
    if missing and source.format != "jsonl":
        found = ", ".join([*layout.columns, *layout.ignored]) or "none"
        raise InputError(
            f"{source.path} lacks the column {' and '.join(missing)} of {source.table}; it has: {found}.",
            "Rename the column, or say which table it is with --table.",
        )


def _match(source: Source, names: list[str]) -> tuple[dict[str, list[int]], tuple[str, ...]]:
    """Contract column to the places where `names` has it, in any case; and the names that the contract lacks."""
    contract = {column.name for column in TABLES[source.table]}
    places: dict[str, list[int]] = {}
    ignored = []
    for at, name in enumerate(names):
        plain = name.strip().lower()
        if plain in contract:
            places.setdefault(plain, []).append(at)
        elif plain:
            ignored.append(name.strip())
    return places, tuple(ignored)


def _csv_layout(_con: duckdb.DuckDBPyConnection, source: Source) -> _Layout:
    with source.open() as file:
        first = file.readline(MAX_LINE)
    try:
        header = first.decode("utf-8-sig").rstrip("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise InputError(f"{source.path} is no UTF-8 text.", "Export it as UTF-8.") from None
    if not header.strip() or "\0" in header:
        raise InputError(f"{source.path} has no header line.", "Export it with column names in the first line.")
    if "\r" in header or header.count('"') % 2:
        raise InputError(
            f"{source.path} has a line break inside its header, or lines that end in a carriage return alone.",
            "Export it with one line for the header, and line feeds.",
        )
    delimiter = "\t" if source.format == "tsv" else max(_DELIMITERS, key=header.count)
    try:
        names = next(csv.reader(io.StringIO(header), delimiter=delimiter))
    except csv.Error:
        raise InputError(f"{source.path} has no header line.", "Is it what its name says?") from None
    places, ignored = _match(source, names)
    twice = [name for name, found in places.items() if len(found) > 1]
    if twice:
        raise InputError(f"{source.path} has the column {twice[0]} twice.", "Leave one of them out.")
    columns = ", ".join(f"'c{at}': 'VARCHAR'" for at in range(len(names)))
    read = (
        "read_csv(?, auto_detect = false, header = false, skip = 1, delim = ?, quote = '\"', escape = '\"', "
        f"columns = {{{columns}}}, compression = ?, store_rejects = true, rejects_limit = 0, "
        f"max_line_size = {MAX_LINE}, buffer_size = {2 * MAX_LINE}, hive_partitioning = false)"
    )
    return _Layout(
        read,
        [source.pattern, delimiter, source.compression],
        {name: f"c{found[0]}" for name, found in places.items()},
        ignored,
    )


def _jsonl_layout(_con: duckdb.DuckDBPyConnection, source: Source) -> _Layout:
    names: dict[str, None] = {}
    with source.open() as file:
        for _ in range(_SNIFFED_LINES):
            line = file.readline(MAX_LINE)
            if not line:
                break
            try:
                record = json.loads(line.decode("utf-8-sig"))
            except ValueError:
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
            name: f"coalesce({', '.join(f'json ->> {_literal(_path(key))}' for key in found)})"
            for name, found in spellings.items()
        }
        return _Layout(f"read_ndjson_objects(?, {common})", [source.pattern, source.compression], columns, ignored)
    listed = ", ".join(f"{_literal(found[0])}: 'VARCHAR'" for found in spellings.values())
    columns = {name: _identifier(found[0]) for name, found in spellings.items()}
    read = f"read_ndjson(?, columns = {{{listed}}}, {common})"
    return _Layout(read, [source.pattern, source.compression], columns, ignored)


def _parquet_layout(con: duckdb.DuckDBPyConnection, source: Source) -> _Layout:
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
        columns[name] = f"{_identifier(names[found[0]])}::VARCHAR"
    return _Layout(read, [source.pattern], columns, ignored)


def _tell_bad_json(source: Source, rejects: list[Reject]) -> list[Reject]:
    """DuckDB turns a line that is no JSON object into a row of NULLs: say so, instead of "account_id is missing"."""
    suspects = {reject.line for reject in rejects if reject.reason == "account_id is missing"}
    if not suspects:
        return rejects
    told: dict[int | None, str] = {}
    with source.open() as file:
        for number, line in enumerate(file, start=1):
            if number in suspects and (fault := _fault(line)):
                told[number] = fault
    return [Reject(reject.line, "", told[reject.line], None) if reject.line in told else reject for reject in rejects]


def _fault(line: bytes) -> str:
    """Why DuckDB reads nothing from a line; "" if it does."""
    try:
        record = json.loads(line.decode("utf-8-sig"))
    except ValueError:
        return "the line is no JSON object"
    if not isinstance(record, dict):
        return "the line is no JSON object"
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "the line has half a character: a surrogate that stands alone"
    return ""


def _unreadable(source: Source, exc: BaseException) -> Exception:
    error = translate(exc, f"reading {source.path}")
    low = str(exc).lower()
    # The machine's own refusals (full disk, permission) are not the file's fault; a bad gzip header is an OSError too.
    if isinstance(error, MachineError) and (not isinstance(exc, OSError) or exc.errno is not None):
        return error
    what = {"jsonl": "JSON Lines", "parquet": "Parquet"}.get(source.format, source.format.upper())
    if source.size == 0:
        return InputError(f"{source.path} is empty.", "Export it again.")
    # First of all: the engine quotes the value, which may say anything.
    if "invalid string encoding" in low:
        return InputError(f"{source.path} holds text that is not UTF-8.", "Export its text as UTF-8.")
    if "unexpected end" in low or isinstance(exc, EOFError) or "end-of-stream" in low or "truncated" in low:
        return InputError(f"{source.path} is cut off.", "Copy or export it again.")
    packed = f" packed with {source.compression}" if source.compression != "none" else ""
    return InputError(f"{source.path} cannot be read as {what}{packed}.", "Is it what its name says? Export it again.")


def _path(key: str) -> str:
    escaped = key.replace('"', '\\"')
    return f'$."{escaped}"'


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
