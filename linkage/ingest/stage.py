"""Read one file into the table `stage` of a scratch database: normalised rows in file order, broken ones marked.

DuckDB does the reading. The row's place in `stage` is its record's number in the file, from which `lines` finds the
line of a reject. DuckDB's own reject tables hold raw lines: they live in memory, and the scratch connection has no
temporary folder to spill them to.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import duckdb

from linkage.errors import InputError
from linkage.ingest import cards, erased, lines
from linkage.ingest.layout import layout
from linkage.ingest.mapped import RELATION, mapped, needed
from linkage.ingest.normalise import Rules, text
from linkage.ingest.projection import STORED, checks, projection, readable
from linkage.ingest.sources import MAX_LINE, Source, check_whole
from linkage.ingest.unreadable import reading_errors
from linkage.model import TABLES
from linkage.scripts import conditions, room

_UPDATED: Final = 20
"""Bytes that a transaction holds for each row that it updates."""

_GROUPED: Final = 48
"""Bytes that it takes to count how often a number stands there."""

_TOO_LONG: Final = f"the row is longer than {MAX_LINE >> 20} MiB"


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
        erased: rows of accounts that were erased; nothing of them is kept.
    """

    rows: int
    rejects: tuple[Reject, ...]
    placeholders: int
    ignored: tuple[str, ...]
    place: lines.Lines
    erased: int = 0


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
        mapped: a record may give no row, or several. `counting` is that of `cards`.
        numbered: `select` has a column `record`, the record's number from 0; elsewhere rows are records, in order.
        columns: the contract columns that the file fills.
        again: gives `select` with `by_chance` of `projection`.
    """

    source: Source
    select: str
    counting: str
    counted: tuple[str, ...]
    parameters: list[Any]
    ignored: tuple[str, ...]
    prompts: bool
    noting: str
    mapped: bool
    numbered: bool
    columns: tuple[str, ...]
    again: Callable[[Collection[str]], str]


def plan(con: duckdb.DuckDBPyConnection, source: Source, rules: Rules) -> Plan:
    """Look at `source` and say how to read it on `con`, which `normalise.prepare` has prepared.

    Raises:
        InputError: the file cannot be read as what its name says, or lacks a required column.
    """
    with reading_errors(source):
        check_whole(source)
        found = mapped(source) if source.reading else layout(con, source)
    if source.relation:
        con.register(RELATION, source.relation.stream(needed(source)))
    carried = ("record",) if found.numbered else ()
    again = partial(projection, source.table, found.columns, found.source, rules, carried)
    counted = tuple(c.name for c in TABLES[source.table] if c.kind not in ("", "prompt") and c.name in found.columns)
    values = "".join(f", count(nullif(trim({found.columns[name]}), ''))" for name in counted)
    counting = found.counting or f"SELECT count(*){values} FROM {found.source}"
    raw_prompts = source.table == "exchanges" and "prompt" in found.columns
    noting = ""
    if raw_prompts and rules.skeletons:
        noting = f"SELECT sum(note_words({text(found.columns['prompt'])})) FROM {found.source}"
    return Plan(
        source=source,
        select=again(),
        counting=counting,
        counted=counted,
        parameters=found.parameters,
        ignored=found.ignored,
        prompts=raw_prompts,
        noting=noting,
        mapped=found.mapped,
        numbered=found.numbered,
        columns=tuple(found.columns),
        again=again,
    )


def stage(con: duckdb.DuckDBPyConnection, how: Plan) -> Staged:
    """Read a file into the table `stage` of `con`.

    Raises:
        InputError: the file cannot be read as what its name says, or has no usable row.
        MachineError: the disk is full.
    """
    records = None
    if how.mapped:
        with reading_errors(how.source):
            records, counts = con.execute(how.counting, how.parameters).fetchall()[0]
        cards.check(str(how.source.path), counts)
    _forget_rejects(con)
    con.execute("DROP TABLE IF EXISTS stage")
    # The table is read once more and dropped: to compress it would take longer than all the rest.
    con.execute("SET force_compression = 'uncompressed'")
    # A row's place is its record's number, from which `lines` finds its line.
    con.execute("SET preserve_insertion_order = true")
    with reading_errors(how.source):
        con.execute(f"CREATE TABLE stage AS {how.select}", how.parameters)
        chance = cards.by_chance(con, list(readable(how.source.table)))
        if chance:
            # They are numbers of the provider's own: what was withheld of them is read once more.
            _forget_rejects(con)
            con.execute(f"CREATE OR REPLACE TABLE stage AS {how.again(chance)}", how.parameters)
    return _collect(con, how, records, erased.leave_out(con, how.source.table))


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
    with reading_errors(how.source):
        if con.execute(sample, how.parameters).fetchall() != [(0,)]:
            return None
        counted = con.execute(how.counting, how.parameters).fetchall()
        rows = int(counted[0][0])
        place = lines.of_records(how.source, (), rows)
        # To number rows as they are read takes one thread; to do it afterwards is quicker, and takes memory.
        afterwards = not how.numbered and rows * _UPDATED < room(con) // 2
        line = "NULL"
        if not afterwards:
            line = place.sql(con, "record" if how.numbered else "(row_number() OVER () - 1)")
        _forget_rejects(con)
        kept = con.execute(
            f"INSERT INTO kase.{table} SELECT {prefix}{columns}, {file}, {line} FROM ({how.select}) "
            "WHERE broken IS NULL",
            how.parameters,
        ).fetchall()
    if not rows or kept != [(rows,)] or (how.source.format in ("csv", "tsv") and _torn_rows(con)):
        return None
    if table == "exchanges" and _twice(con, rows):
        return None
    filled = con.execute(f"SELECT {_counts(how.counted)} FROM kase.{table}").fetchall()
    if afterwards:
        line = place.sql(con, f"(rowid - (SELECT min(rowid) FROM kase.{table}))")
        con.execute(f"UPDATE kase.{table} SET line = {line}")
    return Staged(rows, (), sum(counted[0][1:]) - sum(filled[0]), how.ignored, place)


def _twice(con: duckdb.DuckDBPyConnection, rows: int) -> bool:
    """Whether an exchange id may stand twice among so many exchanges."""
    # Hashes take a tenth of the memory; the rare two that collide only cost the longer way.
    return any(
        con.execute(
            f"""SELECT 1 FROM kase.exchanges WHERE exchange_id IS NOT NULL AND {part}
            GROUP BY hash(exchange_id) HAVING count(*) > 1 LIMIT 1"""
        ).fetchall()
        for part in conditions("exchange_id", 1 + rows * _GROUPED * 2 // room(con))
    )


def _counts(columns: tuple[str, ...]) -> str:
    return ", ".join(f'count("{name}")' for name in columns) or "0"


def _forget_rejects(con: duckdb.DuckDBPyConnection) -> None:
    """DuckDB adds to the rejects of the statement before."""
    con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")


def _collect(con: duckdb.DuckDBPyConnection, how: Plan, records: int | None, left_out: int) -> Staged:
    source = how.source
    number = "record" if how.numbered else "rowid"
    broken = con.execute(
        f"SELECT {number}, broken, excerpt FROM stage WHERE broken < {erased.ERASED} ORDER BY {number}, rowid"
    ).fetchall()
    # All is fetched: nothing can be registered on a connection while a result is open.
    counted = con.execute("SELECT count(*), coalesce(sum(placeholders), 0) FROM stage").fetchall()[0]
    torn = _torn_rows(con) if source.format in ("csv", "tsv") else {}
    first = source.reading is None or source.reading.first
    place = lines.of_records(source, sorted(torn), (int(counted[0]) if records is None else records) + len(torn))
    # Of a file of several tables, the first one tells of the rows that cannot be split.
    torn = torn if first else {}
    long = source.relation.long if source.relation and first else 0
    total = int(counted[0]) + len(torn) + long
    failed = checks(source.table)
    rejects = [
        Reject(place.of(int(row)), failed[check].column, failed[check].reason, excerpt)
        for row, check, excerpt in broken
    ]
    rejects += [Reject(place.offsets.get(offset), "", reason, None) for offset, reason in torn.items()]
    rejects += [Reject(None, "", _TOO_LONG, None)] * long
    if source.format == "jsonl" and first:
        rejects = _tell_bad_json(source, rejects)
    rejects.sort(key=lambda reject: (reject.line or 0, reject.column))
    if total and len(rejects) == total:
        reasons = Counter(reject.reason for reject in rejects).most_common(1)[0][0]
        where = f"Line {rejects[0].line}" if rejects[0].line else "One"
        raise InputError(
            f"{source.path}: not one of its {total:,} rows can be used as {source.table}; most often, {reasons}.",
            f"Is it the right table? --table says which. {where}: {rejects[0].reason}.",
        )
    return Staged(total, tuple(rejects), int(counted[1]), how.ignored, place, left_out)


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
        "LINE SIZE OVER MAXIMUM": _TOO_LONG,
    }
    return {int(offset): words.get(str(kind), "the row cannot be split into columns") for offset, kind, _ in rows}


def _tell_bad_json(source: Source, rejects: list[Reject]) -> list[Reject]:
    """DuckDB turns a line that is no JSON object into a row of NULLs: say so, instead of "account_id is missing"."""
    suspects = {reject.line for reject in rejects if reject.reason == "account_id is missing"}
    if not suspects:
        return rejects
    told: dict[int | None, str] = {}
    with source.open() as file:
        for number, line in enumerate(lines.bounded(file), start=1):
            if number in suspects and (fault := _fault(line)):
                told[number] = fault
    return [Reject(reject.line, "", told[reject.line], None) if reject.line in told else reject for reject in rejects]


def _fault(line: bytes) -> str:
    """Why DuckDB reads nothing from a line; "" if it does."""
    try:
        record = json.loads(line.decode("utf-8-sig"))
    except ValueError:
        return "the line is no JSON object"
    except RecursionError:
        return "the line is nested too deep"
    if not isinstance(record, dict):
        return "the line is no JSON object"
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "the line has half a character: a surrogate that stands alone"
    return ""
