"""What the baselines read: who holds which value, who shares it with whom, and plain features of each account."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from linkage import store

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

KINDS = ("payment", "ip", "device", "prompt")
"""What the baselines project accounts on. A raw prompt counts by its words, whatever the blanks and cases."""

LEAST_RING = 3
"""The smallest group that a baseline flags, where it has no number of its own: that of `linkage detect`."""

ACCOUNTS = """CREATE TEMP TABLE ids AS SELECT account_id, row_number() OVER (ORDER BY account_id) - 1 AS account FROM (
    SELECT account_id FROM accounts UNION SELECT account_id FROM payments UNION SELECT account_id FROM logins
    UNION SELECT account_id FROM exchanges UNION SELECT account_id FROM identifiers
    UNION SELECT account_id FROM links UNION SELECT other_account_id FROM links)"""

_HELD = """CREATE TEMP TABLE held AS
WITH seen AS (SELECT account_id, ip, device_id, NULL AS prompt FROM logins UNION ALL
    SELECT account_id, ip, device_id, coalesce(prompt_fingerprint, prompt::VARCHAR) FROM exchanges)
SELECT 'payment' AS kind, payment_id AS value, account_id, count(*) AS uses FROM payments GROUP BY ALL
UNION ALL SELECT 'ip', ip, account_id, count(*) FROM seen WHERE ip IS NOT NULL GROUP BY ALL
UNION ALL SELECT 'device', device_id, account_id, count(*) FROM seen WHERE device_id IS NOT NULL GROUP BY ALL
UNION ALL SELECT 'prompt', prompt, account_id, count(*) FROM seen WHERE prompt IS NOT NULL GROUP BY ALL"""

_SHARED = """WITH shared AS (SELECT kind, value, row_number() OVER (ORDER BY kind, value) - 1 AS identifier FROM held
    GROUP BY kind, value HAVING count(*) > 1)
SELECT identifier, list_position($1, kind) - 1 AS kind, account, uses
FROM held JOIN shared USING (kind, value) JOIN ids USING (account_id) ORDER BY identifier, account"""

# Night is 0 to 6 UTC. A repeated prompt is one that the account sent before.
_FEATURES = """
WITH holders AS (SELECT kind, value, count(*) AS holders FROM held GROUP BY kind, value),
sharing AS (SELECT account_id, kind, max(holders) AS most, min(holders) AS least, count(*) AS held,
    count(*) FILTER (holders > 1) AS shared FROM held JOIN holders USING (kind, value) GROUP BY account_id, kind),
traffic AS (SELECT account_id, count(*) AS exchanges, avg((hour("at") < 6)::INTEGER) AS night,
    1 - count(DISTINCT coalesce(prompt_fingerprint, prompt::VARCHAR)) / count(*) AS repeated,
    sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) AS tokens,
    sum(output_tokens) / nullif(sum(input_tokens), 0) AS reply,
    count(DISTINCT hour("at")) AS hours, count(DISTINCT "at"::DATE) AS days,
    avg((dayofweek("at") IN (0, 6))::INTEGER) AS weekend, min("at") AS first_at
    FROM exchanges GROUP BY account_id)
SELECT {sharing}, t.exchanges AS "volume", t.exchanges / t.days AS "volume a day", t.tokens AS "tokens",
    t.reply AS "tokens out by in", t.night AS "share of night hours", t.weekend AS "share of weekends",
    t.hours AS "hours of the day", t.days AS "active days", t.repeated AS "share of repeated prompts",
    epoch(coalesce(a.created_at, t.first_at)) AS "sign-up", epoch(t.first_at) AS "first exchange",
    (a.banned_at IS NOT NULL)::INTEGER AS "banned", (a.org_id IS NOT NULL)::INTEGER AS "organisation"
FROM ids LEFT JOIN accounts a USING (account_id) LEFT JOIN traffic t USING (account_id) {joins} ORDER BY account"""


@dataclass(frozen=True)
class Shared:
    """Values that two accounts or more hold.

    Attributes:
        names: ids of all accounts, sorted; indices below are places in it.
        account, identifier: int64[S], who holds what, once each, sorted by (identifier, account).
        uses: int64[S], how often the account was seen with the value.
        kind: int64[I], index into `kinds` of each identifier.
        kinds: names of the kinds.
    """

    names: list[str]
    account: Ints
    identifier: Ints
    uses: Ints
    kind: Ints
    kinds: tuple[str, ...]

    @property
    def holders(self) -> Ints:
        """int64[I], accounts that hold each identifier, at least 2."""
        return np.bincount(self.identifier, minlength=len(self.kind))

    def groups(self, labels: Ints, least: int, weight: Floats) -> list[list[str]]:
        """Groups of at least so many accounts, those of the greatest mean weight first.

        Args:
            labels: int64[n], the group of each account; negative for none.
            least: the smallest group.
            weight: float64[n], of each account, for the ranking.
        """
        inside = np.flatnonzero(labels >= 0)
        order = inside[np.argsort(labels[inside], kind="stable")]
        _, first, size = np.unique(labels[order], return_index=True, return_counts=True)
        kept = [
            order[start : start + count]
            for start, count in zip(first.tolist(), size.tolist(), strict=True)
            if count >= least
        ]
        kept.sort(key=lambda members: (-float(weight[members].mean()), int(members[0])))
        return [[self.names[at] for at in members.tolist()] for members in kept]


def read(case: Path) -> tuple[Shared, pd.DataFrame]:
    """Read the contract tables of a case; nothing of what a run of `linkage detect` left in it.

    Returns:
        The shared values of `KINDS`, and features of all accounts: one row an account in the order of their names,
        NaN where unknown.

    Raises:
        LinkageError: as `store.reading`.
    """
    with store.reading(case) as con:
        con.execute(ACCOUNTS)
        con.execute(_HELD)
        shared = read_held(con, KINDS)
        sharing = ", ".join(
            f'{kind}.{column} AS "{title} {kind}"'
            for kind in KINDS
            for column, title in (
                ("most", "most holders of a"),
                ("least", "fewest holders of a"),
                ("held", "number of values:"),
                ("shared", "number of shared values:"),
            )
        )
        joins = " ".join(
            f"LEFT JOIN sharing {kind} ON {kind}.account_id = ids.account_id AND {kind}.kind = '{kind}'"
            for kind in KINDS
        )
        features = con.execute(_FEATURES.format(sharing=sharing, joins=joins)).df()
    return shared, features.astype(float)


def read_held(con: duckdb.DuckDBPyConnection, kinds: tuple[str, ...]) -> Shared:
    """What is shared by the tables `ids` (account_id, account) and `held` (kind, value, account_id, uses)."""
    names = [str(row[0]) for row in con.execute("SELECT account_id FROM ids ORDER BY account").fetchall()]
    rows = con.execute(_SHARED, [list(kinds)]).fetchnumpy()
    identifier = np.asarray(rows["identifier"], np.int64)
    return Shared(
        names=names,
        account=np.asarray(rows["account"], np.int64),
        identifier=identifier,
        uses=np.asarray(rows["uses"], np.int64),
        kind=np.asarray(rows["kind"], np.int64)[np.unique(identifier, return_index=True)[1]],
        kinds=kinds,
    )


def pairs(shared: Shared, cap: int) -> tuple[Ints, Ints]:
    """All pairs of accounts that share a value that at most `cap` accounts hold; a pair comes once a value.

    Returns:
        Two places in `shared.account`, the smaller account first: they tell accounts, value and uses.
    """
    holders = shared.holders
    start = np.cumsum(holders) - holders
    found: list[tuple[Ints, Ints]] = []
    for size in np.unique(holders[holders <= cap]).tolist():
        places = start[holders == size][:, None] + np.arange(size)
        one, two = np.triu_indices(size, 1)
        found.append((places[:, one].ravel(), places[:, two].ravel()))
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    one, two = (np.concatenate(column) for column in zip(*found, strict=True))
    return one, two


def projected(shared: Shared, cap: int) -> tuple[Ints, Ints, Ints]:
    """Accounts that share a value that at most `cap` hold, and how many such values they share.

    Returns:
        The two accounts of each pair, the smaller first and in order, and the weight, at least 1.
    """
    one, two = pairs(shared, cap)
    count = max(len(shared.names), 1)
    key, weight = np.unique(shared.account[one] * count + shared.account[two], return_counts=True)
    return key // count, key % count, weight.astype(np.int64)
