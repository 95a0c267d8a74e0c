"""Templates of prompts: who sends one, how often and when, and which ones an account follows."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb

from linkage import store
from linkage.model import HEAVY_USES
from linkage.prompts.skeleton import PROMPTS, skeleton
from linkage.template_names import PROMPTED, aliases, resolve
from linkage.why import must_exist

_DOES: Final = {
    "template": "follow this template",
    "opening": "begin with this opening",
    "ending": "end with this ending",
    "exact": "are this very prompt",
    "given": "have this fingerprint",
}

_USES: Final = {
    "template": """SELECT account_id, "at", model, prompt FROM exchange_templates
        WHERE template = ('0x' || $digits)::UBIGINT""",
    "opening": """SELECT account_id, "at", model, prompt FROM exchange_templates
        WHERE opening = ('0x' || $digits)::UBIGINT""",
    "ending": """SELECT account_id, "at", model, prompt FROM exchange_templates
        WHERE ending = ('0x' || $digits)::UBIGINT""",
    "exact": """SELECT account_id, "at", model, prompt FROM prompted
        WHERE prompt = ('0x' || $digits)::UBIGINT OR given = 'exact:' || $digits""",
    "given": """SELECT account_id, "at", model, prompt FROM prompted WHERE given = $digits""",
}

_SENT: Final = """
CREATE TEMP TABLE sent AS SELECT account_id, count(*) AS n, min("at") AS first_at, max("at") AS last_at
FROM uses GROUP BY account_id;
"""

_CHOSEN: Final = """
CREATE TEMP TABLE chosen AS SELECT prompt, words FROM prompt_words SEMI JOIN uses USING (prompt)
ORDER BY prompt LIMIT $most
"""

_ROWS: Final = """
WITH sent AS (
    SELECT template, NULL AS given, account_id, count(*) AS n, min("at") AS first_at, max("at") AS last_at,
        min(prompt) AS low, max(prompt) AS high
    FROM exchange_templates WHERE $account IS NULL
        OR template IN (SELECT template FROM exchange_templates WHERE account_id = $account) GROUP BY ALL
    UNION ALL
    SELECT NULL, given, account_id, count(*), min("at"), max("at"), NULL, NULL FROM prompted WHERE given IS NOT NULL
        AND ($account IS NULL OR given IN (SELECT given FROM prompted WHERE account_id = $account)) GROUP BY ALL),
counted AS (
    SELECT template, given, min(low) <> max(high) AS several, count(*) AS accounts,
        count(*) FILTER (n >= $heavy) AS heavy, sum(n)::BIGINT AS total,
        coalesce(sum(n) FILTER (account_id = $account), 0)::BIGINT AS mine,
        min(first_at) FILTER ($account IS NULL OR account_id = $account) AS first_at,
        max(last_at) FILTER ($account IS NULL OR account_id = $account) AS last_at
    FROM sent GROUP BY template, given)
SELECT CASE WHEN template IS NULL THEN given WHEN several THEN 'template:' || format('{:016x}', template)
        ELSE 'exact:' || format('{:016x}', template) END AS id,
    CASE WHEN several THEN 'template' WHEN template IS NOT NULL OR regexp_full_match(given, 'exact:[0-9a-f]{16}')
        THEN 'exact' ELSE 'given' END AS level,
    CASE WHEN $account IS NULL THEN total ELSE mine END AS exchanges, accounts, heavy, first_at, last_at
FROM counted WHERE accounts > 1 OR mine > 1
ORDER BY CASE WHEN $account IS NULL THEN 0 ELSE mine END DESC, heavy DESC, accounts DESC, exchanges DESC, id
LIMIT $limit
"""


@dataclass(frozen=True)
class Sender:
    """An account that sends a template.

    Attributes:
        account_id: the account.
        exchanges: how many of its exchanges follow the template.
        prompted: how many of its exchanges have a prompt.
        share: the first part of the second, 0 to 1.
        first_seen, last_seen: of the template with this account; UTC.
        ring_id: the listed ring that it is a member of, or None.
    """

    account_id: str
    exchanges: int
    prompted: int
    share: float
    first_seen: datetime | None
    last_seen: datetime | None
    ring_id: str | None


@dataclass(frozen=True)
class Template:
    """A template, and who sends it.

    Attributes:
        id: its name today.
        asked: what was asked for.
        alias: the name that was asked for, where the template has another one now; else None.
        level: one of `template_names.LEVELS`, or `given`.
        prompts: distinct prompts whose text was given at ingest.
        exchanges: uses.
        accounts: how many send it: `once`, `several` times (up to `HEAVY_USES` - 1), or more often (`heavy`).
        first_seen, last_seen: UTC.
        models: exchanges of each model, the most first.
        hours: exchanges of each hour of the day, 24 of them from 0 h UTC.
        senders: the accounts, the most exchanges first.
        rings: id of each listed ring, its rank, its members and how many of them send it, the most first.
        aliases: names that it had before.
        template: of an exact prompt, the template that it follows with other prompts, or None.
        skeleton: its fixed words with slots and gaps, where `--keep-skeletons` was given at ingest; else None.
        verdict: the share of the first sender in a sentence.
    """

    id: str
    asked: str
    alias: str | None
    level: str
    prompts: int
    exchanges: int
    accounts: int
    once: int
    several: int
    heavy: int
    first_seen: datetime | None
    last_seen: datetime | None
    models: tuple["ModelUse", ...]
    hours: tuple[int, ...]
    senders: tuple[Sender, ...]
    rings: tuple["SendingRing", ...]
    aliases: tuple[str, ...]
    template: str | None
    skeleton: str | None
    verdict: str


@dataclass(frozen=True)
class ModelUse:
    """A model (None where the export has none) and how many exchanges it answered."""

    model: str | None
    exchanges: int


@dataclass(frozen=True)
class SendingRing:
    """A listed ring, how many members it has, and how many of them send the template."""

    ring_id: str
    rank: int
    accounts: int
    sending: int


@dataclass(frozen=True)
class TemplateRow:
    """A template in a list.

    Attributes:
        id: its name.
        level: `template`, `exact` or `given`.
        exchanges: how many follow it; of the account, where the list is of one.
        share: part of the account's exchanges that have a prompt, 0 to 1; None where the list is of no account.
        accounts: how many accounts send it.
        heavy: how many of them send it at least `HEAVY_USES` times.
        first_seen, last_seen: UTC; of the account, where the list is of one.
    """

    id: str
    level: str
    exchanges: int
    share: float | None
    accounts: int
    heavy: int
    first_seen: datetime | None
    last_seen: datetime | None


@dataclass(frozen=True)
class Templates:
    """Templates of an account, or of the whole case.

    Attributes:
        account_id: the account, or None.
        prompted: exchanges that have a prompt; of the account, where there is one.
        rows: the account's most used first, without what it sent once and nobody else did; of a case, those that most
            accounts live on first.
        verdict: the strongest shared template in a sentence, or that there is none.
    """

    account_id: str | None
    prompted: int
    rows: tuple[TemplateRow, ...]
    verdict: str


def template(case: Path, name: str, *, limit: int | None = None) -> Template:
    """Who sends a template, how often and when.

    Args:
        case: the case file.
        name: `template:…`, `opening:…`, `ending:…` or `exact:…`, the digits alone, a fingerprint of the provider's, or
            the beginning of one (6 characters or more). Digits alone mean a template first, then an opening,
            an ending and an exact prompt.
        limit: at most so many senders.

    Raises:
        NotFoundError: nothing has that name, several have it, or the case holds no prompts.
    """
    with store.reading(case) as con:
        con.execute(PROMPTED)
        asked = name.strip()
        level, digits, alias = resolve(con, asked)
        con.execute("CREATE TEMP TABLE uses AS " + _USES[level], {"digits": digits})
        full = digits if level == "given" else f"{level}:{digits}"
        found = _described(con, level, full, asked, limit)
        return replace(
            found,
            alias=f"{level}:{alias}" if alias else None,
            aliases=aliases(con, level, digits),
            skeleton=_skeleton(con),
            template=_template_of(con, digits) if level == "exact" else None,
        )


def templates(case: Path, account: str | None = None, *, limit: int | None = None) -> Templates:
    """The templates that an account follows, or those of the case that most accounts share.

    An exchange whose export gives both a text and a fingerprint counts for both.

    Args:
        case: the case file.
        account: the account; None: all that two accounts or more share.
        limit: at most so many.

    Raises:
        NotFoundError: an account that the case does not know.
    """
    with store.reading(case) as con:
        con.execute(PROMPTED)
        if account is not None:
            must_exist(con, account)
        total = con.execute(
            "SELECT count(*) FROM prompted WHERE $account IS NULL OR account_id = $account", {"account": account}
        ).fetchall()[0][0]
        found = con.execute(
            _ROWS, {"account": account, "heavy": HEAVY_USES, "limit": 2**62 if limit is None else limit}
        ).fetchall()
    rows = [
        TemplateRow(id, level, n, None if account is None else round(n / total, 4), *rest)
        for id, level, n, *rest in found
    ]
    return Templates(account, total, tuple(rows), _strongest(account, total, rows))


def sentence(account: str, share: float, prompted: int, does: str, others: int) -> str:
    """The share of an account in words.

    >>> sentence("acct_7", 0.18, 12000, "follow this template", 211)
    "18% of acct_7's 12,000 exchanges follow this template, shared with 211 others."
    """
    who = {0: "sent by no other account", 1: "shared with one other"}.get(others, f"shared with {others:,} others")
    part = f"{share:.0%}" if share >= 0.01 else "Less than 1%"
    exchanges = "exchanges" if prompted != 1 else "exchange"
    return f"{part} of {account}'s {prompted:,} {exchanges} {does}, {who}."


def _strongest(account: str | None, total: int, rows: list[TemplateRow]) -> str:
    if not total:
        whose = f"No exchange of {account}" if account else "No exchange in the case"
        return f"{whose} has a prompt."
    if account is None:
        return "" if rows else "No two accounts share a template."
    shared = [row for row in rows if row.accounts > 1]
    if not shared:
        return f"{account} shares no template with another account."
    best = shared[0]
    return sentence(account, best.share or 0.0, total, f"follow {best.id}", best.accounts - 1)


def _skeleton(con: duckdb.DuckDBPyConnection) -> str | None:
    """What the prompts of the table `uses` have in common."""
    con.execute(_CHOSEN, {"most": PROMPTS})
    sequences = con.execute("SELECT words FROM chosen ORDER BY prompt").fetchall()
    if not sequences:
        return None
    texts = con.execute("SELECT word, text FROM words WHERE word IN (SELECT unnest(words) FROM chosen)").fetchall()
    return skeleton([words for (words,) in sequences], dict(texts))


def _template_of(con: duckdb.DuckDBPyConnection, digits: str) -> str | None:
    """The template that most uses of a prompt follow, if another prompt follows it too."""
    rows = con.execute(
        """SELECT template, count(*) FROM exchange_templates WHERE prompt = ('0x' || $digits)::UBIGINT
        GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1""",
        {"digits": digits},
    ).fetchall()
    if not rows:
        return None
    several = con.execute(
        "SELECT 1 FROM exchange_templates WHERE template = ? AND prompt <> ('0x' || ?)::UBIGINT LIMIT 1",
        [rows[0][0], digits],
    ).fetchone()
    return f"template:{rows[0][0]:016x}" if several else None


def _described(con: duckdb.DuckDBPyConnection, level: str, full: str, asked: str, limit: int | None) -> Template:
    """What the table `uses` says."""
    con.execute(_SENT)
    facts = con.execute(
        """SELECT count(*), count(*) FILTER (n = 1), count(*) FILTER (n > 1 AND n < $heavy),
        count(*) FILTER (n >= $heavy), min(first_at), max(last_at) FROM sent""",
        {"heavy": HEAVY_USES},
    ).fetchall()[0]
    exchanges, prompts = con.execute("SELECT count(*), count(DISTINCT prompt) FROM uses").fetchall()[0]
    models = con.execute("SELECT model, count(*) FROM uses GROUP BY 1 ORDER BY 2 DESC, 1 NULLS LAST").fetchall()
    by_hour = dict(con.execute('SELECT hour("at"), count(*) FROM uses WHERE "at" IS NOT NULL GROUP BY 1').fetchall())
    rows = con.execute(
        """WITH most AS (SELECT * FROM sent ORDER BY n DESC, account_id LIMIT $limit),
        own AS (SELECT account_id, count(*) AS total FROM prompted SEMI JOIN most USING (account_id) GROUP BY 1),
        belongs AS (SELECT account_id, ring_id FROM members JOIN rings USING (ring_id) WHERE listed)
        SELECT account_id, n, total, round(n / total, 4), first_at, last_at, ring_id
        FROM most JOIN own USING (account_id) LEFT JOIN belongs USING (account_id) ORDER BY n DESC, account_id""",
        {"limit": 2**62 if limit is None else limit},
    ).fetchall()
    rings = con.execute(
        """SELECT ring_id, any_value(r."rank"), any_value(r.accounts), count(*) FROM sent
        JOIN members USING (account_id) JOIN rings r USING (ring_id) WHERE r.listed
        GROUP BY ring_id ORDER BY 4 DESC, 2"""
    ).fetchall()
    senders = tuple(Sender(*row) for row in rows)
    accounts, once, several, heavy, first, last = facts
    verdict = "No exchange has it any more."
    if senders:
        top = senders[0]
        verdict = sentence(top.account_id, top.share, top.prompted, _DOES[level], accounts - 1)
    return Template(
        full, asked, None, level, prompts, exchanges, accounts, once, several, heavy, first, last,
        tuple(ModelUse(*row) for row in models), tuple(int(by_hour.get(hour, 0)) for hour in range(24)), senders,
        tuple(SendingRing(*row) for row in rings), (), None, None, verdict,
    )  # fmt: skip
