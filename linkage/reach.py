"""Whom the values of some accounts reach: who else uses them, and which exchanges go over them.

All is read from the rows of the exports that the case holds now, so that values count which one account has alone, and
those that came in after the newest run. Only templates of prompts are called what the newest run called them.

An exchange of the export names its address, device, user agent and prompt: it goes over those values and no others.
Other values (a card, a phone, a tax id) stand for the whole account.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from linkage import networks, store
from linkage.decisions import rings_sql
from linkage.model import FLAGGED
from linkage.until import utc_now

TARGET, IN_RING, BANNED, INNOCENT = range(4)
"""What an account is: named, of another listed ring, banned already, or none of these."""

TIMED: Final = ("burst", "handoff", "balance")
"""Kinds that are no values: what accounts did together cannot be blocked. Nor can ties (`link:KIND`)."""

_COLUMNS: Final = ("address", "network", "agent", "device", "given", "template", "opening", "ending", "exact")

# Rows that say that an account has a value, but for exchanges; `link` and what is timed stay away.
_HELD: Final = """
CREATE TEMP VIEW held AS
SELECT account_id, 'payment' AS kind, payment_id AS value, NULL::VARCHAR AS label, NULL::VARCHAR AS ip_net FROM payments
UNION ALL SELECT account_id, x.kind, x.value, x.label, NULL FROM (SELECT account_id, unnest([
    {kind: 'email', value: email, label: email_label}, {kind: 'email_domain', value: email_domain, label: NULL},
    {kind: 'phone', value: phone, label: phone_label}, {kind: 'org', value: org_id, label: NULL}]) AS x FROM accounts)
WHERE x.value IS NOT NULL
UNION ALL SELECT account_id, kind, value, label, ip_net FROM identifiers
UNION ALL SELECT account_id, x.kind, x.value, NULL, x.net FROM (SELECT account_id, unnest([
    {kind: 'ip', value: ip, net: ip_net}, {kind: 'device', value: device_id, net: NULL},
    {kind: 'user_agent', value: user_agent, net: NULL}]) AS x
    FROM (SELECT DISTINCT account_id, ip, ip_net, device_id, user_agent FROM logins))
WHERE x.value IS NOT NULL;
"""

# What the targets have: the candidates.
_ASKED: Final = """
CREATE TEMP TABLE target_values AS
SELECT kind, value, label, ip_net FROM held SEMI JOIN targets USING (account_id)
UNION ALL SELECT x.kind, x.value, NULL, x.net FROM (SELECT unnest([{{kind: 'ip', value: ip, net: ip_net}},
    {{kind: 'device', value: device_id, net: NULL}}, {{kind: 'user_agent', value: user_agent, net: NULL}}]) AS x
    FROM (SELECT DISTINCT ip, ip_net, device_id, user_agent FROM exchanges SEMI JOIN targets USING (account_id)))
WHERE x.value IS NOT NULL
UNION ALL SELECT kind, value, label, NULL FROM sightings SEMI JOIN targets USING (account_id)
    JOIN shared USING (kind, value) WHERE kind = 'prompt';
-- Addresses that everybody can have are nobody's to block.
CREATE TEMP TABLE nets AS SELECT value, net, {private} AS private FROM (
    SELECT value, coalesce(max(ip_net), {net}) AS net FROM target_values WHERE kind = 'ip' GROUP BY value);
CREATE TEMP TABLE candidates AS
SELECT kind, value, max(label) AS label FROM (
    SELECT kind, value, label FROM target_values
    ANTI JOIN (SELECT 'ip' AS kind, value FROM nets WHERE private AND NOT $keep_private) USING (kind, value)
    UNION ALL SELECT 'ip_net', net, NULL FROM nets WHERE net IS NOT NULL AND ($keep_private OR NOT private))
WHERE NOT starts_with(kind, 'link:') AND NOT list_contains($timed, kind) GROUP BY kind, value;
CREATE TEMP TABLE asked AS SELECT (row_number() OVER (ORDER BY kind, value) - 1)::INTEGER AS id, *
FROM candidates WHERE len($kinds) = 0 OR list_contains($kinds, kind);
"""

# Which candidates an address, a device, … of an exchange is.
_LOOK_UP: Final = """
CREATE TEMP TABLE addresses AS
WITH seen AS (SELECT ip, max(ip_net) AS ip_net FROM (
    SELECT ip, ip_net FROM exchanges UNION SELECT ip, ip_net FROM logins
    UNION SELECT value, ip_net FROM identifiers WHERE kind = 'ip') WHERE ip IS NOT NULL GROUP BY ip)
SELECT s.ip, a.id AS address, n.id AS network
FROM (SELECT ip, CASE WHEN (SELECT count(*) FROM asked WHERE kind = 'ip_net') > 0 THEN coalesce(ip_net, {net}) END
    AS net FROM seen) s
    LEFT JOIN asked a ON a.kind = 'ip' AND a.value = s.ip LEFT JOIN asked n ON n.kind = 'ip_net' AND n.value = s.net
WHERE a.id IS NOT NULL OR n.id IS NOT NULL;
CREATE TEMP TABLE prompt_ids AS
WITH named AS (SELECT id, split_part(value, ':', 1) AS level, ('0x' || split_part(value, ':', 2))::UBIGINT AS n
    FROM asked WHERE kind = 'prompt' AND regexp_full_match(value, '(template|opening|ending|exact):[0-9a-f]{{16}}'))
SELECT level, n, min(id) AS id FROM (SELECT id, level, n FROM named UNION ALL
    SELECT id, level, template FROM named JOIN template_aliases
    ON alias = n AND part = replace(level, 'template', 'body'))
GROUP BY level, n;
-- A template of one prompt is called by that prompt.
CREATE TEMP TABLE prompt_values AS
SELECT t.prompt, f.account_id, p.id AS template, o.id AS opening, e.id AS ending, x.id AS exact
FROM templates t LEFT JOIN followed f USING (prompt)
    LEFT JOIN prompt_ids p ON p.level = 'template' AND p.n = coalesce(f.template, t.body)
    LEFT JOIN prompt_ids o ON o.level = 'opening' AND o.n = t.opening
    LEFT JOIN prompt_ids e ON e.level = 'ending' AND e.n = t.ending
    LEFT JOIN prompt_ids x ON x.level = 'exact' AND x.n = t.prompt
WHERE coalesce(p.id, o.id, e.id, x.id) IS NOT NULL;
"""

# Exchanges by the candidates that they go over; all that go over the same ones are one row.
_TRAFFIC_ROWS: Final = """
CREATE TEMP TABLE traffic AS
SELECT e.account_id, count(*) AS exchanges, a.address, a.network, d.id AS device, u.id AS agent, g.id AS given,
    coalesce(o.template, p.template) AS template, coalesce(o.opening, p.opening) AS opening,
    coalesce(o.ending, p.ending) AS ending, coalesce(o.exact, p.exact) AS exact
FROM exchanges e LEFT JOIN addresses a USING (ip)
    LEFT JOIN asked d ON d.kind = 'device' AND d.value = e.device_id
    LEFT JOIN asked u ON u.kind = 'user_agent' AND u.value = e.user_agent
    LEFT JOIN asked g ON g.kind = 'prompt' AND g.value = e.prompt_fingerprint
    LEFT JOIN prompt_values o ON o.prompt = e.prompt AND o.account_id = e.account_id
    LEFT JOIN prompt_values p ON p.prompt = e.prompt AND p.account_id IS NULL
WHERE coalesce(a.address, a.network, d.id, u.id, g.id, o.template, o.opening, o.ending, o.exact, p.template, p.opening,
    p.ending, p.exact) IS NOT NULL
GROUP BY ALL;
CREATE TEMP TABLE uses AS
SELECT DISTINCT account_id, id FROM held JOIN asked USING (kind, value) WHERE kind <> 'ip'
UNION SELECT account_id, unnest([address, network]) FROM held JOIN addresses ON ip = value WHERE kind = 'ip';
CREATE TEMP TABLE touched AS
SELECT account_id, (row_number() OVER (ORDER BY account_id) - 1)::INTEGER AS account
FROM (SELECT account_id FROM uses WHERE id IS NOT NULL UNION SELECT account_id FROM traffic
    UNION SELECT account_id FROM targets);
"""

_FACTS: Final = """
WITH lived AS (SELECT account_id, count(*) AS exchanges, count(ip) > 0 AS ip, count(device_id) > 0 AS device,
        count(user_agent) > 0 AS agent
    FROM exchanges SEMI JOIN touched USING (account_id) GROUP BY account_id),
listed AS (SELECT account_id FROM members JOIN {rings} USING (ring_id) WHERE listed AND list_contains($flagged, status))
SELECT CASE WHEN t.account_id IN (SELECT account_id FROM targets) THEN 0
        WHEN t.account_id IN (SELECT account_id FROM listed) THEN 1
        WHEN a.banned_at IS NOT NULL OR a.status = 'banned' THEN 2 ELSE 3 END::TINYINT AS role,
    coalesce(l.exchanges, 0) AS exchanges, coalesce(l.ip, false) AS ip, coalesce(l.device, false) AS device,
    coalesce(l.agent, false) AS agent, coalesce(a.banned_at IS NOT NULL OR a.status = 'banned', false) AS banned
FROM touched t LEFT JOIN accounts a USING (account_id) LEFT JOIN lived l USING (account_id) ORDER BY t.account
"""


@dataclass(frozen=True)
class Reach:
    """Candidate values and the accounts that they reach.

    Attributes:
        kind, value, label: of each of V values, sorted by kind and value.
        role: int8[A], `TARGET`, `IN_RING`, `BANNED` or `INNOCENT`, of each account that is a target or has a value.
        banned: bool[A], banned already, targets too.
        exchanges: int64[A], all that the account had.
        account, id: int64[S], who uses which value, each pair once, sorted by (id, account).
        whole: bool[S], the value stands for all exchanges of the account.
        over: int64[S], exchanges of the account that go over the value; all of them where it stands for all.
        row_account, row_exchanges: int64[R], exchanges that go over the same values.
        row_values: int64[R, 9], those values; V where there is none.
    """

    kind: tuple[str, ...]
    value: tuple[str, ...]
    label: tuple[str | None, ...]
    role: NDArray[np.int8]
    banned: NDArray[np.bool_]
    exchanges: NDArray[np.int64]
    account: NDArray[np.int64]
    id: NDArray[np.int64]
    whole: NDArray[np.bool_]
    over: NDArray[np.int64]
    row_account: NDArray[np.int64]
    row_exchanges: NDArray[np.int64]
    row_values: NDArray[np.int64]

    def hit(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """bool[A]: accounts that use one of the chosen values."""
        found = np.zeros(len(self.role), np.bool_)
        found[self.account[chosen[self.id]]] = True
        return found

    def stopped(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """int64[A]: exchanges that go over one of the chosen values."""
        at = np.append(chosen, False)[self.row_values].any(axis=1)
        found = np.bincount(self.row_account[at], self.row_exchanges[at], len(self.role)).astype(np.int64)
        all_of = self.account[self.whole & chosen[self.id]]
        found[all_of] = self.exchanges[all_of]
        return found


def kinds_of(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Kinds of which the targets have values that can be blocked; after `read`."""
    return [str(row[0]) for row in con.execute("SELECT DISTINCT kind FROM candidates ORDER BY kind").fetchall()]


def read(con: duckdb.DuckDBPyConnection, targets: Sequence[str], kinds: Sequence[str]) -> Reach:
    """Read the values of the targets and all accounts that use them.

    Args:
        con: a connection to the case, read-only will do; temporary tables stay in it.
        targets: account ids.
        kinds: only values of these kinds; all, where none is named.
    """
    made = "CREATE TEMP TABLE targets AS SELECT DISTINCT unnest(?::VARCHAR[]) AS account_id"
    # No function can be made while a result is open.
    con.execute(made, [list(targets)]).fetchall()
    con.create_function("net_of", networks.net_of, ["VARCHAR"], "VARCHAR")
    con.create_function("is_private", networks.is_private, ["VARCHAR"], "BOOLEAN")
    con.execute(_HELD)
    asked = _ASKED.format(private=networks.private_sql("net"), net=networks.net_sql("value"))
    given = {
        "keep_private": store.meta(con, "keep_private_ips") == "1",
        "timed": list(TIMED),
        "kinds": list(kinds),
    }
    for statement in asked.split(";\n"):
        used = {name: value for name, value in given.items() if f"${name}" in statement}
        con.execute(statement, used)
    con.execute(_LOOK_UP.format(net=networks.net_sql("ip")))
    con.execute(_TRAFFIC_ROWS)
    names = con.execute("SELECT kind, value, label FROM asked ORDER BY id").fetchall()
    facts = con.execute(_FACTS.format(rings=rings_sql(utc_now())), {"flagged": sorted(FLAGGED)}).fetchnumpy()
    return _reach(con, names, facts)


def _reach(con: duckdb.DuckDBPyConnection, names: list[tuple[Any, ...]], facts: dict[str, Any]) -> Reach:
    values = len(names)
    rows = con.execute(
        f"""SELECT account, exchanges, {", ".join(f"coalesce({c}, {values}) AS {c}" for c in _COLUMNS)}
        FROM traffic JOIN touched USING (account_id) ORDER BY ALL"""  # noqa: S608 (the columns are ours)
    ).fetchnumpy()
    row_account, row_exchanges = (np.asarray(rows[column], np.int64) for column in ("account", "exchanges"))
    row_values = np.sort(np.stack([np.asarray(rows[column], np.int64) for column in _COLUMNS], axis=1), axis=1)
    # A prompt may be called the same in two ways.
    row_values[:, 1:][row_values[:, 1:] == row_values[:, :-1]] = values
    stated = con.execute(
        "SELECT account, id FROM uses JOIN touched USING (account_id) WHERE id IS NOT NULL"
    ).fetchnumpy()
    exchanges = np.asarray(facts["exchanges"], np.int64)
    # Each use as one number, in the order (id, account).
    accounts = len(exchanges)
    sent = (row_values * accounts + row_account[:, None]).ravel()
    said = np.asarray(stated["id"], np.int64) * accounts + np.asarray(stated["account"], np.int64)
    uses, at = np.unique(np.concatenate([sent, said]), return_inverse=True)
    over = np.bincount(at[: len(sent)], np.repeat(row_exchanges, len(_COLUMNS)), len(uses)).astype(np.int64)
    kept = uses < values * accounts
    id_, account = np.divmod(uses[kept], max(accounts, 1))
    # Where the exchanges of an account never name such a thing, the value stands for all of them.
    named = [np.asarray(facts[name], np.bool_) for name in ("ip", "device", "agent")]
    told = np.stack([*named, np.ones(accounts, np.bool_), np.zeros(accounts, np.bool_)])
    column = {"ip": 0, "ip_net": 0, "device": 1, "user_agent": 2, "prompt": 3}
    whole = ~told[np.array([column.get(str(row[0]), 4) for row in names], np.int64)[id_], account]
    return Reach(
        kind=tuple(str(row[0]) for row in names),
        value=tuple(str(row[1]) for row in names),
        label=tuple(row[2] for row in names),
        role=np.asarray(facts["role"], np.int8),
        banned=np.asarray(facts["banned"], np.bool_),
        exchanges=exchanges,
        account=account,
        id=id_,
        whole=whole,
        over=np.where(whole, exchanges[account], over[kept]),
        row_account=row_account,
        row_exchanges=row_exchanges,
        row_values=row_values,
    )
