"""From decisions in the case to bonds between accounts, which `linkage.rings.bind` binds groups by."""

from datetime import datetime
from typing import Final

import duckdb
import numpy as np

from linkage import decisions
from linkage.rings import Bond

# What was decided on a member goes before what was decided on its ring as a whole. A ring that was gone when it was
# decided on, in Neo4j, is as it was when it was last seen.
_NAMED: Final = """
CREATE OR REPLACE TEMP TABLE standing AS
SELECT l.*, d.members, d."at", d.recorded_at,
    (SELECT max(m.run) FROM kase.memberships m WHERE m.ring_id = l.ring_id AND m.run <= d.run) AS run
FROM ({latest}) l JOIN kase.decisions d USING (decision)
WHERE l.verdict IN ('confirm', 'dismiss', 'split');

CREATE OR REPLACE TEMP TABLE named AS
SELECT decision, account_id FROM standing WHERE account_id IS NOT NULL
UNION ALL
SELECT s.decision, m.account_id FROM standing s JOIN kase.memberships m USING (ring_id, run)
    LEFT JOIN standing x ON x.ring_id = s.ring_id AND x.account_id = m.account_id AND x.verdict <> 'confirm'
WHERE s.account_id IS NULL AND s.verdict = 'confirm' AND x.decision IS NULL;

CREATE OR REPLACE TEMP TABLE others AS
SELECT DISTINCT s.decision, m.account_id FROM standing s JOIN kase.memberships m USING (ring_id, run)
WHERE s.account_id IS NOT NULL AND NOT list_contains(s.members, m.account_id);
"""


def bonds(con: duckdb.DuckDBPyConnection, now: datetime) -> list[Bond]:
    """The decisions that bind members at `now`, the oldest first.

    Args:
        con: a scratch database after `identify`, with the case attached as `kase`.
        now: UTC without a zone.
    """
    con.execute(_NAMED.format(latest=decisions.latest_sql(now, "kase.")))
    each = 'SELECT decision, verdict FROM standing GROUP BY decision, verdict, "at", recorded_at'
    verdicts = con.execute(f"{each} ORDER BY {decisions.TIME}").fetchall()
    sides = []
    for name in ("named", "others"):
        rows = con.execute(
            f"SELECT decision, account FROM {name} JOIN ids USING (account_id) ORDER BY decision, account"  # noqa: S608
        ).fetchnumpy()
        sides.append((np.asarray(rows["decision"], np.int64), np.asarray(rows["account"], np.int64)))
    return [
        Bond(int(number), str(verdict), *(account[decision == number] for decision, account in sides))
        for number, verdict in verdicts
    ]
