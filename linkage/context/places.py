"""Look addresses, networks and mail domains up in the tables of context, millions at a time.

Addresses are numbers in one order (IPv4 as ::ffff:0:0/96). In it ranges of one source do not overlap, so that the
latest one that begins at or before an address is the only one that can hold it: an ASOF join, near linear in both. Of
an address that is kept as a hash the network is looked up, and counts where one range holds all of it.
"""

import socket
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

import duckdb

from linkage.context.model import AUTONOMOUS_SYSTEMS, DOMAINS, TYPES, Place

TABLES: Final = ("context_tables", "context_ranges", "context_systems", "context_domains")


def number_sql(column: str) -> str:
    """SQL for the number of `column`, a canonical address; needs a function `address_number`, for IPv6 alone."""
    octets = " + ".join(
        f"try_cast(split_part({column}, '.', {at}) AS BIGINT) * {256 ** (4 - at)}" for at in range(1, 5)
    )
    return (
        f"CASE WHEN contains({column}, ':') THEN try_cast(address_number({column}) AS UHUGEINT) "
        f"ELSE 281470681743360::UHUGEINT + try_cast({octets} AS UHUGEINT) END"
    )


def _address_number(text: str) -> str:
    try:
        return str(int.from_bytes(socket.inet_pton(socket.AF_INET6, text)))
    except (OSError, ValueError):
        return ""


# The network of a hashed address stands in its `net`.
_NUMBERS: Final = """
CREATE OR REPLACE TEMP TABLE numbers AS
SELECT id, {low} AS low, CASE WHEN NOT contains(source, '/') THEN 0::UHUGEINT
    WHEN contains(source, ':') THEN 18446744073709551615::UHUGEINT ELSE 255::UHUGEINT END AS width
FROM (SELECT id, source, split_part(source, '/', 1) AS address FROM (
    SELECT id, CASE WHEN kind = 'ip' AND net IS NOT NULL THEN net ELSE value END AS source
    FROM numbered WHERE kind IN ('ip', 'ip_net')));
"""

_HELD: Final = """
INSERT INTO held SELECT n.id, r.source, r.asn, r.name
FROM numbers n ASOF JOIN (SELECT * FROM {schema}context_ranges WHERE source = ?) r ON n.low >= r.first
WHERE r.last >= n.low + n.width
"""

_PLACED: Final = """
CREATE OR REPLACE TEMP TABLE {into} AS
WITH owned AS (SELECT id, asn, name FROM held WHERE source = '{systems}'),
typed AS (SELECT id, source FROM held WHERE source <> '{systems}'
    UNION ALL SELECT o.id, s.source FROM owned o JOIN {schema}context_systems s USING (asn)
    UNION ALL SELECT n.id, d.source FROM numbered n JOIN {schema}context_domains d
        ON n.kind = 'email_domain' AND n.value = d.domain),
first AS (SELECT id, $types[min(list_position($types, source))] AS type FROM typed GROUP BY id)
SELECT n.kind, n.value, o.asn, o.name, f.type FROM numbered n LEFT JOIN owned o USING (id) LEFT JOIN first f USING (id)
WHERE o.id IS NOT NULL OR f.id IS NOT NULL
"""


def place(con: duckdb.DuckDBPyConnection, wanted: str, into: str, schema: str = "") -> None:
    """Make the temporary table `into` (kind, value, asn, name, type) of the values that the tables of context know.

    Args:
        con: a connection that has the tables, below `schema`.
        wanted: a table, or a subquery in parentheses, of different (kind, value, net); only the kinds `ip`, `ip_net`
            and `email_domain` can be known. `net` is the network of a hashed address, else NULL.
        into: the name of the table.
        schema: where the tables of context are, with its dot.
    """
    has_function = con.execute(
        "SELECT 1 FROM duckdb_functions() WHERE function_name = 'address_number' LIMIT 1"
    ).fetchall()
    if not has_function:
        con.create_function("address_number", _address_number, ["VARCHAR"], "VARCHAR")
    # The steps join by small numbers: texts of millions of addresses take several times as long.
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE numbered AS SELECT (row_number() OVER ())::INTEGER AS id, kind, value, net "  # noqa: S608
        f"FROM {wanted}"
    )
    con.execute(_NUMBERS.format(low=number_sql("address")))
    con.execute("CREATE OR REPLACE TEMP TABLE held (id INTEGER, source VARCHAR, asn UINTEGER, name VARCHAR)")
    for (source,) in con.execute(f"SELECT source FROM {schema}context_tables ORDER BY source").fetchall():  # noqa: S608
        con.execute(_HELD.format(schema=schema), [source])
    con.execute(_PLACED.format(into=into, schema=schema, systems=AUTONOMOUS_SYSTEMS), {"types": [*TYPES, *DOMAINS]})
    for name in ("numbered", "numbers", "held"):
        con.execute(f"DROP TABLE temp.{name}")


def places(con: duckdb.DuckDBPyConnection, values: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Place]:
    """What is known of some values (kind, value): by the tables of an open case, and by the lists of mail domains that
    come with linkage."""
    asked = sorted({(kind, value) for kind, value in values if kind in ("ip", "ip_net", "email_domain")})
    if not asked:
        return {}
    found = {
        (kind, value): Place(kind, value, type=type)
        for kind, value in asked
        if kind == "email_domain" and (type := built_in_type(value))
    }
    if con.execute("SELECT 1 FROM context_tables LIMIT 1").fetchall():
        con.execute(
            """CREATE OR REPLACE TEMP TABLE asked AS
            SELECT unnest(?::VARCHAR[]) AS kind, unnest(?::VARCHAR[]) AS value, NULL::VARCHAR AS net""",
            [[kind for kind, _ in asked], [value for _, value in asked]],
        )
        place(con, "asked", "asked_places")
        rows = con.execute("SELECT kind, value, asn, name, type FROM asked_places").fetchall()
        found |= {(row[0], row[1]): Place(*row) for row in rows}
    return found


def built_in_type(domain: str) -> str:
    """The key of `DOMAINS` that a mail domain is of by the lists that come with linkage, or ""."""
    return next((type for type in DOMAINS if domain in built_in(type)), "")


@cache
def built_in(type: str) -> frozenset[str]:
    """The mail domains of a key of `DOMAINS` that come with linkage. They name a domain where it is shown, and count
    for nothing: lists that the user adds do."""
    text = (Path(__file__).parent / "lists" / f"{type}.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))
