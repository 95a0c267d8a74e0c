"""Where what is said of a ring stands in the exports: for each of its values and members, files and lines.

1. The members' rows that hold a value of the ring's evidence. Derived kinds are traced to what they come from: a
   network to its addresses, a template to the exchanges whose prompts follow it.
2. A burst, a hand-off or a balanced load is named by a hash of its kind, its prompt and its accounts
   (`timing.work.Traffic.finding`). So the prompt is found by trying those that its accounts send; its rows are their
   exchanges of that prompt between the first and the last time of the sighting.
3. Facts of the members' accounts: sign-up, status or ban, organisation.

No content is read: a row is told by its table, file, line, account, time and the column that counts.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb

from linkage import networks, store
from linkage.errors import UsageError
from linkage.results import Ring, ring

LIMIT: Final = 3
"""Rows of each value and account."""

FACTS: Final = ("sign_up", "status", "org")
"""Kinds that are no evidence but facts of an account."""

BEFORE: Final = "came in before lines were kept"
SEVERAL: Final = "several rows of the account make one, none of which says it all"
UNTOLD: Final = "the line cannot be told"

_TIMED: Final = ("burst", "handoff", "balance")

# Exchanges of members with what their prompts follow today.
_SENT: Final = """
CREATE TEMP TABLE sent AS
SELECT e.*, coalesce(f.template, t.body) AS template, t.opening, t.ending
FROM exchanges e SEMI JOIN ring_members USING (account_id)
    LEFT JOIN templates t USING (prompt) LEFT JOIN followed f USING (account_id, prompt);
CREATE TEMP TABLE logged AS SELECT * FROM logins SEMI JOIN ring_members USING (account_id);
-- The network of a hashed address was kept at ingest.
CREATE TEMP TABLE addresses AS SELECT ip, CASE WHEN contains(ip, '.') OR contains(ip, ':') THEN net_of(ip) END AS net
FROM (SELECT ip FROM sent UNION SELECT ip FROM logged UNION SELECT value FROM identifiers
    SEMI JOIN ring_members USING (account_id) WHERE kind = 'ip') WHERE ip IS NOT NULL;
CREATE TEMP TABLE asked_prompts AS
SELECT kind, value, level, n, coalesce((SELECT min(a.template) FROM template_aliases a
    WHERE a.alias = n AND a.template <> n AND a.part = replace(level, 'template', 'body')), n) AS today
FROM (SELECT kind, value, split_part(value, ':', 1) AS level, ('0x' || split_part(value, ':', 2))::UBIGINT AS n
    FROM asked WHERE kind = 'prompt' AND regexp_full_match(value, '(template|opening|ending|exact):[0-9a-f]{16}'));
"""

# Rows of members with a value that was asked for: (kind, value, account_id, table, column, file, line, at, command).
_HITS: Final = """
CREATE TEMP TABLE hits AS
SELECT 'payment' AS kind, payment_id AS value, account_id, 'payments' AS "table", 'payment_id' AS "column", file, line,
    added_at AS "at", NULL::BIGINT AS command
FROM payments SEMI JOIN ring_members USING (account_id) SEMI JOIN asked ON kind = 'payment' AND value = payment_id;
INSERT INTO hits SELECT a.kind, a.value, account_id, "table", held."column", file, line, "at", NULL
FROM (SELECT *, unnest([{kind: 'ip', value: ip, "column": 'ip'}, {kind: 'ip_net', value: coalesce(ip_net, net),
        "column": 'ip'}, {kind: 'device', value: device_id, "column": 'device_id'}, {kind: 'user_agent',
        value: user_agent, "column": 'user_agent'}]) AS held
    FROM (SELECT 'exchanges' AS "table", account_id, ip, ip_net, device_id, user_agent, "at", file, line FROM sent
        UNION ALL SELECT 'logins', account_id, ip, ip_net, device_id, user_agent, "at", file, line FROM logged)
        LEFT JOIN addresses USING (ip))
    JOIN asked a ON a.kind = held.kind AND a.value = held.value;
INSERT INTO hits SELECT a.kind, a.value, account_id, 'accounts', held."column", file, line, created_at, command
FROM (SELECT *, unnest([{kind: 'email', value: email, "column": 'email'}, {kind: 'email_domain', value: email_domain,
        "column": 'email'}, {kind: 'phone', value: phone, "column": 'phone'}, {kind: 'org', value: org_id,
        "column": 'org_id'}]) AS held
    FROM account_rows SEMI JOIN ring_members USING (account_id))
    JOIN asked a ON a.kind = held.kind AND a.value = held.value;
INSERT INTO hits SELECT kind, value, account_id, 'identifiers', 'value', file, line, "at", NULL
FROM identifiers SEMI JOIN ring_members USING (account_id) SEMI JOIN asked USING (kind, value);
INSERT INTO hits SELECT a.kind, a.value, account_id, 'identifiers', 'value', file, line, "at", NULL
FROM identifiers i SEMI JOIN ring_members USING (account_id) JOIN addresses d ON d.ip = i.value
    JOIN asked a ON a.kind = 'ip_net' AND a.value = coalesce(i.ip_net, d.net) WHERE i.kind = 'ip';
INSERT INTO hits SELECT a.kind, a.value, l.account_id, 'links', l."column", l.file, l.line, l."at", NULL
FROM (SELECT account_id, other_account_id AS hub, 'other_account_id' AS "column", * EXCLUDE (account_id) FROM links
    UNION ALL SELECT other_account_id, account_id, 'account_id', * EXCLUDE (account_id) FROM links
    UNION ALL SELECT account_id, account_id, 'account_id', * EXCLUDE (account_id) FROM links
    UNION ALL SELECT other_account_id, other_account_id, 'other_account_id', * EXCLUDE (account_id) FROM links) l
    SEMI JOIN ring_members m ON m.account_id = l.account_id
    JOIN asked a ON a.kind = 'link:' || lower(l.kind) AND a.value = l.hub;
INSERT INTO hits SELECT a.kind, a.value, account_id, 'exchanges', 'prompt_fingerprint', file, line, "at", NULL
FROM sent JOIN asked a ON a.kind = 'prompt' AND a.value = prompt_fingerprint;
INSERT INTO hits SELECT a.kind, a.value, account_id, 'exchanges', 'prompt', file, line, "at", NULL
FROM sent JOIN asked_prompts a ON (a.level = 'template' AND template IN (a.n, a.today))
    OR (a.level = 'opening' AND opening IN (a.n, a.today)) OR (a.level = 'ending' AND ending IN (a.n, a.today))
    OR (a.level = 'exact' AND prompt = a.n);
-- A template of one prompt is called by that prompt.
INSERT INTO hits SELECT a.kind, a.value, account_id, 'exchanges', 'prompt', file, line, "at", NULL
FROM sent JOIN (SELECT * FROM asked_prompts ANTI JOIN hits USING (kind, value)) a
    ON a.level = 'exact' AND template = a.n;
"""

_FACTS: Final = """
INSERT INTO hits SELECT f.kind, f.value, account_id, 'accounts', f."column", r.file, r.line, r.created_at, r.command
FROM account_rows r JOIN (
    SELECT account_id, 'sign_up' AS kind, created_at::VARCHAR AS value, 'created_at' AS "column" FROM accounts
    UNION ALL SELECT account_id, 'status', status, 'status' FROM accounts
    UNION ALL SELECT account_id, 'status', 'banned ' || banned_at::VARCHAR, 'banned_at' FROM accounts
    UNION ALL SELECT account_id, 'org', org_id, 'org_id' FROM accounts
        WHERE org_id NOT IN (SELECT value FROM asked WHERE kind = 'org')) f USING (account_id)
    SEMI JOIN ring_members USING (account_id)
WHERE f.value = CASE f."column" WHEN 'created_at' THEN r.created_at::VARCHAR WHEN 'status' THEN r.status
    WHEN 'banned_at' THEN 'banned ' || r.banned_at::VARCHAR ELSE r.org_id END;
"""

_ROWS: Final = """
SELECT h.kind, h.value, a.label, h.account_id, h."table", h."column", f.name, f.sha256, h.line, h."at",
    count(*) OVER each AS total,
    CASE WHEN h.file IS NOT NULL AND h.line IS NOT NULL THEN '' WHEN h.file IS NOT NULL THEN $untold
        WHEN h.command >= $placed_from THEN $several ELSE $before END AS note
FROM hits h LEFT JOIN asked a USING (kind, value) LEFT JOIN files f ON f.file = h.file
WINDOW each AS (PARTITION BY h.kind, h.value, h.account_id)
QUALIFY row_number() OVER (PARTITION BY h.kind, h.value, h.account_id
    ORDER BY h."at" NULLS LAST, h.file NULLS LAST, h.line NULLS LAST, h."table", h."column") <= $most
ORDER BY a.place NULLS LAST, list_position($facts, h.kind), h.value, h.account_id, h."at" NULLS LAST,
    h.file NULLS LAST, h.line NULLS LAST, h."table", h."column"
"""


@dataclass(frozen=True)
class SourceRow:
    """A row of an export that backs what is said of a ring.

    Attributes:
        kind, value: of the ring's evidence, or one of `FACTS` and what the account says.
        label: readable where the value is a hash.
        account_id: the member.
        table, column: of the contract; the column that counts.
        file, sha256: the file's name and its SHA-256, as it lay on disk; None where that is not known.
        line: in the file unpacked, from 1, the first of the row's lines; in Parquet, the row; None where that is not
            known.
        at: the row's time (an account's is its sign-up), UTC.
        total: rows of this account with this value, those beyond the limit too.
        note: why there is no file or line, or "".
    """

    kind: str
    value: str
    label: str | None
    account_id: str
    table: str
    column: str
    file: str | None
    sha256: str | None
    line: int | None
    at: datetime | None
    total: int
    note: str


def sources(case: Path, name: str, *, limit: int | None = LIMIT) -> list[SourceRow]:
    """The rows of the exports that back a ring.

    Args:
        case: the case file.
        name: a ring, as in `results.ring`.
        limit: at most so many rows, the earliest, of each value and account; None for all.

    Returns:
        the rows by evidence (the most bits first, facts of accounts last), account, time, file and line.

    Raises:
        NotFoundError: no such ring, several, or no run yet.
        UsageError: `limit` is less than 1.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"A limit of {limit} leaves nothing.", "Use 1 or more.")
    found = ring(case, name)
    with store.reading(case) as con:
        con.execute("CREATE TEMP TABLE ring_members (account_id VARCHAR)").fetchall()
        con.execute("INSERT INTO ring_members SELECT unnest(?::VARCHAR[])", [[m.account_id for m in found.members]])
        con.execute("CREATE TEMP TABLE asked (kind VARCHAR, value VARCHAR, label VARCHAR, place BIGINT)")
        con.execute(
            "INSERT INTO asked SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), "
            "unnest(range(len(?::VARCHAR[])))",
            [[e.kind for e in found.evidence], [e.value for e in found.evidence], [e.label for e in found.evidence],
             [e.kind for e in found.evidence]],
        )  # fmt: skip
        con.create_function("net_of", networks.net_of, ["VARCHAR"], "VARCHAR")
        con.execute(_SENT)
        con.execute(_HITS)
        _add_timed(con, found)
        con.execute(_FACTS)
        rows = con.execute(
            _ROWS,
            {
                "most": 2**62 if limit is None else limit,
                "facts": list(FACTS),
                "placed_from": int(store.meta(con, "placed_from", "0")),
                "before": BEFORE,
                "several": SEVERAL,
                "untold": UNTOLD,
            },
        ).fetchall()
    return [SourceRow(*row) for row in rows]


def _add_timed(con: duckdb.DuckDBPyConnection, found: Ring) -> None:
    """Step 2."""
    for row in found.evidence:
        if row.kind not in _TIMED:
            continue
        accounts = con.execute(
            "SELECT DISTINCT account_id FROM sightings WHERE kind = ? AND value = ?", [row.kind, row.value]
        ).fetchall()
        prompts = con.execute(
            """SELECT DISTINCT unnest([prompt_fingerprint, 'template:' || format('{:016x}', template),
                'exact:' || format('{:016x}', template)]) AS prompt
            FROM sent SEMI JOIN (SELECT account_id FROM sightings WHERE kind = ? AND value = ?) USING (account_id)
            ORDER BY prompt""",
            [row.kind, row.value],
        ).fetchall()
        names = sorted(account for (account,) in accounts)
        prompt = _timed_prompt(row.kind, row.value, [str(name) for (name,) in prompts if name is not None], names)
        # Several prompts made one finding, or it has another name since: any prompt of the time is told.
        con.execute(
            """INSERT INTO hits SELECT s.kind, s.value, e.account_id, 'exchanges', 'at', e.file, e.line, e."at", NULL
            FROM sent e JOIN sightings s ON s.account_id = e.account_id AND s.kind = $kind AND s.value = $value
                AND e."at" >= s.first_seen AND e."at" < s.last_seen + INTERVAL 1 SECOND
            WHERE CASE WHEN $prompt IS NULL THEN coalesce(e.prompt_fingerprint, e.prompt::VARCHAR) IS NOT NULL
                ELSE e.prompt_fingerprint = $prompt
                    OR format('{:016x}', e.template) = split_part($prompt, ':', 2) END""",
            {"kind": row.kind, "value": row.value, "prompt": prompt},
        )


def _timed_prompt(kind: str, value: str, prompts: list[str], accounts: list[str]) -> str | None:
    """The prompt of a finding that is called `value`; None if it is of several prompts."""
    for prompt in prompts:
        content = "\n".join((kind, prompt, *accounts))
        if hashlib.sha256(content.encode()).hexdigest()[:16] == value:
            return prompt
    return None
