"""Merge a staged file into the case: what came before is neither lost nor counted twice.

- accounts: a later command's non-empty value wins; within one command the greatest value does, whatever the file order.
- exchanges with an id: one row an id; a later command's row wins, within one command the greatest.
- other events: equal rows count as often as in the file that has them most often. So a full export can be ingested
  daily, and equal rows of one file stay as many as they are.

The case is attached as `kase`, inside one transaction; the file's rows are in `stage`.
"""

from typing import Final

import duckdb

from linkage.ingest.projection import STORED
from linkage.scripts import conditions

PART_ROWS: Final = 500_000
"""Rows of a file that are compared at once with those of the case."""

PART_IDS: Final = 4_000_000
"""Ids of a file that are looked up at once in those of the case."""

_PLAIN: Final = ("created_at", "banned_at", "org_id", "org_verified", "status", "country", "plan")
_SETTLED: Final = """account_id, created_at, banned_at, mail.e AS email, mail.l AS email_label, mail.d AS email_domain,
    call.p AS phone, call.l AS phone_label, org_id, org_verified, status, country, plan"""
_TIMES = {"payments": "added_at", "logins": "at", "exchanges": "at", "identifiers": "at", "links": "at"}


def merge(con: duckdb.DuckDBPyConnection, table: str, command: int, file: int | None, line: str) -> int:
    """Merge the good rows of `stage` into `kase.<table>`; returns how many were added or changed.

    Args:
        con: the connection.
        table: a contract table.
        command: the call of ingest.
        file: the file that is in `stage`; None where the case knows no file.
        line: SQL that gives a row's line from `record`, the number of its record.
    """
    number = "NULL" if file is None else file
    # Of a mapped file each row has its record's number; of others the rows are the records.
    numbered = any(name == "record" for name, *_ in con.execute("DESCRIBE stage").fetchall())
    # Read with the rows wherever they are: what stands in `line` may be a function of ours.
    con.execute(
        f"CREATE OR REPLACE TEMP VIEW placed AS SELECT *, {number}::BIGINT AS file, {line}::BIGINT AS line FROM "
        f"(SELECT *{'' if numbered else ', rowid AS record'} FROM stage)"
    )
    if table == "accounts":
        before = _rows_end(con, "account_rows")
        return sum(_accounts(con, command, part, before) for part in _parts(con, "account_id", PART_ROWS))
    if table == "exchanges":
        return _exchanges(con, command)
    return _events(con, table, "placed WHERE broken IS NULL", "")


def merge_prompts(con: duckdb.DuckDBPyConnection) -> None:
    """Put the sketches of `stage` that the case lacks into `kase.prompts`."""
    for part in _parts(con, "prompt", PART_ROWS):
        con.execute(
            f"""INSERT INTO kase.prompts
            SELECT prompt, any_value(tokens), any_value(sketch) FROM stage ANTI JOIN kase.prompts USING (prompt)
            WHERE broken IS NULL AND prompt IS NOT NULL AND {part} GROUP BY prompt"""
        )


def _accounts(con: duckdb.DuckDBPyConnection, command: int, part: str, before: int) -> int:
    """Settle one part of the accounts; what is settled takes the place of the rows below the row id `before`."""
    good = f"broken IS NULL AND {part}"
    latest = ", ".join(f"arg_max({name}, command) FILTER ({name} IS NOT NULL) AS {name}" for name in _PLAIN)
    columns = ", ".join(STORED["accounts"])
    equal = " AND ".join(f"s.{name} IS NOT DISTINCT FROM r.{name}" for name in STORED["accounts"])
    here = f"""(SELECT {columns} FROM stage WHERE {good}
            UNION ALL SELECT {columns} FROM touched WHERE command = $command)"""
    # One statement: a table that is dropped keeps its room until the transaction ends.
    con.execute(
        f"""
        INSERT INTO kase.account_rows
        WITH touched AS MATERIALIZED (SELECT r.* FROM kase.account_rows r
            SEMI JOIN (SELECT account_id FROM stage WHERE {good}) USING (account_id) WHERE {part}),
        merged AS (SELECT max(command) AS command, account_id, {latest},
            arg_max({{e: email, l: email_label, d: email_domain}}, command) FILTER (email IS NOT NULL) AS mail,
            arg_max({{p: phone, l: phone_label}}, command) FILTER (phone IS NOT NULL) AS call
        FROM touched WHERE command < $command GROUP BY account_id
        -- Of a command that another process began after this one.
        UNION ALL BY NAME
        SELECT command, account_id, {", ".join(_PLAIN)},
            CASE WHEN email IS NOT NULL THEN {{e: email, l: email_label, d: email_domain}} END AS mail,
            CASE WHEN phone IS NOT NULL THEN {{p: phone, l: phone_label}} END AS call
        FROM touched WHERE command > $command
        UNION ALL BY NAME
        SELECT $command AS command, {_picked(here)}),
        settled AS MATERIALIZED (SELECT command, {_SETTLED} FROM merged),
        -- Where one row says all that is settled, that is its place.
        places AS (SELECT s.account_id, s.command, arg_min(r.file, (r.file, r.line)) AS file,
            arg_min(r.line, (r.file, r.line)) AS line
        FROM settled s JOIN (SELECT command, {columns}, file, line FROM touched
            UNION ALL SELECT $command, {columns}, file, line FROM placed WHERE {good}) r
            ON s.account_id = r.account_id AND (s.command = r.command OR greatest(s.command, r.command) < $command)
            AND {equal}
        WHERE r.file IS NOT NULL GROUP BY s.account_id, s.command)
        SELECT s.*, p.file, p.line FROM settled s LEFT JOIN places p USING (account_id, command)
        ORDER BY s.account_id, s.command
        """.replace("$command", str(command))
    )
    con.execute(
        f"""DELETE FROM kase.account_rows WHERE rowid < {before}
        AND account_id IN (SELECT account_id FROM stage WHERE {good})"""
    )
    return _count(con, f"SELECT count(DISTINCT account_id) FROM stage WHERE {good}")


def picked_accounts(rows: str) -> str:
    """SQL that settles the accounts of one command: the greatest value wins. Gives the columns of `STORED`.

    Args:
        rows: a table, or a query in brackets, with the columns of `STORED["accounts"]`.
    """
    return f"SELECT {_SETTLED} FROM (SELECT {_picked(rows)})"


def _picked(rows: str) -> str:
    greatest = ", ".join(f"max({name}) AS {name}" for name in _PLAIN)
    return f"""account_id, {greatest},
            arg_max({{e: email, l: email_label, d: email_domain}}, email) FILTER (WHERE email IS NOT NULL) AS mail,
            arg_max({{p: phone, l: phone_label}}, phone) FILTER (WHERE phone IS NOT NULL) AS call
        FROM {rows} GROUP BY account_id"""


def _exchanges(con: duckdb.DuckDBPyConnection, command: int) -> int:
    columns = ", ".join(f'"{name}"' for name in STORED["exchanges"])
    prefix = f"{command} AS command, "
    if not _count(con, "SELECT count(*) FROM stage WHERE exchange_id IS NOT NULL AND broken IS NULL"):
        return _events(con, "exchanges", "placed WHERE broken IS NULL", prefix)
    before = _rows_end(con, "exchanges")
    added = _events(con, "exchanges", "placed WHERE broken IS NULL AND exchange_id IS NULL", prefix)
    for part in _parts(con, "exchange_id", PART_IDS):
        added += _identified(con, columns, prefix, part, before)
    return added


def _identified(con: duckdb.DuckDBPyConnection, columns: str, prefix: str, part: str, before: int) -> int:
    """Insert one part of the exchanges with an id; those whose id stands twice are settled.

    Args:
        con, columns, prefix: the connection, the columns of the case's table, and what stands before them.
        part: a condition of `_parts`.
        before: rows of the case below this row id were there before the file.
    """
    good = f"broken IS NULL AND exchange_id IS NOT NULL AND {part}"
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE again AS
        SELECT exchange_id FROM stage WHERE {good} GROUP BY 1 HAVING count(*) > 1
        UNION SELECT exchange_id FROM kase.exchanges SEMI JOIN (SELECT exchange_id FROM stage WHERE {good})
            USING (exchange_id) WHERE {part}
        """
    )
    twice = _count(con, "SELECT count(*) FROM again")
    if not twice:
        return _count(con, f"INSERT INTO kase.exchanges SELECT {prefix}{columns}, file, line FROM placed WHERE {good}")
    # Split by another hash than the part itself.
    parts = conditions("exchange_id, 1", 1 + twice // PART_ROWS)
    changed = sum(_settled(con, columns, prefix, good, some, before) for some in parts)
    # What was deleted leaves holes, which would grow with every command.
    con.execute("RESET max_vacuum_tasks")
    fresh = _count(
        con,
        f"""INSERT INTO kase.exchanges SELECT {prefix}{columns}, file, line FROM placed
        ANTI JOIN again USING (exchange_id) WHERE {good}""",
    )
    con.execute("DROP TABLE again")
    return changed + fresh


def _settled(con: duckdb.DuckDBPyConnection, columns: str, prefix: str, good: str, some: str, before: int) -> int:
    """Settle some of the exchanges whose id stands twice; how many are new or other ones than before."""
    # No tables: one that is dropped keeps its room until the transaction ends.
    both = f"""WITH here AS MATERIALIZED (SELECT command, {columns}, file, line FROM kase.exchanges
            SEMI JOIN (SELECT exchange_id FROM again WHERE {some}) USING (exchange_id) WHERE rowid < {before}),
        winners AS MATERIALIZED (SELECT command, {columns}, file, line FROM (SELECT * FROM here
            UNION ALL BY NAME
            SELECT {prefix}{columns}, file, line FROM placed
            SEMI JOIN (SELECT exchange_id FROM again WHERE {some}) USING (exchange_id) WHERE {good})
        QUALIFY row_number() OVER (PARTITION BY exchange_id
            ORDER BY command DESC, {_falling("exchanges")}, file, line) = 1)"""
    changed = _count(
        con, f"{both} SELECT count(*) FROM (SELECT {columns} FROM winners EXCEPT SELECT {columns} FROM here)"
    )
    con.execute(f"INSERT INTO kase.exchanges {both} SELECT * FROM winners")
    con.execute(
        f"""DELETE FROM kase.exchanges WHERE rowid < {before}
        AND exchange_id IN (SELECT exchange_id FROM again WHERE {some})"""
    )
    return changed


def _events(con: duckdb.DuckDBPyConnection, table: str, rows: str, prefix: str) -> int:
    """Insert rows without an id as often as they are missing: of equal ones those that came first stay."""
    names = STORED[table]
    columns = ", ".join(f'"{name}"' for name in names)
    if _are_new(con, table, rows):
        return _count(con, f"INSERT INTO kase.{table} SELECT {prefix}{columns}, file, line FROM {rows}")
    id_is_null = "AND t.exchange_id IS NULL" if table == "exchanges" else ""
    equal = " AND ".join(f's."{name}" IS NOT DISTINCT FROM t."{name}"' for name in names)
    selected = ", ".join(f's."{name}"' for name in names)
    # Of what the case has, that which can be equal: of the same account at the same time.
    key = [name for name in ("account_id", _TIMES.get(table)) if name]
    like = " AND ".join(f's."{name}" IS NOT DISTINCT FROM t."{name}"' for name in key)
    keys = ", ".join(f'"{name}"' for name in key)
    return sum(
        _count(
            con,
            f"""INSERT INTO kase.{table}
            WITH s AS (SELECT {columns}, list({{file: file, line: line}}) AS places FROM {rows} AND {part}
                GROUP BY ALL),
            t AS (SELECT {columns}, count(*) AS n FROM kase.{table} t
                SEMI JOIN (SELECT {keys} FROM {rows} AND {part}) s ON {like} WHERE true {id_is_null} GROUP BY ALL),
            missing AS (SELECT {selected}, list_sort(places)[coalesce(t.n, 0) + 1:] AS places
                FROM s LEFT JOIN t ON {equal})
            SELECT {prefix}{columns}, place.file, place.line
            FROM (SELECT * EXCLUDE (places), unnest(places) AS place FROM missing)""",
        )
        for part in _parts(con, "account_id", PART_ROWS)
    )


def _parts(con: duckdb.DuckDBPyConnection, column: str, most: int) -> list[str]:
    """Conditions that split `stage` into parts of about so many rows, equal values of `column` together.

    The connection has no disk to spill to, so what is compared at once must fit into memory. The case's table is looked
    through once for each part, and only what resembles the part is kept.
    """
    return conditions(column, 1 + _count(con, "SELECT count(*) FROM stage") // most)


def _rows_end(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """Rows of the case's table that are there have smaller row ids; those that this transaction adds have not."""
    return _count(con, f"SELECT max(rowid) + 1 FROM kase.{table}")


def _are_new(con: duckdb.DuckDBPyConnection, table: str, rows: str) -> bool:
    """Whether no row can be in the case already: the case has none, or all have times and all times differ."""
    if table not in _TIMES:
        return not _count(con, f"SELECT count(*) FROM (SELECT 1 FROM kase.{table} LIMIT 1)")
    at = f'"{_TIMES[table]}"'
    here = con.execute(f"SELECT min({at}), max({at}), count(*) = count({at}) FROM kase.{table}").fetchone()
    if not _count(con, f"SELECT count(*) FROM (SELECT 1 FROM kase.{table} LIMIT 1)"):
        return True
    come = con.execute(f"SELECT min({at}), max({at}), count(*) = count({at}) FROM {rows}").fetchone()
    if not here or not come or not here[2] or not come[2] or here[0] is None or come[0] is None:
        return False
    return bool(come[0] > here[1] or come[1] < here[0])


def _falling(table: str) -> str:
    return ", ".join(f'"{name}" DESC NULLS LAST' for name in STORED[table])


def _count(con: duckdb.DuckDBPyConnection, sql: str, *parameters: object) -> int:
    row = con.execute(sql, list(parameters)).fetchone()
    return int(row[0]) if row and row[0] is not None else 0
