"""Keep a run: from indices back to names, then one short commit into the case."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np

from linkage import audit, decisions, store
from linkage.allowances import BY_WHOM
from linkage.bonds import bonds
from linkage.errors import CaseBusyError
from linkage.evidence import Hub, Weighed, identifier_bits, pair_prior
from linkage.identify import BEHAVIOURS, NEVER
from linkage.model import kind_of
from linkage.rings import Bond, Earlier, Judged
from linkage.secret import Key
from linkage.significance import NullModel

BYSTANDERS: Final = 50
"""At most so many bystanders are kept for each ring."""

_TABLES: Final = (
    "rings", "members", "evidence", "bystanders", "hubs", "shared", "sightings", "followed", "ring_kinds",
    "ring_strongest", "lives", "likeness", "bound", "allowed_sightings",
    "null_models", "places",
)  # fmt: skip

_EARLIER: Final = """
CREATE OR REPLACE TEMP TABLE earlier AS
SELECT row_number() OVER (ORDER BY ring_id) - 1 AS ring, ring_id, max(run) AS run FROM kase.memberships GROUP BY ring_id
"""

_EARLIER_MEMBERS: Final = """
SELECT e.ring, i.account, coalesce(m.banned, true) AS banned
FROM earlier e JOIN kase.memberships m USING (ring_id, run) JOIN ids i USING (account_id) ORDER BY e.ring, i.account
"""

_EARLIER_VALUES: Final = """
SELECT e.ring, h.identifier, v.bits
FROM earlier e JOIN kase.evidence v USING (ring_id) JOIN shared h USING (kind, value) ORDER BY e.ring, h.identifier
"""

_STAGE: Final = """
CREATE TABLE out_rings AS SELECT ring_id, rank, score, if(isnan(q_value), NULL, q_value) AS q_value, status, listed,
    accounts, exchanges, make_timestamp(nullif(first, {never})) AS first_seen,
    make_timestamp(nullif(last, {never})) AS last_seen, why, doubts, bits, factors::JSON AS factors FROM in_rings;

CREATE TABLE out_members AS
WITH seen AS (SELECT account, min(first_at) AS first_at, max(last_at) AS last_at FROM sightings GROUP BY account)
SELECT m.ring_id, i.account_id, m.tier, m.confidence, m.bits, coalesce(a.exchanges, 0) AS exchanges,
    least(a.first_at, s.first_at) AS first_seen, greatest(a.last_at, s.last_at) AS last_seen
FROM in_members m JOIN ids i USING (account) LEFT JOIN activity a USING (account_id) LEFT JOIN seen s USING (account);

CREATE TABLE out_evidence AS
WITH times AS (SELECT m.ring_id, s.identifier, min(s.first_at) AS first_at, max(s.last_at) AS last_at
    FROM in_members m JOIN sightings s USING (account) GROUP BY ALL)
SELECT e.ring_id, h.kind, h.value, h.label, e.accounts, e.outsiders, e.bits, t.first_at, t.last_at
FROM in_evidence e JOIN shared h USING (identifier) LEFT JOIN times t USING (ring_id, identifier);

-- Whoever shares a value that ties a ring and would link two accounts by itself, and is no member.
CREATE TABLE out_bystanders AS
WITH touching AS (SELECT e.ring_id, x.account, count(*) AS values, max(x.bits) AS bits,
        arg_max(h.kind || ' ' || coalesce(h.label, h.value), (x.bits, e.identifier)) AS strongest
    FROM in_evidence e JOIN in_linking x USING (identifier) JOIN shared h USING (identifier)
    WHERE e.outsiders > 0 GROUP BY ALL),
outside AS (SELECT t.* FROM touching t LEFT JOIN in_members m ON m.account = t.account AND m.ring_id = t.ring_id
    WHERE m.account IS NULL)
SELECT o.ring_id, i.account_id, round(o.bits, 4) AS bits,
    CASE WHEN v.account IS NOT NULL THEN 'had the payment method before the others: may be its owner'
    ELSE 'shares ' || o.values || ' of its values, above all ' || o.strongest END
    AS reason
FROM outside o JOIN ids i USING (account) LEFT JOIN in_owners v USING (ring_id, account)
QUALIFY row_number() OVER (PARTITION BY o.ring_id ORDER BY v.account IS NULL, o.bits DESC, i.account_id) <= {most};

CREATE TABLE out_hubs AS SELECT h.kind, h.value, h.label, x.accounts, x.bits_alone, x.pairs_spared, x.reason
FROM in_hubs x JOIN shared h USING (identifier)
UNION ALL SELECT kind, value, label, accounts, bits_alone, pairs_spared, reason FROM in_allowed;

CREATE TABLE out_allowed_sightings AS SELECT i.account_id, x.kind, x.value, x.label, x.allowance
FROM set_aside x JOIN ids i USING (account) ORDER BY ALL;

CREATE TABLE out_shared AS SELECT h.kind, h.value, h.label, h.accounts, w.bits, h.trust
FROM shared h JOIN in_worth w USING (identifier) ORDER BY h.identifier;

CREATE TABLE out_places AS SELECT kind, value, p.asn, p.name, p.type FROM shared JOIN placed p USING (kind, value)
ORDER BY ALL;

CREATE TABLE out_followed AS SELECT i.account_id, f.prompt, f.template FROM followed f JOIN ids i USING (account)
ORDER BY i.account, f.prompt;

CREATE TABLE out_ring_kinds AS SELECT ring_id, kind, "values", bits, members, score_without, members_without
FROM in_kinds;

CREATE TABLE out_ring_strongest AS
SELECT x.ring_id, h.kind, h.value, h.label, x.bits, x.members, x.score_without, x.members_without
FROM in_strongest x JOIN shared h USING (identifier) ORDER BY x.ring_id;

CREATE TABLE out_memberships AS
SELECT m.ring_id, i.account_id, m.banned FROM in_members m JOIN ids i USING (account);

CREATE TABLE out_lineage AS SELECT ring_id, event, other, accounts, joined, "left", banned,
    if(isnan(score), NULL, score) AS score, listed FROM in_lineage ORDER BY ring_id;

CREATE TABLE out_bound AS SELECT b.ring_id, i.account_id, b.joined, b.decision
FROM in_bound b JOIN ids i USING (account) ORDER BY ALL;

CREATE TABLE out_lives AS SELECT i.account_id, {lives} FROM in_lives l JOIN ids i USING (account) ORDER BY i.account;

CREATE TABLE out_likeness AS SELECT behaviour, step, ratio, damp FROM in_likeness;
"""


_STAGE_SIGHTINGS: Final = """
INSERT INTO out_sightings SELECT i.account_id, h.kind, h.value, x.count, make_timestamp(nullif(x.first, {never})),
    make_timestamp(nullif(x.last, {never})), round(x.bits, 4)
FROM in_sightings x JOIN shared h USING (identifier) JOIN ids i USING (account) ORDER BY x.identifier, x.account
"""

PART: Final = 1 << 21
"""So many sightings get their names at once: sorted all together they would take more memory than any other step."""


@dataclass(frozen=True)
class History:
    """What earlier runs left.

    Attributes:
        run: number of the newest run, 0 if there is none.
        rings: all rings that there ever were.
        decided: the rings that people confirmed (True) or dismissed (False), by ring id.
        bonds: decisions on members, and confirmed rings, the oldest first.
        nulls: the null models that the newest runs compared with.
    """

    run: int
    rings: Earlier
    decided: dict[str, bool]
    bonds: list[Bond]
    nulls: list[NullModel]


def history(con: duckdb.DuckDBPyConnection, case: Path, now: datetime) -> History:
    """Read what ring ids are inherited from, in the numbers that `identify` gave, and what people decided by `now`."""
    with store.attached(con, case):
        row = con.execute("SELECT coalesce(max(run), 0) FROM kase.runs").fetchone()
        run = int(row[0]) if row else 0
        con.execute(_EARLIER)
        rings = con.execute("SELECT ring_id, run = ? FROM earlier ORDER BY ring", [run]).fetchall()
        members = con.execute(_EARLIER_MEMBERS).fetchnumpy()
        values = con.execute(_EARLIER_VALUES).fetchnumpy()
        decided = decisions.confirmed(con, now, "kase.")
        bound = bonds(con, now)
        nulls = con.execute("SELECT question, accounts, ties, strength, score FROM kase.null_models ORDER BY model")
        kept = [
            NullModel(str(question), int(accounts), int(ties), (np.array(strength, float), np.array(score, float)))
            for question, accounts, ties, strength, score in nulls.fetchall()
        ]
    earlier = Earlier(
        ids=[str(row[0]) for row in rings],
        there=np.array([row[1] for row in rings], np.bool_),
        member_ring=np.asarray(members["ring"], np.int64),
        member=np.asarray(members["account"], np.int64),
        member_banned=np.asarray(members["banned"], np.bool_),
        value_ring=np.asarray(values["ring"], np.int64),
        value=np.asarray(values["identifier"], np.int64),
        value_bits=np.asarray(values["bits"], np.float64),
    )
    return History(run, earlier, decided, bound, kept)


def account_ids(con: duckdb.DuckDBPyConnection) -> list[str]:
    """The account ids, by index."""
    return [str(row[0]) for row in con.execute("SELECT account_id FROM ids ORDER BY account").fetchall()]


def stage(
    con: duckdb.DuckDBPyConnection,
    weighed: Weighed,
    judged: Judged,
    ledger: Sequence[Hub],
    nulls: Sequence[NullModel],
) -> None:
    """Make the result's tables in the scratch database, so that the commit is only a copy."""
    ledger_columns: dict[str, Any] = {
        "identifier": np.array([hub.identifier for hub in ledger], dtype=np.int32),
        "accounts": np.array([hub.accounts for hub in ledger], dtype=np.int64),
        "bits_alone": np.array([hub.bits_alone for hub in ledger], dtype=np.float64),
        "pairs_spared": np.array([hub.pairs_spared for hub in ledger], dtype=np.int64),
        "reason": np.array([hub.reason for hub in ledger], dtype=object),
    }
    worth = {"identifier": np.arange(len(weighed.bits), dtype=np.int32), "bits": weighed.bits}
    for name, columns in (
        ("rings", judged.rings),
        ("members", judged.members),
        ("evidence", judged.evidence),
        ("owners", judged.owners),
        ("kinds", judged.kinds),
        ("strongest", judged.strongest),
        ("lineage", judged.lineage),
        ("bound", judged.bound),
        ("hubs", ledger_columns),
        ("allowed", _allowed(con, weighed.population)),
        ("linking", _linking(weighed)),
        ("worth", worth),
        ("lives", _lives(weighed)),
        ("likeness", _likeness(weighed)),
    ):
        con.register(f"in_{name}", columns)
    _stage_nulls(con, nulls)
    _stage_sightings(con, weighed)
    known = ", ".join(f"if(isnan({name}), NULL, {name}) AS {name}" for name in BEHAVIOURS)
    con.execute(_STAGE.format(never=NEVER, most=BYSTANDERS, lives=known))


def _stage_sightings(con: duckdb.DuckDBPyConnection, weighed: Weighed) -> None:
    con.execute(
        """CREATE TABLE out_sightings (account_id VARCHAR, kind VARCHAR, value VARCHAR, count BIGINT,
            first_at TIMESTAMP, last_at TIMESTAMP, bits DOUBLE)"""
    )
    s = weighed.sightings
    for here in (slice(at, at + PART) for at in range(0, len(s.account), PART)):
        identifier = s.identifier[here]
        rows = {name: getattr(s, name)[here] for name in ("identifier", "account", "count", "first", "last")}
        con.register("in_sightings", {**rows, "bits": weighed.bits[identifier] * weighed.habit[here]})
        con.execute(_STAGE_SIGHTINGS.format(never=NEVER))


def _stage_nulls(con: duckdb.DuckDBPyConnection, nulls: Sequence[NullModel]) -> None:
    con.execute(
        """CREATE TABLE out_null_models (model BIGINT, question VARCHAR, accounts BIGINT, ties BIGINT,
            strength DOUBLE[], score DOUBLE[])"""
    )
    for model, null in enumerate(nulls):
        found = [part.tolist() for part in null.found]
        con.execute(
            "INSERT INTO out_null_models VALUES (?, ?, ?, ?, ?::DOUBLE[], ?::DOUBLE[])",
            [model, null.question, null.accounts, null.ties, *found],
        )


def allowed(con: duckdb.DuckDBPyConnection) -> int:
    """How many shared identifiers were left out because they are allowed."""
    ((count,),) = con.execute("SELECT count(*) FROM (SELECT DISTINCT kind, value FROM set_aside)").fetchall()
    return int(count)


def _allowed(con: duckdb.DuckDBPyConnection, population: float) -> dict[str, Any]:
    """Lines of the ledger for what is allowed, with what each would be worth by its kind."""
    rows = con.execute(
        f"""SELECT kind, value, max(label), count(*), {BY_WHOM}
        FROM set_aside JOIN allowed_words USING (allowance) GROUP BY kind, value ORDER BY kind, value"""  # noqa: S608 (our own SQL)
    ).fetchall()
    kind, value, label, reason = (np.array([row[at] for row in rows], dtype=object) for at in (0, 1, 2, 4))
    accounts = np.array([row[3] for row in rows], dtype=np.int64)
    reliability = np.array([kind_of(row[0]).reliability for row in rows], dtype=np.float64)
    worth = identifier_bits(reliability, accounts.astype(np.float64), population) - pair_prior(population)
    return {
        "kind": kind,
        "value": value,
        "label": label,
        "accounts": accounts,
        "bits_alone": np.round(worth, 6),
        "pairs_spared": accounts * (accounts - 1) // 2,
        "reason": reason,
    }


def _linking(weighed: Weighed) -> dict[str, Any]:
    """The sightings that would link two accounts by themselves."""
    s = weighed.sightings
    bits = weighed.bits[s.identifier] * weighed.habit
    rows = np.flatnonzero((bits > pair_prior(weighed.population)) & ~weighed.kind_fakeable[s.kind[s.identifier]])
    return {"identifier": s.identifier[rows], "account": s.account[rows], "bits": bits[rows]}


def _lives(weighed: Weighed) -> dict[str, Any]:
    """The rank of each behaviour, of the accounts that have any."""
    rank = weighed.likeness.rank
    account = np.flatnonzero(~np.isnan(rank).all(axis=1)).astype(np.int32)
    columns = {name: np.ascontiguousarray(rank[account, at]) for at, name in enumerate(BEHAVIOURS)}
    return {"account": account, **columns}


def _likeness(weighed: Weighed) -> dict[str, Any]:
    """What likeness is worth, a row for each behaviour and step."""
    ratio = weighed.likeness.ratio
    behaviours, steps = ratio.shape
    return {
        "behaviour": np.repeat(np.array(list(BEHAVIOURS), dtype=object), steps),
        "step": np.tile(np.arange(steps, dtype=np.int64), behaviours),
        "ratio": ratio.ravel(),
        "damp": np.full(behaviours * steps, weighed.likeness.damp),
    }


def commit(con: duckdb.DuckDBPyConnection, case: Path, key: Key, run_row: list[Any]) -> None:
    """Put the staged tables in the place of the last run's, in one transaction; `key` is the case's."""
    with store.attached(con, case, read_only=False):
        newest = con.execute("SELECT coalesce(max(run), 0) FROM kase.runs").fetchall()[0][0]
        if newest != run_row[0] - 1:
            raise CaseBusyError(f"Another detect on {case} has finished meanwhile.", "Run again: linkage detect")
        for name in _TABLES:
            con.execute(f"DELETE FROM kase.{name}")  # noqa: S608 (the names are ours)
            con.execute(f"INSERT INTO kase.{name} SELECT * FROM out_{name}")  # noqa: S608
        con.execute("INSERT INTO kase.runs VALUES (?, ?, ?, ?, ?, ?, ?)", run_row)
        for name in ("memberships", "lineage"):
            con.execute(f"INSERT INTO kase.{name} SELECT ?, * FROM out_{name}", [run_row[0]])  # noqa: S608
        ((rings, listed),) = con.execute("SELECT count(*), count(*) FILTER (listed) FROM out_rings").fetchall()
        audit.extend(con, key, "detect", {"run": run_row[0], "rings": rings, "listed": listed}, schema="kase.")
    audit.copy(case)
