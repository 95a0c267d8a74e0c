"""Write a case anew without some accounts: nothing of them goes into the new file, so that nothing has to leave it.

1. Rows that belong to an account go, whatever their table: those whose `account_id` it is, ties to it, names of it.
2. Values that two accounts shared stay where two still do. Rings lose the member, and go with their last one.
3. Of prompts and templates goes what nobody else sent.
4. Decisions and allowances stay, since what people decided is no property of one account; `***` stands in the place of
   the account, and of a value that nobody else has.
5. What no account can be told of, excerpts of rejected rows, is masked whole.

Counts of past runs (`runs`, `lineage`, `null_models`) and the text of words that `words.SKELETON_ACCOUNTS` accounts
used stay: they tell of nobody.
"""

import re
from collections.abc import Collection
from typing import Final

import duckdb

from linkage import networks
from linkage.model import TABLES
from linkage.prompts.sketch import SketchKey
from linkage.prompts.words import account_hashes
from linkage.secret import Key

MASK: Final = "***"

SHORTEST: Final = 4
"""A name of fewer characters is not looked for in prose: it may be a word."""

# Where the values of a kind stand; `kase` is the case that is read.
_VALUES: Final = " UNION ALL ".join(
    f"SELECT account_id, '{column.kind}' AS kind, {column.name} AS value FROM kase.{table}"
    for table, columns in TABLES.items()
    for column in columns
    if column.kind and column.name != "prompt"
) + (
    " UNION ALL SELECT account_id, kind, value FROM kase.identifiers"
    " UNION ALL SELECT account_id, 'email_domain', email_domain FROM kase.accounts"
    + "".join(
        f" UNION ALL SELECT account_id, 'ip_net', coalesce(ip_net, {networks.net_sql('ip')}) FROM kase.{table}"
        for table in ("logins", "exchanges")
    )
)

_LOST: Final = "coalesce((SELECT n FROM lost l WHERE l.kind = t.kind AND l.value = t.value), 0)"

_GOING: Final = f"""
CREATE TEMP TABLE gone_prompts AS
SELECT DISTINCT prompt FROM kase.exchanges WHERE account_id IN (FROM names) AND prompt IS NOT NULL
    AND prompt NOT IN (SELECT prompt FROM kase.exchanges WHERE account_id NOT IN (FROM names) AND prompt IS NOT NULL);
CREATE TEMP TABLE named_prompts AS
SELECT DISTINCT unnest([body, opening, ending]) AS prompt FROM kase.templates WHERE prompt NOT IN (FROM gone_prompts);

-- How many of its holders each shared value loses, and of the members of each ring.
CREATE TEMP TABLE lost AS
SELECT kind, value, count(DISTINCT account_id) AS n FROM (
    SELECT account_id, kind, value FROM kase.sightings UNION ALL
    SELECT account_id, kind, value FROM kase.allowed_sightings) WHERE account_id IN (FROM names) GROUP BY ALL;
CREATE TEMP TABLE lost_members AS
SELECT m.ring_id, s.kind, s.value, count(*) AS n FROM kase.members m JOIN kase.sightings s USING (account_id)
WHERE m.account_id IN (FROM names) GROUP BY ALL;

CREATE TEMP TABLE unshared AS SELECT kind, value FROM kase.shared t WHERE accounts - {_LOST} < 2;

-- Allowed values that nobody else has.
CREATE TEMP TABLE own_values AS
SELECT kind, value FROM ({_VALUES}) JOIN (SELECT DISTINCT kind, value FROM kase.allowances) USING (kind, value)
GROUP BY ALL HAVING bool_and(account_id IN (FROM names))
UNION SELECT DISTINCT kind, value FROM kase.allowances WHERE starts_with(kind, 'link:') AND value IN (FROM names);
"""

_TIE: Final = "(starts_with(kind, 'link:') AND value IN (FROM names))"
_UNSHARED: Final = "(kind, value) IN (SELECT (kind, value) FROM unshared)"
_NO_RING: Final = "ring_id NOT IN (SELECT ring_id FROM kase.members WHERE account_id NOT IN (FROM names))"
_LOST_IN_RING: Final = (
    "coalesce((SELECT n FROM lost_members l WHERE l.ring_id = t.ring_id AND l.kind = t.kind AND l.value = t.value), 0)"
)

# What more of a table goes than the rows of the accounts themselves.
_GOES: Final = {
    "links": "other_account_id IN (FROM names)",
    "aliases": "value IN (FROM names)",
    "prompts": "prompt IN (FROM gone_prompts)",
    "prompt_words": "prompt IN (FROM gone_prompts)",
    "templates": "prompt IN (FROM gone_prompts) AND prompt NOT IN (SELECT prompt FROM named_prompts WHERE prompt > 0)",
    "former_templates": "alias IN (FROM gone_prompts)",
    "word_accounts": "account IN (FROM hashed_names)",
    "shared": f"{_UNSHARED} OR {_TIE}",
    "hubs": f"accounts - {_LOST} < 2 OR {_TIE}",
    "places": _UNSHARED,
    "sightings": f"{_UNSHARED} OR {_TIE}",
    "rings": _NO_RING,
    "evidence": f"accounts - {_LOST_IN_RING} < 1 OR {_UNSHARED} OR {_TIE} OR {_NO_RING}",
    "ring_kinds": _NO_RING,
    "ring_strongest": f"{_UNSHARED} OR {_TIE} OR {_NO_RING}",
    "bystanders": _NO_RING,
}

_OF_MEMBERS: Final = "FROM kase.members m WHERE m.ring_id = t.ring_id AND m.account_id NOT IN (FROM names)"

# Columns that become another.
_BECOMES: Final = {
    "shared": {"accounts": f"accounts - {_LOST}"},
    "hubs": {"accounts": f"accounts - {_LOST}", "reason": "without_names(reason)"},
    "evidence": {
        "accounts": f"accounts - {_LOST_IN_RING}",
        "outsiders": f"greatest(0, outsiders - ({_LOST} - {_LOST_IN_RING}))",
    },
    "rings": {
        "accounts": f"(SELECT count(*) {_OF_MEMBERS})",
        "exchanges": f"(SELECT sum(m.exchanges)::BIGINT {_OF_MEMBERS})",
        "first_seen": f"(SELECT min(m.first_seen) {_OF_MEMBERS})",
        "last_seen": f"(SELECT max(m.last_seen) {_OF_MEMBERS})",
        "why": "without_names(why)",
        "doubts": "without_names(doubts)",
    },
    "bystanders": {"reason": "without_names(reason)"},
    "decisions": {
        "members": f"""list_transform(members, lambda x:
            CASE WHEN list_contains(getvariable('linkage_names'), x) THEN '{MASK}' ELSE x END)""",
        "note": "without_names(note)",
        "tags": "list_transform(tags, lambda x: without_names(x))",
    },
    "allowances": {
        "value": f"CASE WHEN (kind, value) IN (SELECT (kind, value) FROM own_values) THEN '{MASK}' ELSE value END",
        "reason": "without_names(reason)",
    },
    "rejects": {"excerpt": f"CASE WHEN excerpt IS NOT NULL THEN '{MASK}' END"},
    "files": {"name": "without_names(name)"},
}


def rewrite(con: duckdb.DuckDBPyConnection, names: Collection[str], key: Key) -> dict[str, int]:
    """Fill the empty case `fresh` with what the case `kase` holds, but for some accounts.

    Args:
        con: a connection with both attached, in a transaction; it must have no temporary folder.
        names: ids of the accounts, and their aliases.
        key: the case's.

    Returns:
        how many rows each table lost, tables that lost none left out.
    """
    prepare(con, names)
    hashes = account_hashes(sorted(names), SketchKey.of(key.secret)).tolist()
    con.execute("CREATE OR REPLACE TEMP TABLE hashed_names AS SELECT unnest(?::UINTEGER[]) AS account", [hashes])
    con.create_function("net_of", networks.net_of, ["VARCHAR"], "VARCHAR")
    con.create_function("without_names", _Masking(names), ["VARCHAR"], "VARCHAR")
    con.execute("SET VARIABLE linkage_names = ?::VARCHAR[]", [sorted(names)])
    con.execute(_GOING)
    lost: dict[str, int] = {}
    for table, columns in _tables(con).items():
        becomes = _BECOMES.get(table, {})
        select = ", ".join(f'{becomes[name]} AS "{name}"' if name in becomes else f'"{name}"' for name in columns)
        goes = " OR ".join(f"coalesce({part}, false)" for part in _parts(table, columns))
        con.execute(f"DELETE FROM fresh.{table}")
        where = f" WHERE NOT ({goes})" if goes else ""
        con.execute(f"INSERT INTO fresh.{table} SELECT {select} FROM kase.{table} t{where}")
        ((before, after),) = con.execute(
            f"SELECT (SELECT count(*) FROM kase.{table}), (SELECT count(*) FROM fresh.{table})"
        ).fetchall()
        if before != after:
            lost[table] = int(before - after)
    return lost


def prepare(con: duckdb.DuckDBPyConnection, names: Collection[str]) -> None:
    """Put the names into `con`, for `rewrite` and `rows_of`."""
    con.execute("CREATE OR REPLACE TEMP TABLE names AS SELECT unnest(?::VARCHAR[]) AS name", [sorted(names)])


def rows_of(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many rows of each table of `kase` belong to the accounts of `names`."""
    found: dict[str, int] = {}
    for table, columns in _tables(con).items():
        parts = [part for part in _parts(table, columns) if part.endswith("account_id IN (FROM names)")]
        if parts:
            ((n,),) = con.execute(f"SELECT count(*) FROM kase.{table} WHERE {' OR '.join(parts)}").fetchall()
            found |= {table: int(n)} if n else {}
    return found


def _tables(con: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """The columns of each table of `kase`."""
    rows = con.execute(
        """SELECT table_name, list(column_name ORDER BY column_index) FROM duckdb_columns()
        JOIN duckdb_tables() USING (database_name, schema_name, table_name)
        WHERE database_name = 'kase' GROUP BY table_name ORDER BY table_name"""
    ).fetchall()
    return {str(table): list(columns) for table, columns in rows}


def _parts(table: str, columns: Collection[str]) -> list[str]:
    """What of a table goes."""
    own = ["account_id IN (FROM names)"] if "account_id" in columns else []
    return own + ([_GOES[table]] if table in _GOES else [])


class _Masking:
    """Puts `MASK` in the place of names in prose."""

    def __init__(self, names: Collection[str]) -> None:
        long = sorted((name for name in names if len(name) >= SHORTEST), key=lambda name: (-len(name), name))
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, long))})(?!\w)") if long else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._pattern else text
