"""Joins: other systems call an account otherwise, and the table `aliases` says how.

A name that an alias gives is replaced by the account's own wherever it stands in a contract table: in a file before it
is merged, so that a full export counts once whenever it comes, and in what came before the alias, at the end of the
command. An alias of an alias leads on. A name that stands for several accounts, or leads in a circle, joins nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from linkage import store
from linkage.ingest.normalise import account_name

_TABLES: Final = ("account_rows", "payments", "logins", "exchanges", "identifiers", "links")
_ROUNDS: Final = 40
"""Of following aliases of aliases; each doubles the length that is followed."""


@dataclass(frozen=True)
class Names:
    """How a source names accounts.

    Attributes:
        source: what its files were recognised as; "" for tables of your own.
        accounts: how many it names.
        alone: how many of these no other source names, by the same name or by an alias.
    """

    source: str
    accounts: int
    alone: int


@dataclass(frozen=True)
class Unjoined:
    """An account that one source names and no other.

    Attributes:
        source: the source.
        account_id: its name there.
        rows: how many rows have it.
    """

    source: str
    account_id: str
    rows: int


@dataclass(frozen=True)
class Joins:
    """What aliases join, and what stays unjoined.

    Attributes:
        aliases: names that stand for another account.
        ambiguous: names that stand for several accounts, or lead in a circle; they join nothing.
        sources: how each source names accounts.
        unjoined: accounts of the sources but your own that stand alone, those with most rows first.
    """

    aliases: int
    ambiguous: tuple[str, ...]
    sources: tuple[Names, ...]
    unjoined: tuple[Unjoined, ...]


def resolve(claims: Iterable[tuple[str, str]]) -> tuple[dict[str, str], list[str]]:
    """Which account each name stands for in the end.

    Args:
        claims: name and account, as aliases say.

    Returns:
        name to account; and the names that are ambiguous, sorted.

    >>> resolve([("cus_1", "a"), ("u1", "cus_1"), ("x", "a"), ("x", "b"), ("p", "q"), ("q", "p")])
    ({'cus_1': 'a', 'u1': 'a'}, ['p', 'q', 'x'])
    """
    leads: dict[str, set[str]] = {}
    for name, account in claims:
        if name != account:
            leads.setdefault(name, set()).add(account)
    for _ in range(_ROUNDS):
        changed = False
        for name, accounts in leads.items():
            further = {
                next(iter(leads[account])) if len(leads.get(account, ())) == 1 else account for account in accounts
            }
            changed |= further != accounts
            leads[name] = further
        if not changed:
            break
    found: dict[str, str] = {}
    ambiguous: list[str] = []
    for name, accounts in leads.items():
        account = next(iter(accounts))
        settled = account != name and len(leads.get(account, ())) != 1
        if len(accounts) == 1 and settled:
            found[name] = account
        else:
            ambiguous.append(name)
    return found, sorted(ambiguous)


def load(con: duckdb.DuckDBPyConnection, case: Path) -> int:
    """Put what aliases of the case say into the table `names` of `con`, a scratch connection; returns how many."""
    with store.attached(con, case):
        claims = _claims(con, "kase")
    names, _ = resolve(claims)
    con.execute(
        """CREATE OR REPLACE TABLE names AS
        SELECT unnest(?::VARCHAR[]) AS name, unnest(?::VARCHAR[]) AS account""",
        [list(names), list(names.values())],
    )
    return len(names)


def join_stage(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Replace names in `stage` by the accounts that they stand for; the order of its rows stays."""
    for column in _columns(table):
        con.execute(f"UPDATE stage SET {column} = account FROM names WHERE {account_name(f'stage.{column}')} = name")


def join_case(con: duckdb.DuckDBPyConnection, case: Path) -> int:
    """Replace names in all that the case holds, in one transaction; returns how many rows were joined."""
    joined = 0
    with store.attached(con, case, read_only=False):
        for table in _TABLES:
            for column in _columns(table):
                known = f"{account_name(f't.{column}')} = name"
                if con.execute(f"SELECT 1 FROM kase.{table} t, names WHERE {known} LIMIT 1").fetchall():
                    rows = con.execute(f"UPDATE kase.{table} t SET {column} = account FROM names WHERE {known}")
                    joined += int(rows.fetchall()[0][0])
    return joined


def joins(case: Path, limit: int | None = None) -> Joins:
    """What aliases join in the case, and what stays unjoined.

    Args:
        case: the case file.
        limit: at most so many unjoined accounts.

    Raises:
        LinkageError: as `store.reading`.
    """
    with store.reading(case) as con:
        found, ambiguous = resolve(_claims(con, ""))
        seen = " UNION ALL ".join(f"SELECT account_id, file FROM {table}" for table in _TABLES)
        known = f"""WITH said AS (SELECT account_id, coalesce(f.preset, '') AS source, sum(n)::BIGINT AS rows
                FROM (SELECT account_id, file, count(*) AS n FROM ({seen}) GROUP BY ALL) JOIN files f USING (file)
                GROUP BY ALL),
            alone AS (SELECT *, count(*) OVER (PARTITION BY account_id) = 1 AS alone FROM said)"""
        sources = con.execute(
            f"""{known} SELECT source, count(*), count(*) FILTER (alone) FROM alone
            GROUP BY source ORDER BY source"""
        ).fetchall()
        unjoined = con.execute(
            f"""{known} SELECT source, account_id, rows FROM alone WHERE alone AND source <> ''
                AND (SELECT count(DISTINCT source) FROM said) > 1
            ORDER BY rows DESC, source, account_id LIMIT ?""",
            [2**62 if limit is None else limit],
        ).fetchall()
    return Joins(
        len(found), tuple(ambiguous), tuple(Names(*row) for row in sources), tuple(Unjoined(*row) for row in unjoined)
    )


def has_joins(case: Path) -> bool:
    """Whether there is anything to join: aliases, or files of more than one source."""
    with store.reading(case) as con:
        row = con.execute("SELECT count(DISTINCT coalesce(preset, '')) > 1 FROM files").fetchone()
        return bool(row and row[0]) or bool(con.execute("SELECT 1 FROM aliases LIMIT 1").fetchall())


def _columns(table: str) -> tuple[str, ...]:
    return ("account_id", "other_account_id") if table == "links" else ("account_id",)


def _claims(con: duckdb.DuckDBPyConnection, schema: str) -> list[tuple[str, str]]:
    table = f"{schema}.aliases" if schema else "aliases"
    return con.execute(f"SELECT DISTINCT value, account_id FROM {table} ORDER BY ALL").fetchall()
