"""Cases and sightings made by hand, for tests of what comes after ingest."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from linkage import store
from linkage.identify import BEHAVIOURS, NEVER, Sightings

Row = Mapping[str, Any]

Output = tuple[int, str, str]
"""What a command gave: exit code, stdout, stderr."""


def make_case(path: Path, **tables: Iterable[Row]) -> Path:
    """A real case file at `path` holding the given rows of the contract tables.

    Rows of `accounts` and `exchanges` get command 1 unless they say otherwise; `links` need a kind.
    """
    store.create(path)
    add_rows(path, **tables)
    return path


def add_rows(path: Path, **tables: Iterable[Row]) -> None:
    """Insert rows into a case."""
    with store.writing(path) as con:
        for name, rows in tables.items():
            target = "account_rows" if name == "accounts" else name
            for row in rows:
                values = {"command": 1, **row} if name in ("accounts", "exchanges") else dict(row)
                columns = ", ".join(f'"{column}"' for column in values)
                marks = ", ".join("?" for _ in values)
                con.execute(f"INSERT INTO {target} ({columns}) VALUES ({marks})", list(values.values()))


def tables_of(case: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    with store.reading(case) as con:
        tables = [str(row[0]) for row in con.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()]
        return {table: con.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in tables}


def forget_places(con: duckdb.DuckDBPyConnection) -> None:
    """Take back what version 4 of the case brought."""
    con.execute("DROP TABLE lineage; ALTER TABLE memberships DROP COLUMN banned")
    con.execute("DROP TABLE null_models; DROP TABLE bound; DROP TABLE allowances; DROP TABLE allowed_sightings")
    for table in ("context_tables", "context_ranges", "context_systems", "context_domains", "places"):
        con.execute(f"DROP TABLE {table}")
    con.execute("DROP TABLE aliases; ALTER TABLE files DROP COLUMN preset; DROP TABLE audit; DROP TABLE erased")
    for column in ("members", "until"):
        con.execute(f"ALTER TABLE IF EXISTS decisions DROP COLUMN {column}")
    for table in ("account_rows", "payments", "logins", "exchanges", "identifiers", "links"):
        con.execute(f"ALTER TABLE {table} DROP COLUMN file; ALTER TABLE {table} DROP COLUMN line")


def sightings(rows: Sequence[tuple[str, str, str]], counts: Sequence[int] | None = None) -> Sightings:
    """Sightings from (account, kind, value) rows, each seen `counts` times (default once).

    Accounts and identifiers are numbered in sorted order, as `identify` does; unshared identifiers are left out.
    """
    seen = dict(zip(rows, counts or [1] * len(rows), strict=True))
    names = sorted({row[0] for row in seen})
    holders: dict[tuple[str, str], set[str]] = {}
    for account, kind, value in seen:
        holders.setdefault((kind, value), set()).add(account)
    shared = sorted(key for key, accounts in holders.items() if len(accounts) > 1)
    kinds = sorted({kind for kind, _ in shared})
    most: dict[tuple[str, str], int] = {}
    for (account, kind, _), count in seen.items():
        most[account, kind] = max(most.get((account, kind), 0), count)
    lines = sorted(
        (shared.index((kind, value)), names.index(account), count, most[account, kind])
        for (account, kind, value), count in seen.items()
        if (kind, value) in holders and len(holders[kind, value]) > 1
    )
    columns = np.array(lines, dtype=np.int64).reshape(-1, 4)
    return Sightings(
        account=columns[:, 1].astype(np.int32),
        identifier=columns[:, 0].astype(np.int32),
        count=columns[:, 2],
        most=columns[:, 3],
        first=np.full(len(columns), NEVER, dtype=np.int64),
        last=np.full(len(columns), NEVER, dtype=np.int64),
        kind=np.array([kinds.index(kind) for kind, _ in shared], dtype=np.int16),
        kinds=tuple(kinds),
        accounts=len(names),
        ceiling=np.full(len(shared), np.inf),
        rivals=np.zeros(len(shared), np.int64),
        behaviour=np.full((len(names), len(BEHAVIOURS)), np.nan),
    )


def copied(case: Path, folder: Path) -> Path:
    """A copy of a case, with the files beside it, in a folder."""
    for path in case.parent.glob(f"{case.name}*"):
        shutil.copy2(path, folder / path.name)
    return folder / case.name
