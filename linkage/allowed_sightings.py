"""Allowed identifiers are left out of the sightings: they link nobody, and are part of nobody's burst."""

from datetime import datetime
from typing import Final

import duckdb

from linkage.allowances import latest_sql
from linkage.scripts import Scripts

# A template that was joined to another since is called by that now.
_ALLOWED: Final = """
CREATE TABLE allowed AS
WITH said AS (SELECT a.* FROM ({latest}) JOIN kase.allowances a USING (allowance) WHERE a.allowed),
names AS (SELECT level || format(':{{:016x}}', alias) AS value, level || format(':{{:016x}}', template) AS today
    FROM (SELECT *, if(part = 'body', 'template', part) AS level FROM kase.template_aliases))
SELECT kind, value, max(allowance) AS allowance FROM (SELECT kind, value, allowance FROM said
    UNION ALL SELECT kind, today, allowance FROM said JOIN names USING (value) WHERE kind = 'prompt')
GROUP BY kind, value;
CREATE TABLE allowed_words AS SELECT allowance, reason, "by" FROM kase.allowances SEMI JOIN allowed USING (allowance);
"""

# What is said by a prompt's parts alone is said by the prompt.
_PARTS: Final = """
UPDATE work_of SET exact = NULL, opening = NULL, ending = NULL
WHERE value IN (SELECT value FROM allowed WHERE kind = 'prompt')
"""

_SET_ASIDE: Final = """
CREATE TABLE set_aside AS SELECT account, kind, value, max(label) AS label, any_value(allowance) AS allowance
FROM seen JOIN allowed USING (kind, value) GROUP BY account, kind, value;
DELETE FROM seen WHERE (kind, value) IN (SELECT (kind, value) FROM allowed);
DELETE FROM set_aside WHERE (kind, value) IN (SELECT (kind, value) FROM set_aside GROUP BY kind, value
    HAVING count(*) = 1);
"""


def read_allowed(con: duckdb.DuckDBPyConnection, now: datetime) -> None:
    """Read what is allowed at `now`; after `find_works`, before what is seen is gathered.

    Tables left: `allowed` (kind, value, allowance) and `allowed_words` (allowance, reason, by). The case is attached as
    `kase`.
    """
    con.execute(_ALLOWED.format(latest=latest_sql(now, "kase.")))
    if con.execute("SELECT 1 FROM allowed WHERE kind = 'prompt' LIMIT 1").fetchall():
        con.execute(_PARTS)


def set_aside(tables: Scripts) -> None:
    """Take what is allowed out of `seen`, once networks are derived and before anything is tested.

    Table left: `set_aside` (account, kind, value, label, allowance), of values that two accounts or more have.
    """
    tables.execute(_SET_ASIDE)
