"""How likely two strangers share an address of a network type: u in log2(m / u).

Without context u of an address that d of N accounts have is d / N. That holds for an address of somebody's own. Who
goes through a carrier's NAT, a VPN or Tor meets strangers there at one address or another: given that both use such
addresses, the chance to share one is that of the type, not that of the one address at which it happened. So of a type

    u(v) = max(d / N, u_type)

and the address is worth log2(m / u(v)): what it was without context, or less. Where at least `ENOUGH` accounts use
addresses of the type, the case says what u_type is:

    u_type = median over these A accounts of  (sum over their addresses v of the type of d(v) - 1)  /  (A - 1)

the part of the others that the typical account meets. The median, since a ring would lift the mean and so speak against
itself; a ring of fewer than half of those accounts hardly moves it. Where the typical account meets nobody, u_type is 0
and the type changes nothing. With fewer accounts the judgement in `model.TYPES` stands in. `email_domain` alike.
"""

from dataclasses import dataclass
from typing import Final

import duckdb

from linkage.context.model import DOMAINS, ENOUGH, TYPES
from linkage.context.places import TABLES, built_in, place
from linkage.context.tables import kept_in


@dataclass(frozen=True)
class Chance:
    """What a run took the chance to be.

    Attributes:
        kind: `ip`, `ip_net` or `email_domain`.
        type: a key of `model.TYPES` or `model.DOMAINS`.
        values: how many values of the kind are of the type, shared or not.
        accounts: how many accounts were seen at one.
        chance: u_type, 0 to 1.
        estimated: whether the case says so; else a judgement does.
    """

    kind: str
    type: str
    values: int
    accounts: int
    chance: float
    estimated: bool


_TABLES: Final = """
CREATE TABLE chances (kind VARCHAR, value VARCHAR, chance DOUBLE);
CREATE TABLE chance_types (kind VARCHAR, type VARCHAR, values BIGINT, accounts BIGINT, chance DOUBLE,
    estimated BOOLEAN);
CREATE TEMP TABLE placed (kind VARCHAR, value VARCHAR, asn UINTEGER, name VARCHAR, type VARCHAR);
"""

_KNOWN: Final = """
CREATE TEMP TABLE known_values AS
SELECT kind, value, if(kind = 'ip' AND NOT regexp_matches(value, '[.:]'), any_value(n.net), NULL) AS net
FROM seen LEFT JOIN nets n USING (value) WHERE kind IN ('ip', 'ip_net', 'email_domain') GROUP BY kind, value
"""

_MET: Final = """
WITH ties AS (SELECT DISTINCT account, kind, value, type FROM seen JOIN placed USING (kind, value)
    WHERE type IS NOT NULL),
holders AS (SELECT kind, value, count(*) - 1 AS others FROM ties GROUP BY kind, value),
met AS (SELECT kind, type, account, sum(others)::BIGINT AS others FROM ties JOIN holders USING (kind, value)
    GROUP BY ALL),
types AS (SELECT kind, type, count(*) AS accounts, quantile_disc(others, 0.5) AS others FROM met GROUP BY ALL),
counts AS (SELECT kind, type, count(DISTINCT value) AS values FROM ties GROUP BY ALL)
SELECT kind, type, values, accounts, others FROM types JOIN counts USING (kind, type) ORDER BY kind, type
"""


def read_context(con: duckdb.DuckDBPyConnection) -> None:
    """Copy the tables of context into the scratch database; the case is attached as `kase`."""
    for name in TABLES:
        con.execute(f"CREATE TABLE {name} AS SELECT * FROM kase.{name}")  # noqa: S608 (the names are ours)


def add_chances(con: duckdb.DuckDBPyConnection) -> None:
    """Say of each value in `seen` what the chance of strangers to share it is, where the tables of context know.

    Tables left: `chances` (kind, value, chance), `chance_types`, rows of `Chance`, and `placed`, rows of `Place`, those
    of the lists of mail domains that come with linkage among them. Reads `seen`, `nets` and what `read_context` left.
    """
    con.execute(_TABLES)
    if con.execute("SELECT 1 FROM context_tables LIMIT 1").fetchall():
        con.execute(_KNOWN)
        place(con, "known_values", "placed")
        for row in con.execute(_MET).fetchall():
            con.execute("INSERT INTO chance_types VALUES (?, ?, ?, ?, ?, ?)", list(vars(_chance(*row)).values()))
        con.execute(
            """INSERT INTO chances SELECT kind, value, t.chance FROM placed JOIN chance_types t USING (kind, type)
            WHERE t.chance > 0"""
        )
    for type in DOMAINS:
        con.execute(
            """INSERT INTO placed (kind, value, type) SELECT DISTINCT kind, value, ? FROM seen
            ANTI JOIN placed USING (kind, value) WHERE kind = 'email_domain' AND list_contains(?, value)""",
            [type, sorted(built_in(type))],
        )


@dataclass(frozen=True)
class Used:
    """What a run used: the tables (sha256 by source), and the chances of the types."""

    tables: dict[str, str]
    types: tuple[Chance, ...]

    @property
    def stated(self) -> list[tuple[str, str]]:
        """Kind and type where a judgement says the chance."""
        return [(one.kind, one.type) for one in self.types if not one.estimated]


def used(con: duckdb.DuckDBPyConnection) -> Used | None:
    """What `add_chances` found; None where the case has no tables."""
    tables = {table.source: table.sha256 for table in kept_in(con)}
    rows = con.execute("SELECT * FROM chance_types ORDER BY kind, type").fetchall()
    return Used(tables, tuple(Chance(*row) for row in rows)) if tables else None


def _chance(kind: str, type: str, values: int, accounts: int, others: int) -> Chance:
    estimated = accounts >= ENOUGH
    stated = (TYPES.get(type) or DOMAINS[type])[1]
    chance = min(1.0, others / (accounts - 1)) if estimated else stated
    return Chance(kind, type, values, accounts, round(chance, 9), estimated)
