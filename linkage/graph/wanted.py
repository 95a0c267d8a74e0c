"""What the graph should hold: each layer as a table `want_<layer>` in a scratch database, made from the case."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import duckdb

from linkage import networks, store
from linkage.decisions import rings_sql
from linkage.graph.layers import LABELS, LAYERS, NODES, OTHER_TYPE, RELATIONSHIPS, TYPES, Layer
from linkage.identify import identify
from linkage.model import kind_of
from linkage.until import utc_now

Scope = Literal["auto", "rings", "all"]
SCOPES: Final[tuple[Scope, ...]] = ("auto", "rings", "all")

LARGEST_ALL: Final = 1_000_000
"""Scope `auto` mirrors everything up to so many relationships, beyond them only the rings."""

OUTSIDERS: Final = 20
"""Scope `rings` shows at most so many outsiders for each identifier that ties a ring."""

LONGEST_KEY: Final = 2_000
"""Bytes; Neo4j indexes no text of more than about 8,000. A longer value is cut and told apart by its SHA-256."""

_MACROS: Final = f"""
CREATE MACRO graph_key(value) AS CASE WHEN strlen(value) <= {LONGEST_KEY} THEN value
    ELSE left(value, 200) || '… sha256:' || sha256(value) END;
CREATE MACRO graph_time(value) AS epoch_ms(value);
"""

# The newest run's sightings, if it saw everything that the case holds.
_FROM_RUN: Final = """
CREATE TABLE base_identifier AS SELECT kind, value, label, accounts, bits FROM kase.shared;
CREATE TABLE base_sighting AS SELECT account_id, kind, value, count, first_seen, last_seen, bits FROM kase.sightings;
CREATE TABLE base_place AS SELECT kind, value, asn, name, type FROM kase.places;
"""
# Else they are made anew; what no run has weighed yet has no bits.
_FROM_TABLES: Final = """
CREATE TABLE base_identifier AS SELECT h.kind, h.value, h.label, h.accounts, k.bits
FROM shared h LEFT JOIN kase.shared k USING (kind, value);
CREATE TABLE base_sighting AS
SELECT i.account_id, h.kind, h.value, s.count, s.first_at AS first_seen, s.last_at AS last_seen, k.bits
FROM sightings s JOIN shared h USING (identifier) JOIN ids i USING (account)
    LEFT JOIN kase.sightings k USING (account_id, kind, value);
CREATE TABLE base_place AS SELECT kind, value, asn, name, type FROM placed;
"""

_BASE: Final = """
CREATE TABLE base_account AS
WITH known AS (SELECT account_id FROM kase.accounts UNION SELECT account_id FROM kase.payments
    UNION SELECT account_id FROM kase.logins UNION SELECT account_id FROM kase.exchanges
    UNION SELECT account_id FROM kase.identifiers UNION SELECT account_id FROM kase.links
    UNION SELECT other_account_id FROM kase.links),
active AS (SELECT account_id, count(*) AS exchanges, min("at") AS first_at, max("at") AS last_at
    FROM kase.exchanges GROUP BY account_id)
SELECT account_id, a.status, a.created_at, a.banned_at, a.email_label AS email, a.country, a.plan, a.org_id,
    a.org_verified, coalesce(x.exchanges, 0) AS exchanges, x.first_at AS first_seen, x.last_at AS last_seen
FROM known LEFT JOIN kase.accounts a USING (account_id) LEFT JOIN active x USING (account_id);

CREATE TABLE base_ring AS SELECT * FROM {rings} WHERE listed;
CREATE TABLE base_member AS SELECT m.* FROM kase.members m JOIN base_ring USING (ring_id);
CREATE TABLE base_evidence AS SELECT e.* FROM kase.evidence e JOIN base_ring USING (ring_id);
CREATE TABLE base_bystander AS SELECT b.* FROM kase.bystanders b JOIN base_ring USING (ring_id);
CREATE TABLE base_hub AS SELECT * FROM kase.hubs;
CREATE TABLE base_link AS SELECT account_id, other_account_id, lower(kind) AS kind, count(*) AS count,
    min("at") AS first_seen, max("at") AS last_seen FROM kase.links GROUP BY ALL;
-- The names that templates had before later prompts joined them to others.
CREATE TABLE base_alias AS
SELECT value, string_agg(alias, ' ' ORDER BY alias) AS aliases FROM (
    SELECT DISTINCT level || format('{:016x}', template) AS value, level || format('{:016x}', alias) AS alias
    FROM (SELECT CASE part WHEN 'body' THEN 'template:' ELSE part || ':' END AS level, alias, template
        FROM kase.template_aliases WHERE alias <> template)) GROUP BY value;
-- The network of a hashed address was kept at ingest; that of a readable one is derived below.
CREATE TABLE base_net AS SELECT DISTINCT ip AS value, ip_net AS net FROM (
    SELECT ip, ip_net FROM kase.logins UNION ALL SELECT ip, ip_net FROM kase.exchanges
    UNION ALL SELECT value, ip_net FROM kase.identifiers WHERE kind = 'ip') WHERE ip_net IS NOT NULL;
"""

_RINGS_ONLY: Final = """
-- What ties a ring, and the networks of its addresses of which anything is known.
CREATE TABLE base_kept AS SELECT kind, value FROM base_evidence
UNION SELECT 'ip_net', p.value FROM base_evidence e LEFT JOIN base_net b USING (value)
    JOIN base_place p ON p.kind = 'ip_net' AND p.value = coalesce(b.net, CASE WHEN contains(e.value, ':')
        THEN graph_net_of(e.value) ELSE regexp_replace(e.value, '\\d+$', '0/24') END) WHERE e.kind = 'ip';
DELETE FROM base_identifier WHERE (kind, value) NOT IN (SELECT (kind, value) FROM base_kept);
CREATE TABLE drawn AS
WITH member_of AS (SELECT DISTINCT account_id FROM base_member),
outside AS (SELECT s.account_id, row_number() OVER (PARTITION BY s.kind, s.value ORDER BY s.bits DESC NULLS LAST,
        s.account_id) AS place
    FROM base_sighting s JOIN base_identifier USING (kind, value) ANTI JOIN member_of USING (account_id))
SELECT account_id FROM member_of UNION SELECT account_id FROM base_bystander
UNION SELECT account_id FROM outside WHERE place <= {outsiders};
DELETE FROM base_account WHERE account_id NOT IN (SELECT account_id FROM drawn);
DELETE FROM base_link WHERE account_id NOT IN (SELECT account_id FROM drawn)
    OR other_account_id NOT IN (SELECT account_id FROM drawn);
DELETE FROM base_sighting WHERE account_id NOT IN (SELECT account_id FROM drawn)
    OR (kind, value) NOT IN (SELECT (kind, value) FROM base_identifier);
"""

# A tie between accounts is a LINKED relationship, not an identifier.
_NO_TIES: Final = """
DELETE FROM base_identifier WHERE starts_with(kind, 'link:');
DELETE FROM base_sighting WHERE starts_with(kind, 'link:');
"""

_NODES: Final = """
CREATE TABLE want_account AS SELECT graph_key(account_id) AS account_id, status, graph_time(created_at) AS created_at,
    graph_time(banned_at) AS banned_at, email, country, plan, org_id, org_verified, exchanges,
    graph_time(first_seen) AS first_seen, graph_time(last_seen) AS last_seen FROM base_account;

CREATE TABLE want_identifier AS SELECT graph_key(b.kind) AS kind, graph_key(b.value) AS key,
    -- A fingerprint's first letters are enough to tell it from others in a picture.
    left(coalesce(b.label, CASE WHEN b.kind IN ('prompt', 'burst') THEN regexp_replace(regexp_replace(b.value,
        '^[a-z]+:', ''), '([0-9a-f]{8})[0-9a-f]{8,}', '\\1') ELSE b.value END), 80) AS label,
    b.accounts, round(b.bits, 4) AS bits, CASE WHEN h.kind IS NOT NULL THEN true END AS hub, h.reason AS damped,
    CASE WHEN b.kind = 'prompt' THEN coalesce(nullif(regexp_extract(b.value,
        '^(exact|template|opening|ending):[0-9a-f]{16}$', 1), ''), 'given') END AS level, a.aliases,
    p.asn::BIGINT AS asn, p.name, p.type
FROM base_identifier b LEFT JOIN base_hub h USING (kind, value) LEFT JOIN base_place p USING (kind, value)
    LEFT JOIN base_alias a ON b.kind = 'prompt' AND a.value = b.value;

CREATE TABLE want_ring AS SELECT ring_id, rank, round(score, 4) AS score, q_value, status, accounts, exchanges,
    graph_time(first_seen) AS first_seen, graph_time(last_seen) AS last_seen, why, nullif(doubts, '') AS doubts,
    round(bits, 4) AS bits FROM base_ring;

-- What ties a ring, summed up by kind, so that a picture of 20,000 accounts needs a handful of nodes.
CREATE TABLE want_bundle AS
WITH holders AS (SELECT e.ring_id, e.kind, count(DISTINCT m.account_id) AS accounts
    FROM base_evidence e JOIN base_sighting s USING (kind, value)
    JOIN base_member m ON m.ring_id = e.ring_id AND m.account_id = s.account_id GROUP BY ALL)
SELECT e.ring_id || '/' || graph_key(e.kind) AS bundle_id, e.ring_id, graph_key(e.kind) AS kind,
    count(*) || ' ' || CASE WHEN count(*) > 1 THEN n.plural ELSE n.words END AS label,
    count(*) AS identifiers, coalesce(any_value(h.accounts), max(e.accounts)) AS accounts,
    round(sum(e.bits), 4) AS bits
FROM base_evidence e JOIN kind_names n USING (kind) LEFT JOIN holders h USING (ring_id, kind)
GROUP BY e.ring_id, e.kind, n.words, n.plural;
"""

_RELATIONSHIPS: Final = """
CREATE TABLE want_linked AS SELECT graph_key(other_account_id) AS end_account_id,
    graph_key(account_id) AS start_account_id, graph_key(kind) AS kind, count, graph_time(first_seen) AS first_seen,
    graph_time(last_seen) AS last_seen FROM base_link;

CREATE TABLE want_member AS SELECT ring_id AS end_ring_id, graph_key(account_id) AS start_account_id, tier,
    round(confidence, 4) AS confidence, round(bits, 4) AS bits FROM base_member;

CREATE TABLE want_bystander AS SELECT ring_id AS end_ring_id, graph_key(account_id) AS start_account_id,
    round(bits, 4) AS bits, reason FROM base_bystander;

CREATE TABLE want_tied AS SELECT bundle_id AS end_bundle_id, ring_id AS start_ring_id, bits FROM want_bundle;

CREATE TABLE want_holds AS SELECT graph_key(e.kind) AS end_kind, graph_key(e.value) AS end_key,
    e.ring_id || '/' || graph_key(e.kind) AS start_bundle_id, e.accounts, e.outsiders, round(e.bits, 4) AS bits
FROM base_evidence e JOIN base_identifier USING (kind, value);

CREATE TABLE want_network AS
WITH nets AS (SELECT i.key AS value, coalesce(b.net, CASE WHEN contains(i.key, ':') THEN graph_net_of(i.key)
        ELSE regexp_replace(i.key, '\\d+$', '0/24') END) AS net
    FROM want_identifier i LEFT JOIN base_net b ON b.value = i.key WHERE i.kind = 'ip')
SELECT 'ip_net' AS end_kind, w.key AS end_key, 'ip' AS start_kind, n.value AS start_key
FROM nets n JOIN want_identifier w ON w.kind = 'ip_net' AND w.key = n.net;
"""


@dataclass(frozen=True)
class Wanted:
    """What a publish will see to.

    Attributes:
        case_id: whose graph it is.
        run: number of the newest run, 0 if there is none.
        command: number of the newest ingest.
        decision: number of the newest decision.
        scope: `rings` or `all`.
        counts: rows of each layer, by its name.
    """

    case_id: str
    run: int
    command: int
    decision: int
    scope: str
    counts: dict[str, int]

    @property
    def nodes(self) -> int:
        """How many nodes."""
        return sum(self.counts[layer.name] for layer in NODES)

    @property
    def relationships(self) -> int:
        """How many relationships."""
        return sum(self.counts[layer.name] for layer in RELATIONSHIPS)


def build(con: duckdb.DuckDBPyConnection, case: Path, scope: Scope = "auto") -> Wanted:
    """Make the tables `want_<layer>` in the scratch database `con`.

    Args:
        con: an empty scratch database.
        case: the case file; held while it is read.
        scope: `all`; `rings`: the listed rings, their members and bystanders, what ties them and up to `OUTSIDERS`
            others for each identifier; or `auto`: all, up to `LARGEST_ALL` relationships.

    Raises:
        LinkageError: as `store.attached`.
    """
    con.execute(_MACROS)
    con.create_function("graph_net_of", networks.net_of, ["VARCHAR"], "VARCHAR")
    fresh = run_is_fresh(case)
    if not fresh:
        identify(con, case, alone=False)
    with store.attached(con, case):
        con.execute(_FROM_RUN if fresh else _FROM_TABLES)
        con.execute(_BASE.replace("{rings}", rings_sql(utc_now(), "kase.")))
        case_id = _meta(con, "case_id")
        run, command, decision = _newest(con)
    con.execute(_NO_TIES)
    if scope == "auto":
        (total,) = con.execute(
            "SELECT (SELECT count(*) FROM base_sighting) + (SELECT count(*) FROM base_link)"
        ).fetchall()[0]
        scope = "all" if total <= LARGEST_ALL else "rings"
    if scope == "rings":
        con.execute(_RINGS_ONLY.format(outsiders=OUTSIDERS))
    _name_kinds(con)
    con.execute(_NODES)
    con.execute(_RELATIONSHIPS)
    _split_sightings(con)
    return Wanted(case_id, run, command, decision, scope, {layer.name: _count(con, layer) for layer in LAYERS})


def run_is_fresh(case: Path) -> bool:
    """Whether the newest run saw all that the case holds."""
    with store.reading(case) as con:
        row = con.execute(
            """SELECT (SELECT max(started_at) FROM runs) >= coalesce((SELECT max(coalesce(finished_at, started_at))
            FROM commands), TIMESTAMP 'epoch')"""
        ).fetchone()
    return bool(row and row[0])


def _meta(con: duckdb.DuckDBPyConnection, key: str) -> str:
    row = con.execute("SELECT value FROM kase.meta WHERE key = ?", [key]).fetchone()
    return str(row[0]) if row else ""


def _newest(con: duckdb.DuckDBPyConnection) -> tuple[int, int, int]:
    (row,) = con.execute(
        "SELECT coalesce((SELECT max(run) FROM kase.runs), 0), coalesce((SELECT max(command) FROM kase.commands), 0), "
        "coalesce((SELECT max(decision) FROM kase.decisions), 0)"
    ).fetchall()
    return int(row[0]), int(row[1]), int(row[2])


def _name_kinds(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE TABLE kind_names (kind VARCHAR, words VARCHAR, plural VARCHAR)")
    for (kind,) in con.execute("SELECT DISTINCT kind FROM base_evidence ORDER BY kind").fetchall():
        named = kind_of(kind)
        con.execute("INSERT INTO kind_names VALUES (?, ?, ?)", [kind, named.words, named.plural])


def _split_sightings(con: duckdb.DuckDBPyConnection) -> None:
    """One layer for each type of relationship."""
    known = ", ".join(f"'{kind}'" for kind in LABELS)
    for type in dict.fromkeys([*TYPES.values(), OTHER_TYPE]):
        kinds = ", ".join(f"'{kind}'" for kind, its in TYPES.items() if its == type)
        which = f"kind IN ({kinds})" if kinds else f"kind NOT IN ({known})"
        con.execute(
            f"""CREATE TABLE want_sighting_{type.lower()} AS SELECT graph_key(kind) AS end_kind,
            graph_key(value) AS end_key, graph_key(account_id) AS start_account_id, count,
            graph_time(first_seen) AS first_seen, graph_time(last_seen) AS last_seen, round(bits, 4) AS bits
            FROM base_sighting WHERE {which}"""
        )


def _count(con: duckdb.DuckDBPyConnection, layer: Layer) -> int:
    return int(con.execute(f"SELECT count(*) FROM want_{layer.name}").fetchall()[0][0])
