"""Accounts that were erased: their rows go no further than `stage`, and are counted.

A row is such a one if it names an erased account, in any of its columns that name one. What is compared are keyed
hashes, since the case does not know any more what the accounts were called.
"""

from pathlib import Path
from typing import Final

import duckdb

from linkage import store
from linkage.ingest.normalise import account_name, hmac

ERASED: Final = 255
"""Stands in `stage.broken` of such a row; no check has so high a number."""

_NAMES: Final = {"links": ("account_id", "other_account_id"), "aliases": ("account_id", "value")}


def load(con: duckdb.DuckDBPyConnection, case: Path) -> bool:
    """Put what the case says of erased accounts into the table `erased` of `con`; returns whether there are any."""
    with store.attached(con, case):
        con.execute("CREATE OR REPLACE TABLE erased AS SELECT account FROM kase.erased")
        return con.execute("SELECT 1 FROM erased LIMIT 1").fetchone() is not None


def leave_out(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """Mark the rows of erased accounts in `stage`, which so are neither merged nor rejected; returns how many."""
    if not con.execute("SELECT 1 FROM erased LIMIT 1").fetchone():
        return 0
    found = 0
    for column in _NAMES.get(table, ("account_id",)):
        # An e-mail address stands as it is where it is an account's own id, and masked where it is an alias.
        hashed = [hmac("account", sql) for sql in (f"s.{column}", account_name(f"s.{column}"))]
        # By value: an account has thousands of rows.
        con.execute(
            f"""CREATE OR REPLACE TEMP TABLE named AS SELECT {column} AS name
            FROM (SELECT DISTINCT {column} FROM stage WHERE {column} IS NOT NULL) s
            WHERE {hashed[0]} IN (FROM erased) OR {hashed[1]} IN (FROM erased)"""
        )
        rows = con.execute(
            f"""UPDATE stage SET broken = {ERASED}, excerpt = NULL
            WHERE broken IS DISTINCT FROM {ERASED} AND {column} IN (FROM named)"""
        ).fetchall()
        found += int(rows[0][0])
    return found
