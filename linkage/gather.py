"""Gather: what each account was seen with, and what it does beside it, from the contract tables.

The scripts are DuckDB's dialect, and run on other engines too (`linkage.scripts`).
"""

from typing import Final

from linkage import networks
from linkage.scripts import Scripts, conditions, create, grouped

RHYTHM_BUCKETS: Final = 8
"""A day is cut into this many parts to tell a daily rhythm from round-the-clock traffic."""

# Who was seen with what: a row for each account, kind and value. Of its n, `asked` are the exchanges by which it is
# told how many addresses and works an account has. `{part}` is a condition on `account_id`, `{sent}` tells which
# fingerprints are meant.
_SOURCES: Final = (
    """
    SELECT account_id, 'payment' AS kind, payment_id AS value, NULL::VARCHAR AS label, NULL::VARCHAR AS ip_net,
        count(*) AS n, 0::BIGINT AS asked, min(added_at) AS first_at, max(added_at) AS last_at
    FROM kase.payments GROUP BY account_id, payment_id
    """,
    """
    SELECT account_id, 'ip', ip, NULL, any_value(ip_net), count(*), sum(asked)::BIGINT, min("at"), max("at")
    FROM (SELECT account_id, ip, ip_net, 1 AS asked, "at" FROM kase.exchanges WHERE ip IS NOT NULL AND {part}
        UNION ALL SELECT account_id, ip, ip_net, 0, "at" FROM kase.logins WHERE ip IS NOT NULL AND {part})
    GROUP BY account_id, ip
    """,
    """
    SELECT account_id, 'device', device_id, NULL, NULL, count(*), 0, min("at"), max("at")
    FROM (SELECT account_id, device_id, "at" FROM kase.exchanges WHERE device_id IS NOT NULL AND {part}
        UNION ALL SELECT account_id, device_id, "at" FROM kase.logins WHERE device_id IS NOT NULL AND {part})
    GROUP BY account_id, device_id
    """,
    """
    SELECT account_id, 'user_agent', user_agent, NULL, NULL, count(*), 0, min("at"), max("at")
    FROM (SELECT account_id, user_agent, "at" FROM kase.exchanges WHERE user_agent IS NOT NULL AND {part}
        UNION ALL SELECT account_id, user_agent, "at" FROM kase.logins WHERE user_agent IS NOT NULL AND {part})
    GROUP BY account_id, user_agent
    """,
    """
    SELECT account_id, 'prompt', prompt_fingerprint, NULL, NULL, count(*), count(*) FILTER (WHERE prompt IS NULL),
        min("at"), max("at")
    FROM kase.exchanges WHERE {sent} AND {part} GROUP BY account_id, prompt_fingerprint
    """,
    """
    SELECT account_id, 'email', email, email_label, NULL, 1, 0, created_at, created_at
    FROM people WHERE email IS NOT NULL
    """,
    """
    SELECT account_id, 'email_domain', email_domain, NULL, NULL, 1, 0, created_at, created_at
    FROM people WHERE email_domain IS NOT NULL
    """,
    """
    SELECT account_id, 'phone', phone, phone_label, NULL, 1, 0, created_at, created_at
    FROM people WHERE phone IS NOT NULL
    """,
    """
    SELECT account_id, 'org', org_id, NULL, NULL, 1, 0, created_at, created_at FROM people WHERE org_id IS NOT NULL
    """,
    """
    SELECT account_id, kind, value, max(label), max(ip_net), count(*), 0, min("at"), max("at")
    FROM kase.identifiers GROUP BY account_id, kind, value
    """,
    """
    -- A tie makes the other account an identifier: whoever is tied to it has it, and it has itself.
    SELECT account_id, 'link:' || lower(kind), hub, NULL, NULL, count(*), 0, min("at"), max("at")
    FROM (SELECT account_id, other_account_id AS hub, kind, "at" FROM kase.links
        UNION ALL SELECT other_account_id, account_id, kind, "at" FROM kase.links
        UNION ALL SELECT account_id, account_id, kind, "at" FROM kase.links
        UNION ALL SELECT other_account_id, other_account_id, kind, "at" FROM kase.links)
    GROUP BY account_id, hub, kind
    """,
)
_SEEN: Final = """
SELECT account, kind, value, label, ip_net, n, asked, first_at, last_at
FROM ({source}) AS s(account_id, kind, value, label, ip_net, n, asked, first_at, last_at) JOIN ids USING (account_id)
"""

_WORKED: Final = """
INSERT INTO seen
SELECT account, 'prompt', value, NULL, NULL, sum(n)::BIGINT, sum(n)::BIGINT,
    make_timestamp(min(first)), make_timestamp(max(last))
FROM work_of GROUP BY account, value
UNION ALL
SELECT account, 'prompt', edge, NULL, NULL, sum(n)::BIGINT, 0, make_timestamp(min(first)), make_timestamp(max(last))
FROM (SELECT account, unnest([opening, ending, nullif(exact, value)]) AS edge, n, first, last FROM work_of)
WHERE edge IS NOT NULL GROUP BY account, edge;

-- What comes from two places is one sighting.
CREATE TABLE again AS
SELECT account, kind, value, max(label) AS label, max(ip_net) AS ip_net, sum(n)::BIGINT AS n,
    sum(asked)::BIGINT AS asked, min(first_at) AS first_at, max(last_at) AS last_at
FROM seen WHERE {twofold} GROUP BY account, kind, value;
DELETE FROM seen WHERE {twofold};
INSERT INTO seen SELECT account, kind, value, label, ip_net, n, asked, first_at, last_at FROM again;
DROP TABLE again;

-- When works were sent that several accounts send, for the tests of timing.
CREATE TABLE drafts AS SELECT value, (row_number() OVER (ORDER BY value) - 1)::INTEGER AS draft FROM (
    SELECT value FROM seen WHERE kind = 'prompt' GROUP BY value HAVING min(account) <> max(account));
CREATE TABLE timed AS SELECT account, draft, "at" FROM (
    SELECT account, coalesce(w.value, prompt_fingerprint) AS value, "at"
    FROM kase.exchanges JOIN ids USING (account_id) LEFT JOIN work_of w USING (account, prompt))
JOIN drafts USING (value);
"""

_TWOFOLD: Final = """kind IN (SELECT kind FROM kase.identifiers UNION ALL SELECT 'prompt' FROM work_of
    WHERE (SELECT count(prompt_fingerprint) FROM kase.exchanges) > 0)"""

# What an account does beside what it shares. People sleep: how exchanges spread over the day tells them from a script.
# A new model is the newest that came up after the first tenth of the traffic and took a hundredth of it or more.
_NEW_MODEL: Final = """
CREATE TABLE new_model AS
WITH span AS (SELECT min("at") AS first_at, max("at") AS last_at, count(*) AS exchanges FROM kase.exchanges),
models AS (SELECT model, min("at") AS released, count(*) AS n FROM kase.exchanges
    WHERE model IS NOT NULL GROUP BY model)
SELECT model, released FROM models, span
WHERE released > first_at + (last_at - first_at) / 10
    AND n >= exchanges / 100.0
ORDER BY released DESC, model LIMIT 1;
"""

_BUSY: Final = """
SELECT account_id, count(*) AS exchanges, min("at") AS first_at, max("at") AS last_at,
    count(coalesce(prompt::VARCHAR, prompt_fingerprint)) AS prompts,
    avg(input_tokens) AS asked, avg(output_tokens) AS answered,
    min("at") FILTER (WHERE e.model = n.model) AS adopted_at, any_value(n.released) AS released,
    count(*) FILTER (WHERE "at" BETWEEN n.released AND n.released + INTERVAL 7 DAY) AS after,
    count(*) FILTER (WHERE e.model = n.model AND "at" <= n.released + INTERVAL 7 DAY) AS switched, {buckets}
FROM kase.exchanges e LEFT JOIN new_model n ON true WHERE {part} GROUP BY account_id
"""

_ACTIVITY: Final = """
CREATE TABLE activity AS
WITH told AS (SELECT account, count(*) FILTER (WHERE kind = 'prompt') AS distinct_prompts,
    count(*) FILTER (WHERE kind = 'ip') AS addresses FROM seen WHERE asked > 0 GROUP BY account)
SELECT b.*, coalesce(t.addresses, 0) AS addresses, coalesce(t.distinct_prompts, 0){more} AS distinct_prompts
FROM {busy} b JOIN ids USING (account_id) LEFT JOIN told t USING (account) {lone};
"""

# The network of an address: derived, unless ingest had to before it hashed the address.
_NETWORKS: Final = r"""
SELECT value, net, {private} AS private FROM (
    SELECT value, CASE WHEN max(ip_net) IS NOT NULL THEN max(ip_net)
        WHEN contains(value, ':') THEN net_of(value)
        ELSE regexp_replace(value, '\d+$', '0/24') END AS net
    FROM seen WHERE kind = 'ip' AND {part} GROUP BY value)
"""

_NETTED: Final = """
SELECT account, net, n, first_at, last_at FROM seen JOIN nets USING (value) WHERE kind = 'ip' AND {part}
"""

_NETWORK_SIGHTINGS: Final = """
INSERT INTO seen
SELECT account, 'ip_net', net, NULL, NULL, sum(n)::BIGINT, 0, min(first_at), max(last_at)
FROM {netted} WHERE {part} GROUP BY account, net
"""

# Fingerprints that one account alone has link nobody. Where they are not wanted, it is enough to know how many there
# are, and how often the account sent the one that it sent most.
_COMMON: Final = """
SELECT prompt_fingerprint AS value FROM kase.exchanges JOIN ids USING (account_id)
WHERE prompt_fingerprint IS NOT NULL AND {part} GROUP BY prompt_fingerprint HAVING min(account) <> max(account)
"""

_LONE: Final = """
SELECT account, count(*) AS works, max(n) FILTER (WHERE NOT allowed) AS most FROM (
    SELECT account_id, prompt_fingerprint AS value, count(*) AS n,
        prompt_fingerprint IN (SELECT value FROM allowed WHERE kind = 'prompt') AS allowed
    FROM kase.exchanges ANTI JOIN common ON prompt_fingerprint = value
    WHERE prompt_fingerprint IS NOT NULL AND {part} GROUP BY account_id, prompt_fingerprint)
JOIN ids USING (account_id) GROUP BY account
"""


def gather(tables: Scripts, parts: int = 1, *, lone: bool = False) -> None:
    """Leave `seen`, `timed` and `activity` of the contract tables `kase.…`; reads `ids`, `people` and `work_of`.

    Args:
        tables: where.
        parts: how many parts are grouped one after the other, so that each finds room in memory.
        lone: leave fingerprints of prompts that one account alone has out of `seen`; a table `lone` says of each
            account how many works these are (`works`) and how often it sent one at most (`most`). Reads `allowed`, and
            needs a case without raw prompts, and without prompts among `kase.identifiers`.
    """
    if parts == 1 and not lone:
        tables.execute(f"CREATE TABLE seen AS {_seen(' UNION ALL '.join(_SOURCES))}")
    else:
        _in_parts(tables, parts, lone)
    tables.execute(_WORKED.format(twofold=_TWOFOLD))
    tables.execute(_NEW_MODEL)
    width = 24 // RHYTHM_BUCKETS
    buckets = ", ".join(
        f'count(*) FILTER (WHERE hour("at") // {width} = {part}) AS rhythm_{part}' for part in range(RHYTHM_BUCKETS)
    )
    more, along = (" + coalesce(l.works, 0)", "LEFT JOIN lone l USING (account)") if lone else ("", "")
    with grouped(tables, "active", _BUSY.replace("{buckets}", buckets), "account_id", parts) as busy:
        tables.execute(_ACTIVITY.format(busy=busy, more=more, lone=along))


def _seen(source: str, part: str = "true", sent: str = "prompt_fingerprint IS NOT NULL") -> str:
    return _SEEN.replace("{source}", source.replace("{part}", part).replace("{sent}", sent))


def _in_parts(tables: Scripts, parts: int, lone: bool) -> None:
    """Leave `seen`, one source after the other, and where wanted `lone`."""
    if lone:
        create(tables, "common", _COMMON, "prompt_fingerprint", parts)
        create(tables, "lone", _LONE, "account_id", parts)
    head = "CREATE TABLE seen AS"
    sent = "prompt_fingerprint IN (FROM common)" if lone else "prompt_fingerprint IS NOT NULL"
    for source in _SOURCES:
        for part in conditions("account_id", parts) if "{part}" in source else ["true"]:
            tables.execute(f"{head} {_seen(source, part, sent)}")
            head = "INSERT INTO seen"
    if lone:
        tables.execute("DROP TABLE common")


def add_networks(tables: Scripts, parts: int = 1, *, keep_private: bool) -> None:
    """Derive `ip_net`, and take private addresses out of the evidence unless the case keeps them.

    Needs the functions `net_of` and `is_private`. `parts` is as in `gather`.
    """
    create(tables, "nets", _NETWORKS.replace("{private}", networks.private_sql("net")), "value", parts)
    if not keep_private:
        tables.execute("DELETE FROM seen WHERE kind = 'ip' AND value IN (SELECT value FROM nets WHERE private)")
    # Addresses of one network can be in different parts.
    with grouped(tables, "netted", _NETTED, "value", parts) as netted:
        for part in conditions("account", parts):
            tables.execute(_NETWORK_SIGHTINGS.format(netted=netted, part=part))
