"""From exchanges in the scratch database to sightings of the kinds that `linkage.timing` finds."""

from collections.abc import Mapping
from typing import Any, Final

import duckdb
import numpy as np

from linkage import store
from linkage.timing import Events, Finding, find

# Works are prompts that two accounts or more sent; what one account alone sent can coincide with nothing.
WORKS: Final = """
CREATE TABLE works AS SELECT value, (row_number() OVER (ORDER BY value) - 1)::INTEGER AS work FROM (
    SELECT value FROM seen WHERE kind = 'prompt' GROUP BY value HAVING min(account) <> max(account));
"""
EVENTS: Final = """SELECT account, work, epoch_us("at") AS "at"
FROM timed JOIN drafts USING (draft) JOIN works USING (value)"""
_ORGS = """SELECT dense_rank() OVER (ORDER BY p.org_id) AS org, account
FROM people p JOIN ids USING (account_id) WHERE p.org_verified AND p.org_id IS NOT NULL"""
_SEEN = """
INSERT INTO seen SELECT account, kind, value, label, NULL, n, 0, make_timestamp(first), make_timestamp(last)
FROM found_accounts;
INSERT INTO ceilings SELECT kind, value, bits FROM found;
DROP TABLE works;
"""


def add_timing(con: duckdb.DuckDBPyConnection) -> None:
    """Add bursts, hand-offs and balanced loads to `seen`, and leave in `ceilings` what each is worth at most.

    Reads `ids`, `people`, `timed`, `drafts` and `seen` of the scratch database `con`.
    """
    con.execute(WORKS)
    events = events_of(con, con.execute(EVENTS).fetchnumpy())
    with store.at_most(con, store.LITTLE):
        found = find(events)
    con.execute("CREATE TABLE ceilings (kind VARCHAR, value VARCHAR, ceiling DOUBLE)")
    con.register("found_accounts", seen_of(found))
    con.register("found", ceilings_of(found))
    con.execute(_SEEN)


def events_of(con: duckdb.DuckDBPyConnection, rows: Mapping[str, Any]) -> Events:
    """The exchanges that follow shared works, with the names of accounts and works.

    Args:
        con: has `ids`, `people` and `works`.
        rows: the columns of `EVENTS`.
    """
    names = [str(row[0]) for row in con.execute("SELECT account_id FROM ids ORDER BY account").fetchall()]
    works = [str(row[0]) for row in con.execute("SELECT value FROM works ORDER BY work").fetchall()]
    verified = con.execute(_ORGS).fetchnumpy()
    org = np.full(len(names), -1, np.int64)
    org[np.asarray(verified["account"], dtype=np.int64)] = np.asarray(verified["org"], dtype=np.int64)
    return Events(
        account=np.asarray(rows["account"], dtype=np.int32),
        work=np.asarray(rows["work"], dtype=np.int32),
        at=np.asarray(rows["at"], dtype=np.int64),
        org=org,
        accounts=names,
        works=works,
    )


def seen_of(found: list[Finding]) -> dict[str, Any]:
    """Columns account, kind, value, label, n, first, last (microseconds): a row an account and finding."""
    sizes = [len(finding.account) for finding in found]
    texts = _texts(found)
    columns = {name: np.repeat(values, sizes) for name, values in texts.items()}
    columns["label"] = np.repeat(np.array([f.sentence for f in found], dtype=object), sizes)
    for name, source in (("account", "account"), ("n", "count"), ("first", "first"), ("last", "last")):
        parts = [getattr(finding, source) for finding in found]
        columns[name] = np.concatenate([np.zeros(0, np.int64), *parts]).astype(np.int64)
    return columns


def ceilings_of(found: list[Finding]) -> dict[str, Any]:
    """Columns kind, value, bits: what each finding is worth at most."""
    return {**_texts(found), "bits": np.array([f.bits for f in found], dtype=np.float64)}


def _texts(found: list[Finding]) -> dict[str, Any]:
    return {name: np.array([getattr(f, name) for f in found], dtype=object) for name in ("kind", "value")}
